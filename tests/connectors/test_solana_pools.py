"""The door to Solana's pools: which accounts are wanted, what state they make, and how far it is known."""

import random
from itertools import pairwise

import pytest

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.raydium import Raydium
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, ORCA, RAYDIUM
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import ConfigError, PoolRefused
from connectors.pool import Protocol
from connectors.venues.solana import keys, pools
from connectors.venues.solana.account import Account
from tests.support.solana_accounts import account
from tests.support.solana_accounts_cases import refused, sound
from tests.support.solana_accounts_pools import NOW, OrcaPool, RaydiumPool, World, orca_pool, raydium_pool, whole
from tests.support.solana_accounts_reference import orca_facts, raydium_facts, shown

SEEDS = range(40)


def without(world: World, *gone: str) -> World:
    return {each: found for each, found in world.items() if each not in gone}


def spread(*numbers: int, spacing: int = 1, tick: int = 5) -> RaydiumPool:
    """A Raydium pool with one tick in each of these arrays, and full range."""
    last = MAX_TICK // spacing * spacing
    places = sorted(number * 60 * spacing for number in numbers)
    positions = [(-last, last, 10**12), *((low, high, 10**9) for low, high in pairwise(places))]
    return RaydiumPool(spacing, tick, RAYDIUM.sqrt_at(tick) + 1, positions)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_state_is_what_the_accounts_say(seed: int) -> None:
    """Against a reader of its own, which goes from field to field and from array to array."""
    pool = raydium_pool(random.Random(seed))
    plan, world = whole(pool)
    assert shown(pools.state_of(plan, world)) == raydium_facts(pool.address, world)
    assert plan.kind is pools.kind_of(pool.address, world) is PoolKind.RAYDIUM_CLMM
    other = orca_pool(random.Random(seed))
    plan, world = whole(other)
    assert shown(pools.state_of(plan, world)) == orca_facts(other.address, world)
    assert plan.kind is pools.kind_of(other.address, world) is PoolKind.ORCA_WHIRLPOOL


def test_nothing_sound_is_refused() -> None:
    """What lies just beside the damaged accounts of test_solana_planted.py: harmless extensions, prices at a tick."""
    assert list(refused()) == []
    assert len(sound()) >= 15


def test_what_is_wanted_of_a_raydium_pool() -> None:
    """First the pool and the clock, then what it names, then what its bitmaps name: five arrays on either side."""
    pool = spread(-600, -9, -8, -5, -4, -2, -1, 0, 3, 4, 6, 9, 700)
    there, address = pool.accounts(), pool.address
    assert pools.wanted(address, {}) == (address, keys.CLOCK)
    first = pools.wanted(address, {address: there[address]})
    assert first[:6] == (address, keys.CLOCK, *pool.mints, pool.config, keys.raydium_extension(address))
    named = [keys.raydium_tick_array(address, number * 60) for number in (-8, -5, -4, -2, -1, 0, 3, 4, 6, 9)]
    assert list(first[6:]) == named
    both = pools.wanted(address, {address: there[address], first[5]: there[first[5]]})
    assert list(both[6:]) == [*named, keys.raydium_tick_array(address, 700 * 60)]
    assert pools.wanted(address, there) == both
    near = pools.wanted(address, there, around=1)
    assert list(near[6:]) == [keys.raydium_tick_array(address, number * 60) for number in (-1, 0, 3)]
    assert len(pools.wanted(address, there, around=40)) <= pools.KEYS_A_READ


def test_an_array_without_ticks_is_not_wanted_even_at_the_price() -> None:
    pool = spread(-3, 2)
    _, world = whole(pool)
    assert keys.raydium_tick_array(pool.address, 0) not in world
    assert isinstance(pools.state_of(*whole(pool)), Raydium)


def test_no_extension_is_wanted_where_the_bitmap_has_room() -> None:
    for spacing, needs in ((1, True), (14, True), (15, False), (60, False)):
        pool = spread(-1, 1, spacing=spacing)
        assert (keys.raydium_extension(pool.address) in whole(pool)[1]) == needs


@pytest.mark.parametrize(("tick", "first", "last"), [(5, -2, 2), (-1, -3, 2), (87, -2, 3), (88, -1, 3), (-88, -3, 1)])
def test_what_is_wanted_of_an_orca_pool(tick: int, first: int, last: int) -> None:
    """Three arrays down from the one of its tick, three up from the one of its tick plus a spacing; and its oracle."""
    pool = OrcaPool(1, tick, ORCA.sqrt_at(tick), [(-880, 880, 10**9)])
    address, there = pool.address, pool.accounts()
    asked = pools.wanted(address, {address: there[address]})
    starts = [keys.orca_tick_array(address, number * 88) for number in range(first, last + 1)]
    assert asked == (address, keys.CLOCK, *pool.mints, keys.orca_oracle(address), *starts)


