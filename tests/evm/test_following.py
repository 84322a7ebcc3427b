"""A chain followed by its blocks' logs: equal to the chain after every transaction, and silent when it cannot be."""

import json
import os
from collections.abc import Callable

import pytest

from connectors.events import BookSnapshot
from connectors.session import Output
from tests.evm.chains import Chain
from tests.evm.following import Bazaar, bazaar, held
from tests.evm.hand import FIRST_POOL, Hand

pytestmark = pytest.mark.slow
FOLLOWED = int(os.environ.get("VENUEGATE_FOLLOWED", "220"))


@pytest.fixture
def market(fresh_chain: Chain) -> Bazaar:
    return bazaar(fresh_chain)


def caught_up(market: Bazaar, hand: Hand) -> Callable[[], bool]:
    latest = market.chain.w3.eth.get_block("latest")
    return lambda: hand.at_block(latest["number"], latest["hash"].to_0x_hex())


def test_every_transaction_leaves_us_with_what_the_chain_has(market: Bazaar) -> None:
    """220 random swaps, mints, burns, hops (VENUEGATE_FOLLOWED): price, liquidity, every tick and both reserves."""
    hand = market.follow()
    hand.until(caught_up(market, hand))
    done: dict[str, int] = {}
    for _ in range(FOLLOWED):
        what = market.act()
        done[what] = done.get(what, 0) + 1
        hand.until(caught_up(market, hand))
        assert held(hand) == market.truth(), what
    assert set(hand.books) >= {FIRST_POOL + key for key in range(4)}
    assert not hand.notices[1:], hand.notices
    assert hand.session.reconciled[0] > FOLLOWED // 40 and hand.session.reconciled[1] == 0
    print(f"\nfollowed {sum(done.values())} transactions ({done}): 0 differences")
    hand.close()


def shown_states(hand: Hand) -> list[tuple[str, int]]:
    """(block hash, pool) of every book of a pool as it is shown, from now on."""
    seen: list[tuple[str, int]] = []

    def watch(output: Output) -> None:
        tip = hand.session.follower.blocks.tip
        if isinstance(output, BookSnapshot) and output.instrument >= FIRST_POOL and tip is not None:
            seen.append((tip.head.hash, output.instrument - FIRST_POOL))

    hand.watchers.append(watch)
    return seen


def test_a_reorg_takes_back_what_was_shown(market: Bazaar) -> None:
    """anvil_reorg: the last three blocks again, with other hashes and empty."""
    hand = market.follow()
    hand.until(caught_up(market, hand))
    for round_ in range(6):
        for _ in range(4):
            market.act()
        hand.until(caught_up(market, hand))
        assert held(hand) == market.truth()
        hand.lost.clear()
        market.chain.driver.reorg(1 + round_ % 4)
        market.positions.clear()  # some may be gone with their blocks
        hand.until(caught_up(market, hand))
        assert held(hand) == market.truth()
        assert any("reorg" in reason or "missing" in reason for _, reason in hand.lost)
    hand.close()


def test_a_snapshot_that_is_reverted_is_another_chain(market: Bazaar) -> None:
    """evm_revert says nothing to anybody; the next look at the newest block finds out."""
    hand = market.follow()
    hand.until(caught_up(market, hand))
    mark = market.chain.driver.snapshot()
    before = market.truth()
    for _ in range(3):
        market.act()
    hand.until(caught_up(market, hand))
    market.chain.driver.revert(mark)
    hand.until(caught_up(market, hand))
    assert held(hand) == market.truth() == before
    market.positions.clear()
    market.act()
    hand.until(caught_up(market, hand))
    assert held(hand) == market.truth()
    hand.close()


def test_a_cut_socket_loses_everything_until_it_is_read_again(market: Bazaar) -> None:
    hand = market.follow(("rpc0", "rpc1"))
    hand.until(caught_up(market, hand))
    for link in ("rpc0", "rpc1", "rpc0"):
        hand.cut(link)
        if link == hand.session.plan.links[0]:
            assert hand.session.lost
        for _ in range(3):
            market.act()
        hand.dial(link)
        hand.until(caught_up(market, hand))
        assert held(hand) == market.truth()
    hand.close()


