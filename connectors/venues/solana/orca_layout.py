"""Orca's Whirlpool and Oracle, byte for byte.

Offsets include Anchor's eight bytes. Sources: the IDL in @orca-so/whirlpools-sdk 0.13.12 (Apache-2.0) and
carbon-orca-whirlpool-decoder 1.0.0 (MIT).
"""

from struct import Struct
from typing import Final

import msgspec

from connectors.venues.solana.account import Account, body
from connectors.venues.solana.keys import ORCA, text_of

POOL: Final = bytes.fromhex("3f95d10ce1806309")
ORACLE: Final = bytes.fromhex("8bc283b38cb3e5f4")
POOL_LENGTH: Final = 653
ORACLE_LENGTH: Final = 254
_POOL: Final = Struct("<8x32sBHHHHQQQQiQQ32s32s16x32s32s")
_ORACLE: Final = Struct("<8x32sQHHHIIHH16xQQIiI")


class WhirlpoolState(msgspec.Struct, frozen=True):
    """`fee_tier_index` differs from `spacing` where the fee is adaptive. `fee_ppm` is then its static part."""

    config: str
    spacing: int
    fee_tier_index: int
    fee_ppm: int
    protocol_fee: int
    liquidity: int
    sqrt_price_x64: int
    tick: int
    mints: tuple[str, str]
    vaults: tuple[str, str]


class Oracle(msgspec.Struct, frozen=True):
    """An adaptive fee: when trading starts, its constants, its variables. Times in s, on the cluster's clock."""

    pool: str
    trade_enable_time: int
    filter_period: int
    decay_period: int
    reduction_factor: int
    control: int
    max_accumulator: int
    tick_group_size: int
    major_swap_ticks: int
    last_reference_update: int
    last_major_swap: int
    reference: int
    tick_group_reference: int
    accumulator: int


def pool_of(account: Account) -> WhirlpoolState:
    """Raises PoolRefused for another account."""
    data = body(account, ORCA, POOL, range(POOL_LENGTH, POOL_LENGTH + 1), "Whirlpool")
    config, _, spacing, index, fee, protocol, low, high, sqrt_low, sqrt_high, tick, _, _, *keys = _POOL.unpack_from(
        data
    )
    mint_a, vault_a, mint_b, vault_b = map(text_of, keys)
    return WhirlpoolState(
        config=text_of(config),
        spacing=spacing,
        fee_tier_index=index,
        fee_ppm=fee,
        protocol_fee=protocol,
        liquidity=low | high << 64,
        sqrt_price_x64=sqrt_low | sqrt_high << 64,
        tick=tick,
        mints=(mint_a, mint_b),
        vaults=(vault_a, vault_b),
    )


def oracle_of(account: Account) -> Oracle:
    """Raises PoolRefused for another account."""
    data = body(account, ORCA, ORACLE, range(ORACLE_LENGTH, ORACLE_LENGTH + 1), "Oracle")
    pool, *fields = _ORACLE.unpack_from(data)
    return Oracle(text_of(pool), *fields)
