"""Balancer V2 and Algebra Integral from their published bytecode, as far as probes need them: one pool of each."""

from dataclasses import dataclass
from typing import Final

from web3.types import TxReceipt

from tests.evm.abi import (
    CODEC,
    AlgebraFactory,
    AlgebraPool,
    AlgebraPositions,
    AlgebraRouter,
    BalancerFactory,
    BalancerVault,
)
from tests.evm.deploy import Token, bytecode, create
from tests.evm.driver import Driver

_BALANCER: Final = "@balancer-labs/v2-deployments/dist/tasks/20210418-"
_CORE: Final = "@cryptoalgebra/integral-core/artifacts/contracts/"
_PERIPHERY: Final = "@cryptoalgebra/integral-periphery/artifacts/contracts/"
_DAYS: Final = 86_400
_FOREVER: Final = 2**40
_ZERO: Final = "0x" + 40 * "0"
_INIT: Final = 0  # the first join of a weighted pool


@dataclass(frozen=True)
class Weighted:
    """A Balancer pool of several tokens, in the Vault's order."""

    vault: str
    address: str
    pool_id: bytes
    tokens: tuple[Token, ...]

    def swap(self, driver: Driver, sold: Token, bought: Token, amount: int) -> TxReceipt | None:
        """Sells an amount, by batchSwap of one step."""
        steps = [(self.pool_id, 0, 1, amount, b"")]
        funds = (driver.account, False, driver.account, False)
        limits = [2**127, 2**127]
        assets = [sold.address, bought.address]
        return driver.send(self.vault, BalancerVault.swap, 0, steps, assets, funds, limits, _FOREVER)


@dataclass(frozen=True)
class Integral:
    """An Algebra pool and its periphery."""

    address: str
    quoter: str
    router: str
    token0: Token
    token1: Token

    def swap(self, driver: Driver, sold: Token, bought: Token, amount: int) -> TxReceipt | None:
        """Sells an amount."""
        driver.approve(sold, self.router)
        order = (sold.address, bought.address, _ZERO, driver.account, _FOREVER, amount, 0, 0)
        return driver.send(self.router, AlgebraRouter.swap_in, order)


def weighted_pool(
    driver: Driver, tokens: tuple[Token, ...], weights: tuple[int, ...], amounts: tuple[int, ...]
) -> Weighted:
    """A Vault, a factory and one weighted pool with all of these amounts in it; a fee of 0.3 %."""
    w3 = driver.w3
    four = ("address", "address", "uint256", "uint256")
    nobody = w3.eth.accounts[-1]
    vault = create(w3, bytecode(f"{_BALANCER}vault/artifact/Vault.json"), four, nobody, nobody, 90 * _DAYS, 30 * _DAYS)
    factory = create(w3, bytecode(f"{_BALANCER}weighted-pool/bytecode/WeightedPoolFactory.json"), ("address",), vault)
    ordered = tuple(sorted(tokens, key=lambda token: int(token.address, 16)))
    of = dict(zip((token.address for token in tokens), zip(weights, amounts, strict=True), strict=True))
    shares = [of[token.address][0] * 10**16 for token in ordered]
    addresses = [token.address for token in ordered]
    made = driver.send(factory, BalancerFactory.create, "Three", "3", addresses, shares, 3 * 10**15, driver.account)
    assert made is not None
    ((pool_id, address, _),) = BalancerVault.registered.of(made["logs"], vault)
    for token in ordered:
        driver.approve(token, vault)
    first = [of[token.address][1] for token in ordered]
    data = CODEC.encode(("uint256", "uint256[]"), (_INIT, first))
    driver.send(vault, BalancerVault.join, pool_id, driver.account, driver.account, (addresses, first, data, False))
    return Weighted(vault, w3.to_checksum_address(address), pool_id, ordered)


def integral_pool(driver: Driver, token0: Token, token1: Token, sqrt_price_x96: int, liquidity: int) -> Integral:
    """Factory, deployer and periphery, and one pool with its default fee."""
    w3, one, two, three = driver.w3, ("address",), ("address",) * 2, ("address",) * 3
    snapshot = driver.snapshot()  # factory and deployer each want the other's address: see where the second one lands
    create(w3, "0x00")
    expected = create(w3, "0x00")
    driver.revert(snapshot)
    factory = create(w3, bytecode(f"{_CORE}AlgebraFactory.sol/AlgebraFactory.json"), one, expected)
    deployer = create(w3, bytecode(f"{_CORE}AlgebraPoolDeployer.sol/AlgebraPoolDeployer.json"), one, factory)
    assert deployer == expected
    native = w3.eth.accounts[-1]
    quoter = create(w3, bytecode(f"{_PERIPHERY}lens/QuoterV2.sol/QuoterV2.json"), three, factory, native, deployer)
    router = create(w3, bytecode(f"{_PERIPHERY}SwapRouter.sol/SwapRouter.json"), three, factory, native, deployer)
    positions = create(
        w3, bytecode(f"{_PERIPHERY}NonfungiblePositionManager.sol/NonfungiblePositionManager.json"),
        (*two, *two), factory, native, native, deployer,
    )  # fmt: skip
    driver.send(factory, AlgebraFactory.create, token0.address, token1.address, b"")
    (address,) = driver.call(factory, AlgebraFactory.pool, token0.address, token1.address)
    driver.send(address, AlgebraPool.initialize, sqrt_price_x96)
    (_, tick, *_) = driver.call(address, AlgebraPool.state)
    here = tick // 60 * 60
    for token in (token0, token1):
        driver.approve(token, positions)
    for away in (60, 600, 12000):
        driver.send(
            positions, AlgebraPositions.mint,
            (token0.address, token1.address, _ZERO, here - away, here + away, liquidity, liquidity, 0, 0,
             driver.account, _FOREVER),
        )  # fmt: skip
    return Integral(w3.to_checksum_address(address), quoter, router, token0, token1)
