"""What follows from the venue's record of the account for what we know of our orders. Pure; docs/orders.md in prose.

A `Picture` shows the venue as it was at some moment not before `asked_ns − visible_ns`: its lists are asked for one
after another from `asked_ns` on, and each may lag by up to `visible_ns`. A request acts until `deadline_ns` after its
approval or never. From that, and from nothing else, everything below is concluded. `lasting` is seen in two pictures,
of which the second was asked for more than `visible_ns` after the first was read: lag cannot explain it any more.

Races, and what ends them:

* An execution that the stream told and the lists do not show yet: quantities only grow, what we know stays.
* An execution in the trades and not yet in the order's `cum_qty`, or the other way round: executions are facts and are
  told at once, by their own ids; an end waits for all of them.
* The stream ends an order after the lists were read: it is over here and open there. An end is left by nothing; only
  a lasting one means that our end was wrong: then the order is adopted, loudly.
* An order closes after the open list was read, or the closed list lags: it is in both lists, or in neither. In both:
  nothing is concluded. In neither: not its end. Only what is lastingly in neither, and of which the venue never said a
  word, did never get there: at the first picture it was past its deadline and had to be open or closed, so if it was
  anywhere it was closed by then, and the second had to list that. Once is not enough however late it is asked: an
  order may rest, unseen by us, and close in the moment before the lists are read.
* A cancel or an amend of ours still flies: the record may change after the picture. Until `deadline_ns` and
  `visible_ns` after the last was approved nothing is said of price, total, or the cancel's failure.
* The venue changed an order by itself and the stream told: older lists show the old terms. Terms must last.
* The stream was lost (UNKNOWN) after the lists were read: they do not know what happened since. They end the doubt
  only where they show the venue as it was after `doubt_ns`; a closed order stays closed, whenever it is seen.
* An order that is open and unknown may be one that ended and was forgotten, in this session or the one before, and the
  list lags: it must last before it is adopted.
* Some venues forget what was cancelled without a trade (`keeps_ns`): such an order is in no list for ever. What the
  venue had, what was last known to live longer ago than that, and is lastingly in neither list, was cancelled then; the
  trades, which no venue forgets so soon, say how much of it was filled.
* A picture compared twice, or a second time after its reports were folded, says nothing new.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from connectors.events import (
    ExecReport,
    ExecType,
    Notice,
    OrderStatus,
    Picture,
    RejectCode,
    VenueOrder,
    VenueTrade,
)
from oms.evidence import Evidence, against, executions, read, unknown
from oms.manager import Oms, Order
from oms.state import OrderState

_END: Final = {OrderStatus.CANCELED: ExecType.CANCELED, OrderStatus.EXPIRED: ExecType.EXPIRED}
_NOTHING: Final = Evidence()
LAG_NS: Final = 5 * 10**9  # by which a venue's lists are behind on a good day


class Comparison(msgspec.Struct):
    """What follows. `reports` first, in this order, then `adopt`.

    `in_doubt`: client order id → why it is not equal; the venue is not reconciled while there is one. `executed`:
    exec ids of each order to adopt, for `Oms.adopt`. `lagging`:
    differences that may be of the moment: look again soon. `foreign`: open orders that are not ours; left alone.
    """

    reports: list[ExecReport]
    adopt: list[VenueOrder]
    in_doubt: dict[str, str]
    notices: list[Notice]
    executed: dict[str, tuple[str, ...]] = {}
    lagging: int = 0
    foreign: int = 0

    @property
    def is_equal(self) -> bool:
        """Nothing differed, nothing is in doubt."""
        return not (self.reports or self.adopt or self.in_doubt or self.lagging)


class Reconciler:
    """Compares one venue's pictures with the OMS. `markets`: engine indices of the markets there.

    `deadline_ns`, `visible_ns`, `keeps_ns`: of its `Trading`. `ours`: what every client order id of ours begins with.
    It changes nothing: its reports go through the gate and the OMS like the stream's. What it remembers is since when a
    difference was seen; after a restart that begins anew.
    """

    def __init__(
        self, deadline_ns: int, visible_ns: int, ours: str, markets: Collection[int], *, keeps_ns: int = 0
    ) -> None:
        self._keeps_ns = keeps_ns
        self._deadline_ns = deadline_ns
        self._visible_ns = visible_ns
        self._ours = ours
        self.markets = frozenset(markets)
        self._since: dict[tuple[str, str], int] = {}  # (order, difference) → when the first picture with it was read
        self._said: set[tuple[str, str]] = set()
        self._born_ns: tuple[int, ...] = ()  # of orders that wait to be adopted
        self._seen_open: dict[str, int] = {}  # order → when the last picture was asked for that showed it whole

    def compare(self, picture: Picture, oms: Oms, now_ns: int) -> Comparison:
        """`now_ns`: when it is read, not before all of the venue's answers came."""
        look = _Look(self, picture, now_ns)
        mine = [one for one in (*oms.orders.values(), *oms.finished.values()) if one.instrument in self.markets]
        ids = {one.venue_order_id: one.client_order_id for one in mine if one.venue_order_id}
        found = read(picture, ids)
        for order in mine:
            evidence = found.pop(order.client_order_id, _NOTHING)
            problem = evidence.problem or against(order, evidence)
            if problem:
                look.contradiction(order.client_order_id, problem, evidence, order)
            elif order.is_finished:
                look.ended(order, evidence)
            else:
                look.living(order, evidence)
        for name, evidence in found.items():
            if evidence.open is not None and name.startswith(self._ours):
                look.stranger(name, evidence, evidence.open, is_elsewhere=oms.find(name) is not None)
        look.said.foreign = sum(not name.startswith(self._ours) for name, one in found.items() if one.open is not None)
        look.said.foreign += sum(not one.client_order_id and one.venue_order_id not in ids for one in picture.open)
        look.said.reports.sort(key=_order_of_facts)
        self._since, self._born_ns = look.since, tuple(look.born_ns)
        kept = {name: ns for name, ns in self._seen_open.items() if name in oms.orders}
        self._seen_open = {**kept, **look.seen_open}
        self._said &= look.since.keys()
        return look.said

    def reach_ns(self, oms: Oms, now_ns: int) -> int:
        """How far back the next picture must reach so that everything of ours that may have ended is in it.

        What a picture showed open, with all its executions known, can only have ended since.
        """
        born = (self.floor_ns(one) for one in oms.orders.values() if one.instrument in self.markets)
        owed = (one.born_ns for one in oms.owed.values() if one.instrument in self.markets)
        return min((*born, *owed, *self._born_ns), default=now_ns)

    def floor_ns(self, order: Order) -> int:
        """Nothing of this order that is not known happened before."""
        return max(order.born_ns, self._seen_open.get(order.client_order_id, 0) - self._visible_ns)

    # What `_Look` asks: all of it is of one picture.

    def lasted(self, key: tuple[str, str], picture: Picture) -> bool:
        """Whether this difference was there in a picture that was read long enough before this one was asked for."""
        first_ns = self._since.get(key)
        return first_ns is not None and picture.asked_ns > first_ns + self._visible_ns

    def first_ns(self, key: tuple[str, str], now_ns: int) -> int:
        return self._since.get(key, now_ns)

    def is_settled(self, asked_ns: int, picture: Picture) -> bool:
        """Whether the picture shows what became of everything that was approved until then; 0: nothing was."""
        return asked_ns == 0 or picture.asked_ns >= asked_ns + self._deadline_ns + self._visible_ns

    def is_forgotten(self, order: Order, picture: Picture) -> bool:
        """Whether the venue may have forgotten it, cancelled, and the picture has every trade that it may have made."""
        alive_ns = max(order.born_ns, self._seen_open.get(order.client_order_id, 0))
        is_old = 0 < self._keeps_ns < picture.asked_ns - alive_ns
        return is_old and order.born_ns > 0 and picture.since_ns <= self.floor_ns(order)

    def is_after(self, moment_ns: int, picture: Picture) -> bool:
        """Whether it shows the venue as it was after this moment."""
        return picture.asked_ns >= moment_ns + self._visible_ns if moment_ns else True

    def is_told(self, key: tuple[str, str]) -> bool:
        """Whether a person was told; they are now."""
        was = key in self._said
        self._said.add(key)
        return was