def test_notifications_that_never_come_cost_nothing(market: Bazaar) -> None:
    """Every head and log that the node sends by itself is dropped; then every second one."""
    hand = market.follow()
    hand.until(caught_up(market, hand))
    count = 0

    def drop(frame: bytes) -> bytes | None:
        nonlocal count
        if b"eth_subscription" not in frame:
            return frame
        count += 1
        return frame if count > 10 and count % 2 else None

    hand.filters["rpc0"] = drop
    for _ in range(12):
        market.act()
        hand.until(caught_up(market, hand))
        assert held(hand) == market.truth()
    assert count > 10
    hand.close()


def lying(change: Callable[[dict[str, object]], None]) -> Callable[[bytes], bytes]:
    """A node that says something else in every answer that is a block."""

    def filtered(frame: bytes) -> bytes:
        said = json.loads(frame)
        block = said.get("result") or said.get("params", {}).get("result")
        if isinstance(block, dict) and "parentHash" in block:
            change(block)
        return json.dumps(said).encode()

    return filtered


def other_hash(block: dict[str, object]) -> None:
    for name in ("hash", "parentHash"):
        block[name] = str(block[name])[:-4] + "beef"


def far_ahead(block: dict[str, object]) -> None:
    block["number"] = hex(int(str(block["number"]), 16) + 10_000)


@pytest.mark.parametrize("lie", [other_hash, far_ahead])
def test_a_second_provider_that_lies_silences_us_and_is_outvoted_by_a_third(
    market: Bazaar, lie: Callable[[dict[str, object]], None]
) -> None:
    """With two nobody knows who lies: nothing is shown. With three the liar is alone."""
    hand = market.follow(("rpc0", "rpc1"))
    hand.filters["rpc1"] = lying(lie)
    seen = shown_states(hand)
    for _ in range(4):  # the newest two blocks may differ between honest nodes, too
        market.act()
    hand.until(lambda: "disagree" in hand.session.lost)
    for _ in range(4):
        market.act()
        hand.until(lambda: "disagree" in hand.session.lost)
    assert not hand.books
    true = {market.chain.w3.eth.get_block(k)["hash"].to_0x_hex() for k in range(market.chain.w3.eth.block_number + 1)}
    assert {block for block, _ in seen} <= true
    hand.filters.clear()
    hand.cut("rpc1")
    hand.dial("rpc1")
    hand.until(caught_up(market, hand))
    hand.close()

    three = market.follow(("rpc0", "rpc1", "rpc2"), quorum=2)
    three.filters["rpc1"] = lying(lie)
    for _ in range(4):
        market.act()
    three.until(caught_up(market, three))
    assert held(three) == market.truth()
    three.until(lambda: any("outvoted" in notice for notice in three.notices))
    three.close()


def test_a_provider_that_keeps_logs_back_is_found_out(market: Bazaar) -> None:
    """Its blooms say that there is a log of the pool; its logs say nothing: the state is compared, and differs."""
    hand = market.follow()
    hand.until(caught_up(market, hand))
    seen = shown_states(hand)

    def without(frame: bytes) -> bytes:
        said = json.loads(frame)
        found = said.get("result")
        if isinstance(found, list) and found and "logIndex" in found[0]:
            said["result"] = []
        return json.dumps(said).encode()

    hand.filters["rpc0"] = without
    before = len(seen)
    market.act()
    hand.until(lambda: "kept back" in hand.session.lost or any("kept back" in text for text in hand.notices))
    tip = market.chain.w3.eth.get_block("latest")["hash"].to_0x_hex()
    hand.filters.clear()
    hand.until(caught_up(market, hand))
    assert held(hand) == market.truth()
    assert {block for block, _ in seen[before:]} <= {tip}
    hand.close()


def test_the_chains_own_book_is_requoted_and_right(market: Bazaar) -> None:
    """Every second emission is asked of QuoterV2 and Router02, at $100 and $10,000 on either side."""
    hand = market.follow(check_every=2)
    hand.until(caught_up(market, hand))
    for _ in range(8):
        market.act()
        hand.until(caught_up(market, hand))
    check = hand.session.display.checks["ETH/USD"]
    assert check.requotes >= 2 and not check.suppressions and check.worst_ppm == 0
    assert 0 in hand.books
    hand.close()
