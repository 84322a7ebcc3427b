"""The real port: raw HTTP, raw WebSocket bytes, an ordinary client. Every wait is for bytes and bounded."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runtime.sim.http1 import BadRequest, read_request
from runtime.sim.kraken import Faults
from runtime.sim.server import KrakenSimServer
from tests.sim.test_sim_server import fast_clock
from tests.sim_kraken.trader import api_sign

LIMIT_S = 20
UPGRADE = (
    "GET /auth/v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
nonces = iter(range(1_700_000_000_000, 2_000_000_000_000))


class Http:
    """A keep-alive connection, spoken by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(LIMIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split(" ")[1]), headers, body

    def private(self, server: KrakenSimServer, name: str, **form: Any) -> None:
        nonce, path = str(next(nonces)), f"/0/private/{name}"
        body = urlencode({"nonce": nonce, **form})
        self.writer.write(
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAPI-Key: {server.key}\r\n"
            f"API-Sign: {api_sign(server.secret, path, nonce, body)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )

    async def ask(self, server: KrakenSimServer, name: str, **form: Any) -> Any:
        self.private(server, name, **form)
        status, _, body = await self.answer()
        told = json.loads(body)
        assert status == 200 and told["error"] == [], told
        return told["result"]


@asynccontextmanager
async def http(server: KrakenSimServer) -> AsyncIterator[Http]:
    host, _, port = server.rest_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Http(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def heard(socket: ClientConnection, **wanted: Any) -> Any:
    """The next message with these fields."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            message = json.loads(await socket.recv())
            if wanted.items() <= message.items():
                return message


async def test_rest_and_both_sockets_share_one_port() -> None:
    async with KrakenSimServer(seed=1) as server, http(server) as client:
        assert server.ws_url.replace("ws:", "http:").removesuffix("/v2") == server.rest_url
        assert server.ws_auth_url == server.ws_url.replace("/v2", "/auth/v2")
        token = (await client.ask(server, "GetWebSocketsToken"))["token"]
        async with connect(server.ws_auth_url, close_timeout=0.2) as socket:
            subscription = {"channel": "executions", "token": token, "snap_orders": True}
            await socket.send(json.dumps({"method": "subscribe", "params": subscription}))
            assert (await heard(socket, type="snapshot"))["sequence"] == 1
            added = await client.ask(
                server, "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="50000", volume="0.01"
            )
            told = await heard(socket, channel="executions")
            assert told["data"][0]["order_id"] == added["txid"][0], "at once, not at the next tick"
            assert (await client.ask(server, "CancelAll")) == {"count": 1}
        async with connect(server.ws_url, close_timeout=0.2) as socket:
            await socket.send(json.dumps({"method": "subscribe", "params": {"channel": "executions", "token": token}}))
            assert "ws-auth" in (await heard(socket, method="subscribe"))["error"]


async def test_requests_on_one_connection_are_answered_in_order_and_one_may_come_in_pieces() -> None:
    async with KrakenSimServer(seed=1) as server, http(server) as client:
        for _ in range(2):
            client.writer.write(b"GET /0/public/SystemStatus HTTP/1.1\r\nHost: x\r\n\r\n")
        client.writer.write(b"GET /0/public/Depth?pair=XBTUSD&count=1 HTTP/1.1\r\nHo")
        for _ in range(2):
            assert json.loads((await client.answer())[2])["result"]["status"] == "online"
        client.writer.write(b"st: x\r\nConnection: close\r\n\r\n")
        status, headers, body = await client.answer()
        assert status == 200 and headers["connection"] == "close" and "XXBTZUSD" in json.loads(body)["result"]
        assert await client.reader.read() == b""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501), (b"x" * 20_000, 413),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_told_so_and_the_connection_ends(text: bytes, status: int) -> None:
    with pytest.raises(BadRequest):
        read_request(text)
    async with KrakenSimServer(seed=1) as server, http(server) as client:
        client.writer.write(text)
        assert (await client.answer())[0] == status
        async with asyncio.timeout(LIMIT_S):
            assert await client.reader.read() == b""


async def test_rest_lost_cuts_the_connection_and_the_order_lives() -> None:
    terms = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "50000", "volume": "0.01"}
    async with KrakenSimServer(seed=1, faults=Faults("rest_lost")) as server:
        async with http(server) as client:
            client.private(server, "AddOrder", **terms)
            async with asyncio.timeout(LIMIT_S):
                with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                    await client.reader.readuntil(b"\r\n\r\n")
        async with http(server) as client:
            assert len((await client.ask(server, "OpenOrders"))["open"]) == 1


async def test_rest_late_answers_in_its_time_and_order_and_a_page_of_html() -> None:
    faults = Faults("rest_late=200,times=1", "gateway_error=502,nth=2")
    async with KrakenSimServer(seed=1, faults=faults) as server, http(server) as client:
        begun = asyncio.get_running_loop().time()
        for _ in range(2):
            client.writer.write(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer())[0] == 200
        assert asyncio.get_running_loop().time() - begun > 0.1
        status, headers, body = await client.answer()
        assert (status, headers["content-type"]) == (502, "text/html") and b"502" in body


async def raw_socket(client: Http) -> None:
    client.writer.write(UPGRADE.encode())
    status, headers, _ = await client.answer()
    assert status == 101 and headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


async def test_a_half_written_frame_and_then_nothing() -> None:
    faults = Faults("half_frame@1")
    async with KrakenSimServer(seed=1, faults=faults, clock=fast_clock()) as server, http(server) as client:
        await raw_socket(client)
        async with asyncio.timeout(LIMIT_S):
            data = await client.reader.read()
    at, last = 0, (0, 0)
    while at < len(data):
        code, size = data[at], data[at + 1]
        head, size = (4, struct.unpack_from("!H", data, at + 2)[0]) if size == 126 else (2, size)
        last = (code, at + head + size - len(data))
        at += head + size
    assert last[0] == 0x81 and last[1] > 0, "the last frame promises more than came"


@pytest.mark.parametrize("fault", ["half_frame@1", "reset@1"])
async def test_an_ordinary_client_survives_a_half_frame_and_a_reset(fault: str) -> None:
    server = KrakenSimServer(seed=1, faults=Faults(fault), clock=fast_clock())
    async with server, connect(server.ws_url, close_timeout=0.2) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            await heard(socket, channel="nothing")
        assert caught.value.rcvd is None, "without a close frame"


async def test_a_half_open_peer_answers_nothing_not_even_the_protocols_ping() -> None:
    server = KrakenSimServer(seed=1, faults=Faults("half_open,connections=1@1"), clock=fast_clock())
    async with server, connect(server.ws_url, close_timeout=0.2, ping_interval=None) as socket:
        await heard(socket, channel="status")
        async with connect(server.ws_url, close_timeout=0.2) as other:
            await other.send('{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}')
            for _ in range(3):
                await heard(other, channel="heartbeat")
        waiter = asyncio.ensure_future(await socket.ping())
        async with connect(server.ws_url, close_timeout=0.2) as other:
            await (await other.ping())  # a whole round trip of another client lies between
        assert not waiter.done()
        waiter.cancel()


async def test_refused_connections_are_told_by_http() -> None:
    async with KrakenSimServer(seed=1, faults=Faults("connect_refused,times=1")) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(server.ws_url)
        assert caught.value.response.status_code == 429
        async with connect(server.ws_url, close_timeout=0.2) as socket:
            await heard(socket, channel="status")


async def test_a_frame_in_many_pieces_and_several_in_one() -> None:
    def masked(text: bytes) -> bytes:
        mask = b"\1\2\3\4"
        return bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))

    async with KrakenSimServer(seed=1) as server, http(server) as client:
        await raw_socket(client)
        for byte in masked(b'{"method":"ping","req_id":1}'):
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        client.writer.write(masked(b'{"method":"ping","req_id":2}') * 2)
        data = b""
        async with asyncio.timeout(LIMIT_S):
            while data.count(b'"pong"') < 3:
                data += await client.reader.read(4096)
        assert data.count(b'"req_id":1') == 1 and data.count(b'"req_id":2') == 2
