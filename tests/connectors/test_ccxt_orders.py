"""Calls of the hosted venue: what is written is what was approved, and the tap reads it so."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.venues.ccxt.asked import asked
from connectors.venues.ccxt.orders import CcxtOrders

INSTRUMENT = Instrument("ccxt_x", "BTC/USDT", 2, 6, 10**7, 100)
ENCODER = CcxtOrders([INSTRUMENT], venue_id={"vg-1": "8231"}.__getitem__)


@given(
    st.integers(1, 10**9), st.integers(1, 10**12), st.sampled_from([1, -1]), st.sampled_from(list(OrderType)),
    st.integers(1, 10**9),
)  # fmt: skip
def test_every_order_is_read_back_as_it_was_approved(
    ticks: int, lots: int, side: int, kind: OrderType, number: int
) -> None:
    px = 0 if kind is OrderType.MARKET else ticks * 10**7
    order = NewOrder("vg1a2b3c-7", 0, 0, 5, side, px, lots * 100, int(kind))
    send = ENCODER.submit(Approved(order, number, 9, 40), 9)
    assert (send.link, send.approval) == ("rest", number)
    assert asked(send.data) == [Asked("new", "vg1a2b3c-7", "BTC/USDT", side, px, lots * 100, int(kind))]


def test_cancels_and_amends_name_the_order_as_the_exchange_does() -> None:
    cancel = ENCODER.cancel(Approved(CancelOrder("vg-1", 0, 0, 5, "vg-3"), 2, 9, 1), 9)
    assert asked(cancel.data) == [Asked("cancel", symbol="BTC/USDT", venue_order_id="8231")]
    amend = ENCODER.amend(Approved(AmendOrder("vg-1", 0, 0, 5, 1, 62_808 * 10**9, 10**6, "vg-2"), 3, 9, 40), 9)
    found = Asked("amend", symbol="BTC/USDT", px_1e9=62_808 * 10**9, qty_1e8=10**6, venue_order_id="8231")
    assert asked(amend.data) == [found]
    with pytest.raises(ValueError, match="no cancel-all"):
        ENCODER.cancel_all(Approved(CancelAll("ccxt_x", "vg-4"), 4, 9, 1), 9)


NEW = {
    "symbol": "BTC/USDT", "type": "limit", "side": "buy", "amount": "0.01", "price": "62000",
    "params": {"clientOrderId": "vg-1", "timeInForce": "GTC"},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"side": "long"}, {"type": "stop"}, {"amount": 0.01}, {"amount": ""}, {"price": "1e999"}, {"leverage": "3"},
        {"params": {"clientOrderId": "vg-1", "timeInForce": "GTD"}}, {"params": {"timeInForce": "GTC"}},
        {"params": {"clientOrderId": "vg-1", "timeInForce": "GTC", "reduceOnly": True}}, {"params": None},
        {"type": "market"},
    ],
)  # fmt: skip
def test_an_order_that_is_none_of_ours_cannot_be_read(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each in words of its own
        asked(b"7 POST /create_order\n" + msgspec.json.encode(NEW | change))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"op":"markets","symbols":["BTC/USDT"]}', []),
        (b'{"op":"watch","channel":"orders","symbol":""}', []),
        (b"1000000001 /fetch_balance\n{}", []),
        (b"7 POST /withdraw\n{}", [Asked("withdraw")]),
        (b"7 POST /cancel_all_orders\n{}", [Asked("cancel_all_orders")]),
    ],
)
def test_what_asks_for_no_order_and_what_asks_for_something_else(data: bytes, found: list[Asked]) -> None:
    assert asked(data) == found


@pytest.mark.parametrize("data", [b'{"op":"order"}', b"7 POST create_order\n{}", b"x", b"7 POST /create_order\n[]"])
def test_what_cannot_be_read(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each in words of its own
        asked(data)
