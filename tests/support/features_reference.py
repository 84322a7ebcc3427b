"""OnlineFeatures a second time: from docs/features.md, over the whole history for every answer, in fractions.

Slow on purpose, and with none of the engine's running totals: what it says at a book is computed from the list of all
books, losses and trades up to it. `Pair` feeds it and the engine's own `Features` with the same market.
"""

import struct
from fractions import Fraction
from itertools import pairwise
from math import floor, isqrt, trunc
from random import Random
from typing import NamedTuple

from connectors.book import L2Book, Level
from connectors.events import Trade
from runtime.features import Features

# name → (offset, struct letter), as the crate's compiler printed them
FIELDS = {
    "version": (0, "H"), "flags": (2, "H"), "microprice_1e9": (8, "Q"), "ofi_1level_1e8": (16, "q"),
    "ofi_5level_1e8": (24, "q"), "mlofi_10_1e8": (32, "q"), "ofi_ewma_1e6": (40, "q"),
    "trade_sign_imbalance_1e6": (48, "q"), "trade_arrival_rate_1e3": (56, "I"), "vpin_1e4": (60, "H"),
    "spread_regime": (64, "B"), "spread_zscore_1e3": (66, "h"), "cancel_rate_1e4": (68, "H"),
    "depth_imbalance_1e4": (70, "h"), "rv_1m_bps": (72, "I"), "rv_5m_bps": (76, "I"), "rv_1h_bps": (80, "I"),
    "pred_dir_up_1e4": (88, "H"), "pred_dir_flat_1e4": (90, "H"), "pred_dir_down_1e4": (92, "H"),
    "pred_stress_normal_1e4": (94, "H"), "pred_stress_widening_1e4": (96, "H"), "pred_stress_crisis_1e4": (98, "H"),
    "pred_toxic_1e4": (100, "H"), "prediction_age_ms": (102, "H"), "fill_prob_bid_1e4": (104, "H"),
    "fill_prob_ask_1e4": (106, "H"), "queue_decay_rate_1e4": (108, "H"), "feature_ts_ns": (112, "Q"),
}  # fmt: skip


def fields(record: bytes | bytearray) -> dict[str, int]:
    """The record by name; whatever lies between the fields must be zero."""
    assert len(record) == 256
    rest = bytearray(record)
    named = {}
    for name, (at, letter) in FIELDS.items():
        (named[name],) = struct.unpack_from(f"<{letter}", record, at)
        rest[at : at + struct.calcsize(letter)] = bytes(struct.calcsize(letter))
    assert not any(rest), "padding"
    return named


class Book(NamedTuple):
    """A valid book. `number` and `trades` count the losses and trades before it; sides are cut to their ten best."""

    now_ns: int
    number: int
    trades: int
    bids: list[Level]
    asks: list[Level]

    @property
    def bar(self) -> int:
        return self.now_ns // 10**9

    @property
    def touch(self) -> tuple[int, int] | None:
        return (self.bids[0][0], self.asks[0][0]) if self.bids and self.asks else None


class Traded(NamedTuple):
    bar: int
    sign: int
    size: int


def within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


