"""What crosses the border on each callback: records in, actions and log lines out, every number of theirs checked."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.errors import GuestFault
from runtime import abi
from runtime.host import FLOOD_FUEL, LOG_BYTES_MAX, LOG_LINES_MAX, AlgoHost
from runtime.wasm import FUEL
from tests.support.guests import FEATURES, guest

LOG = '(import "env" "host_log_impl" (func $log (param i32 i32 i32)))'
MEMORY_END = 3 * 65_536
BOOK = bytearray(i * 7 % 251 for i in range(656))
STATE = bytearray(i * 11 % 253 for i in range(abi.STATE_BYTES))
EMPTY_BOOK, EMPTY_STATE = bytearray(656), bytearray(abi.STATE_BYTES)


def log(pointer: str, length: int, level: int = 2) -> str:
    return f"(call $log (i32.const {level}) {pointer} (i32.const {length}))"


def texts(host: AlgoHost) -> list[bytes]:
    return [text for _, text in host.take_logs()]


# --- records in ------------------------------------------------------------------------------------------------------


def echo(book_export: str = "algo_on_book") -> AlgoHost:
    state = "(local.get $state)"
    return AlgoHost(
        guest(
            log("(local.get $book)", 656) + log(state, 1576),
            on_fill=log("(local.get $fill)", 40) + log(state, 1576),
            on_reject=log("(local.get $reject)", 16),
            on_shutdown=log(state, 1576),
            imports=LOG,
            book_export=book_export,
        ),
        name="echo",
    )


def test_records_are_handed_over_byte_for_byte() -> None:
    host = echo()
    assert host.on_book(BOOK, STATE, FEATURES) == []
    assert texts(host) == [bytes(BOOK), bytes(STATE)]
    fill = abi.FILL.pack(7, 62_806_900_000_000, 10_000, 99, -1, 3)
    assert len(fill) == abi.FILL_BYTES
    host.on_fill(fill, STATE[::-1])
    assert texts(host) == [fill, bytes(STATE[::-1])]
    reject = abi.REJECT.pack(2**64 - 1, 103, 2)
    assert len(reject) == abi.REJECT_BYTES
    host.on_reject(reject)
    assert texts(host) == [reject]
    host.on_shutdown(STATE)
    assert texts(host) == [bytes(STATE)]


def test_the_book_carries_its_place_in_the_deployment() -> None:
    """The shared book cannot know it; nothing else of the book changes, and the caller's buffer stays as it was."""
    host = echo()
    before = bytes(EMPTY_BOOK)
    for symbol_id in (0, 1, 258):
        host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES, symbol_id)
        seen = texts(host)[0]
        assert struct.unpack_from("<H", seen, 642) == (symbol_id,)
        assert seen[:642] + seen[644:] == bytes(654)
        assert before == EMPTY_BOOK


def test_features_lie_in_their_region_for_those_who_have_it() -> None:
    """Beyond its ends nothing is touched; a guest of 0.1 keeps whatever it has there."""
    features = bytearray(range(256))
    fill_up = f"(start $fill) (func $fill (memory.fill (i32.const 0x19ff8) (i32.const 0xee) (i32.const {256 + 16})))"
    body = log("(i32.const 0x19ff8)", 256 + 16)
    new = AlgoHost(guest(body, imports=LOG, extra=fill_up, book_export="algo_on_book_v3"), name="new")
    new.on_book(EMPTY_BOOK, EMPTY_STATE, features)
    assert texts(new) == [b"\xee" * 8 + bytes(features) + b"\xee" * 8]
    old = AlgoHost(guest(body, imports=LOG, extra=fill_up), name="old")
    old.on_book(EMPTY_BOOK, EMPTY_STATE, features)
    assert texts(old) == [b"\xee" * 272]


# --- actions out -----------------------------------------------------------------------------------------------------


def puppet() -> AlgoHost:
    """Returns the pointer in the book's first four bytes, after writing the count of the next four there.

    The state's first 512 bytes go behind the count, where memory reaches that far.
    """
    return AlgoHost(
        guest(
            """
            (global.set $at (i32.load (local.get $book)))
            (if (i32.le_u (global.get $at) (i32.const 196088)) (then
              (i32.store (global.get $at) (i32.load (i32.add (local.get $book) (i32.const 4))))
              (global.set $n (i32.const 0))
              (loop
                (i64.store (i32.add (i32.add (global.get $at) (i32.const 8)) (global.get $n))
                  (i64.load (i32.add (local.get $state) (global.get $n))))
                (global.set $n (i32.add (global.get $n) (i32.const 8)))
                (br_if 0 (i32.lt_u (global.get $n) (i32.const 512))))))
            (return (global.get $at))
            """,
            globals_="(global $at (mut i32) (i32.const 0)) (global $n (mut i32) (i32.const 0))",
        ),
        name="puppet",
    )


