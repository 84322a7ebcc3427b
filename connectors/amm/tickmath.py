"""Uniswap V3's own table of ticks: √(1.0001^tick) in X96, and back, bit for bit as the pool has it.

Source: the whitepaper ("Uniswap v3 Core", §6.1) for what is computed; `TickMath` of @uniswap/v3-sdk (MIT) for the
twenty factors and where they are rounded. Factor b is 2^128 / √(1.0001^(2^b)), rounded; the table multiplies those of
the bits of |tick|, lowest first, cuts to 128 bits after each, turns the ratio over for a tick above 0 and rounds up to
X96.
"""

from functools import lru_cache
from typing import Final

from connectors.amm.curve import QuoteError

MIN_TICK: Final = -887272
MAX_TICK: Final = 887272
MIN_SQRT: Final = 4295128739
MAX_SQRT: Final = 1461446703485210103287273052203988822378723970342

_FACTORS: Final = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
_ONE: Final = 1 << 128
# ticks per doubling of the square root, ln 2 / ln √1.0001, in 1/2^16
_TICKS_PER_BIT: Final = 908567298
_LOG_BITS: Final = 14


@lru_cache(maxsize=1 << 16)
def sqrt_at(tick: int) -> int:
    """The square root of token1 per token0 at `tick`, X96. Raises QuoteError beyond ±887272."""
    if not MIN_TICK <= tick <= MAX_TICK:
        raise QuoteError(f"tick {tick} is outside the pool's range of ±{MAX_TICK}")
    ratio, bits = _ONE, abs(tick)
    for factor in _FACTORS:
        if bits & 1:
            ratio = ratio * factor >> 128
        bits >>= 1
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return -(-ratio >> 32)


def tick_at(sqrt_price: int) -> int:
    """The greatest tick whose square root price is not above `sqrt_price`. Raises QuoteError outside [MIN, MAX).

    A binary logarithm of fourteen places is right within one tick; the table itself decides.
    """
    if not MIN_SQRT <= sqrt_price < MAX_SQRT:
        raise QuoteError(f"square root price {sqrt_price} is outside the pool's range")
    length = sqrt_price.bit_length()
    log, mantissa = length - 97, sqrt_price << 128 >> length
    for _ in range(_LOG_BITS):  # mantissa in [½, 1) of 2^128: squared, it gives the logarithm's next bit
        mantissa = mantissa * mantissa >> 127
        bit = mantissa >> 128
        mantissa >>= bit
        log = log << 1 | bit
    tick = max(MIN_TICK, min(MAX_TICK, log * _TICKS_PER_BIT >> 16 + _LOG_BITS))
    while sqrt_at(tick) > sqrt_price:
        tick -= 1
    while sqrt_at(tick + 1) <= sqrt_price:
        tick += 1
    return tick
