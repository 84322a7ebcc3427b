"""Show 3 in virtual time: whatever a provider does wrong, no pool's book is shown that the honest chain did not have.

`Watch` (tests/support/chain_watch.py) judges every book of a pool the moment it is shown, by the curve that the honest
node had at the block the session says it is of, and at every step of time that no book is older than the plan allows.
A test whose only provider lies in good form says so: what is shown meanwhile is counted instead.
"""

import json
from pathlib import Path

import pytest

from connectors.chain import PoolPlan
from runtime.sim.evm.faults import EvmFaults
from tests.support import bad_links as bad
from tests.support.bad_links import healed, reasons, started
from tests.support.virtual import SECOND
from tests.support.virtual_chain import ALGEBRA, BALANCER, CRYPTO, EXACT, PROBED, SOLIDLY, Bare, ChainWorld, chain_plan

TWO, THREE = ("rpc1", "rpc2"), ("rpc1", "rpc2", "rpc3")


# --- what is told is not to be relied on ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 7, 200])
def test_heads_that_are_not_told_are_asked_for(count: int) -> None:
    bare = started()
    bare.chain.node().faults.skip_heads = count
    bare.run(8)
    assert any("are missing" in reason for reason in reasons(bare))
    bare.chain.node().faults.skip_heads = 0
    healed(bare, 2)


def test_logs_that_are_not_told_cost_nothing() -> None:
    """What counts are the logs of a whole block, which are asked for."""
    bare = started()
    bare.lost.clear()
    bare.chain.node().faults.drop_logs = 10**6
    bare.run(10)
    assert not [index for index, _ in bare.lost if index >= 10]
    healed(bare)


def test_a_provider_that_tells_no_heads_is_polled() -> None:
    bare = started()
    bare.chain.node().faults.stall_heads = True
    before = len(bare.watch.blocks)
    bare.run(10)
    assert len(bare.watch.blocks) - before >= 9
    assert not bare.session.lost


def test_a_chain_that_stands_still_is_lost_in_time_and_found_again() -> None:
    bare = started()
    bare.chain.is_paused = True
    bare.run(8)
    assert not bare.watch.shown
    assert any("no new block" in reason for reason in reasons(bare))
    bare.chain.is_paused = False
    healed(bare, 9)


def frozen_at_its_head(frame: bytes, kept: list[object]) -> bytes | None:
    """A provider whose node has stopped: it answers, with the block it had."""
    said = json.loads(frame)
    if "params" in said:
        return None
    if isinstance(said.get("result"), dict) and "parentHash" in said["result"]:
        kept.append(said["result"])
        said["result"] = kept[0]
    return json.dumps(said).encode()


def test_a_frozen_provider_is_left_for_the_second() -> None:
    bare = started(links=TWO)
    kept: list[object] = []
    bare.chain.links["rpc1"].filter = lambda frame: frozen_at_its_head(frame, kept)
    bare.run(9, lambda: bare.is_current() and bare.session.follower.endpoint is bare.session.endpoints[1])
    assert bare.session.follower.endpoint is bare.session.endpoints[1]
    healed(bare)


# --- reorgs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_told", [True, False], ids=["logs removed", "silent as anvil"])
def test_reorgs_of_any_depth_take_back_what_was_shown(is_told: bool) -> None:
    bare = started(*EXACT, *PROBED)
    bare.chain.node().faults.removed_logs = is_told
    for depth in (1, 2, 3, 5, 10, 17, 40):
        bare.run(depth / 4 + 1)
        bare.lost.clear()
        bare.chain.reorg(depth)
        bare.run(0.1)
        assert any("reorg" in reason for reason in reasons(bare)), depth
        healed(bare)


def test_a_reorg_that_nobody_tells_is_found_by_the_next_head() -> None:
    bare = started()
    for depth in (1, 4, 9):
        bare.run(3)
        bare.chain.reorg(depth, tell=False)
        healed(bare, 2)


def test_a_reorg_deeper_than_what_is_kept_begins_anew() -> None:
    bare = started()
    bare.run(40)
    bare.lost.clear()
    bare.chain.reorg(145)
    bare.run(0.2)
    assert any("are missing" in reason for reason in reasons(bare))
    healed(bare)


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.33, 0.8])
def test_reorgs_while_pools_are_read(delay: float) -> None:
    """Every question names a block; one that has left the chain is refused, and asked of another block."""
    bare = Bare(chain_plan(EXACT + PROBED, check_every=1, calls_per_s=1000))
    bare.chain.links["rpc1"].delay_ns = int(delay * SECOND)
    for depth in (1, 2, 3, 1, 5, 2, 1, 4):
        bare.run(delay * 1.7 + 0.4)
        if len(bare.chain.chain.blocks) > depth + 1:
            bare.chain.reorg(depth)
    bare.chain.links["rpc1"].delay_ns = 0
    healed(bare, 20)


def test_a_gap_of_many_blocks_is_a_new_snapshot_and_one_of_few_is_filled() -> None:
    for seconds, are_filled in ((2.5, True), (6.5, False)):
        bare = started(stale_after_ns=30 * SECOND)
        link = bare.chain.links["rpc1"]
        link.is_mute = True
        bare.run(seconds)
        link.is_mute = False
        link.requests.clear()
        healed(bare, 15)
        filled = sum(b"eth_getBlockByHash" in request for request in link.requests)
        assert (filled > 4) == are_filled


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_closed_connection_loses_everything_at_once() -> None:
    bare = started(*EXACT, *PROBED)
    for _ in range(3):
        bare.chain.node().faults.close = True
        bare.run(0.02)
        assert not bare.watch.shown
        assert not bare.watch.chain_books
        healed(bare)