def told(pointer: int, count: int) -> bytearray:
    return bytearray(struct.pack("<II", pointer, count) + bytes(648))


def state_of(actions: bytes) -> bytearray:
    return bytearray(actions.ljust(abi.STATE_BYTES, b"\0"))


@pytest.mark.parametrize(
    ("pointer", "kind"),
    [
        (0, "pointer"),
        (1025, "alignment"),
        (1028, "alignment"),
        (MEMORY_END - 512, "pointer"),  # 520 bytes are needed
        (MEMORY_END, "pointer"),
        (0x7FFF_FFF8, "pointer"),
        (0x8000_0000, "pointer"),
        (0xFFFF_FFF8, "pointer"),
        (0xFFFF_FFFF, "alignment"),
    ],
)
@pytest.mark.parametrize("warm", [False, True])
def test_a_bad_address_of_actions_is_a_fault(pointer: int, kind: str, warm: bool) -> None:
    """Also after a good one: the address is checked whenever it is another."""
    host = puppet()
    if warm:
        assert host.on_book(told(1024, 0), EMPTY_STATE, FEATURES) == []
    with pytest.raises(GuestFault) as caught:
        host.on_book(told(pointer, 0), EMPTY_STATE, FEATURES)
    assert caught.value.kind == kind
    assert f"{pointer:#x}" in caught.value.detail


@pytest.mark.parametrize("count", [17, 256, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF])
def test_a_count_beyond_16_is_a_fault(count: int) -> None:
    with pytest.raises(GuestFault) as caught:
        puppet().on_book(told(1024, count), EMPTY_STATE, FEATURES)
    assert caught.value.kind == "count"
    assert str(count) in caught.value.detail


def test_shutdown_is_checked_like_any_callback() -> None:
    for returned, kind in (("(i32.const 4)", "alignment"), ("(i32.const -8)", "pointer"), ("(i32.const 0)", "pointer")):
        host = AlgoHost(guest(on_shutdown=f"(return {returned})"), name="s")
        with pytest.raises(GuestFault) as caught:
            host.on_shutdown(EMPTY_STATE)
        assert caught.value.kind == kind
    many = AlgoHost(
        guest(on_shutdown="(i32.store (i32.const 1024) (i32.const 99)) (return (i32.const 1024))"), name="s"
    )
    with pytest.raises(GuestFault, match="count"):
        many.on_shutdown(EMPTY_STATE)


ACTION_FIELDS = struct.Struct("<QQqbBBBBBBB")  # the crate's Action field by field, its last two bytes apart


@pytest.mark.parametrize("count", [1, 2, 16])
def test_every_field_of_an_action_is_read_as_written(count: int) -> None:
    rows = [
        (2**64 - 1 - k, 2**63 + k, -(2**63) + k, -1 if k % 2 else 1, k % 4, k % 5, 17 - k, 200 + k, k, 0x34, 0x12)
        for k in range(count)
    ]
    actions = puppet().on_book(
        told(1024, count), state_of(b"".join(ACTION_FIELDS.pack(*row) for row in rows)), FEATURES
    )
    assert actions == [(*row[:9], 0x1234) for row in rows]


@settings(deadline=None, max_examples=300, database=None)
@given(
    pointer=st.one_of(
        # below 16 KiB lie the records themselves: writing there changes what this guest goes on reading
        st.integers(16_384, 2**32 - 1),
        st.integers(16_384 // 8, MEMORY_END // 8 + 100).map(lambda n: n * 8),
        st.integers(0, 30).map(lambda n: (MEMORY_END - 520 - 120) + 8 * n),
    ),
    count=st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1)),
    raw=st.binary(min_size=512, max_size=512),
)
@example(pointer=MEMORY_END - 520, count=16, raw=bytes(range(256)) * 2)
def test_any_pointer_and_count_give_a_fault_or_what_was_written(pointer: int, count: int, raw: bytes) -> None:
    host = _shared_puppet()
    may_be_read = pointer % 8 == 0 and pointer <= MEMORY_END - 520 and count <= 16
    book, state = told(pointer, count), state_of(raw)
    if not may_be_read:
        with pytest.raises(GuestFault) as caught:
            host.on_book(book, state, FEATURES)
        assert caught.value.kind in {"pointer", "alignment", "count"}
        return
    wanted = [ACTION_FIELDS.unpack_from(raw, 32 * k) for k in range(count)]
    assert host.on_book(book, state, FEATURES) == [(*row[:9], row[9] | row[10] << 8) for row in wanted]


_hosts: list[AlgoHost] = []


def _shared_puppet() -> AlgoHost:
    if not _hosts:
        _hosts.append(puppet())
    return _hosts[0]


