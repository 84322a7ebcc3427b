"""Every fault of the simulated Solana, switched on, seen and switched off again."""

import json
from typing import Any

import pytest

from connectors.errors import PoolRefused
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.keys import MAINNET
from tests.sim.sim_solana_node import CLOCK, ORCA, POOLS, RAYDIUM, Client, Node


@pytest.fixture
def node() -> Node:
    made = Node(POOLS, seed=3)
    made.slots(40)
    return made


@pytest.fixture
def client(node: Node) -> Client:
    made = node.connect()
    made.subscribe(CLOCK)
    return made


def slots_told(client: Client) -> list[int]:
    return [slot for slot, _ in client.news()]


def test_drop_notifications(node: Node, client: Client) -> None:
    node.fault("drop_notifications", 2)
    node.slots(3)
    assert slots_told(client) == [node.head.slot]
    assert node.sim.faults.drop_notifications == 0


def test_late_notifications(node: Node, client: Client) -> None:
    first = node.head.slot + 1
    node.fault("late_notifications", 600)
    node.slots(4)
    node.tick(200_000_000)
    assert slots_told(client) == [first + 1, first, first + 3, first + 2], "each second one overtakes the one before"


def test_duplicate(node: Node, client: Client) -> None:
    node.fault("duplicate", True)
    node.slots(2)
    assert slots_told(client) == [node.head.slot - 1] * 2 + [node.head.slot] * 2


def test_stale(node: Node, client: Client) -> None:
    node.fault("stale", 5)
    node.slots()
    (now, new), (then, old) = client.news()
    assert (now, then) == (node.head.slot, node.head.slot - 5)
    assert (int.from_bytes(new[:8], "little"), int.from_bytes(old[:8], "little")) == (now, then), "its own data again"


def test_rollback(node: Node, client: Client) -> None:
    head = node.head.slot
    node.fault("rollback", 2)
    node.slots(4)
    assert slots_told(client) == [head + 2, head + 3, head + 1, head + 4]
    node.fault("rollback", 1_000)
    node.slots(33)
    assert node.head.slot == head + 5, "32 slots at most, then the chain goes on"


@pytest.mark.parametrize("ppm", [5_000, -5_000])
@pytest.mark.parametrize("plan", POOLS, ids=lambda plan: plan.address[:6])
def test_lie_price(node: Node, plan: Any, ppm: int) -> None:
    """A lie that no check of one node's answers can see: the venue reads it as a pool like any other."""
    honest = node.state(plan, around=1_000)
    node.fault("lie_price", ppm)
    lied = node.state(plan, around=1_000)
    ratio = lied.sqrt_price_x64**2 * 10**6 // honest.sqrt_price_x64**2
    assert abs(ratio - 10**6 - ppm) <= 1
    assert lied.ticks.problem(lied.tick, lied.liquidity) == "" or plan is ORCA
    node.fault("lie_price", 0)
    assert node.state(plan, around=1_000) == honest


def test_lie_price_in_notifications(node: Node) -> None:
    client = node.connect()
    client.subscribe(ORCA.address)
    node.fault("lie_price", 5_000)
    told: list[tuple[int, bytes]] = []
    while not told:
        node.slots()
        told = client.news()
    (slot, data) = told[-1]
    read_slot, accounts = node.read([ORCA.address])
    account, kept = accounts[ORCA.address], node.head.account(ORCA.address)
    assert account is not None and (slot, data) == (read_slot, account.data)
    assert kept is not None and kept.data != data


def test_truncate_data(node: Node) -> None:
    node.fault("truncate_data", 4)
    _, accounts = node.read([ORCA.address, CLOCK])
    assert [len(account.data) for account in accounts.values() if account] == [649, 40]
    with pytest.raises(PoolRefused):
        node.state(ORCA)


def test_foreign_owner(node: Node) -> None:
    node.fault("foreign_owner", True)
    account = node.read([RAYDIUM.address])[1][RAYDIUM.address]
    assert account is not None and account.owner == "11111111111111111111111111111111"
    with pytest.raises(PoolRefused, match="111111"):
        node.state(RAYDIUM)


