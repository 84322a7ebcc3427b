"""Pools as the simulated programs keep them: where their accounts are, what is in them, and how that is written.

A `Site` never changes; what a pool holds, `Held`, is a value: a branch of the chain goes on from its own. A tick array
comes with its first tick and stays when its ticks are gone, as the programs leave it; Raydium's bitmap forgets it then.
Half of Orca's arrays are of the fixed kind, half of the dynamic one.
"""

from typing import Final

import msgspec

from connectors.amm.raydium import Raydium
from connectors.amm.raydium_fee import Volatility
from connectors.amm.tickmath64 import MAX_TICK, ORCA, RAYDIUM, TickTable
from connectors.amm.ticks64 import Tick
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import PoolKind, PoolPlan
from runtime.sim.solana import accounts, keys
from runtime.sim.solana import orca as orca_accounts
from runtime.sim.solana import raydium as raydium_accounts
from runtime.sim.solana.accounts import EPOCH_SLOTS
from runtime.sim.solana.ledger import Changes

CONFIGS_MAX: Final = 128  # of Raydium's, among which the one is looked for that a pool's address was derived with
_SPACINGS: Final = (1, 2, 4, 8, 16, 64, 96, 128, 256, *range(3, 1_024))  # a tier beyond is of an adaptive fee
_ORCA_FEES: Final = {1: 100, 2: 200, 4: 400, 8: 500, 16: 1_600, 64: 3_000, 96: 6_500, 128: 10_000, 256: 20_000}
_CONFIGS: Final = {  # Raydium's AmmConfigs as they are taken to be here: fee, spacing
    0: (100, 10), 1: (2_500, 60), 2: (500, 10), 3: (10_000, 120), 4: (100, 1), 5: (500, 1), 6: (200, 1), 8: (400, 1),
}  # fmt: skip
_UNKNOWN: Final = (2_500, 60)
_FIRST_CONFIG: Final = 1_000

Curve = Raydium | Whirlpool


class Position(msgspec.Struct, frozen=True):
    """Liquidity between two ticks."""

    low: int
    high: int
    liquidity: int


class Held(msgspec.Struct, frozen=True):
    """What a pool holds at a slot. `amounts`: of its vaults; `arrays`: the starts of those that were ever made."""

    curve: Curve
    positions: tuple[Position, ...] = ()
    amounts: tuple[int, int] = (0, 0)
    arrays: frozenset[int] = frozenset()


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's place and its rules. `config`: Raydium's AmmConfig and its index, empty for Orca's."""

    plan: PoolPlan
    bump: int
    spacing: int
    fee_ppm: int
    vaults: tuple[str, str]
    config: str = ""
    config_index: int = 0
    fee_on: int = 0
    volatility: Volatility | None = None

    @property
    def is_raydium(self) -> bool:
        """One of the two programs or the other."""
        return self.plan.kind is PoolKind.RAYDIUM_CLMM

    @property
    def table(self) -> TickTable:
        """The program's own ticks."""
        return RAYDIUM if self.is_raydium else ORCA

    @property
    def mints(self) -> tuple[str, str]:
        """Of its two tokens, in order."""
        first, second = self.plan.tokens
        return first.address, second.address

    @property
    def last_tick(self) -> int:
        """The outermost tick that can be initialised."""
        return MAX_TICK // self.spacing * self.spacing

    def start(self, tick: int) -> int:
        """Where the array of a tick begins."""
        size = self.spacing * (raydium_accounts.ARRAY_TICKS if self.is_raydium else orca_accounts.ARRAY_TICKS)
        return tick // size * size


def site_of(plan: PoolPlan, place: int) -> Site:
    """A planned pool's rules: those its address was derived with, or for one of no such address some of `place`'s."""
    first, second = plan.tokens
    mints = first.address, second.address
    if plan.kind is PoolKind.ORCA_WHIRLPOOL:
        made = ((*keys.orca_pool(mints, each), each) for each in _SPACINGS)
        bump, spacing = next(((bump, each) for key, bump, each in made if key == plan.address), (255, 64))
        fee_ppm = plan.fee_ppm or _ORCA_FEES.get(spacing, 3_000)
        one, other = (keys.named(f"vault {plan.address} {mint}") for mint in mints)
        return Site(plan=plan, bump=bump, spacing=spacing, fee_ppm=fee_ppm, vaults=(one, other))
    index, bump = _FIRST_CONFIG + place, 255
    for each in range(CONFIGS_MAX):
        key, found = keys.raydium_pool(keys.raydium_config(each), mints)
        if key == plan.address:
            index, bump = each, found
            break
    fee_ppm, spacing = _CONFIGS.get(index, _UNKNOWN)
    fee_ppm = plan.fee_ppm or fee_ppm
    # every third pool of each rule of 2026: a fee on one of the tokens, a fee that follows the price
    volatility = Volatility(30, 600, 5_000, 2_000, 350_000) if place % 3 == 1 else None
    one, other = (keys.raydium_vault(plan.address, mint) for mint in mints)
    return Site(
        plan=plan, bump=bump, spacing=spacing, fee_ppm=fee_ppm, vaults=(one, other), config=keys.raydium_config(index),
        config_index=index, fee_on=1 + place % 2 if place % 3 == 2 else 0, volatility=volatility,
    )  # fmt: skip