def _order_of_facts(report: ExecReport) -> tuple[bool, int]:
    """Executions first, oldest first; the rest as it was concluded."""
    is_execution = report.exec_type is ExecType.TRADE and report.last_qty_1e8 > 0
    return not is_execution, report.ts_venue_ns if is_execution else 0


class _Look:
    """One comparison in work."""

    def __init__(self, rules: Reconciler, picture: Picture, now_ns: int) -> None:
        self._rules = rules
        self._picture = picture
        self._now_ns = now_ns
        self.said = Comparison([], [], {}, [])
        self.since: dict[tuple[str, str], int] = {}
        self.born_ns: list[int] = []
        self.seen_open: dict[str, int] = {}

    # --- how it is said --------------------------------------------------------------------------------------------

    def _lasts(self, name: str, what: str) -> bool:
        """A difference: noted, and whether lag cannot explain it any more."""
        self.since[name, what] = self._rules.first_ns((name, what), self._now_ns)
        return self._rules.lasted((name, what), self._picture)

    def _differs(self, name: str, what: str, *, is_doubted: bool = False) -> bool:
        """A difference that ends by itself, or else is loud. Whether it lasts."""
        is_lasting = self._lasts(name, what)
        if is_lasting and not self._rules.is_told((name, what)):
            self.said.notices.append(Notice("error", f"{self._picture.venue} order {name}: {what}"))
        if is_lasting or is_doubted:
            self.said.in_doubt[name] = what
        else:
            self.said.lagging += 1
        return is_lasting

    def contradiction(self, name: str, problem: str, evidence: Evidence, order: Order) -> None:
        """Nothing is concluded, and nobody may think that all is well."""
        if evidence.is_race:
            self._differs(name, problem, is_doubted=order.state is OrderState.UNKNOWN)
            return
        self._lasts(name, problem)
        self.said.in_doubt[name] = problem
        if not self._rules.is_told((name, problem)):
            text = f"{self._picture.venue} order {name} {problem}: nothing is concluded about it"
            self.said.notices.append(Notice("error", text))

    def _report(self, order: Order, kind: ExecType, text: str, record: VenueOrder | None, **fields: int | str) -> None:
        venue_order_id = order.venue_order_id if record is None else record.venue_order_id
        self.said.reports.append(
            ExecReport(
                client_order_id=order.client_order_id, exec_type=kind, instrument=order.instrument,
                venue_order_id=venue_order_id, text=text, ts_venue_ns=self._picture.asked_ns,
                **fields,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    def _trades(self, order: Order, trades: Iterable[VenueTrade], total_1e8: int) -> None:
        self.said.reports += executions(order, trades, total_1e8)

    # --- a living order --------------------------------------------------------------------------------------------

    def living(self, order: Order, evidence: Evidence) -> None:
        """One of ours that is open here, or in doubt."""
        record, trades = evidence.record, unknown(order, evidence)
        known_1e8 = order.filled_1e8 + sum(one.qty_1e8 for one in trades)
        if trades and order.base_1e8 and (record is None or known_1e8 > record.cum_qty_1e8):
            # adopted: some of these may be of before; its record must have room for all of them
            self._differs(order.client_order_id, "its executions are more than its record says", is_doubted=True)
            return
        if evidence.closed is not None:
            self._closed(order, evidence.closed, trades, known_1e8)
        elif evidence.open is not None:
            self._open(order, evidence.open, trades, known_1e8)
        else:
            self._absent(order, trades, known_1e8)

    def _missing(self, order: Order, record: VenueOrder, known_1e8: int) -> None:
        what = f"{record.cum_qty_1e8 - known_1e8} of {record.cum_qty_1e8} (1e-8) was executed and is not listed"
        self._differs(order.client_order_id, what, is_doubted=order.state is OrderState.UNKNOWN)

    def _closed(self, order: Order, record: VenueOrder, trades: list[VenueTrade], known_1e8: int) -> None:
        """The venue says that it ended: so it did, once all that it filled is known."""
        name, cum_1e8 = order.client_order_id, record.cum_qty_1e8
        if known_1e8 > cum_1e8:
            what = f"{known_1e8} (1e-8) was executed, its record ended with {cum_1e8}"
            self._differs(name, what, is_doubted=True)
            return
        is_filled = record.status is OrderStatus.FILLED
        if known_1e8 < cum_1e8:
            self._trades(order, trades, max(record.qty_1e8, cum_1e8))
            self._missing(order, record, known_1e8)
            return
        total_1e8 = cum_1e8 if is_filled else max(record.qty_1e8, cum_1e8)
        self._trades(order, trades, total_1e8)
        if trades and (total_1e8 == cum_1e8 or order.end_1e8 == known_1e8):
            return  # the last of them ended it
        if is_filled:  # all was told but that nothing is left: an execution of nothing says so
            exec_id = f"{record.venue_order_id or name}:filled"
            self._report(order, ExecType.TRADE, "filled", record, cum_qty_1e8=cum_1e8, exec_id=exec_id)
        else:
            text = record.reason or f"{record.status} in the venue's record"
            self._report(order, _END[record.status], text, record, cum_qty_1e8=cum_1e8)

    def _open(self, order: Order, record: VenueOrder, trades: list[VenueTrade], known_1e8: int) -> None:
        """The venue says that it is open."""
        name, is_unknown = order.client_order_id, order.state is OrderState.UNKNOWN
        is_settled = self._rules.is_settled(order.asked_ns, self._picture)
        if known_1e8 == record.cum_qty_1e8:
            self.seen_open[name] = self._picture.asked_ns
        # its record may be older than an amend of ours: then nobody may think that nothing is left
        total_1e8 = record.qty_1e8 if is_settled else max(record.qty_1e8, order.most_1e8())
        self._trades(order, trades, total_1e8)
        if known_1e8 >= total_1e8:
            if not trades:
                self._differs(name, "is open there, and nothing is left of it", is_doubted=is_unknown)
            return
        if known_1e8 < record.cum_qty_1e8:
            self._missing(order, record, known_1e8)
        if not is_settled or not self._rules.is_after(order.doubt_ns, self._picture):
            if is_unknown:
                self.said.in_doubt[name] = "what was asked of it last, or happened to it since, may not show yet"
            elif order.state is OrderState.PENDING_NEW:
                self._report(order, ExecType.NEW, "open in the venue's record", record)
            return
        if order.state is OrderState.PENDING_CANCEL:
            self._report(order, ExecType.CANCEL_REJECTED, "the cancel had no effect: it is open", record)
        elif order.state is OrderState.PENDING_NEW or (is_unknown and not trades):
            self._report(order, ExecType.NEW, "open in the venue's record", record)
        self._terms(order, record)

    def _terms(self, order: Order, record: VenueOrder) -> None:
        """Price and total are the venue's; amends of ours that it does not show will not come any more."""
        terms = (record.px_1e9 or order.px_1e9, record.qty_1e8)
        unanswered = len(order.asked) - order.refused
        if terms != (order.px_1e9, order.qty_1e8):
            if not self._lasts(order.client_order_id, f"terms {terms}"):
                self.said.lagging += 1
                return
            text = "its price and total in the venue's record"
            self._report(order, ExecType.REPLACED, text, record, px_1e9=terms[0], qty_1e8=terms[1])
            unanswered -= terms in order.asked
        for _ in range(unanswered):
            self._report(order, ExecType.REPLACE_REJECTED, "the amend had no effect: the order is as it was", record)

    def _absent(self, order: Order, trades: list[VenueTrade], known_1e8: int) -> None:
        """Neither open nor closed. Executions prove that it was there, not that it ended."""
        name, is_unknown = order.client_order_id, order.state is OrderState.UNKNOWN
        most_1e8 = order.most_1e8()
        self._trades(order, trades, most_1e8)
        if trades and known_1e8 >= most_1e8:
            return  # filled: the last of them said so
        if not order.sent_ns or not self._rules.is_settled(order.sent_ns, self._picture):
            if is_unknown:
                self.said.in_doubt[name] = "the venue may still take it, or not list it yet"
            return
        is_heard = order.is_heard or bool(order.venue_order_id) or known_1e8 > 0
        if is_heard and self._rules.is_forgotten(order, self._picture):
            if self._lasts(name, "forgotten"):
                text = f"cancelled, longer ago than {self._picture.venue} keeps such orders"
                self._report(order, ExecType.CANCELED, text, None, cum_qty_1e8=known_1e8)
            else:
                self.said.in_doubt[name] = "is not listed any more; asked once more"
        elif is_heard:
            what = "the venue had it, and lists it neither as open nor as closed"
            self._differs(name, what, is_doubted=is_unknown)
        elif self._picture.since_ns > order.born_ns:
            self._differs(name, "is not listed, and the list does not reach back to its beginning", is_doubted=True)
        elif self._lasts(name, "never listed"):
            text = f"never reached {self._picture.venue}: neither open nor closed nor traded"
            self._report(order, ExecType.REJECTED, text, None, reject_code=RejectCode.NETWORK)
        else:
            self.said.in_doubt[name] = "is not listed; asked once more, as it may have ended just now"

    # --- an order that is over here --------------------------------------------------------------------------------

    def ended(self, order: Order, evidence: Evidence) -> None:
        """One of ours that ended: late executions are facts, and an end that was none is found."""
        name, record, trades = order.client_order_id, evidence.record, unknown(order, evidence)
        known_1e8 = order.filled_1e8 + sum(one.qty_1e8 for one in trades)
        if trades and order.base_1e8 and (record is None or known_1e8 > record.cum_qty_1e8):
            trades, known_1e8 = [], order.filled_1e8
        self._trades(order, trades, order.end_1e8 if order.owed_1e8 else 0)
        if evidence.open is not None:
            # a list that lags as lists do explains it only for a moment after the end was told
            is_doubted = 0 < order.ended_ns < self._picture.asked_ns - LAG_NS
            is_lasting = self._differs(name, f"is over here ({order.state}), and open there", is_doubted=is_doubted)
            if is_lasting and not trades and known_1e8 == evidence.open.cum_qty_1e8:
                self._adopt(name, evidence.open, evidence)
        elif order.end_1e8 > known_1e8:
            what = f"{order.end_1e8 - known_1e8} (1e-8) was executed when it ended, and is not told"
            self._differs(name, what, is_doubted=True)
        elif evidence.closed is not None and known_1e8 != evidence.closed.cum_qty_1e8:
            what = f"{known_1e8} (1e-8) was executed, its record ended with {evidence.closed.cum_qty_1e8}"
            self._differs(name, what)

    # --- an order that nobody here knows ---------------------------------------------------------------------------

    def stranger(self, name: str, evidence: Evidence, record: VenueOrder, *, is_elsewhere: bool) -> None:
        """Ours by its name, open, and unknown: of a life that was lost. It is adopted with all its executions."""
        problem = "is known, of another venue" if is_elsewhere else evidence.problem
        if not problem and record.instrument not in self._rules.markets:
            problem = f"is ours and open, at {record.symbol}, which is not followed"
        if problem:
            self._differs(name, problem, is_doubted=True)
            return
        told_1e8 = sum(one.qty_1e8 for one in evidence.trades)
        is_lasting = self._differs(name, "is ours by its name and open, and was not known", is_doubted=True)
        if is_lasting and told_1e8 == record.cum_qty_1e8:
            self._adopt(name, record, evidence)
        else:
            self.born_ns.append(record.opened_ns)

    def _adopt(self, name: str, record: VenueOrder, evidence: Evidence) -> None:
        self.said.adopt.append(msgspec.structs.replace(record, client_order_id=name))
        self.said.executed[name] = tuple(one.exec_id for one in evidence.trades)
