"""What a client may ask for, read from JSON with the errors a node gives. All raise RpcError."""

import re
from collections.abc import Sequence
from typing import Any, Final

from runtime.sim.evm.chain import Block, Chain
from runtime.sim.evm.faults import EvmFaults
from runtime.sim.evm.shapes import LogFilter

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR = -32600, -32601, -32602, -32700
SERVER_ERROR, LIMITED, REVERTED = -32000, -32005, 3
RANGE_MAX: Final = 10_000

_HEX: Final = re.compile(r"0x[0-9a-fA-F]*\Z")
_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")


class RpcError(Exception):
    """A JSON-RPC error to be answered."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def invalid(problem: str) -> RpcError:
    """A parameter that cannot be read."""
    return RpcError(INVALID_PARAMS, f"invalid params: {problem}")


def argument(params: Sequence[Any], place: int, default: Any = ...) -> Any:
    """One parameter by its place."""
    if place < len(params):
        return params[place]
    if default is ...:
        raise invalid(f"parameter {place} is missing")
    return default


def number(value: Any) -> int:
    """A quantity: 0x and digits."""
    if isinstance(value, str) and _QUANTITY.match(value):
        return int(value, 16)
    raise invalid(f"not a quantity: {value!r}")


def whole(value: Any) -> int:
    """A quantity or a plain JSON number, as development nodes take for their own methods."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return number(value)


def blob(value: Any, size: int | None = None) -> bytes:
    """Hex data, of `size` bytes if given."""
    if not isinstance(value, str) or not _HEX.match(value) or len(value) % 2:
        raise invalid(f"not hex data: {value!r}")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise invalid(f"{value!r} is {len(data)} bytes, not {size}")
    return data


def address(value: Any) -> str:
    """An address, in lower case."""
    return "0x" + blob(value, 20).hex()


class Asker:
    """Reads blocks and filters against one chain, under its faults."""

    def __init__(self, chain: Chain, faults: EvmFaults) -> None:
        self._chain, self._faults = chain, faults

    def height(self, tag: Any) -> int:
        """A block's number from a number or a name. There is no pending block here: it is the latest."""
        head = self._chain.head.number
        match tag:
            case None | "latest" | "pending" | "safe" | "finalized":
                return head
            case "earliest":
                return self._chain.blocks[0].number
            case _:
                return number(tag)

    def block(self, tag: Any) -> Block:
        """The block of a number, a name or an EIP-1898 object."""
        if isinstance(tag, dict) and "blockHash" in tag:
            block = self.with_hash(tag["blockHash"])
            if tag.get("requireCanonical") and not self._chain.is_canonical(block):
                raise RpcError(SERVER_ERROR, "hash is not currently canonical")
            return block
        named = isinstance(tag, dict) and "blockNumber" in tag
        found = self._chain.at(self.height(tag["blockNumber"] if named else tag))
        if found is None:
            raise RpcError(SERVER_ERROR, "header not found")
        return found

    def with_hash(self, value: Any) -> Block:
        """The block of a hash, also one that was dropped not long ago."""
        if self._faults.refuse_block_hash:
            raise invalid("blockHash is not supported")
        found = self._chain.with_hash(blob(value, 32))
        if found is None:
            raise RpcError(SERVER_ERROR, "header not found")
        return found

    def blocks(self, query: dict[str, Any]) -> list[Block]:
        """The blocks of an eth_getLogs query."""
        if "blockHash" in query:
            if "fromBlock" in query or "toBlock" in query:
                raise invalid("blockHash excludes fromBlock and toBlock")
            return [self.with_hash(query["blockHash"])]
        first, last = self.height(query.get("fromBlock")), self.height(query.get("toBlock"))
        if last < first:
            raise invalid(f"fromBlock {first} > toBlock {last}")
        if min(last, self._chain.head.number) - first >= RANGE_MAX:
            raise RpcError(LIMITED, f"a range of more than {RANGE_MAX} blocks")
        if first < self._chain.blocks[0].number:
            raise RpcError(SERVER_ERROR, "header not found")
        found = (self._chain.at(height) for height in range(first, min(last, self._chain.head.number) + 1))
        return [block for block in found if block is not None]


def log_filter(query: Any) -> LogFilter:
    """Addresses and topics of a query."""
    if not isinstance(query, dict):
        raise invalid("a filter is an object")
    wanted = query.get("address") or []
    addresses = frozenset(address(value) for value in (wanted if isinstance(wanted, list) else [wanted]))
    topics = query.get("topics") or []
    if not isinstance(topics, list) or len(topics) > 4:
        raise invalid("topics is a list of at most 4")
    return LogFilter(addresses, tuple(_topic(value) for value in topics))


def _topic(value: Any) -> frozenset[bytes] | None:
    if value is None or value == []:
        return None
    return frozenset(blob(each, 32) for each in (value if isinstance(value, list) else [value]))
