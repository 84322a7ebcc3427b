"""A library that takes SIGFPE for itself does not turn a guest's division by zero into the end of the process."""

import subprocess
import sys

import pytest

from tests.support.data import ROOT

PROGRAM = """
import ctypes, signal
from connectors.errors import GuestFault
from runtime import traps
from tests.runtime.test_wasm import BOOK, FEATURES, STATE, AlgoHost, guest

host = AlgoHost(guest("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), name="t")
libc = ctypes.CDLL(None)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal(signal.SIGFPE, None)
if {is_kept}:
    assert traps.keep() == [signal.SIGFPE]
    assert traps.keep() == []
try:
    host.on_book(BOOK, STATE, FEATURES)
except GuestFault as fault:
    print(fault.detail)
"""


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_taken_signal_is_taken_back(is_kept: bool) -> None:
    command = [sys.executable, "-c", PROGRAM.replace("{is_kept}", str(is_kept))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if is_kept:
        assert (ended.returncode, ended.stdout.strip()) == (0, "integer division by zero"), ended.stderr
    else:
        assert ended.returncode < 0, "without it the process dies"
