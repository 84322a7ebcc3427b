"""Venues come in by entry point; what cannot work is refused with its owner and a mend."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, EntryPoints

import msgspec
import pytest

from connectors import registry
from connectors.errors import ConfigError, PluginError
from connectors.session import API_VERSION, Venue
from connectors.venues.kraken import VENUE
from runtime.deploy import venue_spec

OLD = msgspec.structs.replace(VENUE, name="old", api_version=API_VERSION + 1)
NOT_A_VENUE = {"name": "odd"}


def family(name: str) -> Venue:
    return msgspec.structs.replace(VENUE, name=f"many_{name}")


def offer(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    """Pretends that these (name, value) are what is installed."""
    made = [
        EntryPoint(name.removesuffix(":"), value, registry.FAMILIES if name.endswith(":") else registry.GROUP)
        for name, value in entries
    ]

    def entry_points(*, group: str, name: str | None = None) -> Iterable[EntryPoint]:
        found = EntryPoints(made)
        return found.select(group=group) if name is None else found.select(group=group, name=name)

    monkeypatch.setattr(registry, "entry_points", entry_points)


def refused(name: str) -> PluginError:
    with pytest.raises(PluginError) as caught:
        registry.load(name)
    assert caught.value.mend
    return caught.value


def test_the_built_in_venue_comes_by_the_same_door() -> None:
    assert "kraken" in registry.names()
    assert registry.load("kraken") is VENUE


def test_an_unknown_venue_lists_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("b", "x:y"), ("a", "x:y"))
    error = refused("krakn")
    assert "'krakn'" in error.problem
    assert error.mend == "choose from: a, b"


def test_two_plugins_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither wins by chance of the order in which they were installed."""
    offer(monkeypatch, ("kraken", "connectors.venues.kraken:VENUE"), ("kraken", "evil.venue:VENUE"))
    assert "both offer a venue 'kraken'" in refused("kraken").problem


def test_one_plugin_seen_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, *[("kraken", "connectors.venues.kraken:VENUE")] * 2)
    assert registry.load("kraken") is VENUE


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("old", f"{__name__}:OLD", f"speaks API {API_VERSION + 1}, this venuegate speaks {API_VERSION}"),
        ("odd", f"{__name__}:NOT_A_VENUE", "is a dict"),
        ("cracken", "connectors.venues.kraken:VENUE", "entry 'cracken' holds venue 'kraken'"),
        ("gone", "no_such_package.venue:VENUE", "cannot be imported: ModuleNotFoundError"),
        ("gone", "connectors.venues.kraken:NOTHING", "cannot be imported: AttributeError"),
        ("gone", "connectors.venues.kraken", "is a module"),
    ],
)
def test_what_is_no_venue_of_ours_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, _this_module())
    offer(monkeypatch, (name, value))
    error = refused(name)
    assert said in error.problem
    assert value.partition(":")[0].partition(".")[0] in error.problem


def _this_module() -> object:
    """Under importlib mode a test's module is not importable by its name; entry points import by name."""
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(OLD=OLD, NOT_A_VENUE=NOT_A_VENUE, family=family)
    return module


def test_names_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("gone", "no_such_package.venue:VENUE"))
    assert registry.names() == ["gone"]


@pytest.mark.parametrize("name", ["many:one", "many_one"])
def test_a_family_makes_a_venue_of_each_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, _this_module())
    offer(monkeypatch, ("many:", f"{__name__}:family"), ("kraken", "connectors.venues.kraken:VENUE"))
    assert registry.names() == ["kraken", "many:NAME"]
    assert registry.is_offered(name) and not registry.is_offered("few:one")
    assert registry.load(name).name == "many_one"


def test_a_family_that_is_no_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, _this_module())
    offer(monkeypatch, ("many:", f"{__name__}:NOT_A_VENUE"))
    assert "is no function" in refused("many:one").problem


def test_a_venue_without_orders_is_refused_before_it_is_run() -> None:
    """A market-data plugin: one clear message instead of an engine that cannot be made."""
    deaf = msgspec.structs.replace(VENUE, orders=None)
    with pytest.raises(ConfigError, match="takes no orders"):
        venue_spec(deaf, depth=10, depth_from="test")
