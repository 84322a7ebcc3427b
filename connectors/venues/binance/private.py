"""Binance's messages of the account as they arrive, on the WebSocket API and over HTTP.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-api and /user-data-stream. Numbers of the market
are texts, read as Decimals; ids and times are JSON integers. Unknown fields are ignored.
"""

from decimal import Decimal
from typing import Annotated, Final

import msgspec

from connectors.venues.binance.wire import Problem, RateLimit

Id = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]

# --- answers on the socket: web-socket-api/response-format
# {"id":41,"status":200,"result":{…},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,
#  "limit":50,"count":12}, …]}
# {"id":41,"status":400,"error":{"code":-2010,"msg":"Account has insufficient balance for requested action."}, …}


class Answer(msgspec.Struct):
    """`number` None: Binance could not read what it refuses."""

    status: int
    number: int | str | None = msgspec.field(name="id", default=None)
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Problem | None = None
    limits: list[RateLimit] = msgspec.field(name="rateLimits", default_factory=list)


# --- what was placed, cancelled, amended: web-socket-api/trading-requests (newOrderRespType ACK or RESULT)
# {"symbol":"BTCUSDT","orderId":12569099453,"orderListId":-1,"clientOrderId":"vg1a2b3c-17","transactTime":1660801715639}
# {"transactTime":1741924229819,"executionId":60,"amendedOrder":{"symbol":"BTCUSDT","orderId":23,"qty":"5.00000000",
#  "executedQty":"0.00000000","clientOrderId":"vg1a2b3c-17","status":"NEW", …}}


class Placed(msgspec.Struct):
    """Also of a cancel, where `clientOrderId` is the cancel's own name. order.test answers with nothing in it."""

    order_id: Id = msgspec.field(name="orderId", default=-1)


class Subscribed(msgspec.Struct):
    """The answer to a subscription."""

    subscription: int = msgspec.field(name="subscriptionId")


# --- events of the account: user-data-stream  (they come wrapped: {"subscriptionId":0,"event":{…}})
# {"e":"executionReport","E":1755338658658,"s":"BTCUSDT","c":"vg1a2b3c-17","S":"BUY","o":"LIMIT","f":"GTC",
#  "q":"0.01000","p":"62000.00","P":"0.00","F":"0.00","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE",
#  "i":4293153,"l":"0.00400","z":"0.00400","L":"62000.00","n":"0.00000400","N":"BTC","T":1755338658657,"t":77,
#  "I":8641984,"w":true,"m":true,"M":true,"O":1755338650000,"Z":"248.00","Y":"248.00","Q":"0.00","V":"EXPIRE_MAKER"}


class Wrapped(msgspec.Struct):
    """Any event of the account."""

    event: msgspec.Raw


class Execution(msgspec.Struct, tag_field="e", tag="executionReport"):
    """One thing that happened to one order."""

    symbol: str = msgspec.field(name="s")
    name: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    qty: Decimal = msgspec.field(name="q")
    px: Decimal = msgspec.field(name="p")
    kind: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order_id: Id = msgspec.field(name="i")
    last_qty: Decimal = msgspec.field(name="l")
    cum: Decimal = msgspec.field(name="z")
    last_px: Decimal = msgspec.field(name="L")
    ms: int = msgspec.field(name="T")
    original: str = msgspec.field(name="C", default="")
    reason: str = msgspec.field(name="r", default="NONE")
    expiry: str = msgspec.field(name="eR", default="")
    fee: Decimal = msgspec.field(name="n", default=Decimal(0))
    fee_in: str | None = msgspec.field(name="N", default=None)
    trade_id: Id = msgspec.field(name="t", default=-1)
    cost: Decimal = msgspec.field(name="Y", default=Decimal(0))


# {"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH","f":"10.0","l":"1.5"}]}


class Held(msgspec.Struct):
    """What is there of a currency: free, and held by open orders."""

    asset: str = msgspec.field(name="a")
    free: Decimal = msgspec.field(name="f")
    locked: Decimal = msgspec.field(name="l")


class Position(msgspec.Struct, tag_field="e", tag="outboundAccountPosition"):
    """Of the currencies that changed."""

    held: list[Held] = msgspec.field(name="B")


# {"e":"balanceUpdate","E":1573200697110,"a":"ABC","d":"100.00000000","T":1573200697068}


