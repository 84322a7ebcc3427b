"""Replay: a tape or a foreign recording through the same turn as live trading, as fast as it goes."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from connectors.errors import TapeError
from connectors.events import Notice
from runtime import traps
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Output
from runtime.session import Session
from runtime.tape import TapeReader

REPEATS_MAX: Final = 20
TEXTS_MAX: Final = 500

Tell = Callable[[str, str], None]
Carry = Callable[[list[Output]], None]


class Notices:
    """What the session had to say, told as it comes: each text so often and no more, then counted."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._seen: Counter[str] = Counter()
        self._others = 0  # beyond the number of texts that are told apart

    def carry(self, outputs: list[Output]) -> None:
        """Where a replay's outputs go: notices to the screen; Sends nowhere, their bytes are in the hash already."""
        for output in outputs:
            if type(output) is Notice:
                self._notice(output)

    def _notice(self, notice: Notice) -> None:
        if notice.text not in self._seen and len(self._seen) >= TEXTS_MAX:
            self._others += 1
            return
        self._seen[notice.text] += 1
        if self._seen[notice.text] <= REPEATS_MAX:
            self._tell(notice.text, notice.level)

    def close(self) -> None:
        """Says what was counted only."""
        for text, count in self._seen.items():
            if count > REPEATS_MAX:
                self._tell(f"{count - REPEATS_MAX} times more: {text}", "warning")
        if self._others:
            self._tell(f"{self._others} more notices of other kinds", "warning")


class BooksSeen:
    """A watcher: which followed symbols ever had a valid book."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        del given, now_ns
        if session.engine.touched:
            self._seen.update(session.engine.touched)

    def missing(self, session: Session) -> list[str]:
        """A line for each symbol without any: what was seen of it, and what is probably wrong."""
        engine = session.engine
        lines = []
        for index, name in enumerate(engine.names):
            if index not in self._seen:
                reason = engine.books[index].reason
                lines.append(f"{name} never had a valid book ({reason})")
        return lines


def replay(session: Session, tape: TapeReader, carry: Carry | None = None) -> int:
    """Feeds every input, then stops the session if the tape does not; returns how many inputs there were.

    A tape of our own holds its timers and commands; a foreign recording has none, and gets none: its silences are the
    recorder's, not a venue's. Raises TapeError for a line that cannot be used.
    """
    traps.keep()  # whatever models and Python algos have loaded by now
    with _interrupt_between_turns() as is_interrupted:
        return _replay(session, tape, carry or _nowhere, is_interrupted)


def _replay(session: Session, tape: TapeReader, carry: Carry, is_interrupted: Callable[[], bool]) -> int:
    count, now_ns = 0, 0
    venues = session.engine.ports
    for number, recv_ns, given in tape:
        if isinstance(given, Frame | LinkUp | LinkDown) and given.venue not in venues:
            problem = f"input {number} is of venue {given.venue!r}, the session is of {', '.join(venues)}"
            raise TapeError(problem, place=str(tape.path), mend="replay it with the --venue it was recorded from")
        now_ns = recv_ns
        session.step(given, now_ns, carry)
        count += 1
        if is_interrupted():
            raise KeyboardInterrupt
    if count == 0:
        raise TapeError("holds no input", place=str(tape.path), mend="give a tape with lines in it")
    if not session.is_stopped:
        session.step(Command("stop", "end of tape"), now_ns, carry)
    return count


@contextmanager
def _interrupt_between_turns() -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the turn's end: an exception inside a guest's log call would cross the C frames and abort."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


def _nowhere(outputs: object) -> None:
    """Where a replay's Sends go: their bytes are in the hash already."""


def check_footer(session: Session, tape: TapeReader) -> str:
    """Empty when the tape's own hash is the replay's, or the tape has none; else what differs."""
    if tape.footer is None or tape.footer.hash == session.digest.hexdigest():
        return ""
    return f"{tape.path.name} was recorded with hash {tape.footer.hash[:16]}…, this replay gives another"
