"""One symbol over all its venues: the two records `on_nbbo` is given, NbboSnapshot and VenueBooks.

Slots are the sources sorted by venue id, and stay the same for as long as the instance lives. A source that cannot be
trusted (book invalid, link down or silent for too long) keeps its slot with zeros, an empty book and
`venue_update_ms` 65535, and counts neither in the NBBO nor in the merged book.

`nbbo_bid_sz_1e8` is the size at the one venue that `nbbo_bid_venue` names, not the sum over venues at that price: the
crate puts the two beside each other, and its own example sends an order to that venue, which can fill no more than it
has there. The sum is the first level of the merged book. Where venues tie, the lower slot is named.

The merged book may be crossed: one venue's bid at or above another's ask is what such an algo looks for.

What costs: a book's 656 bytes are compared with those shown last (0.06 µs) and copied only when they differ (0.05 µs);
merging is done per side, and only along the path of a tree on which the changed book lies.
"""

from array import array
from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from connectors.book import BOOK_BYTES, LEVELS, L2Book
from connectors.errors import ConfigError
from risk.checks import Link
from runtime.abi import BOOK_SYMBOL_ID_AT, NBBO_BYTES, REGIONS, Generation, Region

STALE_MS: Final = 65_535
FRESH_MS_MAX: Final = 65_534
REGION_UNKNOWN: Final = 255
_U32_MAX: Final = 2**32 - 1
_U64_MAX: Final = 2**64 - 1
_NS_PER_MS: Final = 1_000_000

_HEAD: Final = Struct("<4Q4BI")  # NBBO prices and sizes, their slots, venue_ct, symbol_id, sequence
_TOUCH: Final = Struct("<QQ304xQQ")  # best bid and ask of an L2Book, price and size each
_NO_TOUCH: Final = (0, 0, 0, 0)
_NO_BOOK: Final = bytes(BOOK_BYTES)
_SIDE_WORDS: Final = 2 * LEVELS
_SIDE_BYTES: Final = 8 * _SIDE_WORDS
_COUNTS_AT: Final = 2 * _SIDE_BYTES  # bid_ct, ask_ct
_RECV_WORD: Final = 81
_VENUE_IDS_AT: Final = 40
_BOOK_CT_AT: Final = BOOK_BYTES  # behind the merged book

_NO_BID: Final = -1  # ends a list of bids: below every price
_NO_ASK: Final = 2**64  # ends a list of asks: above every price


class Source(NamedTuple):
    """One venue's book of the symbol, and the link it comes over. `venue_id` is the crate's, 1 … 255."""

    venue_id: int
    book: L2Book
    link: Link


class _Layout(NamedTuple):
    """Byte offsets in one generation; 0 where it has no such field. Of NbboSnapshot first, then of VenueBooks."""

    slots: int
    bid_px: int
    ask_px: int
    bid_sz: int
    ask_sz: int
    update_ms: int
    recv_ns: int
    regions: int
    books_symbol: int
    books_ids: int
    books_regions: int
    books: int


_LAYOUTS: Final = {
    Generation.V0_3_0_NBBO: _Layout(16, 56, 184, 312, 376, 440, 472, 0, 0, 664, 0, 680),
    Generation.V0_3_2_NBBO: _Layout(20, 64, 224, 384, 464, 544, 584, 0, 0, 664, 0, 688),
    Generation.V0_4: _Layout(20, 64, 224, 384, 464, 544, 584, 592, 658, 665, 685, 712),
}


def _merge(a: list[int], b: list[int], end: int) -> list[int]:
    """The best 20 levels of two sides; sizes at one price are added up, and stop at 2^64 − 1.

    A side is `[px, sz, px, sz, …, end]`, best first; `end` says by its value which of the two sides it is.
    """
    out: list[int] = []
    add = out.append
    i = j = 0
    x, y = a[0], b[0]
    descending = end == _NO_BID
    for _ in range(LEVELS):
        if x == y:
            if x == end:
                break
            size = a[i + 1] + b[j + 1]
            add(x)
            add(size if size <= _U64_MAX else _U64_MAX)
            i += 2
            j += 2
            x, y = a[i], b[j]
        elif (x > y) is descending:
            add(x)
            add(a[i + 1])
            i += 2
            x = a[i]
        else:
            add(y)
            add(b[j + 1])
            j += 2
            y = b[j]
    add(end)
    return out


