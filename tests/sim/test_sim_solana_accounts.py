"""What the simulated Solana writes: against published layouts, and against the venue's own reading of them."""

import base64
import json
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.amm.raydium import Raydium
from connectors.amm.raydium_fee import Volatility
from connectors.amm.ticks64 import Tick
from connectors.amm.whirlpool import Whirlpool
from connectors.base58 import decoded, key_bytes, key_text
from connectors.chain import PoolPlan
from connectors.venues.solana import keys as venue_keys
from connectors.venues.solana import orca_layout, orca_ticks, pools, raydium_layout, raydium_ticks
from connectors.venues.solana.account import Account
from connectors.venues.solana.mint import mint_of
from runtime.sim.solana import accounts, keys, orca, raydium
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.pools import by_array
from runtime.sim.solana.world import World
from tests.sim.sim_solana_node import ORCA, PLAIN, POOLS, RAYDIUM, SIDED, SOL, Node

U64 = st.integers(0, 2**64 - 1)
BOUNDS = st.tuples(st.integers(1, 2**127 - 1), st.integers(-(2**127) + 1, 2**127 - 1)).map(
    lambda pair: (max(-pair[0], min(pair[1], pair[0])), pair[0])
)
TICKS = st.builds(lambda pair: Tick(pair[0], pair[1]), BOUNDS)
RESTING = st.builds(lambda pair, orders, part: Tick(pair[0], pair[1], orders, part), BOUNDS, U64, U64)


def test_the_marks_and_lengths_are_those_of_the_real_accounts() -> None:
    """facts/DEX.md §4.3, from recorded accounts."""
    made = {
        "f7ede3f5d7c3de46": (raydium.pool(fields(), ()), 1544),
        "c09b55cd31f9812a": (raydium.array(RAYDIUM.address, 0, 1, {}), 10240),
        "daf42168cbcb2b6f": (raydium.config(4, 100, 1, keys.named("x")), 117),
        "3c9624db61808b99": (raydium.extension(RAYDIUM.address, (), 1), 1832),
        "3f95d10ce1806309": (orca.pool(whirlpool()), 653),
        "4561bdbe6e0742bb": (orca.fixed_array(ORCA.address, 0, 4, {}), 9988),
        "11d8f68ee1c7da38": (orca.dynamic_array(ORCA.address, 0, 4, {}), 148),
    }
    for mark, (account, size) in made.items():
        assert (account.data[:8].hex(), len(account.data)) == (mark, size)
    full = {4 * place: Tick(1, 1) for place in range(88)}
    assert len(orca.dynamic_array(ORCA.address, 0, 4, full).data) == 10_004
    assert len(accounts.mint(9, 1, keys.named("x")).data) == 82
    assert len(accounts.vault(SOL.address, ORCA.address, 5).data) == 165


def fields() -> raydium.PoolFields:
    return raydium.PoolFields(
        bump=7, amm_config=keys.named("config"), mints=(keys.named("0"), keys.named("1")),
        vaults=(keys.named("v0"), keys.named("v1")), observation=keys.named("o"), decimals=(9, 6), tick_spacing=10,
        liquidity=2**100 + 1, sqrt_price_x64=2**90 + 3, tick=-19_055, status=16, fee_on=2, open_time=77, epoch=900,
        volatility=Volatility(1, 2, 3, 4, 5, -6, 7, 8, 9),
    )  # fmt: skip


def whirlpool() -> orca.PoolFields:
    return orca.PoolFields(
        bump=8, tick_spacing=4, fee_rate=400, liquidity=2**99 + 1, sqrt_price=2**91 + 3, tick=-3,
        mints=(keys.named("a"), keys.named("b")), vaults=(keys.named("va"), keys.named("vb")), updated_s=5,
    )  # fmt: skip


