"""What was told of a pool and not read yet: since when a book is known to be of the past."""

from collections import deque
from typing import Final

from connectors.onchain.asker import SECOND

NEWS_NS: Final = SECOND  # a round trip, and the slot or two by which the node that answers may be later
KEPT_MAX: Final = 64  # slots: many more than are told in that time


class News:
    """Slots at which one pool changed, as notifications have it, each with the time it was heard of first."""

    def __init__(self) -> None:
        self._told: deque[tuple[int, int]] = deque()  # (slot, since), both rising

    def clear(self) -> None:
        self._told.clear()

    def told(self, slot: int, now_ns: int) -> None:
        """It changed at this slot."""
        if self._told and slot <= self._told[-1][0]:
            return
        since_ns = self._told.pop()[1] if len(self._told) == KEPT_MAX else now_ns
        self._told.append((slot, since_ns))

    def read(self, slot: int) -> None:
        """It was read as of this slot: what was told up to there is in it."""
        while self._told and self._told[0][0] <= slot:
            self._told.popleft()

    def back(self, slot: int) -> int | None:
        """The chain went back to this slot: what was told of later ones is of a branch that is gone; since when the
        first of them was known, None: there was none."""
        since_ns = None
        while self._told and self._told[-1][0] > slot:
            since_ns = self._told.pop()[1]
        return since_ns

    @property
    def due_ns(self) -> int | None:
        """Until when what was read last may be shown; None: nothing newer was told."""
        return self._told[0][1] + NEWS_NS if self._told else None

    def overdue(self, now_ns: int) -> str:
        """'' or what was told too long ago and is not read yet."""
        due_ns = self.due_ns
        return f"changed at slot {self._told[0][0]} and not read yet" if due_ns is not None and now_ns >= due_ns else ""
