"""OnlineFeatures against the reference of docs/features.md: any market, every book, every field."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.book import Level
from runtime.features.trades import Vpin
from tests.support.features_reference import Pair, live, vpin

SECOND = 10**9
SIZES = st.one_of(st.integers(0, 3), st.integers(0, 10**10), st.sampled_from([2**63, 2**64 - 1]))
PAUSES = st.one_of(
    st.sampled_from([0, 1, SECOND // 2, SECOND, 10 * SECOND, 60 * SECOND, 300 * SECOND, 1025 * SECOND, 3600 * SECOND]),
    st.integers(0, 3 * SECOND),
    st.just(-SECOND),  # engine time that went back
)
# bids 1 … 30, asks 31 … 60: nothing crosses, and either side may be empty or pushed out of its depth
BIDS = st.lists(st.tuples(st.integers(1, 30), SIZES), max_size=5)
ASKS = st.lists(st.tuples(st.integers(31, 60), SIZES), max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), PAUSES, BIDS, ASKS),
        st.tuples(st.just("fill"), PAUSES, st.lists(SIZES, min_size=30, max_size=30)),
        st.tuples(st.just("trade"), PAUSES, st.sampled_from([1, -1]), st.integers(1, 2**64 - 1)),
        st.tuples(st.just("lost"), PAUSES),
    ),
    max_size=40,
)


def play(pair: Pair, steps: list[Any], scale: int = 1) -> None:
    """Checks after every book. After a loss the next change is a snapshot."""
    now_ns = 10_000 * SECOND

    def levels(side: list[Level]) -> list[Level]:
        return [(px * scale, sz) for px, sz in side]

    for kind, pause_ns, *rest in steps:
        now_ns += pause_ns
        if kind == "trade":
            pair.trade(rest[0], rest[1], now_ns)
        elif kind == "lost":
            pair.lost()
        elif kind == "fill":
            bids = [(30 - i, sz) for i, sz in enumerate(rest[0][:15]) if sz]
            asks = [(31 + i, sz) for i, sz in enumerate(rest[0][15:]) if sz]
            pair.load(levels(bids), levels(asks), now_ns)
        elif pair.book.valid:
            pair.apply(levels(rest[0]), levels(rest[1]), now_ns)
        else:
            bids, asks = ([(px, sz) for px, sz in dict(side).items() if sz] for side in rest)
            pair.load(levels(bids), levels(asks), now_ns)
        pair.check()


@given(steps=STEPS, depth=st.sampled_from([5, 10, 12, 25]), scale=st.sampled_from([1, 10**9, 2**58]))
@settings(max_examples=150, deadline=None)
def test_every_field_at_every_book(steps: list[Any], depth: int, scale: int) -> None:
    play(Pair(depth), steps, scale)


@pytest.mark.parametrize("seed", range(12))
def test_a_lively_market(seed: int) -> None:
    """Minutes to hours of a made market: windows fill, slide and empty."""
    live(Pair(depth=(5, 10, 12, 25)[seed % 4]), seed, 400, longest_ns=(1, 3, 20)[seed % 3] * SECOND, check_every=3)


def test_a_long_market() -> None:
    """Hours, and trades enough for VPIN to be valid and its buckets to change their size."""
    pair = Pair()
    live(pair, 5, 4000, longest_ns=10 * SECOND, check_every=200)
    assert pair.history.now_ns - pair.history.books[0].now_ns > 3600 * SECOND
    shown = pair.shown()
    assert shown["flags"] == 1
    assert 0 < shown["vpin_1e4"] < 10_000
    assert 0 < shown["rv_1m_bps"] < shown["rv_5m_bps"] < shown["rv_1h_bps"]


@given(
    seed=st.randoms(use_true_random=False), count=st.integers(495, 700), top=st.sampled_from([1, 3, 100, 10**9, 10**30])
)
@settings(max_examples=40, deadline=None)
def test_vpin_of_any_trades(seed: Any, count: int, top: int) -> None:
    """The same buckets as volume laid out on a line, tiny volumes and giants included."""
    signed = [seed.choice((1, -1)) * seed.choice((1, seed.randint(1, top), top)) for _ in range(count)]
    buckets = Vpin()
    for each in signed:
        buckets.add(each)
    assert buckets.value_1e4 == vpin(signed)


MIRRORED = ("ofi_1level_1e8", "ofi_5level_1e8", "mlofi_10_1e8", "ofi_ewma_1e6", "trade_sign_imbalance_1e6",
            "depth_imbalance_1e4")  # fmt: skip
SAME = ("trade_arrival_rate_1e3", "vpin_1e4", "flags", "spread_regime", "spread_zscore_1e3", "cancel_rate_1e4",
        "prediction_age_ms", "feature_ts_ns")  # fmt: skip


@given(steps=STEPS)
@example(
    steps=[("fill", 0, [7] * 30), ("book", 1, [(30, 3)], [(31, 9)]), ("trade", 1, 1, 5), ("book", 1, [(2, 1)], [])]
)
@settings(max_examples=100, deadline=None)
def test_a_mirrored_market_gives_the_mirrored_numbers(steps: list[Any]) -> None:
    """Bids for asks, buyers for sellers: signed fields change their sign and nothing else, up to their range's end."""
    one, other = Pair(), Pair()

    def mirror(side: list[Level]) -> list[Level]:
        return [(61 - px, sz) for px, sz in side]

    turned: list[Any] = []
    for kind, pause_ns, *rest in steps:
        if kind == "book":
            turned.append((kind, pause_ns, mirror(rest[1]), mirror(rest[0])))
        elif kind == "fill":
            turned.append((kind, pause_ns, rest[0][15:] + rest[0][:15]))
        elif kind == "trade":
            turned.append((kind, pause_ns, -rest[0], rest[1]))
        else:
            turned.append((kind, pause_ns))
    play(one, steps)
    play(other, turned)
    shown, mirrored = one.shown(), other.shown()
    assert {name: shown[name] for name in SAME} == {name: mirrored[name] for name in SAME}
    for name in MIRRORED:
        assert max(shown[name], 1 - 2**63) == -max(mirrored[name], 1 - 2**63), name
