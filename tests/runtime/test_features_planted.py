"""Bugs planted on purpose: each must make the engine's features differ from the reference.

What these cannot tell apart, the comparison in test_features_model.py cannot see either.
"""

from collections.abc import Callable
from typing import Any

import pytest

from connectors.book import L2Book
from runtime.features import bars, flow, record, trades
from tests.support.features_reference import Pair, live

pytestmark = pytest.mark.slow

SECOND = 10**9


def floor_division(numerator: int, denominator: int) -> int:
    return numerator // denominator


def same(method: Callable[..., Any], **changes: Any) -> Callable[..., Any]:
    """The method, called with some arguments replaced."""
    return lambda *given, **named: method(*given, **(named | changes))


def negated(method: Callable[..., None]) -> Callable[..., None]:
    """`Side._add` with the sign turned."""
    return lambda side, at, sizes, sign: method(side, at, sizes, -sign)


def nothing(*_: object) -> None:
    """A step that was forgotten."""


def across(self: record.Features, bids: bytearray, asks: bytearray) -> None:
    """`_restart` that compares with the last book before the loss."""
    self._lost = False
    for side, raw in ((self._bids, bids), (self._asks, asks)):
        if not any(side.raw):
            side.restart(raw)
        elif side.raw != raw:
            side.take(raw)
    self._write()


def gone(side: flow.Side, here: slice, old_px: list[int], old_sz: list[int]) -> int:
    """`_off` that counts what was only pushed out of the top ten."""
    left = dict(zip(side.px, side.sz, strict=True))
    return sum(max(0, sz - left.get(px, 0)) for px, sz in zip(old_px[here], old_sz[here], strict=True))


SIDE, BARS, TRADES, FEATURES = flow.Side, bars, trades, record
PLANTED: dict[str, tuple[Any, str, Any]] = {
    "both sides are taken for bids": (SIDE, "__init__", same(SIDE.__init__, is_bid=True)),
    "both sides are taken for asks": (SIDE, "__init__", same(SIDE.__init__, is_bid=False)),
    "shifts have the wrong sign": (SIDE, "_add", negated(SIDE._add)),
    "changed sizes are forgotten": (SIDE, "_resize", nothing),
    "replaced levels are forgotten": (SIDE, "_replace", nothing),
    "what is out of sight counts as gone": (SIDE, "_off", gone),
    "equal weights": (flow, "WEIGHTS", (2520,) * 10),
    "weights not normed": (FEATURES, "WEIGHT_SUM", 2520),
    "OFI over 11 bars": (BARS, "FLOW_S", 11),
    "removals over 61 bars": (BARS, "CANCEL_S", 61),
    "trades over 61 bars": (TRADES, "TRADES_S", 61),
    "spread over 301 bars": (BARS, "SPREAD_S", 301),
    "spread from 31 samples on": (BARS, "SPREAD_MIN", 31),
    "volatility over 61 s": (BARS, "VOLATILITY_S", (61, 300, 3600)),
    "volatility over 301 s": (BARS, "VOLATILITY_S", (60, 301, 3600)),
    "volatility over 3601 s": (BARS, "VOLATILITY_S", (60, 300, 3601)),
    "signed numbers rounded down": (BARS, "toward_zero", floor_division),
    "sign imbalance rounded down": (TRADES, "toward_zero", floor_division),
    "returns across losses": (BARS.VolatilityBars, "cut", nothing),
    "flow across losses": (FEATURES.Features, "_restart", across),
    "buckets of 501 trades": (TRADES, "VPIN_TRADES", 501),
    "51 buckets": (TRADES, "VPIN_BUCKETS", 51),
    "trades left unread": (FEATURES.Features, "_take_trades", nothing),
}  # fmt: skip


def edges() -> None:
    """Everything happens in bars 1000 and 1001; then books exactly where the windows still hold it, and where not."""
    pair = Pair()
    for bar in range(970, 1000):
        pair.load([(100, 10)], [(103 + bar % 2, 20)], bar * SECOND)
    pair.load([(100, 50)], [(103, 20)], 1000 * SECOND)
    pair.trade(1, 7, 1000 * SECOND)
    pair.trade(1, 7, 1001 * SECOND)
    pair.trade(-1, 7, 1001 * SECOND)
    pair.load([(100, 9)], [(109, 25)], 1001 * SECOND)
    for seconds in (1, 2, 8, 9, 10, 11, 58, 59, 60, 61, 62, 270, 271, 298, 299, 300, 301, 302, 3599, 3600, 3601, 3602):
        pair.load([(100, 9)], [(109, 25)], (1001 + seconds) * SECOND)
        pair.check()


def markets() -> None:
    """The windows' edges, a fast market, a slow one, and one of trades enough for VPIN."""
    edges()
    for seed in (1, 2):
        live(Pair(depth=10), seed, 200, longest_ns=SECOND, check_every=2)
    live(Pair(depth=12), 3, 400, longest_ns=20 * SECOND, check_every=3)
    live(Pair(depth=25), 4, 2600, longest_ns=SECOND, check_every=150)


def test_without_a_bug_they_agree() -> None:
    markets()


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PLANTED[name])
    with pytest.raises(AssertionError):
        markets()


def test_a_book_that_moved_unseen_is_seen() -> None:
    """The comparison starts from the whole book, not from the buffer that the features read."""
    pair = Pair()
    pair.load([(100, 10)], [(103, 20)], 0)
    pair.features.on_book(L2Book(), 1)
    with pytest.raises(AssertionError):
        pair.check()
