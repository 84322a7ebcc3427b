"""Whether a module's own data, heap or stack lie where the gateway would write records (ABI.md "Where things lie").

A check against a linker's mistake, not against malice: a module may lie about its names, and then overwrites nothing
but its own memory. What is compared:

- active data segments: their addresses are in the binary;
- static data up to `__data_end`, and the heap from `__heap_base` on, where these globals are exported;
- the stack. It grows down from `__stack_pointer`. Names are stripped from most guests; wasm-ld makes that global before
  any other, so without names the first mutable i32 is taken for it. With names, only one of that name is.

Rust guests have the regions at the bottom of a 1 MiB shadow stack, far from where it starts: legal while at least
64 KiB lie between the highest region's end and the stack's top. A stack wholly below the regions is fine.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from connectors.errors import ModuleError
from runtime.abi import Region, Span
from runtime.module.bytes import Cursor
from runtime.module.types import GLOBAL, WasmFile

STACK_ROOM_BYTES: Final = 64 * 1024
_GLOBALS: Final = 7  # subsections of the name section
_FUNCTIONS: Final = 1
NAMES_MAX: Final = 20_000


class Layout(NamedTuple):
    """Addresses as the binary tells them; None where it does not."""

    stack_top: int | None
    is_stack_named: bool
    data_end: int | None
    heap_base: int | None


def check_layout(parsed: WasmFile, regions: Mapping[Region, Span]) -> str:
    """ "" or the problem, as a sentence without its subject. `regions`: those this module would be given."""
    spans = {f"{region} ({at:#x}–{at + size:#x})": (at, at + size) for region, (at, size) in regions.items()}
    if not spans:
        return ""
    layout = layout_of(parsed)
    first = min(start for start, _ in spans.values())
    last = max(end for _, end in spans.values())
    for index, (at, size) in enumerate(parsed.data):
        for region, (start, end) in spans.items():
            if at is not None and size and at < end and at + size > start:
                return f"its data segment {index} ({at:#x}–{at + size:#x}) reaches into {region}"
    top = layout.stack_top
    if top is not None and first < top < last + STACK_ROOM_BYTES:
        named = "its stack starts" if layout.is_stack_named else "its first mutable i32 global, taken for its stack, is"
        return (
            f"{named} at {top:#x}, less than {STACK_ROOM_BYTES // 1024} KiB above the records it is given, "
            f"which end at {last:#x}"
        )
    if layout.data_end is not None:
        begin = _static_begin(parsed, layout, layout.data_end)
        for region, (start, end) in spans.items():
            if begin < end and layout.data_end > start:
                return f"its static data ({begin:#x}–{layout.data_end:#x}, __data_end) reach into {region}"
    if layout.heap_base is not None and layout.heap_base < last:
        return f"its heap starts at {layout.heap_base:#x} (__heap_base), below the records' end at {last:#x}"
    return ""


def _static_begin(parsed: WasmFile, layout: Layout, data_end: int) -> int:
    """Static data lie behind the stack (`--stack-first`, as in Rust), or from the first segment or 1,024 on."""
    if layout.stack_top is not None and layout.stack_top <= data_end:
        return layout.stack_top
    return min((at for at, size in parsed.data if at is not None and size), default=min(1024, data_end))


def layout_of(parsed: WasmFile) -> Layout:
    """Where stack, static data and heap are, as far as the binary says."""
    names = names_of(parsed, _GLOBALS)
    stack: int | None = None
    if names:
        stack = next((index for index, name in names.items() if name == "__stack_pointer"), None)
    else:
        defined = enumerate(parsed.globals)
        stack = next((index for index, item in defined if item.is_mutable and item.type == "i32"), None)
    top = _value(parsed, stack)
    return Layout(top if top else None, bool(names), _exported(parsed, "__data_end"), _exported(parsed, "__heap_base"))


def _exported(parsed: WasmFile, name: str) -> int | None:
    export = parsed.export(name, GLOBAL)
    return None if export is None else _value(parsed, export.number)


def _value(parsed: WasmFile, index: int | None) -> int | None:
    if index is None or index >= len(parsed.globals) or parsed.globals[index].value is None:
        return None
    return (parsed.globals[index].value or 0) & 0xFFFF_FFFF


def function_names(parsed: WasmFile) -> dict[int, str]:
    """Function index → name, from the name section; empty where there is none."""
    return names_of(parsed, _FUNCTIONS)


def names_of(parsed: WasmFile, wanted: int) -> dict[int, str]:
    """Index → name, from one subsection of the name section. A damaged one is as good as none, as the standard says."""
    for title, (at, size) in parsed.custom:
        if title != "name":
            continue
        section = Cursor(parsed.wasm, parsed.name, at, at + size)
        try:
            while section.at < section.end:
                number = section.byte("a subsection")
                inner = section.sub(section.u32("its size"), "a subsection")
                if number == wanted:
                    return {
                        inner.u32("an index"): inner.text("a name", most=size)
                        for _ in range(inner.count("names", NAMES_MAX))
                    }
        except ModuleError:
            return {}
    return {}
