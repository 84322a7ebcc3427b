"""OKX's answers to trading requests, on the socket and over HTTP.
https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-place-order

`code` is of the whole message (0: all, 1: none, 2: some), `sCode` of each order in it, and that is what counts. Success
says that the request was accepted; what came of it, the orders channel tells.
"""

import msgspec

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import NOTHING, Reply, unreadable
from connectors.exchange.skew import Skew
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.okx import private
from connectors.venues.okx.errors import GONE, OF_ACCOUNT, OF_MARKET, TIMES, classify, code_of
from connectors.venues.okx.limits import OrderLimits
from connectors.venues.okx.names import our_id

_KINDS = {"order": "new", "batch-orders": "new", "amend-order": "amend", "cancel-order": "cancel"}
_EMPTY = msgspec.Raw(b"[]")


class Answers:
    """One session's."""

    def __init__(self, account: Account, requests: Requests, limits: OrderLimits, skew: Skew) -> None:
        self._account = account
        self._skew = skew
        self._requests = requests
        self._limits = limits

    def is_awaited(self, message: private.Message) -> bool:
        """Whether an error that names no `op` is about a request of orders: one that OKX could not even read."""
        return bool(self._requests.of(_number(message.id)))

    def answer(self, message: private.Message, now_ns: int) -> list[Output]:
        """A response on the socket. Raises msgspec's errors."""
        several = self._requests.of(_number(message.id), _KINDS.get(message.op, message.op))
        items = private.decode_items(message.data) if message.data else []
        if not several:
            return self._nobodys(message, items)
        if not items:
            text = f"{message.code} {message.msg}".strip()
            return [out for request in several for out in self._refused(request, text, now_ns)]
        named = {our_id(item.cl_ord_id): item for item in items if item.cl_ord_id}
        has_places = len(items) == len(several)
        out: list[Output] = []
        for place, request in enumerate(several):
            found = named.get(request.orders[0].name) if request.orders else None
            if found is None and has_places and not items[place].cl_ord_id:
                found = items[place]
            if found is not None:  # one that is not mentioned stays in flight, and is doubt in time
                out += self._item(request, found, message, now_ns)
        return out

    @staticmethod
    def _nobodys(message: private.Message, items: list[private.Item]) -> list[Output]:
        said = [f"{item.s_code} {item.s_msg}" for item in items if item.s_code not in ("", "0")]
        if not said and message.code != "0":
            said = [f"{message.code} {message.msg}"]
        if not said or all(code_of(text) in GONE for text in said):  # what it was about had ended before it came
            return []
        return [Notice("warning", f"okx: an answer nobody waits for: {message.op} {message.id}: {said[0]:.200}")]

    def _item(self, request: Request, item: private.Item, message: private.Message, now_ns: int) -> list[Output]:
        if item.s_code == "0":
            return self._requests.accepted(request, now_ns, item.ord_id)
        text = f"{item.s_code} {item.s_msg}" if item.s_code else f"{message.code} {message.msg}"
        return self._refused(request, text.strip(), now_ns)

    def _refused(self, request: Request, text: str, now_ns: int) -> list[Output]:
        verdict, code = classify(text), code_of(text)
        if code == OF_MARKET and request.orders:  # of this market alone
            self._limits.overrun(request.orders[0], now_ns)
            verdict = verdict._replace(next=Next.DEFINITE)
        if code == OF_ACCOUNT:
            self._limits.account_overrun(now_ns)
        if code in TIMES:
            self._skew.again()
        if code in GONE and any(not known.is_done for known in request.orders):
            self._account.look_why = f"{request.kind}: {text}"
        return self._requests.refused(request, text, verdict, now_ns)

    def rest_answer(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        """Of a cancel that went over HTTP. While the link is down nothing else will say what it did."""
        if not self._requests.is_open(request):
            return []
        if reply.is_silent:
            return self._requests.doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, now_ns)
        self._account.look_why = f"{request.kind} over HTTP"
        return self._requests.accepted(request, now_ns)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def read(status: int, body: bytes) -> Reply:
    """An answer over HTTP. That an order does not exist answers a question about it: there is none."""
    try:
        answer = private.decode_answer(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return unreadable(status, body)
    if answer.code == "0":
        return Reply("", answer.data) if status == 200 else unreadable(status, body)
    if answer.code == "51603":
        return Reply("", _EMPTY)
    said = _first_refusal(answer.data)
    if answer.code in ("1", "2") and said:
        return Reply(said, NOTHING)
    return Reply(f"{answer.code} {answer.msg}".strip() or "no reason given", NOTHING)


def _first_refusal(data: msgspec.Raw) -> str:
    """`1` and `2` say nothing: what was refused, the items say."""
    try:
        items = private.decode_items(data)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return next((f"{item.s_code} {item.s_msg}".strip() for item in items if item.s_code not in ("", "0")), "")
