"""A lively limit-order market in integers: the world behind the simulated venue.

Pure: one seeded generator, no clock, no I/O. Equal seeds and equal calls give equal markets, event for event.

Units. A price is an integer count of 10^-price_precision (BTC/USD with one decimal: 628069 means 62806.9), always a
multiple of ``SimPair.tick``. A quantity is an integer count of lots of 10^-qty_precision. Times are nanoseconds.

How it lives. Every symbol has a hidden fair value that wanders, returns slowly to its start and now and then runs off
in a burst. Quotes lean towards it and takers push the book there, so the visible price follows through additions,
changes, removals and trades rather than by being set. What reaches the top ten levels was tuned to the shape of
recorded Kraken feeds: about 1.5 changed levels a message, about 24 % of them removals.

A market may follow a leader: its fair values keep near the leader's mids, with a small offset that wanders, and its
quotes keep a little distance. So all venues of one simulation quote near each other; books cross now and then.

Orders of somebody outside may rest in a book (``SimBook.guests``). They count in its levels like any others, the
market's own quotes never take them away, its takers trade with them in their place of the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final

import msgspec

from runtime.sim.ladder import Guests, Ladder, LevelChange, OrdType, SimTrade, TakerSide

NS: Final = 1_000_000_000
START_LEVELS: Final = 140
MIN_LEVELS: Final = 120
MAX_LEVELS: Final = 180
TRADES_KEPT: Final = 50
"""What a trade snapshot holds (Kraken docs, websocket-v2/trade)."""

_MILLI: Final = 1000
_REVERSION: Final = 20_000
_BURST_ONE_IN: Final = 400
_PULL: Final = 4
"""A follower's fair value makes up so many parts of its distance to the leader's mid in a step."""
_OFFSET_PPM: Final = 250  # how far a follower's own opinion may be off
_SPREAD_PPM: Final = 80  # how far a follower's quotes keep from its fair value

Leader = Callable[[str], int | None]
"""Symbol → mid ×1e9 somewhere else, None where it is not known."""


def fixed_text(value: int, decimals: int) -> str:
    """``value`` / 10^``decimals`` with exactly that many decimals and no exponent: (50930100, 8) → "0.50930100"."""
    if decimals == 0:
        return str(value)
    unit = 10**decimals
    return f"{value // unit}.{value % unit:0{decimals}d}"


def exponent_text(value: int, decimals: int) -> str:
    """``value`` / 10^``decimals`` as Kraken's instrument channel prints it: shortest form, an exponent below 0.0001.

    (1, 8) → "1e-08", (5000, 8) → "5e-05", (1, 1) → "0.1", (13, 0) → "13.0".
    """
    digits = str(value).rstrip("0") or "0"
    exponent = len(str(value)) - 1 - decimals
    if value and exponent < -4:
        return f"{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e-{-exponent:02d}"
    whole, _, fraction = fixed_text(value, decimals).partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def rfc3339(ts_ns: int) -> str:
    """UTC with microseconds, cut and not rounded: ``2026-08-16T10:04:05.123456Z``."""
    seconds, rest = divmod(ts_ns, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


class SimPair(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable pair and the temper of its market.

    ``tick`` and ``start_price`` count 10^-price_precision; ``qty_min`` and ``typical_qty`` count lots; ``cost_min``
    counts 10^-cost_precision of the quote; ``level_gap`` is the widest gap between neighbouring new levels, in ticks;
    ``round_qty`` is what people take for a round quantity, in lots.

    Raises ValueError when the start price leaves no room for a full book below it, or lies off the tick grid.
    """

    symbol: str
    base: str
    quote: str
    price_precision: int
    qty_precision: int
    start_price: int
    typical_qty: int
    qty_min: int
    level_gap: int
    tick: int = 1
    cost_min: int = 50_000
    cost_precision: int = 5
    base_precision: int = 10
    round_qty: int = 10_000

    def __post_init__(self) -> None:
        floor = 4 * MAX_LEVELS * self.level_gap * self.tick
        if min(self.tick, self.level_gap, self.qty_min, self.typical_qty) < 1:
            message = f"{self.symbol}: tick, level_gap, qty_min and typical_qty must be at least 1"
        elif self.start_price % self.tick:
            message = f"{self.symbol}: start_price {self.start_price} is no multiple of tick {self.tick}"
        elif self.start_price < floor:
            message = f"{self.symbol}: start_price {self.start_price} < {floor}: bids could reach zero; lower level_gap"
        else:
            return
        raise ValueError(message)

    def price_text(self, price: int) -> str:
        """A price as book messages print it: all decimals, trailing zeros kept."""
        return fixed_text(price, self.price_precision)

    def increments(self) -> dict[str, tuple[int, int]]:
        """Steps and minimums as (integer, decimals), under the names of Kraken's instrument channel."""
        return {
            "price_increment": (self.tick, self.price_precision),
            "qty_increment": (1, self.qty_precision),
            "qty_min": (self.qty_min, self.qty_precision),
            "cost_min": (self.cost_min, self.cost_precision),
        }

    def qty_text(self, qty: int) -> str:
        """A quantity as book messages print it: all decimals, trailing zeros kept."""
        return fixed_text(qty, self.qty_precision)


