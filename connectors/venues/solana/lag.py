"""How far the chain's clock is behind ours in what one endpoint answers: a node that gets later tells of it so.

The chain's clock is the stake-weighted median of what voters say, in whole seconds, with small steps either way (agave,
stake_weighted_timestamp.rs). It may be off for good, by much or little, but what it is off by hardly changes: where it
grows by many seconds on one connection, that node fell behind, though its slots rise as they should.
"""

from typing import Final

CREEP: Final = 600  # the best is forgotten by one second in so many, so that a clock that drifts is no fault for ever


class Lag:
    """Of one connection. A lag counts as the best where two reads in a row had no more: one odd clock is no measure."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._best_ns: int | None = None
        self._at_ns = 0

    def grown(self, lag_ns: int, now_ns: int) -> int:
        """By how much this read's is more than the best there was, in ns; 0 while there is none."""
        if self._best_ns is not None:
            self._best_ns += (now_ns - self._at_ns) // CREEP
        if self._last_ns is not None:
            of_two_ns = max(self._last_ns, lag_ns)
            self._best_ns = of_two_ns if self._best_ns is None else min(self._best_ns, of_two_ns)
        self._last_ns, self._at_ns = lag_ns, now_ns
        return max(lag_ns - self._best_ns, 0) if self._best_ns is not None else 0
