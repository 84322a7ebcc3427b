"""Loading a guest: which generation it is, and what is refused, naming what and why."""

import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from connectors.errors import ModuleError
from runtime import abi
from runtime.host import AlgoHost
from runtime.module.reader import MODULE_BYTES_MAX
from tests.support.guests import FEATURES, guest

ROOT = Path(__file__).resolve().parents[2]
LOG = '(import "env" "host_log_impl" (func $log (param i32 i32 i32)))'
LOG_8 = "(call $log (i32.const 2) (i32.const 0) (i32.const 8))"

NBBO = '(func (export "algo_on_nbbo") (param i32 i32 i32) (result i32) (i32.const 1024))'
HEARTBEAT = '(func (export "algo_on_heartbeat") (param i32) (result i32) (i32.const 1024))'
MESSAGE = '(func (export "algo_on_message") (param i64 i32 i32 i32) (result i32) (i32.const 1024))'
STUB = '(func (export "algo_on_book") (param i32 i32) (result i32) unreachable)'


def module(
    *,
    alloc: str = "(i32.const 4096)",
    memory: str = '(memory (export "memory") 3)',
    book: str = "(param i32 i32) (result i32) (i32.const 1024)",
    fill: str = '(func (export "algo_on_fill") (param i32 i32))',
    reject: str = '(func (export "algo_on_reject") (param i32))',
    shutdown: str = '(func (export "algo_on_shutdown") (param i32) (result i32) (i32.const 1024))',
    imports: str = "",
    extra: str = "",
) -> bytes:
    text = f"""(module {imports} {memory} {fill} {reject} {shutdown} {extra}
      (func (export "algo_alloc") (param i32) (result i32) {alloc})
      (func (export "algo_on_book") {book}))"""
    return bytes(wat2wasm(text))


@pytest.mark.parametrize(
    ("wasm", "generation"),
    [
        (guest(), "0.1"),
        (guest(extra=HEARTBEAT), "0.1"),
        (guest(book_export="algo_on_book_v3"), "0.3"),
        (guest(book_export="algo_on_book_v3", extra=STUB + HEARTBEAT), "0.3"),
        (guest(book_export="algo_on_book_v3", extra=NBBO + HEARTBEAT + MESSAGE), "0.4"),
        (guest(book_export="algo_on_book_v3", extra=STUB + NBBO + HEARTBEAT + MESSAGE), "0.4"),
    ],
)
def test_the_generation_is_told_by_the_exports(wasm: bytes, generation: str) -> None:
    """Where algo_on_book_v3 exists, algo_on_book is a stub and is never called: here it would trap."""
    host = AlgoHost(wasm, name="g")
    assert host.generation == generation
    assert host.on_book(bytearray(656), bytearray(abi.STATE_BYTES), FEATURES) == []


@pytest.mark.parametrize(
    ("name", "generation"), [("demo.wasm", "0.4"), ("trader.wasm", "0.4"), ("trader01.wasm", "0.1")]
)
def test_guests_of_the_real_crate(name: str, generation: str) -> None:
    host = AlgoHost((ROOT / "fixtures/algos" / name).read_bytes(), name=name)
    assert host.generation == generation


@pytest.mark.parametrize("wasm", [guest(extra=NBBO), guest(extra=NBBO + HEARTBEAT)])
def test_the_ambiguous_pair_is_the_later_one_unless_said(wasm: bytes) -> None:
    """0.3.0 and 0.3.2 multi venue export the same names and differ in layout. Their algo_on_book is a stub."""
    later, earlier = AlgoHost(wasm, name="multi"), AlgoHost(wasm, name="multi", abi="0.3.0")
    assert (later.generation, earlier.generation) == ("0.3.2", "0.3.0")
    assert later.callbacks == earlier.callbacks == {"on_nbbo"}
    assert later.regions[abi.Region.POOL_BOOKS][0] == 0x14000
    assert earlier.regions[abi.Region.POOL_BOOKS][0] == 0x13000


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("0.5", "abi '0.5' is not a generation"), ("0.4", "has the exports of 0.1, not of 0.4"),
     ("0.3.2", "has the exports of 0.1, not of 0.3.2")],
)  # fmt: skip
def test_an_abi_the_module_cannot_be_is_refused(wanted: str, said: str) -> None:
    with pytest.raises(ModuleError) as caught:
        AlgoHost(guest(), name="one.wasm", abi=wanted)
    assert said in caught.value.problem
    assert caught.value.mend