TEMPERS: Final = {
    "BTC": (1, 628_069, 60_000_000, 5_000, 14),
    "ETH": (2, 179_725, 900_000_000, 100_000, 6),
    "SOL": (2, 14_852, 8_000_000_000, 2_000_000, 3),
    "DOGE": (7, 1_723_450, 600_000_000_000, 1_300_000_000, 60),
}
DEFAULT_PAIRS: Final = tuple(
    SimPair(
        symbol=f"{base}/USD", base=base, quote="USD", price_precision=price_precision, qty_precision=8,
        start_price=start_price, typical_qty=typical_qty, qty_min=qty_min, level_gap=level_gap,
    )
    for base, (price_precision, start_price, typical_qty, qty_min, level_gap) in TEMPERS.items()
)  # fmt: skip


class MarketEvent(msgspec.Struct, frozen=True):
    """What one ``Market.step`` did, in order."""

    symbol: str
    ts_ns: int
    changes: tuple[LevelChange, ...]
    trades: tuple[SimTrade, ...]


def seeded(text: str) -> Random:
    """A generator of its own for each text: equal texts, equal numbers, in every process."""
    return Random(text)  # noqa: S311 - it has to repeat


class SimBook:
    """The full book of one symbol and the hidden state behind it; read ``bids``, ``asks``, ``pair``, ``trades``."""

    def __init__(self, pair: SimPair, rng: Random, leader: Leader | None = None) -> None:
        self.pair = pair
        self._leader = leader
        self._offset_ppm = 0
        self._half = 0 if leader is None else pair.start_price * _MILLI * _SPREAD_PPM // 1_000_000
        self.bids = Ladder("bid")
        self.asks = Ladder("ask")
        self.trades: deque[SimTrade] = deque(maxlen=TRADES_KEPT)
        self.guests: Guests | None = None
        self._rng = rng
        self._fair = pair.start_price * _MILLI
        self._burst_left = 0
        self._burst_step = 0
        self._trade_id = rng.randrange(10_000_000, 90_000_000)
        self._changes: list[LevelChange] = []
        for ladder in (self.bids, self.asks):
            price = pair.start_price if ladder is self.bids else pair.start_price + pair.tick
            for _ in range(START_LEVELS):
                ladder.set(price, self._size())
                price = ladder.further(price, self._gap())

    def step(self, now_ns: int) -> MarketEvent:
        """One event: a taker order or a few quote changes, then housekeeping at the far end."""
        self._changes = []
        self._wander()
        if self._half:
            self._pull_stale()
        pull = 2 * self._fair - (self.bids.price(0) + self.asks.price(0)) * _MILLI
        far = abs(pull) > 4 * self.pair.level_gap * self.pair.tick * _MILLI
        trades: tuple[SimTrade, ...] = ()
        if self._rng.randrange(100) < (30 if far else 12):
            trades = tuple(self._take(now_ns, up=pull > 0, far=far))
        else:
            for _ in range(self._rng.choice((1, 1, 1, 1, 1, 1, 1, 2))):
                self._quote()
        self._keep_depth()
        return MarketEvent(self.pair.symbol, now_ns, tuple(self._changes), trades)

    def _wander(self) -> None:
        mid = self._leader(self.pair.symbol) if self._leader is not None else None
        if mid is not None:
            self._follow(mid)
            return
        start = self.pair.start_price
        sigma = max(1, start * _MILLI // 80_000)
        if self._burst_left:
            self._burst_left -= 1
        elif self._rng.randrange(_BURST_ONE_IN) == 0:
            self._burst_left = self._rng.randint(30, 120)
            self._burst_step = self._rng.choice((-sigma, sigma))
        else:
            self._burst_step = 0
        self._fair += self._rng.randint(-2 * sigma, 2 * sigma) + self._burst_step
        self._fair += (start * _MILLI - self._fair) // _REVERSION
        # The floor of SimPair.start_price was chosen for this band: a full book of bids always fits above zero.
        self._fair = min(max(self._fair, start * _MILLI * 3 // 4), start * _MILLI * 5 // 4)

    def _follow(self, mid_1e9: int) -> None:
        """Nearer to the leader's mid, with an opinion of its own."""
        rng, offset = self._rng, self._offset_ppm
        self._offset_ppm = min(max(offset + rng.randint(-8, 8) - offset // 500, -_OFFSET_PPM), _OFFSET_PPM)
        target = mid_1e9 * 10**self.pair.price_precision * (1_000_000 + self._offset_ppm) // 10**12
        self._fair += (target - self._fair) // _PULL

    def _pull_stale(self) -> None:
        """A follower's makers pull every quote that the leader has run through; somebody else's orders stay."""
        for ladder, edge in ((self.bids, self._fair - self._half), (self.asks, self._fair + self._half)):
            while len(ladder) > 1:
                price = ladder.price(0)
                if price * _MILLI <= edge if ladder is self.bids else price * _MILLI >= edge:
                    break
                self._put(ladder, price, 0)
                if price in ladder:
                    break

    def refill(self) -> None:
        """After somebody outside has taken from the book: both sides are as deep again as the market keeps them."""
        self._changes = []
        self._keep_depth()

    def trade(self, side: TakerSide, price: int, qty: int, ord_type: OrdType, ts_ns: int) -> SimTrade:
        """The next trade of this book, kept for snapshots; the levels are the caller's to change."""
        self._trade_id += 1
        made = SimTrade(self.pair.symbol, side, price, qty, ord_type, self._trade_id, ts_ns)
        self.trades.append(made)
        return made

    def _put(self, ladder: Ladder, price: int, qty: int) -> None:
        if self.guests is not None:
            held = self.guests.held(ladder.side, price)
            qty = max(qty, held)
            self.guests.settled(ladder.side, price, qty - held)
        ladder.set(price, qty)
        self._changes.append(LevelChange(ladder.side, price, qty))

    def _gap(self) -> int:
        return self._rng.randint(1, self.pair.level_gap) * self.pair.tick

    def _size(self) -> int:
        base = self.pair.typical_qty >> self._rng.randrange(7)
        qty = self._rng.randint(base // 2, base * 2)
        if self._rng.randrange(4) == 0:
            qty -= (
                qty % self.pair.round_qty
            )  # people like round sizes; they are what shows a client that drops trailing zeros
        if self._rng.randrange(25) == 0:
            qty = self.pair.qty_min + self._rng.randrange(1000)
        return max(qty, self.pair.qty_min)

    def _take(self, now_ns: int, *, up: bool, far: bool) -> list[SimTrade]:
        """A taker order against the touch: a bite of the best level, all of it, or a walk through several."""
        if self._rng.randrange(100) >= (95 if far else 65):
            up = not up
        ladder = self.asks if up else self.bids
        side: TakerSide = "buy" if up else "sell"
        dice = self._rng.randrange(100)
        whole = 0 if dice < 65 else 1 if dice < 85 else self._rng.randint(2, 5)
        bite = dice < 65 or dice >= 92
        ord_type: OrdType = "market" if self._rng.randrange(5) < 3 else "limit"
        fills = ladder.top(whole + 1)
        last_price, last_qty = fills.pop()
        if bite and last_qty > 1:
            fills.append((last_price, max(1, last_qty * self._rng.randint(5, 90) // 100)))
        trades: list[SimTrade] = []
        for price, qty in fills:

            def match(part: int, price: int = price) -> SimTrade:
                trades.append(self.trade(side, price, part, ord_type, now_ns))
                return trades[-1]

            if self.guests is None:
                match(qty)
            else:
                self.guests.take(ladder.side, price, qty, match)
            left = ladder.qty(price) - qty
            ladder.set(price, left)
            self._changes.append(LevelChange(ladder.side, price, left))
        return trades

    def _quote(self) -> None:
        """Add, change or remove one level, mostly near the touch; never through the other side."""
        bid, ask, tick = self.bids.price(0), self.asks.price(0), self.pair.tick
        room = (ask - bid) // tick - 1
        dice = self._rng.randrange(100)
        lag_bid = self._fair - self._half - bid * _MILLI
        lag_ask = ask * _MILLI - self._fair - self._half
        is_near = self._half > 0 and max(lag_bid, lag_ask) < tick * _MILLI
        if room > 0 and dice < (60 if room > self.pair.level_gap else 35) and not is_near:
            ladder, lag = (self.bids, lag_bid) if lag_bid > lag_ask else (self.asks, lag_ask)
            steps = max(1, min(room, lag // (tick * _MILLI)))
            self._put(ladder, ladder.further(ladder.price(0), -tick * self._rng.randint(1, steps)), self._size())
            return
        high, low = self._fair - self._half, self._fair + self._half
        if dice < 60 and (bid * _MILLI > high or ask * _MILLI < low):
            stale = self.bids if bid * _MILLI > high else self.asks
            self._put(stale, stale.price(0), 0)  # makers pull quotes the fair value has run through
            return
        ladder = self.bids if self._rng.randrange(2) else self.asks
        index = self._near_touch()
        action = self._rng.randrange(100)
        if action < 50:
            self._put(ladder, ladder.price(index), self._size())
        elif action < 72:
            self._put(ladder, ladder.price(index), 0)
        else:
            # of a few places the widest hole is filled, or levels would clump and the touch could fall into the gaps
            gaps = [
                (abs(ladder.price(i + 1) - ladder.price(i)) // tick, i) for i in (index, index + 1, self._near_touch())
            ]
            hole, index = max(gaps)
            steps = self._rng.randint(1, max(1, hole - 1))
            self._put(ladder, ladder.further(ladder.price(index), steps * tick), self._size())

    def _near_touch(self) -> int:
        reach = MIN_LEVELS - 20 if self._rng.randrange(10) == 0 else 30
        return min(self._rng.randrange(reach), self._rng.randrange(reach), self._rng.randrange(reach))

    def _keep_depth(self) -> None:
        for ladder in (self.bids, self.asks):
            alone = self.guests.alone(ladder.side) if self.guests is not None else 0
            while len(ladder) - alone < MIN_LEVELS:
                price = ladder.further(self._deepest(ladder), self._gap())
                if price <= 0:
                    break  # somebody took the bids again and again: there is no price left below
                alone -= price in ladder and ladder.qty(price) == self._held(ladder, price)
                self._put(ladder, price, ladder.qty(price) + self._size())
            while len(ladder) - alone > MAX_LEVELS:
                price = self._deepest(ladder)
                self._put(ladder, price, 0)
                alone += price in ladder

    def _held(self, ladder: Ladder, price: int) -> int:
        return self.guests.held(ladder.side, price) if self.guests is not None else 0

    def _deepest(self, ladder: Ladder) -> int:
        """The market's own last level; without any, where the first would have its neighbour."""
        for index in range(1, len(ladder) + 1):
            price = ladder.price(-index)
            if ladder.qty(price) > self._held(ladder, price):
                return price
        tick, other = self.pair.tick, self.bids if ladder is self.asks else self.asks
        fair = self._fair // (_MILLI * tick) * tick
        if not len(other):
            return fair
        return max(fair, other.price(0)) if ladder is self.asks else min(fair, other.price(0))


class Market:
    """Several independent books that take turns.

    Raises ValueError when there is no pair or a symbol occurs twice. Equal ``seed`` and an equal sequence of ``step``
    calls give equal events. ``leader``: whom the prices of ``followers`` follow; all, where none are named.
    """

    def __init__(
        self, pairs: Sequence[SimPair] = DEFAULT_PAIRS, seed: int = 0, *, leader: Leader | None = None,
        followers: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.pairs = tuple(pairs)
        if not self.pairs or len({pair.symbol for pair in self.pairs}) != len(self.pairs):
            raise ValueError("a market needs at least one pair, and each symbol once")
        self.seed = seed
        self._rng = Random(seed)  # noqa: S311 - a market to look at, not a secret; it has to repeat
        led = set(followers or (pair.symbol for pair in self.pairs))
        self._books = {
            pair.symbol: SimBook(pair, self._rng, leader if pair.symbol in led else None) for pair in self.pairs
        }

    def book(self, symbol: str) -> SimBook:
        """The live book of a symbol (not a copy). Raises KeyError for a symbol this market does not have."""
        return self._books[symbol]

    def step(self, now_ns: int) -> MarketEvent:
        """Let one symbol, chosen by the generator, make one event stamped ``now_ns``; returns what happened."""
        return self._books[self._rng.choice(self.pairs).symbol].step(now_ns)
