"""The example algos of fixtures/algos, against the simulated market: each does what its README line promises."""

import struct
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import Action, OrderType
from risk.denial import DenyReason
from risk.limits import Limits
from runtime import abi
from runtime.abi import ActionKind, Region
from runtime.algostate import AlgoState
from runtime.host import AlgoHost
from runtime.inputs import ActionRecord, GuestLine, Input
from runtime.regions import Param, ParamKind
from runtime.spec import AlgoSpec
from tests.support.data import ROOT
from tests.support.virtual import SECOND, World

SINGLE = ("market_maker", "market_maker_zig", "momentum", "grid", "twap", "speed_test")
MAKERS = ("market_maker", "market_maker_zig")
NAMES = (*SINGLE, "mesh_maker", "mesh_hedger")
CLIP = 100_000
WIDE = Limits(
    max_position_1e8=10**12, max_order_notional_1e9=10**14, max_order_rate=50, price_collar_bps=500,
    max_daily_loss_1e9=10**13,
)  # fmt: skip


def host(name: str) -> AlgoHost:
    return AlgoHost((ROOT / f"fixtures/algos/{name}.wasm").read_bytes(), name=name)


def example(name: str, params: dict[int, int] | None = None, *, label: str = "", symbol: str = "BTC/USD") -> AlgoSpec:
    given = tuple(Param(slot, ParamKind.I64, word) for slot, word in (params or {}).items())
    return AlgoSpec(name, host(name), (symbol,), params=given, label=label)


class Fill(NamedTuple):
    """One execution, `at_s` from the start."""

    at_s: float
    algo: int
    side: int
    qty_1e8: int
    px_1e9: int
    order_id: int


class Stage(World):
    """A world that keeps fills and guest lines, and calls `watch` after every turn."""

    def __init__(
        self, *algos: AlgoSpec, watch: Callable[["Stage"], None] | None = None, symbol: str = "BTC/USD"
    ) -> None:
        super().__init__(algos=algos, symbols=(symbol,), limits=WIDE)
        self.watch = watch
        self.fills: list[Fill] = []
        self.lines: list[str] = []
        self.reports: list[ExecReport] = []
        self._orders: dict[str, ActionRecord] = {}

    def feed(self, given: Input) -> None:
        super().feed(given)
        for item in self.engine.trace:
            if isinstance(item, GuestLine):
                self.lines.append(item.text.decode())
            elif isinstance(item, ActionRecord) and item.action[4] == ActionKind.NEW and item.approval:
                self._orders[item.client_order_id] = item
            elif isinstance(item, ExecReport):
                self.reports.append(item)
                if item.exec_type is ExecType.TRADE:
                    asked = self._orders[item.client_order_id]
                    order_id, side = asked.action[0], asked.action[3]
                    self.fills.append(
                        Fill(self.seconds(), asked.algo, side, item.last_qty_1e8, item.last_px_1e9, order_id)
                    )
        if self.watch is not None:
            self.watch(self)

    def position(self, algo: int = 0) -> int:
        found = self.engine.oms.positions.get((algo, 0))
        return found.qty_1e8 if found is not None else 0

    def open_1e8(self, side: int) -> int:
        return sum(order.leaves_1e8 for order in self.engine.oms.orders.values() if order.side == side)

    def new_orders(self) -> list[Action]:
        return [record.action for record in self.actions if record.action[4] == ActionKind.NEW]

    def end(self) -> None:
        """Stops; nothing may be left open, nothing may have gone wrong."""
        self.command("stop")
        assert self.engine.oms.orders == {}
        assert self.engine.oms.anomalies == 0
        assert not any(algo.is_faulty for algo in self.engine.algos)


# --- market maker ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_the_market_maker_quotes_both_sides_and_bounds_its_inventory(name: str) -> None:
    books = Counter[bool]()

    def watch(stage: Stage) -> None:
        assert abs(stage.position()) + CLIP <= 11 * CLIP
        for side in (1, -1):
            assert stage.position() * side + stage.open_1e8(side) <= 10 * CLIP
        if stage.engine.touched:
            books[bool(stage.open_1e8(1) and stage.open_1e8(-1))] += 1

    stage = Stage(example(name, {0: CLIP, 2: 1}), watch=watch)
    stage.run(120)
    assert books[True] > 4 * books[False], "a moved quote is away for a tenth of a second"
    assert {fill.side for fill in stage.fills} == {1, -1}
    assert not stage.engine.desk.denied
    assert {action[5] for action in stage.new_orders()} == {OrderType.POST_ONLY}
    stage.end()


