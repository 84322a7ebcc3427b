"""Who trades on the simulated Solana: prices that follow the market, money that is there, forks that are real."""

from fractions import Fraction

import pytest

from connectors.amm.raydium import Raydium
from connectors.base58 import key_bytes
from connectors.chain import PoolPlan
from runtime.sim.evm.world import market_mid
from runtime.sim.market import Market
from runtime.sim.solana import liquidity
from runtime.sim.solana.keys import raydium_vault
from runtime.sim.solana.node import SolanaSim
from runtime.sim.solana.pools import Held, site_of
from runtime.sim.solana.shipped import default_world
from runtime.sim.solana.world import World
from tests.sim.sim_solana_node import ORCA, POOLS, RAYDIUM, SOL, USDC, Node


def held(node: Node, plan: PoolPlan) -> Held:
    found = node.head.state[plan.address]
    assert isinstance(found, Held)
    return found


def price(node: Node, plan: PoolPlan) -> Fraction:
    """Dollars for one SOL."""
    return Fraction(held(node, plan).curve.sqrt_price_x64 ** 2, 1 << 128) * 1_000


def test_prices_follow_the_market_within_the_fee() -> None:
    market = Market(seed=3)
    mid = market_mid(market)
    node = Node(POOLS, sim=default_world(3, POOLS, mid=mid))
    start = mid("SOL/USD")
    assert start is not None
    moved = Fraction(0)
    for _ in range(60):
        for _ in range(400):
            market.step(0)
        node.slots()
        now = mid("SOL/USD")
        assert now is not None
        for plan in POOLS:
            # a peg of 400 ppm, the widest fee here of 400, and what one swap of noise moves
            assert abs(price(node, plan) / now - 1) < Fraction(1_500, 10**6)
        moved = max(moved, abs(now / start - 1))
    assert moved > Fraction(2_000, 10**6), "the market went somewhere"


def test_ticks_add_up_and_vaults_cover_everything() -> None:
    """Nets add up to 0 and to the liquidity in range; whoever leaves is paid; nobody's account goes below zero."""
    node = Node(POOLS, seed=7)
    for _ in range(40):
        node.slots(5)
        for plan in POOLS:
            state = held(node, plan)
            assert state.curve.ticks.problem(state.curve.tick, state.curve.liquidity) == ""
            inside = sum(each.liquidity for each in state.positions if each.low <= state.curve.tick < each.high)
            assert inside == state.curve.liquidity
            assert min(state.amounts) > 0
    site = site_of(RAYDIUM, 1)
    for i, token in enumerate((SOL, USDC)):
        account = node.head.account(site.vaults[i])
        assert site.vaults[i] == raydium_vault(RAYDIUM.address, token.address)
        assert account is not None and account.data[:32] == key_bytes(token.address)
        assert int.from_bytes(account.data[64:72], "little") == held(node, RAYDIUM).amounts[i]


def test_a_position_counts_from_its_lower_tick_to_below_its_upper_one() -> None:
    site = site_of(RAYDIUM, 1)
    money = 10**12, 10**11
    state = liquidity.opened(site, site.table.sqrt_at(-19_000) + 5, money, 0)
    paid = []
    for low, high in ((-19_010, -19_000), (-19_000, -18_990), (-19_010, -18_999), (-18_999, -18_990)):
        before = state
        state = liquidity.provided(site, state, low, high, money)
        assert state.curve.ticks.problem(state.curve.tick, state.curve.liquidity) == ""
        paid.append(tuple(now > then for now, then in zip(state.amounts, before.amounts, strict=True)))
    assert paid == [(False, True), (True, True), (True, True), (True, False)], "in the token that its side needs"
    while state.positions:
        state = liquidity.withdrawn(site, state, 0)
        assert state.curve.ticks.problem(state.curve.tick, state.curve.liquidity) == ""
    assert not len(state.curve.ticks) and not state.curve.liquidity
    assert all(0 <= amount < 20 for amount in state.amounts), "rounding alone stays, for the pool"
    assert liquidity.provided(site, state, -19_010, -19_000, (10**12, 0)) is state, "of a token that nobody brings"


def test_orders_rest_are_taken_and_some_in_part() -> None:
    node = Node((RAYDIUM,), seed=2)
    rested = taken = part = 0
    before: dict[int, int] = {}
    for _ in range(400):
        node.slots()
        entries = held(node, RAYDIUM).curve.ticks.entries()
        now = {tick: entry.orders + entry.part_filled for tick, entry in entries.items()}
        rested += any(now[tick] > before.get(tick, 0) for tick in now)
        taken += any(now.get(tick, 0) < amount for tick, amount in before.items())
        part += any(entry.part_filled for entry in entries.values())
        before = now
    assert rested > 10 and taken > 3 and part


