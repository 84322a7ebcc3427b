"""Trading at a hosted exchange: approved orders out as calls, answers and streams in. Pure, like every session.

`runtime/hosted/` holds the library and the key. Requests are calls on the REST link, each answered once or told as
silence; orders and fills come as streams on the private link, where the exchange has them in ccxt. Where one of the two
is missing, or an order's message says more than its fills did, the account is looked at: fills are told by their own
ids alone, never guessed from an order's state. ccxt cancels by the exchange's id of an order: a cancel whose order has
none yet waits for it, whoever tells it first, and says so in the end if nobody does.

What ccxt has for all exchanges is less than any one of them has: no client order id to ask by, no cancel-all, no
dead-man's switch, no word on what a key may do. A person is told that once.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Balance, ExecType, Notice, RejectCode
from connectors.exchange.account import report
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.outbound import UnsendableError
from connectors.exchange.record import Pages
from connectors.exchange.requests import Request
from connectors.exchange.rest import Question, Reply, unreadable
from connectors.exchange.session import TICK_NS, ExchangeTrading, check_options
from connectors.orders import AmendOrder, Approved, CancelOrder
from connectors.session import PRIVATE, REST, Output, Reconnect, Send, TradingPlan, WakeAt
from connectors.venues.ccxt import private
from connectors.venues.ccxt.errors import classify
from connectors.venues.ccxt.orders import CcxtOrders

SECOND: Final = 10**9
DEADLINE_NS: Final = 30 * SECOND  # ccxt's own time limit of a request is ten; no exchange is told of a deadline
SILENCE_NS: Final = 5 * SECOND
PROOF_NS: Final = 10 * SECOND  # between questions whether the key is good
LOOK_NS: Final = 5 * SECOND  # between looks while an order lives of which no stream tells
PAGE: Final = 100
_STREAMS: Final = ("orders", "fills", "balance")
_UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)
_AMENDS: Final = "amends are not offered through ccxt: many of its exchanges would cancel and place anew"


def read(status: int, body: bytes) -> Reply:
    """An answer of `runtime/hosted/calls.py`."""
    if status == 200:
        return Reply("", msgspec.Raw(body))
    try:
        refused = private.decode_refused(body)
    except _UNREADABLE:
        return unreadable(status, body)
    return Reply(f"{refused.error}: {refused.text}")


class _Free:
    """ccxt paces its requests itself."""

    def wait_ns(self, name: str, now_ns: int) -> int:
        del name, now_ns
        return 0

    def spend(self, name: str, now_ns: int) -> None:
        del name, now_ns

    def overrun(self, now_ns: int) -> None:
        del now_ns


class CcxtTrading(ExchangeTrading):
    """`OrderSession` of one exchange of ccxt's; `name` is the venue's."""

    def __init__(self, plan: TradingPlan, name: str) -> None:
        check_options(name, plan.options, {})
        encoder = CcxtOrders(plan.instruments, venue_id=self._venue_id)
        super().__init__(
            plan, name, encoder=encoder, read=read, classify=classify, purse=_Free(), parts=self._parts,
            deadline_ns=DEADLINE_NS, trades_lag_ns=LOOK_NS,
        )  # fmt: skip
        self._is_open = False
        self._last_ns = 0
        self._proof: Question | None = None
        self._proof_due_ns: int | None = None
        self._missing: set[str] = set()  # streams that this exchange has not in ccxt
        self._look_due_ns = 0
        self._waiting: dict[str, list[Approved[CancelOrder]]] = {}  # cancels, by the order's name

    # --- links -------------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        self._proof_due_ns = now_ns
        text = (
            f"{self.account.venue}: ccxt cannot say what a key may do, has no cancel-all and no dead-man's switch: use"
            " a key that may not withdraw"
        )
        return self.finish([Notice("warning", text), WakeAt(now_ns + TICK_NS)], now_ns)

    def open(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link != PRIVATE:
            return []
        self._is_open, self._last_ns = True, now_ns
        self._proof_due_ns = now_ns
        self._missing.clear()
        asked: list[Output] = [_watch(stream) for stream in _STREAMS]
        return self.finish(asked, now_ns)

    def close(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link != PRIVATE:
            return []
        self._is_open = False
        self.account.look_why = "the private link went down"
        return self.finish(self.requests.lost("the private link went down"), now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self.is_stopped:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        if self._is_open and now_ns - self._last_ns > SILENCE_NS:
            self._is_open = False
            out += self.requests.lost("the private link is silent")
            out.append(Reconnect(PRIVATE, "no word from the feed"))
        if self._proof_due_ns is not None and now_ns >= self._proof_due_ns and not self.account.halted:
            self._proof_due_ns = now_ns + PROOF_NS
            self._proof, send = self.rest.ask("fetch_balance", "/fetch_balance", "{}", now_ns)
            out.append(send)
        if self._missing & {"orders", "fills"} and now_ns >= self._look_due_ns and any(self.account.orders.live()):
            self._look_due_ns = now_ns + LOOK_NS
            self.account.look_why = "an order lives of which no stream tells"
        out += self.requests.overdue(now_ns) + self.executions.tick(now_ns)
        return self.finish(out, now_ns)

    def why_not(self, now_ns: int) -> str:
        if not self._is_open:
            return "the private link is down"
        if not self.account.is_trusted:
            return "the key was not accepted yet"
        return "the private link is silent" if now_ns - self._last_ns > SILENCE_NS else ""

    def renew(self, why: str, now_ns: int) -> list[Output]:
        del why, now_ns
        return []  # no verdict asks for it: ccxt renews its tokens itself

    # --- orders out --------------------------------------------------------------------------------------------------

    def _venue_id(self, name: str) -> str:
        """Raises UnsendableError where it is not known yet."""
        known = self.account.orders.named(name)
        if known is None or not known.venue_id:
            raise UnsendableError("the exchange's id of this order is not known yet")
        return known.venue_id

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        del kind, orders, now_ns
        return ""

    def is_sound(self, now_ns: int) -> bool:
        del now_ns
        return True  # calls are REST's

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        del approved, known, request, now_ns
        raise UnsendableError("calls have one way alone")

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        name = approved.order.client_order_id
        known = self.account.orders.named(name)
        if known is not None and (known.venue_id or known.is_done):
            return super().cancel(approved, now_ns)
        self._waiting.setdefault(name, []).append(approved)
        if known is None or not self.requests.has_new():
            self.account.look_why = f"{name} is to be cancelled, and the exchange's id of it is not known"
        return self.finish([], now_ns)

    def _go_on(self, now_ns: int) -> list[Output]:
        """Cancels whose order got its id, or that waited for long enough."""
        out: list[Output] = []
        for name, several in list(self._waiting.items()):
            known = self.account.orders.named(name)
            if known is not None and known.is_done:
                del self._waiting[name]  # there is nothing to cancel any more
                continue
            has_id = known is not None and bool(known.venue_id)
            due = [one for one in several if has_id or now_ns >= one.now_ns + DEADLINE_NS]
            self._waiting[name] = [one for one in several if one not in due]
            if not self._waiting[name]:
                del self._waiting[name]
            for one in due:
                out += self.out.cancel(one, now_ns)
        return out

    def finish(self, out: list[Output], now_ns: int) -> list[Output]:
        return super().finish([*out, *self._go_on(now_ns)] if self._waiting else out, now_ns)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]:
        """Refused here, always."""
        order = approved.order
        known = self.account.orders.heard(
            "", order.client_order_id, order.instrument, self.account.symbols.get(order.instrument, "")
        )
        text = f"never sent: {_AMENDS}"
        return self.finish([report(known, ExecType.REPLACE_REJECTED, text, RejectCode.INVALID_PARAMS)], now_ns)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        if link == REST:
            return self.finish(self._answered(frame, now_ns), now_ns)
        if link != PRIVATE:
            return []
        self._last_ns = now_ns
        try:
            out = self._streamed(frame, now_ns)
        except _UNREADABLE as error:
            self.account.look_why = f"unexplained frame: {error}"
            out = [Notice("error", f"{self.account.venue}: unexplained frame {frame[:120]!r}: {error}")]
        return self.finish(out, now_ns)

    def _streamed(self, frame: bytes, now_ns: int) -> list[Output]:
        message = private.decode(frame)
        if isinstance(message, private.Orders):
            out, problem = self.executions.read(message.orders, private.told_of, now_ns)
        elif isinstance(message, private.Fills):
            out, problem = self.executions.read(message.fills, private.trade_of, now_ns)
        elif isinstance(message, private.Balance):
            totals = sorted(message.total.items())
            return [Balance(self.account.venue, currency, amount_1e8(total)) for currency, total in totals]
        elif isinstance(message, private.Failed):
            return self._failed(message)
        else:
            return []
        if problem:
            self.account.look_why = problem
            out.append(Notice("error", f"{self.account.venue}: {problem}"))
        return out

    def _failed(self, message: private.Failed) -> list[Output]:
        said = f"{self.account.venue}: {message.channel}: {message.error}: {message.text}"
        if message.error == "NotSupported":
            self._missing.add(message.channel)
            return [Notice("info", f"{said}; the account is looked at instead")]
        verdict = classify(f"{message.error}: {message.text}")
        if verdict.code is RejectCode.AUTH:
            return self.account.halt(message.error, said)
        self.account.look_why = said
        return [Notice("warning", said), Reconnect(PRIVATE, f"{message.channel} ended")]

    def _answered(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self.rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if question is self._proof:
            return self._proved(reply, now_ns)
        if not isinstance(question.carry, Request):
            return []
        request = question.carry
        if reply.is_silent:
            return self.requests.doubt(request, reply.error)
        if reply.error:
            return self.requests.refused(request, reply.error, classify(reply.error), now_ns)
        return self._taken(request, reply, now_ns)

    def _taken(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        if request.kind != "new":
            return self.requests.accepted(request, now_ns)
        try:
            order = private.decode_order(reply.result)
        except _UNREADABLE as error:
            return self.requests.doubt(request, str(error))
        return self.requests.taken(request, now_ns, order.id) + self.executions.named(now_ns)

    def _proved(self, reply: Reply, now_ns: int) -> list[Output]:
        """The key is good if the balance is told; from then on the streams say what there is."""
        self._proof = None
        if reply.is_silent:
            return []
        if reply.error:
            verdict = classify(reply.error)
            if verdict.code is RejectCode.AUTH:
                return self.account.halt(reply.error, f"the key is not accepted ({reply.error})")
            return [Notice("warning", f"{self.account.venue}: no balance: {reply.error}")]
        try:
            private.decode_totals(reply.result)
        except _UNREADABLE as error:
            return [Notice("warning", f"{self.account.venue}: a balance that cannot be read: {error}")]
        self._proof_due_ns = None
        self.account.is_trusted = True
        del now_ns
        return []

    # --- looks -------------------------------------------------------------------------------------------------------

    def _parts(self) -> Sequence[Part]:
        """Each market's own lists: some exchanges want a symbol, and all take one."""
        lists = {
            "fetch_open_orders": _read_open, "fetch_closed_orders": _read_closed, "fetch_my_trades": _read_trades,
        }  # fmt: skip
        parts = [
            Part(method, _asker(method, symbol), read)
            for method, read in lists.items()
            for symbol in self.account.symbols.values()
        ]
        return [*parts, Part("fetch_balance", lambda _: ("/fetch_balance", "{}"), _read_totals)]

    def says(self, system: str, now_ns: int) -> list[Output]:
        del system
        return self.finish([], now_ns)

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        if self.is_stopped:
            return []
        self.is_stopped = True
        text = f"{self.account.venue}: orders may be open, and no switch will cancel them"
        return self.finish([] if is_flat else [Notice("warning", text)], now_ns)


