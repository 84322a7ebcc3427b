"""One damaged account a check: each is refused, with a reason that names what is wrong.

A case changes fields by their names in the published layouts, or bytes where a layout has no name for them. `Door` is
`connectors/venues/solana` or a copy of it with a mistake planted, so a check that is gone is seen by its own case.
"""

# ruff: noqa: E501 - one case a line

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Final, NamedTuple

import msgspec

from connectors.amm.tickmath64 import ORCA, RAYDIUM
from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import PoolRefused
from connectors.pool import Protocol
from connectors.venues.solana import account, keys, mint, pools
from connectors.venues.solana.account import Account
from tests.support.solana_accounts import account as written
from tests.support.solana_accounts import clock, interest, read, scaled, transfer_fee
from tests.support.solana_accounts import mint as mint_account
from tests.support.solana_accounts_changes import (
    Change,
    at,
    byte,
    cut,
    edited,
    first,
    forgotten,
    longer,
    of_kind,
    owned,
    planned,
    put,
    raw,
    ticked,
    token,
    untouched,
)
from tests.support.solana_accounts_pools import NOW, SLOT, OrcaPool, RaydiumPool, World, key, whole
from tests.support.solana_accounts_reference import orca_facts, raydium_facts, shown

Door = SimpleNamespace  # state_of, wanted, adaptive_fee, …
OURS: Final = SimpleNamespace(pools=pools, mint=mint, account=account)
TYPES: Final = ("PoolState", "AmmConfig", "TickArrayState", "TickArrayBitmapExtension", "Whirlpool", "TickArray",
                "DynamicTickArray", "Oracle")  # fmt: skip


class Case(NamedTuple):
    """`says`: a part of the reason."""

    name: str
    plan: PoolPlan
    accounts: World
    says: str
    ask: str = "state_of"


def wrong(cases: list[Case], door: Door = OURS) -> Iterator[str]:
    """The cases that are not refused with their reason, and what came instead."""
    for case in cases:
        try:
            plan_or_key = case.plan if case.ask == "state_of" else case.plan.address
            found = getattr(door.pools, case.ask)(plan_or_key, case.accounts)
        except PoolRefused as refused:
            if case.says not in str(refused):
                yield f"{case.name}: {refused}"
        except Exception as error:  # noqa: BLE001 - a copy with a mistake in it may do anything
            yield f"{case.name}: {error!r}"
        else:
            yield f"{case.name}: {str(found)[:200]}"


def refused(door: Door = OURS) -> Iterator[str]:
    """The sound pools that are refused, or taken for something else than their bytes say."""
    for name, plan, world in sound():
        try:
            facts = raydium_facts if plan.kind is PoolKind.RAYDIUM_CLMM else orca_facts
            made, said = shown(door.pools.state_of(plan, world)), facts(plan.address, world)
        except Exception as error:  # noqa: BLE001 - as above
            yield f"{name}: {error!r}"
        else:
            if made != said:
                yield f"{name}: {made} for {said}"


def case_list() -> list[Case]:
    """All of them, on four sound pools: two of Raydium's (with and without extension), two of Orca's."""
    narrow = RaydiumPool(1, 100, RAYDIUM.sqrt_at(100) + 5, [(-443636, 443636, 10**15), (60, 180, 10**12), (-70, 130, 10**9), (-300, 40, 10**8)], 3,
                         orders={240: (500, 0)})  # fmt: skip
    wide = RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, [(-443580, 443580, 10**15), (-600, 1200, 10**12)], 4)
    fixed = OrcaPool(128, 40, ORCA.sqrt_at(40) + 9, [(-443520, 443520, 10**15), (-12800, 1280, 10**12)], 5)
    dynamic = OrcaPool(8, 710, ORCA.sqrt_at(710) + 1, [(-443632, 443632, 10**15), (0, 720, 10**12), (8, 1440, 77)], 6)
    full = OrcaPool(32896, 40, ORCA.sqrt_at(40) + 9, [(-427648, 427648, 10**15)], 7)
    adaptive = OrcaPool(128, 40, ORCA.sqrt_at(40) + 9, [(-12800, 12800, 10**15)], 8, index=1024, with_oracle=True)
    other = OrcaPool(128, 40, ORCA.sqrt_at(40) + 9, [(-12800, 12800, 10**15)], 9, with_oracle=True)
    both: list[tuple[str, RaydiumPool | OrcaPool, Change, str]] = [
        *_raydium(narrow, wide),
        *_orca(fixed, dynamic, full, adaptive, other),
        *_mints(wide),
        *_plans(wide, fixed),
    ]
    for name in TYPES[:4]:
        both += _bodies(name, narrow)
    for name, other_pool in (
        ("Whirlpool", fixed),
        ("TickArray", fixed),
        ("DynamicTickArray", dynamic),
        ("Oracle", adaptive),
    ):
        both += _bodies(name, other_pool)
    made: dict[int, tuple[PoolPlan, World]] = {}
    cases = []
    for name, pool, change, says in both:
        if id(pool) not in made:
            made[id(pool)] = whole(pool)
        plan, world = change(*made[id(pool)])
        cases.append(Case(name, plan, world, says))
    plan, world = whole(adaptive)
    strange = edited("Oracle", whirlpool=key("else"))(plan, world)
    cases.append(Case("oracle of another pool", *strange, "its Oracle is of pool", "adaptive_fee"))
    plan, world = whole(narrow)
    far = {**world, plan.address: written("PoolState", narrow.state() | {"tick_current": -(2**31)})}
    cases.append(Case("wanted of a tick that cannot be", plan, far, "does not belong", "wanted"))
    return cases


