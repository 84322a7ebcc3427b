"""ccxt.pro's Coinbase, unmodified, reads and trades at the simulated one: other URLs, key and secret, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.coinbase.server import CoinbaseSimServer
from tests.witness.clients import altered, witness
from tests.witness.compared import ten, truth
from tests.witness.hearing import WITHIN_S, Heard, watching

BTC = "BTC/USD"


@asynccontextmanager
async def coinbase(**options: Any) -> AsyncIterator[tuple[Any, CoinbaseSimServer]]:
    """A client with its markets loaded, and the venue."""
    async with CoinbaseSimServer(seed=3, limits=False, **options) as server:
        given = server.credentials
        words = {"apiKey": given["key"], "secret": given["secret"], "enableRateLimit": False}
        exchange = witness("ccxt", "ccxt.pro").coinbase(words)
        exchange.urls["api"] |= {"rest": server.urls["rest"], "ws": server.urls["public"]}
        try:
            await exchange.load_markets()
            yield exchange, server
        finally:
            await exchange.close()


def below(server: CoinbaseSimServer) -> float:
    """A price that no seller reaches."""
    return float(server.market.book(BTC).bids.price(0) * 9 // 10) / 100


async def followed(exchange: Any, server: CoinbaseSimServer) -> None:
    """Waits until the venue has the subscription of orders: an empty snapshot resolves nothing in ccxt."""
    async with asyncio.timeout(WITHIN_S):
        while not any("user" in getattr(one, "subscribed", ()) for one in server.venue.connections):
            await exchange.fetch_time()


def test_the_witness_is_as_it_was_shipped() -> None:
    witness("ccxt", "ccxt.pro")
    assert list(altered("ccxt", ("ccxt/pro/coinbase.py", "ccxt/async_support/coinbase.py", "ccxt/base/"))) == []


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
async def test_it_loads_markets_and_reads_the_account(kind: str) -> None:
    """Both kinds of keys over REST (venues.md 2.3); fees, steps and minimums as Coinbase has them."""
    async with coinbase(key_kind=kind) as (exchange, _):
        assert sorted(exchange.markets) == [
            "BTC/USD", "BTC/USDC", "BTC/USDT", "ETH/USD", "ETH/USDC", "ETH/USDT",
        ]  # fmt: skip
        bitcoin = exchange.markets[BTC]
        assert bitcoin["precision"] == {"amount": 1e-08, "price": 0.01}
        assert (bitcoin["limits"]["cost"]["min"], bitcoin["maker"], bitcoin["taker"]) == (1, 0.004, 0.006)
        assert (bitcoin["id"], bitcoin["active"]) == ("BTC-USD", True)
        balance = await exchange.fetch_balance({"v3": True})
        assert (balance["USD"]["free"], balance["BTC"]["total"]) == (1_000_000, 10)
        clock_ms = await exchange.fetch_time()
        assert abs(clock_ms - exchange.milliseconds()) < 30_000


async def test_it_watches_books_and_trades() -> None:
    """Each state of ccxt's book is one that the venue's had: BTC/USD and, by its alias, ETH/USDC."""
    async with coinbase(rate_hz=0) as (exchange, server):
        heard = Heard()
        calls = {
            "book": lambda: exchange.watch_order_book(BTC), "trades": lambda: exchange.watch_trades(BTC),
            "alias": lambda: exchange.watch_order_book("ETH/USDC"),
        }  # fmt: skip
        async with watching(heard, **calls):
            await heard.until(lambda: {message["watched"] for message in heard.messages} == set(calls), "all of them")
            assert ten(exchange.orderbooks[BTC]) == truth(server, BTC)
            assert ten(exchange.orderbooks["ETH/USD"]) == truth(server, "ETH/USD")
            for _ in range(10):
                order = await exchange.create_order(BTC, "market", "sell", 0.2)
                await heard.until(lambda: ten(exchange.orderbooks[BTC]) == truth(server, BTC), "the book follows")
            mine = (await exchange.fetch_my_trades(BTC))[-1]
            assert mine["order"] == order["id"]
            last = server.market.book(BTC).trades[-1]
            await heard.until(
                lambda: any(trade["id"] == str(last.trade_id) for trade in exchange.trades[BTC]), "the last trade"
            )
            [told] = [trade for trade in exchange.trades[BTC] if trade["id"] == str(last.trade_id)]
            assert told["amount"] == float(server.venue.pairs[BTC].qty_text(last.qty))


async def test_an_order_lives_is_edited_and_cancelled() -> None:
    async with coinbase(rate_hz=0) as (exchange, server):
        heard = Heard()
        async with watching(heard, orders=lambda: exchange.watch_orders(BTC)):
            await followed(exchange, server)
            price = below(server)
            made = await exchange.create_order(BTC, "limit", "buy", 0.01, price, {"client_order_id": "vg1a2b3c-1"})
            order_id = made["id"]
            assert made["clientOrderId"] == "vg1a2b3c-1"

            def states() -> list[str]:
                return [order["info"]["status"] for order in exchange.orders or () if order["id"] == order_id]

            await heard.until(lambda: states() == ["OPEN"], "the order is open")
            held = Decimal(str((await exchange.fetch_balance({"v3": True}))["USD"]["used"]))
            assert held == Decimal(str(price)) * Decimal("0.01") * Decimal("1.006")
            await exchange.edit_order(order_id, BTC, "limit", "buy", 0.02, price - 10)
            [now] = await exchange.fetch_open_orders(BTC)
            assert (now["id"], now["price"], now["amount"]) == (order_id, price - 10, 0.02)
            gone = await exchange.cancel_order(order_id)
            assert gone["info"]["success"] is True
            await heard.until(lambda: states() == ["CANCELLED"], "the order is cancelled")
            order = await exchange.fetch_order(order_id)
            assert (order["status"], order["clientOrderId"], order["filled"]) == ("canceled", "vg1a2b3c-1", 0)


async def test_a_trade_moves_money_and_a_refusal_says_why() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with coinbase(rate_hz=0) as (exchange, server):
        before = (await exchange.fetch_balance({"v3": True}))["USD"]["total"]
        made = await exchange.create_order(BTC, "market", "sell", 1.5)
        order = await exchange.fetch_order(made["id"])
        assert (order["status"], order["filled"]) == ("closed", 1.5)
        cost, fees = Decimal(order["info"]["filled_value"]), Decimal(order["info"]["total_fees"])
        fills = await exchange.fetch_my_trades(BTC)
        assert sum(Decimal(fill["info"]["commission"]) for fill in fills) == fees
        after = (await exchange.fetch_balance({"v3": True}))["USD"]["total"]
        assert Decimal(str(after)) == pytest.approx(Decimal(str(before)) + cost - fees, abs=Decimal("0.000001"))
        with pytest.raises(errors.InsufficientFunds):
            await exchange.create_order(BTC, "limit", "buy", 1000, below(server))
        with pytest.raises(errors.ExchangeError, match="PREVIEW_INVALID_LIMIT_PRICE_POSTONLY"):
            await exchange.create_order(BTC, "limit", "buy", 0.01, below(server) * 2, {"postOnly": True})
        with pytest.raises(errors.BadRequest):
            await exchange.cancel_order("11111111-0000-0000-0000-000000000000")
