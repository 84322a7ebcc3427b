"""Faults of trading: what a client sees of each, and what is true at the venue meanwhile."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from runtime.sim.frames import Close
from tests.sim_kraken.trader import SECOND, Message, Trader, parse

D = Decimal

LOST = Close(1006, "cut")


def what(messages: list[Message]) -> list[str]:
    """Answers by method, executions by their kind."""
    return [
        m["method"] if "method" in m else m["data"][0]["exec_type"] for m in messages if "data" in m or "method" in m
    ]


def sequences(t: Trader) -> list[int]:
    return [m["sequence"] for m in t.heard if m.get("channel") == "executions"]


def whole(t: Trader) -> bool:
    """Whether the sequence has no holes."""
    return all(second == first + 1 for first, second in pairwise(sequences(t)))


def test_by_default_the_answer_comes_first() -> None:
    t = Trader()
    assert what(t.say("add_order", **t.order())) == ["add_order", "pending_new", "new"]


def test_executions_first() -> None:
    t = Trader("executions_first")
    assert what(t.say("add_order", **t.order())) == ["pending_new", "new", "add_order"]


def test_ack_lost() -> None:
    t = Trader("ack_lost,on=add_order,nth=2")
    t.place()
    assert what(t.say("add_order", **t.order(cl_ord_id="lost"))) == ["pending_new", "new"]
    assert [row.get("cl_ord_id") for row in t.rest("OpenOrders")["open"].values()] == ["lost", None]
    t.place()


def test_ack_late() -> None:
    t = Trader("ack_late=800")
    assert what(t.say("add_order", **t.order())) == ["pending_new", "new"]
    assert t.wait(0.79) == []
    assert what(t.wait(0.02)) == ["add_order"]


def test_response_lost() -> None:
    """The order lives; it is found in the next snapshot, in OpenOrders too, by its client id."""
    t = Trader("response_lost")
    assert t.say("add_order", **t.order(cl_ord_id="lost")) == []
    assert t.closes == [LOST] and not t.socket.is_open
    (row,) = t.rest("OpenOrders", cl_ord_id="lost")["open"].values()
    assert row["status"] == "open"
    t.dial()
    snapshot = t.subscribe("executions", snap_orders=True)[-1]
    assert snapshot["type"] == "snapshot" and snapshot["data"][0]["cl_ord_id"] == "lost"


def test_engine_late() -> None:
    """Nothing happens for so long; a deadline that passes meanwhile is held to."""
    t = Trader("engine_late=1000,times=2")
    assert t.say("add_order", **t.order()) == []
    assert what(t.wait(1.01)) == ["add_order", "pending_new", "new"]
    assert t.say("add_order", **t.order(deadline="2026-08-16T10:04:06.900Z")) == []
    (answer,) = [m for m in t.wait(1.01) if "method" in m]
    assert answer["error"] == "EService:Deadline elapsed"


def test_rate_limit() -> None:
    t = Trader("rate_limit,times=2")
    for _ in range(2):
        assert t.refused("add_order", **t.order()) == "EOrder:Rate limit exceeded"
    order_id = t.place()
    t.faults.set("rate_limit")
    t.ok("cancel_order", order_id=[order_id])


def test_refuse() -> None:
    t = Trader("refuse=EGeneral:Internal error:7,times=1")
    assert t.refused("add_order", **t.order()) == "EGeneral:Internal error:7"
    assert t.rest("OpenOrders")["open"] == {}
    t.place()


def test_busy_live() -> None:
    t = Trader("busy_live")
    assert t.refused("add_order", **t.order()) == "EService:Busy"
    assert len(t.rest("OpenOrders")["open"]) == 1
    t.faults.set("busy_live")
    assert t.rest_error("CancelAll") == "EService:Busy" and t.rest("OpenOrders")["open"] == {}


def test_token_expired() -> None:
    t = Trader("token_expired,on=subscribe", subscribed=False)
    assert t.refused("subscribe", channel="executions") == "ESession:Invalid session"
    t.token = ""
    assert t.subscribe("executions")[0]["success"] is True
    t.faults.set("token_expired")
    assert t.refused("add_order", **t.order()) == "ESession:Invalid session"
    t.place()


def test_fill_before_ack() -> None:
    t = Trader("fill_before_ack=40,times=1", "fill_before_ack")
    messages = t.say("add_order", **t.order())
    assert what(messages) == ["pending_new", "new", "trade", "add_order"]
    assert messages[2]["data"][0]["last_qty"] == D("0.004")
    assert what(t.say("add_order", **t.order())) == ["pending_new", "new", "trade", "filled", "add_order"]
    assert t.kinds().count("filled") == 1


def test_fill_after_cancel_ack() -> None:
    t = Trader("fill_after_cancel_ack=50,times=1", "fill_after_cancel_ack")
    order_id = t.place()
    assert what(t.say("cancel_order", order_id=[order_id])) == ["cancel_order", "trade", "canceled"]
    order_id = t.place(cl_ord_id="x")
    assert what(t.say("cancel_order", cl_ord_id=["x"])) == ["cancel_order", "trade", "filled"]
    assert t.rest("QueryOrders", txid=order_id)[order_id]["status"] == "closed"


def test_cancel_reject_after_fill() -> None:
    t = Trader("cancel_reject_after_fill,times=2")
    order_id = t.place()
    messages = t.say("cancel_order", order_id=[order_id])
    assert what(messages) == ["cancel_order", "trade", "filled"]
    assert messages[0]["error"] == "EOrder:Unknown order"
    order_id = t.place()
    assert t.rest_error("CancelOrder", txid=order_id) == "EOrder:Unknown order"
    t.collect()
    assert t.kinds(order_id)[-1] == "filled"


def test_partial_then_cancel() -> None:
    t = Trader("partial_then_cancel=30")
    messages = t.say("cancel_order", order_id=[t.place()])
    assert what(messages) == ["cancel_order", "trade", "canceled"]
    assert messages[-1]["data"][0]["cum_qty"] == D("0.003")


def filled(t: Trader) -> list[Message]:
    t.place(limit_price=t.touch()[1], order_qty=D("0.01"))
    return [item for item in t.executions() if item["exec_type"] == "trade"]


def test_duplicate_fill() -> None:
    t = Trader("duplicate_fill")
    first, second = filled(t)
    assert first["exec_id"] == second["exec_id"] and second["sequence"] == first["sequence"] + 1
    assert whole(t) and t.rest("TradesHistory")["count"] == 1


def test_reordered_fill() -> None:
    t = Trader("reordered_fill")
    filled(t)
    assert t.kinds() == ["pending_new", "new", "filled", "trade"]
    assert sequences(t)[-2:] == [6, 5]
    t.faults.set("reordered_fill")
    bid = t.touch()[0]
    order_id = t.place(limit_price=bid, order_qty=D("0.5"))
    t.sell(str(D(t.venue.market.book("BTC/USD").bids.qty(int(bid * 10))) / 10**8 - D("0.4")))
    assert t.kinds(order_id) == ["pending_new", "new"]
    t.wait(1.1)
    assert t.kinds(order_id) == ["pending_new", "new", "trade"], "nothing followed: it comes with the next heartbeat"


def test_dropped_fill() -> None:
    t = Trader("dropped_fill")
    assert filled(t) == [] and whole(t)
    assert t.kinds() == ["pending_new", "new", "filled"] and t.rest("TradesHistory")["count"] == 1


def test_sequence_gap() -> None:
    t = Trader("sequence_gap,nth=2")
    t.place()
    assert t.kinds() == ["pending_new"]
    t.place()
    assert sequences(t) == [3, 5, 6]


def test_executions_late() -> None:
    t = Trader("executions_late=1000")
    t.subscribe("balances", snapshot=False)
    assert what(t.say("add_order", **t.order(limit_price=t.touch()[1]))) == ["add_order"]
    t.wait(0.9)
    assert t.kinds() == []
    t.wait(0.2)
    assert t.kinds() == ["pending_new", "new", "trade", "filled"] and whole(t)
    assert [m["channel"] for m in t.heard if "channel" in m].count("balances") == 1


def test_executions_off() -> None:
    t = Trader("executions_off@2")
    t.place()
    t.wait(2)
    assert what(t.say("add_order", **t.order())) == ["add_order"]
    t.faults.clear("executions_off")
    t.place()
    assert whole(t) and len(t.rest("OpenOrders")["open"]) == 3


def test_exponents() -> None:
    t = Trader("exponents")
    t.place(order_qty=D("0.00005"), limit_price=D(60000))
    assert '"order_qty":5e-05,' in t.raw[-2] and t.executions()[-2]["order_qty"] == D("0.00005")
    t.place(order_qty=D("0.000051"), limit_price=D(60000))
    assert '"order_qty":5.1e-05,' in t.raw[-2] and t.executions()[-2]["order_qty"] == D("0.000051")


@pytest.mark.parametrize("lag", [0, 5, 60])
def test_delayed_visibility(lag: int) -> None:
    t = Trader(f"delayed_visibility={lag}")
    order_id = t.place(cl_ord_id="seen")
    t.place(limit_price=t.touch()[1], order_qty=D("0.01"))
    t.ok("cancel_order", order_id=[order_id])

    def seen() -> tuple[int, int, int]:
        closed = t.rest("ClosedOrders")
        return len(t.rest("OpenOrders")["open"]), closed["count"], t.rest("TradesHistory")["count"]

    if lag:
        assert seen() == (0, 0, 0)
        assert t.rest_error("QueryOrders", txid=order_id) == "EOrder:Invalid order"
        t.now_ns += lag * SECOND - 1
        t.nonce += lag * SECOND
        assert seen() == (0, 0, 0)
        t.now_ns += 1
    t.now_ns += 10 * SECOND * (lag > 0)
    assert seen() == (0, 2, 1)


def test_an_order_is_seen_open_before_its_end_is() -> None:
    t = Trader("delayed_visibility=5")
    order_id = t.place()
    t.now_ns += 3 * SECOND
    t.ok("cancel_order", order_id=[order_id])
    t.now_ns += 3 * SECOND
    assert list(t.rest("OpenOrders")["open"]) == [order_id]
    t.now_ns += 3 * SECOND
    assert t.rest("OpenOrders")["open"] == {}


# --- REST -------------------------------------------------------------------------------------------------------------

TERMS: dict[str, Any] = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000", "volume": "0.01"}


@pytest.mark.parametrize(("status", "title"), [(502, "502 Bad Gateway"), (503, "503"), (520, "520")])
def test_gateway_error_and_gateway_error_live(status: int, title: str) -> None:
    for name, orders in (("gateway_error", 0), ("gateway_error_live", 1)):
        t = Trader(f"{name}={status}", subscribed=False)
        answer = t.request("AddOrder", **TERMS)
        assert answer.status == status and answer.content_type == "text/html" and title in answer.body.decode()
        assert len(t.rest("OpenOrders")["open"]) == orders


def test_rest_lost() -> None:
    t = Trader("rest_lost,on=add_order")
    assert not t.request("Balance").is_lost
    assert t.request("AddOrder", **TERMS, cl_ord_id="lost").is_lost
    assert len(t.rest("OpenOrders", cl_ord_id="lost")["open"]) == 1


def test_rest_late() -> None:
    t = Trader("rest_late=700,times=1", subscribed=False)
    assert t.request("Balance").delay_ns == 700_000_000
    assert t.request("Balance").delay_ns == 0


def test_http_429() -> None:
    t = Trader("http_429", subscribed=False)
    assert t.request("AddOrder", **TERMS).status == 429
    assert t.rest("OpenOrders")["open"] == {}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rest_rate_limit", "EAPI:Rate limit exceeded"),
        ("nonce_error", "EAPI:Invalid nonce"),
        ("throttled=9", "EService: Throttled: 1786874654"),
    ],
)
def test_rest_rate_limit_nonce_error_and_throttled(fault: str, error: str) -> None:
    t = Trader(fault, subscribed=False)
    assert t.rest_error("AddOrder", **TERMS) == error
    assert t.rest("OpenOrders")["open"] == {}


def test_ban() -> None:
    t = Trader("ban@1")
    t.place()
    t.now_ns += SECOND
    assert t.rest_error("Balance") == "EGeneral:Temporary lockout"
    refusal = t.venue.refusal(t.now_ns)
    assert refusal is not None and refusal.status == 429
    assert parse(t.venue.rest("GET", "/0/public/Time", {}, b"", t.now_ns).body)["error"] == []
    t.faults.clear("ban")
    assert t.venue.refusal(t.now_ns) is None
