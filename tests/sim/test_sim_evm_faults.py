"""What goes wrong at the simulated node: each fault does what it says, and ends when it is switched off."""

import pytest

from runtime.sim.frames import Close
from tests.evm.abi import Multicall, Quoter, V3Pool
from tests.sim.sim_evm_node import Node, heads, logs, number

SECOND = 10**9


@pytest.fixture
def node() -> Node:
    return Node()


def test_lies_are_off_by_one_unit_inside_multicall_too(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    truth = node.call(pool, V3Pool.slot0)
    asked = (token0, token1, 10**9, 3000, 0)
    quoted = node.call(node.at["v3_quoter"], Quoter.quote_in, asked)
    node.ask("sim_fault", "lie_call", 1)
    assert node.call(pool, V3Pool.slot0) == (truth[0] + 1, *truth[1:])
    assert node.call(node.at["v3_quoter"], Quoter.quote_in, asked)[0] == quoted[0] + 1
    many = node.call(node.at["multicall"], Multicall.aggregate3, [(pool, False, V3Pool.slot0.encode())])
    assert V3Pool.slot0.decode(many[0][1])[0] == truth[0] + 1
    node.ask("sim_fault", "lie_call", 0)
    assert node.call(pool, V3Pool.slot0) == truth


def test_lies_in_logs_and_about_the_height(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    node.ask("sim_fault", "lie_logs", 1)
    receipt = node.swap(token0, token1, 10**9)
    (log,) = node.ask("eth_getLogs", {"blockHash": receipt["blockHash"], "address": pool})
    truth = node.call(pool, V3Pool.slot0)[0]
    assert int(log["data"][2 + 2 * 64 : 2 + 3 * 64], 16) == truth + 1
    node.ask("sim_fault", "lie_height", 5)
    assert number(node.ask("eth_blockNumber")) == number(receipt["blockNumber"]) + 5


def test_news_is_dropped_skipped_and_stalled(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    watcher = node.connect()
    watcher.subscribe("newHeads")
    watcher.subscribe("logs", {"address": pool})
    counts = []
    for name, value in (("drop_logs", 1), ("skip_heads", 1), ("stall_heads", True), ("stall_heads", False)):
        node.ask("sim_fault", name, value)
        node.swap(token0, token1, 10**9)
        news = watcher.news()
        counts.append((len(heads(news)), len(logs(news))))
    assert counts == [(1, 0), (0, 1), (0, 1), (1, 1)]


def test_errors_refusals_silence_delay_and_goodbye(node: Node) -> None:
    node.ask("sim_fault", "error_answers", 2)
    assert [node.answer("eth_chainId").get("error", {}).get("code") for _ in range(3)] == [-32005, -32005, None]
    node.ask("sim_fault", "refuse_block_hash", True)
    head = node.ask("eth_getBlockByNumber", "latest", False)["hash"]
    call = {"to": node.at["multicall"], "data": "0x"}
    assert node.error("eth_call", call, {"blockHash": head})[0] == -32602
    assert node.error("eth_getLogs", {"blockHash": head})[0] == -32602
    client = node.connect()
    node.ask("sim_fault", "mute", True)
    client.send('{"id":1,"method":"eth_chainId"}')
    assert client.frames() == []
    node.ask("sim_fault", "mute", False)
    node.ask("sim_fault", "delay_ms", 1500)
    client.send('{"id":2,"method":"eth_chainId"}')
    assert client.frames() == []
    node.tick(SECOND)
    assert client.frames() == []
    node.tick(SECOND)
    assert [frame["id"] for frame in client.read()] == [2]
    client.send('{"id":3,"method":"eth_chainId"}')
    node.ask("sim_fault", "delay_ms", 0)
    client.send('{"id":4,"method":"eth_chainId"}')
    assert client.frames() == [], "nothing overtakes"
    node.tick(2 * SECOND)
    assert [frame["id"] for frame in client.read()] == [3, 4]
    node.ask("sim_fault", "close", True)
    assert client.frames() == [Close(1001, "going away")]
    assert client.frames() == []
