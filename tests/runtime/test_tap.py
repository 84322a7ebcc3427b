"""The tap: what leaves is what was approved, one to one, and the first difference stops everything but cancels."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.onchain.jsonrpc import request
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.venues.evm.asked import asked as evm_asked
from connectors.venues.kraken.asked import asked as kraken_asked
from connectors.venues.kraken.orders import KrakenOrders
from risk.denial import DenyReason
from risk.states import ALL
from runtime.inputs import Command
from runtime.spec import AlgoSpec
from runtime.tap import CHECKS_OF_AN_ORDER, WAITING_MAX, Tap
from tests.support.data import ROOT
from tests.support.kill_world import World as LiveWorld
from tests.support.puppet import Puppet

NAMES = ("kraken:BTC/USD", "kraken:ETH/USD", "other:BTC/USD", "dex_arb:BTC/USD", "dex_arb:pool/1")
READERS = {"kraken": kraken_asked, "other": kraken_asked, "dex_arb": evm_asked}
ENCODER = KrakenOrders([Instrument.parse("kraken", text) for text in ("BTC/USD:1:8", "ETH/USD:2:8", "BTC/USD:1:8")])
PING = b'{"method":"ping","req_id":7}'
Asking = NewOrder | AmendOrder | CancelOrder | CancelAll


def new(name: str = "vg-1", instrument: int = 0, **changes: Any) -> NewOrder:
    fields = {"order_id": 5, "side": 1, "px_1e9": 62_807 * 10**9, "qty_1e8": 1_250_000, "order_type": 0, **changes}
    return NewOrder(name, 0, instrument, **fields)


def amend(name: str = "vg-1", px: int = 62_808 * 10**9, qty: int = 10**6) -> AmendOrder:
    return AmendOrder(name, 0, 0, 5, 1, px, qty, "vg-2")


def cancel(name: str = "vg-1") -> CancelOrder:
    return CancelOrder(name, 0, 0, 5, "vg-3")


class Exit:
    """A tap, and the hands around it: `approve` is the gate's, `write` the encoder's, `leave` the socket's."""

    def __init__(self, silent: tuple[str, ...] = ("dex_arb",)) -> None:
        self.tap = Tap(READERS, NAMES, silent)
        self.number = 0

    def approve(self, order: Asking, checks: int | None = None) -> Approved[Any]:
        self.number += 1
        usual = 1 if isinstance(order, CancelOrder | CancelAll) else CHECKS_OF_AN_ORDER
        approved: Approved[Any] = Approved(order, self.number, 9, usual if checks is None else checks)
        self.tap.approved(approved)
        return approved

    @staticmethod
    def write(approved: Approved[Any]) -> Send:
        order = approved.order
        if isinstance(order, NewOrder):
            return ENCODER.submit(approved, 9)
        if isinstance(order, AmendOrder):
            return ENCODER.amend(approved, 9)
        return ENCODER.cancel(approved, 9) if isinstance(order, CancelOrder) else ENCODER.cancel_all(approved, 9)

    def leave(self, send: Send, venue: str = "kraken") -> str:
        return self.tap.leaving(venue, send.data, send.approval)

    def send(self, order: Asking, venue: str = "kraken") -> str:
        return self.leave(self.write(self.approve(order)), venue)


ORDERS: list[Asking] = [
    *(new(f"vg-{side}{kind}", side=side, order_type=int(kind), px_1e9=0 if kind == 1 else 10**9)
      for side in (1, -1) for kind in OrderType),
    amend(), cancel(), CancelAll("kraken", "k"),
]  # fmt: skip


def test_what_was_approved_leaves() -> None:
    """Every kind and type; subscriptions and pings between them; nothing is left waiting."""
    world = Exit()
    for order in ORDERS:
        assert world.send(order) == ""
        assert world.tap.leaving("kraken", PING, 0) == ""
    assert (world.tap.difference, world.tap.open(), world.tap.passed) == ("", [], len(ORDERS))


def test_how_many_checks_there_are_is_no_word_of_the_gates() -> None:
    """The table of the documentation and the reasons say it, so that a check taken out of the gate is missed."""
    rows = [
        line
        for line in (ROOT / "docs/gate.md").read_text().splitlines()
        if line.startswith("| ") and line[2] in "123456789"
    ]
    assert len(rows) == CHECKS_OF_AN_ORDER
    assert {row.split("`")[1] for row in rows} <= set(DenyReason)


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("quantity", {"qty_1e8": 12_500_000}, "qty_1e8 0.125 where 0.0125 was approved"),
    ("price", {"px_1e9": 628_070 * 10**9}, "px_1e9 628070 where 62807 was approved"),
    ("side", {"side": -1}, "side sell where buy was approved"),
    ("id", {"client_order_id": "vg-9"}, "client_order_id 'vg-9' where 'vg-1' was approved"),
    ("symbol", {"instrument": 1}, "symbol 'ETH/USD' where 'BTC/USD' was approved"),
    ("type", {"order_type": 2}, "order_type 2 where 0 was approved"),
    ("market", {"order_type": 1, "px_1e9": 0}, "px_1e9 0 where 62807 was approved, order_type 1 where 0"),
]


