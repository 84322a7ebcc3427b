"""The legs of a swap through a Raydium pool: liquidity between two prices, and orders that rest on a tick.

Without the rules of 2026 each leg goes from one initialised tick to the next, as in crate solana-clmm-raydium 0.2.0
(MIT or Apache-2.0). With them (`swap_internal` and `compute_swap` of Raydium's program, github.com/raydium-io/
raydium-clmm, Apache-2.0, as of autumn 2026): the fee may be taken from what comes out; where it is volatile a leg ends
at every edge of a group of ticks; and on a tick with orders the swap buys those, and passes it only with none left.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from connectors.amm.curve import QuoteError
from connectors.amm.raydium_fee import Volatility
from connectors.amm.raydium_orders import Resting, left
from connectors.amm.swapstep import MILLION, X64
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, RAYDIUM
from connectors.amm.ticks64 import LIQUIDITY_END, Tick, Ticks
from connectors.amm.walk import U64_MAX, Part

Changes = tuple[tuple[int, Tick | None], ...]
LOWEST: Final = RAYDIUM.min_sqrt + 1  # a swap without a price limit goes no further
HIGHEST: Final = RAYDIUM.max_sqrt - 1


class State(NamedTuple):
    """What a swap changes. `price`: the square root (X64). `changed`: ticks whose orders were bought; None: gone."""

    price: int
    tick: int
    liquidity: int
    volatility: Volatility | None
    changed: Changes


class Stretch:
    """A leg of the same liquidity from `start.price` to the price of `end`. `on_input`: the fee is on what goes in."""

    __slots__ = ("down", "end", "fee_ppm", "needs_in", "needs_out", "on_input", "paid", "start", "taken")

    def __init__(self, start: State, end: State, fee_ppm: int, down: bool, on_input: bool) -> None:
        self.start, self.end, self.fee_ppm, self.down, self.on_input = start, end, fee_ppm, down, on_input
        target = end.price
        if on_input:
            self.taken, self.paid = X64.whole(start.price, target, start.liquidity, fee_ppm, down)
            self.needs_out = self.paid
        else:
            self.taken, gross = X64.whole(start.price, target, start.liquidity, 0, down)
            self.paid = gross - _fee_of(gross, fee_ppm)
            # the pool asks whether amount / (1 − fee), rounded up, is all there is here
            self.needs_out = (gross - 1) * (MILLION - fee_ppm) // MILLION + 1 if gross else 0
        self.needs_in = self.taken

    def part(self, rest: int, exact_out: bool) -> Part:
        """As `Leg.part`."""
        price, liquidity, down = self.start.price, self.start.liquidity, self.down
        charged = self.fee_ppm if self.on_input else 0
        if exact_out:
            gross = rest if self.on_input else -(-rest * MILLION // (MILLION - self.fee_ppm))
            after, other = X64.taken_for(price, liquidity, gross, charged, down)
            # what is above the amount asked for is capped, but only where it fits; a unit of price is worth this much
            if gross + 2 + (liquidity >> 64 if down else (liquidity << 64) // price // price) > U64_MAX:
                gross = X64.amount1(after, price, liquidity) if down else X64.amount0(price, after, liquidity)
        else:
            after, gross = X64.paid_for(price, liquidity, rest, charged, down)
            other = gross if self.on_input else gross - _fee_of(gross, self.fee_ppm)
        if gross > U64_MAX:
            raise QuoteError(f"liquidity {liquidity} would pay {gross}, more than a token account holds")
        return Part(other, after, reached=after == self.end.price)

    def stopped(self, part: Part, rest: int, exact_out: bool) -> State:  # noqa: ARG002 - as `Match` has it
        """The pool after `part`, which ended on the way."""
        start = self.start
        if part.price == start.price:
            return start
        return start._replace(price=part.price, tick=RAYDIUM.tick_at(part.price))


class Match:
    """A leg of no width: what rests on a tick. `start` and `end` have the same price; `tick`, `entry`: whose it is."""

    __slots__ = ("end", "entry", "needs_in", "needs_out", "paid", "resting", "start", "taken", "tick")

    def __init__(self, start: State, end: State, tick: int, entry: Tick, resting: Resting) -> None:
        self.start, self.end, self.tick, self.entry, self.resting = start, end, tick, entry, resting
        self.taken, self.paid = resting.whole()
        self.needs_in, self.needs_out = resting.needs()

    def part(self, rest: int, exact_out: bool) -> Part:
        """As `Leg.part`."""
        other, gross = self.resting.sold(rest) if exact_out else self.resting.bought(rest)
        return Part(other, self.start.price, reached=gross == self.resting.amount)

    def stopped(self, part: Part, rest: int, exact_out: bool) -> State:  # noqa: ARG002 - as `Stretch` has it
        """The pool after `part`, with orders left."""
        gross = (self.resting.sold(rest) if exact_out else self.resting.bought(rest))[1]
        orders, part_filled = left(self.entry.orders, self.entry.part_filled, gross)
        entry = Tick(self.entry.net, self.entry.gross, orders, part_filled)
        return self.start._replace(changed=(*self.start.changed, (self.tick, entry)))


class Course:
    """The way of a swap ahead of a pool, in one direction.

    `fee_ppm`: without the volatile part. `on_input`: the fee is taken from what goes in. `state.volatility` is as the
    swap finds it when it begins.
    """

    __slots__ = ("down", "fee_ppm", "group", "limit", "on_input", "state", "ticks")

    def __init__(self, ticks: Ticks, state: State, fee_ppm: int, down: bool, on_input: bool) -> None:
        self.ticks, self.state, self.fee_ppm, self.down, self.on_input = ticks, state, fee_ppm, down, on_input
        self.limit = LOWEST if down else HIGHEST
        self.group = state.tick // ticks.spacing

    def legs(self) -> Iterator[Stretch | Match]:
        """To the end of all prices.

        Raises QuoteError: no initialised tick is left ahead, a liquidity that cannot be, a fee beyond the program's
        numbers; Beyond.
        """
        while self.state.price != self.limit:
            stop, entry = self.ticks.next(self.state.tick, self.down, MIN_TICK if self.down else MAX_TICK)
            if entry is None:
                raise QuoteError("no liquidity is left on this side of the price")
            goal = RAYDIUM.sqrt_at(stop)
            target = max(goal, self.limit) if self.down else min(goal, self.limit)
            while True:
                fee_ppm, edge, skips = self._begin(target)
                bound = target if edge is None else RAYDIUM.sqrt_at(edge)
                start = self.state
                if bound == goal:
                    yield from self._arrive(stop, entry, fee_ppm, skips)
                else:
                    tick = RAYDIUM.tick_at(bound) if edge is None else edge
                    tick = start.tick if bound == start.price else tick
                    self.state = State(bound, tick, start.liquidity, start.volatility, start.changed)
                    self._count(tick, skips)
                    if bound != start.price:
                        yield Stretch(start, self.state, fee_ppm, self.down, self.on_input)
                if bound == target:
                    break

    def _begin(self, target: int) -> tuple[int, int | None, bool]:
        """A step towards `target`: its fee, the edge of a group that it ends at before, whether it looks for none."""
        state, spacing = self.state, self.ticks.spacing
        if state.volatility is None:
            return self.fee_ppm, None, True
        volatility = state.volatility.moved(self.group)
        self.state = State(state.price, state.tick, state.liquidity, volatility, state.changed)
        fee_ppm = volatility.fee_ppm(self.fee_ppm, spacing)
        if not state.liquidity or volatility.is_at_most:
            return fee_ppm, None, True
        edge = max(min((self.group if self.down else self.group + 1) * spacing, MAX_TICK), MIN_TICK)
        price = RAYDIUM.sqrt_at(edge)
        return fee_ppm, edge if (price > target if self.down else price < target) else None, False

    def _arrive(self, stop: int, entry: Tick, fee_ppm: int, skips: bool) -> Iterator[Stretch | Match]:
        """A step to a tick; what rests there is bought after it, at the same fee, and before the tick is passed."""
        start, goal, down = self.state, RAYDIUM.sqrt_at(stop), self.down
        here = State(goal, stop if down else stop - 1, start.liquidity, start.volatility, start.changed)
        if here.volatility is not None:
            self.state = here
            self._count(stop, skips)
            here = self.state
        resting = entry.orders + entry.part_filled
        liquidity, changed = here.liquidity, here.changed
        if entry.gross:
            liquidity += -entry.net if down else entry.net
            if not 0 <= liquidity < LIQUIDITY_END:
                raise QuoteError(f"crossing tick {stop} would leave a liquidity of {liquidity}")
        if resting:
            changed = (*changed, (stop, Tick(entry.net, entry.gross) if entry.gross else None))
        beyond = State(goal, stop - 1 if down else stop, liquidity, here.volatility, changed)
        self.state = beyond
        if goal != start.price:
            yield Stretch(start, here if resting else beyond, fee_ppm, down, self.on_input)
        if resting:
            yield Match(here, beyond, stop, entry, Resting.at(goal, resting, fee_ppm, down, self.on_input))

    def _count(self, tick: int, skips: bool) -> None:
        """After a step to `tick`: the group that the next one is in, which for a volatile fee is always one further."""
        volatility = self.state.volatility
        if volatility is None:
            return
        if skips:
            spacing = self.ticks.spacing
            self.group = tick // spacing - (not self.down and tick % spacing == 0)
            if not volatility.is_at_most:
                self.state = self.state._replace(volatility=volatility.moved(self.group))
        self.group += -1 if self.down else 1


def _fee_of(gross: int, fee_ppm: int) -> int:
    """The fee within `gross` that comes out."""
    return -(-gross * fee_ppm // MILLION)
