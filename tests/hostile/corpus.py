"""The modules that load and then break their contract, or behave badly and may: what each does, what becomes of it.

An expectation is `callback: kind` when the guest is disabled there (`start` and `algo_alloc` refuse it), with a part of
the detail behind it, or `runs`.
"""

from typing import NamedTuple

from tests.hostile.build import LOG, LOOP, SEND, code, custom, module, module_0_4

MIB = 2**20


class Case(NamedTuple):
    """`expected`: `runs`, or what a batch line must start with (`batch.py`), such as `on_fill: trap`."""

    name: str
    wasm: bytes
    expected: str


def _returns(pointer: int | str) -> bytes:
    return module(book=f"(return (i32.const {pointer}))")


def _loops() -> list[Case]:
    return [
        Case("endless on_book", module(book=LOOP), "on_book: fuel"),
        Case("endless on_fill", module(fill=LOOP), "on_fill: fuel"),
        Case("endless on_reject", module(reject=LOOP), "on_reject: fuel"),
        Case("endless on_shutdown", module(shutdown=LOOP), "on_shutdown: fuel"),
        Case("endless on_nbbo", module_0_4(nbbo=LOOP), "on_nbbo: fuel"),
        Case("endless on_message", module_0_4(message=LOOP), "on_message: fuel"),
        Case("endless on_heartbeat", module_0_4(heartbeat=LOOP), "on_heartbeat: fuel"),
        Case("recursion", module(book="(drop (call $on_book (i32.const 0) (i32.const 0)))"), "on_book: trap: stack"),
        Case("recursion through a table", module(
            book="(drop (call_indirect (param i32 i32) (result i32) (i32.const 0) (i32.const 0) (i32.const 0)))",
            extra="(table 1 funcref) (elem (i32.const 0) $on_book)"), "on_book: trap: stack"),
        Case("loop of failing memory.grow", module(
            book="(loop $a (drop (memory.grow (i32.const 65535))) (br $a))"), "on_book: fuel"),
        Case("loop of memory.fill over 16 MiB", module(book="""(drop (memory.grow (i32.const 253)))
            (loop $a (memory.fill (i32.const 65536) (i32.const 0) (i32.const 16711680)) (br $a))"""), "on_book: fuel"),
        Case("loop of memory.copy over 16 MiB", module(book="""(drop (memory.grow (i32.const 253)))
            (loop $a (memory.copy (i32.const 65536) (i32.const 65544) (i32.const 16000000)) (br $a))"""),
            "on_book: fuel"),
        Case("loop of table.grow", module(
            book="(loop $a (drop (table.grow (ref.null func) (i32.const 1))) (br $a))", extra="(table 1 funcref)"),
            "on_book: fuel"),
        Case("loop of table.fill", module(
            book="(loop $a (table.fill (i32.const 0) (ref.null func) (i32.const 4096)) (br $a))",
            extra="(table 4096 funcref)"), "on_book: fuel"),
    ]  # fmt: skip