@pytest.mark.parametrize(("what", "changes", "said"), CHANGES, ids=[name for name, _, _ in CHANGES])
def test_an_order_that_was_written_otherwise_does_not_leave(what: str, changes: dict[str, Any], said: str) -> None:
    """The sentence names both amounts, as a person writes them."""
    world = Exit()
    right = world.approve(new())
    wrong = msgspec.structs.replace(right, order=msgspec.structs.replace(right.order, **changes))
    problem = world.leave(world.write(wrong))
    assert f"approval 1 differs from its bytes for kraken: {said}" in problem, what
    assert world.tap.difference == problem


def test_another_kind_than_approved_does_not_leave() -> None:
    for asked in (new(), amend(), cancel(), CancelAll("kraken", "k")):
        for written in (new(), amend(), cancel(), CancelAll("kraken", "k")):
            world = Exit()
            send = world.write(Approved(written, world.approve(asked).approval, 9, 1))
            assert (world.leave(send) == "") == (type(asked) is type(written))


@pytest.mark.parametrize("order", [amend("vg-8"), amend(px=1), amend(qty=2), cancel("vg-8")])
def test_an_amend_or_cancel_of_something_else_does_not_leave(order: Asking) -> None:
    world = Exit()
    number = world.approve(amend() if isinstance(order, AmendOrder) else cancel()).approval
    assert "differs from its bytes" in world.leave(world.write(Approved(order, number, 9, 31)))


def test_an_approval_is_good_for_one_order() -> None:
    world = Exit()
    send = world.write(world.approve(new()))
    assert world.leave(send) == ""
    assert "approval 1, which was used before" in world.leave(send)


def test_an_approval_that_nobody_gave() -> None:
    world = Exit()
    assert world.send(new()) == ""
    data = world.write(Approved(new("vg-2"), 2, 9, CHECKS_OF_AN_ORDER)).data
    assert "which was never issued" in world.tap.leaving("kraken", data, 2)
    assert "without an approval" in world.tap.leaving("kraken", data, 0)


def test_bytes_that_ask_for_nothing_carry_no_approval() -> None:
    world = Exit()
    number = world.approve(new()).approval
    assert "ask for nothing with approval 1" in world.tap.leaving("kraken", PING, number)
    assert "ask for nothing with approval 5, which was never issued" in Exit().tap.leaving("kraken", PING, 5)


def test_another_venue_than_approved() -> None:
    world = Exit()
    send = world.write(world.approve(new()))
    problem = world.leave(send, "other")
    assert problem.startswith("approval 1 is for kraken, its bytes are for other: '{")
    assert world.tap.open() == [], "bytes that tried to leave are no longer waiting"
    assert "is for other, its bytes are for kraken" in Exit().send(new(instrument=2))
    assert Exit().send(new(instrument=2), "other") == ""


def test_two_orders_in_one_message() -> None:
    world = Exit()
    number = world.approve(cancel()).approval
    data = b'{"method":"cancel_order","params":{"cl_ord_id":["vg-1","vg-2"],"token":"t"}}'
    assert "ask for 2 things, the first being cancel with approval 1" in world.tap.leaving("kraken", data, number)


@pytest.mark.parametrize("checks", [0, 1, CHECKS_OF_AN_ORDER - 1, CHECKS_OF_AN_ORDER + 1])
def test_an_order_that_skipped_a_check_does_not_leave(checks: int) -> None:
    for order in (new(), amend()):
        world = Exit()
        problem = world.leave(world.write(world.approve(order, checks)))
        assert f"was given after {checks} checks, and there are {CHECKS_OF_AN_ORDER}" in problem
    world = Exit()
    assert (world.leave(world.write(world.approve(cancel(), checks))) == "") == (checks == 1)


UNREAD = [b"", b"\xff", b"{}", b'{"method":"add_order"}', b'{"method":"ping","method":"ping"}']


@pytest.mark.parametrize("data", UNREAD)
@pytest.mark.parametrize("approval", [0, 1])
def test_what_cannot_be_read_does_not_leave(data: bytes, approval: int) -> None:
    world = Exit()
    world.approve(new())
    assert "bytes for kraken cannot be read" in world.tap.leaving("kraken", data, approval)


