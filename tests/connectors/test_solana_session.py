"""Solana's session on simulated nodes in virtual time: what it reads, follows, shows, and gives up.

Whatever is shown in any of these tests is judged the moment it is, and while it stands (tests/support/solana_watch.py).
"""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from connectors.amm.raydium import Raydium
from connectors.amm.whirlpool import Whirlpool
from connectors.errors import ConfigError
from connectors.session import SessionPlan
from connectors.venues.solana.keys import CLOCK
from connectors.venues.solana.keys import ORCA as ORCA_PROGRAM
from connectors.venues.solana.rpc import KEYS_MAX
from connectors.venues.solana.session import SolanaSession
from tests.support.data import ROOT
from tests.support.solana_damage import data_of
from tests.support.solana_world import FIRST_POOL, ORCA, POOLS, RAYDIUM, SHIPPED, Bare, calls, session_plan, solana_plan
from tests.support.virtual import SECOND


def no_account_of(key: str, place: int = 0) -> Any:
    """A filter of answers: this key is told not to be there; `place`: of which answers that have it, 0 is all."""
    state = {"asked": 0}

    def asked(body: bytes) -> bytes:
        said = json.loads(body)
        if said["method"] == "getMultipleAccounts" and key in said["params"][0]:
            state["at"], state["id"] = said["params"][0].index(key), said["id"]
        return body

    def told(frame: bytes) -> bytes:
        head, found, body = frame.partition(b"\n")
        said = json.loads(body)
        if said.get("id") == state.get("id") and isinstance(said.get("result"), dict):
            state["asked"] += 1
            if place in (0, state["asked"]):
                said["result"]["value"][state["at"]] = None
        return head + found + json.dumps(said).encode()

    return asked, told


# --- what is read and shown ------------------------------------------------------------------------------------------


def test_pools_of_both_protocols_are_shown_with_the_chains_own_book() -> None:
    bare = Bare().run(3)
    assert set(bare.watch.shown) == {0, 1}
    assert list(bare.watch.chain_books) == [0]
    assert bare.session.lost == ""
    found = bare.session.report()
    assert found.link == "rpc1"
    assert found.number in bare.chain.chain
    assert found.lost == ""
    assert found.is_priced
    assert isinstance(found.pools[FIRST_POOL].curve, Whirlpool)
    assert isinstance(found.pools[FIRST_POOL + 1].curve, Raydium)
    for index, pool in found.pools.items():
        amm, truth = pool.amm, bare.chain.truths
        assert amm is not None
        assert pool.reason == ""
        assert amm.sqrt_price_x64 == truth[amm.last_block][index - FIRST_POOL].sqrt_price_x64
        assert pool.fee_ppm == amm.fee_ppm
        assert pool.gas.gas_units_1k
        assert abs(pool.mid_1e9 - 150 * SECOND) < 5 * SECOND


def test_every_read_of_a_pool_is_one_call_with_the_clock() -> None:
    bare = Bare(solana_plan(SHIPPED.pools[:14], calls_per_s=25)).run(6)
    assert len(bare.watch.shown) == 14
    reads = [set(one["params"][0]) for one in calls(bare, "getMultipleAccounts")]
    assert all(len(one["params"][0]) == len(keys) <= KEYS_MAX for one, keys in
               zip(calls(bare, "getMultipleAccounts"), reads, strict=True))  # fmt: skip
    assert all(CLOCK in keys for keys in reads)
    for pool in bare.session.follower.pools:
        assert any(set(pool.keys) <= keys for keys in reads)
        assert not any(pool.plan.address in keys and len(keys) < 2 for keys in reads)
    assert len({slot for _, slot in bare.watch.slots}) > 4


def test_each_pools_record_is_of_the_slot_it_was_read_at() -> None:
    """Also where it is told again because SOL, and so a swap, has another price."""
    bare = Bare(solana_plan(SHIPPED.pools[:14]), native_1e9=0, noise_ppm=5_000).run(8)
    assert len({bare.session.display.at.number_of(place) for place in range(14)}) > 1
    assert len(bare.updates) == 14


def test_the_commitment_is_the_plans() -> None:
    for commitment in ("processed", "confirmed", "finalized"):
        bare = Bare(solana_plan(commitment=commitment)).run(4 if commitment != "finalized" else 20)
        assert len(bare.watch.shown) == 2, commitment
        reads = calls(bare, "getMultipleAccounts") + calls(bare, "accountSubscribe")
        assert {one["params"][1]["commitment"] for one in reads} == {commitment}
        shown = max(slot for _, slot in bare.watch.slots)
        assert bare.chain.head - shown <= {"processed": 5, "confirmed": 7, "finalized": 40}[commitment]


def test_what_was_told_is_read_from_that_slot_on() -> None:
    bare = Bare().run(10)
    told = [one["params"][1].get("minContextSlot", 0) for one in calls(bare, "getMultipleAccounts")]
    assert told[0] == 0
    assert told == sorted(told)
    assert len(set(told)) > 5


