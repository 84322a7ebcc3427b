"""Pools made of positions and orders, with every account that such a pool has on chain.

What is on a tick follows from the positions, as in the programs: so liquidity and nets agree, and a test that changes
one byte knows that it was the byte.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.amm.tickmath64 import MAX_TICK, ORCA, RAYDIUM, TickTable
from connectors.chain import PoolPlan
from connectors.venues.solana import keys, pools
from connectors.venues.solana.account import Account
from tests.support.solana_accounts import account, clock, mint

NOW: Final = 1_777_777_777
SLOT: Final = 415_822_042
Position = tuple[int, int, int]  # lower, upper, liquidity
World = dict[str, Account | None]
RAYDIUM_SPACINGS: Final = (1, 10, 60, 120)
ORCA_SPACINGS: Final = (1, 8, 64, 128, 32896)


def key(seed: int | str) -> str:
    """Some key, always the same for a seed."""
    return keys.text_of(random.Random(str(seed)).randbytes(32))


def sorted_keys(seed: int | str) -> tuple[str, str]:
    """Two mints in the order of their bytes."""
    first, second = sorted((key(f"{seed}a"), key(f"{seed}b")), key=keys.bytes_of)
    return first, second


@dataclass
class Pool:
    """A pool of positions. `tick` and `price` may be any that belong together."""

    spacing: int
    tick: int
    price: int
    positions: list[Position]
    seed: int = 0
    decimals: tuple[int, int] = (9, 6)
    fee_ppm: int = 400

    @property
    def liquidity(self) -> int:
        return sum(amount for lower, upper, amount in self.positions if lower <= self.tick < upper)

    @property
    def ticks(self) -> dict[int, tuple[int, int]]:
        """tick → (net, gross)."""
        found: dict[int, tuple[int, int]] = {}
        for lower, upper, amount in self.positions:
            for tick, change in ((lower, amount), (upper, -amount)):
                net, gross = found.get(tick, (0, 0))
                found[tick] = net + change, gross + amount
        return {tick: entry for tick, entry in sorted(found.items()) if entry[1]}

    @property
    def mints(self) -> tuple[str, str]:
        return sorted_keys(self.seed)

    def commons(self) -> World:
        return {
            keys.CLOCK: clock(SLOT, NOW),
            **{each: mint(count) for each, count in zip(self.mints, self.decimals, strict=True)},
        }


@dataclass
class RaydiumPool(Pool):
    """`orders`: tick → (whole, part filled). `dynamic`: fields of DynamicFeeInfo. `seed_index`: 0 or of a permissioned
    pool."""

    orders: dict[int, tuple[int, int]] = field(default_factory=dict)
    dynamic: Mapping[str, int] = field(default_factory=dict)
    fee_on: int = 0
    status: int = 0
    open_time: int = NOW - 1000
    seed_index: int = 0
    config_index: int = 4

    @property
    def config(self) -> str:
        return keys.raydium_config(self.config_index)

    @property
    def address(self) -> str:
        return keys.raydium_pool(self.config, *self.mints, self.seed_index)

    def numbers(self) -> list[int]:
        """Of the arrays that hold ticks."""
        return sorted({tick // (60 * self.spacing) for tick in (*self.ticks, *self.orders)})

    def accounts(self) -> World:
        address = self.address
        fees = {"index": self.config_index, "trade_fee_rate": self.fee_ppm, "protocol_fee_rate": 120_000,
                "fund_fee_rate": 40_000, "tick_spacing": self.spacing}  # fmt: skip
        world = {address: account("PoolState", self.state()), self.config: account("AmmConfig", fees)}
        extension = self.extension()
        if extension or self.spacing < 15:
            world[keys.raydium_extension(address)] = account(
                "TickArrayBitmapExtension", {"pool_id": address, **extension}
            )
        for number in self.numbers():
            start = number * 60 * self.spacing
            world[keys.raydium_tick_array(address, start)] = account("TickArrayState", self.array(start))
        return world | self.commons()

    def state(self) -> dict[str, Any]:
        bits = sum(1 << number + 512 for number in self.numbers() if -512 <= number < 512)
        return {
            "bump": [254], "amm_config": self.config, "owner": key("owner"), "token_mint0": self.mints[0],
            "token_mint1": self.mints[1], "token_vault0": key(f"{self.seed}v0"), "token_vault1": key(f"{self.seed}v1"),
            "observation_key": key("observation"), "mint_decimals0": self.decimals[0],
            "mint_decimals1": self.decimals[1], "tick_spacing": self.spacing, "liquidity": self.liquidity,
            "sqrt_price_x64": self.price, "tick_current": self.tick, "padding3": 7, "padding4": 15,
            "fee_growth_global0_x64": 1 << 70, "status": self.status, "fee_on": self.fee_on, "padding5": [1, 2, 3, 4],
            "seed_index": list(self.seed_index.to_bytes(2, "little")),
            "reward_infos": [{"reward_state": 2, "token_mint": key("reward"), "emissions_per_second_x64": 1 << 65}],
            "tick_array_bitmap": [bits >> 64 * at & (1 << 64) - 1 for at in range(16)], "padding6": [5, 6, 7, 8],
            "fund_fees_token0": 99, "open_time": self.open_time, "recent_epoch": 900, "dynamic_fee_info": self.dynamic,
        }  # fmt: skip

    def extension(self) -> dict[str, Any]:
        """By the program's own formulas, whose rows and offsets are of starts, not of numbers."""
        rows = {side: [[0] * 8 for _ in range(14)] for side in ("positive", "negative")}
        size, is_used = 60 * self.spacing, False
        for start in (number * size for number in self.numbers() if not -512 <= number < 512):
            row = abs(start) // (512 * size) - 1
            offset = abs(start) % (512 * size) // size
            if start < 0:
                row -= abs(start) % (512 * size) == 0
                offset = 512 - offset if offset else 0
            rows["negative" if start < 0 else "positive"][row][offset // 64] |= 1 << offset % 64
            is_used = True
        return {f"{side}_tick_array_bitmap": words for side, words in rows.items()} if is_used else {}

    def array(self, start: int) -> dict[str, Any]:
        known, states, count = self.ticks, [], 0
        for tick in range(start, start + 60 * self.spacing, self.spacing):
            net, gross = known.get(tick, (0, 0))
            whole, part = self.orders.get(tick, (0, 0))
            count += bool(gross or whole or part)
            states.append({"tick": tick, "liquidity_net": net, "liquidity_gross": gross, "orders_amount": whole,
                           "part_filled_orders_remaining": part, "order_phase": 3, "fee_growth_outside0_x64": tick**2,
                           "unfilled_ratio_x64": 1 << 63})  # fmt: skip
        return {"pool_id": self.address, "start_tick_index": start, "ticks": states, "initialized_tick_count": count,
                "recent_epoch": 800}  # fmt: skip


@dataclass
class OrcaPool(Pool):
    """Its arrays are dynamic where their number is odd. `index`: of the fee tier; −1 is that of a static fee."""

    index: int = -1
    with_oracle: bool = False

    @property
    def tier(self) -> int:
        return self.spacing if self.index < 0 else self.index

    @property
    def address(self) -> str:
        return keys.orca_pool(key("orca config"), *self.mints, self.tier)

    def accounts(self) -> World:
        address = self.address
        world: World = {address: account("Whirlpool", self.state())}
        if self.with_oracle:
            constants = {"filter_period": 30, "decay_period": 600, "adaptive_fee_control_factor": 60_000}
            world[keys.orca_oracle(address)] = account(
                "Oracle", {"whirlpool": address, "adaptive_fee_constants": constants}
            )
        for number in sorted({tick // (88 * self.spacing) for tick in self.ticks}):
            start = number * 88 * self.spacing
            kind = "DynamicTickArray" if number % 2 else "TickArray"
            world[keys.orca_tick_array(address, start)] = account(kind, self.array(start, is_dynamic=bool(number % 2)))
        return world | self.commons()

    def state(self) -> dict[str, Any]:
        return {
            "whirlpools_config": key("orca config"), "whirlpool_bump": [255], "tick_spacing": self.spacing,
            "fee_tier_index_seed": list(self.tier.to_bytes(2, "little")), "fee_rate": self.fee_ppm,
            "protocol_fee_rate": 1300, "liquidity": self.liquidity, "sqrt_price": self.price,
            "tick_current_index": self.tick, "protocol_fee_owed_a": 11, "protocol_fee_owed_b": 12,
            "token_mint_a": self.mints[0], "token_vault_a": key(f"{self.seed}va"), "fee_growth_global_a": 1 << 80,
            "token_mint_b": self.mints[1], "token_vault_b": key(f"{self.seed}vb"), "fee_growth_global_b": 1 << 81,
            "reward_last_updated_timestamp": NOW, "reward_infos": [{"mint": key("reward"), "growth_global_x64": 5}],
        }  # fmt: skip

    def array(self, start: int, *, is_dynamic: bool) -> dict[str, Any]:
        known = self.ticks
        states: list[dict[str, int] | None] = []
        for tick in range(start, start + 88 * self.spacing, self.spacing):
            if tick not in known:
                states.append(None)
                continue
            net, gross = known[tick]
            states.append({"liquidity_net": net, "liquidity_gross": gross, "fee_growth_outside_a": tick**2})
        if is_dynamic:
            bitmap = sum(1 << at for at, state in enumerate(states) if state)
            return {"start_tick_index": start, "whirlpool": self.address, "tick_bitmap": bitmap,
                    "ticks": [{"initialized": state} for state in states]}  # fmt: skip
        fixed = [state and {"initialized": True, **state} for state in states]
        return {"start_tick_index": start, "whirlpool": self.address, "ticks": fixed}


def whole(pool: RaydiumPool | OrcaPool) -> tuple[PoolPlan, World]:
    """The plan that the accounts make, and all that `wanted` asks for: None for what does not exist."""
    there = pool.accounts()
    world: World = {}
    asked = pools.wanted(pool.address, world)
    while set(asked) - world.keys():
        world |= {each: there.get(each) for each in asked}
        asked = pools.wanted(pool.address, world)
    return pools.plan_of(pool.address, world), world


def raydium_pool(rng: random.Random, **given: Any) -> RaydiumPool:
    """Positions around a price anywhere, some very wide, some orders, perhaps a fee that follows volatility."""
    spacing = given.pop("spacing", rng.choice(RAYDIUM_SPACINGS))
    tick, price, positions = _around(rng, RAYDIUM, spacing)
    orders: dict[int, tuple[int, int]] = {}
    if rng.random() < 0.5:
        for _ in range(rng.randrange(1, 9)):
            at = (tick // spacing + rng.choice((-1, 1)) * rng.randrange(2, 200)) * spacing
            if abs(at) < MAX_TICK:
                orders[at] = rng.choice(((rng.randrange(1, 10**12), 0), (0, 5), (7, rng.randrange(1, 10**9))))
    dynamic = {}
    if rng.random() < 0.3:
        dynamic = {"filter_period": 30, "decay_period": 600, "reduction_factor": 5000, "dynamic_fee_control": 20_000,
                   "max_volatility_accumulator": 350_000, "tick_spacing_index_reference": tick // spacing,
                   "volatility_accumulator": rng.randrange(350_000), "last_update_timestamp": NOW - 5}  # fmt: skip
    made = RaydiumPool(spacing, tick, price, positions, rng.randrange(10**6), orders=orders, dynamic=dynamic,
                       fee_on=rng.randrange(3))  # fmt: skip
    for name, value in given.items():
        setattr(made, name, value)
    return made


def orca_pool(rng: random.Random, **given: Any) -> OrcaPool:
    """Positions around a price anywhere, some very wide."""
    spacing = given.pop("spacing", rng.choice(ORCA_SPACINGS))
    tick, price, positions = _around(rng, ORCA, spacing)
    made = OrcaPool(spacing, tick, price, positions, rng.randrange(10**6))
    for name, value in given.items():
        setattr(made, name, value)
    return made


def _around(rng: random.Random, table: TickTable, spacing: int) -> tuple[int, int, list[Position]]:
    last = MAX_TICK // spacing * spacing
    tick = rng.choice((rng.randrange(-last + 1, last), rng.randrange(-40_000, 40_000), rng.randrange(-200, 200)))
    price = rng.randrange(table.sqrt_at(tick), table.sqrt_at(tick + 1))
    if rng.random() < 0.1:
        price = table.sqrt_at(tick + 1)  # as a crossing downwards leaves it
    positions = [(-last, last, rng.randrange(1, 1 << 60))]
    here = tick // spacing
    for _ in range(rng.randrange(1, 12)):
        width = rng.choice((3, 50, 700, 5000))
        lower = here - rng.randrange(width) + rng.randrange(width // 2 + 1)
        upper = lower + 1 + rng.randrange(width)
        if -last <= lower * spacing < upper * spacing <= last:
            positions.append((lower * spacing, upper * spacing, rng.randrange(1, 1 << rng.randrange(2, 90))))
    return tick, price, positions