def test_the_outermost_orca_arrays() -> None:
    """Beyond all prices there is none to be wanted; all ticks are then known."""
    for tick, spacing in ((443_600, 8), (-443_637, 8), (5, 32896)):
        price = ORCA.min_sqrt if tick < MIN_TICK else ORCA.sqrt_at(tick)
        pool = OrcaPool(spacing, tick, price, [(-427648, 427648, 10**9)])
        asked = pools.wanted(pool.address, pool.accounts())
        assert len(asked) - 5 == {443_600: 3, -443_637: 3, 5: 2}[tick]
    curve = pools.state_of(*whole(pool))
    assert isinstance(curve, Whirlpool)
    assert curve.ticks.complete


@pytest.mark.parametrize("seed", SEEDS)
def test_asking_comes_to_an_end(seed: int) -> None:
    """Whatever is read first: when all that is wanted is there, nothing new is."""
    for pool in (raydium_pool(random.Random(seed)), orca_pool(random.Random(seed))):
        _, world = whole(pool)
        assert set(pools.wanted(pool.address, world)) == world.keys()
        assert len(world) <= (17 if isinstance(pool, RaydiumPool) else 12)


def test_a_raydium_array_that_was_not_read_ends_what_is_known() -> None:
    """Up to the next array that holds ticks everything is known: the bitmap says that there are none."""
    pool = spread(-9, -5, -2, 0, 3, 8)
    plan, world = whole(pool)
    array = {number: keys.raydium_tick_array(pool.address, number * 60) for number in (-9, -5, -2, 0, 3, 8)}
    for gone, low, high in (
        ((), MIN_TICK, MAX_TICK),
        ((3,), MIN_TICK, 179),
        ((-5, 8), -240, 479),
        ((-2, 3, 8), -60, 179),
    ):
        part = without(world, *(array[number] for number in gone))
        curve = pools.state_of(plan, part)
        assert isinstance(curve, Raydium)
        assert (curve.ticks.low, curve.ticks.high) == (low, high), gone
        assert shown(curve) == raydium_facts(pool.address, part)
        for down, is_known in ((True, low == MIN_TICK), (False, high == MAX_TICK)):
            if not is_known:
                with pytest.raises(Beyond):
                    curve.exact_in(*((0, 1) if down else (1, 0)), 10**16)
    with pytest.raises(PoolRefused, match="around its price was not read"):
        pools.state_of(plan, without(world, array[0]))


def test_without_an_extension_the_bitmap_is_all_that_is_known() -> None:
    """The program itself refuses a swap that would need it."""
    pool = RaydiumPool(1, 5, RAYDIUM.sqrt_at(5), [(-120, 300, 10**12)])
    plan, world = whole(pool)
    extension = keys.raydium_extension(pool.address)
    for found in (None, Account(keys.SYSTEM, b"")):
        curve = pools.state_of(plan, world | {extension: found})
        assert isinstance(curve, Raydium)
        assert (curve.ticks.low, curve.ticks.high) == (-512 * 60, 512 * 60 - 1)
    assert pools.state_of(plan, without(world, extension)) == curve
    far = RaydiumPool(1, 40_000, RAYDIUM.sqrt_at(40_000), [(39_000, 41_000, 10**12)])
    plan, world = whole(far)
    with pytest.raises(PoolRefused, match="around its price was not read"):
        pools.state_of(plan, world | {keys.raydium_extension(far.address): None})


def test_orca_arrays_that_do_not_exist_hold_no_ticks() -> None:
    """Also where somebody has sent lamports to their addresses."""
    pool = OrcaPool(8, 5, ORCA.sqrt_at(5), [(-8, 16, 10**12)])
    plan, world = whole(pool)
    missing = [each for each, found in world.items() if found is None]
    assert len(missing) == 4  # three arrays and the oracle
    curve = pools.state_of(plan, world)
    assert pools.state_of(plan, world | dict.fromkeys(missing, Account(keys.SYSTEM, b""))) == curve
    with pytest.raises(PoolRefused, match="belongs to program"):
        pools.state_of(plan, world | {missing[0]: Account(keys.SYSTEM, b"\0")})


