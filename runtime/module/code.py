"""Function bodies as a stream of the addresses they name: `i32.const` and the offsets of loads and stores.

Knows the instructions of a plain 32-bit module (WebAssembly Core Specification 2.0, chapter 5.4, without SIMD). A body
with anything else gives what was read up to there: this serves a hint for people (`inspection.py`), no check.
"""

from collections.abc import Iterator
from typing import Final

from connectors.errors import ModuleError
from runtime.module.bytes import Cursor
from runtime.module.types import WasmFile

_BLOCKS: Final = frozenset((0x02, 0x03, 0x04))
_ONE_INDEX: Final = frozenset((0x0C, 0x0D, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0xD2))
_ONE_BYTE: Final = frozenset((0x3F, 0x40, 0xD0))
_MEMORY: Final = range(0x28, 0x3F)
_PLAIN: Final = frozenset((0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B, 0xD1, *range(0x45, 0xC5)))
# behind the prefix 0xFC: how many indices follow
_PREFIXED: Final = {**dict.fromkeys(range(8), 0), 8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}


def addresses(parsed: WasmFile) -> list[int]:
    """What could be an address in any body: unsigned constants, and offsets other than 0."""
    found: list[int] = []
    for at, size in parsed.bodies:
        body = Cursor(parsed.wasm, parsed.name, at, at + size)
        try:
            found.extend(_scan(body))
        except ModuleError:
            continue
    return found


def _scan(body: Cursor) -> Iterator[int]:
    while body.at < body.end:
        opcode = body.byte("an instruction")
        if opcode in _PLAIN:
            continue
        if opcode == 0x41:
            yield body.signed(32, "a constant") & 0xFFFF_FFFF
        elif opcode in _MEMORY:
            body.u32("an alignment")
            offset = body.u32("an offset")
            if offset:
                yield offset
        else:
            _skip(body, opcode)


def _skip(body: Cursor, opcode: int) -> None:
    """Moves over what belongs to an instruction that names no address."""
    if opcode in _ONE_INDEX:
        body.u32("an index")
    elif opcode in _BLOCKS:
        body.signed(33, "a block's type")
    elif opcode in _ONE_BYTE:
        body.byte("a memory or type")
    elif opcode == 0x42:
        body.signed(64, "a constant")
    elif opcode in {0x43, 0x44}:
        body.take(4 if opcode == 0x43 else 8, "a constant")
    elif opcode == 0x11:
        body.u32("a type"), body.u32("a table")
    elif opcode == 0x0E:
        for _ in range(body.u32("labels") + 1):
            body.u32("a label")
    elif opcode == 0x1C:
        for _ in range(body.count("types", 10)):
            body.value_type("a selection")
    elif opcode == 0xFC and (number := body.u32("an instruction")) in _PREFIXED:
        for _ in range(_PREFIXED[number]):
            body.u32("an index")
    else:
        raise body.refused(f"instruction {opcode:#04x} is unknown")
