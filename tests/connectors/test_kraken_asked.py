"""What outgoing bytes ask Kraken for: read from the published messages, and compared with what the encoder writes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Output, Send
from connectors.units import rfc3339_ns
from connectors.venues.kraken.asked import asked
from connectors.venues.kraken.orders import KrakenOrders
from tests.support.kraken_frames import HEARTBEAT, Line, ack, of, sent, update

BTC = Instrument.parse("kraken", "BTC/USD:1:8")
PUBLISHED = (
    '{"method":"add_order","params":{"order_type":"limit","side":"buy","symbol":"BTC/USD","limit_price":62000.0,'
    '"order_qty":0.0125,"time_in_force":"gtc","post_only":true,"cl_ord_id":"0835958d-c526-4ad8-aea8-af54836de47e",'
    '"token":"1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw"},"req_id":99}'
)
ORDER = Asked(
    "new", "0835958d-c526-4ad8-aea8-af54836de47e", "BTC/USD", 1, 62_000 * 10**9, 1_250_000, OrderType.POST_ONLY
)


def message(method: str, **params: Any) -> bytes:
    return json.dumps({"method": method, "params": params, "req_id": 7}).encode()


def order(**changes: Any) -> dict[str, Any]:
    """A plain limit order; a field that is None is left out."""
    fields = {"order_type": "limit", "side": "sell", "symbol": "ETH/USD", "limit_price": 1797.25, "order_qty": 2,
              "cl_ord_id": "vg-1", "token": "t", **changes}  # fmt: skip
    return {name: field for name, field in fields.items() if field is not None}


def test_the_published_order_is_read() -> None:
    assert asked(PUBLISHED.encode()) == [ORDER]
    assert asked(PUBLISHED.replace("62000.0", "6.2e4").encode()) == [ORDER], "a number's value counts, not its form"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, OrderType.LIMIT),
        ({"time_in_force": "gtc"}, OrderType.LIMIT),
        ({"post_only": False}, OrderType.LIMIT),
        ({"post_only": True}, OrderType.POST_ONLY),
        ({"time_in_force": "ioc"}, OrderType.IOC),
        ({"time_in_force": "fok"}, OrderType.FOK),
        ({"order_type": "market", "limit_price": None}, OrderType.MARKET),
    ],
)
def test_types_and_defaults_as_documented(terms: dict[str, Any], expected: OrderType) -> None:
    (found,) = asked(message("add_order", **order(**terms)))
    price = 0 if expected is OrderType.MARKET else 1797_250_000_000
    assert found == Asked("new", "vg-1", "ETH/USD", -1, price, 2 * 10**8, int(expected))


STRANGE: list[tuple[dict[str, Any], str]] = [
    ({"reduce_only": True}, "reduce_only"),
    ({"margin": True}, "margin"),
    ({"triggers": {"reference": "last", "price": 1}}, "triggers"),
    ({"display_qty": 1}, "display_qty"),
    ({"sender_sub_id": "desk"}, "sender_sub_id"),
    ({"conditional": {"order_type": "limit"}}, "conditional"),
    ({"cash_order_qty": 100}, "cash_order_qty"),
    ({"limit_price_type": "pct"}, "limit_price_type"),
    ({"effective_time": "2026-08-16T10:04:15Z"}, "effective_time"),
    ({"order_userref": 7}, "order_userref"),
    ({"order_type": "iceberg"}, "iceberg gtc"),
    ({"order_type": "stop-loss"}, "stop-loss gtc"),
    ({"order_type": "settle-position"}, "settle-position gtc"),
    ({"time_in_force": "gtd"}, "limit gtd"),
    ({"time_in_force": "ioc", "post_only": True}, "limit ioc post_only"),
    ({"order_type": "market", "time_in_force": "ioc", "limit_price": None}, "market ioc"),
    ({"order_type": "market"}, "limit_price"),
]


@pytest.mark.parametrize(("changes", "field"), STRANGE)
def test_what_an_approval_cannot_say_is_named(changes: dict[str, Any], field: str) -> None:
    """No approval is for such a thing: whoever compares stops it."""
    assert asked(message("add_order", **order(**changes))) == [Asked(f"add_order with {field}")]


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("amend_order", {"cl_ord_id": "vg-1", "limit_price": 1.5, "order_qty": 2, "token": "t"},
         [Asked("amend", "vg-1", px_1e9=1_500_000_000, qty_1e8=200_000_000)]),
        ("amend_order", {"order_id": "O1", "limit_price": 1.5, "order_qty": 2}, [Asked("amend_order with order_id")]),
        ("amend_order", {"cl_ord_id": "vg-1", "limit_price": 1.5, "order_qty": 2, "post_only": True},
         [Asked("amend_order with post_only")]),
        ("edit_order", {"order_id": "O1", "symbol": "BTC/USD", "order_qty": 2}, [Asked("edit_order", "BTC/USD")]),
        ("cancel_order", {"cl_ord_id": ["a", "b"], "token": "t"}, [Asked("cancel", "a"), Asked("cancel", "b")]),
        ("cancel_order", {"order_id": ["O1"], "token": "t"}, [Asked("cancel_order with order_id")]),
        ("batch_cancel", {"cl_ord_id": ["a", "b"], "orders": [], "token": "t"},
         [Asked("cancel", "a"), Asked("cancel", "b")]),
        ("batch_cancel", {"orders": ["O1", "O2"], "token": "t"}, [Asked("batch_cancel with orders")]),
        ("cancel_all", {"token": "t"}, [Asked("cancel_all")]),
        ("cancel_all_orders_after", {"timeout": 60, "token": "t"}, []),
        ("cancel_all_orders_after", {"timeout": 0, "token": "t"}, []),
        ("cancel_all_orders_after", {"timeout": 86400, "token": "t"}, []),
        ("cancel_all_orders_after", {"timeout": 60, "x": "y"}, [Asked("cancel_all_orders_after with x")]),
        ("batch_add", {"symbol": "ETH/USD", "orders": [order(symbol=None, token=None)] * 2, "token": "t"},
         [Asked("new", "vg-1", "ETH/USD", -1, 1797_250_000_000, 2 * 10**8, 0)] * 2),
        ("batch_add", {"symbol": "ETH/USD", "orders": [order(symbol=None, token=None, stp_type="cancel_both")] * 2,
                       "deadline": "2026-08-16T10:04:15Z", "validate": True, "token": "t"},
         [Asked("new", "vg-1", "ETH/USD", -1, 1797_250_000_000, 2 * 10**8, 0)] * 2),
        ("batch_add", {"symbol": "ETH/USD", "orders": [order(symbol=None)] * 2, "token": "t"},
         [Asked("batch_add with token")] * 2),
        ("amend_order", {"cl_ord_id": "vg-1", "limit_price": 1.5, "order_qty": 2, "deadline": "2026-08-16T10:04:15.5Z"},
         [Asked("amend", "vg-1", px_1e9=1_500_000_000, qty_1e8=200_000_000)]),
        ("withdraw", {"key": "mine", "amount": 1}, [Asked("withdraw")]),
        ("ADD_ORDER", order(), [Asked("ADD_ORDER")]),
        ("subscribe", {"channel": "executions", "snap_orders": True, "token": "t"}, []),
        ("unsubscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}, []),
        ("subscribe", {"channel": "book", **order()},
         [Asked("subscribe with cl_ord_id, limit_price, order_qty, order_type, side")]),
        ("ping", {}, []),
        ("ping", {"order_qty": 1}, [Asked("ping with order_qty")]),
    ],
)  # fmt: skip
def test_every_method(method: str, params: dict[str, Any], expected: list[Asked]) -> None:
    assert asked(message(method, **params)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"7", b"{}", b'{"method":7}', b'{"method":null}', b'{"method":"ping"', b"\xff\xfe{}",
        '{"method":"ping"}'.encode("utf-16"),
        b'{"method":"subscribe","method":"add_order"}',
        PUBLISHED.replace('"order_qty":0.0125', '"order_qty":0.0125,"order_qty":125').encode(),
        PUBLISHED.replace("0.0125", '"0.0125"').encode(),
        PUBLISHED.replace("0.0125", "NaN").encode(),
        PUBLISHED.replace("0.0125", "-Infinity").encode(),
        PUBLISHED.replace("0.0125", "0.012500001").encode(),
        PUBLISHED.replace("0.0125", "1e999").encode(),
        PUBLISHED.replace("62000.0", "true").encode(),
        PUBLISHED.replace('"buy"', '"BUY"').encode(),
        PUBLISHED.replace('"buy"', "1").encode(),
        PUBLISHED.replace('"limit_price":62000.0,', "").encode(),
        PUBLISHED.replace('"BTC/USD"', '["BTC/USD"]').encode(),
        (PUBLISHED + PUBLISHED).encode(),
        b'{"method":"cancel_order","params":{"cl_ord_id":"vg-1"}}',
        b'{"method":"cancel_order","params":{"cl_ord_id":[]}}',
        b'{"method":"cancel_order","params":{"cl_ord_id":[7]}}',
        b'{"method":"batch_add","params":{"symbol":"X","orders":[{}]}}',
        b'{"method":"batch_add","params":{"symbol":"X","orders":[1,2]}}',
        b'{"method":"cancel_all","params":[]}',
        PUBLISHED.replace('"token"', '"deadline":"soon","token"').encode(),
        PUBLISHED.replace('"token"', '"deadline":"2026-08-16 10:04:15Z","token"').encode(),
        PUBLISHED.replace('"token"', '"deadline":1786874655,"token"').encode(),
        PUBLISHED.replace('"token"', '"stp_type":"cancel_none","token"').encode(),
        PUBLISHED.replace('"token"', '"validate":false,"token"').encode(),
        PUBLISHED.replace('"token"', '"validate":"true","token"').encode(),
        b'{"method":"amend_order","params":{"cl_ord_id":"a","limit_price":1,"order_qty":1,"deadline":"x"}}',
        b'{"method":"cancel_all_orders_after","params":{"token":"t"}}',
        b'{"method":"cancel_all_orders_after","params":{"timeout":86401,"token":"t"}}',
        b'{"method":"cancel_all_orders_after","params":{"timeout":-1,"token":"t"}}',
        b'{"method":"cancel_all_orders_after","params":{"timeout":6e1,"token":"t"}}',
        b'{"method":"cancel_all_orders_after","params":{"timeout":"60","token":"t"}}',
        b'{"method":"add_order"}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_cannot_be_read_for_certain_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        asked(data)


def test_a_second_name_beside_the_method_is_not_overlooked() -> None:
    assert asked(b'{"method":"ping","Method":"add_order"}') == [Asked("ping with Method")]


def test_all_that_a_session_says_asks_for_nothing() -> None:
    """Subscriptions, pings and resubscriptions of a day."""
    line = Line("BTC/USD", "ETH/USD")
    outputs: list[Output] = [*line.open()]
    (hello,) = sent(outputs)
    outputs += line.hear(ack(hello), HEARTBEAT)
    line = line.live()
    outputs += [*line.resync(), *line.wait(40), *line.hear(update(checksum=1)), *line.wait(40, heartbeats=False)]
    said = [output.data for output in of(Send, outputs)]
    assert {json.loads(data)["method"] for data in said} == {"subscribe", "unsubscribe", "ping"}
    assert [asked(data) for data in said] == [[]] * len(said)


# --- against the encoder ----------------------------------------------------------------------------------------------

amounts = st.integers(1, 2**63 - 1)


@given(
    st.integers(0, 9), st.integers(0, 8), amounts, amounts, st.sampled_from((1, -1)), st.sampled_from(OrderType),
    st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=18), amounts,
)  # fmt: skip
def test_what_the_encoder_writes_is_what_is_read(
    price: int, size: int, px: int, qty: int, side: int, kind: OrderType, name: str, number: int
) -> None:
    """Two readings of one documentation, for every precision and every amount on the grid."""
    instrument = Instrument.parse("kraken", f"A/B:{price}:{size}")
    px, qty = px - px % instrument.tick_size_1e9, qty - qty % instrument.lot_size_1e8
    encoder = KrakenOrders([instrument])
    new = NewOrder(name, 0, 0, 1, side, 0 if kind is OrderType.MARKET else px, qty, int(kind))
    sent_new = encoder.submit(Approved(new, number, 1, 31), 2)
    assert asked(sent_new.data) == [Asked("new", name, "A/B", side, new.px_1e9, qty, int(kind))]
    many = encoder.submit_many([Approved(new, number, 1, 31)] * 2, 2)
    assert asked(many.data) == asked(sent_new.data) * 2
    amend = AmendOrder(name, 0, 0, 1, side, px, qty, "x")
    sent_amend = encoder.amend(Approved(amend, number, 1, 31), 2)
    assert asked(sent_amend.data) == [Asked("amend", name, px_1e9=px, qty_1e8=qty)]
    sent_cancel = encoder.cancel(Approved(CancelOrder(name, 0, 0, 1, "x"), number, 1, 1), 2)
    assert asked(sent_cancel.data) == [Asked("cancel", name)]
    sent_all = encoder.cancel_all(Approved(CancelAll("kraken", "x"), number, 1, 1), 2)
    assert asked(sent_all.data) == [Asked("cancel_all")]
    assert {send.approval for send in (sent_new, sent_amend, sent_cancel, sent_all)} == {number}


def meaning(data: bytes) -> Any:
    """A message with its numbers as values, without what no approval says: token, request id, and another deadline."""
    found = json.loads(data, parse_float=Decimal, parse_int=Decimal)
    rfc3339_ns(found["params"]["deadline"])
    return {**found, "req_id": 0, "params": {**found["params"], "token": "", "deadline": ""}}


@pytest.mark.parametrize("kind", list(OrderType))
def test_no_byte_changes_unseen(kind: OrderType) -> None:
    """Every byte of an order, put to each of a few others: unless the message means the same, it is read otherwise."""
    new = NewOrder("vg-1-7", 0, 0, 1, 1, 0 if kind is OrderType.MARKET else 62_807 * 10**9, 1_250_000, int(kind))
    data = KrakenOrders([BTC]).submit(Approved(new, 41, 1, 31), 2).data
    (original,) = asked(data)
    seen = 0
    for place in range(len(data)):
        for byte in b'019.e-+"{}[],: axt_':
            changed = data[:place] + bytes([byte]) + data[place + 1 :]
            try:
                found = asked(changed)
            except ValueError:
                seen += 1
                continue
            if found != [original]:
                seen += 1
            else:
                assert meaning(changed) == meaning(data), changed
    assert seen > 15 * len(data) - 600


# --- REST -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"7 /0/private/CancelOrder\ncl_ord_id=vg-1-7", [Asked("cancel", "vg-1-7")]),
        (b"7 /0/private/CancelOrder\ntxid=OQCLML-BW3P3-BUCMWZ", [Asked("CancelOrder with txid")]),
        (b"7 /0/private/CancelOrder\ncl_ord_id=a&txid=O1", [Asked("CancelOrder with txid")]),
        (b"7 /0/private/CancelOrder\n", [Asked("CancelOrder with cl_ord_id")]),
        (b"7 /0/private/CancelAll\n", [Asked("cancel_all")]),
        (b"7 /0/private/CancelAll\npair=XBTUSD", [Asked("CancelAll with pair")]),
        (b"7 /0/private/CancelAllOrdersAfter\ntimeout=0", []),
        (b"7 /0/private/CancelAllOrdersAfter\ntimeout=86400", []),
        (b"7 /0/private/CancelAllOrdersAfter\ntimeout=86401", [Asked("CancelAllOrdersAfter with timeout")]),
        (b"7 /0/private/CancelAllOrdersAfter\ntimeout=-1", [Asked("CancelAllOrdersAfter with timeout")]),
        (b"7 /0/private/CancelAllOrdersAfter\n", [Asked("CancelAllOrdersAfter with timeout")]),
        (b"7 /0/private/OpenOrders\n", []),
        (b"7 /0/private/ClosedOrders\nstart=1786874644&closetime=close&ofs=50", []),
        (b"7 /0/private/TradesHistory\nstart=1786874644&ofs=0", []),
        (b"7 /0/private/BalanceEx\n", []),
        (b"7 /0/private/GetWebSocketsToken\n", []),
        (b"7 /0/private/GetApiKeyInfo\n", []),
        (b"7 /0/private/AddOrder\npair=XBTUSD&type=buy", [Asked("AddOrder")]),
        (b"7 /0/private/Withdraw\nasset=XBT&key=mine&amount=1", [Asked("Withdraw")]),
        (b'7 /0/private/CancelOrder\n{"txid":"O1"}', [Asked("CancelOrder with a JSON body")]),
        (b'7 /0/private/AddOrderBatch\n{}', [Asked("AddOrderBatch with a JSON body")]),
    ],
)  # fmt: skip
def test_a_rest_request_is_read_by_its_path_and_form(data: bytes, expected: list[Asked]) -> None:
    assert asked(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"7 /0/private/CancelOrder", b"/0/private/CancelAll\n", b"7 /0/public/Time\n", b"7  /0/private/CancelAll\n",
        b"7 /0/private/CancelAll?x=1\n", b"7 /0/private/../private/CancelAll\n",
        b"7 /0/private/CancelOrder\ncl_ord_id=a&cl_ord_id=b", b"7 /0/private/CancelOrder\ncl_ord_id=a%62",
        b"7 /0/private/CancelOrder\ncl_ord_id=a b", b"7 /0/private/CancelOrder\ncl_ord_id=a&",
        b"7 /0/private/CancelOrder\ncl_ord_id=a\ntxid=b", b"7 /0/private/CancelOrder\ncl_ord_id=\xc3\xa4",
        b"7 /0/private/BalanceEx\nx", b"0x7f /0/private/CancelAll \n",
    ],
)  # fmt: skip
def test_a_rest_request_of_another_form_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        asked(data)
