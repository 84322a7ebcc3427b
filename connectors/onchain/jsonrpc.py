"""JSON-RPC 2.0 as nodes of any chain speak it: requests, answers, notifications. No state.

https://www.jsonrpc.org/specification

    {"jsonrpc":"2.0","id":7,"result":"0xa4b1"}
    {"jsonrpc":"2.0","id":8,"error":{"code":-32000,"message":"header not found"}}
    {"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9c…","result":{"number":"0x1b4", …}}}
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connectors.errors import WireError

NULL: Final = b"null"
_TEXT_MAX: Final = 200


class RpcError(msgspec.Struct, frozen=True):
    """What a node refuses with. −32005 and HTTP's 429 are a rate limit."""

    code: int = 0
    message: str = ""


class Params(msgspec.Struct):
    """Of a notification: which subscription it is for, and what it tells."""

    subscription: int | str
    result: msgspec.Raw


class Message(msgspec.Struct):
    """Any frame: an answer (`id`, and `result` or `error`) or a notification (`params`)."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(NULL)
    error: RpcError | None = None
    method: str = ""
    params: Params | None = None


_decode_message = msgspec.json.Decoder(Message).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def request(number: int, method: str, params: Sequence[Any]) -> bytes:
    """One request."""
    return _encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def message_of(frame: bytes) -> Message:
    """One frame. Raises WireError."""
    try:
        return _decode_message(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"no JSON-RPC: {error}") from error


def text_of(raw: msgspec.Raw) -> str:
    """A JSON string: a subscription's id, a number, data. Raises WireError."""
    try:
        return _decode_text(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{bytes(raw)[:80]!r} is no text") from error


def is_null(raw: msgspec.Raw) -> bool:
    """A node's word for: I have no such thing."""
    return bytes(raw) == NULL


def why(error: RpcError) -> str:
    """The node's own words, short, and without what a terminal would act upon."""
    words = "".join(letter if letter.isprintable() else "?" for letter in error.message[:_TEXT_MAX])
    return f"{words} ({error.code})"
