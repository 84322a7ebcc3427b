"""Accounts of Raydium, Orca and the token programs, written and read field by field in borsh's way.

The field lists are those of carbon-raydium-clmm-decoder and carbon-orca-whirlpool-decoder 1.0.0 (MIT), in their order,
but for PoolState's `seed_index`, which is padding there. Nothing here knows an offset, so what
`connectors/venues/solana` reads at its offsets is compared with something that came about otherwise. Integers are
little endian, an array is its items, a key is 32 bytes; a field that is not given is zero.
"""

import hashlib
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from connectors.venues.solana import keys
from connectors.venues.solana.account import Account

Values = Mapping[str, Any]

LAYOUTS: Final = {
    "RewardInfo": "reward_state u8, open_time u64, end_time u64, last_update_time u64, emissions_per_second_x64 u128, "
    "reward_total_emitted u64, reward_claimed u64, token_mint Pubkey, token_vault Pubkey, authority Pubkey, "
    "reward_growth_global_x64 u128",
    "DynamicFeeInfo": "filter_period u16, decay_period u16, reduction_factor u16, dynamic_fee_control u32, "
    "max_volatility_accumulator u32, tick_spacing_index_reference i32, volatility_reference u32, "
    "volatility_accumulator u32, last_update_timestamp u64, padding [u8; 46]",
    "PoolState": "bump [u8; 1], amm_config Pubkey, owner Pubkey, token_mint0 Pubkey, token_mint1 Pubkey, "
    "token_vault0 Pubkey, token_vault1 Pubkey, observation_key Pubkey, mint_decimals0 u8, mint_decimals1 u8, "
    "tick_spacing u16, liquidity u128, sqrt_price_x64 u128, tick_current i32, padding3 u16, padding4 u16, "
    "fee_growth_global0_x64 u128, fee_growth_global1_x64 u128, protocol_fees_token0 u64, protocol_fees_token1 u64, "
    "padding5 [u128; 4], status u8, fee_on u8, seed_index [u8; 2], padding [u8; 4], reward_infos [RewardInfo; 3], "
    "tick_array_bitmap [u64; 16], padding6 [u64; 4], fund_fees_token0 u64, fund_fees_token1 u64, open_time u64, "
    "recent_epoch u64, dynamic_fee_info DynamicFeeInfo, padding1 [u64; 14], padding2 [u64; 32]",
    "AmmConfig": "bump u8, index u16, owner Pubkey, protocol_fee_rate u32, trade_fee_rate u32, tick_spacing u16, "
    "fund_fee_rate u32, padding_u32 u32, fund_owner Pubkey, padding [u64; 3]",
    "TickState": "tick i32, liquidity_net i128, liquidity_gross u128, fee_growth_outside0_x64 u128, "
    "fee_growth_outside1_x64 u128, reward_growths_outside_x64 [u128; 3], order_phase u64, orders_amount u64, "
    "part_filled_orders_remaining u64, unfilled_ratio_x64 u128, padding [u32; 3]",
    "TickArrayState": "pool_id Pubkey, start_tick_index i32, ticks [TickState; 60], initialized_tick_count u8, "
    "recent_epoch u64, padding [u8; 107]",
    "TickArrayBitmapExtension": "pool_id Pubkey, positive_tick_array_bitmap [[u64; 8]; 14], "
    "negative_tick_array_bitmap [[u64; 8]; 14]",
    "WhirlpoolRewardInfo": "mint Pubkey, vault Pubkey, extension [u8; 32], emissions_per_second_x64 u128, "
    "growth_global_x64 u128",
    "Whirlpool": "whirlpools_config Pubkey, whirlpool_bump [u8; 1], tick_spacing u16, fee_tier_index_seed [u8; 2], "
    "fee_rate u16, protocol_fee_rate u16, liquidity u128, sqrt_price u128, tick_current_index i32, "
    "protocol_fee_owed_a u64, protocol_fee_owed_b u64, token_mint_a Pubkey, token_vault_a Pubkey, "
    "fee_growth_global_a u128, token_mint_b Pubkey, token_vault_b Pubkey, fee_growth_global_b u128, "
    "reward_last_updated_timestamp u64, reward_infos [WhirlpoolRewardInfo; 3]",
    "Tick": "initialized bool, liquidity_net i128, liquidity_gross u128, fee_growth_outside_a u128, "
    "fee_growth_outside_b u128, reward_growths_outside [u128; 3]",
    "TickArray": "start_tick_index i32, ticks [Tick; 88], whirlpool Pubkey",
    "DynamicTickData": "liquidity_net i128, liquidity_gross u128, fee_growth_outside_a u128, "
    "fee_growth_outside_b u128, reward_growths_outside [u128; 3]",
    "DynamicTick": "initialized ?DynamicTickData",
    "DynamicTickArray": "start_tick_index i32, whirlpool Pubkey, tick_bitmap u128, ticks [DynamicTick; 88]",
    "AdaptiveFeeConstants": "filter_period u16, decay_period u16, reduction_factor u16, "
    "adaptive_fee_control_factor u32, max_volatility_accumulator u32, tick_group_size u16, "
    "major_swap_threshold_ticks u16, reserved [u8; 16]",
    "AdaptiveFeeVariables": "last_reference_update_timestamp u64, last_major_swap_timestamp u64, "
    "volatility_reference u32, tick_group_index_reference i32, volatility_accumulator u32, reserved [u8; 16]",
    "Oracle": "whirlpool Pubkey, trade_enable_timestamp u64, adaptive_fee_constants AdaptiveFeeConstants, "
    "adaptive_fee_variables AdaptiveFeeVariables, reserved [u8; 128]",
}
PROGRAMS: Final = {
    **dict.fromkeys(("PoolState", "AmmConfig", "TickArrayState", "TickArrayBitmapExtension"), keys.RAYDIUM),
    **dict.fromkeys(("Whirlpool", "TickArray", "DynamicTickArray", "Oracle"), keys.ORCA),
}


