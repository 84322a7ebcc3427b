"""The simulated Solana's node: answers, views, errors, subscriptions. solders' own types read every answer."""

import base64
import json
import struct
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.rpc import responses

from connectors.base58 import decoded
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.keys import MAINNET
from runtime.sim.solana.ledger import FIRST_SLOT
from tests.sim.sim_solana_node import CLOCK, NOBODY, ORCA, POOLS, RAYDIUM, SOL, USDC, Node

B64 = {"encoding": "base64"}
PROCESSED = {"encoding": "base64", "commitment": "processed"}


@pytest.fixture(scope="module")
def node() -> Node:
    made = Node(POOLS)
    made.slots(50)
    return made


def parsed(node: Node, kind: Any, method: str, *params: Any) -> Any:
    """An answer as solders reads it; it must be no error."""
    found = kind.from_json(json.dumps(node.answer(method, *params)))
    assert isinstance(found, kind), found
    return found


def notified(frame: dict[str, Any]) -> Any:
    """A notification as solders reads it."""
    (found,) = responses.parse_websocket_message(json.dumps(frame))
    return found


def test_solders_reads_every_answer(node: Node) -> None:
    head = node.head.slot
    vault = node.ask("getProgramAccounts", "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", {**B64, "filters": [
        {"dataSize": 165}, {"memcmp": {"offset": 0, "bytes": SOL.address}}]})[0]["pubkey"]  # fmt: skip
    account = parsed(node, responses.GetAccountInfoResp, "getAccountInfo", ORCA.address, PROCESSED)
    assert account.context.slot == head and len(account.value.data) == 653
    assert str(account.value.owner) == "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
    several = parsed(
        node, responses.GetMultipleAccountsResp, "getMultipleAccounts", [RAYDIUM.address, NOBODY, CLOCK], PROCESSED
    )
    assert [each and len(each.data) for each in several.value] == [1544, None, 40]
    assert parsed(node, responses.GetSlotResp, "getSlot", {"commitment": "processed"}).value == head
    assert str(parsed(node, responses.GetGenesisHashResp, "getGenesisHash").value) == MAINNET
    assert parsed(node, responses.GetVersionResp, "getVersion").value.solana_core == "2.1.0"
    assert parsed(node, responses.GetBalanceResp, "getBalance", ORCA.address).value > 0
    balance = parsed(node, responses.GetTokenAccountBalanceResp, "getTokenAccountBalance", vault)
    assert balance.value.decimals == 9 and int(balance.value.amount) > 10**12
    assert parsed(node, responses.GetLatestBlockhashResp, "getLatestBlockhash").value.last_valid_block_height > head
    epoch = parsed(node, responses.GetEpochInfoResp, "getEpochInfo", {"commitment": "processed"}).value
    assert (epoch.absolute_slot, epoch.slots_in_epoch) == (head, 432_000)
    assert parsed(node, responses.GetBlockTimeResp, "getBlockTime", head).value == node.now_ns // 10**9
    fees = parsed(node, responses.GetRecentPrioritizationFeesResp, "getRecentPrioritizationFees", [ORCA.address]).value
    assert [each.slot for each in fees] == [bank.slot for bank in node.sim.banks]
    assert any(each.prioritization_fee for each in fees) and not all(each.prioritization_fee for each in fees)
    assert parsed(node, responses.GetIdentityResp, "getIdentity").value != Pubkey.default()
    assert parsed(node, responses.GetBlockHeightResp, "getBlockHeight", {"commitment": "processed"}).value == head
    assert node.ask("getHealth") == "ok"


