"""One reader for each section of a WASM binary: an allow-list of plain 32-bit modules, with a bound on every count.

Bodies of functions are measured, not read: the compiler validates them. Source: WebAssembly Core Specification 2.0,
chapter 5.5. Raises ModuleError, nothing else.
"""

from collections.abc import Callable
from typing import Final

from runtime.module.bytes import Cursor
from runtime.module.types import (
    FUNC,
    GLOBAL,
    MEMORY,
    TABLE,
    TAG,
    Data,
    Export,
    Global,
    Import,
    Limits,
    Signature,
    WasmFile,
)

PAGE_BYTES: Final = 65_536
TYPES_MAX: Final = 1_000
PARAMETERS_MAX: Final = 1_000
IMPORTS_MAX: Final = 100
FUNCTIONS_MAX: Final = 10_000
TABLES_MAX: Final = 4
GLOBALS_MAX: Final = 1_000
EXPORTS_MAX: Final = 1_000
SEGMENTS_MAX: Final = 10_000
ELEMENTS_MAX: Final = 100_000
BODY_BYTES_MAX: Final = 256 * 1024  # compiling one can take 1,700 times its size in memory
LOCALS_MAX: Final = 5_000  # a function; compiling time grows faster than their number


def _types(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("types", TYPES_MAX)):
        form = section.byte("a type")
        if form != 0x60:
            is_gc = form in {0x4E, 0x4F, 0x50, 0x5E, 0x5F}
            said = "GC" if is_gc else "stack switching" if form == 0x5D else "unknown"
            raise section.refused(f"type {index} has the form {form:#04x}, which is {said}", at=section.at - 1)
        sides = []
        for side in ("parameters", "results"):
            what = f"{side} of type {index}"
            count = section.count(what, PARAMETERS_MAX)
            sides.append(tuple(section.value_type(what) for _ in range(count)))
        found.types.append(Signature(*sides))


def _type_index(section: Cursor, found: WasmFile, what: str) -> int:
    start = section.at
    index = section.u32(f"the type of {what}")
    if index >= len(found.types):
        raise section.refused(f"{what} has type {index}, of {len(found.types)}", at=start)
    return index


def _imports(section: Cursor, found: WasmFile) -> None:
    for _ in range(section.count("imports", IMPORTS_MAX)):
        module, name = section.text("an import's module"), section.text("an import's name")
        what = f"import {module}.{name}"
        kind = section.byte(f"the kind of {what}")
        signature = None
        if kind == FUNC:
            found.functions.append(_type_index(section, found, what))
            signature = found.types[found.functions[-1]]
        elif kind == TABLE:
            found.tables.append(_table_type(section, what))
        elif kind == MEMORY:
            found.memories.append(_memory_type(section, found, what))
        elif kind == GLOBAL:
            found.globals.append(Global(*_global_type(section, what), None))
            found.global_imports += 1
        else:
            said = "a tag, which is exceptions" if kind == TAG else f"of kind {kind}, which is unknown"
            raise section.refused(f"{what} is {said}", at=section.at - 1)
        found.imports.append(Import(module, name, kind, signature))


def _functions(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("functions", FUNCTIONS_MAX)):
        found.functions.append(_type_index(section, found, f"function {index}"))


def _limits(section: Cursor, what: str) -> Limits:
    start = section.at
    flags = section.byte(f"the limits of {what}")
    if flags > 1:
        proposals = {2: "threads", 4: "memory64", 8: "custom page sizes"}
        said = next((text for bit, text in proposals.items() if flags & bit), "unknown")
        raise section.refused(f"{what} has limits of form {flags:#04x}, which is {said}", at=start)
    least = section.u32(f"the least size of {what}")
    most = section.u32(f"the greatest size of {what}") if flags else None
    if most is not None and most < least:
        raise section.refused(f"{what} is at least {least} and at most {most}", at=start)
    return Limits(least, most)


def _table_type(section: Cursor, what: str) -> Limits:
    if section.value_type(what) not in {"funcref", "externref"}:
        raise section.refused(f"{what} holds no references", at=section.at - 1)
    return _limits(section, what)


def _memory_type(section: Cursor, found: WasmFile, what: str) -> Limits:
    start = section.at
    if found.memories:
        raise section.refused("it has more than one memory", at=start)
    limits = _limits(section, what)
    if max(limits.least, limits.most or 0) > 2**32 // PAGE_BYTES:
        raise section.refused(f"{what} is larger than 4 GiB", at=start)
    return limits


def _global_type(section: Cursor, what: str) -> tuple[str, bool]:
    kind = section.value_type(what)
    mutability = section.byte(f"the mutability of {what}")
    if mutability > 1:
        raise section.refused(
            f"{what} has mutability {mutability:#04x}, which is threads or unknown", at=section.at - 1
        )
    return kind, bool(mutability)


def _tables(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("tables", TABLES_MAX - len(found.tables))):
        what = f"table {index}"
        if section.at < section.end and section.data[section.at] == 0x40:
            raise section.refused(f"{what} has an initial value, which is typed function references")
        found.tables.append(_table_type(section, what))


