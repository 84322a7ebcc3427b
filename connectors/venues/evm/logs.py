"""Logs as `eth_getLogs` and `eth_subscribe` hand them over. https://ethereum.org/en/developers/docs/apis/json-rpc/"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.venues.evm.abi import ADDRESS_DIGITS, from_hex, quantity

_HASH_CHARS: Final = 2 + 64
_TOPICS_MAX: Final = 4


class Log(msgspec.Struct, frozen=True):
    """One event of one contract. Hexadecimal texts are in lower case. `is_removed`: its block left the chain."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    block_number: int
    block_hash: str
    index: int
    is_removed: bool = False


class _Raw(msgspec.Struct, rename="camel"):
    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    log_index: str
    removed: bool = False


def log_of_json(found: bytes | msgspec.Raw) -> Log:
    """The log in a JSON object; a pending one, which has no block, is a WireError like any damage."""
    try:
        raw = _DECODER.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a log that cannot be read: {error}") from error
    return _checked(raw)


_DECODER: Final = msgspec.json.Decoder(_Raw)


def _checked(raw: _Raw) -> Log:
    if len(raw.topics) > _TOPICS_MAX:
        raise WireError(f"a log of {len(raw.topics)} topics")
    return Log(
        address=_hex_text(raw.address, ADDRESS_DIGITS + 2),
        topics=tuple([_hex_text(text, _HASH_CHARS) for text in raw.topics]),
        data=from_hex(raw.data),
        block_number=quantity(raw.block_number),
        block_hash=_hex_text(raw.block_hash, _HASH_CHARS),
        index=quantity(raw.log_index),
        is_removed=raw.removed,
    )


def _hex_text(text: str, length: int) -> str:
    if len(text) != length:
        raise WireError(f"{text[:80]!r} is not 0x and {length - 2} hexadecimal digits")
    from_hex(text)
    return text.lower()
