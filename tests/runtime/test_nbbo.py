"""Both records of on_nbbo, field by field, against plain dictionaries; and what `touched` and the refusals say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.book import BOOK_BYTES, L2Book
from connectors.errors import BookGap, ConfigError
from risk.checks import Link
from runtime.abi import Generation
from runtime.nbbo import Nbbo, Source
from tests.support.data import abi_table
from tests.support.nbbo_reference import Market, Venue, WideLayout

CRATES = {Generation.V0_3_0_NBBO: "0.3.0", Generation.V0_3_2_NBBO: "0.3.2", Generation.V0_4: "0.4.0"}
SLOTS = {Generation.V0_3_0_NBBO: 16, Generation.V0_3_2_NBBO: 20, Generation.V0_4: 20}
START_NS = 1_780_000_000 * 10**9
MAX_AGE_NS = 3_500_000_000
TICK = 10**8
Levels = list[tuple[int, int]]


@pytest.fixture(scope="module")
def layouts(real_data: Path) -> dict[Generation, WideLayout]:
    del real_data
    structs = abi_table()["structs"]
    return {generation: WideLayout(structs[version]) for generation, version in CRATES.items()}


class World:
    """The same venues twice: as venuegate has them and as dictionaries."""

    def __init__(self, generation: Generation, depths: list[int], symbol_id: int = 0, max_age_ns: int = MAX_AGE_NS,
                 ids: list[int] | None = None) -> None:  # fmt: skip
        ids = ids or list(range(1, len(depths) + 1))
        self.generation = generation
        self.now_ns = START_NS
        self.venues = [Venue(venue_id, depth) for venue_id, depth in zip(ids, depths, strict=True)]
        self.sources = [Source(venue_id, L2Book(depth=depth), Link())
                        for venue_id, depth in zip(ids, depths, strict=True)]  # fmt: skip
        self.market = Market(self.venues, symbol_id, max_age_ns, SLOTS[generation])
        self.nbbo = Nbbo(symbol_id, self.sources, generation, max_age_ns)

    def load(self, at: int, bids: Levels, asks: Levels, recv_ns: int | None = None) -> None:
        self.venues[at].lose()
        self.venues[at].is_valid = True
        self.edit(at, bids, asks, self.sources[at].book.load, recv_ns)

    def apply(self, at: int, bids: Levels, asks: Levels, recv_ns: int | None = None) -> None:
        if self.venues[at].is_valid:
            self.edit(at, bids, asks, self.sources[at].book.apply, recv_ns)

    def edit(self, at: int, bids: Levels, asks: Levels, how: Callable[..., None], recv_ns: int | None) -> None:
        recv_ns = self.now_ns if recv_ns is None else recv_ns
        self.venues[at].edit(bids, asks, recv_ns)
        try:
            how(bids, asks, recv_ns)
        except BookGap:
            assert not self.venues[at].is_valid
        self.link(at, self.now_ns)

    def lose(self, at: int) -> None:
        self.venues[at].lose()
        self.sources[at].book.invalidate("test")

    def link(self, at: int, last_ns: int) -> None:
        self.venues[at].last_ns = self.sources[at].link.last_ns = last_ns

    def update(self) -> None:
        self.nbbo.update(self.now_ns)
        self.market.update(self.now_ns)

    def check(self, layout: WideLayout) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both records as decoded, after comparing every field and every byte of padding."""
        found = []
        for name, raw, expected in (
            ("NbboSnapshot", self.nbbo.snapshot, self.market.snapshot(self.now_ns)),
            ("VenueBooks", self.nbbo.books, self.market.books(self.now_ns)),
        ):
            decoded = layout.decode(name, bytes(raw))
            assert decoded == {field: expected[field] for field in decoded}
            assert not any(layout.padding(name, bytes(raw)))
            found.append(decoded)
        return found[0], found[1]


