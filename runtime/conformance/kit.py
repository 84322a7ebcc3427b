"""All cards in one class, with the one fixture that an author gives."""

import pytest

from connectors.session import Venue
from runtime.conformance.encoding import ByteCards
from runtime.conformance.harm import HarmCards
from runtime.conformance.manners import MannersCards
from runtime.conformance.market import MarketCards
from runtime.conformance.pools import PoolCards
from runtime.conformance.trading import TradeCards


class VenueConformance(MannersCards, MarketCards, HarmCards, PoolCards, ByteCards, TradeCards):
    """Derive a class whose name begins with `Test` and give the fixture `venue`."""

    @pytest.fixture
    def venue(self) -> Venue:
        raise NotImplementedError("give a fixture `venue` that returns the Venue to certify")