def test_fields_are_where_recorded_accounts_have_them() -> None:
    """Offsets as facts/DEX.md §4.3 has them from the chain: written here in sequence, looked up there by place."""
    said, data = fields(), raydium.pool(fields(), (-600, 600 * 511)).data
    for at, key in zip((9, 41, 73, 105, 137, 169, 201),
                       (said.amm_config, said.amm_config, *said.mints, *said.vaults, said.observation),
                       strict=True):  # fmt: skip
        assert data[at : at + 32] == key_bytes(key)
    assert (data[233], data[234]) == (9, 6) and struct.unpack_from("<H", data, 235) == (10,)
    assert int.from_bytes(data[237:253], "little") == 2**100 + 1
    assert int.from_bytes(data[253:269], "little") == 2**90 + 3
    assert struct.unpack_from("<i", data, 269) == (-19_055,)
    assert (data[389], data[390]) == (16, 2)
    assert int.from_bytes(data[904:1032], "little") == 1 << 511 | 1 << 1023
    assert struct.unpack_from("<QQ", data, 1080) == (77, 900)
    assert struct.unpack_from("<HHHIIiIIQ", data, 1096) == (1, 2, 3, 4, 5, -6, 7, 8, 9)
    data = raydium.array(RAYDIUM.address, -600, 10, {-590: Tick(-5, 6, 7, 8)}).data
    assert data[8:40] == key_bytes(RAYDIUM.address) and struct.unpack_from("<i", data, 40) == (-600,)
    assert struct.unpack_from("<i", data, 44 + 168) == (-590,) and data[10_124] == 1
    assert int.from_bytes(data[44 + 172 : 44 + 188], "little", signed=True) == -5
    assert struct.unpack_from("<QQ", data, 44 + 168 + 124) == (7, 8)
    config = raydium.config(4, 123, 7, keys.named("x")).data
    assert struct.unpack_from("<IIHI", config, 43) == (120_000, 123, 7, 40_000)
    data = orca.pool(whirlpool()).data
    assert struct.unpack_from("<HHH", data, 41) == (4, 4, 400)
    assert int.from_bytes(data[49:65], "little") == 2**99 + 1 and int.from_bytes(data[65:81], "little") == 2**91 + 3
    assert struct.unpack_from("<i", data, 81) == (-3,)
    for at, key in ((101, "a"), (133, "va"), (181, "b"), (213, "vb")):
        assert data[at : at + 32] == key_bytes(keys.named(key))
    fixed = orca.fixed_array(ORCA.address, -352, 4, {-348: Tick(-5, 6)}).data
    assert struct.unpack_from("<i", fixed, 8) == (-352,) and fixed[9956:] == key_bytes(ORCA.address)
    assert (fixed[12], fixed[12 + 113]) == (0, 1) and int.from_bytes(fixed[142:158], "little") == 6
    dynamic = orca.dynamic_array(ORCA.address, -352, 4, {-348: Tick(-5, 6)}).data
    assert dynamic[12:44] == key_bytes(ORCA.address) and int.from_bytes(dynamic[44:60], "little") == 2
    assert dynamic[60:62] == b"\0\1" and int.from_bytes(dynamic[62:78], "little", signed=True) == -5


@given(st.binary(max_size=80))
def test_base58_comes_back(data: bytes) -> None:
    assert decoded(key_text(data)) == data


@given(st.binary(min_size=32, max_size=32))
def test_base58_is_everybodys(data: bytes) -> None:
    assert key_text(data) == venue_keys.text_of(data) and key_bytes(key_text(data)) == data


@given(st.sampled_from([RAYDIUM.address, ORCA.address]), st.integers(-443_636, 443_636))
def test_two_readings_of_where_accounts_are_agree(pool: str, start: int) -> None:
    assert keys.raydium_array(pool, start) == venue_keys.raydium_tick_array(pool, start)
    assert keys.orca_array(pool, start) == venue_keys.orca_tick_array(pool, start)
    assert keys.raydium_extension(pool) == venue_keys.raydium_extension(pool)


def read(stored: Stored) -> Account:
    return Account(stored.owner, stored.data)


def test_a_mint_is_read_back() -> None:
    assert mint_of(read(accounts.mint(9, 10**18, keys.named("x"))), "SOL").decimals == 9


