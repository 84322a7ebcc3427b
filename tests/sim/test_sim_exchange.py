"""The neutral engine of simulated exchanges: what an account has, what becomes of orders, by any venue's rules."""

from __future__ import annotations

import os
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sim.exchange.engine import Engine
from runtime.sim.exchange.numbers import ONE, UNIT, cost_of
from runtime.sim.exchange.order import NewSpec, Order
from runtime.sim.exchange.pairs import spot_pairs
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.exchange.rules import Numbers, Rules, Uuids
from runtime.sim.market import NS, Market

T0 = 1_786_000_000 * NS
BTC = "BTC/USDT"
PAIRS = spot_pairs("USDT", {"BTC": (2, 5), "ETH": (2, 4)})
FUNDS = {"USDT": 1_000_000 * ONE, "BTC": 10 * ONE, "ETH": 100 * ONE}


def engine(**rules: Any) -> Engine:
    made = Engine(Market(PAIRS, 5), FUNDS, Rules(**{"maker_ppm": 500, "taker_ppm": 1000, **rules}), Numbers(5))
    for step in range(300):
        made.market.step(T0 - NS + step)
    return made


def touch(made: Engine, side: str) -> int:
    """The price at which an order of this side would rest best."""
    book = made.market.book(BTC)
    return (book.bids if side == "buy" else book.asks).price(0)


def spec(made: Engine, side: Literal["buy", "sell"] = "buy", *, away: int = 0, **terms: Any) -> NewSpec:
    """A limit order so many ticks away from the touch; negative: through the book."""
    price = touch(made, side) + (-away if side == "buy" else away)
    return NewSpec(**{"symbol": BTC, "side": side, "order_type": "limit", "qty": 1_000, "price": price, **terms})


def market_spec(side: Literal["buy", "sell"] = "buy", **terms: Any) -> NewSpec:
    return NewSpec(**{"symbol": BTC, "side": side, "order_type": "market", **terms})


def kinds(made: Engine) -> list[str]:
    return [told.kind for told in made.told]


def refused(made: Engine, wanted: NewSpec) -> Refusal:
    before = (len(made.orders), dict(made.account.held))
    with pytest.raises(Refused) as caught:
        made.place(wanted, T0)
    assert (len(made.orders), made.account.held | before[1]) == (before[0], made.account.held), "it left a trace"
    return caught.value.refusal


# --- births and ends -------------------------------------------------------------------------------------------------


def test_a_limit_order_rests_is_amended_and_cancelled() -> None:
    made = engine()
    order = made.place(spec(made, away=100, cl_ord_id="a"), T0)
    assert (order.status, order.resting, kinds(made)) == ("new", True, ["new"])
    assert made.account.held["USDT"] == -cost_of(order.pair, -order.price, order.qty)
    ahead = made.matcher.resting(BTC).ahead(order.order_id)
    made.amend(order, T0 + 1, qty=600)
    assert (order.qty, made.matcher.resting(BTC).ahead(order.order_id)) == (600, ahead), "less keeps its place"
    made.amend(order, T0 + 2, price=order.price - 1)
    assert order.resting and made.account.held["USDT"] == -cost_of(order.pair, -order.price, 600)
    assert made.find(cl_ord_id="a") is order
    made.cancel(order, T0 + 3)
    assert (order.status, order.reason, made.open) == ("canceled", "user", {})
    assert kinds(made) == ["new", "amended", "amended", "canceled"]
    assert made.account.held["USDT"] == 0
    assert [one.status for one in made.as_of(T0)] == ["new"]
    with pytest.raises(Refused, match="canceled"):
        made.find(order_id=order.order_id)


def test_a_market_order_pays_its_fee_in_what_it_receives() -> None:
    made = engine(fee_in="received")
    order = made.place(market_spec(qty=20_000), T0)
    assert order.status == "filled" and kinds(made)[0] == "new" and set(kinds(made)[1:]) == {"trade"}
    fills = [made.fills[exec_id] for exec_id in order.fills]
    assert {fill.fee_asset for fill in fills} == {"BTC"}
    lots = 20_000 * 10 ** (UNIT - 5)
    assert made.account.balances["BTC"] == 10 * ONE + lots - sum(fill.fee for fill in fills)
    assert made.account.balances["USDT"] == 1_000_000 * ONE - sum(fill.cost for fill in fills)
    assert made.told[-1].order.status == "filled", "the trade that fills it says so itself"
    sold = engine(fee_in="quote").place(market_spec("sell", qty=10), T0)
    assert set(sold.fees) == {"USDT"}


