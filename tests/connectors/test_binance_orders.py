"""The bytes of orders, read back as JSON; what asks Binance for something, read by its documentation alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.exchange.outbound import UnsendableError
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import decimal_text
from connectors.venues.binance import VENUE
from connectors.venues.binance.asked import asked, strictly
from connectors.venues.binance.asked_plain import plain
from connectors.venues.binance.orders import BinanceOrders

BTC = Instrument("binance", "BTC/USDT", 2, 5, 10**7, 10**3, venue_symbol="BTCUSDT")
SHIB = Instrument.parse("binance", "SHIB/USDT:8:0")
NAME = "vg1a2b3c-17"
SIGNED = {"recvWindow": 5000, "apiKey": "{secret:key}", "timestamp": "{time_ms}", "signature": "{sign}"}
TERMS: dict[OrderType, dict[str, str]] = {
    OrderType.LIMIT: {"type": "LIMIT", "timeInForce": "GTC"},
    OrderType.MARKET: {"type": "MARKET"},
    OrderType.IOC: {"type": "LIMIT", "timeInForce": "IOC"},
    OrderType.FOK: {"type": "LIMIT", "timeInForce": "FOK"},
    OrderType.POST_ONLY: {"type": "LIMIT_MAKER"},
}


def order(side: int = 1, px: int = 62_807_000_000_000, qty: int = 1_250_000, **changes: Any) -> NewOrder:
    fields = {
        "client_order_id": NAME, "algo": 0, "instrument": 0, "order_id": 7, "side": side, "px_1e9": px,
        "qty_1e8": qty, "order_type": OrderType.LIMIT, **changes,
    }  # fmt: skip
    return NewOrder(**fields)


def encoder(**options: str) -> BinanceOrders:
    return BinanceOrders((BTC, SHIB), options)


def read(send: Send) -> dict[str, Any]:
    assert send.link == "private"
    message: dict[str, Any] = json.loads(send.data)
    return message


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("order_type", list(OrderType))
def test_every_type_on_both_sides(order_type: OrderType, side: int) -> None:
    px = 0 if order_type is OrderType.MARKET else 62_807_000_000_000
    send = encoder().submit(Approved(order(side, px, order_type=order_type), 41, 0, 12), 0)
    price = {"price": "62807.00"} if px else {}
    assert send.approval == 41
    assert read(send) == {
        "id": 41,
        "method": "order.place",
        "params": {
            "symbol": "BTCUSDT", "side": "BUY" if side > 0 else "SELL", **TERMS[order_type], **price,
            "quantity": "0.01250", "newClientOrderId": NAME, "newOrderRespType": "ACK",
            "selfTradePreventionMode": "EXPIRE_TAKER", **SIGNED,
        },
    }  # fmt: skip
    assert asked(send.data) == [Asked("new", NAME, "BTCUSDT", side, px, 1_250_000, order_type)]


@given(st.integers(1, 9 * 10**11), st.integers(1, 9 * 10**12), st.sampled_from((0, 1)))
def test_numbers_are_exact(ticks: int, lots: int, index: int) -> None:
    """On the grid of a market with cents and of one with eight decimals of price and none of size."""
    instrument = (BTC, SHIB)[index]
    px, qty = ticks * instrument.tick_size_1e9, lots * instrument.lot_size_1e8
    send = encoder().submit(Approved(order(px=px, qty=qty, instrument=index), 1, 0, 1), 0)
    params = read(send)["params"]
    decimals = (instrument.price_precision, instrument.size_precision)
    assert params["price"] == decimal_text(px // 10 ** (9 - decimals[0]), decimals[0])
    assert params["quantity"] == decimal_text(qty // 10 ** (8 - decimals[1]), decimals[1])
    assert (asked(send.data)[0].px_1e9, asked(send.data)[0].qty_1e8) == (px, qty)


def test_a_cancel_and_an_amend() -> None:
    """An amend lowers the quantity and keeps the order's name; it says no price."""
    cancel = encoder().cancel(Approved(CancelOrder(NAME, 0, 0, 7, "vg-c-1"), 42, 0, 3), 0)
    assert read(cancel) == {
        "id": 42, "method": "order.cancel", "params": {"symbol": "BTCUSDT", "origClientOrderId": NAME, **SIGNED}
    }  # fmt: skip
    assert asked(cancel.data) == [Asked("cancel", NAME, "BTCUSDT")]
    amended = AmendOrder(NAME, 0, 0, 7, 1, 62_807_000_000_000, 1_000_000, "vg-a-1")
    amend = encoder().amend(Approved(amended, 43, 0, 9), 0)
    assert read(amend) == {
        "id": 43,
        "method": "order.amend.keepPriority",
        "params": {"symbol": "BTCUSDT", "origClientOrderId": NAME, "newClientOrderId": NAME, "newQty": "0.01000",
                   **SIGNED},
    }  # fmt: skip
    assert asked(amend.data) == [Asked("amend", NAME, "BTCUSDT", qty_1e8=1_000_000)]


