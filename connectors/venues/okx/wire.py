"""OKX's public messages as they arrive. https://www.okx.com/docs-v5/en/#overview-websocket

Three families share the socket: pushes (`arg` and `data`), answers and notices (`event`), and the text `pong`, which is
no JSON. Numbers are texts, book numbers (`seqId`) are not. Unknown fields are ignored. A field that is missing is not
0: where that matters it is read as NOT_SAID.
"""

from typing import Annotated, Literal

import msgspec

from connectors.venues.okx.chain import NOT_SAID

# --- books: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
# {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[["62806.9","0","0","0"]],
#  "ts":"1755338645223","checksum":0,"prevSeqId":10,"seqId":15}]}

# price, size, a dead field, number of orders
Level = Annotated[list[str], msgspec.Meta(min_length=2)]


class BookArg(msgspec.Struct, gc=False):
    channel: Literal["books"]
    inst_id: str = msgspec.field(name="instId")


class BookData(msgspec.Struct, gc=False):
    asks: list[Level]
    bids: list[Level]
    ts: str
    checksum: int = 0  # 0: there is none
    prev_seq_id: int = msgspec.field(name="prevSeqId", default=NOT_SAID)
    seq_id: int = msgspec.field(name="seqId", default=NOT_SAID)


class Book(msgspec.Struct, gc=False):
    arg: BookArg
    action: Literal["snapshot", "update"]
    data: tuple[BookData]


# --- trades: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel
# {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9",
#  "sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3","source":"0","seqId":1234}]}


class TradeData(msgspec.Struct):
    inst_id: str = msgspec.field(name="instId")
    trade_id: str = msgspec.field(name="tradeId")  # of the last of `count` that one order made at this price
    px: str
    sz: str
    side: Literal["buy", "sell"]  # the taker's
    ts: str


# --- tickers: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-tickers-channel
# {"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT","last":"30236",
#  "lastSz":"0.0002","askPx":"30228.7","askSz":"1.55896972","bidPx":"30228.6","bidSz":"0.23393","open24h":"29700.4",
#  "high24h":"31073","low24h":"28020.3","volCcy24h":"525802090.6","vol24h":"17602.13085371","ts":"1652459224956"}]}


class TickerData(msgspec.Struct):
    inst_id: str = msgspec.field(name="instId")
    last: str
    high24h: str
    low24h: str
    vol24h: str  # of the base currency
    ts: str


# --- instruments: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments, and the channel of that name
# {"code":"0","msg":"","data":[{"instType":"SPOT","instId":"BTC-USDT","instIdCode":1000000000,"baseCcy":"BTC",
#  "quoteCcy":"USDT","tickSz":"0.1","lotSz":"0.00000001","minSz":"0.00001","state":"live", …}]}


class Pair(msgspec.Struct):
    inst_id: str = msgspec.field(name="instId")
    base_ccy: str = msgspec.field(name="baseCcy")
    quote_ccy: str = msgspec.field(name="quoteCcy")
    tick_sz: str = msgspec.field(name="tickSz")
    lot_sz: str = msgspec.field(name="lotSz")
    min_sz: str = msgspec.field(name="minSz")
    state: str  # live, suspend, preopen, test, expired
    # not in lists of before 2026; null where it is not made yet; another one in demo trading
    inst_id_code: int | None = msgspec.field(name="instIdCode", default=None)


class PairName(msgspec.Struct):
    inst_id: str = msgspec.field(name="instId", default="")
    base_ccy: str = msgspec.field(name="baseCcy", default="")
    quote_ccy: str = msgspec.field(name="quoteCcy", default="")


class Pairs(msgspec.Struct):
    code: str
    msg: str = ""
    data: list[msgspec.Raw] = []  # read one by one: a pair that we do not follow cannot take the others along


# --- status: https://www.okx.com/docs-v5/en/#status-ws-status-channel
# {"arg":{"channel":"status"},"data":[{"begin":"1672823400000","end":"1672825980000","href":"","preOpenBegin":"",
#  "scheDesc":"","serviceType":"0","state":"completed","system":"unified","maintType":"1","env":"1",
#  "title":"Trading account WebSocket system upgrade","ts":"1672826038470"}]}


class StatusData(msgspec.Struct):
    title: str
    state: str  # scheduled, ongoing, pre_open, completed, canceled
    begin: str = ""
    end: str = ""
    service_type: str = msgspec.field(name="serviceType", default="")
    env: str = "1"  # 2: of demo trading


# --- any push, before it is known which; and answers: https://www.okx.com/docs-v5/en/#overview-websocket-subscribe
# {"id":"1512","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}
# {"id":"1512","event":"error","code":"60018","msg":"Wrong URL or channel:bookz doesn't exist. …","connId":"a4d3ae55"}
# {"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.",
#  "connId":"a4d3ae55"}


class Arg(msgspec.Struct):
    channel: str
    inst_id: str = msgspec.field(name="instId", default="")


class Message(msgspec.Struct):
    event: str = ""
    id: str = ""
    code: str = ""
    msg: str = ""
    arg: Arg | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


decode_book = msgspec.json.Decoder(Book).decode
decode_message = msgspec.json.Decoder(Message).decode
decode_trades = msgspec.json.Decoder(list[TradeData]).decode
decode_tickers = msgspec.json.Decoder(list[TickerData]).decode
decode_statuses = msgspec.json.Decoder(list[StatusData]).decode
decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_pairs = msgspec.json.Decoder(Pairs).decode
decode_pair = msgspec.json.Decoder(Pair).decode
decode_pair_name = msgspec.json.Decoder(PairName).decode
