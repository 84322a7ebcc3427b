"""The bytes of orders, read back as JSON; and what they ask for, read by another's eyes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import decimal_text
from connectors.venues.bybit import VENUE
from connectors.venues.bybit.asked import asked
from connectors.venues.bybit.orders import BybitOrders

BTC = Instrument("bybit", "BTC/USDT", 1, 6, 10**8, 100, venue_symbol="BTCUSDT")
PEPE = Instrument("bybit", "PEPE/USDT", 9, 0, 1, 10**8, venue_symbol="PEPEUSDT")
YEN = Instrument("bybit", "YEN/ART", 0, 5, 10**9, 1000)
ALL = [BTC, PEPE, YEN]
NOW = 1_755_338_645_207_999_999
MS = "1755338645207"
TERMS: dict[OrderType, dict[str, str]] = {
    OrderType.LIMIT: {"orderType": "Limit", "timeInForce": "GTC"},
    OrderType.MARKET: {"orderType": "Market", "marketUnit": "baseCoin"},
    OrderType.IOC: {"orderType": "Limit", "timeInForce": "IOC"},
    OrderType.FOK: {"orderType": "Limit", "timeInForce": "FOK"},
    OrderType.POST_ONLY: {"orderType": "Limit", "timeInForce": "PostOnly"},
}


def read(send: Send) -> dict[str, Any]:
    assert send.link == "trade"
    message: dict[str, Any] = json.loads(send.data)
    return message


def order(side: int = 1, px: int = 62_000_000_000_000, qty: int = 1_000_000, **changes: Any) -> NewOrder:
    fields = {"client_order_id": "vg1a2b3c-7", "algo": 0, "instrument": 0, "order_id": 7, "side": side, "px_1e9": px,
              "qty_1e8": qty, "order_type": OrderType.LIMIT, **changes}  # fmt: skip
    return NewOrder(**fields)


@pytest.mark.parametrize("order_type", OrderType)
@pytest.mark.parametrize("side", [1, -1])
def test_each_type_as_documented(order_type: OrderType, side: int) -> None:
    """The time is the approval's own: what is held up on its way is refused by Bybit five seconds after it."""
    px = 0 if order_type is OrderType.MARKET else 62_000_000_000_000
    send = BybitOrders(ALL).submit(Approved(order(side, px, order_type=order_type), 17, NOW, 31), NOW + 10**9)
    price = {} if order_type is OrderType.MARKET else {"price": "62000.0"}
    assert read(send) == {
        "reqId": "17", "header": {"X-BAPI-TIMESTAMP": MS, "X-BAPI-RECV-WINDOW": "5000"}, "op": "order.create",
        "args": [{"category": "spot", "symbol": "BTCUSDT", "side": "Buy" if side > 0 else "Sell", "qty": "0.010000",
                  "orderLinkId": "vg1a2b3c-7", **TERMS[order_type], **price}],
    }  # fmt: skip
    assert (send.approval, send.more) == (17, ())
    assert asked(send.data) == [Asked("new", "vg1a2b3c-7", "BTCUSDT", side, px, 1_000_000, order_type)]


def test_the_venues_time_is_told() -> None:
    encoder = BybitOrders(ALL)
    encoder.skew_ms = -250
    header = read(encoder.submit(Approved(order(), 17, NOW, 31), NOW))["header"]
    assert header["X-BAPI-TIMESTAMP"] == "1755338644957"


def test_a_batch_is_one_message_good_for_as_long_as_its_oldest() -> None:
    several = [order(), order(-1, instrument=1, qty=3 * 10**8, px=12, client_order_id="vg1a2b3c-8")]
    approved = [Approved(one, 20 + k, NOW + k * 10**9, 31) for k, one in enumerate(several)]
    send = BybitOrders(ALL).submit_many(approved, NOW)
    message = read(send)
    assert (message["reqId"], message["op"], send.approval, send.more) == ("20", "order.create-batch", 20, (21,))
    assert message["header"]["X-BAPI-TIMESTAMP"] == MS
    (args,) = message["args"]
    assert args["category"] == "spot"
    assert [leg["price"] for leg in args["request"]] == ["62000.0", "0.000000012"]
    assert [leg["qty"] for leg in args["request"]] == ["0.010000", "3"]
    assert [found.client_order_id for found in asked(send.data)] == ["vg1a2b3c-7", "vg1a2b3c-8"]
    assert VENUE.capabilities.batch_max == 10


