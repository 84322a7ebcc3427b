"""Providers that lie, clocks that differ, and how many have to agree: the honest chain's books, or none.

Books are judged as in test_chain_faults.py. Where the only provider lies in good form, what is shown meanwhile is not
judged, and has to be right again once the lie is found out.
"""

import pytest

from tests.support import bad_links as bad
from tests.support.bad_links import healed, reasons, started
from tests.support.virtual import SECOND
from tests.support.virtual_chain import EXACT, V2, V3, Bare, chain_plan

TWO, THREE = ("rpc1", "rpc2"), ("rpc1", "rpc2", "rpc3")
QUOTA = bad.refuses(-32005, "rate limit exceeded")


@pytest.mark.parametrize("lie", [bad.other_hash, bad.far_ahead])
@pytest.mark.parametrize("liar", ["rpc1", "rpc2"])
def test_two_that_differ_about_the_chain_show_nothing(lie: bad.Change, liar: str) -> None:
    """Until they agree again. What the liar alone could show before the other has spoken is not of our chain."""
    bare = started(links=TWO)
    bare.chain.links[liar].filter = bad.heads(lie)
    bare.run(6)
    assert not bare.watch.shown
    bare.chain.links[liar].filter = None
    bare.hang_up(liar)
    healed(bare, 40)


@pytest.mark.parametrize("lie", [bad.other_hash, bad.far_ahead])
@pytest.mark.parametrize("liar", THREE)
def test_two_of_three_outvote_the_third(lie: bad.Change, liar: str) -> None:
    bare = started(links=THREE, quorum=2)
    bare.chain.links[liar].filter = bad.heads(lie)
    bare.run(12, lambda: bool(bare.said("outvoted")))
    assert bare.said(f"{liar} is outvoted") or liar == "rpc1"
    bare.run(10, bare.is_current)
    assert bare.is_current()


def test_a_height_that_is_only_said_is_not_believed() -> None:
    bare = started()
    bare.chain.node().faults.lie_height = 5_000
    bare.run(5)
    assert bare.is_current()


@pytest.mark.parametrize("liar", TWO)
def test_states_that_two_tell_differently_are_not_shown(liar: str) -> None:
    """The second is asked as soon as the first has been read; what the liar showed until its answer came is counted."""
    bare = Bare(chain_plan((V3,), TWO))
    bare.chain.node(liar).faults.lie_call = 10**20
    bare.watch.check = False
    bare.run(8)
    assert not bare.watch.shown
    assert bare.said("endpoints disagree")
    assert len(bare.watch.wrong) <= (3 if liar == "rpc1" else 0)
    bare.chain.node(liar).faults.lie_call = 0
    bare.run(1)
    bare.watch.check = True
    healed(bare, 20)


def test_two_of_three_outvote_who_lies_about_states() -> None:
    bare = started(V3, links=THREE)
    bare.chain.node("rpc3").faults.lie_call = 10**20
    bare.run(12, lambda: bool(bare.said("rpc3 is outvoted")))
    assert bare.said("rpc3 is outvoted")
    assert bare.is_current() or bare.run(3, bare.is_current).is_current()


def test_the_only_providers_lying_logs_are_found_by_the_next_reconciliation() -> None:
    """A lie in good form by the only provider is believed until the state is compared: 20 blocks of 0.25 s here."""
    bare = started(V3, V2)
    bare.watch.check = False
    bare.chain.node().faults.lie_logs = 10**22
    bare.run(6, lambda: bool(bare.said("differs from what was followed")))
    assert bare.said("differs from what was followed")
    bare.chain.node().faults.lie_logs = 0
    bare.run(6)
    bare.watch.check = True
    healed(bare)


def test_a_pools_log_that_is_kept_back_is_found_at_once() -> None:
    bare = started(V3, V2, is_alive=False)
    link = bare.chain.links["rpc1"]
    for pool in (V3, V2):
        link.asked, link.filter = bad.answers("eth_getLogs", bad.says([]))
        bare.chain.trade(pool, 20_000, is_buy=True)
        bare.run(1.5, lambda: bool(bare.session.lost))
        assert "kept back" in bare.session.lost
        link.asked = link.filter = None
        healed(bare, 40)


def test_a_position_beside_the_price_that_is_kept_back_is_found() -> None:
    bare = started(V3, is_alive=False)
    link = bare.chain.links["rpc1"]
    link.asked, link.filter = bad.answers("eth_getLogs", bad.says([]))
    low = bare.chain.curve(V3).tick // 10 * 10 + 20
    bare.chain.act("provide(address,int24,int24,uint128)", V3.address, low, low + 40, 10**19)
    bare.run(1)


# --- quorum, clocks --------------------------------------------------------------------------------------------------


def test_a_quorum_of_two_shows_what_both_have() -> None:
    bare = Bare(chain_plan(EXACT, TWO, quorum=2))
    bare.chain.links["rpc2"].delay_ns = SECOND // 10
    healed(bare)
    bare.chain.links["rpc2"].is_mute = True
    bare.run(8)
    assert not bare.watch.shown
    assert any("by the 2 endpoints wanted" in reason for reason in reasons(bare))
    bare.chain.links["rpc2"].is_mute = False
    healed(bare, 40)


def test_a_quorum_of_two_with_one_later_than_a_block_shows_the_block_both_have() -> None:
    bare = Bare(chain_plan(EXACT, TWO, quorum=2))
    bare.chain.links["rpc2"].delay_ns = SECOND * 3 // 10
    bare.run(6)
    assert bare.watch.shown


def test_a_lost_quorum_is_noticed_on_a_quiet_chain() -> None:
    bare = started(links=TWO, quorum=2, is_alive=False)
    bare.chain.links["rpc2"].is_refused = True
    bare.hang_up("rpc2")
    bare.run(10)
    assert not bare.watch.shown


def test_a_chain_whose_clock_is_ahead_is_not_shown_for_longer() -> None:
    """Logs are refused by the rate limit, heads go on: what is shown gets old."""
    bare = started()
    bare.chain.clock_ns = 3600 * SECOND
    bare.run(2)
    link = bare.chain.links["rpc1"]
    link.asked, link.filter = bad.answers("eth_getLogs", QUOTA)
    bare.run(20)
    assert not bare.watch.shown
