"""Finds venues by entry point; the built-in ones come in by the same door.

Group `venuegate.venues`; the entry's name is the venue's. Refuses what cannot work: two plugins of one name, another
API version, an object that is no `Venue`, a venue whose outgoing bytes nobody can read.
"""

from importlib.metadata import EntryPoint, entry_points

from connectors.errors import PluginError
from connectors.session import API_VERSION, Venue

GROUP = "venuegate.venues"


def names() -> list[str]:
    """Every venue on offer, sorted; nothing is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load(name: str) -> Venue:
    """Imports one venue. Raises PluginError naming the plugin and what to do."""
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise PluginError(f"no venue is called {name!r}", place="--venues", mend=f"choose from: {', '.join(names())}")
    if len({entry.value for entry in found}) > 1:
        owners = " and ".join(sorted(_owner(entry) for entry in found))
        raise PluginError(f"{owners} both offer a venue {name!r}", place=GROUP, mend="uninstall one of them")
    return check(found[0].name, _import(found[0]), _owner(found[0]))


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
