"""OnlineFeatures over time: trades, VPIN, spread, volatility, losses, predictions; worked out by hand."""

import re
import runpy
from pathlib import Path

import pytest

from connectors.book import L2Book
from connectors.errors import ConfigError
from connectors.events import Trade
from runtime.features import Features, Prediction, Predictor
from tests.support.data import ROOT
from tests.support.features_reference import FIELDS, fields

SECOND = 10**9


class Desk:
    """Features fed with a book of one level a side."""

    def __init__(self) -> None:
        self.features = Features()

    def book(self, bid: int, ask: int, now_ns: int, *, sz: int = 100) -> dict[str, int]:
        book = L2Book()
        book.load([(bid, sz)] if bid else [], [(ask, sz)] if ask else [], 1)
        self.features.on_book(book, now_ns)
        return fields(self.features.buffer)

    def trade(self, signed: int, now_ns: int, *, snapshot: bool = False) -> None:
        side = 1 if signed > 0 else -1
        self.features.on_trade(Trade(0, 10**9, abs(signed), side, 1, 0, snapshot), now_ns)


# --- trades ----------------------------------------------------------------------------------------------------------


def test_sign_imbalance_counts_trades_and_not_their_size() -> None:
    desk = Desk()
    for signed in (1000, -1, -1, -1):
        desk.trade(signed, 0)
    assert desk.book(1, 2, 1)["trade_sign_imbalance_1e6"] == -500_000
    desk.trade(5, 2)
    desk.trade(5, 2)
    assert desk.book(1, 2, 3)["trade_sign_imbalance_1e6"] == 0
    desk.trade(5, 4)
    assert desk.book(1, 2, 5)["trade_sign_imbalance_1e6"] == 142_857  # a seventh


def test_the_arrival_rate_grows_into_its_window() -> None:
    desk = Desk()
    desk.book(1, 2, 5 * SECOND)
    for now_ns in (5 * SECOND, 6 * SECOND, 6 * SECOND):
        desk.trade(1, now_ns)
    assert desk.book(1, 2, 6 * SECOND)["trade_arrival_rate_1e3"] == 1500  # three in the bars 5 and 6
    assert desk.book(1, 2, 64 * SECOND)["trade_arrival_rate_1e3"] == 50  # in the bars 5 … 64
    assert desk.book(1, 2, 65 * SECOND)["trade_arrival_rate_1e3"] == 33  # bar 5 and its trade are out
    assert desk.book(1, 2, 66 * SECOND)["trade_arrival_rate_1e3"] == 0


def test_a_trade_enters_with_the_next_book() -> None:
    desk = Desk()
    desk.book(1, 2, 0)
    desk.trade(1, 1)
    assert fields(desk.features.buffer)["trade_sign_imbalance_1e6"] == 0
    assert desk.book(1, 2, 2)["trade_sign_imbalance_1e6"] == 1_000_000


def test_repeated_and_empty_trades_do_not_count() -> None:
    desk = Desk()
    desk.trade(5, 0, snapshot=True)
    desk.features.on_trade(Trade(0, 10**9, 0, 1, 1, 0), 0)
    shown = desk.book(1, 2, 1)
    assert (shown["trade_sign_imbalance_1e6"], shown["trade_arrival_rate_1e3"]) == (0, 0)


# --- VPIN ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [([7], 10_000), ([-7], 10_000), ([7, -7], 0), ([7] * 7 + [-7] * 3, 4000)],
)
def test_vpin_is_valid_from_the_500th_trade(pattern: list[int], expected: int) -> None:
    """A bucket is ten average trades: 7 bought against 3 sold is 0.4."""
    desk = Desk()
    for number in range(499):
        desk.trade(pattern[number % len(pattern)], number)
    shown = desk.book(1, 2, 500)
    assert (shown["flags"], shown["vpin_1e4"]) == (0, 0)
    desk.trade(pattern[499 % len(pattern)], 500)
    shown = desk.book(1, 2, 501)
    assert shown["flags"] == 1
    assert shown["vpin_1e4"] == expected


def test_one_giant_fills_as_many_buckets_as_it_sizes() -> None:
    """It fills 49 of its own, and a part of the 50th: one balanced bucket of 1000 is left among the last 50."""
    desk = Desk()
    for number in range(500):
        desk.trade(100 if number & 1 else -100, number)
    desk.trade(10**30, 500)
    assert desk.book(1, 2, 501)["vpin_1e4"] == 9_999


