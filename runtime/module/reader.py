"""A WASM binary as facts: types, imports, exports, memory, data, names. Read by us before any compiler sees it.

An allow-list. What is not a plain 32-bit module of numbers and references is refused here, in words a guest's author
can act on: wasmtime's Python binding aborts the process on types it does not know (`v128`, `i31ref`), so none may reach
it. Raises ModuleError, nothing else.
"""

from typing import Final

from connectors.errors import ModuleError
from runtime.module.bytes import Cursor
from runtime.module.sections import ORDER, READERS
from runtime.module.types import FUNC, KINDS, Signature, WasmFile

MODULE_BYTES_MAX: Final = 4 * 2**20


def parse(wasm: bytes, *, name: str) -> WasmFile:
    """Reads a module. Raises ModuleError saying what is not understood or not allowed, and at which byte."""
    if len(wasm) > MODULE_BYTES_MAX:
        raise ModuleError(
            f"is {len(wasm)} bytes, the most is {MODULE_BYTES_MAX}", place=name, mend="strip it, build with opt-level z"
        )
    if not wasm.startswith(b"\0asm"):
        raise ModuleError(
            "is not a WASM binary", place=name, mend="give the .wasm that the compiler wrote, not its text form"
        )
    cursor = Cursor(wasm, name, 4, len(wasm))
    version = cursor.take(4, "the header")
    if version != b"\1\0\0\0":
        said = "a component" if version[2:] == b"\1\0" else f"of version {int.from_bytes(version, 'little')}"
        raise cursor.refused(f"it is {said}, not a plain module", "build a core module: wasm32-unknown-unknown", at=4)
    found = WasmFile(name, wasm)
    reached = 0
    while cursor.at < cursor.end:
        start = cursor.at
        number = cursor.byte("a section")
        section = cursor.sub(cursor.u32("the size of a section"), f"section {number}")
        if number == 0:
            found.custom.append((section.text("the name of a custom section"), (section.at, section.end - section.at)))
            continue
        if number not in ORDER:
            said = "tags, which is exceptions" if number == 13 else f"section {number}, which is unknown"
            raise cursor.refused(f"it has {said}", at=start)
        place = ORDER.index(number)
        if place < reached:
            raise cursor.refused(f"section {number} is out of order or there twice", at=start)
        reached = place + 1
        READERS[number](section, found)
        section.done(f"section {number}")
    _check_whole(cursor, found)
    return found


def _check_whole(cursor: Cursor, found: WasmFile) -> None:
    """What one section says of another: counts that must agree, indices that must exist."""
    imported = sum(item.kind == FUNC for item in found.imports)
    if len(found.functions) - imported != len(found.bodies):
        raise cursor.refused(f"{len(found.functions) - imported} functions are declared, {len(found.bodies)} are there")
    if found.data_count not in (None, len(found.data)):
        raise cursor.refused(f"{found.data_count} data segments are declared, {len(found.data)} are there")
    sizes = (len(found.functions), len(found.tables), len(found.memories), len(found.globals))
    for export in found.exports:
        if export.number >= sizes[export.kind]:
            raise cursor.refused(f"export {export.name!r} is {KINDS[export.kind]} {export.number}, which is not there")
    if found.start is not None:
        if found.start >= len(found.functions):
            raise cursor.refused(f"the start function {found.start} is not there")
        if found.signature(found.start) != Signature((), ()):
            raise cursor.refused("the start function takes or returns something")
