"""The contract behind every simulated trade: it owns what it trades with, and pays pools that call back."""

from typing import ClassVar

from runtime.sim.evm.abi import Function, functions
from runtime.sim.evm.machine import Contract, Revert, Run, require
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.univ2 import V2Pair
from runtime.sim.evm.univ3 import V3Pool

_BOOK_MAX = 32


class SimTrader(Contract):
    """Trades with any pool here, and keeps positions in the two Uniswaps' kinds. Anybody may call it: it is rich."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("trade(address,uint256,uint256,uint256)", "uint256", "trade"),
        ("provide(address,int24,int24,uint128)", "uint256,uint256", "provide"),
        ("withdraw(address,int24,int24,uint128)", "uint256,uint256", "withdraw"),
        ("join(address,uint256,uint256)", "uint256", "join"),
        ("leave(address,uint256)", "uint256,uint256", "leave"),
    )

    def trade(self, run: Run, _sender: str, pool: str, i: int, j: int, amount: int) -> int:
        """Exact in, token i for token j."""
        found = run.contract(pool)
        if not isinstance(found, Pool):
            raise Revert
        return found.trade(run, self.address, i, j, amount)

    def provide(self, run: Run, _sender: str, pool: str, low: int, high: int, liquidity: int) -> tuple[int, int]:
        """A position in a V3 pool; what was opened is remembered in `positions`."""
        found = self._v3(run, pool)
        held = self.positions(run, found)
        require(len(held) < _BOOK_MAX, "enough positions")
        amounts = found.mint(run, self.address, low, high, liquidity, found.payer(run, self.address))
        self.store(run, ("positions", found.address), (*held, (low, high, liquidity)))
        return amounts

    def withdraw(self, run: Run, _sender: str, pool: str, low: int, high: int, liquidity: int) -> tuple[int, int]:
        """Closes such a position."""
        found = self._v3(run, pool)
        held = list(self.positions(run, found))
        require((low, high, liquidity) in held, "no such position")
        held.remove((low, high, liquidity))
        self.store(run, ("positions", found.address), tuple(held))
        amounts = found.burn(run, self.address, low, high, liquidity)
        found.collect(run, self.address, self.address, low, high, amounts)
        return amounts

    def positions(self, run: Run, pool: V3Pool) -> tuple[tuple[int, int, int], ...]:
        """(low, high, liquidity) of what it holds in a pool beside the pool's first liquidity."""
        held: tuple[tuple[int, int, int], ...] = self.load(run, ("positions", pool.address), ())
        return held

    def join(self, run: Run, _sender: str, pair: str, amount0: int, amount1: int) -> int:
        """Adds to a V2 pair."""
        found = self._v2(run, pair)
        for place, amount in enumerate((amount0, amount1)):
            found.token(run, place).move(run, self.address, found.address, amount)
        return found.mint(run, self.address, self.address)

    def leave(self, run: Run, _sender: str, pair: str, shares: int) -> tuple[int, int]:
        """Takes shares out of a V2 pair."""
        found = self._v2(run, pair)
        found.move(run, self.address, found.address, shares)
        return found.burn(run, self.address, self.address)

    @staticmethod
    def _v3(run: Run, address: str) -> V3Pool:
        found = run.contract(address)
        if not isinstance(found, V3Pool):
            raise Revert
        return found

    @staticmethod
    def _v2(run: Run, address: str) -> V2Pair:
        found = run.contract(address)
        if not isinstance(found, V2Pair):
            raise Revert
        return found
