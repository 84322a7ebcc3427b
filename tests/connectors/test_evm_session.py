"""A chain's session against a simulated node in virtual time: what becomes of single pools, gas, requotes, the budget.

Every book of a pool is judged when it is shown (tests/support/chain_watch.py). Providers' faults: test_chain_faults.py.
"""

import copy
import json
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from connectors.chain import GasModel, PoolPlan
from connectors.errors import ConfigError
from connectors.events import BookLost
from connectors.onchain.report import Reporting
from connectors.session import SessionPlan, WakeAt
from connectors.venues.evm.gas import ARB_GAS_INFO
from connectors.venues.evm.session import TICK_NS, ChainSession
from runtime.sim.evm.abi import encode, keccak
from runtime.sim.evm.machine import CODE, Run
from runtime.sim.evm.univ3_periphery import QuoterV2
from tests.support import bad_links as bad
from tests.support.virtual import SECOND, START_NS
from tests.support.virtual_chain import EXACT, PROBED, V2, V3, V3_DEARER, Bare, ChainWorld, chain_plan

CHAIN_BOOK = 0


def shown(*pools: PoolPlan, **plan: Any) -> Bare:
    """Pools that nobody trades in but the test."""
    native = plan.pop("native_1e9", 1_797 * SECOND)
    bare = Bare(chain_plan(pools or EXACT, **plan), is_alive=False, native_1e9=native)
    bare.run(3, bare.is_current)
    assert bare.is_current()
    return bare


# --- pools -----------------------------------------------------------------------------------------------------------


def test_a_pool_is_shown_once_it_has_a_price_and_liquidity() -> None:
    """Not initialised, initialised and empty, filled: two reasons, and then a book."""
    bare = Bare(chain_plan((V3, V2)), is_alive=False)
    before = bare.chain.curve(V3)
    del bare.chain.chain.state[V3.address.lower(), "curve"]
    bare.chain.mine()
    bare.run(3)
    assert set(bare.watch.shown) == {1}, "the other pool is none of its business"
    assert bare.said("not initialised")
    data = keccak(b"initialize(uint160)")[:4] + encode(("uint160",), (before.sqrt_price_x96,))
    bare.chain.chain.submit(bare.chain.chain.accounts[0], V3.address.lower(), data)
    bare.run(1)
    assert set(bare.watch.shown) == {1}
    assert bare.said("no liquidity")
    low = before.tick // 10 * 10 - 5_000
    bare.chain.act("provide(address,int24,int24,uint128)", V3.address, low, low + 10_000, 10**18)
    bare.run(1)
    assert set(bare.watch.shown) == {0, 1}
    assert bare.is_current()


def test_a_locked_pool_is_refused_until_it_is_open() -> None:
    bare = Bare(chain_plan((V3, V2)), is_alive=False)
    pool = bare.chain.chain.state[V3.address.lower(), CODE]

    class Shut(type(pool)):  # type: ignore[misc]
        def slot0(self, run: Run, sender: str) -> Any:
            return (*super().slot0(run, sender)[:-1], False)

    shut = copy.copy(pool)
    shut.__class__ = Shut
    bare.chain.chain.state[V3.address.lower(), CODE] = shut
    bare.chain.mine()
    bare.run(2)
    assert set(bare.watch.shown) == {1}
    assert bare.said("it is locked")
    bare.chain.chain.state[V3.address.lower(), CODE] = pool
    bare.chain.trade(V3, 100, is_buy=True)
    bare.run(1)
    assert set(bare.watch.shown) == {0, 1}