def test_a_reader_that_breaks_lets_nothing_leave() -> None:
    def broken(_data: bytes) -> Any:
        raise RuntimeError("a bug of the venue's author")

    assert "cannot be read (a bug of the venue's author)" in Tap({"v": broken}, ()).leaving("v", b"x", 0)
    assert "nobody who reads" in Tap({"v": None}, ()).leaving("v", b"x", 0)
    assert "nobody who reads" in Tap({}, ()).leaving("v", b"x", 0)


@pytest.mark.parametrize("method", ["cancel_all_orders_after", "edit_order", "withdraw", "add_order with reduce_only"])
def test_what_nobody_can_approve_does_not_leave(method: str) -> None:
    world = Exit()
    data = b'{"method":"%s","params":{}}' % method.encode()
    assert method in world.tap.leaving("kraken", data, world.approve(new()).approval)


def test_a_chain_is_read_and_never_asked_for_anything() -> None:
    """On paper its approved orders encode nothing; bytes that are no reads are stopped."""
    world = Exit()
    world.approve(new(instrument=3))
    world.approve(new(instrument=4))
    world.approve(CancelAll("dex_arb", "k"))
    assert world.tap.open() == []
    assert world.tap.leaving("dex_arb", request(1, "eth_call", []), 0) == ""
    assert world.send(new()) == ""
    problem = world.tap.leaving("dex_arb", request(2, "eth_sendRawTransaction", ["0x02"]), 1)
    assert "ask for eth_sendRawTransaction with approval 1" in problem


# --- after the first difference ----


def test_after_a_difference_only_cancels_leave_and_only_right_ones() -> None:
    world = Exit()
    world.tap.leaving("kraken", b"?", 0)
    first = world.tap.difference
    assert f"nothing but cancels leaves since: {first}" == world.send(new())
    assert world.send(amend()) != ""
    assert world.send(cancel()) == ""
    assert world.send(CancelAll("kraken", "k")) == ""
    assert world.tap.leaving("kraken", PING, 0) == "", "subscriptions move no order"
    wrong = Approved(cancel("vg-8"), world.approve(cancel()).approval, 9, 1)
    assert "differs" in world.leave(world.write(wrong))
    assert "without an approval" in world.tap.leaving("kraken", world.write(wrong).data, 0)
    assert world.tap.difference == first, "the first is what a person is told"


def test_a_persons_arm_of_all_lets_orders_leave_again_and_of_less_does_not() -> None:
    """And the next difference stops them again."""
    world = LiveWorld([AlgoSpec("a", Puppet("on_book"), ("BTC/USD",))])
    tap = world.engine.tap
    first = tap.leaving("sim", b"?", 0)
    assert first != ""
    world.feed(Command("breach", "point of exit", first))
    world.feed(Command("arm", "ana", "venue:sim"))
    assert tap.leaving("sim", b"?", 0) == tap.difference == first
    assert set(world.engine.gate.states.causes) == {ALL}
    world.feed(Command("arm", "ana"))
    assert not world.engine.gate.states.causes
    again = tap.leaving("sim", b"!", 0)
    assert again not in ("", first)
    assert tap.difference == again, "the first difference since then"


def test_an_approval_out_of_order_latches() -> None:
    """The same number twice, or one that the tap was not told of: some approval came past it."""
    for number in (1, 2, 4, 0):
        world = Exit()
        world.send(new())
        world.send(new("vg-2"))
        world.tap.approved(Approved(cancel(), number, 9, 1))
        assert world.tap.difference == f"approval {number} was issued after approval 2"


def test_numbers_go_on_where_a_session_before_this_one_left_off() -> None:
    world = Exit()
    world.number = 812
    assert world.send(new()) == ""


# --- what has not left ----


def test_what_has_not_left_is_told_until_it_is_dropped() -> None:
    world = Exit()
    held, gone = world.approve(new("vg-1")), world.approve(new("vg-2"))
    (first, second) = world.tap.open()
    assert (world.tap.waiting(held.approval), world.tap.waiting(99)) == (first, None)
    assert (first.approval, first.venue, first.asked.client_order_id) == (held.approval, "kraken", "vg-1")
    world.tap.dropped(gone.approval)
    assert world.tap.open() == [first]
    assert second.approval == gone.approval
    assert "which was used before, or dropped" in world.leave(world.write(gone))


def test_what_the_outbox_threw_away_is_no_longer_waited_for() -> None:
    """An amend alone; with a new order its amends and cancels, too; other orders stay."""
    world = Exit()
    for order in (new(), amend(), cancel(), new("vg-8"), amend("vg-8"), cancel("vg-8")):
        world.approve(order)
    world.tap.unsent("amend", "vg-1")
    assert [one.approval for one in world.tap.open()] == [1, 3, 4, 5, 6]
    world.tap.unsent("new", "vg-8")
    assert [one.approval for one in world.tap.open()] == [1, 3]


