"""Coinbase keeps every card. `uv run gateway venue certify coinbase` prints the same as a table."""

import pytest

from connectors.session import Venue
from connectors.venues.coinbase import VENUE
from runtime.conformance import VenueConformance
from tests.support.data import ROOT


class TestCoinbase(VenueConformance):
    tapes = ROOT / "fixtures/coinbase/conformance"
    docs = (ROOT / "docs/conformance.md", ROOT / "docs/coinbase.md")

    @pytest.fixture
    def venue(self) -> Venue:
        return VENUE
