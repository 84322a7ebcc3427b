"""AlgoHost: one guest module in one store, called with records copied into its memory, its answers checked.

A guest hands us numbers: what `algo_alloc` returned, the address of its actions, and the address and length of a log
line or a message. All are unsigned 32-bit and checked against the memory's size before anything is read. What breaks
the contract raises `GuestFault`; the engine then disables the instance. Nothing a guest does raises anything else.
"""

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from struct import unpack_from
from typing import Final

from wasmtime import Engine as WasmEngine
from wasmtime import Func as WasmFunc
from wasmtime import FuncType, Linker, Memory, Module, Store, Trap, ValType, WasmtimeError

from connectors.errors import GuestFault, ModuleError
from connectors.orders import Action
from runtime import abi, traps
from runtime.abi import Region, Span
from runtime.generation import callbacks_of, check_abi, detect
from runtime.guest import LogLine, Sent
from runtime.module.layout import check_layout
from runtime.module.reader import parse
from runtime.wasm import GuestCalls, HostCallback, Slots, define_import, func_at, strict_engine, strict_store

LOG_BYTES_MAX: Final = 4096
LOG_LINES_MAX: Final = 256  # a callback; what comes beyond is counted, not kept
SENT_MAX: Final = 64  # messages a callback; the same
FLOOD_FUEL: Final = 1000  # what a line or message too many costs: about what it costs us
PAGE: Final = 65_536

_NO_SLOT: Final = memoryview(b"")
_unpack_action = abi.ACTION.unpack_from
_engine: WasmEngine | None = None


def shared_engine() -> WasmEngine:
    """The process's one wasmtime engine: it holds compiled code and settings, no guest's state."""
    global _engine  # noqa: PLW0603 - a cache of a pure constant that costs 10 ms to make
    if _engine is None:
        _engine = strict_engine()
    return _engine


