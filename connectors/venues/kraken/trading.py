"""Trading at Kraken for real: approved orders out; answers, executions and balances in. Pure, like every session.

What is Kraken's own of it: key.py (what the key may do), link.py (token, subscriptions, life, dead-man's switch),
answers.py and executions.py (what its messages mean), picture.py (what a look asks for), limits.py (rate counters).
This file is where they meet: who gets which message, what may leave, and whether the venue is ready.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import ConfigError, WireError
from connectors.events import Notice, VenueStatus
from connectors.exchange.key import KeyCheck
from connectors.exchange.known import Known
from connectors.exchange.requests import Request
from connectors.exchange.session import TICK_NS, ExchangeTrading
from connectors.orders import Approved, CancelAll, CancelOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan, WakeAt
from connectors.venues.kraken import answers, key, limits, link, private
from connectors.venues.kraken.errors import classify
from connectors.venues.kraken.executions import VENUE, read_balances, translate
from connectors.venues.kraken.names import Names
from connectors.venues.kraken.orders import DEADLINE_NS, STP_TYPES, KrakenOrders
from connectors.venues.kraken.picture import Lists

BATCH_MAX: Final = 15
OPTIONS: Final = {
    "batch": ("true", "false"),  # read where orders are put together, by the engine
    "stp_type": STP_TYPES,
    "tier": tuple(limits.TIERS),
    "validate": ("true", "false"),
}
_READABLE: Final = frozenset({"online", "post_only"})  # while it says so, orders may be sent
_OTHER_CHANNELS: Final = frozenset({"book", "ticker", "trade", "ohlc", "level3", "instrument"})
_OWN_CHANNELS: Final = frozenset({"executions", "balances"})
_UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class KrakenTrading(ExchangeTrading):
    """`OrderSession` for Kraken spot. Raises ConfigError for an option that it does not know.

    Options: `stp_type`, `validate` (orders.py), `tier` (starter, intermediate, pro: how fast the rate counters decay),
    `batch` (true: orders of one turn at one market go in one message).
    """

    def __init__(self, plan: TradingPlan) -> None:
        for name in plan.options:
            if name not in OPTIONS:
                mend = f"choose one of {', '.join(OPTIONS)}"
                raise ConfigError(f"no option {name!r}", place="kraken options", mend=mend)
        encoder = KrakenOrders(plan.instruments, plan.options)
        tier = limits.tier(plan.options.get("tier", "starter"))
        purse = limits.RestPurse(tier)
        super().__init__(
            plan, VENUE, encoder=encoder, read=answers.read, classify=classify, purse=purse,
            parts=Lists(Names(plan.symbols)).parts, deadline_ns=DEADLINE_NS, first=0,
            submit_many=encoder.submit_many, batch_max=BATCH_MAX,
        )  # fmt: skip
        self._engine = limits.EngineLimits(tier)
        self._key = KeyCheck(self.account, self.rest, key.QUESTIONS, key.refused)
        self._link = link.PrivateLink(self.account, self.rest, self._engine)
        is_validating = encoder.is_validating
        self._answers = answers.Answers(self.account, self.requests, self._engine, is_validating=is_validating)
        self._system = "online"
        self._started_ns = 0

    # --- the links ---------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        self._started_ns = now_ns
        return self.finish([*self._key.start(now_ns), WakeAt(now_ns + TICK_NS)], now_ns)

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
        return self.finish(out, now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        return self._link.renew(why, now_ns)

    # --- orders out --------------------------------------------------------------------------------------------------

    def why_not(self, now_ns: int) -> str:
        if self._key.why:
            return self._key.why
        if self._system not in _READABLE:
            return f"kraken says: {self._system}"
        return self._link.why(now_ns)

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        """The counter of the pair; a cancel costs by its order's age."""
        if kind == "new":
            return self._engine.spend(orders[0].instrument, limits.add_cost(len(orders)), now_ns)
        if kind == "amend":
            cost = limits.amend_cost(self._age_ns(orders[0], now_ns))
            return self._engine.spend(orders[0].instrument, cost, now_ns)
        for known in orders:
            self._engine.cancelled(known.instrument, self._age_ns(known, now_ns), now_ns)
        return ""

    def _age_ns(self, known: Known, now_ns: int) -> int:
        """As the rate counter has it: since it was acknowledged or amended; of an earlier session's, since we began."""
        return now_ns - max(known.since_ns, self._started_ns)

    def is_sound(self, now_ns: int) -> bool:
        return self._link.is_sound(now_ns)

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        return self._by_rest("CancelOrder", f"cl_ord_id={known.name}", approved.approval, request, now_ns)

    def cancel_all_by_rest(self, approved: Approved[CancelAll], request: Request, now_ns: int) -> Send:
        return self._by_rest("CancelAll", "", approved.approval, request, now_ns)

    def _by_rest(self, method: str, form: str, approval: int, request: Request, now_ns: int) -> Send:
        return self.rest.ask(method, f"/0/private/{method}", form, now_ns, approval, request)[1]

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name == REST:
            return self.finish(self._rest_answer(frame, now_ns), now_ns)
        if link_name != PRIVATE:
            return []
        try:
            out = self._private(frame, now_ns)
        except _UNREADABLE as error:
            out = self._unexplained(frame, str(error), now_ns)
        return self.finish(out, now_ns)

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        try:
            message = private.decode_message(frame)
        except msgspec.ValidationError:
            answer = private.decode_answer(frame)
            self._link.heard(now_ns, is_pong=answer.method == "pong")
            return self._answered(answer, now_ns)
        self._link.heard(now_ns)
        if isinstance(message, private.Executions):
            is_snapshot = message.type == "snapshot"
            out, problem = self.executions.read(message.data, translate, now_ns, is_snapshot=is_snapshot)
            gap = self._link.sequence("executions", message.sequence, now_ns)
            if problem and not gap:
                gap = self._link.resubscribe(problem, now_ns, "executions")
            return out + gap
        if isinstance(message, private.Balances):
            return read_balances(message) + self._link.sequence("balances", message.sequence, now_ns)
        if isinstance(message, private.Status):
            system = message.data[0].system
            return [VenueStatus(VENUE, system), *self._says(system, now_ns)]
        return []

    def _answered(self, answer: private.Answer, now_ns: int) -> list[Output]:
        own = self._link.answer(answer, now_ns)
        if own is not None:
            return own
        out = self._answers.answer(answer, now_ns)
        if answer.method in ("add_order", "batch_add"):
            out += self.executions.named(now_ns)
        return out

    def _unexplained(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        """Loud; and whatever it may have said is read again."""
        self._link.heard(now_ns)
        try:
            stray = private.decode_stray(frame)
        except _UNREADABLE:
            return self._link.resubscribe(f"unexplained frame {frame[:120]!r}: {why}", now_ns)
        error = stray.error_capital or (stray.error if not stray.channel else "")
        if error:
            self._answers.slower(error, now_ns)
            return [Notice("error", f"kraken says: {error}")]
        if stray.channel in _OTHER_CHANNELS:
            return [Notice("warning", f"kraken: data of channel {stray.channel} on the private link, not read here")]
        channel = stray.channel if stray.channel in _OWN_CHANNELS else ""
        return self._link.resubscribe(f"unexplained frame {frame[:120]!r}: {why}", now_ns, channel)

    def _rest_answer(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self.rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if self._key.owns(question):
            return self._key.answered(question, reply, now_ns)
        if question.name == link.TOKEN:
            return self._link.token_answered(question, reply, now_ns)
        if isinstance(question.carry, Request):
            return self._answers.rest_answer(question.carry, reply, now_ns)
        if reply.error:
            return [Notice("warning", f"kraken: {question.name}: {reply.error}")]
        return []

    # --- status, end -------------------------------------------------------------------------------------------------

    def says(self, system: str, now_ns: int) -> list[Output]:
        return self.finish(self._says(system, now_ns), now_ns)

    def _says(self, system: str, now_ns: int) -> list[Output]:
        """Before maintenance the switch is disarmed: Kraken cannot hear us then, and would cancel everything."""
        before, self._system = self._system, system
        if system == before or self.is_stopped:
            return []
        if system == "maintenance":
            return self._link.disarm(now_ns)
        if before == "maintenance":
            self._link.dead_man.rearm()
        return []

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """With an order open or in doubt the switch stays armed: within a minute Kraken cancels what is left."""
        if self.is_stopped:
            return []
        out: list[Output] = []
        if is_flat:
            out += self._link.disarm(now_ns)
        else:
            self._link.dead_man.is_wanted = False
            out.append(Notice("warning", "kraken: orders may be open: the dead-man's switch stays armed"))
        self.is_stopped = True
        return self.finish(out, now_ns)
