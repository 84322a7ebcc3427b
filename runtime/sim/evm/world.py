"""Who trades on the simulated chain: arbitrage that follows the market, and noise. Pure; equal seeds, equal trades.

Before each block every pool whose price has left the market's by more than its fee is traded back to half of it. Beside
that somebody swaps at random, and now and then liquidity comes or goes. Money has a fixed price of about 1, which
wanders a little from token to token.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any, Final

from connectors.amm.curve import Curve, QuoteError
from connectors.amm.stableswap import FEE_ONE, StableSwap
from connectors.chain import GasModel, PoolKind, PoolPlan
from runtime.sim.evm.abi import encode, keccak
from runtime.sim.evm.chain import Chain
from runtime.sim.evm.faults import EvmFaults
from runtime.sim.evm.genesis import Genesis, Site
from runtime.sim.evm.liquidity import Mid, Prices
from runtime.sim.evm.machine import Run
from runtime.sim.evm.node import EvmSim
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.tokens import MULTICALL3
from runtime.sim.evm.univ2 import V2Pair
from runtime.sim.evm.univ3 import V3Pool
from runtime.sim.evm.univ3_periphery import liquidity_for
from runtime.sim.market import Market

PPM: Final = 10**6
_LEAST_BAND_PPM: Final = 50
_SEARCH_STEPS: Final = 24
_ARBITRAGE_USD: Final = 20_000_000
_PEG_MAX_PPM: Final = 400
_MARKET_STEPS: Final = 35  # what a default market does in 250 ms
_SWAP_PERCENT, _LIQUIDITY_PERCENT = 40, 8
_SIGNATURES: Final = {
    "trade": ("trade(address,uint256,uint256,uint256)", ("address", "uint256", "uint256", "uint256")),
    "provide": ("provide(address,int24,int24,uint128)", ("address", "int24", "int24", "uint128")),
    "withdraw": ("withdraw(address,int24,int24,uint128)", ("address", "int24", "int24", "uint128")),
    "join": ("join(address,uint256,uint256)", ("address", "uint256", "uint256")),
    "leave": ("leave(address,uint256)", ("address", "uint256")),
}


class World:
    """Drives a chain's pools. Made by `make_world`; `step` is called before each block that time brings."""

    def __init__(self, genesis: Genesis, prices: Prices, seed: int, market: Market | None = None) -> None:
        self._pools, self._trader, self._prices = genesis.pools, genesis.trader, prices
        self._rng = Random(f"world {seed}")  # noqa: S311 - traders to look at, not a secret; it has to repeat
        self._market = market
        self._blocks = 0

    def step(self, chain: Chain) -> None:
        """This block's transactions."""
        self._blocks += 1
        if self._market is not None:
            for _ in range(_MARKET_STEPS):
                self._market.step(self._blocks)
        self._wander()
        run = Run(chain.state, chain.head.number, chain.head.timestamp)
        for plan, pool in self._pools:
            self._arbitrage(chain, run, plan, pool)
        dice = self._rng.randrange(100)
        if not self._pools:
            return
        plan, pool = self._rng.choice(self._pools)
        if dice < _SWAP_PERCENT:
            i, j = (plan.base, plan.quote) if self._rng.randrange(2) else (plan.quote, plan.base)
            usd = self._rng.randrange(50, 10_000) >> self._rng.randrange(8)
            self._send(chain, "trade", pool.address, i, j, max(1, self._prices.amount(plan.tokens[i], usd)))
        elif dice < _SWAP_PERCENT + _LIQUIDITY_PERCENT:
            self._change_liquidity(chain, run, plan, pool)

    def _wander(self) -> None:
        for token in sorted({token.symbol for plan, _ in self._pools for token in plan.tokens}):
            peg = self._prices.pegs.get(token, 0) + self._rng.randrange(-3, 4)
            self._prices.pegs[token] = min(max(peg, -_PEG_MAX_PPM), _PEG_MAX_PPM)

    def _arbitrage(self, chain: Chain, run: Run, plan: PoolPlan, pool: Pool) -> None:
        i, j = plan.base, plan.quote
        curve, target = pool.curve(run), self._prices.ratio(plan.tokens[i], plan.tokens[j])
        band = max(_fee_ppm(curve), _LEAST_BAND_PPM)
        try:
            price = Fraction(*curve.price(i, j))
        except QuoteError:
            return
        if price > target * Fraction(PPM + band, PPM):
            goal = target * Fraction(2 * PPM + band, 2 * PPM)
        elif price < target * Fraction(PPM - band, PPM):
            i, j = j, i
            goal = Fraction(target.denominator, target.numerator) * Fraction(2 * PPM + band, 2 * PPM)
        else:
            return
        amount = _until(curve, i, j, goal, self._prices.amount(plan.tokens[i], _ARBITRAGE_USD))
        if amount:
            self._send(chain, "trade", pool.address, i, j, amount)

    def _change_liquidity(self, chain: Chain, run: Run, plan: PoolPlan, pool: Pool) -> None:
        usd = self._rng.randrange(1_000, 100_000)
        comes = self._rng.randrange(2) == 0
        if isinstance(pool, V3Pool):
            held = self._trader.positions(run, pool)
            if comes or not held:
                curve, spacing = pool.curve(run), pool.spacing
                low = (curve.tick // spacing - self._rng.randrange(-2, 40)) * spacing
                high = low + self._rng.randrange(1, 60) * spacing
                want = [self._prices.amount(token, usd) for token in plan.tokens]
                liquidity = liquidity_for(curve.sqrt_price_x96, low, high, (want[0], want[1]))
                self._send(chain, "provide", pool.address, low, high, max(1, liquidity))
            else:
                self._send(chain, "withdraw", pool.address, *self._rng.choice(held))
        elif isinstance(pool, V2Pair):
            first, second = pool.reserves(run)
            if comes:
                amount = self._prices.amount(plan.tokens[0], usd)
                self._send(chain, "join", pool.address, amount, amount * second // first)
            else:
                shares = pool.balance_of(run, self._trader.address, self._trader.address)
                self._send(chain, "leave", pool.address, max(1, shares // self._rng.randrange(50, 500)))

    def _send(self, chain: Chain, call: str, *arguments: Any) -> None:
        signature, types = _SIGNATURES[call]
        data = keccak(signature.encode())[:4] + encode(types, arguments)
        chain.submit(chain.accounts[-1], self._trader.address, data)


def _until(curve: Curve, i: int, j: int, goal: Fraction, most: int) -> int:
    """The amount of token i that brings its price down to the goal, to 1 in 2^24 of `most`."""
    amount, step = 0, most
    for _ in range(_SEARCH_STEPS):
        step >>= 1
        if not step:
            break
        try:
            quote = curve.exact_in(i, j, amount + step)
            if quote.amount_in == amount + step and Fraction(*quote.after.price(i, j)) >= goal:
                amount += step
        except QuoteError:
            continue
    return amount


def _fee_ppm(curve: Any) -> int:
    return curve.fee * PPM // FEE_ONE if isinstance(curve, StableSwap) else int(curve.fee_ppm)


def market_mid(market: Market) -> Mid:
    """The middle of a simulated market's books."""
    known = {pair.symbol for pair in market.pairs}

    def mid(symbol: str) -> Fraction | None:
        if symbol not in known:
            return None
        book = market.book(symbol)
        return Fraction(book.bids.price(0) + book.asks.price(0), 2 * 10**book.pair.price_precision)

    return mid


def make_world(
    plans: Sequence[PoolPlan],
    mid: Mid,
    *,
    chain_id: int,
    seed: int = 0,
    gas: GasModel = GasModel.EIP1559,
    base_fee: int = 10_000_000,
    tip: int = 0,
    multicall: str = MULTICALL3,
    sites: Sequence[tuple[PoolKind, str, str]] = (),
    block_time_ns: int = 0,
    means: Mapping[str, str] | None = None,
    market: Market | None = None,
    faults: EvmFaults | None = None,
    is_alive: bool = True,
) -> EvmSim:
    """A node with every planned pool on it.

    `sites`: (kind, factory, quoter) of the chain's factories; `means`: what a token counts as (`WETH` → `ETH`);
    `market`: stepped with each block, for a world that has one of its own; `block_time_ns` 0: blocks come with
    transactions or by `evm_mine`; not `is_alive`: nobody trades by himself.
    """
    chain = Chain(chain_id=chain_id, seed=seed, base_fee=base_fee, tip=tip)
    prices = Prices(mid, means)
    genesis = Genesis(chain, gas, multicall or MULTICALL3)
    for kind, factory, quoter in sites:
        genesis.site(Site(kind=kind, factory=factory, quoter=quoter))
    genesis.build(plans, prices)
    driver = World(genesis, prices, seed, market) if is_alive else None
    return EvmSim(
        chain, faults=faults, driver=driver, automine=not block_time_ns, interval_ns=block_time_ns,
        contracts=genesis.contracts,
    )  # fmt: skip
