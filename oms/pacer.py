"""When the next picture of an account is wanted. Pure."""

from typing import Final

from oms.reconcile import Comparison

STEPS_S: Final = (2, 5, 10, 20, 30)
CALM_S: Final = 60
_SECOND_NS: Final = 10**9


class Pacer:
    """When the next picture is wanted: each 60 s, and while something is in doubt or lags, after 2, 5, 10, 20, 30,
    30 … seconds. `next_ns` is when.
    """

    __slots__ = ("_step", "next_ns")

    def __init__(self, now_ns: int) -> None:
        self.next_ns = now_ns
        self._step = 0

    def looked(self, comparison: Comparison, now_ns: int) -> None:
        """A picture was compared."""
        if comparison.is_equal:
            self._step = 0
            self.next_ns = now_ns + CALM_S * _SECOND_NS
            return
        self.failed(now_ns)

    def failed(self, now_ns: int) -> None:
        """A picture was asked for, and none came; or something is still in doubt."""
        self.next_ns = now_ns + STEPS_S[min(self._step, len(STEPS_S) - 1)] * _SECOND_NS
        self._step += 1

    def hurry(self, now_ns: int) -> None:
        """Something came to be in doubt: look soon, and from the first step again."""
        self._step = 0
        self.next_ns = min(self.next_ns, now_ns + STEPS_S[0] * _SECOND_NS)