def test_there_is_no_cancel_all() -> None:
    with pytest.raises(ValueError, match="each is cancelled by itself"):
        encoder().cancel_all(Approved(CancelAll("binance", "vg-k-1"), 44, 0, 1), 0)
    assert not VENUE.capabilities.cancel_all
    assert "cancel_all" in VENUE.capabilities.absent


def test_options() -> None:
    params = read(encoder(stp="NONE", response="RESULT").submit(Approved(order(), 1, 0, 1), 0))["params"]
    assert (params["selfTradePreventionMode"], params["newOrderRespType"]) == ("NONE", "RESULT")
    assert read(encoder(validate="true").submit(Approved(order(), 1, 0, 1), 0))["method"] == "order.test"
    for options in ({"stp": "EXPIRE"}, {"response": "FULL"}, {"colour": "red"}):
        with pytest.raises(ConfigError):
            encoder(**options)


def test_an_order_needs_metadata() -> None:
    with pytest.raises(UnsendableError, match="no metadata"):
        BinanceOrders([None]).submit(Approved(order(), 1, 0, 1), 0)


@given(st.data())
def test_both_readers_agree(data: st.DataObject) -> None:
    """The quick one reads what the encoder writes, and whatever it reads of a changed message the strict one does."""
    index = data.draw(st.sampled_from((0, 1)))
    instrument = (BTC, SHIB)[index]
    order_type = data.draw(st.sampled_from(list(OrderType)))
    px = 0 if order_type is OrderType.MARKET else data.draw(st.integers(1, 9 * 10**9)) * instrument.tick_size_1e9
    qty = data.draw(st.integers(1, 9 * 10**9)) * instrument.lot_size_1e8
    terms = order(data.draw(st.sampled_from((1, -1))), px, qty, order_type=order_type, instrument=index)
    if data.draw(st.booleans()):
        sent = encoder().submit(Approved(terms, 7, 0, 1), 0).data
    else:
        sent = encoder().cancel(Approved(CancelOrder(NAME, 0, index, 7, "c"), 7, 0, 1), 0).data
    assert plain(sent) is not None
    assert strictly(sent) == [plain(sent)]
    at = data.draw(st.integers(0, len(sent) - 1))
    changed = sent[:at] + data.draw(st.sampled_from((b"", b"0", b'"', b"-", b"A", b"}", b"."))) + sent[at + 1 :]
    quick = plain(changed)
    assert quick is None or strictly(changed) == [quick]


# --- what is asked ----------------------------------------------------------------------------------------------------

PUBLISHED = {
    "id": "56374a46-3061-486b-a311-99ee972eb648",
    "method": "order.place",
    "params": {
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "52000.00",
        "quantity": "0.01000000", "newClientOrderId": "4d96324ff9d44481926157ec08158a40", "recvWindow": 100,
        "apiKey": "vmPU", "signature": "c3a5", "timestamp": 1645423376532,
    },
}  # fmt: skip


