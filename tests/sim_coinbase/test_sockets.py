"""The simulated Coinbase's sockets do what venues.md 2.1 to 2.3 say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sim_coinbase.client import Trader

Book = dict[str, dict[Decimal, Decimal]]


def applied(messages: list[Any]) -> dict[str, Book]:
    """The books that these messages make."""
    books: dict[str, Book] = {}
    for message in messages:
        for event in message["events"]:
            if event["type"] == "snapshot":
                books[event["product_id"]] = {"bid": {}, "offer": {}}
            for change in event["updates"]:
                side = books[event["product_id"]][change["side"]]
                price, qty = Decimal(change["price_level"]), Decimal(change["new_quantity"])
                side.pop(price, None)
                if qty:
                    side[price] = qty
    return books


def truth(t: Trader, symbol: str) -> Book:
    book, pair = t.venue.market.book(symbol), t.venue.pairs[symbol]
    px, sz = Decimal(10) ** -pair.price_precision, Decimal(10) ** -pair.qty_precision
    sides = (("bid", book.bids), ("offer", book.asks))
    return {name: {price * px: qty * sz for price, qty in ladder.top(len(ladder))} for name, ladder in sides}


def test_a_book_is_a_snapshot_and_what_follows() -> None:
    t = Trader(path="/market", rate_hz=200)
    [told, first, second] = t.subscribe("level2", "BTC-USD", "ETH-USDT")
    assert told["channel"] == "subscriptions"
    assert told["events"] == [{"subscriptions": {"level2": ["BTC-USD", "ETH-USDT"]}}]
    assert set(told) == {"channel", "client_id", "timestamp", "sequence_num", "events"}
    assert [message["channel"] for message in (first, second)] == ["l2_data", "l2_data"]
    t.wait(3)
    assert applied(t.of("l2_data")) == {"BTC-USD": truth(t, "BTC/USD"), "ETH-USDT": truth(t, "ETH/USDT")}


def test_one_counter_counts_all_messages_of_a_connection() -> None:
    t = Trader(path="/market", rate_hz=200)
    t.subscribe("level2", "BTC-USD")
    t.subscribe("market_trades", "ETH-USD")
    t.subscribe("heartbeats")
    t.subscribe("ticker", "BTC-USD")
    t.wait(3)
    assert [message["sequence_num"] for message in t.heard] == list(range(len(t.heard)))
    assert {message["channel"] for message in t.heard} >= {"l2_data", "market_trades", "heartbeats", "ticker"}
    counters = [message["events"][0]["heartbeat_counter"] for message in t.of("heartbeats")]
    assert counters == [1, 2, 3]


def test_trades_come_in_batches_newest_first_with_the_makers_side() -> None:
    t = Trader(path="/market", rate_hz=300)
    t.subscribe("market_trades", "BTC-USD")
    seen = {str(trade.trade_id): trade.side for trade in t.venue.market.book("BTC/USD").trades}
    t.heard.clear()
    at = []
    for _ in range(400):
        at += [t.now_ns for _ in t.wait(0.01)]
        seen |= {str(trade.trade_id): trade.side for trade in t.venue.market.book("BTC/USD").trades}
    assert at
    assert all(at_ns % 250_000_000 < 10_000_000 for at_ns in at)
    rows = [message["events"][0]["trades"] for message in t.of("market_trades")]
    for batch in rows:
        ids = [int(row["trade_id"]) for row in batch]
        assert ids == sorted(ids, reverse=True)
    for row in [row for batch in rows for row in batch]:
        assert row["side"] == {"buy": "SELL", "sell": "BUY"}[seen[row["trade_id"]]]


def test_who_does_not_subscribe_within_five_seconds_is_disconnected() -> None:
    t = Trader(path="/market")
    t.wait(4.9)
    assert not t.closes
    t.wait(0.2)
    assert len(t.closes) == 1
    t.dial()
    t.subscribe("nonsense", "BTC-USD")
    t.wait(5.1)
    assert len(t.closes) == 2
    t.dial()
    t.subscribe("heartbeats")
    t.wait(20)
    assert len(t.closes) == 2


def test_a_quiet_socket_is_lost_unless_it_hears_heartbeats() -> None:
    t = Trader(path="/market", idle_close_s=75)
    t.subscribe("level2", "BTC-USD")
    t.wait(74)
    assert not t.closes
    t.wait(2)
    assert [close.code for close in t.closes] == [1006]
    t.dial()
    t.subscribe("level2", "BTC-USD")
    t.subscribe("heartbeats")
    t.wait(160)
    assert len(t.closes) == 1


def test_usdc_is_answered_as_usd() -> None:
    """venues.md 2.2: the alias on public channels; the product's own metadata say so."""
    t = Trader(path="/market", rate_hz=100)
    t.subscribe("level2", "BTC-USDC")
    t.wait(1)
    assert applied(t.of("l2_data")) == {"BTC-USD": truth(t, "BTC/USD")}
    _, told = t.public("/api/v3/brokerage/market/products")
    rows = {row["product_id"]: row for row in told["products"]}
    assert (rows["BTC-USDC"]["alias"], rows["BTC-USD"]["alias_to"]) == ("BTC-USD", ["BTC-USDC"])
    assert (rows["BTC-USDT"]["alias"], rows["BTC-USDT"]["alias_to"]) == ("", [])


