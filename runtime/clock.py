"""The clock door: ns since the epoch that never go back, whatever is done to the machine's clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the runtime gets its time."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, never less than before."""


class SystemClock:
    """The wall clock at start, carried on by the monotonic clock: steps and leap smears do not reach the engine."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self._offset_ns