class AlgoHost:
    """A loaded guest (`guest.Guest`). `abi`: the generation to assume where exports do not decide.

    Raises ModuleError when the module cannot be hosted, saying what is wrong and how to mend it.
    """

    is_sandboxed = True

    def __init__(self, wasm: bytes, *, name: str, abi: str = "", compiled: Module | None = None) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(wasm).hexdigest()
        self.logs: list[LogLine] = []
        self.logs_dropped = self.logs_cut = 0
        self.sent: list[Sent] = []
        self.sent_dropped = 0
        self._faults: list[GuestFault] = []  # what a host function found wrong during a call
        self._is_started = False  # a start function may log before its memory is ours to read
        self._view = memoryview(b"")
        self._wasm, self._abi = wasm, abi
        wanted = check_abi(abi, self._refused)
        parsed = parse(wasm, name=name) if compiled is None else None  # by our own reader, before any compiler
        self._module = module = compiled or self._compile(wasm)
        self.generation = detect(module, wanted, self._refused)
        self.regions: Mapping[Region, Span] = _regions(self.generation)
        if parsed is not None and (problem := check_layout(parsed, self.regions)):
            raise self._refused(problem, "link it with --stack-first and a stack of 1 MiB, as Rust does")
        self._store = strict_store(shared_engine())
        self._calls = GuestCalls(self._store)
        self._host_functions: list[object] = []  # host functions the library holds raw pointers to
        self._funcs = self._instantiate(module)
        self._at = {export: func_at(func) for export, func in self._funcs.items()}
        self._exports = callbacks_of(self.generation, frozenset(self._funcs))
        self.callbacks = frozenset(self._exports)
        self._book_at = self._at[self._exports["on_book"]] if "on_book" in self._exports else 0
        self._allocate()
        self._call_book = self._calls.bound(self._book_at, (self.book_ptr, self.state_ptr), self.slots(), self._faults)
        traps.keep()

    # --- loading ---------------------------------------------------------------------------------------------------

    def _refused(self, problem: str, mend: str) -> ModuleError:
        return ModuleError(problem, place=self.name, mend=mend)

    def _compile(self, wasm: bytes) -> Module:
        try:
            return Module(shared_engine(), wasm)
        except WasmtimeError as error:
            raise self._refused(
                f"is not a module we run: {_cause(error)}", "build it for wasm32-unknown-unknown"
            ) from None

    def fresh(self) -> "AlgoHost":
        """The same module in its first state, compiled once."""
        return AlgoHost(self._wasm, name=self.name, abi=self._abi, compiled=self._module)

    def _instantiate(self, module: Module) -> dict[str, WasmFunc]:
        linker = Linker(shared_engine())
        imports: dict[str, Callable[..., None]] = {"host_log_impl": self._host_log, "__seq_send": self._seq_send}
        for name, (parameters, _) in abi.IMPORTS.items():
            func_type = FuncType([ValType.i64() if p == abi.I64 else ValType.i32() for p in parameters], [])
            callback = HostCallback(imports[name])
            self._host_functions.append(callback)
            define_import(linker, "env", name, func_type.ptr(), callback)
        try:
            instance = linker.instantiate(self._store, module)
        except (WasmtimeError, Trap) as error:
            problem = f"cannot be started: {_cause(error)}"
            raise self._refused(problem, "a start function must end, memory must be ≤ 16 MiB") from None
        if self._faults:
            raise self._refused("logs from its start function", "log from a callback: nothing is read before")
        exports = instance.exports(self._store)
        memory = exports["memory"]
        if not isinstance(memory, Memory):
            raise self._refused("exports `memory` as something else", "build it with the crate unchanged")
        self._memory = memory
        self._is_started = True
        wanted = abi.CORE_EXPORTS | abi.OPTIONAL_EXPORTS
        return {name: func for name in wanted if isinstance(func := exports.get(name), WasmFunc)}

    def _allocate(self) -> None:
        """Asks the guest for each record once, and takes views of them: the base of its memory never moves."""
        self._grow(max((at + size for at, size in self.regions.values()), default=0))
        sizes = dict(abi.RECORDS)
        if "on_nbbo" in self.callbacks:
            sizes["nbbo"] = abi.NBBO_BYTES[self.generation]
        if "on_message" in self.callbacks:
            sizes["message"] = abi.MESSAGE_BYTES_MAX
        at: dict[str, int] = {}
        for record, size in sizes.items():
            try:
                at[record] = self._call("algo_alloc", size)
            except GuestFault as fault:
                raise self._refused(f"algo_alloc({size}) failed: {fault}", "its heap must hold the records") from None
        self._view_memory()
        for record, size in sizes.items():
            if at[record] == 0 or at[record] + size > len(self._view):
                raise self._refused(f"algo_alloc({size}) returned {at[record]:#x}", "its heap must hold the records")
        slot = {record: self._view[at[record] : at[record] + size] for record, size in sizes.items()}
        self._book_slot, self._state_slot = slot["book"], slot["state"]
        self._fill_slot, self._reject_slot = slot["fill"], slot["reject"]
        self._nbbo_slot, self._message_slot = slot.get("nbbo", _NO_SLOT), slot.get("message", _NO_SLOT)
        self.book_ptr, self.state_ptr = at["book"], at["state"]
        self._fill_ptr, self._reject_ptr = at["fill"], at["reject"]
        self._nbbo_ptr, self._message_ptr = at.get("nbbo", 0), at.get("message", 0)
        self._region_slots = {region: self._view[at : at + size] for region, (at, size) in self.regions.items()}
        self._features_slot = self._region_slots.get(Region.FEATURES)
        for slot_view in self._region_slots.values():
            slot_view[:] = bytes(len(slot_view))

    def _grow(self, end: int) -> None:
        missing = end - self._memory.data_len(self._store)
        if missing > 0:
            try:
                self._memory.grow(self._store, -(-missing // PAGE))
            except WasmtimeError as error:
                raise self._refused(f"memory cannot be grown: {_cause(error)}", "give it at least 3 pages") from None

    def _view_memory(self) -> None:
        self._view = memoryview(self._memory.get_buffer_ptr(self._store)).cast("B")
        self._actions_ptr = -1
        self._actions_view = memoryview(b"")
        self._actions_count = memoryview(bytes(4)).cast("I")

    # --- callbacks -------------------------------------------------------------------------------------------------

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Action]:
        """Hands over the 656-byte book, the 1,576-byte state and the 256-byte features; returns the actions.

        `symbol_id` is the book's place in this algo's deployment, which the shared book cannot know. Raises GuestFault.
        """
        if symbol_id:
            book = bytearray(book)
            book[abi.BOOK_SYMBOL_ID_AT : abi.BOOK_SYMBOL_ID_AT + 2] = symbol_id.to_bytes(2, "little")
        pointer = self._call_book(book, state, features)
        if pointer == self._actions_ptr and not self._actions_count[0]:
            return []
        return self._acted(pointer)

    def on_nbbo(self, nbbo: bytearray, state: bytearray) -> list[Action]:
        """`nbbo` in the layout of this generation; VenueBooks was shown before. Raises GuestFault."""
        self._nbbo_slot[:] = nbbo
        self._state_slot[:] = state
        books_ptr = self.regions[Region.VENUE_BOOKS][0]
        return self._acted(self._call(self._exports["on_nbbo"], self._nbbo_ptr, books_ptr, self.state_ptr))

    def on_message(self, sender: int, payload: bytes, state: bytearray) -> list[Action]:
        """A peer's message; `sender` is its mesh id. Raises GuestFault."""
        self._message_slot[: len(payload)] = payload
        self._state_slot[:] = state
        arguments = (sender, self._message_ptr, len(payload), self.state_ptr)
        return self._acted(self._call(self._exports["on_message"], *arguments))

    def on_heartbeat(self, state: bytearray) -> list[Action]:
        """Once a second of engine time. Raises GuestFault."""
        self._state_slot[:] = state
        return self._acted(self._call(self._exports["on_heartbeat"], self.state_ptr))

    def on_fill(self, fill: bytes, state: bytearray) -> None:
        """Reports one execution; `state` already shows its effect."""
        self._fill_slot[:] = fill
        self._state_slot[:] = state
        self._call("algo_on_fill", self._fill_ptr, self.state_ptr)

    def on_reject(self, reject: bytes) -> None:
        """Reports one refusal, ours or the venue's."""
        self._reject_slot[:] = reject
        self._call("algo_on_reject", self._reject_ptr)

    def on_shutdown(self, state: bytearray) -> list[Action]:
        """The last callback."""
        self._state_slot[:] = state
        return self._acted(self._call("algo_on_shutdown", self.state_ptr))

    def show(self, region: Region, record: bytes | bytearray) -> None:
        """Writes a region's record; a generation without that region is not given it."""
        slot = self._region_slots.get(region)
        if slot is not None:
            slot[:] = record

    def take_logs(self) -> list[LogLine]:
        """The lines logged since the last call."""
        logs, self.logs = self.logs, []
        return logs

    def take_sent(self) -> list[Sent]:
        """The messages sent since the last call."""
        sent, self.sent = self.sent, []
        return sent

    def _call(self, export: str, *args: int) -> int:
        calls = self._calls
        calls.refuel()
        for position, value in enumerate(args):
            calls.slots[2 * position] = value
        calls.call(self._at[export], max(len(args), 1))
        if self._faults:
            raise self._faults.pop()
        return calls.slots[0] & 0xFFFF_FFFF

    # --- what the guest hands back ---------------------------------------------------------------------------------

    def _acted(self, pointer: int) -> list[Action]:
        if pointer != self._actions_ptr:
            self._look_at(pointer)
        return self._actions() if self._actions_count[0] else []

    def _look_at(self, pointer: int) -> None:
        """Checks the address of WasmActions and keeps a view of it: guests return the same one each time."""
        if pointer % 8:
            raise GuestFault("alignment", f"actions at {pointer:#x}")
        if pointer + abi.ACTIONS_BYTES > len(self._view):
            self._view_memory()  # it may have grown since
        if pointer == 0 or pointer + abi.ACTIONS_BYTES > len(self._view):
            raise GuestFault("pointer", f"actions at {pointer:#x}, memory ends at {len(self._view):#x}")
        self._actions_view = self._view[pointer : pointer + abi.ACTIONS_BYTES]
        self._actions_count = self._actions_view[:4].cast("I")
        self._actions_ptr = pointer

    def _actions(self) -> list[Action]:
        count = self._actions_count[0]
        if count > abi.ACTIONS_MAX:
            raise GuestFault("count", f"{count} actions, at most {abi.ACTIONS_MAX} fit")
        if count == 1:
            return [_unpack_action(self._actions_view, abi.ACTIONS_AT)]
        end = abi.ACTIONS_AT + count * abi.ACTION_BYTES
        return list(abi.ACTION.iter_unpack(self._actions_view[abi.ACTIONS_AT : end]))

    def _host_log(self, _env: int, _caller: int, raw: int, _count: int) -> None:
        """`host_log_impl(level i32, ptr i32, len i32)`. Never raises: an exception must not cross the C frames."""
        level, pointer, length = unpack_from("<I12xI12xI", ctypes.string_at(raw, 36))
        if not self._is_readable(pointer + length):
            self._faults[:] = [GuestFault("pointer", f"log line at {pointer:#x}, {length} bytes")]
            return
        if len(self.logs) >= LOG_LINES_MAX:
            self.logs_dropped += 1
            self._calls.burn(FLOOD_FUEL)
            return
        self.logs_cut += length > LOG_BYTES_MAX
        end = pointer + min(length, LOG_BYTES_MAX)
        self.logs.append((min(level, 4), bytes(self._view[pointer:end])))

    def _seq_send(self, _env: int, _caller: int, raw: int, _count: int) -> None:
        """`__seq_send(to u64, ptr i32, len i32)`. Never raises, as above."""
        receiver, pointer, length = unpack_from("<Q8xI12xI", ctypes.string_at(raw, 36))
        if length > abi.MESSAGE_BYTES_MAX or not self._is_readable(pointer + length):
            self._faults[:] = [GuestFault("message", f"message at {pointer:#x}, {length} bytes")]
            return
        if len(self.sent) >= SENT_MAX:
            self.sent_dropped += 1
            self._calls.burn(FLOOD_FUEL)
            return
        self.sent.append((receiver, bytes(self._view[pointer : pointer + length])))

    def _is_readable(self, end: int) -> bool:
        """Whether guest memory reaches that far; our view of it is made anew when it has grown."""
        if end <= len(self._view):
            return True
        if not self._is_started or end > self._memory.data_len(self._store):
            return False
        self._view = memoryview(self._memory.get_buffer_ptr(self._store)).cast("B")
        self._actions_ptr = -1
        return True

    @property
    def fuel_used(self) -> int:
        """Instructions the last call burnt."""
        return self._calls.spent

    @property
    def fuel_left(self) -> int:
        return self._calls.fuel()

    def library_call(self) -> tuple[WasmFunc, Store]:
        """on_book as the library would call it, for benchmarks."""
        return self._funcs[self._exports["on_book"]], self._store

    def slots(self) -> Slots:
        """Where on_book's records are written: book, state, features."""
        return self._book_slot, self._state_slot, self._features_slot

    def raw_call(self) -> tuple[GuestCalls, int, memoryview]:
        """The bare on_book call, for benchmarks: (calls, function, argument slots); the caller does the rest."""
        return self._calls, self._book_at, self._calls.slots


def _regions(generation: abi.Generation) -> dict[Region, Span]:
    return abi.REGIONS[generation]


def _cause(error: Exception) -> str:
    """wasmtime says what it was doing first and why that failed last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("0: ") if lines else type(error).__name__