def test_buckets_follow_the_size_of_trades() -> None:
    """Trades grow a hundredfold; 500 of them later a bucket is ten of the new ones, 7 : 3 again."""
    desk = Desk()
    pattern = [1] * 7 + [-1] * 3
    for number in range(500):
        desk.trade(pattern[number % 10] * 10, number)
    for number in range(1500):
        desk.trade(pattern[number % 10] * 1000, number + 500)
    assert desk.book(1, 2, 5000)["vpin_1e4"] == pytest.approx(4000, abs=1000)


# --- spread ----------------------------------------------------------------------------------------------------------


def spreads(*wide: int) -> Desk:
    """One bar for each, its last book having this spread."""
    desk = Desk()
    for bar, spread in enumerate(wide):
        desk.book(10, 1000, bar * SECOND)
        desk.book(1000, 1000 + spread, bar * SECOND + 1)
    return desk


def test_spread_against_a_varied_past() -> None:
    """Samples 1 and 3: mean 2, deviation 1. Tight is below 1.5, wide above 3, crisis above 6."""
    desk = spreads(*[1, 3] * 15)
    expected = {1: (0, -1000), 2: (1, 0), 3: (1, 1000), 4: (2, 2000), 6: (2, 4000), 7: (3, 5000), 90: (3, 32_767)}
    for spread, (regime, z) in expected.items():
        shown = desk.book(1000, 1000 + spread, 30 * SECOND)
        assert (shown["spread_regime"], shown["spread_zscore_1e3"]) == (regime, z), spread


def test_spread_against_a_constant_past() -> None:
    """Two ticks where there was always one are wide, not a crisis, whatever the z-score says."""
    desk = spreads(*[2] * 30)
    expected = {1: (0, -32_767), 2: (1, 0), 3: (1, 32_767), 4: (2, 32_767), 7: (3, 32_767)}
    for spread, (regime, z) in expected.items():
        shown = desk.book(1000, 1000 + spread, 30 * SECOND)
        assert (shown["spread_regime"], shown["spread_zscore_1e3"]) == (regime, z), spread


def test_spread_needs_thirty_samples_of_the_last_300_bars() -> None:
    assert spreads(*[2] * 29).book(1000, 1900, 29 * SECOND)["spread_zscore_1e3"] == 0
    desk = spreads(*[2] * 30)
    assert desk.book(1000, 1900, 300 * SECOND)["spread_regime"] == 3  # bars 0 … 299
    assert desk.book(1000, 1900, 301 * SECOND)["spread_regime"] == 3  # bar 300 came for bar 0
    assert desk.book(1000, 1900, 303 * SECOND)["spread_regime"] == 1  # two came for three: 29 are left


# --- volatility ------------------------------------------------------------------------------------------------------


def test_volatility_is_the_root_of_squared_returns() -> None:
    """30 bps up, 40 bps up: √(900 + 1600) = 50, over every window that holds both."""
    desk = Desk()
    mids = [1_000_000, 1_003_000, 1_007_012]
    for bar, mid in enumerate(mids):
        desk.book(900_000, 1_200_000, bar * SECOND)  # not the bar's last book
        desk.book(mid - 1, mid + 1, bar * SECOND + 1)
    names = ("rv_1m_bps", "rv_5m_bps", "rv_1h_bps")
    mid = mids[-1]
    seen = {}
    for bar in (2, 3, 61, 62, 63, 301, 303, 3603):
        shown = desk.book(mid - 1, mid + 1, bar * SECOND + 2)
        seen[bar] = tuple(shown[name] for name in names)
    assert seen == {
        2: (30, 30, 30), 3: (50, 50, 50), 61: (50, 50, 50), 62: (40, 50, 50), 63: (0, 50, 50),
        301: (0, 50, 50), 303: (0, 0, 50), 3603: (0, 0, 0),
    }  # fmt: skip


def test_volatility_stops_at_the_end_of_its_range() -> None:
    desk = Desk()
    desk.book(1, 2, 0)
    desk.book(10**18, 10**18 + 1, SECOND)
    assert desk.book(1, 2, 2 * SECOND)["rv_1m_bps"] == 2**32 - 1


# --- losses and time -------------------------------------------------------------------------------------------------


def test_nothing_is_taken_across_a_loss() -> None:
    desk = Desk()
    desk.book(100_000, 100_002, 0)
    before = desk.book(100_000, 100_002, 1, sz=130)
    desk.features.on_lost()
    lost = fields(desk.features.buffer)
    assert {name for name in before if before[name] != lost[name]} == {
        "microprice_1e9", "spread_regime", "spread_zscore_1e3",
    }  # fmt: skip
    assert (lost["microprice_1e9"], lost["spread_regime"], lost["spread_zscore_1e3"]) == (0, 3, 32_767)
    shown = desk.book(200_000, 200_002, SECOND, sz=999)
    assert (shown["microprice_1e9"], shown["spread_regime"]) == (200_001, 1)
    assert (shown["ofi_1level_1e8"], shown["cancel_rate_1e4"], shown["rv_1m_bps"]) == (0, 0, 0)
    assert desk.book(200_000, 200_002, 2 * SECOND, sz=999)["rv_1m_bps"] == 0
    assert desk.book(202_000, 202_002, 3 * SECOND, sz=999)["rv_1m_bps"] == 0
    assert desk.book(202_000, 202_002, 4 * SECOND, sz=999)["rv_1m_bps"] == 100


