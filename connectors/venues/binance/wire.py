"""Binance's public messages as they arrive. https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams

Numbers of the market are texts on the wire and stay texts here; ids and times are JSON integers. Unknown fields are
ignored. Streams of a combined socket come wrapped, `{"stream":…,"data":…}`; naked ones are read as well.
"""

from typing import Literal

import msgspec

Level = tuple[str, str]  # price, quantity; a quantity of 0 removes the level

# --- diff depth: web-socket-streams#diff-depth-stream
# {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1755338645123,"s":"BTCUSDT","U":157,"u":160,
#  "b":[["62806.90","0.50930"]],"a":[["62807.00","0.00000"]]}}


class Depth(msgspec.Struct, gc=False):
    """`first` and `last`: the numbers of the changes it sums up. `before`: futures alone chain by the last one's."""

    symbol: str = msgspec.field(name="s")
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: list[Level] = msgspec.field(name="b")
    asks: list[Level] = msgspec.field(name="a")
    ms: int = msgspec.field(name="E")
    before: int = msgspec.field(name="pu", default=-1)


class DepthFrame(msgspec.Struct, gc=False):
    stream: str
    data: Depth


# --- trade: web-socket-streams#trade-streams  (m: the buyer was the maker, so the taker sold)
# {"e":"trade","E":1755338645124,"s":"BTCUSDT","t":12345,"p":"62806.90","q":"0.01250","T":1755338645123,"m":true,
#  "M":true}


class Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    qty: str = msgspec.field(name="q")
    ms: int = msgspec.field(name="T")
    is_buyer_maker: bool = msgspec.field(name="m")


class TradeFrame(msgspec.Struct):
    stream: str
    data: Trade


# --- depth snapshot: rest-api/market-data-endpoints#order-book
# {"lastUpdateId":160,"bids":[["62806.90","0.50930"]],"asks":[["62807.00","1.20000"]]}


class Snapshot(msgspec.Struct):
    last: int = msgspec.field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]


# --- exchange information: rest-api/general-endpoints#exchange-information  (baseAssetPrecision is not the lot)
# {"timezone":"UTC","serverTime":1755338645123,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE",
#  "intervalNum":1,"limit":6000}],"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
#  "baseAssetPrecision":8,"quoteAsset":"USDT","quotePrecision":8,"filters":[{"filterType":"PRICE_FILTER",
#  "minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},{"filterType":"LOT_SIZE",
#  "minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},{"filterType":"NOTIONAL",
#  "minNotional":"5.00000000", …}]}]}


class RateLimit(msgspec.Struct, frozen=True):
    """`count`: used so far, in answers of the WebSocket API alone."""

    kind: str = msgspec.field(name="rateLimitType")
    interval: str
    number: int = msgspec.field(name="intervalNum")
    limit: int
    count: int = -1


class Filter(msgspec.Struct):
    kind: str = msgspec.field(name="filterType")
    tick: str = msgspec.field(name="tickSize", default="0")
    step: str = msgspec.field(name="stepSize", default="0")
    min_qty: str = msgspec.field(name="minQty", default="0")
    min_notional: str = msgspec.field(name="minNotional", default="0")


class Market(msgspec.Struct):
    symbol: str
    status: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")
    base_precision: int = msgspec.field(name="baseAssetPrecision", default=8)
    quote_precision: int = msgspec.field(name="quotePrecision", default=8)
    filters: list[Filter] = []


class MarketName(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseAsset", default="")
    quote: str = msgspec.field(name="quoteAsset", default="")


class ExchangeInfo(msgspec.Struct):
    symbols: list[msgspec.Raw]  # read one by one: a market that we do not follow cannot take the others along
    limits: list[RateLimit] = msgspec.field(name="rateLimits", default_factory=list)


# --- answers to requests: web-socket-streams#live-subscribingunsubscribing-to-streams
# {"result":null,"id":1}     {"result":["btcusdt@depth@100ms"],"id":3}
# {"error":{"code":2,"msg":"Invalid request: unknown variant `SUBSCRIBEX`, …"},"id":1}


class Problem(msgspec.Struct):
    """Also what HTTP answers beside 200: {"code":-1121,"msg":"Invalid symbol."}"""

    code: int
    msg: str = ""


class Answer(msgspec.Struct):
    """`number` None: Binance could not read which request it refuses."""

    number: int | None = msgspec.field(name="id")
    result: list[str] | None = None
    error: Problem | None = None


# --- naked events, and anything else, looked at only to say whom it concerns
# {"e":"serverShutdown","E":1770123456789}
# {"u":400900217,"s":"BTCUSDT","b":"62806.90","B":"31.21","a":"62807.00","A":"40.66"}


class Stray(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    event: str = msgspec.field(name="e", default="")
    symbol: str = msgspec.field(name="s", default="")


class StrayData(msgspec.Struct):
    event: str = msgspec.field(name="e", default="")
    symbol: str = msgspec.field(name="s", default="")


class NakedDepth(msgspec.Struct, tag_field="e", tag="depthUpdate"):
    pass


class NakedTrade(msgspec.Struct, tag_field="e", tag="trade"):
    pass


class Shutdown(msgspec.Struct, tag_field="e", tag="serverShutdown"):
    pass


Interval = Literal["SECOND", "MINUTE", "HOUR", "DAY"]

decode_depth_frame = msgspec.json.Decoder(DepthFrame).decode
decode_depth = msgspec.json.Decoder(Depth).decode
decode_trade_frame = msgspec.json.Decoder(TradeFrame).decode
decode_trade = msgspec.json.Decoder(Trade).decode
decode_snapshot = msgspec.json.Decoder(Snapshot).decode
decode_info = msgspec.json.Decoder(ExchangeInfo).decode
decode_market = msgspec.json.Decoder(Market).decode
decode_market_name = msgspec.json.Decoder(MarketName).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_problem = msgspec.json.Decoder(Problem).decode
decode_naked = msgspec.json.Decoder(NakedDepth | NakedTrade | Shutdown).decode
decode_stray = msgspec.json.Decoder(Stray).decode
decode_stray_data = msgspec.json.Decoder(StrayData).decode