def fixed(site: Site, supply: int) -> Changes:
    """The accounts around a pool that do not change: its mints, and Raydium's config."""
    authority = keys.named("authority")
    made: Changes = {
        token.address: accounts.mint(token.decimals, supply * 10**token.decimals, authority)
        for token in site.plan.tokens
    }
    if site.is_raydium:
        made[site.config] = raydium_accounts.config(site.config_index, site.fee_ppm, site.spacing, authority)
    return made


def written(site: Site, held: Held, before: Held | None, slot: int, unix_s: int) -> Changes:
    """The accounts in which `held` differs from what was `before`; all of them if that is None."""
    changes: Changes = {}
    if before is held:
        return changes
    if before is None or before.curve != held.curve:
        changes[site.plan.address] = pool_account(site, held.curve, slot, unix_s)
    for key, mint, amount, old in zip(
        site.vaults, site.mints, held.amounts, before.amounts if before else (None, None), strict=True
    ):
        if amount != old:
            changes[key] = accounts.vault(mint, site.plan.address, amount)
    if before is not None and before.arrays == held.arrays and before.curve.ticks is held.curve.ticks:
        return changes
    now, then = by_array(site, held), by_array(site, before) if before else {}
    for start in sorted(held.arrays):
        is_new = before is None or start not in before.arrays
        if is_new or now.get(start) != then.get(start):
            changes.update(_array(site, start, now.get(start, {}), slot))
    if site.is_raydium and (before is None or now.keys() != then.keys()):
        key = keys.raydium_extension(site.plan.address)
        changes[key] = raydium_accounts.extension(site.plan.address, now, site.spacing)
    return changes


def by_array(site: Site, held: Held) -> dict[int, dict[int, Tick]]:
    """The initialised ticks by the array they are in; no array without one."""
    found: dict[int, dict[int, Tick]] = {}
    for tick, entry in held.curve.ticks.entries().items():
        found.setdefault(site.start(tick), {})[tick] = entry
    return found


def _array(site: Site, start: int, ticks: dict[int, Tick], slot: int) -> Changes:
    pool, spacing = site.plan.address, site.spacing
    if site.is_raydium:
        made = raydium_accounts.array(pool, start, spacing, ticks, slot // EPOCH_SLOTS)
        return {keys.raydium_array(pool, start): made}
    is_dynamic = start // (spacing * orca_accounts.ARRAY_TICKS) % 2
    make = orca_accounts.dynamic_array if is_dynamic else orca_accounts.fixed_array
    return {keys.orca_array(pool, start): make(pool, start, spacing, ticks)}


def pool_account(site: Site, curve: Curve, slot: int, unix_s: int) -> accounts.Stored:
    """The account of the pool itself."""
    first, second = site.plan.tokens
    if isinstance(curve, Whirlpool):
        return orca_accounts.pool(
            orca_accounts.PoolFields(
                bump=site.bump, tick_spacing=site.spacing, fee_rate=site.fee_ppm, liquidity=curve.liquidity,
                sqrt_price=curve.sqrt_price_x64, tick=curve.tick, mints=site.mints, vaults=site.vaults,
                updated_s=unix_s,
            )
        )  # fmt: skip
    said = raydium_accounts.PoolFields(
        bump=site.bump, amm_config=site.config, mints=site.mints, vaults=site.vaults,
        observation=keys.raydium_observation(site.plan.address), decimals=(first.decimals, second.decimals),
        tick_spacing=site.spacing, liquidity=curve.liquidity, sqrt_price_x64=curve.sqrt_price_x64, tick=curve.tick,
        fee_on=site.fee_on, epoch=slot // EPOCH_SLOTS, volatility=curve.volatility,
    )  # fmt: skip
    return raydium_accounts.pool(said, {site.start(tick) for tick in curve.ticks.entries()})
