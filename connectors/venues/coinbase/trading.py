"""Trading at Coinbase for real: approved orders out; answers and the user channel in. Pure, like every session.

What is Coinbase's own of it: key.py (what the key may do), link.py (the private socket), answers.py and executions.py
(what its messages mean), fills.py (what the channel does not tell), lists.py (what a look asks for), limits.py. This
file is where they meet: who gets which message, what may leave, and whether the venue is ready.

A cancel or an edit needs Coinbase's own id of the order. A cancel whose order has none yet waits for it: for the answer
to the new order, the user channel or a look, whichever tells it first. One that waits in vain was never sent, and says
so.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.amounts import ms_ns
from connectors.exchange.key import KeyCheck
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.outbound import UnsendableError
from connectors.exchange.requests import GRACE_NS, Request
from connectors.exchange.rest import Question, Reply
from connectors.exchange.session import TICK_NS, ExchangeTrading, check_options
from connectors.exchange.skew import Skew
from connectors.exchange.told import Told
from connectors.orders import Approved, CancelOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan, WakeAt
from connectors.units import rfc3339_ns
from connectors.venues.coinbase import answers, key, private
from connectors.venues.coinbase.answers import Answers
from connectors.venues.coinbase.errors import classify
from connectors.venues.coinbase.executions import VENUE, told_of
from connectors.venues.coinbase.fills import LAG_NS, Fills
from connectors.venues.coinbase.limits import Limits
from connectors.venues.coinbase.link import UNREADABLE, PrivateLink
from connectors.venues.coinbase.lists import Lists
from connectors.venues.coinbase.names import Names
from connectors.venues.coinbase.orders import CoinbaseOrders

DEADLINE_NS: Final = 5 * 10**9  # a request says none: after that its silence is told as doubt
REST_AT_ONCE: Final = 8
TIME: Final = "time"


class CoinbaseTrading(ExchangeTrading):
    """`OrderSession` for Coinbase Advanced Trade. Raises ConfigError for an option: there are none."""

    def __init__(self, plan: TradingPlan) -> None:
        check_options(VENUE, plan.options, {})
        self._encoder = CoinbaseOrders(plan.instruments, self._venue_id)
        self._limits = Limits(VENUE)
        self._skew = Skew(VENUE)
        self._names = Names(plan)
        super().__init__(
            plan, VENUE, encoder=self._encoder, read=answers.read, classify=classify, purse=self._limits,
            parts=self._parts, deadline_ns=DEADLINE_NS, skew=self._skew, trades_lag_ns=LAG_NS,
        )  # fmt: skip
        self._lists = Lists(self.account, self._names)
        self._key = KeyCheck(self.account, self.rest, key.QUESTIONS, key.refused)
        self._link = PrivateLink(self.account)
        self._answers = Answers(self.account, self.requests)
        self._fills = Fills(self.account, self.rest, self.executions, self._limits, self._names)
        self._waiting: dict[str, list[Approved[CancelOrder]]] = {}

    def _parts(self) -> Sequence[Part]:
        return self._lists.parts()

    # --- the links ---------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        """The time first: with a clock that is wrong no token is good."""
        return self.finish([*self._ask_time(now_ns), WakeAt(now_ns + TICK_NS)], now_ns)

    def _ask_time(self, now_ns: int) -> list[Output]:
        self._skew.asked(now_ns)
        return [self.rest.ask(TIME, "GET /api/v3/brokerage/time", "", now_ns)[1]]

    def open(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        return self.finish(self._link.open(now_ns, self._skew.ms), now_ns) if link == PRIVATE else []

    def close(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        """What went over REST is answered there all the same."""
        if link != PRIVATE:
            return []
        self._link.close()
        return self.finish([], now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self.is_stopped:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS), *self._link.tick(now_ns), *self._key.tick(now_ns)]
        if self._skew.is_due(now_ns):
            out += self._ask_time(now_ns)
        out += self.requests.overdue(now_ns) + self.executions.tick(now_ns)
        return self.finish(out, now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        """A token was refused: for our clock, or for the key. Both are asked for again."""
        self._key.why = f"a token was refused: {why}"
        self._skew.again()
        return self._ask_time(now_ns)

    def finish(self, out: list[Output], now_ns: int) -> list[Output]:
        out = out + self._go_on(now_ns)
        return super().finish(out if self.is_stopped else out + self._fills.tick(now_ns), now_ns)

    # --- orders out --------------------------------------------------------------------------------------------------

    def why_not(self, now_ns: int) -> str:
        return self._key.why or self._link.why(now_ns)

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        del orders
        return self._limits.pay(kind, now_ns)

    def is_sound(self, now_ns: int) -> bool:
        """REST is the way of all orders."""
        del now_ns
        return True

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        del known
        self.rest.expect(approved.approval, "cancel", now_ns, request)
        return self._skew.into(self._encoder.cancel(approved, now_ns))

    def _venue_id(self, client_order_id: str) -> str:
        known = self.account.orders.named(client_order_id)
        if known is None or not known.venue_id:
            raise UnsendableError("Coinbase's id of the order is not known")
        return known.venue_id

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        known = self.account.orders.named(approved.order.client_order_id)
        if known is not None and known.venue_id:
            return super().cancel(approved, now_ns)
        self._waiting.setdefault(approved.order.client_order_id, []).append(approved)
        if known is None or not self.requests.has_new():
            self.account.look_why = (
                f"the id of {approved.order.client_order_id} is not known, and it is to be cancelled"
            )
        return self.finish([], now_ns)

    def _go_on(self, now_ns: int) -> list[Output]:
        """Cancels whose order got its id, or that waited for long enough."""
        out: list[Output] = []
        for name in list(self._waiting):
            known = self.account.orders.named(name)
            if known is not None and known.is_done:
                del self._waiting[name]  # there is nothing to cancel any more
                continue
            has_id = known is not None and bool(known.venue_id)
            due = [one for one in self._waiting[name] if has_id or now_ns >= one.now_ns + DEADLINE_NS + GRACE_NS]
            self._waiting[name] = [one for one in self._waiting[name] if one not in due]
            if not self._waiting[name]:
                del self._waiting[name]
            for one in due:
                out += self.out.cancel(one, now_ns)
        return out

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link == REST:
            found = self.rest.answered(frame)
            return self.finish(self._answered(*found, now_ns), now_ns) if found is not None else []
        return self.finish(self._private(frame, now_ns), now_ns) if link == PRIVATE else []

    def _answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if isinstance(question.carry, Request):
            return self._answers.answered(question.carry, reply, now_ns) + self.executions.named(now_ns)
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if self._fills.owns(question):
            return self._fills.answered(question, reply, now_ns)
        if question.name == TIME:
            return self._timed(question, reply, now_ns)
        return self._key.answered(question, reply, now_ns)

    def _timed(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        """Whatever it says, the key is asked about next, where it is not known to be good."""
        out: list[Output] = []
        if reply.error:
            out.append(Notice("warning", f"coinbase: the venue's time could not be read ({reply.error})"))
        else:
            try:
                server_ns = ms_ns(private.decode_time(reply.result).epoch_ms)
                out += self._skew.told(question.sent_ns, now_ns, server_ns)
            except UNREADABLE as error:
                out.append(Notice("warning", f"coinbase: the venue's time could not be read ({error})"))
        return out + self._key.start(now_ns) if self._key.why else out

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        heard = self._link.heard(frame, now_ns)
        out, problem = heard.out, heard.problem
        if heard.orders:
            try:
                ts_ns = rfc3339_ns(heard.timestamp)
            except UNREADABLE as error:
                ts_ns, problem = 0, problem or f"user message: {error}"
            for is_snapshot in (True, False):
                items = [raw for one, raw in heard.orders if one is is_snapshot]
                more, trouble = self._orders(items, ts_ns, now_ns, is_snapshot=is_snapshot)
                out, problem = out + more, problem or trouble
        if problem:
            self.account.look_why = problem
            out.append(Notice("error", f"coinbase: {problem}"))
        return out

    def _orders(
        self, items: Sequence[msgspec.Raw], ts_ns: int, now_ns: int, *, is_snapshot: bool
    ) -> tuple[list[Output], str]:
        """What they say, and what is to be asked because of it."""
        seen: list[Told] = []

        def translate(raw: msgspec.Raw) -> Told:
            try:
                told = told_of(private.decode_user_order(raw), self._names, ts_ns)
            except msgspec.MsgspecError as error:
                raise WireError(str(error)) from error
            seen.append(told)
            return told

        out, problem = self.executions.read(items, translate, now_ns, is_snapshot=is_snapshot)
        for told in seen:
            try:
                if is_snapshot:
                    self._fills.stood(told)
                else:
                    self._fills.saw(told, now_ns)
            except UNREADABLE as error:
                problem = problem or str(error)
        return out, problem

    # --- status, end -------------------------------------------------------------------------------------------------

    def says(self, system: str, now_ns: int) -> list[Output]:
        """Coinbase has no word on itself; a market's own state is in its metadata."""
        del system
        return self.finish([], now_ns)

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        if self.is_stopped:
            return []
        self.is_stopped = True
        out: list[Output] = []
        if not is_flat:
            text = "coinbase: orders may be open, and nothing here cancels them: it has no dead-man's switch"
            out.append(Notice("warning", text))
        return self.finish(out, now_ns)