def test_a_cut_link_is_left_for_the_next_at_once() -> None:
    bare = started(links=THREE)
    for name in ("rpc1", "rpc2", "rpc3"):
        bare.chain.links[name].is_refused = True
        bare.hang_up(name)
        if name != "rpc3":
            bare.run(1)
            assert bare.is_current()
    bare.run(3)
    assert not bare.watch.shown
    for link in bare.chain.links.values():
        link.is_refused = False
    healed(bare, 40)


def valid(world: ChainWorld) -> list[bool]:
    """Kraken's book, the chain's own, the pools'."""
    return [book.valid for book in world.engine.books]


def test_in_an_engine_a_chain_that_is_cut_off_takes_nothing_of_kraken_with_it() -> None:
    world = ChainWorld(chain_plan(EXACT, TWO))
    world.run(4)
    assert valid(world)[2:] == [True] * 3
    for name in TWO:
        world.chain.links[name].is_refused = True
        world.hang_up(name)
    world.run(2)
    assert valid(world) == [True] + [False] * 4
    assert world.engine.ports["dex_arb"].link.last_ns == -1, "the gate takes the venue for down"
    world.hang_up("kraken", seconds=5)
    world.chain.links["rpc2"].is_refused = False
    world.run(2)
    assert not valid(world)[0]
    assert valid(world)[2:] == [True] * 3
    assert world.watch.compared > 10


@pytest.mark.parametrize("stale_s", [5, 60])
@pytest.mark.parametrize("is_node", [True, False])
def test_a_mute_socket_is_dialled_again(stale_s: int, is_node: bool) -> None:
    bare = started(stale_after_ns=stale_s * SECOND)
    link = bare.chain.links["rpc1"]
    link.is_mute, link.node.faults.mute = not is_node, is_node
    bare.run(17, lambda: bool(bare.reconnects))
    assert not bare.watch.shown
    assert bare.reconnects[0][0] == "rpc1"
    link.is_mute = link.node.faults.mute = False
    healed(bare, 60)
    assert link.dials == 2


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_link_whose_first_answer_is_lost_is_used_later(is_refused: bool) -> None:
    bare = Bare()
    link = bare.chain.links["rpc1"]
    link.asked, link.filter = bad.answers("eth_chainId", bad.refuses(-32603, "internal error"))
    if not is_refused:
        link.filter = bad.drops(b"id")
    bare.run(12)
    link.asked = link.filter = None
    healed(bare, 120)


def test_unanswered_requests_end_by_themselves() -> None:
    """Logs that never come: the endpoint fails, is tried again, and fails, until it answers."""
    bare = started(stale_after_ns=60 * SECOND)
    link = bare.chain.links["rpc1"]
    ids: list[bytes] = []
    link.asked = lambda frame: None if b"eth_getLogs" in frame else frame
    bare.run(25, lambda: bool(bare.said("eth_getLogs within")))
    assert bare.said("no answer to eth_getLogs within 10 s")
    link.asked = None
    healed(bare, 40)
    assert not ids


def test_a_slow_provider_is_followed_as_fast_as_it_answers() -> None:
    bare = started()
    bare.chain.node().faults.delay_ms = 400
    bare.run(6)
    assert len(bare.watch.shown) == len(EXACT)
    bare.chain.node().faults.delay_ms = 0
    healed(bare)


# --- what a provider refuses -----------------------------------------------------------------------------------------


def test_a_rate_limit_is_waited_for() -> None:
    bare = started()
    bare.chain.node().faults.error_answers = 3
    bare.run(10)
    healed(bare, 10)
    assert bare.chain.links["rpc1"].dials == 1


def test_a_provider_whose_quota_is_used_up_is_left_for_the_second() -> None:
    """It goes on telling heads, as real ones do, and refuses every question."""
    bare = started(links=TWO)
    refuse = bad.refuses(-32005, "quota")

    def refused(frame: bytes) -> bytes:
        said = json.loads(frame)
        if "id" in said:
            refuse(said)
        return json.dumps(said).encode()

    bare.chain.links["rpc1"].filter = refused
    bare.run(20)
    assert bare.is_current()


def test_a_provider_without_block_hashes_shows_nothing_and_says_why() -> None:
    bare = Bare()
    bare.chain.node().faults.refuse_block_hash = True
    bare.run(12)
    assert not bare.watch.compared
    assert bare.said("blockHash is not supported")
    bare.chain.node().faults.refuse_block_hash = False
    healed(bare, 40)


def test_another_chain_is_never_read() -> None:
    bare = Bare(chain_plan(EXACT, TWO))
    link = bare.chain.links["rpc1"]
    link.asked, link.filter = bad.answers("eth_chainId", bad.says("0x1"))
    healed(bare)
    assert bare.said("rpc1: is chain 1, not 42161")
    assert {json.loads(request)["method"] for request in link.requests} == {"eth_chainId"}


# --- pools that are asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [CRYPTO, BALANCER, ALGEBRA, SOLIDLY], ids=lambda pool: str(pool.kind))
def test_a_probed_pool_is_asked_again_after_each_of_its_logs(pool: PoolPlan) -> None:
    bare = started(pool, is_alive=False)
    for usd in (1_000, 50_000, 200, 3_000):
        before = bare.watch.compared
        bare.chain.trade(pool, usd, is_buy=usd % 3 == 0)
        bare.run(1)
        assert bare.watch.compared > before
        assert bare.is_current()


def test_every_fault_of_the_simulated_node_is_tried() -> None:
    """Here or beside it."""
    here = Path(__file__)
    tried = here.read_text() + (here.parent / "test_chain_lies.py").read_text()
    assert [name for name in EvmFaults.__struct_fields__ if f".faults.{name}" not in tried] == []
