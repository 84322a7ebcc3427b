"""Trading at Kraken for real: approved orders out; answers, executions and balances in. Pure, like every session.

The parts: key.py (what the key may do), link.py (token, subscriptions, life, dead-man's switch), requests.py (what is
in flight), executions.py (what happened), picture.py (the account's record over REST), limits.py (rate counters).
This file is where they meet: who gets which message, what may leave, and whether the venue is ready.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec

from connectors.errors import ConfigError, WireError
from connectors.events import Doubt, ExecReport, ExecType, Notice, Ready, RejectCode, VenueStatus
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan, WakeAt
from connectors.venues.kraken import key as keys
from connectors.venues.kraken import limits, link, private
from connectors.venues.kraken.account import VENUE, Account, report
from connectors.venues.kraken.executions import ExecutionReader, read_balances
from connectors.venues.kraken.known import Known
from connectors.venues.kraken.orders import DEADLINE_NS, STP_TYPES, KrakenOrders
from connectors.venues.kraken.picture import METHODS, Look
from connectors.venues.kraken.requests import GRACE_NS, Request, Requests
from connectors.venues.kraken.rest import Rest

SECOND: Final = 10**9
TICK_NS: Final = SECOND // 2
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


class KrakenTrading:
    """`OrderSession` for Kraken spot. Raises ConfigError for an option that it does not know.

    Options: `stp_type`, `validate` (orders.py), `tier` (starter, intermediate, pro: how fast the rate counters decay),
    `batch` (true: orders of one turn at one market go in one message).
    """

    def __init__(self, plan: TradingPlan) -> None:
        for name in plan.options:
            if name not in OPTIONS:
                mend = f"choose one of {', '.join(OPTIONS)}"
                raise ConfigError(f"no option {name!r}", place="kraken options", mend=mend)
        self._encoder = KrakenOrders(plan.instruments, plan.options)
        self._account = Account(plan)
        self._rest = Rest(self._account)
        self._key = keys.Key(self._account, self._rest)
        self._link = link.PrivateLink(self._account, self._rest)
        self._requests = Requests(self._account, is_validating=self._encoder.is_validating)
        self._executions = ExecutionReader(self._account, self._requests)
        self._look = Look(self._account, self._rest, self._requests)
        self._system = "online"
        self._started_ns = 0
        self._is_stopped = False
        self._told: str | None = None  # the last Ready

    # --- the links ---------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        self._started_ns = now_ns
        return self._finish([*self._key.start(now_ns), WakeAt(now_ns + TICK_NS)], now_ns)

    def open(self, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name != PRIVATE:
            return []
        return self._finish(self._link.open(now_ns), now_ns)

    def close(self, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name != PRIVATE:
            return []
        self._link.close()
        return self._finish(self._requests.lost("the private link went down"), now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self._is_stopped:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        was_open = self._link.is_open
        out += self._link.tick(now_ns)
        if was_open and not self._link.is_open:
            out += self._requests.lost("the private link was given up")
        out += self._key.tick(now_ns) + self._requests.overdue(now_ns) + self._executions.tick(now_ns)
        return self._finish(out, now_ns)

    def _finish(self, out: list[Output], now_ns: int) -> list[Output]:
        """What the parts asked each other for; and whether the venue is ready, where that changed."""
        account = self._account
        if account.token_why:
            out += self._link.renew(account.token_why, now_ns)
        if account.look_why:
            out.append(Doubt(VENUE, account.look_why))
            account.look_why = ""
        if not self._is_stopped:
            out += self._look.tick(now_ns)
        why = self._why(now_ns)
        if why != self._told:
            self._told = why
            out.append(Ready(VENUE, why))
        return out

    def _why(self, now_ns: int) -> str:
        """Why no new order may be sent; "": it may."""
        if self._is_stopped:
            return "the session has ended"
        if self._account.halted:
            return self._account.halted
        if self._key.why:
            return self._key.why
        if self._system not in _READABLE:
            return f"kraken says: {self._system}"
        return self._link.why(now_ns)

    # --- orders out --------------------------------------------------------------------------------------------------

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[Output]:
        refused = self._refused_here([approved], now_ns)
        if refused:
            return self._finish(refused, now_ns)
        send = self._encoder.submit(approved, now_ns)
        self._requests.sent(approved.approval, self._new(approved, now_ns))
        return self._finish([send], now_ns)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        """Neighbours at one market in one message, up to fifteen."""
        out: list[Output] = []
        for _, group in groupby(approved, key=lambda one: one.order.instrument):
            several = list(group)
            for first in range(0, len(several), BATCH_MAX):
                out += self._batch(several[first : first + BATCH_MAX], now_ns)
        return out

    def _batch(self, several: list[Approved[NewOrder]], now_ns: int) -> list[Output]:
        if len(several) == 1:
            return self.submit(several[0], now_ns)
        refused = self._refused_here(several, now_ns)
        if refused:
            return self._finish(refused, now_ns)
        send = self._encoder.submit_many(several, now_ns)
        self._requests.sent(several[0].approval, *(self._new(one, now_ns) for one in several))
        return self._finish([send], now_ns)

    def _new(self, approved: Approved[NewOrder], now_ns: int) -> Request:
        symbol = self._account.symbols.get(approved.order.instrument, "")
        known = self._account.orders.sent(approved.order, symbol, now_ns)
        return Request("new", [known], _due(approved.now_ns))

    def _refused_here(self, several: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        """Reports of orders that are certain never to have left; [] where they may."""
        order = several[0].order
        why, code = self._stopped_here(now_ns)
        if not why:
            why = self._account.engine.spend(order.instrument, limits.add_cost(len(several)), now_ns)
            code = RejectCode.RATE_LIMIT
        if not why:
            return []
        return [
            ExecReport(
                client_order_id=one.order.client_order_id, exec_type=ExecType.REJECTED,
                instrument=one.order.instrument, reject_code=code, text=f"never sent: {why}",
            )
            for one in several
        ]  # fmt: skip

    def _stopped_here(self, now_ns: int) -> tuple[str, RejectCode]:
        why = self._why(now_ns)
        if why:
            return why, RejectCode.NETWORK
        wait_ns = self._account.paced_until_ns - now_ns
        return (
            f"kraken asked for less, for {wait_ns // SECOND + 1} s more" if wait_ns > 0 else ""
        ), RejectCode.RATE_LIMIT

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]:
        order = approved.order
        known = self._of(order)
        why, code = self._stopped_here(now_ns)
        if not why:
            cost = limits.amend_cost(self._age_ns(known, now_ns))
            why, code = self._account.engine.spend(order.instrument, cost, now_ns), RejectCode.RATE_LIMIT
        if why:
            return self._finish([report(known, ExecType.REPLACE_REJECTED, f"never sent: {why}", code)], now_ns)
        send = self._encoder.amend(approved, now_ns)
        request = Request("amend", [known], _due(approved.now_ns), px_1e9=order.px_1e9, qty_1e8=order.qty_1e8)
        self._requests.sent(approved.approval, request)
        return self._finish([send], now_ns)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        """Never refused: while the private link is down or silent it goes over REST, once until that is answered."""
        known = self._of(approved.order)
        is_sound = self._link.is_sound(now_ns)
        if not is_sound and self._requests.is_asked_over_rest("cancel", known):
            return self._finish([], now_ns)
        self._account.engine.cancelled(approved.order.instrument, self._age_ns(known, now_ns), now_ns)
        request = Request("cancel", [known], _due(approved.now_ns))
        if is_sound:
            self._requests.sent(approved.approval, request)
            return self._finish([self._encoder.cancel(approved, now_ns)], now_ns)
        form = f"cl_ord_id={known.name}"
        return self._finish([self._over_rest("CancelOrder", form, approved.approval, request, now_ns)], now_ns)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> list[Output]:
        living = list(self._account.orders.live())
        for known in living:
            self._account.engine.cancelled(known.instrument, self._age_ns(known, now_ns), now_ns)
        request = Request("cancel_all", living, _due(approved.now_ns))
        if self._link.is_sound(now_ns):
            self._requests.sent(approved.approval, request)
            return self._finish([self._encoder.cancel_all(approved, now_ns)], now_ns)
        return self._finish([self._over_rest("CancelAll", "", approved.approval, request, now_ns)], now_ns)

    def _age_ns(self, known: Known, now_ns: int) -> int:
        """As the rate counter has it: since it was acknowledged or amended; of an earlier session's, since we began."""
        return now_ns - max(known.since_ns, self._started_ns)

    def _over_rest(self, method: str, form: str, approval: int, request: Request, now_ns: int) -> Send:
        request.link = REST
        self._requests.sent(approval, request)
        return self._rest.ask(method, form, now_ns, approval, request)[1]

    def _of(self, order: AmendOrder | CancelOrder) -> Known:
        """Of an earlier session, it may be one that nobody here has heard of."""
        known = self._account.orders.named(order.client_order_id)
        if known is not None:
            return known
        symbol = self._account.symbols.get(order.instrument, "")
        return self._account.orders.heard("", order.client_order_id, order.instrument, symbol)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link_name: str = PRIVATE, /) -> list[Output]:
        if link_name == REST:
            return self._finish(self._rest_answer(frame, now_ns), now_ns)
        if link_name != PRIVATE:
            return []
        try:
            out = self._private(frame, now_ns)
        except _UNREADABLE as error:
            out = self._unexplained(frame, str(error), now_ns)
        return self._finish(out, now_ns)

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        try:
            message = private.decode_message(frame)
        except msgspec.ValidationError:
            answer = private.decode_answer(frame)
            self._link.heard(now_ns, is_pong=answer.method == "pong")
            return self._answered(answer, now_ns)
        self._link.heard(now_ns)
        if isinstance(message, private.Executions):
            out, problem = self._executions.read(message, now_ns)
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
        out = self._requests.answer(answer, now_ns)
        if answer.method in ("add_order", "batch_add"):
            out += self._executions.named(now_ns)
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
            self._requests.slower(error, now_ns)
            return [Notice("error", f"kraken says: {error}")]
        if stray.channel in _OTHER_CHANNELS:
            return [Notice("warning", f"kraken: data of channel {stray.channel} on the private link, not read here")]
        channel = stray.channel if stray.channel in _OWN_CHANNELS else ""
        return self._link.resubscribe(f"unexplained frame {frame[:120]!r}: {why}", now_ns, channel)

    def _rest_answer(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self._rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        if question.method in METHODS:
            return self._look.answered(question, reply, now_ns)
        if question.method == keys.METHOD:
            return self._key.answered(question, reply, now_ns)
        if question.method == link.TOKEN:
            return self._link.token_answered(question, reply, now_ns)
        if isinstance(question.carry, Request):
            return self._requests.rest_answer(question.carry, reply, now_ns)
        if reply.error:
            return [Notice("warning", f"kraken: {question.method}: {reply.error}")]
        return []

    # --- looks, status, end ------------------------------------------------------------------------------------------

    def over(self, client_order_id: str) -> None:
        known = self._account.orders.named(client_order_id)
        if known is not None:
            self._requests.over(known)

    def look(self, since_ns: int, now_ns: int) -> list[Output]:
        self._look.want(since_ns)
        return self._finish([], now_ns)

    def says(self, system: str, now_ns: int) -> list[Output]:
        return self._finish(self._says(system, now_ns), now_ns)

    def _says(self, system: str, now_ns: int) -> list[Output]:
        """Before maintenance the switch is disarmed: Kraken cannot hear us then, and would cancel everything."""
        before, self._system = self._system, system
        if system == before or self._is_stopped:
            return []
        if system == "maintenance":
            return self._link.disarm(now_ns)
        if before == "maintenance":
            self._link.dead_man.rearm()
        return []

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """With an order open or in doubt the switch stays armed: within a minute Kraken cancels what is left."""
        if self._is_stopped:
            return []
        out: list[Output] = []
        if is_flat:
            out += self._link.disarm(now_ns)
        else:
            self._link.dead_man.is_wanted = False
            out.append(Notice("warning", "kraken: orders may be open: the dead-man's switch stays armed"))
        self._is_stopped = True
        return self._finish(out, now_ns)


def _due(approved_ns: int) -> int:
    """When a request that is not answered is doubt: the engine cannot act on it any more, and its word has come."""
    return approved_ns + DEADLINE_NS + GRACE_NS