def test_three_views_of_one_chain(node: Node) -> None:
    slots = {name: node.ask("getSlot", {"commitment": name}) for name in ("processed", "confirmed", "finalized")}
    assert slots["processed"] == node.head.slot == FIRST_SLOT + 50
    assert 1 <= slots["processed"] - slots["confirmed"] <= 2
    assert slots["processed"] - slots["finalized"] == 32
    assert node.ask("getSlot") == slots["finalized"], "what a node takes when nothing is said"
    for name, slot in slots.items():
        at, accounts = node.read([CLOCK, ORCA.address], name)
        clock = accounts[CLOCK]
        assert clock is not None and at == slot
        said, _, epoch, next_epoch, unix_s = struct.unpack("<QqQQq", clock.data)
        assert (said, epoch, next_epoch) == (slot, slot // 432_000, slot // 432_000 + 1)
        assert unix_s == node.ask("getBlockTime", slot)


def test_a_view_never_goes_back_while_nobody_forks() -> None:
    node, seen = Node(), dict.fromkeys(("processed", "confirmed", "finalized"), 0)
    lags = set()
    for _ in range(60):
        node.slots()
        for name, last in seen.items():
            seen[name] = node.ask("getSlot", {"commitment": name})
            assert seen[name] >= last
        lags.add(seen["processed"] - seen["confirmed"])
    assert lags == {1, 2}


def test_encodings_and_slices(node: Node) -> None:
    key, whole = ORCA.address, base64.b64decode(node.ask("getAccountInfo", ORCA.address, B64)["value"]["data"][0])

    def data(**asked: Any) -> Any:
        return node.ask("getAccountInfo", key, asked)["value"]["data"]

    packed, name = data(encoding="base64+zstd")
    assert name == "base64+zstd" and zstandard.decompress(base64.b64decode(packed)) == whole
    part = data(encoding="base64", dataSlice={"offset": 49, "length": 36})
    assert base64.b64decode(part[0]) == whole[49:85]
    assert data(encoding="base64", dataSlice={"offset": 10_000, "length": 1})[0] == ""
    text, name = data(encoding="base58", dataSlice={"offset": 0, "length": 40})
    assert name == "base58" and decoded(text) == whole[:40]
    legacy = node.ask("getAccountInfo", CLOCK)["value"]["data"]
    assert isinstance(legacy, str) and len(decoded(legacy)) == 40
    assert node.error("getAccountInfo", key) == (
        -32600, "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
    )  # fmt: skip
    assert node.ask("getAccountInfo", key, B64)["value"]["space"] == 653
    assert node.ask("getAccountInfo", NOBODY, B64)["value"] is None
    nulls = {**B64, "commitment": None, "dataSlice": None, "minContextSlot": None}  # as solders writes them
    assert node.ask("getAccountInfo", key, nulls) == node.ask("getAccountInfo", key, B64)


def test_a_slot_that_is_not_there_yet(node: Node) -> None:
    """minContextSlot is answered from the view that was asked for, or refused with where that view is."""
    for method, first in (("getAccountInfo", CLOCK), ("getMultipleAccounts", [CLOCK]), ("getBalance", CLOCK)):
        for commitment in ("processed", "confirmed", "finalized"):
            at = node.ask("getSlot", {"commitment": commitment})
            asked = {"encoding": "base64", "commitment": commitment, "minContextSlot": at}
            assert node.ask(method, first, asked)["context"]["slot"] == at
            answer = node.answer(method, first, asked | {"minContextSlot": at + 1})
            assert answer["error"] == {
                "code": -32016, "message": "Minimum context slot has not been reached", "data": {"contextSlot": at}
            }  # fmt: skip
            read = responses.GetAccountInfoResp.from_json(json.dumps(answer))
            assert type(read).__name__ == "MinContextSlotNotReachedMessage"
    assert node.error("getSlot", {"minContextSlot": node.head.slot})[0] == -32016


@pytest.mark.parametrize(
    ("method", "params", "code", "says"),
    [
        ("getMultipleAccounts", [[CLOCK] * 101], -32602, "Too many inputs provided; max 100"),
        ("getMultipleAccounts", [CLOCK], -32602, "expected a sequence"),
        ("getMultipleAccounts", [[CLOCK], {"commitment": "sure"}], -32602, "Invalid enum value 'sure'"),
        ("getMultipleAccounts", [[CLOCK], {"encoding": "jsonParsed"}], -32602, "jsonParsed"),
        ("getMultipleAccounts", [[CLOCK], {"minContextSlot": "1"}], -32602, "Expected `int`"),
        ("getAccountInfo", [CLOCK, {"dataSlice": {"offset": -1, "length": 1}}], -32602, ">= 0"),
        ("getMultipleAccounts", [[CLOCK], {"minContextSlot": -1}], -32602, ">= 0"),
        ("getAccountInfo", ["2uoKb"], -32602, "Invalid param: WrongSize"),
        ("getAccountInfo", ["0OIl"], -32602, "Invalid param: Invalid"),
        ("getAccountInfo", [7], -32602, "expected a string"),
        ("getAccountInfo", [], -32602, "`params` should have at least 1 argument"),
        ("getTokenAccountBalance", [NOBODY], -32602, "Invalid param: could not find account"),
        ("getTokenAccountBalance", [ORCA.address], -32602, "Invalid param: not a Token account"),
        ("getBlockTime", [1], -32004, "Block not available for slot 1"),
        ("getBlockTime", [-1], -32602, "expected u64"),
        ("getProgramAccounts", [NOBODY, {"filters": [{"dataSize": 1}] * 5}], 0, ""),
        ("getWealth", [], -32601, "Method not found"),
        ("accountSubscribe", [CLOCK], -32601, "Method not found"),
        ("sim_fault", ["nothing", 1], -32602, "no fault 'nothing'; there are drop_notifications"),
        ("sim_fault", ["behind", -1], -32602, "takes no number below 0"),
        ("sim_fault", ["mute", "perhaps"], -32602, "takes true or false"),
        ("sim_fault", ["stale", "x"], -32602, "takes an integer"),
        ("sim_setAccount", [CLOCK, {"owner": NOBODY}], -32602, "an account is"),
        ("sim_setAccount", [CLOCK, {"owner": NOBODY, "data": ["", "hex"]}], -32602, "the encoding is hex"),
        ("sim_slot", [10**6], -32602, "1000 at most"),
    ],
)
def test_a_mistake_is_answered_with_the_nodes_error(
    node: Node, method: str, params: list[Any], code: int, says: str
) -> None:
    if not code:
        assert node.ask(method, *params) == [], "a program without accounts has none to filter"
        return
    found, message = node.error(method, *params)
    assert found == code and says in message


def test_what_is_no_request(node: Node) -> None:
    def told(text: str) -> Any:
        return json.loads(node.sim.post(text, node.now_ns).body)

    assert told("{")["error"] == {"code": -32700, "message": "Parse error"}
    assert told("7")["error"] == {"code": -32600, "message": "Invalid request"}
    assert told("[]")["error"] == {"code": -32600, "message": "Invalid request"}
    assert told('{"method": "getSlot", "params": {}, "id": 3}')["result"]
    assert told('{"method": "getSlot", "params": {"a": 1}, "id": 3}')["error"]["code"] == -32602
    assert node.sim.post('{"method": "getSlot"}', node.now_ns).body == "", "a notification has no answer"
    batch = told('[{"method": "getSlot", "id": 1}, {"method": "x", "id": 2}, {"method": "getSlot"}]')
    assert [each["id"] for each in batch] == [1, 2] and batch[1]["error"]["code"] == -32601


WORDS = st.sampled_from([CLOCK, ORCA.address, NOBODY, "base64", "processed", "", "mute", "rollback"])
NAMES = st.sampled_from(
    ["encoding", "commitment", "dataSlice", "filters", "offset", "owner", "data", "memcmp", "bytes"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
METHODS = (
    "getAccountInfo", "getMultipleAccounts", "getProgramAccounts", "getBalance", "getTokenAccountBalance", "getSlot",
    "getBlockTime", "getRecentPrioritizationFees", "getEpochInfo", "accountSubscribe", "accountUnsubscribe",
    "programSubscribe", "slotUnsubscribe", "sim_setAccount", "sim_fault", "find", "get", "", "__init__",
)  # fmt: skip


@given(st.sampled_from(METHODS), VALUES)
def test_no_client_can_break_it(method: str, params: Any) -> None:
    """Whatever is asked at either port is answered with one result or one error, and the next slot comes."""
    node = Node((ORCA,))
    client = node.connect()
    text = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    answer = json.loads(node.sim.post(text, node.now_ns).body)
    assert ("result" in answer) != ("error" in answer) and answer["id"] == 7
    node.sim.faults = SolanaFaults()
    client.send(text)
    assert [("result" in frame) != ("error" in frame) for frame in client.frames()] == [True]
    head = node.head.slot
    node.slots()
    assert node.head.slot == head + 1


@given(st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_no_bytes_can_break_it(data: bytes) -> None:
    node = Node()
    client = node.connect()
    assert node.sim.post(data, node.now_ns).status == 200
    node.sim.receive(client.connection, data, node.now_ns)


def test_a_programs_accounts_by_size_and_bytes(node: Node) -> None:
    def keys(program: str, *filters: Any) -> list[str]:
        return [each["pubkey"] for each in node.ask("getProgramAccounts", program, {**B64, "filters": filters})]

    raydium = "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"
    assert set(keys(raydium, {"dataSize": 1544})) == {plan.address for plan in POOLS[1:]}
    pair = [{"memcmp": {"offset": 73, "bytes": SOL.address}}, {"memcmp": {"offset": 105, "bytes": USDC.address}}]
    assert set(keys(raydium, {"dataSize": 1544}, *pair)) == {POOLS[1].address, POOLS[3].address}
    packed = base64.b64encode(bytes(Pubkey.from_string(USDC.address))).decode()
    same = {"memcmp": {"offset": 105, "bytes": packed, "encoding": "base64"}}
    assert set(keys(raydium, {"dataSize": 1544}, same)) == {POOLS[1].address, POOLS[3].address}
    arrays = keys(raydium, {"dataSize": 10240}, {"memcmp": {"offset": 8, "bytes": RAYDIUM.address}})
    assert len(arrays) > 10
    asked = {**B64, "filters": [{"dataSize": 653}], "withContext": True}
    told = node.ask("getProgramAccounts", "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", asked)
    assert [each["pubkey"] for each in told["value"]] == [ORCA.address] and told["context"]["slot"]
    five = {**B64, "filters": [{"dataSize": 1}] * 5}
    assert node.error("getProgramAccounts", raydium, five) == (-32602, "Too many filters provided; max 4")
    wrong = {**B64, "filters": [{"memcmp": {"offset": 0, "bytes": "0"}}]}
    assert "memcmp" in node.error("getProgramAccounts", raydium, wrong)[1]


def test_subscriptions_tell_what_a_read_at_that_slot_says() -> None:
    """The contract of the whole: an account's notification and a read of the same slot say the same."""
    node = Node(POOLS)
    client = node.connect()
    watched = {}
    for commitment in ("processed", "confirmed", "finalized"):
        for plan in POOLS:
            watched[client.subscribe(plan.address, commitment)] = plan.address, commitment
    told: dict[str, int] = {}
    for _ in range(60):
        node.slots()
        for frame in client.frames():
            read = notified(frame)
            key, commitment = watched[read.subscription]
            slot, accounts = node.read([key], commitment)
            account = accounts[key]
            assert account is not None and (slot, account.data) == (read.result.context.slot, read.result.value.data)
            told[commitment] = told.get(commitment, 0) + 1
    assert told["processed"] > 60 and told["confirmed"] > 50 and 0 < told["finalized"] < told["confirmed"]


def test_slots_are_told_with_parent_and_root() -> None:
    node = Node()
    client = node.connect()
    number = client.call("slotSubscribe")["result"]
    node.slots(40)
    frames = client.frames()
    infos = [notified(frame).result for frame in frames]
    first = node.head.slot - 39
    assert [(info.slot, info.parent) for info in infos] == [(first + each, first + each - 1) for each in range(40)]
    assert infos[-1].root == infos[-1].slot - 32 and infos[0].root == FIRST_SLOT
    assert {frame["params"]["subscription"] for frame in frames} == {number}
    assert client.call("slotUnsubscribe", number)["result"] is True
    node.slots(3)
    assert client.frames() == []
    assert client.call("slotUnsubscribe", number)["error"] == {"code": -32602, "message": "Invalid subscription id."}


def test_a_subscription_begins_with_the_next_change_and_ends_when_told() -> None:
    node = Node(POOLS)
    client, other = node.connect(), node.connect()
    number = client.subscribe(CLOCK)
    assert client.news() == [], "what is there already is not told"
    node.slots(2)
    assert [slot for slot, _ in client.news()] == [node.head.slot - 1, node.head.slot]
    assert other.frames() == []
    assert client.call("accountUnsubscribe", number)["result"] is True
    node.slots(2)
    assert client.frames() == []
    node.sim.disconnect(client.connection)
    node.slots()


def test_the_websocket_knows_subscriptions_and_nothing_else(node: Node) -> None:
    client = node.connect()
    for method in ("getMultipleAccounts", "getSlot", "sim_fault", "logsSubscribe", "signatureUnsubscribe"):
        assert client.call(method, [CLOCK])["error"] == {"code": -32601, "message": "Method not found"}
    assert client.call("accountSubscribe", "short")["error"]["code"] == -32602
    client.send("{")
    assert client.frames()[0]["error"]["code"] == -32700


def test_a_program_is_watched_account_by_account() -> None:
    node = Node((ORCA, RAYDIUM))
    client = node.connect()
    program = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
    client.call("programSubscribe", program, {**PROCESSED, "filters": [{"dataSize": 653}]})
    node.slots(20)
    frames = client.frames()
    read = [notified(frame).result for frame in frames]
    assert {str(each.value.pubkey) for each in read} == {ORCA.address} and len(read) > 3


def test_an_account_from_outside_comes_with_the_next_slot_and_goes() -> None:
    node = Node()
    client = node.connect()
    key = RAYDIUM.address
    client.subscribe(key)
    account = {"owner": NOBODY, "data": [base64.b64encode(b"hello").decode(), "base64"]}
    assert node.ask("sim_setAccount", key, account)
    assert node.read([key])[1][key] is None
    node.slots()
    found = node.read([key])[1][key]
    assert found is not None and found.data == b"hello" and client.news() == [(node.head.slot, b"hello")]
    node.ask("sim_setAccount", key, None)
    assert node.ask("sim_slot", 2) == node.head.slot
    assert node.read([key])[1][key] is None
    assert client.news() == [(node.head.slot - 1, b"")], "one that is gone is told as an empty one"


def test_equal_seeds_are_equal_frames() -> None:
    def frames(seed: int) -> list[dict[str, Any]]:
        node = Node(POOLS, seed=seed)
        client = node.connect()
        client.call("slotSubscribe")
        for plan in POOLS:
            client.subscribe(plan.address)
        node.slots(25)
        return client.frames()

    one = frames(5)
    assert len(one) > 40 and one == frames(5)
    assert one != frames(6)