def curve_at(node: Node, plan: PoolPlan) -> Raydium | Whirlpool:
    curve = node.state(plan)
    assert isinstance(curve, Raydium | Whirlpool)
    return curve


def test_the_venue_reads_what_the_world_holds() -> None:
    """decode(encode(state)) is the state, all of it that one read can tell, while everything about it changes."""
    node = Node(POOLS, seed=4)
    seen = {"orders": 0, "volatile": 0, "fee_on": 0, "gone": 0, "complete": 0}
    known: dict[str, set[int]] = {}
    for _ in range(20):
        node.slots(6)
        for plan in POOLS:
            held = node.head.state[plan.address].curve
            # Raydium's bitmap tells of every array, so the whole pool can be read; Orca's reach is one swap's
            curve, ticks = curve_at(node, plan), held.ticks.entries()
            if plan is not ORCA:
                curve = node.state(plan, around=1_000)
                assert curve.ticks.complete
                seen["complete"] += 1
            assert curve.ticks.entries() == {t: e for t, e in ticks.items() if curve.ticks.low <= t <= curve.ticks.high}
            for name in ("sqrt_price_x64", "tick", "liquidity", "fee_ppm", "fee_on", "volatility"):
                assert getattr(curve, name, None) == getattr(held, name, None), name
            seen["orders"] += any(entry.orders for entry in ticks.values())
            seen["volatile"] += isinstance(held, Raydium) and bool(held.volatility and held.volatility.accumulator)
            seen["fee_on"] += isinstance(held, Raydium) and held.fee_on > 0
            seen["gone"] += bool(known.setdefault(plan.address, set()) - ticks.keys())
            known[plan.address] |= ticks.keys()
    assert all(seen.values()), seen


@pytest.mark.parametrize("plan", POOLS, ids=lambda plan: plan.address[:6])
def test_a_quote_of_the_read_pool_is_the_worlds(plan: PoolPlan) -> None:
    node = Node(POOLS, seed=9)
    node.slots(30)
    held, curve = node.head.state[plan.address].curve, curve_at(node, plan)
    if isinstance(curve, Raydium):
        held = Raydium(held.sqrt_price_x64, held.tick, held.liquidity, held.fee_ppm, held.ticks, held.fee_on,
                       held.volatility, curve.now_s)  # fmt: skip
    for i, amount in ((0, 10**9), (1, 10**8), (0, 70_000), (1, 123_456_789)):
        one, other = curve.exact_in(i, 1 - i, amount), held.exact_in(i, 1 - i, amount)
        assert (one.amount_in, one.amount_out) == (other.amount_in, other.amount_out)


@given(st.data())
def test_any_array_is_read_back(data: st.DataObject) -> None:
    """Any ticks at all, in both of Orca's kinds and Raydium's, as the venue's layouts read them."""
    spacing = data.draw(st.sampled_from([1, 4, 60, 128]))
    place = data.draw(st.integers(-3, 3))
    wanted = data.draw(st.dictionaries(st.integers(0, 59), RESTING, max_size=8))
    start = place * 60 * spacing
    ticks = {start + spacing * each: tick for each, tick in wanted.items()}
    array = raydium_ticks.array_of(read(raydium.array(RAYDIUM.address, start, spacing, ticks)), spacing)
    found = {at: Tick(each.net, each.gross, each.orders, each.part_filled) for at, each in array.ticks.items()}
    assert (array.pool, array.start, found) == (RAYDIUM.address, start, ticks)
    plain = data.draw(st.dictionaries(st.integers(0, 87), TICKS, max_size=8))
    start = place * 88 * spacing
    ticks = {start + spacing * each: tick for each, tick in plain.items()}
    for make in (orca.fixed_array, orca.dynamic_array):
        plain_array = orca_ticks.array_of(read(make(ORCA.address, start, spacing, ticks)), spacing)
        assert (plain_array.pool, plain_array.start) == (ORCA.address, start)
        assert plain_array.ticks == {at: (tick.net, tick.gross) for at, tick in ticks.items()}


