"""Raydium's pools from seeds, swaps through them, and what some maths says of those swaps.

A case is a pool and swaps that follow one another, each on what the one before left. It is written as the JSON that
tests/solana/tools/raydium_sdk/swaps.cjs reads, with one list of swaps in place of one.
"""

from random import Random
from typing import Any, Final, NamedTuple

from connectors.amm import raydium, raydium_fee, raydium_legs, raydium_orders, tickmath64, ticks64
from connectors.amm.curve import QuoteError
from connectors.amm.swapstep import MILLION

REFUSED: Final = "refused"
U64: Final = (1 << 64) - 1
Q64: Final = 1 << 64
SPACINGS: Final = (1, 1, 2, 10, 60, 120)
FEES: Final = (0, 1, 100, 400, 2500, 10_000, 50_000, 300_000)
PERIODS: Final = ((30, 600), (10, 60), (1, 2), (0, 300))


class Maths(NamedTuple):
    """What is asked: the project's, or a copy's."""

    raydium: Any
    volatility: Any
    ticks: Any
    tick: Any
    table: Any
    course: Any
    resting: Any


OURS: Final = Maths(
    raydium.Raydium, raydium_fee.Volatility, ticks64.Ticks, ticks64.Tick, tickmath64.RAYDIUM,
    raydium_legs.Course, raydium_orders.Resting,
)  # fmt: skip


class Swap(NamedTuple):
    amount: int
    exact_out: bool
    down: bool
    now_s: int = 0


class Entry(NamedTuple):
    """A tick as the program keeps it: of its orders also which cohort is being filled, and how much of it is not."""

    tick: int
    net: int
    gross: int
    orders: int = 0
    part: int = 0
    phase: int = 0
    ratio: int = 0


class Pool(NamedTuple):
    price: int
    tick: int
    liquidity: int
    spacing: int
    fee_ppm: int
    entries: tuple[Entry, ...]
    fee_on: int = 0
    volatility: tuple[int, ...] | None = None

    def curve(self, now_s: int = 0, maths: Maths = OURS) -> Any:
        """The pool as `maths` has it."""
        known = {at.tick: maths.tick(at.net, at.gross, at.orders, at.part) for at in self.entries}
        ticks = maths.ticks(self.spacing, known)
        volatility = maths.volatility(*self.volatility) if self.volatility else None
        return maths.raydium(
            self.price, self.tick, self.liquidity, self.fee_ppm, ticks, self.fee_on, volatility, now_s
        )  # fmt: skip

    def ask(self, swap: Swap) -> dict[str, Any]:
        """One question to the SDK."""
        rows = [[at.tick, *map(str, at[1:])] for at in self.entries]
        return {
            "sqrt": str(self.price), "tick": self.tick, "liquidity": str(self.liquidity), "spacing": self.spacing,
            "fee": self.fee_ppm, "fee_on": self.fee_on, "now": swap.now_s, "ticks": rows,
            "volatility": self.volatility, "amount": str(swap.amount), "exact_out": swap.exact_out, "down": swap.down,
        }  # fmt: skip

    def line(self, swap: Swap) -> str:
        """One question to the crate."""
        numbers: list[int] = [self.price, self.tick, self.liquidity, self.fee_ppm, swap.amount, 0]
        numbers += [not swap.exact_out, swap.down]
        for entry in self.entries:
            numbers += entry.tick, entry.net
        return "swap " + " ".join(str(int(number)) for number in numbers)

    def after(self, said: dict[str, Any]) -> "Pool":
        """The pool that the SDK's answer leaves."""
        changed = {row[0]: tuple(map(int, row[1:])) for row in said["orders"]}
        entries = []
        for entry in self.entries:
            orders, part, phase, ratio = changed.get(entry.tick, entry[3:])
            if entry.gross or orders or part:
                entries.append(entry._replace(orders=orders, part=part, phase=phase, ratio=ratio))
        volatility = (*self.volatility[:5], *said["volatility"]) if self.volatility else None
        return self._replace(
            price=int(said["sqrt"]), tick=said["tick"], liquidity=int(said["liquidity"]), entries=tuple(entries),
            volatility=volatility,
        )  # fmt: skip

    @classmethod
    def of(cls, ask: dict[str, Any]) -> "Pool":
        """The pool of a question."""
        entries = tuple(Entry(row[0], *map(int, row[1:])) for row in ask["ticks"])
        volatility = tuple(ask["volatility"]) if ask["volatility"] else None
        return cls(
            int(ask["sqrt"]), ask["tick"], int(ask["liquidity"]), ask["spacing"], ask["fee"], entries, ask["fee_on"],
            volatility,
        )  # fmt: skip


