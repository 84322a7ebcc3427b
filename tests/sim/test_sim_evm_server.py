"""The simulated chain over real sockets, with web3 as a stranger; every wait is for a message, bounded."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from web3 import AsyncHTTPProvider, AsyncWeb3, WebSocketProvider
from web3.exceptions import ContractLogicError
from web3.types import RPCEndpoint
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from runtime.chains import shipped
from runtime.sim.evm.server import EvmSimServer
from runtime.sim.evm.shipped import default_world
from tests.sim.sim_evm_node import Node

LIMIT_S = 20
HEADS = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'

ERC20: list[dict[str, Any]] = [
    {"type": "function", "name": "symbol", "stateMutability": "view", "inputs": [], "outputs": [{"type": "string"}]},
    {"type": "function", "name": "transfer", "stateMutability": "nonpayable",
     "inputs": [{"type": "address"}, {"type": "uint256"}], "outputs": [{"type": "bool"}]},
    {"type": "function", "name": "balanceOf", "stateMutability": "view",
     "inputs": [{"type": "address"}], "outputs": [{"type": "uint256"}]},
    {"type": "event", "name": "Transfer", "anonymous": False, "inputs": [
        {"name": "from", "type": "address", "indexed": True}, {"name": "to", "type": "address", "indexed": True},
        {"name": "value", "type": "uint256", "indexed": False}]},
]  # fmt: skip
POOL: list[dict[str, Any]] = [
    {"type": "function", "name": "slot0", "stateMutability": "view", "inputs": [], "outputs": [
        {"name": "sqrtPriceX96", "type": "uint160"}, {"name": "tick", "type": "int24"},
        {"name": "observationIndex", "type": "uint16"}, {"name": "observationCardinality", "type": "uint16"},
        {"name": "observationCardinalityNext", "type": "uint16"}, {"name": "feeProtocol", "type": "uint8"},
        {"name": "unlocked", "type": "bool"}]},
]  # fmt: skip


def fast_clock(step_ns: int = 50_000_000) -> Callable[[], int]:
    """A clock that moves 50 ms at each look, so that simulated seconds pass without waiting for them."""
    now_ns = 1_786_874_645_000_000_000

    def clock() -> int:
        nonlocal now_ns
        now_ns += step_ns
        return now_ns

    return clock


async def test_web3_reads_transacts_and_finds_its_logs_over_http() -> None:
    node = Node()
    token = node.token("AAA", 6)
    async with EvmSimServer(node.sim) as server:
        w3 = AsyncWeb3(AsyncHTTPProvider(server.http_url))
        try:
            assert await w3.is_connected()
            accounts = list(await w3.eth.accounts)
            contract = w3.eth.contract(address=w3.to_checksum_address(token), abi=ERC20)
            assert await contract.functions["symbol"]().call() == "AAA"
            sent = await contract.functions["transfer"](accounts[1], 77).transact({"from": accounts[0]})
            receipt = await w3.eth.wait_for_transaction_receipt(sent, timeout=LIMIT_S)
            assert receipt["status"] == 1
            events = list(contract.events["Transfer"]().process_receipt(receipt))
            assert [dict(event["args"]) for event in events] == [{"from": accounts[0], "to": accounts[1], "value": 77}]
            found = list(await contract.events["Transfer"]().get_logs(from_block=receipt["blockNumber"]))
            assert [log["transactionHash"] for log in found] == [sent]
            block = await w3.eth.get_block(receipt["blockHash"])
            assert block["transactions"] == [sent]
            with pytest.raises(ContractLogicError, match="exceeds balance"):
                await contract.functions["transfer"](accounts[1], 2**200).call({"from": accounts[0]})
            fees = await w3.eth.fee_history(2, "latest", [10.0])
            assert len(fees["baseFeePerGas"]) == 3
        finally:
            await w3.provider.disconnect()


async def test_web3_follows_heads_and_logs_over_a_websocket() -> None:
    node = Node()
    pool, token0, token1 = node.v3_pool()
    async with EvmSimServer(node.sim) as server, AsyncWeb3(WebSocketProvider(server.ws_url)) as w3:
        contract = w3.eth.contract(address=w3.to_checksum_address(pool), abi=POOL)
        before = await contract.functions["slot0"]().call()
        heads = await w3.eth.subscribe("newHeads")
        logs = await w3.eth.subscribe("logs", {"address": w3.to_checksum_address(pool)})
        receipt = node.swap(token0, token1, 10**9)
        news: dict[str, Any] = {}
        async with asyncio.timeout(LIMIT_S):
            async for message in w3.socket.process_subscriptions():
                news[str(message["subscription"])] = message["result"]
                if len(news) == 2:
                    break
        assert news[heads]["hash"].to_0x_hex() == receipt["blockHash"]
        assert news[logs]["blockHash"] == news[heads]["hash"]
        price = int.from_bytes(news[logs]["data"][64:96], "big")
        after = await contract.functions["slot0"]().call()
        assert after[0] == price != before[0]
        made = await w3.provider.make_request(RPCEndpoint("anvil_reorg"), [1, []])
        assert "error" not in made
        seen = []
        async with asyncio.timeout(LIMIT_S):
            async for message in w3.socket.process_subscriptions():
                seen.append(message["result"])
                if len(seen) == 2:
                    break
        removed = next(each for each in seen if "topics" in each)
        head = next(each for each in seen if "parentHash" in each)
        assert removed["removed"] is True and removed["blockHash"] == news[heads]["hash"]
        assert head["number"] == news[heads]["number"] and head["hash"] != news[heads]["hash"]
        assert await contract.functions["slot0"]().call() == before


async def heads_of(socket: ClientConnection, count: int) -> list[tuple[str, str]]:
    """(number, hash) of the next heads."""
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(LIMIT_S):
        while len(seen) < count:
            message = json.loads(await socket.recv())
            if message.get("method") == "eth_subscription":
                head = message["params"]["result"]
                seen.append((head["number"], head["hash"]))
    return seen


async def test_blocks_come_by_the_clock_and_every_client_sees_the_same() -> None:
    world = default_world(1, shipped("arbitrum"))
    async with (
        EvmSimServer(world, clock=fast_clock()) as server,
        connect(server.ws_url) as one,
        connect(server.ws_url) as two,
    ):
        for socket in (one, two):
            await socket.send(HEADS)
        first, second = await heads_of(one, 8), await heads_of(two, 8)
        heights = [int(number, 16) for number, _ in first]
        assert heights == list(range(heights[0], heights[0] + 8))
        assert len(set(first) & set(second)) >= 6


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on() -> None:
    node = Node()

    async def until_cut(deaf: ClientConnection, other: ClientConnection) -> None:
        while True:
            await other.send('{"id":2,"method":"anvil_mine","params":[20]}')
            for _ in range(21):
                await other.recv()
            await deaf.send('{"id":3,"method":"eth_chainId"}')

    async with (
        EvmSimServer(node.sim, queue_frames=50) as server,
        connect(server.ws_url, max_queue=1) as deaf,
        connect(server.ws_url) as other,
    ):
        for socket in (deaf, other):
            await socket.send(HEADS)
            await socket.recv()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(until_cut(deaf, other), LIMIT_S)
        await other.send('{"id":4,"method":"eth_chainId"}')
        assert json.loads(await other.recv())["id"] == 4


async def test_a_connection_is_closed_on_demand() -> None:
    async with EvmSimServer(Node().sim) as server, connect(server.ws_url) as socket:
        await socket.send('{"id":1,"method":"sim_fault","params":["close",true]}')
        await asyncio.wait_for(socket.wait_closed(), LIMIT_S)
        assert socket.close_code == 1001


async def post(url: str, request: bytes) -> bytes:
    """Raw bytes to the HTTP port, and all that comes back."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    writer.write_eof()
    async with asyncio.timeout(LIMIT_S):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_bytes", "begins"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"HTTP/1.1 413"),
        (b"POST / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 400"),
        (b"\x16\x03\x01\x02\x00\r\n", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\n{", b""),
        (b"POST / HTTP/1.1\r\n" + b"a: " + 100_000 * b"b" + b"\r\n\r\n", b"HTTP/1.1 4"),
        (b'POST / HTTP/1.1\r\nContent-Length: 31\r\n\r\n{"id":5,"method":"eth_chainId"}', b"HTTP/1.1 200"),
    ],
)
async def test_the_http_port_survives_whatever_comes(request_bytes: bytes, begins: bytes) -> None:
    async with EvmSimServer(Node().sim) as server:
        answer = await post(server.http_url, request_bytes)
        assert answer.startswith(begins) if begins else answer == b""
        good = b'POST / HTTP/1.1\r\nContent-Length: 31\r\n\r\n{"id":6,"method":"eth_chainId"}'
        assert json.loads((await post(server.http_url, good)).partition(b"\r\n\r\n")[2])["result"] == "0xa4b1"


async def test_a_taken_port_is_an_oserror_and_a_stopped_server_has_no_address() -> None:
    async with EvmSimServer(Node().sim) as server:
        taken = int(server.http_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            await EvmSimServer(Node().sim, http_port=taken).__aenter__()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.ws_url