@cache
def fields(name: str) -> tuple[tuple[str, str], ...]:
    """(field, kind) of a type, in order."""
    found, depth, start = [], 0, 0
    text = LAYOUTS[name] + ","
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            field, _, kind = text[start:at].strip().partition(" ")
            found.append((field, kind))
            start = at + 1
    return tuple(found)


def discriminator(name: str) -> bytes:
    """Anchor's: the start of a hash of the type's name."""
    return hashlib.sha256(f"account:{name}".encode()).digest()[:8]


def account(name: str, values: Values) -> Account:
    """A whole account of that type, owned by its program."""
    return Account(PROGRAMS[name], discriminator(name) + written(name, values))


def written(kind: str, value: Any) -> bytes:
    """The bytes of a value of that kind; None is zero."""
    if value is None:
        return _zero(kind)
    if kind in LAYOUTS:
        assert not value.keys() - {field for field, _ in fields(kind)}, (kind, value)
        return b"".join(written(each, value.get(field)) for field, each in fields(kind))
    if kind.startswith("["):
        each, count = _array(kind)
        assert len(value) <= count, (kind, value)
        return b"".join(written(each, item) for item in value) + _zero(each) * (count - len(value))
    if kind.startswith("?"):
        return b"\1" + written(kind[1:], value)
    if kind == "Pubkey":
        return keys.bytes_of(value)
    if kind == "bool":
        return bytes([value])
    return int(value).to_bytes(int(kind[1:]) // 8, "little", signed=kind[0] == "i")


@cache
def _zero(kind: str) -> bytes:
    if kind in LAYOUTS:
        return b"".join(_zero(each) for _, each in fields(kind))
    if kind.startswith("["):
        each, count = _array(kind)
        return _zero(each) * count
    return bytes({"Pubkey": 32, "bool": 1}.get(kind) or (1 if kind.startswith("?") else int(kind[1:]) // 8))


def read(name: str, data: bytes) -> dict[str, Any]:
    """What the account's bytes say, behind the discriminator; what is left over is let be."""
    value, _ = _read(name, data, 8)
    assert isinstance(value, dict)
    return value


def _read(kind: str, data: bytes, at: int) -> tuple[Any, int]:
    zero = _zero(kind)
    if len(zero) > 1 and data[at : at + len(zero)] == zero:
        return _nothing(kind), at + len(zero)
    if kind in LAYOUTS:
        found = {}
        for field, each in fields(kind):
            found[field], at = _read(each, data, at)
        return found, at
    if kind.startswith("["):
        each, count = _array(kind)
        items = []
        for _ in range(count):
            item, at = _read(each, data, at)
            items.append(item)
        return items, at
    if kind.startswith("?"):
        assert data[at] in (0, 1)
        return _read(kind[1:], data, at + 1) if data[at] else (None, at + 1)
    size = {"Pubkey": 32, "bool": 1}.get(kind) or int(kind[1:]) // 8
    raw = data[at : at + size]
    assert len(raw) == size
    if kind == "Pubkey":
        return keys.text_of(raw), at + size
    return int.from_bytes(raw, "little", signed=kind[0] == "i"), at + size


@cache
def _nothing(kind: str) -> Any:
    if kind in LAYOUTS:
        return {field: _nothing(each) for field, each in fields(kind)}
    if kind.startswith("["):
        each, count = _array(kind)
        return [_nothing(each)] * count
    return None if kind.startswith("?") else keys.SYSTEM if kind == "Pubkey" else 0


@cache
def _array(kind: str) -> tuple[str, int]:
    each, _, count = kind[1:-1].rpartition("; ")
    return each, int(count)


def clock(slot: int, unix_timestamp: int, epoch: int = 900) -> Account:
    """The Clock sysvar."""
    numbers = (("u64", slot), ("i64", 0), ("u64", epoch), ("u64", epoch + 1), ("i64", unix_timestamp))
    return Account(keys.SYSVAR, b"".join(written(kind, number) for kind, number in numbers))


def mint(decimals: int, extensions: Mapping[int, bytes] | None = None, *, is_2022: bool = False) -> Account:
    """A mint with an authority and no freezer; with extensions, or asked so, of Token-2022."""
    base = written("u32", 1) + b"\7" * 32 + written("u64", 10**15) + bytes([decimals, 1]) + bytes(36)
    if extensions is None:
        return Account(keys.TOKEN_2022 if is_2022 else keys.TOKEN, base)
    entries = [written("u16", number) + written("u16", len(value)) + value for number, value in extensions.items()]
    return Account(keys.TOKEN_2022, base.ljust(165, b"\0") + b"\1" + b"".join(entries))


def transfer_fee(*fees: tuple[int, int, int]) -> bytes:
    """Extension 1 with its older and its newer fee, each (epoch, most, bps)."""
    terms = [written("u64", epoch) + written("u64", most) + written("u16", bps) for epoch, most, bps in fees]
    return bytes(64) + written("u64", 0) + b"".join(terms)


def interest(before: int, since: int) -> bytes:
    """Extension 10 with its average rate until the last update and its rate since, in bps."""
    terms = (("i64", 1_700_000_000), ("i16", before), ("i64", 1_750_000_000), ("i16", since))
    return b"\5" * 32 + b"".join(written(kind, number) for kind, number in terms)


def scaled(now: float, to_come: float) -> bytes:
    """Extension 25 with its multiplier and the one that follows."""
    return b"\5" * 32 + struct.pack("<d", now) + written("i64", 1_750_000_000) + struct.pack("<d", to_come)