def _traps() -> list[Case]:
    zero = "(global.get $n)"
    return [
        Case("unreachable in on_book", module(book="unreachable"), "on_book: trap: unreachable"),
        Case("unreachable in on_fill", module(fill="unreachable"), "on_fill: trap: unreachable"),
        Case("unreachable in on_reject", module(reject="unreachable"), "on_reject: trap: unreachable"),
        Case("unreachable in on_shutdown", module(shutdown="unreachable"), "on_shutdown: trap: unreachable"),
        Case("unreachable in on_nbbo", module_0_4(nbbo="unreachable"), "on_nbbo: trap: unreachable"),
        Case("unreachable in on_message", module_0_4(message="unreachable"), "on_message: trap: unreachable"),
        Case("unreachable in on_heartbeat", module_0_4(heartbeat="unreachable"), "on_heartbeat: trap: unreachable"),
        Case("division by zero", module(book=f"(drop (i32.div_u (i32.const 1) {zero}))"), "on_book: trap: integer div"),
        Case("division overflow", module(
            book="(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"), "on_book: trap: integer overflow"),
        Case("NaN to integer", module(
            book="(drop (i32.trunc_f32_s (f32.const nan)))"), "on_book: trap: bad conversion"),
        Case("load beyond memory", module(book="(drop (i64.load (i32.const -1)))"), "on_book: trap: memory out"),
        Case("store with the largest offset", module(
            book="(i64.store offset=0xffffffff (i32.const -1) (i64.const 0))"), "on_book: trap: memory out"),
        Case("memory.fill beyond memory", module(
            book="(memory.fill (i32.const 0) (i32.const 0) (i32.const 0x30001))"), "on_book: trap: memory out"),
        Case("call of an empty table entry", module(
            book="(call_indirect (i32.const 0))", extra="(table 1 funcref)"), "on_book: trap: indirect call"),
        Case("call beyond a table", module(
            book="(call_indirect (i32.const -1))", extra="(table 1 funcref)"), "on_book: trap: table out"),
        Case("call with another signature", module(
            book="(call_indirect (i32.const 0))", extra="(table 1 funcref) (elem (i32.const 0) $on_book)"),
            "on_book: trap: bad signature"),
        Case("use of a dropped data segment", module(
            book="(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))", extra='(data $d "x")'),
            "on_book: trap: memory out"),
    ]  # fmt: skip


def _answers() -> list[Case]:
    end = 3 * 65_536
    count = "(i32.store (i32.const 1024) (i32.const {}))"
    grown = "(drop (memory.grow (i32.const 1))) (return (i32.const {}))"
    return [
        Case("actions at 0", _returns(0), "on_book: pointer"),
        Case("actions at 2^31", _returns(0x8000_0000), "on_book: pointer"),
        Case("actions at the last address", _returns(0xFFFF_FFF8), "on_book: pointer"),
        Case("actions at 0xffffffff", _returns(0xFFFF_FFFF), "on_book: alignment"),
        Case("actions unaligned", _returns(1028), "on_book: alignment"),
        Case("actions end with memory", _returns(end - 520), "runs"),
        Case("actions end 8 bytes behind memory", _returns(end - 512), "on_book: pointer"),
        Case("actions in memory just grown", module(book=grown.format(end)), "runs"),
        Case("actions behind memory just grown", module(book=grown.format(end + 65_536)), "on_book: pointer"),
        Case("17 actions", module(book=count.format(17)), "on_book: count"),
        Case("2^32 - 1 actions", module(book=count.format(-1)), "on_book: count"),
        Case("16 actions of noise", module(
            book="(memory.fill (i32.const 1024) (i32.const 0xff) (i32.const 520))" + count.format(16)), "runs"),
        Case("bad pointer from on_shutdown", module(
            shutdown="(return (i32.const -8))"), "on_shutdown: pointer"),
        Case("too many actions from on_heartbeat", module_0_4(heartbeat=count.format(99)), "on_heartbeat: count"),
        Case("unaligned actions from on_nbbo", module_0_4(nbbo="(return (i32.const 3))"), "on_nbbo: alignment"),
        Case("bad pointer from on_message", module_0_4(message="(return (i32.const -16))"), "on_message: pointer"),
    ]  # fmt: skip


