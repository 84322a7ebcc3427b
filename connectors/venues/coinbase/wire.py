"""Coinbase Advanced Trade's public messages as they arrive.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels

Every number of the market is a text. Unknown fields are ignored, and so are kinds of messages that we do not read:
Coinbase says that it may add both at any time. What a message holds is read in two steps where it is not a book: the
envelope says channel and number, and `events` stay bytes until somebody wants them.
"""

from typing import Literal

import msgspec

# --- level2: …/websocket-channels#level2-channel  (subscribed as `level2`, told as `l2_data`)
# {"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":1,"events":[{"type":
#  "update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-04-07T14:30:01.456789Z","price_level":
#  "68900.00","new_quantity":"2.00000000"},{"side":"offer","event_time":"…","price_level":"68901.00","new_quantity":
#  "0.00000000"}]}]}


class BookLevel(msgspec.Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: str
    new_quantity: str  # what there is now, no difference; zero removes


class BookEvent(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[BookLevel]


class BookMessage(msgspec.Struct, gc=False):
    sequence_num: int
    events: list[BookEvent]
    timestamp: str = ""


# --- whatever came: …/websocket-overview
# {"channel":"heartbeats","client_id":"","timestamp":"2026-04-07T14:30:10.000000Z","sequence_num":12,"events":[
#  {"current_time":"2026-04-07 14:30:10.000000000+00:00","heartbeat_counter":42}]}      (the counter may be a text, too)
# {"type":"error","message":"authentication failure"}


class Envelope(msgspec.Struct):
    """`sequence_num` −1: the message has none, as errors have."""

    channel: str = ""
    sequence_num: int = -1
    timestamp: str = ""
    events: msgspec.Raw = msgspec.Raw(b"[]")
    type: str = ""
    message: str = ""


# --- subscriptions: …/websocket-overview#unsubscribing
# {"channel":"subscriptions","client_id":"","timestamp":"2026-04-07T14:30:00.000000Z","sequence_num":0,"events":[
#  {"subscriptions":{"level2":["BTC-USD","ETH-USD"]}}]}


class Subscriptions(msgspec.Struct):
    subscriptions: dict[str, list[str] | None] = {}


# --- market_trades: …/websocket-channels#market-trades-channel
# {"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02.789012Z","sequence_num":5,"events":[
#  {"type":"update","trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":"68900.50","size":"0.00150000",
#  "side":"BUY","time":"2026-04-07T14:30:02.789012Z"}]}]}


class TradeItem(msgspec.Struct):
    trade_id: str
    product_id: str
    price: str
    size: str
    side: Literal["BUY", "SELL"]  # the maker's
    time: str


class TradeEvent(msgspec.Struct):
    type: Literal["snapshot", "update"]
    trades: list[TradeItem]


# --- ticker: …/websocket-channels#ticker-channel
# {"channel":"ticker","client_id":"","timestamp":"2023-02-09T20:30:37.167359596Z","sequence_num":0,"events":[{"type":
#  "snapshot","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"21932.98","volume_24_h":"16038.28770938",
#  "low_24_h":"21835.29","high_24_h":"23011.18", …}]}]}


class TickerItem(msgspec.Struct):
    product_id: str
    price: str
    volume_24_h: str
    low_24_h: str
    high_24_h: str


class TickerEvent(msgspec.Struct):
    tickers: list[TickerItem]


# --- products: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/list-public-products
# {"products":[{"product_id":"BTC-USDC","base_increment":"0.00000001","quote_increment":"0.01","price_increment":"0.01",
#  "base_min_size":"0.00000001","quote_min_size":"1","status":"online","is_disabled":false,"cancel_only":false,
#  "limit_only":false,"post_only":false,"trading_disabled":false,"auction_mode":false,"view_only":false,
#  "quote_currency_id":"USDC","base_currency_id":"BTC","alias":"BTC-USD","alias_to":[], …}],"num_products":1}


class Product(msgspec.Struct):
    product_id: str
    base_increment: str
    price_increment: str
    base_min_size: str
    quote_min_size: str
    status: str
    base_currency_id: str = ""
    quote_currency_id: str = ""
    quote_increment: str = ""
    alias: str = ""
    is_disabled: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    trading_disabled: bool = False
    auction_mode: bool = False
    view_only: bool = False


class ProductName(msgspec.Struct):
    product_id: str
    base_currency_id: str = ""
    quote_currency_id: str = ""


class Products(msgspec.Struct):
    products: list[msgspec.Raw]  # read one by one: a product that we do not follow cannot take the others along


# --- anything else, looked at only to say whom it concerns


class StrayEvent(msgspec.Struct):
    product_id: str = ""


decode_book = msgspec.json.Decoder(BookMessage).decode
decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_subscriptions = msgspec.json.Decoder(list[Subscriptions]).decode
decode_trades = msgspec.json.Decoder(list[TradeEvent]).decode
decode_tickers = msgspec.json.Decoder(list[TickerEvent]).decode
decode_product = msgspec.json.Decoder(Product).decode
decode_product_name = msgspec.json.Decoder(ProductName).decode
decode_products = msgspec.json.Decoder(Products).decode
decode_stray_events = msgspec.json.Decoder(list[StrayEvent]).decode
