"""The tapes and goldens beside a venue's tests: `*.tape.zst` as `gateway record` writes them, `*.golden.jsonl`.

A golden holds one line for each input that led to anything: its number, then what the session answered, in order, each
with its kind's name. It is text, so that a change shows what it changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from connectors.errors import TapeError
from connectors.session import KEYED, REST, Output, SessionPlan, Venue
from runtime.inputs import Frame, Input, LinkDown, LinkUp, Timer
from runtime.session import instruments_from
from runtime.tape import TapeReader, VenueEntry

ENDING: Final = ".tape.zst"
# of the account: not what a market session is given
_PRIVATE: Final = KEYED | {REST}
Step = tuple[int, int, Input]  # its number on the tape, when, what


class Tape:
    """One recording of a venue's market data. `steps`: what its market session was given, in order."""

    def __init__(self, path: Path, venue: Venue) -> None:
        """Raises TapeError for a file that is no tape of ours, or not of this venue."""
        self.path = path
        self.name = path.name.removesuffix(ENDING)
        reader = TapeReader(path)
        try:
            self.entry, self.symbols = _head(reader, path, venue)
            self.steps = [step for step in reader if _is_market(step[2], venue.name)]
            while self.steps and isinstance(self.steps[-1][2], LinkDown):  # the recording ends: no word of the venue's
                self.steps.pop()
        finally:
            reader.close()
        if not any(isinstance(given, Frame) for _, _, given in self.steps):
            raise TapeError(
                f"holds no frame of {venue.name}", place=str(path), mend="record while the venue says something"
            )

    @property
    def golden(self) -> Path:
        return self.path.with_name(f"{self.name}.golden.jsonl")

    @property
    def names(self) -> dict[int, str]:
        """Of each market, by its index."""
        pools = {len(self.symbols) + slot: pool.name for slot, pool in enumerate(self.entry.pools)}
        return dict(enumerate(self.symbols)) | pools

    def plan(self) -> SessionPlan:
        """What the session was planned with when this was recorded."""
        known = instruments_from(self.entry)
        return SessionPlan(
            symbols=tuple(enumerate(self.symbols)), depth=self.entry.depth, chain=self.entry.chain,
            instruments={index: known[name] for index, name in enumerate(self.symbols) if name in known},
            pools=tuple((len(self.symbols) + slot, pool) for slot, pool in enumerate(self.entry.pools)),
            audit_ns=self.entry.audit_ns, is_ticking=self.entry.is_ticking,
        )  # fmt: skip


def _head(reader: TapeReader, path: Path, venue: Venue) -> tuple[VenueEntry, tuple[str, ...]]:
    mend = f"record one: gateway record FILE{ENDING} --venues {venue.name}"
    if reader.header is None:
        raise TapeError("is a recording made by others: it does not say what was followed", place=str(path), mend=mend)
    entry = next((one for one in reader.header.venues if one.name == venue.name), None)
    if entry is None:
        raise TapeError(f"is of {', '.join(one.name for one in reader.header.venues)}", place=str(path), mend=mend)
    return entry, reader.header.symbols


def _is_market(given: Input, venue: str) -> bool:
    if isinstance(given, Frame | LinkUp | LinkDown):
        return given.venue == venue and given.link not in _PRIVATE
    return isinstance(given, Timer)


class NoTape(AssertionError):  # noqa: N818 - what is missing, and no error of anybody
    """What every card that looks at a tape says first."""

    next = "tests/fixtures", 1


def tapes_in(folder: Path, venue: Venue) -> list[Tape]:
    """Raises NoTape where there is none, TapeError for one that cannot be used."""
    found = sorted(folder.glob(f"*{ENDING}"))
    if not found:
        raise NoTape(
            f"no tape in {folder}: record one with `gateway record {folder}/books{ENDING} --venues {venue.name}`"
        )
    return [Tape(path, venue) for path in found]


def line_of(number: int, outputs: list[Output]) -> bytes:
    """A golden's line, without its end."""
    return msgspec.json.encode([number, *([type(one).__name__, _plain(one)] for one in outputs)])


def _plain(one: Output) -> object:
    """Bytes as text, so that a person can read what was sent."""
    fields = [getattr(one, name) for name in one.__struct_fields__]
    return [value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value for value in fields]
