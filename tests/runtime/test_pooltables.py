"""PoolBooks and PoolStateTable, field by field in every generation, and what connectors/pool.py refuses."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.book import L2Book
from connectors.errors import ConfigError, NumberError
from connectors.pool import DexVenue, PoolAmm, PoolGas, PoolId, PoolType, PoolUpdate, Protocol
from runtime.abi import REGIONS, Generation, Region
from runtime.pooltables import PoolTables
from tests.support.data import abi_table
from tests.support.nbbo_reference import WideLayout, book

CRATES = {Generation.V0_3_0_NBBO: "0.3.0", Generation.V0_3_2_NBBO: "0.3.2", Generation.V0_4: "0.4.0"}
NEWEST = Generation.V0_4
NOW_NS = 1_780_000_000 * 10**9
Levels = dict[int, int]


@pytest.fixture(scope="module")
def layouts(real_data: Path) -> dict[Generation, WideLayout]:
    del real_data
    structs = abi_table()["structs"]
    return {generation: WideLayout(structs[version]) for generation, version in CRATES.items()}


U16, U64, U128 = st.integers(0, 2**16 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**128 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
IDS = st.builds(
    PoolId, st.binary(min_size=32, max_size=32).filter(any), st.just("WETH/USDC"), U16, st.sampled_from(DexVenue),
    st.sampled_from(Protocol), U16,
)  # fmt: skip
GAS = st.builds(PoolGas, U64, U64, U64, st.sampled_from([0, 1, 65_535, 65_536]))
AMM = st.builds(
    PoolAmm, pool_type=st.sampled_from(PoolType), last_block=st.integers(1, 2**64 - 1), last_update_ns=U64,
    fee_ppm=st.integers(0, 2**32 - 1), reserve0=U128, reserve1=U128, sqrt_price_x64=U128, liquidity=U128,
    tick=I32, tick_spacing=I32,
)  # fmt: skip
SIDES = st.tuples(
    st.dictionaries(st.integers(1, 50), st.integers(1, 2**63 - 1), max_size=22),
    st.dictionaries(st.integers(51, 99), st.integers(1, 2**63 - 1), max_size=22),
)
STEP = st.tuples(
    st.integers(0, 31), st.one_of(SIDES, st.none(), st.builds(PoolUpdate, st.just(7), GAS, st.none() | AMM))
)
NO_STATE = dict.fromkeys((
    "reserve0_lo", "reserve0_hi", "reserve1_lo", "reserve1_hi", "sqrt_price_x64", "liquidity", "tick", "tick_spacing",
    "fee_ppm", "pool_type", "last_block", "last_update_ns",
), 0)  # fmt: skip


def curve(amm: PoolAmm) -> dict[str, int]:
    fields = msgspec.structs.asdict(amm)
    for name in ("reserve0", "reserve1"):
        fields[f"{name}_hi"], fields[f"{name}_lo"] = divmod(fields.pop(name), 2**64)
    return fields


class Reference:
    """What both tables must say of these pools."""

    def __init__(self, ids: list[PoolId], symbol_id: int) -> None:
        self.ids = ids
        self.symbol_id = symbol_id
        self.gas = [PoolGas() for _ in ids]
        self.curves = [NO_STATE for _ in ids]
        self.fees = [pool.fee_bps for pool in ids]
        self.ladders = [book({}, {}, symbol_id, 0) for _ in ids]

    def pool_books(self) -> dict[str, Any]:
        metas = []
        for pool, gas, fee_bps in zip(self.ids, self.gas, self.fees, strict=True):
            meta = msgspec.structs.asdict(pool) | msgspec.structs.asdict(gas) | {"fee_bps": fee_bps}
            del meta["symbol"]
            short = {name: min(value, 65_535) for name, value in msgspec.structs.asdict(gas).items()}
            metas.append(meta | short | {"address": list(pool.address)})
        rest = 32 - len(self.ids)
        empty = dict.fromkeys(metas[0] if metas else (), 0) | {"address": [0] * 32}
        return {"pool_ct": len(self.ids), "metas": metas + [empty] * rest,
                "books": self.ladders + [book({}, {}, 0, 0)] * rest}  # fmt: skip

    def states(self) -> dict[str, Any]:
        return {"count": len(self.ids), "states": self.curves + [NO_STATE] * (32 - len(self.ids))}


def check(tables: PoolTables, expected: Reference, layout: WideLayout, newest: WideLayout) -> None:
    raw, states = bytes(tables.books.buffer), bytes(tables.states.buffer)
    assert (len(raw), len(states)) == (layout.size("PoolBooks"), newest.size("PoolStateTable"))
    assert not any(layout.padding("PoolBooks", raw) + newest.padding("PoolStateTable", states))
    shown, wanted = layout.decode("PoolBooks", raw), expected.pool_books()
    names = shown["metas"][0].keys()  # earlier generations know nothing of gas
    assert shown["metas"] == [{name: meta[name] for name in names} for meta in wanted["metas"]]
    assert (shown["pool_ct"], shown["books"]) == (wanted["pool_ct"], wanted["books"])
    assert newest.decode("PoolStateTable", states) == expected.states()


@pytest.mark.real_data
@settings(max_examples=60, deadline=None)
@given(
    generation=st.sampled_from(list(CRATES)),
    ids=st.lists(IDS, min_size=1, max_size=32, unique_by=lambda pool: pool.key),
    steps=st.lists(STEP, max_size=8),
    symbol_id=st.sampled_from([0, 3, 255]),
)
def test_any_history_of_pools_shows_what_the_dictionaries_say(
    layouts: dict[Generation, WideLayout], generation: Generation, ids: list[PoolId], steps: list[tuple[int, Any]],
    symbol_id: int,
) -> None:  # fmt: skip
    """Ladders loaded and lost, gas and curves told: each is shown, and a version rises exactly with a change."""
    books = [L2Book() for _ in ids]
    tables = PoolTables(generation, list(zip(ids, books, strict=True)), symbol_id=symbol_id)
    expected = Reference(ids, symbol_id)
    for at, step in [(0, None), *steps]:
        slot = at % len(ids)
        before = [(record.version, bytes(record.buffer)) for record in (tables.books, tables.states)]
        if isinstance(step, PoolUpdate):
            tables.update(slot, step)
            expected.gas[slot] = step.gas
            if step.amm:
                expected.curves[slot] = curve(step.amm)
                expected.fees[slot] = min((step.amm.fee_ppm + 99) // 100, 65_535)
        else:
            bids, asks = step or ({}, {})
            if step:
                books[slot].load(list(bids.items()), list(asks.items()), NOW_NS)
            else:
                books[slot].invalidate("test")
            tables.refresh(slot)
            expected.ladders[slot] = book(bids, asks, symbol_id, NOW_NS if step else 0)
        for record, (version, raw) in zip((tables.books, tables.states), before, strict=True):
            assert (record.version > version) == (record.buffer != raw)
        check(tables, expected, layouts[generation], layouts[NEWEST])


def pool(**changes: Any) -> PoolId:
    fields: dict[str, Any] = {
        "address": bytes(range(1, 33)), "symbol": "WETH/USDC", "pair_index": 0, "venue_id": DexVenue.DEX_ARB,
        "protocol_id": Protocol.UNISWAP_V3, "fee_bps": 5,
    }  # fmt: skip
    return PoolId(**fields | changes)


def test_records_have_the_sizes_of_their_regions() -> None:
    """From runtime/abi.py, so that a guest can be shown them as they are."""
    for generation in CRATES:
        tables = PoolTables(generation, [(pool(), L2Book())])
        assert len(tables.books.buffer) == REGIONS[generation][Region.POOL_BOOKS][1]
    assert len(tables.states.buffer) == REGIONS[NEWEST][Region.POOL_STATES][1]


def test_a_pool_may_be_in_two_pairs_and_on_two_chains() -> None:
    ids = [pool(), pool(pair_index=1), pool(venue_id=DexVenue.DEX_ETH)]
    assert PoolTables(NEWEST, [(each, L2Book()) for each in ids]).books.buffer[0] == 3


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([pool(pair_index=k) for k in range(33)], ["33 pools", "at most 32"]),
        ([pool(), pool(fee_bps=30)], ["WETH/USDC", "0102", "twice"]),
    ],
)
def test_pools_that_cannot_be_shown_are_refused(ids: list[PoolId], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        PoolTables(NEWEST, [(each, L2Book()) for each in ids])
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.place
    assert caught.value.mend


@pytest.mark.parametrize("generation", [Generation.V0_1, Generation.V0_3])
def test_a_guest_without_the_region_does_not_keep_pools_out(generation: Generation) -> None:
    """It is never shown them, but its session may have them."""
    assert Region.POOL_BOOKS not in REGIONS[generation]
    tables = PoolTables(generation, [(pool(), L2Book())])
    tables.update(0, PoolUpdate(7, PoolGas(gas_cost_1e5=5), amm()))
    assert tables.books.version > 1


def test_a_slot_without_a_pool_is_nobodys() -> None:
    tables = PoolTables(NEWEST, [(pool(), L2Book())])
    with pytest.raises(IndexError):
        tables.update(1, PoolUpdate(7, PoolGas(), None))
    with pytest.raises(IndexError):
        tables.refresh(1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": bytes(20)}, ["0000", "32 bytes"]), ({"address": bytes(32)}, ["32 bytes"]),
        ({"address": b""}, ["empty", "32 bytes"]), ({"address": b"\1" * 33}, ["32 bytes"]),
        ({"symbol": ""}, ["symbol"]),
        ({"pair_index": -1}, ["pair_index -1", "65535"]), ({"pair_index": 2**16}, ["pair_index 65536"]),
        ({"fee_bps": -1}, ["fee_bps -1"]), ({"fee_bps": 2**16}, ["fee_bps 65536"]),
        ({"venue_id": 1}, ["venue id 1", "11 … 16"]), ({"venue_id": 17}, ["venue id 17"]),
        ({"protocol_id": 10}, ["protocol id 10", "0 … 9"]), ({"protocol_id": -1}, ["protocol id -1"]),
    ],
)  # fmt: skip
def test_a_pool_that_is_no_pool_is_refused(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        pool(**changes)
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.place
    assert caught.value.mend


def amm(**changes: int) -> PoolAmm:
    return PoolAmm(**{"pool_type": 0, "last_block": 1, "last_update_ns": 0, "fee_ppm": 0} | changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in ("reserve0", "reserve1", "sqrt_price_x64", "liquidity") for value in (-1, 2**128)],
        *[(name, value) for name in ("tick", "tick_spacing") for value in (-(2**31) - 1, 2**31)],
        ("fee_ppm", -1), ("fee_ppm", 2**32), ("pool_type", -1), ("pool_type", 3), ("last_block", 0),
        ("last_block", 2**64), ("last_update_ns", -1), ("last_update_ns", 2**64),
    ],
)  # fmt: skip
def test_a_curve_that_does_not_fit_is_no_event(field: str, value: int) -> None:
    with pytest.raises(NumberError, match=rf"PoolAmm\.{field} is {value}, outside"):
        amm(**{field: value})


@pytest.mark.parametrize("field", PoolGas.__struct_fields__)
def test_gas_is_never_negative(field: str) -> None:
    for value in (-1, 2**64):
        with pytest.raises(NumberError, match=rf"PoolGas\.{field} is {value}, outside"):
            PoolGas(**{field: value})
