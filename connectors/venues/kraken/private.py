"""Kraken's private messages as they arrive: executions, balances, answers to trading requests, and REST.

https://docs.kraken.com/api/docs/websocket-v2/executions and the pages beside it. Unknown fields are ignored: Kraken
adds some without notice. Every number that could be money is `Decimal`: msgspec keeps its digits; REST writes most of
them as strings, which msgspec reads digit for digit, too.
"""

from decimal import Decimal
from typing import Literal

import msgspec

# --- executions: https://docs.kraken.com/api/docs/websocket-v2/executions
# {"channel":"executions","type":"update","data":[{"order_id":"OK4GJX-KSTLS-7DZZO5","order_userref":3,
#  "exec_id":"TGBB7L-HT5LX-J3BZ4A","exec_type":"trade","trade_id":62887576,"symbol":"BTC/USD","side":"sell",
#  "last_qty":0.005,"last_price":26599.9,"cost":132.9995,"order_status":"partially_filled","cum_qty":0.005,
#  "fees":[{"asset":"USD","qty":0.3458}],"timestamp":"2023-09-22T10:33:05.709993Z"}],"sequence":10}
# {"timestamp":"…","order_status":"new","exec_type":"new","order_userref":3,"order_id":"OK4GJX-KSTLS-7DZZO5"}


class Fee(msgspec.Struct, frozen=True):
    """What one execution cost, in whichever asset."""

    asset: str
    qty: Decimal


class Execution(msgspec.Struct, frozen=True):
    """One thing that happened to one order of the account; what the venue left out is "" or None."""

    order_id: str
    exec_type: str
    cl_ord_id: str = ""
    order_status: str = ""
    symbol: str = ""
    side: Literal["buy", "sell", ""] = ""
    order_type: str = ""
    order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    cum_qty: Decimal | None = None
    exec_id: str = ""
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    fees: list[Fee] = []
    reason: str = ""
    cancel_reason: str = ""
    timestamp: str = ""


class Executions(msgspec.Struct, tag_field="channel", tag="executions"):
    """`sequence` counts the messages of one subscription."""

    type: Literal["snapshot", "update"]
    data: list[Execution]
    sequence: int


# --- balances: https://docs.kraken.com/api/docs/websocket-v2/balances
# {"channel":"balances","type":"snapshot","data":[{"asset":"USD","asset_class":"currency","balance":160.2405,
#  "wallets":[{"type":"spot","id":"main","balance":1.34}]}],"sequence":1}
# {"channel":"balances","type":"update","data":[{"ledger_id":"DATKX6-PEHL1-HZKND8","ref_id":"LKAKN2-N0N12-VKQNLN",
#  "timestamp":"…","type":"trade","asset":"USD","category":"trade","wallet_type":"spot","wallet_id":"main",
#  "amount":-19.9743,"fee":0.0499,"balance":118.0677}],"sequence":4}


class Part(msgspec.Struct, frozen=True):
    """What of an asset's total lies in one wallet."""

    type: str
    id: str
    balance: Decimal


class Wallet(msgspec.Struct, frozen=True):
    """One entry of a snapshot (no `ledger_id`), or one entry of the ledger."""

    asset: str
    balance: Decimal
    ledger_id: str = ""
    type: str = ""
    category: str = ""
    wallet_type: str = "spot"
    wallet_id: str = "main"
    amount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    wallets: tuple[Part, ...] = ()


class Balances(msgspec.Struct, tag_field="channel", tag="balances"):
    """`sequence` counts the messages of one subscription."""

    type: Literal["snapshot", "update"]
    data: list[Wallet]
    sequence: int


# --- the rest of the socket: {"channel":"status", …}   {"channel":"heartbeat"}


class StatusData(msgspec.Struct, frozen=True):
    """The venue's word on itself."""

    system: str


class Status(msgspec.Struct, tag_field="channel", tag="status"):
    """Sent first, and on every change."""

    data: tuple[StatusData]


class Heartbeat(msgspec.Struct, tag_field="channel", tag="heartbeat"):
    """Once a second, as soon as anything is subscribed."""


# --- answers: {"method":"add_order","req_id":99,"result":{"order_id":"OGTT3Y-C6I3P-XRI6HR","cl_ord_id":"vg-1"},
#  "success":true,"time_in":"…","time_out":"…"}
# {"error":"EOrder:Insufficient funds","method":"add_order","req_id":99,"success":false, …}
# {"method":"subscribe","req_id":7,"result":{"channel":"executions","maxratecount":180, …},"success":true, …}


class Answer(msgspec.Struct):
    """Of any request. `result` differs from method to method, and for batch_add it may be a list."""

    method: str
    success: bool | None = None
    error: str = ""
    req_id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"{}")


