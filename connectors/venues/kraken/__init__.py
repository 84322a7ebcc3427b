"""Kraken spot over WebSocket v2. https://docs.kraken.com/api/"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Trading, Venue
from connectors.venues.kraken.asked import asked
from connectors.venues.kraken.auth import secrets_in, sign
from connectors.venues.kraken.checksum import checksum
from connectors.venues.kraken.orders import DEADLINE_NS, KrakenOrders
from connectors.venues.kraken.session import KrakenMarket
from connectors.venues.kraken.trading import BATCH_MAX, OPTIONS, KrakenTrading

VENUE = Venue(
    name="kraken",
    venue_id=1,
    public_url="wss://ws.kraken.com/v2",
    capabilities=Capabilities(
        depths=(10, 25, 100, 500, 1000),
        checksum=True,
        order_types=tuple(OrderType),
        ticker=True,
        audit=True,
        amend=True,
        cancel_all=True,
        dead_man=True,
        batch_max=BATCH_MAX,
    ),
    market=KrakenMarket,
    orders=KrakenOrders,
    checksum=checksum,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "EOrder:Post only order"),
        "unknown_order": (RejectCode.INVALID_PARAMS, "EOrder:Unknown order"),
    },
    trading=Trading(
        session=KrakenTrading,
        private_url="wss://ws-auth.kraken.com/v2",
        rest_url="https://api.kraken.com",
        sign=sign,
        secrets_in=secrets_in,
        deadline_ns=DEADLINE_NS,
        visible_ns=90 * 10**9,  # how long Kraken's lists may lack an order is not documented; a minute was seen
        id_max=18,  # a free text that is no UUID
        # decimals of the assets themselves (4 of most currencies, 2 of the yen); coins have 8 or more
        unit_1e8={**dict.fromkeys(("USD", "EUR", "GBP", "CAD", "AUD", "CHF"), 10**4), "JPY": 10**6},
        options=OPTIONS,
    ),
    usual=("BTC/USD", "ETH/USD", "BTC/USDT", "ETH/USDT"),
)
