"""What outgoing bytes ask a Solana node for: the reads that a session makes, and everything else by its name."""

import ast
import json
from typing import Any

import pytest

from connectors.onchain.jsonrpc import request
from connectors.orders import Asked
from connectors.venues.solana import SOLANA
from connectors.venues.solana.asked import READS, asked
from tests.support.data import ROOT
from tests.support.solana_world import Bare, solana_plan

FORMS = ["%s", "7 /\n%s"]


def test_the_reads_are_those_that_the_session_makes() -> None:
    """No more: a method that nobody uses is none that may leave. Unsubscribing is the counterpart of a subscription."""
    used = set()
    for path in (ROOT / "connectors/venues/solana").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr in ("ask", "call") and isinstance(first, ast.Constant):
                    used.add(first.value)
    assert used >= {"getMultipleAccounts", "accountSubscribe"}
    assert used | {"slotUnsubscribe"} == READS
    assert SOLANA.asked is asked


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", sorted(READS))
def test_a_read_asks_for_nothing(method: str, form: str) -> None:
    said = request(7, method, [["x"], {"commitment": "confirmed"}]).decode()
    assert asked((form % said).encode()) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "method",
    ["sendTransaction", "simulateTransaction", "requestAirdrop", "sendBundle", "getmultipleaccounts", "getSlot ", "",
     "getAccountInfo", "programSubscribe", "blockSubscribe", "surfnet_setAccount", "sim_slot"],
)  # fmt: skip
def test_anything_else_is_named(method: str, form: str) -> None:
    assert asked((form % request(7, method, ["AQ=="]).decode()).encode()) == [Asked(method)]


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_is_read_to_its_end(form: str) -> None:
    calls: list[Any] = [{"jsonrpc": "2.0", "id": k, "method": "getSlot", "params": []} for k in range(3)]
    assert asked((form % json.dumps(calls)).encode()) == []
    calls.append({"jsonrpc": "2.0", "id": 9, "method": "sendTransaction", "params": ["AQ=="]})
    assert asked((form % json.dumps(calls)).encode()) == [Asked("sendTransaction")]


def test_a_second_method_is_not_overlooked() -> None:
    data = b'{"method":"getSlot","Method":"sendTransaction","params":[]}'
    assert asked(data) == [Asked("getSlot with Method")]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"7", b"[7]", b'"getSlot"', b'{"method":7}', b'{"method":"getSlot"', b"\xff", b"[" * 100_000,
     b'{"method":"getSlot","method":"sendTransaction"}', b"7 /\n", b"7 /", b"7\n{}", b"7 /\n[]", b"7 /\n\xff",
     b'7 /other\n{"method":"getSlot"}', b'7 /\n7 /\n{"method":"getSlot"}', b'07 /\n{"method":"getSlot"}',
     b'0 /\n{"method":"getSlot"}', b'-7 /\n{"method":"getSlot"}', b'7  /\n{"method":"getSlot"}',
     b'7 /\r\n{"method":"getSlot"}', b'7 \n{"method":"getSlot"}', b'99999999999999999999 /\n{"method":"getSlot"}'],
)  # fmt: skip
def test_what_is_no_request_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        asked(data)


def test_all_that_a_session_says_asks_for_nothing() -> None:
    """Reads, subscriptions given up, slots that are polled."""
    bare = Bare(solana_plan(links=("rpc1", "rpc2")), drift_ppm=3_000)
    bare.run(12)
    bare.chain.links["rpc1"].socket.is_mute = True
    bare.run(10)
    ways = [way for link in bare.chain.links.values() for way in (link.socket, link.calls)]
    said = [data for way in ways for data in way.requests]
    assert {json.loads(data.partition(b"\n")[2] or data)["method"] for data in said} == READS - {"slotUnsubscribe"}
    assert [asked(data) for data in said] == [[]] * len(said)
