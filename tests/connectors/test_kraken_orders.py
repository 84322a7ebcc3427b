"""The bytes of orders, read back as JSON with every number kept as its text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import decimal_text, rfc3339_ns
from connectors.venues.kraken import VENUE
from connectors.venues.kraken.orders import KrakenOrders

TOKEN = "{secret:ws_token}"  # noqa: S105 - the placeholder that net.py fills
BTC = Instrument.parse("kraken", "BTC/USD:1:8")
SHIB = Instrument.parse("kraken", "SHIB/USD:9:5")
WHOLE = Instrument.parse("kraken", "YEN/ART:0:0")
NOW = 1_786_874_645_123_999_999  # 2026-08-16T10:04:05.123…Z
DEADLINE = "2026-08-16T10:04:10.123Z"
TERMS: dict[OrderType, dict[str, Any]] = {
    OrderType.LIMIT: {"order_type": "limit", "time_in_force": "gtc"},
    OrderType.MARKET: {"order_type": "market"},
    OrderType.IOC: {"order_type": "limit", "time_in_force": "ioc"},
    OrderType.FOK: {"order_type": "limit", "time_in_force": "fok"},
    OrderType.POST_ONLY: {"order_type": "limit", "time_in_force": "gtc", "post_only": True},
}


def encoder(*instruments: Instrument | None) -> KrakenOrders:
    return KrakenOrders(instruments or (BTC, SHIB, WHOLE))


def read(send: Send) -> dict[str, Any]:
    """Every number as its own text; a token's place must be a whole JSON string."""
    assert send.link == "private"
    message: dict[str, Any] = json.loads(send.data, parse_float=str, parse_int=str)
    return message


def order(side: int = 1, px: int = 62_807_000_000_000, qty: int = 1_250_000, **changes: Any) -> NewOrder:
    fields = {
        "client_order_id": "vg-1-7",
        "algo": 0,
        "instrument": 0,
        "order_id": 7,
        "side": side,
        "px_1e9": px,
        "qty_1e8": qty,
        "order_type": OrderType.LIMIT,
        **changes,
    }
    return NewOrder(**fields)


def approved(given_order: NewOrder) -> Approved[NewOrder]:
    """As the gate would; tests of the encoder need no gate."""
    return Approved(given_order, approval=41, now_ns=NOW, checks=12)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("order_type", list(OrderType))
def test_every_type_and_side(order_type: OrderType, side: int) -> None:
    """All fields and no other: Kraken refuses a field it does not know."""
    price = {} if order_type is OrderType.MARKET else {"limit_price": "62807.0"}
    px = 0 if order_type is OrderType.MARKET else 62_807_000_000_000
    assert read(encoder().submit(approved(order(side, px, order_type=int(order_type))), 9)) == {
        "method": "add_order",
        "params": {
            "symbol": "BTC/USD",
            "side": "buy" if side > 0 else "sell",
            "order_qty": "0.01250000",
            "cl_ord_id": "vg-1-7",
            "stp_type": "cancel_newest",
            "deadline": DEADLINE,
            "token": TOKEN,
            **price,
            **TERMS[order_type],
        },
        "req_id": "41",
    }


def test_every_type_the_guest_knows_is_declared() -> None:
    """Capabilities promise what the encoder does."""
    assert set(VENUE.capabilities.order_types) == set(OrderType) == set(TERMS)


@pytest.mark.parametrize(
    ("instrument", "px", "qty", "price", "size"),
    [
        (0, 100_000_000, 1, "0.1", "0.00000001"),
        (0, 100_000 * 10**9, 10**8, "100000.0", "1.00000000"),
        (1, 1, 1_000, "0.000000001", "0.00001"),
        (1, 12_340, 123_456_789_000, "0.000012340", "1234.56789"),
        (2, 3 * 10**9, 5 * 10**8, "3", "5"),
        (0, 9_223_372_036_800_000_000, 2**63 - 1, "9223372036.8", "92233720368.54775807"),
    ],
)
def test_numbers_are_plain_digits_of_the_pair(instrument: int, px: int, qty: int, price: str, size: str) -> None:
    """Exactly the pair's decimals, no exponent even for the smallest, no digit lost in the largest."""
    params = read(encoder().submit(approved(order(1, px, qty, instrument=instrument)), 0))["params"]
    assert (params["limit_price"], params["order_qty"]) == (price, size)


