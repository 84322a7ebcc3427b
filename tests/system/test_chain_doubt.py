"""What is known to be in doubt is not shown, not even for a moment; and a doubt is over when it is taken back."""

import json
from typing import Any

import pytest

from connectors.events import BookSnapshot
from connectors.session import Output
from connectors.venues.evm.council import Verdict
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.trust import HELD_NS, Trust
from tests.support import bad_links as bad
from tests.support.bad_links import healed, reasons, started
from tests.support.virtual import SECOND
from tests.support.virtual_chain import EXACT, V2, V3, Bare, Link, chain_plan

TWO, THREE = ("rpc1", "rpc2"), ("rpc1", "rpc2", "rpc3")


def still(**plan: Any) -> Bare:
    """A chain that moves when a test makes it."""
    bare = started(is_alive=False, **plan)
    bare.chain.is_paused = True
    return bare


def shown_from_now(bare: Bare) -> list[str]:
    """Hashes of the blocks whose pools' books are shown from here on."""
    seen: list[str] = []
    carry = bare.session.display.show_block

    def watch(block: Any, *given: Any) -> None:
        seen.append(block.head.hash)
        carry(block, *given)

    bare.session.display.show_block = watch  # type: ignore[method-assign, assignment]
    return seen


def unanswered(link: Link, *methods: bytes) -> None:
    link.asked = lambda frame: None if any(method in frame for method in methods) else frame


def replaced(bare: Bare) -> Any:
    """The newest block is taken back for another one; the new head is told, nothing else."""
    dropped = bare.chain.chain.drop(1)
    bare.chain.chain.pending = []
    bare.chain.trade(V3, 9_000, is_buy=False)
    made = bare.chain.chain.mine(dropped[0].timestamp)
    bare.chain._keep(made)
    for link in bare.chain.links.values():
        link.node.faults.removed_logs = False
        link.node.now_ns = bare.chain.now_ns
        link.node.announce(dropped, [made])
    return made


def test_a_removed_log_silences_us_until_the_newest_block_is_known() -> None:
    bare = still()
    bare.chain.trade(V3, 50_000, is_buy=True)
    bare.chain.mine()
    bare.run(1)
    assert bare.is_current()
    seen = shown_from_now(bare)
    unanswered(bare.chain.links["rpc1"], b"eth_getBlockByNumber")
    tip = bare.session.follower.blocks.tip
    assert tip is not None
    log = {"address": V3.address, "topics": ["0x" + 64 * "0"], "data": "0x", "blockNumber": hex(tip.head.number),
           "blockHash": tip.head.hash, "logIndex": "0x0", "removed": True}  # fmt: skip
    params = {"subscription": bare.session.endpoints[0].logs_subscription, "result": log}
    bare.link_said("rpc1", json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).encode())
    bare.run(2)
    assert not seen
    assert "was removed" in bare.session.lost


def test_a_fork_shows_nothing_before_its_own_block_is_read() -> None:
    """The parent, which becomes the tip meanwhile, is a block that the chain has left behind."""
    bare = still()
    bare.chain.trade(V3, 50_000, is_buy=True)
    bare.chain.mine()
    bare.run(1)
    assert bare.is_current()
    seen = shown_from_now(bare)
    unanswered(bare.chain.links["rpc1"], b"eth_getLogs")
    replaced(bare)
    bare.run(2)
    assert not seen
    assert "reorg" in bare.session.lost


def test_a_block_whose_replacement_is_known_is_not_shown_when_its_logs_come_late() -> None:
    bare = still()
    link = bare.chain.links["rpc1"]
    held: list[bytes] = []

    def asked(frame: bytes) -> bytes | None:
        if b"eth_getLogs" in frame:
            held.append(frame)
            return None
        return frame

    link.asked = asked
    bare.chain.trade(V3, 50_000, is_buy=True)
    orphan = bare.chain.mine()
    bare.run(0.1)
    late = [link.node.answer(frame, bare.now_ns) for frame in held]
    seen = shown_from_now(bare)
    replaced(bare)
    bare.run(0.1)
    for answer in late:
        bare.link_said("rpc1", str(answer).encode())
    bare.run(0.2)
    assert late
    assert f"0x{bytes(orphan.hash).hex()}" not in seen
    link.asked = None
    bare.chain.is_paused = False
    healed(bare, 30)


