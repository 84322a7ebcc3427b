"""The engine configuration guests run under, and the raw call: what is off, what is counted, what is freed."""

import math
import struct
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from wasmtime import Func, Linker, Module, wat2wasm

from connectors.errors import GuestFault, ModuleError
from runtime import abi, wasm
from runtime.host import AlgoHost
from runtime.wasm import FUEL, PROPOSALS_OFF, GuestCalls, func_at, strict_engine, strict_store
from tests.support.guests import FEATURES, guest

BOOK, STATE = bytearray(656), bytearray(abi.STATE_BYTES)
ROOT = Path(__file__).resolve().parents[2]


def leb(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def section(number: int, body: bytes) -> bytes:
    return bytes([number]) + leb(len(body)) + body


def typed(parameter: bytes) -> bytes:
    """A module whose one exported function takes a value of that type: 40 bytes that abort a careless host."""
    types = section(1, b"\x01\x60\x01" + parameter + b"\x00")
    export = section(7, b"\x01\x01f\x00\x00")
    return b"\0asm\x01\0\0\0" + types + section(3, b"\x01\x00") + export + section(10, b"\x01\x02\x00\x0b")


def wat(text: str) -> bytes:
    return bytes(wat2wasm(text))


FOREIGN_PROPOSALS = {
    "v128 parameter": typed(b"\x7b"),
    "i31ref parameter": typed(b"\x6c"),
    "anyref parameter": typed(b"\x6e"),
    "eqref parameter": typed(b"\x6d"),
    "structref parameter": typed(b"\x6b"),
    "exnref parameter": typed(b"\x69"),
    "typed function reference": typed(b"\x63\x00"),
    "v128 inside": wat("(module (func (drop (v128.const i64x2 0 0))))"),
    "relaxed simd": wat(
        "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))"
    ),
    "memory64": wat('(module (memory (export "memory") i64 1))'),
    "multi-memory": wat('(module (memory (export "memory") 1) (memory 1))'),
    "shared memory": wat('(module (memory (export "memory") 1 2 shared))'),
    "atomics": wat("(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    "tail call": wat("(module (func $f (return_call $f)))"),
    "exceptions": wat("(module (tag $t) (func (throw $t)))"),
    "gc struct": wat("(module (type $s (struct (field i32))) (func (drop (struct.new_default $s))))"),
    "wide arithmetic": wat(
        "(module (func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1))))"
    ),
    "a component": wat("(component)"),
}


def test_the_list_of_proposals_is_pinned_in_its_order() -> None:
    """relaxed SIMD goes before SIMD, and reference types stay: this wasmtime aborts otherwise."""
    assert PROPOSALS_OFF == (
        "relaxed_simd", "simd", "threads", "memory64", "multi_memory", "tail_call", "exceptions", "gc",
        "function_references", "component_model", "stack_switching", "custom_page_sizes", "wide_arithmetic",
    )  # fmt: skip


def in_child(code: str, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT
    )


def test_modules_of_foreign_proposals_are_refused_and_the_process_lives(tmp_path: Path) -> None:
    """In a child, because what is tested is that nobody aborts; one line for each module that it survived."""
    for name, module in FOREIGN_PROPOSALS.items():
        (tmp_path / name).write_bytes(module)
    code = """
import sys, pathlib
from connectors.errors import ModuleError
from runtime.host import AlgoHost
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        AlgoHost(path.read_bytes(), name=path.name)
    except ModuleError as error:
        print(f"{path.name}|{error.problem}", flush=True)
"""
    done = in_child(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    refused = dict(line.split("|", 1) for line in done.stdout.splitlines())
    assert sorted(refused) == sorted(FOREIGN_PROPOSALS)
    # refused by the engine, before any type of theirs is read
    assert all("is not a module we run" in problem for problem in refused.values()), refused


@pytest.mark.parametrize("parameter", ["externref", "funcref"])
def test_reference_types_are_on_and_readable(parameter: str) -> None:
    assert len(Module(strict_engine(), wat(f'(module (func (export "f") (param {parameter})))')).exports) == 1


NAN_WITH_PAYLOAD = 0x7FF8_0000_DEAD_BEEF


def test_a_nan_is_canonical_inside_the_guest() -> None:
    """0 × a NaN with a payload keeps the payload on this hardware, unless the engine canonicalises."""
    host = AlgoHost(
        guest(f"""
          (i64.store (i32.const 1024) (i64.const 1))
          (i64.store (i32.const 1032) (i64.reinterpret_f64 (f64.mul (f64.load (local.get $book)) (f64.const 2))))
          (i64.store (i32.const 1040) (i64.const {NAN_WITH_PAYLOAD}))
        """),
        name="nan",
    )
    book = bytearray(656)
    struct.pack_into("<Q", book, 0, NAN_WITH_PAYLOAD)
    assert math.isnan(struct.unpack("<d", struct.pack("<Q", NAN_WITH_PAYLOAD))[0])
    ((computed, copied, *_),) = host.on_book(book, STATE, FEATURES)
    assert copied == NAN_WITH_PAYLOAD
    assert computed == 0x7FF8_0000_0000_0000


def test_a_loop_ends_by_fuel() -> None:
    host = AlgoHost(guest("(loop (br 0))"), name="loop")
    with pytest.raises(GuestFault) as caught:
        host.on_book(BOOK, STATE, FEATURES)
    assert caught.value.kind == "fuel"


def burner() -> AlgoHost:
    """Each callback counts down from the number in the book's first four bytes, five instructions a step."""
    spend = """
      (global.set $left (i32.load (local.get $book)))
      (loop (global.set $left (i32.sub (global.get $left) (i32.const 1))) (br_if 0 (global.get $left)))"""
    return AlgoHost(guest(spend, globals_="(global $left (mut i32) (i32.const 0))"), name="burner")


def book_of(steps: int) -> bytearray:
    return bytearray(steps.to_bytes(4, "little") + bytes(652))


def test_fuel_is_a_saw_tooth_the_same_in_every_store() -> None:
    """Each callback starts with one to two million; what a call burns does not vary, nor between two stores."""
    trails = []
    for host in (burner(), burner()):
        trail = []
        for _ in range(60):
            host.on_book(book_of(30_000), STATE, FEATURES)
            trail.append(host.fuel_left)
        trails.append(trail)
    first, second = trails
    assert first == second
    pairs = list(pairwise(first))
    (cost,) = {before - after for before, after in pairs if before >= FUEL}
    assert 100_000 < cost < FUEL
    # below one million only what a call that began above it left: the next begins with two million
    refilled = [after for before, after in pairs if before < FUEL]
    assert set(refilled) == {2 * FUEL - cost}
    assert len(refilled) >= 3
    assert FUEL - cost <= min(first) < FUEL


def test_a_call_may_burn_one_million_whenever_it_comes_and_never_more_than_two() -> None:
    probe = burner()
    probe.on_book(book_of(1_000), STATE, FEATURES)
    low = probe.fuel_left
    probe.on_book(book_of(2_000), STATE, FEATURES)
    per_step = (low - probe.fuel_left) / 2_000
    most, too_many = int(FUEL * 0.99 / per_step), int(2 * FUEL * 1.01 / per_step)
    host = burner()
    seen = set()
    for light in (1, 40_000, 70_000, 100_000, 1, 130_000):
        host.on_book(book_of(light), STATE, FEATURES)
        seen.add(host.fuel_left)
        assert host.on_book(book_of(most), STATE, FEATURES) == []
    assert len(seen) > 3
    for light in (1, 40_000, 100_000):
        host = burner()
        host.on_book(book_of(light), STATE, FEATURES)
        with pytest.raises(GuestFault, match="fuel"):
            host.on_book(book_of(too_many), STATE, FEATURES)


def test_deep_recursion_traps() -> None:
    host = AlgoHost(
        guest("(call $deep)", extra="(func $deep (local i64 i64 i64 i64) (call $deep) (call $deep))"), name="deep"
    )
    with pytest.raises(GuestFault) as caught:
        host.on_book(BOOK, STATE, FEATURES)
    assert (caught.value.kind, caught.value.detail) == ("trap", "stack overflow")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("unreachable", "unreachable"),
        ("(drop (i32.load (i32.const -4)))", "memory out of bounds"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer division by zero"),
        ("(drop (i32.trunc_f64_s (f64.const 1e300)))", "integer overflow"),
    ],
)
def test_a_trap_says_what_it_was(body: str, said: str) -> None:
    with pytest.raises(GuestFault) as caught:
        AlgoHost(guest(body), name="t").on_book(BOOK, STATE, FEATURES)
    assert (caught.value.kind, caught.value.detail) == ("trap", said)


def test_memory_grows_to_16_mib_and_no_further() -> None:
    """The guest is told −1, as WASM says; the host's own memory is not asked for more."""
    host = AlgoHost(
        guest("""
          (i64.store (i32.const 1024) (i64.const 1))
          (i64.store (i32.const 1032) (i64.extend_i32_u (memory.grow (i32.const 253))))
          (i64.store (i32.const 1040) (i64.extend_i32_u (memory.grow (i32.const 1))))
          (i64.store (i32.const 1048) (i64.extend_i32_u (memory.size)))
        """),
        name="grow",
    )
    ((first, second, pages, *_),) = host.on_book(BOOK, STATE, FEATURES)
    assert (first, second, pages) == (3, 0xFFFF_FFFF, 256)
    assert pages * 65_536 == wasm.MEMORY_MAX_BYTES


def test_a_memory_that_starts_too_large_is_refused() -> None:
    text = guest().replace(b"\x05\x03\x01\x00\x03", b"\x05\x04\x01\x00\xac\x02")  # 3 → 300 pages
    with pytest.raises(ModuleError, match="300 pages exceeds memory limits"):
        AlgoHost(text, name="large")


def test_traps_do_not_leak() -> None:
    """30,000 unfreed traps were measured at 37 MB; 2,000 would be 2.5 MB of the library's, and ours on top."""
    host = AlgoHost(guest("unreachable"), name="t")

    def trap(times: int) -> None:
        for _ in range(times):
            with pytest.raises(GuestFault):
                host.on_book(BOOK, STATE, FEATURES)

    trap(500)
    tracemalloc.start()
    try:
        before, resident = tracemalloc.get_traced_memory()[0], _resident_kb()
        trap(2000)
        ours, theirs = tracemalloc.get_traced_memory()[0] - before, _resident_kb() - resident
    finally:
        tracemalloc.stop()
    assert ours < 100_000
    assert theirs < 1_500


def _resident_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def test_the_store_stays_usable_after_a_fault() -> None:
    host = AlgoHost(guest("(if (i32.eq (global.get $calls) (i32.const 2)) (then unreachable))"), name="t")
    assert host.on_book(BOOK, STATE, FEATURES) == []
    with pytest.raises(GuestFault):
        host.on_book(BOOK, STATE, FEATURES)
    assert host.on_book(BOOK, STATE, FEATURES) == []


def test_raw_values_are_passed_whole() -> None:
    """i32 and i64 arguments and results through the unchecked call, at their extremes."""
    engine = strict_engine()
    store = strict_store(engine)
    add = "(i64.add (local.get 0) (i64.extend_i32_s (local.get 1)))"
    text = f'(module (func (export "f") (param i64 i32) (result i64) {add}))'
    instance = Linker(engine).instantiate(store, Module(engine, wat(text)))
    func = instance.exports(store)["f"]
    assert isinstance(func, Func)
    calls = GuestCalls(store)
    for left, right, total in [(2**63, 0xFFFF_FFFF, 2**63 - 1), (0, 0x7FFF_FFFF, 0x7FFF_FFFF), (5, 0, 5)]:
        calls.slots[0], calls.slots[2] = left, right
        calls.call(func_at(func), 2)
        assert calls.slots[0] == total
