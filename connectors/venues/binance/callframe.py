"""Answers of public HTTP as they come back: ours by number, those of a recording by what was asked."""

import re
from typing import Final

import msgspec

from connectors.venues.binance.form import fields_of

_HEAD: Final = re.compile(
    rb"(?:([0-9]{1,18})|(?:GET )?(/[\x21-\x3e\x40-\x7e]{0,200})(?:\?([\x21-\x7e]{0,4000}))?) ([0-9]{1,3})"
)


class CallFrame(msgspec.Struct, frozen=True):
    """`number` None: of a recording made by others, where `path` and `fields` say what was asked."""

    number: int | None
    path: str
    fields: dict[str, str]
    status: int
    body: bytes


def read_call(frame: bytes) -> CallFrame:
    """`<id> <status>` or `GET <path>?<query> <status>`, a newline, the body. Raises ValueError."""
    head, newline, body = frame.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        msg = f"no answer's head: {head[:80]!r}"
        raise ValueError(msg)
    number, path, fields, status = match.groups()
    return CallFrame(
        int(number) if number is not None else None,
        (path or b"").decode(),
        fields_of((fields or b"").decode()),
        int(status),
        body,
    )
