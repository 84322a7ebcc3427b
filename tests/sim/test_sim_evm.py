"""The simulated chain as a node: blocks, calls, logs, subscriptions, reorgs, snapshots, mistakes."""

import json
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evm.abi import Erc20, Multicall, V3Pool
from tests.sim.sim_evm_node import CHAIN_ID, Node, heads, logs, number

SECOND = 10**9


@pytest.fixture
def node() -> Node:
    return Node()


def in_bloom(bloom: str, item: str) -> bool:
    """The Yellow Paper's M3:2048, written again."""
    bits, digest = number(bloom), keccak(hexstr=item)
    return all(bits >> (int.from_bytes(digest[k : k + 2], "big") & 2047) & 1 for k in (0, 2, 4))


def test_every_block_points_at_its_parent_and_is_found_by_number_and_hash(node: Node) -> None:
    node.ask("evm_mine")
    node.ask("anvil_mine", 3)
    assert number(node.ask("eth_blockNumber")) == 4
    blocks = [node.ask("eth_getBlockByNumber", hex(height), False) for height in range(5)]
    assert [number(block["number"]) for block in blocks] == [0, 1, 2, 3, 4]
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
    assert len({block["hash"] for block in blocks}) == 5
    for block in blocks:
        assert node.ask("eth_getBlockByHash", block["hash"], False) == block
        assert len(block["hash"]) == len(block["stateRoot"]) == 66 and len(block["logsBloom"]) == 514
    assert node.ask("eth_getBlockByNumber", "0x5", False) is None
    assert node.ask("eth_getBlockByNumber", "latest", True) == blocks[-1]
    assert number(node.ask("eth_chainId")) == CHAIN_ID == int(node.ask("net_version"))


