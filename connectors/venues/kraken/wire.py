"""Kraken's WebSocket v2 messages as they arrive, public side. https://docs.kraken.com/api/docs/guides/spot-ws-intro

Two families share a socket: channel data (`channel` …) and answers to requests (`method` …). Unknown fields are
ignored: Kraken adds some without notice. Book levels are read as doubles and proved exact afterwards
(`units.FloatGrid`); `ExactBook` reads the same frame's number text where that proof fails. Everything else that is a
number of the market is `Decimal`: msgspec keeps its digits.
"""

from decimal import Decimal
from typing import Literal

import msgspec

# --- book: https://docs.kraken.com/api/docs/websocket-v2/book
# {"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":62806.5,"qty":0.00000000}],"asks":[],
#  "checksum":2219404157,"timestamp":"2026-08-16T10:04:05.311874Z"}]}


class Level(msgspec.Struct, gc=False):
    price: float
    qty: float


class BookData(msgspec.Struct, gc=False):
    symbol: str
    bids: list[Level]
    asks: list[Level]
    checksum: int
    timestamp: str = ""  # snapshots of 2024–25 have none


class Book(msgspec.Struct, gc=False):
    type: Literal["snapshot", "update"]
    data: tuple[BookData]


class ExactLevel(msgspec.Struct):
    price: Decimal
    qty: Decimal


class ExactBookData(msgspec.Struct):
    symbol: str
    bids: list[ExactLevel]
    asks: list[ExactLevel]


class ExactBook(msgspec.Struct):
    data: tuple[ExactBookData]


class AnyBook(msgspec.Struct, tag_field="channel", tag="book"):
    """A book frame that does not begin as Kraken's own do: recognised by its channel, read with `decode_book`."""


# --- trade: https://docs.kraken.com/api/docs/websocket-v2/trade
# {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":62806.9,"qty":0.01250000,
#  "ord_type":"market","trade_id":77120455,"timestamp":"2026-08-16T10:04:06.219833Z"}]}


class TradeData(msgspec.Struct):
    symbol: str
    side: Literal["buy", "sell"]  # the taker's
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: str


class TradeMessage(msgspec.Struct, tag_field="channel", tag="trade"):
    type: Literal["snapshot", "update"]
    data: list[TradeData]


# --- ticker: https://docs.kraken.com/api/docs/websocket-v2/ticker
# {"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":62806.9,"bid_qty":0.50930100,"ask":62807.0,
#  "ask_qty":1.20000000,"last":62806.9,"volume":2812.40127733,"vwap":62511.4,"low":61802.1,"high":63120.0,
#  "change":512.3,"change_pct":0.82,"timestamp":"2026-08-16T10:04:06.220101Z"}]}


class TickerData(msgspec.Struct):
    symbol: str
    last: Decimal
    volume: Decimal
    low: Decimal
    high: Decimal
    timestamp: str = ""  # since 2026


class TickerMessage(msgspec.Struct, tag_field="channel", tag="ticker"):
    type: Literal["snapshot", "update"]
    data: list[TickerData]


# --- instrument: https://docs.kraken.com/api/docs/websocket-v2/instrument  (data is an object; numbers like `1e-08`)
# {"channel":"instrument","type":"snapshot","data":{"assets":[…],"pairs":[{"symbol":"BTC/USD","base":"BTC",
#  "quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"qty_min":5e-05,"price_precision":1,
#  "price_increment":0.1,"cost_precision":5,"cost_min":0.5, …}]}}


class Pair(msgspec.Struct):
    symbol: str
    status: str
    qty_precision: int
    qty_increment: Decimal
    qty_min: Decimal
    price_precision: int
    price_increment: Decimal
    cost_min: Decimal = Decimal(0)


class InstrumentData(msgspec.Struct):
    pairs: list[msgspec.Raw] = []  # read one by one: a pair that we do not follow cannot take the others along


class InstrumentMessage(msgspec.Struct, tag_field="channel", tag="instrument"):
    type: Literal["snapshot", "update"]
    data: InstrumentData


# --- status: https://docs.kraken.com/api/docs/websocket-v2/status  (connection_id is above 2^53: never a float)
# {"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",
#  "connection_id":15113583034416118705}]}


class StatusData(msgspec.Struct):
    system: str


class StatusMessage(msgspec.Struct, tag_field="channel", tag="status"):
    data: tuple[StatusData]


# --- heartbeat: https://docs.kraken.com/api/docs/websocket-v2/heartbeat
# {"channel":"heartbeat"}


class Heartbeat(msgspec.Struct, tag_field="channel", tag="heartbeat"):
    pass


# --- answers: https://docs.kraken.com/api/docs/guides/spot-ws-intro
# {"method":"subscribe","req_id":11,"result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},
#  "success":true,"time_in":"…","time_out":"…"}
# {"error":"Currency pair not supported XBT/USD","method":"subscribe","req_id":13,"success":false,"symbol":"XBT/USD", …}
# {"method":"pong","req_id":101,"time_in":"…","time_out":"…"}


class AckResult(msgspec.Struct):
    channel: str = ""
    symbol: str = ""
    depth: int = 0


class Answer(msgspec.Struct):
    method: str
    success: bool | None = None
    error: str = ""
    req_id: int | None = None
    symbol: str = ""
    result: AckResult | msgspec.UnsetType = msgspec.UNSET


# --- anything else, looked at only to say whom it concerns
# {"Error":"Exceeded msg rate"}     {"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD", …}]}


class Stray(msgspec.Struct):
    channel: str = ""
    error: str = ""
    error_capital: str = msgspec.field(name="Error", default="")
    data: msgspec.Raw = msgspec.Raw(b"null")


class StrayItem(msgspec.Struct):
    symbol: str = ""


ChannelMessage = AnyBook | TradeMessage | TickerMessage | InstrumentMessage | StatusMessage | Heartbeat

decode_book = msgspec.json.Decoder(Book).decode
decode_exact_book = msgspec.json.Decoder(ExactBook).decode
decode_channel = msgspec.json.Decoder(ChannelMessage).decode
decode_pair = msgspec.json.Decoder(Pair).decode
decode_pair_name = msgspec.json.Decoder(StrayItem).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_stray = msgspec.json.Decoder(Stray).decode
decode_stray_items = msgspec.json.Decoder(list[StrayItem]).decode
