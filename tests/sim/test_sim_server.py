"""The simulated venue over a real loopback socket; every wait is for a message, bounded, and none is a sleep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.sim.kraken import SimFaults
from runtime.sim.market import NS
from runtime.sim.server import KrakenSimServer

LIMIT_S = 20


def fast_clock(step_ns: int = 50_000_000) -> Callable[[], int]:
    """A clock that moves 50 ms at each look, so that simulated seconds pass without waiting for them."""
    now_ns = 1_786_874_645_000_000_000

    def clock() -> int:
        nonlocal now_ns
        now_ns += step_ns
        return now_ns

    return clock


def dial(server: KrakenSimServer, **options: Any) -> connect:
    """A client that does not wait long for its close to be answered: websockets stops reading when nobody collects."""
    return connect(server.ws_url, close_timeout=0.2, **options)


async def ask(socket: ClientConnection, channel: str = "book", **params: Any) -> None:
    request = {"method": "subscribe", "params": {"channel": channel, "symbol": ["BTC/USD"], **params}, "req_id": 1}
    await socket.send(json.dumps(request))


async def until(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool], count: int = 1) -> dict[str, Any]:
    """The ``count``-th message that is wanted; TimeoutError after LIMIT_S."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            count -= wanted(message)
            if not count:
                return message


def is_update(message: dict[str, Any]) -> bool:
    return message.get("channel") == "book" and message.get("type") == "update"


async def test_a_client_gets_status_ack_snapshot_updates_and_heartbeats() -> None:
    async with KrakenSimServer(seed=1, clock=fast_clock()) as server:
        assert server.ws_url.startswith("ws://127.0.0.1:") and server.ws_url.endswith("/v2")
        async with dial(server) as socket:
            status = await until(socket, bool)
            assert (status["channel"], status["type"]) == ("status", "update")
            (data,) = status["data"]
            assert data.pop("connection_id") > 2**53, "too large for a double"
            assert data == {"version": "2.0.10", "system": "online", "api_version": "v2"}
            await ask(socket, depth=25)
            assert (await until(socket, bool))["success"] is True
            snapshot = await until(socket, bool)
            assert snapshot["type"] == "snapshot" and len(snapshot["data"][0]["asks"]) == 25
            await until(socket, is_update, count=200)
            await until(socket, lambda message: message.get("channel") == "heartbeat", count=3)
            await socket.send('{"method":"ping","req_id":7}')
            assert (await until(socket, lambda message: message.get("method") == "pong"))["req_id"] == 7
            await (await socket.ping())


async def test_trades_start_with_fifty_and_their_ids_rise() -> None:
    def is_trade(message: dict[str, Any]) -> bool:
        return message.get("channel") == "trade"

    async with KrakenSimServer(seed=8, clock=fast_clock(NS), queue_frames=50_000) as server, dial(server) as socket:
        await ask(socket)
        await until(socket, is_update, count=2_000)
        await ask(socket, "trade", snapshot=True)
        messages = [await until(socket, is_trade) for _ in range(200)]
        assert [message["type"] for message in messages] == ["snapshot"] + ["update"] * 199
        assert len(messages[0]["data"]) == 50 and max(len(message["data"]) for message in messages[1:]) > 1
        trades = [trade for message in messages for trade in message["data"]]
        assert {trade["side"] for trade in trades} == {"buy", "sell"}
        assert {trade["ord_type"] for trade in trades} == {"limit", "market"}
        ids = [trade["trade_id"] for trade in trades]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert set(trades[0]) == {"symbol", "side", "price", "qty", "ord_type", "trade_id", "timestamp"}
        assert len({trade["timestamp"] for trade in trades}) > 100


async def test_instrument_data_is_an_object_with_exponents_and_unknown_fields() -> None:
    async with KrakenSimServer() as server, dial(server) as socket:
        await socket.send('{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}')
        async with asyncio.timeout(LIMIT_S):
            _, ack, text = [await socket.recv(decode=True) for _ in range(3)]
    assert json.loads(ack)["result"]["channel"] == "instrument" and json.loads(ack)["result"]["warnings"]
    assert '"qty_increment":1e-08' in text and '"qty_min":5e-05' in text
    data = json.loads(text, parse_float=str)["data"]
    pairs = {pair["symbol"]: pair for pair in data["pairs"]}
    assert list(pairs) == ["BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD"]
    wanted = {"price_precision": 1, "qty_precision": 8, "price_increment": "0.1", "tick_size": "0.1", "cost_min": "0.5"}
    assert wanted.items() <= pairs["BTC/USD"].items() and pairs["BTC/USD"]["status"] == "online"
    assert pairs["DOGE/USD"]["price_increment"] == "1e-07" and "execution_venue" in pairs["DOGE/USD"]
    assert [asset["id"] for asset in data["assets"]] == ["BTC", "DOGE", "ETH", "SOL", "USD"]


