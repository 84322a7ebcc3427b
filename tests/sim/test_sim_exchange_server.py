"""Simulated exchanges on a real port: several sockets and HTTP on one, headers, pings, urls by link."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.sim.binance.server import BinanceSimServer
from runtime.sim.bybit.server import BybitSimServer
from runtime.sim.exchange.pairs import follow
from runtime.sim.market import NS
from runtime.sim.server import KrakenSimServer

START_NS = 1_786_000_000 * NS


class Clock:
    """Moved by the test alone."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns


async def get(url: str, path: str) -> tuple[int, dict[str, str], bytes]:
    """One GET by hand: status, headers, body."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def heard(socket: Any, what: str) -> Any:
    """The next message that has this in it."""
    async with asyncio.timeout(10):
        while what not in (text := await socket.recv()):
            pass
        return json.loads(text)


async def test_all_roads_of_one_venue_lie_on_one_port() -> None:
    async with BybitSimServer(seed=1) as server:
        assert set(server.urls) == {"public", "private", "trade", "rest", "calls"}
        assert server.urls["rest"] == server.rest_url and server.urls["trade"].endswith("/v5/trade")
        async with connect(server.urls["public"]) as public, connect(server.urls["trade"]) as trade:
            await public.send('{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}')
            assert (await heard(public, "snapshot"))["topic"] == "orderbook.50.BTCUSDT"
            await trade.send('{"op":"ping"}')
            assert (await heard(trade, "pong"))["retCode"] == 0
            await heard(public, "delta")
        status, _, body = await get(server.rest_url, "/v5/market/time")
        assert status == 200 and json.loads(body)["retCode"] == 0
        with pytest.raises(InvalidStatus, match="404"):
            await connect(server.rest_url.replace("http", "ws") + "/v5/nowhere")


async def asked_in_steps(socket: Any, clock: Clock) -> None:
    """126 seconds, with a question every 21."""
    for _ in range(6):
        clock.now_ns += 21 * NS
        await socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        assert (await heard(socket, "result"))["result"] == []


async def test_headers_of_limits_and_pings_that_are_owed_pongs() -> None:
    clock = Clock()
    async with BinanceSimServer(seed=1, clock=clock, rate_hz=0) as server:
        _, headers, _ = await get(server.rest_url, "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        assert headers["x-mbx-used-weight-1m"] == "250"
        async with connect(server.urls["public"], ping_interval=None) as socket:
            await asked_in_steps(socket, clock)
            assert len(server.venue.connections) == 1
        async with connect(server.urls["public"], ping_interval=None) as socket:
            [connection] = [one for one in server.venue.connections if one.is_open][-1:]
            connection.pong = lambda *_: None  # type: ignore[method-assign]
            with pytest.raises(ConnectionClosed, match="1008"):
                await asked_in_steps(socket, clock)


async def test_faults_reach_the_socket() -> None:
    async with BybitSimServer(faults=["half_frame@0"]) as server:
        async with connect(server.urls["public"]) as socket:
            with pytest.raises(ConnectionClosed):
                await heard(socket, "never")
        server.venue.faults.clear()
        server.venue.faults.switch("connect_refused,times=1")
        with pytest.raises(InvalidStatus, match="429"):
            await connect(server.urls["public"])


async def test_kraken_beside_others_and_a_market_they_all_follow() -> None:
    async with KrakenSimServer(seed=2, usdt=True) as kraken:
        assert [pair.symbol for pair in kraken.market.pairs if pair.quote == "USDT"][:2] == ["BTC/USDT", "ETH/USDT"]
        assert set(kraken.urls) == {"public", "audit", "private", "rest"}
        assert kraken.urls["private"] == kraken.ws_auth_url and kraken.urls["rest"] == kraken.rest_url
        assert kraken.credentials == {"key": kraken.key, "secret": kraken.secret}
        async with BybitSimServer(seed=2, leader=follow(kraken.market)) as bybit:
            async with connect(bybit.urls["public"]) as socket:
                await socket.send('{"op":"subscribe","args":["orderbook.1.BTCUSDT"]}')
                for _ in range(20):
                    await heard(socket, "snapshot")
            ours = bybit.market.book("BTC/USDT").bids.price(0)
            theirs = kraken.market.book("BTC/USD").bids.price(0) * 10
            assert abs(ours - theirs) * 200 < theirs
