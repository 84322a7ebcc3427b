"""The members of a family share one table of capabilities; a member that differs from it is found out."""

import msgspec
import pytest

from connectors import registry
from connectors.session import Venue
from runtime.certify import FAILED, PASSED, Outcome, _outcome
from runtime.conformance import VenueConformance
from runtime.conformance.cards import cards_of
from tests.support.data import ROOT


def m30(venue: Venue) -> Outcome:
    kit = type("Certified", (VenueConformance,), {"docs": (ROOT / "docs/conformance.md",)})()
    (one,) = [one for one in cards_of(type(kit)) if one.id == "M30"]
    return _outcome(one, kit, venue)


@pytest.mark.parametrize("name", ["ccxt:okx", "ccxt_bitget", "dex_sol", "dex_eth"])
def test_it_is_the_members_own(name: str) -> None:
    found = m30(registry.load(name))
    assert found.outcome == PASSED, found.reason


def test_a_member_of_other_capabilities_is_found_out() -> None:
    venue = registry.load("ccxt:okx")
    other = msgspec.structs.replace(venue.capabilities, sequence=True)
    found = m30(msgspec.structs.replace(venue, capabilities=other))
    assert found.outcome == FAILED
    assert "is not the code's" in found.reason


def test_a_name_with_a_line_is_no_family() -> None:
    """`dex_sol` is a venue by itself: it has not the table of another chain."""
    alone = msgspec.structs.replace(registry.load("dex_sol"), name="dex_unheard")
    assert "no table of capabilities" in m30(alone).reason
