"""What a person is told of a session: each kind of trouble once a minute, however often it happens."""

from string import digits
from typing import Final

from connectors.events import Notice
from connectors.onchain.asker import SECOND
from connectors.session import Output

FORGOTTEN_NS: Final = 60 * SECOND
KINDS_MAX: Final = 100  # in that time; the words may be the node's own, of which there is no end


class Notices:
    """`out` is the session's outputs. What differs in numbers alone is of one kind."""

    def __init__(self, out: list[Output]) -> None:
        self._out = out
        self._told: set[str] = set()
        self._since_ns = 0

    def tell(self, text: str, level: str = "warning") -> None:
        kind = "".join(letter for letter in text if letter not in digits)
        if kind not in self._told and len(self._told) < KINDS_MAX:
            self._told.add(kind)
            self._out.append(Notice(level, text))

    def forget(self) -> None:
        """All is well again: whatever comes next is news."""
        self._told.clear()

    def tick(self, now_ns: int) -> None:
        """What was told a minute ago may be told again."""
        if now_ns - self._since_ns >= FORGOTTEN_NS:
            self._since_ns = now_ns
            self.forget()
