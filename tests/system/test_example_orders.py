"""Single calls of the example algos of fixtures/algos: every order is one that the gate would not call malformed."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import Action, OrderType
from risk.limits import Limits
from runtime import abi
from runtime.abi import ActionKind, Region
from runtime.algostate import AlgoState
from runtime.host import AlgoHost
from tests.support.data import ROOT

pytestmark = pytest.mark.slow

SECOND = 10**9
NAMES = ("market_maker", "market_maker_zig", "momentum", "grid", "twap", "speed_test", "mesh_maker", "mesh_hedger")
CLIP = 100_000
WIDE = Limits(
    max_position_1e8=10**12, max_order_notional_1e9=10**14, max_order_rate=50, price_collar_bps=500,
    max_daily_loss_1e9=10**13,
)  # fmt: skip


def host(name: str) -> AlgoHost:
    return AlgoHost((ROOT / f"fixtures/algos/{name}.wasm").read_bytes(), name=name)


def a_book(bid_1e9: int, ask_1e9: int, recv_ns: int) -> bytearray:
    book = bytearray(656)
    struct.pack_into("<QQ", book, 0, bid_1e9, 10**8)
    struct.pack_into("<QQ", book, 320, ask_1e9, 10**8)
    struct.pack_into("<BBHIQ", book, 640, 1, 1, 0, 0, recv_ns)
    return book


def a_state(instrument: Instrument | None = None, limits: Limits = WIDE, *, reduce_only: bool = False) -> AlgoState:
    state = AlgoState(0, limits)
    state.limits(limits, reduce_only=reduce_only)
    state.instrument(instrument or Instrument("kraken", "BTC/USD", 1, 8, 10**8, 1, 5000, 5 * 10**8))
    return state


def mesh_table(label: str, peer: str) -> bytes:
    """`label` with id 1 and one peer with id 2, as the crate's MeshTable."""
    head = struct.pack("<32sQB7x", label.encode(), 1, 1)
    return (head + struct.pack("<32sQ", peer.encode(), 2)).ljust(688, b"\0")


def test_the_hedger_sends_one_order_however_often_it_is_told() -> None:
    """Repeated, old, foreign and mangled messages; an order not yet seen in the table counts as under way."""
    hedger = host("mesh_hedger")
    hedger.show(Region.MESH, mesh_table("hedger", "maker"))
    state, book = a_state(), a_book(62_000 * 10**9, 62_001 * 10**9, SECOND)
    assert hedger.on_message(2, struct.pack("<Qq", 3, CLIP), state.buffer) == [], "no price is known yet"
    sold = hedger.on_book(book, state.buffer, bytearray(abi.FEATURES_BYTES))
    assert [(order[2], order[3], order[5]) for order in sold] == [(CLIP, -1, OrderType.IOC)]
    for sender, payload in ((2, struct.pack("<Qq", 3, CLIP)), (2, struct.pack("<Qq", 2, 9 * CLIP)),
                            (7, struct.pack("<Qq", 9, 9 * CLIP)), (2, b"hedge!"), (2, b"")):  # fmt: skip
        assert hedger.on_message(sender, payload, state.buffer) == []
    assert hedger.on_heartbeat(state.buffer) == []
    acknowledged = [struct.unpack("<Qq", payload) for receiver, payload in hedger.take_sent() if receiver == 2]
    assert acknowledged == [(0, 0), (0, 0)], "it answers what it understood with its own position"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_no_order_of_an_example_breaks_a_grid_a_minimum_or_a_limit(data: st.DataObject, name: str) -> None:
    """Whatever the instrument, the limits, the price and the position; checked as the gate would."""
    draw = data.draw
    tick, lot = draw(st.sampled_from([1, 10**4, 10**7, 25 * 10**7])), draw(st.sampled_from([1, 100, 10**6, 10**8]))
    bid = tick * draw(st.integers(2_000, 2 * 10**14 // tick))
    ask = bid + tick * draw(st.integers(1, 20))
    instrument = Instrument(
        "kraken", "A/USD", 9, 8, tick, lot, draw(st.integers(0, 10**4)) * lot, draw(st.integers(0, 100 * 10**9))
    )
    limits = Limits(
        max_position_1e8=draw(st.integers(1, 10**14)), max_order_notional_1e9=draw(st.integers(1, 10**15)),
        max_order_rate=50, price_collar_bps=500, max_daily_loss_1e9=10**12,
    )  # fmt: skip
    position = lot * draw(st.integers(-100, 100))
    reduce_only = draw(st.booleans())
    state = a_state(instrument, limits, reduce_only=reduce_only)
    abi.POSITION.pack_into(state.buffer, 0, position, ask, 0, 0)
    features = bytearray(abi.FEATURES_BYTES)
    struct.pack_into("<HHxxxxQ", features, 0, 1, 0, draw(st.integers(bid, ask)))
    struct.pack_into("<qq", features, 40, *draw(st.sampled_from([(10**6, 10**6), (-(10**6), -(10**6)), (0, 0)])))

    guest = host(name)
    guest.show(Region.MESH, mesh_table("hedger", "maker"))
    orders: list[Action] = []
    for second in range(1, 5):
        orders += guest.on_book(a_book(bid, ask, second * 60 * SECOND), state.buffer, features)
        orders += guest.on_heartbeat(state.buffer)
        if name == "mesh_hedger":
            orders += guest.on_message(2, struct.pack("<Qq", 0, lot * draw(st.integers(-(10**5), 10**5))), state.buffer)
    for _, px, qty, side, kind, order_type, *_ in orders:
        if kind != ActionKind.NEW:
            continue
        assert qty > 0 and px > 0 and side in (1, -1)
        assert px % tick == 0 and qty % lot == 0
        assert order_type != OrderType.POST_ONLY or (px < ask if side > 0 else px > bid), "post-only would cross"
        if side * position < 0 and qty <= abs(position):
            continue  # it can only reduce: minimum, notional and position do not hold it
        assert not reduce_only
        assert qty >= instrument.min_qty_1e8
        assert qty * px >= instrument.min_notional_1e9 * 10**8
        assert qty * max(px, ask if side > 0 else bid) <= limits.max_order_notional_1e9 * 10**8
