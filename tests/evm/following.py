"""A small market of pools on a chain under test, a session that follows it, and a reader that knows nothing of ours."""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.chain import ChainPlan, GasModel, PoolKind, PoolPlan, Token
from connectors.pool import Protocol
from tests.evm.chains import Chain
from tests.evm.driver import Pool, Position, sqrt_x96
from tests.evm.hand import Hand, session_plan
from tests.evm.scenes import read_v2, read_v3

SECOND: Final = 10**9
MONEY: Final = tuple(amount * 10**9 for amount in (10, 25, 50, 100, 250, 500, 1000, 2000, 3500, 5000, 7500, 10_000,
                     20_000, 35_000, 50_000, 75_000, 100_000, 150_000, 250_000, 500_000))  # fmt: skip


@dataclass
class Bazaar:
    """Two V3 pools and a pair of WETH and USDC, one V3 pool of WBTC and WETH."""

    chain: Chain
    pools: list[Pool]
    pair: Pool
    positions: list[Position] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(3))

    def plans(self) -> tuple[PoolPlan, ...]:
        at = self.chain.driver.at
        made = []
        for pool in [*self.pools, self.pair]:
            is_v2 = pool is self.pair
            tokens = tuple(Token(token.address, token.symbol, token.decimals) for token in (pool.token0, pool.token1))
            base = next(k for k, token in enumerate(tokens) if token.symbol == ("WBTC" if "WBTC" in
                        {one.symbol for one in tokens} else "WETH"))  # fmt: skip
            symbol = "ETH/USD" if tokens[base].symbol == "WETH" else "BTC/ETH"
            made.append(
                PoolPlan(
                    address=pool.address, kind=PoolKind.UNISWAP_V2 if is_v2 else PoolKind.UNISWAP_V3,
                    protocol=Protocol.UNISWAP_V2 if is_v2 else Protocol.UNISWAP_V3, tokens=tokens, base=base,
                    quote=1 - base, symbol=symbol, fee_ppm=pool.fee_ppm, quoter=at.v2_router if is_v2 else at.quoter,
                )
            )  # fmt: skip
        return tuple(made)

    def plan(self, links: tuple[str, ...] = ("rpc0",), **more: object) -> ChainPlan:
        fields = {
            "chain_id": self.chain.w3.eth.chain_id, "links": links, "pools": self.plans(),
            "multicall": self.chain.driver.at.multicall, "block_time_ns": SECOND, "stale_after_ns": 300 * SECOND,
            "native": "ETH/USD", "gas": GasModel.EIP1559, "calls_per_s": 500,
            "sizes_1e9": {"": MONEY, "WETH": tuple(amount // 3000 for amount in MONEY)}, "reconcile_blocks": 25,
        }  # fmt: skip
        return ChainPlan(**(fields | more))  # type: ignore[arg-type]

    def act(self) -> str:
        """One random transaction; what it was."""
        driver, rng = self.chain.driver, self.rng
        pool = rng.choice(self.pools)
        what = rng.choices(("swap", "out", "mint", "burn", "hops", "pair", "add", "take"), (8, 3, 3, 3, 2, 4, 1, 1))[0]
        side = rng.random() < 0.5
        if what == "swap":
            driver.swap_exact_in(pool, self._amount(pool, side), zero_for_one=side)
        elif what == "out":
            driver.swap_exact_out(pool, self._amount(pool, not side) // 4 + 1, zero_for_one=side)
        elif what == "mint":
            spacing, middle = pool.spacing, read_v3(driver, pool).tick // pool.spacing
            lower = middle + rng.randrange(-30, 25)
            position = driver.mint(pool, lower * spacing, (lower + rng.randrange(1, 20)) * spacing, 10**16)
            self.positions.append(position)
        elif what == "burn" and self.positions:
            position = self.positions.pop(rng.randrange(len(self.positions)))
            driver.burn(position, position.liquidity)
        elif what == "hops":
            usdc = self.pools[0].token0 if self.pools[0].token0.symbol == "USDC" else self.pools[0].token1
            driver.multi_hop([self.pools[0], self.pools[2]], usdc, rng.randrange(1, 20_000) * 10**6)
        elif what == "add":
            reserves = read_v2(driver, self.pair)
            driver.add_liquidity(self.pair, reserves[0] // 50, reserves[1] // 50 + 1)
        elif what == "take":
            driver.remove_liquidity(self.pair, driver.shares(self.pair) // 100)
        else:
            driver.swap(self.pair, self._amount(self.pair, side), zero_for_one=side)
        return what

    def _amount(self, pool: Pool, side: bool) -> int:
        token = pool.token0 if side else pool.token1
        most = {"USDC": 60_000 * 10**6, "WETH": 20 * 10**18, "WBTC": 10**8}[token.symbol]
        return self.rng.randrange(1, most >> self.rng.randrange(12))

    def truth(self) -> list[object]:
        """Every pool's state now, by its own views."""
        driver = self.chain.driver
        states: list[object] = []
        for pool in self.pools:
            state = read_v3(driver, pool)
            states.append((state.sqrt_price_x96, state.tick, state.liquidity, state.ticks))
        return [*states, read_v2(driver, self.pair)]

    def follow(self, links: tuple[str, ...] = ("rpc0",), **more: object) -> Hand:
        """A session on it, that many times connected to the same node."""
        return Hand(session_plan(self.plan(links, **more)), dict.fromkeys(links, self.chain.ws))


def held(hand: Hand) -> list[object]:
    """What the session holds, in the words of `Bazaar.truth`."""
    tip = hand.session.follower.blocks.tip
    assert tip is not None
    found: list[object] = []
    for _, state in sorted(tip.states.items()):
        if isinstance(state, Concentrated):
            found.append((state.sqrt_price_x96, state.tick, state.liquidity, state.ticks.entries()))
        elif isinstance(state, ConstantProduct):
            found.append(tuple(state.reserves))
        else:
            found.append(state)
    return found


def bazaar(chain: Chain) -> Bazaar:
    """Fresh pools with liquidity around $3,000 and 20 ETH a BTC."""
    driver = chain.driver
    usdc, weth, wbtc = chain.create("USDC", 6), chain.create("WETH", 18), chain.create("WBTC", 8)

    def priced(base: object, quote: object, human: Decimal) -> int:
        low, high = sorted((base, quote), key=lambda token: int(token.address, 16))  # type: ignore[attr-defined]
        raw = human * Decimal(10) ** (quote.decimals - base.decimals)  # type: ignore[attr-defined]
        del high
        return sqrt_x96(raw if low is base else 1 / raw)

    pools = [
        driver.create_v3_pool(weth, usdc, 500, priced(weth, usdc, Decimal(3000))),
        driver.create_v3_pool(weth, usdc, 3000, priced(weth, usdc, Decimal("3001.5"))),
        driver.create_v3_pool(wbtc, weth, 3000, priced(wbtc, weth, Decimal(20))),
    ]
    made = Bazaar(chain, pools, driver.create_v2_pair(weth, usdc))
    for pool, liquidity in zip(pools, (10**17, 3 * 10**16, 10**16), strict=True):
        middle = read_v3(driver, pool).tick // pool.spacing
        driver.mint(pool, (middle - 400) * pool.spacing, (middle + 400) * pool.spacing, liquidity)
        made.positions.append(
            driver.mint(pool, (middle - 9) * pool.spacing, (middle + 7) * pool.spacing, liquidity * 3)
        )
    amounts = {weth.address: 1_000 * 10**18, usdc.address: 3_000_000 * 10**6}
    driver.add_liquidity(made.pair, amounts[made.pair.token0.address], amounts[made.pair.token1.address])
    return made
