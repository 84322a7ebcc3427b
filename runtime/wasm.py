"""The guest call path: wasmtime's C API, bound once, without what its Python wrapper does on every call.

`Func.__call__` of wasmtime-py looks up the function's type and converts each value: 10–50 µs. The C API's
`wasmtime_func_call_unchecked` takes an array of raw values: 0.5 µs. It trusts the caller, so signatures are compared
once, when a module is loaded (`host.py`), and the wasmtime range is pinned (`pyproject.toml`).

`PYFUNCTYPE` keeps the GIL: a guest cannot be interrupted from another thread, and need not be; fuel stops it after a
counted number of instructions, the same on every machine.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, PYFUNCTYPE, c_size_t, c_uint64, c_void_p
from typing import Final

from wasmtime import Config, Engine, Func, Linker, Store, Trap, TrapCode, WasmtimeError
from wasmtime import _ffi as ffi

from connectors.errors import GuestFault

FUEL: Final = 1_000_000  # instructions a callback may burn, at least; at most twice that (see `GuestCalls.refuel`)
MEMORY_MAX_BYTES: Final = 16 * 2**20
STACK_MAX_BYTES: Final = 512 * 1024
TABLE_ELEMENTS_MAX: Final = 4096

# Proposals no guest of the crate needs. Off, in this order: relaxed SIMD before SIMD. Reference types stay on: this
# wasmtime aborts the process when they are switched off. tests/runtime/test_wasm.py pins the list and the order.
PROPOSALS_OFF: Final = (
    "relaxed_simd",
    "simd",
    "threads",
    "memory64",
    "multi_memory",
    "tail_call",
    "exceptions",
    "gc",
    "function_references",
    "component_model",
    "stack_switching",
    "custom_page_sizes",
    "wide_arithmetic",
)

_dll = ffi.dll
_call = PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p)(("wasmtime_func_call_unchecked", _dll))
# these two fail only where fuel is not configured: their result is not looked at
_get_fuel = PYFUNCTYPE(None, c_void_p, c_void_p)(("wasmtime_context_get_fuel", _dll))
_set_fuel = PYFUNCTYPE(None, c_void_p, c_uint64)(("wasmtime_context_set_fuel", _dll))
_define = PYFUNCTYPE(
    c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p
)(("wasmtime_linker_define_func_unchecked", _dll))

Slots = tuple[memoryview, memoryview, memoryview | None]  # where book, state and features are written
BookCall = Callable[[bytearray, bytearray, bytearray], int]
# env, caller, raw values, their count → trap or NULL
HostCallback = PYFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t)


def strict_engine() -> Engine:
    """The one engine configuration guests run under: deterministic, fuelled, nothing a guest does not need."""
    config = Config()
    for proposal in PROPOSALS_OFF:
        setattr(config, f"wasm_{proposal}", False)
    config.consume_fuel = True
    config.max_wasm_stack = STACK_MAX_BYTES
    config.cranelift_opt_level = "speed"
    config.parallel_compilation = False
    # a NaN's payload differs between machines; one that reaches an order would too
    ffi.wasmtime_config_cranelift_nan_canonicalization_set(config.ptr(), True)
    # the base address stays where it is while a guest's memory grows, so views of it stay good
    ffi.wasmtime_config_memory_may_move_set(config.ptr(), False)
    return Engine(config)


def strict_store(engine: Engine) -> Store:
    """A store for one guest, with its limits set and its first fuel in."""
    store = Store(engine)
    store.set_limits(memory_size=MEMORY_MAX_BYTES, table_elements=TABLE_ELEMENTS_MAX, instances=1, tables=4, memories=1)
    store.set_fuel(2 * FUEL)
    return store


def define_import(linker: Linker, module: str, name: str, type_ptr: object, callback: object) -> None:
    """Puts a host function behind an import. The caller keeps `callback` alive as long as the linker's instances.

    Raises WasmtimeError when the name is taken.
    """
    module_bytes, name_bytes = module.encode(), name.encode()
    error = _define(
        ctypes.cast(linker.ptr(), c_void_p),
        ctypes.cast(ctypes.c_char_p(module_bytes), c_void_p),
        len(module_bytes),
        ctypes.cast(ctypes.c_char_p(name_bytes), c_void_p),
        len(name_bytes),
        ctypes.cast(type_ptr, c_void_p),  # type: ignore[arg-type]
        ctypes.cast(callback, c_void_p),  # type: ignore[arg-type]
        None,
        None,
    )
    if error:
        raise WasmtimeError._from_ptr(ctypes.cast(error, POINTER(ffi.wasmtime_error_t)))  # noqa: SLF001


class GuestCalls:
    """Raw calls into one store. Values are i32 or i64, passed as unsigned integers.

    `slots` is a view of the raw values as u64 pairs: argument k goes to `slots[2k]`, a result comes back in `slots[0]`.
    """

    __slots__ = (
        "_args",
        "_args_at",
        "_context",
        "_fuel",
        "_fuel_at",
        "_fuel_view",
        "_left",
        "_left_at",
        "_trap",
        "_trap_at",
        "_trap_view",
        "slots",
        "store",
    )  # fmt: skip

    def __init__(self, store: Store) -> None:
        self.store = store
        self._context = ctypes.cast(store._context(), c_void_p).value  # noqa: SLF001 - the C API's handle
        self._args = (ffi.wasmtime_val_raw_t * 4)()
        self._args_at = ctypes.addressof(self._args)
        self.slots = memoryview(self._args).cast("B").cast("Q")
        self._trap = c_void_p()
        self._trap_at = ctypes.addressof(self._trap)
        self._trap_view = memoryview(self._trap).cast("B").cast("Q")
        self._fuel = c_uint64()
        self._fuel_at = ctypes.addressof(self._fuel)
        self._fuel_view = memoryview(self._fuel).cast("B").cast("Q")  # before the call that is running, or ran last
        self._left = c_uint64()
        self._left_at = ctypes.addressof(self._left)

    def call(self, func_at: int, count: int) -> None:
        """Calls the function whose handle lies at `func_at` with the first `count` slots. Raises GuestFault."""
        error = _call(self._context, func_at, self._args_at, count, self._trap_at)
        if error is not None or self._trap_view[0]:
            self._fault(error)

    def refuel(self) -> None:
        """Makes sure of FUEL for the next call. Filled to twice that only when short: a deterministic saw-tooth."""
        _get_fuel(self._context, self._fuel_at)
        if self._fuel_view[0] < FUEL:
            _set_fuel(self._context, 2 * FUEL)
            self._fuel_view[0] = 2 * FUEL

    def bound(self, func_at: int, pointers: tuple[int, int], slots_of: Slots, faults: list[GuestFault]) -> BookCall:
        """The callback that runs most, as one step: records in, refuel, call, check, result as u32.

        Everything it needs is captured, and its arguments lie in an array of their own, of which the call overwrites
        the first alone: each lookup and each store costs a twentieth of the bare call. `faults` holds what a host
        function found wrong during the call.
        """
        context, trap_at, fuel_at = self._context, self._trap_at, self._fuel_at
        trap, fuel = self._trap_view, self._fuel_view
        call, get_fuel = _call, _get_fuel
        first, second = pointers
        book_slot, state_slot, features_slot = slots_of
        array = (ffi.wasmtime_val_raw_t * 2)()
        array_at = ctypes.addressof(array)
        words = memoryview(array).cast("B").cast("I")
        words[4] = second

        def run(book: bytearray, state: bytearray, features: bytearray) -> int:
            book_slot[:] = book
            state_slot[:] = state
            if features_slot is not None:
                features_slot[:] = features
            get_fuel(context, fuel_at)
            if fuel[0] < FUEL:
                _set_fuel(context, 2 * FUEL)
                fuel[0] = 2 * FUEL
            words[0] = first
            error = call(context, func_at, array_at, 2, trap_at)
            if error is not None or trap[0]:
                self._fault(error)
            if faults:
                raise faults.pop()
            return words[0]

        return run

    def burn(self, amount: int) -> None:
        """Takes fuel from the call that is running: what it makes us do is not free."""
        _get_fuel(self._context, self._left_at)
        _set_fuel(self._context, max(self._left.value - amount, 0))

    def fuel(self) -> int:
        """Fuel left in the store."""
        _get_fuel(self._context, self._left_at)
        return self._left.value

    @property
    def spent(self) -> int:
        """Fuel the last call burnt."""
        return self._fuel_view[0] - self.fuel()

    def _fault(self, error: int | None) -> None:
        """Frees the library's trap or error object and raises what it said."""
        if error is not None:
            text = str(WasmtimeError._from_ptr(ctypes.cast(error, POINTER(ffi.wasmtime_error_t))))  # noqa: SLF001
            raise GuestFault("error", text.strip().splitlines()[0])
        trap = Trap._from_ptr(ctypes.cast(self._trap_view[0], POINTER(ffi.wasm_trap_t)))  # noqa: SLF001
        self._trap_view[0] = 0
        try:
            code = trap.trap_code
        except ValueError:
            code = None
        kind = "fuel" if code is TrapCode.OUT_OF_FUEL else "trap"
        said = code.name.lower().replace("_", " ") if code is not None else trap.message.splitlines()[0]
        raise GuestFault(kind, said)


def func_at(func: Func) -> int:
    """Address of a function's handle, for `GuestCalls.call`. The caller keeps `func` alive."""
    return ctypes.addressof(func._func)  # noqa: SLF001 - the C API's struct
