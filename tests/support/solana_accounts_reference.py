"""What a pool's accounts say, read the slow way: borsh field by field, one tick array after another.

Shares nothing with `connectors/venues/solana` but the derivation of keys. Knows no refusals: it is asked about accounts
that were taken for good.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from connectors.amm.whirlpool import Whirlpool
from connectors.venues.solana import keys
from connectors.venues.solana.account import Account, Accounts
from tests.support.solana_accounts import discriminator, read

OUTERMOST = 443_636
Said = dict[str, Any]


class Facts(NamedTuple):
    """All that a curve is made of."""

    sqrt_price: int
    tick: int
    liquidity: int
    fee_ppm: int
    spacing: int
    ticks: dict[int, tuple[int, int, int, int]]  # net, gross, orders, part filled
    low: int
    high: int
    fee_on: int = 0
    volatility: tuple[int, ...] | None = None
    now_s: int = 0


def shown(curve: Any) -> Facts:
    """The same of a curve that was made: a Raydium or a Whirlpool."""
    ticks = {at: (each.net, each.gross, each.orders, each.part_filled) for at, each in curve.ticks.entries().items()}
    known = curve.ticks
    first = (
        curve.sqrt_price_x64,
        curve.tick,
        curve.liquidity,
        curve.fee_ppm,
        known.spacing,
        ticks,
        known.low,
        known.high,
    )
    if isinstance(curve, Whirlpool):
        return Facts(*first)
    moving = curve.volatility
    fields = tuple(getattr(moving, name) for name in moving.__struct_fields__) if moving else None
    return Facts(*first, curve.fee_on, fields, curve.now_s)


def raydium_facts(address: str, accounts: Accounts) -> Facts:
    """A Raydium pool's."""
    pool = _read("PoolState", accounts[address])
    config = _read("AmmConfig", accounts[pool["amm_config"]])
    clock = accounts[keys.CLOCK]
    assert clock is not None
    index = pool["seed_index"][0] | pool["seed_index"][1] << 8
    assert keys.raydium_pool(pool["amm_config"], pool["token_mint0"], pool["token_mint1"], index) == address
    size = 60 * pool["tick_spacing"]
    extension = accounts.get(keys.raydium_extension(address))
    rows = _read("TickArrayBitmapExtension", extension) if extension and extension.data else None

    def is_set(start: int) -> bool | None:
        number = start // size
        if -512 <= number < 512:
            return bool(pool["tick_array_bitmap"][(number + 512) // 64] >> (number + 512) % 64 & 1)
        if rows is None:
            return None
        side = rows["negative_tick_array_bitmap" if start < 0 else "positive_tick_array_bitmap"]
        row = abs(start) // (512 * size) - 1 - (start < 0 and abs(start) % (512 * size) == 0)
        offset = abs(start) % (512 * size) // size
        offset = (512 - offset) % 512 if start < 0 else offset
        return bool(side[row][offset // 64] >> offset % 64 & 1)

    ticks: dict[int, tuple[int, int, int, int]] = {}
    here = pool["tick_current"] // size * size
    ends = []
    for start, step in ((here, -size), (here + size, size)):
        end = OUTERMOST
        while -OUTERMOST - size < start <= OUTERMOST:
            has = is_set(start)
            key = keys.raydium_tick_array(address, start) if has else ""
            if has is None or (has and key not in accounts):
                end = start - 1 if step > 0 else -start - size
                break
            if has:
                ticks |= _raydium_ticks(accounts[key])
            start += step  # noqa: PLW2901 - it walks
        ends.append(end)
    low, high = _snapped(-ends[0], ends[1], pool["tick_spacing"])
    dynamic = tuple(value for name, value in pool["dynamic_fee_info"].items() if name != "padding")
    now_s = int.from_bytes(clock.data[32:40], "little", signed=True)
    return Facts(pool["sqrt_price_x64"], pool["tick_current"], pool["liquidity"], config["trade_fee_rate"],
                 pool["tick_spacing"], dict(sorted(ticks.items())), low, high, pool["fee_on"],
                 dynamic if any(dynamic) else None, now_s)  # fmt: skip


def orca_facts(address: str, accounts: Accounts) -> Facts:
    """An Orca pool's."""
    pool = _read("Whirlpool", accounts[address])
    spacing, tick = pool["tick_spacing"], pool["tick_current_index"]
    tier = pool["fee_tier_index_seed"][0] | pool["fee_tier_index_seed"][1] << 8
    assert keys.orca_pool(pool["whirlpools_config"], pool["token_mint_a"], pool["token_mint_b"], tier) == address
    size = 88 * spacing
    here = tick // size * size
    ticks: dict[int, tuple[int, int, int, int]] = {}
    low, high = tick + 1, here + size - 1
    for start in (here, here - size, here - 2 * size):
        key = keys.orca_tick_array(address, start)
        if start + size <= -OUTERMOST or key not in accounts:
            break
        ticks |= _orca_ticks(accounts[key], spacing)
        low = start
    for start in range(here + size, ((tick + spacing) // size + 3) * size, size):
        key = keys.orca_tick_array(address, start)
        if start > OUTERMOST or key not in accounts:
            break
        ticks |= _orca_ticks(accounts[key], spacing)
        high = start + size - 1
    low, high = _snapped(max(low, -OUTERMOST), min(high, OUTERMOST), spacing)
    return Facts(pool["sqrt_price"], tick, pool["liquidity"], pool["fee_rate"], spacing, dict(sorted(ticks.items())),
                 low, high)  # fmt: skip


def _snapped(low: int, high: int, spacing: int) -> tuple[int, int]:
    """A range with every multiple of the spacing on a side goes to the end."""
    last = OUTERMOST // spacing * spacing
    return -OUTERMOST if low <= -last else low, OUTERMOST if high >= last else high


@lru_cache(maxsize=512)
def _read(name: str, found: Account | None) -> Said:
    assert found is not None
    assert found.data[:8] == discriminator(name)
    return read(name, found.data)


@lru_cache(maxsize=512)
def _raydium_ticks(found: Account | None) -> dict[int, tuple[int, int, int, int]]:
    part = "part_filled_orders_remaining"
    return {
        each["tick"]: (each["liquidity_net"], each["liquidity_gross"], each["orders_amount"], each[part])
        for each in _read("TickArrayState", found)["ticks"]
        if each["liquidity_gross"] or each["orders_amount"] or each[part]
    }


@lru_cache(maxsize=512)
def _orca_ticks(found: Account | None, spacing: int) -> dict[int, tuple[int, int, int, int]]:
    if found is None or not found.data:
        return {}
    is_dynamic = found.data[:8] == discriminator("DynamicTickArray")
    said = _read("DynamicTickArray" if is_dynamic else "TickArray", found)
    entries = [each["initialized"] for each in said["ticks"]] if is_dynamic else said["ticks"]
    return {
        said["start_tick_index"] + at * spacing: (each["liquidity_net"], each["liquidity_gross"], 0, 0)
        for at, each in enumerate(entries)
        if each and (is_dynamic or each["initialized"])
    }
