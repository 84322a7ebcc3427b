"""Hostile modules are built here at test time, from WAT or byte by byte: none is kept as a binary."""

from wasmtime import wat2wasm

from runtime.module.reader import parse
from runtime.module.types import FUNC

# records from 4,096 on; WasmActions at 1,024
BUMP = """(local $at i32) (local.set $at (global.get $heap))
  (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
  (local.get $at)"""
MEMORY = '(memory (export "memory") 3)'
LOG = '(import "env" "host_log_impl" (func $log (param i32 i32 i32)))'
SEND = '(import "env" "__seq_send" (func $send (param i64 i32 i32)))'
LOOP = "(loop $again (br $again))"

_WAT = """(module {imports} {memory}
  (global $heap (mut i32) (i32.const 4096)) (global $n (mut i32) (i32.const 0))
  (func (export "algo_alloc") (param $size i32) (result i32) {alloc})
  (func $on_book (export "{entry}") (param $book i32) (param $state i32) (result i32) {book} (i32.const 1024))
  (func (export "algo_on_fill") (param i32 i32) {fill})
  (func (export "algo_on_reject") (param i32) {reject})
  (func (export "algo_on_shutdown") (param i32) (result i32) {shutdown} (i32.const 1024))
  {extra})"""

_WAT_0_4 = """
  (func (export "algo_on_nbbo") (param i32 i32 i32) (result i32) {nbbo} (i32.const 1024))
  (func (export "algo_on_message") (param i64 i32 i32 i32) (result i32) {message} (i32.const 1024))
  (func (export "algo_on_heartbeat") (param i32) (result i32) {heartbeat} (i32.const 1024))"""


def module(
    *, imports: str = "", memory: str = MEMORY, alloc: str = BUMP, book: str = "", fill: str = "", reject: str = "",
    shutdown: str = "", extra: str = "", entry: str = "algo_on_book",
) -> bytes:  # fmt: skip
    """A guest of 0.1 with these bodies; each callback that says nothing else returns no actions."""
    text = _WAT.format(
        imports=imports, memory=memory, alloc=alloc, book=book, fill=fill, reject=reject, shutdown=shutdown,
        extra=extra, entry=entry,
    )  # fmt: skip
    return bytes(wat2wasm(text))


def module_0_4(*, nbbo: str = "", message: str = "", heartbeat: str = "", book: str = "", extra: str = "") -> bytes:
    """The same of 0.4."""
    more = _WAT_0_4.format(nbbo=nbbo, message=message, heartbeat=heartbeat)
    return module(book=book, extra=more + extra, entry="algo_on_book_v3")


def template(*, is_0_4: bool) -> bytes:
    """What a random module must export and may import to be taken for a guest (tests/tools/smith)."""
    memory = '(memory (export "memory") 3 64)'
    if is_0_4:
        more = _WAT_0_4.format(nbbo="", message="", heartbeat="")
        return module(imports=LOG + SEND, memory=memory, extra=more, entry="algo_on_book_v3")
    return module(imports=LOG, memory=memory)


# --- bytes ----------------------------------------------------------------------------------------------------------


def leb(number: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def section(number: int, payload: bytes) -> bytes:
    return bytes([number]) + leb(len(payload)) + payload


def custom(name: bytes, payload: bytes = b"") -> bytes:
    return section(0, leb(len(name)) + name + payload)


def named(name: str) -> bytes:
    return leb(len(name.encode())) + name.encode()


HEADER = b"\0asm\1\0\0\0"


def code(bodies: list[bytes]) -> bytes:
    """A guest of 0.1 with these further functions, each of type (i32) -> () and given as locals and instructions."""
    types = section(1, b"\x04\x60\x01\x7f\x01\x7f\x60\x02\x7f\x7f\x00\x60\x01\x7f\x00\x60\x02\x7f\x7f\x01\x7f")
    functions = section(3, leb(5 + len(bodies)) + b"\0\1\2\0\3" + b"\2" * len(bodies))
    names = ("algo_alloc", "algo_on_fill", "algo_on_reject", "algo_on_shutdown", "algo_on_book")
    exports = b"".join(named(name) + b"\0" + bytes([index]) for index, name in enumerate(names))
    own = [b"\0\x41\x80\x20\x0b", b"\0\x0b", b"\0\x0b", b"\0\x41\x80\x08\x0b", b"\0\x41\x80\x08\x0b", *bodies]
    text = b"".join(leb(len(body)) + body for body in own)
    return (
        HEADER + types + functions + section(5, b"\1\0\3")
        + section(7, b"\6" + named("memory") + b"\2\0" + exports) + section(10, leb(len(own)) + text)
    )  # fmt: skip


def with_alloc(wasm: bytes) -> bytes:
    """A random module whose `algo_alloc` was given a body that answers 4,096, so that its callbacks are reached."""
    parsed = parse(wasm, name="random")
    export = parsed.export("algo_alloc", FUNC)
    if export is None:
        return wasm
    wanted = export.number - (len(parsed.functions) - len(parsed.bodies))
    at = len(HEADER)
    while at < len(wasm):
        number = wasm[at]
        size, start = _leb_at(wasm, at + 1)
        if number == 10:
            return wasm[:at] + section(10, _swapped(wasm[start : start + size], wanted)) + wasm[start + size :]
        at = start + size
    return wasm


def _swapped(payload: bytes, wanted: int) -> bytes:
    count, at = _leb_at(payload, 0)
    out = bytearray(leb(count))
    for index in range(count):
        size, start = _leb_at(payload, at)
        body = b"\0\x41\x80\x20\x0b" if index == wanted else payload[start : start + size]
        out += leb(len(body)) + body
        at = start + size
    return bytes(out)


def _leb_at(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
