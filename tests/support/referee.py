"""What a referee guest says it was shown, and what the bytes it was given hold: two dictionaries to compare.

A referee (fixtures/algos/referee*) is compiled against the real crate and logs every field of every record by the
crate's own names; `calls` reads that log. `fields` decodes the same record from its bytes by the published offsets
(facts/abi.json). Both name a field by its path: `symbol.min_qty_1e8`, `orders.px_1e9` (a list, one item an order),
`books.3.bids.px_1e9` (slot 3). Slots in use and one beyond stand on their own, the others in a digest, `books.rest`.
Nothing of venuegate is imported.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.data import ROOT, abi_table

Value = int | bytes | list[int] | list[bytes]
Fields = dict[str, Value]

# each referee and the crate it is built with
REFEREES: Final = {
    "referee01": "0.1.0", "referee030": "0.3.0", "referee030m": "0.3.0", "referee032": "0.3.2", "referee032m": "0.3.2",
    "referee04": "0.4.0",
}  # fmt: skip
CODES: Final = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}
SIZES: Final = {kind: struct.calcsize(code) for kind, code in CODES.items()} | {"u128": 16}
TEXTS: Final = {"address", "label", "self_label", "symbol_name"}  # arrays of u8 that are bytes, not numbers
# records with slots: the field that counts them, the arrays they are in
SLOTTED: Final = {
    "VenueBooks": ("book_ct", ("books",)),
    "PoolBooks": ("pool_ct", ("metas", "books")),
    "PoolStateTable": ("count", ("states",)),
}
# symbol_id(), which the crate keeps in the padding of these from 0.3.1 on
IN_PADDING: Final = {"Fill": 33, "Reject": 9}
WIDE: Final = {"liquidity", "sqrt_price_x64"}  # u128
MASK: Final = 2**64 - 1


def module(name: str) -> bytes:
    """The referee's WASM."""
    return (ROOT / f"fixtures/algos/{name}.wasm").read_bytes()


# --- the guest's side ------------------------------------------------------------------------------------------------


@dataclass
class Call:
    """One callback: its number among its kind, from 1, and each record it was given, by the crate's name.

    The sender and payload of a message are the record `Message`: `from` (the label) and `payload`.
    """

    callback: str
    n: int
    records: dict[str, Fields] = field(default_factory=dict)


def parse(line: str | bytes) -> tuple[str, str, Fields]:
    """One log line: the callback, the record, the fields in it. Raises ValueError at what is not such a line."""
    text = line.decode("ascii") if isinstance(line, bytes) else line
    callback, path, *rest = text.split(" ")
    record, _, inner = path.partition(".")
    if inner and inner != "merged":
        array, slot = inner.split(".")
        inner = f"{array}.{int(slot, 16)}"
    prefix = f"{inner}." if inner else ""
    found: Fields = {}
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"no value in {word!r} of {text[:60]!r}")
        found[prefix + name] = _value(value)
    return callback, record, found


def _value(text: str) -> Value:
    if text.startswith("#"):
        items = [bytes.fromhex(item.removeprefix("#")) for item in text.split(",")]
        return items if len(items) > 1 else items[0]
    numbers = [int(item, 16) for item in text.split(",")]
    return numbers if len(numbers) > 1 else numbers[0]


def calls(lines: Iterable[str | bytes]) -> list[Call]:
    """All callbacks of a log, in order. Raises ValueError where a line is unfit or a field comes twice."""
    found: list[Call] = []
    for line in lines:
        callback, record, given = parse(line)
        if record == "call":
            n = given["n"]
            assert isinstance(n, int)
            found.append(Call(callback, n))
            continue
        if not found or found[-1].callback != callback:
            raise ValueError(f"a line outside its callback: {line[:60]!r}")
        into = found[-1].records.setdefault(record, {})
        if twice := into.keys() & given.keys():
            raise ValueError(f"{sorted(twice)} of {record} twice in {callback} {found[-1].n}")
        into |= given
    return found


# --- the bytes' side -------------------------------------------------------------------------------------------------