class Moved(msgspec.Struct, tag_field="e", tag="balanceUpdate"):
    """A deposit, a withdrawal, a transfer between the account's wallets."""

    told_ms: int = msgspec.field(name="E")
    asset: str = msgspec.field(name="a")
    amount: Decimal = msgspec.field(name="d")
    ms: int = msgspec.field(name="T")


# {"e":"eventStreamTerminated","E":1728973001334}    {"e":"serverShutdown","E":1770123456789}


class Terminated(msgspec.Struct, tag_field="e", tag="eventStreamTerminated"):
    """The stream of events ended; the socket stands."""


class Shutdown(msgspec.Struct, tag_field="e", tag="serverShutdown"):
    """The socket will be closed."""


class ListStatus(msgspec.Struct, tag_field="e", tag="listStatus"):
    """Of order lists, which nobody here makes."""


class Locked(msgspec.Struct, tag_field="e", tag="externalLockUpdate"):
    """Part of a balance was locked or freed by another of Binance's systems: what is there in all is the same."""


# --- lists over HTTP: rest-api/account-endpoints
# {"symbol":"BTCUSDT","orderId":1,"clientOrderId":"vg1a2b3c-17","price":"0.1","origQty":"1.0","executedQty":"0.0",
#  "status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","time":1499827319559,"updateTime":1499827319559, …}
# {"symbol":"BNBBTC","id":28457,"orderId":100234,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012",
#  "commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false, …}
# {"canTrade":true,"balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.00000000"}], …}
# {"ipRestrict":true,"enableReading":true,"enableWithdrawals":false,"enableSpotAndMarginTrading":true, …}


class Order(msgspec.Struct):
    """One order of a list."""

    symbol: str
    order_id: Id = msgspec.field(name="orderId")
    name: str = msgspec.field(name="clientOrderId")
    px: Decimal = msgspec.field(name="price")
    qty: Decimal = msgspec.field(name="origQty")
    cum: Decimal = msgspec.field(name="executedQty")
    status: str
    force: str = msgspec.field(name="timeInForce")
    kind: str = msgspec.field(name="type")
    side: str
    opened_ms: int = msgspec.field(name="time")
    updated_ms: int = msgspec.field(name="updateTime", default=0)


class OneOrder(msgspec.Struct):
    """An order that was asked for by itself, or that there is none."""

    code: int = 0


class Trade(msgspec.Struct):
    """One trade of a list."""

    symbol: str
    trade_id: Id = msgspec.field(name="id")
    order_id: Id = msgspec.field(name="orderId")
    px: Decimal = msgspec.field(name="price")
    qty: Decimal
    cost: Decimal = msgspec.field(name="quoteQty")
    fee: Decimal = msgspec.field(name="commission")
    fee_in: str = msgspec.field(name="commissionAsset")
    ms: int = msgspec.field(name="time")
    is_buyer: bool = msgspec.field(name="isBuyer")


class Total(msgspec.Struct):
    """What is there of a currency."""

    asset: str
    free: Decimal
    locked: Decimal


class AccountInfo(msgspec.Struct):
    """The account as it is now."""

    may_trade: bool = msgspec.field(name="canTrade")
    balances: list[Total]


class Restrictions(msgspec.Struct):
    """None: the answer does not say."""

    may_withdraw: bool | None = msgspec.field(name="enableWithdrawals", default=None)
    may_read: bool | None = msgspec.field(name="enableReading", default=None)
    may_trade: bool | None = msgspec.field(name="enableSpotAndMarginTrading", default=None)


class Time(msgspec.Struct):
    """Binance's."""

    ms: int = msgspec.field(name="serverTime")


Event = Execution | Position | Moved | Terminated | Shutdown | ListStatus | Locked
IS_EVENT: Final = b'"event"'

decode_answer = msgspec.json.Decoder(Answer).decode
decode_placed = msgspec.json.Decoder(Placed).decode
decode_subscribed = msgspec.json.Decoder(Subscribed).decode
decode_wrapped = msgspec.json.Decoder(Wrapped).decode
decode_event = msgspec.json.Decoder(Event).decode
decode_orders = msgspec.json.Decoder(list[Order]).decode
decode_order = msgspec.json.Decoder(Order).decode
decode_one = msgspec.json.Decoder(OneOrder).decode
decode_trades = msgspec.json.Decoder(list[Trade]).decode
decode_account = msgspec.json.Decoder(AccountInfo).decode
decode_restrictions = msgspec.json.Decoder(Restrictions).decode
decode_time = msgspec.json.Decoder(Time).decode
