"""The chain's first block: contracts at the addresses they have on the real chain, pools as the plans say."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from connectors.amm.constant_product import ConstantProduct
from connectors.amm.stableswap import StableSwap
from connectors.chain import GasModel, PoolKind, PoolPlan, Token
from runtime.sim.evm import tokens as base
from runtime.sim.evm.abi import keccak
from runtime.sim.evm.chain import Chain, endow
from runtime.sim.evm.curve import CurveStable, CurveStableNg
from runtime.sim.evm.liquidity import Prices, fill_concentrated
from runtime.sim.evm.machine import CODE, Contract, Run
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.probed import (
    BALANCER_VAULT,
    AlgebraPool,
    AlgebraQuoter,
    BalancerPool,
    BalancerVault,
    Basket,
    CurveCrypto,
    SolidlyPool,
)
from runtime.sim.evm.trader import SimTrader
from runtime.sim.evm.univ2 import FEE_PPM, V2Factory, V2Pair
from runtime.sim.evm.univ2_router import V2Router
from runtime.sim.evm.univ3 import SPACINGS, V3Factory, V3Pool
from runtime.sim.evm.univ3_periphery import PositionManager, QuoterV2, SwapRouter

GWEI: Final = 10**9
_RICH: Final = 10**15
_L1_BASE_FEE: Final = GWEI
_AMP: Final = 200 * 100
_STABLE_FEE: Final = 1_000_000  # 1 bp of 1e10
_POOL_USD: Final = 4_000_000
_OTHER_SPACINGS: Final = {2500: 50}  # a fork's fee


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One factory and its periphery, by address; an empty one gets an address of our own. Kinds: the two Uniswaps."""

    kind: PoolKind
    factory: str
    quoter: str = ""
    router: str = ""
    positions: str = ""


# https://docs.uniswap.org/contracts/v3/reference/deployments: Ethereum, Arbitrum, Optimism and Polygon alike; Base
V3_SITE: Final = Site(
    kind=PoolKind.UNISWAP_V3,
    factory="0x1F98431c8aD98523631AE4a59f267346ea31F984",
    quoter="0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
    router="0xE592427A0AEce92De3Edee1F18E0157C05861564",
    positions="0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
)
V3_BASE_SITE: Final = Site(
    kind=PoolKind.UNISWAP_V3,
    factory="0x33128a8fC17869897dcE68Ed026d694621f6FDfD",
    quoter="0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a",
    router="",  # Base has SwapRouter02 only, which takes no deadlines
    positions="0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
)
V2_SITES: Final = {  # https://docs.uniswap.org/contracts/v2/reference/smart-contracts/v2-deployments
    1: ("0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f", "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D"),
    10: ("0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf", "0x4A7b5Da61326A6379179b40d00F57E5bbDC962c2"),
    137: ("0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C", "0xedf6066a2b290C185783862C7F4776A2C8077AD1"),
    8453: ("0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6", "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"),
    42161: ("0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9", "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"),
}


def own_address(text: str) -> str:
    """An address for a contract that no real chain has."""
    return "0x" + keccak(f"venuegate contract {text}".encode())[-20:].hex()


TRADER: Final = own_address("trader")


