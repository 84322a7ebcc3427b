"""What the answers to orders mean. https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline

retCode 0 says that Bybit took the request, not that anything came of it: the order topic decides, and what it does not
say within two seconds is doubt. A batch is answered order by order, in the order in which it was sent.
"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import Reply, silence, unreadable
from connectors.exchange.skew import Skew
from connectors.exchange.verdict import Next, Verdict
from connectors.orders import Approved, NewOrder
from connectors.session import Output
from connectors.venues.bybit import limits, private
from connectors.venues.bybit.errors import (
    CLOCK,
    IN_PROGRESS,
    RACES,
    classify,
    classify_on_socket,
    code_of,
)

MS: Final = 10**6
BATCHES_MAX: Final = 1000  # remembered for answers that come late
_STATUS_ALONE: Final = frozenset({403, 429})  # refused before anything read the request


def read(status: int, body: bytes) -> Reply:
    """One answer of REST."""
    quiet = silence(status, body)
    if quiet is not None:
        return quiet
    try:
        answer = private.decode_reply(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        gone = unreadable(status, body)
        return Reply(f"{status}: {gone.error}") if status in _STATUS_ALONE else gone
    if answer.ret_code:
        return Reply(f"{answer.ret_code}: {answer.ret_msg or ''}")
    return Reply("", answer.result) if status == 200 else unreadable(status, body)


class Answers:
    """Of the trade socket and, for cancels, of REST, to what is in flight."""

    def __init__(self, account: Account, requests: Requests, budget: limits.Limits, skew: Skew) -> None:
        self._account = account
        self._requests = requests
        self._limits = budget
        self._skew = skew
        self._batches: dict[int, tuple[str, ...]] = {}  # the number of a batch → the names in it

    def batch(self, several: list[Approved[NewOrder]]) -> None:
        """These leave as one message: its answer tells them by their places."""
        if len(self._batches) >= BATCHES_MAX:
            del self._batches[next(iter(self._batches))]
        self._batches[several[0].approval] = tuple(one.order.client_order_id for one in several)

    def answer(self, answer: private.Answer, now_ns: int) -> list[Output]:
        """Raises msgspec's errors and WireError for a part that cannot be read."""
        self._limits.told(answer.op, answer.header.limit, answer.header.left, now_ns)
        number = int(answer.req_id) if answer.req_id.isascii() and answer.req_id.isdigit() else None
        several = self._requests.of(number)
        if not several or number is None:
            return []  # it was given up, or settled by its stream
        if answer.ret_code:
            text = f"{answer.ret_code}: {answer.ret_msg}"
            verdict = self._verdict(text, answer.op, answer.header.reset_ms, now_ns)
            return [out for request in several for out in self._refused(request, text, verdict, now_ns)]
        names = self._batches.pop(number, ())
        if names:
            return self._batch(several, names, answer, now_ns)
        made = private.decode_made(answer.data)
        request = several[0]
        if made.order_link_id and request.orders and made.order_link_id != request.orders[0].name:
            raise WireError(f"the answer to {number} is about {made.order_link_id:.40}")
        return self._requests.accepted(request, now_ns, made.order_id)

    def _batch(
        self, several: list[Request], names: tuple[str, ...], answer: private.Answer, now_ns: int
    ) -> list[Output]:
        made = private.decode_made(answer.data).several
        outcomes = private.decode_outcomes(answer.ret_ext_info).each
        if len(outcomes) != len(names) or len(made) != len(names):
            why = f"a batch of {len(names)} was answered with {len(outcomes)} outcomes of {len(made)} orders"
            return [Notice("error", f"bybit: {why}"), *(out for one in several for out in self._doubt(one, why))]
        by_name = {request.orders[0].name: request for request in several if request.orders}
        out: list[Output] = []
        for name, one, outcome in zip(names, made, outcomes, strict=True):
            request = by_name.get(name)
            if request is None:
                continue
            if outcome.code:
                text = f"{outcome.code}: {outcome.msg}"
                verdict = self._verdict(text, answer.op, answer.header.reset_ms, now_ns)
                out += self._refused(request, text, verdict, now_ns)
            else:
                out += self._requests.accepted(request, now_ns, one.order_id)
        return out

    def _verdict(self, text: str, op: str, reset_ms: str, now_ns: int) -> Verdict:
        """And what it means for requests to come."""
        verdict = classify_on_socket(text)
        if code_of(text) == CLOCK:
            self._skew.again()
        if verdict.next is Next.BACK_OFF:
            until_ns = int(reset_ms) * MS - self._skew.ns if reset_ms.isdigit() and len(reset_ms) <= 15 else 0
            self._limits.overrun_of(op, now_ns, until_ns)
            return verdict._replace(until_ns=until_ns)
        return verdict

    def _refused(self, request: Request, text: str, verdict: Verdict, now_ns: int) -> list[Output]:
        code = code_of(text)
        if request.kind == "cancel" and code == IN_PROGRESS:  # the cancel before this one
            return self._requests.accepted(request, now_ns)
        whose = request.orders[0].name if request.orders else ""
        out = self._requests.refused(request, text, verdict, now_ns)
        if code in RACES and request.kind == "amend":
            self._account.look_why = f"{whose}: {text}"  # it ended unseen, or never began
        return out

    def _doubt(self, request: Request, why: str) -> list[Output]:
        return self._requests.doubt(request, why)

    def rest_answer(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        """Of a cancel that went over REST."""
        if not self._requests.is_open(request):
            return []
        if reply.is_silent:
            return self._requests.doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, classify(reply.error), now_ns)
        if request.kind == "cancel_all" and private.decode_cancelled_all(reply.result).success == "0":
            return self._requests.doubt(request, "bybit says that not everything could be cancelled")
        return self._requests.accepted(request, now_ns)
