"""AlgoHost: one guest module in one store, called with records copied into its memory, its answers checked.

A guest hands us three kinds of numbers: what `algo_alloc` returned, the address of its actions, and the address and
length of a log line. All are unsigned 32-bit and checked against the memory's size before anything is read. What
breaks the contract raises `GuestFault`; the engine then disables the instance. Nothing a guest does raises anything
else.
"""

import ctypes
import hashlib
from collections.abc import Callable
from struct import unpack_from
from typing import Final

from wasmtime import Engine as WasmEngine
from wasmtime import Func as WasmFunc
from wasmtime import FuncType, Linker, Memory, Module, Trap, ValType, WasmtimeError

from connectors.errors import GuestFault, ModuleError
from connectors.orders import Action
from runtime import abi
from runtime.wasm import GuestCalls, HostCallback, define_import, func_at, strict_engine, strict_store

LOG_BYTES_MAX: Final = 4096
LOG_LINES_MAX: Final = 256  # a callback; what comes beyond is counted, not kept
MODULE_BYTES_MAX: Final = 4 * 2**20
PAGE: Final = 65_536

LogLine = tuple[int, bytes]  # level 0 trace … 4 error, the bytes as the guest wrote them

_unpack_action = abi.ACTION.unpack_from
_engine: WasmEngine | None = None


def shared_engine() -> WasmEngine:
    """The process's one wasmtime engine: it holds compiled code and settings, no guest's state."""
    global _engine  # noqa: PLW0603 - a cache of a pure constant that costs 10 ms to make
    if _engine is None:
        _engine = strict_engine()
    return _engine


