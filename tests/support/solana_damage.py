"""What may happen to a Solana node's frames on their way, of any kind, and which of it is a lie.

`SHAPES` are of any frame's bytes; `CONTENTS` of the accounts in it, which stay well-formed. A lie is an answer that
still is one in every respect, proved by its clock, whose accounts are of their programs and types and of the length
they had, or are said not to be there: what a provider could have said instead. Nobody can tell it from the truth. It
is left for the next read.
"""

import base64
import json
import random
from collections.abc import Callable
from typing import Any, Final

import zstandard

from connectors.venues.solana.keys import CLOCK, SYSTEM

Damage = Callable[[bytes, random.Random], bytes]


def parts(frame: bytes) -> tuple[bytes, bytes]:
    """(what stands before the JSON, the JSON): the head of an HTTP answer."""
    head, found, body = frame.partition(b"\n")
    return (head + found, body) if found and not frame.startswith((b"{", b"[")) else (b"", frame)


def _dump(head: bytes, said: Any) -> bytes:
    return head + json.dumps(said).encode()


# --- of any frame ----------------------------------------------------------------------------------------------------


def truncated(frame: bytes, rng: random.Random) -> bytes:
    return frame[: rng.randrange(len(frame))]


def flipped(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]


def misread(frame: bytes, rng: random.Random) -> bytes:
    """One digit is another."""
    at = rng.choice([at for at, byte in enumerate(frame) if byte in b"0123456789"])
    return frame[:at] + str(rng.randrange(10)).encode() + frame[at + 1 :]


