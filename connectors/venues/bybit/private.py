"""Bybit's messages of the account as they arrive: private socket, trade socket, answers of REST.

https://bybit-exchange.github.io/docs/v5/websocket/private/order and the pages beside it. Numbers are texts, "" where
there is none; unknown members are ignored. Items are read one by one, so that one that cannot be read takes no other
along.
"""

from decimal import Decimal
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.units import scaled

SPOT: Final = "spot"

# --- private socket: https://bybit-exchange.github.io/docs/v5/ws/connect
# {"success":true,"ret_msg":"","op":"auth","conn_id":"…"}
# {"success":true,"ret_msg":"","op":"subscribe","conn_id":"…","req_id":"…"}
# {"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}
# {"id":"5923240c…","topic":"order","creationTime":1755338645474,"data":[…]}


class Message(msgspec.Struct):
    """Whatever came on the private socket: by `topic` or `op` it is known what to read it as."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg: str | None = ""
    req_id: str | None = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


# --- order: https://bybit-exchange.github.io/docs/v5/websocket/private/order
# {"category":"spot","symbol":"BTCUSDT","orderId":"a4c1718e-…","orderLinkId":"a-1","side":"Buy","orderType":"Limit",
#  "price":"62000","qty":"0.01","orderStatus":"Cancelled","cancelType":"UNKNOWN",
#  "rejectReason":"EC_PostOnlyWillTakeLiquidity","timeInForce":"PostOnly","leavesQty":"0.000","cumExecQty":"0.000",
#  "cumExecValue":"0.0","avgPrice":"","cumFeeDetail":{},"createdTime":"1755338645442","updatedTime":"1755338645457"}
# GET /v5/order/realtime and /v5/order/history have the same in their lists, without `category`


class Order(msgspec.Struct, rename="camel"):
    """An order as it is now."""

    symbol: str
    order_id: str
    side: str
    order_type: str
    qty: str
    order_status: str
    category: str = SPOT
    order_link_id: str = ""
    price: str = ""
    time_in_force: str = ""
    cum_exec_qty: str = ""
    reject_reason: str = ""
    cancel_type: str = ""
    stop_order_type: str = ""
    market_unit: str = ""
    created_time: str = ""
    updated_time: str = ""


# --- execution: https://bybit-exchange.github.io/docs/v5/websocket/private/execution
# {"category":"spot","symbol":"BTCUSDT","execFee":"0.00001","feeCurrency":"BTC","execId":"7e2ae69c-…",
#  "execPrice":"62000","execQty":"0.01","execType":"Trade","execValue":"620","isMaker":false,"feeRate":"0.001",
#  "leavesQty":"0","orderId":"a4c1718e-…","orderLinkId":"a-1","orderQty":"0.01","orderType":"Limit","side":"Buy",
#  "execTime":"1755338645443","isLeverage":"0","seq":4688002127}


class Execution(msgspec.Struct, rename="camel"):
    """One trade of an order. A negative fee is a rebate."""

    symbol: str
    order_id: str
    side: str
    exec_id: str
    exec_price: str
    exec_qty: str
    exec_type: str
    exec_time: str
    category: str = SPOT
    order_link_id: str = ""
    order_qty: str = ""
    order_type: str = ""
    exec_value: str = ""
    exec_fee: str = ""
    fee_currency: str = ""
    is_maker: bool = False


# --- wallet: https://bybit-exchange.github.io/docs/v5/websocket/private/wallet  (and /v5/account/wallet-balance)
# {"accountType":"UNIFIED","coin":[{"coin":"BTC","walletBalance":"0.06488393","locked":"0", …}], …}


class Coin(msgspec.Struct, rename="camel"):
    """What the account has of one coin, what orders hold included."""

    coin: str
    wallet_balance: str = ""


class Wallet(msgspec.Struct, rename="camel"):
    """One of the account's wallets."""

    account_type: str = ""
    coin: list[Coin] = []


class Wallets(msgspec.Struct):
    """The result of /v5/account/wallet-balance."""

    wallets: list[Wallet] = msgspec.field(name="list", default_factory=list)


# --- trade socket: https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline
# {"reqId":"t-005","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"a4c1718e-…","orderLinkId":"a-1"},
#  "retExtInfo":{},"header":{"X-Bapi-Limit":"20","X-Bapi-Limit-Status":"19",
#  "X-Bapi-Limit-Reset-Timestamp":"1755338645208","Traceid":"…","Timenow":"1755338645209"},"connId":"…"}
# {"reqId":"t-006","retCode":170131,"retMsg":"Balance insufficient","op":"order.create","data":{},"retExtInfo":{}, …}
# of a batch: "data":{"list":[{"orderId":"…","orderLinkId":"…", …}]},"retExtInfo":{"list":[{"code":0,"msg":"OK"}]}


