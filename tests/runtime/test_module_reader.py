"""Reading a module's bytes: what real guests hold, what is refused, and that nothing else can come out."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wasmtime import wat2wasm

from connectors.errors import ModuleError
from runtime.module.bytes import Cursor
from runtime.module.code import addresses
from runtime.module.layout import function_names, layout_of
from runtime.module.reader import MODULE_BYTES_MAX, parse
from runtime.module.types import FUNC, GLOBAL, MEMORY, Data, Import, Limits, Signature, WasmFile
from tests.hostile.build import HEADER, custom, leb
from tests.support.guests import every

ROOT = Path(__file__).resolve().parents[2]
REAL = {name: (ROOT / "fixtures/algos" / f"{name}.wasm").read_bytes() for name in ("demo", "trader", "trader01")}


def wat(text: str) -> bytes:
    return bytes(wat2wasm(f"(module {text})"))


@pytest.mark.parametrize(("name", "pages", "entry"), [
    ("demo", 18, "algo_on_book_v3"), ("trader", 18, "algo_on_book_v3"), ("trader01", 17, "algo_on_book"),
])  # fmt: skip
def test_a_real_guest(name: str, pages: int, entry: str) -> None:
    """Built by rustc and wasm-ld, names stripped: data from 1 MiB on, behind the stack."""
    parsed = parse(REAL[name], name=name)
    assert parsed.memories == [Limits(pages, None)]
    assert parsed.imports == [Import("env", "host_log_impl", FUNC, Signature(("i32", "i32", "i32"), ()))]
    export = parsed.export(entry, FUNC)
    assert export is not None
    assert parsed.signature(export.number) == Signature(("i32", "i32"), ("i32",))
    assert [segment.at for segment in parsed.data] == [0x100000]
    assert parsed.globals[0][:] == ("i32", True, 0x100000)
    assert len(parsed.bodies) == len(parsed.functions) - 1
    assert function_names(parsed) == {}


def test_every_kind_of_section_is_read() -> None:
    parsed = parse(
        wat("""(type $t (func (param i64 f32 f64) (result i32 i64)))
        (import "env" "f" (func $f (param i32))) (import "env" "g" (global i64))
        (table 2 7 funcref) (table 3 externref) (memory 1 9)
        (global (mut i32) (i32.const -5)) (global f64 (f64.const 2)) (global i64 (i64.const -9000000000000000000))
        (global funcref (ref.func $f)) (global externref (ref.null extern)) (global i64 (global.get 0))
        (func $own (local i32 i64) nop) (func $start) (start $start)
        (export "own" (func $own)) (export "memory" (memory 0)) (export "g2" (global 1)) (export "t" (table 1))
        (elem (i32.const 0) $f $own) (elem (table 0) (i32.const 1) func $f) (elem func $own)
        (elem declare func $f) (elem funcref (ref.func $f) (ref.null func)) (elem (table 1) (i32.const 0) externref)
        (data (i32.const -16) "ab") (data "passive") (data (i32.const 3) "")"""),
        name="m",
    )
    assert Signature(("i64", "f32", "f64"), ("i32", "i64")) in parsed.types
    assert [(item.name, item.kind) for item in parsed.imports] == [("f", FUNC), ("g", GLOBAL)]
    assert parsed.tables == [Limits(2, 7), Limits(3, None)]
    assert parsed.memories == [Limits(1, 9)]
    assert [item.value for item in parsed.globals] == [None, -5, None, -9 * 10**18, None, None, None]
    assert [item.type for item in parsed.globals] == ["i64", "i32", "f64", "i64", "funcref", "externref", "i64"]
    assert parsed.start == 2
    assert parsed.elements == [2, 1, 1, 1, 2, 0]
    assert parsed.data == [Data(0xFFFF_FFF0, 2), Data(None, 7), Data(3, 0)]
    assert parsed.export("memory", MEMORY) is not None
    assert parsed.export("memory", FUNC) is None
    assert function_names(parsed) == {0: "f", 1: "own", 2: "start"}


def test_an_error_says_what_where_and_what_to_do() -> None:
    with pytest.raises(ModuleError) as caught:
        parse(wat('(func (export "f") (param i32 v128))'), name="bad.wasm")
    error = caught.value
    assert error.problem == "is not a module we run: parameters of type 0 uses v128, which is SIMD, at byte 0xe"
    assert error.place == "bad.wasm"
    assert error.mend == "build it for wasm32-unknown-unknown with the target features left as they are"


def test_the_largest_module() -> None:
    """4 MiB may be; one byte more may not."""
    wasm = HEADER + custom(b"x", bytes(MODULE_BYTES_MAX - 8 - 1 - 4 - 2))
    assert len(wasm) == MODULE_BYTES_MAX
    assert parse(wasm, name="m").custom[0][0] == "x"
    with pytest.raises(ModuleError, match="the most is 4194304"):
        parse(wasm + b"\0", name="m")


def padded(value: int) -> bytes:
    """Five bytes, as linkers write numbers that they fill in later."""
    parts = [value >> shift & 0x7F for shift in range(0, 35, 7)]
    return bytes([*(part | 0x80 for part in parts[:4]), parts[4]])


@given(st.integers(0, 2**32 - 1))
def test_unsigned_numbers_short_and_padded(value: int) -> None:
    for data in (leb(value), padded(value)):
        cursor = Cursor(data, "m", 0, len(data))
        assert cursor.u32("it") == value
        assert cursor.at == len(data)


def signed_leb(value: int) -> bytes:
    out: list[int] = []
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


@given(st.integers(-(2**63), 2**63 - 1))
@example(-(2**63))
@example(-(2**31))
@example(2**31)
def test_signed_numbers(value: int) -> None:
    """Read back where they fit, refused where they do not."""
    data = signed_leb(value)
    assert Cursor(data, "m", 0, len(data)).signed(64, "it") == value
    narrow = Cursor(data, "m", 0, len(data))
    if -(2**31) <= value < 2**31:
        assert narrow.signed(32, "it") == value
    else:
        with pytest.raises(ModuleError, match="more than 32 bits"):
            narrow.signed(32, "it")


def facts(wasm: bytes) -> WasmFile | ModuleError:
    """The only two things that may come out, whatever goes in."""
    try:
        parsed = parse(wasm, name="m")
    except ModuleError as error:
        return error
    addresses(parsed)
    function_names(parsed)
    layout_of(parsed)
    return parsed


@given(st.binary(max_size=300))
def test_any_bytes_at_all(noise: bytes) -> None:
    assert isinstance(facts(noise), ModuleError)
    found = facts(HEADER + noise)
    assert isinstance(found, WasmFile) or (found.place == "m" and found.problem and found.mend)


@given(st.sampled_from(sorted(REAL)), st.data())
def test_any_change_to_a_real_guest(name: str, data: st.DataObject) -> None:
    """Up to four bytes changed, whole or cut anywhere."""
    wasm = bytearray(REAL[name])
    for _ in range(data.draw(st.integers(1, 4))):
        wasm[data.draw(st.integers(0, len(wasm) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(facts(bytes(wasm)), WasmFile | ModuleError)
    assert isinstance(facts(bytes(wasm[: data.draw(st.integers(0, len(wasm)))])), WasmFile | ModuleError)


def test_a_guest_cut_short_is_never_taken_for_a_whole_one() -> None:
    """At every byte: refused, but where only custom sections are missing."""
    wasm = every(3)
    code_end = max(at + size for at, size in parse(wasm, name="m").bodies)
    whole = [cut for cut in range(len(wasm)) if isinstance(facts(wasm[:cut]), WasmFile)]
    assert whole[0] == 8  # the empty module
    assert {len(parse(wasm[:cut], name="m").bodies) for cut in whole if cut < code_end} == {0}
    assert code_end in whole


def test_addresses_that_code_names() -> None:
    """Constants and offsets, from every instruction that has other things behind it."""
    parsed = parse(
        wat("""(memory 1) (table 1 funcref) (data $d "x") (global $g (mut i32) (i32.const 7777))
        (func (param i32) (result i32) (local i64)
          (block (result i32) (i32.const 65536)) (drop)
          (block $a (block $b (br_table $a $b (local.get 0))))
          (if (local.get 0) (then (call_indirect (i32.const 0))))
          (i64.store offset=106496 (local.get 0) (i64.const -1))
          (drop (f64.const 1)) (drop (f32.const 1))
          (drop (select (result i32) (i32.const -1) (i32.const 5) (local.get 0)))
          (memory.init $d (i32.const 4) (i32.const 3) (i32.const 2)) (drop (memory.grow (memory.size)))
          (drop (i32.trunc_sat_f64_u (f64.const 2))) (global.set $g (i32.load8_u offset=9 (local.get 0)))
          (drop (ref.is_null (ref.null func))) (table.fill (i32.const 0) (ref.null func) (i32.const 1))
          (return (i32.extend8_s (local.tee 0 (i32.const 147456)))))"""),
        name="m",
    )  # fmt: skip
    assert addresses(parsed) == [65536, 0, 106496, 0xFFFF_FFFF, 5, 4, 3, 2, 9, 0, 1, 147456]