class AlgoHost:
    """A loaded guest. `generation`, `sha256` and `callbacks` describe it; the `on_…` methods call it.

    Raises ModuleError when the module cannot be hosted, saying what is wrong and how to mend it.
    """

    def __init__(self, wasm: bytes, *, name: str) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(wasm).hexdigest()
        self.logs: list[LogLine] = []
        self.logs_dropped = self.logs_cut = 0
        self._import_fault: GuestFault | None = None
        self._is_started = False  # a start function may log before its memory is ours to read
        self._view = memoryview(b"")
        if len(wasm) > MODULE_BYTES_MAX:
            raise self._refused(
                f"is {len(wasm)} bytes, the most is {MODULE_BYTES_MAX}", "strip it, build with opt-level z"
            )
        if not wasm.startswith(b"\0asm"):
            raise self._refused("is not a WASM binary", "give the .wasm that the compiler wrote, not its text form")
        try:
            module = Module(shared_engine(), wasm)
        except WasmtimeError as error:
            raise self._refused(
                f"is not a module we run: {_cause(error)}", "build it for wasm32-unknown-unknown"
            ) from None
        self.generation = self._detect(module)
        self._store = strict_store(shared_engine())
        self._calls = GuestCalls(self._store)
        self._callbacks: list[object] = []  # host functions the library holds raw pointers to
        self._funcs = self._instantiate(module)
        self._at = {export: func_at(func) for export, func in self._funcs.items()}
        self._book_export = "algo_on_book_v3" if "algo_on_book_v3" in self._funcs else "algo_on_book"
        self._book_at = self._at[self._book_export]
        self._allocate()

    # --- loading ---------------------------------------------------------------------------------------------------

    def _refused(self, problem: str, mend: str) -> ModuleError:
        return ModuleError(problem, place=self.name, mend=mend)

    def _detect(self, module: Module) -> abi.Generation:
        """The generation, from the exports; all signatures are checked here because calls will not be."""
        found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        memories = []
        for export in module.exports:
            if isinstance(export.type, FuncType):
                found[export.name] = _signature(export.type)
            elif export.name == "memory":
                memories.append(export)
        if not memories:
            raise self._refused("exports no memory", "export it as `memory`, as the crate's guests do")
        for name in abi.CORE_EXPORTS:
            if name not in found:
                raise self._refused(f"does not export {name}", "build it with the crate's export_algo! macro")
        for name, wanted in (abi.CORE_EXPORTS | abi.OPTIONAL_EXPORTS).items():
            if name in found and found[name] != wanted:
                raise self._refused(
                    f"{name} is {found[name]}, the ABI says {wanted}", "build it with the crate unchanged"
                )
        for item in module.imports:
            if item.module != "env" or item.name not in abi.IMPORTS:
                raise self._refused(
                    f"imports {item.module}.{item.name}", "only env.host_log_impl and env.__seq_send exist"
                )
            if not isinstance(item.type, FuncType) or _signature(item.type) != abi.IMPORTS[item.name]:
                raise self._refused(f"imports {item.name} with another signature", "build it with the crate unchanged")
        if "algo_on_message" in found and "algo_on_book_v3" in found:
            return abi.Generation.V0_4
        if "algo_on_nbbo" in found:
            raise self._refused(
                "is a multi-venue guest of 0.3", "build it with crate 0.4.0: on_nbbo guests of 0.3 are not hosted yet"
            )
        if "algo_on_book_v3" in found:
            return abi.Generation.V0_3
        if "algo_on_book" in found:
            return abi.Generation.V0_1
        raise self._refused("exports neither algo_on_book nor algo_on_book_v3", "build it with export_algo!")

    def _instantiate(self, module: Module) -> dict[str, WasmFunc]:
        linker = Linker(shared_engine())
        imports: dict[str, Callable[..., None]] = {"host_log_impl": self._host_log, "__seq_send": self._seq_send}
        for name, (parameters, _) in abi.IMPORTS.items():
            func_type = FuncType([ValType.i64() if p == abi.I64 else ValType.i32() for p in parameters], [])
            callback = HostCallback(imports[name])
            self._callbacks.append(callback)
            define_import(linker, "env", name, func_type.ptr(), callback)
        try:
            instance = linker.instantiate(self._store, module)
        except (WasmtimeError, Trap) as error:
            problem = f"cannot be started: {_cause(error)}"
            raise self._refused(problem, "a start function must end, memory must be ≤ 16 MiB") from None
        if self._import_fault is not None:
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
        if self.generation is not abi.Generation.V0_1:
            missing = abi.REGIONS_END - self._memory.data_len(self._store)
            if missing > 0:
                try:
                    self._memory.grow(self._store, -(-missing // PAGE))
                except WasmtimeError as error:
                    raise self._refused(
                        f"memory cannot be grown: {_cause(error)}", "give it at least 3 pages"
                    ) from None
        at: dict[str, int] = {}
        for record, size in abi.RECORDS.items():
            try:
                at[record] = self._call("algo_alloc", size)
            except GuestFault as fault:
                raise self._refused(f"algo_alloc({size}) failed: {fault}", "its heap must hold the records") from None
        self._view_memory()
        for record, size in abi.RECORDS.items():
            if at[record] == 0 or at[record] + size > len(self._view):
                raise self._refused(f"algo_alloc({size}) returned {at[record]:#x}", "its heap must hold the records")
        slot = {record: self._view[at[record] : at[record] + size] for record, size in abi.RECORDS.items()}
        self._book_slot, self._state_slot = slot["book"], slot["state"]
        self._fill_slot, self._reject_slot = slot["fill"], slot["reject"]
        self.book_ptr, self.state_ptr = at["book"], at["state"]
        self._fill_ptr, self._reject_ptr = at["fill"], at["reject"]
        if self.generation is not abi.Generation.V0_1:
            features = bytearray(abi.FEATURES_BYTES)
            features[0] = abi.FEATURES_VERSION
            self._view[abi.FEATURES_REGION : abi.FEATURES_REGION + abi.FEATURES_BYTES] = features

    def _view_memory(self) -> None:
        self._view = memoryview(self._memory.get_buffer_ptr(self._store)).cast("B")
        self._actions_ptr = -1
        self._actions_view = memoryview(b"")
        self._actions_count = memoryview(bytes(4)).cast("I")

    # --- callbacks -------------------------------------------------------------------------------------------------

    def on_book(self, book: bytearray, state: bytearray, symbol_id: int = 0) -> list[Action]:
        """Hands over the 656-byte book and the 1,576-byte state; returns the actions. Raises GuestFault.

        `symbol_id` is the book's place in this algo's deployment, which the shared book cannot know.
        """
        self._book_slot[:] = book
        if symbol_id:
            self._book_slot[abi.BOOK_SYMBOL_ID_AT : abi.BOOK_SYMBOL_ID_AT + 2] = symbol_id.to_bytes(2, "little")
        self._state_slot[:] = state
        calls = self._calls
        calls.refuel()
        slots = calls.slots
        slots[0] = self.book_ptr
        slots[2] = self.state_ptr
        calls.call(self._book_at, 2)
        if self._import_fault is not None:
            self._raise_import_fault()
        pointer = slots[0] & 0xFFFF_FFFF
        if pointer != self._actions_ptr:
            self._look_at(pointer)
        return self._actions() if self._actions_count[0] else []

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
        pointer = self._call("algo_on_shutdown", self.state_ptr)
        if pointer != self._actions_ptr:
            self._look_at(pointer)
        return self._actions() if self._actions_count[0] else []

    def take_logs(self) -> list[LogLine]:
        """The lines logged since the last call."""
        logs, self.logs = self.logs, []
        return logs

    def _call(self, export: str, *args: int) -> int:
        calls = self._calls
        calls.refuel()
        for position, value in enumerate(args):
            calls.slots[2 * position] = value
        calls.call(self._at[export], max(len(args), 1))
        if self._import_fault is not None:
            self._raise_import_fault()
        return calls.slots[0] & 0xFFFF_FFFF

    # --- what the guest hands back ---------------------------------------------------------------------------------

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

    def _raise_import_fault(self) -> None:
        fault, self._import_fault = self._import_fault, None
        if fault is not None:
            raise fault

    def _host_log(self, _env: int, _caller: int, raw: int, _count: int) -> None:
        """`host_log_impl(level i32, ptr i32, len i32)`. Never raises: an exception must not cross the C frames."""
        level, pointer, length = unpack_from("<I12xI12xI", ctypes.string_at(raw, 36))
        end = pointer + length
        if end > len(self._view) and not (self._is_started and end <= self._memory.data_len(self._store)):
            self._import_fault = GuestFault("pointer", f"log line at {pointer:#x}, {length} bytes")
            return
        if len(self.logs) >= LOG_LINES_MAX:
            self.logs_dropped += 1
            return
        if end > len(self._view):
            self._view = memoryview(self._memory.get_buffer_ptr(self._store)).cast("B")
            self._actions_ptr = -1
        self.logs_cut += length > LOG_BYTES_MAX
        self.logs.append((min(level, 4), bytes(self._view[pointer : min(end, pointer + LOG_BYTES_MAX)])))

    def _seq_send(self, _env: int, _caller: int, _raw: int, _count: int) -> None:
        """`__seq_send(to u64, ptr i32, len i32)`. No mesh yet: the SDK finds no label in an empty MeshTable."""

    @property
    def fuel_left(self) -> int:
        return self._calls.fuel()

    def raw_call(self) -> tuple[GuestCalls, int, memoryview]:
        """The bare on_book call, for benchmarks: (calls, function, argument slots); the caller does the rest."""
        return self._calls, self._book_at, self._calls.slots


def _signature(func_type: FuncType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(map(str, func_type.params)), tuple(map(str, func_type.results))


def _cause(error: Exception) -> str:
    """wasmtime says what it was doing first and why that failed last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("0: ") if lines else type(error).__name__
