"""The signals that a guest's traps are made of, kept from whoever takes them.

A guest's division by zero is a SIGFPE of this process, which wasmtime turns into a trap. A library that is loaded later
and takes the signal for itself (GMP does, under gmpy2) would make of the same division the end of the process. So what
wasmtime installed is remembered after the first module was loaded, and put back wherever somebody else's is found.
"""

import ctypes
import signal
from typing import Final

SIGNALS: Final = (signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS)
_BYTES: Final = 512  # more than a `struct sigaction` has anywhere
_libc = ctypes.CDLL(None)
_kept: dict[int, bytes] = {}


def _read(number: int) -> bytes:
    held = ctypes.create_string_buffer(_BYTES)
    _libc.sigaction(number, None, held)
    return held.raw


def _handler(action: bytes) -> bytes:
    """The function, which every layout has first; what follows may hold bytes that nobody set."""
    return action[: ctypes.sizeof(ctypes.c_void_p)]


def keep() -> list[int]:
    """Remembers wasmtime's handlers the first time, once a module is loaded; afterwards puts back what was replaced.

    Which signals somebody had taken.
    """
    if not _kept:
        _kept.update({number: action for number in SIGNALS if any(_handler(action := _read(number)))})
        return []
    taken = [number for number, action in _kept.items() if _handler(_read(number)) != _handler(action)]
    for number in taken:
        _libc.sigaction(number, ctypes.create_string_buffer(_kept[number], _BYTES), None)
    return taken
