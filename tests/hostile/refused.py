"""The modules that are never loaded: what each tries, and a word of the refusal its author reads."""

from pathlib import Path
from typing import NamedTuple

from wasmtime import wat2wasm

from tests.hostile.build import HEADER, LOG, LOOP, code, custom, leb, module, module_0_4, named, section

ROOT = Path(__file__).resolve().parents[2]
REAL = [(ROOT / "fixtures/algos" / f"{name}.wasm").read_bytes() for name in ("demo", "trader", "trader01")]


class Refused(NamedTuple):
    """`said` is part of the problem."""

    name: str
    wasm: bytes
    said: str


def _wat(text: str) -> bytes:
    return bytes(wat2wasm(f"(module {text})"))


def _proposals() -> list[Refused]:
    """What the gateway switches off, in every place where it can show. None may reach wasmtime's Python types."""
    return [
        Refused("v128 parameter", _wat('(func (export "algo_alloc") (param v128))'), "v128, which is SIMD"),
        Refused("v128 result of an import", _wat('(import "env" "f" (func (result v128)))'), "v128, which is SIMD"),
        Refused("v128 global", _wat('(global (export "g") v128 (v128.const i64x2 0 0))'), "v128, which is SIMD"),
        Refused("v128 local", module(extra="(func (local v128))"), "v128, which is SIMD"),
        Refused("SIMD instruction", module(book="(drop (i8x16.splat (i32.const 1)))"), "SIMD"),
        Refused("i31ref parameter", _wat('(func (export "f") (param i31ref))'), "i31ref, which is GC"),
        Refused("anyref result", _wat('(func (export "f") (result anyref) unreachable)'), "anyref, which is GC"),
        Refused("struct type", _wat("(type (struct (field i32)))"), "which is GC"),
        Refused("recursive types", _wat("(rec (type (func)) (type (func)))"), "which is GC"),
        Refused("array type", _wat("(type (array i8))"), "which is GC"),
        Refused("typed reference", _wat('(type $t (func)) (func (export "f") (param (ref $t)))'), "typed function ref"),
        Refused("table with an initial value", _wat("(func $f) (table 1 (ref func) (ref.func $f))"), "initial value"),
        Refused("exception tag", _wat('(tag (export "t") (param i32))'), "exceptions"),
        Refused("imported tag", _wat('(import "env" "t" (tag))'), "exceptions"),
        Refused("exnref parameter", _wat('(func (export "f") (param exnref))'), "exnref, which is exceptions"),
        Refused("throw", module(book="(try_table)"), "exceptions"),
        Refused("64-bit memory", _wat('(memory (export "memory") i64 1)'), "memory64"),
        Refused("64-bit table", _wat("(table i64 1 funcref)"), "memory64"),
        Refused("shared memory", _wat('(memory (export "memory") 1 1 shared)'), "threads"),
        Refused("atomic instruction", module(book="(drop (i32.atomic.load (i32.const 0)))"), "threads"),
        Refused("two memories", _wat('(memory (export "memory") 1) (memory 1)'), "2 memories, at most 1"),
        Refused("a memory imported and one made", _wat('(import "env" "m" (memory 1)) (memory 1)'), "more than one"),
        Refused("a thousand memories", _wat("(memory 1) " * 1000), "1000 memories"),
        Refused("tail call", module(book="(return_call $on_book (i32.const 0) (i32.const 0))"), "tail calls"),
        Refused("odd page size", HEADER + section(5, b"\1\x08\0\0"), "custom page sizes"),
        Refused("computed constant", _wat("(global i32 (i32.add (i32.const 1) (i32.const 2)))"), "more than one const"),
        Refused("component", b"\0asm\x0d\0\1\0", "a component"),
        Refused("version 2", b"\0asm\2\0\0\0", "of version 2"),
    ]