@pytest.mark.parametrize("place", [0, 1])
def test_decimals_that_the_contract_does_not_have_refuse_the_pool_alone(place: int) -> None:
    wrong = list(V3.tokens)
    wrong[place] = msgspec.structs.replace(wrong[place], decimals=wrong[place].decimals + 1)
    planned = msgspec.structs.replace(V3, tokens=tuple(wrong))
    bare = Bare(chain_plan((V3, V2)), planned=chain_plan((planned, V2)), is_alive=False)
    bare.run(3)
    bare.chain.trade(V3, 10_000, is_buy=True)
    bare.run(2)
    assert set(bare.watch.shown) == {1}
    assert bare.said(f"decimals, the plan says {wrong[place].decimals}")
    assert len(bare.said("decimals, the plan says")) <= 2, "said once, and as the reason of its book"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"fee_ppm": 400}, "its fee is 500 ppm, the plan says 400"),
     ({"tokens": V3.tokens[::-1], "base": 1, "quote": 0}, "its tokens are"),
     ({"address": "0x1111111111111111111111111111111111111111"}, "no contract at this address")],
)  # fmt: skip
def test_a_contract_that_is_not_the_plans_is_refused(change: dict[str, Any], reason: str) -> None:
    bare = Bare(chain_plan((V3, V2)), planned=chain_plan((msgspec.structs.replace(V3, **change), V2)), is_alive=False)
    bare.run(3)
    assert set(bare.watch.shown) == {1}
    assert bare.said(reason)


def test_a_price_that_leaves_the_ticks_that_were_read_is_followed() -> None:
    """Of a spacing of 1 a window is read: the price goes through its edge, up and down."""
    fine = msgspec.structs.replace(V3, address="0x" + "00" * 18 + "F1F1", fee_ppm=100)
    bare = shown(fine, stale_after_ns=30 * SECOND)
    bare.chain.links["rpc1"].requests.clear()
    ticks = [bare.chain.curve(fine).tick]
    for usd, is_buy in ((300_000_000, True),) * 5 + ((3_000_000_000_000, False),) * 4:
        bare.chain.trade(fine, usd, is_buy=is_buy)
        bare.run(2)
        ticks.append(bare.chain.curve(fine).tick)
        held = bare.session.follower.blocks.tip
        assert held is not None
        state: Any = held.states[0]
        assert (state.tick, state.sqrt_price_x96) == (ticks[-1], bare.chain.curve(fine).sqrt_price_x96)
        assert state.ticks.low < ticks[-1] < state.ticks.high
    assert max(ticks) - min(ticks) > 60_000, "further than the window reaches"


def test_a_pool_that_cannot_be_shown_takes_no_other_down() -> None:
    """Its price is pushed beyond the guest's scale, as anybody may do with a pool that nobody is in."""
    bare = shown(V3_DEARER, V3, V2)
    state, key = bare.chain.chain.state, (V3_DEARER.address.lower(), "curve")
    curve = state[key]
    state[key] = msgspec.structs.replace(curve, sqrt_price_x96=4295128740, tick=-887_272, liquidity=0)
    bare.hang_up("rpc1")
    bare.run(5)
    assert {1, 2} <= set(bare.watch.shown)


def test_a_probed_pool_beside_computed_ones() -> None:
    bare = shown(*EXACT, *PROBED)
    assert set(bare.watch.shown) == set(range(7))
    assert {update.amm is None for index, update in bare.updates.items() if index >= 13} == {True}


# --- gas -------------------------------------------------------------------------------------------------------------


def test_without_a_price_of_gas_the_chains_book_waits_with_the_reason() -> None:
    bare = Bare(chain_plan((V3,)), is_alive=False)
    gas_info = bare.chain.chain.state.pop((ARB_GAS_INFO.lower(), CODE))
    bare.chain.mine()
    bare.run(4)
    assert set(bare.watch.shown) == {0}, "its own book has no gas in it"
    assert not bare.watch.chain_books
    assert "gas has no price" in bare.session.display.shelf.reason(CHAIN_BOOK)
    assert bare.said("the L1 part of gas is not known")
    assert bare.updates[10].gas.gas_cost_1e5 == 0
    bare.chain.chain.state[ARB_GAS_INFO.lower(), CODE] = gas_info
    bare.run(12)
    assert CHAIN_BOOK in bare.watch.chain_books
    assert bare.updates[10].gas.gas_cost_1e5 > 0


