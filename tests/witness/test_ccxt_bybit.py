"""ccxt.pro's Bybit, as installed, with other URLs and keys, at the simulated Bybit: market, orders, balance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.bybit.private import PrivateConnection
from runtime.sim.bybit.server import BybitSimServer
from tests.witness.clients import witness
from tests.witness.compared import states, used
from tests.witness.hearing import Heard, watching

BTC, ETH = "BTC/USDT", "ETH/USDT"
OPTIONS = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}


@asynccontextmanager
async def ccxt_at(server: BybitSimServer) -> AsyncIterator[Any]:
    """`ccxt.pro.bybit` there: everything of it but the addresses."""
    keys = server.credentials
    exchange = witness("ccxt", "ccxt.pro").bybit(
        {"apiKey": keys["key"], "secret": keys["secret"], "enableRateLimit": False, "options": OPTIONS}
    )
    exchange.urls["api"] = _moved(exchange.urls["api"], server.rest_url)
    try:
        yield exchange
    finally:
        await exchange.close()


def _moved(url: Any, base: str) -> Any:
    if isinstance(url, dict):
        return {name: _moved(one, base) for name, one in url.items()}
    scheme, _, rest = str(url).partition("://")
    path = rest.partition("/")[2]
    return (base if scheme == "https" else base.replace("http", "ws", 1)) + (f"/{path}" if path else "")


async def test_market_orders_and_balance() -> None:
    heard = Heard()
    async with BybitSimServer(seed=3) as server, ccxt_at(server) as exchange:
        markets = await exchange.load_markets()
        assert sorted(markets) == ["BTC/USDT", "DOGE/USDT", "ETH/USDT", "SOL/USDT"]
        assert (markets[BTC]["precision"]["amount"], markets[BTC]["precision"]["price"]) == (1e-6, 0.01)
        calls = {
            "book": lambda: exchange.watch_order_book(BTC, 50), "trades": lambda: exchange.watch_trades(BTC),
            "ticker": lambda: exchange.watch_ticker(BTC), "orders": lambda: exchange.watch_orders(BTC),
            "fills": lambda: exchange.watch_my_trades(BTC), "balance": exchange.watch_balance,
        }  # fmt: skip
        async with watching(heard, **calls):
            await heard.until(lambda: exchange.trades.get(BTC) and exchange.tickers.get(BTC), "a trade and a ticker")
            await heard.until(lambda: {"order", "execution", "wallet"} <= _topics(server), "the account is followed")
            price = round(float(exchange.orderbooks[BTC]["bids"][0][0]) * 0.9, 2)
            made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, price, {"orderLinkId": "cx-1"})
            assert made["clientOrderId"] == "cx-1"
            await heard.until(lambda: "open" in states(exchange, made["id"]), "the order is told")
            held = (await exchange.fetch_balance())["USDT"]["used"]
            assert held == pytest.approx(price * 0.01, abs=1e-6)
            await heard.until(lambda: used(heard) == held, "the balance is told")
            changed = await exchange.edit_order_ws(made["id"], BTC, "limit", "buy", 0.02, price - 10)
            assert changed["id"] == made["id"]
            [now] = await exchange.fetch_open_orders(BTC)
            assert (now["clientOrderId"], now["amount"], now["price"]) == ("cx-1", 0.02, price - 10)
            await exchange.cancel_order_ws(made["id"], BTC)
            await heard.until(lambda: "canceled" in states(exchange, made["id"]), "the cancel is told")
            assert await exchange.fetch_open_orders(BTC) == []
            bought = await exchange.create_order_ws(BTC, "market", "buy", 0.01, price)
            await heard.until(lambda: "closed" in states(exchange, bought["id"]), "the trade is told")
            await heard.until(lambda: exchange.myTrades, "its execution, too")


def _topics(server: BybitSimServer) -> set[str]:
    return {topic for one in server.venue.connections if isinstance(one, PrivateConnection) for topic in one.topics}


async def test_the_book_of_a_client_is_the_venues() -> None:
    heard = Heard()
    async with BybitSimServer(seed=4) as server, ccxt_at(server) as exchange:
        await exchange.load_markets()
        async with watching(heard, book=lambda: exchange.watch_order_book(BTC, 50)):
            await heard.until(lambda: len(heard.messages) > 20, "some updates")
            server.venue._interval_ns = 0  # it stands still: whatever is on its way brings the client there
            await heard.until(lambda: _is_venues(exchange, server), "the book is the venue's")


def _is_venues(exchange: Any, server: BybitSimServer) -> bool:
    truth, book = server.market.book(BTC), exchange.orderbooks[BTC]
    pair = truth.pair
    for name, ladder in (("bids", truth.bids), ("asks", truth.asks)):
        want = [(float(pair.price_text(at)), float(pair.qty_text(qty))) for at, qty in ladder.top(50)]
        if [(float(row[0]), float(row[1])) for row in book[name][:50]] != want:
            return False
    return True


async def test_a_trade_over_rest_moves_what_it_says() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with BybitSimServer(seed=9) as server, ccxt_at(server) as exchange:
        await exchange.load_markets()
        made = await exchange.create_order(ETH, "market", "buy", 0.5, None, {"marketUnit": "baseCoin"})
        order = await exchange.fetch_order(made["id"], ETH, {"acknowledged": True})
        assert (order["status"], order["filled"]) == ("closed", 0.5)
        fills = await exchange.fetch_my_trades(ETH)
        cost = sum(Decimal(str(fill["info"]["execValue"])) for fill in fills)
        fees = sum(Decimal(str(fill["info"]["execFee"])) for fill in fills)
        coins = (await exchange.fetch_balance())["info"]["result"]["list"][0]["coin"]
        rows = {row["coin"]: Decimal(row["walletBalance"]) for row in coins}
        assert (rows["USDT"], rows["ETH"]) == (1_000_000 - cost, Decimal("200.5") - fees)
        with pytest.raises(errors.InsufficientFunds):
            await exchange.create_order(ETH, "limit", "buy", 5000, 1000)
        with pytest.raises(errors.InvalidOrder):
            await exchange.create_order(ETH, "limit", "buy", 0.001, 1000)
        with pytest.raises(errors.OrderNotFound):
            await exchange.cancel_order("12345", ETH)
        crossing = await exchange.create_order(ETH, "limit", "buy", 0.1, 3000, {"postOnly": True})
        order = await exchange.fetch_order(crossing["id"], ETH, {"acknowledged": True})
        assert (order["status"], order["info"]["rejectReason"]) == ("canceled", "EC_PostOnlyWillTakeLiquidity")
        exchange.secret = exchange.secret[::-1]
        with pytest.raises(errors.AuthenticationError):
            await exchange.fetch_balance()