@given(st.sets(st.integers(-7_000, 7_000), max_size=12))
@example({-513, -512, 511, 512, -1_024, -1_025, 1_023, 1_024})
def test_the_bitmaps_tell_every_array(places: set[int]) -> None:
    """A bit for each array: the middle 1024 in the pool, the rest in the extension, which has 512 a row."""
    starts = {place * 60 for place in places}
    inner = int.from_bytes(raydium.pool(fields_at(1), starts).data[904:1032], "little")
    data = raydium.extension(RAYDIUM.address, starts, 1).data[40:]
    rows = [int.from_bytes(data[at : at + 64], "little") for at in range(0, len(data), 64)]
    found = {bit - 512 for bit in range(1024) if inner >> bit & 1}
    for each in range(14):
        found |= {512 * (each + 1) + bit for bit in range(512) if rows[each] >> bit & 1}
        found |= {-512 * (each + 2) + bit for bit in range(512) if rows[14 + each] >> bit & 1}
    assert found == places


def fields_at(spacing: int) -> raydium.PoolFields:
    return replace(fields(), tick_spacing=spacing)


def test_pools_stand_where_their_programs_put_them() -> None:
    """A shipped pool's rules are those that its address was derived with."""
    world = Node(POOLS).sim.ledger.driver
    assert isinstance(world, World)
    sites = world.sites
    assert (sites[ORCA.address].spacing, sites[RAYDIUM.address].config_index) == (4, 8)
    assert (sites[PLAIN.address].config_index, sites[SIDED.address].config_index) == (6, 4)
    config = venue_keys.raydium_config(8)
    assert sites[RAYDIUM.address].config == config
    assert venue_keys.raydium_pool(config, *pools.mints_of(RAYDIUM.address, read_pool(RAYDIUM))) == RAYDIUM.address


def read_pool(plan: PoolPlan) -> dict[str, Account | None]:
    return Node(POOLS).read([plan.address])[1]


