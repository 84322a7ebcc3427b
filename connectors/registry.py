"""Finds venues by entry point; the built-in ones come in by the same door.

Group `venuegate.venues`; the entry's name is the venue's. Group `venuegate.venue_families`: a function that makes a
venue of each name it is given, `ccxt:bitget`; that venue is called `ccxt_bitget`, for a colon stands between a venue
and its symbol. Refuses what cannot work: two plugins of one name, another API version, an object that is no `Venue`, a
venue whose outgoing bytes nobody can read.
"""

import re
from importlib.metadata import EntryPoint, entry_points

from connectors.errors import PluginError
from connectors.session import API_VERSION, Venue

GROUP = "venuegate.venues"
FAMILIES = "venuegate.venue_families"
_MEMBER = re.compile(r"([a-z0-9]+)[:_]([a-z0-9]+)")


def names() -> list[str]:
    """Every venue on offer, sorted, then the families as `FAMILY:NAME`; nothing is imported."""
    families = sorted({f"{entry.name}:NAME" for entry in entry_points(group=FAMILIES)})
    return sorted({entry.name for entry in entry_points(group=GROUP)}) + families


def is_offered(name: str) -> bool:
    """Whether somebody offers it; nothing is imported."""
    return bool(list(entry_points(group=GROUP, name=name))) or _family_of(name) is not None


def load(name: str) -> Venue:
    """Imports one venue. Raises PluginError naming the plugin and what to do."""
    found = list(entry_points(group=GROUP, name=name))
    family = _family_of(name) if not found else None
    if family is not None:
        return _made(family, name)
    if not found:
        raise PluginError(f"no venue is called {name!r}", place="--venues", mend=f"choose from: {', '.join(names())}")
    return check(found[0].name, _import(_only(found)), _owner(found[0]))


def _only(found: list[EntryPoint]) -> EntryPoint:
    if len({entry.value for entry in found}) > 1:
        owners = " and ".join(sorted(_owner(entry) for entry in found))
        raise PluginError(f"{owners} both offer a venue {found[0].name!r}", place=GROUP, mend="uninstall one of them")
    return found[0]


def _family_of(name: str) -> EntryPoint | None:
    match = _MEMBER.fullmatch(name)
    found = list(entry_points(group=FAMILIES, name=match[1])) if match is not None else []
    return _only(found) if found else None


def _made(family: EntryPoint, name: str) -> Venue:
    """A member of a family; whatever its maker says is wrong with the name is a mistake of whoever wrote that."""
    make, member = _import(family), name[len(family.name) + 1 :]
    if not callable(make):
        problem = f"{_owner(family)}: {family.name!r} is no function"
        raise PluginError(problem, place=FAMILIES, mend="offer a function: name -> connectors.session.Venue")
    return check(f"{family.name}_{member}", make(member), _owner(family))


def check(name: str, venue: object, owner: str) -> Venue:
    """What a plugin must be. Raises PluginError."""
    if not isinstance(venue, Venue):
        raise PluginError(
            f"{owner}: {name!r} is a {type(venue).__name__}", place=GROUP, mend="offer a connectors.session.Venue"
        )
    if venue.api_version != API_VERSION:
        problem = f"{owner}: {name!r} speaks API {venue.api_version}, this venuegate speaks {API_VERSION}"
        raise PluginError(problem, place=GROUP, mend="install matching versions")
    if venue.asked is None:
        problem = f"{owner}: {name!r} has no `asked`, which reads what leaves for it: nothing could leave"
        raise PluginError(problem, place=GROUP, mend="offer one: connectors.session.Venue")
    if venue.name != name:
        raise PluginError(f"{owner}: entry {name!r} holds venue {venue.name!r}", place=GROUP, mend="make them the same")
    return venue


def _import(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:
        problem = f"{_owner(entry)}: {entry.value} cannot be imported: {type(error).__name__}: {error}"
        raise PluginError(problem, place=GROUP, mend="repair or uninstall the plugin") from error


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