def test_a_market_order_by_amount_spends_no_more_and_nearly_all() -> None:
    for side in ("buy", "sell"):
        made = engine()
        order = made.place(market_spec(side, cash=5_000 * ONE), T0)
        assert order.status == "filled" and order.qty == order.cum_qty
        last = made.fills[order.fills[-1]]
        assert 0 <= 5_000 * ONE - order.cum_cost < cost_of(order.pair, last.price, 1) + 1
        assert not any(made.account.held.values())


def test_ioc_and_fok_never_rest() -> None:
    made = engine()
    top = made.market.book(BTC).asks.top(1)[0]
    ioc = made.place(spec(made, "buy", price=top[0], qty=top[1] + 5, tif="ioc"), T0)
    assert (ioc.status, ioc.reason, ioc.cum_qty) == ("canceled", "ioc", top[1])
    top = made.market.book(BTC).asks.top(1)[0]
    fok = made.place(spec(made, "buy", price=top[0], qty=top[1] + 5, tif="fok"), T0)
    assert (fok.status, fok.reason, fok.cum_qty) == ("canceled", "fok", 0)
    assert made.place(spec(made, "buy", price=top[0], qty=top[1], tif="fok"), T0).status == "filled"


def test_post_only_is_refused_or_canceled_as_the_venue_does_it() -> None:
    made = engine(post_only="refuse")
    assert refused(made, spec(made, away=-500, post_only=True)) is Refusal.POST_ONLY
    made = engine(post_only="cancel")
    order = made.place(spec(made, away=-500, post_only=True), T0)
    assert (order.status, order.reason, kinds(made)) == ("canceled", "post_only", ["canceled"])
    rests = made.place(spec(made, away=5, post_only=True), T0)
    made.amend(rests, T0, price=touch(made, "sell") + 10)
    assert (rests.status, rests.reason, rests.cum_qty) == ("canceled", "post_only", 0)


@pytest.mark.parametrize(
    ("stp", "older", "newer"),
    [("cancel_newest", "new", "canceled"), ("cancel_oldest", "canceled", "new"),
     ("cancel_both", "canceled", "canceled"), ("none", "filled", "filled")],
)  # fmt: skip
def test_an_account_that_meets_itself(stp: str, older: str, newer: str) -> None:
    made = engine(stp=stp)
    price = touch(made, "sell") - 1
    assert price > touch(made, "buy")
    resting = made.place(spec(made, "sell", price=price), T0)
    taker = made.place(spec(made, "buy", price=price), T0)
    assert (resting.status, taker.status) == (older, newer)
    if stp == "none":
        assert made.account.balances["BTC"] == 10 * ONE - sum(
            fill.fee for fill in made.fills.values() if not fill.maker
        )


def test_what_is_refused() -> None:
    made = engine()
    assert refused(made, spec(made, qty=0)) is Refusal.SIZE
    assert refused(made, spec(made, price=0)) is Refusal.PRICE
    assert refused(made, spec(made, qty=1)) is Refusal.COST_MIN
    assert refused(made, spec(made, qty=10**9)) is Refusal.NO_FUNDS
    assert refused(made, market_spec("sell", qty=10 * 10**5 + 1)) is Refusal.NO_FUNDS
    assert refused(made, NewSpec(symbol="X/Y", side="buy", order_type="limit")) is Refusal.SYMBOL
    for mode in ("maintenance", "cancel_only", "post_only"):
        made.system = mode
        assert refused(made, spec(made, away=5)) is Refusal.MODE
    made.system = "limit_only"
    assert refused(made, market_spec(qty=100)) is Refusal.MODE
    made.system = "online"
    made.check(spec(made, away=5), T0)
    assert not made.orders and not any(made.account.held.values()), "a check leaves nothing"


def test_client_ids_are_unique_as_the_venue_wants_it() -> None:
    for mode, after in (("open", "placed"), ("ever", "refused"), ("returns", "same")):
        made = engine(client_ids=mode)
        first = made.place(spec(made, away=50, cl_ord_id="x"), T0)
        if mode == "returns":
            assert made.place(spec(made, away=70, cl_ord_id="x"), T0) is first
        else:
            assert refused(made, spec(made, away=50, cl_ord_id="x")) is Refusal.DUPLICATE
        made.cancel(first, T0)
        if after == "refused":
            assert refused(made, spec(made, away=50, cl_ord_id="x")) is Refusal.DUPLICATE
        else:
            assert (made.place(spec(made, away=50, cl_ord_id="x"), T0) is first) is (after == "same")


