"""Accounts as JSON: what a node says of one, and what a filter lets through."""

import base64
from typing import Any, Final

import zstandard

from connectors.base58 import decoded, key_text
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.params import FILTERS_MAX, INVALID_REQUEST, Config, Filter, RpcError, invalid

API_VERSION: Final = "2.1.0"
_BASE58_MAX: Final = 128
_RENT_EPOCH: Final = 2**64 - 1


def context(slot: int) -> dict[str, Any]:
    """Of which slot an answer is."""
    return {"slot": slot, "apiVersion": API_VERSION}


def shown(account: Stored | None, asked: Config) -> dict[str, Any] | None:
    """An account in the encoding asked for. Raises RpcError where it does not fit in."""
    if account is None:
        return None
    data = account.data
    if asked.data_slice is not None:
        start = asked.data_slice.offset
        data = data[start : start + asked.data_slice.length]
    return {
        "data": _encoded(data, asked.encoding), "executable": False, "lamports": account.lamports,
        "owner": account.owner, "rentEpoch": _RENT_EPOCH, "space": len(account.data),
    }  # fmt: skip


def _encoded(data: bytes, encoding: str) -> Any:
    if encoding == "base64":
        return [base64.b64encode(data).decode(), encoding]
    if encoding == "base64+zstd":
        return [base64.b64encode(zstandard.compress(data)).decode(), encoding]
    if len(data) > _BASE58_MAX:
        wanted = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        raise RpcError(INVALID_REQUEST, wanted)
    return key_text(data) if encoding == "binary" else [key_text(data), encoding]


def passes(account: Stored, filters: tuple[Filter, ...]) -> bool:
    """Whether an account meets every condition. Raises RpcError for one that cannot be read."""
    if len(filters) > FILTERS_MAX:
        raise invalid(f"Too many filters provided; max {FILTERS_MAX}")
    return all(_passes(account, each) for each in filters)


def _passes(account: Stored, wanted: Filter) -> bool:
    if wanted.data_size is not None and len(account.data) != wanted.data_size:
        return False
    if wanted.memcmp is None:
        return True
    text, at = wanted.memcmp.bytes, wanted.memcmp.offset
    try:
        given = decoded(text) if wanted.memcmp.encoding == "base58" else base64.b64decode(text, validate=True)
    except ValueError:
        raise invalid("Invalid param: memcmp: the bytes cannot be decoded") from None
    return account.data[at : at + len(given)] == given