def sound() -> list[tuple[str, PoolPlan, World]]:
    """What must not be refused, by name: each lies just beside a case."""
    harmless = {3: bytes(32), 4: bytes(65), 10: interest(0, 0), 12: b"\1" * 32, 16: bytes(129), 18: bytes(64), 19: b"name" * 9,
                20: bytes(64), 21: bytes(80), 22: bytes(64), 23: bytes(72), 24: bytes(196), 25: scaled(1.0, 1.0), 28: b"\2" * 32,
                6: b"\1", 14: b"\3" * 32 + bytes(32), 26: b"\4" * 32 + b"\0"}  # fmt: skip
    extended = {
        "harmless extensions": mint_account(9, harmless),
        "no extension of Token-2022": mint_account(9, is_2022=True),
        "no extension, but a type": mint_account(9, {}),
        "room behind the extensions": Account(keys.TOKEN_2022, mint_account(9, {3: bytes(32)}).data + bytes(40)),
        "a transfer fee that is over": mint_account(9, {1: transfer_fee((0, 10**9, 7), (900, 10**9, 0))}),
        "a transfer fee that takes nothing": mint_account(9, {1: transfer_fee((0, 0, 7), (901, 10**9, 0))}),
    }
    spread = [(-443580, 443580, 10**15), (-600, 1200, 10**12)]
    wide = RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4)
    fixed = OrcaPool(128, 40, ORCA.sqrt_at(40) + 9, [(-443520, 443520, 10**15)], 5)
    pools_made: dict[str, RaydiumPool | OrcaPool] = {
        "plain": wide,
        "plain, Orca": fixed,
        "opened a second ago": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4, open_time=NOW - 1),
        "everything but swaps switched off": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4, status=0x2F),
        "a tick of orders alone": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4, orders={1800: (0, 3), 9000: (4, 0)}),
        "at the price of the tick above": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-6), spread, 4),
        "at its own tick's price": OrcaPool(128, 40, ORCA.sqrt_at(40), [(-443520, 443520, 10**15)], 5),
        "more liquidity than 64 bits hold": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, [(-443580, 443580, 10**30)], 4),
        "more liquidity than 64 bits hold, Orca": OrcaPool(128, 40, ORCA.sqrt_at(40) + 9, [(-443520, 443520, 10**30)], 5),
        "a permissioned pool": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4, seed_index=0x0102),
        "a volatile fee": RaydiumPool(60, -7, RAYDIUM.sqrt_at(-7) + 1, spread, 4, dynamic={"dynamic_fee_control": 5}, fee_on=1),
        "arrays in the extension": RaydiumPool(1, 5, RAYDIUM.sqrt_at(5), [(-443636, 443636, 7), (-40_000, 50_000, 9), (-99_999, 200_000, 5)]),
        "below all prices": RaydiumPool(60, -443637, RAYDIUM.min_sqrt, [(-600, 1200, 10**12)], 4),
        "above all prices": OrcaPool(8, 443636, ORCA.max_sqrt, [(443504, 443632, 10**12)], 5),
    }  # fmt: skip
    made = [(name, *whole(pool)) for name, pool in pools_made.items()]
    plan, world = made[0][1:]
    made += [(name, plan, world | {plan.tokens[0].address: found}) for name, found in extended.items()]
    plan, world = whole(RaydiumPool(10, 5, RAYDIUM.sqrt_at(5), [(-6000, 6000, 7), (-3000, 3000, 9), (-60, 60, 5)]))
    for start in (-3000, 3000):
        gone = keys.raydium_tick_array(plan.address, start)
        made.append((f"array {start} not read", plan, {each: found for each, found in world.items() if each != gone}))
    return made