def test_actions_in_memory_grown_during_the_callback() -> None:
    """The views taken at load must see the larger memory, in this callback and in the next."""
    host = AlgoHost(
        guest("""
          (if (i32.eq (global.get $calls) (i32.const 2)) (then (drop (memory.grow (i32.const 1)))))
          (if (i32.ge_u (global.get $calls) (i32.const 2)) (then
            (i32.store (i32.const 196608) (i32.const 1))
            (i64.store (i32.const 196616) (i64.extend_i32_u (global.get $calls)))
            (return (i32.const 196608))))
        """),
        name="grow",
    )
    assert host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES) == []
    assert [host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)[0][0] for _ in range(3)] == [2, 3, 4]


# --- log lines out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "length"),
    [
        (MEMORY_END - 4, 5),
        (MEMORY_END, 1),
        (0xFFFF_FF00, 0x200),  # wraps around in 32 bits
        (0xFFFF_FFFF, 0xFFFF_FFFF),
        (1024, 0xFFFF_FFFF),
        (0, MEMORY_END + 1),
    ],
)
def test_a_log_line_beyond_memory_is_a_fault(pointer: int, length: int) -> None:
    body = f"(call $log (i32.const 2) (i32.const {pointer}) (i32.const {length}))"
    host = AlgoHost(guest(body, imports=LOG), name="log")
    with pytest.raises(GuestFault) as caught:
        host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)
    assert caught.value.kind == "pointer"
    assert "log line" in caught.value.detail
    assert host.take_logs() == []


@pytest.mark.parametrize(
    ("callback", "call"),
    [
        ("on_fill", lambda host: host.on_fill(bytes(40), EMPTY_STATE)),
        ("on_reject", lambda host: host.on_reject(bytes(16))),
        ("on_shutdown", lambda host: host.on_shutdown(EMPTY_STATE)),
    ],
)
def test_a_bad_log_line_counts_in_every_callback(callback: str, call: Callable[[AlgoHost], object]) -> None:
    bodies = {callback: log("(i32.const -256)", 512)}
    host = AlgoHost(guest(imports=LOG, **bodies), name="log")
    with pytest.raises(GuestFault, match="log line"):
        call(host)


def test_log_lines_at_the_edges() -> None:
    """The last byte of memory, nothing at all, 4,096 bytes whole, 5,000 cut, strange levels."""
    text = '(data (i32.const 100000) "' + "ab" * 2500 + '")'
    body = (
        log(f"(i32.const {MEMORY_END - 1})", 1)
        + log(f"(i32.const {MEMORY_END})", 0)
        + log("(i32.const 100000)", LOG_BYTES_MAX)
        + log("(i32.const 100000)", 5_000, level=4)
        + log("(i32.const 100000)", 2, level=-1)
        + log("(i32.const 100000)", 2, level=0)
    )
    host = AlgoHost(guest(body, imports=LOG, extra=text), name="log")
    host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)
    whole = b"ab" * 2048
    assert host.take_logs() == [(2, b"\0"), (2, b""), (2, whole), (4, whole), (4, b"ab"), (0, b"ab")]


def flood(lines: int) -> AlgoHost:
    """Logs so many lines of four bytes on each book."""
    loop = f"""
      (global.set $n (i32.const 0))
      (loop {log("(i32.const 0)", 4)}
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (br_if 0 (i32.lt_u (global.get $n) (i32.const {lines}))))"""
    return AlgoHost(guest(loop, imports=LOG, globals_="(global $n (mut i32) (i32.const 0))"), name="flood")


def test_lines_too_many_are_counted_and_dropped() -> None:
    host = flood(1000)
    for calls in (1, 2):
        host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)
        assert len(host.take_logs()) == LOG_LINES_MAX
        assert host.logs_dropped == calls * (1000 - LOG_LINES_MAX)


def test_a_flood_burns_the_fuel_it_costs_us() -> None:
    """70,000 calls out of the sandbox take a quarter of a second, not a million instructions: they are charged for."""
    host = flood(70_000)
    with pytest.raises(GuestFault, match="out of fuel"):
        host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)
    assert host.logs_dropped <= 2 * FUEL // FLOOD_FUEL
    quiet = flood(200)
    quiet.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES)
    assert quiet.fuel_used < 10_000, "what is within bounds costs nothing extra"


def test_a_line_from_memory_grown_during_the_callback() -> None:
    body = """
      (drop (memory.grow (i32.const 1)))
      (i32.store (i32.const 200000) (i32.const 0x6f6b6f6b))
      """ + log("(i32.const 200000)", 4)
    host = AlgoHost(guest(body, imports=LOG), name="grow")
    for _ in range(2):
        assert host.on_book(EMPTY_BOOK, EMPTY_STATE, FEATURES) == []
        assert texts(host) == [b"koko"]
