"""L2Book against a plain dictionary, and the bytes a guest would read."""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.book import BOOK_BYTES, L2Book, Level
from connectors.errors import BookGap
from connectors.venues.kraken.checksum import checksum

# L2Book of the guest's crate, every generation: bids at 0, asks at 320 (20 × {px u64, sz u64}), bid_ct u8 at 640,
# ask_ct u8 at 641, symbol_id u16 at 642, recv_ns u64 at 648; little-endian, 656 bytes
GUEST = struct.Struct("<40Q40QBBH4xQ")
MID = 45_284 * 10**9
CENT = 10**8  # one decimal of price
DEPTHS = (5, 10, 20, 25, 100)

Change = tuple[int, int, int]  # (+1 bid or −1 ask, steps away from the mid, size)


class Seen(NamedTuple):
    """The 656 bytes, decoded."""

    bids: list[Level]
    asks: list[Level]
    bid_ct: int
    ask_ct: int
    symbol_id: int
    recv_ns: int


def seen(book: L2Book) -> Seen:
    assert GUEST.size == BOOK_BYTES == len(book.buffer) == 656
    words = GUEST.unpack(bytes(book.buffer))
    levels = [(words[i], words[i + 1]) for i in range(0, 80, 2)]
    return Seen(levels[:20], levels[20:], *words[80:])


