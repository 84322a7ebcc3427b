"""Markets that follow one another, and those that do not: their events are what they always were."""

from __future__ import annotations

import hashlib

import pytest

from runtime.sim.exchange.pairs import follow, spot_pairs, usdt_beside_usd
from runtime.sim.market import NS, Market, MarketEvent

STEPS = {"BTC": (2, 5), "ETH": (2, 4), "SOL": (2, 3), "DOGE": (5, 0)}
GOLDEN = "0059a4825247db54ab6d6649a72added71ac43774c66e123d550a3a9b19e7166"


def test_a_market_without_a_leader_is_what_it_was() -> None:
    """Byte for byte: tapes and goldens of the simulated Kraken hang on it."""
    market, digest = Market(seed=9), hashlib.sha256()
    for step in range(5000):
        digest.update(repr(market.step(step)).encode())
    assert digest.hexdigest() == GOLDEN


@pytest.mark.parametrize("seed", [2, 7])
def test_followers_quote_near_their_leader_and_books_cross_by_little(seed: int) -> None:
    leader = Market(seed=1)
    follower = Market(spot_pairs("USDT", STEPS), seed, leader=follow(leader))
    crossed = seen = 0
    for step in range(7_000):
        leader.step(step * NS // 140)
        follower.step(step * NS // 140)
        if step < 2_000:
            continue
        for base, (decimals, _) in STEPS.items():
            ours, theirs = follower.book(f"{base}/USDT"), leader.book(f"{base}/USD")
            up = 10 ** (theirs.pair.price_precision - decimals) if theirs.pair.price_precision > decimals else 1
            down = 10 ** (decimals - theirs.pair.price_precision) if decimals > theirs.pair.price_precision else 1
            bid, ask = ours.bids.price(0) * up, ours.asks.price(0) * up
            their_bid, their_ask = theirs.bids.price(0) * down, theirs.asks.price(0) * down
            assert bid < ask
            edge = max(bid, their_bid) - min(ask, their_ask)
            seen, crossed = seen + 1, crossed + (edge > 0)
            assert edge * 1000 < their_bid, "arbitrage is modest: under ten basis points"
            assert abs(bid - their_bid) * 500 < their_bid
    assert 0 < crossed < seen


def test_kraken_may_list_the_same_coins_against_two_currencies() -> None:
    market = usdt_beside_usd(seed=3)
    assert [pair.symbol for pair in market.pairs][4:] == ["BTC/USDT", "ETH/USDT", "SOL/USDT", "DOGE/USDT"]
    for step in range(3_000):
        market.step(step)
    for base in STEPS:
        usd, usdt = market.book(f"{base}/USD"), market.book(f"{base}/USDT")
        assert usd.pair.price_precision == usdt.pair.price_precision
        assert abs(usd.bids.price(0) - usdt.bids.price(0)) * 500 < usd.bids.price(0)


def test_a_follower_keeps_somebodys_orders_and_its_depth() -> None:
    class Mine:
        """One order that rests at the touch and stays, whatever the leader does."""

        price = 0

        def held(self, side: str, price: int) -> int:
            return 100 if (side, price) == ("bid", self.price) else 0

        def alone(self, side: str) -> int:
            book = market.book("BTC/USDT")
            return int(side == "bid" and book.bids.qty(self.price) == 100)

        def settled(self, side: str, price: int, others: int) -> None: ...
        def take(self, *_: object) -> None:
            raise AssertionError("nobody sells in this test")

    mid = [62_806 * 10**9]
    market = Market(spot_pairs("USDT", {"BTC": (2, 5)}), 4, leader=lambda _: mid[0])
    book, mine = market.book("BTC/USDT"), Mine()
    mine.price = book.bids.price(0)
    book.guests = mine
    book.bids.set(mine.price, book.bids.qty(mine.price) + 100)
    mid[0] = mid[0] * 999 // 1000
    events: list[MarketEvent] = []
    while book.bids.qty(mine.price) > 100 and len(events) < 50:
        events.append(market.step(len(events)))
    assert book.bids.qty(mine.price) == 100 and book.bids.price(0) == mine.price
    assert len(book.bids) >= 120 and len(book.asks) >= 120