def test_the_return_of_the_bar_before_a_loss_counts() -> None:
    desk = Desk()
    desk.book(100_000, 100_002, 0)
    desk.book(101_000, 101_002, SECOND)
    desk.features.on_lost()
    assert desk.book(50_000, 50_002, 5 * SECOND)["rv_1m_bps"] == 100
    assert desk.book(50_000, 50_002, 6 * SECOND)["rv_1m_bps"] == 100


def test_time_does_not_go_back() -> None:
    desk = Desk()
    desk.book(1, 2, 5 * SECOND)
    assert desk.book(1, 3, 3 * SECOND)["feature_ts_ns"] == 5 * SECOND
    assert desk.book(1, 3, 5 * SECOND + 7)["feature_ts_ns"] == 5 * SECOND + 7


# --- predictions -----------------------------------------------------------------------------------------------------

ANSWER = Prediction(
    pred_dir_up_1e4=1, pred_dir_flat_1e4=2, pred_dir_down_1e4=3, pred_stress_normal_1e4=4,
    pred_stress_widening_1e4=5, pred_stress_crisis_1e4=6, pred_toxic_1e4=7, fill_prob_bid_1e4=8,
    fill_prob_ask_1e4=9, queue_decay_rate_1e4=10_000,
)  # fmt: skip


def test_a_prediction_stands_and_ages() -> None:
    desk = Desk()
    now_ns = 100 * SECOND
    without = desk.book(1, 2, now_ns)
    desk.features.predict(ANSWER, now_ns)
    answer = {name: getattr(ANSWER, name) for name in Prediction.__struct_fields__}
    assert fields(desk.features.buffer) == without | answer | {"prediction_age_ms": 0}
    for age_ns, age_ms in ((999_999, 0), (1_000_000, 1), (65_535 * 10**6 - 1, 65_534)):
        shown = desk.book(1, 2, now_ns + age_ns)
        assert shown["prediction_age_ms"] == age_ms
        assert {name: shown[name] for name in answer} == answer
    shown = desk.book(1, 2, now_ns + 65_535 * 10**6)
    assert shown["prediction_age_ms"] == 65_535
    assert {shown[name] for name in answer} == {0}


def test_a_late_answer_is_as_old_as_what_it_is_about() -> None:
    desk = Desk()
    desk.book(1, 2, 100 * SECOND)
    desk.features.predict(ANSWER, 99 * SECOND)
    assert fields(desk.features.buffer)["prediction_age_ms"] == 1000
    desk.features.predict(ANSWER, 0)
    assert fields(desk.features.buffer)["prediction_age_ms"] == 65_535
    assert fields(desk.features.buffer)["pred_toxic_1e4"] == 0


@pytest.mark.parametrize("value", [-1, 10_001, 0.5, True, "1", None])
@pytest.mark.parametrize("name", Prediction.__struct_fields__)
def test_a_prediction_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value!r}"):
        Prediction(**{name: value})  # type: ignore[arg-type]


def test_the_documented_predictor_works(tmp_path: Path) -> None:
    """The example in docs/features.md, asked as the engine asks: it reads the record and its answer stands there."""
    text = (ROOT / "docs/features.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "lean.py").write_text(example)
    predictor: Predictor = runpy.run_path(str(tmp_path / "lean.py"))["lean"]("kraken:BTC/USD")
    features = Features()
    view = memoryview(features.buffer).toreadonly()
    seen = []
    for now_ns, (bid_sz, ask_sz) in enumerate([(30, 10), (10, 30), (10, 0)]):
        book = L2Book()
        book.load([(1000, bid_sz)], [(1100, ask_sz)] if ask_sz else [], 1)
        features.on_book(book, now_ns)
        prediction = predictor(view, book, now_ns)
        if prediction is not None:
            features.predict(prediction, now_ns)
        seen.append(fields(features.buffer)["pred_dir_up_1e4"])
    assert seen == [7000, 3000, 3000]


def test_every_field_is_documented() -> None:
    text = (ROOT / "docs/features.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in text] == []