def _shapes() -> list[Refused]:
    """No memory, wrong kinds, import tricks."""

    def kind(export: str) -> bytes:
        return _wat(f'(memory (export "memory") 3) (global (export "{export}") i32 (i32.const 0))')

    return [
        Refused("no memory", module(memory="(memory 3)"), "exports no memory"),
        Refused("memory is a global", module(
            memory='(memory 3) (global (export "memory") i32 (i32.const 0))'), "`memory` as something else"),
        Refused("memory is a function", module(
            memory='(memory 3) (func (export "memory"))'), "`memory` as something else"),
        Refused("algo_alloc is a global", kind("algo_alloc"), "does not export algo_alloc"),
        Refused("on_book takes floats", module(entry="x", extra="""(func (export "algo_on_book")
            (param f64 f64) (result i32) (i32.const 0))"""), "algo_on_book is"),
        Refused("on_book returns two", module(entry="x", extra="""(func (export "algo_on_book")
            (param i32 i32) (result i32 i32) (i32.const 0) (i32.const 0))"""), "algo_on_book is"),
        Refused("on_message without a sender", module(
            extra='(func (export "algo_on_message") (param i32 i32 i32) (result i32) (i32.const 0))'), "algo_on_mess"),
        Refused("WASI", module(
            imports='(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))'), "imports wasi_snapshot"),
        Refused("imported memory", module(
            imports='(import "env" "memory" (memory 3))', memory='(export "memory" (memory 0))'), "imports env.memory"),
        Refused("imported global", module(imports='(import "env" "g" (global i32))'), "imports env.g"),
        Refused("imported table", module(imports='(import "env" "t" (table 1 funcref))'), "imports env.t"),
        Refused("log with another signature", module(
            imports='(import "env" "host_log_impl" (func (param i64 i32 i32)))'), "another signature"),
        Refused("log is a global", module(
            imports='(import "env" "host_log_impl" (global i32))'), "another signature"),
        Refused("log of another module", module(
            imports='(import "ENV" "host_log_impl" (func (param i32 i32 i32)))'), "imports ENV.host_log_impl"),
        Refused("101 imports", module(imports='(import "env" "host_log_impl" (func (param i32 i32 i32)))' * 101),
            "101 imports"),
    ]  # fmt: skip


def _starts() -> list[Refused]:
    """What breaks while it is compiled, started or asked for its records."""
    return [
        Refused("start loops", module(extra=f"(func $s {LOOP}) (start $s)"), "fuel"),
        Refused("start traps", module(extra="(func $s unreachable) (start $s)"), "unreachable"),
        Refused("start recurses", module(extra="(func $s (call $s)) (start $s)"), "call stack exhausted"),
        Refused("start logs", module(imports=LOG, extra="""(func $s (call $log (i32.const 0) (i32.const 0)
            (i32.const 1))) (start $s)"""), "logs from its start"),
        Refused("algo_alloc loops", module(alloc=LOOP + "(i32.const 0)"), "algo_alloc(656) failed: fuel"),
        Refused("algo_alloc traps", module(alloc="unreachable"), "algo_alloc(656) failed: trap"),
        Refused("algo_alloc gives 0", module(alloc="(i32.const 0)"), "algo_alloc(656) returned 0x0"),
        Refused("algo_alloc gives the end", module(alloc="(i32.const 0x2ffff)"), "algo_alloc(656) returned 0x2ffff"),
        Refused("algo_alloc gives -1", module(alloc="(i32.const -1)"), "algo_alloc(656) returned 0xffffffff"),
        Refused("data beyond memory", module(extra='(data (i32.const 0x2ffff) "xx")'), "out of bounds"),
        Refused("data at -1", module(extra='(data (i32.const -1) "xx")'), "out of bounds"),
        Refused("elements beyond a table", module(
            extra="(table 1 funcref) (elem (i32.const 1) $on_book)"), "out of bounds"),
        Refused("memory of 257 pages", module(memory='(memory (export "memory") 257)'), "exceeds memory limits"),
        Refused("memory of 4 GiB", module(memory='(memory (export "memory") 65536)'), "exceeds memory limits"),
        Refused("table of 4,097", module(extra="(table 4097 funcref)"), "table minimum size"),
        Refused("table of 2^32 - 1", module(extra="(table 4294967295 funcref)"), "table minimum size"),
        Refused("five tables", module(extra="(table 1 funcref)" * 5), "5 tables, at most 4"),
        Refused("data in VenueBooks", module_0_4(extra='(data (i32.const 0x10010) "x")'), "reaches into VenueBooks"),
        Refused("stack in a region", module_0_4(
            extra='(global $__stack_pointer (mut i32) (i32.const 0x25000))'), "its stack starts at 0x25000"),
        Refused("heap in a region", module_0_4(
            extra='(global (export "__heap_base") i32 (i32.const 0x8000))'), "its heap starts at 0x8000"),
        Refused("one page at most", module_0_4().replace(b"\x05\x03\x01\x00\x03", b"\x05\x04\x01\x01\x01\x01"),
            "memory cannot be grown"),
    ]  # fmt: skip


