"""OnlineFeatures of the book: each formula of docs/features.md on numbers worked out by hand."""

import hashlib
import os
import subprocess
import sys

import pytest

from connectors.book import L2Book, Level
from connectors.events import Trade
from runtime.features import Features
from tests.support.data import ROOT, abi_table
from tests.support.features_reference import FIELDS, fields

SECOND = 10**9
BIDS = [(100, 10), (99, 20), (98, 30)]
ASKS = [(103, 5), (104, 15), (105, 25)]


def deep(bids: list[Level], asks: list[Level]) -> L2Book:
    book = L2Book()
    book.load(bids, asks, 1)
    return book


def after(*books: tuple[list[Level], list[Level]], step_ns: int = 0) -> dict[str, int]:
    """The record after these (bids, asks), one every `step_ns`."""
    features = Features()
    for number, sides in enumerate(books):
        features.on_book(deep(*sides), number * step_ns)
    return fields(features.buffer)


def changed(side: list[Level], *changes: Level) -> list[Level]:
    return [(px, sz) for px, sz in (dict(side) | dict(changes)).items() if sz]


def test_before_the_first_book_the_record_shows_an_empty_one() -> None:
    assert fields(Features().buffer) == dict.fromkeys(FIELDS, 0) | {
        "version": 1, "prediction_age_ms": 65_535, "spread_regime": 3, "spread_zscore_1e3": 32_767,
    }  # fmt: skip


@pytest.mark.real_data
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("version", ["0.3.2", "0.4.0"])
def test_fields_lie_where_the_crate_reads_them(version: str) -> None:
    record = abi_table()["structs"][version]["OnlineFeatures"]
    letters = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i16": "h", "i64": "q"}
    assert {name: (field["offset"], letters[field["type"]]) for name, field in record["fields"].items()} == FIELDS
    assert record["size"] == len(Features().buffer)


# --- microprice and depth --------------------------------------------------------------------------------------------


def test_microprice_leans_to_where_less_rests() -> None:
    """(100 × 5 + 103 × 10) / 15 = 102: twice as much on the bid, so two thirds of the way up."""
    assert after((BIDS, ASKS))["microprice_1e9"] == 102
    assert after(([(100, 1)], [(103, 3)]))["microprice_1e9"] == 100  # 100.75, rounded down


@pytest.mark.parametrize("sides", [(BIDS, []), ([], ASKS), ([], [])])
def test_a_book_without_a_spread_shows_the_widest(sides: tuple[list[Level], list[Level]]) -> None:
    shown = after(sides)
    assert (shown["microprice_1e9"], shown["spread_regime"], shown["spread_zscore_1e3"]) == (0, 3, 32_767)
    assert shown["depth_imbalance_1e4"] == {10: 10_000, 0: 0}[min(len(sides[0]), 1) * 10] - bool(sides[1]) * 10_000


def test_depth_imbalance_takes_ten_levels_toward_zero() -> None:
    """(60 − 45) / 105 = 0.14285…; the eleventh level does not count."""
    assert after((BIDS, ASKS))["depth_imbalance_1e4"] == 1428
    mirrored = [(203 - px, sz) for px, sz in ASKS], [(203 - px, sz) for px, sz in BIDS]
    assert after(mirrored)["depth_imbalance_1e4"] == -1428
    assert after(([(100 - i, 1) for i in range(11)], [(101, 10)]))["depth_imbalance_1e4"] == 0


# --- order flow ------------------------------------------------------------------------------------------------------

FLOWS = {
    "bid grows": ([(100, 14)], [], 4),
    "bid shrinks": ([(100, 7)], [], -3),
    "a better bid": ([(101, 2)], [], 2),
    "the best bid goes": ([(100, 0)], [], -10),
    "ask grows": ([], [(103, 9)], -4),
    "ask shrinks": ([], [(103, 1)], 4),
    "a better ask": ([], [(102, 6)], -6),
    "the best ask goes": ([], [(103, 0)], 5),
    "both": ([(100, 11)], [(103, 4)], 2),
    "all bids go": ([(100, 0), (99, 0), (98, 0)], [], -10),
    "all asks go": ([], [(103, 0), (104, 0), (105, 0)], 5),
    "below the touch": ([(99, 1)], [(104, 1)], 0),
}


@pytest.mark.parametrize("name", FLOWS)
def test_flow_at_the_touch(name: str) -> None:
    bids, asks, expected = FLOWS[name]
    assert after((BIDS, ASKS), (changed(BIDS, *bids), changed(ASKS, *asks)))["ofi_1level_1e8"] == expected


def test_a_side_that_fills_up_brings_all_of_its_size() -> None:
    assert after((BIDS, []), (BIDS, ASKS))["ofi_1level_1e8"] == -5
    assert after(([], ASKS), (BIDS, ASKS))["ofi_1level_1e8"] == 10


def test_levels_are_summed_to_five_and_weighted_to_ten() -> None:
    """Ten bids of 1000; the best goes: levels 1–9 hold worse prices (−1000 each), level 10 is gone (−1000)."""
    bids = [(100 - i, 1000) for i in range(10)]
    shown = after((bids, ASKS), (bids[1:], ASKS))
    assert (shown["ofi_1level_1e8"], shown["ofi_5level_1e8"], shown["mlofi_10_1e8"]) == (-1000, -5000, -1000)
    # only level 2 grows, by 7381: its weight is 1260 of 7381
    shown = after((bids, ASKS), (changed(bids, (99, 8381)), ASKS))
    assert (shown["ofi_1level_1e8"], shown["ofi_5level_1e8"], shown["mlofi_10_1e8"]) == (0, 7381, 1260)
    # only level 10, an ask this time, by 100: 252 / 7381 × 100 = 3.4
    asks = [(103 + i, 1000) for i in range(10)]
    shown = after((BIDS, asks), (BIDS, changed(asks, (112, 1100))))
    assert (shown["ofi_1level_1e8"], shown["ofi_5level_1e8"], shown["mlofi_10_1e8"]) == (0, 0, -3)