def test_orca_arrays_that_were_not_read_end_what_is_known() -> None:
    pool = OrcaPool(8, 5, ORCA.sqrt_at(5), [(-1000, 1000, 10**12)])
    plan, world = whole(pool)
    array = {number: keys.orca_tick_array(pool.address, number * 704) for number in range(-2, 3)}
    for gone, low, high in (((), -1408, 2111), ((-1,), 0, 2111), ((2,), -1408, 1407), ((-2, 1), -704, 703)):
        part = without(world, *(array[number] for number in gone), keys.orca_oracle(pool.address))
        curve = pools.state_of(plan, part)
        assert isinstance(curve, Whirlpool)
        assert (curve.ticks.low, curve.ticks.high) == (low, high)
        assert shown(curve) == orca_facts(pool.address, part)
    with pytest.raises(PoolRefused, match="array of its price was not read"):
        pools.state_of(plan, without(world, array[0]))
    with pytest.raises(Beyond):
        pools.state_of(plan, without(world, array[1])).exact_in(1, 0, 10**17)


def test_upwards_alone_from_the_end_of_an_array() -> None:
    """A recorded swap brings the arrays it passed: the first is that of the tick plus a spacing."""
    pool = OrcaPool(8, 700, ORCA.sqrt_at(700), [(-1000, 1000, 10**12)])
    plan, world = whole(pool)
    below = [keys.orca_tick_array(pool.address, number * 704) for number in (-2, -1, 0)]
    curve = pools.state_of(plan, without(world, *below))
    assert isinstance(curve, Whirlpool)
    assert (curve.ticks.low, curve.ticks.high) == (701, 4 * 704 - 1)
    part, full = (each.exact_in(1, 0, 10**9) for each in (curve, pools.state_of(plan, world)))
    assert (part.amount_in, part.amount_out, part.ticks_crossed) == (
        full.amount_in,
        full.amount_out,
        full.ticks_crossed,
    )
    with pytest.raises(Beyond):
        curve.exact_in(0, 1, 10**9)


def test_a_plan_of_what_the_accounts_say() -> None:
    pool = raydium_pool(random.Random(3), decimals=(9, 6), fee_ppm=2500)
    there = pool.accounts()
    names = {pool.mints[0]: "SOL", pool.mints[1]: "USDC"}
    plan = pools.plan_of(pool.address, there, names=names)
    assert (plan.kind, plan.protocol, plan.symbol) == (PoolKind.RAYDIUM_CLMM, Protocol.RAYDIUM_CLMM, "SOL/USDC")
    assert [(token.address, token.symbol, token.decimals) for token in plan.tokens] == [
        (pool.mints[0], "SOL", 9),
        (pool.mints[1], "USDC", 6),
    ]
    assert (plan.address, plan.base, plan.quote, plan.fee_ppm) == (pool.address, 0, 1, 2500)
    turned = pools.plan_of(pool.address, there, 1, 0, {pool.mints[1]: "USDC"})
    assert (turned.base, turned.quote, turned.symbol) == (1, 0, f"USDC/{pool.mints[0][:8]}")
    assert turned.tokens[1] == plan.tokens[1]
    for base, quote in ((0, 0), (0, 2), (-1, 0)):
        with pytest.raises(ConfigError):
            pools.plan_of(pool.address, there, base, quote)
    assert pools.vaults_of(pool.address, there) == (pool.state()["token_vault0"], pool.state()["token_vault1"])
    assert pools.mints_of(pool.address, there) == pool.mints
    other = orca_pool(random.Random(3), fee_ppm=3000)
    plan = pools.plan_of(other.address, other.accounts())
    assert (plan.kind, plan.protocol, plan.fee_ppm) == (PoolKind.ORCA_WHIRLPOOL, Protocol.ORCA_WHIRLPOOL, 3000)
    assert pools.vaults_of(other.address, other.accounts()) == (
        other.state()["token_vault_a"],
        other.state()["token_vault_b"],
    )


def test_a_fee_of_0_in_the_plan_is_the_accounts_own() -> None:
    for pool in (raydium_pool(random.Random(4)), orca_pool(random.Random(4))):
        plan, world = whole(pool)
        free = PoolPlan(**{name: getattr(plan, name) for name in plan.__struct_fields__} | {"fee_ppm": 0})
        assert pools.state_of(free, world) == pools.state_of(plan, world)


def test_an_adaptive_fee_is_shown_and_not_quoted() -> None:
    pool = orca_pool(random.Random(5), spacing=64, index=1025, with_oracle=True)
    plan, world = whole(pool)
    oracle = pools.adaptive_fee(pool.address, world)
    assert oracle is not None
    assert (oracle.pool, oracle.filter_period, oracle.decay_period, oracle.control) == (pool.address, 30, 600, 60_000)
    with pytest.raises(PoolRefused, match=r"^adaptive fee: not computed exactly"):
        pools.state_of(plan, world)
    assert pools.adaptive_fee(pool.address, without(world, keys.orca_oracle(pool.address))) is None
    other, its_world = whole(raydium_pool(random.Random(5)))
    assert pools.adaptive_fee(other.address, its_world) is None