def _bombs() -> list[Refused]:
    """Small files that cost a compiler much."""
    sums = b"\0\x20\0" + b"\x41\1\x6a" * 120_000 + b"\x1a\x0b"
    labels = b"\0\2\x40\x20\0\x0e" + leb(200_000) + b"\0" * 200_001 + b"\x0b\x0b"
    return [
        Refused("50,000 locals", code([b"\1" + leb(50_000) + b"\x7e\x0b"]), "over 5000 locals"),
        Refused("2^32 - 1 locals", code([b"\1\xff\xff\xff\xff\x0f\x7e\x0b"]), "over 5000 locals"),
        Refused("locals in many groups", code([leb(5_001) + b"\1\x7f" * 5_001 + b"\x0b"]), "at most 5000"),
        Refused("a body of 360 kB", code([sums]), "at most 262144"),
        Refused("br_table of 200,000", code([labels]), "br_table"),
        Refused("10,001 functions", code([b"\0\x0b"] * 9_996), "at most 10000"),
        Refused("a module of 4 MiB + 1", HEADER + custom(b"x", bytes(4 * 2**20)), "the most is 4194304"),
        Refused("1,001 types", HEADER + section(1, leb(1001) + b"\x60\0\0" * 1001), "1001 types"),
        Refused("a function of 1,001 parameters", HEADER + section(
            1, b"\1\x60" + leb(1001) + b"\x7f" * 1001 + b"\0"), "1001 parameters"),
        Refused("a name of 10 MB", HEADER + section(7, b"\1" + leb(10_000_000) + b"x"), "10000000 bytes long"),
    ]  # fmt: skip


def _broken() -> list[Refused]:
    """Cut, padded, out of order, out of range."""
    exports = section(7, b"\2" + (named("a") + b"\3\0") * 2)
    cut = [
        Refused(f"{name} cut at {at}", wasm[:at], "module we run" if at > 4 else "header of 4 bytes is cut short")
        for name, wasm in zip(("demo", "trader", "trader01"), REAL, strict=True)
        for at in (4, 7, 9, 100, len(wasm) // 2, len(wasm) - 1)
    ]
    return [
        *cut,
        Refused("nothing", b"", "is not a WASM binary"),
        Refused("text", b"(module)", "is not a WASM binary"),
        Refused("an ELF file", b"\x7fELF" + bytes(100), "is not a WASM binary"),
        Refused("zeros behind the header", HEADER + bytes(50), "is not a module we run"),
        Refused("a section longer than the file", HEADER + b"\1\xff\xff\xff\xff\x0f", "cut short"),
        Refused("a size of 33 bits", HEADER + b"\1\xff\xff\xff\xff\x1f", "more than 32 bits"),
        Refused("a size that never ends", HEADER + b"\1\x80\x80\x80\x80\x80\x80\0", "more than 32 bits"),
        Refused("the types twice", HEADER + section(1, b"\0") * 2, "out of order or there twice"),
        Refused("memory before types", HEADER + section(5, b"\0") + section(1, b"\0"), "out of order"),
        Refused("section 14", HEADER + section(14, b""), "unknown"),
        Refused("bytes behind a section", HEADER + section(1, b"\0\0"), "follow the end"),
        Refused("a billion types", HEADER + section(1, leb(10**9)), "1000000000 types"),
        Refused("functions without bodies", HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0"), "are declared"),
        Refused("a type that is not there", HEADER + section(3, b"\1\0"), "has type 0, of 0"),
        Refused("an export that is not there", HEADER + section(7, b"\1" + named("f") + b"\0\5"), "not there"),
        Refused("an export twice", HEADER + section(6, b"\1\x7f\0\x41\0\x0b") + exports, "twice"),
        Refused("a name that is not UTF-8", HEADER + section(7, b"\1\2\xff\xfe\0\0"), "not UTF-8"),
        Refused("a name that clears the screen", HEADER + section(7, b"\1" + named("\x1b[2Jok") + b"\0\0"), "\\x1b[2J"),
        Refused("a name written backwards", HEADER + section(7, b"\1" + named("a\u202eb") + b"\0\0"), "\\u202e"),
        Refused("a custom section without a name", HEADER + section(0, b""), "cut short"),
        Refused("a start function with a parameter", HEADER + section(1, b"\1\x60\1\x7f\0") + section(3, b"\1\0")
            + section(8, b"\0") + section(10, b"\1\2\0\x0b"), "takes or returns"),
        Refused("a memory smaller than its least", HEADER + section(5, b"\1\1\3\2"), "at least 3 and at most 2"),
        Refused("a memory of 65,537 pages", HEADER + section(5, b"\1\0" + leb(65_537)), "larger than 4 GiB"),
        Refused("a data count that lies", HEADER + section(12, b"\5"), "5 data segments are declared"),
        Refused("a body without an end", HEADER + section(1, b"\1\x60\0\0") + section(3, b"\1\0")
            + section(10, b"\1\2\0\1"), "has no end"),
    ]  # fmt: skip


REFUSED = _proposals() + _shapes() + _starts() + _bombs() + _broken()
