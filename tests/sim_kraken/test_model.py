"""The matching engine against a simple independent model: lists of lots in the order of their arrival."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim_kraken.trader import MS, Trader, take

D = Decimal

SYMBOL = "BTC/USD"
LOT = D("0.00000001")


class Model:
    """A book as queues: price → [[owner, lots], …], owner "" for everybody else."""

    def __init__(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self.sides: dict[str, dict[int, list[Any]]] = {
            "buy": {p: [["", q]] for p, q in bids}, "sell": {p: [["", q]] for p, q in asks},
        }  # fmt: skip
        self.filled: dict[str, int] = {}
        self.left: dict[str, int] = {}
        self.where: dict[str, tuple[str, int]] = {}

    def best(self, side: str) -> int:
        return (max if side == "buy" else min)(self.sides[side])

    def hit(self, side: str, lots: int, owner: str = "", limit: int = 0) -> int:
        """Takes from `side` best price first, front of the queue first; what is left of the lots. Stops at oneself."""
        while lots:
            price = self.best(side)
            if limit and (price < limit if side == "buy" else price > limit):
                break
            queue = self.sides[side][price]
            who, there = queue[0]
            if who and owner:
                self.left[owner] = 0  # cancel_newest
                return 0
            part = min(there, lots)
            lots -= part
            queue[0][1] -= part
            for name in (who, owner):
                if name:
                    self.filled[name] = self.filled.get(name, 0) + part
                    self.left[name] -= part
            if not queue[0][1]:
                del queue[0]
            if not queue:
                del self.sides[side][price]
        return lots

    def place(self, name: str, side: str, price: int, lots: int) -> None:
        self.left[name] = lots
        self.filled.setdefault(name, 0)
        rest = self.hit("sell" if side == "buy" else "buy", lots, name, price)
        if rest:
            self.sides[side].setdefault(price, []).append([name, rest])
            self.where[name] = (side, price)

    def remove(self, name: str) -> None:
        side, price = self.where[name]
        self.sides[side][price] = [entry for entry in self.sides[side][price] if entry[0] != name]
        if not self.sides[side][price]:
            del self.sides[side][price]

    def shrink(self, name: str, lots: int) -> None:
        side, price = self.where[name]
        next(entry for entry in self.sides[side][price] if entry[0] == name)[1] = lots
        self.left[name] = lots

    def open(self) -> dict[str, int]:
        return {entry[0]: entry[1] for side in self.sides.values() for q in side.values() for entry in q if entry[0]}

    def top(self, side: str, depth: int) -> list[tuple[int, int]]:
        prices = sorted(self.sides[side], reverse=side == "buy")[:depth]
        return [(price, sum(lots for _, lots in self.sides[side][price])) for price in prices]


sides = st.sampled_from(["buy", "sell"])
step = st.one_of(
    # number: a level of the own side to join (0 … 2), beside one (3 … 5), one of the other side to take (6 … 8)
    st.tuples(st.just("place"), sides, st.integers(0, 8), st.integers(5_000, 90_000_000)),
    st.tuples(st.just("place"), sides, st.integers(0, 1), st.integers(5_000, 20_000_000)),
    st.tuples(st.just("take"), sides, st.just(0), st.integers(1, 150_000_000)),
    st.tuples(st.just("cancel"), st.just(""), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("amend"), st.sampled_from(["qty", "price"]), st.integers(0, 9), st.integers(6_000, 90_000_000)),
)


class Run:
    """A venue that stands still and the model beside it."""

    def __init__(self, seed: int) -> None:
        self.t = Trader(seed=seed, balances={"USD": "400000", "BTC": "6"})
        book = self.t.venue.market.book(SYMBOL)
        self.model = Model(book.bids.top(len(book.bids)), book.asks.top(len(book.asks)))

    def do(self, kind: str, word: str, number: int, lots: int) -> None:
        t, model = self.t, self.model
        t.now_ns += 1_000 * MS
        if kind == "take":
            take(t.venue, SYMBOL, "bid" if word == "sell" else "ask", str(lots * LOT), t.now_ns)
            t.collect()
            model.hit("buy" if word == "sell" else "sell", lots)
            return
        if kind == "place":
            price = self.price(word, number)
            answer = t.ask("add_order", **t.order(side=word, limit_price=D(price) / 10, order_qty=lots * LOT))
            if answer["success"]:
                model.place(answer["result"]["order_id"], word, price, lots)
            else:
                assert answer["error"] in {
                    "EOrder:Insufficient funds", "EOrder:Order minimum not met", "EOrder:Rate limit exceeded",
                }  # fmt: skip
            return
        names = sorted(model.open())
        if names:
            self.change(names[number % len(names)], kind, word, number, lots)

    def price(self, side: str, number: int) -> int:
        """Of the level that the number means."""
        other = "sell" if side == "buy" else "buy"
        price = self.model.top(side if number < 6 else other, 3)[number % 3][0]
        return price - (3 <= number < 6) * (1 if side == "buy" else -1)

    def change(self, name: str, kind: str, word: str, number: int, lots: int) -> None:
        t, model = self.t, self.model
        if kind == "cancel":
            t.ok("cancel_order", order_id=[name])
            model.remove(name)
            return
        side, price = model.where[name]
        total = model.filled[name] + lots if word == "qty" else model.filled[name] + model.open()[name]
        wanted = price + (number - 5) * (word == "price")
        answer = t.ask("amend_order", order_id=name, order_qty=total * LOT, limit_price=D(wanted) / 10)
        if not answer["success"]:
            assert answer["error"] in {"EOrder:Insufficient funds", "EOrder:Order minimum not met"}, answer
        elif wanted == price and lots <= model.open()[name] and word == "qty":
            model.shrink(name, lots)
        elif (wanted, word) != (price, "price"):
            model.remove(name)
            model.place(name, side, wanted, total - model.filled[name])

    def check(self) -> None:
        t, model, engine = self.t, self.model, self.t.venue.engine
        assert {name: order.left for name, order in engine.open.items()} == model.open()
        assert {name: order.cum_qty for name, order in engine.orders.items()} == model.filled
        book = t.venue.market.book(SYMBOL)
        assert (book.bids.top(60), book.asks.top(60)) == (model.top("buy", 60), model.top("sell", 60))
        assert book.bids.price(0) < book.asks.price(0), "crossed"
        account = engine.account
        for asset, balance in account.balances.items():
            assert 0 <= account.held.get(asset, 0) <= balance, asset

    def check_sums(self) -> None:
        """What the channel told adds up to the balances, exactly; nothing was told twice and nothing is missing."""
        t = self.t
        trades = [item for item in t.executions() if item["exec_type"] == "trade"]
        signs = {item["exec_id"]: 1 if item["side"] == "buy" else -1 for item in trades}
        assert len(signs) == len(trades) == t.venue.engine.fills.__len__()
        base = sum((item["last_qty"] * signs[item["exec_id"]] for item in trades), D(0))
        quote = sum((item["cost"] * signs[item["exec_id"]] + item["fees"][0]["qty"] for item in trades), D(0))
        balances: dict[str, Any] = t.venue.engine.account.balances
        assert D(balances["BTC"]) / 10**10 == D(6) + base
        assert D(balances["USD"]) / 10**10 == D(400_000) - quote
        numbers = [m["sequence"] for m in t.heard if m.get("channel") == "executions"]
        assert all(second == first + 1 for first, second in pairwise(numbers))
        for order_id, order in t.venue.engine.orders.items():
            kinds = t.kinds(order_id)
            assert kinds[:2] == ["pending_new", "new"] and kinds.count("trade") == len(order.fills)
            assert (kinds[-1] in {"filled", "canceled"}) == (not order.is_open)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 5), steps=st.lists(step, min_size=1, max_size=40))
def test_price_time_priority_funds_and_sums(seed: int, steps: list[tuple[str, str, int, int]]) -> None:
    run = Run(seed)
    for one in steps:
        run.do(*one)
        run.check()
    run.check_sums()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 50), steps=st.lists(step, min_size=5, max_size=25))
def test_a_living_market_keeps_every_promise_too(seed: int, steps: list[tuple[str, str, int, int]]) -> None:
    """The market's own flow hits the orders and moves around them; nothing is lost, crossed or spent twice."""
    t = Trader(seed=seed, rate_hz=500, balances={"USD": "400000", "BTC": "6"})
    for kind, word, number, lots in steps:
        bid, ask = t.touch()
        price = ask + D(number - 1) / 10 if word == "buy" else bid - D(number - 1) / 10
        if kind == "place":
            t.ask("add_order", **t.order(side=word, limit_price=price, order_qty=lots * LOT))
        elif kind == "amend" and t.venue.engine.open:
            t.ask("amend_order", order_id=sorted(t.venue.engine.open)[0], order_qty=lots * LOT)
        elif kind == "cancel":
            t.ok("cancel_all")
        t.wait(0.5)
        book, account = t.venue.market.book(SYMBOL), t.venue.engine.account
        assert book.bids.price(0) < book.asks.price(0)
        for side, ladder in (("bid", book.bids), ("ask", book.asks)):
            mine = [o for o in t.venue.engine.open.values() if (o.spec.side == "buy") == (side == "bid")]
            for price_int in {order.price for order in mine}:
                assert ladder.qty(price_int) >= sum(o.left for o in mine if o.price == price_int) > 0
        assert all(0 <= account.held.get(asset, 0) <= total for asset, total in account.balances.items())
        assert len(book.bids) >= 100 and len(book.asks) >= 100
    trades = [item for item in t.executions() if item["exec_type"] == "trade"]
    base = sum((item["last_qty"] * (1 if item["side"] == "buy" else -1) for item in trades), D(0))
    assert D(t.venue.engine.account.balances["BTC"]) / 10**10 == D(6) + base
    assert t.venue.engine.account.held.get("BTC", 0) == sum(
        order.left * 100 for order in t.venue.engine.open.values() if order.spec.side == "sell"
    )