class History:
    """All that happened. `record()` gives the fields at the last book; the model's are none's."""

    def __init__(self) -> None:
        self.books: list[Book] = []
        self.trades: list[Traded] = []
        self.losses = 0
        self.now_ns = 0
        self.start_bar: int | None = None

    def _time(self, now_ns: int) -> int:
        self.now_ns = max(self.now_ns, now_ns)
        if self.start_bar is None:
            self.start_bar = self.now_ns // 10**9
        return self.now_ns

    def book(self, bids: list[Level], asks: list[Level], now_ns: int) -> None:
        now_ns = self._time(now_ns)
        best = sorted(bids, reverse=True)[:10], sorted(asks)[:10]
        self.books.append(Book(now_ns, self.losses, len(self.trades), *best))

    def trade(self, sign: int, size: int, now_ns: int) -> None:
        self.trades.append(Traded(self._time(now_ns) // 10**9, sign, size))

    def lost(self) -> None:
        self.losses += 1

    def record(self) -> dict[str, int]:
        """Every field, by name."""
        named = dict.fromkeys(FIELDS, 0) | {"version": 1, "prediction_age_ms": 65_535}
        if not self.books:
            return named | {"spread_regime": 3, "spread_zscore_1e3": 32_767}
        named |= self._flow() | self._traded() | self._vpin() | self._spread() | self._volatility()
        named |= self._now() | {"feature_ts_ns": within(self.books[-1].now_ns, 0, 2**64 - 1)}
        if self.losses > self.books[-1].number:
            named |= {"microprice_1e9": 0, "depth_imbalance_1e4": 0, "spread_regime": 3, "spread_zscore_1e3": 32_767}
        return named

    # --- the book as it is -----------------------------------------------------------------------------------------

    def _now(self) -> dict[str, int]:
        book = self.books[-1]
        micro = Fraction(0)
        if book.touch:
            (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
            weight = Fraction(bid_size, bid_size + ask_size)
            micro = weight * ask + (1 - weight) * bid
        bids, asks = sum(size for _, size in book.bids), sum(size for _, size in book.asks)
        imbalance = Fraction(bids - asks, bids + asks) if bids + asks else Fraction(0)
        return {"microprice_1e9": floor(micro), "depth_imbalance_1e4": trunc(10**4 * imbalance)}

    # --- order flow ------------------------------------------------------------------------------------------------

    def _pairs(self) -> list[tuple[Book, Book]]:
        return [(old, new) for old, new in pairwise(self.books) if old.number == new.number]

    def _flow(self) -> dict[str, int]:
        bar = self.books[-1].bar
        ofi = [0] * 11
        taken = 0
        first_level: dict[int, int] = {}
        for old, new in self._pairs():
            events = [level_flow(old, new, level) for level in range(1, 11)]
            first_level[new.bar] = first_level.get(new.bar, 0) + events[0]
            if new.bar > bar - 10:
                for level, event in enumerate(events, 1):
                    ofi[level] += event
            if new.bar > bar - 60:
                taken += size_taken(old.bids, new.bids, 1) + size_taken(old.asks, new.asks, -1)
        weights = [Fraction(1, level) for level in range(1, 11)]
        folded = sum(weight * flow for weight, flow in zip(weights, ofi[1:], strict=True)) / sum(weights)
        traded = sum(trade.size for trade in self._trades_of(60))
        share = Fraction(max(0, taken - traded), taken) if taken else Fraction(0)
        low, high = -(2**63), 2**63 - 1
        return {
            "ofi_1level_1e8": within(ofi[1], low, high),
            "ofi_5level_1e8": within(sum(ofi[1:6]), low, high),
            "mlofi_10_1e8": within(trunc(folded), low, high),
            "ofi_ewma_1e6": within(self._ewma(first_level), low, high),
            "cancel_rate_1e4": floor(10**4 * share),
        }

    def _ewma(self, flow: dict[int, int]) -> int:
        bars = sorted({book.bar for book in self.books})
        average = 0
        for bar, following in pairwise(bars):
            average = trunc(Fraction(15 * average + 2**16 * flow.get(bar, 0), 16))
            empty = following - bar - 1
            average = trunc(average * Fraction(15, 16) ** empty) if empty < 1024 else 0
        return trunc(Fraction(average, 100 * 2**16))

    # --- trades ----------------------------------------------------------------------------------------------------

    def _trades_of(self, bars: int) -> list[Traded]:
        book = self.books[-1]
        return [trade for trade in self.trades[: book.trades] if trade.bar > book.bar - bars]

    def _traded(self) -> dict[str, int]:
        assert self.start_bar is not None
        trades = self._trades_of(60)
        seconds = min(60, self.books[-1].bar - self.start_bar + 1)
        mean = Fraction(sum(trade.sign for trade in trades), len(trades)) if trades else Fraction(0)
        return {
            "trade_sign_imbalance_1e6": trunc(10**6 * mean),
            "trade_arrival_rate_1e3": within(floor(Fraction(1000 * len(trades), seconds)), 0, 2**32 - 1),
        }

    def _vpin(self) -> dict[str, int]:
        value = vpin([trade.sign * trade.size for trade in self.trades[: self.books[-1].trades]])
        return {"flags": 0, "vpin_1e4": 0} if value is None else {"flags": 1, "vpin_1e4": value}

    # --- bars ------------------------------------------------------------------------------------------------------

    def _samples(self, bars: int) -> list[tuple[int, Book]]:
        """(bar, its last book) of the last closed bars, where that book was two-sided."""
        newest = self.books[-1].bar
        last = {book.bar: book for book in self.books}
        return [(bar, book) for bar, book in sorted(last.items()) if newest - bars <= bar < newest and book.touch]

    def _spread(self) -> dict[str, int]:
        touch = self.books[-1].touch
        if not touch:
            return {"spread_regime": 3, "spread_zscore_1e3": 32_767}
        spread = touch[1] - touch[0]
        sample = [book.touch[1] - book.touch[0] for _, book in self._samples(300) if book.touch]
        if len(sample) < 30:
            return {"spread_regime": 1, "spread_zscore_1e3": 0}
        mean = Fraction(sum(sample), len(sample))
        variance = sum((each - mean) ** 2 for each in sample) / len(sample)
        if spread > 3 * mean:
            regime = 3
        elif spread > mean * 3 / 2:
            regime = 2
        else:
            regime = 0 if spread < mean * 3 / 4 else 1
        if spread == mean:
            return {"spread_regime": regime, "spread_zscore_1e3": 0}
        size = isqrt(floor(10**6 * (spread - mean) ** 2 / variance)) if variance else 32_767
        return {"spread_regime": regime, "spread_zscore_1e3": (1 if spread > mean else -1) * min(size, 32_767)}

    def _volatility(self) -> dict[str, int]:
        newest = self.books[-1].bar
        named = {}
        for name, bars in (("rv_1m_bps", 60), ("rv_5m_bps", 300), ("rv_1h_bps", 3600)):
            total = Fraction(0)
            for (_, old), (bar, new) in pairwise(self._samples(newest + 1)):
                assert old.touch and new.touch
                if bar >= newest - bars and old.number == new.number:
                    before, after = sum(old.touch), sum(new.touch)
                    total += Fraction(trunc(Fraction(10**12 * (after - before), before)), 10**12) ** 2
            # half up: the largest n with n − ½ ≤ the root
            named[name] = within((isqrt(floor(4 * 10**8 * total)) + 1) // 2, 0, 2**32 - 1)
        return named


def level_flow(old: Book, new: Book, level: int) -> int:
    """e_m, word for word; what is not there ranks behind every price."""

    def at(side: list[Level], sign: int) -> tuple[tuple[int, int], int]:
        if len(side) < level:
            return (0, 0), 0
        price, size = side[level - 1]
        return (1, sign * price), size

    (bid, bid_size), (bid_after, bid_size_after) = at(old.bids, 1), at(new.bids, 1)
    (ask, ask_size), (ask_after, ask_size_after) = at(old.asks, -1), at(new.asks, -1)
    return (
        (bid_after >= bid) * bid_size_after
        - (bid_after <= bid) * bid_size
        - (ask_after >= ask) * ask_size_after  # a better ask is a lower one: its rank is the greater
        + (ask_after <= ask) * ask_size
    )


def size_taken(old: list[Level], new: list[Level], sign: int) -> int:
    """R of one side and one pair of books."""
    sizes = dict(new)
    total = 0
    for price, size in old:
        in_sight = len(new) < len(old) or sign * price >= min(sign * shown for shown, _ in new)
        if in_sight:
            total += max(0, size - sizes.get(price, 0))
    return total


def vpin(signed: list[int]) -> int | None:
    """VPIN ×1e4, None where it is not valid. Trades are laid out on a line of volume, buckets along the same line."""
    if len(signed) < 500:
        return None
    ends, end = [], 0
    for each in signed:
        end += abs(each)
        ends.append(end)
    buckets = []
    begin = trade = 0
    while begin < end:
        while ends[trade] <= begin:
            trade += 1
        last = max(trade, 499)
        size = max(1, sum(abs(each) for each in signed[last - 499 : last + 1]) // 50)
        if begin + size > end:
            break
        net, at = 0, trade
        while at < len(signed) and ends[at] - abs(signed[at]) < begin + size:
            overlap = min(ends[at], begin + size) - max(ends[at] - abs(signed[at]), begin)
            net += overlap if signed[at] > 0 else -overlap
            at += 1
        buckets.append((abs(net), size))
        begin += size
    assert len(buckets) >= 50
    return floor(Fraction(10**4 * sum(net for net, _ in buckets[-50:]), sum(size for _, size in buckets[-50:])))


class Pair:
    """The engine's features and the reference on one market; `check` compares every field.

    `load` and `apply` change the book as a session would (a crossed change is not made: the book would be lost).
    """

    def __init__(self, depth: int = 25) -> None:
        self.features = Features()
        self.history = History()
        self.book = L2Book(depth=depth)

    def load(self, bids: list[Level], asks: list[Level], now_ns: int) -> None:
        self.book.load(bids, asks, now_ns)
        self._booked(now_ns)

    def apply(self, bids: list[Level], asks: list[Level], now_ns: int) -> None:
        self.book.apply(bids, asks, now_ns)
        self._booked(now_ns)

    def _booked(self, now_ns: int) -> None:
        self.features.on_book(self.book, now_ns)
        self.history.book(self.book.bids, self.book.asks, now_ns)

    def trade(self, side: int, sz_1e8: int, now_ns: int) -> None:
        self.features.on_trade(Trade(0, 10**9, sz_1e8, side, 0, 0), now_ns)
        self.history.trade(side, sz_1e8, now_ns)

    def lost(self) -> None:
        self.book.invalidate("test")
        self.features.on_lost()
        self.history.lost()

    def shown(self) -> dict[str, int]:
        return fields(self.features.buffer)

    def check(self) -> None:
        assert self.shown() == self.history.record()


def live(pair: Pair, seed: int, steps: int, *, longest_ns: int = 2 * 10**9, check_every: int = 1) -> None:
    """A made market of `steps` events on a ladder of 40 prices: levels, trades, losses, one-sided and empty books."""
    random = Random(seed)
    now_ns = random.choice((0, 201_603_688_723_400, 1_785_644_622_178_672_600))
    middle, tick = 1_000, 10 ** random.randrange(10)
    for step in range(steps):
        now_ns += random.choice((0, random.randrange(10**6), random.randrange(longest_ns)))
        chance = random.random()
        if chance < 0.25:
            pair.trade(random.choice((1, -1)), random.randrange(1, 10 ** random.randrange(1, 12)), now_ns)
            continue
        if chance < 0.27:
            pair.lost()
            continue
        middle += random.choice((-1, 0, 0, 1))
        kept = pair.book.valid and chance < 0.97
        depths = (random.randrange(1, 4), random.randrange(1, 4)) if kept else (random.choice((0, 3, 12)), 14)
        change = [
            [((middle + sign * random.randrange(1, 15)) * tick, random.choice((0, random.randrange(1, 10**10))))
             for _ in range(depth)]
            for sign, depth in zip((-1, 1), depths, strict=True)
        ]  # fmt: skip
        if kept:  # whatever the other side had beyond the middle goes, so that nothing crosses
            change[0] += [(px, 0) for px, _ in pair.book.bids if px >= middle * tick]
            change[1] += [(px, 0) for px, _ in pair.book.asks if px <= middle * tick]
            pair.apply(change[0], change[1], now_ns)
        else:
            bids, asks = ([(px, sz or 1) for px, sz in dict(side).items()] for side in change)
            pair.load(bids, asks, now_ns)
        if step % check_every == 0:
            pair.check()
    pair.check()
