"""Uniswap V2 pairs and their forks: two reserves, which Sync tells whole. The fee is in no view: the plan names it.

https://docs.uniswap.org/contracts/v2/reference/smart-contracts/pair
"""

from typing import Final

from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve, QuoteError
from connectors.chain import PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.abi import Answers, Call, Reading, address_of, call, topic, unsigned, words
from connectors.venues.evm.logs import Log
from connectors.venues.evm.probe import requote_calls, requoted
from connectors.venues.evm.tokens import check_addresses, check_decimals, decimals_calls, required, word

RESERVE_BITS: Final = 112
FEE_PPM_MAX: Final = 1_000_000
_SYNCS: Final = ("Sync(uint112,uint112)", "Sync(uint256,uint256)")


def read(pool: PoolPlan) -> Reading[Curve]:
    """The pair at one block. Where the plan has a router, one quote of its is compared: that proves the fee."""
    if not 0 < pool.fee_ppm < FEE_PPM_MAX:
        raise PoolRefused(f"a V2 pair does not tell its fee, and the plan says {pool.fee_ppm} ppm: set fee_ppm")
    answers = yield [call(pool.address, view) for view in ("getReserves()", "token0()", "token1()")] + decimals_calls(
        pool.tokens
    )
    reserves = _reserves(answers[0])
    check_addresses(pool, [address_of(word(answers[1], "token0()")), address_of(word(answers[2], "token1()"))])
    check_decimals(pool.tokens, answers[3:])
    if not all(reserves):
        raise PoolRefused(f"no liquidity: its reserves are {reserves[0]} and {reserves[1]}")
    curve = ConstantProduct(reserves, pool.fee_ppm)
    yield from _checked(pool, curve, reserves)
    return curve


def scalars(pool: PoolPlan) -> list[Call]:
    """All of its state."""
    return [call(pool.address, "getReserves()")]


def differs(curve: ConstantProduct, answers: Answers) -> str:
    """'' or what is not as the logs said."""
    found = _reserves(answers[0])
    return "" if found == curve.reserves else f"reserves are {found}, the logs say {curve.reserves}"


def topics() -> tuple[str, ...]:
    """Sync follows every change."""
    return tuple(topic(sync) for sync in _SYNCS)


def apply(curve: ConstantProduct, log: Log) -> ConstantProduct:
    """Sync carries the whole state."""
    if not log.topics or log.topics[0] not in topics():
        return curve
    reserve0, reserve1 = (unsigned(amount, RESERVE_BITS) for amount in words(log.data, 2))
    return ConstantProduct((reserve0, reserve1), curve.fee_ppm)


def _reserves(answer: bytes | None) -> tuple[int, int]:
    """(uint112, uint112, uint32): a fork with more in it (Camelot's fees) is another kind."""
    try:
        reserve0, reserve1, _at = words(required(answer, "getReserves()"), 3)
        return unsigned(reserve0, RESERVE_BITS), unsigned(reserve1, RESERVE_BITS)
    except WireError as error:
        raise PoolRefused(f"getReserves(): {error}; a fork of another layout is not of kind uniswap_v2") from error


def _checked(pool: PoolPlan, curve: ConstantProduct, reserves: tuple[int, int]) -> Reading[None]:
    amount = max(reserves[pool.quote] // 1000, 1)
    asked = requote_calls(pool, True, amount)
    if not asked:
        return
    answers = yield asked
    try:
        ours = curve.exact_in(pool.quote, pool.base, amount).amount_out
        theirs = requoted(pool, answers)
    except (QuoteError, WireError):
        return  # too little in it to tell the fee by
    if ours != theirs:
        raise PoolRefused(
            f"its router {pool.quoter} pays {theirs} for {amount}, {pool.fee_ppm} ppm would pay {ours}: "
            "the fee is another, or the router is another factory's"
        )