@pytest.mark.parametrize("name", MAKERS)
def test_a_full_market_maker_quotes_one_side_only(name: str) -> None:
    """max_position of one clip: after the first fill it is full, until the other side fills."""
    full: list[int] = []

    def watch(stage: Stage) -> None:
        position = stage.position()
        assert abs(position) <= CLIP
        if abs(position) == CLIP and stage.engine.touched:
            full.append(stage.open_1e8(1 if position > 0 else -1))

    stage = Stage(example(name, {0: CLIP, 1: CLIP, 2: 1}), watch=watch)
    stage.run(120)
    assert len(full) > 50
    assert not any(full)
    assert {fill.side for fill in stage.fills} == {1, -1}


@pytest.mark.parametrize("symbol", ["BTC/USD", "DOGE/USD"])
@pytest.mark.parametrize("params", [{}, {2: 1, 3: 10, 4: 3, 5: 500}], ids=["defaults", "tuned"])
def test_the_zig_market_maker_does_exactly_what_the_rust_one_does(symbol: str, params: dict[int, int]) -> None:
    done = []
    for name in MAKERS:
        stage = Stage(example(name, params, symbol=symbol), symbol=symbol)
        stage.run(45)
        done.append([record.action for record in stage.actions])
    assert len(done[0]) > 20
    assert done[0] == done[1]


# --- momentum --------------------------------------------------------------------------------------------------------


def test_momentum_enters_leaves_and_rests() -> None:
    """Never more than a clip, flat again after each exit, five seconds of rest before the next entry."""
    rest_s, hold_s = 2, 20

    def watch(stage: Stage) -> None:
        assert abs(stage.position()) <= CLIP

    stage = Stage(example("momentum", {0: CLIP, 1: 100_000, 3: 3, 4: 3, 5: hold_s, 6: rest_s}), watch=watch)
    stage.run(240)
    assert {action[5] for action in stage.new_orders()} == {OrderType.IOC}
    held, entered_s, left_s, rounds = 0, 0.0, 0.0, 0
    for fill in stage.fills:
        if held == 0:
            assert fill.at_s >= left_s + rest_s
            entered_s = fill.at_s
        held += fill.side * fill.qty_1e8
        if held == 0:
            left_s, rounds = fill.at_s, rounds + 1
            assert left_s <= entered_s + hold_s + 1
    assert rounds >= 3
    assert {line for line in stage.lines if line.startswith("out")} >= {"out: stop", "out: target"}
    stage.end()
    assert stage.position() == 0, "its last position goes at shutdown"


# --- grid ------------------------------------------------------------------------------------------------------------


def test_the_grid_refills_one_line_back_and_holds_no_more_than_its_levels() -> None:
    levels = 4

    def watch(stage: Stage) -> None:
        assert abs(stage.position()) <= levels * CLIP

    stage = Stage(example("grid", {0: CLIP, 1: levels, 2: 3}), watch=watch)
    stage.run(1)
    laid = Counter(action[3] for action in stage.new_orders()[: 2 * levels])
    assert laid == {1: levels, -1: levels}
    prices = sorted(action[1] for action in stage.new_orders()[: 2 * levels])
    gaps = {b - a for a, b in pairwise(prices)}
    spacing = min(gaps)
    assert gaps == {spacing, 2 * spacing}, "even lines; the start lies between the two innermost"
    stage.run(180)
    assert not stage.engine.desk.denied
    assert len(stage.fills) > 10
    asked = {action[0]: action for action in stage.new_orders()}
    filled = Counter[int]()
    for fill in stage.fills:
        filled[fill.order_id] += fill.qty_1e8
    whole = [order_id for order_id, qty in filled.items() if qty == asked[order_id][2]]
    answers = {(action[3], action[1]) for action in stage.new_orders()}
    for order_id in whole[:-1]:
        _, px, _, side = asked[order_id][:4]
        assert any(s == -side and abs(px + side * spacing - p) <= spacing // 2 for s, p in answers), (
            "no answer one line on"
        )
    assert Counter(fill.side for fill in stage.fills).keys() == {1, -1}
    stage.end()


