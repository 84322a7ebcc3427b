"""The kit that every venue runs, ours and a plugin author's: numbered cards, each one promise (docs/conformance.md).

    class TestTulip(VenueConformance):
        @pytest.fixture
        def venue(self) -> Venue:
            return VENUE

Tapes lie in `fixtures/` beside that file, or where the class attribute `tapes` says. The cards need pytest and
hypothesis, which venuegate itself does not: they are imported when the kit is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.conformance.kit import VenueConformance
    from runtime.conformance.pools import Swap

__all__ = ["Swap", "VenueConformance"]


def __getattr__(name: str) -> Any:
    """PEP 562: the two names above, when they are wanted."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from runtime.conformance import kit, pools

    return {"VenueConformance": kit.VenueConformance, "Swap": pools.Swap}[name]