class _Merged:
    """One side of the merged book: a tree of merges of two, so that one changed book costs log₂ n of them, not n."""

    __slots__ = ("_dirty", "_first", "_nodes", "end")

    def __init__(self, leaves: int, end: int) -> None:
        self.end = end
        self._first = 2
        while self._first < leaves:
            self._first *= 2
        self._nodes = [[end] for _ in range(2 * self._first)]
        self._dirty: set[int] = set()

    def put(self, leaf: int, levels: list[int]) -> None:
        levels.append(self.end)
        self._nodes[self._first + leaf] = levels
        self._dirty.add((self._first + leaf) // 2)

    def settle(self) -> list[int] | None:
        """The best 20 levels and `end`; None when nothing was put since the last time."""
        dirty, nodes = self._dirty, self._nodes
        if not dirty:
            return None
        while 0 not in dirty:  # all of them are on one level of the tree
            for at in dirty:
                a, b = nodes[2 * at], nodes[2 * at + 1]
                nodes[at] = a if len(b) == 1 else b if len(a) == 1 else _merge(a, b, self.end)
            dirty = {at // 2 for at in dirty}
        self._dirty.clear()
        return nodes[1]


class _Slot:
    """A source, and what of it was shown last: `kept` is its book's bytes, `touch` its best levels.

    `place` is its book in VenueBooks; `cells` are its words, half words and quarter words in NbboSnapshot.
    """

    __slots__ = ("book", "buffer", "cells", "index", "is_fresh", "kept", "link", "ms_cell", "place", "recv_ns",
                 "touch", "venue_id", "words")  # fmt: skip

    def __init__(self, index: int, source: Source, layout: _Layout, place: memoryview) -> None:
        self.index = index
        self.venue_id, self.book, self.link = source
        self.buffer = self.book.buffer
        self.words = memoryview(self.buffer).cast("Q")
        self.place = place
        self.cells = (
            layout.bid_px // 8 + index,
            layout.ask_px // 8 + index,
            layout.bid_sz // 4 + index,
            layout.ask_sz // 4 + index,
        )
        self.ms_cell = layout.update_ms // 2 + index
        self.is_fresh = False
        self.kept = _NO_BOOK
        self.touch: tuple[int, ...] = _NO_TOUCH
        self.recv_ns = 0


class Nbbo:
    """One symbol of one algo instance over all its venues.

    `snapshot` and `books` are the two records in the layout of the guest's generation, kept in place by `update`.
    `symbol_id` 0 … 255; `max_age_ns`: how long a link may be silent. Raises ConfigError for more sources than the
    generation has slots, two of one venue, a venue id or symbol id out of range, a generation without `on_nbbo`.
    """

    __slots__ = ("_asks", "_bids", "_layout", "_max_age_ns", "_merged", "_slots", "_snapshot_u16", "_snapshot_u32",
                 "_snapshot_u64", "_symbol_bytes", "_symbol_id", "books", "sequence", "snapshot")  # fmt: skip

    def __init__(self, symbol_id: int, sources: Sequence[Source], generation: Generation, max_age_ns: int) -> None:
        ordered = sorted(sources, key=lambda source: source.venue_id)
        self._layout = layout = _checked(symbol_id, [source.venue_id for source in ordered], generation)
        self._max_age_ns = max_age_ns
        self._symbol_id = symbol_id if layout.books_symbol else 0
        self._symbol_bytes = symbol_id.to_bytes(2, "little")
        self.sequence = 0
        self.snapshot = bytearray(NBBO_BYTES[generation])
        self.books = bytearray(REGIONS[generation][Region.VENUE_BOOKS][1])
        self._snapshot_u64 = memoryview(self.snapshot).cast("Q")
        self._snapshot_u32 = memoryview(self.snapshot).cast("I")
        self._snapshot_u16 = memoryview(self.snapshot).cast("H")
        self._merged = memoryview(self.books)[:BOOK_BYTES].cast("Q")
        self._bids = _Merged(len(ordered), _NO_BID)
        self._asks = _Merged(len(ordered), _NO_ASK)
        places = memoryview(self.books)[layout.books :]
        self._slots = [
            _Slot(index, source, layout, places[index * BOOK_BYTES : (index + 1) * BOOK_BYTES])
            for index, source in enumerate(ordered)
        ]
        self._write_fixed()

    def touched(self, now_ns: int) -> bool:
        """Whether some source's best price or size, validity or staleness changed since the last `update`.

        Before the first `update` every source counts as stale.
        """
        oldest_ns = self._oldest_ns(now_ns)
        for slot in self._slots:
            is_fresh = slot.book.valid and slot.link.last_ns >= oldest_ns
            if is_fresh != slot.is_fresh:
                return True
            # comparing all bytes is cheaper than taking the best levels out of them
            if is_fresh and slot.buffer != slot.kept and _TOUCH.unpack_from(slot.buffer) != slot.touch:
                return True
        return False

    def update(self, now_ns: int) -> None:
        """Brings both records up to date; `sequence` rises by one (and wraps at 2^32)."""
        oldest_ns = self._oldest_ns(now_ns)
        snapshot_u16 = self._snapshot_u16
        bid = ask = bid_sz = ask_sz = bid_slot = ask_slot = newest_ns = 0
        for slot in self._slots:
            if not slot.book.valid or slot.link.last_ns < oldest_ns:
                if slot.is_fresh:
                    self._drop(slot)
                continue
            if not slot.is_fresh or slot.buffer != slot.kept:
                self._take(slot)
            px, sz, ask_px, size = slot.touch
            if px > bid:
                bid, bid_sz, bid_slot = px, sz, slot.index
            if ask_px and (ask_px < ask or not ask):
                ask, ask_sz, ask_slot = ask_px, size, slot.index
            recv_ns = slot.recv_ns
            newest_ns = recv_ns if recv_ns > newest_ns else newest_ns
            age_ms = (now_ns - recv_ns) // _NS_PER_MS if now_ns > recv_ns else 0
            snapshot_u16[slot.ms_cell] = age_ms if age_ms < FRESH_MS_MAX else FRESH_MS_MAX
        self._write_merged(newest_ns)
        self.sequence = (self.sequence + 1) & _U32_MAX
        _HEAD.pack_into(self.snapshot, 0, bid, ask, bid_sz, ask_sz, bid_slot, ask_slot, len(self._slots),
                        self._symbol_id, self.sequence)  # fmt: skip
        self._snapshot_u64[self._layout.recv_ns // 8] = newest_ns

    def _oldest_ns(self, now_ns: int) -> int:
        """A link that last spoke before this is stale; a link that is down says −1."""
        return max(now_ns - self._max_age_ns, 0)

    def _take(self, slot: _Slot) -> None:
        """Copies a source's book, and of its sides those that changed into the merge."""
        kept, new, words = slot.kept, bytes(slot.buffer), slot.words
        slot.place[:] = new
        self._mark(slot)
        if new[:_SIDE_BYTES] != kept[:_SIDE_BYTES]:
            self._bids.put(slot.index, words[: 2 * new[_COUNTS_AT]].tolist())
        if new[_SIDE_BYTES:_COUNTS_AT] != kept[_SIDE_BYTES:_COUNTS_AT]:
            self._asks.put(slot.index, words[_SIDE_WORDS : _SIDE_WORDS + 2 * new[_COUNTS_AT + 1]].tolist())
        slot.kept, slot.is_fresh, slot.recv_ns = new, True, words[_RECV_WORD]
        self._show(slot, _TOUCH.unpack_from(new))

    def _drop(self, slot: _Slot) -> None:
        """A source went stale: its slot shows nothing."""
        slot.place[:] = _NO_BOOK
        self._mark(slot)
        self._bids.put(slot.index, [])
        self._asks.put(slot.index, [])
        slot.kept, slot.is_fresh, slot.recv_ns = _NO_BOOK, False, 0
        self._show(slot, _NO_TOUCH)
        self._snapshot_u16[slot.ms_cell] = STALE_MS

    def _mark(self, slot: _Slot) -> None:
        slot.place[BOOK_SYMBOL_ID_AT : BOOK_SYMBOL_ID_AT + 2] = self._symbol_bytes

    def _show(self, slot: _Slot, touch: tuple[int, ...]) -> None:
        if touch == slot.touch:
            return
        slot.touch = touch
        bid, bid_sz, ask, ask_sz = touch
        bid_cell, ask_cell, bid_sz_cell, ask_sz_cell = slot.cells
        self._snapshot_u64[bid_cell] = bid
        self._snapshot_u64[ask_cell] = ask
        self._snapshot_u32[bid_sz_cell] = bid_sz if bid_sz < _U32_MAX else _U32_MAX
        self._snapshot_u32[ask_sz_cell] = ask_sz if ask_sz < _U32_MAX else _U32_MAX

    def _write_merged(self, newest_ns: int) -> None:
        for at, count_at, side in ((0, _COUNTS_AT, self._bids), (_SIDE_WORDS, _COUNTS_AT + 1, self._asks)):
            levels = side.settle()
            if levels is not None:
                words = len(levels) - 1
                self._merged[at : at + words] = array("Q", levels[:words])
                self._merged[at + words : at + _SIDE_WORDS] = array("Q", bytes(8 * (_SIDE_WORDS - words)))
                self.books[count_at] = words // 2
        self._merged[_RECV_WORD] = newest_ns

    def _write_fixed(self) -> None:
        """What never changes, and the state before the first `update`: every source stale."""
        layout, count = self._layout, len(self._slots)
        ids = bytes(slot.venue_id for slot in self._slots)
        _HEAD.pack_into(self.snapshot, 0, 0, 0, 0, 0, 0, 0, count, self._symbol_id, 0)
        self.snapshot[_VENUE_IDS_AT : _VENUE_IDS_AT + count] = ids
        self.books[_BOOK_CT_AT] = count
        self.books[layout.books_ids : layout.books_ids + count] = ids
        if layout.regions:
            unknown = bytes([REGION_UNKNOWN]) * count
            self.snapshot[layout.regions : layout.regions + count] = unknown
            self.books[layout.books_regions : layout.books_regions + count] = unknown
            self.books[layout.books_symbol : layout.books_symbol + 2] = self._symbol_bytes
        self.books[BOOK_SYMBOL_ID_AT : BOOK_SYMBOL_ID_AT + 2] = self._symbol_bytes
        for slot in self._slots:
            self._mark(slot)
            self._snapshot_u16[slot.ms_cell] = STALE_MS


def _checked(symbol_id: int, venue_ids: list[int], generation: Generation) -> _Layout:
    layout = _LAYOUTS.get(generation)
    if layout is None:
        raise _refused(f"a guest of generation {generation} has no on_nbbo", "deploy it to one venue")
    if not 0 <= symbol_id <= 255:
        raise _refused(f"symbol number {symbol_id} is outside 0 … 255", "deploy at most 256 symbols")
    if len(venue_ids) > layout.slots:
        raise _refused(
            f"{len(venue_ids)} venues, but a guest of generation {generation} sees at most {layout.slots}",
            f"name at most {layout.slots}",
        )
    for before, venue_id in zip([0, *venue_ids], venue_ids, strict=False):
        if not 1 <= venue_id <= 255:
            raise _refused(f"venue id {venue_id} is outside 1 … 255", "use the ids of the crate's venue.rs")
        if venue_id == before:
            raise _refused(f"venue id {venue_id} is there twice", "name each venue once")
    return layout


def _refused(problem: str, mend: str) -> ConfigError:
    return ConfigError(problem, place="the venues of one symbol", mend=mend)