def test_unsubscribing_leaves_products_or_the_whole_channel() -> None:
    t = Trader(path="/market", rate_hz=200)
    t.subscribe("level2", "BTC-USD", "ETH-USD")
    [told] = t.say(type="unsubscribe", channel="level2", product_ids=["BTC-USD"])
    assert told["events"] == [{"subscriptions": {"level2": ["ETH-USD"]}}]
    t.heard.clear()
    t.wait(1)
    assert {event["product_id"] for m in t.heard for event in m["events"]} == {"ETH-USD"}
    [told] = t.say(type="unsubscribe", channel="level2")
    assert told["events"] == [{"subscriptions": {}}]
    assert t.wait(1) == []


def test_a_bad_product_is_refused_and_the_others_live() -> None:
    t = Trader(path="/market")
    error, told, first = t.subscribe("level2", "XYZ-USD", "BTC-USD")
    assert (error["type"], error["message"], "channel" in error) == ("error", "XYZ-USD is not a valid product", False)
    assert told["events"] == [{"subscriptions": {"level2": ["BTC-USD"]}}]
    assert first["channel"] == "l2_data"
    assert first["sequence_num"] == 1


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_the_user_channel_needs_a_token_and_others_check_one_that_is_given(kind: str) -> None:
    t = Trader(key_kind=kind)
    denied = [{"type": "error", "message": "authentication failure"}]
    assert t.subscribe("user") == denied
    for spoilt in (
        {"exp": 10**9}, {"sub": "somebody"}, {"iss": "me"}, {"header_kid": "x"}, {"header_nonce": ""},
        {"nbf": t.now_ns // 10**9 - 200, "exp": t.now_ns // 10**9 + 20}, {"nbf": t.now_ns // 10**9 + 60},
        {"uri": "GET api.coinbase.com/x"}, {"header_alg": "none"},
    ):  # fmt: skip
        assert t.subscribe("user", jwt=t.jwt(**spoilt)) == denied, spoilt
    assert t.subscribe("heartbeats", jwt=t.jwt()[:-4] + "AAAA") == denied
    assert t.subscribe("level2", "BTC-USD", jwt=t.jwt())[0]["type"] == "error", "not on the user host"
    told, first = t.follow()
    assert told["events"] == [{"subscriptions": {"user": []}}]
    assert first["events"] == [{"type": "snapshot", "orders": []}]
    t.dial("/market")
    assert t.follow()[0]["channel"] == "subscriptions", "the market host is the failover"


def test_messages_without_a_token_are_limited() -> None:
    t = Trader(path="/market")
    for _ in range(8):
        assert t.subscribe("heartbeats")[0]["channel"] == "subscriptions"
    assert t.subscribe("heartbeats") == [{"type": "error", "message": "rate limit exceeded"}]
    t.wait(1.1)
    assert t.subscribe("heartbeats")[0]["channel"] == "subscriptions"


def test_tickers_status_and_candles() -> None:
    t = Trader(path="/market", rate_hz=300)
    for channel in ("ticker", "ticker_batch", "candles", "status"):
        t.subscribe(channel, "BTC-USD")
    t.wait(6)
    [row] = t.of("ticker")[-1]["events"][0]["tickers"]
    assert Decimal(row["best_bid"]) < Decimal(row["best_ask"])
    [batch] = t.of("ticker_batch")[-1]["events"][0]["tickers"]
    assert "best_bid" not in batch
    assert len(t.of("candles")) >= 5
    t.venue.set_status("cancel_only", t.now_ns)
    t.collect()
    assert {row["status"] for row in t.of("status")[-1]["events"][0]["products"]} == {"cancel_only"}
