"""Nothing leaves but what was approved: hostile guests against the paper venue and against venues on a wire.

`VENUEGATE_ACTIONS=1000000` asks that many actions instead of 40,000; `VENUEGATE_SEED` is the first seed. What is held
after every turn is in tests/support/exit_world.py.
"""

import ast
import os

import msgspec
import pytest

from connectors.events import Notice, RejectCode
from connectors.instrument import Instrument
from connectors.orders import Action, Approved, NewOrder, OrderType
from connectors.session import Send
from connectors.venues.kraken.orders import KrakenOrders
from risk.states import TradingState
from runtime.abi import REJECT
from runtime.exit import Exit
from runtime.inputs import Command, Frame, Input, LinkUp, Output, Timer, VenueOutput
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec
from runtime.wirevenue import SessionVenue
from tests.support import exit_parts
from tests.support.data import ROOT
from tests.support.exit_parts import MS, START_NS, WIDE
from tests.support.exit_world import ExitWorld
from tests.support.puppet import Puppet, order

ACTIONS = int(os.environ.get("VENUEGATE_ACTIONS", "40000"))
FIRST = int(os.environ.get("VENUEGATE_SEED", "0"))
WORLDS = max(4, ACTIONS // 50_000)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + ACTIONS // 200)]


@pytest.mark.parametrize("is_paper", [True, False], ids=["paper", "wire"])
def test_what_leaves_is_what_was_approved_one_to_one(*, is_paper: bool) -> None:
    """Half the actions each; a world that refuses everything, or lets one kind out alone, shows nothing."""
    asked = 0
    for seed in range(FIRST, FIRST + WORLDS // 2):
        world = ExitWorld(seed, is_paper=is_paper).run(ACTIONS // WORLDS)
        asked += world.asked
        assert set(world.left) >= {"new", "amend", "cancel"}
        assert world.verdicts["approved"] > world.asked // 10
        assert len(world.verdicts) > 10
    assert asked >= ACTIONS // WORLDS * (WORLDS // 2)


# --- what happens when something differs ------------------------------------------------------------------------------

LOW = 62_000 * 10**9
FORGED = (
    b'{"method":"add_order","params":{"order_type":"limit","side":"buy","symbol":"BTC/USD","time_in_force":"gtc",'
    b'"limit_price":62000.0,"order_qty":0.10000000,"cl_ord_id":"%s","token":"t"},"req_id":1}'
)


class Careless(KrakenOrders):
    """Writes ten times the quantity of every buy."""

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        del now_ns
        return Send("private", FORGED % approved.order.client_order_id.encode(), approved.approval)


class Desk:
    """One guest that buys 0.01 on its first book and asks again on its third; `told`: what the exit said."""

    def __init__(self, *, is_paper: bool) -> None:
        self.guest = Puppet("on_book")
        seen: list[int] = []

        def answer(_: Puppet) -> list[Action]:
            seen.append(1)
            ids = {1: 7, 3: 8}
            if len(seen) not in ids:
                return []
            return [order(ids[len(seen)], 1, 10**6, LOW, order_type=OrderType.LIMIT)]

        instrument = Instrument.parse("kraken", "BTC/USD:1:8")
        spec = VenueSpec(venue=exit_parts.FIRST, depth=10, instruments={"BTC/USD": instrument})
        algo = AlgoSpec("a", self.guest.on("on_book", answer), ("BTC/USD",))
        self.session = Session(
            EngineSpec(venues=(spec,), symbols=("BTC/USD",), limits=WIDE, is_paper=is_paper, algos=(algo,))
        )
        self.engine = self.session.engine
        self.notices: list[str] = []
        self.sent: list[bytes] = []
        self.told: list[Command] = []
        self.exit = Exit(self.session, lambda _venue, _link, data: self.sent.append(data), self.told.append, None)
        self.now_ns = START_NS

    def careless(self) -> "Desk":
        paper = self.engine.ports["kraken"].paper
        assert not isinstance(paper, SessionVenue)
        paper._encoder = Careless(self.engine.instruments)
        return self

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Notice):
                self.notices.append(output.text)
            elif isinstance(output, VenueOutput):
                self.exit.offer(output)

    def feed(self, given: Input) -> None:
        self.now_ns += MS
        self.session.step(given, self.now_ns, self._carry)
        while self.told:
            self.session.step(self.told.pop(0), self.now_ns, self._carry)

    def books(self, count: int) -> "Desk":
        for _ in range(count):
            levels = [[[LOW + side * 10**9, 10**8]] for side in (-1, 1)]
            self.feed(Frame("kraken", "public", msgspec.json.encode({"book": [0, *levels]})))
        return self


@pytest.mark.parametrize("is_paper", [True, False], ids=["paper", "wire"])
def test_bytes_that_differ_halt_everything_and_are_never_sent(*, is_paper: bool) -> None:
    """One sentence names both amounts; the order is gone everywhere; the next one is denied."""
    desk = Desk(is_paper=is_paper).careless()
    desk.feed(LinkUp("kraken", "public"))
    desk.books(3)
    assert not [data for data in desk.sent if b"add_order" in data]
    (said,) = [text for text in desk.notices if "point of exit: " in text]
    assert "qty_1e8 0.1 where 0.01 was approved" in said
    assert desk.engine.state is TradingState.HALTED
    assert (len(desk.engine.gate.account.live), len(desk.engine.oms.orders)) == (0, 0)
    rejects = [REJECT.unpack(records[0])[:2] for name, records in desk.guest.heard if name == "on_reject"]
    # on paper the cancel-all that follows ends the order before anybody can say that it was never sent
    assert rejects == [(7, RejectCode.RISK)] * (not is_paper) + [(8, RejectCode.KILL_SWITCH)]
    assert desk.engine.oms.positions == {}, "nothing was filled that never left"


def test_a_session_that_orders_by_itself_is_stopped_on_its_way_to_the_link() -> None:
    """Nobody approved it, whatever it claims to be; market data goes on."""
    for approval in (0, 1, 99):
        desk = Desk(is_paper=True)
        desk.feed(LinkUp("kraken", "public"))
        session = desk.engine.ports["kraken"].session
        setattr(session, "tick", lambda _now, n=approval: [Send("public", FORGED % b"x", n)])  # noqa: B010
        desk.feed(Timer())
        assert not [data for data in desk.sent if b"add_order" in data]
        assert desk.engine.state is TradingState.HALTED
        desk.feed(LinkUp("kraken", "public"))
        assert [data for data in desk.sent if b"subscribe" in data][1:], "the link may come up again"


def test_the_live_hands_send_by_one_door_alone() -> None:
    """Whatever goes to a link goes through `Exit`, which asks the tap: nobody else calls a link's `send`."""
    sends = {
        (path.name, function.name)
        for path in (ROOT / "runtime").glob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "send" and "_links" in ast.unparse(node.value)
    }
    assert sends == {("live.py", "_send")}
