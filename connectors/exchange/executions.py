"""What a venue tells of orders, folded into reports and movements, in whichever order and however often it comes.

* Some messages name an order by the venue's id alone. An id that nobody has heard of is held for two seconds: the
  answer that names it may be on its way. After that a look is asked for.
* `filled` repeats what its trades said; where it says more, a trade was missed, and a look finds it. At venues that
  tell trades on another stream than ends, an end waits for its trades a while (`trades_lag_ns`).
* A snapshot is no news: orders and trades in it may be of earlier sessions. It teaches names and tells money.
* An order that is not ours is money only.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeVar

from connectors.errors import WireError
from connectors.events import ExecReport, ExecType, Notice
from connectors.exchange.account import Account, report
from connectors.exchange.amounts import price_1e9, size_1e8
from connectors.exchange.known import Known
from connectors.exchange.requests import GRACE_NS, Requests
from connectors.exchange.told import Kind, Told, fee_in_quote, legs, price_of, said, size_of
from connectors.session import Output

HELD_MAX: Final = 256
_ENDS: Final[dict[Kind | str, ExecType]] = {
    Kind.CANCELED: ExecType.CANCELED,
    Kind.EXPIRED: ExecType.EXPIRED,
    Kind.REJECTED: ExecType.REJECTED,
}
T = TypeVar("T")


class _Ending(NamedTuple):
    """An end that waits for trades."""

    due_ns: int
    told: Told
    known: Known


class Executions:
    """One session's. `trades_lag_ns`: for so long after an order's end its trades may still come; 0: never."""

    def __init__(self, account: Account, requests: Requests, *, trades_lag_ns: int = 0) -> None:
        self._account = account
        self._requests = requests
        self._lag_ns = trades_lag_ns
        self._held: list[tuple[int, Told]] = []
        self._asked: dict[str, None] = {}  # ids that nobody knew, and a look was asked for
        self._ending: dict[int, _Ending] = {}  # by the order's identity
        self._handlers: dict[Kind | str, Callable[[Told, Known, int], list[Output]]] = {
            Kind.NEW: self._new,
            Kind.TRADE: self._trade,
            Kind.FILLED: self._filled,
            Kind.CANCELED: self._ended,
            Kind.EXPIRED: self._ended,
            Kind.REJECTED: self._ended,
            Kind.AMENDED: self._amended,
            Kind.AMEND_REJECTED: self._amend_rejected,
            Kind.STATE: self._state,
            Kind.STATUS: self._status,
        }

    def read(
        self, items: Iterable[T], translate: Callable[[T], Told], now_ns: int, *, is_snapshot: bool = False
    ) -> tuple[list[Output], str]:
        """What they say; and of items that cannot be read, the first one's problem: the others count all the same.

        `translate` may raise WireError.
        """
        out: list[Output] = []
        problem = ""
        for item in items:
            whose = ""
            try:
                told = translate(item)
                whose = f" of order {told.venue_id}"
                out += self.remember(told) if is_snapshot else self.fold(told, now_ns)
            except WireError as error:
                problem = problem or f"execution{whose}: {error}"
        return out, problem

    def fold(self, told: Told, now_ns: int) -> list[Output]:
        """One item of news. Raises WireError for what it cannot be."""
        known = self._whose(told)
        if known is None:
            return self._hold(told, now_ns)
        handler = self._handlers.get(told.kind)
        if handler is None:
            self._account.look_why = f"an execution of kind {told.kind!r:.40}, not known here"
            return [Notice("warning", f"{self._account.venue}: {self._account.look_why}")]
        return handler(told, known, now_ns) + self._release(known, now_ns)

    def _whose(self, told: Told) -> Known | None:
        account = self._account
        if told.name or told.is_named:
            return account.orders.heard(told.venue_id, told.name, account.index(told.symbol), told.symbol)
        return account.orders.find(told.venue_id)

    # --- ids that nobody knows ---------------------------------------------------------------------------------------

    def _hold(self, told: Told, now_ns: int) -> list[Output]:
        if told.kind == Kind.TRADE:
            legs(self._account.venue, told, None)  # one that cannot be read is complained of now
        if told.venue_id not in self._asked and len(self._held) < HELD_MAX:
            self._held.append((now_ns, told))
            return []
        if told.venue_id not in self._asked:
            self._account.look_why = "executions of orders that nobody here has heard of"
        return self._money(told, None) if told.kind == Kind.TRADE else []

    def _release(self, known: Known, now_ns: int) -> list[Output]:
        """What came of it before its name did."""
        if not self._held or not known.venue_id:
            return []
        mine = [told for _, told in self._held if told.venue_id == known.venue_id]
        self._held = [one for one in self._held if one[1].venue_id != known.venue_id]
        out: list[Output] = []
        for told in mine:
            handler = self._handlers.get(told.kind)
            out += handler(told, known, now_ns) if handler is not None else []
        return out

    def named(self, now_ns: int) -> list[Output]:
        """A response gave orders their ids: what was held for them."""
        ids = dict.fromkeys(told.venue_id for _, told in self._held)
        found = [self._account.orders.find(venue_id) for venue_id in ids]
        return [out for known in found if known is not None for out in self._release(known, now_ns)]

    def tick(self, now_ns: int) -> list[Output]:
        """Held for long enough: nobody here knows that order, or no trade of it comes any more."""
        out: list[Output] = []
        for ending in [one for one in self._ending.values() if now_ns >= one.due_ns]:
            del self._ending[id(ending.known)]
            out += self._end(ending.told, ending.known)
        wait_ns = 10 * GRACE_NS if self._requests.has_new() else GRACE_NS
        old = [told for held_ns, told in self._held if now_ns - held_ns >= wait_ns]
        if not old:
            return out
        self._held = [one for one in self._held if now_ns - one[0] < wait_ns]
        for told in old:
            if len(self._asked) >= HELD_MAX:
                del self._asked[next(iter(self._asked))]
            self._asked[told.venue_id] = None
        for told in old:
            if told.kind == Kind.TRADE:
                out += self._money(told, None)
        ids = ", ".join(dict.fromkeys(told.venue_id for told in old))
        self._account.look_why = f"executions of orders that nobody here has heard of: {ids:.120}"
        return [*out, Notice("warning", f"{self._account.venue}: {self._account.look_why}")]

    # --- one kind each -----------------------------------------------------------------------------------------------

    def remember(self, told: Told) -> list[Output]:
        """Of a snapshot, which says of an open order all there is. Raises WireError."""
        account = self._account
        known = account.orders.heard(told.venue_id, told.name, account.index(told.symbol), told.symbol)
        if told.kind == Kind.TRADE:
            self._learn(told, known)
            return self._money(told, known)
        known.qty_1e8 = size_of(known.instrument, told.qty) if told.qty is not None else known.qty_1e8
        known.px_1e9 = price_of(known.instrument, told.px) if told.px is not None else known.px_1e9
        self._learn(told, known)
        if told.cum is not None:
            known.cum_1e8 = max(known.cum_1e8, size_of(known.instrument, told.cum))
        return []

    @staticmethod
    def _learn(told: Told, known: Known) -> None:
        known.side = known.side or told.side
        if not known.symbol:
            known.symbol = told.symbol
        if told.qty is not None and known.qty_1e8 == 0:
            known.qty_1e8 = size_of(known.instrument, told.qty)
        if told.px is not None and known.px_1e9 == 0:
            known.px_1e9 = price_of(known.instrument, told.px)

    def _new(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        self._learn(told, known)
        if not known.is_ours:
            return []
        if known.is_done and not known.is_acked:  # told as refused, or as never there: once is enough
            known.is_acked = True
            self._account.look_why = f"{known.name} was told as refused, and it lives"
            return [Notice("error", f"{self._account.venue}: {self._account.look_why}")]
        return self._requests.acknowledged(known, told.ts_ns, now_ns)

    def _status(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        del now_ns
        self._learn(told, known)
        return []

    def _state(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        """All of an open order. One that is older than what was read before says nothing."""
        out = self._new(told, known, now_ns)
        if told.ts_ns < known.told_ns:
            return out
        known.told_ns = told.ts_ns
        return out + self._amended(told, known, now_ns)

    def _trade(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        account = self._account
        self._learn(told, known)
        if not known.is_ours:
            return self._money(told, known)
        if known.instrument < 0 or known.qty_1e8 == 0:
            # an order of ours of which we know too little to say what is left of it
            account.look_why = f"a trade of {known.name}, of which too little is known here"
            return [*self._money(told, known), Notice("warning", f"{account.venue}: {account.look_why}")]
        qty, px = size_1e8(said(told.last_qty)), price_1e9(said(told.last_px))
        is_counted = told.cum is not None or known.counts(qty)
        cum = size_1e8(told.cum) if told.cum is not None else max(known.cum_1e8, known.traded_1e8 + qty)
        fee, notices = fee_in_quote(account.venue, told, known, px)
        out = self._money(told, known)  # whatever cannot be read was found before this: nothing is told by half
        if not account.is_new_report(told.exec_id):
            return out
        out += self._requests.acknowledged(known, 0, now_ns)
        if cum > known.cum_1e8 + qty:
            account.look_why = f"a trade of {known.name} before {told.exec_id} was not told"
            notices.append(Notice("warning", f"{account.venue}: {account.look_why}"))
        known.told_id = known.venue_id
        known.traded_1e8 += qty
        known.cum_1e8 = max(known.cum_1e8, cum)
        total = self._total(told, known)
        out.append(
            ExecReport(
                client_order_id=known.name, exec_type=ExecType.TRADE, instrument=known.instrument,
                venue_order_id=known.venue_id, exec_id=told.exec_id, last_qty_1e8=qty, last_px_1e9=px,
                cum_qty_1e8=cum if is_counted else 0, leaves_qty_1e8=max(total - cum, 0) if is_counted else 0,
                fee_1e9=fee, ts_venue_ns=told.ts_ns,
            )
        )  # fmt: skip
        if is_counted and cum >= total:
            known.qty_1e8 = total
            self._requests.over(known)
        return [*out, *notices, *self._waited(known)]

    @staticmethod
    def _total(told: Told, known: Known) -> int:
        """The order's total when it traded: an amend's own news may come after its first fill. Where the venue does not
        say what was filled by then, its total may be older than our count, and ends nothing that we know to be more."""
        total = size_of(known.instrument, told.qty) if told.qty is not None else 0
        return total if total and told.cum is not None else max(total, known.qty_1e8)

    def _waited(self, known: Known) -> list[Output]:
        """The end that this trade was the last one of."""
        ending = self._ending.get(id(known))
        if ending is None or self._is_ahead(ending.told, known):
            return []
        del self._ending[id(known)]
        return self._end(ending.told, known)

    def _filled(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        self._learn(told, known)
        if not known.is_ours:
            self._account.orders.end(known)
            return []
        return self._end_or_wait(told, known, now_ns)

    def _ended(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        self._learn(told, known)
        if known.is_done or not known.is_ours:
            self._account.orders.end(known)
            return []
        return self._end_or_wait(told, known, now_ns)

    @staticmethod
    def _is_ahead(told: Told, known: Known) -> bool:
        """Whether the end knows of more trades than were told."""
        cum = size_of(known.instrument, told.cum) if told.cum is not None else None
        if told.kind == Kind.FILLED:
            return (known.qty_1e8 if cum is None else cum) > known.cum_1e8
        return cum is not None and cum > known.cum_1e8

    def _end_or_wait(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        if not self._lag_ns or known.is_done or not self._is_ahead(told, known):
            return self._end(told, known)
        self._ending.setdefault(id(known), _Ending(now_ns + self._lag_ns, told, known))
        return []

    def _end(self, told: Told, known: Known) -> list[Output]:
        account = self._account
        is_filled = told.kind == Kind.FILLED
        if known.is_done and not is_filled:
            return []
        out: list[Output] = []
        if self._is_ahead(told, known):
            how = "is filled" if is_filled else "ended"
            account.look_why = f"{known.name} {how}, and not all of its trades were told"
            out.append(Notice("warning", f"{account.venue}: {account.look_why}"))
            if is_filled:
                return out
            known.cum_1e8 = size_of(known.instrument, said(told.cum))
        self._requests.over(known)
        if is_filled:
            known.is_acked = True
            if known.is_ours and known.cum_1e8 < known.qty_1e8:  # lowered, and the amend's own news never came
                account.look_why = f"{known.name} is filled, with less than was known of"
            return out
        kind = _ENDS[told.kind]
        if kind is ExecType.REJECTED and (known.is_acked or known.cum_1e8):
            kind = ExecType.CANCELED  # it had begun
        known.is_acked = known.is_acked or kind is not ExecType.REJECTED
        return [*out, report(known, kind, told.reason, told.code, told.ts_ns)]

    def _amended(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        px = price_of(known.instrument, told.px) if told.px is not None else known.px_1e9
        qty = size_of(known.instrument, told.qty) if told.qty is not None else known.qty_1e8
        if known.is_ours and qty:
            return self._requests.amended(known, px, qty, now_ns)
        known.px_1e9, known.qty_1e8 = px, qty
        return []

    def _amend_rejected(self, told: Told, known: Known, now_ns: int) -> list[Output]:
        del now_ns
        return self._requests.amend_refused(known, told.reason, told.code) if known.is_ours else []

    # --- money -------------------------------------------------------------------------------------------------------

    def _money(self, told: Told, known: Known | None) -> list[Output]:
        """The legs and fees of one trade, whosever it is, told once."""
        moved = legs(self._account.venue, told, known)
        return moved if self._account.is_new_money(told.exec_id) else []