def test_its_memory_is_bounded() -> None:
    """Approvals whose bytes never leave are a difference of their own; cancels still pass then."""
    world = Exit()
    for place in range(WAITING_MAX + 50):
        world.approve(new(f"vg-{place}"))
    assert len(world.tap.open()) == WAITING_MAX
    assert "never left" in world.tap.difference
    for _ in range(3):
        assert world.send(cancel()) == ""
    assert len(world.tap.open()) <= WAITING_MAX


@given(st.lists(st.tuples(st.sampled_from(["new", "amend", "cancel", "all"]), st.integers(0, 5)), max_size=30))
def test_one_to_one_in_any_order_of_leaving(plan: list[tuple[str, int]]) -> None:
    """Bytes may overtake each other in an outbox: each leaves once, and none is left over."""
    world = Exit()
    made: dict[str, Asking] = {"new": new(), "amend": amend(), "cancel": cancel(), "all": CancelAll("kraken", "k")}
    waiting: list[Send] = []
    for kind, take in plan:
        waiting.append(world.write(world.approve(made[kind])))
        if take < len(waiting):
            assert world.leave(waiting.pop(take)) == ""
    assert sorted(one.approval for one in world.tap.open()) == sorted(send.approval for send in waiting)
    for send in waiting:
        assert world.leave(send) == ""
    assert (world.tap.open(), world.tap.difference) == ([], "")


# --- the venue's own names --------------------------------------------------------------------------------------------


class Elsewhere(Exit):
    """At a venue whose bytes name markets and orders in words of its own; `said` is what is read from them."""

    def __init__(self, *, code: str = "", ids: dict[str, str] | None = None, lowers: bool = False) -> None:
        self.said: list[Asked] = []
        instrument = Instrument("v", "BTC/USDT", 1, 8, 10**8, 1, venue_symbol="BTC-USDT", venue_code=code)
        self.tap = Tap(
            {"v": lambda _: self.said}, ("v:BTC/USDT", "v:ETH/USDT"), instruments=[instrument, None],
            venue_ids=lambda name: (ids or {}).get(name, ""), lowering=("v",) if lowers else (),
        )  # fmt: skip
        self.number = 0

    def asks(self, order: Asking, **said: Any) -> str:
        """What the tap says of bytes that ask for this order, but for what is `said` otherwise."""
        approved = self.approve(order)
        expected = self.tap.waiting(approved.approval)
        assert expected is not None
        self.said = [msgspec.structs.replace(expected.asked, **said)]
        return self.tap.leaving("v", b"bytes", approved.approval)


@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTCUSDT", "4711"])
def test_a_market_by_the_venues_own_name_is_the_same_market(symbol: str) -> None:
    assert Elsewhere(code="4711").asks(new(), symbol=symbol) == ""


@pytest.mark.parametrize("symbol", ["ETH-USDT", "BTC-USD", "4712", ""])
def test_another_market_is_not(symbol: str) -> None:
    assert "where 'BTC/USDT' was approved" in Elsewhere(code="4711").asks(new(), symbol=symbol)


def test_a_cancel_may_say_its_market_and_no_other() -> None:
    for order in (cancel(), amend()):
        assert Elsewhere(code="4711").asks(order, symbol="4711") == ""
        assert Elsewhere(code="4711").asks(order, symbol="BTCUSDT") == ""
        assert "symbol 'ETHUSDT'" in Elsewhere(code="4711").asks(order, symbol="ETHUSDT")


def test_an_order_by_the_venues_id_is_whose_the_venue_said_it_is() -> None:
    ids = {"vg-1": "A1", "vg-2": "A2"}
    by_id = {"client_order_id": "", "venue_order_id": "A1"}
    assert Elsewhere(ids=ids).asks(cancel("vg-1"), **by_id) == ""
    assert Elsewhere(ids=ids).asks(amend("vg-1"), **by_id) == ""
    assert "was approved" in Elsewhere(ids=ids).asks(cancel("vg-2"), **by_id)
    assert "was approved" in Elsewhere(ids={}).asks(cancel("vg-1"), **by_id)
    assert "was approved" in Elsewhere(ids={}).asks(cancel("vg-1"), client_order_id="", venue_order_id="")
    assert "was approved" in Elsewhere(ids=ids).asks(new("vg-1"), **by_id), "a new order has no id there"


def test_an_amend_without_a_price_is_one_only_where_amends_cannot_change_it() -> None:
    assert Elsewhere(lowers=True).asks(amend(), px_1e9=0) == ""
    assert "was approved" in Elsewhere().asks(amend(), px_1e9=0)
    assert "was approved" in Elsewhere(lowers=True).asks(amend(), px_1e9=0, qty_1e8=7)
    assert "was approved" in Elsewhere(lowers=True).asks(new(), px_1e9=0)
