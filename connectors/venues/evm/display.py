"""What a block's states are shown as: the pools' books, the chain's own, gas; and whether that may be believed.

`publish.py` makes it; here is when, and what is asked of the chain for it: gas every ten seconds, a requote of one in
so many emissions of the chain's book.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import Unpublishable
from connectors.events import Notice
from connectors.pool import ChainFee, DexVenue
from connectors.session import Output, SessionPlan
from connectors.units import MONEY_DECIMALS
from connectors.venues.evm.abi import quantity
from connectors.venues.evm.audit import PPM_A_BP, Check, requoting
from connectors.venues.evm.batch import Batch
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.endpoint import SECOND, Endpoint
from connectors.venues.evm.gas import Gas
from connectors.venues.evm.publish import UNPRICED, Shelf
from connectors.venues.evm.rpc import text_of

GAS_NS: Final = 10 * SECOND
MONEY_ONE: Final = 10**MONEY_DECIMALS


class Display:
    """`show` a block's pools; `out` is the session's list of outputs. `checks`: by symbol, of the chain's own book."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, out: list[Output]) -> None:
        self._plan = chain
        self._price_1e9 = plan.price_1e9
        self._out = out
        by_id = {(bytes(pool.address), pool.pair_index): (index, pool) for index, pool in plan.pools}
        markets = {}
        for key, pool in enumerate(chain.pools):
            found = by_id.get((bytes.fromhex(pool.address[2:]).ljust(32, b"\0"), pool.pair_index))
            if found is not None and pool.symbol:
                markets[key] = found[0]
        venue_id = next((pool.venue_id for _, pool in plan.pools), int(DexVenue.DEX_ETH))
        self._chain_id = venue_id - DexVenue.DEX_ETH  # the guest's ChainId
        self.markets = markets
        chain_markets = {symbol: index for index, symbol in plan.symbols}
        self.shelf = Shelf(chain, markets, chain_markets, plan.price_1e9)
        self.gas = Gas(chain.gas)
        self.checks: dict[str, Check] = {}
        self._fee: ChainFee | None = None
        self._gas_ns = 0
        self._unpriced: set[str] = set()  # symbols whose own book waits for what gas costs
        self._shown: tuple[Block, Endpoint] | None = None

    def restart(self) -> None:
        """Another endpoint is followed: what is asked now and then is asked of it at once."""
        self._gas_ns = 0

    def lose(self, reason: str) -> None:
        """Nothing is shown any more."""
        self._shown = None
        self._out += self.shelf.lose(reason)

    def show(self, block: Block, keys: Iterable[int], endpoint: Endpoint, now_ns: int) -> None:
        """Books, curves and gas of these pools at this block, then the chain's own book of their symbols."""
        self._shown = block, endpoint
        self.gas.saw(block.head)
        self.gas.native_1e9 = self._priced_at(self._plan.native, block)
        self.ask_gas(block, endpoint, now_ns)
        shown, symbols = self.shelf.pools(block, keys, self.gas, now_ns)
        self._out += shown
        updates, repriced = self.shelf.gas_changed(block, self.gas, now_ns)
        self._out += updates
        self._tell_fee(now_ns)
        empty = self.shelf.chain_markets.keys() - self.shelf.symbols
        for symbol in sorted(symbols | repriced | self._unpriced | empty):
            self._chain(symbol, block, endpoint, now_ns)

    def _tell_fee(self, now_ns: int) -> None:
        fee = self.gas.of_chain(self._chain_id, now_ns)
        if fee is not None and (self._fee is None or msgspec.structs.replace(self._fee, last_update_ns=now_ns) != fee):
            self._fee = fee
            self._out.append(fee)

    def ask_gas(self, block: Block, endpoint: Endpoint, now_ns: int) -> None:
        """Every ten seconds."""
        if now_ns < self._gas_ns:
            return
        self._gas_ns = now_ns + GAS_NS

        def tipped(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if result is not None:
                self.gas.tipped(quantity(text_of(result)))
                self._priced(now_ns)
            else:
                self._out.append(Notice("warning", f"the price of gas is not known: {why_not}"))

        def below(results: dict[int, int | str], why_not: str, now_ns: int) -> None:
            found = results.get(0)
            if isinstance(found, int):
                self.gas.below(found)
                self._priced(now_ns)
            else:
                self._out.append(Notice("warning", f"the L1 part of gas is not known: {why_not or found}"))

        if self.gas.wants_tip:
            endpoint.ask("eth_maxPriorityFeePerGas", [], tipped, now_ns)
        Batch(endpoint, self._plan.multicall, block.head.hash, {0: self.gas.reading()}, below).start(now_ns)

    def _priced(self, now_ns: int) -> None:
        """Gas has a price now: what waited for it is shown."""
        if self._shown is None:
            return
        block, endpoint = self._shown
        updates, repriced = self.shelf.gas_changed(block, self.gas, now_ns)
        self._out += updates
        self._tell_fee(now_ns)
        for symbol in sorted(repriced | self._unpriced):
            self._chain(symbol, block, endpoint, now_ns)

    def _priced_at(self, symbol: str, block: Block) -> int:
        """The price of a symbol: another venue's book of it, else the first pool of it here; 0 for neither."""
        price_1e9 = self._price_1e9(symbol)
        for key, pool in enumerate(self._plan.pools):
            is_of_it = pool.symbol == symbol or (not pool.symbol and symbol == self._plan.native)
            if not price_1e9 and is_of_it:
                price_1e9 = self.shelf.mid_1e9(key, block.states[key])
        return price_1e9

    def _worth_1e9(self, symbol: str, block: Block) -> int:
        """What one unit of this symbol's quote is worth in the money that gas is priced in; 0: not known."""
        quote, money = symbol.partition("/")[2], self._plan.native.partition("/")[2]
        return MONEY_ONE if quote == money or quote in self._plan.par else self._priced_at(f"{quote}/{money}", block)

    # --- the chain's own book --------------------------------------------------------------------------------------

    def _chain(self, symbol: str, block: Block, endpoint: Endpoint, now_ns: int) -> None:
        index = self.shelf.chain_markets.get(symbol)
        if index is None:
            return
        check = self.checks.setdefault(symbol, Check())
        self._unpriced.discard(symbol)
        try:
            bids, asks = self.shelf.chain(symbol, self.gas, self._worth_1e9(symbol, block))
        except Unpublishable as error:
            if error.reason == UNPRICED:
                self._unpriced.add(symbol)
            self._out += self.shelf.drop(index, str(error))
            return
        check.emissions += 1
        if check.suppressed or check.emissions % self._plan.check_every == 0:
            self._requote(symbol, check, block, endpoint, now_ns)
        if not check.suppressed:
            self._out.append(self.shelf.chain_shown(index, bids, asks))

    def _requote(self, symbol: str, check: Check, block: Block, endpoint: Endpoint, now_ns: int) -> None:
        index = self.shelf.chain_markets[symbol]

        def done(results: dict[int, tuple[int, int] | str], why_not: str, now_ns: int) -> None:
            del now_ns
            if why_not:
                return  # nothing was said of it
            check.requotes += 1
            found, was_suppressed = results[0], bool(check.suppressed)
            if isinstance(found, str):
                check.suppressed, reason = found, f"cannot be requoted: {found}"
            else:
                check.worst_ppm, allowed = found
                reason = f"a requote is {check.worst_ppm // PPM_A_BP} bps off, {allowed // PPM_A_BP} are allowed"
                if check.worst_ppm <= allowed:
                    check.suppressed = ""
                    return
                check.suppressed = reason
            check.suppressions += 1
            self._out += self.shelf.drop(index, reason)
            if not was_suppressed:
                self._out.append(Notice("error", f"{symbol} of this chain is not shown: {reason}"))

        worth_1e9 = self._worth_1e9(symbol, block)
        readings = {0: requoting(self._plan, self.shelf, block, symbol, self.gas, worth_1e9)}
        Batch(endpoint, self._plan.multicall, block.head.hash, readings, done).start(now_ns)
