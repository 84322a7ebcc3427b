"""JSON read as its strictest reader would: what two readers could understand differently is refused.

For the tap (`Venue.asked`), which must not read an order otherwise than the venue does: no name twice in an object, no
NaN, UTF-8 alone; a number stays the text it was sent as.
"""

import json
from typing import Any


class Number(str):
    """A JSON number's own text."""

    __slots__ = ()


def unread(problem: str) -> ValueError:
    """The one error for bytes that cannot be read."""
    return ValueError(problem)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise unread("a name stands twice in one object")
    return made


def _constant(text: str) -> Any:
    raise unread(f"{text} is no number")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=Number, parse_constant=_constant
).decode


def strict_object(data: bytes) -> dict[str, Any]:
    """One JSON object. Raises ValueError for anything else."""
    found = strict_value(data)
    if not isinstance(found, dict):
        raise unread("no JSON object")
    return found


def strict_value(data: bytes) -> Any:
    """One JSON value. Raises ValueError."""
    try:
        return _decode(data.decode())
    except RecursionError as error:
        raise unread("nested too deeply") from error