def test_arrays_come_with_ticks_and_stay_when_they_are_gone() -> None:
    node, came, emptied = Node(POOLS, seed=2), 0, 0
    world = node.sim.ledger.driver
    assert isinstance(world, World)
    before = {plan.address: node.head.state[plan.address].arrays for plan in POOLS[1:]}
    for _ in range(40):
        node.slots(4)
        for plan in POOLS[1:]:
            state = node.head.state[plan.address]
            now = by_array(world.sites[plan.address], state)
            pool = node.head.account(plan.address)
            assert pool is not None and now.keys() <= state.arrays
            assert int.from_bytes(pool.data[904:1032]).bit_count() == len(
                {start for start in now if -30_720 <= start // world.sites[plan.address].spacing < 30_720}
            )
            for start in state.arrays:
                account = node.head.account(keys.raydium_array(plan.address, start))
                assert account is not None and account.data[10_124] == len(now.get(start, {}))
            came += len(state.arrays - before[plan.address])
            emptied += len(state.arrays) - len(now)
    assert came and emptied


def test_equal_json_for_equal_worlds() -> None:
    def dump() -> str:
        node = Node(POOLS, seed=11)
        node.slots(10)
        return json.dumps({key: key_text(stored.data[:64]) for key, (stored, _) in node.head.accounts.items()})

    assert dump() == dump()


def told_by(mine: Stored, real: bytes) -> int:
    """How many bytes the writer sets; each of them is the chain's own."""
    assert len(mine.data) == len(real)
    wrong = [at for at, (one, other) in enumerate(zip(mine.data, real, strict=True)) if one and one != other]
    assert not wrong, wrong[:10]
    return sum(byte > 0 for byte in mine.data)


@pytest.mark.real_data
def test_recorded_raydium_accounts_are_written_as_the_chain_did(real_data: Path) -> None:
    """What is read from real accounts and written again sets no byte that the chain has otherwise."""
    found = json.loads((real_data / "dex_raydium_clmm" / "swap_2QUHBKhsfYoEi2Vx.json").read_text())
    real = base64.b64decode(found["pool_b64"])
    said = raydium_layout.pool_of(Account(keys.RAYDIUM, real))
    bump = keys.raydium_pool(said.config, said.mints)[1]
    starts = {(bit - 512) * 60 * said.spacing for bit in range(1024) if said.bitmap >> bit & 1}
    mine = raydium.PoolFields(
        bump=bump, amm_config=said.config, mints=said.mints,
        vaults=(keys.raydium_vault(RAYDIUM.address, said.mints[0]), keys.raydium_vault(RAYDIUM.address, said.mints[1])),
        observation=key_text(real[201:233]), decimals=said.decimals, tick_spacing=said.spacing,
        liquidity=said.liquidity, sqrt_price_x64=said.sqrt_price_x64, tick=said.tick, status=said.status,
        fee_on=said.fee_on, open_time=said.open_time, epoch=said.recent_epoch, volatility=said.volatility,
    )  # fmt: skip
    written = raydium.pool(mine, starts)
    without_owner = written.data[:41] + bytes(32) + written.data[73:]  # who may govern a pool is nobody here
    assert told_by(Stored(written.owner, without_owner, 0), real) > 250
    for each in found["tick_arrays"]:
        data = base64.b64decode(each["data_b64"])
        array = raydium_ticks.array_of(Account(keys.RAYDIUM, data), said.spacing)
        assert keys.raydium_array(array.pool, array.start) == each["address"]
        ticks = {at: Tick(tick.net, tick.gross) for at, tick in array.ticks.items()}
        assert told_by(raydium.array(array.pool, array.start, said.spacing, ticks), data) > 40


@pytest.mark.real_data
def test_recorded_orca_accounts_are_written_as_the_chain_did(real_data: Path) -> None:
    kinds = Counter[str]()
    lines = (real_data / "dex_orca_whirlpool_yugure" / "eos365795240.dump.csv").read_text().splitlines()
    found = {key: base64.b64decode(text) for key, text in (line.split(",") for line in lines)}
    spacings = {}
    for key, data in found.items():
        if data[:8] == orca_layout.POOL:
            said = orca_layout.pool_of(Account(keys.ORCA, data))
            tier = struct.unpack_from("<H", data, 43)[0]
            spacings[key] = said.spacing
            mine = orca.PoolFields(
                bump=keys.orca_pool(said.mints, tier)[1], tick_spacing=said.spacing, fee_rate=said.fee_ppm,
                liquidity=said.liquidity, sqrt_price=said.sqrt_price_x64, tick=said.tick, mints=said.mints,
                vaults=said.vaults, updated_s=struct.unpack_from("<Q", data, 261)[0],
            )  # fmt: skip
            written = bytearray(orca.pool(mine).data)
            written[43:45] = struct.pack("<H", tier)  # an adaptive pool's is another than its spacing
            written[47:49] = data[47:49]  # the protocol's share
            assert told_by(Stored(keys.ORCA, bytes(written), 0), data) > 190
            kinds["pool"] += 1
    for key, data in found.items():
        if data[:8] in (orca_ticks.FIXED, orca_ticks.DYNAMIC):
            pool = key_text(data[9956:] if data[:8] == orca_ticks.FIXED else data[12:44])
            array = orca_ticks.array_of(Account(keys.ORCA, data), spacings[pool])
            assert keys.orca_array(pool, array.start) == key
            ticks = {at: Tick(net, gross) for at, (net, gross) in array.ticks.items()}
            make = orca.fixed_array if data[:8] == orca_ticks.FIXED else orca.dynamic_array
            written_array = make(pool, array.start, spacings[pool], ticks)
            assert told_by(Stored(keys.ORCA, written_array.data.ljust(len(data), b"\0"), 0), data) > 40
            kinds[make.__name__] += 1
    assert kinds == {"pool": 4, "fixed_array": 9, "dynamic_array": 3}