def test_without_a_suggested_tip_likewise() -> None:
    bare = Bare(chain_plan((V3,), gas=GasModel.EIP1559), is_alive=False)
    link = bare.chain.links["rpc1"]
    link.asked, link.filter = bad.answers("eth_maxPriorityFeePerGas", bad.refuses(-32601, "no such method"))
    bare.run(4)
    assert set(bare.watch.shown) == {0}
    assert not bare.watch.chain_books
    link.asked = link.filter = None
    bare.run(12)
    assert CHAIN_BOOK in bare.watch.chain_books


def test_without_a_price_of_the_coin_likewise() -> None:
    bare = shown(V3, native="POL/USD", native_1e9=0)
    bare.run(2)
    assert not bare.watch.chain_books
    assert not bare.fees


@pytest.mark.parametrize("gas", [model for model in GasModel if model is not GasModel.SOLANA])
def test_every_model_finds_its_price(gas: GasModel) -> None:
    bare = Bare(chain_plan((V3,), gas=gas), is_alive=False)
    bare.run(4)
    assert CHAIN_BOOK in bare.watch.chain_books
    assert bare.fees[-1].native_price_1e9 == 1_797 * SECOND
    assert bare.fees[-1].chain_id == 1


def test_the_coins_price_is_another_venues_or_the_first_pools() -> None:
    bare = shown(V2, V3, native_1e9=0)
    numerator, denominator = bare.chain.curve(V2).price(V2.base, V2.quote)
    price = Fraction(numerator, denominator) * 10 ** (V2.tokens[V2.base].decimals - V2.tokens[V2.quote].decimals)
    assert bare.session.display.gas.native_1e9 == int(price * 10**9)
    world = ChainWorld(chain_plan((V3,)))
    world.run(3)
    bid, ask = world.engine.books[0].touch()
    assert abs(2 * world.session.display.gas.native_1e9 - bid - ask) < 3 * SECOND, "Kraken's mid, a moment ago"
    world.hang_up("kraken", seconds=30)
    world.run(1)
    numerator, denominator = world.chain.curve(V3).price(V3.base, V3.quote)
    assert world.session.display.gas.native_1e9 == numerator * 10**21 // denominator


# --- requotes --------------------------------------------------------------------------------------------------------


class Mean(QuoterV2):
    """Pays two percent less."""

    def quote_in(self, run: Run, sender: str, asked: tuple[Any, ...]) -> tuple[int, int, int, int]:
        paid, *rest = super().quote_in(run, sender, asked)
        return paid * 98 // 100, *rest  # type: ignore[return-value]


def replaced(bare: Bare, kind: type) -> None:
    """The quoter is of this kind from the next block on."""
    key = (V3.quoter.lower(), CODE)
    quoter = copy.copy(bare.chain.chain.state[key])
    quoter.__class__ = kind
    bare.chain.chain.state[key] = quoter


def test_a_book_that_its_quoter_does_not_confirm_is_suppressed_and_comes_back() -> None:
    bare = shown(V3, check_every=1, check_bps=25)
    bare.run(1)
    check = bare.session.display.checks["ETH/USD"]
    assert CHAIN_BOOK in bare.watch.chain_books
    replaced(bare, Mean)
    for k in range(4):
        bare.chain.trade(V3, 5_000, is_buy=bool(k % 2))
        bare.run(1)
    assert CHAIN_BOOK not in bare.watch.chain_books
    assert check.suppressed
    assert check.suppressions >= 3
    assert 0 in bare.watch.shown, "the pool's own book is its curve's"
    assert bare.said("of this chain is not shown: a requote is")
    replaced(bare, QuoterV2)
    for k in range(3):
        bare.chain.trade(V3, 5_000, is_buy=bool(k % 2))
        bare.run(1)
    assert CHAIN_BOOK in bare.watch.chain_books
    assert not check.suppressed


def test_a_requote_within_the_bound_suppresses_nothing() -> None:
    bare = shown(V3, check_every=1, check_bps=300)
    replaced(bare, Mean)
    for k in range(3):
        bare.chain.trade(V3, 5_000, is_buy=bool(k % 2))
        bare.run(1)
    check = bare.session.display.checks["ETH/USD"]
    assert check.requotes >= 3
    assert not check.suppressions