def test_a_block_holds_the_bloom_of_its_logs_and_nothing_else(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    receipt = node.swap(token0, token1, 10**9)
    block = node.ask("eth_getBlockByHash", receipt["blockHash"], True)
    assert block["transactions"][0]["hash"] == receipt["transactionHash"]
    items = {item for log in receipt["logs"] for item in (log["address"], *log["topics"])}
    assert len(items) > 6 and pool in items
    for item in items:
        assert in_bloom(block["logsBloom"], item)
        assert in_bloom(receipt["logsBloom"], item)
    assert not in_bloom(block["logsBloom"], node.at["trader"])
    assert bin(number(block["logsBloom"])).count("1") <= 3 * len(items)


def test_a_transaction_is_counted_paid_and_found(node: Node) -> None:
    token = node.token("AAA")
    before = number(node.ask("eth_getTransactionCount", node.me, "latest")), number(node.ask("eth_getBalance", node.me))
    other = node.ask("eth_accounts")[1]
    receipt = node.send(token, Erc20.transfer, other, 5)
    assert receipt["status"] == "0x1" and receipt["from"] == node.me and receipt["to"] == token
    sent = node.ask("eth_getTransactionByHash", receipt["transactionHash"])
    assert (sent["blockHash"], sent["input"][:10]) == (
        receipt["blockHash"],
        Erc20.transfer.selector.hex().join(("0x", "")),
    )
    assert number(node.ask("eth_getTransactionCount", node.me, "latest")) == before[0] + 1
    spent = number(receipt["gasUsed"]) * number(receipt["effectiveGasPrice"])
    assert number(node.ask("eth_getBalance", node.me)) == before[1] - spent > 0


def test_a_revert_says_why_and_a_failed_transaction_changes_nothing(node: Node) -> None:
    token, other = node.token("AAA"), node.ask("eth_accounts")[1]
    held = node.call(token, Erc20.balance_of, node.me)
    data = Erc20.transfer.encode(other, held + 1).to_0x_hex()
    answer = node.answer("eth_call", {"from": node.me, "to": token, "data": data}, "latest")["error"]
    assert answer["code"] == 3 and "exceeds balance" in answer["message"]
    assert answer["data"].startswith("0x08c379a0")
    code, message = node.error("eth_sendTransaction", {"from": node.me, "to": token, "data": data})
    assert code == 3 and "exceeds balance" in message
    sent = node.ask("eth_sendTransaction", {"from": node.me, "to": token, "data": data, "gas": "0x186a0"})
    receipt = node.ask("eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x0" and receipt["logs"] == []
    assert node.call(token, Erc20.balance_of, node.me) == held


def test_old_blocks_answer_with_their_own_state_until_it_is_forgotten(node: Node) -> None:
    token, other = node.token("AAA"), node.ask("eth_accounts")[1]
    start = node.call(token, Erc20.balance_of, other)
    receipts = [node.send(token, Erc20.transfer, other, 1) for _ in range(3)]
    for count, receipt in enumerate(receipts, 1):
        by_hash = {"blockHash": receipt["blockHash"], "requireCanonical": True}
        for tag in (by_hash, receipt["blockNumber"], {"blockNumber": receipt["blockNumber"]}):
            assert node.call(token, Erc20.balance_of, other, block=tag) == start + count
    node.ask("anvil_mine", 300)
    data = Erc20.balance_of.encode(other).to_0x_hex()
    assert node.error("eth_call", {"to": token, "data": data}, by_hash) == (-32000, "header not found")
    assert node.error("eth_call", {"to": token, "data": data}, "0xffffff") == (-32000, "header not found")
    assert node.call(token, Erc20.balance_of, other) == start + 3


def test_logs_are_found_by_address_topic_range_and_block(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    first = node.swap(token0, token1, 10**9)
    second = node.swap(token1, token0, 10**9)
    topic = V3Pool.swapped.topic.to_0x_hex()
    both = {"fromBlock": first["blockNumber"], "toBlock": "latest"}
    swaps = node.ask("eth_getLogs", {**both, "address": [pool, token0], "topics": [topic]})
    assert [log["transactionHash"] for log in swaps] == [first["transactionHash"], second["transactionHash"]]
    assert swaps == [log for receipt in (first, second) for log in receipt["logs"] if log["topics"][0] == topic]
    assert (
        node.ask("eth_getLogs", {"blockHash": second["blockHash"], "topics": [[topic, "0x" + 64 * "1"]]}) == swaps[1:]
    )
    assert len(node.ask("eth_getLogs", {**both, "address": token0})) == 2
    router = "0x" + node.at["v3_router"][2:].lower().rjust(64, "0")
    assert node.ask("eth_getLogs", {**both, "topics": [None, router]}) == swaps
    assert node.ask("eth_getLogs", {**both, "topics": [topic, None, None, topic]}) == []
    assert node.error("eth_getLogs", {"blockHash": "0x" + 64 * "0"})[0] == -32000
    assert node.error("eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x1"})[0] == -32602


def test_subscribers_get_heads_and_the_logs_they_asked_for(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    watcher, other = node.connect(), node.connect()
    watcher.subscribe("newHeads")
    name = watcher.subscribe("logs", {"address": pool})
    other.subscribe("logs", {"address": token1, "topics": [None, "0x" + 64 * "0"]})
    receipt = node.swap(token0, token1, 10**9)
    news = watcher.news()
    (head,) = heads(news)
    assert head["hash"] == receipt["blockHash"] and "transactions" not in head
    assert logs(news) == [log for log in receipt["logs"] if log["address"] == pool]
    assert other.news() == [], "nobody minted token 1"
    other.subscribe("newHeads")
    other.send('{"id":8,"method":"evm_mine"}')
    assert [frame.get("id") for frame in other.read()] == [8, None], "the answer comes before what it has set off"
    watcher.news()
    watcher.send(json.dumps({"id": 9, "method": "eth_unsubscribe", "params": [name]}))
    assert watcher.read() == [{"jsonrpc": "2.0", "id": 9, "result": True}]
    node.swap(token0, token1, 10**9)
    news = watcher.news()
    assert (len(heads(news)), len(logs(news))) == (1, 0)


def test_a_reorg_repeats_heights_takes_logs_back_and_restores_the_state(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    before = node.call(pool, V3Pool.slot0)
    watcher = node.connect()
    watcher.subscribe("newHeads")
    watcher.subscribe("logs", {"address": pool})
    receipts = [node.swap(token0, token1, 10**9), node.swap(token0, token1, 10**9)]
    seen = watcher.news()
    assert node.call(pool, V3Pool.slot0) != before
    node.ask("anvil_reorg", 2, [])
    news = watcher.news()
    assert [head["number"] for head in heads(news)] == [head["number"] for head in heads(seen)]
    assert not {head["hash"] for head in heads(news)} & {head["hash"] for head in heads(seen)}
    assert heads(news)[0]["parentHash"] == heads(seen)[0]["parentHash"]
    assert heads(news)[1]["parentHash"] == heads(news)[0]["hash"]
    assert logs(news) == [{**log, "removed": True} for log in reversed(logs(seen))]
    assert node.call(pool, V3Pool.slot0) == before
    assert node.ask("eth_getTransactionReceipt", receipts[0]["transactionHash"]) is None
    # the dropped block still has its state for whoever asks by hash, but is not canonical
    gone = {"blockHash": receipts[1]["blockHash"]}
    assert node.call(pool, V3Pool.slot0, block=gone) != before
    call = {"to": pool, "data": V3Pool.slot0.encode().to_0x_hex()}
    assert node.error("eth_call", call, {**gone, "requireCanonical": True})[0] == -32000
    assert node.error("anvil_reorg", 10_000, [])[0] == -32000
    node.ask("anvil_reorg", 2, [])
    again = heads(watcher.news())
    assert not {head["hash"] for head in again} & {head["hash"] for head in heads(news)}, "empty ones differ too"


def test_a_node_may_keep_removed_logs_to_itself_and_a_reorg_may_bring_others(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    watcher = node.connect()
    watcher.subscribe("logs", {})
    node.swap(token0, token1, 10**9)
    watcher.news()
    node.ask("sim_fault", "removed_logs", False)
    data = Erc20.transfer.encode(pool, 7).to_0x_hex()
    node.ask("anvil_reorg", 1, [[{"from": node.me, "to": token0, "data": data}, 0]])
    (log,) = watcher.news()
    assert (log["address"], log["removed"], number(log["data"])) == (token0, False, 7)


def test_a_snapshot_brings_everything_back_and_a_second_head_of_the_same_height(node: Node) -> None:
    pool, token0, token1 = node.v3_pool()
    snapshot = node.ask("evm_snapshot")
    before = node.call(pool, V3Pool.slot0), node.ask("eth_getBlockByNumber", "latest", True)
    one = node.swap(token0, token1, 10**9)
    assert node.ask("evm_revert", snapshot) is True
    assert (node.call(pool, V3Pool.slot0), node.ask("eth_getBlockByNumber", "latest", True)) == before
    assert node.ask("evm_revert", snapshot) is False, "it is used up"
    two = node.swap(token0, token1, 10**9)
    assert [log["data"] for log in two["logs"]] == [log["data"] for log in one["logs"]], "it began from the same state"
    assert one["blockNumber"] == two["blockNumber"] and one["blockHash"] != two["blockHash"]
    assert one["transactionHash"] != two["transactionHash"]
    assert node.ask("eth_getBlockByHash", two["blockHash"], False)["parentHash"] == before[1]["hash"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["swap", "back", "mine", "snapshot", "revert", "reorg"]), max_size=14))
def test_whatever_happens_the_chain_stays_one_chain(steps: list[str]) -> None:
    """Parents fit, numbers rise by one, and the head's state is what its own hash answers."""
    node = Node()
    pool, token0, token1 = node.v3_pool()
    floor, snapshots = number(node.ask("eth_blockNumber")), []
    for step in steps:
        match step:
            case "swap":
                node.swap(token0, token1, 10**8)
            case "back":
                node.swap(token1, token0, 10**8)
            case "mine":
                node.ask("evm_mine")
            case "snapshot":
                snapshots.append(node.ask("evm_snapshot"))
            case "revert" if snapshots:
                node.ask("evm_revert", snapshots.pop())
            case "reorg" if number(node.ask("eth_blockNumber")) > floor + 1:
                node.ask("anvil_reorg", 1, [])
                snapshots.clear()
        height = number(node.ask("eth_blockNumber"))
        blocks = [node.ask("eth_getBlockByNumber", hex(at), False) for at in range(floor, height + 1)]
        assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
        tag = {"blockHash": blocks[-1]["hash"], "requireCanonical": True}
        assert node.call(pool, V3Pool.slot0, block=tag) == node.call(pool, V3Pool.slot0)


def test_blocks_come_by_transaction_by_request_or_by_time(node: Node) -> None:
    token = node.token("AAA")
    height = number(node.ask("eth_blockNumber"))
    node.ask("evm_setAutomine", False)
    data = {"from": node.me, "to": token, "data": Erc20.transfer.encode(node.me, 1).to_0x_hex()}
    sent = [node.ask("eth_sendTransaction", data) for _ in range(2)]
    assert node.ask("eth_getTransactionReceipt", sent[0]) is None
    assert number(node.ask("eth_getTransactionCount", node.me, "pending")) == 2 + number(
        node.ask("eth_getTransactionCount", node.me, "latest")
    )
    node.ask("evm_mine")
    assert [node.ask("eth_getTransactionReceipt", each)["transactionIndex"] for each in sent] == ["0x0", "0x1"]
    node.ask("evm_setIntervalMining", 2)
    for _ in range(5):
        node.tick(SECOND)
    assert number(node.ask("eth_blockNumber")) == height + 1 + 3, "at once, and then every two seconds"
    head = node.ask("eth_getBlockByNumber", "latest", False)
    assert number(head["timestamp"]) == node.now_ns // SECOND
    node.ask("evm_setIntervalMining", 0)
    node.tick(100 * SECOND)
    assert number(node.ask("eth_blockNumber")) == height + 4


def test_equal_seeds_give_equal_chains_and_others_others() -> None:
    def hashes(seed: int) -> list[str]:
        node = Node(seed=seed)
        _, token0, token1 = node.v3_pool()
        receipts = [node.swap(token0, token1, 10**9 + k) for k in range(3)]
        return [value for receipt in receipts for value in (receipt["blockHash"], receipt["transactionHash"])]

    assert hashes(5) == hashes(5)
    assert not set(hashes(5)) & set(hashes(6))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700), ("\xff", -32700), ("[" * 5000, -32700), ("[]", -32600), ("3", -32600), ('"eth_chainId"', -32600),
        ('{"id":1}', -32600), ('{"id":1,"method":7}', -32600), ('{"id":1,"method":"eth_coinbase"}', -32601),
        ('{"id":1,"method":"eth_find"}', -32601), ('{"id":1,"method":"sim_"}', -32601),
        ('{"id":1,"method":"eth_call","params":{}}', -32602), ('{"id":1,"method":"eth_call"}', -32602),
        ('{"id":1,"method":"eth_call","params":[3]}', -32602),
        ('{"id":1,"method":"eth_call","params":[{"to":"0x12"}]}', -32602),
        ('{"id":1,"method":"eth_call","params":[{"to":"0xcA11bde05977b3631167028862bE2a173976CA11"},"0xzz"]}', -32602),
        ('{"id":1,"method":"eth_getBlockByNumber","params":[7]}', -32602),
        ('{"id":1,"method":"eth_getBlockByHash","params":["0x12"]}', -32602),
        ('{"id":1,"method":"eth_getLogs","params":[{"topics":"x"}]}', -32602),
        ('{"id":1,"method":"eth_getLogs","params":[{"address":[1]}]}', -32602),
        ('{"id":1,"method":"eth_subscribe","params":["newHeads"]}', -32601),
        ('{"id":1,"method":"anvil_reorg","params":[1,[1]]}', -32602),
        ('{"id":1,"method":"sim_fault","params":["no","1"]}', -32602),
        ('{"id":1,"method":"sim_fault","params":["lie_call","x"]}', -32602),
        ('{"id":1,"method":"sim_createToken","params":["A",256]}', -32602),
        ('{"id":1,"method":"eth_sendTransaction","params":[{}]}', -32000),
    ],
)  # fmt: skip
def test_a_mistake_gets_its_code_and_the_node_goes_on(node: Node, text: str, code: int) -> None:
    answer = node.sim.answer(text.encode("latin-1"), node.now_ns)
    assert answer is not None
    assert json.loads(answer)["error"]["code"] == code
    assert node.ask("eth_chainId") == hex(CHAIN_ID)


