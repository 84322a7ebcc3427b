"""`gateway venue certify`: finds a venue and its tapes, runs the cards on it, and accepts what they compare with.

The cards themselves are in `runtime/conformance`, with pytest and hypothesis, which venuegate does not need to run:
they are imported here only where they are wanted, and their lack is one clear error.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from connectors import registry
from connectors.errors import ConfigError, PluginError, VenuegateError
from connectors.session import Venue

if TYPE_CHECKING:
    from runtime.conformance.cards import Card

PASSED: Final = "passed"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"
NEEDED: Final = ("pytest", "hypothesis")
GUIDE: Final = "docs/add-a-venue.md"


class Outcome(msgspec.Struct, frozen=True):
    """Of one card. `reason`: why it failed or was skipped. `next`: the file to write, and the step that says how."""

    card: str
    promise: str
    outcome: str
    reason: str = ""
    next: str = ""


def venue_named(name: str) -> Venue:
    """An installed venue by its name, else `module` or `module:ATTRIBUTE`. Raises PluginError."""
    module, colon, attribute = name.partition(":")
    if not name:
        mend = f"choose from: {', '.join(registry.names())}"
        raise PluginError("no venue is called ''", place="NAME", mend=mend)
    if registry.is_offered(name):
        return registry.load(name)
    _beside_us()
    if not colon and "." not in module and importlib.util.find_spec(module) is None:
        mend = f"choose from: {', '.join(registry.names())}; or give module:VENUE"
        raise PluginError(f"no venue and no module is called {name!r}", place="NAME", mend=mend)
    try:
        found = getattr(importlib.import_module(module), attribute or "VENUE")
    except (Exception, SystemExit) as error:
        problem = f"{name} cannot be imported: {type(error).__name__}: {error}"
        raise PluginError(problem, place="NAME", mend="give a venue's name, module or module:VENUE") from error
    return registry.check(getattr(found, "name", attribute or "VENUE"), found, module)


def _beside_us() -> None:
    """An author's package that is not installed lies where he stands; it comes last, and shadows nothing."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def needs_tools() -> None:
    """Raises ConfigError where the kit cannot run."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        mend = f"pip install {' '.join(missing)}"
        raise ConfigError(f"{' and '.join(missing)} not installed", place="gateway venue certify", mend=mend)


def folder_of(venue: Venue) -> Path:
    """Where its tapes lie, as far as can be guessed: the first of the usual folders that holds one.

    Where none does, `tests/fixtures` of the nearest project that has it, else a folder of the venue's own.
    """
    from runtime.conformance.sources import files_of

    package = files_of(venue)[0].parent
    projects = [one for one in (Path.cwd(), package, *package.parents) if (one / "pyproject.toml").is_file()]
    places, own = [package / "fixtures"], [package / "fixtures"]
    for project in dict.fromkeys(projects):
        kept = project / "fixtures"
        places += [kept / venue.name / "conformance", kept / venue.name, project / "tests" / "fixtures", kept]
        own = [*own[:-1], project / "tests" / "fixtures", kept / venue.name]
    holding = [place for place in places if next(place.glob("*.tape.zst"), None) is not None]
    return next(iter(holding or [place for place in own if place.is_dir()] or own[-1:]))


def certify(venue: Venue, tapes: Path | None = None, docs: Sequence[Path] = ()) -> list[Outcome]:
    """Runs every card. Raises ConfigError where pytest or hypothesis is missing."""
    needs_tools()
    from runtime.conformance.cards import cards_of
    from runtime.conformance.kit import VenueConformance

    folder = tapes if tapes is not None else folder_of(venue)
    kit = type("Certified", (VenueConformance,), {"tapes": folder, "docs": tuple(docs) or None})()
    return [_outcome(card, kit, venue) for card in cards_of(type(kit))]


def _outcome(card: Card, kit: object, venue: Venue) -> Outcome:
    import pytest

    try:
        getattr(kit, card.test)(venue)
    except pytest.skip.Exception as skipped:
        return Outcome(card.id, card.promise, SKIPPED, str(skipped))
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises, its card has failed and the others go on
        file, step = getattr(error, "next", (card.file, card.step))
        return Outcome(card.id, card.promise, FAILED, _why(error), f"{file}, step {step} of {GUIDE}")
    return Outcome(card.id, card.promise, PASSED)


def _why(error: Exception) -> str:
    """What failed; of what was not a card's own word the kind and place, too."""
    if isinstance(error, AssertionError | VenuegateError):
        return " ".join(str(error).split())
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}: {' '.join(str(error).split())}"


def accept(venue: Venue, folder: Path) -> list[Path]:
    """Writes the goldens of all tapes as they are now; the files. Raises ConfigError where there is no tape."""
    from runtime.conformance.market import golden_of
    from runtime.conformance.tapes import tapes_in

    try:
        tapes = tapes_in(folder, venue)
    except AssertionError as error:
        raise ConfigError(str(error), place=str(folder), mend="record one first: step 1 of the guide") from None
    for tape in tapes:
        tape.golden.write_bytes(golden_of(venue, tape))
        _note_origin(tape.golden)
    return [tape.golden for tape in tapes]


def _note_origin(path: Path) -> None:
    """Where an `origin.toml` beside a file keeps its hash, that is the new one's."""
    origin = path.with_name("origin.toml")
    if origin.is_file():
        held = hashlib.sha256(path.read_bytes()).hexdigest()
        head, name, rest = origin.read_text(encoding="utf-8").partition(f'["{path.name}"]\n')
        rest = re.sub('(?m)^sha256 = "[0-9a-f]*"$', f'sha256 = "{held}"', rest, count=1)
        rest = re.sub("(?m)^size = [0-9]+$", f"size = {path.stat().st_size}", rest, count=1)
        origin.write_text(f"{head}{name}{rest}", encoding="utf-8")


def accept_table(venue: Venue) -> list[Path]:
    """Writes the table of capabilities where the documentation has one, else at the end of README.md; the files."""
    from runtime.conformance.sources import files_of
    from runtime.conformance.table import block_in, block_of, documents

    told = {
        Path(name): text for name, text in documents(venue, files_of(venue)[0].parent).items() if Path(name).is_file()
    }
    block, written = block_of(venue), []
    holders = {path: text for path, text in told.items() if block_in(text, venue.name) is not None}
    for path, text in holders.items():
        path.write_text(text.replace(block_in(text, venue.name) or block, block), encoding="utf-8")
        written.append(path)
    readme = next((path for path in told if path.name == "README.md"), None)
    if not written and readme is not None:
        readme.write_text(f"{told[readme].rstrip()}\n\n{block}\n", encoding="utf-8")
        written.append(readme)
    return written
