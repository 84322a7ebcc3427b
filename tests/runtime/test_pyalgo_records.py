"""The records of Python algos: every field where the crate has it, every method with the crate's integers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import abi
from runtime.abi import REGIONS, Generation
from runtime.pytesting import make_book, make_depth, make_order, make_state
from runtime.python import context, market, records
from runtime.python.layout import U64, U128, Array, Bytes, Int, Ints, Record, Sub, fields_of, quotient
from runtime.python.market import ChainFee, ChainFeeTable, ConfigRegion, NbboSnapshot, PoolBooks, VenueBooks, chain_id
from runtime.python.records import AlgoState, Fill, L2Book, OpenOrder, Reject, RiskSnapshot, SymbolMeta
from tests.support.data import abi_table

RECORDS: dict[str, type[Record]] = {
    name: kind
    for module in (context, market, records)
    for name, kind in vars(module).items()
    if isinstance(kind, type)
    and issubclass(kind, Record)
    and hasattr(kind, "SIZE")
    and kind.__module__ == module.__name__
}
CODES = {"B": "u8", "b": "i8", "H": "u16", "h": "i16", "I": "u32", "i": "i32", "Q": "u64", "q": "i64"}
OURS = {"symbol_name_bytes": "symbol_name"}  # symbol_name() is the crate's method
PADDING = {(Fill, "symbol"), (Reject, "symbol")}  # carried in their padding, which the table leaves out


def shape(field: Any) -> str:
    """The field in the words of the table."""
    if isinstance(field, Int):
        return CODES[field.struct.format[1:]]
    if isinstance(field, Ints):
        return f"[{CODES[field.struct.format[-1:]]}; {field.count}]"
    if isinstance(field, Bytes):
        return f"[u8; {field.size}]"
    if isinstance(field, Array):
        return f"[{field.kind.__name__}; {field.count}]"
    if isinstance(field, Sub):
        return str(field.kind.__name__)
    assert isinstance(field, U128)
    return "u128"


@pytest.mark.real_data
def test_every_field_lies_where_the_compiler_put_it(real_data: object) -> None:
    """Against the published table, all structs of 0.4.0, and no field is left out."""
    del real_data
    table = abi_table()["structs"]["0.4.0"]
    assert RECORDS.keys() == table.keys() - {"Action", "WasmActions"}
    for name, kind in RECORDS.items():
        fields = {
            OURS.get(field, field): (at.at, shape(at))
            for field, at in fields_of(kind).items()
            if (kind, field) not in PADDING
        }
        wanted = {field: (entry["offset"], entry["type"]) for field, entry in table[name]["fields"].items()}
        assert (kind.SIZE, fields) == (table[name]["size"], wanted), name


def test_records_are_of_the_sizes_that_the_engine_hands_over() -> None:
    given_by_pointer = {"book": L2Book, "state": AlgoState, "fill": Fill, "reject": Reject}
    assert {name: kind.SIZE for name, kind in given_by_pointer.items()} == abi.RECORDS
    regions = {region: size for region, (_, size) in REGIONS[Generation.V0_4].items()}
    kinds = {kind.REGION: kind.SIZE for kind in RECORDS.values() if issubclass(kind, context.RegionRecord)}
    assert kinds | {abi.Region.FEATURES: records.OnlineFeatures.SIZE} == regions
    assert abi.NBBO_BYTES[Generation.V0_4] == NbboSnapshot.SIZE
    assert OpenOrder.of(order_id=1, side=-1, status=3).to_bytes() == abi.OPEN_ORDER.pack(1, 0, 0, 0, -1, 3)
    assert Fill.of(side=-1, symbol=7).to_bytes() == abi.FILL.pack(0, 0, 0, 0, -1, 7)
    assert Reject.of(code=6, symbol=258).symbol_id() == 258


# --- the crate's own examples (lib.rs, config.rs, messaging.rs: tests) ------------------------------------------------


def test_book_as_in_the_crates_tests() -> None:
    book = make_book(99_000_000_000, 1, 101_000_000_000, 1)
    assert (book.mid_px_1e9(), book.spread_1e9(), book.spread_bps()) == (100_000_000_000, 2_000_000_000, 200)
    assert (book.spread_bps_x1000(), book.is_crossed()) == (200_000, False)
    crossed = make_book(101_000_000_000, 1, 99_000_000_000, 1)
    assert (crossed.is_crossed(), crossed.spread_1e9(), crossed.spread_signed_1e9()) == (True, 0, -2_000_000_000)
    assert crossed.spread_bps_x1000() == -200_000
    deep = make_depth([(100_000_000_000, 500), (99_000_000_000, 200)], [(101_000_000_000, 300)])
    assert (deep.bid_depth_1e8(5), deep.bid_depth_1e8(1), deep.imbalance_bps(5)) == (700, 500, 4000)
    assert (deep.bid_depth_1e8(0), deep.bid_depth_1e8(-1)) == (0, 0)
    empty = L2Book()
    assert (empty.best_bid(), empty.best_ask(), empty.mid_px_1e9(), empty.imbalance_bps(5)) == (None, None, 0, 0)
    assert (empty.spread_1e9(), empty.spread_signed_1e9()) == (2**64 - 1, 2**63 - 1)
    assert (empty.spread_bps(), empty.spread_bps_x1000()) == (2**32 - 1, 2**31 - 1)
    assert [level.is_valid() for level in deep.bids[:3]] == [True, True, False]


def test_state_as_in_the_crates_tests() -> None:
    symbol = SymbolMeta.of(tick_size_1e9=10_000_000, lot_size_1e8=1_000_000)
    assert (symbol.round_px(95_000_000), symbol.round_qty(1_500_000), symbol.round_qty(-1_500_000)) == (
        90_000_000, 1_000_000, -1_000_000,
    )  # fmt: skip
    assert SymbolMeta().round_px(95) == 95
    assert SymbolMeta().check_notional(1, 1)
    assert not SymbolMeta.of(min_notional_1e9=10**10).check_notional(-(10**8), 10**10 - 1)
    assert SymbolMeta.of(min_qty_1e8=5).check_min_qty(-5)
    risk = RiskSnapshot.of(max_position_1e8=10)
    assert [risk.check_position(5, delta) for delta in (5, 6, -15, -16)] == [True, False, True, False]
    state = make_state(
        [make_order(1, 1, 10, 5, 1, filled_1e8=3), make_order(2, -1, 4, 6, 2), make_order(3, 1, 9, 5, 0)],
        realized_pnl_1e9=5_000_000_000, unrealized_pnl_1e9=-2_000_000_000, position_1e8=-1,
    )  # fmt: skip
    assert (state.total_pnl_1e9(), state.get_pnl(), state.total_pnl_usd()) == (
        3_000_000_000, (5_000_000_000, -2_000_000_000, 3_000_000_000), 3.0,
    )  # fmt: skip
    assert (state.open_buy_qty_1e8(), state.open_sell_qty_1e8(), state.live_order_count()) == (7, 4, 2)
    assert (state.is_short(), state.is_flat(), state.has_orders(), state.symbol_name()) == (
        True,
        False,
        True,
        "BTC-USD",
    )
    found = state.find_order(2)
    assert found is not None
    assert (found.qty_1e8, found.remaining_1e8()) == (-4, 4)
    assert state.find_order(9) is None


def test_parameters_and_peers_as_in_the_crates_tests() -> None:
    config = ConfigRegion.of(params=[50, 10**9, 0x3FE0_0000_0000_0000, -1], update_seq=1)
    assert (config.get_bps(0), config.get_i64(1), config.get_f64(2), config.get_i32(3)) == (50, 10**9, 0.5, -1)
    assert (config.get_i64(99), config.get_i32(99), config.get_bool(0)) == (0, 0, True)
    assert (config.is_updated(0), config.is_updated(1)) == (True, False)
    peers = [context.MeshPeerEntry.of(label=label, mesh_id=n) for label, n in ((b"maker", 10), (b"A" * 32, 20))]
    table = context.MeshTable.of(self_label=b"primary", self_mesh_id=99, peer_count=2, peers=peers)
    assert (table.resolve("maker"), table.resolve("A" * 32), table.resolve("anything"), table.resolve("")) == (
        10,
        20,
        0,
        0,
    )
    assert (table.label_for(20), table.label_for(9), table.self_label_str()) == ("A" * 32, "", "primary")


def test_venues_pools_and_fees() -> None:
    assert [market.venue_name(n) for n in (0, 1, 12, 17, 99)] == [
        "default",
        "kraken",
        "dex-arb",
        "hyperliquid",
        "unknown",
    ]
    assert [n for n in range(20) if market.is_dex(n)] == [7, 11, 12, 13, 14, 15, 16]
    assert [n for n in range(20) if market.is_cex(n)] == [1, 2, 3, 4, 5, 6, 8, 9, 17]
    assert market.venue_chain_id(market.VENUE_DEX_ARB) == chain_id.ARBITRUM
    assert market.venue_chain_id(market.VENUE_KRAKEN) == 255
    nbbo = NbboSnapshot.of(
        venue_ct=2, venue_ids=[1, 12], venue_bid_px=[5, 6], venue_ask_px=[7, 8], venue_update_ms=[0, 65_535],
        nbbo_bid_px_1e9=9, nbbo_ask_px_1e9=7, nbbo_bid_venue=1,
    )  # fmt: skip
    assert (nbbo.is_crossed(), nbbo.best_bid_venue_id(), nbbo.best_ask_venue_id()) == (True, 12, 1)
    assert (nbbo.venue_bid(1), nbbo.venue_ask(2), nbbo.slot_for_venue(12), nbbo.slot_for_venue(2)) == (6, 0, 1, None)
    assert [nbbo.is_venue_stale(slot, 1000) for slot in range(3)] == [False, True, True]
    books = VenueBooks.of(
        book_ct=2, venue_ids=[1, 12], venue_region_ids=[0, 4], books=[L2Book(), make_book(1, 2, 3, 4)]
    )
    assert books.has_depth_for(12) and not books.has_depth_for(1)
    assert books.book_for_venue_region(12, 4) == books.book_at_slot(1) != books.book_at_slot(2)
    assert books.book_for_venue_region(12, 5) is None
    assert (books.cex_count(), books.dex_count(), books.venue_id_at(1), books.venue_id_at(2)) == (1, 1, 12, 0)
    pools = PoolBooks.of(pool_ct=1, metas=[market.PoolMeta.of(address=b"\1" * 20, pair_index=3, gas_units_1k=180)])
    address = (b"\1" * 20).ljust(32, b"\0")
    assert pools.book_for_pool(address, 3) == L2Book()
    assert pools.book_for_pool(address, 2) is None
    assert pools.meta_at_slot(0).gas_units() == 180_000
    gwei = ChainFee.of(
        chain_id=1, base_fee_native=2, priority_fee_native=1, estimated_gas_units=150_000, native_price_1e9=3500 * 10**9
    )
    lamports = ChainFee.of(chain_id=5, base_fee_native=5000, priority_fee_native=1000, estimated_gas_units=200_000)
    assert (gwei.total_gas_cost_native(), gwei.gas_cost_usd_1e9(), lamports.total_gas_cost_native()) == (
        450_000, 1_575_000_000, 5200,
    )  # fmt: skip
    fees = ChainFeeTable.of(chain_ct=2, chains=[gwei, lamports])
    assert fees.fee_for_chain(5) == lamports
    assert fees.fee_for_chain(0) is None


# --- properties ------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**70), 2**70), st.integers(-(2**64), 2**64).filter(bool))
def test_division_goes_towards_zero_as_in_rust(value: int, by: int) -> None:
    rest = value - quotient(value, by) * by
    assert abs(rest) < abs(by)
    assert rest == 0 or (rest > 0) == (value > 0)


@given(st.data())
def test_a_record_gives_back_what_was_put_in(data: st.DataObject) -> None:
    """For each record of plain integers, all fields at once: no two overlap."""
    kind = data.draw(
        st.sampled_from([k for k in RECORDS.values() if all(isinstance(f, Int) for f in fields_of(k).values())])
    )
    bits = {"b": 8, "h": 16, "i": 32, "q": 64}
    values = {}
    for name, field in fields_of(kind).items():
        assert isinstance(field, Int)
        code = field.struct.format[1:]
        size = 1 << bits[code.lower()]
        values[name] = data.draw(st.integers(-size // 2, size // 2 - 1) if code.islower() else st.integers(0, size - 1))
    record = kind.of(**values)
    assert {name: getattr(record, name) for name in values} == values
    assert record == kind(b"\xff" + record.to_bytes() + b"\xff", 1)
    assert len({record, kind(record.to_bytes())}) == 1
    assert all(f"{name}={value}" in repr(record) for name, value in values.items())


def test_a_record_of_unknown_or_too_large_things_is_refused() -> None:
    with pytest.raises(TypeError, match="Level has no field 'price', only px_1e9, sz_1e8"):
        records.Level.of(price=1)
    with pytest.raises(ValueError, match="33 bytes, 32 fit"):
        context.MeshPeerEntry.of(label=b"x" * 33)
    with pytest.raises(ValueError, match="33 entries, 32 fit"):
        make_state([OpenOrder()] * 33)
    assert U64 == 2**64 - 1
