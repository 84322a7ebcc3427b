"""Our readers on a real node: each stage of calls in one eth_call, pinned to a block by its hash."""

from typing import TypeVar

from web3.types import RPCEndpoint

from connectors.chain import PoolKind, PoolPlan
from connectors.chain import Token as PlanToken
from connectors.pool import Protocol
from connectors.venues.evm.abi import Answers, Call, Reading, aggregated, separated
from tests.evm.deploy import Token
from tests.evm.driver import Driver, Pool

T = TypeVar("T")
_PROTOCOLS = {
    PoolKind.UNISWAP_V2: Protocol.UNISWAP_V2, PoolKind.UNISWAP_V3: Protocol.UNISWAP_V3,
    PoolKind.BALANCER_V2: Protocol.BALANCER_V2, PoolKind.ALGEBRA: Protocol.CAMELOT,
}  # fmt: skip


def plan(
    kind: PoolKind, address: str, tokens: tuple[Token, ...], *, fee_ppm: int = 0, quoter: str = "", pool_id: str = "",
    base: int = 0, quote: int = 1,
) -> PoolPlan:  # fmt: skip
    """What a user's settings would say of a pool."""
    return PoolPlan(
        address=address, kind=kind, protocol=_PROTOCOLS[kind], base=base, quote=quote, fee_ppm=fee_ppm, quoter=quoter,
        tokens=tuple(PlanToken(token.address, token.symbol, token.decimals) for token in tokens), pool_id=pool_id,
        symbol=f"{tokens[base].symbol}/{tokens[quote].symbol}",
    )  # fmt: skip


def plan_of(driver: Driver, pool: Pool) -> PoolPlan:
    """The same for one of the driver's own pools."""
    kind, quoter = (
        (PoolKind.UNISWAP_V3, driver.at.quoter) if pool.spacing else (PoolKind.UNISWAP_V2, driver.at.v2_router)
    )
    return plan(kind, pool.address, (pool.token0, pool.token1), fee_ppm=pool.fee_ppm, quoter=quoter)


def answers_of(driver: Driver, calls: list[Call], block_hash: str) -> Answers:
    """All calls in one, at that block (EIP-1898), which web3's own eth_call would turn into a number."""
    together = aggregated(calls, driver.at.multicall)
    call = {"to": together.to, "data": "0x" + together.data.hex()}
    at = {"blockHash": block_hash, "requireCanonical": True}
    answer = driver.w3.provider.make_request(RPCEndpoint("eth_call"), [call, at])
    assert "error" not in answer, answer
    return separated(bytes.fromhex(answer["result"][2:]), len(calls))


def drive(driver: Driver, reading: Reading[T]) -> T:
    """What a reading finds at the newest block."""
    block_hash = driver.w3.eth.get_block("latest")["hash"].to_0x_hex()
    try:
        calls = next(reading)
        while True:
            calls = reading.send(answers_of(driver, calls, block_hash))
    except StopIteration as stop:
        found: T = stop.value
        return found
