"""What a client may ask for, read from JSON with the errors a node gives. All raise RpcError.

Codes and wording: `custom_error.rs` of solana-rpc-client-api and agave's `rpc.rs`, as far as they are published.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from connectors.base58 import key_bytes

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR = -32600, -32601, -32602, -32700
UNHEALTHY, MIN_CONTEXT_SLOT, BLOCK_NOT_AVAILABLE, LIMITED = -32005, -32016, -32004, 429
KEYS_MAX: Final = 100
FILTERS_MAX: Final = 4

Commitment = Literal["processed", "confirmed", "finalized"]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Encoding = Literal["binary", "base58", "base64", "base64+zstd"]


class RpcError(Exception):
    """A JSON-RPC error to be answered."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class DataSlice(msgspec.Struct, frozen=True):
    """A part of an account's data."""

    offset: Whole
    length: Whole


class Memcmp(msgspec.Struct, frozen=True):
    """Bytes that an account's data has at a place."""

    offset: Whole
    bytes: str
    encoding: Literal["base58", "base64"] = "base58"


class Filter(msgspec.Struct, frozen=True, rename="camel"):
    """One condition of getProgramAccounts."""

    data_size: Whole | None = None
    memcmp: Memcmp | None = None


class Config(msgspec.Struct, frozen=True, rename="camel"):
    """The object behind a request's arguments; what a method does not know of it is left alone."""

    commitment: Commitment = "finalized"
    encoding: Encoding = "binary"
    min_context_slot: Whole = 0
    data_slice: DataSlice | None = None
    filters: tuple[Filter, ...] = ()
    with_context: bool = False


def invalid(problem: str) -> RpcError:
    """A parameter that cannot be read."""
    return RpcError(INVALID_PARAMS, problem)


def argument(params: Sequence[Any], place: int, default: Any = ...) -> Any:
    """One parameter by its place."""
    if place < len(params):
        return params[place]
    if default is ...:
        raise invalid("`params` should have at least " + ("1 argument" if not place else f"{place + 1} argument(s)"))
    return default


def config(params: Sequence[Any], place: int) -> Config:
    """The configuration at a place; null or nothing, of all or of a field, is the default: finalized, legacy binary."""
    given = argument(params, place, None)
    if isinstance(given, dict):
        given = {name: value for name, value in given.items() if value is not None}
    try:
        return Config() if given is None else msgspec.convert(given, Config)
    except msgspec.ValidationError as error:
        raise invalid(f"Invalid params: {error}.") from None


def key(value: Any) -> str:
    """A key in base58."""
    if not isinstance(value, str):
        raise invalid(f"Invalid params: invalid type: {type(value).__name__}, expected a string.")
    try:
        key_bytes(value)
    except ValueError:
        wrong = "WrongSize" if value.isalnum() and not set(value) & set("0OIl") else "Invalid"
        raise invalid(f"Invalid param: {wrong}") from None
    return value


def keys(value: Any, most: int = KEYS_MAX) -> list[str]:
    """Several keys."""
    if not isinstance(value, list):
        raise invalid("Invalid params: expected a sequence.")
    if len(value) > most:
        raise invalid(f"Too many inputs provided; max {most}")
    return [key(each) for each in value]


def whole(value: Any) -> int:
    """A number that is not negative."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise invalid(f"Invalid params: invalid value: {str(value)[:40]!r}, expected u64.")
