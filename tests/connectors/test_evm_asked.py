"""What outgoing bytes ask a node for: the reads that a session makes, and everything else by its name."""

import ast
import json
from typing import Any

import pytest

from connectors.onchain.jsonrpc import request
from connectors.orders import Asked
from connectors.venues.evm import ETHEREUM
from connectors.venues.evm.asked import READS, asked
from tests.support.data import ROOT
from tests.support.virtual_chain import EXACT, PROBED, Bare, chain_plan


def test_the_reads_are_those_that_the_session_makes() -> None:
    """No more: a method that nobody uses is none that may leave. Unsubscribing is the counterpart of a subscription."""
    used = set()
    for path in (ROOT / "connectors/venues/evm").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr in ("ask", "_ask") and isinstance(first, ast.Constant):
                    used.add(first.value)
    assert used >= {"eth_call", "eth_subscribe"}
    assert used | {"eth_unsubscribe"} == READS
    assert ETHEREUM.asked is asked


@pytest.mark.parametrize("method", sorted(READS))
def test_a_read_asks_for_nothing(method: str) -> None:
    assert asked(request(7, method, [{"to": "0x00", "data": "0x"}, "latest"])) == []


@pytest.mark.parametrize(
    "method",
    ["eth_sendRawTransaction", "eth_sendTransaction", "personal_sendTransaction", "personal_unlockAccount", "eth_sign",
     "eth_signTransaction", "eth_signTypedData_v4", "ETH_CALL", "eth_call ", "anvil_setBalance", "debug_setHead", ""],
)  # fmt: skip
def test_anything_else_is_named(method: str) -> None:
    assert asked(request(7, method, ["0x02"])) == [Asked(method)]


def test_a_batch_is_read_to_its_end() -> None:
    calls: list[Any] = [{"jsonrpc": "2.0", "id": k, "method": "eth_call", "params": []} for k in range(3)]
    assert asked(json.dumps(calls).encode()) == []
    calls.append({"jsonrpc": "2.0", "id": 9, "method": "eth_sendRawTransaction", "params": ["0x02"]})
    assert asked(json.dumps(calls).encode()) == [Asked("eth_sendRawTransaction")]


def test_a_second_method_is_not_overlooked() -> None:
    """Nodes that read names in upper and lower case alike take the last one."""
    data = b'{"method":"eth_call","Method":"eth_sendRawTransaction","params":[]}'
    assert asked(data) == [Asked("eth_call with Method")]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"7", b"[7]", b'"eth_call"', b'{"method":7}', b'{"method":"eth_call"', b"\xff", b"[" * 100_000,
     b'{"method":"eth_call","method":"eth_sendRawTransaction"}'],
)  # fmt: skip
def test_what_is_no_request_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        asked(data)


def test_all_that_a_session_says_asks_for_nothing() -> None:
    """Ladders, tips, blocks, gaps in a day of a chain with four kinds of pools."""
    bare = Bare(chain_plan((*EXACT, *PROBED), ("rpc1", "rpc2")))
    bare.run(5)
    said = [data for link in bare.chain.links.values() for data in link.requests]
    assert len(said) > 50
    assert {json.loads(data)["method"] for data in said} >= {"eth_call", "eth_subscribe", "eth_getLogs"}
    assert [asked(data) for data in said] == [[]] * len(said)
