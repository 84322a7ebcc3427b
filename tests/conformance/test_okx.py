"""OKX keeps every card. `uv run gateway venue certify okx` prints the same as a table."""

import pytest

from connectors.session import Venue
from connectors.venues.okx import VENUE
from runtime.conformance import VenueConformance
from tests.support.data import ROOT


class TestOKX(VenueConformance):
    tapes = ROOT / "fixtures/okx/conformance"
    docs = (ROOT / "docs/conformance.md", ROOT / "docs/okx.md")

    @pytest.fixture
    def venue(self) -> Venue:
        return VENUE