# --- twap ------------------------------------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(side=st.sampled_from([1, -1]), parent=st.integers(5_000, 400_000_000), horizon=st.integers(5, 40))
def test_twap_fills_its_parent_within_the_horizon_and_never_more(side: int, parent: int, horizon: int) -> None:
    def watch(stage: Stage) -> None:
        assert 0 <= stage.position() * side <= parent

    stage = Stage(example("twap", {0: parent, 1: side, 2: horizon, 5: 20}), watch=watch)
    stage.run(horizon + 10)
    assert stage.position() == side * parent
    assert stage.fills[-1].at_s <= horizon + 1.1, "heartbeats come at full seconds"
    planned = max(horizon * 9 // 10, 1)
    early = [action for action in stage.new_orders() if action[2] > max(3 * (parent // planned), 5_100) + 5_100]
    assert not early, "a slice is at most three regular ones, and what would be left too small"
    assert f"done_1e8 {parent} of {parent}" in "\n".join(stage.lines)
    stage.end()


def test_twap_waits_for_its_limit() -> None:
    stage = Stage(example("twap", {0: CLIP, 2: 20, 3: 60_000 * 10**9}))
    stage.run(30)
    assert stage.new_orders() == []
    assert f"horizon over: done_1e8 0 of {CLIP}" in stage.lines
    touch = stage.engine.books[0].touch()[1]
    bounded = Stage(example("twap", {0: 50 * CLIP, 2: 60, 3: touch}))
    bounded.run(70)
    assert bounded.fills
    assert max(fill.px_1e9 for fill in bounded.fills) <= touch


# --- speed test ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [3, 10, 25])
def test_the_speed_test_places_amends_and_cancels_once_in_n_books(every: int) -> None:
    stage = Stage(example("speed_test", {0: every}))
    stage.run(20)
    books = stage.engine.algos[0].book_calls
    kinds = Counter(record.action[4] for record in stage.actions)
    for kind, step in ((ActionKind.NEW, 0), (ActionKind.AMEND, 1), (ActionKind.CANCEL, 2)):
        assert kinds[kind] == len(range(step, books, every))
    assert not stage.engine.desk.denied
    assert not stage.fills
    stage.end()


# --- the mesh pair ---------------------------------------------------------------------------------------------------


def test_the_mesh_pair_hedges_every_fill_once() -> None:
    def watch(stage: Stage) -> None:
        assert abs(stage.position(0) + stage.position(1)) <= CLIP
        assert abs(stage.position(0)) <= 10 * CLIP

    stage = Stage(
        example("mesh_maker", {0: CLIP}, label="maker"), example("mesh_hedger", label="hedger"), watch=watch
    )  # fmt: skip
    stage.run(120)
    made, hedged = ([fill for fill in stage.fills if fill.algo == algo] for algo in (0, 1))
    assert len(made) > 50
    assert stage.position(0) + stage.position(1) == 0
    assert sum(fill.qty_1e8 for fill in hedged) <= sum(fill.qty_1e8 for fill in made)
    assert all(fill.at_s < 121 for fill in hedged)
    assert {action[5] for action in stage.new_orders()} == {OrderType.POST_ONLY, OrderType.IOC}
    assert stage.engine.rounds.messages_lost == 0
    stage.end()


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


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SINGLE, "mesh_maker"])
def test_an_example_that_is_refused_backs_off_and_comes_back(name: str) -> None:
    """The venue closes where no guest can see it; a minute later it opens again."""
    params = {"momentum": {1: 1}, "twap": {2: 200}, "grid": {2: 3}}.get(name, {})
    stage = Stage(example(name, params))
    stage.run(0.5)
    stage.engine.ports["kraken"].link.system = "maintenance"
    stage.run(60)
    refused = stage.engine.desk.denied[DenyReason.VENUE_NOT_READY]
    assert 1 <= refused <= (80 if name == "grid" else 20), "ten cells, each on its own"
    stage.engine.ports["kraken"].link.system = "online"
    approved = stage.engine.desk.approved
    stage.run(70)
    assert stage.engine.desk.approved > approved
    stage.end()


@pytest.mark.parametrize("name", SINGLE)
def test_an_example_only_reduces_when_nothing_else_is_let_through(name: str) -> None:
    stage = Stage(example(name, {"momentum": {1: 1}}.get(name, {})))
    stage.run(20)
    stage.command("reduce")
    stage.run(30)
    assert DenyReason.REDUCE_ONLY not in stage.engine.desk.denied
    assert stage.actions
    stage.end()


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