def test_amend_cancel_and_cancel_all() -> None:
    encoder = BybitOrders(ALL)
    amend = AmendOrder("vg1a2b3c-7", 0, 0, 7, 1, 61_999_900_000_000, 2_000_000, "a-1")
    send = encoder.amend(Approved(amend, 18, NOW, 31), NOW)
    whose = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "vg1a2b3c-7"}
    assert (read(send)["op"], read(send)["args"]) == ("order.amend", [{**whose, "qty": "0.020000", "price": "61999.9"}])
    assert asked(send.data) == [Asked("amend", "vg1a2b3c-7", "BTCUSDT", px_1e9=61_999_900_000_000, qty_1e8=2_000_000)]
    send = encoder.cancel(Approved(CancelOrder("vg1a2b3c-7", 0, 0, 7, "c-1"), 19, NOW, 1), NOW)
    assert (read(send)["op"], read(send)["args"]) == ("order.cancel", [whose])
    assert asked(send.data) == [Asked("cancel", "vg1a2b3c-7", "BTCUSDT")]
    assert json.loads(encoder.cancel_body(CancelOrder("vg1a2b3c-7", 0, 0, 7, "c-1"))) == whose
    send = encoder.cancel_all(Approved(CancelAll("bybit", "k-1"), 23, NOW, 1), NOW)
    assert (send.link, send.data, send.approval) == ("rest", b'23 POST /v5/order/cancel-all\n{"category":"spot"}', 23)
    assert asked(send.data) == [Asked("cancel_all")]


def test_no_metadata_no_bytes_and_new_metadata_new_digits() -> None:
    instruments: list[Instrument | None] = [None]
    encoder = BybitOrders(instruments)
    with pytest.raises(ValueError, match="no metadata"):
        encoder.submit(Approved(order(), 1, NOW, 31), NOW)
    instruments[0] = BTC
    assert read(encoder.submit(Approved(order(), 1, NOW, 31), NOW))["args"][0]["price"] == "62000.0"
    instruments[0] = Instrument("bybit", "BTC/USDT", 2, 6, 10**7, 100, venue_symbol="BTCUSDT")
    assert read(encoder.submit(Approved(order(), 1, NOW, 31), NOW))["args"][0]["price"] == "62000.00"


def test_smp_type_is_an_option() -> None:
    send = BybitOrders(ALL, {"smp_type": "CancelBoth"}).submit(Approved(order(), 1, NOW, 31), NOW)
    assert read(send)["args"][0]["smpType"] == "CancelBoth"
    assert asked(send.data)[0].what == "new"
    with pytest.raises(ConfigError, match="smp_type"):
        BybitOrders(ALL, {"smp_type": "all"})


@given(
    st.sampled_from(OrderType), st.sampled_from((1, -1)), st.integers(0, 2), st.integers(1, 10**9),
    st.integers(1, 10**9), st.integers(1, 10**12),
)  # fmt: skip
def test_every_number_is_exact(
    order_type: OrderType, side: int, market: int, ticks: int, lots: int, number: int
) -> None:
    """Whatever was approved is what the bytes say, digit for digit, by the connector's own reader and by JSON's."""
    instrument = ALL[market]
    px = 0 if order_type is OrderType.MARKET else ticks * instrument.tick_size_1e9
    qty = lots * instrument.lot_size_1e8
    name = f"vg1a2b3c-{number}"
    placed = order(side, px, qty, order_type=order_type, instrument=market, client_order_id=name)
    send = BybitOrders(ALL).submit(Approved(placed, number, NOW, 31), NOW)
    (args,) = read(send)["args"]
    assert args["qty"] == decimal_text(qty, 8)[: len(args["qty"])]
    symbol = instrument.symbol.replace("/", "")
    assert asked(send.data) == [Asked("new", name, symbol, side, px, qty, order_type)]