def _bodies(name: str, pool: RaydiumPool | OrcaPool) -> list[tuple[str, RaydiumPool | OrcaPool, Change, str]]:
    """What holds of an account of any type: owner, type, length."""
    type_says = "no pool of a kind" if name in ("PoolState", "Whirlpool") else "starts with"
    owner_says = "no pool of a kind" if name in ("PoolState", "Whirlpool") else "belongs to program"
    found = [
        (f"{name} of a foreign program", pool, raw(first(name), owned(key("program"))), owner_says),
        (f"{name} of another type", pool, raw(first(name), byte(0, 1)), type_says),
    ]
    if name == "DynamicTickArray":
        return [
            *found,
            (f"{name} that breaks off", pool, raw(first(name), cut(-1)), "breaks off"),
            (f"{name} shorter than any", pool, raw(first(name), cut(147)), "bytes long"),
            (f"{name} longer than any", pool, raw(first(name), lambda was: Account(was.owner, was.data.ljust(10_005, b"\0"))), "bytes long"),
            (f"{name} with bytes behind", pool, raw(first(name), lambda was: Account(was.owner, was.data + b"\0\1")), "says other ticks"),
        ]  # fmt: skip
    return [
        *found,
        (f"{name} a byte longer", pool, raw(first(name), longer), "bytes long"),
        (f"{name} a byte shorter", pool, raw(first(name), cut(-1)), "bytes long"),
    ]