METHODS = (
    "eth_call", "eth_getLogs", "eth_getBlockByNumber", "eth_estimateGas", "eth_sendTransaction", "eth_feeHistory",
    "anvil_reorg", "evm_revert", "sim_fault", "sim_createToken", "evm_setAutomine",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_no_parameter_breaks_a_method(given_params: Any) -> None:
    node = Node()
    for name in METHODS:
        for params in ([given_params], [given_params, given_params], given_params):
            text = node.sim.answer(json.dumps({"id": 1, "method": name, "params": params}), node.now_ns)
            assert text is not None
            answer = json.loads(text)
            assert ("result" in answer) != ("error" in answer)


def test_a_batch_is_answered_in_order_and_notifications_are_not(node: Node) -> None:
    batch = [{"id": 1, "method": "eth_chainId"}, {"method": "eth_chainId"}, {"id": 2, "method": "nope"}, 5]
    text = node.sim.answer(json.dumps(batch), node.now_ns)
    assert text is not None
    answers = json.loads(text)
    assert [answer["id"] for answer in answers] == [1, 2, None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32601, -32600]
    assert node.sim.answer('{"method":"eth_chainId"}', node.now_ns) is None


def test_many_calls_in_one_with_some_that_fail(node: Node) -> None:
    token = node.token("AAA", 6)
    bad = Erc20.transfer.encode(node.at["trader"], 1)  # Multicall3 has none to send
    calls = [(token, True, Erc20.decimals.encode()), (token, True, bad), (node.me, False, b"")]
    answers = node.call(node.at["multicall"], Multicall.aggregate3, calls)
    assert [done for done, _ in answers] == [True, False, True]
    assert Erc20.decimals.decode(answers[0][1]) == (6,)
    data = Multicall.aggregate3.encode([(token, False, bad)]).to_0x_hex()
    assert node.error("eth_call", {"to": node.at["multicall"], "data": data}, "latest")[0] == 3
    assert node.ask("eth_getCode", token, "latest") != "0x" == node.ask("eth_getCode", node.me, "latest")
    height = number(node.ask("eth_blockNumber"))
    parent = node.ask("eth_getBlockByNumber", hex(height - 1), False)["hash"]
    assert node.call(node.at["multicall"], Multicall.block_number) == height
    assert node.call(node.at["multicall"], Multicall.block_hash, height - 1).hex() == parent[2:]
