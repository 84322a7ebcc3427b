"""Solana's session and its endpoints: which is followed, and when it is left; what is refused, and what comes late.

Whatever is shown in any of these tests is judged the moment it is, and while it stands (tests/support/solana_watch.py).
"""

import json
from functools import partial

import pytest

from tests.support.solana_world import SHIPPED, Bare, calls, solana_plan
from tests.support.virtual import SECOND

TWO = ("rpc1", "rpc2")


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_another_chain_is_never_read() -> None:
    bare = Bare()
    bare.chain.node().faults.genesis = True
    bare.run(5)
    assert bare.said("is the chain of genesis")
    assert not calls(bare, "getMultipleAccounts")
    assert not calls(bare, "slotSubscribe")
    assert not bare.watch.shown


def test_a_node_that_stands_still_is_left_for_the_next() -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)
    assert bare.session.report().link == "rpc1"
    bare.chain.node("rpc2").is_leading, bare.chain.node("rpc1").is_leading = True, False
    bare.chain.node("rpc1").faults.stall_slots = True
    bare.run(9)
    assert bare.said("behind: it is at slot") or bare.said("no new slot for")
    assert bare.session.report().link == "rpc2"
    assert bare.is_well()


def test_a_node_that_stands_still_alone_is_lost_in_time() -> None:
    bare = Bare().run(5)
    bare.chain.node().faults.stall_slots = True
    bare.run(6)
    assert not bare.watch.shown
    assert set(bare.watch.lost_for.values()) == {"no new slot for 5 s"}
    bare.run(20)
    assert not bare.watch.shown, "it is not read again while it stands still"
    bare.chain.node().faults.stall_slots = False
    bare.run(20, bare.is_well)
    assert bare.is_well()


def test_a_node_that_never_moved_is_not_shown() -> None:
    """One slot is no proof of a chain that lives."""
    bare = Bare()
    bare.chain.node().faults.stall_slots = True
    bare.run(4)
    assert not bare.watch.shown
    bare.chain.node().faults.stall_slots = False
    bare.run(20, bare.is_well)
    assert bare.is_well()


def test_a_node_that_falls_behind_the_others_is_left() -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)
    bare.chain.node("rpc1").faults.behind = 20
    bare.run(3)
    assert bare.session.report().link == "rpc2"
    assert bare.said("20 slots") or bare.said("behind: it is at slot") or bare.said("went back to slot")
    assert bare.is_well()


def test_a_node_that_was_behind_from_the_start_is_left_for_one_that_is_not() -> None:
    bare = Bare(solana_plan(links=TWO))
    bare.chain.node("rpc1").faults.behind = 20
    bare.chain.links["rpc2"].is_refused = True
    bare.watch.check = False  # alone it cannot be told from a chain whose clock is slow
    bare.run(12)
    assert bare.session.report().link == "rpc1"
    assert len(bare.watch.shown) == 2
    bare.chain.links["rpc2"].is_refused = False
    bare.run(3)
    bare.watch.check = True
    assert bare.said("behind: it is at slot")
    assert bare.session.report().link == "rpc2"
    bare.hang_up("rpc1", 0.1)
    bare.run(3)
    assert bare.session.report().link == "rpc2"


def test_the_next_endpoint_is_not_far_behind_what_was_shown() -> None:
    """Cut off from the endpoint that was shown, an older word of the chain is no book."""
    bare = Bare(solana_plan(links=TWO)).run(5)
    assert bare.session.report().link == "rpc1"
    shown = bare.session.report().number
    bare.chain.node("rpc2").faults.behind = 45
    bare.run(3)
    bare.hang_up("rpc1", 100)
    bare.run(8)
    assert not bare.watch.shown
    bare.chain.node("rpc2").faults.behind = 0
    bare.run(12)
    assert bare.session.report().link == "rpc2"
    assert bare.session.report().number > shown


def test_a_node_that_falls_far_back_is_left_until_it_comes_again() -> None:
    """One endpoint alone: what it told of itself is enough."""
    bare = Bare(solana_plan(commitment="processed")).run(15)
    bare.chain.node().faults.behind = 30
    bare.run(10)
    assert not bare.watch.shown
    assert bare.said("and tells of slot") or bare.said("fell back to slot")
    bare.chain.node().faults.behind = 0
    bare.run(20, bare.is_well)
    assert bare.is_well()


@pytest.mark.parametrize("far", [20, 1_000, 10**9, 2**62])
def test_a_slot_out_of_the_air_changes_nothing(far: int) -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)
    before, link = len(bare.lost), bare.chain.links["rpc2"]
    for state in ({"left": 1}, {"left": 1}):
        link.socket.filter = partial(_raised, state, far)
        bare.run(4)
        assert not state["left"]
        link = bare.chain.links["rpc1"]
    assert not [reason for _, reason in bare.lost[before:] if "slot" in reason]
    assert bare.is_well()


