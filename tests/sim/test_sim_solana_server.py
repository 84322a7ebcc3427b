"""The simulated Solana over real sockets, and as one of the venues of `--sim`; every wait is for a message, bounded."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import connect

from connectors.chain import ChainPlan, GasModel, calls_of
from connectors.session import PUBLIC
from connectors.venues.kraken import VENUE
from connectors.venues.solana import SOLANA
from runtime.port import VenueSpec
from runtime.sim.embedded import embed
from runtime.sim.solana.keys import MAINNET
from runtime.sim.solana.server import SolanaSimServer
from runtime.sim.solana.shipped import default_world
from tests.sim.sim_solana_node import CLOCK, ORCA, POOLS

LIMIT_S = 20
SLOTS = '{"jsonrpc":"2.0","id":1,"method":"slotSubscribe"}'


def fast_clock(step_ns: int = 50_000_000) -> Callable[[], int]:
    """A clock that moves 50 ms at each look, so that simulated seconds pass without waiting for them."""
    now_ns = 1_786_874_645_000_000_000

    def clock() -> int:
        nonlocal now_ns
        now_ns += step_ns
        return now_ns

    return clock


async def talk(url: str, *requests: bytes) -> bytes:
    """Raw requests on one connection, and everything that came until its end."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for request in requests:
        writer.write(request)
    await writer.drain()
    found = await reader.read()
    writer.close()
    return found


def request(method: str, *params: Any, last: bool = False) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    end = b"Connection: close\r\n" if last else b""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body) + end + b"\r\n" + body


async def test_http_keeps_its_connection_and_says_what_it_cannot() -> None:
    async with SolanaSimServer(default_world(1, ()), clock=fast_clock()) as server, asyncio.timeout(LIMIT_S):
        two = await talk(server.http_url, request("getHealth"), request("getGenesisHash", last=True))
        assert two.count(b"HTTP/1.1 200 OK") == 2 and MAINNET.encode() in two
        server.sim.faults.error_answers = 1
        refused = await talk(server.http_url, request("getHealth", last=True))
        assert refused.startswith(b"HTTP/1.1 429 Too Many Requests\r\n") and b"\r\nRetry-After: 1\r\n" in refused
        got = await talk(server.http_url, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 405 ")
        assert (await talk(server.http_url, b"what\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        big = b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
        assert (await talk(server.http_url, big)).startswith(b"HTTP/1.1 413 ")


async def test_a_socket_hears_of_slots_and_is_closed_by_a_fault() -> None:
    sim = default_world(1, POOLS)
    async with (
        asyncio.timeout(LIMIT_S),
        SolanaSimServer(sim, clock=fast_clock()) as server,
        connect(server.ws_url, proxy=None) as client,
    ):
        await client.send(SLOTS)
        assert json.loads(await client.recv()) == {"jsonrpc": "2.0", "result": 1, "id": 1}
        news = [json.loads(await client.recv())["params"]["result"]["slot"] for _ in range(3)]
        assert news == list(range(news[0], news[0] + 3))
        asked = {"encoding": "base64", "commitment": "processed"}
        await client.send(json.dumps({"id": 2, "method": "accountSubscribe", "params": [CLOCK, asked]}))
        while json.loads(await client.recv()).get("method") != "accountNotification":
            pass
        await talk(server.http_url, request("sim_fault", "close", True, last=True))
        async for _ in client:
            pass  # until it is closed
        assert client.close_code == 1001


async def test_a_mute_node_answers_nothing_until_it_is_not() -> None:
    async with SolanaSimServer(default_world(1, ())) as server, asyncio.timeout(LIMIT_S):
        server.sim.faults.mute = True
        waits = asyncio.create_task(talk(server.http_url, request("getHealth", last=True)))
        answered = await talk(server.http_url, request("sim_fault", "mute", False, last=True))
        assert b'"result":true' in answered and b'"result":"ok"' in await waits


async def test_ports_are_neighbours_and_taken_ones_are_said() -> None:
    for port in range(28_899, 28_999, 3):
        try:
            async with SolanaSimServer(default_world(1, ()), port=port) as server:
                assert (server.http_url, server.ws_url) == (f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port + 1}")
        except OSError:
            continue  # somebody else's
        break
    else:
        pytest.fail("no two free ports in a hundred")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = taken.getsockname()[1]
        server = SolanaSimServer(default_world(1, ()), port=place - 1)
        with pytest.raises(OSError, match="attempting to bind"):
            await server.__aenter__()
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.http_url, server.ws_url


async def test_leaving_ends_who_still_waits() -> None:
    server = SolanaSimServer(default_world(1, ()))
    async with server, asyncio.timeout(LIMIT_S):
        server.sim.faults.mute, server.sim.faults.error_answers = True, 1
        waits = asyncio.create_task(talk(server.http_url, request("getHealth")))
        while server.sim.faults.error_answers:  # until it was asked
            await asyncio.sleep(0)
    assert await asyncio.wait_for(waits, LIMIT_S) == b""


async def test_the_venue_of_sim_has_two_links_an_endpoint() -> None:
    """As `serve --sim` starts it: both links of every endpoint, the planned pools, the simulated Kraken's market."""
    plan = ChainPlan(
        chain_id=101, links=("rpc1", "rpc2"), pools=POOLS, multicall="", block_time_ns=400_000_000,
        stale_after_ns=5 * 10**9, native="SOL/USD", gas=GasModel.SOLANA, genesis=MAINNET,
    )  # fmt: skip
    specs = [VenueSpec(venue=SOLANA, depth=20, chain=plan), VenueSpec(venue=VENUE, depth=10)]
    told: list[str] = []
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        urls = await embed(specs, 1, stack, lambda text, _level: told.append(text))
        links = urls["dex_sol"]
        assert set(links) == {"rpc1", "rpc2", calls_of("rpc1"), calls_of("rpc2")}
        assert links["rpc1"].startswith("ws://") and links["rpc1.http"].startswith("http://")
        assert PUBLIC in urls["kraken"] and any("with 4 pools" in text for text in told)
        found = await talk(
            links["rpc2.http"], request("getAccountInfo", ORCA.address, {"encoding": "base64"}, last=True)
        )
        assert b"whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc" in found
