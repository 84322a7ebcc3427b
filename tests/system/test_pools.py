"""Pools as a guest sees them, and orders aimed at them: filled on paper from the ladder, refused live."""

import struct

import msgspec
import pytest

from connectors.orders import Action, OrderType
from connectors.pool import PoolAmm
from connectors.venues.kraken import VENUE
from risk.denial import DenyReason
from runtime.abi import Generation, Region
from runtime.engine import Engine
from runtime.port import VenueSpec
from runtime.spec import AlgoSpec, EngineSpec
from tests.support.chain_venue import LADDER, VENUE_ID, chain, frame
from tests.support.puppet import Puppet, at, market, order
from tests.support.virtual import World

BTC = ("BTC/USD",)
USD = 10**9
AMM = PoolAmm(
    reserve0=0, reserve1=0, sqrt_price_x64=2**70, liquidity=2**90, tick=-5, tick_spacing=10, fee_ppm=500, pool_type=1,
    last_block=77, last_update_ns=88,
)  # fmt: skip


def world_of(guest: Puppet) -> World:
    """Kraken and a chain with two pools of BTC/USD, the second dearer."""
    world = World(algos=[AlgoSpec("a", guest, BTC)], chains=[chain()])
    world.run(2)
    world.feed(frame(book=0, **LADDER))
    world.feed(frame(book=1, **LADDER))
    world.feed(frame(book=2, bids=[[61_000 * USD, 10**7]], asks=[[64_000 * USD, 10**7]]))
    return world


def test_pools_states_and_fees_are_in_their_regions_at_the_next_callback() -> None:
    guest = Puppet("on_book")
    world = world_of(guest)
    world.feed(frame(pool=1, gas=[120, 180, 2, 35_000], amm=msgspec.to_builtins(AMM)))
    world.feed(frame(fee=[1, 10, 1, 180_000, 3_500 * USD, 99]))
    world.run(1)
    books = guest.regions_seen[Region.POOL_BOOKS]
    assert books[0] == 2
    first, second = (struct.unpack_from("<32s2H2B4H", books, 8 + 48 * slot) for slot in (0, 1))
    assert first == (bytes([1]) * 32, 0, 5, VENUE_ID, 2, 120, 180, 2, 35_000)
    assert second == (bytes([2]) * 32, 1, 5, VENUE_ID, 2, 0, 0, 0, 0)
    ask = 1544 + 656 + 320
    assert struct.unpack_from("<2Q", books, ask) == (64_000 * USD, 10**7), "the second pool's best ask"
    states = guest.regions_seen[Region.POOL_STATES]
    assert states[0] == 2
    assert struct.unpack_from("<QQ", states, 16 + 32) == (2**70 % 2**64, 2**6)
    assert struct.unpack_from("<iiIB3xQQ", states, 16 + 64) == (-5, 10, 500, 1, 77, 88)
    fees = guest.regions_seen[Region.CHAIN_FEES]
    assert struct.unpack_from("<B7xB7x5Q", fees) == (1, 1, 10, 1, 180_000, 3_500 * USD, 99)
    world.feed(frame(lost=2))
    world.run(1)
    lost = guest.regions_seen[Region.POOL_BOOKS][1544 + 656 : 1544 + 2 * 656]
    assert not any(lost[:642]), "a ladder that is not known is empty, its slot stays"


def test_one_venue_and_pools_are_several_sources() -> None:
    """on_nbbo runs for a ladder's change too; the snapshot has the venues alone."""
    guest = Puppet("on_book", "on_nbbo")
    world = World(algos=[AlgoSpec("a", guest, BTC, ("kraken", "dex_arb"))], chains=[chain()])
    world.run(2)
    before = guest.count("on_nbbo")
    world.feed(frame(book=2, **LADDER))
    assert guest.count("on_nbbo") == before + 1
    nbbo = next(records[0] for name, records in reversed(guest.heard) if name == "on_nbbo")
    assert nbbo[34] == 2
    assert tuple(nbbo[40:42]) == (1, VENUE_ID)


