"""Raydium's concentrated pools: PoolState and AmmConfig, byte for byte.

Offsets include Anchor's eight bytes. Sources: the program's IDL of 2026 as in carbon-raydium-clmm-decoder 1.0.0 (MIT),
whose comments explain `status`, `fee_on` and the bitmap; for `seed_index`, which came with permissioned pools, the
program itself (raydium-io/raydium-clmm, Apache-2.0). What is padding there must be zero: a byte that is set is a field
that this file does not know.
"""

from struct import Struct
from typing import Final

import msgspec

from connectors.amm.raydium_fee import Volatility
from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account, body
from connectors.venues.solana.keys import RAYDIUM, text_of

POOL: Final = bytes.fromhex("f7ede3f5d7c3de46")
CONFIG: Final = bytes.fromhex("daf42168cbcb2b6f")
POOL_LENGTH: Final = 1544
CONFIG_LENGTH: Final = 117
MILLION: Final = 10**6
FEE_SIDES: Final = 3  # from the input, from token 0, from token 1
STATUS_SWAP: Final = 1 << 4
_STATUS_KNOWN: Final = (
    0x3F  # what each bit switches off: open, decrease, collect fee, collect reward, swap, limit order
)

_KEYS: Final = Struct("<9x32s32x32s32s32s32s32x")  # bump, config, owner, mints, vaults, observation
_CURVE: Final = Struct("<BBHQQQQi")  # decimals, spacing, liquidity, √P, tick
_CURVE_AT: Final = 233
_FLAGS: Final = Struct("<BBH")  # status, fee_on, seed_index
_STATUS_AT: Final = 389
_PADDING_AT: Final = 393, 397
_BITMAP_AT: Final = 904, 1032
_TIMES: Final = Struct("<QQ")  # open_time, recent_epoch
_TIMES_AT: Final = 1080
_DYNAMIC: Final = Struct("<HHHIIiIIQ")
_DYNAMIC_AT: Final = 1096
_CONFIG: Final = Struct("<BH32xIIHI")  # bump, index, owner, protocol fee, trade fee, spacing, fund fee


class PoolState(msgspec.Struct, frozen=True):
    """`bitmap`: 1024 bits, bit 512 is the array from tick 0 on. `volatility`: None where no byte of it is set.

    `seed_index`: 0, or which of the permissioned pools of its tokens it is.
    """

    config: str
    mints: tuple[str, str]
    vaults: tuple[str, str]
    decimals: tuple[int, int]
    spacing: int
    liquidity: int
    sqrt_price_x64: int
    tick: int
    status: int
    fee_on: int
    seed_index: int
    bitmap: int
    open_time: int
    recent_epoch: int
    volatility: Volatility | None


class AmmConfig(msgspec.Struct, frozen=True):
    """Fees of all pools of one tier, `trade_fee` in ppm; the other two are parts per million of that."""

    index: int
    protocol_fee: int
    trade_fee: int
    spacing: int
    fund_fee: int


def pool_of(account: Account) -> PoolState:
    """Raises PoolRefused for another account, an unknown flag or a field where none was known."""
    data = body(account, RAYDIUM, POOL, range(POOL_LENGTH, POOL_LENGTH + 1), "Raydium pool")
    config, mint0, mint1, vault0, vault1 = (text_of(key) for key in _KEYS.unpack_from(data))
    decimals0, decimals1, spacing, low, high, sqrt_low, sqrt_high, tick = _CURVE.unpack_from(data, _CURVE_AT)
    status, fee_on, seed_index = _FLAGS.unpack_from(data, _STATUS_AT)
    if status & ~_STATUS_KNOWN:
        raise PoolRefused(f"its status is {status:#x}: a switch that is not known here")
    if fee_on >= FEE_SIDES:
        raise PoolRefused(f"its fee is taken from side {fee_on}: not one that is known here")
    dynamic = _DYNAMIC.unpack_from(data, _DYNAMIC_AT)
    if any(data[_PADDING_AT[0] : _PADDING_AT[1]]) or any(data[_DYNAMIC_AT + _DYNAMIC.size :]):
        raise PoolRefused("its pool has bytes set where no field is known: a layout newer than this one")
    open_time, recent_epoch = _TIMES.unpack_from(data, _TIMES_AT)
    return PoolState(
        config=config,
        mints=(mint0, mint1),
        vaults=(vault0, vault1),
        decimals=(decimals0, decimals1),
        spacing=spacing,
        liquidity=low | high << 64,
        sqrt_price_x64=sqrt_low | sqrt_high << 64,
        tick=tick,
        status=status,
        fee_on=fee_on,
        seed_index=seed_index,
        bitmap=int.from_bytes(data[_BITMAP_AT[0] : _BITMAP_AT[1]], "little"),
        open_time=open_time,
        recent_epoch=recent_epoch,
        volatility=Volatility(*dynamic) if any(dynamic) else None,
    )


def config_of(account: Account) -> AmmConfig:
    """Raises PoolRefused for another account, or a fee that leaves nothing."""
    data = body(account, RAYDIUM, CONFIG, range(CONFIG_LENGTH, CONFIG_LENGTH + 1), "AmmConfig")
    _, index, protocol_fee, trade_fee, spacing, fund_fee = _CONFIG.unpack_from(data, 8)
    if trade_fee >= MILLION:
        raise PoolRefused(f"its AmmConfig says a fee of {trade_fee} ppm")
    return AmmConfig(index, protocol_fee, trade_fee, spacing, fund_fee)