def _raised(state: dict[str, int], far: int, frame: bytes) -> bytes:
    said = json.loads(frame)
    if state["left"] and said.get("method") == "slotNotification":
        state["left"] -= 1
        said["params"]["result"]["slot"] += far
    return json.dumps(said).encode()


def test_a_node_that_stands_still_is_dialled_again_after_a_minute() -> None:
    bare = Bare()
    bare.chain.links["rpc1"].socket.asked = lambda frame: frame.replace(b"slotSubscribe", b"noSuchThing")
    bare.run(5)
    bare.chain.node().faults.stall_slots = True
    bare.run(62)
    assert bare.reconnects == [("rpc1", "no new slot for 60 s")]


def test_a_cut_link_loses_everything_and_the_next_begins_from_nothing() -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)
    bare.hang_up("rpc1", 5)
    assert not bare.watch.shown
    assert set(bare.watch.lost_for.values()) == {"link down"}
    bare.run(2)
    assert bare.session.report().link == "rpc2"
    assert calls(bare, "getMultipleAccounts", "rpc2")[0]["params"][1].get("minContextSlot") is None
    assert bare.is_well()
    bare.run(10)
    assert bare.session.report().link == "rpc2", "the one that works is not left for the first"


def test_a_mute_socket_is_dialled_again() -> None:
    bare = Bare(is_still=True).run(5)
    bare.chain.links["rpc1"].socket.is_mute = True
    bare.run(30)
    assert ("rpc1", "no frame for 15 s") in bare.reconnects
    bare.chain.links["rpc1"].socket.is_mute = False
    bare.run(30, bare.is_well)
    assert bare.is_well()


def test_an_endpoint_that_is_left_need_not_tell_any_more() -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)
    link = bare.chain.links["rpc1"]
    assert link.connection is not None
    assert len(link.connection.watches) > 10
    link.status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.run(4)
    assert bare.session.report().link == "rpc2"
    assert len(link.connection.watches) == 1, "slots alone"
    sent = len(link.socket.requests)
    bare.hang_up("rpc2")
    assert len(link.socket.requests) == sent
    assert not [data for data in bare.chain.links["rpc2"].socket.requests if b"Unsubscribe" in data]


def test_an_unanswered_read_loses_the_books_in_time() -> None:
    bare = Bare(is_still=True).run(5)
    bare.chain.links["rpc1"].calls.is_mute = True
    bare.run(6)
    assert not bare.watch.shown
    assert bare.said("not read for 5 s")
    bare.run(8)
    assert bare.said("accounts cannot be read: no answer to getMultipleAccounts within 10 s")


@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests_are_made_later(status: int) -> None:
    bare = Bare().run(5)
    bare.chain.links["rpc1"].status = lambda _method: status
    bare.run(3)
    assert bare.session.report().link == "rpc1", "the node is not given up"
    asked = len(bare.chain.links["rpc1"].calls.requests)
    bare.run(1)
    assert len(bare.chain.links["rpc1"].calls.requests) - asked <= 2, "it is left alone"
    bare.chain.links["rpc1"].status = lambda _method: 200
    bare.run(8, bare.is_well)
    assert bare.is_well()
    assert not bare.reconnects


def test_a_status_of_http_fails_the_endpoint_with_growing_patience() -> None:
    bare = Bare().run(5)
    bare.chain.links["rpc1"].status = lambda method: 500 if method == "getMultipleAccounts" else 200
    before = len(calls(bare, "getMultipleAccounts"))
    bare.run(30)
    tries = len(calls(bare, "getMultipleAccounts")) - before
    assert 4 <= tries <= 7, "after 1, 2, 4, 8 and 16 s"
    assert bare.said("accounts cannot be read: HTTP status 500: no")
    assert not bare.watch.shown
    bare.chain.links["rpc1"].status = lambda _method: 200
    bare.run(31, bare.is_well)
    assert bare.is_well()


def test_a_budget_is_kept() -> None:
    bare = Bare(solana_plan(SHIPPED.pools[:6], calls_per_s=4))
    bare.run(12)
    for way in (bare.chain.links["rpc1"].calls, bare.chain.links["rpc1"].socket):
        assert len(way.requests) <= 4 * 13
    assert len(bare.watch.shown) == 6


# --- a node that is a slot late --------------------------------------------------------------------------------------