@pytest.mark.parametrize("generation", [Generation.V0_3_0_NBBO, Generation.V0_3_2_NBBO])
def test_earlier_generations_have_pools_in_their_own_layout(generation: Generation) -> None:
    guest = Puppet("on_nbbo", generation=generation)
    world_of(guest)
    books = guest.regions_seen[Region.POOL_BOOKS]
    assert len(books) == 22_280
    assert struct.unpack_from("<32s2H2B", books, 8 + 40) == (bytes([2]) * 32, 1, 5, VENUE_ID, 2)


@pytest.mark.parametrize(
    ("action", "fills"),
    [
        (market(1, 1, 15 * 10**6, pool_idx=1), [(63_500, 10**7), (63_600, 5 * 10**6)]),
        (market(1, -1, 15 * 10**6, pool_idx=1), [(62_000, 10**7), (61_900, 5 * 10**6)]),
        (market(1, 1, 10**6, pool_idx=2), [(64_000, 10**6)]),
        (market(1, 1, 10**6, venue_id=VENUE_ID), [(63_500, 10**6)]),
        (order(1, 1, 15 * 10**6, 63_500 * USD, order_type=OrderType.LIMIT, pool_idx=1), [(63_500, 10**7)]),
        (order(1, 1, 15 * 10**6, 63_500 * USD, order_type=OrderType.FOK, pool_idx=1), []),
        (order(1, 1, 15 * 10**6, 63_600 * USD, order_type=OrderType.FOK, pool_idx=1, venue_id=VENUE_ID),
         [(63_500, 10**7), (63_600, 5 * 10**6)]),
    ],
)  # fmt: skip
def test_an_order_at_a_pool_fills_from_its_ladder_and_never_rests(action: Action, fills: list[tuple[int, int]]) -> None:
    guest = Puppet("on_book")
    world = world_of(guest)
    guest.on("on_book", at(1, action))
    world.run(0.5)
    assert [(r.last_px_1e9 // USD, r.last_qty_1e8) for r in world.reports if r.last_qty_1e8] == fills
    assert world.engine.oms.orders == {}
    assert not [data for _, data in world.sent if b"add_order" in data], "no venue is told"
    held = struct.unpack_from("<q", guest.heard[-1][1][1])[0]
    assert held == action[3] * sum(size for _, size in fills), "AlgoState is the sum over venues and pools"


def test_what_was_taken_from_a_ladder_is_gone_until_the_next_one() -> None:
    guest = Puppet("on_book")
    world = world_of(guest)
    buys = [order(k, 1, 10**7, 63_500 * USD, pool_idx=1) for k in (1, 2, 3)]
    guest.on("on_book", at(1, buys[0], buys[1]))
    world.run(0.2)
    world.feed(frame(book=1, bids=LADDER["bids"], asks=[[63_500 * USD, 10**7], [63_700 * USD, 10**7]]))
    assert sum(report.last_qty_1e8 for report in world.reports) == 10**7, "the second found nothing"


def test_live_it_is_refused() -> None:
    guest = Puppet("on_book").on(
        "on_book", at(1, market(1, 1, 10**6, pool_idx=1), market(2, 1, 10**6, venue_id=VENUE_ID))
    )
    spec = EngineSpec(
        venues=(VenueSpec(venue=VENUE, depth=10), chain()), symbols=BTC, limits=World().engine.spec.limits,
        algos=(AlgoSpec("a", guest, BTC, ("dex_arb",)),), is_paper=False,
    )  # fmt: skip
    engine = Engine(spec)
    for place in (1, 2, 0):
        engine.step(frame(book=place, **LADDER), 10**18)
    assert engine.desk.denied == {DenyReason.NOT_SUPPORTED: 2}
    assert guest.count("on_reject") == 2


def test_a_market_named_at_a_chain_falls_with_its_link() -> None:
    guest = Puppet("on_book")
    world = world_of(guest)
    world.engine.ports["dex_arb"].link.last_ns = -1
    guest.on("on_book", at(1, market(1, 1, 10**6, pool_idx=1)))
    world.run(0.5)
    (record,) = world.actions
    assert record.denied is not None
    assert record.denied.reason is DenyReason.STALE_VENUE