def sizes() -> st.SearchStrategy[int]:
    return st.sampled_from([1, 10**8, 2**32 - 1, 2**32, 2**62, 2**63 - 1]) | st.integers(1, 10**12)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Levels, Levels]:
    """A venue's own uncrossed levels round a middle of its own, so that venues cross and share prices."""
    middle = draw(st.integers(20, 60))
    bids = draw(st.dictionaries(st.integers(1, middle - 1), sizes(), max_size=25))
    asks = draw(st.dictionaries(st.integers(middle, 90), sizes(), max_size=25))
    return [(px * TICK, sz) for px, sz in bids.items()], [(px * TICK, sz) for px, sz in asks.items()]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Levels, Levels]:
    """A few levels changed or removed; they may cross the book they meet."""
    level = st.tuples(st.integers(1, 90).map(TICK.__mul__), st.just(0) | sizes())
    return draw(st.lists(level, max_size=3)), draw(st.lists(level, max_size=3))


STEP = st.one_of(
    st.tuples(st.just("load"), st.integers(0, 19), sides(), st.sampled_from([0, 0, 3_000_000])),
    st.tuples(st.just("apply"), st.integers(0, 19), changes(), st.just(0)),
    st.tuples(st.just("lose"), st.integers(0, 19), st.none(), st.just(0)),
    st.tuples(st.just("link"), st.integers(0, 19), st.none(), st.sampled_from([-1, 0, MAX_AGE_NS, MAX_AGE_NS + 1])),
    st.tuples(st.just("wait"), st.just(0), st.none(), st.sampled_from([1, 999_999, 10**6, MAX_AGE_NS + 1, 70 * 10**9])),
)


def take(world: World, step: tuple[str, int, Any, int]) -> None:
    kind, at, levels, number = step
    at %= len(world.venues)
    match kind:
        case "load":
            bids, asks = levels
            world.load(at, bids, asks, world.now_ns + number)  # a book may be newer than the turn's clock
        case "apply":
            world.apply(at, *levels)
        case "lose":
            world.lose(at)
        case "link":
            world.link(at, -1 if number < 0 else world.now_ns - number)
        case _:
            world.now_ns += number


@pytest.mark.real_data
@settings(max_examples=100, deadline=None)
@given(
    generation=st.sampled_from(list(CRATES)),
    depths=st.lists(st.sampled_from([1, 5, 10, 20, 25]), min_size=1, max_size=20),
    first=st.lists(sides(), min_size=1, max_size=7),
    steps=st.lists(st.tuples(STEP, st.booleans()), max_size=10),
    symbol_id=st.sampled_from([0, 1, 255]),
    max_age_ns=st.sampled_from([MAX_AGE_NS, 10**12]),
)
def test_any_history_shows_what_the_dictionaries_say(
    layouts: dict[Generation, WideLayout], generation: Generation, depths: list[int],
    first: list[tuple[Levels, Levels]], steps: list[tuple[Any, bool]], symbol_id: int, max_age_ns: int,
) -> None:  # fmt: skip
    """Loads, deltas, losses, silences, updates now and then: both records and `touched` always agree."""
    world = World(generation, depths[: SLOTS[generation]], symbol_id, max_age_ns)
    world.check(layouts[generation])  # before the first update: everything stale
    for at in range(len(world.venues)):
        if at % 3 != 2:  # some venues have said nothing yet
            world.load(at, *first[at % len(first)])
    for step, has_update in [(("wait", 0, None, 1), True), *steps]:
        take(world, step)
        assert world.nbbo.touched(world.now_ns) == world.market.touched(world.now_ns)
        if has_update:
            world.update()
            world.check(layouts[generation])
            assert not world.nbbo.touched(world.now_ns)


def two(world: World) -> World:
    """Venue 1 at 100 × 5 / 102 × 6, venue 2 at 101 × 7 / 103 × 8 (ticks, units)."""
    world.load(0, [(100 * TICK, 5)], [(102 * TICK, 6)])
    world.load(1, [(101 * TICK, 7)], [(103 * TICK, 8)])
    return world


