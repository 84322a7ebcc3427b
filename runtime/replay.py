"""Replay: a tape or a foreign recording through the same turn as live trading, as fast as it goes."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import TapeError
from runtime.inputs import Command, Frame, LinkDown, LinkUp
from runtime.session import Session
from runtime.tape import TapeReader


def replay(session: Session, tape: TapeReader) -> int:
    """Feeds every input, then stops the session if the tape does not; returns how many inputs there were.

    A tape of our own holds its timers and commands; a foreign recording has none, and gets none: its silences are the
    recorder's, not a venue's. Raises TapeError for a line that cannot be used.
    """
    with _interrupt_between_turns() as is_interrupted:
        return _replay(session, tape, is_interrupted)


def _replay(session: Session, tape: TapeReader, is_interrupted: Callable[[], bool]) -> int:
    count, now_ns = 0, 0
    venue = session.engine.spec.venue.name
    for number, recv_ns, given in tape:
        if isinstance(given, Frame | LinkUp | LinkDown) and given.venue != venue:
            problem = f"input {number} is of venue {given.venue!r}, the session is of {venue!r}"
            raise TapeError(problem, place=str(tape.path), mend="replay it with the --venue it was recorded from")
        now_ns = recv_ns
        session.step(given, now_ns, _nowhere)
        count += 1
        if is_interrupted():
            raise KeyboardInterrupt
    if count == 0:
        raise TapeError("holds no input", place=str(tape.path), mend="give a tape with lines in it")
    if not session.is_stopped:
        session.step(Command("stop", "end of tape"), now_ns, _nowhere)
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
    return f"{Path(tape.path).name} was recorded with hash {tape.footer.hash[:16]}…, this replay gives another"
