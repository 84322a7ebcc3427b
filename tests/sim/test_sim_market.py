"""The simulated market: full, uncrossed, repeatable, lively, told whole by its events; its numbers and checksums."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runtime.sim.kraken import book_checksum
from runtime.sim.market import DEFAULT_PAIRS, Market, MarketEvent, SimPair, exponent_text, fixed_text, rfc3339

STEPS = 40_000
Books = dict[str, dict[str, dict[int, int]]]


def _books(market: Market) -> Books:
    books: Books = {}
    for pair in market.pairs:
        book = market.book(pair.symbol)
        books[pair.symbol] = {"bid": dict(book.bids.top(9_999)), "ask": dict(book.asks.top(9_999))}
    return books


def _run(seed: int, steps: int) -> list[MarketEvent]:
    market = Market(seed=seed)
    return [market.step(1_000_000 * n) for n in range(steps)]


def test_a_new_book_is_full_and_starts_where_the_pair_says() -> None:
    market = Market(seed=5)
    for pair in DEFAULT_PAIRS:
        book = market.book(pair.symbol)
        assert min(len(book.bids), len(book.asks)) >= 120
        assert (book.bids.price(0), book.asks.price(0)) == (pair.start_price, pair.start_price + pair.tick)


def test_every_book_stays_deep_uncrossed_on_grid_and_explained_by_its_events() -> None:
    market = Market(seed=11)
    told = _books(market)
    for n in range(STEPS):
        event = market.step(n)
        sides = told[event.symbol]
        for change in event.changes:
            if change.qty:
                sides[change.side][change.price] = change.qty
            else:
                sides[change.side].pop(change.price, None)
        book = market.book(event.symbol)
        assert book.bids.price(0) < book.asks.price(0)
        assert min(len(book.bids), len(book.asks)) >= 105
        assert event.changes
        for change in event.changes:
            assert change.qty >= 0 and change.price > 0 and change.price % book.pair.tick == 0
    assert told == _books(market)


def test_ladders_list_the_best_price_first() -> None:
    market = Market(seed=2)
    for n in range(2_000):
        market.step(n)
    for pair in market.pairs:
        book = market.book(pair.symbol)
        bids, asks = [p for p, _ in book.bids.top(500)], [p for p, _ in book.asks.top(500)]
        assert bids == sorted(bids, reverse=True) and asks == sorted(asks)
        assert all(qty > 0 for _, qty in book.bids.top(500) + book.asks.top(500))
        assert book.bids.qty(bids[3]) == book.bids.top(4)[3][1]
        assert bids[0] in book.bids and asks[0] not in book.bids and book.bids.qty(asks[0]) == 0


def test_equal_seeds_give_equal_markets_and_others_do_not() -> None:
    assert _run(7, 3_000) == _run(7, 3_000)
    assert _run(7, 300) != _run(8, 300)


def test_trades_consume_the_touch_in_order_with_rising_ids() -> None:
    market = Market(seed=3)
    last_id: dict[str, int] = {}
    sides, kinds, walks = set(), set(), 0
    for n in range(STEPS):
        before = {
            p.symbol: (market.book(p.symbol).bids.top(8), market.book(p.symbol).asks.top(8)) for p in market.pairs
        }
        event = market.step(n)
        bids, asks = before[event.symbol]
        for index, trade in enumerate(event.trades):
            price, qty = (asks if trade.side == "buy" else bids)[index]
            assert trade.price == price and 0 < trade.qty <= qty
            if index < len(event.trades) - 1:
                assert trade.qty == qty, "a walk takes a level whole before it touches the next"
            assert trade.ts_ns == n and trade.symbol == event.symbol
            assert trade.trade_id == last_id.get(event.symbol, trade.trade_id - 1) + 1
            last_id[event.symbol] = trade.trade_id
            sides.add(trade.side)
            kinds.add(trade.ord_type)
        walks += len(event.trades) > 2
    assert sides == {"buy", "sell"} and kinds == {"limit", "market"} and walks > 100
    assert all(len(market.book(symbol).trades) == 50 for symbol in last_id)


def test_the_price_moves_enough_to_matter_and_not_out_of_sight() -> None:
    market = Market(seed=9)
    seen: dict[str, list[int]] = {pair.symbol: [] for pair in market.pairs}
    for n in range(STEPS):
        symbol = market.step(n).symbol
        seen[symbol].append(market.book(symbol).bids.price(0))
    for pair in market.pairs:
        prices = seen[pair.symbol]
        assert (max(prices) - min(prices)) * 1_000 > pair.start_price, "moves more than 0.1 %"
        assert pair.start_price * 9 < min(prices) * 10 and max(prices) * 10 < pair.start_price * 11


def test_a_book_near_its_lowest_allowed_price_never_reaches_zero() -> None:
    pair = SimPair(
        symbol="TINY/USD",
        base="TINY",
        quote="USD",
        price_precision=8,
        qty_precision=0,
        start_price=720 * 5,
        typical_qty=1_000,
        qty_min=1,
        level_gap=1,
        tick=5,
    )
    market = Market([pair], seed=1)
    for n in range(STEPS):
        market.step(n)
        book = market.book("TINY/USD")
        assert 0 < book.bids.price(-1) < book.bids.price(0) < book.asks.price(0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tick": 0}, "at least 1"),
        ({"start_price": 628_069, "tick": 2}, "no multiple of tick"),
        ({"start_price": 1_000}, "bids could reach zero"),
    ],
)
def test_a_pair_that_cannot_hold_a_book_is_refused(changes: dict[str, int], says: str) -> None:
    numbers = {"start_price": 628_070, "tick": 1, "level_gap": 14, "typical_qty": 9_999, "qty_min": 1} | changes
    with pytest.raises(ValueError, match=says):
        SimPair(symbol="X/USD", base="X", quote="USD", price_precision=1, qty_precision=8, **numbers)


def test_a_market_needs_pairs_and_each_once() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        Market([])
    with pytest.raises(ValueError, match="each symbol once"):
        Market([DEFAULT_PAIRS[0], DEFAULT_PAIRS[0]])


@pytest.mark.parametrize(
    ("value", "decimals", "fixed", "shortest"),
    [
        (628_070, 1, "62807.0", "62807.0"),
        (50_930_100, 8, "0.50930100", "0.509301"),
        (1, 8, "0.00000001", "1e-08"),
        (5_000, 8, "0.00005000", "5e-05"),
        (5_325, 8, "0.00005325", "5.325e-05"),
        (10_000, 8, "0.00010000", "0.0001"),
        (1, 1, "0.1", "0.1"),
        (13, 0, "13", "13.0"),
        (0, 8, "0.00000000", "0.0"),
    ],
)
def test_number_texts(value: int, decimals: int, fixed: str, shortest: str) -> None:
    assert fixed_text(value, decimals) == fixed
    assert exponent_text(value, decimals) == shortest
    assert float(shortest) == value / 10**decimals


def test_times_are_cut_to_microseconds() -> None:
    assert rfc3339(1_786_874_645_123_456_999) == "2026-08-16T10:04:05.123456Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"


# Known answers of the book checksum: Kraken docs (guides/spot-ws-book-v2, websocket-v2/book) and recorded frames.
K1_ASKS = (
    "45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911|45290.2 0.15890660|"
    "45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000|45297.5 0.09945542|45299.5 0.18772827"
)
K1_BIDS = (
    "45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000|45280.3 1.54592586|"
    "45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000|45277.3 1.54602737|45276.6 0.15445238"
)
K2_ASKS = (
    "0.5668 4410.79769741|0.5669 4655.40412487|0.567 49844.89424998|0.5671 24306.41678|0.5672 29783.25223475|"
    "0.5673 57234.71239278|0.5674 45065.04744|0.5675 5912.76380354|0.5676 42514.92434778|0.5677 36304.0847022"
)
K2_BIDS = (
    "0.5666 4831.75496356|0.5665 6658.22734739|0.5664 18724.91513344|0.5663 11563.92544914|0.5662 14006.65365711|"
    "0.5661 17454.85679807|0.566 18097.1547|0.5659 33644.89175666|0.5658 148.3464|0.5657 {}"
)
K3_ASKS = (
    "1797.25 1.40355852|1797.28 10.82400000|{}1797.30 139.09783403|1797.37 139.09216827|1797.41 5.24638952|"
    "1797.42 0.01780330|1797.46 33.05700000|1797.48 3.11556555|1797.49 139.49306646{}"
)
K3_BIDS = (
    "1797.24 0.43393711|1797.18 139.10616255|1797.13 139.10995927|1797.12 0.80386470|1797.07 139.11517673|"
    "1796.98 5.22282896|1796.97 12.17138476|1796.95 139.69390939|1796.88 4.21870000|1796.85 1.22932317"
)
K4_ASKS = (
    "93888.1 0.06918769|93888.2 0.0066583|93889.9 0.01161697|93890.2 0.84329594|93891.1 0.053|"
    "93892.7 0.01017287|93896.4 0.03184175|93898.0 5.325e-05|93901.8 0.135|93903.4 0.0339"
)
K4_BIDS = (
    "93888.0 7.04391006|93887.5 3.08880155|93886.7 2.66278352|93886.5 5.072e-05|93886.2 1.63973|"
    "93886.1 2.76930693|93885.7 0.00803005|93885.0 0.10585564|93884.2 0.10650715|93882.6 5.3257969"
)


@pytest.mark.parametrize(
    ("asks", "bids", "decimals", "crc"),
    [
        pytest.param(K1_ASKS, K1_BIDS, (1, 8), 3310070434, id="K1"),
        pytest.param(K2_ASKS, K2_BIDS.format("606.70854372"), (4, 8), 2439117997, id="K2"),
        pytest.param(K2_ASKS, K2_BIDS.format("1098.3947558"), (4, 8), 2114181697, id="K2-after"),
        pytest.param(K3_ASKS.format("1797.29 139.09899871|", ""), K3_BIDS, (2, 8), 2606672715, id="K3"),
        pytest.param(K3_ASKS.format("", "|1797.52 1.56601318"), K3_BIDS, (2, 8), 3329440863, id="K3-after"),
        pytest.param(K4_ASKS, K4_BIDS, (1, 8), 2610022218, id="K4"),
        pytest.param("45285.2 0.001", "", (1, 8), 2099347975, id="one-ask"),
        pytest.param("0.00001234 1000|0.00001235 5e-05", "0.00001233 2.5", (8, 5), 2503972425, id="sub-cent"),
        pytest.param("", "", (1, 8), 0, id="empty"),
    ],
)
def test_known_checksums(asks: str, bids: str, decimals: tuple[int, int], crc: int) -> None:
    def integers(text: str) -> list[tuple[int, int]]:
        levels = [entry.split() for entry in text.split("|") if entry]
        return [(int(Decimal(p).scaleb(decimals[0])), int(Decimal(q).scaleb(decimals[1]))) for p, q in levels]

    assert book_checksum(integers(asks), integers(bids)) == crc