class Said(NamedTuple):
    """An answer. `entries`: tick → (net, gross, orders, part filled) afterwards; `volatility`: its last four fields."""

    amount_in: int
    amount_out: int
    price: int
    tick: int
    liquidity: int
    entries: dict[int, tuple[int, int, int, int]]
    volatility: tuple[int, ...] | None


def swapped(curve: Any, swap: Swap) -> Any:
    """The project's Quote, or REFUSED."""
    i, j = (0, 1) if swap.down else (1, 0)
    try:
        return (curve.exact_out if swap.exact_out else curve.exact_in)(i, j, swap.amount)
    except QuoteError:
        return REFUSED


def said_of(quote: Any) -> Said:
    """What a Quote says, in the oracle's words."""
    after = quote.after
    entries = {at: (t.net, t.gross, t.orders, t.part_filled) for at, t in after.ticks.entries().items()}
    v = after.volatility
    volatility = (v.index, v.reference, v.accumulator, v.updated_s) if v else None
    return Said(
        quote.amount_in, quote.amount_out, after.sqrt_price_x64, after.tick, after.liquidity, entries, volatility
    )  # fmt: skip


def is_fee_alone(pool: Pool, swap: Swap) -> bool:
    """The swap ends at orders with a rest of its input that is all fee.

    The program takes it. The SDK does not count it, looks for the next tick again, and never ends or leaves the orders
    behind: there it is no oracle.
    """
    i, j = (0, 1) if swap.down else (1, 0)
    try:
        stop = pool.curve(swap.now_s)._walk(i, j, exact_out=swap.exact_out).stop(swap.amount)
    except QuoteError:
        return False
    if swap.exact_out or not stop.rest or not isinstance(stop.leg, raydium_legs.Match):
        return False
    resting = stop.leg.resting
    return resting.on_input and stop.rest == -(-stop.rest * resting.fee_ppm // MILLION)


def said_by_sdk(pool: Pool, said: dict[str, Any]) -> Said:
    """The same of the SDK's answer."""
    left = pool.after(said)
    entries = {at.tick: (at.net, at.gross, at.orders, at.part) for at in left.entries}
    volatility = left.volatility[5:] if left.volatility else None
    return Said(int(said["in"]), int(said["out"]), left.price, left.tick, left.liquidity, entries, volatility)


def _positions(random: Random, spacing: int, tick: int) -> list[tuple[int, int, int]]:
    """(lower, upper, liquidity), mostly around the tick."""
    home, wide = tick // spacing, random.choice((3, 20, 200))
    most = 10 ** random.choice((*range(4, 14), 16, 20, 24))
    last = tickmath64.MAX_TICK // spacing
    found = []
    for _ in range(random.randint(1, 12)):
        lower = max(-last, min(last - 1, home + random.randint(-wide, wide)))
        upper = min(last, lower + 1 + int(wide * random.random() ** 2))
        found.append((lower * spacing, upper * spacing, random.randint(1, most)))
    if random.random() < 0.15:
        found.append((-last * spacing, last * spacing, random.randint(1, most)))
    return found


def _entries(positions: list[tuple[int, int, int]]) -> dict[int, Entry]:
    entries: dict[int, Entry] = {}
    for lower, upper, amount in positions:
        for tick, change in ((lower, amount), (upper, -amount)):
            at = entries.get(tick, Entry(tick, 0, 0))
            entries[tick] = at._replace(net=at.net + change, gross=at.gross + amount)
    return entries


def _price(random: Random, spacing: int, tick: int, entries: dict[int, Entry]) -> tuple[int, int]:
    """(price, tick): anywhere, on a tick's price, or on one that was just crossed downwards."""
    sqrt_at, kind = tickmath64.RAYDIUM.sqrt_at, random.random()
    if kind < 0.15:
        return sqrt_at(tick), tick
    if kind < 0.4:
        tick = random.choice(sorted(entries)[:-1]) if kind < 0.3 else tick // spacing * spacing
        below = tick > -tickmath64.MAX_TICK and random.random() < 0.5
        return sqrt_at(tick), max(tick - below, -tickmath64.MAX_TICK)
    return random.randint(sqrt_at(tick), sqrt_at(tick + 1) - 1), tick


def _volatility(random: Random, spacing: int, group: int) -> tuple[int, ...]:
    filter_s, decay_s = random.choice(PERIODS)
    maximum = random.choice((5_000, 30_000, 123_456, 350_000, 700_000))
    accumulator = random.choice((0, maximum, random.randint(0, maximum)))
    control = random.choice((0, 10, 1000, 30_000, 100_000)) * 60 // spacing
    reference = random.randint(0, accumulator)
    return (
        filter_s, decay_s, random.choice((0, 5000, 9999)), control, maximum,
        group + random.randint(-4, 4), reference, accumulator, 1_700_000_000,
    )  # fmt: skip


def _now(random: Random, volatility: tuple[int, ...] | None) -> int:
    if volatility is None:
        return 0
    at = random.choice(volatility[:2]) + random.choice((-1, 0, 1, 5))
    return volatility[8] + max(0, random.choice((0, at, at, 10_000)))


def _with_orders(random: Random, spacing: int, tick: int, entries: dict[int, Entry]) -> dict[int, Entry]:
    """Orders on some ticks with liquidity, and on some without."""
    places = random.sample(sorted(entries), min(len(entries), random.randint(0, 4)))
    places += [(tick // spacing + random.randint(-12, 12)) * spacing for _ in range(random.randint(0, 4))]
    for place in places:
        if abs(place) > tickmath64.MAX_TICK:
            continue
        most = 10 ** random.choice((*range(1, 13), 15, 17, 18))
        orders, part = random.choice(((1, 0), (1, 1), (0, 1)))
        at = entries.get(place, Entry(place, 0, 0))
        entries[place] = at._replace(
            orders=orders * random.randint(1, most), part=part * random.randint(1, most), phase=random.randint(1, 9),
            ratio=random.randint(1, Q64),
        )  # fmt: skip
    return dict(sorted(entries.items()))


def pool(seed: int, *, modern: bool) -> Pool:
    """A pool; `modern`: with any of the rules of 2026."""
    random = Random(seed)
    spacing = random.choice(SPACINGS)
    reach = random.choice((300, 30_000, 200_000, 440_000))
    tick = random.randint(-reach, reach)
    entries = dict(sorted(_entries(_positions(random, spacing, tick)).items()))
    price, tick = _price(random, spacing, tick, entries)
    liquidity = sum(at.net for at in entries.values() if at.tick <= tick)
    fee_ppm = random.choice(FEES)
    made = Pool(price, tick, liquidity, spacing, fee_ppm, tuple(entries.values()))
    if not modern:
        return made
    volatility = _volatility(random, spacing, tick // spacing) if random.random() < 0.6 else None
    if random.random() < 0.75:
        entries = _with_orders(random, spacing, tick, entries)
    return made._replace(
        fee_on=random.choice((0, 1, 2)), volatility=volatility, entries=tuple(entries.values())
    )  # fmt: skip


def swap(seed: int, pool: Pool) -> Swap:
    """A swap through it: any size, or one that ends exactly, or just before or after, where a leg does."""
    random = Random(seed)
    down, exact_out = random.random() < 0.5, random.random() < 0.4
    now_s = _now(random, pool.volatility)
    sums, matches = [1], list[int]()
    i, j = (0, 1) if down else (1, 0)
    try:
        walk = pool.curve(now_s)._walk(i, j, exact_out=exact_out)
        for _ in range(random.choice((1, 4, 30))):
            walk._grow()
        sums = [amount for amount in (*walk._given[1:], *walk._needs) if amount] or [1]
        places = [at for at, leg in enumerate(walk._legs) if isinstance(leg, raydium_legs.Match)]
        matches = [amount for at in places for amount in (walk._given[at + 1], walk._needs[at] - 1)]
    except QuoteError:
        pass
    most = max(sums)
    kind = random.random()
    if matches and kind < 0.2:
        amount = random.choice(matches)
    elif kind < 0.4:
        amount = random.choice(sums) + random.choice((-1, 0, 0, 1))
    elif kind < 0.8:
        amount = random.randint(1, most + most // 9)
    else:
        amount = int(10 ** (random.random() * 13))
    return Swap(min(max(amount, 1), U64), exact_out, down, now_s)
