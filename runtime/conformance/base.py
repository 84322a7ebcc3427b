"""What all cards share: where a venue's tapes and documentation lie, and what was read of them once."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import ClassVar

from connectors.session import AUDIT, Venue
from runtime.conformance.phrases import Phrases, phrases_in
from runtime.conformance.tapes import Tape, tapes_in
from runtime.conformance.truth import Truth


class Kit:
    """`tapes`: the folder of tapes, goldens and trading.toml; None: `fixtures/` beside the test's file.

    `docs`: files that may hold the capability table; None: README.md and docs/*.md of the project around the test.
    """

    tapes: ClassVar[Path | None] = None
    docs: ClassVar[tuple[Path, ...] | None] = None
    aside: ClassVar[frozenset[str]] = frozenset({AUDIT})

    def folder(self) -> Path:
        """Where tapes, goldens and trading.toml lie."""
        return self.tapes if self.tapes is not None else Path(inspect.getfile(type(self))).parent / "fixtures"

    def tapes_of(self, venue: Venue) -> list[Tape]:
        """Raises AssertionError where there is none."""
        folder = self.folder()
        if (folder, venue.name) not in _TAPES:
            _TAPES[folder, venue.name] = tapes_in(folder, venue)
        return _TAPES[folder, venue.name]

    def phrases(self) -> Phrases | None:
        """How the venue speaks to a trader; None where nobody wrote it down."""
        return phrases_in(self.folder())

    def truth(self, venue: Venue, tape: Tape) -> Truth:
        """What the books of this tape were."""
        found = _TRUTHS.get(tape.path)
        if found is None or found.venue is not venue:
            found = _TRUTHS[tape.path] = Truth(venue, tape)
        return found


_TAPES: dict[tuple[Path, str], list[Tape]] = {}  # read once, for all cards of a run
_TRUTHS: dict[Path, Truth] = {}