def test_flow_leaves_with_its_bar() -> None:
    """In bar 3, so seen until the end of bar 12."""
    features = Features()
    features.on_book(deep(BIDS, ASKS), 3 * SECOND)
    grown = deep(changed(BIDS, (100, 14)), ASKS)
    features.on_book(grown, 4 * SECOND - 1)
    features.on_book(grown, 13 * SECOND - 1)
    assert fields(features.buffer)["ofi_1level_1e8"] == 4
    features.on_book(grown, 13 * SECOND)
    assert fields(features.buffer)["ofi_1level_1e8"] == 0


def test_the_average_takes_a_sixteenth_of_each_bar() -> None:
    """A flow of 16 base units in a bar: 1 a second after it, 15/16 a bar later, 15²/16² two later."""
    features = Features()
    features.on_book(deep(BIDS, ASKS), 0)
    grown = deep(changed(BIDS, (100, 10 + 16 * 10**8)), ASKS)
    seen = []
    for now_ns in (1, SECOND, 2 * SECOND, 3 * SECOND, 2000 * SECOND):
        features.on_book(grown, now_ns)
        seen.append(fields(features.buffer)["ofi_ewma_1e6"])
    assert seen == [0, 10**6, 937_500, 878_906, 0]


def test_numbers_too_large_stop_at_the_end_of_their_range() -> None:
    most = 2**64 - 1
    bids, asks = [(100 - i, most) for i in range(10)], [(103 + i, most) for i in range(10)]
    shown = after(([], []), (bids, []))
    assert (shown["ofi_1level_1e8"], shown["ofi_5level_1e8"], shown["mlofi_10_1e8"]) == (2**63 - 1,) * 3
    shown = after(([], []), ([], asks), step_ns=2**64)
    assert (shown["ofi_1level_1e8"], shown["ofi_5level_1e8"], shown["mlofi_10_1e8"]) == (-(2**63),) * 3
    assert shown["feature_ts_ns"] == most
    features = Features()
    for number, side in enumerate(([], bids)):
        features.on_book(deep(side, []), number)
    features.on_book(deep(bids, []), SECOND)
    assert fields(features.buffer)["ofi_ewma_1e6"] == most // 16 // 100
    shown = after(([(most - 2, most)], [(most, most)]))
    assert shown["microprice_1e9"] == most - 1


# --- size taken off --------------------------------------------------------------------------------------------------

TEN = [(1000 - 10 * i, 100) for i in range(10)]  # 1000 … 910
FAR = [(2000, 50)]
LEAVES = {
    "shrinks": (changed(TEN, (970, 40)), 60),
    "goes, and one is revealed": (changed(TEN, (970, 0), (900, 7)), 100),
    "goes, and none is behind": (changed(TEN, (970, 0)), 100),
    "grows": (changed(TEN, (970, 140)), 0),
    "is pushed out of sight": (changed(TEN, (1010, 9)), 0),
    "the worst goes, a worse one is revealed": (changed(TEN, (910, 0), (900, 3)), 100),
    "the worst goes, and none is behind": (changed(TEN, (910, 0)), 100),
    "is replaced in its place": (changed(TEN, (970, 0), (971, 5)), 100),
    "is replaced by a worse one in its place": (changed(TEN, (970, 0), (969, 5)), 100),
    "moves to the front": (changed(TEN, (970, 0), (1010, 100)), 100),
    "moves to the back": (changed(TEN, (1000, 0), (915, 100)), 100),
    "one goes, two come": (changed(TEN, (970, 0), (1010, 1), (1020, 1)), 100),
    "nine are replaced, the tenth stays in sight": ([(1001 + i, 1) for i in range(9)] + [(910, 30)], 970),
    "nine are replaced, the tenth is out of sight": ([(1001 + i, 1) for i in range(9)] + [(911, 30)], 900),
    "all go": ([], 1000),
}


@pytest.mark.parametrize("name", LEAVES)
def test_size_that_left(name: str) -> None:
    """Seen through the cancel rate: with x left and nothing traded it is 1; trading x makes it 0."""
    bids, left = LEAVES[name]
    for traded, expected in ((0, 10_000), (left // 4, 7500), (left, 0)):
        features = Features()
        features.on_book(deep(TEN, FAR), 0)
        if traded:
            features.on_trade(Trade(0, 10**9, traded, -1, 1, 0), 1)
        features.on_book(deep(bids, FAR), 2)
        assert abs(fields(features.buffer)["cancel_rate_1e4"] - (expected if left else 0)) <= 100 * (left % 4)
        mirrored = Features()
        for number, side in enumerate((TEN, bids)):
            mirrored.on_book(deep([(1, 50)], [(2001 - px, sz) for px, sz in side]), number)
            if traded and not number:
                mirrored.on_trade(Trade(0, 10**9, traded, 1, 1, 0), 0)
        assert fields(mirrored.buffer)["cancel_rate_1e4"] == fields(features.buffer)["cancel_rate_1e4"]


# --- the same bytes everywhere ---------------------------------------------------------------------------------------


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import hashlib\nfrom tests.support.features_reference import Pair, live\n"
        "pair = Pair()\nlive(pair, 4, 200, check_every=1000)\nprint(hashlib.sha256(pair.features.buffer).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(seen) == 1
    assert len(seen.pop()) == len(hashlib.sha256().hexdigest())