def test_close(node: Node, client: Client) -> None:
    node.fault("close", True)
    assert client.frames() == [{"close": 1001}]
    assert node.sim.faults.close is False
    node.slots()
    assert slots_told(client) == [node.head.slot], "whoever keeps the socket open hears more"


def test_mute(node: Node, client: Client) -> None:
    node.fault("mute", True)
    node.slots(3)
    assert client.frames() == []
    node.fault("mute", False)
    node.slots()
    assert slots_told(client) == [node.head.slot], "what was not said is lost"


def test_delay_ms(node: Node, client: Client) -> None:
    node.fault("delay_ms", 600)
    node.slots()
    node.tick(599_000_000)
    assert client.frames() == []  # the second slot has come by then, too, and waits as well
    node.fault("delay_ms", 0)
    node.tick(1_000_000)
    assert slots_told(client) == [node.head.slot - 1]
    node.tick(598_000_000)
    assert client.frames() == []
    node.tick(1_000_000)
    assert slots_told(client) == [node.head.slot - 1, node.head.slot], "the last has no delay, and overtakes nothing"


def test_error_answers(node: Node) -> None:
    node.fault("error_answers", 2)
    assert node.ask("sim_slot") == node.head.slot, "control methods never suffer"
    for request in ({"method": "getSlot", "id": 9}, [{"method": "getSlot", "id": 9}]):
        reply = node.sim.post(json.dumps(request), node.now_ns)
        assert (reply.status, reply.retry_s) == (429, 1)
        assert json.loads(reply.body)["error"]["code"] == 429 and json.loads(reply.body)["id"] == 9
    assert node.ask("getSlot")


def test_behind(node: Node) -> None:
    head = node.head.slot
    node.fault("behind", 10)
    assert node.ask("getSlot", {"commitment": "processed"}) == head - 10
    assert node.answer("getHealth")["error"] == {
        "code": -32005, "message": "Node is behind by 10 slots", "data": {"numSlotsBehind": 10}
    }  # fmt: skip
    asked = {"encoding": "base64", "commitment": "processed", "minContextSlot": head - 9}
    assert node.error("getAccountInfo", CLOCK, asked)[0] == -32016
    slot, accounts = node.read([CLOCK])
    clock = accounts[CLOCK]
    assert slot == head - 10 and clock is not None and int.from_bytes(clock.data[:8], "little") == slot
    node.fault("behind", 10_000)
    assert node.ask("getSlot"), "as far as anybody remembers"
    node.fault("behind", 0)
    assert node.ask("getHealth") == "ok"


def test_stall_slots(node: Node, client: Client) -> None:
    head = node.head.slot
    node.fault("stall_slots", True)
    node.slots(5)
    assert slots_told(client) == [] and node.ask("getSlot", {"commitment": "processed"}) == head
    assert node.error("getHealth") == (-32005, "Node is behind by 5 slots")
    node.fault("stall_slots", False)
    node.slots()
    assert slots_told(client) == [node.head.slot] == [head + 6]


def test_genesis(node: Node) -> None:
    assert node.ask("getGenesisHash") == MAINNET
    node.fault("genesis", True)
    assert node.ask("getGenesisHash") not in ("", MAINNET)


def test_frozen_context(node: Node, client: Client) -> None:
    head = node.head.slot
    node.fault("frozen_context", True)
    node.slots(2)
    (first, _), (second, data) = client.news()
    assert first == second == head and int.from_bytes(data[:8], "little") == head + 2


def test_context_lag(node: Node) -> None:
    node.fault("context_lag", 1)
    slot, accounts = node.read([CLOCK])
    clock = accounts[CLOCK]
    assert clock is not None and int.from_bytes(clock.data[:8], "little") == slot + 1 == node.head.slot


def test_every_fault_has_its_test() -> None:
    missing = {name for name in SolanaFaults.__struct_fields__ if f"test_{name}" not in globals()}
    assert not missing


def test_text_from_a_command_line_is_read_as_the_faults_type() -> None:
    faults = SolanaFaults()
    for name, text in (("mute", "true"), ("behind", "12"), ("lie_price", "-50")):
        faults.switch(name, text)
    assert (faults.mute, faults.behind, faults.lie_price) == (True, 12, -50)
    with pytest.raises(ValueError, match="takes an integer, not"):
        faults.switch("behind", "1.5")