def test_a_volatile_fee_moves() -> None:
    node = Node(POOLS, seed=2)
    seen = set()
    for _ in range(100):
        node.slots()
        curve = held(node, RAYDIUM).curve
        assert isinstance(curve, Raydium) and curve.volatility is not None
        seen.add(curve.volatility.accumulator)
    assert len(seen) > 5


def test_nobody_trades_where_nobody_lives() -> None:
    node = Node(POOLS, is_alive=False)
    first = held(node, ORCA)
    client = node.connect()
    client.subscribe(ORCA.address)
    node.slots(5)
    assert held(node, ORCA) == first and client.frames() == []
    assert node.ask("getSlot", {"commitment": "processed"}) == node.head.slot


def test_an_empty_chain_has_slots() -> None:
    node = Node()
    node.slots(3)
    assert len(node.head.accounts) == 1, "the clock"


@pytest.mark.parametrize("depth", [1, 4])
def test_a_branch_is_shown_and_left(depth: int) -> None:
    """The branch's states are its own; then slots go back, the old state is told again, and the chain goes on."""
    node, quiet = Node(POOLS, seed=8), Node(POOLS, seed=8)
    node.slots(10)
    quiet.slots(10)
    client = node.connect()
    client.call("slotSubscribe")
    client.subscribe(ORCA.address)
    client.subscribe(RAYDIUM.address)
    before = node.read([ORCA.address, RAYDIUM.address])
    node.fault("rollback", depth)
    shown = []
    for _ in range(depth):
        node.slots()
        shown.append(node.read([ORCA.address, RAYDIUM.address]))
    assert [slot for slot, _ in shown] == [before[0] + 2 + each for each in range(depth)]
    assert node.sim.faults.rollback == 0
    last, confirmed = shown[-1], node.ask("getSlot", {"commitment": "confirmed"})
    assert (confirmed > before[0]) == (depth > 2), "deep enough, and even `confirmed` is of the branch"
    node.slots()
    assert node.head.slot == before[0] + 1 < last[0]
    quiet.now_ns = node.now_ns - node.sim.interval_ns
    quiet.slots()
    assert {key: each for key, (each, _) in node.head.accounts.items()} == {
        key: each for key, (each, _) in quiet.head.accounts.items()
    }, "as if there had been no branch"
    slots = [
        frame["params"]["result"]["slot"] for frame in client.frames() if frame.get("method") == "slotNotification"
    ]
    assert slots == [*(slot for slot, _ in shown), before[0] + 1]
    node.slots(2)
    assert node.head.slot == last[0] + 2, "the branch's numbers are not used again"


def test_what_a_branch_changed_is_told_again_when_it_is_left() -> None:
    node = Node((ORCA, RAYDIUM), seed=5)
    node.slots(5)
    client = node.connect()
    client.subscribe(ORCA.address)
    client.subscribe(RAYDIUM.address)
    kept = {key: node.read([key])[1][key] for key in (ORCA.address, RAYDIUM.address)}
    node.fault("rollback", 6)
    node.slots(6)
    told = client.news()
    assert told and {data for _, data in told} - {each.data for each in kept.values() if each}
    node.slots()
    now = {account.data for account in node.read(kept)[1].values() if account}
    again = [data for slot, data in client.news() if slot == node.head.slot]
    assert again and set(again) <= now


def test_several_nodes_show_one_chain() -> None:
    """A second endpoint with faults of its own; the first one moves the chain."""
    sim = default_world(1, POOLS)
    one, other = Node(POOLS, sim=sim), Node(POOLS, sim=SolanaSim(sim.ledger, is_leading=False))
    for _ in range(5):
        one.slots()
        other.slots()
    assert one.read([ORCA.address]) == other.read([ORCA.address])
    other.fault("lie_price", 1_000)
    assert one.read([ORCA.address]) != other.read([ORCA.address])
    assert one.read([ORCA.address])[0] == other.read([ORCA.address])[0]


def test_worlds_have_their_own_state() -> None:
    sim = default_world(1, POOLS)
    assert isinstance(sim.ledger.driver, World)
    node = Node(POOLS, sim=sim)
    state = node.head.state
    copied = dict(state)
    node.slots(20)
    assert state == copied, "what a branch would go on from has not changed"
