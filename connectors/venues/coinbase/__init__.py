"""Coinbase Advanced Trade over WebSocket and REST. https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Trading, Venue
from connectors.venues.coinbase.asked import asked
from connectors.venues.coinbase.auth import seal, sign
from connectors.venues.coinbase.orders import CoinbaseOrders
from connectors.venues.coinbase.session import CoinbaseMarket
from connectors.venues.coinbase.trading import DEADLINE_NS, REST_AT_ONCE, CoinbaseTrading

VENUE = Venue(
    name="coinbase",
    venue_id=2,
    public_url="wss://advanced-trade-ws.coinbase.com",
    calls_url="https://api.coinbase.com",
    capabilities=Capabilities(
        depths=(10, 25, 100, 500, 1000),
        checksum=False,
        order_types=tuple(OrderType),
        sequence=True,
        ticker=True,
        amend=True,
        absent={
            "cancel-all": "no message cancels everything: each order is cancelled by itself, by the venue's id",
            "dead-man's switch": "the venue has none: what is open when we fall silent stays open",
            "batches": "one new order a request",
            "checksum": "books carry none; a lost message is noticed by sequence_num",
            "depth": "the venue sends whole books and offers no other; all of it is kept",
            "orders over a socket": "orders go over REST alone",
        },
    ),
    market=CoinbaseMarket,
    orders=CoinbaseOrders,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "INVALID_LIMIT_PRICE_POST_ONLY"),
        "unknown_order": (RejectCode.INVALID_PARAMS, "UNKNOWN_CANCEL_ORDER"),
    },
    trading=Trading(
        session=CoinbaseTrading,
        private_url="wss://advanced-trade-ws-user.coinbase.com",
        rest_url="https://api.coinbase.com",
        sign=sign,
        seal=seal,
        deadline_ns=DEADLINE_NS,
        # how long its lists may lack an order is not documented; five more, for the door waits ten for an answer
        visible_ns=95 * 10**9,
        id_max=36,  # not documented; UUIDs are taken
        rest_at_once=REST_AT_ONCE,
    ),
    usual=("BTC/USD", "ETH/USD", "BTC/USDT", "ETH/USDT"),
)
