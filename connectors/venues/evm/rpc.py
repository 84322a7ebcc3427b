"""What an Ethereum node tells beyond JSON-RPC itself: heads and their blooms, reverts. No state.

https://ethereum.org/en/developers/docs/apis/json-rpc/ · https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.onchain.jsonrpc import is_null
from connectors.venues.evm.abi import from_hex, keccak, quantity

BLOOM_BYTES: Final = 256
_REVERTED: Final = 3  # geth's code of a call that reverted
_REVERT_WORDS: Final = (
    "revert", "opcode", "out of gas", "stack underflow", "stack overflow", "stack limit", "invalid jump", "evm error",
)  # fmt: skip
_HASH_CHARS: Final = 2 + 64


class Head(msgspec.Struct, frozen=True):
    """A block's header. Hashes in lower case; `bloom` is empty where the node gives none; times in s, fees in wei."""

    number: int
    hash: str
    parent: str
    time_s: int
    base_fee: int = 0
    bloom: bytes = b""


class _RawHead(msgspec.Struct, rename="camel"):
    number: str
    hash: str
    parent_hash: str
    timestamp: str
    base_fee_per_gas: str | None = None
    logs_bloom: str | None = None


_decode_head = msgspec.json.Decoder(_RawHead).decode


def head_of(raw: msgspec.Raw) -> Head | None:
    """A header, or None for `null`, which is how a node says that it has no such block. Raises WireError."""
    if is_null(raw):
        return None
    try:
        found = _decode_head(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a header that cannot be read: {error}") from error
    bloom = from_hex(found.logs_bloom) if found.logs_bloom is not None else b""
    if len(bloom) not in (0, BLOOM_BYTES):
        raise WireError(f"a bloom of {len(bloom)} bytes")
    base_fee = quantity(found.base_fee_per_gas) if found.base_fee_per_gas is not None else 0
    return Head(
        quantity(found.number), hash_of(found.hash), hash_of(found.parent_hash), quantity(found.timestamp),
        base_fee, bloom,
    )  # fmt: skip


def hash_of(text: str) -> str:
    """A block's hash in lower case. Raises WireError."""
    if len(text) != _HASH_CHARS:
        raise WireError(f"{text[:80]!r} is no hash")
    from_hex(text)
    return text.lower()


def is_revert(why_not: str) -> bool:
    """Whether `why` says that the call itself failed, as the contract made it: every node has words of its own."""
    text = why_not.lower()
    return text.endswith(f"({_REVERTED})") or any(word in text for word in _REVERT_WORDS)


def bloom_bits(address: str) -> tuple[tuple[int, int], ...]:
    """Where an address stands in a header's bloom, as (byte, mask): Ethereum yellow paper, 4.4.3."""
    hashed = keccak(from_hex(address))
    bits = [int.from_bytes(hashed[at : at + 2]) & 2047 for at in (0, 2, 4)]
    return tuple((BLOOM_BYTES - 1 - bit // 8, 1 << bit % 8) for bit in bits)


def may_hold(bloom: bytes, bits: tuple[tuple[int, int], ...]) -> bool:
    """Whether a block of this bloom may hold a log of that address. False is certain; no bloom says nothing."""
    return not bloom or all(bloom[at] & mask for at, mask in bits)
