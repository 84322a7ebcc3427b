"""The example algos of fixtures/algos, against the simulated market: each does what its README line promises."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType
from connectors.orders import Action, OrderType
from risk.denial import DenyReason
from risk.limits import Limits
from runtime.abi import ActionKind
from runtime.guest import Guest
from runtime.host import AlgoHost
from runtime.inputs import ActionRecord, Input
from runtime.python.guest import load_python
from runtime.regions import Param, ParamKind
from runtime.spec import AlgoSpec
from tests.runtime.world import recording
from tests.support.data import ROOT
from tests.support.gateway import gateway, json_lines
from tests.support.virtual import World

pytestmark = pytest.mark.slow

MAKERS = ("market_maker", "market_maker_zig", "market_maker_py")
SINGLE = (*MAKERS, "momentum", "grid", "twap", "speed_test")
RUST = ("market_maker", "momentum", "grid", "twap", "speed_test", "mesh_maker", "mesh_hedger")
CLIP = 100_000
WIDE = Limits(
    max_position_1e8=10**12, max_order_notional_1e9=10**14, max_order_rate=50, price_collar_bps=500,
    max_daily_loss_1e9=10**13,
)  # fmt: skip


def file_of(name: str) -> Path:
    return ROOT / "fixtures/algos" / ("market_maker_py/market_maker.py" if name.endswith("_py") else f"{name}.wasm")


def host(name: str) -> Guest:
    path = file_of(name)
    return load_python(path) if path.suffix == ".py" else AlgoHost(path.read_bytes(), name=name)


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
    """A world that keeps fills, and calls `watch` after every turn."""

    def __init__(
        self, *algos: AlgoSpec, watch: Callable[["Stage"], None] | None = None, symbol: str = "BTC/USD"
    ) -> None:
        super().__init__(algos=algos, symbols=(symbol,), limits=WIDE)
        self.watch = watch
        self.fills: list[Fill] = []
        self._orders: dict[str, ActionRecord] = {}
        self.watchers.append(self._look)

    def _look(self, given: Input) -> None:
        del given
        for item in self.engine.trace:
            if isinstance(item, ActionRecord) and item.action[4] == ActionKind.NEW and item.approval:
                self._orders[item.client_order_id] = item
            elif isinstance(item, ExecReport) and item.exec_type is ExecType.TRADE:
                asked = self._orders[item.client_order_id]
                order_id, side = asked.action[0], asked.action[3]
                self.fills.append(Fill(self.seconds(), asked.algo, side, item.last_qty_1e8, item.last_px_1e9, order_id))
        if self.watch is not None:
            self.watch(self)

    def position(self, algo: int = 0) -> int:
        found = self.engine.oms.positions.get((algo, 0))
        return found.qty_1e8 if found is not None else 0

    def open_1e8(self, side: int) -> int:
        return sum(order.leaves_1e8 for order in self.engine.oms.orders.values() if order.side == side)

    def new_orders(self) -> list[Action]:
        return [record.action for record in self.actions if record.action[4] == ActionKind.NEW]

    def texts(self) -> list[str]:
        return [line.text.decode() for line in self.lines]

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
def test_the_market_maker_does_exactly_the_same_in_each_language(symbol: str, params: dict[int, int]) -> None:
    done = []
    for name in MAKERS:
        stage = Stage(example(name, params, symbol=symbol), symbol=symbol)
        stage.run(45)
        done.append([record.action for record in stage.actions])
    assert len(done[0]) > 20
    assert done[0] == done[1] == done[2]


@pytest.mark.parametrize(
    "params", ["", "params = { 0 = 300_000, 1 = 900_000, 2 = 1, 3 = 4 }"], ids=["defaults", "tuned"]
)
def test_on_a_recording_the_market_makers_actions_are_equal(params: str, tmp_path: Path) -> None:
    """Times, ids, prices, sizes, verdicts; Rust and Python log the same lines too, so the session's hash is one."""
    tape = recording(tmp_path / "tape.jsonl", seconds=60)
    done = {}
    for name in MAKERS:
        config, actions = tmp_path / f"{name}.toml", tmp_path / f"{name}.jsonl"
        config.write_text(f'[[algos]]\nname = "mm"\nwasm = "{file_of(name)}"\nsymbols = ["BTC/USD"]\n{params}\n')
        words = ("replay", str(tape), "--instrument", "BTC/USD:1:8:0.00005:0.5", "--config", str(config))
        done[name] = gateway(*words, "--actions", str(actions)), json_lines(actions)
    (rust, orders), (_, in_zig), (python, in_python) = done.values()
    assert orders == in_zig == in_python
    assert rust["hash"] == python["hash"]
    assert rust["fills"] == python["fills"] > 0
    assert {row["side"] for row in orders if row["kind"] == "new"} == {1, -1}


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
    assert {line for line in stage.texts() if line.startswith("out")} >= {"out: stop", "out: target"}
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
    for order_id in whole[:-1]:
        px, side = asked[order_id][1], asked[order_id][3]
        later = (action for action in stage.new_orders() if action[0] > order_id and action[3] == -side)
        assert any(abs(px + side * spacing - action[1]) <= spacing // 2 for action in later), "no answer one line on"
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
    assert f"horizon over: done_1e8 {parent} of {parent}" in stage.texts()
    stage.end()


def test_twap_waits_for_its_limit() -> None:
    stage = Stage(example("twap", {0: CLIP, 2: 20, 3: 60_000 * 10**9}))
    stage.run(30)
    assert stage.new_orders() == []
    assert f"horizon over: done_1e8 0 of {CLIP}" in stage.texts()
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


@pytest.mark.real_data
@pytest.mark.parametrize("name", SINGLE)
def test_an_example_runs_on_a_recorded_book_through_the_command(
    name: str, kraken_captures: Path, tmp_path: Path
) -> None:
    """301 recorded books of one second, deployed by a config file with a parameter."""
    config, actions = tmp_path / "gateway.toml", tmp_path / "actions.jsonl"
    config.write_text(f"""
[[algos]]
name = "example"
wasm = "{file_of(name)}"
symbols = ["BTC/USD"]
params = {{ 0 = {25 if name == "speed_test" else CLIP} }}
""")
    path = str(kraken_captures / "kraken_btcusd_l2.jsonl")
    words = ("replay", path, "--instrument", "BTC/USD:1:8:0.00005:0.5", "--config", str(config))
    done = gateway(*words, "--actions", str(actions))
    assert done["callbacks"]["on_book"] == 301
    assert done["open_orders"] == done["anomalies"] == 0
    assert not done["denied"]
    if name == "speed_test":
        assert done["actions"] == 3 * len(range(0, 301, 25)) - 1, "the last round is cut short by the shutdown's cancel"
    elif name in (*MAKERS, "grid"):
        assert {row["side"] for row in json_lines(actions)} >= {1, -1}


# --- their own tests -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that the crate is compiled once. Skips without cargo, fails without it in CI."""
    if shutil.which("cargo") is None:
        reason = "no cargo: the examples' own tests are not run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path_factory.mktemp("target")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUST)
def test_cargo_test_passes_in_a_copy_of_an_example(name: str, target: Path, tmp_path: Path) -> None:
    """Natively, where the crate cannot read parameters: each sets some and sees them followed."""
    copy = tmp_path / name
    shutil.copytree(ROOT / "fixtures/algos" / name, copy, ignore=shutil.ignore_patterns("target"))
    words = ["cargo", "test", "--locked"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(words, cwd=copy, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    passed = sum(int(line.split()[3]) for line in done.stdout.splitlines() if line.startswith("test result: ok."))
    assert passed >= 1
