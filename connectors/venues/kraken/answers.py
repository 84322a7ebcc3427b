"""Kraken's answers to trading requests, on the private link and over REST. https://docs.kraken.com/api/docs/websocket-v2/add_order

A response is the engine's own word; that of a cancel says only that it was taken.
"""

from typing import Final

import msgspec

from connectors.events import ExecType, Notice
from connectors.exchange.account import Account
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import Reply, unreadable
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.kraken import private
from connectors.venues.kraken.errors import classify, throttled_until_ns
from connectors.venues.kraken.limits import EngineLimits

GONE: Final = "EOrder:Unknown order"
_AFTER: Final = ("amend", "cancel", "cancel_all")  # what is said of an order that is there
_KINDS: Final = {"add_order": "new", "batch_add": "new", "amend_order": "amend", "cancel_order": "cancel",
                 "cancel_all": "cancel_all"}  # fmt: skip
_NO_REASON: Final = "no reason given"


class Answers:
    """One session's. `is_validating`: a new order that was taken was only checked."""

    def __init__(self, account: Account, requests: Requests, engine: EngineLimits, *, is_validating: bool) -> None:
        self._account = account
        self._requests = requests
        self._engine = engine
        self._is_validating = is_validating

    def answer(self, answer: private.Answer, now_ns: int) -> list[Output]:
        """A response on the private link. Raises msgspec's errors for a result of another form."""
        kind = _KINDS.get(answer.method)
        several = self._requests.of(answer.req_id, kind) if kind is not None else []
        if not several:
            is_moot = kind in _AFTER and answer.error.startswith(GONE)  # what it was about had ended before it came
            if answer.error and not is_moot:
                what = f"{answer.method} {answer.req_id}" if answer.req_id is not None else answer.method
                return [Notice("warning", f"kraken: an answer nobody waits for: {what}: {answer.error}")]
            return []
        if answer.method == "batch_add":
            return self._batch(several, answer, now_ns)
        if answer.error or answer.success is not True:
            return self._refused(several[0], answer.error or _NO_REASON, now_ns)
        return self._taken(several[0], private.decode_result(answer.result), now_ns)

    def _batch(self, several: list[Request], answer: private.Answer, now_ns: int) -> list[Output]:
        """By name, else by place where every one has its place. One that is not mentioned stays in flight."""
        try:
            results = private.decode_results(answer.result)
        except msgspec.ValidationError:
            results = []
            if answer.success is True:
                results = private.decode_batch(answer.result).orders
        if not results:
            text = answer.error or _NO_REASON
            return [out for request in several for out in self._refused(request, text, now_ns)]
        named = {result.cl_ord_id: result for result in results if result.cl_ord_id}
        has_places = len(results) == len(several)
        out: list[Output] = []
        for place, request in enumerate(several):
            found = named.get(request.orders[0].name)
            if found is None and has_places and not results[place].cl_ord_id:
                found = results[place]
            if found is None:
                continue
            if found.error or not found.order_id:
                out += self._refused(request, found.error or answer.error or _NO_REASON, now_ns)
            else:
                out += self._taken(request, found, now_ns)
        return out

    def _taken(self, request: Request, result: private.Result, now_ns: int) -> list[Output]:
        if request.kind == "new" and self._is_validating:
            text = "validated only: nothing was placed"
            return self._requests.ended(request.orders[0], ExecType.CANCELED, text)
        return self._requests.taken(request, now_ns, result.order_id)

    def _refused(self, request: Request, text: str, now_ns: int) -> list[Output]:
        verdict = classify(text)
        if text.startswith("EOrder:Rate limit"):  # of this pair alone
            for known in request.orders:
                self._engine.overrun(known.instrument, now_ns)
            verdict = verdict._replace(next=Next.DEFINITE)
        return self._requests.refused(request, text, verdict._replace(until_ns=throttled_until_ns(text)), now_ns)

    def slower(self, text: str, now_ns: int) -> None:
        """Words to nobody in particular; a text that does not ask for less changes nothing."""
        if classify(text).next is Next.BACK_OFF:
            self._account.slower(now_ns, throttled_until_ns(text))

    def rest_answer(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        """The answer to a cancel that went over REST. While the link is down nothing else will say what it did."""
        if not self._requests.is_open(request):
            return []
        if reply.is_silent:
            return self._doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, now_ns)
        try:
            count = private.decode_cancelled(reply.result).count
        except msgspec.MsgspecError as error:
            return self._doubt(request, str(error))
        self._account.look_why = f"{request.kind} over REST"
        if count == 0 and request.kind == "cancel":
            return self._refused(request, GONE, now_ns)
        return self._requests.accepted(request, now_ns)

    def _doubt(self, request: Request, why: str) -> list[Output]:
        out = self._requests.doubt(request, why)
        self._account.look_why = f"{request.kind}: {why}"
        return out


def read(status: int, body: bytes) -> Reply:
    """An answer of Kraken's REST: success and failure share status 200."""
    try:
        answer = private.decode_rest(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return unreadable(status, body)
    errors = [error for error in answer.error if not error.startswith("W")]  # W…: a warning
    if not errors and status != 200:
        return unreadable(status, body)
    return Reply(", ".join(errors), answer.result)