@pytest.mark.real_data
def test_the_nbbo_names_slots_and_one_venues_size(layouts: dict[Generation, WideLayout]) -> None:
    """Slots follow the venue ids, whatever the order of the sources; at a tie the lower slot, with its own size."""
    world = two(World(Generation.V0_4, [10, 10], ids=[9, 1]))
    world.update()
    snapshot, books = world.check(layouts[Generation.V0_4])
    assert snapshot["venue_ids"][:2] == books["venue_ids"][:2] == [1, 9]
    assert (snapshot["nbbo_bid_venue"], snapshot["nbbo_ask_venue"]) == (0, 1)
    world.load(0, [(101 * TICK, 5)], [(102 * TICK, 6)])
    world.update()
    snapshot, books = world.check(layouts[Generation.V0_4])
    assert (snapshot["nbbo_bid_px_1e9"], snapshot["nbbo_bid_venue"], snapshot["nbbo_bid_sz_1e8"]) == (101 * TICK, 0, 7)
    assert books["merged"]["bids"][0] == {"px_1e9": 101 * TICK, "sz_1e8": 12}
    assert snapshot["sequence"] == 2


@pytest.mark.real_data
def test_venues_that_cross_are_shown_crossed(layouts: dict[Generation, WideLayout]) -> None:
    world = two(World(Generation.V0_4, [10, 10]))
    world.load(1, [(110 * TICK, 7)], [(111 * TICK, 8)])
    world.update()
    snapshot, books = world.check(layouts[Generation.V0_4])
    assert snapshot["nbbo_bid_px_1e9"] == books["merged"]["bids"][0]["px_1e9"] == 110 * TICK
    assert snapshot["nbbo_ask_px_1e9"] == books["merged"]["asks"][0]["px_1e9"] == 102 * TICK


@pytest.mark.real_data
def test_a_stale_venue_keeps_its_slot_and_counts_nowhere(layouts: dict[Generation, WideLayout]) -> None:
    world = two(World(Generation.V0_4, [10, 10]))
    world.update()
    world.now_ns += MAX_AGE_NS
    world.link(0, world.now_ns)
    assert not world.nbbo.touched(world.now_ns)
    world.update()
    assert world.check(layouts[Generation.V0_4])[0]["venue_bid_px"][:2] == [100 * TICK, 101 * TICK]
    world.now_ns += 1  # the second venue has now been silent for longer than allowed
    assert world.nbbo.touched(world.now_ns)
    world.update()
    snapshot, books = world.check(layouts[Generation.V0_4])
    assert snapshot["venue_ct"] == books["book_ct"] == 2
    assert snapshot["venue_update_ms"][:2] == [3_500, 65_535]
    assert books["books"][1]["bid_ct"] == books["books"][1]["ask_ct"] == snapshot["venue_bid_px"][1] == 0
    world.link(0, -1)
    world.update()
    snapshot, _ = world.check(layouts[Generation.V0_4])
    assert snapshot["nbbo_bid_px_1e9"] == snapshot["nbbo_ask_px_1e9"] == snapshot["recv_ns"] == 0


def test_a_link_that_is_down_is_stale_however_early_it_is() -> None:
    """Also while the engine's clock is below the age that is allowed: −1 is no time."""
    world = World(Generation.V0_4, [10, 10])
    world.now_ns = 5
    two(world)
    world.link(0, -1)
    world.update()
    assert world.nbbo.snapshot[64:80] == bytes(8) + (101 * TICK).to_bytes(8, "little")
    world.link(1, -1)
    assert world.nbbo.touched(world.now_ns)


@pytest.mark.real_data
def test_sizes_stop_at_what_a_field_holds(layouts: dict[Generation, WideLayout]) -> None:
    world = World(Generation.V0_4, [10, 10, 10])
    for at in range(3):
        world.load(at, [(100 * TICK, 2**63 - 1)], [(101 * TICK, 2**32 - 1 + at)])
    world.update()
    snapshot, books = world.check(layouts[Generation.V0_4])
    assert snapshot["venue_bid_sz"][:3] == snapshot["venue_ask_sz"][:3] == [2**32 - 1] * 3
    assert snapshot["nbbo_bid_sz_1e8"] == 2**63 - 1
    assert books["merged"]["bids"][0]["sz_1e8"] == 2**64 - 1
    assert books["merged"]["asks"][0]["sz_1e8"] == 3 * 2**32


