"""The tick tables of Solana's concentrated pools: √(1.0001^tick) in X64 and back, bit for bit each program's own.

Both multiply the factors of the bits of |tick|, lowest first, and cut after each; they differ in how many places they
carry and in how they come to a tick above 0, so their tables differ, from each other and from Uniswap's. Sources:
`tick_math.rs` of crate solana-clmm-raydium 0.2.0 (MIT or Apache-2.0), `math/tick.rs` of crate orca_whirlpools_core
1.0.3 (Apache-2.0).

Both find a price's tick by a logarithm that is right within one and let the table decide between two: that is the
greatest tick whose price is not above it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from connectors.amm.curve import QuoteError

MIN_TICK: Final = -443636
MAX_TICK: Final = 443636

# 2^64 / √(1.0001^(2^b)), as Raydium rounds it
_RAYDIUM: Final = (
    0xFFFCB933BD6FB800,
    0xFFF97272373D4000,
    0xFFF2E50F5F657000,
    0xFFE5CACA7E10F000,
    0xFFCB9843D60F7000,
    0xFF973B41FA98E800,
    0xFF2EA16466C9B000,
    0xFE5DEE046A9A3800,
    0xFCBE86C7900BB000,
    0xF987A7253AC65800,
    0xF3392B0822BB6000,
    0xE7159475A2CAF000,
    0xD097F3BDFD2F2000,
    0xA9F746462D9F8000,
    0x70D869A156F31C00,
    0x31BE135F97ED3200,
    0x9AA508B5B85A500,
    0x5D6AF8DEDC582C,
    0x2216E584F5FA,
)
# the same as Orca rounds it, for ticks below 0
_ORCA_BELOW: Final = (
    18445821805675392311,
    18444899583751176498,
    18443055278223354162,
    18439367220385604838,
    18431993317065449817,
    18417254355718160513,
    18387811781193591352,
    18329067761203520168,
    18212142134806087854,
    17980523815641551639,
    17526086738831147013,
    16651378430235024244,
    15030750278693429944,
    12247334978882834399,
    8131365268884726200,
    3584323654723342297,
    696457651847595233,
    26294789957452057,
    37481735321082,
)
# 2^96 · √(1.0001^(2^b)), for ticks above 0
_ORCA_ABOVE: Final = (
    79232123823359799118286999567,
    79236085330515764027303304731,
    79244008939048815603706035061,
    79259858533276714757314932305,
    79291567232598584799939703904,
    79355022692464371645785046466,
    79482085999252804386437311141,
    79736823300114093921829183326,
    80248749790819932309965073892,
    81282483887344747381513967011,
    83390072131320151908154831281,
    87770609709833776024991924138,
    97234110755111693312479820773,
    119332217159966728226237229890,
    179736315981702064433883588727,
    407748233172238350107850275304,
    2098478828474011932436660412517,
    55581415166113811149459800483533,
    38992368544603139932233054999993551,
)
# ticks per doubling of the square root, ln 2 / ln √1.0001, in 1/2^16
_TICKS_PER_BIT: Final = 908567298
_LOG_BITS: Final = 14


class TickTable:
    """One program's table. `min_sqrt`, `max_sqrt`: the prices of the outermost ticks.

    `sqrt_at(tick)`: the square root of token 1 (b) per token 0 (a), X64. Raises QuoteError beyond ±443636.
    """

    __slots__ = ("max_sqrt", "min_sqrt", "sqrt_at")

    def __init__(self, sqrt_at: Callable[[int], int]) -> None:
        self.sqrt_at = lru_cache(maxsize=1 << 16)(sqrt_at)
        self.min_sqrt = self.sqrt_at(MIN_TICK)
        self.max_sqrt = self.sqrt_at(MAX_TICK)

    def tick_at(self, sqrt_price: int) -> int:
        """The greatest tick whose price is not above `sqrt_price`. Raises QuoteError outside [min, max]."""
        if not self.min_sqrt <= sqrt_price <= self.max_sqrt:
            raise QuoteError(f"square root price {sqrt_price} is outside the pool's range")
        length = sqrt_price.bit_length()
        log, mantissa = length - 65, sqrt_price << 96 >> length
        for _ in range(_LOG_BITS):  # mantissa in [½, 1) of 2^96: squared, it gives the logarithm's next bit
            mantissa = mantissa * mantissa >> 95
            bit = mantissa >> 96
            mantissa >>= bit
            log = log << 1 | bit
        tick = max(MIN_TICK, min(MAX_TICK, log * _TICKS_PER_BIT >> 16 + _LOG_BITS))
        while self.sqrt_at(tick) > sqrt_price:
            tick -= 1
        while tick < MAX_TICK and self.sqrt_at(tick + 1) <= sqrt_price:
            tick += 1
        return tick


def _ratio(tick: int, factors: tuple[int, ...], bits: int) -> int:
    """The product of the factors of the bits of |tick|, cut to `bits` places after each."""
    if not MIN_TICK <= tick <= MAX_TICK:
        raise QuoteError(f"tick {tick} is outside the pool's range of ±{MAX_TICK}")
    ratio, left = 1 << bits, abs(tick)
    for factor in factors:
        if left & 1:
            ratio = ratio * factor >> bits
        left >>= 1
    return ratio


def _raydium(tick: int) -> int:
    ratio = _ratio(tick, _RAYDIUM, 64)
    return ((1 << 128) - 1) // ratio if tick > 0 else ratio


def _orca(tick: int) -> int:
    return _ratio(tick, _ORCA_ABOVE, 96) >> 32 if tick > 0 else _ratio(tick, _ORCA_BELOW, 64)


RAYDIUM: Final = TickTable(_raydium)
ORCA: Final = TickTable(_orca)
