"""ccxt.pro, unmodified, reads the simulated Kraken's market: pairs, books, trades, candles."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.witness.clients import altered, ccxt_at, witness
from tests.witness.hearing import Heard, watching
from tests.witness.venue import simulator


def test_the_witness_is_as_it_was_shipped() -> None:
    witness("ccxt", "ccxt.pro")
    ours = ("ccxt/pro/kraken.py", "ccxt/async_support/kraken.py", "ccxt/base/", "ccxt/async_support/base/")
    assert list(altered("ccxt", ours)) == []


async def test_it_loads_the_markets() -> None:
    """Ids, names, precisions, minimums and fees as Kraken's AssetPairs has them (venues.md 1.7, 7.1)."""
    async with simulator() as at, ccxt_at(at) as exchange:
        markets = await exchange.load_markets()
        assert sorted(markets) == ["BTC/USD", "DOGE/USD", "ETH/USD", "SOL/USD"]
        bitcoin, doge = markets["BTC/USD"], markets["DOGE/USD"]
        assert (bitcoin["id"], bitcoin["base"], bitcoin["quote"]) == ("XXBTZUSD", "BTC", "USD")
        assert (bitcoin["info"]["altname"], bitcoin["info"]["wsname"]) == ("XBTUSD", "XBT/USD")
        assert bitcoin["precision"] == {"amount": 1e-08, "price": 0.1}
        assert (bitcoin["limits"]["amount"]["min"], bitcoin["limits"]["cost"]["min"]) == (5e-05, 0.5)
        assert (bitcoin["maker"], bitcoin["taker"], bitcoin["active"]) == (0.0025, 0.004, True)
        assert (doge["base"], doge["info"]["altname"], doge["precision"]["price"]) == ("DOGE", "XDGUSD", 1e-07)
        assert set(exchange.currencies) >= {"BTC", "DOGE", "ETH", "SOL", "USD"}
        assert (await exchange.fetch_status())["status"] == "ok"
        clock_ms = await exchange.fetch_time()
        assert abs(clock_ms - exchange.milliseconds()) < 30_000
        await every_price_of(exchange, "BTC/USD")


async def every_price_of(exchange: Any, symbol: str) -> None:
    """What REST says of one pair fits together."""
    ticker = await exchange.fetch_ticker(symbol)
    assert ticker["low"] <= ticker["vwap"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]
    trades = await exchange.fetch_trades(symbol)
    ids = [int(trade["id"]) for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert {trade["side"] for trade in trades} == {"buy", "sell"}
    candles = await exchange.fetch_ohlcv(symbol)
    _, opened, high, low, close, volume = candles[-1]
    assert low <= min(opened, close) <= max(opened, close) <= high
    assert volume > 0


def ten(book: Any) -> tuple[Any, ...]:
    """The best ten levels a side as (price, quantity)."""
    return tuple(tuple((level[0], level[1]) for level in book[side][:10]) for side in ("bids", "asks"))


def longer(states: set[Any], before: int) -> bool:
    return len(states) > before


@pytest.mark.parametrize("symbol", ["BTC/USD", "DOGE/USD"])
async def test_the_socket_and_rest_show_one_book(symbol: str) -> None:
    """All ten levels of REST's Depth are a state that the socket showed, again and again.

    ccxt works off several frames at once and shows the last of them, so not each state of REST's can be met.
    """
    async with simulator("--seed", "4") as at, ccxt_at(at) as exchange:
        heard = Heard()
        states: set[Any] = set()

        async def watch() -> None:
            states.add(ten(await exchange.watch_order_book(symbol, 10)))

        async with watching(heard, book=watch):
            await heard.until(lambda: states, "a snapshot")
            met: set[Any] = set()
            async with asyncio.timeout(20):
                while len(met) < 5:
                    before = len(states)
                    met.add(ten(await exchange.fetch_order_book(symbol, 10)))
                    await heard.until(partial(longer, states, before), "news of the book")
                    met &= states
        assert all(len(bids) == len(asks) == 10 and bids[0][0] < asks[0][0] for bids, asks in states)


async def test_it_watches_trades_candles_and_tickers() -> None:
    async with simulator("--seed", "5") as at, ccxt_at(at) as exchange:
        heard = Heard()
        calls = {
            "trades": lambda: exchange.watch_trades("BTC/USD"), "candles": lambda: exchange.watch_ohlcv("BTC/USD"),
            "ticker": lambda: exchange.watch_ticker("ETH/USD"), "touch": lambda: exchange.watch_bids_asks(["SOL/USD"]),
        }  # fmt: skip

        def told() -> set[str]:
            return {message["watched"] for message in heard.messages}

        async with watching(heard, **calls):
            await heard.until(lambda: told() == set(calls) and len(exchange.trades["BTC/USD"]) > 5, "each of them")
        trades = exchange.trades["BTC/USD"]
        ids = [int(trade["id"]) for trade in trades]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        for trade in await exchange.fetch_trades("BTC/USD"):  # the same trades over the other road
            if int(trade["id"]) in ids:
                mine = trades[ids.index(int(trade["id"]))]
                assert (mine["price"], mine["amount"], mine["side"]) == (trade["price"], trade["amount"], trade["side"])
