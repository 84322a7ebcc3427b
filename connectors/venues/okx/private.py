"""OKX's private messages as they arrive, on the socket and over HTTP.
https://www.okx.com/docs-v5/en/#order-book-trading-trade

Numbers are texts, `""` where there is none. Unknown fields are ignored.
"""

from decimal import Decimal, InvalidOperation

import msgspec

from connectors.errors import WireError
from connectors.venues.okx.wire import Arg

# --- answers to orders: https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-place-order
# {"id":"1512","op":"order","code":"0","msg":"","data":[{"clOrdId":"a1","ordId":"12345689","tag":"",
#  "ts":"1755338645421","sCode":"0","sMsg":""}],"inTime":"1755338645421000","outTime":"1755338645421900"}


class Item(msgspec.Struct):
    """What was answered to one order; `s_code` "0": accepted."""

    cl_ord_id: str = msgspec.field(name="clOrdId", default="")
    ord_id: str = msgspec.field(name="ordId", default="")
    s_code: str = msgspec.field(name="sCode", default="")
    s_msg: str = msgspec.field(name="sMsg", default="")


# --- any message: an event, an answer (`op`) or a push (`arg`)
# {"event":"login","code":"0","msg":"","connId":"a4d3ae55"}
# {"event":"channel-conn-count-error","channel":"orders","connCount":"30","connId":"a4d3ae55"}


class Message(msgspec.Struct):
    """Any message: an event, an answer (`op`), or a push (`arg`)."""

    event: str = ""
    op: str = ""
    id: str = ""
    code: str = ""
    msg: str = ""
    channel: str = ""
    arg: Arg | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


# --- orders: https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel, and the lists over HTTP
# {"arg":{"channel":"orders","instType":"SPOT","uid":"614488474791936"},"data":[{"instId":"BTC-USDT","ordId":"12345689",
#  "clOrdId":"a1","state":"partially_filled","side":"buy","ordType":"post_only","px":"62000","sz":"0.01","tgtCcy":"",
#  "accFillSz":"0.004","fillPx":"62000","fillSz":"0.004","tradeId":"9001","fillFee":"-0.000004","fillFeeCcy":"BTC",
#  "fillTime":"…","cTime":"…","uTime":"…","reqId":"","amendResult":"","code":"0","msg":"","cancelSource":"", …}]}


class Order(msgspec.Struct, rename="camel"):
    """An order as it is now, and what happened to it last."""

    inst_id: str
    ord_id: str
    state: str
    side: str
    ord_type: str
    sz: str
    acc_fill_sz: str
    cl_ord_id: str = ""
    px: str = ""
    tgt_ccy: str = ""
    fill_px: str = ""
    fill_sz: str = ""
    trade_id: str = ""
    fill_fee: str = ""
    fill_fee_ccy: str = ""
    fill_time: str = ""
    c_time: str = ""
    u_time: str = ""
    req_id: str = ""
    amend_result: str = ""
    code: str = ""
    msg: str = ""
    cancel_source: str = ""
    cancel_source_reason: str = ""


# --- fills: https://www.okx.com/docs-v5/en/#order-book-trading-trade-get-transaction-details-last-3-days
# {"instId":"BTC-USDT","tradeId":"744876980","ordId":"680800019749904384","clOrdId":"","billId":"680800019754098688",
#  "side":"buy","fillSz":"0.00192834","fillPx":"51858","fee":"-0.00000192834","feeCcy":"BTC","ts":"1708587373362", …}


class Fill(msgspec.Struct, rename="camel"):
    """One trade of the list of trades."""

    inst_id: str
    trade_id: str
    ord_id: str
    bill_id: str
    side: str
    fill_sz: str
    fill_px: str
    fee: str
    fee_ccy: str
    cl_ord_id: str = ""
    fill_time: str = ""
    ts: str = ""


# --- balances: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-balance, and the account channel
# {"details":[{"ccy":"USDT","cashBal":"4850.435693622894","availBal":"4834.317093622894","frozenBal":"158.573", …}]}


class Held(msgspec.Struct, rename="camel"):
    """What the account has of one currency, what open orders hold included."""

    ccy: str
    cash_bal: str


class Balances(msgspec.Struct):
    """A list of those."""

    details: list[Held]


# --- the key: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration
# {"acctLv":"2","perm":"read_only,withdraw,trade","enableSpotBorrow":false,"spotRoleType":"0","uid":"…", …}


class Config(msgspec.Struct, rename="camel"):
    """What the key may do, and how the account trades."""

    acct_lv: str
    perm: str
    enable_spot_borrow: bool = False


# --- the time: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-system-time
# {"code":"0","msg":"","data":[{"ts":"1597026383085"}]}


class Time(msgspec.Struct):
    """The venue's clock, in ms."""

    ts: str


class Answer(msgspec.Struct):
    """Of HTTP: the code decides, not the status."""

    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


def number(text: str) -> Decimal | None:
    """None: none was told. Raises WireError for what is no number."""
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise WireError(f"not a number: {text!r:.60}")
    return found


def amount(text: str) -> Decimal:
    """The same where there must be one."""
    found = number(text)
    if found is None:
        raise WireError("a number is missing")
    return found


decode_message = msgspec.json.Decoder(Message).decode
decode_items = msgspec.json.Decoder(list[Item]).decode
decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_order = msgspec.json.Decoder(Order).decode
decode_orders = msgspec.json.Decoder(list[Order]).decode
decode_fills = msgspec.json.Decoder(list[Fill]).decode
decode_balances = msgspec.json.Decoder(list[Balances]).decode
decode_config = msgspec.json.Decoder(tuple[Config]).decode
decode_time = msgspec.json.Decoder(tuple[Time]).decode
decode_answer = msgspec.json.Decoder(Answer).decode
