"""Coinbase's private messages and answers as they arrive: the user channel, and REST with a key.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels#user-channel and
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api. On the channel every number, and every yes or
no, is a text. Unknown fields are ignored.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from connectors.errors import NumberError

_DIGITS: Final = frozenset("0123456789.-")


def number(text: str) -> Decimal | None:
    """None: it is not said. Raises NumberError for what is no plain number."""
    if not text:
        return None
    if len(text) > 64 or not _DIGITS.issuperset(text):
        raise NumberError(f"not a number: {text!r:.80}")
    try:
        return Decimal(text)
    except ArithmeticError:
        raise NumberError(f"not a number: {text!r:.80}") from None


# --- the user channel
# {"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06.000000Z","sequence_num":1,"events":[
#  {"type":"update","orders":[{"order_id":"a1b2…","client_order_id":"a-1","product_id":"BTC-USD","status":"OPEN",
#  "cumulative_quantity":"0.0004","leaves_quantity":"0.0006","avg_price":"68900.50","total_fees":"0.16",
#  "filled_value":"27.56","number_of_fills":"1","order_side":"BUY","order_type":"Limit","limit_price":"68900.50",
#  "post_only":"false","time_in_force":"GOOD_UNTIL_CANCELLED","cancel_reason":"","reject_reason":"", …}]}]}


class UserOrder(msgspec.Struct):
    """All that an order is now; never what happened to it."""

    order_id: str
    product_id: str
    status: str
    client_order_id: str = ""
    order_side: str = ""
    order_type: str = ""
    limit_price: str = ""
    cumulative_quantity: str = ""
    leaves_quantity: str = ""
    cancel_reason: str = ""
    reject_reason: str = ""


class UserEvent(msgspec.Struct):
    """`type`: snapshot, or update."""

    type: str
    orders: list[msgspec.Raw] = []  # read one by one: one that cannot be read does not hide the others


# --- POST /orders
# {"success":true,"success_response":{"order_id":"11111111-0000-0000-0000-000000000000","product_id":"BTC-USD","side":
#  "BUY","client_order_id":"a-1"},"order_configuration":{…}}
# {"success":false,"error_response":{"error":"INSUFFICIENT_FUND","message":"Insufficient balance in source account",
#  "error_details":"","preview_failure_reason":"PREVIEW_INSUFFICIENT_FUND"},"order_configuration":{}}


class Created(msgspec.Struct):
    """An order that exists, by both its ids."""

    order_id: str = ""
    client_order_id: str = ""


class NotCreated(msgspec.Struct):
    """Why an order does not exist; any of the reasons may be the one that says something."""

    error: str = ""
    message: str = ""
    error_details: str = ""
    preview_failure_reason: str = ""
    new_order_failure_reason: str = ""


class NewAnswer(msgspec.Struct):
    """`success` decides; `order_id` and `failure_reason` stood here in earlier editions."""

    success: bool
    success_response: Created | None = None
    error_response: NotCreated | None = None
    order_id: str = ""
    failure_reason: str = ""


# --- POST /orders/batch_cancel
# {"results":[{"success":true,"failure_reason":"UNKNOWN_CANCEL_FAILURE_REASON","order_id":"1111…"},
#  {"success":false,"failure_reason":"UNKNOWN_CANCEL_ORDER","order_id":"2222…"}]}


class CancelResult(msgspec.Struct):
    """Of one order."""

    success: bool
    order_id: str
    failure_reason: str = ""


class CancelAnswer(msgspec.Struct):
    """One result for each id asked for."""

    results: list[CancelResult]


# --- POST /orders/edit
# {"success":false,"errors":[{"edit_failure_reason":"ORDER_NOT_FOUND","preview_failure_reason":""}]}


class EditError(msgspec.Struct):
    """Why an order is as it was."""

    edit_failure_reason: str = ""
    preview_failure_reason: str = ""


class EditAnswer(msgspec.Struct):
    """`success`: the edit was placed."""

    success: bool
    errors: list[EditError] = []


# --- GET /orders/historical/batch
# {"orders":[{"order_id":"…","product_id":"BTC-USD","order_configuration":{"limit_limit_gtc":{"base_size":"0.01",
#  "limit_price":"45000.00","post_only":false}},"side":"BUY","client_order_id":"…","status":"OPEN","created_time":
#  "2024-01-15T10:00:00Z","filled_size":"0","reject_message":"","cancel_message":"","last_fill_time":null,
#  "edit_history":[{"price":"…","size":"…","replace_accept_timestamp":"…"}],"last_update_time":"…", …}],
#  "has_next":false,"cursor":""}


class Edit(msgspec.Struct):
    """What an order was edited to."""

    price: str = ""
    size: str = ""


class ListedOrder(msgspec.Struct):
    """An order of the record. What is null in some examples may be null."""

    order_id: str
    product_id: str
    status: str
    side: str = ""
    client_order_id: str | None = ""
    order_configuration: dict[str, dict[str, Any]] | None = None
    filled_size: str = ""
    created_time: str = ""
    last_fill_time: str | None = ""
    last_update_time: str | None = ""
    reject_message: str | None = ""
    cancel_message: str | None = ""
    edit_history: list[Edit] | None = None


class OrdersPage(msgspec.Struct):
    """`has_next`: there are more, from `cursor` on."""

    orders: list[ListedOrder]
    has_next: bool = False
    cursor: str | None = ""


# --- GET /orders/historical/fills
# {"fills":[{"entry_id":"22222-2222222-22222222","trade_id":"1111-11111-111111","order_id":"0000-000000-000000",
#  "trade_time":"2024-01-15T10:30:00Z","trade_type":"FILL","price":"45123.45","size":"0.005","commission":"1.14",
#  "product_id":"BTC-USD","sequence_timestamp":"2024-01-15T10:30:00.123456Z","liquidity_indicator":"MAKER",
#  "size_in_quote":false,"side":"BUY", …}],"cursor":""}


class Fill(msgspec.Struct):
    """One fill. `size_in_quote`: `size` is money."""

    order_id: str
    product_id: str
    price: str
    size: str
    trade_time: str
    commission: str = ""
    entry_id: str = ""
    trade_id: str = ""
    trade_type: str = "FILL"
    side: str = ""
    size_in_quote: bool = False


class FillsPage(msgspec.Struct):
    """`cursor` "": that was all."""

    fills: list[Fill]
    cursor: str | None = ""


# --- GET /accounts
# {"accounts":[{"uuid":"…","currency":"BTC","available_balance":{"value":"1.23","currency":"BTC"},"hold":{"value":"0.1",
#  "currency":"BTC"}, …}],"has_next":false,"cursor":"","size":1}


class Amount(msgspec.Struct):
    """In the currency that stands beside it."""

    value: str


class Wallet(msgspec.Struct):
    """What is free and what open orders hold."""

    currency: str
    available_balance: Amount
    hold: Amount | None = None


class AccountsPage(msgspec.Struct):
    """`has_next`: there are more, from `cursor` on."""

    accounts: list[Wallet]
    has_next: bool = False
    cursor: str | None = ""


# --- GET /key_permissions, GET /time, errors
# {"can_view":true,"can_trade":true,"can_transfer":false,"portfolio_uuid":"…","portfolio_type":"DEFAULT"}
# {"iso":"2026-04-07T14:30:00Z","epochSeconds":"1775572200","epochMillis":"1775572200123"}
# {"error":"INVALID_ARGUMENT","error_details":"…","message":"…"}
# {"errors":[{"id":"rate_limit_exceeded","message":"Rate limit exceeded"}]}


class KeyPermissions(msgspec.Struct):
    """What the key may do."""

    can_view: bool
    can_trade: bool
    can_transfer: bool


class Time(msgspec.Struct):
    """The venue's, in ms as text."""

    epoch_ms: str = msgspec.field(name="epochMillis")


class ErrorItem(msgspec.Struct):
    """One of several."""

    id: str = ""
    message: str = ""


class ErrorAnswer(msgspec.Struct):
    """Either form: one error, or a list."""

    error: str = ""
    message: str = ""
    error_details: str = ""
    errors: list[ErrorItem] = []


decode_user_events = msgspec.json.Decoder(list[UserEvent]).decode
decode_user_order = msgspec.json.Decoder(UserOrder).decode
decode_new = msgspec.json.Decoder(NewAnswer).decode
decode_cancel = msgspec.json.Decoder(CancelAnswer).decode
decode_edit = msgspec.json.Decoder(EditAnswer).decode
decode_orders = msgspec.json.Decoder(OrdersPage).decode
decode_fills = msgspec.json.Decoder(FillsPage).decode
decode_accounts = msgspec.json.Decoder(AccountsPage).decode
decode_key = msgspec.json.Decoder(KeyPermissions).decode
decode_time = msgspec.json.Decoder(Time).decode
decode_error = msgspec.json.Decoder(ErrorAnswer).decode
