"""Kraken spot over WebSocket v2. https://docs.kraken.com/api/"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Venue
from connectors.venues.kraken.asked import asked
from connectors.venues.kraken.checksum import checksum
from connectors.venues.kraken.orders import KrakenOrders
from connectors.venues.kraken.session import KrakenMarket

VENUE = Venue(
    name="kraken",
    venue_id=1,
    public_url="wss://ws.kraken.com/v2",
    capabilities=Capabilities(depths=(10, 25, 100, 500, 1000), checksum=True, order_types=tuple(OrderType), amend=True),
    market=KrakenMarket,
    orders=KrakenOrders,
    checksum=checksum,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "EOrder:Post only order"),
        "unknown_order": (RejectCode.INVALID_PARAMS, "EOrder:Unknown order"),
    },
)