def test_time_ends_orders_and_fires_the_switch() -> None:
    made = engine()
    dated = made.place(spec(made, away=50, tif="gtd", expire_ns=T0 + NS), T0)
    other = made.place(spec(made, away=50), T0)
    assert made.arm(3, T0) == T0 + 3 * NS == max(made.next_ns or 0, made.trigger_ns)
    made.advance(T0 + 2 * NS)
    assert (dated.status, other.status) == ("expired", "new")
    made.advance(T0 + 3 * NS)
    assert (other.status, other.reason, made.next_ns) == ("canceled", "timer", None)


def test_a_fill_that_is_forced_is_a_fill() -> None:
    made = engine()
    order = made.place(spec(made, away=50), T0)
    made.matcher.force(order, 400, T0 + 1)
    assert (order.status, order.cum_qty, order.left_1e8) == ("partially_filled", 400, 600_000)
    made.matcher.force(order, 600, T0 + 2)
    assert (order.status, order.resting, made.open) == ("filled", False, {})
    [first, second] = made.fills.values()
    assert (first.maker, second.maker, first.qty_1e8, first.px_1e9) == (True, True, 400_000, order.price * 10**7)


def test_ids_have_the_venues_form_and_are_the_same_for_a_seed() -> None:
    assert Uuids(3).order(1) == Uuids(3).order(1) != Uuids(4).order(1)
    parts = Uuids(3).fill(7).split("-")
    assert [len(part) for part in parts] == [8, 4, 4, 4, 12] and parts[2][0] == "4" and parts[3][0] in "89ab"
    numbers = Numbers(3)
    assert int(numbers.order(2)) > int(numbers.order(1)) and int(numbers.fill(2)) == int(numbers.fill(1)) + 1


# --- whatever anybody does -------------------------------------------------------------------------------------------

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["limit", "ioc", "market", "cash", "cancel", "amend", "step", "force", "all"]),
        st.sampled_from(["buy", "sell"]), st.integers(-300, 300), st.integers(1, 200_000), st.integers(0, 99),
    ),
    max_size=40,
)  # fmt: skip


def do(made: Engine, action: tuple[str, Any, int, int, int], now_ns: int) -> None:
    what, side, away, qty, which = action
    orders = list(made.open.values())
    order: Order | None = orders[which % len(orders)] if orders else None
    match what:
        case "limit" | "ioc":
            made.place(spec(made, side, away=away, qty=qty, tif="gtc" if what == "limit" else "ioc"), now_ns)
        case "market":
            made.place(market_spec(side, qty=qty), now_ns)
        case "cash":
            made.place(market_spec(side, cash=qty * 10**7), now_ns)
        case "step":
            for _ in range(which):
                made.market.step(now_ns)
        case "all":
            made.cancel_all(now_ns, side=side)
        case _ if order is None:
            return
        case "cancel":
            made.cancel(order, now_ns)
        case "amend":
            made.amend(order, now_ns, qty=qty, price=max(1, order.price + away))
        case "force" if order.resting:
            made.matcher.force(order, max(1, order.left * (which + 1) // 100), now_ns)


@settings(max_examples=int(os.environ.get("VENUEGATE_EXCHANGE_EXAMPLES", "50")))
@given(
    ACTIONS, st.sampled_from(["quote", "received"]), st.sampled_from(["none", "cancel_newest", "cancel_oldest"]),
    st.sampled_from(["refuse", "ends"]),
)  # fmt: skip
def test_money_is_conserved_and_never_promised_twice(actions: Any, fee_in: str, stp: str, below: str) -> None:
    made = engine(fee_in=fee_in, stp=stp, amend_below=below)
    for number, action in enumerate(actions):
        try:
            do(made, action, T0 + number)
        except Refused:
            continue
        for asset in FUNDS:
            assert made.account.free(asset) >= 0
    want = dict(FUNDS)
    for fill in made.fills.values():
        lots, sign = fill.qty * 10 ** (UNIT - 5), 1 if fill.side == "buy" else -1
        want["BTC"] += sign * lots
        want["USDT"] -= sign * fill.cost
        want[fill.fee_asset] -= fill.fee
    assert made.account.balances == want
    for order in made.orders.values():
        assert order.cum_qty == sum(made.fills[exec_id].qty for exec_id in order.fills)
        assert order.is_open == (order.order_id in made.open) == (order.resting and order.cum_qty < order.qty)
    last = {told.order.order_id: told.order for told in made.told}
    assert {key: (one.status, one.cum_qty) for key, one in last.items()} == {
        key: (one.status, one.cum_qty) for key, one in made.orders.items()
    }, "what was told is what is"
    book = made.market.book(BTC)
    for side in ("bid", "ask"):
        resting = made.matcher.resting(BTC)
        for price, qty in resting.ladder(side).top(200):
            assert qty >= resting.held(side, price)
    assert book.bids.price(0) < book.asks.price(0)