class Reference:
    """What a book is: price → size, sorted when asked, cut to the depth after each message."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}

    def apply(self, bids: list[Level], asks: list[Level]) -> None:
        for side, changes in ((1, bids), (-1, asks)):
            held = self.sides[side]
            for px, sz in changes:
                held[px] = sz
            kept = [px for px in sorted(held, reverse=side > 0) if held[px]][: self.depth]
            self.sides[side] = {px: held[px] for px in kept}

    @property
    def bids(self) -> list[Level]:
        return list(self.sides[1].items())

    @property
    def asks(self) -> list[Level]:
        return list(self.sides[-1].items())

    @property
    def crossed(self) -> bool:
        return bool(self.bids and self.asks) and self.bids[0][0] >= self.asks[0][0]


def split(changes: list[Change]) -> tuple[list[Level], list[Level]]:
    """(bids, asks) in the order given."""
    bids = [(MID - steps * CENT, size) for side, steps, size in changes if side > 0]
    asks = [(MID + steps * CENT, size) for side, steps, size in changes if side < 0]
    return bids, asks


def padded(levels: list[Level]) -> list[Level]:
    """The top 20 and zeros beyond."""
    return (levels + [(0, 0)] * 20)[:20]


def assert_same(book: L2Book, reference: Reference, recv_ns: int) -> None:
    bids, asks = reference.bids, reference.asks
    assert (book.bids, book.asks) == (bids, asks)
    expected = Seen(padded(bids), padded(asks), min(len(bids), 20), min(len(asks), 20), 0, recv_ns)
    assert seen(book) == expected
    assert (book.best_bid_1e9, book.best_ask_1e9) == (bids[0][0] if bids else 0, asks[0][0] if asks else 0)
    assert book.is_deep is (len(bids) >= 10 and len(asks) >= 10)
    assert book.valid
    texts = (f"{px // CENT}{sz // 10}" for px, sz in asks[:10] + bids[:10])
    assert checksum(book) == crc32("".join(texts).encode())


def assert_gone(book: L2Book, reason: str) -> None:
    """Empty, invalid, and not a byte left for anybody to serve."""
    assert not book.valid
    assert reason in book.reason
    assert (book.bids, book.asks) == ([], [])
    assert bytes(book.buffer) == bytes(656)
    assert (book.best_bid_1e9, book.best_ask_1e9, book.recv_ns) == (0, 0, 0)
    assert checksum(book) == crc32(b"")


sides = st.sampled_from((1, -1))
# sizes are multiples of 10: the book's last printed decimal of size is worth 10
sizes = st.integers(0, 3).map(lambda n: n * 10)
near = st.tuples(sides, st.integers(1, 12), sizes)
anywhere = st.tuples(sides, st.integers(1, 140), sizes)
# side by side: changes close to the touch, where 20 guest levels shift, and changes anywhere
messages = st.lists(st.lists(near | anywhere, max_size=12), max_size=12)
# a side of n levels `gap` steps apart, best first or worst first, shuffled by reversing
ladders = st.tuples(st.integers(0, 130), st.integers(1, 2), st.booleans())


def ladder(side: int, shape: tuple[int, int, bool]) -> list[Change]:
    count, gap, backwards = shape
    changes = [(side, 1 + i * gap, (1 + i % 7) * 10) for i in range(count)]
    return changes[::-1] if backwards else changes


@settings(max_examples=400)
@given(st.sampled_from(DEPTHS), ladders, ladders, messages)
def test_the_book_is_the_dictionary(
    depth: int, bid_shape: tuple[int, int, bool], ask_shape: tuple[int, int, bool], deltas: list[list[Change]]
) -> None:
    """After every message the levels, the texts, the counts and the 656 bytes are those of sorted dictionaries."""
    book, reference = L2Book(depth=depth, price_digit_1e9=CENT, size_digit_1e8=10), Reference(depth)
    bids, asks = split([*ladder(1, bid_shape), *ladder(-1, ask_shape)])
    book.load(bids, asks, 7)
    reference.apply(bids, asks)
    assert_same(book, reference, 7)
    for recv_ns, delta in enumerate(deltas, 2**63):
        bids, asks = split(delta)
        book.apply(bids, asks, recv_ns)
        reference.apply(bids, asks)
        assert_same(book, reference, recv_ns)


@settings(max_examples=200)
@given(
    st.sampled_from(DEPTHS), st.lists(st.lists(st.tuples(sides, st.integers(-2, 8), sizes), max_size=6), max_size=12)
)
def test_crossed_means_gone_until_the_next_snapshot(depth: int, deltas: list[list[Change]]) -> None:
    """A message that leaves bid ≥ ask raises and empties the book; one that does not, never raises."""
    start = split([*ladder(1, (4, 1, False)), *ladder(-1, (4, 1, False))])
    book, reference = L2Book(depth=depth, price_digit_1e9=CENT, size_digit_1e8=10), Reference(depth)
    book.load(*start, 1)
    reference.apply(*start)
    for recv_ns, delta in enumerate(deltas, 2):
        bids, asks = split(delta)
        reference.apply(bids, asks)
        if not reference.crossed:
            book.apply(bids, asks, recv_ns)
            assert_same(book, reference, recv_ns)
            continue
        with pytest.raises(BookGap) as gap:
            book.apply(bids, asks, recv_ns)
        assert gap.value.reason == "crossed"
        assert str(reference.bids[0][0]) in gap.value.detail
        assert str(reference.asks[0][0]) in gap.value.detail
        assert_gone(book, "crossed")
        reference = Reference(depth)
        book.load(*start, recv_ns)
        reference.apply(*start)
        assert_same(book, reference, recv_ns)


def test_a_touching_book_is_crossed() -> None:
    """Equal prices on both sides are no market either, in a snapshot as in a change."""
    book = L2Book()
    with pytest.raises(BookGap, match="crossed"):
        book.load([(MID, 1)], [(MID, 1)], 1)
    assert_gone(book, "crossed")


def test_a_message_may_cross_on_its_way() -> None:
    """Only the end of a message counts: bids are applied first, and may pass the ask that the same message removes."""
    book = L2Book()
    book.load([(MID - 1, 5)], [(MID + 1, 5), (MID + 9, 5)], 1)
    book.apply([(MID + 2, 5)], [(MID + 1, 0)], 2)
    assert (book.best_bid_1e9, book.best_ask_1e9) == (MID + 2, MID + 9)


def test_the_same_price_twice_in_one_message() -> None:
    """In the order given: the last one stands, also when it takes the level away or brings it back."""
    book = L2Book()
    book.load([(MID - 1, 5)], [(MID + 1, 5)], 1)
    book.apply([(MID - 2, 3), (MID - 2, 4), (MID - 1, 0), (MID - 1, 6)], [(MID + 2, 3), (MID + 2, 0)], 2)
    assert book.bids == [(MID - 1, 6), (MID - 2, 4)]
    assert book.asks == [(MID + 1, 5)]
    assert seen(book).bids == padded([(MID - 1, 6), (MID - 2, 4)])


def test_removing_what_is_not_there_changes_nothing() -> None:
    """Kraken removes levels that have left our depth: no level, no error, no shift of the 20."""
    book = L2Book(depth=10)
    bids, asks = split([*ladder(1, (10, 1, False)), *ladder(-1, (10, 1, False))])
    book.load(bids, asks, 1)
    before = seen(book)
    book.apply([(MID - 50 * CENT, 0), (MID - CENT // 2, 0)], [(MID + 50 * CENT, 0)], 1)
    assert seen(book) == before


def test_levels_pushed_out_do_not_come_back() -> None:
    """Depth 10 cuts after the message: what was pushed out is not there when a place becomes free again."""
    book = L2Book(depth=10)
    bids, asks = split([*ladder(1, (10, 2, False)), *ladder(-1, (10, 2, False))])
    book.load(bids, asks, 1)
    book.apply([(MID - 2 * CENT, 7)], [], 2)
    book.apply([(MID - 2 * CENT, 0)], [], 3)
    assert len(book.bids) == 9
    assert bids[9] not in book.bids
    assert seen(book).bid_ct == 9


def test_the_21st_level_moves_into_the_guests_view() -> None:
    """Removing one of the first 20 shows the next one; inserting one hides the last."""
    book = L2Book(depth=25)
    bids, asks = split([*ladder(1, (25, 2, False)), *ladder(-1, (25, 2, False))])
    book.load(bids, asks, 1)
    book.apply([(bids[3][0], 0)], [(asks[0][0], 0)], 2)
    assert seen(book).bids == [*bids[:3], *bids[4:21]]
    assert seen(book).asks == asks[1:21]
    book.apply([(MID - 2 * CENT, 1)], [], 3)
    assert seen(book).bids == [bids[0], (MID - 2 * CENT, 1), *bids[1:3], *bids[4:20]]


def test_load_replaces_the_whole_book() -> None:
    """Nothing of the old book survives, on either side, in lists or bytes."""
    book = L2Book(depth=25)
    book.load(*split([*ladder(1, (25, 1, False)), *ladder(-1, (25, 1, False))]), 1)
    book.load([(5, 2)], [], 9)
    assert (book.bids, book.asks) == ([(5, 2)], [])
    assert seen(book) == Seen(padded([(5, 2)]), padded([]), 1, 0, 0, 9)
    assert book.valid


def test_before_the_first_snapshot_and_after_invalidate() -> None:
    """A book that has nothing to say says why."""
    book = L2Book()
    assert_gone(book, "no snapshot yet")
    book.load([(5, 2)], [(6, 2)], 9)
    assert (book.valid, book.reason) == (True, "")
    book.invalidate("link down")
    assert_gone(book, "link down")


def test_other_digits_make_another_book() -> None:
    """The texts were printed with the old digits: the book is gone; the same digits again change nothing."""
    book = L2Book(price_digit_1e9=CENT, size_digit_1e8=1)
    book.load([(5 * CENT, 2)], [(6 * CENT, 2)], 9)
    book.set_digits(CENT, 1)
    assert book.valid
    book.set_digits(CENT // 10, 1)
    assert_gone(book, "precision changed")
    book.load([(5 * CENT, 2)], [], 10)
    assert checksum(book) == crc32(b"502")
    book.set_digits(CENT // 10, 2)
    assert_gone(book, "precision changed")


def test_prices_and_sizes_up_to_63_bits() -> None:
    """The largest level a session lets through, on both sides, byte for byte."""
    top = 2**63 - 1
    book = L2Book()
    book.load([(top - 1, top)], [(top, top)], 2**64 - 1)
    assert seen(book) == Seen(padded([(top - 1, top)]), padded([(top, top)]), 1, 1, 0, 2**64 - 1)


@pytest.mark.parametrize(
    ("side", "qty", "steps"),
    [(1, 1, 1), (1, 10, 1), (1, 11, 2), (1, 30, 2), (1, 31, 3), (1, 60, 3), (1, 10**9, 3), (-1, 10, -1), (-1, 61, -3)],
)
def test_reach_is_the_last_price_a_taker_pays(side: int, qty: int, steps: int) -> None:
    """10, 20 and 30 on the first three levels; more than there is reaches the last one."""
    book = L2Book()
    book.load(*split([*ladder(1, (3, 1, True)), *ladder(-1, (3, 1, True))]), 1)
    assert book.reach_1e9(side, qty) == MID + steps * CENT


def test_reach_into_nothing_is_zero() -> None:
    """An empty side has no price."""
    book = L2Book()
    book.load([(5, 2)], [], 1)
    assert (book.reach_1e9(1, 1), book.reach_1e9(-1, 1)) == (0, 5)