def test_every_pool_is_read_every_two_seconds_though_nothing_happens() -> None:
    bare = Bare(is_still=True).run(21)
    assert 10 <= len(calls(bare, "getMultipleAccounts")) <= 16
    assert [place for place, _ in bare.watch.slots].count(0) == 1, "nothing new is shown; place 1's fee follows time"
    assert bare.is_well()


def test_a_chain_that_moves_is_read_as_often_as_it_does_and_not_more() -> None:
    bare = Bare().run(20)
    slots = bare.chain.head - min(bare.chain.truths)
    assert len(calls(bare, "getMultipleAccounts")) <= slots + 20


# --- following -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drift_ppm", [3_000, -2_500])
def test_arrays_are_followed_while_the_price_crosses_several(drift_ppm: int) -> None:
    bare = Bare(drift_ppm=drift_ppm).run(3)
    first = set(bare.session.follower.subscriptions.keys())
    bare.run(37)
    now = bare.session.follower.subscriptions.keys()
    watches = bare.chain.links["rpc1"].connection.watches  # type: ignore[union-attr]
    assert len(first - set(now)) >= 8, "old arrays are given up"
    assert len(watches) == len(now) + 1, "the node tells of what is followed, and of slots"
    pools = bare.session.follower.pools
    assert set(now) == {key for pool in pools for key in pool.watched}
    assert all(CLOCK not in pool.watched and pool.plan.tokens[0].address not in pool.watched for pool in pools)
    assert bare.session.follower.silence.missed == 0
    assert bare.is_well()


def test_a_pool_is_never_made_of_two_answers() -> None:
    """Accounts change between the stages of a read: each stage stands alone."""
    bare = Bare(solana_plan(commitment="processed"), drift_ppm=3_000, noise_ppm=30_000)
    bare.chain.links["rpc1"].calls.delay_ns = SECOND // 2
    bare.run(30)
    assert bare.watch.compared > 20


def test_dropped_notifications_are_found_by_reading() -> None:
    bare = Bare().run(5)
    bare.chain.node().faults.drop_notifications = 10**6
    bare.run(3)
    before = bare.watch.compared
    bare.run(20)
    assert bare.watch.compared > before + 10
    assert len([text for text in bare.notices if "was not told of" in text]) >= 1
    assert bare.reconnects
    assert "changes were not told of" in bare.reconnects[0][1]
    assert bare.session.report().differences > 0
    bare.chain.node().faults.drop_notifications = 0
    bare.run(10, bare.is_well)
    assert bare.is_well()


def test_duplicates_and_late_ones_change_nothing() -> None:
    bare = Bare(solana_plan())
    bare.chain.node().faults.duplicate = True
    bare.run(20)
    assert bare.is_well()
    assert not [reason for _, reason in bare.lost if "account" in reason]


@pytest.mark.parametrize("fault", [{"stale": 3}, {"late_notifications": 900}, {"rollback": 4}])
def test_slots_that_go_back_lose_what_was_shown_with_the_reason(fault: dict[str, int]) -> None:
    bare = Bare(solana_plan(commitment="confirmed")).run(5)
    for name, value in fault.items():
        bare.chain.node().faults.switch(name, value)
    bare.run(20)
    assert bare.said("went back to")
    bare.chain.node().faults.stale = bare.chain.node().faults.late_notifications = 0
    bare.run(20, bare.is_well)
    bare.run(3)
    assert bare.is_well()


@pytest.mark.parametrize("commitment", ["processed", "confirmed"])
def test_what_was_read_on_a_branch_is_lost_when_the_node_leaves_it(commitment: str) -> None:
    bare = Bare(solana_plan(commitment=commitment)).run(5)
    bare.chain.node().faults.rollback = 5
    bare.run(8)
    branch = set(bare.chain.truths) - set(range(min(bare.chain.truths), bare.chain.head + 1)) | (
        set(bare.chain.truths) - bare.chain.chain
    )
    assert branch & {slot for _, slot in bare.watch.slots}, "nothing was shown of the branch: the test shows nothing"
    assert bare.said("went back")
    assert not branch & set(bare.session.display.at.slots.values())
    assert bare.is_well()


def test_a_notification_and_a_read_of_one_slot_that_differ_lose_the_book() -> None:
    bare = Bare().run(5)
    link, state = bare.chain.links["rpc1"], {"done": 0}

    def other(frame: bytes) -> bytes:
        said = json.loads(frame)
        if said.get("method") == "accountNotification" and state["done"] < 3:
            state["done"] += 1
            said["params"]["result"]["value"]["data"] = ["AAAA", "base64"]
        return json.dumps(said).encode()

    link.socket.filter = other
    bare.run(4)
    assert state["done"] == 3
    assert bare.said("differ") or bare.said("says two things")
    bare.run(5, bare.is_well)
    assert bare.is_well()