def _raydium(narrow: RaydiumPool, wide: RaydiumPool) -> list[tuple[str, RaydiumPool | OrcaPool, Change, str]]:
    state = "PoolState"
    array = "TickArrayState"
    return [
        ("swap switched off", wide, edited(state, status=1 << 4), "switched off"),
        ("a switch not known", wide, edited(state, status=1 << 6), "not known here"),
        ("a fee side not known", wide, edited(state, fee_on=3), "side 3"),
        ("bytes set behind the fee side", wide, edited(state, padding=[0, 1]), "newer than this one"),
        ("bytes set behind the dynamic fee", wide, edited(state, dynamic_fee_info=lambda was: was | {"padding": [0, 9]}), "newer"),
        ("bytes set at the end", wide, edited(state, padding2=[0] * 31 + [1 << 63]), "newer than this one"),
        ("spacing 0", wide, edited(state, tick_spacing=0), "tick spacing of 0"),
        ("mints turned round", wide, edited(state, token_mint0=wide.mints[1], token_mint1=wide.mints[0]), "in the order of their bytes"),
        ("one mint twice", wide, edited(state, token_mint1=wide.mints[0]), "in the order of their bytes"),
        ("tick above its price", wide, edited(state, tick_current=-6), "does not belong"),
        ("tick below its price", wide, edited(state, tick_current=-9), "does not belong"),
        ("no price", wide, edited(state, sqrt_price_x64=0, tick_current=-443637), "does not belong"),
        ("price beyond the end", wide, edited(state, sqrt_price_x64=1 << 97, tick_current=443636), "does not belong"),
        ("tick beyond the end", wide, edited(state, tick_current=2**31 - 1, sqrt_price_x64=1 << 96), "does not belong"),
        ("opens this second", wide, edited(state, open_time=NOW), "opens at"),
        ("clock not read", wide, forgotten(at(keys.CLOCK)), "was not read"),
        ("clock closed", wide, put(at(keys.CLOCK), None), "does not exist"),
        ("clock of another program", wide, raw(at(keys.CLOCK), owned(keys.RAYDIUM)), "chain's clock"),
        ("clock a byte longer", wide, raw(at(keys.CLOCK), longer), "chain's clock"),
        ("pool closed", wide, put(first(state), None), "does not exist"),
        ("pool emptied", wide, put(first(state), Account(keys.SYSTEM, b"")), "does not exist"),
        ("config not read", wide, forgotten(first("AmmConfig")), "was not read"),
        ("config closed", wide, put(first("AmmConfig"), None), "does not exist"),
        ("config of another spacing", wide, edited("AmmConfig", tick_spacing=10), "its AmmConfig says 10"),
        ("a fee of all", wide, edited("AmmConfig", trade_fee_rate=10**6), "a fee of 1000000"),
        ("extension of another pool", narrow, edited("TickArrayBitmapExtension", pool_id=key("else")), "extension is of pool"),
        ("arrays beyond all ticks", wide, edited(state, tick_array_bitmap=lambda was: [*was[:15], 1 << 63]), "beyond the outermost"),
        ("another pool of the same tokens", wide, edited(state, amm_config=keys.raydium_config(5)), "account of another pool"),
        ("another permissioned pool", wide, edited(state, seed_index=[0, 1]), "account of another pool"),
        ("array of another pool", wide, edited(array, pool_id=key("else")), "is of pool"),
        ("array of another start", wide, _moved, "is of pool"),
        ("price's array not read", narrow, forgotten(lambda plan, _: keys.raydium_tick_array(plan.address, 60)), "was not read"),
        ("array closed", wide, put(first(array), None), "does not exist"),
        ("array without ticks", wide, edited(array, ticks=[], initialized_tick_count=0), "holds none"),
        ("tick out of its place", wide, ticked(array, tick=-443580 + 60), "where"),
        ("net above gross", wide, ticked(array, liquidity_net=10**15 + 1), "holds"),
        ("net without gross", wide, untouched(array, liquidity_net=5), "holds none"),
        ("a field not known in a tick", wide, ticked(array, padding=[0, 0, 1]), "not known"),
        ("one tick more than it says", wide, edited(array, initialized_tick_count=0), "initialised ticks"),
        ("a tick of orders alone not counted", narrow, edited(array, -1, initialized_tick_count=lambda was: was + 1), "initialised ticks"),
        ("bytes set behind the ticks", wide, edited(array, padding=[0] * 106 + [1]), "no field is known"),
        ("liquidity that no tick made", wide, edited(state, liquidity=lambda was: was + 1), "do not add up"),
        ("a swap would reach less than none", wide, edited(state, liquidity=10**12 - 1), "do not add up"),
        ("no liquidity at all", wide, _barren, "no liquidity"),
        ("decimals that its mint denies", wide, edited(state, mint_decimals0=8), "the pool says 8"),
    ]  # fmt: skip


def _moved(plan: PoolPlan, world: World) -> tuple[PoolPlan, World]:
    """Each array lies where its neighbour belongs."""
    places = of_kind(world, "TickArrayState")
    return plan, world | dict(zip(places, (world[each] for each in (*places[1:], places[0])), strict=True))


def _barren(plan: PoolPlan, world: World) -> tuple[PoolPlan, World]:
    return edited("PoolState", liquidity=0, tick_array_bitmap=[0] * 16)(plan, world)


