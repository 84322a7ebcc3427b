"""Orders over the private socket: lifecycle, what the executions channel tells, every refusal of the engine."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from runtime.sim.market import DEFAULT_PAIRS, Market
from tests.sim_kraken.trader import SECOND, T0, Trader

D = Decimal


def stamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp((T0 + int(seconds * SECOND)) / SECOND, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def test_an_order_that_rests_is_answered_then_told_in_full_then_as_a_delta_without_symbol() -> None:
    t = Trader()
    ack, pending, new = t.say("add_order", **t.order(cl_ord_id="abc-1", post_only=True))
    assert ack["success"] is True and ack["result"]["cl_ord_id"] == "abc-1"
    order_id = ack["result"]["order_id"]
    assert len(order_id) == 19 and order_id.count("-") == 2
    (full,), (delta,) = pending["data"], new["data"]
    assert full | {"timestamp": ""} == {
        "order_id": order_id, "order_userref": 0, "cl_ord_id": "abc-1", "symbol": "BTC/USD", "order_qty": D("0.01"),
        "cum_cost": D("0.0"), "time_in_force": "GTC", "exec_type": "pending_new", "side": "buy", "order_type": "limit",
        "limit_price_type": "static", "limit_price": D("60000.0"), "post_only": True, "stop_price": D("0.0"),
        "order_status": "pending_new", "fee_usd_equiv": D("0.0"), "fee_ccy_pref": "fciq", "timestamp": "",
    }  # fmt: skip
    assert set(delta) == {"timestamp", "order_status", "exec_type", "order_userref", "order_id"}
    assert (delta["exec_type"], delta["order_status"]) == ("new", "new")
    assert [m["sequence"] for m in (pending, new)] == [3, 4], "two snapshots came before"


def test_a_maker_is_filled_by_the_markets_taker_in_parts_and_filled_is_told_apart() -> None:
    t = Trader()
    bid, ask = t.touch()
    price = bid + D("0.1") if ask - bid > D("0.1") else bid
    ahead = t.venue.market.book("BTC/USD").bids.qty(int(price * 10))
    order_id = t.place(limit_price=price, order_qty=D("0.01"), post_only=True)
    t.sell(str(D(ahead) / 10**8 + D("0.004")))
    t.sell("0.006")
    trades = [item for item in t.executions() if item["exec_type"] == "trade"]
    assert [item["last_qty"] for item in trades] == [D("0.004"), D("0.006")]
    assert {item["liquidity_ind"] for item in trades} == {"m"}
    assert {item["order_status"] for item in trades} == {"partially_filled"}
    assert t.kinds(order_id) == ["pending_new", "new", "trade", "trade", "filled"]
    last = t.executions()[-1]
    assert last["order_status"] == "filled" and last["cum_qty"] == D("0.01") and "symbol" not in last
    fees = [D(item["fees"][0]["qty"]) for item in trades]
    assert fees == [(item["cost"] * D("0.0025")).quantize(D("0.00001"), "ROUND_DOWN") for item in trades]
    assert len({item["exec_id"] for item in trades}) == 2 and trades[1]["trade_id"] > trades[0]["trade_id"]


def test_a_taker_walks_the_book_at_the_takers_fee_and_the_rest_stays() -> None:
    t = Trader()
    _, ask = t.touch()
    best = D(t.venue.market.book("BTC/USD").asks.qty(int(ask * 10))) / 10**8
    order_id = t.place(limit_price=ask, order_qty=best + D("0.5"))
    trade = next(item for item in t.executions() if item["exec_type"] == "trade")
    assert trade["liquidity_ind"] == "t" and trade["last_price"] == ask and trade["last_qty"] == best
    assert trade["fees"][0]["qty"] == (trade["cost"] * D("0.004")).quantize(D("0.00001"), "ROUND_DOWN")
    (row,) = t.rest("OpenOrders")["open"].items()
    assert row[0] == order_id and D(row[1]["vol"]) - D(row[1]["vol_exec"]) == D("0.5")
    assert t.touch()[0] == ask, "what is left is the best bid now"


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_is_filled_or_canceled_never_rests(side: str) -> None:
    t = Trader()
    terms = t.order(order_type="market", side=side, order_qty=D("0.5"))
    del terms["limit_price"]
    order_id = t.ok("add_order", **terms)["order_id"]
    assert t.kinds(order_id)[-1] == "filled" and t.rest("OpenOrders")["open"] == {}
    assert sum(item["last_qty"] for item in t.executions() if item["exec_type"] == "trade") == D("0.5")


def test_a_market_buy_by_cash_spends_no_more() -> None:
    t = Trader()
    terms = {"order_type": "market", "side": "buy", "symbol": "BTC/USD", "cash_order_qty": D("1000")}
    order_id = t.ok("add_order", **terms)["order_id"]
    last = [item for item in t.executions() if item["order_id"] == order_id][-1]
    assert last["exec_type"] == "filled" and D(999) < last["cum_cost"] <= D(1000)


def test_ioc_ends_with_what_it_got_and_fok_takes_all_or_nothing() -> None:
    t = Trader()
    _, ask = t.touch()
    best = D(t.venue.market.book("BTC/USD").asks.qty(int(ask * 10))) / 10**8
    big = {"limit_price": ask, "order_qty": best + D("0.1")}
    killed = t.place(**big, time_in_force="fok")
    assert t.kinds(killed) == ["pending_new", "new", "canceled"]
    part = t.place(**big, time_in_force="ioc")
    assert t.kinds(part) == ["pending_new", "new", "trade", "canceled"]
    whole = t.place(limit_price=t.touch()[1], order_qty=D("0.0001"), time_in_force="fok")
    assert t.kinds(whole) == ["pending_new", "new", "trade", "filled"]
    assert t.rest("OpenOrders")["open"] == {}


def test_a_post_only_order_that_would_cross_is_canceled_or_where_so_set_refused() -> None:
    t = Trader()
    crossing = t.order(limit_price=t.touch()[1], post_only=True)
    order_id = t.ok("add_order", **crossing)["order_id"]
    assert t.kinds(order_id) == ["pending_new", "canceled"]
    last = t.executions()[-1]
    assert last["reason"] == last["cancel_reason"] == "Post only order" and last["cum_qty"] == 0
    t.venue.engine.post_only_error = True
    assert t.refused("add_order", **crossing) == "EOrder:Post only order"


@pytest.mark.parametrize(
    ("stp", "of_resting", "of_new"),
    [
        ("cancel_newest", [], ["pending_new", "new", "canceled"]),
        ("cancel_oldest", ["canceled"], ["pending_new", "new"]),
        ("cancel_both", ["canceled"], ["pending_new", "new", "canceled"]),
    ],
)
def test_an_account_never_trades_with_itself(stp: str, of_resting: list[str], of_new: list[str]) -> None:
    t = Trader()
    _, ask = t.touch()
    best = D(t.venue.market.book("BTC/USD").asks.qty(int(ask * 10))) / 10**8
    resting = t.place(limit_price=ask, order_qty=best + D("0.02"))  # takes the level and is the best bid, alone
    assert t.touch()[0] == ask
    t.heard.clear()
    crossing = t.place(side="sell", limit_price=ask, order_qty=D("0.01"), stp_type=stp)
    assert t.kinds(resting) == of_resting
    assert t.kinds(crossing) == of_new


def test_gtd_expires_an_effective_time_starts_and_a_deadline_in_the_past_is_refused() -> None:
    t = Trader()
    expiring = t.place(time_in_force="gtd", expire_time=stamp(5))
    starting = t.place(effective_time=stamp(3))
    assert t.kinds(starting) == ["pending_new"]
    t.wait(2.9)
    assert t.kinds(starting) == ["pending_new"]
    t.wait(0.2)
    assert t.kinds(starting) == ["pending_new", "new"]
    t.wait(2)
    assert t.kinds(expiring) == ["pending_new", "new", "expired"]
    assert t.executions()[-1]["timestamp"] == stamp(5)[:26] + "Z"
    assert t.refused("add_order", **t.order(deadline=stamp(1))) == "EService:Deadline elapsed"
    assert t.refused("add_order", **t.order(deadline=stamp(5.3))) == "EGeneral:Invalid arguments:deadline"
    assert t.refused("add_order", **t.order(deadline=stamp(120))) == "EGeneral:Invalid arguments:deadline"
    t.place(deadline=stamp(9))


def test_validate_checks_and_places_nothing() -> None:
    t = Trader()
    assert t.ok("add_order", **t.order(validate=True, cl_ord_id="v")) == {"cl_ord_id": "v"}
    assert t.executions() == [] and t.rest("OpenOrders")["open"] == {}
    assert t.refused("add_order", **t.order(validate=True, order_qty=D(1000))) == "EOrder:Insufficient funds"
    assert t.rest("BalanceEx")["ZUSD"]["hold_trade"] == "0.0"


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"order_qty": D(100)}, "EOrder:Insufficient funds"),
    ({"side": "sell", "order_qty": D(11), "limit_price": D(70000)}, "EOrder:Insufficient funds"),
    ({"order_qty": D("0.00001")}, "EOrder:Order minimum not met"),
    ({"order_qty": D("0.00005"), "limit_price": D(5000)}, "EOrder:Cost minimum not met"),
    ({"limit_price": D(0)}, "EOrder:Invalid price"),
    ({"limit_price": D("60000.05")}, "EOrder:Invalid price:BTC/USD price can only be specified up to 1 decimals."),
    ({"order_qty": D("0.000000001")}, "EGeneral:Invalid arguments:order_qty"),
    ({"order_qty": "0.01"}, "Order_qty field must be a number_float"),
    ({"limit_price": "60000"}, "Limit_price field must be a number_float"),
    ({"cash_order_qty": "5"}, "Cash_order_qty field must be a number_float"),
    ({"price": D(5)}, "Unsupported field: 'price' for the given msg type: add order"),
    ({"post_only": 1}, "Post_only field must be a boolean"),
    ({"side": 1}, "Side field must be a string"),
    ({"symbol": "XBT/USD"}, "Currency pair not supported XBT/USD"),
    ({"order_type": "stop-loss"}, "EGeneral:Invalid arguments:order_type"),
    ({"side": "long"}, "EGeneral:Invalid arguments:side"),
    ({"time_in_force": "day"}, "EGeneral:Invalid arguments:time_in_force"),
    ({"time_in_force": "gtd"}, "EGeneral:Invalid arguments:expire_time"),
    ({"effective_time": "2020-01-01T00:00:00Z"}, "EGeneral:Invalid arguments:effective_time"),
    ({"reduce_only": True}, "EOrder:Reduce only:No position exists"),
    ({"margin": True}, "EOrder:Margin allowance exceeded"),
    ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "ä"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "a", "order_userref": 1}, "EGeneral:Invalid arguments:cl_ord_id and userref are mutually exclusive"),
    ({"order_userref": 2**31}, "EGeneral:Invalid arguments:userref"),
    ({"order_userref": "1"}, "Order_userref field must be an integer"),
    ({"no_mpp": True},
     "EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market"),
    ({"cash_order_qty": D(5)}, "EGeneral:Invalid arguments:cash_order_qty is for market buys"),
    ({"post_only": True, "time_in_force": "ioc"},
     "EGeneral:Invalid arguments:post_only with an immediate time in force"),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "error"), REFUSALS, ids=[error for _, error in REFUSALS])
def test_each_refusal_in_the_venues_words(terms: dict[str, Any], error: str) -> None:
    t = Trader()
    assert t.refused("add_order", **t.order(**terms)) == error
    assert t.executions() == [] and not any(t.venue.engine.account.held.values())


def test_a_price_off_the_tick_is_refused() -> None:
    coarse = [msgspec.structs.replace(DEFAULT_PAIRS[0], tick=5, start_price=628_070)]
    t = Trader(market=Market(coarse, 3))
    assert t.refused("add_order", **t.order(limit_price=D("60000.1"))) == "EOrder:Tick size check failed"
    t.place(limit_price=D("60000.5"))


@pytest.mark.parametrize(
    "cl_ord_id", ["a", "x" * 18, "0835958d-c526-4ad8-aea8-af54836de47e", "0835958dc5264ad8aea8af54836de47e"]
)
def test_client_ids_are_unique_among_open_orders_only(cl_ord_id: str) -> None:
    t = Trader()
    t.place(cl_ord_id=cl_ord_id)
    assert t.refused("add_order", **t.order(cl_ord_id=cl_ord_id)).startswith("EGeneral:Invalid arguments:cl_ord_id")
    t.ok("cancel_order", cl_ord_id=[cl_ord_id])
    t.place(cl_ord_id=cl_ord_id)


def test_open_orders_per_pair_are_limited() -> None:
    t = Trader(tier="starter", subscribed=False)
    for _ in range(60):
        t.place(order_qty=D("0.0002"))
        t.now_ns += SECOND
    assert t.refused("add_order", **t.order()) == "EOrder:Orders limit exceeded"
    t.place(symbol="ETH/USD", limit_price=D(1000), order_qty=D(1))


def test_the_systems_state_decides_what_is_taken() -> None:
    t = Trader()
    order_id = t.place()
    for system, plain, post in (
        ("cancel_only", "EService:Market in cancel_only mode", "EService:Market in cancel_only mode"),
        ("maintenance", "EService:Unavailable", "EService:Unavailable"),
        ("post_only", "EService:Market in post_only mode", ""),
        ("limit_only", "", ""),
    ):
        t.venue.set_status(system, t.now_ns)
        assert t.collect()[-1]["data"][0]["system"] == system
        for terms, error in (({}, plain), ({"post_only": True}, post)):
            answer = t.ask("add_order", **t.order(**terms))
            assert answer.get("error", "") == error
    market = t.order(order_type="market")
    del market["limit_price"]
    assert t.refused("add_order", **market) == "EService:Market in limit_only mode"
    t.venue.set_status("cancel_only", t.now_ns)
    assert t.refused("amend_order", order_id=order_id, limit_price=D(59000)) == "EService:Market in cancel_only mode"
    t.ok("cancel_order", order_id=[order_id])
    t.venue.set_status("online", t.now_ns)
    t.venue.set_pair_status("BTC/USD", "post_only", t.now_ns)
    assert t.refused("add_order", **t.order()) == "EService:Market in post_only mode"


def test_private_requests_need_a_token_and_a_private_socket_and_leave_the_socket_open() -> None:
    t = Trader()
    for token in ({}, {"token": "wrong"}, {"token": 5}):
        (answer,) = t.say("add_order", with_token=False, **t.order(), **token)
        assert (answer["success"], answer["error"]) == (False, "ESession:Invalid session")
    t.dial(is_private=False)
    assert "ws-auth" in t.refused("add_order", **t.order())
    assert "ws-auth" in t.refused("subscribe", channel="executions")
    t.dial()
    t.place()


def test_a_token_is_good_for_900_s_and_for_as_long_as_its_subscription_lives() -> None:
    t = Trader()
    t.wait(901)
    t.place()  # its connection subscribed with it in time
    t.dial()
    assert t.refused("subscribe", channel="executions") == "ESession:Invalid session"
    t.token = ""
    t.subscribe("executions", snap_orders=True)
    assert t.kinds()[-1] == "new"


def test_a_key_without_rights_is_refused() -> None:
    t = Trader(permissions=("create-ws-token",), subscribed=False)
    assert t.refused("add_order", **t.order()) == "EGeneral:Permission denied"
    assert t.refused("cancel_all") == "EGeneral:Permission denied"
    assert t.rest_error("OpenOrders") == "EGeneral:Permission denied"
    assert t.rest("GetApiKeyInfo")["permissions"] == ["create-ws-token"]
