"""Uniswap V3 pools and their faithful forks: state by views at one block, then by Swap, Mint and Burn logs.

https://docs.uniswap.org/contracts/v3/reference/core/interfaces/pool/IUniswapV3PoolState. Forks differ around the
edges: PancakeSwap's Swap carries two more fields, Slipstream's slot0 has no feeProtocol, and its fee may be changed by
its factory without a log (`differs` finds that). The ticks of a pool of spacing 1 fill 6,932 bitmap words, so a window
around the price is read; `extended` reads on from there.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Curve, QuoteError
from connectors.amm.ticks import TickMap
from connectors.chain import PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.abi import (
    WORD,
    Answers,
    Call,
    Reading,
    address_of,
    call,
    selector,
    signed,
    topic,
    unsigned,
    words,
)
from connectors.venues.evm.logs import Log
from connectors.venues.evm.tokens import check_addresses, check_decimals, check_fee, decimals_calls, required, word

TICK_MAX: Final = 887_272
TICKS_A_WORD: Final = 256
WORDS_BESIDE: Final = 200  # read on either side of the price's own word
_SLOT0_WORDS: Final = (6, 7)  # whose last word is `unlocked`
_SWAP: Final = "Swap(address,address,int256,int256,uint160,uint128,int24)"
_SWAP_PANCAKE: Final = "Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)"
_MINT: Final = "Mint(address,address,int24,int24,uint128,uint256,uint256)"
_BURN: Final = "Burn(address,int24,int24,uint128,uint256,uint256)"
_INITIALIZE: Final = "Initialize(uint160,int24)"


def read(pool: PoolPlan) -> Reading[Curve]:
    """The pool at one block: three stages, of which the second and third are the ticks around the price."""
    views = ("slot0()", "liquidity()", "fee()", "tickSpacing()", "token0()", "token1()")
    answers = yield [call(pool.address, view) for view in views] + decimals_calls(pool.tokens)
    sqrt_price_x96, tick = _slot0(answers[0])
    liquidity, fee_ppm = word(answers[1], "liquidity()", 128), word(answers[2], "fee()", 24)
    spacing = signed(word(answers[3], "tickSpacing()"), 24)
    check_addresses(pool, [address_of(word(answers[4], "token0()")), address_of(word(answers[5], "token1()"))])
    check_decimals(pool.tokens, answers[6:])
    check_fee(pool, fee_ppm)
    if not 0 < spacing <= TICK_MAX:
        raise PoolRefused(f"its tick spacing is {spacing}")
    here, (first, last) = (tick // spacing) >> 8, _word_range(spacing)
    first, last = max(here - WORDS_BESIDE, first), min(here + WORDS_BESIDE, last)
    ticks = yield from _ticks(pool, spacing, range(first, last + 1))
    if not liquidity and not ticks:
        raise PoolRefused("no liquidity: none at its price and no tick around it")
    known = TickMap(spacing, ticks, _low(spacing, first), _high(spacing, last))
    return _proved(Concentrated(sqrt_price_x96, tick, liquidity, fee_ppm, known))


def extended(pool: PoolPlan, curve: Concentrated) -> Reading[Concentrated]:
    """The same pool with as many words again on either side, read at the block that `curve` is of."""
    known, (first, last) = curve.ticks, _word_range(curve.ticks.spacing)
    below, above = (known.low // known.spacing) >> 8, (known.high // known.spacing) >> 8
    first, last = max(below - WORDS_BESIDE, first), min(above + WORDS_BESIDE, last)
    ticks = yield from _ticks(pool, known.spacing, [*range(first, below), *range(above + 1, last + 1)])
    both = TickMap(known.spacing, known.entries() | ticks, _low(known.spacing, first), _high(known.spacing, last))
    return _proved(msgspec.structs.replace(curve, ticks=both))


def scalars(pool: PoolPlan) -> list[Call]:
    """What a swap changes, and the fee, which forks may change without a log."""
    return [call(pool.address, view) for view in ("slot0()", "liquidity()", "fee()")]


def differs(curve: Concentrated, answers: Answers) -> str:
    """'' or what is not as the logs said."""
    found = (*_slot0(answers[0]), word(answers[1], "liquidity()", 128), word(answers[2], "fee()", 24))
    held = (curve.sqrt_price_x96, curve.tick, curve.liquidity, curve.fee_ppm)
    names = ("sqrtPriceX96", "tick", "liquidity", "fee")
    return ", ".join(
        f"{name} is {there}, the logs say {here}"
        for name, there, here in zip(names, found, held, strict=True)
        if there != here
    )


def topics() -> tuple[str, ...]:
    """Collect, Flash and the like change nothing that a quote depends on."""
    return tuple(topic(event) for event in (_SWAP, _SWAP_PANCAKE, _MINT, _BURN, _INITIALIZE))


def apply(curve: Concentrated, log: Log) -> Concentrated | None:
    """The state after the log; None for a position that this state cannot have held."""
    if not log.topics:
        return curve
    event = _events().get(log.topics[0])
    match event:
        case "swap" | "swap_pancake":
            found = words(log.data, 5 if event == "swap" else 7)
            return curve.swapped(unsigned(found[2], 160), unsigned(found[3], 128), signed(found[4], 24))
        case "mint" | "burn":
            return _positioned(curve, log, is_mint=event == "mint")
        case "initialize":
            return None
        case _:
            return curve


@lru_cache(maxsize=1)
def _events() -> dict[str, str]:
    return dict(zip(topics(), ("swap", "swap_pancake", "mint", "burn", "initialize"), strict=True))


def _positioned(curve: Concentrated, log: Log, *, is_mint: bool) -> Concentrated | None:
    if len(log.topics) != 4:
        raise WireError(f"a Mint or Burn of {len(log.topics)} topics, not 4")
    lower, upper = (signed(int(place, 16), 24) for place in log.topics[2:])
    # Mint: sender, amount, amount0, amount1; Burn: amount, amount0, amount1
    amount = unsigned(words(log.data, 4)[1] if is_mint else words(log.data, 3)[0], 128)
    if not -TICK_MAX <= lower < upper <= TICK_MAX or lower % curve.ticks.spacing or upper % curve.ticks.spacing:
        raise WireError(f"a position from tick {lower} to {upper} with spacing {curve.ticks.spacing}")
    try:
        return curve.minted(lower, upper, amount) if is_mint else curve.burned(lower, upper, amount)
    except QuoteError:
        return None


def _slot0(answer: bytes | None) -> tuple[int, int]:
    try:
        found = words(required(answer, "slot0()"))
        if len(found) < min(_SLOT0_WORDS):
            raise PoolRefused(f"slot0() answers {len(found)} words: not a layout that is known")
        sqrt_price_x96, tick = unsigned(found[0], 160), signed(found[1], 24)
    except WireError as error:
        raise PoolRefused(f"slot0(): {error}") from error
    if not sqrt_price_x96:
        raise PoolRefused("it has no price: not initialised")
    if len(found) in _SLOT0_WORDS and found[-1] != 1:
        raise PoolRefused("it is locked: no swap is possible")
    if not -TICK_MAX <= tick <= TICK_MAX:
        raise PoolRefused(f"its tick is {tick}")
    return sqrt_price_x96, tick


def _ticks(pool: PoolPlan, spacing: int, places: Sequence[int]) -> Reading[dict[int, tuple[int, int]]]:
    """The initialised ticks in these bitmap words: one stage for the words, one for what they name."""
    if not places:
        return {}
    bitmaps = yield [Call(pool.address, selector("tickBitmap(int16)") + _int(place)) for place in places]
    found = [
        ((place << 8) + bit) * spacing
        for place, answer in zip(places, bitmaps, strict=True)
        for bit in _bits(word(answer, f"tickBitmap({place})"))
    ]
    if not found:
        return {}
    answers = yield [Call(pool.address, selector("ticks(int24)") + _int(tick)) for tick in found]
    return {tick: _tick(tick, answer) for tick, answer in zip(found, answers, strict=True)}


def _tick(tick: int, answer: bytes | None) -> tuple[int, int]:
    """(gross, net): the first two words, which every fork has there."""
    try:
        found = words(required(answer, f"ticks({tick})"))
        gross, net = unsigned(found[0], 128), signed(found[1], 128)
    except (WireError, IndexError) as error:
        raise PoolRefused(f"ticks({tick}): {error}") from error
    if not gross:
        raise PoolRefused(f"its bitmap has tick {tick}, which holds nothing")
    return gross, net


def _proved(curve: Concentrated) -> Concentrated:
    problem = curve.ticks.problem(curve.tick, curve.liquidity)
    if problem:
        raise PoolRefused(f"its ticks do not add up: {problem}")
    return curve


def _word_range(spacing: int) -> tuple[int, int]:
    """The first and last bitmap word that can hold a tick."""
    return (-TICK_MAX // spacing) >> 8, (TICK_MAX // spacing) >> 8


def _low(spacing: int, place: int) -> int:
    return max((place << 8) * spacing, -TICK_MAX)


def _high(spacing: int, place: int) -> int:
    return min(((place << 8) + TICKS_A_WORD - 1) * spacing, TICK_MAX)


def _bits(bitmap: int) -> Iterator[int]:
    while bitmap:
        lowest = bitmap & -bitmap
        yield lowest.bit_length() - 1
        bitmap ^= lowest


def _int(value: int) -> bytes:
    return value.to_bytes(WORD, signed=True)