class Result(msgspec.Struct, frozen=True):
    """What the results of single requests say, as far as it is read."""

    channel: str = ""
    maxratecount: int = 0
    order_id: str = ""
    cl_ord_id: str = ""
    error: str = ""
    count: int | None = None


class BatchResult(msgspec.Struct, frozen=True):
    """The form in which a client's fixtures have it; the documentation has the bare list."""

    orders: list[Result]


class Stray(msgspec.Struct):
    """Anything else: {"Error":"Exceeded msg rate"}."""

    channel: str = ""
    method: str = ""
    error: str = ""
    error_capital: str = msgspec.field(name="Error", default="")


# --- REST: {"error":[],"result":{…}}   {"error":["EAPI:Invalid nonce"]}


class RestAnswer(msgspec.Struct):
    """Success and failure share status 200."""

    error: list[str] = []
    result: msgspec.Raw = msgspec.Raw(b"null")


# POST /0/private/GetApiKeyInfo → {"apiKeyName":"…","permissions":["query-funds","modify-trades"],"validUntil":"0", …}


class KeyInfo(msgspec.Struct, frozen=True):
    """What the key may do, in Kraken's words."""

    permissions: list[str]


# POST /0/private/CancelOrder → {"count":1,"pending":false}


class Cancelled(msgspec.Struct, frozen=True):
    """How many orders a cancel reached."""

    count: int = 0


# POST /0/private/OpenOrders → {"open":{"OQCLML-BW3P3-BUCMWZ":{"cl_ord_id":"vg-1","status":"open",
#  "opentm":1616666559.8974,"descr":{"pair":"XBTUSD","type":"buy","ordertype":"limit","price":"30010.0"},
#  "vol":"1.25000000","vol_exec":"0.37500000","oflags":"fciq,post","reason":null}}}
# POST /0/private/ClosedOrders → {"closed":{…},"count":1}


class Description(msgspec.Struct, frozen=True):
    """`price`: the limit; "0" where the order has none."""

    pair: str
    type: Literal["buy", "sell"]
    ordertype: str
    price: Decimal = Decimal(0)


class RestOrder(msgspec.Struct, frozen=True):
    """One order of the account. `opentm`: seconds, its digits kept."""

    status: str
    descr: Description
    vol: Decimal
    vol_exec: Decimal
    opentm: Decimal = Decimal(0)
    cl_ord_id: str | None = None
    reason: str | None = None
    oflags: str = ""
    timeinforce: str = ""


class OpenOrders(msgspec.Struct, frozen=True):
    """Every one of them: this list has no pages."""

    open: dict[str, RestOrder]


class ClosedOrders(msgspec.Struct, frozen=True):
    """A page of 50; `count`: how many there are in all."""

    closed: dict[str, RestOrder]
    count: int


# POST /0/private/TradesHistory → {"trades":{"THVRQM-33VKH-UCI7BS":{"ordertxid":"OQCLML-BW3P3-BUCMWZ",
#  "pair":"XXBTZUSD","time":1688667796.8802,"type":"buy","price":"30010.00000","cost":"600.20000","fee":"0.00000",
#  "vol":"0.02000000"}},"count":2346}


class RestTrade(msgspec.Struct, frozen=True):
    """One execution of the account; the fee is in the quote currency."""

    ordertxid: str
    pair: str
    type: Literal["buy", "sell"]
    time: Decimal
    price: Decimal
    vol: Decimal
    cost: Decimal
    fee: Decimal


class TradesHistory(msgspec.Struct, frozen=True):
    """A page of 50; `count`: how many there are in all."""

    trades: dict[str, RestTrade]
    count: int


# POST /0/private/BalanceEx → {"ZUSD":{"balance":"25435.21","hold_trade":"8249.76"}}


class Held(msgspec.Struct, frozen=True):
    """`balance`: what open orders hold included."""

    balance: Decimal


Message = Executions | Balances | Status | Heartbeat

decode_message = msgspec.json.Decoder(Message).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_result = msgspec.json.Decoder(Result).decode
decode_results = msgspec.json.Decoder(list[Result]).decode
decode_batch = msgspec.json.Decoder(BatchResult).decode
decode_stray = msgspec.json.Decoder(Stray).decode
decode_rest = msgspec.json.Decoder(RestAnswer).decode
decode_key = msgspec.json.Decoder(KeyInfo).decode
decode_cancelled = msgspec.json.Decoder(Cancelled).decode
decode_open = msgspec.json.Decoder(OpenOrders).decode
decode_closed = msgspec.json.Decoder(ClosedOrders).decode
decode_trades = msgspec.json.Decoder(TradesHistory).decode
decode_held = msgspec.json.Decoder(dict[str, Held]).decode