def _watch(channel: str) -> Send:
    return Send(PRIVATE, msgspec.json.encode({"op": "watch", "channel": channel, "symbol": ""}))


def _asker(method: str, symbol: str) -> Callable[[Pages], tuple[str, str]]:
    def ask(pages: Pages) -> tuple[str, str]:
        call: dict[str, object] = {"symbol": symbol}
        if method != "fetch_open_orders":
            call |= {"since": int(pages.cursor or pages.since_ns // 10**6), "limit": PAGE}
        return f"/{method}", msgspec.json.encode(call).decode()

    return ask


def _read_open(pages: Pages, result: msgspec.Raw) -> bool:
    for order in private.decode_orders(result):
        pages.open[order.id] = private.record_of(order)
    return True


def _read_closed(pages: Pages, result: msgspec.Raw) -> bool:
    found = private.decode_orders(result)
    for order in found:
        record = private.record_of(order)
        if record.status != "open":
            pages.closed[order.id] = record
    return _turned(pages, [order.ms for order in found])


def _read_trades(pages: Pages, result: msgspec.Raw) -> bool:
    found = private.decode_fills(result)
    for fill in found:
        told = private.trade_of(fill)
        pages.trades[told.exec_id] = told
    return _turned(pages, [fill.ms for fill in found])


def _turned(pages: Pages, times: list[int]) -> bool:
    """ccxt's pages begin at a time: the next one where this one ends, until one is not full or says nothing new."""
    if len(times) < PAGE or str(max(times)) == pages.cursor:
        return True
    pages.cursor = str(max(times))
    return False


def _read_totals(pages: Pages, result: msgspec.Raw) -> bool:
    for currency, total in private.decode_totals(result).items():
        pages.totals[currency] = amount_1e8(total)
    return True
