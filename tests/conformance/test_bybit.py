"""Bybit keeps every card. `uv run gateway venue certify bybit` prints the same as a table."""

import pytest

from connectors.session import Venue
from connectors.venues.bybit import VENUE
from runtime.conformance import VenueConformance
from tests.support.data import ROOT


class TestBybit(VenueConformance):
    tapes = ROOT / "fixtures/bybit/conformance"
    docs = (ROOT / "docs/conformance.md", ROOT / "docs/bybit.md")

    @pytest.fixture
    def venue(self) -> Venue:
        return VENUE
