"""Bybit spot over v5. https://bybit-exchange.github.io/docs/v5/intro"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from connectors.session import Capabilities, Trading, Venue
from connectors.venues.bybit.asked import asked
from connectors.venues.bybit.auth import seal, sign
from connectors.venues.bybit.orders import BATCH_MAX, DEADLINE_NS, BybitOrders
from connectors.venues.bybit.reading import DEPTHS
from connectors.venues.bybit.session import BybitMarket
from connectors.venues.bybit.trading import OPTIONS, BybitTrading

VENUE = Venue(
    name="bybit",
    venue_id=9,
    public_url="wss://stream.bybit.com/v5/public/spot",
    calls_url="https://api.bybit.com",
    capabilities=Capabilities(
        depths=DEPTHS,
        checksum=False,
        sequence=True,
        order_types=tuple(OrderType),
        ticker=True,
        amend=True,
        cancel_all=True,
        batch_max=BATCH_MAX,
        absent={
            "checksum": "Bybit's books carry numbers and no checksum",
            "dead_man": "disconnection protection (DCP) is switched on for institutions only, and it is no timer: it "
            "waits until every private connection that asked for it is gone",
        },
    ),
    market=BybitMarket,
    orders=BybitOrders,
    asked=asked,
    refusals={
        "post_only_would_cross": (RejectCode.INVALID_PARAMS, "EC_PostOnlyWillTakeLiquidity"),
        "unknown_order": (RejectCode.INVALID_PARAMS, "170213: Order does not exist."),
    },
    trading=Trading(
        session=BybitTrading,
        private_url="wss://stream.bybit.com/v5/private",
        trade_url="wss://stream.bybit.com/v5/trade",
        rest_url="https://api.bybit.com",
        sign=sign,
        seal=seal,
        deadline_ns=DEADLINE_NS,
        visible_ns=60 * 10**9,  # Bybit says that its lists may be late, and not by how much: a choice of ours
        keeps_ns=86_400 * 10**9,  # what was cancelled without a trade is in its lists for a day
        id_max=36,
        rest_at_once=2,  # orders go by socket: a cancel never waits for a question
        options=OPTIONS,
    ),
    usual=("BTC/USDT", "ETH/USDT"),
)