def test_a_reorg_while_a_requote_is_under_way_is_nothing() -> None:
    bare = Bare(chain_plan((V3,), check_every=1, calls_per_s=1000))
    bare.chain.links["rpc1"].delay_ns = SECOND // 5
    bare.run(3)
    for k in range(40):
        bare.chain.trade(V3, 5_000 * (k % 7 + 1), is_buy=bool(k % 2))
        bare.run(0.3)
        bare.chain.reorg(1 + k % 3)
        bare.run(0.1 + 0.05 * (k % 5))
    assert bare.session.display.checks["ETH/USD"].requotes > 20
    assert not bare.session.display.checks["ETH/USD"].suppressions


# --- the session itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls_per_s", [5, 25])
def test_no_link_is_asked_more_than_its_budget(calls_per_s: int) -> None:
    """A second's worth may be spent at once, so any stretch of time has at most one second's worth more."""
    bare = Bare(chain_plan(EXACT + PROBED, ("rpc1", "rpc2"), calls_per_s=calls_per_s, stale_after_ns=60 * SECOND))
    bare.run(5)
    bare.hang_up("rpc1", 0.1)
    bare.run(10)
    for link in bare.chain.links.values():
        assert len(link.sent_ns) > 20
        for first, begin_ns in enumerate(link.sent_ns):
            for count, end_ns in enumerate(link.sent_ns[first:], 1):
                assert count <= calls_per_s * (1 + Fraction(end_ns - begin_ns, SECOND)) + 1
    assert bare.watch.compared


def test_requests_are_json_rpc_with_ids_of_their_own() -> None:
    bare = Bare(chain_plan(EXACT, ("rpc1", "rpc2")))
    bare.run(3)
    said = [json.loads(request) for link in bare.chain.links.values() for request in link.requests]
    assert len({one["id"] for one in said}) == len(said)
    assert all(one["jsonrpc"] == "2.0" and isinstance(one["params"], list) for one in said)
    calls = [one["params"] for one in said if one["method"] == "eth_call"]
    assert calls
    assert all(block["requireCanonical"] is True and len(block["blockHash"]) == 66 for _, block in calls)


def test_a_book_the_engine_cannot_take_is_lost_until_its_pool_changes() -> None:
    bare = shown(V3, V2)
    outputs = bare.session.resync(10, "crossed", bare.now_ns)
    assert [output for output in outputs if isinstance(output, BookLost)] == [BookLost(10, "crossed")]
    bare.carry(outputs)
    assert set(bare.watch.shown) == {1}
    bare.chain.trade(V3, 1_000, is_buy=True)
    bare.run(1)
    assert set(bare.watch.shown) == {0, 1}


def test_what_is_not_its_link_is_nothing_to_it() -> None:
    session = Bare(chain_plan((V2,))).session
    for outputs in (
        session.open(START_NS, "other"),
        session.receive(b"{}", START_NS, "other"),
        session.close(START_NS, "other"),
    ):
        assert outputs == []
    assert session.tick(START_NS) == []


def test_it_asks_for_the_next_tick_while_a_link_is_up() -> None:
    session = Bare(chain_plan((V2,))).session
    assert WakeAt(START_NS + TICK_NS) in session.open(START_NS, "rpc1")
    assert WakeAt(START_NS + 2 * TICK_NS) in session.tick(START_NS + TICK_NS)


def test_a_plan_without_a_chain_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match="no chain is described"):
        ChainSession(SessionPlan(symbols=(), depth=20))


def test_a_report_says_where_it_stands() -> None:
    bare = shown(V3, V2)
    told = bare.session.report()
    assert isinstance(bare.session, Reporting)
    assert (told.block_hash, told.number > 0, told.time_ns is not None) == (bare.chain.head, True, True)
    assert (told.link, told.lost, told.differences) == ("rpc1", "", 0)
    assert {index: pool.fee_ppm for index, pool in told.pools.items()} == {10: 500, 11: 3000}
    bare.chain.links["rpc1"].is_refused = True
    bare.hang_up("rpc1")
    assert bare.session.report().lost == "link down"
    assert (bare.session.report().number, bare.session.report().time_ns) == (0, None)
