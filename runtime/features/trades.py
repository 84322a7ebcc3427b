"""What features know from public trades: sign imbalance, arrival rate, VPIN.

VPIN: Easley, López de Prado and O'Hara (2012), "Flow Toxicity and Liquidity in a High-frequency World". The paper
guesses who took from price changes (bulk classification), for want of better; venues tell us the taker's side, so that
is what counts here. Formulas and the rule for bucket sizes: docs/features.md.
"""

from collections import deque
from typing import Final

from runtime.features.bars import Sliding, Triple, toward_zero

TRADES_S: Final = 60
VPIN_TRADES: Final = 500  # the trades whose volume sizes a bucket
VPIN_BUCKETS: Final = 50


class Vpin:
    """Volume buckets, each a fiftieth of the last 500 trades' volume; VPIN over the last 50 full ones."""

    __slots__ = ("_buckets", "_imbalance", "_net", "_recent", "_room", "_size", "_sizes", "_volume")

    def __init__(self) -> None:
        self._recent: deque[int] = deque()  # signed sizes
        self._volume = 0  # of them
        self._buckets: deque[tuple[int, int]] = deque()  # (|bought − sold|, size) of the full ones
        self._imbalance = self._sizes = 0  # sums over them
        self._size = self._room = self._net = 0  # of the bucket being filled; room 0: none is open

    def add(self, signed_1e8: int) -> None:
        """A trade's size, negative where the taker sold; not 0."""
        recent = self._recent
        recent.append(signed_1e8)
        self._volume += abs(signed_1e8)
        if len(recent) > VPIN_TRADES:
            self._volume -= abs(recent.popleft())
        elif len(recent) < VPIN_TRADES:
            return
        elif not self._size:  # the trades that sized the first bucket are the first to be put in
            for trade in recent:
                self._fill(trade)
            return
        self._fill(signed_1e8)

    def _fill(self, signed: int) -> None:
        rest, sign = abs(signed), 1 if signed > 0 else -1
        while rest:
            if not self._room:  # this trade is in the volume already, so that it opens a hundred buckets at most
                self._size = self._room = max(1, self._volume // VPIN_BUCKETS)
                self._net = 0
            part = min(rest, self._room)
            rest -= part
            self._room -= part
            self._net += sign * part
            if not self._room:
                self._keep(abs(self._net), self._size)

    def _keep(self, imbalance: int, size: int) -> None:
        buckets = self._buckets
        buckets.append((imbalance, size))
        self._imbalance += imbalance
        self._sizes += size
        if len(buckets) > VPIN_BUCKETS:
            imbalance, size = buckets.popleft()
            self._imbalance -= imbalance
            self._sizes -= size

    @property
    def value_1e4(self) -> int | None:
        """0 … 10000; None until 50 buckets are full."""
        return 10_000 * self._imbalance // self._sizes if len(self._buckets) == VPIN_BUCKETS else None


class TradeBars:
    """Trades of the last 60 bars, and the buckets. `bar` is the newest bar, of which more trades may come."""

    __slots__ = ("_count", "_sign", "_volume", "_window", "bar", "first_bar", "vpin")

    def __init__(self) -> None:
        self._count = self._sign = self._volume = 0
        self._window = Sliding[Triple](TRADES_S, (0, 0, 0))
        self.vpin = Vpin()
        self.bar = self.first_bar = -1

    def advance(self, bar: int) -> None:
        """An event of `bar` came, be it a book: windows end with it."""
        if self.first_bar < 0:
            self.bar = self.first_bar = bar
        elif bar > self.bar:
            self._window.close(self.bar, (self._count, self._sign, self._volume), bar)
            self.bar = bar

    def add(self, sz_1e8: int, side: int) -> None:
        """One trade of the bar last advanced to; `side` is the taker's."""
        sign = 1 if side > 0 else -1
        self._count += 1
        self._sign += sign
        self._volume += sz_1e8
        self.vpin.add(sign * sz_1e8)

    @property
    def volume_1e8(self) -> int:
        """Of both sides, within the window."""
        return self._volume - self._window.base[2]

    @property
    def sign_imbalance_1e6(self) -> int:
        """Mean sign, −1e6 … +1e6; 0 without trades."""
        before, sign_before, _ = self._window.base
        count = self._count - before
        return toward_zero((self._sign - sign_before) * 10**6, count) if count else 0

    @property
    def rate_1e3(self) -> int:
        """Trades a second ×1000, over the bars since the first event, at most 60."""
        bars = min(TRADES_S, self.bar - self.first_bar + 1)
        return (self._count - self._window.base[0]) * 1000 // bars
