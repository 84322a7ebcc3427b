"""The last metres of a session whose journal is the test's: what a halt or a cancel finds waiting never leaves."""

from collections.abc import Callable

import msgspec
import pytest

from connectors.events import ExecReport, ExecType
from connectors.orders import Action, Asked
from connectors.session import Send
from oms.state import OrderState
from risk.states import ALL, TradingState
from runtime.abi import ActionKind
from runtime.exit import Exit
from runtime.inputs import Command, Frame, Input, Output, VenueOutput
from runtime.spec import AlgoSpec
from tests.support.kill_world import LIMITS, LINK, SECOND, P, Q, World
from tests.support.puppet import Puppet, cancel, order

BOOK = Frame("sim", LINK, msgspec.json.encode(["book", 0, 100 * P, 101 * P]))
REST = order(1, 1, Q, 100 * P, order_type=0)


def amend(order_id: int, px_1e9: int, qty_1e8: int) -> Action:
    return (order_id, px_1e9, qty_1e8, 0, int(ActionKind.AMEND), 0, 0, 0, 0, 0)


def asked(data: bytes) -> list[Asked]:
    """What the simulated venue's bytes ask for, whole."""
    what, *rest = msgspec.json.decode(data)
    if what == "cancel_all":
        return [Asked(what)]
    if what == "cancel":
        return [Asked(what, *rest)]
    name, _, side, px, qty = rest[:5]
    if what == "new":
        return [Asked(what, name, "BTC/USD", side, px, qty, 0)]
    return [Asked(what, name, px_1e9=px, qty_1e8=qty)]


class Behind:
    """A session whose orders wait until the test says that their records are durable (`write`)."""

    def __init__(self, *turns: list[Action], **limits: int) -> None:
        self.plan: list[list[Action]] = []
        guest = Puppet("on_book").on("on_book", lambda _: self.plan.pop(0) if self.plan else [])
        account = msgspec.structs.replace(LIMITS, **limits)
        self.world = World([AlgoSpec("a", guest, ("BTC/USD",))], limits=account)
        self.engine, self.switch = self.world.engine, self.world.switch
        self.engine.tap._readers["sim"] = asked
        self.failed = ""
        self.later: list[Callable[[], None]] = []
        self.soon = self.later.append
        self.records: list[Callable[[], None]] = []
        self.left: list[str] = []
        self.exit = Exit(self.world.session, self._left, self._soon, self, self.switch.take)  # type: ignore[arg-type]
        self.switch._feed = self._give
        self.feed(BOOK)
        self.plan += turns

    def _left(self, _venue: str, _link: str, data: bytes) -> None:
        self.left.append(" ".join(map(str, msgspec.json.decode(data)[:2])))

    def _soon(self, command: Command) -> None:
        self.later.append(lambda: self.feed(command))

    def feed(self, given: Input) -> None:
        """As live.py does it."""
        self.switch.take()
        self._give(given)

    def _give(self, given: Input) -> None:
        if type(given) is Command and given.name == "kill":
            self.exit.withdraw()
        self.world.session.step(given, self.world.now_ns, self._carry)
        if (durable := self.exit.seal()) is not None:
            self.records.append(durable)

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, VenueOutput) and isinstance(output.output, Send):
                self.exit.offer(output)

    def book(self) -> "Behind":
        self.feed(BOOK)
        return self

    def write(self) -> "Behind":
        """Every record is durable; then whatever the loop has to do."""
        while self.records:
            self.records.pop(0)()
        while self.later:
            self.later.pop(0)()
        return self

    def open(self) -> dict[str, OrderState]:
        assert self.engine.gate.account.live.keys() == self.engine.oms.orders.keys()
        return {name: one.state for name, one in self.engine.oms.orders.items()}


def test_an_order_leaves_once_its_record_is_durable() -> None:
    behind = Behind([REST]).book()
    assert behind.left == []
    assert behind.write().left == ["new vg-1"]
    assert list(behind.open()) == ["vg-1"]


def test_a_kill_that_was_noted_before_the_record_was_durable_goes_first() -> None:
    """The loop hears of the record before it hears of the kill, which was pulled earlier."""
    behind = Behind([REST, order(2, 1, Q, 99 * P, order_type=0)]).book()
    pull = behind.switch.pull(who="ana")
    behind.write()
    assert behind.left == ["cancel_all sim"]
    assert behind.open() == {}
    assert (pull.flat_ns >= 0, behind.engine.gate.states.get(ALL)) == (True, TradingState.HALTED)


@pytest.mark.parametrize("by", ["refusal storm", "daily loss", "the guest's fault"])
def test_what_the_gateway_stops_by_itself_finds_nothing_left_to_leave(by: str) -> None:
    """An order that still waits is taken back with its cancel: the guest is told that it is cancelled, all is flat."""
    bad = order(9, 1, 0, 100 * P)
    limits = {"max_refusals": 1, "refusal_window_ns": 60 * SECOND} if by == "refusal storm" else {}
    behind = Behind([REST], [bad] * 3, **limits).book()
    assert list(behind.open()) == ["vg-1"]
    algo = behind.engine.algos[0]
    if by == "daily loss":
        behind.engine.desk.sweep.cancel_all(lambda _: True, behind.world.now_ns)  # as a latch does, in a turn
        behind._carry(behind.engine._out)
    elif by == "the guest's fault":
        algo.guest.on("on_book", Puppet.trap)  # type: ignore[attr-defined]
        behind.book()
    else:
        behind.book()
        assert list(behind.engine.gate.states.causes) == ["algo:a"]
    behind.write()
    assert behind.left == []
    assert behind.open() == {}
    assert behind.engine.oms.finished["vg-1"].state is OrderState.CANCELED
    assert behind.engine.tap.open() == []
    assert behind.engine.tap.difference == ""


def test_a_guests_own_cancel_of_an_order_that_waits_is_no_refusal() -> None:
    behind = Behind([REST, cancel(1), amend(1, 99 * P, Q)], max_refusals=0).book()
    behind.write()
    assert behind.left == []
    assert behind.open() == {}
    assert behind.engine.gate.states.causes == {}
    assert behind.engine.tap.difference == ""


def test_a_halt_takes_back_an_amend_and_the_cancel_leaves() -> None:
    behind = Behind([REST], [amend(1, 99 * P, 2 * Q)]).book().write()
    name = next(iter(behind.engine.oms.orders))
    report = ExecReport(client_order_id=name, exec_type=ExecType.NEW, instrument=0)
    behind.feed(Frame("sim", LINK, msgspec.json.encode(["report", report])))
    behind.book()
    behind.engine.desk.sweep.cancel_all(lambda _: True, behind.world.now_ns)
    behind._carry(behind.engine._out[-1:])
    behind.write()
    assert behind.left == ["new vg-1", "cancel vg-1"]
    assert list(behind.open()) == [name]
    assert behind.engine.gate.account.exposures[0].open_buy_1e8 == Q  # the amend is known to be over