def _imports() -> list[Case]:
    def logs(level: int, at: int, size: int) -> bytes:
        return module(
            imports=LOG, book=f"(call $log (i32.const {level}) (i32.const {at}) (i32.const {size}))"
        )  # fmt: skip

    def sends(at: int, size: int) -> bytes:
        return module(imports=SEND, book=f"(call $send (i64.const -1) (i32.const {at}) (i32.const {size}))")

    many = """(loop $a {} (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (br_if $a (i32.lt_u (global.get $n) (i32.const {}))))"""
    line = "(call $log (i32.const 2) (i32.const 0) (i32.const 8))"
    note = "(call $send (i64.const 1) (i32.const 0) (i32.const 8))"
    return [
        Case("log at the last address", logs(2, -1, 1), "on_book: pointer"),
        Case("log of negative length", logs(2, 0, -1), "on_book: pointer"),
        Case("log that wraps around", logs(2, -16, 32), "on_book: pointer"),
        Case("log one byte too long", logs(2, 1, 3 * 65_536), "on_book: pointer"),
        Case("log of all memory", logs(2, 0, 3 * 65_536), "runs"),
        Case("log of a negative level", logs(-1, 0, 4), "runs"),
        Case("log of nothing, nowhere", logs(9, 3 * 65_536, 0), "runs"),
        Case("a thousand lines", module(imports=LOG, book=many.format(line, 1000)), "runs"),
        Case("a million lines", module(imports=LOG, book=many.format(line, 1_000_000)), "on_book: fuel"),
        Case("message of negative length", sends(0, -1), "on_book: message"),
        Case("message of 257 bytes", sends(0, 257), "on_book: message"),
        Case("message beyond memory", sends(-8, 16), "on_book: message"),
        Case("message of nothing", sends(0, 0), "runs"),
        Case("a thousand messages", module(imports=SEND, book=many.format(note, 1000)), "runs"),
        Case("a million messages", module(imports=SEND, book=many.format(note, 1_000_000)), "on_book: fuel"),
        Case("recursion that logs at each level", module(
            imports=LOG, book=line + "(drop (call $on_book (i32.const 0) (i32.const 0)))"), "on_book: fuel"),
        Case("log through a table", module(
            imports=LOG, extra="(table 1 funcref) (elem (i32.const 0) $log)",
            book="(call_indirect (param i32 i32 i32) (i32.const 1) (i32.const 0) (i32.const 8) (i32.const 0))"),
            "runs"),
        Case("log beyond memory through a table", module(
            imports=LOG, extra="(table 1 funcref) (elem (i32.const 0) $log)",
            book="(call_indirect (param i32 i32 i32) (i32.const 1) (i32.const -1) (i32.const 8) (i32.const 0))"),
            "on_book: pointer"),
        Case("log of memory just grown", module(imports=LOG, book="""(drop (memory.grow (i32.const 1)))
            (call $log (i32.const 2) (i32.const 196608) (i32.const 65536))"""), "runs"),
        Case("the same import twice", module(imports=LOG + LOG.replace("$log", "$again")), "runs"),
    ]  # fmt: skip


def _harmless() -> list[Case]:
    """Odd, and allowed."""
    grow = "(drop (memory.grow (i32.const 253)))"
    inc = module()
    noise = bytes(range(256)) * 16
    return [
        Case("memory grown to 16 MiB", module(book=grow), "runs"),
        Case("memory growth refused", module(book=grow + "(drop (memory.grow (i32.const 1)))"), "runs"),
        Case("table growth refused", module(
            book="(drop (table.grow (ref.null func) (i32.const 4096)))", extra="(table 1 funcref)"), "runs"),
        Case("start function grows memory", module(extra="(func $s (drop (memory.grow (i32.const 9)))) (start $s)"),
            "runs"),
        Case("overlapping data segments", module(
            extra='(data (i32.const 64) "aaaa") (data (i32.const 66) "bbbb")'), "runs"),
        Case("all records at one address", module(alloc="(i32.const 4096)"), "runs"),
        Case("records at odd addresses", module(alloc="(i32.const 4097)"), "runs"),
        Case("records that overlap", module(alloc="""(global.set $heap (i32.add (global.get $heap) (i32.const 8)))
            (global.get $heap)"""), "runs"),
        Case("prices taken for actions", module(book="(return (local.get $book))"), "on_book: count"),
        Case("externref table", module(extra="(table 8 externref)"), "runs"),
        Case("a custom section of 3 MiB", inc + custom(b"bomb", bytes(3 * MIB)), "runs"),
        Case("20,000 custom sections", inc + custom(b"x") * 20_000, "runs"),
        Case("name section of noise", inc + custom(b"name", noise), "runs"),
        Case("name section that lies about its size", inc + custom(b"name", b"\1\xff\xff\xff\xff\x0f"), "runs"),
        Case("5,000 locals", code([b"\1\x88\x27\x7e\x0b"]), "runs"),
        Case("1,000 nested blocks", code([b"\0" + b"\2\x40" * 1000 + b"\x0b" * 1001]), "runs"),
    ]  # fmt: skip


CASES = _loops() + _traps() + _answers() + _imports() + _harmless()
