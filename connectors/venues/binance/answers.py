"""What the answers to orders mean, on the socket and over HTTP.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-api/trading-requests. An answer is the engine's own
word. One with a status of 500 or more says that nobody knows (rest-api/general-information-on-endpoints): the order may
be there, its stream or a look tells.
"""

from typing import Final

import msgspec

from connectors.events import ExecType
from connectors.exchange.account import Account
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import Reply, silence, unreadable
from connectors.exchange.skew import Skew
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.binance import private
from connectors.venues.binance.errors import CLOCK, NO_ORDER, classify, code_of
from connectors.venues.binance.limits import Limits
from connectors.venues.binance.wire import Problem, decode_problem

SECOND: Final = 10**9
TOO_MANY_ORDERS: Final = -1015
_RACES: Final = frozenset({-2011, NO_ORDER, -2038, -2039})  # the order ended before the request came
_SHUT: Final = frozenset({403, 418, 429})  # refused before anything read the request


def read(status: int, body: bytes) -> Reply:
    """One answer over HTTP. That there is no such order (−2013) is an answer, not a failure."""
    quiet = silence(status, body)
    if quiet is not None:
        return quiet
    try:
        if status == 200:
            return Reply("", msgspec.json.decode(body, type=msgspec.Raw))
        problem = decode_problem(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        gone = unreadable(status, body)
        return Reply(gone.error) if status in _SHUT else gone
    if problem.code == NO_ORDER:
        return Reply("", msgspec.Raw(body))
    return Reply(words(problem), is_silent=status >= 500)


def words(problem: Problem) -> str:
    """As errors.py reads it."""
    return f"{problem.code} {problem.msg}"


class Answers:
    """To what is in flight. `is_validating`: a new order that was taken was only checked."""

    def __init__(
        self, account: Account, requests: Requests, budget: Limits, skew: Skew, *, is_validating: bool
    ) -> None:
        self._account = account
        self._requests = requests
        self._limits = budget
        self._skew = skew
        self._is_validating = is_validating

    def answer(self, answer: private.Answer, now_ns: int) -> list[Output]:
        """On the socket. Raises msgspec's errors for a result of another form."""
        number = answer.number if isinstance(answer.number, int) else None
        several = self._requests.of(number)
        if not several:
            return []  # it was given up, or settled by its stream
        request = several[0]
        if answer.error is not None or answer.status != 200:
            text = words(answer.error) if answer.error is not None else f"status {answer.status}"
            if answer.status >= 500:
                return self._requests.doubt(request, text)
            return self._refused(request, text, now_ns)
        order_id = private.decode_placed(answer.result).order_id
        if request.kind == "new" and self._is_validating:
            text = "validated only: nothing was placed"
            return self._requests.ended(request.orders[0], ExecType.CANCELED, text)
        return self._requests.taken(request, now_ns, str(order_id) if order_id >= 0 else "")

    def rest_answer(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        """Of a cancel that went over HTTP, while the socket is in doubt: nothing else may say what it did."""
        if not self._requests.is_open(request):
            return []
        if reply.is_silent:
            return self._requests.doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, now_ns)
        self._account.look_why = "a cancel over HTTP"
        return self._requests.accepted(request, now_ns)

    def _refused(self, request: Request, text: str, now_ns: int) -> list[Output]:
        verdict, code = classify(text), code_of(text)
        self.heed(text, now_ns)
        if code == TOO_MANY_ORDERS:
            self._limits.too_many_orders(now_ns)
        whose = request.orders[0].name if request.orders else ""
        out = self._requests.refused(request, text, verdict, now_ns)
        if code in _RACES and request.kind == "amend":
            self._account.look_why = f"{whose}: {text}"
        return out

    def heed(self, text: str, now_ns: int) -> None:
        """What an error says beyond the request that it answers: of the clock, of the address."""
        if code_of(text) == CLOCK:
            self._skew.again()
        verdict = classify(text)
        if verdict.next is Next.BACK_OFF and code_of(text) not in (CLOCK, TOO_MANY_ORDERS):
            self._limits.shut_out(now_ns, verdict.until_ns or now_ns + 60 * SECOND)