def test_the_chains_own_book_follows_what_gas_costs() -> None:
    """No pool changes, but an order is dearer: the book says so at the next block."""
    bare = still()
    books: list[Output] = []
    tell = bare.session.display.shelf.chain_shown

    def watch(*given: Any) -> Output:
        books.append(tell(*given))
        return books[-1]

    bare.session.display.shelf.chain_shown = watch  # type: ignore[method-assign, assignment]
    bare.run(1)
    before = len(books)
    bare.chain.chain.base_fee *= 1000
    bare.chain.mine()
    bare.chain.mine()
    bare.run(1)
    assert len(books) > before and isinstance(books[-1], BookSnapshot)


# --- Trust alone -----------------------------------------------------------------------------------------------------


def trust(*links: str) -> tuple[Trust, list[Endpoint]]:
    endpoints = []
    for link in links:
        endpoint = Endpoint(link, 10, [], iter(range(9)))
        endpoint.turned(0, is_up=True)
        endpoint.is_ready = True
        endpoints.append(endpoint)
    return Trust(chain_plan(EXACT, links), endpoints), endpoints


def test_a_doubt_is_not_over_because_the_doubter_falls_silent() -> None:
    made, (one, other) = trust(*TWO)
    assert made.compared({"rpc1": "", "rpc2": "V2: reserves differ"}, one, 0).dispute
    made.compared({"rpc1": ""}, one, HELD_NS * 2)  # it is there, and answers errors
    assert "V2: reserves differ" in made.reason(HELD_NS * 2)
    other.is_up = False
    made.compared({"rpc1": ""}, one, HELD_NS * 2 + SECOND)
    assert made.is_doubted
    made.compared({"rpc1": ""}, one, HELD_NS * 4)  # gone for longer than anybody is waited for
    assert not made.reason(HELD_NS * 4)


def test_a_doubt_is_over_when_the_doubter_agrees() -> None:
    made, (one, _) = trust(*TWO)
    made.compared({"rpc1": "", "rpc2": "differs"}, one, 0)
    made.compared({"rpc1": "", "rpc2": ""}, one, SECOND)
    assert not made.reason(SECOND)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"rpc1": "", "rpc2": "a", "rpc3": "a"}, ["rpc1"]),
        ({"rpc1": "", "rpc2": "a", "rpc3": ""}, ["rpc2"]),
        ({"rpc2": "a", "rpc3": "a"}, ["rpc1"]),
        ({"rpc1": "", "rpc2": "a", "rpc3": "b"}, []),
        ({"rpc1": "", "rpc2": "a"}, []),
    ],
)
def test_the_larger_side_of_those_that_say_the_same_is_believed(found: dict[str, str], wrong: list[str]) -> None:
    made, endpoints = trust(*THREE)
    verdict = made.compared(found, endpoints[0], 0)
    assert [endpoint.link for endpoint in verdict.wrong] == wrong
    assert bool(verdict.dispute) == (not wrong)
    assert isinstance(verdict, Verdict)


def test_states_wait_for_the_others_word_but_not_for_ever() -> None:
    made, (one, _) = trust(*TWO)
    made.switched(0, has_others=True)
    assert "not compared" in made.reason(SECOND)
    assert not made.reason(4 * SECOND)
    made.switched(0, has_others=True)
    made.compared({"rpc1": "", "rpc2": ""}, one, SECOND)
    assert not made.reason(SECOND)


def test_a_liar_that_is_followed_first_is_outvoted_by_two_honest_ones() -> None:
    bare = Bare(chain_plan((V2, V3), THREE))
    bare.watch.check = False
    bare.chain.links["rpc1"].filter = bad.heads(bad.other_hash)
    bare.run(12)
    followed = bare.session.follower.endpoint
    assert followed is not None and followed.link != "rpc1"
    bare.watch.check = True
    bare.run(3)
    assert bare.is_current()
    assert reasons(bare) or bare.notices
