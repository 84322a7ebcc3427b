"""ccxt.pro's Binance, as installed, with other URLs and keys, at the simulated Binance: market, orders, balance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.binance.rpc import ApiConnection
from runtime.sim.binance.server import BinanceSimServer
from tests.witness.clients import altered, witness
from tests.witness.compared import states, used
from tests.witness.hearing import Heard, watching

BTC, ETH = "BTC/USDT", "ETH/USDT"
OPTIONS = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}


@asynccontextmanager
async def ccxt_at(server: BinanceSimServer) -> AsyncIterator[Any]:
    """`ccxt.pro.binance` there: everything of it but the addresses."""
    keys = server.credentials
    exchange = witness("ccxt", "ccxt.pro").binance(
        {"apiKey": keys["key"], "secret": keys["secret"], "enableRateLimit": False, "options": OPTIONS}
    )
    api = exchange.urls["api"]
    for name, url in api.items():
        if isinstance(url, str):
            api[name] = f"{server.rest_url}/{url.partition('://')[2].partition('/')[2]}"
    place = server.rest_url.replace("http", "ws", 1)
    api["ws"] = {"spot": f"{place}/ws", "ws-api": {"spot": f"{place}/ws-api/v3"}}
    try:
        yield exchange
    finally:
        await exchange.close()


def test_the_witnesses_are_as_they_were_shipped() -> None:
    """Bybit's, too: the list of ccxt's files is long to read."""
    witness("ccxt", "ccxt")
    ours = tuple(f"ccxt/{folder}/{name}.py" for folder in ("pro", "async_support") for name in ("binance", "bybit"))
    assert list(altered("ccxt", ours)) == []


@pytest.mark.parametrize("key_type", ["hmac", "ed25519"])
async def test_market_orders_and_balance(key_type: str) -> None:
    heard = Heard()
    async with BinanceSimServer(seed=3, key_type=key_type) as server, ccxt_at(server) as exchange:
        markets = await exchange.load_markets()
        assert sorted(markets) == ["BTC/USDT", "DOGE/USDT", "ETH/USDT", "SOL/USDT"]
        assert (markets[BTC]["precision"]["amount"], markets[BTC]["precision"]["price"]) == (1e-5, 0.01)
        calls = {
            "book": lambda: exchange.watch_order_book(BTC), "trades": lambda: exchange.watch_trades(BTC),
            "orders": lambda: exchange.watch_orders(BTC), "balance": exchange.watch_balance,
        }  # fmt: skip
        async with watching(heard, **calls):
            await heard.until(lambda: exchange.trades.get(BTC), "a trade")
            await heard.until(lambda: _is_venues(exchange, server), "the book is the venue's, as numbered")
            await heard.until(lambda: _subscribed(server), "the account is followed")
            price = round(float(exchange.orderbooks[BTC]["bids"][0][0]) * 0.9, 2)
            made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, price, {"newClientOrderId": "cx-1"})
            assert (made["clientOrderId"], made["status"], made["price"], made["amount"]) == (
                "cx-1",
                "open",
                price,
                0.01,
            )
            await heard.until(lambda: "open" in states(exchange, made["id"]), "the order is told")
            held = (await exchange.fetch_balance())["USDT"]["used"]
            assert held == pytest.approx(price * 0.01, abs=1e-6)
            await heard.until(lambda: used(heard) == held, "the balance is told")
            [now] = await exchange.fetch_open_orders(BTC)
            assert (now["id"], now["clientOrderId"]) == (made["id"], "cx-1")

            gone = await exchange.cancel_order_ws(made["id"], BTC)
            assert gone["status"] == "canceled"
            await heard.until(lambda: "canceled" in states(exchange, made["id"]), "the cancel is told")
            assert await exchange.fetch_open_orders(BTC) == []


def _subscribed(server: BinanceSimServer) -> bool:
    return any(isinstance(one, ApiConnection) and one.subscriptions for one in server.venue.connections)


def _is_venues(exchange: Any, server: BinanceSimServer) -> bool:
    """Twenty levels a side, compared when the client's number is the venue's."""
    book = exchange.orderbooks.get(BTC)
    if book is None or book["nonce"] != server.venue.update_ids[BTC]:
        return False
    truth = server.market.book(BTC)
    pair = truth.pair
    for name, ladder in (("bids", truth.bids), ("asks", truth.asks)):
        want = [(float(pair.price_text(at)), float(pair.qty_text(qty))) for at, qty in ladder.top(20)]
        assert [(float(row[0]), float(row[1])) for row in book[name][:20]] == want
    return True


async def test_a_trade_over_rest_moves_what_it_says() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with BinanceSimServer(seed=9) as server, ccxt_at(server) as exchange:
        await exchange.load_markets()
        made = await exchange.create_order(ETH, "market", "buy", 0.5)
        assert (made["status"], made["filled"]) == ("closed", 0.5)
        fills = await exchange.fetch_my_trades(ETH)
        cost = sum(Decimal(str(fill["info"]["quoteQty"])) for fill in fills)
        fees = sum(Decimal(str(fill["info"]["commission"])) for fill in fills)
        rows = {row["asset"]: row for row in (await exchange.fetch_balance())["info"]["balances"]}
        assert (
            Decimal(rows["USDT"]["free"]) == 1_000_000 - cost
            and Decimal(rows["ETH"]["free"]) == Decimal("200.5") - fees
        )
        sold = await exchange.create_order(ETH, "market", "sell", None, None, {"quoteOrderQty": 100})
        assert sold["status"] == "closed" and 99 < sold["cost"] <= 100
        with pytest.raises(errors.InsufficientFunds):
            await exchange.create_order(ETH, "limit", "buy", 5000, 1000)
        with pytest.raises(errors.OrderImmediatelyFillable):
            await exchange.create_order(ETH, "limit", "buy", 0.1, 3000, {"postOnly": True})
        with pytest.raises(errors.OrderNotFound):
            await exchange.cancel_order("12345", ETH)
        exchange.secret = exchange.secret[::-1]
        with pytest.raises(errors.AuthenticationError):
            await exchange.fetch_balance()
