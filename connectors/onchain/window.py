"""What a chain's states are shown as: the pools' books, the chain's own, what swaps cost there.

`shelf.py` makes it; here is when. What a chain must be asked for it, its own venue asks.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import Unpublishable
from connectors.onchain.cost import SwapCost
from connectors.onchain.shelf import UNPRICED, Shelf
from connectors.onchain.states import Moment
from connectors.pool import ChainFee, DexVenue
from connectors.session import Output, SessionPlan
from connectors.units import MONEY_DECIMALS

MONEY_ONE: Final = 10**MONEY_DECIMALS


class Window:
    """`show` a moment's pools; `out` is the session's outputs. `markets`: place in the plan → engine's index."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, out: list[Output], cost: SwapCost) -> None:
        self._plan = chain
        self._price_1e9 = plan.price_1e9
        self._out = out
        self._cost = cost
        by_id = {(bytes(pool.address), pool.pair_index): index for index, pool in plan.pools}
        self.markets = {
            key: by_id[pool.address_bytes, pool.pair_index]
            for key, pool in enumerate(chain.pools)
            if pool.symbol and (pool.address_bytes, pool.pair_index) in by_id
        }
        venue_id = next((pool.venue_id for _, pool in plan.pools), int(DexVenue.DEX_ETH))
        self._chain_id = venue_id - DexVenue.DEX_ETH  # the guest's ChainId
        chain_markets = {symbol: index for index, symbol in plan.symbols}
        self.shelf = Shelf(chain, self.markets, chain_markets, plan.price_1e9)
        self._fee: ChainFee | None = None
        self._unpriced: set[str] = set()  # symbols whose own book waits for what a swap costs
        self._shown: Moment | None = None

    def lose(self, reason: str) -> None:
        """Nothing is shown any more."""
        self._shown = None
        self._out += self.shelf.lose(reason)

    def show(self, moment: Moment, keys: Iterable[int], now_ns: int) -> None:
        """Books, curves and costs of these pools at this moment, then the chain's own book of their symbols."""
        self._shown = moment
        self._cost.native_1e9 = self._priced_at(self._plan.native, moment)
        shown, symbols = self.shelf.pools(moment, keys, self._cost, now_ns)
        self._out += shown
        empty = self.shelf.chain_markets.keys() - self.shelf.symbols
        self._repriced(moment, symbols | empty, now_ns)

    def priced(self, now_ns: int) -> None:
        """What a swap costs has changed, or is known now: what waited for it is shown."""
        if self._shown is not None:
            self._repriced(self._shown, set(), now_ns)

    def _repriced(self, moment: Moment, symbols: set[str], now_ns: int) -> None:
        updates, repriced = self.shelf.gas_changed(moment, self._cost, now_ns)
        self._out += updates
        fee = self._cost.of_chain(self._chain_id, now_ns)
        if fee is not None and (self._fee is None or msgspec.structs.replace(self._fee, last_update_ns=now_ns) != fee):
            self._fee = fee
            self._out.append(fee)
        for symbol in sorted(symbols | repriced | self._unpriced):
            self._chain(symbol, moment, now_ns)

    def _priced_at(self, symbol: str, moment: Moment) -> int:
        """The price of a symbol: another venue's book of it, else the first pool of it here; 0 for neither."""
        price_1e9 = self._price_1e9(symbol)
        for key, pool in enumerate(self._plan.pools):
            is_of_it = pool.symbol == symbol or (not pool.symbol and symbol == self._plan.native)
            if not price_1e9 and is_of_it:
                price_1e9 = self.shelf.mid_1e9(key, moment.states[key])
        return price_1e9

    def worth_1e9(self, symbol: str, moment: Moment) -> int:
        """What one unit of this symbol's quote is worth in the money that costs are priced in; 0: not known."""
        quote, money = symbol.partition("/")[2], self._plan.native.partition("/")[2]
        return MONEY_ONE if quote == money or quote in self._plan.par else self._priced_at(f"{quote}/{money}", moment)

    # --- the chain's own book --------------------------------------------------------------------------------------

    def _chain(self, symbol: str, moment: Moment, now_ns: int) -> None:
        index = self.shelf.chain_markets.get(symbol)
        if index is None:
            return
        self._unpriced.discard(symbol)
        try:
            bids, asks = self.shelf.chain(symbol, self._cost, self.worth_1e9(symbol, moment))
        except Unpublishable as error:
            if error.reason == UNPRICED:
                self._unpriced.add(symbol)
            self._out += self.shelf.drop(index, str(error))
            return
        if self.is_believed(symbol, moment, now_ns):
            self._out.append(self.shelf.chain_shown(index, bids, asks))

    def is_believed(self, symbol: str, moment: Moment, now_ns: int) -> bool:
        """Whether the chain's own book of a symbol, just made, may be shown."""
        del self, symbol, moment, now_ns
        return True