class Genesis:
    """Builds the first state. `contracts` names what `sim_contracts` tells; `pools` maps each plan to its contract."""

    def __init__(self, chain: Chain, gas: GasModel, multicall: str = base.MULTICALL3) -> None:
        self._chain = chain
        self._run = Run(chain.state, 0, 0)
        self.contracts: dict[str, str] = {}
        self.pools: list[tuple[PoolPlan, Pool]] = []
        self._factories: dict[tuple[PoolKind, str], Contract] = {}
        self._vault = BalancerVault(BALANCER_VAULT)
        self.trader = SimTrader(TRADER)
        self._put("multicall", base.Multicall3(multicall, counts_l1=gas is GasModel.ARBITRUM))
        self._put("trader", self.trader)
        if gas is GasModel.ARBITRUM:
            self._put("arb_sys", base.ArbSys(base.ARB_SYS))
            self._put("arb_gas_info", base.ArbGasInfo(chain.base_fee, _L1_BASE_FEE))
        elif gas is GasModel.OP_STACK:
            self._put("gas_price_oracle", base.OpGasPriceOracle(chain.base_fee, _L1_BASE_FEE))
        self.site(V3_BASE_SITE if chain.chain_id == 8453 else V3_SITE, "v3_")
        factory, router = V2_SITES.get(chain.chain_id, V2_SITES[1])
        self.site(Site(kind=PoolKind.UNISWAP_V2, factory=factory, quoter=router), "v2_")

    def _put(self, name: str, contract: Contract) -> None:
        self._run.deploy(contract)
        if name:
            self.contracts[name] = contract.address

    def site(self, site: Site, prefix: str = "") -> None:
        """A factory of one of the two Uniswaps' kinds with all around it, once; a V2 factory's quoter is its router."""
        factory_at = site.factory.lower()
        if site.kind not in (PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3) or (factory_at, CODE) in self._chain.state:
            return
        named = (lambda name: prefix + name) if prefix else (lambda _name: "")
        if site.kind is PoolKind.UNISWAP_V2:
            v2 = V2Factory(factory_at)
            self._put(named("factory"), v2)
            self._put(named("router"), V2Router(site.quoter or own_address(f"router {factory_at}"), v2))
            found: Contract = v2
        else:
            v3 = V3Factory(factory_at)
            self._put(named("factory"), v3)
            self._put(named("quoter"), QuoterV2(site.quoter or own_address(f"quoter {factory_at}"), v3))
            self._put(named("router"), SwapRouter(site.router or own_address(f"router {factory_at}"), v3))
            self._put(named("positions"), PositionManager(site.positions or own_address(f"npm {factory_at}"), v3))
            found = v3
        self._factories[site.kind, site.quoter.lower()] = found

    def token(self, token: Token) -> None:
        """Puts a token on the chain once; the trader and the unlocked accounts have plenty."""
        contract = base.OpenToken(token.address, token.symbol, token.decimals)
        if (contract.address, CODE) not in self._chain.state:
            self._run.deploy(contract)
            purse = _RICH * 10**token.decimals
            endow(self._chain.state, contract, (self.trader.address, *self._chain.accounts), purse)

    def pool(self, plan: PoolPlan, prices: Prices) -> None:
        """Puts a pool on the chain, filled around the prices. A contract that has one already is not made again."""
        for token in plan.tokens:
            self.token(token)
        address = plan.address.lower()
        known = self._chain.state.get((address, CODE))
        if known is None:
            known = self._made(plan, address, tuple(token.address.lower() for token in plan.tokens), prices)
        self.pools.append((plan, known))

    def _made(self, plan: PoolPlan, address: str, tokens: tuple[str, ...], prices: Prices) -> Pool:
        run, fee = self._run, plan.fee_ppm
        amounts = tuple(prices.amount(token, _POOL_USD) for token in plan.tokens)
        match plan.kind:
            case PoolKind.UNISWAP_V3:
                return self._v3(plan, address, tokens, prices)
            case PoolKind.ALGEBRA:
                quoter = AlgebraQuoter(plan.quoter or own_address("algebra quoter"))
                run.deploy(quoter)
                algebra = AlgebraPool(address, own_address("algebra"), (tokens[0], tokens[1]), fee or 500, 60)
                quoter.adopt(run, algebra)
                fill_concentrated(run, algebra, self.trader.address, plan.tokens, prices, _POOL_USD)
                return algebra
            case PoolKind.UNISWAP_V2:
                factory = self._factory(plan)
                assert isinstance(factory, V2Factory)  # noqa: S101 - kept by kind
                pair = V2Pair(address, factory.address, (tokens[0], tokens[1]), fee or FEE_PPM)
                factory.adopt(run, pair)
                self.trader.join(run, self.trader.address, address, amounts[0], amounts[1])
                return pair
            case PoolKind.BALANCER_V2:
                run.deploy(self._vault)
                pool_id = bytes.fromhex(plan.pool_id[2:]) if plan.pool_id else keccak(address.encode())
                weighted = BalancerPool(address, tokens, pool_id)
                self._vault.adopt(run, weighted)
                return self._seeded(weighted, Basket(amounts, fee or 3000), amounts)
            case PoolKind.CURVE_CRYPTO:
                return self._seeded(CurveCrypto(address, tokens), Basket(amounts, fee or 2000), amounts)
            case PoolKind.SOLIDLY:
                solidly = SolidlyPool(address, tokens, fee or 500)
                if not prices.are_alike(plan.tokens):
                    return self._seeded(solidly, ConstantProduct((amounts[0], amounts[1]), fee or 500), amounts)
                return self._seeded(solidly, _stable(plan.tokens, amounts, fee * 10_000 or _STABLE_FEE), amounts)
            case PoolKind.CURVE_STABLE_NG:
                ng = _stable(plan.tokens, amounts, fee * 10_000 or _STABLE_FEE, is_ng=True)
                return self._seeded(CurveStableNg(address, tokens), ng, amounts)
            case PoolKind.CURVE_STABLE | PoolKind.CURVE_META:
                plain = _stable(plan.tokens, amounts, fee * 10_000 or _STABLE_FEE)
                return self._seeded(CurveStable(address, tokens), plain, amounts)
            case _:
                msg = f"{plan.kind} is no kind of pool on an EVM chain"
                raise ValueError(msg)

    def _v3(self, plan: PoolPlan, address: str, tokens: tuple[str, ...], prices: Prices) -> V3Pool:
        factory = self._factory(plan)
        assert isinstance(factory, V3Factory)  # noqa: S101 - kept by kind
        fee = plan.fee_ppm or self._fee_of(factory, address, tokens)
        spacing = SPACINGS.get(fee) or _OTHER_SPACINGS.get(fee, 60)
        pool = V3Pool(address, factory.address, (tokens[0], tokens[1]), fee, spacing)
        factory.adopt(self._run, pool)
        fill_concentrated(self._run, pool, self.trader.address, plan.tokens, prices, _POOL_USD)
        return pool

    @staticmethod
    def _fee_of(factory: V3Factory, address: str, tokens: Sequence[str]) -> int:
        """The fee with which the factory makes this very address; 500 if it makes it with none."""
        made = {factory.address_for(tokens[0], tokens[1], fee): fee for fee in SPACINGS}
        return made.get(address, 500)

    def _factory(self, plan: PoolPlan) -> Contract:
        """Plans name their quoter, not their factory: one factory stands behind each quoter."""
        key = (plan.kind, plan.quoter.lower())
        if key not in self._factories:
            chosen = next((each for (kind, _), each in self._factories.items() if kind is plan.kind), None)
            if not plan.quoter and chosen is not None:
                return chosen
            self.site(Site(kind=plan.kind, factory=own_address(f"factory {key}"), quoter=plan.quoter))
        return self._factories[key]

    def _seeded(self, pool: Pool, curve: Any, amounts: tuple[int, ...]) -> Pool:
        self._run.deploy(pool)
        pool.seed(self._run, self.trader.address, curve, amounts)
        return pool

    def build(self, plans: Iterable[PoolPlan], prices: Prices) -> None:
        """All pools; afterwards the state is the first block's."""
        for plan in plans:
            self.pool(plan, prices)
        self._chain.settle()


def _stable(tokens: Sequence[Token], amounts: tuple[int, ...], fee: int, *, is_ng: bool = False) -> StableSwap:
    rates = tuple(10 ** (36 - token.decimals) for token in tokens)
    multiplier, admin = (2 * 10**10, 5 * 10**9) if is_ng else (0, 5 * 10**9)
    return StableSwap(amounts, rates, _AMP, fee, multiplier, is_ng, admin)