@pytest.mark.real_data
def test_an_old_book_on_a_live_link_is_old_and_not_stale(layouts: dict[Generation, WideLayout]) -> None:
    world = two(World(Generation.V0_4, [10, 10]))
    world.now_ns += 100 * 10**9
    world.link(0, world.now_ns)
    world.update()
    snapshot, _ = world.check(layouts[Generation.V0_4])
    assert snapshot["venue_update_ms"][:2] == [65_534, 65_535]


def test_only_the_touch_or_trust_touches() -> None:
    """A deep level changes nothing; a size at the best, a loss, a return do. Times alone do not."""
    world = two(World(Generation.V0_4, [10, 10]))
    assert world.nbbo.touched(world.now_ns)
    world.update()
    world.apply(0, [(90 * TICK, 1)], [(200 * TICK, 1)])
    world.now_ns += 1
    assert not world.nbbo.touched(world.now_ns)
    world.apply(0, [(100 * TICK, 6)], [])
    assert world.nbbo.touched(world.now_ns)
    world.update()
    world.lose(0)
    assert world.nbbo.touched(world.now_ns)
    world.update()
    assert not world.nbbo.touched(world.now_ns)
    world.load(0, [], [])  # valid and empty is not the same as invalid
    assert world.nbbo.touched(world.now_ns)


def test_a_change_within_the_same_nanosecond_is_seen() -> None:
    """Recordings hold a clock that steps back, so a book can change while its time stands."""
    world = two(World(Generation.V0_4, [10, 10]))
    world.update()
    world.apply(0, [(99 * TICK, 4)], [], world.now_ns)
    world.update()
    at = world.nbbo.books.index(world.sources[0].book.buffer)
    assert at % BOOK_BYTES == 712 % BOOK_BYTES


def test_the_sequence_wraps_at_32_bits() -> None:
    world = two(World(Generation.V0_4, [10, 10]))
    world.nbbo.sequence = 2**32 - 1
    world.nbbo.update(world.now_ns)
    assert world.nbbo.sequence == 0
    assert world.nbbo.snapshot[36:40] == bytes(4)


def sources(*ids: int) -> list[Source]:
    return [Source(venue_id, L2Book(), Link()) for venue_id in ids]


@pytest.mark.parametrize(
    ("generation", "ids", "symbol_id", "words"),
    [
        (Generation.V0_4, range(1, 22), 0, ["21 venues", "at most 20"]),
        (Generation.V0_3_2_NBBO, range(1, 22), 0, ["21 venues", "at most 20"]),
        (Generation.V0_3_0_NBBO, range(1, 18), 0, ["17 venues", "at most 16"]),
        (Generation.V0_4, [1, 8, 1], 0, ["venue id 1", "twice"]),
        (Generation.V0_4, [0, 1], 0, ["venue id 0", "1 … 255"]),
        (Generation.V0_4, [1, 256], 0, ["venue id 256", "1 … 255"]),
        (Generation.V0_4, [1, 2], 256, ["256", "at most 256 symbols"]),
        (Generation.V0_4, [1, 2], -1, ["-1", "0 … 255"]),
        (Generation.V0_1, [1, 2], 0, ["0.1", "no on_nbbo"]),
        (Generation.V0_3, [1, 2], 0, ["0.3", "no on_nbbo"]),
    ],
)
def test_what_cannot_be_shown_is_refused(
    generation: Generation, ids: list[int], symbol_id: int, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        Nbbo(symbol_id, sources(*ids), generation, MAX_AGE_NS)
    assert all(word in str(caught.value) for word in words)
    assert caught.value.place
    assert caught.value.mend
