"""Trading at OKX for real: approved orders out; answers, orders' states and balances in. Pure, like every session.

What is OKX's own of it: key.py (what the key may do), link.py (login, subscriptions, life, dead-man's switch),
answers.py and executions.py (what its messages mean), lists.py (what a look asks for), limits.py (rates). This file is
where they meet: who gets which message, what may leave, and whether the venue is ready.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Balance, Notice
from connectors.exchange.amounts import amount_1e8, ms_ns
from connectors.exchange.key import KeyCheck
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.requests import Request
from connectors.exchange.rest import Question, Reply
from connectors.exchange.session import TICK_NS, ExchangeTrading, check_options
from connectors.exchange.skew import Skew
from connectors.exchange.subscription import UNREADABLE
from connectors.exchange.told import Told
from connectors.orders import Approved, CancelOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan, WakeAt
from connectors.venues.okx import answers, key, limits, link, private, wire
from connectors.venues.okx.errors import TIMES, classify, code_of
from connectors.venues.okx.executions import Translator
from connectors.venues.okx.lists import Lists
from connectors.venues.okx.markets import Markets
from connectors.venues.okx.names import wire_id
from connectors.venues.okx.orders import BATCH_MAX, DEADLINE_NS, STP_MODES, OkxOrders

VENUE: Final = "okx"
OPTIONS: Final = {
    "batch": ("true", "false"),  # read where orders are put together, by the engine
    "stp_mode": STP_MODES,
}
_READABLE: Final = frozenset({"online", "post_only"})  # while it says so, orders may be sent
_TIME: Final = "time"
_MARKETS: Final = "instruments"
_MARKETS_AGAIN_NS: Final = 60 * 10**9


class OkxTrading(ExchangeTrading):
    """`OrderSession` for OKX spot. Raises ConfigError for an option that it does not know.

    Options: `stp_mode` (orders.py), `batch` (true: orders of one turn at one market go in one message).
    """

    def __init__(self, plan: TradingPlan) -> None:
        check_options(VENUE, plan.options, OPTIONS)
        self._encoder = OkxOrders(plan.instruments, plan.options)
        self._skew = Skew(VENUE)
        self._markets = Markets(plan)
        self._translator = Translator(self._markets)
        super().__init__(
            plan, VENUE, encoder=self._encoder, read=answers.read, classify=classify, purse=limits.Questions(),
            parts=self._parts, deadline_ns=DEADLINE_NS, submit_many=self._encoder.submit_many, batch_max=BATCH_MAX,
            skew=self._skew,
        )  # fmt: skip
        self._lists = Lists(self.account, self._markets, self._translator)
        self._limits = limits.OrderLimits()
        self._key = KeyCheck(self.account, self.rest, key.QUESTIONS, key.refused)
        self._link = link.PrivateLink(self.account, self.rest, self._skew)
        self._answers = answers.Answers(self.account, self.requests, self._limits, self._skew)
        self._system = "online"
        self._markets_ns: int | None = None  # when to ask for the list of markets

    def _parts(self) -> Sequence[Part]:
        return self._lists.parts()

    # --- the links -------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        self._markets_ns = now_ns
        out: list[Output] = [*self._ask_own(now_ns), *self._key.start(now_ns), WakeAt(now_ns + TICK_NS)]
        return self.finish(out, now_ns)

    def open(self, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name != PRIVATE:
            return []
        return self.finish(self._link.open(now_ns), now_ns)

    def close(self, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name != PRIVATE:
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
        out += self._key.tick(now_ns) + self.requests.overdue(now_ns) + self.executions.tick(now_ns)
        return self.finish(out + self._ask_own(now_ns), now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        return self._link.renew(why, now_ns)

    def _ask_own(self, now_ns: int) -> list[Output]:
        """The venue's time, every few minutes; its markets, once."""
        out: list[Output] = []
        if self.account.halted:
            return out
        if self._skew.is_due(now_ns):
            self._skew.asked(now_ns)
            out.append(self.rest.ask(_TIME, "GET /api/v5/public/time", "", now_ns)[1])
        if self._markets_ns is not None and now_ns >= self._markets_ns:
            self._markets_ns = now_ns + _MARKETS_AGAIN_NS
            out.append(self.rest.ask(_MARKETS, "GET /api/v5/public/instruments", "instType=SPOT", now_ns)[1])
        return out

    # --- orders out ------------------------------------------------------------------------------------------------

    def why_not(self, now_ns: int) -> str:
        if self._key.why:
            return self._key.why
        if self._system not in _READABLE:
            return f"okx says: {self._system}"
        return self._link.why(now_ns)

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        return self._limits.pay(kind, orders, now_ns)

    def is_sound(self, now_ns: int) -> bool:
        return self._link.is_sound(now_ns)

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        market = self._markets.inst_id(known.instrument, known.symbol)
        body = f'{{"instId":"{market}","clOrdId":"{wire_id(known.name)}"}}'
        head = "POST /api/v5/trade/cancel-order"
        return self.rest.ask("cancel-order", head, body, now_ns, approved.approval, request)[1]

    # --- what comes in ---------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name == REST:
            return self.finish(self._rest_answer(frame, now_ns), now_ns)
        if link_name != PRIVATE:
            return []
        self._link.heard(now_ns)
        if frame == b"pong":
            return self.finish([], now_ns)
        try:
            out = self._private(frame, now_ns)
        except UNREADABLE as error:
            out = self._unexplained(f"unexplained frame {frame[:120]!r}: {error}")
        return self.finish(out, now_ns)

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        message = private.decode_message(frame)
        is_refusal = message.event == "error" and self._answers.is_awaited(message)
        if message.event and not is_refusal:
            return self._link.event(message, now_ns)
        if message.op or is_refusal:
            out = self._answers.answer(message, now_ns)
            return out + self.executions.named(now_ns)
        channel = message.arg.channel if message.arg is not None else ""
        if channel == "orders":
            return self._orders(message.data, now_ns)
        if channel == "account":
            return [
                Balance(VENUE, held.ccy, amount_1e8(private.amount(held.cash_bal)))
                for balances in private.decode_balances(message.data)
                for held in balances.details
            ]
        if not channel:
            raise WireError("neither an event, an answer nor a push")
        return [Notice("warning", f"okx: data of channel {channel:.40} on the private link, not read here")]

    def _orders(self, data: msgspec.Raw, now_ns: int) -> list[Output]:
        """Each order by itself: one that cannot be read costs none of the others."""
        told: list[Told] = []
        problem = ""
        for raw in private.decode_raws(data):
            try:
                told += self._translator.told(private.decode_order(raw))
            except UNREADABLE as error:
                problem = problem or f"order {bytes(raw)[:120]!r}: {error}"
        out, worse = self.executions.read(told, _itself, now_ns)
        return out + (self._unexplained(problem or worse) if problem or worse else [])

    def _unexplained(self, why: str) -> list[Output]:
        """Loud; and whatever it may have said, a look finds."""
        self.account.look_why = why[:200]
        return [Notice("error", f"okx: {why}")]

    def _rest_answer(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self.rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        if reply.error and code_of(reply.error) in TIMES:
            self._skew.again()
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if self._key.owns(question):
            return self._key.answered(question, reply, now_ns)
        if question.name == link.TIMER:
            return self._link.timer_answered(question, reply, now_ns)
        if isinstance(question.carry, Request):
            return self._answers.rest_answer(question.carry, reply, now_ns)
        try:
            return self._own_answer(question, reply, now_ns)
        except UNREADABLE as error:
            return [Notice("warning", f"okx: {question.name}: {error}")]

    def _own_answer(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if reply.error:
            return [Notice("warning", f"okx: {question.name}: {reply.error}")]
        if question.name == _MARKETS:
            self._markets.learn(wire.Pairs(code="0", data=private.decode_raws(reply.result)))
            self._markets_ns = None
            return []
        (time,) = private.decode_time(reply.result)
        out = self._skew.told(question.sent_ns, now_ns, ms_ns(time.ts))
        self._encoder.skew_ns = self._skew.ns
        return out + self._link.clock_known(now_ns)

    # --- status, end -----------------------------------------------------------------------------------------------

    def says(self, system: str, now_ns: int) -> list[Output]:
        """Before maintenance the switch is disarmed: OKX cannot hear us then, and would cancel everything."""
        before, self._system = self._system, system
        if system == before or self.is_stopped:
            return self.finish([], now_ns)
        out: list[Output] = []
        if system == "maintenance":
            out = self._link.disarm(now_ns)
        elif before == "maintenance":
            self._link.dead_man.rearm()
        return self.finish(out, now_ns)

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """With an order open or in doubt the switch stays armed: within a minute OKX cancels what is left."""
        if self.is_stopped:
            return []
        out: list[Output] = []
        if is_flat:
            out += self._link.disarm(now_ns)
        else:
            self._link.dead_man.is_wanted = False
            out.append(Notice("warning", "okx: orders may be open: the dead-man's switch stays armed"))
        self.is_stopped = True
        return self.finish(out, now_ns)


def _itself(told: Told) -> Told:
    return told