def _memories(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("memories", 1)):
        found.memories.append(_memory_type(section, found, f"memory {index}"))


def _globals(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("globals", GLOBALS_MAX)):
        what = f"global {index}"
        found.globals.append(Global(*_global_type(section, what), _constant(section, what)))


def _constant(section: Cursor, what: str) -> int | None:
    """A constant expression; its value where it is an integer's."""
    start, value = section.at, None
    match section.byte(f"the value of {what}"):
        case 0x41:
            value = section.signed(32, f"the value of {what}")
        case 0x42:
            value = section.signed(64, f"the value of {what}")
        case 0x43:
            section.take(4, f"the value of {what}")
        case 0x44:
            section.take(8, f"the value of {what}")
        case 0x23 | 0xD2:
            section.u32(f"the value of {what}")
        case 0xD0:
            section.value_type(what)
        case opcode:
            raise section.refused(f"the value of {what} is made by instruction {opcode:#04x}", at=start)
    if section.byte(f"the value of {what}") != 0x0B:
        raise section.refused(f"the value of {what} is more than one constant", at=start)
    return value


def _exports(section: Cursor, found: WasmFile) -> None:
    names = set()
    for _ in range(section.count("exports", EXPORTS_MAX)):
        start = section.at
        name = section.text("an export's name")
        kind = section.byte(f"the kind of export {name!r}")
        if kind > GLOBAL:
            said = "a tag, which is exceptions" if kind == TAG else f"of kind {kind}, which is unknown"
            raise section.refused(f"export {name!r} is {said}", at=section.at - 1)
        if name in names:
            raise section.refused(f"it exports {name!r} twice", at=start)
        names.add(name)
        found.exports.append(Export(name, kind, section.u32(f"the index of export {name!r}")))


def _start(section: Cursor, found: WasmFile) -> None:
    found.start = section.u32("the start function")


def _elements(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("element segments", SEGMENTS_MAX)):
        what = f"element segment {index}"
        flags = section.u32(f"the form of {what}")
        if flags > 7:
            raise section.refused(f"{what} has the form {flags}, which is unknown")
        is_active, is_typed, holds_expressions = not flags & 1, flags & 3, flags & 4
        if is_active:
            if flags & 2:
                section.u32(f"the table of {what}")
            _constant(section, f"the place of {what}")
        if is_typed and holds_expressions:
            section.value_type(what)
        elif is_typed and section.byte(f"the kind of {what}"):
            raise section.refused(f"{what} is of an unknown kind", at=section.at - 1)
        count = section.count(f"entries of {what}", ELEMENTS_MAX)
        for _ in range(count):
            if holds_expressions:
                _constant(section, f"an entry of {what}")
            else:
                section.u32(f"an entry of {what}")
        found.elements.append(count)


def _data_count(section: Cursor, found: WasmFile) -> None:
    found.data_count = section.u32("the number of data segments")


def _code(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("function bodies", FUNCTIONS_MAX)):
        start, what = section.at, f"the body of function {index}"
        size = section.u32(f"the size of {what}")
        if size > BODY_BYTES_MAX:
            raise section.refused(
                f"{what} is {size} bytes, at most {BODY_BYTES_MAX} are allowed", "split the function", at=start
            )
        body = section.sub(size, what)
        locals_ = 0
        for _ in range(body.count(f"kinds of locals in {what}", LOCALS_MAX)):
            locals_ += body.u32(f"the locals of {what}")
            body.value_type(f"a local of {what}")
            if locals_ > LOCALS_MAX:
                raise body.refused(f"{what} has over {LOCALS_MAX} locals", "split the function", at=start)
        if body.at == body.end or body.data[body.end - 1] != 0x0B:
            raise body.refused(f"{what} has no end", at=start)
        found.bodies.append((body.at, body.end - body.at))


def _data(section: Cursor, found: WasmFile) -> None:
    for index in range(section.count("data segments", SEGMENTS_MAX)):
        start, what = section.at, f"data segment {index}"
        flags = section.u32(f"the form of {what}")
        if flags > 2:
            raise section.refused(f"{what} has the form {flags}, which is unknown", at=start)
        if flags == 2 and section.u32(f"the memory of {what}"):
            raise section.refused(f"{what} is for another memory than the first", at=start)
        at = None
        if flags != 1:
            place = _constant(section, f"the place of {what}")
            if place is None:
                raise section.refused(f"the place of {what} is no integer constant", at=start)
            at = place & 0xFFFF_FFFF
        size = section.u32(f"the size of {what}")
        section.take(size, what)
        found.data.append(Data(at, size))


ORDER: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11)
READERS: Final[dict[int, Callable[[Cursor, WasmFile], None]]] = {
    1: _types, 2: _imports, 3: _functions, 4: _tables, 5: _memories, 6: _globals, 7: _exports, 8: _start,
    9: _elements, 10: _code, 11: _data, 12: _data_count,
}  # fmt: skip