def published(method: str = "order.place", /, **changes: Any) -> bytes:
    params = {name: value for name, value in {**PUBLISHED["params"], **changes}.items() if value is not None}  # type: ignore[dict-item]
    return json.dumps({"id": 1, "method": method, "params": params}).encode()


def test_the_published_order_is_read() -> None:
    expected = Asked("new", "4d96324ff9d44481926157ec08158a40", "BTCUSDT", -1, 52_000 * 10**9, 1_000_000, 0)
    assert asked(json.dumps(PUBLISHED).encode()) == [expected]
    assert asked(published(price=52000)) == [expected]


@pytest.mark.parametrize(
    "changes",
    [
        {"stopPrice": "1"}, {"icebergQty": "1"}, {"quoteOrderQty": "5"}, {"trailingDelta": 5}, {"strategyId": 1},
        {"type": "STOP_LOSS_LIMIT"}, {"type": "LIMIT_MAKER"}, {"timeInForce": "GTX"}, {"type": "MARKET"},
        {"type": "MARKET", "timeInForce": None}, {"pegPriceType": "PRIMARY_PEG"},
    ],
)  # fmt: skip
def test_an_order_that_an_approval_does_not_describe(changes: dict[str, Any]) -> None:
    (found,) = asked(published(**changes))
    assert found.what.startswith("order.place with ")


@pytest.mark.parametrize(
    "method", ["order.cancelReplace", "openOrders.cancelAll", "orderList.place.oco", "sor.order.place", "session.logon"]
)
def test_what_nobody_approves(method: str) -> None:
    assert asked(published(method)) == [Asked(method, symbol="BTCUSDT")]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[1]", b"{}", b'{"method":1}', b'{"method":"order.place","params":[]}', b"\xff",
        b'{"method":"ping","method":"order.place"}', published(side="buy"), published(price=None),
        published(price="1e99"), published(quantity="ten"), published(recvWindow=70000), published(symbol=5),
        published(newOrderRespType="ALL"), published(selfTradePreventionMode="no"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(data)


def test_an_amend_that_would_rename() -> None:
    params = {"symbol": "BTCUSDT", "origClientOrderId": NAME, "newQty": "1"}
    for rename in ({}, {"newClientOrderId": "other"}):
        data = json.dumps({"id": 1, "method": "order.amend.keepPriority", "params": {**params, **rename}})
        assert asked(data.encode()) == [Asked("order.amend.keepPriority with another newClientOrderId")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"7 GET /api/v3/depth\nsymbol=BTCUSDT&limit=1000", []),
        (b"8 GET /sapi/v1/account/apiRestrictions +250\n", []),
        (b"9 DELETE /api/v3/order\nsymbol=BTCUSDT&origClientOrderId=vg1-1&recvWindow=5000",
         [Asked("cancel", "vg1-1", "BTCUSDT")]),
        (b"9 DELETE /api/v3/order -20\nsymbol=BTCUSDT&orderId=5",
         [Asked("DELETE /api/v3/order with orderId, symbol")]),
        (b"9 DELETE /api/v3/openOrders\nsymbol=BTCUSDT", [Asked("DELETE /api/v3/openOrders")]),
        (b"9 POST /api/v3/order\nsymbol=BTCUSDT", [Asked("POST /api/v3/order")]),
        (b"9 /api/v3/order\nsymbol=BTCUSDT", [Asked("/api/v3/order")]),
        (b"9 POST /sapi/v1/capital/withdraw/apply\n", [Asked("POST /sapi/v1/capital/withdraw/apply")]),
        (b'{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}', []),
        (b'{"method":"userDataStream.subscribe.signature","params":{"apiKey":"{secret:key}"},"id":1}', []),
    ],
)  # fmt: skip
def test_questions_and_http(data: bytes, expected: list[Asked]) -> None:
    assert asked(data) == expected


@pytest.mark.parametrize("data", [b"7 GET /api/v3/depth", b"7 PUT /x\n", b"7 GET /x\na=1&a=2", b"7 GET /x\na b"])
def test_http_of_another_form(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(data)
