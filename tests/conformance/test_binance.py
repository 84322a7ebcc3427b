"""Binance keeps every card. `uv run gateway venue certify binance` prints the same as a table."""

import pytest

from connectors.session import Venue
from connectors.venues.binance import VENUE
from runtime.conformance import VenueConformance
from tests.support.data import ROOT


class TestBinance(VenueConformance):
    tapes = ROOT / "fixtures/binance/conformance"
    docs = (ROOT / "docs/conformance.md", ROOT / "docs/binance.md")

    @pytest.fixture
    def venue(self) -> Venue:
        return VENUE
