"""The bytes of orders, read back as JSON; what the tap makes of them, and of bytes that nobody approved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import REST, Send
from connectors.venues.coinbase import VENUE
from connectors.venues.coinbase.asked import asked
from connectors.venues.coinbase.orders import CoinbaseOrders

BTC = Instrument.parse("coinbase", "BTC/USDC:2:8")
SHIB = Instrument.parse("coinbase", "SHIB/USD:9:0")
NAME = "vg1a2b3c-17"
THEIRS = "a1b2c3d4-0000-4000-8000-000000000001"
NOW = 1_791_388_800_123_456_789
ORDERS = "/api/v3/brokerage/orders"
FORMS: dict[OrderType, tuple[str, dict[str, Any]]] = {
    OrderType.LIMIT: ("limit_limit_gtc", {"post_only": False}),
    OrderType.POST_ONLY: ("limit_limit_gtc", {"post_only": True}),
    OrderType.IOC: ("sor_limit_ioc", {}),
    OrderType.FOK: ("limit_limit_fok", {}),
    OrderType.MARKET: ("market_market_ioc", {}),
}


def approved(order: Any, approval: int = 17) -> Approved[Any]:
    return Approved(order, approval, NOW, 16)


def new(
    order_type: int = OrderType.LIMIT, side: int = 1, px: int = 60_000 * 10**9, qty: int = 100_000, at: int = 0
) -> Any:
    return approved(NewOrder(NAME, 0, at, 7, side, px if order_type != OrderType.MARKET else 0, qty, order_type))


def encoder() -> CoinbaseOrders:
    return CoinbaseOrders((BTC, SHIB), lambda name: THEIRS if name == NAME else name)


def read(send: Send) -> tuple[str, dict[str, Any]]:
    assert send.link == REST
    head, _, body = send.data.partition(b"\n")
    return head.decode(), json.loads(body)


@pytest.mark.parametrize("order_type", OrderType)
@pytest.mark.parametrize(("side", "word"), [(1, "BUY"), (-1, "SELL")])
def test_each_type_has_its_own_configuration(order_type: OrderType, side: int, word: str) -> None:
    send = encoder().submit(new(order_type, side), NOW)
    form, terms = FORMS[order_type]
    price = {"limit_price": "60000.00"} if order_type is not OrderType.MARKET else {}
    assert read(send) == (
        f"17 POST {ORDERS}",
        {
            "client_order_id": NAME,
            "product_id": "BTC-USDC",
            "side": word,
            "order_configuration": {form: {"base_size": "0.00100000", **price, **terms}},
        },
    )
    assert send.approval == 17


def test_orders_are_named_by_the_venue_s_ids_where_they_are_changed() -> None:
    amend = approved(AmendOrder(NAME, 0, 0, 7, 1, 61_000_500_000_000, 250_000, "a"), 18)
    edit = {"order_id": THEIRS, "price": "61000.50", "size": "0.00250000"}
    assert read(encoder().amend(amend, NOW)) == (f"18 POST {ORDERS}/edit", edit)
    cancel = approved(CancelOrder(NAME, 0, 0, 7, "a"), 19)
    assert read(encoder().cancel(cancel, NOW)) == (f"19 POST {ORDERS}/batch_cancel", {"order_ids": [THEIRS]})


def test_nothing_cancels_everything() -> None:
    with pytest.raises(ValueError, match="each is cancelled by itself"):
        encoder().cancel_all(approved(CancelAll("coinbase", "k")), NOW)


def test_metadata_says_the_product_and_its_decimals() -> None:
    named = Instrument("coinbase", "BTC/USD", 1, 3, 10**8, 10**5, venue_symbol="BTC-XUSD")
    _, body = read(CoinbaseOrders((named,)).submit(new(), NOW))
    assert body["product_id"] == "BTC-XUSD"
    assert body["order_configuration"]["limit_limit_gtc"]["limit_price"] == "60000.0"
    assert body["order_configuration"]["limit_limit_gtc"]["base_size"] == "0.001"
    with pytest.raises(ValueError, match="no metadata"):
        CoinbaseOrders((None,)).submit(new(), NOW)


# --- the tap's reader ------------------------------------------------------------------------------------------------


@given(
    order_type=st.sampled_from(list(OrderType)), side=st.sampled_from([1, -1]), at=st.sampled_from([0, 1]),
    px=st.integers(1, 10**12), qty=st.integers(1, 10**10),
)  # fmt: skip
def test_what_is_read_is_what_was_approved(order_type: OrderType, side: int, at: int, px: int, qty: int) -> None:
    instrument = (BTC, SHIB)[at]
    px *= instrument.tick_size_1e9
    qty *= instrument.lot_size_1e8
    (found,) = asked(encoder().submit(new(order_type, side, px, qty, at), NOW).data)
    product = instrument.symbol.replace("/", "-")
    price = 0 if order_type is OrderType.MARKET else px
    assert found == Asked("new", NAME, product, side, price, qty, int(order_type))
    amend = approved(AmendOrder(NAME, 0, at, 7, side, px, qty, "a"))
    assert asked(encoder().amend(amend, NOW).data) == [Asked("amend", px_1e9=px, qty_1e8=qty, venue_order_id=THEIRS)]


def test_a_cancel_names_their_order_or_ours() -> None:
    cancel = approved(CancelOrder(NAME, 0, 0, 7, "a"))
    assert asked(encoder().cancel(cancel, NOW).data) == [Asked("cancel", venue_order_id=THEIRS)]
    on_paper = CoinbaseOrders((BTC,)).cancel(cancel, NOW)
    assert asked(on_paper.data) == [Asked("cancel", NAME)]
    both = f'1 POST {ORDERS}/batch_cancel\n{{"order_ids":["{THEIRS}","x"]}}'.encode()
    assert asked(both) == [Asked("cancel", venue_order_id=THEIRS), Asked("cancel", venue_order_id="x")]


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"subscribe","channel":"heartbeats"}',
        b'{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}',
        b'{"type":"subscribe","channel":"user","jwt":"{jwt}"}',
        b"1 GET /api/v3/brokerage/market/products\nproduct_ids=BTC-USD",
        b"1000000001 GET /api/v3/brokerage/accounts +250\nlimit=250",
        b"1000000002 GET /api/v3/brokerage/orders/historical/batch\n",
        b"1000000002 GET /api/v3/brokerage/orders/historical/a1b2-c3\n",
    ],
)
def test_questions_ask_for_no_order(data: bytes) -> None:
    assert asked(data) == []


def body(**changes: Any) -> bytes:
    order = {"client_order_id": NAME, "product_id": "BTC-USD", "side": "BUY",
             "order_configuration": {"limit_limit_gtc": {"base_size": "1", "limit_price": "2"}}, **changes}  # fmt: skip
    return f"7 POST {ORDERS}\n{json.dumps(order)}".encode()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (body(leverage="2.0"), "order with leverage"),
        (body(attached_order_configuration={}), "order with attached_order_configuration"),
        (body(order_configuration={"twap_limit_gtd": {}}), "order twap_limit_gtd"),
        (
            body(order_configuration={"limit_limit_gtc": {"base_size": "1", "limit_price": "2", "quote_size": "9"}}),
            "order limit_limit_gtc with quote_size",
        ),
        (
            body(order_configuration={"market_market_ioc": {"quote_size": "9"}}),
            "order market_market_ioc with quote_size",
        ),
        (f"7 POST {ORDERS}/close_position\n{{}}".encode(), "POST /orders/close_position"),
        (f'7 POST {ORDERS}/edit\n{{"order_id":"x","stop_price":"1"}}'.encode(), "edit with stop_price"),
        (f'7 POST {ORDERS}/batch_cancel\n{{"order_ids":["x"],"all":true}}'.encode(), "batch_cancel with all"),
        (b"7 POST /api/v3/brokerage/portfolios/move_funds\n{}", "POST /portfolios/move_funds"),
        (b"7 /api/v3/brokerage/convert/quote\n{}", "POST /convert/quote"),
        (b"7 DELETE /api/v3/brokerage/portfolios/a\n", "DELETE /portfolios/a"),
        (b"7 GET /api/v3/brokerage/portfolios\n", "GET /portfolios"),
        (b'{"type":"order","channel":"user"}', "order"),
        (b'{"type":"subscribe","channel":"user","size":"1"}', "subscribe with size"),
    ],
)
def test_what_no_approval_says_is_told_by_its_name(data: bytes, what: str) -> None:
    assert [one.what for one in asked(data)] == [what]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"{", b"POST /api/v3/brokerage/orders\n{}", b"7 POST /api/v3/brokerage/orders", b"7 PUT /x\n{}",
        b"7 POST https://evil/api/v3/brokerage/orders\n{}", b"7 POST /api/v3/brokerage/orders\n[]",
        body(side="buy"), body(side=1), body(client_order_id=7), body(product_id=""), body(order_configuration=[]),
        body(order_configuration={"limit_limit_gtc": {}, "sor_limit_ioc": {}}),
        body(order_configuration={"limit_limit_gtc": {"base_size": 1, "limit_price": "2"}}),
        body(order_configuration={"limit_limit_gtc": {"base_size": "1e5", "limit_price": "2"}}),
        body(order_configuration={"limit_limit_gtc": {"base_size": "+1", "limit_price": "2"}}),
        body(order_configuration={"limit_limit_gtc": {"base_size": "1", "limit_price": "0.0000000001"}}),
        body(order_configuration={"limit_limit_gtc": {"base_size": "1", "limit_price": "2", "post_only": "true"}}),
        body()[:-1] + b',"side":"SELL"}',
        b'7 POST /api/v3/brokerage/orders/batch_cancel\n{"order_ids":[]}',
        b'7 POST /api/v3/brokerage/orders/batch_cancel\n{"order_ids":[7]}',
        b'7 POST /api/v3/brokerage/orders/edit\n{"order_id":"x","price":"1"}',
        b"\xff\xfe", b"7 POST /api/v3/brokerage/orders\n" + b"[" * 100_000,
    ],
)  # fmt: skip
def test_bytes_that_two_could_read_differently_are_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(data)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for prefix in (b"", f"7 POST {ORDERS}\n".encode(), b"{"):
        try:
            asked(prefix + data)
        except ValueError:
            continue


def test_the_venue_s_reader_is_this_one() -> None:
    assert VENUE.asked is asked
    assert VENUE.orders is CoinbaseOrders
