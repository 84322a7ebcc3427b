"""Whether a recording made by others is of the venue that it is said to be of: its first frames, tried on a session.

Such a recording does not say whose it is. Read as another's, each of its frames would be one that nobody can explain.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from connectors import registry
from connectors.errors import TapeError, VenuegateError
from connectors.events import BookDelta, BookSnapshot, Notice, Trade
from connectors.instrument import Instrument
from connectors.session import SessionPlan, Venue
from runtime.inputs import Frame
from runtime.tape import TapeReader

TRIED: Final = 200
_DATA: Final = (BookSnapshot, BookDelta, Trade)


def check(file: Path, venue: Venue, instruments: Mapping[str, Instrument], depth: int) -> None:
    """Raises TapeError where not one of the first frames is one that this venue sends."""
    told = list(_told(file, venue, instruments, depth))
    if not told or not all(is_error for is_error, _ in told):
        return
    others = [name for name in registry.names() if name != venue.name and ":" not in name]
    found = [name for name in others if _is_data(file, name, instruments)]
    mend = f"say whose it is: --venue {' or '.join(found)}" if found else "say whose it is with --venue"
    raise TapeError(f"none of its first {len(told)} frames is {venue.name}'s", place=str(file), mend=mend)


def _is_data(file: Path, name: str, instruments: Mapping[str, Instrument]) -> bool:
    try:
        venue = registry.load(name)
        depth = venue.capabilities.depths[0]
        return not venue.capabilities.onchain and any(data for _, data in _told(file, venue, instruments, depth))
    except (VenuegateError, ValueError):  # a venue that cannot be loaded, or cannot follow such a market
        return False


def _told(file: Path, venue: Venue, instruments: Mapping[str, Instrument], depth: int) -> Iterator[tuple[bool, bool]]:
    """Of each of the first frames: whether the session made an error of it, and whether books or trades."""
    plan = SessionPlan(tuple(enumerate(instruments)), depth, dict(enumerate(instruments.values())))
    session, is_open = venue.market(plan), False
    for _, recv_ns, given in islice(TapeReader(file, venue=venue.name), TRIED):
        if not isinstance(given, Frame):
            continue
        if not is_open:
            session.open(recv_ns)
            is_open = True
        outputs = session.receive(given.raw, recv_ns, given.link)
        is_error = any(type(one) is Notice and one.level == "error" for one in outputs)
        yield is_error, any(type(one) in _DATA for one in outputs)
