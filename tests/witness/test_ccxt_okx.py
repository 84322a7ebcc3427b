"""ccxt.pro's OKX, unmodified, reads and trades at the simulated one: other URLs and another key, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.okx.server import OkxSimServer
from tests.witness.clients import altered, witness
from tests.witness.compared import ten, truth
from tests.witness.hearing import WITHIN_S, Heard, watching

BTC = "BTC/USDT"


@asynccontextmanager
async def okx(**options: Any) -> AsyncIterator[tuple[Any, OkxSimServer]]:
    """A client with its markets loaded, and the venue."""
    async with OkxSimServer(seed=3, limits=False, **options) as server:
        given = server.credentials
        words = {"apiKey": given["key"], "secret": given["secret"], "password": given["passphrase"]}
        exchange = witness("ccxt", "ccxt.pro").okx(words | {"enableRateLimit": False})
        exchange.urls["api"] |= {"rest": server.urls["rest"], "ws": server.urls["public"].removesuffix("/public")}
        try:
            await exchange.load_markets()
            yield exchange, server
        finally:
            await exchange.close()


def below(server: OkxSimServer) -> float:
    """A price that no seller reaches."""
    return float(server.market.book(BTC).bids.price(0) * 9 // 10) / 10


async def followed(exchange: Any, server: OkxSimServer) -> None:
    """Waits until the venue has the subscription of orders, which begins with nothing that ccxt could tell."""
    async with asyncio.timeout(WITHIN_S):
        while not any("orders" in getattr(one, "channels", ()) for one in server.venue.connections):
            await exchange.fetch_time()


def test_the_witness_is_as_it_was_shipped() -> None:
    witness("ccxt", "ccxt.pro")
    assert list(altered("ccxt", ("ccxt/pro/okx.py", "ccxt/async_support/okx.py", "ccxt/base/"))) == []


async def test_it_loads_markets_and_reads_the_account() -> None:
    async with okx() as (exchange, server):
        assert sorted(exchange.markets) == ["BTC/USDT", "ETH/USDT"]
        bitcoin = exchange.markets[BTC]
        assert bitcoin["precision"] == {"amount": 1e-08, "price": 0.1}
        assert (bitcoin["id"], bitcoin["active"], bitcoin["limits"]["amount"]["min"]) == ("BTC-USDT", True, 1e-05)
        assert bitcoin["instIdCode"] == server.venue.names.codes[BTC]
        balance = await exchange.fetch_balance()
        assert (balance["USDT"]["free"], balance["BTC"]["total"]) == (1_000_000, 10)
        ticker = await exchange.fetch_ticker(BTC)
        assert ticker["bid"] < ticker["ask"]
        fee = await exchange.fetch_trading_fee(BTC)
        assert (fee["maker"], fee["taker"]) == (0.0008, 0.001)


async def test_it_watches_books_trades_and_tickers() -> None:
    """ccxt raises on a broken chain of seqIds; its book is the venue's whenever the market stands still."""
    async with okx(rate_hz=0) as (exchange, server):
        heard = Heard()
        calls = {
            "book": lambda: exchange.watch_order_book(BTC), "trades": lambda: exchange.watch_trades(BTC),
            "ticker": lambda: exchange.watch_ticker(BTC),
        }  # fmt: skip
        async with watching(heard, **calls):
            await heard.until(lambda: BTC in exchange.orderbooks and BTC in exchange.tickers, "book and ticker")
            assert ten(exchange.orderbooks[BTC]) == truth(server, BTC)
            for _ in range(10):
                await exchange.create_order(BTC, "market", "sell", 0.2)
                await heard.until(lambda: ten(exchange.orderbooks[BTC]) == truth(server, BTC), "the book follows")
            last = server.market.book(BTC).trades[-1]

            def told() -> list[Any]:
                return [trade for trade in exchange.trades.get(BTC, ()) if trade["id"] == str(last.trade_id)]

            [trade] = await heard.until(told, "the last trade")
            assert (trade["side"], trade["price"]) == ("sell", float(server.venue.pairs[BTC].price_text(last.price)))


async def until_it_breaks(exchange: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            await exchange.watch_order_book(BTC)


async def test_a_broken_chain_is_noticed_and_healed() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with okx(faults=["drop_update=3"], rate_hz=100) as (exchange, server):
        with pytest.raises(errors.InvalidNonce):
            await until_it_breaks(exchange)
        server.venue.faults.clear()
        book = await exchange.watch_order_book(BTC)
        assert book["bids"][0][0] < book["asks"][0][0]


async def test_an_order_lives_is_amended_and_cancelled() -> None:
    """Over the private socket; its news, balances and REST agree."""
    async with okx(rate_hz=0) as (exchange, server):
        heard = Heard()
        calls = {"orders": exchange.watch_orders, "balance": exchange.watch_balance}
        async with watching(heard, **calls):
            await heard.until(lambda: "USDT" in exchange.balance, "a balance")
            await followed(exchange, server)
            price = below(server)
            made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, price, {"clientOrderId": "vg1a2b3c1"})
            order_id = made["id"]

            def states() -> list[Any]:
                orders = [order for order in exchange.orders or () if order["id"] == order_id]
                return [(order["status"], order["amount"], order["clientOrderId"]) for order in orders]

            await heard.until(lambda: states() == [("open", 0.01, "vg1a2b3c1")], "the order is live")
            held = Decimal(str(price)) * Decimal("0.01")
            await heard.until(lambda: exchange.balance["USDT"]["free"] == float(1_000_000 - held), "it holds money")
            changed = await exchange.edit_order_ws(order_id, BTC, "limit", "buy", 0.02, price - 10)
            assert changed["id"] == order_id
            await heard.until(lambda: states() == [("open", 0.02, "vg1a2b3c1")], "the order is amended")
            [now] = await exchange.fetch_open_orders(BTC)
            assert (now["id"], now["price"], now["amount"]) == (order_id, price - 10, 0.02)
            assert (await exchange.cancel_order_ws(order_id, BTC))["id"] == order_id
            await heard.until(lambda: states() == [("canceled", 0.02, "vg1a2b3c1")], "the order is canceled")
            assert await exchange.fetch_open_orders(BTC) == []


async def test_a_trade_moves_money_and_a_refusal_says_why() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with okx(rate_hz=0) as (exchange, server):
        made = await exchange.create_order(BTC, "market", "buy", 1.5)
        order = await exchange.fetch_order(made["id"], BTC)
        assert (order["status"], order["filled"], order["fee"]["currency"]) == ("closed", 1.5, "BTC")
        fills = await exchange.fetch_my_trades(BTC)
        assert sum(Decimal(fill["info"]["fillSz"]) for fill in fills) == Decimal("1.5")
        assert sum(Decimal(fill["info"]["fee"]) for fill in fills) == Decimal(order["info"]["fee"])
        balance = await exchange.fetch_balance()
        assert Decimal(str(balance["BTC"]["total"])) == Decimal("11.5") + Decimal(order["info"]["fee"])
        for create in (exchange.create_order, exchange.create_order_ws):
            with pytest.raises(errors.InsufficientFunds):
                await create(BTC, "limit", "buy", 1000, below(server))
        with pytest.raises(errors.OrderNotFound):
            await exchange.fetch_order("123", BTC)
        with pytest.raises(errors.ExchangeError, match="51400"):
            await exchange.cancel_order(made["id"], BTC)
        assert (await exchange.cancel_all_orders_after(20_000))["data"][0]["triggerTime"] != "0"
        exchange.secret = exchange.secret[::-1]
        with pytest.raises(errors.AuthenticationError):
            await exchange.fetch_balance()
