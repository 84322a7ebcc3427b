"""Orders at the simulated Coinbase: REST takes them, the user channel tells what became of them (venues.md 2.4)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sim_coinbase.client import Trader


def test_an_order_lives_is_told_cumulatively_and_is_cancelled() -> None:
    t = Trader()
    t.follow()
    order_id = t.place(client_order_id="vg1a2b3c-17", base_size="0.01", limit_price="60000.5")
    assert t.states(order_id) == [("PENDING", "0"), ("OPEN", "0")]
    t.fill(order_id, "0.004")
    t.fill(order_id, "0.001")
    assert t.states(order_id)[2:] == [("OPEN", "0.004"), ("OPEN", "0.005")]
    last = t.updates(order_id)[-1]
    assert (last["leaves_quantity"], last["avg_price"], last["number_of_fills"]) == ("0.005", "60000.5", "2")
    assert (last["filled_value"], last["total_fees"]) == ("300.0025", "1.20001")
    assert (last["order_side"], last["order_type"], last["post_only"]) == ("BUY", "Limit", "false")
    assert (last["limit_price"], last["client_order_id"]) == ("60000.5", "vg1a2b3c-17")
    assert all(isinstance(value, str) for value in last.values()), "numbers and booleans are texts"
    assert t.cancel(order_id) == [
        {"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": order_id}
    ]
    assert t.states(order_id)[4:] == [("CANCEL_QUEUED", "0.005"), ("CANCELLED", "0.005")]
    assert [message["sequence_num"] for message in t.of("user")] == list(range(1, 1 + len(t.of("user"))))


def test_asking_again_with_the_same_client_id_returns_the_order() -> None:
    t = Trader()
    t.follow()
    first = t.place(client_order_id="vg1a2b3c-1")
    news = len(t.updates())
    assert t.place("SELL", client_order_id="vg1a2b3c-1", limit_price="90000") == first
    assert len(t.updates()) == news
    assert len(t.venue.engine.orders) == 1


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"base_size": "1000"}, ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND")),
        (
            {"limit_price": "70000", "post_only": True},
            ("INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POSTONLY"),
        ),
        ({"limit_price": "60000.001"}, ("INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION")),
        ({"base_size": "0.000000001"}, ("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION")),
        ({"base_size": "0.00001"}, ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL")),
        ({"product_id": "XYZ-USD"}, ("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID")),
        ({"kind": "trigger_bracket_gtc"}, ("UNSUPPORTED_ORDER_CONFIGURATION", "")),
    ],
)
def test_a_refusal_is_http_200_with_success_false(terms: dict[str, object], words: tuple[str, str]) -> None:
    t = Trader()
    t.follow()
    assert t.refused(**terms) == words  # type: ignore[arg-type]
    assert t.updates() == []
    assert t.venue.engine.open == {}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"client_order_id": ""}, {"side": "buy"}, {"order_configuration": {}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": "1"}}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": 1, "limit_price": "1"}}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": "1", "limit_price": "1", "more": "1"}}},
    ],
)  # fmt: skip
def test_what_is_no_order_is_a_bad_request(spoilt: dict[str, object]) -> None:
    t = Trader()
    status, told = t.ask("POST", "orders", t.order() | spoilt)
    assert (status, told["error"]) == (400, "INVALID_ARGUMENT")


def test_the_kinds_of_orders() -> None:
    t = Trader()
    t.follow()
    _, ask = t.touch()
    low, high = str(ask - 5000), str(ask + 5000)
    ends = {
        ("market_market_ioc", "base_size"): "FILLED", ("market_market_ioc", "quote_size"): "FILLED",
        ("sor_limit_ioc", low): "CANCELLED", ("sor_limit_ioc", high): "FILLED", ("limit_limit_fok", low): "CANCELLED",
        ("limit_limit_fok", high): "FILLED", ("limit_limit_gtc", high): "FILLED", ("limit_limit_gtc", low): "OPEN",
    }  # fmt: skip
    for (kind, word), end in ends.items():
        terms = (
            {word: "0.1" if word == "base_size" else "500"} if kind == "market_market_ioc" else {"limit_price": word}
        )
        order_id = t.place(kind=kind, **terms)
        assert t.states(order_id)[-1][0] == end, (kind, word)
        assert [*t.get(f"orders/historical/{order_id}")["order"]["order_configuration"]] == [kind]
    order_id = t.place(kind="limit_limit_gtd", end_time="2026-08-16T10:04:15Z")
    t.wait(11)
    assert t.states(order_id)[-1][0] == "EXPIRED"


def test_an_edit_needs_price_and_size_and_keeps_the_id() -> None:
    t = Trader()
    t.follow()
    order_id = t.place()
    assert t.post("orders/edit", {"order_id": order_id, "price": "59000", "size": "0.02"})["success"] is True
    row = t.updates(order_id)[-1]
    assert (row["limit_price"], row["leaves_quantity"], row["status"]) == ("59000", "0.02", "OPEN")
    assert t.ask("POST", "orders/edit", {"order_id": order_id, "price": "59000"})[0] == 400
    t.fill(order_id, "0.01")
    for wanted, why in (
        ({"price": "59000", "size": "0.005"}, "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"),
        ({"price": "59000.001", "size": "0.02"}, "INVALID_EDITED_PRICE"),
        ({"order_id": "nobody", "price": "1", "size": "1"}, "ORDER_NOT_FOUND"),
    ):
        told = t.post("orders/edit", {"order_id": order_id} | wanted)
        assert (told["success"], told["errors"][0]["edit_failure_reason"]) == (False, why)


def test_a_cancel_that_comes_too_late_says_so_for_each() -> None:
    t = Trader()
    filled, open_ = t.place(), t.place(limit_price="59999")
    t.fill(filled, "0.01")
    rows = t.cancel(filled, open_, "nobody")
    assert [(row["success"], row["failure_reason"]) for row in rows] == [
        (False, "UNKNOWN_CANCEL_ORDER"), (True, "UNKNOWN_CANCEL_FAILURE_REASON"), (False, "UNKNOWN_CANCEL_ORDER"),
    ]  # fmt: skip


@pytest.mark.parametrize(("open_", "sizes"), [(0, [0]), (49, [49]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_the_snapshot_comes_fifty_at_a_time(open_: int, sizes: list[int]) -> None:
    t = Trader(limits=False)
    ids = [t.place(limit_price=str(60000 - number)) for number in range(open_)]
    events = [message["events"][0] for message in t.follow()[1:]]
    assert [(event["type"], len(event["orders"])) for event in events] == [("snapshot", size) for size in sizes]
    assert [row["order_id"] for event in events for row in event["orders"]] == ids


def test_an_order_keeps_the_product_it_was_placed_on() -> None:
    """The user channel keeps BTC-USDC, and product_ids narrow it (venues.md 2.2)."""
    t = Trader()
    t.follow("BTC-USDC")
    other, mine = t.place(), t.place(product_id="BTC-USDC")
    assert t.states(other) == []
    assert {row["product_id"] for row in t.updates(mine)} == {"BTC-USDC"}
    assert t.get(f"orders/historical/{mine}")["order"]["product_id"] == "BTC-USDC"


def test_money_moves_by_cost_and_fee_in_the_quote() -> None:
    t = Trader()

    def have() -> dict[str, tuple[Decimal, Decimal]]:
        rows = t.get("accounts")["accounts"]
        return {
            row["currency"]: (Decimal(row["available_balance"]["value"]), Decimal(row["hold"]["value"])) for row in rows
        }

    before = have()
    order_id = t.place(base_size="0.01", limit_price="60000")
    assert have()["USD"] == (before["USD"][0] - Decimal("603.6"), Decimal("603.6")), "held with the taker's fee"
    t.fill(order_id, "0.01")
    assert have()["USD"] == (before["USD"][0] - 600 - Decimal("2.4"), Decimal(0))
    assert have()["BTC"][0] == before["BTC"][0] + Decimal("0.01")
    [fill] = t.get("orders/historical/fills", order_ids=[order_id])["fills"]
    assert (fill["price"], fill["size"], fill["commission"]) == ("60000", "0.01", "2.4")
    assert (fill["liquidity_indicator"], fill["side"], fill["order_id"]) == ("MAKER", "BUY", order_id)