def _orca(
    fixed: OrcaPool, dynamic: OrcaPool, full: OrcaPool, adaptive: OrcaPool, other: OrcaPool
) -> list[tuple[str, RaydiumPool | OrcaPool, Change, str]]:
    state, array, varying = "Whirlpool", "TickArray", "DynamicTickArray"
    return [
        ("adaptive by its fee tier", adaptive, forgotten(first("Oracle")), "adaptive fee: not computed exactly"),
        ("adaptive by its oracle", other, lambda plan, world: (plan, world), "adaptive fee: not computed exactly"),
        ("spacing 0 of Orca", fixed, edited(state, tick_spacing=0, fee_tier_index_seed=[0, 0]), "tick spacing of 0"),
        ("mints turned round, Orca", fixed, edited(state, token_mint_a=fixed.mints[1], token_mint_b=fixed.mints[0]), "in the order of their bytes"),
        ("tick above its price, Orca", fixed, edited(state, tick_current_index=41), "does not belong"),
        ("tick below its price, Orca", fixed, edited(state, tick_current_index=38), "does not belong"),
        ("price beyond the end, Orca", fixed, edited(state, sqrt_price=1 << 97, tick_current_index=443636), "does not belong"),
        ("another pool of the same tokens, Orca", fixed, edited(state, fee_tier_index_seed=[64, 0]), "account of another pool"),
        ("a pool of another config, Orca", fixed, edited(state, whirlpools_config=key("else")), "account of another pool"),
        ("array of another pool, Orca", fixed, edited(array, whirlpool=key("else")), "is of pool"),
        ("array of another start, Orca", fixed, edited(array, start_tick_index=-128), "is of pool"),
        ("dynamic array of another pool", dynamic, edited(varying, whirlpool=key("else")), "is of pool"),
        ("dynamic array of another start", dynamic, edited(varying, start_tick_index=-8), "is of pool"),
        ("a tick half initialised", fixed, ticked(array, initialized=2), "neither initialised nor empty"),
        ("a flag of 2 and nothing else", fixed, untouched(array, initialized=2), "neither initialised nor empty"),
        ("decimals of another token, Orca", fixed, put(token(0), mint_account(8)), "has 8 decimals, the settings say 9"),
        ("gross without a flag", fixed, ticked(array, initialized=0), "neither initialised nor empty"),
        ("net without a flag", fixed, untouched(array, liquidity_net=1), "neither initialised nor empty"),
        ("a flag without gross", fixed, ticked(array, liquidity_gross=0, liquidity_net=0), "holds 0"),
        ("net above gross, Orca", fixed, ticked(array, liquidity_net=10**16), "holds"),
        ("net above gross, dynamic", dynamic, ticked(varying, liquidity_net=10**16), "holds"),
        ("a tick beyond the outermost", full, _outermost, "holds"),
        ("bitmap of other ticks", dynamic, edited(varying, tick_bitmap=lambda was: was ^ 4), "says other ticks"),
        ("bitmap beyond 88", dynamic, edited(varying, tick_bitmap=lambda was: was | 1 << 88), "says other ticks"),
        ("a tick of kind 2", dynamic, raw(first(varying), byte(61, 2)), "of kind 2"),
        ("price's array not read, Orca", fixed, forgotten(lambda plan, _: keys.orca_tick_array(plan.address, 0)), "was not read"),
        ("liquidity that no tick made, Orca", full, edited(state, liquidity=lambda was: was + 1), "do not add up"),
        ("a swap would reach less than none, Orca", fixed, edited(state, liquidity=10**12 - 1), "do not add up"),
    ]  # fmt: skip


def _outermost(plan: PoolPlan, world: World) -> tuple[PoolPlan, World]:
    """A full range pool's array has room for ticks that no price reaches."""
    where = keys.orca_tick_array(plan.address, 0)
    found = world[where]
    assert found is not None
    name = "TickArray"
    values = read(name, found.data)
    ticks = list(values["ticks"])
    ticks[80] = {"initialized": True, "liquidity_gross": 5, "liquidity_net": 5}
    return plan, world | {where: written(name, values | {"ticks": ticks})}