@given(
    st.integers(0, 9), st.integers(0, 8), st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1), st.sampled_from((1, -1))
)
def test_never_an_exponent_and_never_another_number(p: int, q: int, px: int, qty: int, side: int) -> None:
    """For every precision and every amount on the grid the bytes hold that amount in plain digits."""
    instrument = Instrument.parse("kraken", f"A/B:{p}:{q}")
    px, qty = px - px % instrument.tick_size_1e9, qty - qty % instrument.lot_size_1e8
    message = read(encoder(instrument).submit(approved(order(side, px, qty)), 0))
    assert message["params"]["limit_price"] == decimal_text(px // instrument.tick_size_1e9, p)
    assert message["params"]["order_qty"] == decimal_text(qty // instrument.lot_size_1e8, q)
    assert set(message["params"]["limit_price"] + message["params"]["order_qty"]) <= set("0123456789.")


def test_amend_names_price_and_total() -> None:
    """By our own id; the quantity is the total."""
    amend = AmendOrder("vg-1-7", 0, 1, 7, 1, 12_340, 5_000, "a-3")
    assert read(encoder().amend(Approved(amend, approval=42, now_ns=NOW, checks=12), 9)) == {
        "method": "amend_order",
        "params": {
            "cl_ord_id": "vg-1-7",
            "limit_price": "0.000012340",
            "order_qty": "0.00005",
            "deadline": DEADLINE,
            "token": TOKEN,
        },
        "req_id": "42",
    }


def test_cancel_names_one_order() -> None:
    """By our own id, in a list as Kraken wants it."""
    cancel = CancelOrder("vg-1-7", 0, 0, 7, "c-3")
    assert read(encoder().cancel(Approved(cancel, approval=43, now_ns=5, checks=2), 9)) == {
        "method": "cancel_order",
        "params": {"cl_ord_id": ["vg-1-7"], "token": TOKEN},
        "req_id": "43",
    }


def test_cancel_all_names_nothing() -> None:
    """Account-wide: Kraken takes no pair and no list there."""
    every = CancelAll("kraken", "k-1")
    assert read(encoder().cancel_all(Approved(every, approval=44, now_ns=5, checks=1), 9)) == {
        "method": "cancel_all",
        "params": {"token": TOKEN},
        "req_id": "44",
    }


def test_bytes_carry_the_number_of_their_approval() -> None:
    """What leaves is compared with what was approved by it (runtime/tap.py)."""
    encode, cancel = encoder(), CancelOrder("vg-1-7", 0, 0, 7, "c-3")
    amend = AmendOrder("vg-1-7", 0, 0, 7, 1, 62_807 * 10**9, 5_000, "a-3")
    market = order(px=0, order_type=int(OrderType.MARKET))
    assert encode.submit(approved(order()), 9).approval == encode.submit(approved(market), 9).approval == 41
    assert encode.amend(Approved(amend, 42, 5, 12), 9).approval == 42
    assert encode.cancel(Approved(cancel, 43, 5, 1), 9).approval == 43
    assert encode.cancel_all(Approved(CancelAll("kraken", "k-1"), 44, 5, 1), 9).approval == 44


def test_new_metadata_is_used_from_the_next_order_on() -> None:
    """A precision change of a pair reaches the encoder through the shared list."""
    table: list[Instrument | None] = [BTC]
    encode = KrakenOrders(table)
    assert read(encode.submit(approved(order()), 0))["params"]["limit_price"] == "62807.0"
    table[0] = Instrument.parse("kraken", "BTC/USD:2:8")
    assert read(encode.submit(approved(order()), 0))["params"]["limit_price"] == "62807.00"


def test_an_order_without_metadata_is_not_written() -> None:
    """How many decimals it needs is not known: no guess."""
    with pytest.raises(ValueError, match="instrument 0 has no metadata"):
        encoder(None).submit(approved(order()), 0)


def test_the_same_order_gives_the_same_bytes() -> None:
    """Replay depends on it: no clock and no counter of its own."""
    first, second = encoder().submit(approved(order()), 1), encoder().submit(approved(order()), 2)
    assert first == second


# --- deadline, stp_type, validate, batches ----------------------------------------------------------------------------


@given(st.integers(0, 4_102_444_800 * 10**9 - 6 * 10**9))
def test_the_deadline_is_five_seconds_after_the_approval(now_ns: int) -> None:
    """In milliseconds, cut: never later than promised; any second of this century, whatever was encoded before."""
    encode = encoder()
    for ns in (0, now_ns, now_ns, now_ns + 10**6):
        message = read(encode.submit(Approved(order(), 41, ns, 12), 9))
        text = message["params"]["deadline"]
        assert rfc3339_ns(text) == (ns + 5 * 10**9) // 10**6 * 10**6
        assert len(text) == 24


@pytest.mark.parametrize("stp_type", ["cancel_newest", "cancel_oldest", "cancel_both"])
def test_what_becomes_of_a_trade_with_ourselves_is_said(stp_type: str) -> None:
    encode = KrakenOrders([BTC], {"stp_type": stp_type})
    assert read(encode.submit(approved(order()), 0))["params"]["stp_type"] == stp_type


def test_validate_is_said_of_new_orders_alone() -> None:
    encode = KrakenOrders([BTC], {"validate": "true"})
    amend = AmendOrder("vg-1-7", 0, 0, 7, 1, 62_807 * 10**9, 5_000, "a-3")
    assert read(encode.submit(approved(order()), 0))["params"]["validate"] is True
    assert read(encode.submit_many([approved(order())] * 2, 0))["params"]["validate"] is True
    assert "validate" not in read(encode.amend(Approved(amend, 42, 5, 12), 0))["params"]
    assert "validate" not in read(encoder().submit(approved(order()), 0))["params"]


@pytest.mark.parametrize("options", [{"stp_type": "none"}, {"validate": "yes"}, {"validate": ""}])
def test_an_option_that_is_not_known_is_refused_by_name(options: dict[str, str]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name):
        KrakenOrders([BTC], options)


@given(st.lists(st.tuples(st.sampled_from((1, -1)), st.sampled_from(OrderType)), min_size=2, max_size=15))
def test_a_batch_says_what_its_orders_would_say_alone(legs: list[tuple[int, OrderType]]) -> None:
    """Every member of a single order but symbol, deadline and token, which are said once."""
    encode = encoder()
    many = [
        Approved(order(side, 0 if kind is OrderType.MARKET else 62_807 * 10**9, client_order_id=f"vg-{k}",
                       order_type=int(kind)), 41 + k, NOW + k * 10**9, 12)
        for k, (side, kind) in enumerate(legs)
    ]  # fmt: skip
    send = encode.submit_many(many, 9)
    message = read(send)
    assert (message["method"], message["req_id"], send.approval) == ("batch_add", "41", 41)
    assert send.more == tuple(range(42, 41 + len(legs)))
    once = {"symbol": "BTC/USD", "deadline": DEADLINE, "token": TOKEN}
    orders = message["params"].pop("orders")
    assert message["params"] == once
    for leg, one in zip(orders, many, strict=True):
        alone = read(encode.submit(one, 9))["params"]
        assert leg == {name: value for name, value in alone.items() if name not in once}