def test_a_volatile_fee_takes_its_time_from_the_clock() -> None:
    dynamic = {"filter_period": 30, "decay_period": 600, "reduction_factor": 5000, "dynamic_fee_control": 20_000,
               "max_volatility_accumulator": 350_000, "volatility_accumulator": 90_000,
               "last_update_timestamp": NOW - 5, "volatility_reference": 90_000}  # fmt: skip
    curve = pools.state_of(*whole(raydium_pool(random.Random(6), dynamic=dynamic, fee_on=2)))
    assert isinstance(curve, Raydium)
    assert curve.volatility is not None
    assert (curve.now_s, curve.fee_on) == (NOW, 2)
    assert (curve.volatility.control, curve.volatility.accumulator, curve.volatility.updated_s) == (
        20_000,
        90_000,
        NOW - 5,
    )


def test_what_was_read_before_is_not_read_again() -> None:
    """Most notifications change the pool alone: the ticks are then the very same object, whose legs are remembered."""
    for pool in (raydium_pool(random.Random(7)), orca_pool(random.Random(7))):
        plan, world = whole(pool)
        fresh = {each: found and Account(found.owner, bytes(bytearray(found.data))) for each, found in world.items()}
        first, second = pools.state_of(plan, world), pools.state_of(plan, fresh)
        assert isinstance(first, Raydium | Whirlpool)
        assert isinstance(second, Raydium | Whirlpool)
        assert first.ticks is second.ticks


def test_what_no_quote_depends_on_changes_nothing() -> None:
    """Fee growth, rewards, owners, what is owed: others write them all the time."""
    pool = raydium_pool(random.Random(8))
    plan, world = whole(pool)
    other = account("PoolState", pool.state() | {
        "owner": pool.mints[0], "fee_growth_global0_x64": 2**128 - 1, "fee_growth_global1_x64": 77,
        "protocol_fees_token0": 2**64 - 1, "padding3": 65535, "padding4": 1, "padding5": [2**128 - 1] * 4,
        "padding6": [2**64 - 1] * 4, "reward_infos": [{"reward_total_emitted": 5, "authority": pool.mints[1]}] * 3,
        "fund_fees_token0": 1, "fund_fees_token1": 2, "recent_epoch": 9, "bump": [1],
    })  # fmt: skip
    assert pools.state_of(plan, world | {plan.address: other}) == pools.state_of(plan, world)
    orca = orca_pool(random.Random(8))
    plan, world = whole(orca)
    changed = account("Whirlpool", orca.state() | {
        "whirlpool_bump": [0], "protocol_fee_rate": 2500, "protocol_fee_owed_a": 5, "fee_growth_global_b": 2**128 - 1,
        "reward_infos": [{"extension": [255] * 32, "vault": orca.mints[0]}] * 3, "reward_last_updated_timestamp": 1,
    })  # fmt: skip
    assert pools.state_of(plan, world | {plan.address: changed}) == pools.state_of(plan, world)


def test_the_sums_of_ticks() -> None:
    """`problem` of states whose sums are right, and wrong in each way."""
    pool = spread(-9, -2, 0, 8, spacing=60)
    curve = pools.state_of(*whole(pool))
    assert isinstance(curve, Raydium)
    assert pools.problem(curve) == ""
    for liquidity in (0, 10**12, curve.liquidity + 1, curve.liquidity - 1, 2**128 - 1):
        wrong = Raydium(curve.sqrt_price_x64, curve.tick, liquidity, curve.fee_ppm, curve.ticks)
        assert "do not add up" in pools.problem(wrong)
    later = Raydium(curve.sqrt_price_x64, 8 * 3600, curve.liquidity, curve.fee_ppm, curve.ticks)
    assert "do not add up" in pools.problem(later)


@pytest.mark.parametrize("seed", range(12))
def test_a_swap_leaves_a_state_that_would_be_taken(seed: int) -> None:
    """Orders bought in part, prices at a tick, ticks crossed: what swaps leave passes the checks of price and sums."""
    rng = random.Random(seed)
    for pool, table in ((raydium_pool(rng), RAYDIUM), (orca_pool(rng), ORCA)):
        curve = pools.state_of(*whole(pool))
        for _ in range(8):
            i = rng.randrange(2)
            try:
                after = curve.exact_in(i, 1 - i, 10 ** rng.randrange(1, 19)).after
            except QuoteError:
                continue
            assert isinstance(after, Raydium | Whirlpool)
            assert pools.problem(after) == ""
            assert table.sqrt_at(after.tick) <= after.sqrt_price_x64 <= table.sqrt_at(after.tick + 1)
            curve = after
