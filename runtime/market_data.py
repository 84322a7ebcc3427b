"""Books as the engine keeps them: changes in, checked, then marks, features and whoever follows.

Of all markets of one session. Nothing is served, marked or traded on before the venue's own checksum agrees; a book
that is not the venue's is dropped at once, asked for anew, and no other is touched by that.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from connectors.book import L2Book
from connectors.errors import BookGap, GuestFault
from connectors.events import AuditDue, BookAudit, BookDelta, BookSnapshot, Notice, Ticker
from connectors.instrument import Instrument
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from runtime.assembly import Assembly
from runtime.audit import Auditor, Outcome
from runtime.desk import Carry, Desk
from runtime.features import Features
from runtime.inputs import Output
from runtime.models import Models
from runtime.stats import Stats

if TYPE_CHECKING:
    from runtime.rounds import Rounds

_NUMBER: Final = re.compile("[0-9]+")


class MarketData:
    """`books[m]` is market m's; `touched` and `lost` are this turn's and this session's.

    `carry(venue, outputs, now_ns)` carries a session's outputs out. `rounds` is set once it is there.
    """

    rounds: Rounds

    def __init__(
        self, made: Assembly, desk: Desk, models: Models, stats: Stats, out: list[Output], carry: Carry
    ) -> None:
        self.books: list[L2Book] = made.books
        self.instruments: list[Instrument | None] = made.instruments
        self.book_times = made.book_times  # the venue's own time of each book
        self.features = made.features
        self.auditor = Auditor(self.book_times)
        self.tickers: dict[int, Ticker] = {}
        self.touched: list[int] = []
        self.lost: Counter[str] = Counter()  # by reason, whatever numbers it holds
        self.stats = stats
        self.desk, self.gate, self.oms = desk, desk.gate, desk.oms
        self._followers, self._holders = made.followers, made.holders
        self._watchers, self._poolers = made.watchers, made.poolers
        self._port_of = [port for port in made.ports.values() for _ in port.indices]
        self._checksums = [port.checksum for port in self._port_of]
        self._models, self._out, self._carry = models, out, carry
        self._names = made.names

    def delta(self, delta: BookDelta, now_ns: int) -> None:
        self.stats.book_frames += 1
        index = delta.instrument
        book = self.books[index]
        if not book.valid:
            self.stats.dropped += 1
            return
        try:
            book.apply(delta.bids, delta.asks, now_ns)
        except BookGap as gap:
            self.gap(index, gap.reason, now_ns)
            return
        self.book_times[index] = delta.ts_venue
        self._verify(index, book, delta.checksum, now_ns)

    def snapshot(self, snapshot: BookSnapshot, now_ns: int) -> None:
        self.stats.book_frames += 1
        book = self.books[snapshot.instrument]
        book.depth = snapshot.depth
        self.auditor.forget(snapshot.instrument)
        try:
            book.load(snapshot.bids, snapshot.asks, now_ns)
        except BookGap as gap:
            self.gap(snapshot.instrument, gap.reason, now_ns)
            return
        self.book_times[snapshot.instrument] = snapshot.ts_venue
        self._verify(snapshot.instrument, book, snapshot.checksum, now_ns)

    def _verify(self, index: int, book: L2Book, expected: int | None, now_ns: int) -> None:
        """Nothing is served, marked or traded on before the venue's own checksum agrees.

        The mid may have moved: gate and positions are marked anew before anybody acts on it.
        """
        stats = self.stats
        checksum = self._checksums[index]
        if expected is not None and checksum is not None:
            if checksum(book) != expected:
                stats.checksums_failed += 1
                self.gap(index, "checksum" if book.is_deep else "checksum of a thin book", now_ns)
                return
            stats.checksums_ok += 1
        self.touched.append(index)
        if self.auditor.pending:
            self.auditor.saw(index, book, now_ns)
        bid_1e9, ask_1e9 = book.touch()
        if bid_1e9 and ask_1e9:
            self._mark(index, bid_1e9 + ask_1e9, now_ns)
        features = self.features[index]
        if features is not None:
            self._update_features(index, features, book, now_ns)
        if self._poolers[index]:
            self._refresh_pools(index)
        if self._port_of[index].paper.is_busy:
            self.desk.on_book(index, now_ns)
        if self.desk.intents.open:
            self.desk.intents.chase(index, now_ns)
        for algo, view in self._followers[index]:
            if not algo.is_alive:
                continue
            try:
                actions = algo.on_book(book.buffer, view)
            except GuestFault as fault:
                self.desk.fault(algo, fault, "on_book", now_ns)
            else:
                if actions:
                    self.desk.act(algo, actions, now_ns)
        if self._watchers[index]:
            self._tell_watchers(index)

    def _mark(self, index: int, mid_sum_1e9: int, now_ns: int) -> None:
        self.desk.marks[index] = mid_sum_1e9
        if self.oms.positions:
            self._mark_positions(index, mid_sum_1e9)
        if self.gate.mark(index, mid_sum_1e9, now_ns):
            self.desk.sweep.heed(now_ns)

    def _update_features(self, index: int, features: Features, book: L2Book, now_ns: int) -> None:
        features.on_book(book, now_ns)
        if not self._models.is_empty:
            notice = self._models.ask(index, features, book, now_ns)
            if notice is not None:
                self._out.append(notice)

    def _refresh_pools(self, index: int) -> None:
        """This ladder, valid or lost, is in some guests' PoolBooks: they are shown it before they hear of anything."""
        for algo, pools, slot in self._poolers[index]:
            pools.refresh(slot)
            algo.changed()

    def _tell_watchers(self, index: int) -> None:
        """This book, valid or lost, is one of several that some guests look at: on_nbbo may be due."""
        for algo, view in self._watchers[index]:
            self.rounds.book_changed(algo, view, is_pool=index in view.slots)

    def _mark_positions(self, index: int, mid_sum_1e9: int) -> None:
        for algo, view in self._holders[index]:
            position = self.oms.positions.get((algo.index, index))
            if position is not None:
                position.mid_sum_1e9 = mid_sum_1e9
            if view.position is not None:
                if index != view.own:
                    continue
                position = view.position
                position.mid_sum_1e9 = mid_sum_1e9
            if position is not None:
                view.state.mark(position)

    def gap(self, index: int, reason: str, now_ns: int) -> None:
        """This book is not the venue's: drop it now, ask for a new one, leave the others alone."""
        self.lose(index, reason)
        self.stats.resyncs += 1
        port = self._port_of[index]
        self._carry(port.name, port.session.resync(index, reason, now_ns), now_ns)

    def lose(self, index: int, reason: str) -> None:
        self.lost[_NUMBER.sub("#", reason)] += 1
        self.books[index].invalidate(reason)
        self.auditor.forget(index)
        self._lost_book(index)

    def _lost_book(self, index: int) -> None:
        features = self.features[index]
        if features is not None:
            features.on_lost()
        self._refresh_pools(index)
        self._tell_watchers(index)

    def beside(self, said: AuditDue | BookAudit | Ticker, now_ns: int) -> None:
        """A second look at a book, or the venue's summary of its market."""
        match said:
            case AuditDue(index):
                self.auditor.begin(index, self.books[index], now_ns)
            case BookAudit(index, snapshot):
                self.auditor.compare(index, snapshot, self.books[index], now_ns)
            case Ticker(index):
                self.tickers[index] = said

    def tick(self, now_ns: int) -> None:
        """Time passed: audits whose grace is over."""
        for index, outcome in self.auditor.tick(now_ns):
            if outcome is Outcome.MISMATCH:
                found = self.auditor.records[index].found
                self._out.append(Notice("warning", f"{self._names[index]}: the audit found a wrong book: {found}"))
                self.gap(index, "audit", now_ns)
            else:  # it said nothing: look again before its turn
                port = self._port_of[index]
                again = getattr(port.session, "audit_again", None)  # only sessions that audit have it
                if again is not None:
                    self._carry(port.name, again(index, now_ns), now_ns)

    def define(self, index: int, definition: Instrument) -> None:
        before = self.instruments[index]
        if definition == before:
            return
        self.instruments[index] = self.gate.markets[index].instrument = definition
        book = self.books[index]
        was_valid = book.valid
        book.set_digits(
            10 ** (PRICE_DECIMALS - definition.price_precision), 10 ** (SIZE_DECIMALS - definition.size_precision)
        )
        if was_valid and not book.valid:
            self._lost_book(index)
        self.tell_metadata(index)

    def tell_metadata(self, index: int) -> None:
        instrument = self.instruments[index]
        if instrument is not None:
            for _, view in self._holders[index]:
                if view.own == index:
                    view.state.instrument(instrument)