class Header(msgspec.Struct):
    """What an answer says of the limit that it was counted under."""

    limit: str = msgspec.field(name="X-Bapi-Limit", default="")
    left: str = msgspec.field(name="X-Bapi-Limit-Status", default="")
    reset_ms: str = msgspec.field(name="X-Bapi-Limit-Reset-Timestamp", default="")


class Named(msgspec.Struct, rename="camel"):
    """Whom an answer is about."""

    order_id: str = ""
    order_link_id: str = ""


class Made(Named, rename="camel"):
    """`data` of an answer: one order, or the list of a batch."""

    several: list[Named] = msgspec.field(name="list", default_factory=list)


class Outcome(msgspec.Struct):
    """Of one order of a batch."""

    code: int = -1
    msg: str = ""


class Outcomes(msgspec.Struct):
    """`retExtInfo` of a batch, in the order of its orders."""

    each: list[Outcome] = msgspec.field(name="list", default_factory=list)


class Answer(msgspec.Struct, rename="camel"):
    """One frame of the trade socket."""

    op: str
    ret_code: int = -1
    ret_msg: str = ""
    req_id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    ret_ext_info: msgspec.Raw = msgspec.Raw(b"{}")
    header: Header = msgspec.field(default_factory=Header)


# --- REST: {"retCode":0,"retMsg":"OK","result":{…},"retExtInfo":{},"time":1684765770483}


class Reply(msgspec.Struct, rename="camel"):
    """The envelope of every answer of REST."""

    ret_code: int
    ret_msg: str | None = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


class Page(msgspec.Struct):
    """Of orders or executions: `{"list":[…],"nextPageCursor":"page_args%3Dfd43…%26","category":"spot"}`."""

    items: list[msgspec.Raw] = msgspec.field(name="list", default_factory=list)
    cursor: str = msgspec.field(name="nextPageCursor", default="")


# https://bybit-exchange.github.io/docs/v5/user/apikey-info
# {"id":"16651472","apiKey":"…","readOnly":0,"permissions":{"Spot":["SpotTrade"],"Wallet":["AccountTransfer"], …},
#  "ips":["*"],"expiredAt":"2023-05-15T03:13:24Z","unified":0,"uta":1, …}


class Permissions(msgspec.Struct):
    """What a key may do, of what matters here. `wallet` must be said: it is where withdrawing would stand."""

    wallet: list[str] = msgspec.field(name="Wallet")
    spot: list[str] = msgspec.field(name="Spot", default_factory=list)


class KeyInfo(msgspec.Struct, rename="camel"):
    """The result of /v5/user/query-api."""

    permissions: Permissions
    read_only: int = 0


# https://bybit-exchange.github.io/docs/v5/market/time
# {"timeSecond":"1688639403","timeNano":"1688639403423213947"}


class ServerTime(msgspec.Struct, rename="camel"):
    """The result of /v5/market/time."""

    time_nano: str


# {"success":"1"}: https://bybit-exchange.github.io/docs/v5/order/cancel-all, of spot


class CancelledAll(msgspec.Struct):
    """The result of /v5/order/cancel-all, of spot."""

    success: str = "1"


class _Category(msgspec.Struct):
    category: str = SPOT


decode_message = msgspec.json.Decoder(Message).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_category = msgspec.json.Decoder(_Category).decode
decode_order = msgspec.json.Decoder(Order).decode
decode_execution = msgspec.json.Decoder(Execution).decode
decode_wallet_list = msgspec.json.Decoder(list[Wallet]).decode
decode_wallets = msgspec.json.Decoder(Wallets).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_made = msgspec.json.Decoder(Made).decode
decode_outcomes = msgspec.json.Decoder(Outcomes).decode
decode_reply = msgspec.json.Decoder(Reply).decode
decode_page = msgspec.json.Decoder(Page).decode
decode_key = msgspec.json.Decoder(KeyInfo).decode
decode_time = msgspec.json.Decoder(ServerTime).decode
decode_cancelled_all = msgspec.json.Decoder(CancelledAll).decode


def spot_items(data: msgspec.Raw) -> list[msgspec.Raw]:
    """The items of a topic that are of spot: all products share these topics. Raises msgspec's errors."""
    return [item for item in _decode_items(data) if _decode_category(item).category == SPOT]


def number(text: str) -> Decimal:
    """0 for "". Raises NumberError for what is no decimal number, WireError for one that is negative."""
    if not text:
        return Decimal(0)
    found = signed(text)
    if found < 0:
        msg = f"{text:.40} is negative"
        raise WireError(msg)
    return found


def signed(text: str) -> Decimal:
    """0 for "". Raises NumberError for what is no decimal number, or has more decimals than money ever has."""
    if not text:
        return Decimal(0)
    scaled(text, 24)
    return Decimal(text)
