"""What was approved and has not left: told, thrown away, kept back for later, never without bound."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.orders import CancelAll
from connectors.session import Send
from runtime.tap import LATE_MAX, WAITING_MAX
from tests.support.tap_world import Asking, Exit, amend, cancel, new


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


def test_a_cancel_that_a_session_keeps_back_leaves_later_and_once() -> None:
    """Coinbase cancels by an id that the order's answer tells: the turn of the approval writes nothing."""
    world = Exit()
    kept = world.approve(cancel())
    world.tap.dropped(kept.approval)
    waiting = world.tap.waiting(kept.approval)
    assert waiting is not None
    assert (world.tap.open(), waiting.asked.client_order_id) == ([], "vg-1")
    assert world.leave(world.write(kept)) == ""
    assert "which was used before, or dropped" in world.leave(world.write(kept))


def test_an_amend_that_wrote_nothing_never_leaves() -> None:
    world = Exit()
    gone = world.approve(amend())
    world.tap.dropped(gone.approval)
    assert "which was used before, or dropped" in world.leave(world.write(gone))


def test_no_more_cancels_are_kept_back_than_the_tap_says() -> None:
    world = Exit()
    kept = [world.approve(cancel(f"vg-{number}")) for number in range(1, LATE_MAX + 2)]
    for one in kept:
        world.tap.dropped(one.approval)
    assert [world.tap.waiting(one.approval) is None for one in kept] == [True, *[False] * LATE_MAX]


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
