"""From the pools' states at one block to what the engine is told: ladders, curves, gas, the chain's own book.

All pools of one session symbol share one grid of sizes, made at an exchange's price of it, else at the median of theirs
(no one pool decides for the others), and made anew when that has moved by 1 %: their ladders add up to the chain's book
without being quoted twice, and levels keep their sizes while the price moves. A pool that cannot be shown is lost with
its reason, said once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from connectors.amm.curve import QuoteError
from connectors.amm.ladder import Depth, Pair, from_quotes, grid, levels, measure, mid_1e9
from connectors.amm.route import Source, chain_book
from connectors.book import LEVELS, Level
from connectors.chain import ChainPlan, PoolPlan
from connectors.errors import PoolRefused, Unpublishable
from connectors.events import BookLost, BookSnapshot, Notice
from connectors.onchain.between import depth_of
from connectors.onchain.cost import SwapCost
from connectors.onchain.record import amm_of
from connectors.onchain.states import Moment, Probed, State
from connectors.pool import PoolGas, PoolUpdate
from connectors.session import Output
from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_ONE

MONEY_ONE: Final = 10**MONEY_DECIMALS
DRIFT: Final = 100  # the grid is made anew when the price moved by more than one part in so many
UNPRICED: Final = "gas has no price"


class Grid(msgspec.Struct, frozen=True):
    """The sizes of one symbol: ×1e8 base, cumulative; and the price they were made at."""

    sizes: tuple[int, ...]
    at_1e9: int

    def first_above(self, money_1e9: int, worth_1e9: int) -> int | None:
        """The place of the first size worth so much money, sizes being rounded down; `worth_1e9`: of one quote."""
        least = money_1e9 * MONEY_ONE * SIZE_ONE * 999 // 1000
        return next((k for k, size in enumerate(self.sizes) if size * self.at_1e9 * worth_1e9 >= least), None)


class Shelf:
    """What is shown. `markets`: place in the plan → engine's index; `chain_markets`: session symbol → the same."""

    def __init__(
        self, plan: ChainPlan, markets: Mapping[int, int], chain_markets: Mapping[str, int],
        price_1e9: Callable[[str], int] = lambda _symbol: 0,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._price_1e9 = price_1e9
        self._markets = markets
        self.chain_markets = chain_markets
        self._pairs = [pair_of(pool) for pool in plan.pools]
        self._pools_of: dict[str, list[int]] = {}
        for key in markets:
            self._pools_of.setdefault(plan.pools[key].symbol, []).append(key)
        self.symbols = self._pools_of.keys()
        self.grids: dict[str, Grid] = {}
        self.depths: dict[int, Depth] = {}  # of the pools that are shown
        self._shown: set[int] = set()  # engine's indices with a book
        self._reasons: dict[int, str] = {}  # of the others
        self._refusals: dict[int, str] = {}  # pools that were told not to be shown, by index
        self._gas: dict[int, PoolGas] = {}

    def lose(self, reason: str) -> list[Output]:
        """Nothing is shown any more, for a reason that is every market's now."""
        every = sorted({*self._markets.values(), *self.chain_markets.values()})
        lost = [index for index in every if index in self._shown or self._reasons.get(index) != reason]
        self._reasons.update(dict.fromkeys(lost, reason))
        self._shown.clear()
        self.depths.clear()
        return [BookLost(index, reason) for index in lost]

    def drop(self, index: int, reason: str) -> list[Output]:
        """One book is not shown any more; the reason is told where it is new."""
        if index not in self._shown and self._reasons.get(index) == reason:
            return []
        self._shown.discard(index)
        self._reasons[index] = reason
        return [BookLost(index, reason)]

    def reason(self, index: int) -> str:
        """Why this market is not shown; empty while it is, or nothing was said of it yet."""
        return self._reasons.get(index, "")

    def pools(self, block: Moment, keys: Iterable[int], gas: SwapCost, now_ns: int) -> tuple[list[Output], set[str]]:
        """Ladders and curves of these pools; and the symbols whose own book is due."""
        out: list[Output] = []
        symbols: set[str] = set()
        for key in keys:
            if key not in self._markets:
                continue  # followed for the native coin's price alone
            symbols.add(self._plan.pools[key].symbol)
            try:
                bids, asks, depth = self._ladder(key, block.states)
            except Unpublishable as error:
                out += self._refused(key, str(error))
            except (PoolRefused, QuoteError) as error:
                out += self._refused(key, f"refused: {error}")
            else:
                self.depths[key] = depth
                index = self._markets[key]
                self._shown.add(index)
                self._reasons.pop(index, None)
                out.append(self._update(key, block, gas, now_ns))
                out.append(BookSnapshot(index, bids, asks, None, LEVELS, ""))
        return out, symbols

    def gas_changed(self, block: Moment, gas: SwapCost, now_ns: int) -> tuple[list[Output], set[str]]:
        """What the guests know of gas, where it is not that any more; and the symbols of those pools."""
        keys = [key for key in self.depths if self._gas.get(key) != gas.of_pool(self._plan.pools[key].gas_units)]
        updates: list[Output] = [self._update(key, block, gas, now_ns) for key in keys]
        return updates, {self._plan.pools[key].symbol for key in keys}

    def chain(self, symbol: str, gas: SwapCost, worth_1e9: int) -> tuple[list[Level], list[Level]]:
        """(bids, asks) of all pools of a symbol as one, whose quote is worth so much money. Raises Unpublishable."""
        keys = [key for key in self._pools_of.get(symbol, ()) if key in self.depths]
        if not keys:
            raise Unpublishable(
                "no pool of it can be shown" if symbol in self._pools_of else "this chain has no pool of it"
            )
        sources = []
        for key in keys:
            cost_1e9 = gas.cost_1e9(self._plan.pools[key].gas_units, worth_1e9)
            if cost_1e9 is None:
                other = f"{symbol.partition('/')[2]}/{self._plan.native.partition('/')[2]}"
                missing = gas.missing(self._plan.native)
                raise Unpublishable(UNPRICED, missing or f"{other} has no price: follow it, or a pool of it")
            sources.append(Source(self.depths[key], self._pairs[key].quote_decimals, cost_1e9))
        made = self.grids[symbol]
        split_from = made.first_above(self._plan.split_above_1e9, worth_1e9)
        return chain_book(sources, made.sizes, len(made.sizes) if split_from is None else split_from)

    def chain_shown(self, index: int, bids: list[Level], asks: list[Level]) -> Output:
        self._shown.add(index)
        self._reasons.pop(index, None)
        return BookSnapshot(index, bids, asks, None, LEVELS, "")

    def mid_1e9(self, key: int, state: State) -> int:
        """A pool's marginal price, 0 where it has none."""
        if isinstance(state, str | Probed):
            return 0
        try:
            return mid_1e9(state, self._pairs[key])
        except (Unpublishable, QuoteError):
            return 0

    # --- one pool --------------------------------------------------------------------------------------------------

    def _ladder(self, key: int, states: Mapping[int, State]) -> tuple[list[Level], list[Level], Depth]:
        state, pair = states[key], self._pairs[key]
        if isinstance(state, str):
            raise PoolRefused(state.removeprefix("refused: "))
        sizes = self._grid(key, states).sizes
        if isinstance(state, Probed):
            bids, asks = from_quotes(state.asks, state.bids, pair)
            return bids, asks, depth_of(state, pair, sizes)
        depth = measure(state, pair, sizes)  # the chain's own book is of what is really paid, whatever is shown here
        bids, asks = levels(measure(state.without_fee(), pair, sizes) if self._plan.is_gross else depth, pair)
        return bids, asks, depth

    def _grid(self, key: int, states: Mapping[int, State]) -> Grid:
        """The symbol's grid, made at an exchange's price of it, else at the median of its pools' own."""
        symbol = self._plan.pools[key].symbol
        keys = self._pools_of[symbol]
        known = self.grids.get(symbol)
        prices = sorted(price for one in keys if (price := self._price(one, states[one])))
        price_1e9 = self._price_1e9(symbol) or (prices[len(prices) // 2] if prices else 0)
        if not price_1e9:
            raise Unpublishable("no price")
        if known is not None and abs(price_1e9 - known.at_1e9) * DRIFT <= known.at_1e9:
            return known
        money = sizes_of(self._plan, self._plan.pools[key].tokens[self._plan.pools[key].quote].symbol)
        sizes = grid(money, price_1e9, min(self._pairs[one].base_decimals for one in keys))
        made = self.grids[symbol] = Grid(sizes, price_1e9)
        for one in keys:  # depths of another grid cannot be put together with these
            if one != key and one in self.depths and (again := self._again(one, states[one], made.sizes)):
                self.depths[one] = again
            elif one != key:
                self.depths.pop(one, None)
        return made

    def _again(self, key: int, state: State, sizes: tuple[int, ...]) -> Depth | None:
        if isinstance(state, Probed):
            return depth_of(state, self._pairs[key], sizes)
        if isinstance(state, str):
            return None
        return measure(state, self._pairs[key], sizes)

    def _price(self, key: int, state: State) -> int:
        """A pool's price ×1e9, 0 where it has none: by its maths, or by the smallest size it was asked for."""
        if not isinstance(state, Probed):
            return self.mid_1e9(key, state)
        quote, base = next(iter(state.asks), (0, 0))
        pair = self._pairs[key]
        scaled = quote * 10 ** (PRICE_DECIMALS + pair.base_decimals)
        return int(scaled // (base * 10**pair.quote_decimals)) if base else 0

    def _refused(self, key: int, reason: str) -> list[Output]:
        self.depths.pop(key, None)
        index = self._markets[key]
        out = self.drop(index, reason)
        if self._refusals.get(index) != reason:
            self._refusals[index] = reason
            pool = self._plan.pools[key]
            out.append(Notice("warning", f"pool {pool.address} ({pool.kind}, {pool.symbol}) is not shown: {reason}"))
        return out

    def _update(self, key: int, block: Moment, gas: SwapCost, now_ns: int) -> PoolUpdate:
        costs = self._gas[key] = gas.of_pool(self._plan.pools[key].gas_units)
        amm = amm_of(self._plan.pools[key], block.number_of(key), block.states[key], now_ns)
        return PoolUpdate(self._markets[key], costs, amm)


def sizes_of(plan: ChainPlan, quote: str) -> tuple[int, ...]:
    """The ladder's sizes in money ×1e9 for pools that quote in this token. Raises PoolRefused."""
    sizes = plan.sizes_1e9.get(quote) or plan.sizes_1e9.get("", ())
    if not sizes:
        raise PoolRefused(f"no ladder sizes for the quote {quote}: set sizes_of.{quote}")
    return sizes


def pair_of(pool: PoolPlan) -> Pair:
    return Pair(pool.base, pool.quote, pool.tokens[pool.base].decimals, pool.tokens[pool.quote].decimals)
