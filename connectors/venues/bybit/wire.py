"""Bybit's public WebSocket v5 messages as they arrive. https://bybit-exchange.github.io/docs/v5/ws/connect

Two families share a socket: topic data (`topic` …) and answers (`op` …). The order of members is not fixed (spot writes
`ts` before `type`) and unknown ones are ignored. Every number of the market is a text; ids and times are integers.
"""

from typing import Annotated, Final, Literal

import msgspec

MS_MAX: Final = 253_402_300_799_999  # the end of the year 9999
Ms = Annotated[int, msgspec.Meta(ge=0, le=MS_MAX)]

# --- order book: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
# {"topic":"orderbook.50.BTCUSDT","ts":1755338645143,"type":"delta","data":{"s":"BTCUSDT","b":[["62806.90","0"]],"a":[],
#  "u":18521289,"seq":7961638730},"cts":1755338645141}


class BookData(msgspec.Struct, gc=False):
    s: str
    b: list[list[str]]
    a: list[list[str]]
    u: int


class Book(msgspec.Struct, gc=False):
    topic: str
    type: Literal["snapshot", "delta"]
    ts: Ms
    data: BookData
    cts: Ms = 0  # of the matching engine; what a trade's T is compared with


# --- trades: https://bybit-exchange.github.io/docs/v5/websocket/public/trade
# {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1755338645124,"data":[{"T":1755338645120,"s":"BTCUSDT",
#  "S":"Buy","v":"0.001","p":"62807.00","i":"2290000000061666327","BT":false,"RPI":false,"seq":7961638724}]}


class TradeData(msgspec.Struct):
    time: Ms = msgspec.field(name="T")
    symbol: str = msgspec.field(name="s")
    side: Literal["Buy", "Sell"] = msgspec.field(name="S")  # the taker's
    size: str = msgspec.field(name="v")
    price: str = msgspec.field(name="p")
    trade_id: str = msgspec.field(name="i", default="")


class Trades(msgspec.Struct):
    topic: str
    data: list[TradeData]


# --- tickers: https://bybit-exchange.github.io/docs/v5/websocket/public/ticker  (spot: snapshots only)
# {"topic":"tickers.BTCUSDT","ts":1672305380595,"type":"snapshot","cs":496622841,"data":{"symbol":"BTCUSDT",
#  "lastPrice":"16363.78","highPrice24h":"16566.64","lowPrice24h":"16009.19","prevPrice24h":"16443.66",
#  "volume24h":"5865.470182","turnover24h":"95949815.680875","price24hPcnt":"-0.0049"}}


class TickerData(msgspec.Struct, rename="camel"):
    symbol: str
    last_price: str
    high_price: str = msgspec.field(name="highPrice24h")
    low_price: str = msgspec.field(name="lowPrice24h")
    volume: str = msgspec.field(name="volume24h")


class Ticker(msgspec.Struct):
    topic: str
    ts: Ms
    data: TickerData


# --- answers: https://bybit-exchange.github.io/docs/v5/ws/connect
# {"success":true,"ret_msg":"subscribe","conn_id":"2324d924-…","req_id":"10001","op":"subscribe"}
# {"success":false,"ret_msg":"Invalid symbol :[orderbook.50.FOOUSDT]","conn_id":"…","req_id":"10002","op":"subscribe"}
# and three shapes of a pong, of the public, the private and the trade socket:
# {"success":true,"ret_msg":"pong","conn_id":"0970e817-…","op":"ping"}
# {"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}
# {"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"cnt5leec0hvan15eukcg-2v"}


class Message(msgspec.Struct):
    """Whatever came: by `topic` or `op` it is known what to read it as."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str | None = ""
    req_id: str | None = ""

    @property
    def is_pong(self) -> bool:
        return self.op == "pong" or (self.op == "ping" and self.success is not False)


# --- instruments: https://bybit-exchange.github.io/docs/v5/market/instrument
# {"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbolId":9,"symbol":"BTCUSDT","baseCoin":"BTC",
#  "quoteCoin":"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001","quotePrecision":"0.0000001",
#  "minOrderQty":"0.000011","minOrderAmt":"5","maxLimitOrderQty":"83", …},"priceFilter":{"tickSize":"0.1"}, …}]},
#  "retExtInfo":{},"time":1760027412300}


class LotSize(msgspec.Struct, rename="camel"):
    base_precision: str
    min_order_amt: str = ""


class PriceFilter(msgspec.Struct, rename="camel"):
    tick_size: str


class Pair(msgspec.Struct, rename="camel"):
    symbol: str
    status: str
    lot_size_filter: LotSize
    price_filter: PriceFilter


class PairName(msgspec.Struct, rename="camel"):
    symbol: str = ""
    base_coin: str = ""
    quote_coin: str = ""


class PairList(msgspec.Struct):
    """Records are read one by one: one of a market that we do not follow cannot take the others along."""

    pairs: list[msgspec.Raw] = msgspec.field(name="list", default_factory=list)


class Pairs(msgspec.Struct, rename="camel"):
    ret_code: int
    ret_msg: str = ""
    result: PairList = msgspec.field(default_factory=PairList)


decode_book = msgspec.json.Decoder(Book).decode
decode_trades = msgspec.json.Decoder(Trades).decode
decode_ticker = msgspec.json.Decoder(Ticker).decode
decode_message = msgspec.json.Decoder(Message).decode
decode_pairs = msgspec.json.Decoder(Pairs).decode
decode_pair = msgspec.json.Decoder(Pair).decode
decode_pair_name = msgspec.json.Decoder(PairName).decode