def _mints(pool: RaydiumPool) -> list[tuple[str, RaydiumPool | OrcaPool, Change, str]]:
    def ours(extensions: dict[int, bytes] | None) -> Change:
        return put(token(0), mint_account(9, extensions, is_2022=True))

    plain = mint_account(9).data
    padded = plain.ljust(165, b"\0")
    return [
        ("mint not read", pool, forgotten(token(0)), "was not read"),
        ("mint closed", pool, put(token(1), None), "does not exist"),
        ("mint of another program", pool, raw(token(0), owned(key("program"))), "neither the Token"),
        ("mint a byte longer", pool, raw(token(0), longer), "bytes long"),
        ("plain mint with extensions", pool, put(token(0), Account(keys.TOKEN, padded + b"\1")), "bytes long"),
        ("mint shorter than its type", pool, put(token(0), Account(keys.TOKEN_2022, padded)), "bytes long"),
        ("mint as long as a multisig", pool, put(token(0), mint_account(9, {19: bytes(355 - 170)})), "bytes long"),
        ("mint not initialised", pool, raw(token(0), byte(45, 0)), "not an initialised mint"),
        ("mint half initialised", pool, raw(token(0), byte(45, 2)), "not an initialised mint"),
        ("mint with a strange authority", pool, raw(token(0), byte(1, 1)), "not an initialised mint"),
        ("mint with a strange freezer", pool, raw(token(0), byte(46, 2)), "not an initialised mint"),
        ("a token account", pool, put(token(0), Account(keys.TOKEN_2022, padded + b"\2")), "type of a mint"),
        ("bytes between mint and type", pool, put(token(0), Account(keys.TOKEN_2022, padded[:-1] + b"\1\1")), "type of a mint"),
        ("decimals of another token", pool, put(token(0), mint_account(8)), "the settings say 9"),
        ("transfer fee", pool, ours({1: transfer_fee((0, 10**9, 0), (10, 10**9, 5))}), "transfer fee of 5 bps"),
        ("transfer fee until an epoch to come", pool, ours({1: transfer_fee((0, 10**9, 7), (901, 10**9, 0))}), "transfer fee of 7 bps"),
        ("transfer fee to come", pool, ours({1: transfer_fee((0, 10**9, 0), (901, 10**9, 9))}), "transfer fee of 9 bps"),
        ("frozen from the start", pool, ours({6: b"\2"}), "freezes new accounts"),
        ("not transferable", pool, ours({9: b""}), "cannot be transferred"),
        ("transfer hook", pool, ours({14: bytes(63) + b"\1"}), "transfer hook"),
        ("interest", pool, ours({10: interest(0, 5)}), "bears interest (5 bps): what people call one"),
        ("interest until a while ago", pool, ours({10: interest(-7, 0)}), "bears interest"),
        ("interest of another length", pool, ours({10: bytes(51)}), "a layout not known"),
        ("shown scaled", pool, ours({25: scaled(10.0, 10.0)}), "scaled-UI amount: what people call one"),
        ("shown scaled until now", pool, ours({25: scaled(2.0, 1.0)}), "scaled-UI amount"),
        ("shown scaled from a time to come", pool, ours({25: scaled(1.0, 1.0000001)}), "scaled-UI amount"),
        ("shown as nothing at all", pool, ours({25: bytes(56)}), "scaled-UI amount"),
        ("scaled of another length", pool, ours({25: bytes(57)}), "a layout not known"),
        ("paused", pool, ours({26: bytes(32) + b"\1"}), "is paused"),
        ("an extension of accounts", pool, ours({2: bytes(8)}), "extension 2"),
        ("an extension not known", pool, ours({29: b""}), "extension 29"),
        ("a fee of another length", pool, ours({1: bytes(109)}), "a layout not known"),
        ("an extension that breaks off", pool, put(token(0), Account(keys.TOKEN_2022, padded + b"\1" + bytes([3, 0, 32, 0]) + bytes(31))), "a layout not known"),
        ("an extension twice", pool, put(token(0), Account(keys.TOKEN_2022, padded + b"\1" + 2 * (bytes([3, 0, 2, 0]) + bytes(2)))), "twice"),
        ("bytes behind the last extension", pool, put(token(0), Account(keys.TOKEN_2022, padded + b"\1" + bytes(4) + b"\5")), "behind its extensions"),
        ("half an extension", pool, put(token(0), Account(keys.TOKEN_2022, padded + b"\1" + b"\3\0")), "behind its extensions"),
    ]  # fmt: skip


def _plans(pool: RaydiumPool, fixed: OrcaPool) -> list[tuple[str, RaydiumPool | OrcaPool, Change, str]]:
    stranger = Token(key("stranger"), "X", 9)
    return [
        ("plan of another kind", pool, planned(kind=PoolKind.ORCA_WHIRLPOOL, protocol=Protocol.ORCA_WHIRLPOOL), "the settings say orca"),
        ("plan of another kind, Orca", fixed, planned(kind=PoolKind.RAYDIUM_CLMM), "the settings say raydium"),
        ("plan of other tokens", pool, lambda plan, world: (msgspec.structs.replace(plan, tokens=(plan.tokens[0], stranger)), world), "its tokens are"),
        ("plan with tokens turned round", pool, lambda plan, world: (msgspec.structs.replace(plan, tokens=plan.tokens[::-1]), world), "its tokens are"),
        ("plan of another fee", pool, planned(fee_ppm=401), "the settings say 401"),
        ("plan of another fee, Orca", fixed, planned(fee_ppm=1), "the settings say 1"),
        ("clock before 1970", pool, put(at(keys.CLOCK), clock(SLOT, -1)), "no time after 1970"),
    ]  # fmt: skip
