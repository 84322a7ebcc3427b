"""Kraken keeps every card. `uv run gateway venue certify kraken` prints the same as a table."""

import pytest

from connectors.session import Venue
from connectors.venues.kraken import VENUE
from runtime.conformance import VenueConformance
from tests.support.data import ROOT


class TestKraken(VenueConformance):
    tapes = ROOT / "fixtures/kraken/conformance"
    docs = (ROOT / "docs/conformance.md", ROOT / "docs/kraken.md")

    @pytest.fixture
    def venue(self) -> Venue:
        return VENUE
