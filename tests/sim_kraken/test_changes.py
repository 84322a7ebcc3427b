"""Amend, edit, cancel, batches, the dead man's switch, and what they cost of the rate counter."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.kraken.rates import ONE, TIERS
from tests.sim_kraken.trader import SECOND, Trader

D = Decimal


def ahead(t: Trader, order_id: str) -> int | None:
    return t.venue.engine.matcher.resting("BTC/USD").ahead(order_id)


# --- amend ------------------------------------------------------------------------------------------------------------


def test_less_keeps_the_place_more_and_another_price_go_to_the_back() -> None:
    t = Trader()
    bid, _ = t.touch()
    order_id = t.place(limit_price=bid, order_qty=D("0.02"))
    before = ahead(t, order_id)
    assert before
    book = t.venue.market.book("BTC/USD")
    book._put(book.bids, int(bid * 10), book.bids.qty(int(bid * 10)) + 500)  # somebody joins behind it
    amended = t.ok("amend_order", order_id=order_id, order_qty=D("0.01"))
    assert amended["order_id"] == order_id and amended["amend_id"].startswith("T")
    assert ahead(t, order_id) == before
    t.ok("amend_order", order_id=order_id, order_qty=D("0.03"))
    assert ahead(t, order_id) == before + 500
    t.ok("amend_order", order_id=order_id, limit_price=bid - D("0.1"))
    elsewhere = ahead(t, order_id)
    t.ok("amend_order", order_id=order_id, limit_price=bid)
    assert ahead(t, order_id) == before + 500 != elsewhere
    assert t.kinds(order_id) == ["pending_new", "new", *["amended"] * 4]
    last = t.executions()[-1]
    assert last["amended"] is True and last["limit_price"] == bid and last["order_qty"] == D("0.03")
    assert "symbol" not in last


def test_an_amendment_below_what_is_filled_cancels_the_rest_and_costs_a_cancel_too() -> None:
    t = Trader()
    bid, _ = t.touch()
    order_id = t.place(limit_price=bid, order_qty=D("0.02"))
    t.sell(str(D(ahead(t, order_id) or 0) / 10**8 + D("0.01")))
    gross = t.venue.engine.counters["BTC/USD"].gross
    t.ok("amend_order", order_id=order_id, order_qty=D("0.005"))
    assert t.kinds(order_id)[-2:] == ["amended", "canceled"]
    assert t.venue.engine.counters["BTC/USD"].gross - gross == (1 + 3 + 8) * ONE
    assert t.executions()[-1]["cum_qty"] == D("0.01")


def test_an_amendment_that_crosses_trades_unless_post_only() -> None:
    t = Trader()
    _, ask = t.touch()
    order_id = t.place(cl_ord_id="mine")
    assert t.refused("amend_order", cl_ord_id="mine", limit_price=ask, post_only=True) == "EOrder:Post only order"
    assert t.kinds(order_id) == ["pending_new", "new"]
    assert t.ok("amend_order", cl_ord_id="mine", limit_price=ask)["cl_ord_id"] == "mine"
    assert t.kinds(order_id)[2:] == ["amended", "trade", "filled"]


def test_what_cannot_be_amended_leaves_the_order_alone() -> None:
    t = Trader()
    order_id = t.place()
    held = t.rest("BalanceEx")["ZUSD"]
    assert t.refused("amend_order", order_id=order_id, order_qty=D(500)) == "EOrder:Insufficient funds"
    assert t.refused("amend_order", order_id=order_id) == "EGeneral:Invalid arguments:no fields to amend"
    assert t.refused("amend_order", order_id="O", limit_price=D(1)) == "EOrder:Unknown order"
    assert t.refused("amend_order", order_qty=D(1)) == "EGeneral:Invalid arguments:one of order_id and cl_ord_id"
    assert t.refused("amend_order", order_id=order_id, cl_ord_id="x", order_qty=D(1)).startswith("EGeneral")
    assert t.refused("amend_order", order_id=order_id, order_qty="1") == "Order_qty field must be a number_float"
    assert t.rest("BalanceEx")["ZUSD"] == held
    t.sell("0.001")
    assert t.kinds(order_id) == ["pending_new", "new"]


def test_an_edit_is_a_new_order_with_a_new_id() -> None:
    t = Trader()
    old = t.place(cl_ord_id="gone")
    result = t.ok("edit_order", order_id=old, symbol="BTC/USD", limit_price=D(59000))
    assert result["original_order_id"] == old and result["order_id"] != old
    assert t.kinds(old) == ["pending_new", "new", "canceled"]
    assert t.kinds(result["order_id"]) == ["pending_new", "new"]
    assert "cl_ord_id" not in t.executions()[-2]
    refused = t.refused("edit_order", order_id=result["order_id"], symbol="BTC/USD", order_qty=D(500))
    assert refused == "EOrder:Insufficient funds"
    assert list(t.rest("OpenOrders")["open"]) == [result["order_id"]]


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_one_answer_for_each_canceled_order_with_the_same_req_id() -> None:
    t = Trader()
    first, second = t.place(), t.place(cl_ord_id="c")
    ref = [t.place(order_userref=7) for _ in range(2)]
    answers = [
        message for message in t.say("cancel_order", order_id=[first, "OABCDE-12345-FGHIJK"], cl_ord_id=["c"],
                                     order_userref=[7])
        if message.get("method") == "cancel_order"
    ]  # fmt: skip
    assert {answer["req_id"] for answer in answers} == {t.req_id}
    assert [answer.get("result") for answer in answers] == [
        {"order_id": first}, None, {"cl_ord_id": "c"}, {"order_id": ref[0]}, {"order_id": ref[1]},
    ]  # fmt: skip
    assert answers[1]["error"] == "EOrder:Unknown order"
    assert t.kinds(second)[-1] == "canceled" and t.executions()[-1]["reason"] == "User requested"
    assert t.refused("cancel_order") == "EGeneral:Invalid arguments:order_id, cl_ord_id or order_userref"
    assert t.refused("cancel_order", order_id=first) == "Order_id field must be an array"
    assert t.refused("cancel_order", order_id=[5]) == "EGeneral:Invalid arguments:order_id"


def test_cancel_all_and_batches() -> None:
    t = Trader()
    placed = t.ok(
        "batch_add", symbol="BTC/USD",
        orders=[{"order_type": "limit", "side": "buy", "order_qty": D("0.01"), "limit_price": D(60000), "cl_ord_id": n}
                for n in ("a", "b", "a")],
    )  # fmt: skip
    assert [item["cl_ord_id"] for item in placed] == ["a", "b", "a"]
    assert [("order_id" in item, item.get("error")) for item in placed[:2]] == [(True, None)] * 2
    assert placed[2] == {"cl_ord_id": "a", "error": "EGeneral:Invalid arguments:cl_ord_id is already in use"}
    assert t.ok("batch_cancel", orders=[placed[0]["order_id"], "O"], cl_ord_id=["b"]) == {"count": 2}
    t.place()
    t.place(symbol="ETH/USD", limit_price=D(1000), order_qty=D(1))
    assert t.ok("cancel_all") == {"count": 2} and t.ok("cancel_all") == {"count": 0}
    assert t.refused("batch_cancel", orders=["O"]).startswith("EGeneral:Invalid arguments:orders")
    assert t.refused("batch_add", symbol="BTC/USD", orders=[]).startswith("EGeneral:Invalid arguments:orders")
    bad = [t.order() | {"order_qty": D("0.01")}] * 2
    assert t.refused("batch_add", symbol="BTC/USD", orders=bad).startswith("Unsupported field: 'symbol'")
    assert t.rest("OpenOrders")["open"] == {}, "nothing of a batch that is refused"


# --- the dead man's switch --------------------------------------------------------------------------------------------


def test_the_switch_is_replaced_by_the_next_and_disarmed_by_zero() -> None:
    t = Trader()
    order_id = t.place()
    armed = t.ok("cancel_all_orders_after", timeout=60)
    assert armed == {"currentTime": "2026-08-16T10:04:05Z", "triggerTime": "2026-08-16T10:05:05Z"}
    t.wait(50)
    t.ok("cancel_all_orders_after", timeout=60)
    t.wait(50)
    assert t.kinds(order_id)[-1] == "new"
    assert t.ok("cancel_all_orders_after", timeout=0)["triggerTime"] == "0"
    t.wait(100)
    assert t.kinds(order_id)[-1] == "new"
    for wrong in (-1, 86_401, D("1.5"), "60"):
        assert t.refused("cancel_all_orders_after", timeout=wrong) == "EGeneral:Invalid arguments:timeout"


def test_the_switch_survives_its_socket_cancels_everything_and_is_off_afterwards() -> None:
    t = Trader()
    t.place()
    t.place(symbol="ETH/USD", limit_price=D(1000), order_qty=D(1))
    t.ok("cancel_all_orders_after", timeout=5)
    t.socket.close(t.now_ns)
    t.now_ns += 3 * SECOND
    t.dial()
    t.subscribe("executions", snap_orders=True)
    t.heard.clear()
    t.wait(2.5)
    told = t.executions()
    assert [item["exec_type"] for item in told] == ["canceled"] * 2 and all(item["reason"] for item in told)
    assert {item["timestamp"][:19] for item in told} == {"2026-08-16T10:04:10"}
    later = t.place()
    t.wait(20)
    assert t.kinds(later)[-1] == "new"


# --- the counter ------------------------------------------------------------------------------------------------------


def test_known_answer_add_amend_cancel_is_eight() -> None:
    """Kraken docs, guides/spot-ratelimits: add at 0 s, amend at 7 s, cancel 36 s later."""
    t = Trader()
    order_id = t.place()
    t.now_ns += 7 * SECOND
    t.ok("amend_order", order_id=order_id, limit_price=D(59000))
    t.now_ns += 36 * SECOND
    t.ok("cancel_order", order_id=[order_id])
    assert t.venue.engine.counters["BTC/USD"].gross == 8 * ONE


def test_known_answer_fifty_adds_and_ten_seconds_are_26_6() -> None:
    t = Trader(tier="intermediate", subscribed=False)
    for _ in range(50):
        t.place()
    assert t.venue.engine.counters["BTC/USD"].text(t.now_ns + 10 * SECOND) == "26.6"


@pytest.mark.parametrize(
    ("method", "table"),
    [
        ("cancel_order", [(0, 8), (5, 6), (10, 5), (15, 4), (45, 2), (90, 1), (300, 0)]),
        ("amend_order", [(0, 4), (5, 3), (10, 2), (15, 1), (300, 1)]),
        ("edit_order", [(0, 7), (5, 6), (10, 5), (15, 3), (45, 2), (90, 1)]),
        ("batch_cancel", [(0, 16), (5, 12), (10, 10), (15, 8), (45, 4), (90, 2), (300, 0)]),
    ],
)
def test_the_age_table(method: str, table: list[tuple[int, int]]) -> None:
    for age_s, cost in table:
        t = Trader()
        first, second = t.place(), t.place()
        t.now_ns += age_s * SECOND
        every: dict[str, dict[str, Any]] = {
            "cancel_order": {"order_id": [first]}, "amend_order": {"order_id": first, "limit_price": D(59000)},
            "edit_order": {"order_id": first, "symbol": "BTC/USD", "limit_price": D(59000)},
            "batch_cancel": {"orders": [first, second]},
        }  # fmt: skip
        before = t.venue.engine.counters["BTC/USD"].gross
        t.ok(method, **every[method])
        assert t.venue.engine.counters["BTC/USD"].gross - before == cost * ONE, (method, age_s)


def test_over_the_threshold_adds_are_refused_cancels_are_not_and_other_pairs_know_nothing() -> None:
    t = Trader(tier="starter")
    ids = [t.place(order_qty=D("0.0002")) for _ in range(7)]
    for order_id in ids:
        t.ok("cancel_order", order_id=[order_id])  # 7 × (1 + 8) = 63 > 60
    assert t.refused("add_order", **t.order()) == "EOrder:Rate limit exceeded"
    t.place(symbol="ETH/USD", limit_price=D(1000), order_qty=D(1))
    assert t.rest_error("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="60000", volume="0.01") == (
        "EOrder:Rate limit exceeded"
    )
    assert t.ok("cancel_all") == {"count": 1}
    t.now_ns += 4 * SECOND
    t.place()


def test_a_refused_order_counts_too_and_a_batch_half() -> None:
    t = Trader()
    counter = t.venue.engine.counters["BTC/USD"]
    assert t.refused("add_order", **t.order(order_qty=D(500))) == "EOrder:Insufficient funds"
    assert counter.gross == ONE
    item = {"order_type": "limit", "side": "buy", "order_qty": D("0.01"), "limit_price": D(60000)}
    t.ok("batch_add", symbol="BTC/USD", orders=[item] * 3)
    assert counter.gross == ONE + 3 * ONE // 2


def test_the_ack_of_executions_tells_the_threshold() -> None:
    for name, tier in TIERS.items():
        t = Trader(tier=name, subscribed=False)
        ack = t.subscribe("executions")[0]["result"]
        assert ack["maxratecount"] == tier.threshold and len(ack["warnings"]) == 4