def garbled(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + rng.randbytes(rng.randrange(1, 30)) + frame[at + rng.randrange(30) :]


def not_utf8(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + rng.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x80"]) + frame[at:]


def strange(_frame: bytes, rng: random.Random) -> bytes:
    return rng.choice([
        b"", b"null", b"[]", b"{}", b"7", b'"x"', b'{"id":1}', b'{"jsonrpc":"2.0","id":null,"result":"x"}', b"1 200\n",
        b"<html>502 Bad Gateway</html>", b'{"method":"accountNotification","params":{}}', b"\x00" * 50, b" ", b"NaN",
        b'{"method":"accountNotification","params":{"subscription":1,"result":null}}', b'{"id":99999999,"result":[]}',
        b'{"method":"slotNotification","params":{"subscription":1,"result":{"slot":-1}}}', b'{"id":1e999}', b"0 0\n",
        b'{"error":{"code":1,"message":"x"}}', b"99999999999999999999 200\n{}", b"3 700\n", b"-1 200\n{}", b"3 200\n",
    ])  # fmt: skip


def wrong_id(frame: bytes, rng: random.Random) -> bytes:
    head, body = parts(frame)
    said = json.loads(body)
    other = rng.choice([0, -1, 1, 2, 10**9, "x", None, 1.5, True])
    if "id" in said:
        said["id"] = said["id"] + other if isinstance(other, int) and said["id"] else other
    else:
        said["params"]["subscription"] = other
    return _dump(head, said)


def huge(frame: bytes, rng: random.Random) -> bytes:
    return _replaced(frame, rng, rng.choice([10**400, -(10**30), 2**63, 2**64, 2**62, 10**12, "9" * 400]))


def retyped(frame: bytes, rng: random.Random) -> bytes:
    return _replaced(frame, rng, rng.choice([None, True, 0, -1, 1.5, "", "x", [], {}, [[]], {"a": 1}, ["", "base64"]]))


def nested(frame: bytes, rng: random.Random) -> bytes:
    open_, close = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    depth = rng.choice([60, 1_000, 200_000])
    head, _ = parts(frame)
    return head + open_ * depth + (b"1" if open_ != b"[" else b"") + close * depth


def refused(frame: bytes, rng: random.Random) -> bytes:
    """The node says no, in its own or nobody's words."""
    head, body = parts(frame)
    said = json.loads(body)
    said.pop("result", None)
    code = rng.choice([-32000, -32005, -32016, -32601, -32602, 429, 0, 10**30, "x", None])
    words = rng.choice(["no", "Node is behind by 42 slots", "Minimum context slot has not been reached", ""])
    said["error"] = rng.choice([{"code": code, "message": words}, {}, "no", None, []])
    return _dump(head, said)


def status(frame: bytes, rng: random.Random) -> bytes:
    """HTTP's own refusals; of a notification, which has none, nothing."""
    head, body = parts(frame)
    number = head.split(b" ")[0]
    return b"%s %d\n%s" % (number, rng.choice([0, 400, 403, 404, 429, 500, 502, 503, 999]), body) if head else b""


def _replaced(frame: bytes, rng: random.Random, value: Any) -> bytes:
    """One value anywhere in it is this one."""
    head, body = parts(frame)
    said = json.loads(body)
    places: list[tuple[Any, Any]] = []

    def collect(at: Any) -> None:
        for key in at if isinstance(at, dict) else range(len(at)):
            places.append((at, key))
            if isinstance(at[key], dict | list):
                collect(at[key])

    collect(said)
    at, key = rng.choice(places)
    at[key] = value
    return _dump(head, said)


# --- of the accounts in it -------------------------------------------------------------------------------------------


def _values(said: Any) -> list[tuple[Any, Any]]:
    """Where its accounts stand; none in what has none."""
    result = said.get("result") if "params" not in said else said["params"].get("result")
    if not isinstance(result, dict) or "value" not in result:
        return []
    value = result["value"]
    return [(value, at) for at in range(len(value))] if isinstance(value, list) else [(result, "value")]


def data_of(value: Any) -> bytes:
    raw = base64.b64decode(value["data"][0])
    return zstandard.ZstdDecompressor().decompress(raw, max_output_size=1 << 20) if raw else b""


def _with_data(value: Any, data: bytes) -> Any:
    return {**value, "data": [base64.b64encode(zstandard.compress(data)).decode(), "base64+zstd"], "space": len(data)}


def _one(frame: bytes, rng: random.Random, change: Callable[[Any, list[Any]], Any]) -> bytes:
    """One account of it is another; `change` is given the account and all of them."""
    head, body = parts(frame)
    said = json.loads(body)
    places = _values(said)
    there = [(at, key) for at, key in places if at[key] is not None]
    if not there:
        return b""
    at, key = rng.choice(there)
    at[key] = change(at[key], [box[place] for box, place in places])
    return _dump(head, said)


def cut_account(frame: bytes, rng: random.Random) -> bytes:
    def cut(value: Any, _all: list[Any]) -> Any:
        data = data_of(value)
        return _with_data(value, data[: rng.randrange(len(data) or 1)])

    return _one(frame, rng, cut)


def long_account(frame: bytes, rng: random.Random) -> bytes:
    return _one(frame, rng, lambda value, _all: _with_data(value, data_of(value) + bytes(rng.randrange(1, 200))))


def foreign_owner(frame: bytes, rng: random.Random) -> bytes:
    owner = rng.choice([SYSTEM, CLOCK, "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "x", ""])
    return _one(frame, rng, lambda value, _all: {**value, "owner": owner})


def no_account(frame: bytes, rng: random.Random) -> bytes:
    return _one(frame, rng, lambda _value, _all: None)


def other_account(frame: bytes, rng: random.Random) -> bytes:
    """What belongs under another key stands under this one."""
    return _one(frame, rng, lambda _value, every: rng.choice(every))


def other_type(frame: bytes, rng: random.Random) -> bytes:
    return _one(frame, rng, lambda value, _all: _with_data(value, rng.randbytes(8) + data_of(value)[8:]))


def other_slot(frame: bytes, rng: random.Random) -> bytes:
    """The slot beside it is another one, near or far."""
    head, body = parts(frame)
    said = json.loads(body)
    result = said.get("result") if "params" not in said else said["params"].get("result")
    if isinstance(result, dict) and "context" in result:
        result["context"]["slot"] += rng.choice([-1000, -40, -5, -2, 1, 2, 40, 1000])
    elif isinstance(result, dict) and "slot" in result:
        result["slot"] += rng.choice([-1000, -40, -3, 3, 40, 1000, 10**9])
    else:
        return b""
    return _dump(head, said)


SHAPES: Final[tuple[Damage, ...]] = (
    truncated, flipped, misread, garbled, not_utf8, strange, wrong_id, huge, retyped, nested, refused, status,
)  # fmt: skip
CONTENTS: Final[tuple[Damage, ...]] = (
    cut_account, long_account, foreign_owner, no_account, other_account, other_type, other_slot,
)  # fmt: skip
ON_THE_WAY: Final = ("drop", "duplicate", "again_later", "out_of_order", "stale", "rollback")


def is_lie(before: bytes, after: bytes) -> bool:
    """Whether an answer of accounts is still one that a provider could have given, and another."""
    try:
        was, told = json.loads(parts(before)[1]), json.loads(parts(after)[1])
        if parts(before)[0] != parts(after)[0] or "params" in was or was["id"] != told["id"]:
            return False
        old, new = [box[at] for box, at in _values(was)], [box[at] for box, at in _values(told)]
        had = [value and (value["owner"], data_of(value)) for value in old]
        said = [value and (value["owner"], data_of(value)) for value in new]
        return (
            said != had
            and len(said) == len(had)
            and all(
                one == other
                or one is None
                or (other and one[0] == other[0] and len(one[1]) == len(other[1]) and one[1][:8] == other[1][:8])
                for one, other in zip(said, had, strict=True)
            )
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zstandard.ZstdError):
        return False
