"""What OKX is sent, and what a reader that knows nothing of the encoder finds in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.venues.okx import VENUE
from connectors.venues.okx.asked import strictly
from connectors.venues.okx.asked_plain import plain
from connectors.venues.okx.names import our_id, wire_id
from connectors.venues.okx.orders import BATCH_MAX, OkxOrders

T0 = 1_755_338_650_000_000_000
BTC = Instrument("okx", "BTC/USDT", 1, 8, 10**8, 1, venue_symbol="BTC-USDT", venue_code="2021032601102994")
SHIB = Instrument("okx", "SHIB/USDT", 9, 0, 1, 10**8)
MARKETS = [BTC, SHIB]
NAME = "vg1a2b3c-17"


def asked(data: bytes) -> list[Asked]:
    assert VENUE.asked is not None
    return VENUE.asked(data)


def new(market: int = 0, **changes: Any) -> NewOrder:
    fields = {"side": 1, "px_1e9": 62_000 * 10**9, "qty_1e8": 10**6, "order_type": OrderType.LIMIT, **changes}
    return NewOrder(changes.pop("name", NAME), 0, market, 7, **{k: v for k, v in fields.items() if k != "name"})


def approved(order: Any, number: int = 17) -> Approved[Any]:
    return Approved(order, number, T0, 31)


def test_an_order_as_the_documentation_has_it() -> None:
    send = OkxOrders(MARKETS).submit(approved(new(order_type=OrderType.POST_ONLY)), T0 + 10**9)
    assert (send.link, send.approval) == ("private", 17)
    assert json.loads(send.data) == {
        "id": "17",
        "op": "order",
        "args": [
            {"instIdCode": 2021032601102994, "tdMode": "cash", "side": "buy", "ordType": "post_only", "px": "62000.0",
             "sz": "0.01000000", "clOrdId": "vg1a2b3c17", "stpMode": "cancel_taker"},
        ],
        "expTime": "1755338655000",
    }  # fmt: skip


def test_a_market_buy_says_that_its_size_is_of_the_base() -> None:
    (arg,) = json.loads(OkxOrders(MARKETS).submit(approved(new(order_type=OrderType.MARKET, px_1e9=0)), T0).data)[
        "args"
    ]
    assert (arg["tgtCcy"], arg["banAmend"], arg["sz"]) == ("base_ccy", True, "0.01000000")
    assert "px" not in arg


def test_a_deadline_is_of_the_approval_and_of_the_venues_clock() -> None:
    encoder = OkxOrders(MARKETS)
    encoder.skew_ns = -2_500_000_000
    assert json.loads(encoder.submit(approved(new()), T0 + 10**12).data)["expTime"] == "1755338652500"


def test_fill_or_kill_takes_no_cancel_both() -> None:
    encoder = OkxOrders(MARKETS, {"stp_mode": "cancel_both"})
    for order_type, mode in ((OrderType.FOK, "cancel_taker"), (OrderType.IOC, "cancel_both")):
        (arg,) = json.loads(encoder.submit(approved(new(order_type=order_type)), T0).data)["args"]
        assert arg["stpMode"] == mode


def test_cancel_and_amend() -> None:
    encoder = OkxOrders(MARKETS)
    cancel = encoder.cancel(approved(CancelOrder(NAME, 0, 0, 7, "vg1a2b3c-18")), T0)
    assert asked(cancel.data) == [Asked("cancel", NAME, "2021032601102994")]
    amend = encoder.amend(approved(AmendOrder(NAME, 0, 1, 7, 1, 12_345, 5 * 10**8, "vg1a2b3c-19")), T0)
    assert asked(amend.data) == [Asked("amend", NAME, "SHIB-USDT", px_1e9=12_345, qty_1e8=5 * 10**8)]


def test_there_is_no_cancel_all() -> None:
    with pytest.raises(ValueError, match="each is cancelled by itself"):
        OkxOrders(MARKETS).cancel_all(approved(CancelAll("okx", "vg1a2b3c-20")), T0)
    assert not VENUE.capabilities.cancel_all
    assert VENUE.capabilities.absent["cancel_all"]


def test_an_order_without_metadata_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no metadata"):
        OkxOrders([None]).submit(approved(new()), T0)


@given(st.data())
def test_what_is_written_is_what_is_read(data: st.DataObject) -> None:
    """Of every type, side, market, price and size on the grid, alone and in batches."""
    market = data.draw(st.sampled_from([0, 1]))
    instrument = MARKETS[market]
    orders = []
    for number in range(data.draw(st.integers(1, 4))):
        order_type = data.draw(st.sampled_from(list(OrderType)))
        px = data.draw(st.integers(1, 10**9)) * instrument.tick_size_1e9
        qty = data.draw(st.integers(1, 10**9)) * instrument.lot_size_1e8
        side = data.draw(st.sampled_from([1, -1]))
        px = 0 if order_type is OrderType.MARKET else px
        orders.append(
            new(market, name=f"vg1a2b3c-{number + 1}", side=side, px_1e9=px, qty_1e8=qty, order_type=order_type)
        )
    encoder = OkxOrders(MARKETS)
    said = [approved(one, number + 1) for number, one in enumerate(orders)]
    send = encoder.submit(said[0], T0) if len(said) == 1 else encoder.submit_many(said, T0)
    assert asked(send.data) == [
        Asked("new", one.client_order_id, instrument.venue_code or "SHIB-USDT", one.side, one.px_1e9, one.qty_1e8,
              int(one.order_type))
        for one in orders
    ]  # fmt: skip
    assert (send.approval, *send.more) == tuple(one.approval for one in said)
    assert strictly(send.data) == asked(send.data)
    assert (plain(send.data) is not None) is (len(said) == 1), "one new order is read by its form alone"


@given(st.from_regex(r"vg[0-9a-z]{6}", fullmatch=True), st.integers(1, 10**9))
def test_our_ids_lose_their_hyphen_and_find_it_again(tag: str, number: int) -> None:
    name = f"{tag}-{number}"
    assert wire_id(name).isalnum()
    assert our_id(wire_id(name)) == name


@pytest.mark.parametrize("foreign", ["", "b15", "vg1a2b3", "VG1a2b3c17", "vg1a2b3cx7", "xvg1a2b3c17"])
def test_ids_of_others_stay_as_they_are(foreign: str) -> None:
    assert our_id(foreign) == foreign


def test_ids_of_replays_have_a_short_tag() -> None:
    assert our_id("vg17") == "vg-17"


# --- the reader ------------------------------------------------------------------------------------------------------


ARG: dict[str, Any] = {
    "instIdCode": 7, "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "1.5", "sz": "2",
    "clOrdId": "vg1a2b3c1",
}  # fmt: skip


def frame(op: str = "order", **changes: Any) -> bytes:
    arg = {name: value for name, value in {**ARG, **changes}.items() if value is not None}
    return json.dumps({"id": "1", "op": op, "args": [arg]}).encode()


def test_an_order_in_other_words() -> None:
    (found,) = asked(frame(instIdCode=None, instId="BTC-USDT", side="sell", ordType="market", px=None, sz="0.5"))
    assert found == Asked("new", "vg1a2b3c-1", "BTC-USDT", -1, 0, 50_000_000, int(OrderType.MARKET))


@pytest.mark.parametrize(
    "changes",
    [
        {"tdMode": "cross"},
        {"tdMode": "isolated"},
        {"ordType": "market", "px": None},  # its size would be of the quote
        {"ordType": "market", "px": None, "tgtCcy": "quote_ccy"},
        {"ordType": "market"},  # with a price
        {"tgtCcy": "base_ccy"},  # of a limit order
        {"ordType": "optimal_limit_ioc"},
        {"ordType": "elp"},
        {"reduceOnly": True},
        {"pxAmendType": "1"},
        {"tradeQuoteCcy": "USD"},
        {"ordId": "5"},
        {"attachAlgoOrds": []},
        {"slippagePct": "0.05"},
    ],
)
def test_what_an_approval_cannot_say_is_nobodys_order(changes: dict[str, Any]) -> None:
    (found,) = asked(frame(**changes))
    assert found.what not in ("new", "amend", "cancel", "cancel_all")


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "both"},
        {"px": 1.5},
        {"px": None},
        {"px": "1e-12"},
        {"sz": "much"},
        {"sz": None},
        {"instIdCode": "7"},
        {"instIdCode": 7.5},
        {"instIdCode": None},
        {"instId": "BTC-USDT"},
        {"ordType": None},
        {"stpMode": "none"},
        {"banAmend": False},
        {"clOrdId": 7},
    ],
)
def test_what_two_readers_could_understand_differently_cannot_be_read(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        asked(frame(**changes))


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":"1","op":"order","args":[{"instIdCode":7,"instIdCode":8}]}',
        b'{"id":"1","op":"order","args":[]}',
        b'{"id":"1","op":"order","args":{}}',
        b'{"id":"1","op":"order"}',
        b'{"id":"1","args":[{}]}',
        b'{"id":"1","op":"order","args":[{}],"expTime":1}',
        b'{"id":"1","op":"order","args":[{}],"expTime":"tomorrow"}',
        b"[1]",
        b"",
        b"pong",
        b"\xff",
        b"{" * 5000,
        b"7 GET /api/v5/trade/order",
        b"7 GET /api/v5/trade/order\na=b c",
        b"7 PUT /api/v5/trade/order\n{}",
        b"7 POST /api/v6/trade/order\n{}",
        b"7 POST /api/v5/trade/cancel-order\n[]",
        b'7 POST /api/v5/trade/cancel-all-after\n{"timeOut":"60","timeOut":"0"}',
    ],
)
def test_bytes_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".|^$"):
        asked(data)


@pytest.mark.parametrize(
    "data",
    [
        b"ping",
        b'{"id":"1","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}',
        b'{"id":"1","op":"unsubscribe","args":[{"channel":"status"}]}',
        b'{"op":"login","args":[{"apiKey":"{secret:key}","timestamp":"{time_s}","sign":"{sign}"}]}',
        b"1 GET /api/v5/public/instruments\ninstType=SPOT",
        b"1 /api/v5/public/instruments\ninstType=SPOT",
        b"1000000001 GET /api/v5/trade/orders-pending +250\ninstType=SPOT&limit=100&after=17",
        b"1 GET /api/v5/account/config\n",
        b'1 POST /api/v5/trade/cancel-all-after -3000\n{"timeOut":"60"}',
        b'1 POST /api/v5/trade/cancel-all-after\n{"timeOut":"0"}',
    ],
)
def test_what_asks_for_no_order(data: bytes) -> None:
    assert asked(data) == []


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"id":"1","op":"mass-cancel","args":[{"instType":"OPTION"}]}', "mass-cancel"),
        (b'{"id":"1","op":"subscribe","args":[{"channel":"x","px":"1"}]}', "subscribe with px"),
        (b'{"id":"1","op":"cancel-order","args":[{"instIdCode":7,"ordId":"9"}]}', "cancel-order with ordId"),
        (b'{"id":"1","op":"amend-order","args":[{"instIdCode":7,"clOrdId":"a","cxlOnFail":true}]}',
         "amend-order with cxlOnFail"),
        (b'{"id":"1","op":"cancel-order","args":[{"instIdCode":7,"clOrdId":"a"}],"tag":"x"}', "cancel-order with tag"),
        (b'{"id":"1","op":"subscribe","args":[{"channel":"x"}],"expTime":"1755338655000"}', "subscribe with expTime"),
        (b'1 POST /api/v5/trade/order\n{"instId":"BTC-USDT"}', "POST /api/v5/trade/order"),
        (b'1 POST /api/v5/asset/withdrawal\n{"amt":"1"}', "POST /api/v5/asset/withdrawal"),
        (b'1 POST /api/v5/trade/cancel-all-after\n{"timeOut":"5"}', "POST /api/v5/trade/cancel-all-after"),
        (b'1 POST /api/v5/trade/cancel-all-after\n{"timeOut":"60","tag":"x"}', "POST /api/v5/trade/cancel-all-after"),
        (b'1 POST /api/v5/trade/cancel-order\n{"instId":"A-B","ordId":"7"}', "cancel-order with ordId"),
    ],
)  # fmt: skip
def test_what_could_move_orders_or_money_has_its_own_word(data: bytes, what: str) -> None:
    assert asked(data) == [Asked(what)]


def test_a_cancel_over_http() -> None:
    data = b'17 POST /api/v5/trade/cancel-order +12\n{"instId":"BTC-USDT","clOrdId":"vg1a2b3c17"}'
    assert asked(data) == [Asked("cancel", NAME, "BTC-USDT")]


def test_batches_beyond_twenty_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="up to 20"):
        asked(json.dumps({"id": "1", "op": "batch-orders", "args": [ARG] * (BATCH_MAX + 1)}).encode())


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_read_or_refused(data: bytes) -> None:
    for raw in (data, b'{"id":"1","op":"order","args":[' + data, b"1 POST /api/v5/trade/cancel-order\n" + data):
        try:
            found = asked(raw)
        except ValueError:
            continue
        assert all(isinstance(one, Asked) for one in found)


@given(st.data())
def test_both_readers_read_the_same_or_one_of_them_nothing(data: st.DataObject) -> None:
    """Of orders and cancels with a few bytes changed: what the quick one reads, the strict one reads as well."""
    encoder = OkxOrders(MARKETS)
    order_type = data.draw(st.sampled_from(list(OrderType)))
    px = 0 if order_type is OrderType.MARKET else 62_000 * 10**9
    market = data.draw(st.sampled_from([0, 1]))
    cancel = CancelOrder(NAME, 0, market, 7, "vg1a2b3c-18")
    sends = (
        encoder.submit(approved(new(market, order_type=order_type, px_1e9=px)), T0),
        encoder.cancel(approved(cancel), T0),
    )
    whole = data.draw(st.sampled_from(sends)).data
    assert plain(whole) is not None
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        other = data.draw(st.sampled_from([b"", b"0", b'"', b",", b"}", b"1", b"-", b" "]))
        raw[at : at + data.draw(st.integers(0, 2))] = other
    found = plain(bytes(raw))
    if found is not None:
        assert strictly(bytes(raw)) == [found]