@pytest.mark.parametrize(
    ("wasm", "said"),
    [
        (module(memory="(memory 3)"), "exports no memory"),
        (module(memory='(global (export "memory") i32 (i32.const 0))'), "`memory` as something else"),
        (module(memory='(memory (export "memory") 0)'), "algo_alloc(656) returned 0x1000"),
        (module(memory='(memory (export "memory") 257)'), "257 pages exceeds memory limits"),
        (module(fill=""), "does not export algo_on_fill"),
        (module(reject=""), "does not export algo_on_reject"),
        (module(shutdown=""), "does not export algo_on_shutdown"),
        (module(fill='(global (export "algo_on_fill") i32 (i32.const 0))'), "does not export algo_on_fill"),
        (module(fill='(func (export "algo_on_fill") (param i32))'), "algo_on_fill is"),
        (module(fill='(func (export "algo_on_fill") (param i64 i32))'), "algo_on_fill is"),
        (module(book="(param i32 i32)"), "algo_on_book is"),
        (module(book="(param f32 i32) (result i32) (i32.const 0)"), "algo_on_book is"),
        (module(extra='(func (export "algo_on_heartbeat"))'), "algo_on_heartbeat is"),
        (module(extra='(func (export "algo_on_message") (param i32 i32 i32 i32))'), "algo_on_message is"),
        (module(imports='(import "env" "system" (func))'), "imports env.system"),
        (module(imports='(import "wasi_snapshot_preview1" "fd_write" (func))'), "imports wasi_snapshot_preview1.fd_"),
        (module(imports='(import "env" "memory" (memory 1))', memory=""), "exports no memory"),
        (module(imports='(import "env" "g" (global i32))'), "imports env.g"),
        (module(imports='(import "other" "host_log_impl" (func (param i32 i32 i32)))'), "imports other.host_log_impl"),
        (module(imports='(import "env" "host_log_impl" (func (param i32 i32)))'), "host_log_impl with another"),
        (module(imports='(import "env" "host_log_impl" (global i32))'), "host_log_impl with another"),
        (module(imports='(import "env" "__seq_send" (func (param i32 i32 i32)))'), "__seq_send with another"),
        (module(extra="(func $s (loop (br 0))) (start $s)"), "all fuel consumed"),
        (module(extra="(func $s unreachable) (start $s)"), "`unreachable` instruction"),
        (module(extra="(table 100000 funcref)"), "table minimum size"),
        (module(extra='(data (i32.const 0x7fffffff) "x")'), "out of bounds"),
        (module(alloc="(i32.const 0)"), "algo_alloc(656) returned 0x0"),
        (module(alloc="(i32.const 0x2fd78)"), "algo_alloc(656) returned 0x2fd78"),  # 8 bytes short of the end
        (module(alloc="(i32.const -8)"), "algo_alloc(656) returned 0xfffffff8"),
        (module(alloc="unreachable"), "algo_alloc(656) failed: trap"),
        (module(alloc="(loop (br 0)) (i32.const 0)"), "algo_alloc(656) failed: fuel"),
        (b"", "is not a WASM binary"),
        (b"\x7fELF" + bytes(100), "is not a WASM binary"),
        (b"(module)", "is not a WASM binary"),
        (b"\0asm", "is not a module we run"),
        (b"\0asm\x01\0\0\0" + bytes(50), "is not a module we run"),
        (guest()[:-9], "is not a module we run"),
        (b"\0asm\x01\0\0\0" + bytes(MODULE_BYTES_MAX), "the most is 4194304"),
        (bytes(wat2wasm("(module)")), "exports no memory"),
    ],
)
def test_what_cannot_be_hosted_is_refused_with_its_reason(wasm: bytes, said: str) -> None:
    with pytest.raises(ModuleError) as caught:
        AlgoHost(wasm, name="bad.wasm")
    error = caught.value
    assert said in error.problem
    assert error.place == "bad.wasm"
    assert error.mend
    assert "Traceback" not in str(error)


def test_a_record_may_end_exactly_where_memory_does() -> None:
    """Any address in bounds is legal; the state of 1,576 bytes is the longest record."""
    at = 3 * 65_536 - abi.STATE_BYTES
    assert AlgoHost(module(alloc=f"(i32.const {at})"), name="edge").state_ptr == at
    with pytest.raises(ModuleError, match=r"algo_alloc\(1576\)"):
        AlgoHost(module(alloc=f"(i32.const {at + 1})"), name="edge")


def test_neither_export_of_a_book() -> None:
    with pytest.raises(ModuleError, match="neither algo_on_book nor algo_on_book_v3"):
        AlgoHost(guest(book_export="something_else"), name="b")


def test_a_small_memory_is_grown_for_the_regions_or_refused() -> None:
    """A guest of 0.4 needs memory up to 0x244B0; one page is grown, a maximum of one page is not."""
    text = """(module (memory (export "memory") 1 {most})
      (func (export "algo_alloc") (param i32) (result i32) (i32.const 4096))
      (func (export "algo_on_fill") (param i32 i32)) (func (export "algo_on_reject") (param i32))
      (func (export "algo_on_shutdown") (param i32) (result i32) (i32.const 1024))
      (func (export "algo_on_message") (param i64 i32 i32 i32) (result i32) (i32.const 1024))
      (func (export "algo_on_book_v3") (param i32 i32) (result i32)
        (i64.store (i32.const 1024) (i64.const 1)) (i64.store (i32.const 1032) (i64.extend_i32_u (memory.size)))
        (i32.const 1024)))"""
    ((pages, *_),) = AlgoHost(bytes(wat2wasm(text.format(most=""))), name="s").on_book(
        bytearray(656), bytearray(abi.STATE_BYTES), FEATURES
    )
    assert pages == 3
    with pytest.raises(ModuleError, match="memory cannot be grown"):
        AlgoHost(bytes(wat2wasm(text.format(most="1"))), name="s")


def test_logging_before_memory_is_known_is_refused_and_the_process_lives() -> None:
    """A log call in the start function used to raise inside the C library, which then freed a wild pointer."""
    code = """
from connectors.errors import ModuleError
from runtime.host import AlgoHost
import sys
try:
    AlgoHost(sys.stdin.buffer.read(), name="start")
except ModuleError as error:
    print(error.problem)
"""
    wasm = module(imports=LOG, extra=f"(func $s {LOG_8}) (start $s)")
    done = subprocess.run(
        [sys.executable, "-c", code], input=wasm, capture_output=True, check=False, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"logs from its start function\n", b"")


def test_logging_while_records_are_allocated_is_heard() -> None:
    host = AlgoHost(module(imports=LOG, alloc=f"{LOG_8} (i32.const 4096)"), name="alloc")
    assert host.take_logs() == [(2, bytes(8))] * len(abi.RECORDS)
