"""Binance spot. https://developers.binance.com/docs/binance-spot-api-docs"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Trading, Venue
from connectors.venues.binance.asked import asked
from connectors.venues.binance.auth import seal, sign
from connectors.venues.binance.orders import DEADLINE_NS, OPTIONS, BinanceOrders
from connectors.venues.binance.session import BinanceMarket
from connectors.venues.binance.trading import BinanceTrading

VENUE = Venue(
    name="binance",
    venue_id=3,
    public_url="wss://stream.binance.com:9443/stream",
    calls_url="https://api.binance.com",
    capabilities=Capabilities(
        depths=(5, 10, 20, 25, 50, 100, 250, 500, 1000, 5000),
        checksum=False,
        sequence=True,
        order_types=tuple(OrderType),
        amend=True,
        amend_down_only=True,
        absent={
            "checksum": "books carry none: a lost message shows by its number, a changed digit inside one does not",
            "cancel_all": "there is none for an account, only one per market (openOrders.cancelAll): every order is"
            " cancelled by itself",
            "dead_man": "spot has no timer that cancels open orders (countdownCancelAll is of futures)",
            "batch": "spot takes one order a message",
            "amend": "an order can be lowered in quantity and keeps its place (order.amend.keepPriority); its price is"
            " for good",
        },
    ),
    market=BinanceMarket,
    orders=BinanceOrders,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "-2010 Order would immediately match and take."),
        "unknown_order": (RejectCode.INVALID_PARAMS, "-2011 Unknown order sent."),
    },
    trading=Trading(
        session=BinanceTrading,
        private_url="wss://ws-api.binance.com:443/ws-api/v3",
        rest_url="https://api.binance.com",
        sign=sign,
        seal=seal,
        deadline_ns=DEADLINE_NS,
        visible_ns=60 * 10**9,  # lists come from a database that lags; by how much is not documented, seconds were seen
        id_max=36,
        rest_at_once=4,
        options=OPTIONS,
    ),
    usual=("BTC/USDT", "ETH/USDT"),
)
