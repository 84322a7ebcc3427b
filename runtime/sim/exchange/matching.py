"""Orders of an account against the market's books: price first, then time, whoever's the order is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from runtime.sim.exchange.numbers import cost_of
from runtime.sim.exchange.resting import Entry, Resting
from runtime.sim.ladder import BookSide, OrdType, SimTrade, TakerSide
from runtime.sim.market import Market, SimPair

OnFill = Callable[[str, int, SimTrade, bool], None]
"""(order id, quantity, the trade, whether the order was the maker)."""
OnStp = Callable[[str], None]
"""Cancel this order of the account: it would have traded with another."""


class Terms(Protocol):
    """What matching has to know of a request. `stp`: cancel_newest, cancel_oldest, cancel_both, or none of them."""

    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> TakerSide: ...
    @property
    def order_type(self) -> OrdType: ...
    @property
    def cash(self) -> int: ...
    @property
    def stp(self) -> str: ...


class Order(Protocol):
    """What it has to know of an order."""

    order_id: str
    pair: SimPair
    price: int
    cum_cost: int
    resting: bool

    @property
    def spec(self) -> Terms: ...
    @property
    def left(self) -> int: ...
    @property
    def is_open(self) -> bool: ...


class Matcher:
    """All books with the account's orders in them. `touched` are symbols whose book changed, with the trades in it."""

    def __init__(self, market: Market, on_fill: OnFill, on_stp: OnStp) -> None:
        self.market = market
        self._on_fill, self._on_stp = on_fill, on_stp
        self.touched: dict[str, list[SimTrade]] = {}
        self._resting = {pair.symbol: Resting(market.book(pair.symbol), self._maker) for pair in market.pairs}

    def _maker(self, order_id: str, qty: int, trade: SimTrade) -> None:
        self._on_fill(order_id, qty, trade, True)

    def resting(self, symbol: str) -> Resting:
        """The account's orders in a book."""
        return self._resting[symbol]

    def crosses(self, order: Order, price: int | None = None) -> bool:
        """Whether it would trade at once, at its own price or at another."""
        limit = order.price if price is None else price
        return next(self._levels(order, limit), None) is not None

    def _levels(self, order: Order, limit: int) -> Iterator[int]:
        """Prices on the other side that it reaches, best first; a limit of 0 reaches all."""
        ladder = self._resting[order.spec.symbol].ladder(_against(order))
        while len(ladder):
            best = ladder.price(0)
            if limit and (best > limit if order.spec.side == "buy" else best < limit):
                return
            yield best

    def walk(self, order: Order) -> list[tuple[int, int]]:
        """(price, quantity) of what it would trade at once; nothing is changed."""
        resting, side = self._resting[order.spec.symbol], _against(order)
        left, cash, found = order.left, order.spec.cash, []
        for price, total in resting.ladder(side).top(len(resting.ladder(side))):
            if order.price and (price > order.price if order.spec.side == "buy" else price < order.price):
                break
            qty, stop = total - resting.held(side, price), False
            if order.spec.stp == "none":
                qty = total
            elif order.spec.stp != "cancel_oldest" and (first := resting.first(side, price)) is not None:
                qty, stop = first.ahead, True  # there it meets itself, and no further
            if order.spec.cash:
                qty = min(qty, affordable(order, price, cash))
                cash -= cost_of(order.pair, price, qty)
                stop = stop or not qty
            else:
                qty = min(qty, left)
                left -= qty
                stop = stop or not left
            found += [(price, qty)] if qty else []
            if stop:
                break
        return found

    def run(self, order: Order, now_ns: int) -> None:
        """Trades until nothing it reaches is left, its quantity is done, or it meets an order of the same account."""
        resting, side = self._resting[order.spec.symbol], _against(order)
        trades = self.touched.setdefault(order.spec.symbol, [])
        for price in self._levels(order, order.price):
            first = resting.first(side, price)
            others = first.ahead if first is not None else resting.ladder(side).qty(price)
            if not others and first is not None and order.spec.stp != "none":
                self._stp(order, first.order_id)
                if not order.is_open:
                    break
                continue
            own = first if not others else None
            there = others if own is None else own.left
            qty = min(there, order.left)
            if order.spec.cash:
                qty = min(there, affordable(order, price, order.spec.cash - order.cum_cost))
            if not qty:
                break
            trade = resting.book.trade(order.spec.side, price, qty, order.spec.order_type, now_ns)
            trades.append(trade)
            if own is None:
                resting.eat(side, price, qty)
            else:
                self._own(own, qty, trade, resting)
            self._on_fill(order.order_id, qty, trade, False)
            if not order.is_open or (not order.left and not order.spec.cash):
                break
        resting.book.refill()

    def _own(self, entry: Entry, qty: int, trade: SimTrade, resting: Resting) -> None:
        """It trades with an order of the same account, where nothing prevents that."""
        resting.shrink(entry.order_id, entry.left - qty)
        self._on_fill(entry.order_id, qty, trade, True)

    def _stp(self, order: Order, resting_id: str) -> None:
        if order.spec.stp != "cancel_newest":
            self._on_stp(resting_id)
        if order.spec.stp != "cancel_oldest":
            self._on_stp(order.order_id)

    def rest(self, order: Order) -> None:
        """What is left of it joins the back of its price's queue."""
        side: BookSide = "bid" if order.spec.side == "buy" else "ask"
        self._resting[order.spec.symbol].place(order.order_id, side, order.price, order.left)
        order.resting = True
        self.touched.setdefault(order.spec.symbol, [])

    def remove(self, order: Order) -> None:
        """Out of the book, if it rests there."""
        if order.resting:
            self._resting[order.spec.symbol].remove(order.order_id)
            order.resting = False
            self.touched.setdefault(order.spec.symbol, [])

    def shrink(self, order: Order, left: int) -> None:
        """Less of it, in its place."""
        self._resting[order.spec.symbol].shrink(order.order_id, left)
        self.touched.setdefault(order.spec.symbol, [])

    def force(self, order: Order, qty: int, now_ns: int) -> None:
        """Somebody trades with this very order, out of turn: for faults. It has to rest."""
        resting = self._resting[order.spec.symbol]
        resting.shrink(order.order_id, order.left - qty)
        order.resting = order.left > qty
        side: TakerSide = "sell" if order.spec.side == "buy" else "buy"
        trade = resting.book.trade(side, order.price, qty, "market", now_ns)
        self.touched.setdefault(order.spec.symbol, []).append(trade)
        self._on_fill(order.order_id, qty, trade, True)


def affordable(order: Order, price: int, cash: int) -> int:
    """Lots that this much of the quote buys at a price; 0 when it is less than one."""
    one = price * int(10 ** (10 - order.pair.price_precision))
    return max(0, cash) * int(10**order.pair.qty_precision) // one


def _against(order: Order) -> BookSide:
    return "ask" if order.spec.side == "buy" else "bid"