class Late:
    """A filter: the next answers of accounts say that the slot was not reached, or are of an older slot."""

    def __init__(self, bare: Bare, count: int) -> None:
        self.count, self.link = count, bare.chain.links["rpc1"]
        self.link.calls.filter = self.refuse

    def refuse(self, frame: bytes) -> bytes:
        head, _, body = frame.partition(b"\n")
        said = json.loads(body)
        if self.count and isinstance(said["result"], dict):
            self.count -= 1
            error = {"code": -32016, "message": "Minimum context slot has not been reached", "data": {"contextSlot": 1}}
            return head + b"\n" + json.dumps({"jsonrpc": "2.0", "id": said["id"], "error": error}).encode()
        return frame


def test_a_slot_that_is_not_reached_is_asked_for_again_soon() -> None:
    bare = Bare().run(5)
    lost = len(bare.lost)
    late = Late(bare, 3)
    bare.run(3)
    assert not late.count
    assert not [reason for _, reason in bare.lost[lost:] if "slot" in reason], "for less than a second nothing is lost"
    assert bare.is_well()


def test_a_slot_that_is_not_reached_for_a_second_loses_the_books() -> None:
    bare = Bare(is_still=True).run(5)
    late = Late(bare, 10**6)
    bare.run(4)
    assert not bare.watch.shown
    assert bare.said("its node is not at slot")
    bare.run(9)
    assert bare.said("does not come to slot")
    late.count = 0
    bare.run(10, bare.is_well)
    assert bare.is_well()


def test_a_node_that_says_it_is_behind_is_left() -> None:
    bare = Bare(solana_plan(links=TWO)).run(5)

    def behind(frame: bytes) -> bytes:
        head, _, body = frame.partition(b"\n")
        error = {"code": -32005, "message": "Node is behind by 42 slots", "data": {"numSlotsBehind": 42}}
        return head + b"\n" + json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error}).encode()

    bare.chain.links["rpc1"].calls.filter = behind
    bare.run(4)
    assert bare.said("accounts cannot be read: Node is behind by 42 slots (-32005)")
    assert bare.session.report().link == "rpc2"
    assert bare.is_well()


def test_an_answer_below_the_slot_that_was_asked_for_is_a_failure() -> None:
    """A node that answers of the past instead of refusing."""
    bare = Bare(solana_plan(commitment="processed")).run(5)
    link, kept = bare.chain.links["rpc1"], list[bytes]()

    def older(frame: bytes) -> bytes:
        head, _, body = frame.partition(b"\n")
        if b'"owner"' not in body:
            return frame
        kept.append(body)
        number = body.rpartition(b'"id":')[2]
        return head + b"\n" + kept[max(len(kept) - 3, 0)].rpartition(b'"id":')[0] + b'"id":' + number

    link.calls.filter = older
    bare.run(5)
    assert bare.said("was asked for")


def test_an_answer_whose_clock_is_of_another_slot_is_a_failure() -> None:
    bare = Bare().run(5)
    bare.chain.node().faults.context_lag = 5
    bare.run(2)
    assert bare.said("with a clock of slot")
    assert not bare.watch.shown


@pytest.mark.parametrize("offset_s", [-60, 60])
def test_a_chain_whose_clock_is_far_from_ours_is_not_shown(offset_s: int) -> None:
    bare = Bare()
    bare.chain.links["rpc1"].clock_ns = offset_s * SECOND
    bare.run(5)
    assert bare.said("the chain's clock at slot")
    assert not bare.watch.shown


def test_surfpools_habits_are_borne() -> None:
    """Notifications that name the slot of their subscription for ever, and a context that is a slot older."""
    bare = Bare()
    bare.chain.node().faults.frozen_context, bare.chain.node().faults.context_lag = True, 1
    bare.run(15)
    assert bare.watch.compared > 20
    assert bare.is_well()
    assert not bare.reconnects
    assert not bare.said("was not told of")


# --- subscriptions that are refused ----------------------------------------------------------------------------------


def test_where_slots_are_not_told_they_are_asked_for() -> None:
    bare = Bare()
    link = bare.chain.links["rpc1"]
    link.socket.asked = lambda frame: frame.replace(b"slotSubscribe", b"noSuchThing")
    bare.run(15)
    assert bare.said("rpc1 tells of no slots (Method not found (-32601)): it is polled")
    assert len(calls(bare, "getSlot")) >= 12
    assert bare.is_well()


def test_where_accounts_are_not_told_they_are_read() -> None:
    bare = Bare()
    link = bare.chain.links["rpc1"]
    link.socket.asked = lambda frame: frame.replace(b"accountSubscribe", b"noSuchThing")
    bare.run(25)
    assert bare.said("is not told of: Method not found")
    assert 10 <= len(calls(bare, "getMultipleAccounts")) <= 20
    assert bare.watch.compared > 10
    assert not bare.reconnects
    keys = len({key for pool in bare.session.follower.pools for key in pool.watched})
    assert len(calls(bare, "accountSubscribe")) <= 4 * keys, "they are asked for again now and then"