async def test_the_shipped_clock_and_rate_are_lively() -> None:
    async with KrakenSimServer() as server, dial(server) as socket:
        await ask(socket, depth=10)
        await until(socket, is_update, count=10)


async def test_many_clients_come_and_go() -> None:
    async with KrakenSimServer(seed=2, clock=fast_clock()) as server:
        for _ in range(3):
            sockets = [await dial(server) for _ in range(5)]
            for socket in sockets:
                await ask(socket)
            await asyncio.gather(*(until(socket, is_update, count=5) for socket in sockets))
            sockets[0].transport.abort()
            for socket in sockets:
                await socket.close()


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on() -> None:
    async def ask_without_reading(socket: ClientConnection) -> None:
        request = {"params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000}}
        async with asyncio.timeout(LIMIT_S):
            while True:  # each answer is some kilobytes that nobody collects
                await socket.send(json.dumps({"method": "subscribe", **request}))
                await socket.send(json.dumps({"method": "unsubscribe", **request}))

    async with (
        KrakenSimServer(seed=3, clock=fast_clock(), queue_frames=200) as server,
        dial(server) as good,
        dial(server, max_queue=1, ping_interval=None) as slow,
    ):
        await ask(good)
        await until(good, is_update)
        with pytest.raises(ConnectionClosed):
            await ask_without_reading(slow)
        await until(good, is_update, count=50)


async def test_the_venue_closes_with_1001() -> None:
    async with KrakenSimServer(faults=SimFaults(close_after_s=1), clock=fast_clock()) as server:
        async with dial(server) as socket:
            with pytest.raises(ConnectionClosed) as caught:
                await until(socket, lambda _: False)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1001
        assert caught.value.rcvd.reason == "CloudFlare WebSocket proxy restarting"


async def test_a_text_frame_that_is_not_json_arrives() -> None:
    faults = SimFaults(garbage_frame_after_s=1)
    async with KrakenSimServer(faults=faults, clock=fast_clock()) as server, dial(server) as socket:
        with pytest.raises(json.JSONDecodeError):
            await until(socket, lambda _: False)


async def test_a_mute_venue_keeps_the_socket_open() -> None:
    faults = SimFaults(mute_after_s=0, connections=1)
    async with KrakenSimServer(faults=faults, clock=fast_clock()) as server, dial(server) as socket:
        await until(socket, lambda message: message.get("channel") == "status")
        await ask(socket)
        async with asyncio.timeout(LIMIT_S), dial(server) as other:
            await ask(other)
            await until(other, is_update, count=50)
            await (await socket.ping())  # the protocol's own pong still works
        await socket.close()
        with pytest.raises(ConnectionClosed):  # and in all that time nothing else had come
            await socket.recv()


async def test_only_the_v2_path_is_served() -> None:
    async with KrakenSimServer() as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.ws_url.removesuffix("/v2"))
        assert caught.value.response.status_code == 404


async def test_leaving_closes_every_client_and_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with KrakenSimServer(seed=4, clock=fast_clock()) as server:
        sockets = [await dial(server) for _ in range(3)]
        for socket in sockets:
            await ask(socket)
            await until(socket, is_update)
    for socket in sockets:
        with pytest.raises(ConnectionClosed):
            await until(socket, lambda _: False)
        await socket.wait_closed()
    async with asyncio.timeout(LIMIT_S):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.ws_url


async def test_what_breaks_inside_is_raised_on_leaving() -> None:
    looks = iter(range(1))

    def broken() -> int:
        return next(looks, None) or 1 // 0

    async def run() -> None:
        async with KrakenSimServer(clock=broken) as server, asyncio.timeout(LIMIT_S):
            assert server._ticker is not None
            await asyncio.wait([server._ticker])

    with pytest.raises(ZeroDivisionError):
        await run()


async def test_a_rate_outside_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="rate_hz"):
        KrakenSimServer(rate_hz=2_000_000)


async def test_a_taken_port_is_an_os_error() -> None:
    async with KrakenSimServer() as server:
        port = int(server.ws_url.removesuffix("/v2").rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with KrakenSimServer(port=port):
                pass