def test_an_account_that_is_gone_is_believed_when_it_is_said_twice() -> None:
    """An Orca array that is not there holds no ticks: a node that lacks it once must not make a book without it."""
    bare = Bare(solana_plan((ORCA,)), is_still=True).run(5)
    seen = bare.session.follower.pools[0].seen
    assert seen is not None
    key = [key for key, account in seen.accounts.items() if account is not None and account.owner == ORCA_PROGRAM][-1]
    link = bare.chain.links["rpc1"]
    link.calls.asked, link.calls.filter = no_account_of(key, place=1)
    bare.run(5)
    assert bare.said("is not there any more")
    assert bare.is_well()
    assert bare.watch.compared == 2, "it was lost and shown again as it was"
    link.calls.asked, link.calls.filter = no_account_of(key)
    bare.watch.check = False  # nobody else can say that it is a lie
    bare.run(5)
    assert bare.watch.compared == 3


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_refused_pool_leaves_the_others_alone_and_is_looked_at_again() -> None:
    bare = Bare(is_still=True).run(3)
    link = bare.chain.links["rpc1"]
    link.calls.asked, link.calls.filter = no_account_of(RAYDIUM.address)
    bare.run(6)
    assert set(bare.watch.shown) == {0}
    assert bare.said(f"pool {RAYDIUM.address} (raydium_clmm, SOL/USD) is not shown")
    reasons = {index: pool.reason for index, pool in bare.session.report().pools.items()}
    assert reasons[FIRST_POOL] == ""
    assert "does not exist" in reasons[FIRST_POOL + 1]
    link.calls.asked = link.calls.filter = None
    bare.run(3)
    assert set(bare.watch.shown) == {0, 1}


@pytest.mark.parametrize("fault", [{"truncate_data": 1}, {"foreign_owner": True}])
def test_accounts_that_are_not_what_they_must_be_refuse_their_pools(fault: dict[str, Any]) -> None:
    bare = Bare().run(3)
    for name, value in fault.items():
        bare.chain.node().faults.switch(name, value)
    bare.run(6)
    assert not bare.watch.shown
    assert all(bare.watch.lost_for.values())
    bare.chain.node().faults.truncate_data, bare.chain.node().faults.foreign_owner = 0, False
    bare.run(6, bare.is_well)
    assert bare.is_well()


def test_a_pool_that_is_not_what_the_plan_says_is_refused() -> None:
    pools = (msgspec.structs.replace(ORCA, fee_ppm=1), RAYDIUM)
    bare = Bare(solana_plan(POOLS), planned=solana_plan(pools)).run(4)
    assert set(bare.watch.shown) == {1}
    assert bare.said("the settings say 1")


# --- the rest of the surface -----------------------------------------------------------------------------------------


def test_a_book_that_the_engine_cannot_take_is_shown_again() -> None:
    bare = Bare(is_still=True).run(3)
    bare.carry(bare.session.resync(FIRST_POOL, "crossed", bare.now_ns))
    bare.carry(bare.session.resync(0, "crossed", bare.now_ns))
    assert set(bare.watch.shown) == {1}
    assert bare.watch.lost_for[FIRST_POOL] == "crossed"
    bare.run(3)
    assert set(bare.watch.shown) == {0, 1}
    assert 0 in bare.watch.chain_books


def test_frames_of_strange_links_are_dropped() -> None:
    session = SolanaSession(session_plan(solana_plan()))
    assert session.receive(b"{}", 1, "nowhere") == []
    assert session.receive(b"1 200\n{}", 1, "rpc1.http") == []
    assert session.open(1, "rpc1.http") == []
    assert session.close(1, "rpc1.http") == []


def test_a_plan_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(ConfigError, match="no chain is described"):
        SolanaSession(SessionPlan((), 20))
    with pytest.raises(ConfigError, match="no quorum on Solana"):
        SolanaSession(session_plan(solana_plan(links=("rpc1", "rpc2"), quorum=2)))


def test_where_the_codecs_are_missing_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["solders"] = None
from connectors.errors import ConfigError
from connectors.session import SessionPlan
from connectors.venues.solana import SOLANA
try:
    SOLANA.market(SessionPlan((), 20))
except ConfigError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "solders is not installed" in found.stdout
    assert "install solders" in found.stdout


def test_nothing_heavy_is_imported_before_a_session_is_made() -> None:
    program = 'import sys, connectors.venues.solana; print({"solders", "zstandard"} & sys.modules.keys())'
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_the_nodes_words_are_what_a_reader_of_accounts_would_decode() -> None:
    """The support's own reading of an answer, which the damage is made with, is not the session's."""
    bare = Bare().run(1)
    link = bare.chain.links["rpc1"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "getMultipleAccounts",
            "params": [[ORCA.address], {"encoding": "base64+zstd"}]}  # fmt: skip
    reply = link.node.post(json.dumps(body), bare.now_ns)
    assert len(data_of(json.loads(reply.body)["result"]["value"][0])) == 653
