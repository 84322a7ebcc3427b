"""Trading at Binance spot for real: approved orders out; answers, executions and balances in. Pure, like every session.

Orders leave on the socket of the WebSocket API, which tells what becomes of them as well; questions, and cancels while
that socket is in doubt, go over HTTP. The parts: key.py (what the key may do), link.py (the socket's life), answers.py
and told.py (what Binance's messages mean), picture.py (what a look asks for), limits.py (weights and counts).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import ExecType, Notice, RejectCode
from connectors.exchange.account import report
from connectors.exchange.key import KeyCheck
from connectors.exchange.known import Known
from connectors.exchange.requests import Request
from connectors.exchange.rest import OWN, Question, Reply
from connectors.exchange.session import TICK_NS, ExchangeTrading, check_options
from connectors.exchange.skew import Skew
from connectors.orders import AmendOrder, Approved, CancelOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan, WakeAt
from connectors.venues.binance import key, private
from connectors.venues.binance.answers import Answers, read, words
from connectors.venues.binance.errors import classify
from connectors.venues.binance.form import query
from connectors.venues.binance.limits import Limits
from connectors.venues.binance.link import Link
from connectors.venues.binance.names import Names
from connectors.venues.binance.orders import DEADLINE_NS, OPTIONS, WINDOW_MS, BinanceOrders
from connectors.venues.binance.picture import Lists
from connectors.venues.binance.told import VENUE, Translator, balances, movement

TIME: Final = "time"
TIME_ANSWER_NS: Final = 5 * 10**9
SOCKET_NUMBERS: Final = 2 * OWN  # of subscriptions and pings; questions over HTTP are numbered below
_UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class BinanceTrading(ExchangeTrading):
    """`OrderSession` for Binance spot. Raises ConfigError for an option that it does not know (orders.py has them)."""

    def __init__(self, plan: TradingPlan) -> None:
        check_options(VENUE, plan.options, OPTIONS)
        encoder = BinanceOrders(plan.instruments, plan.options)
        self._limits = Limits(VENUE)
        self._skew = Skew(VENUE)
        self._names = Names(plan)
        self._translator = Translator(self._names)
        lists = Lists(self._names, self._translator)
        super().__init__(
            plan, VENUE, encoder=encoder, read=read, classify=classify, purse=self._limits, parts=lists.parts,
            deadline_ns=DEADLINE_NS, skew=self._skew,
        )  # fmt: skip
        lists.of(self.account)
        self._answers = Answers(
            self.account, self.requests, self._limits, self._skew, is_validating=encoder.is_validating
        )
        self._key = KeyCheck(self.account, self.rest, key.QUESTIONS, key.refused, key.again_ns)
        self._link = Link(VENUE, SOCKET_NUMBERS, self._skew)
        self._time: Question | None = None
        self._system = "online"

    # --- the links ---------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        """Binance's time before anything is signed with ours."""
        return self.finish([*self._ask_time(now_ns), WakeAt(now_ns + TICK_NS)], now_ns)

    def open(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link != PRIVATE:
            return []
        return self.finish(self._link.open(now_ns) if not self.account.halted else [], now_ns)

    def close(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link != PRIVATE:
            return []
        self._link.close()
        return self.finish(self.requests.lost("the private link went down"), now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self.is_stopped:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        was_open = self._link.is_open
        out += self._link.tick(now_ns)
        if was_open and not self._link.is_open:
            out += self.requests.lost("the private link was given up")
        out += self._tick_time(now_ns) + self._key.tick(now_ns)
        out += self.requests.overdue(now_ns) + self.executions.tick(now_ns)
        return self.finish(out, now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        """No verdict here asks for it: every request is signed by itself."""
        del now_ns
        return [Notice("warning", f"{VENUE}: {why}")]

    # --- Binance's time ----------------------------------------------------------------------------------------------

    def _ask_time(self, now_ns: int) -> list[Output]:
        self._skew.asked(now_ns)
        self._time, send = self.rest.ask(TIME, "GET /api/v3/time", "", now_ns)
        return [send]

    def _tick_time(self, now_ns: int) -> list[Output]:
        out: list[Output] = []
        if self._time is not None and now_ns - self._time.sent_ns >= TIME_ANSWER_NS:
            self._time = None
            out += self._ask_key(now_ns)
        if self._skew.is_due(now_ns) and self._time is None:
            out += self._ask_time(now_ns)
        return out

    def _ask_key(self, now_ns: int) -> list[Output]:
        return [] if self._key.is_asked else self._key.start(now_ns)

    def _time_answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        out: list[Output] = []
        if question is self._time:
            self._time = None
        if reply.error:
            out.append(Notice("warning", f"{VENUE}: its time could not be asked: {reply.error}"))
        else:
            server_ns = private.decode_time(reply.result).ms * 10**6
            out += self._skew.told(question.sent_ns, now_ns, server_ns)
        return out + self._ask_key(now_ns)

    # --- orders out --------------------------------------------------------------------------------------------------

    def why_not(self, now_ns: int) -> str:
        del now_ns
        if self._key.why:
            return self._key.why
        if self._system != "online":
            return f"binance says: {self._system}"
        return self._link.why()

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        del orders
        return self._limits.pay(kind, now_ns)

    def is_sound(self, now_ns: int) -> bool:
        return self._link.is_sound(now_ns)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]:
        """Binance lowers a quantity in place and changes nothing else: what asks for more never leaves."""
        order = approved.order
        known = self.account.orders.named(order.client_order_id)
        if known is not None and known.qty_1e8:
            is_other_price = known.px_1e9 != order.px_1e9
            if is_other_price or order.qty_1e8 > known.qty_1e8:
                what = "change a price" if is_other_price else "raise a quantity"
                text = f"never sent: binance cannot {what} in place"
                refused = report(known, ExecType.REPLACE_REJECTED, text, RejectCode.INVALID_PARAMS)
                return self.finish([refused], now_ns)
        return super().amend(approved, now_ns)

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        self.rest.expect(approved.approval, "cancel", now_ns, request)
        symbol = self._names.theirs(known.symbol)
        fields = query((("symbol", symbol), ("origClientOrderId", known.name), ("recvWindow", WINDOW_MS)))
        data = b"%d DELETE /api/v3/order\n%s" % (approved.approval, fields)
        return self._skew.into(Send(REST, data, approved.approval))

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link not in (PRIVATE, REST):
            return []
        try:
            out = self._private(frame, now_ns) if link == PRIVATE else self._rest_answer(frame, now_ns)
        except _UNREADABLE as error:
            out = self._unexplained(frame, link, str(error))
        return self.finish(out, now_ns)

    def _unexplained(self, frame: bytes, link: str, why: str) -> list[Output]:
        """Loud; and whatever it may have said, a look at the account finds."""
        self.account.look_why = f"a frame of the {link} link that cannot be read"
        return [Notice("error", f"{VENUE}: unexplained frame of the {link} link {frame[:120]!r}: {why}")]

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        self._link.heard(now_ns)
        try:
            wrapped = private.decode_wrapped(frame)
        except msgspec.ValidationError:
            return self._answered(private.decode_answer(frame), now_ns)
        return self._event(private.decode_event(wrapped.event), now_ns)

    def _event(self, event: private.Event, now_ns: int) -> list[Output]:
        match event:
            case private.Execution():
                return self.executions.fold(self._translator.told(event), now_ns)
            case private.Position():
                return balances(event)
            case private.Moved():
                return movement(event)
            case private.Terminated():
                self.account.look_why = "the stream of the account's events was ended"
                return self._link.terminated(now_ns)
            case private.Shutdown():
                return self._link.leaving(now_ns)
            case private.ListStatus() | private.Locked():
                return []

    def _answered(self, answer: private.Answer, now_ns: int) -> list[Output]:
        self._limits.told(answer.limits, now_ns)
        number = answer.number if isinstance(answer.number, int) else 0
        problem = words(answer.error) if answer.error is not None else ""
        if not problem and answer.status != 200:
            problem = f"status {answer.status}"
        if self._link.owns(number):
            if problem:
                self._answers.heed(problem, now_ns)
            return self._link.answered(answer, problem, now_ns)
        if number > SOCKET_NUMBERS:  # of a ping, or of a subscription that was given up
            return []
        if answer.number is None:
            raise WireError(f"a request that cannot be read: {problem}")
        return self._answers.answer(answer, now_ns) + self.executions.named(now_ns)

    def _rest_answer(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self.rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        if reply.error:
            self._answers.heed(reply.error, now_ns)
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if question.name == TIME:
            return self._time_answered(question, reply, now_ns)
        if isinstance(question.carry, Request):
            return self._answers.rest_answer(question.carry, reply, now_ns)
        return self._key.answered(question, reply, now_ns) if self._key.owns(question) else []

    # --- status, end -------------------------------------------------------------------------------------------------

    def says(self, system: str, now_ns: int) -> list[Output]:
        self._system = system
        return self.finish([], now_ns)

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """There is no switch that would cancel what is left."""
        if self.is_stopped:
            return []
        out: list[Output] = []
        if not is_flat:
            out.append(Notice("warning", f"{VENUE}: orders may be open, and nothing there cancels them by itself"))
        self.is_stopped = True
        return self.finish(out, now_ns)
