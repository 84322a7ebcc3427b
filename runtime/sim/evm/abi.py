"""Ethereum's codecs as this chain uses them: selectors, events, hex, hashes, the bloom filter, contracts' addresses.

Addresses are lower-case texts everywhere inside and are checksummed by whoever shows them.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from eth_abi.abi import decode as _decode
from eth_abi.abi import encode as _encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak as _keccak

ZERO: Final = "0x" + 40 * "0"
MAX_UINT: Final = 2**256 - 1
BLOOM_BYTES: Final = 256

checksum = lru_cache(4096)(to_checksum_address)


@lru_cache(8192)
def keccak(data: bytes) -> bytes:
    """Keccak-256, remembered: addresses and topics come again and again."""
    return bytes(_keccak(data))


def quantity(value: int) -> str:
    """An integer as JSON-RPC writes it: 0x and no leading zero."""
    return hex(value)


def data_hex(data: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + data.hex()


def address_of(text: bytes) -> str:
    """The last 20 bytes of 32, as an address."""
    return "0x" + text[-20:].hex()


def split_types(inner: str) -> tuple[str, ...]:
    """`uint256,(address,bytes)[]` at its outer commas."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(inner):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append(inner[start:place])
            start = place + 1
    return (*parts, inner[start:]) if inner else ()


class Function(msgspec.Struct, frozen=True):
    """One entry of a contract's table. `method` is the Python method that answers it."""

    signature: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    method: str


def functions(*rows: tuple[str, str, str]) -> dict[bytes, Function]:
    """A contract's table from (signature, output types, method), by selector."""
    table = {}
    for signature, outputs, method in rows:
        inputs = split_types(signature[signature.index("(") + 1 : -1])
        table[keccak(signature.encode())[:4]] = Function(signature, inputs, split_types(outputs), method)
    return table


class Log(msgspec.Struct, frozen=True):
    """What a contract has told the world, before it has a place in a block."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes


class Event:
    """One event: `Event("Sync(uint112,uint112)")`; indexed inputs carry the word, as in Solidity."""

    def __init__(self, declaration: str) -> None:
        name, _, inner = declaration.partition("(")
        parts = split_types(inner[:-1])
        self._inputs = tuple((part.removesuffix(" indexed"), part.endswith(" indexed")) for part in parts)
        self.topic = keccak(f"{name}({','.join(kind for kind, _ in self._inputs)})".encode())

    def log(self, address: str, *values: Any) -> Log:
        """The log of one occurrence, values in the declaration's order."""
        pairs = list(zip(self._inputs, values, strict=True))
        topics = [encode((kind,), (value,)) for (kind, indexed), value in pairs if indexed]
        plain = [(kind, value) for (kind, indexed), value in pairs if not indexed]
        data = encode([kind for kind, _ in plain], [value for _, value in plain])
        return Log(address, (self.topic, *topics), data)


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """ABI-encodes. Raises ValueError for a value that does not fit its type."""
    try:
        return _encode(types, values)
    except (EncodingError, OverflowError, TypeError) as error:
        raise ValueError(f"cannot encode {list(types)}: {error}") from None


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """ABI-decodes call data; what stands behind the arguments is ignored, as Solidity does. Raises ValueError."""
    try:
        return _decode(types, data, strict=False)
    except (DecodingError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"cannot decode {list(types)}: {error}") from None


def bloom(logs: Iterable[Log]) -> bytes:
    """The 2048-bit filter of a block (Yellow Paper, M3:2048): three bits for each address and topic."""
    bits = 0
    for log in logs:
        for item in (bytes.fromhex(log.address[2:]), *log.topics):
            digest = keccak(item)
            for place in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") % (8 * BLOOM_BYTES))
    return bits.to_bytes(BLOOM_BYTES, "big")


def created(sender: str, salt: bytes, code_hash: bytes) -> str:
    """Where CREATE2 puts a contract (EIP-1014)."""
    return address_of(keccak(b"\xff" + bytes.fromhex(sender[2:]) + salt + code_hash))


def sort_tokens(a: str, b: str) -> tuple[str, str]:
    """Both Uniswaps number a pool's tokens by address."""
    return (a, b) if int(a, 16) < int(b, 16) else (b, a)
