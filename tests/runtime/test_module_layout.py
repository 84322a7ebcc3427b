"""Where a module's own things may lie beside the records it is given."""

from pathlib import Path

import pytest
from wasmtime import wat2wasm

from runtime.abi import REGIONS, Generation
from runtime.module.layout import check_layout, layout_of
from runtime.module.reader import parse

ROOT = Path(__file__).resolve().parents[2]
GIVEN = REGIONS[Generation.V0_4]  # 0x10000 … 0x244b0
STACK = "(global $__stack_pointer (mut i32) (i32.const {}))"
END = 0x244B0


def problem(text: str, generation: Generation = Generation.V0_4) -> str:
    return check_layout(parse(bytes(wat2wasm(f"(module (memory 20) {text})")), name="m"), REGIONS[generation])


@pytest.mark.parametrize("name", ["demo", "trader", "trader01"])
@pytest.mark.parametrize("generation", Generation)
def test_rust_guests_have_the_regions_at_the_bottom_of_their_stack(name: str, generation: Generation) -> None:
    """`--stack-first`: the stack starts at 1 MiB, far above the records, data and heap lie behind it."""
    parsed = parse((ROOT / f"fixtures/algos/{name}.wasm").read_bytes(), name=name)
    layout = layout_of(parsed)
    assert layout.stack_top == 0x100000
    assert not layout.is_stack_named
    assert layout.data_end is not None
    assert layout.heap_base is not None
    assert layout.heap_base >= layout.data_end > layout.stack_top
    assert check_layout(parsed, REGIONS[generation]) == ""


@pytest.mark.parametrize(
    ("top", "is_legal"),
    [(0x10000, True), (0x10001, False), (0x1A000, False), (END, False), (END + 0xFFFF, False), (END + 0x10000, True),
     (0x100000, True)],
)  # fmt: skip
def test_the_stack_is_wholly_below_or_64_kib_above(top: int, is_legal: bool) -> None:
    said = problem(STACK.format(top))
    assert (said == "") is is_legal
    if not is_legal:
        assert said == (
            f"its stack starts at {top:#x}, less than 64 KiB above the records it is given, which end at 0x244b0"
        )


@pytest.mark.parametrize(
    ("at", "size", "region"),
    [(0xFFFF, 1, ""), (0xFFFF, 2, "VenueBooks (0x10000–0x13608)"), (0x13607, 1, "VenueBooks"), (0x13608, 1, ""),
     (0x13FF0, 0x10, ""), (0x13FF0, 0x11, "PoolBooks"), (0x1A0FF, 1, "OnlineFeatures"), (0x24210, 1, "MeshTable"),
     (END, 100, ""), (0x8000, 0x20000, "VenueBooks"), (0x10010, 0, "")],
)  # fmt: skip
def test_data_may_lie_between_the_regions_not_in_them(at: int, size: int, region: str) -> None:
    said = problem(f'(data (i32.const {at}) "{"x" * size}")')
    assert region in said
    assert bool(region) == bool(said)
    if region:
        assert said.startswith(f"its data segment 0 ({at:#x}–{at + size:#x}) reaches into ")


def test_a_generation_is_judged_by_its_own_regions() -> None:
    """Data where 0.4 has VenueBooks is fine for a guest of 0.3 with features only; 0.1 is given nothing at all."""
    inside = '(data (i32.const 0x10010) "x")'
    assert problem(inside, Generation.V0_3) == ""
    assert problem(inside + STACK.format(0x12000), Generation.V0_1) == ""
    assert "OnlineFeatures" in problem('(data (i32.const 0x1a010) "x")', Generation.V0_3)


def test_static_data_that_are_zero_are_seen_by_data_end() -> None:
    """.bss has no segment. Behind a stack that comes first, or from the first segment on where data come first."""
    end = '(global (export "__data_end") i32 (i32.const {}))'
    assert problem(STACK.format(0x100000) + end.format(0x130000)) == ""
    assert problem(STACK.format(0x8000) + end.format(0x9000)) == ""
    said = problem(STACK.format(0x8000) + end.format(0x11000))
    assert said.startswith("its static data (0x8000–0x11000, __data_end) reach into VenueBooks")
    assert "reach into VenueBooks" in problem('(data (i32.const 0x500) "x")' + end.format(0x11000))


def test_a_heap_that_starts_below_the_records_grows_into_them() -> None:
    base = '(global (export "__heap_base") i32 (i32.const {}))'
    assert problem(base.format(END)) == ""
    assert problem(base.format(0x2000)) == (
        "its heap starts at 0x2000 (__heap_base), below the records' end at 0x244b0"
    )


def test_without_names_the_first_mutable_i32_is_taken_for_the_stack() -> None:
    """wasm-ld makes it first and strips its name. Where there are names, only __stack_pointer counts."""
    mutable = (
        "(global {} i32 (i32.const 1)) (global {} (mut i64) (i64.const 2)) (global {} (mut i32) (i32.const 0x20000))"
    )
    unnamed = problem(mutable.format("", "", ""))
    assert unnamed.startswith("its first mutable i32 global, taken for its stack, is at 0x20000, less than 64 KiB")
    assert problem(mutable.format("$a", "$b", "$heap")) == ""