@functools.cache
def structs(generation: str) -> dict[str, Any]:
    """The published layouts of one crate version; ask for `real_data` first."""
    found: dict[str, Any] = abi_table()["structs"][generation]
    return found


def fields(generation: str, name: str, raw: bytes | bytearray | memoryview) -> Fields:
    """Decodes a record of a crate version, as that version's referee would log it.

    `raw` may be longer than the record, as the newest AlgoState is for an older guest.
    """
    layout = structs(generation)
    if len(raw) < layout[name]["size"]:
        raise ValueError(f"{name} of {generation} is {layout[name]['size']} bytes, not {len(raw)}")
    found = _flat(layout, name, bytes(raw[: layout[name]["size"]]))
    if name in IN_PADDING and generation in ("0.3.2", "0.4.0"):
        found["symbol_id"] = int.from_bytes(raw[IN_PADDING[name] : IN_PADDING[name] + 2], "little")
    return found


def leaves(generation: str, name: str, at: int = 0) -> Iterator[tuple[str, str, int]]:
    """Every number of a record: the field it is in, its Rust type, its offset. Padding is what lies between them."""
    layout = structs(generation)
    for key, spec in layout[name]["fields"].items():
        item, count = _array(spec["type"])
        size = layout[item]["size"] if item in layout else SIZES[item]
        for k in range(count or 1):
            here = at + spec["offset"] + k * size
            if item in layout:
                yield from leaves(generation, item, here)
            else:
                yield key, item, here


def _flat(layout: Mapping[str, Any], name: str, raw: bytes) -> Fields:
    found: Fields = {}
    counter, slotted = SLOTTED.get(name, ("", ()))
    for key, spec in layout[name]["fields"].items():
        kind, at = spec["type"], spec["offset"]
        item, count = _array(kind)
        if key in slotted:
            shown = min(count, raw[layout[name]["fields"][counter]["offset"]] + 1)
            size = layout[item]["size"]
            slots = [_flat(layout, item, raw[at + k * size : at + (k + 1) * size]) for k in range(count)]
            for k, slot in enumerate(slots[:shown]):
                found |= {f"{key}.{k}.{inner}": value for inner, value in slot.items()}
            found[f"{key}.rest"] = digest(slots[shown:])
        elif item in layout:
            size = layout[item]["size"]
            parts = [_flat(layout, item, raw[at + k * size : at + (k + 1) * size]) for k in range(count or 1)]
            found |= {f"{key}.{inner}": _column(parts, inner) if count else value for inner, value in parts[0].items()}
        elif key in TEXTS:
            found[key] = raw[at : at + count]
        else:
            numbers = _numbers(item, raw, at, count or 1)
            found[key] = numbers if count else numbers[0]
    return found


def _array(kind: str) -> tuple[str, int]:
    """`[u64; 16]` → (u64, 16), a plain type → (type, 0)."""
    if not kind.startswith("["):
        return kind, 0
    item, count = kind[1:-1].split("; ")
    return item, int(count)


def _column(parts: list[Fields], inner: str) -> Value:
    return [part[inner] for part in parts]  # type: ignore[return-value]  # all of one type: one field of one struct


def _numbers(kind: str, raw: bytes, at: int, count: int) -> list[int]:
    if kind == "u128":
        return [int.from_bytes(raw[at + 16 * k : at + 16 * k + 16], "little") for k in range(count)]
    return list(struct.unpack_from(f"<{count}{CODES[kind]}", raw, at))


def digest(slots: Iterable[Fields]) -> int:
    """FNV-1a over 64-bit words: one a number, two a u128 (the low one first), one each of bytes."""
    state = 0xCBF29CE484222325
    for slot in slots:
        for name, value in slot.items():
            for word in _words(name, value):
                state = (state ^ word) * 0x100000001B3 & MASK
    return state


def _words(name: str, value: Value) -> Iterator[int]:
    for number in [value] if isinstance(value, int) else value:
        assert isinstance(number, int)
        yield number & MASK
        if name in WIDE:
            yield number >> 64
