"""OKX v5, spot. https://www.okx.com/docs-v5/en/"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Trading, Venue
from connectors.venues.okx.asked import asked
from connectors.venues.okx.auth import seal, sign
from connectors.venues.okx.checksum import checksum
from connectors.venues.okx.orders import BATCH_MAX, DEADLINE_NS, OkxOrders
from connectors.venues.okx.session import OkxMarket
from connectors.venues.okx.trading import OPTIONS, OkxTrading

VENUE = Venue(
    name="okx",
    venue_id=8,
    public_url="wss://ws.okx.com:8443/ws/v5/public",
    calls_url="https://openapi.okx.com",
    capabilities=Capabilities(
        depths=(10, 25, 100, 400),
        checksum=False,
        order_types=tuple(OrderType),
        sequence=True,
        ticker=True,
        amend=True,
        dead_man=True,
        batch_max=BATCH_MAX,
        absent={
            "checksum": "fixed to 0 by OKX; of a recording that still has one every book is compared with it",
            "cancel_all": "OKX cancels everything at once for options only (mass-cancel); spot orders go one by one",
            "order snapshot": "the orders channel says nothing on subscribing: open orders are asked for over HTTP",
        },
    ),
    market=OkxMarket,
    orders=OkxOrders,
    checksum=checksum,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "cancelSource 31: post-only order would take liquidity"),
        "unknown_order": (
            RejectCode.INVALID_PARAMS,
            "51400: the order was filled, canceled or does not exist",
        ),
    },
    trading=Trading(
        session=OkxTrading,
        private_url="wss://ws.okx.com:8443/ws/v5/private",
        rest_url="https://openapi.okx.com",
        sign=sign,
        seal=seal,
        more_secrets=("passphrase",),
        rest_at_once=3,
        deadline_ns=DEADLINE_NS,
        visible_ns=60 * 10**9,  # how long OKX's lists may lack an order is not documented
        keeps_ns=7_200 * 10**9,  # what was cancelled without a trade is in its lists for two hours
        id_max=32,
        options=OPTIONS,
    ),
    usual=("BTC/USDT", "ETH/USDT"),
)
