"""The tap: what leaves is what was approved, one to one, and the first difference stops everything but cancels."""

from typing import Any

import msgspec
import pytest

from connectors.onchain.jsonrpc import request
from connectors.orders import AmendOrder, Approved, CancelAll, OrderType
from risk.denial import DenyReason
from risk.states import ALL
from runtime.inputs import Command
from runtime.spec import AlgoSpec
from runtime.tap import CHECKS_OF_AN_ORDER, Tap
from tests.support.data import ROOT
from tests.support.kill_world import World as LiveWorld
from tests.support.puppet import Puppet
from tests.support.tap_world import PING, Asking, Exit, amend, cancel, new

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
