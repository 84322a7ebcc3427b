"""What outgoing bytes ask Bybit for: read from the published messages; what is not understood in full is nobody's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import Approved, Asked, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.venues.bybit.asked import asked, strictly
from connectors.venues.bybit.asked_plain import plain
from connectors.venues.bybit.orders import BybitOrders
from tests.support.bybit_frames import Line, delta, of

PUBLISHED = (
    b'{"reqId":"t-005","header":{"X-BAPI-TIMESTAMP":"1755338645207","X-BAPI-RECV-WINDOW":"8000"},"op":"order.create",'
    b'"args":[{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.01","price":"62000",'
    b'"timeInForce":"PostOnly","orderLinkId":"a-1"}]}'
)
ORDER = Asked("new", "a-1", "BTCUSDT", 1, 62_000 * 10**9, 1_000_000, OrderType.POST_ONLY)
HEADER = {"X-BAPI-TIMESTAMP": "1755338645207", "X-BAPI-RECV-WINDOW": "5000"}


def message(op: str, *args: Any, **changes: Any) -> bytes:
    return json.dumps({"reqId": "7", "header": HEADER, "op": op, "args": list(args), **changes}).encode()


def order(**changes: Any) -> dict[str, Any]:
    """A plain limit order; a field that is None is left out."""
    fields = {"category": "spot", "symbol": "ETHUSDT", "side": "Sell", "orderType": "Limit", "qty": "2",
              "price": "1797.25", "orderLinkId": "vg-1", **changes}  # fmt: skip
    return {name: field for name, field in fields.items() if field is not None}


def test_the_published_order_is_read() -> None:
    assert asked(PUBLISHED) == [ORDER]
    assert asked(PUBLISHED.replace(b'"62000"', b'"6.2e4"')) == [ORDER], "a number's value counts, not its form"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, OrderType.LIMIT),
        ({"timeInForce": "GTC"}, OrderType.LIMIT),
        ({"timeInForce": "PostOnly"}, OrderType.POST_ONLY),
        ({"timeInForce": "IOC"}, OrderType.IOC),
        ({"timeInForce": "FOK"}, OrderType.FOK),
        ({"orderType": "Market", "price": None, "marketUnit": "baseCoin"}, OrderType.MARKET),
        ({"orderType": "Market", "price": None, "marketUnit": "baseCoin", "timeInForce": "IOC"}, OrderType.MARKET),
    ],
)
def test_types_and_defaults_as_documented(terms: dict[str, Any], expected: OrderType) -> None:
    (found,) = asked(message("order.create", order(**terms)))
    price = 0 if expected is OrderType.MARKET else 1797_250_000_000
    assert found == Asked("new", "vg-1", "ETHUSDT", -1, price, 2 * 10**8, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"isLeverage": 1}, {"orderFilter": "tpslOrder"}, {"triggerPrice": "1"}, {"takeProfit": "1"},
        {"timeInForce": "RPI"}, {"orderType": "Market", "marketUnit": "baseCoin"},
        {"timeInForce": None, "orderType": "Market", "price": None},
        {"orderType": "Market", "price": None, "marketUnit": "quoteCoin"},
        {"category": "linear"}, {"marketUnit": "baseCoin"}, {"orderId": "x"},
    ],
)  # fmt: skip
def test_what_an_approval_does_not_say_is_no_order_of_ours(changes: dict[str, Any]) -> None:
    """Margin, triggers, sizes in money, other products: the gate approves none of it."""
    (found,) = asked(message("order.create", order(**changes)))
    assert found.what.startswith("order.create with ") or found.what.startswith("order.create of category")


@pytest.mark.parametrize(
    "data",
    [
        message("order.cancel", {"category": "spot", "symbol": "A", "orderLinkId": "b", "orderId": "c"}),
        message("order.amend", {"category": "spot", "symbol": "A", "orderLinkId": "b", "triggerPrice": "1"}),
        message("order.cancel-batch", {"category": "spot", "request": []}),
        message("order.amend-batch", {"category": "spot", "request": []}),
        message("order.create", order(), header={**HEADER, "Referer": "x"}),
        message("order.create", order(), more=1),
        message("order.create-batch", {"category": "spot", "request": [order()], "x": 1}),
        b'9 POST /v5/order/cancel-all\n{"category":"linear"}',
        b'9 POST /v5/order/cancel-all\n{"category":"spot","orderFilter":"StopOrder"}',
        b'9 POST /v5/order/create\n{"category":"spot"}',
        b'9 POST /v5/asset/withdraw/create\n{"category":"spot"}',
        b'9 POST /v5/order/cancel\n{"category":"spot","symbol":"A","orderLinkId":"b","orderId":"c"}',
        b'{"op":"ping","more":1}',
    ],
)
def test_everything_else_has_a_name_that_nobody_approves(data: bytes) -> None:
    found = asked(data)
    assert found
    assert not {one.what for one in found} & {"new", "amend", "cancel", "cancel_all"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"[]", b'{"op":1}', message("order.create"), message("order.create", order(), order()),
        message("order.create", order(side="buy")), message("order.create", order(qty=2)),
        message("order.create", order(qty="2.123456789")), message("order.create", order(price="1e99")),
        message("order.create", order(orderLinkId=7)), message("order.create", order(), header={}),
        message("order.create", order(), header={**HEADER, "X-BAPI-TIMESTAMP": "soon"}),
        message("order.create", order(), header={**HEADER, "X-BAPI-RECV-WINDOW": "0"}),
        PUBLISHED.replace(b'"qty":"0.01"', b'"qty":"0.01","qty":"1"'), PUBLISHED + b"x",
        b"9 DELETE /v5/order/cancel-all\n{}", b"9 /v5/order/cancel-all\n{}", b"9 GET /v5/order/realtime", b"9 GET /x\n",
        b"9 GET /v5/order/realtime\nx y", b'9 POST /v5/order/cancel\n{"category":"spot"}',
        message("order.create-batch", {"category": "spot", "request": []}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(data)


def test_what_asks_for_no_order() -> None:
    quiet = [
        b'{"op":"auth","args":["{secret:key}",{expires_ms:+10000},"{sign}"]}',
        b'{"reqId":"1000000001","op":"auth","args":["{secret:key}",{expires_ms:10000},"{sign}"]}',
        b'{"req_id":"2","op":"subscribe","args":["order","execution"]}', b'{"op":"ping"}',
        b"1000000001 GET /v5/order/realtime +250\ncategory=spot&cursor=page_args%3Dfd43%26",
        b"1000000001 GET /v5/market/time\n",
    ]  # fmt: skip
    for data in quiet:
        assert asked(data) == []


def test_everything_a_market_session_says_asks_for_nothing() -> None:
    line = Line("BTC/USDT", "ETH/USDT", ticks=True)
    outputs = line.open() + line.listed() + line.hear(delta(), b"x") + line.wait(20) + line.resync()
    sends = of(Send, outputs)
    assert len(sends) > 8
    assert [asked(send.data) for send in sends] == [[]] * len(sends)


def written(order_type: OrderType, side: int, px: int, qty: int, number: int) -> bytes:
    px_1e9 = 0 if order_type is OrderType.MARKET else px
    placed = NewOrder(f"vg0abc12-{number}", 0, 0, 7, side, px_1e9, qty, int(order_type))
    instruments = [Instrument("bybit", "BTC/USDT", 1, 6, 10**8, 100)]
    return BybitOrders(instruments).submit(Approved(placed, number, 1_755_338_645 * 10**9, 31), 0).data


orders = st.builds(
    written, st.sampled_from(OrderType), st.sampled_from((1, -1)), st.integers(1, 10**9).map(lambda n: n * 10**8),
    st.integers(1, 10**9).map(lambda n: n * 100), st.integers(1, 10**8),
)  # fmt: skip


@given(data=orders)
def test_the_quick_reader_says_what_the_strict_one_says(data: bytes) -> None:
    (found,) = strictly(data)
    assert plain(data) == found
    instruments = [Instrument("bybit", "BTC/USDT", 1, 6, 10**8, 100)]
    cancel = BybitOrders(instruments).cancel(Approved(CancelOrder("vg0abc12-1", 0, 0, 7, "x"), 3, 10**18 * 2, 1), 0)
    assert [plain(cancel.data)] == strictly(cancel.data)


@given(data=orders, at=st.integers(0, 400), what=st.binary(max_size=3), length=st.integers(0, 3))
def test_of_bytes_changed_anywhere_it_says_nothing_or_the_same(data: bytes, at: int, what: bytes, length: int) -> None:
    place = at % len(data)
    changed = data[:place] + what + data[place + length :]
    found = plain(changed)
    if found is not None:
        assert strictly(changed) == [found]


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = asked(data)
    except ValueError:
        return
    assert all(isinstance(one, Asked) for one in found)
