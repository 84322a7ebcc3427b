"""Solana's session where a node fails in part: what is lost by it, for how long, and what a person is told."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from connectors.errors import WireError
from connectors.venues.solana.cost import KEPT_NS
from connectors.venues.solana.notices import FORGOTTEN_NS, KINDS_MAX, Notices
from connectors.venues.solana.rpc import http_answer_of
from runtime.sim.solana.node import SLOT_NS
from tests.support.solana_world import ORCA, Bare, Filter, Link, calls, solana_plan
from tests.support.virtual import SECOND

TWO = ("rpc1", "rpc2")
FEES = "getRecentPrioritizationFees"
OTHER_CHAIN = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"


def saying(link: Link, method: str, change: Callable[[dict[str, Any]], None]) -> Filter:
    """A filter of HTTP answers: those to this method are changed."""

    def changed(frame: bytes) -> bytes:
        head, _, body = frame.partition(b"\n")
        if link.methods.get(int(head.split()[0])) != method or not head.endswith(b" 200"):
            return frame
        said = json.loads(body)
        change(said)
        return head + b"\n" + json.dumps(said).encode()

    return changed


def results(result: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(result=result)


def watched(bare: Bare, seconds: float, step: float = 0.1) -> float:
    """How long nothing was shown, in seconds."""
    return sum(step for _ in range(round(seconds / step)) if not bare.run(step).watch.shown)


# --- priority fees ---------------------------------------------------------------------------------------------------


def test_a_late_fee_answer_of_an_endpoint_that_was_left_is_void() -> None:
    bare = Bare(solana_plan(links=TWO), is_still=True).run(8)
    link, held = bare.chain.links["rpc1"], list[bytes]()
    dear = saying(link, FEES, results([{"slot": 1, "prioritizationFee": 9_999_999}] * 150))

    def late(frame: bytes) -> bytes | None:
        told = dear(frame)
        if told != frame and isinstance(told, bytes):
            held.append(told)
            return None
        return frame

    link.calls.filter = late
    bare.run(6)
    assert held
    link.status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.run(3)
    assert bare.session.report().link == "rpc2"
    told, fees = len(bare.outputs), len(bare.fees)
    for frame in held:
        bare.carry(bare.session.receive(frame, bare.now_ns, "rpc1.http"))
    assert len(bare.fees) == fees
    assert not bare.outputs[told:]
    bare.run(15)
    assert all(fee.priority_fee_native < 9_999_999 for fee in bare.fees)


@pytest.mark.parametrize("result", [None, {}, "x", [{"slot": 1}], [{"slot": 1, "prioritizationFee": -1}], [1]])
def test_fees_that_cannot_be_read_are_unknown_and_nothing_else_is_lost(result: Any) -> None:
    bare = Bare(is_still=True).run(5)
    assert bare.watch.chain_books
    link = bare.chain.links["rpc1"]
    link.calls.filter = saying(link, FEES, results(result))
    lost = len(bare.lost)
    assert not watched(bare, 25)
    assert {index for index, _ in bare.lost[lost:]} == {0}, "the chain's own book, which depends on them"
    assert bare.said("gas has no price: the node tells no priority fees")
    assert len(bare.said("priority fees are not known: fees that cannot be read")) == 1
    assert not bare.reconnects
    link.calls.filter = None
    bare.run(11)
    assert bare.watch.chain_books


def test_fees_that_are_refused_are_unknown_when_the_last_are_old() -> None:
    bare = Bare(is_still=True).run(5)
    bare.chain.links["rpc1"].status = lambda method: 403 if method == FEES else 200
    lost = len(bare.lost)
    bare.run(KEPT_NS / SECOND - 10)
    assert bare.said("priority fees are not known: HTTP status 403")
    assert bare.watch.chain_books
    assert len(bare.lost) == lost
    bare.run(20)
    assert not bare.watch.chain_books
    assert {index for index, _ in bare.lost[lost:]} == {0}
    assert not bare.reconnects


# --- an endpoint that is of another chain, or lies of its slots ------------------------------------------------------


@pytest.mark.parametrize(
    ("genesis", "reason"),
    [(OTHER_CHAIN, f"is the chain of genesis {OTHER_CHAIN}, not "), (None, "does not say which chain it is: b'null'"),
     (7, "does not say which chain it is: b'7'"), ("", "does not say which chain it is: '' is no hash"),
     ("\x1b[2J", "does not say which chain it is: '\\x1b[2J' is no hash")],
)  # fmt: skip
def test_one_wrong_genesis_answer_is_not_for_ever(genesis: Any, reason: str) -> None:
    bare = Bare(is_still=True)
    link = bare.chain.links["rpc1"]
    link.calls.filter = saying(link, "getGenesisHash", results(genesis))
    bare.run(5)
    assert set(bare.watch.lost_for.values()) == {bare.session.report().lost}
    assert reason in bare.session.report().lost
    assert {pool.reason for pool in bare.session.report().pools.values()} == {bare.session.report().lost}
    link.calls.filter = None
    bare.run(40, bare.is_well)
    assert bare.is_well()
    assert len([text for text in bare.notices if reason in text]) == 1
    assert link.dials == 2


def test_a_link_that_is_cut_before_it_tells_its_chain_is_no_other_chain() -> None:
    bare = Bare(is_still=True)
    bare.chain.links["rpc1"].calls.delay_ns = SECOND
    bare.run(0.5)
    bare.hang_up("rpc1")
    assert not bare.said("which chain")
    bare.run(5, bare.is_well)
    assert bare.is_well()


def test_a_node_that_refuses_to_tell_its_chain_is_why_nothing_is_shown() -> None:
    bare = Bare(is_still=True)
    bare.chain.links["rpc1"].status = lambda method: 403 if method == "getGenesisHash" else 200
    bare.run(2)
    assert bare.session.report().lost == "rpc1: does not say which chain it is: HTTP status 403: no"
    assert set(bare.watch.lost_for.values()) == {bare.session.report().lost}
    bare.chain.links["rpc1"].status = lambda _method: 200
    bare.run(5, bare.is_well)
    assert bare.is_well()


def test_a_chain_that_is_another_is_asked_ever_more_seldom_and_told_of_once() -> None:
    bare = Bare(is_still=True)
    link = bare.chain.links["rpc1"]
    link.calls.filter = saying(link, "getGenesisHash", results(OTHER_CHAIN))
    asked: list[int] = []
    for _ in range(4):
        bare.run(300, lambda: len(calls(bare, "getGenesisHash")) > len(asked))
        asked.append(bare.now_ns)
    gaps = [round((after - before) / SECOND) for before, after in pairwise(asked)]
    assert gaps == [31, 61, 121]  # 30, 60, 120 s, half a second to dial and the answer's way
    assert len([text for text in bare.notices if "is the chain of genesis" in text]) == 1
    assert len([reason for _, reason in bare.lost if "is the chain of genesis" in reason]) == 3, "each market once"
    assert not calls(bare, "getMultipleAccounts")


def test_where_another_endpoint_is_there_its_reason_is_the_one_that_is_shown() -> None:
    bare = Bare(solana_plan(links=TWO), is_still=True).run(5)
    bare.chain.links["rpc1"].status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.chain.links["rpc2"].calls.filter = saying(bare.chain.links["rpc2"], "getGenesisHash", results(OTHER_CHAIN))
    bare.hang_up("rpc2")
    bare.run(20)
    assert bare.said("rpc2: is the chain of genesis")
    assert not [reason for _, reason in bare.lost if "genesis" in reason]
    assert "HTTP status 500" in bare.session.report().lost


def test_a_foreign_endpoint_is_no_harm_to_the_one_that_is_shown() -> None:
    bare = Bare(solana_plan(links=TWO), is_still=True).run(5)
    bare.chain.links["rpc2"].calls.filter = saying(bare.chain.links["rpc2"], "getGenesisHash", results(OTHER_CHAIN))
    bare.hang_up("rpc2")
    lost = len(bare.lost)
    assert watched(bare, 70) == 0
    assert len(bare.lost) == lost
    assert bare.is_well()


def test_a_connection_that_is_right_takes_nothing_over_from_one_that_was_not() -> None:
    bare = Bare(is_still=True)
    link = bare.chain.links["rpc1"]
    wrong = link.calls.filter = saying(link, "getGenesisHash", results(OTHER_CHAIN))
    bare.run(80)
    assert link.dials == 2
    bare.hang_up("rpc1")
    link.calls.filter = None
    bare.run(70)
    assert link.dials == 3, "it is not dialled again for what it said before"
    assert bare.is_well()
    link.calls.filter = wrong
    bare.hang_up("rpc1")
    bare.run(35)
    assert link.dials == 5, "after half a minute again, not after two"
    assert len([text for text in bare.notices if "is the chain of genesis" in text]) == 2


def test_a_reason_that_is_over_is_not_told_any_more() -> None:
    bare = Bare(solana_plan(links=TWO), is_still=True)
    first, second = bare.chain.links.values()
    first.calls.filter = saying(first, "getGenesisHash", results(OTHER_CHAIN))
    second.is_refused = True
    bare.run(3)
    assert "genesis" in bare.session.report().lost
    second.is_refused = False
    second.status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.run(0.1, lambda: "genesis" not in bare.session.report().lost)
    assert bare.session.report().lost == "no slot yet"


@pytest.mark.parametrize("liar", TWO)
def test_an_endpoint_that_lies_of_its_slots_has_no_voice_once_it_is_found_out(liar: str) -> None:
    """It tells of slots far ahead, and reads what everybody reads."""
    bare = Bare(solana_plan(links=TWO), is_still=True)
    link = bare.chain.links[liar]

    def ahead(frame: bytes) -> bytes:
        said = json.loads(frame)
        if said.get("method") == "slotNotification":
            said["params"]["result"]["slot"] += 1_000
        return json.dumps(said).encode()

    link.socket.filter = ahead
    link.calls.filter = saying(link, "getSlot", lambda said: said.update(result=said["result"] + 1_000))
    bare.run(10)
    assert bare.said(", and tells of slot")
    assert watched(bare, 60) == 0
    assert bare.session.report().link != liar
    assert bare.is_well()
    bare.hang_up(liar, 1)
    assert watched(bare, 30) < 3, "it is believed once more, and found out once more"
    assert bare.is_well()


def test_an_endpoint_whose_reads_fail_for_good_does_not_speak_for_ever() -> None:
    """It may be right, but nobody can tell: the one that can be read is shown."""
    bare = Bare(solana_plan(links=TWO), is_still=True)
    bare.chain.node("rpc1").faults.behind = 20
    bare.watch.check = False
    bare.run(6)
    assert bare.session.report().link == "rpc2"
    bare.chain.links["rpc2"].status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.run(3, lambda: not bare.watch.shown)
    assert watched(bare, 1.5) > 1.4, "what it told of lately was borne out by its reads"
    bare.run(30, lambda: bare.session.report().link == "rpc1" and not bare.session.lost)
    assert bare.session.report().link == "rpc1"


def test_with_no_voice_left_whoever_can_be_read_is_followed() -> None:
    bare = Bare(solana_plan(links=TWO), is_still=True)
    link = bare.chain.links["rpc2"]
    link.socket.filter = lambda frame: frame.replace(b'"slot":4158', b'"slot":4168') if b"slotN" in frame else frame
    for one in bare.chain.links.values():
        one.status = lambda method: 500 if method == "getMultipleAccounts" else 200
    bare.run(40)
    for one in bare.chain.links.values():
        one.status = lambda _method: 200
    bare.run(70, bare.is_well)
    assert bare.is_well()
    assert bare.session.report().link == "rpc1"


def test_a_node_that_gets_later_and_later_is_left_though_its_slots_rise() -> None:
    bare = Bare(is_still=True)
    bare.watch.check = False  # alone it is within what a clock may be off
    bare.run(10)
    for late in range(1, 40):
        bare.chain.node().faults.behind = late
        bare.run(3 * SLOT_NS / SECOND)
    assert bare.said("fell behind: the chain's clock at slot")
    assert not bare.watch.shown
    bare.run(20)
    assert not bare.watch.shown, "as long as it is late"
    bare.hang_up("rpc1")
    bare.run(5)
    assert bare.watch.shown, "of a new connection nobody knows what is usual"
    bare.chain.node().faults.behind = 0
    bare.run(60, bare.is_well)
    assert bare.is_well()


# --- what is shown again, and what is told ---------------------------------------------------------------------------


def test_the_chains_own_book_is_shown_again_at_once_in_a_market_that_is_still() -> None:
    bare = Bare(solana_plan([ORCA]), is_still=True).run(5)
    assert bare.watch.chain_books
    bare.carry(bare.session.resync(0, "the engine could not take it", bare.now_ns))
    assert not bare.watch.chain_books
    assert bare.watch.lost_for[0] == "the engine could not take it"
    bare.run(0.5)
    assert bare.watch.chain_books
    assert len(bare.watch.shown) == 1
    count = len(bare.outputs)
    bare.run(1)
    assert not [one for one in bare.outputs[count:] if type(one).__name__ == "BookSnapshot"], "once"


def test_a_pool_that_is_told_anew_because_of_gas_was_still_read_when_it_was() -> None:
    bare = Bare(is_still=True)
    link = bare.chain.links["rpc1"]
    link.calls.filter = saying(link, FEES, results([{"slot": 1, "prioritizationFee": 5_000}] * 10))
    bare.run(5)
    link.status = lambda method: 429 if method == "getMultipleAccounts" else 200
    prices = [fee.priority_fee_native for fee in bare.fees]
    assert prices == [5_000]
    link.calls.filter = saying(link, FEES, results([{"slot": 1, "prioritizationFee": 700_000}] * 10))
    read_ns = {index: bare.session.report().pools[index].amm.last_update_ns for index in bare.updates}  # type: ignore[union-attr]
    bare.session.display.restart()
    told = {index: update.gas for index, update in bare.updates.items()}
    bare.run(3, lambda: all(bare.updates[index].gas != gas for index, gas in told.items()))
    for index, update in bare.updates.items():
        assert update.gas != told[index]
        assert update.amm is not None
        place = bare.session.display.place_of(index)
        assert place is not None
        assert update.amm.last_update_ns == bare.session.display.at.read_ns[place] <= bare.now_ns
        assert update.amm.last_update_ns >= read_ns[index]
    assert any(update.amm.last_update_ns < bare.now_ns for update in bare.updates.values() if update.amm is not None)


def test_what_was_told_is_told_again_after_a_minute() -> None:
    bare = Bare(is_still=True).run(5)
    for length in range(2 * KINDS_MAX):
        bare.carry(bare.session.resync(900, "of kind " + "x" * length, bare.now_ns))
    assert len(bare.notices) <= KINDS_MAX + 1
    bare.run(FORGOTTEN_NS / SECOND)
    bare.carry(bare.session.resync(10, "the book of this pool crossed", bare.now_ns))
    assert "market 10: the book of this pool crossed" in bare.notices
    assert bare.session.report().lost == ""


def test_a_kind_is_told_once_a_minute_whatever_its_numbers() -> None:
    out: list[Any] = []
    notices = Notices(out)
    notices.tick(0)
    for number in range(5):
        notices.tick(number)
        notices.tell(f"slot {number} is late")
    notices.tell("another")
    assert [one.text for one in out] == ["slot 0 is late", "another"]
    notices.tick(FORGOTTEN_NS)
    notices.tell("slot 9 is late", "error")
    notices.forget()
    notices.tell("slot 10 is late")
    assert [(one.level, one.text) for one in out[2:]] == [("error", "slot 9 is late"), ("warning", "slot 10 is late")]


@pytest.mark.parametrize("frame", [b"7 0\n\x1b[2J\r\nall is well", b"7 500\n\x1b[2J\r\nall is well\x07"])
def test_a_nodes_words_do_not_move_the_cursor(frame: bytes) -> None:
    assert http_answer_of(frame).problem.isprintable()
    with pytest.raises(WireError):
        http_answer_of(b"seven\n")
