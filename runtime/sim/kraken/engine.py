"""The matching engine's account side: orders from their birth to their end, funds, counters, the dead man's switch.

Pure and deterministic by seed: time comes in with every call. What happened collects in `told` (executions), `ledger`
(balances) and `matcher.touched` (books) until the venue hands it out. Rules: venues.md 1.9 to 1.12, 7.3.13 to 7.3.19.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from runtime.sim.exchange.matching import Matcher
from runtime.sim.exchange.numbers import cost_of, cost_up
from runtime.sim.kraken import checks
from runtime.sim.kraken.account import UNIT, Account, LedgerEntry
from runtime.sim.kraken.order import Amendment, Fill, NewSpec, Order
from runtime.sim.kraken.rates import AMEND, CANCEL, EDIT, ONE, TIERS, Counter, penalty
from runtime.sim.kraken.wire import Refuse
from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, Market, seeded

RATE: Final = "EOrder:Rate limit exceeded"
UNKNOWN: Final = "EOrder:Unknown order"
POST_ONLY: Final = "EOrder:Post only order"
BY_USER: Final = "User requested"
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
WS_DEADLINE_NS: Final = NS // 2
PPM: Final = 1_000_000


class Told(msgspec.Struct, frozen=True):
    """One execution, as the channel prints it."""

    kind: str
    order_id: str
    data: dict[str, Any]


class Engine:
    """All orders of the one account. `post_only_error`: a crossing post-only order is refused instead of cancelled."""

    def __init__(
        self, market: Market, balances: Mapping[str, int], *, tier: str, maker_ppm: int, taker_ppm: int, seed: int
    ) -> None:
        self.market = market
        self.pairs = {pair.symbol: pair for pair in market.pairs}
        self.account = Account(balances)
        self.tier = TIERS[tier]
        self.maker_ppm, self.taker_ppm = maker_ppm, taker_ppm
        self.matcher = Matcher(market, self._fill, self._stp)
        self.system = "online"
        self.pair_status = {pair.symbol: "online" for pair in market.pairs}
        self.post_only_error = False
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.counters = {pair.symbol: Counter(self.tier.decay) for pair in market.pairs}
        self.told: list[Told] = []
        self.ledger: list[LedgerEntry] = []
        self.trigger_ns = 0
        self.now_ns = 0
        self._versions: dict[str, list[tuple[int, Order]]] = {}
        self._rng = seeded(f"{seed}/engine")

    # --- new orders ---------------------------------------------------------------------------------------------------

    def add(self, spec: NewSpec, now_ns: int, *, shortest_ns: int = WS_DEADLINE_NS, cost: int = ONE) -> Order | None:
        """Takes an order, or None when it was only to be checked. Raises Refuse with the venue's word."""
        self.now_ns = now_ns
        checks.check_deadline(spec.deadline_ns, now_ns, shortest_ns=shortest_ns)
        self.charge(spec.symbol, cost, now_ns)
        order = self._admit(spec, now_ns)
        if spec.validate:
            self.account.release(order.order_id)
            return None
        self.orders[order.order_id] = self.open[order.order_id] = order
        self._tell(order, "pending_new", order.full("pending_new", now_ns))
        if not spec.effective_ns:
            self._activate(order, now_ns)
        return order

    def charge(self, symbol: str, cost: int, now_ns: int) -> None:
        """The fixed part of the pair's counter: due even for what is refused afterwards. Raises Refuse."""
        counter = self.counters[symbol]
        if not counter.fits(cost, self.tier.threshold, now_ns):
            raise Refuse(RATE)
        counter.add(cost, now_ns)

    def _admit(self, spec: NewSpec, now_ns: int, instead: Order | None = None) -> Order:
        """Every check, and the hold; `instead` does not count as open. Raises Refuse."""
        pair = self.pairs[spec.symbol]
        for mode in (self.system, self.pair_status[spec.symbol]):
            checks.check_mode(mode, spec)
        checks.check_terms(spec)
        checks.check_times(spec, now_ns)
        checks.check_id(spec.cl_ord_id, spec.userref, self.open.values())
        beside = [order for order in self.open.values() if order.spec.symbol == spec.symbol and order is not instead]
        if len(beside) >= self.tier.open_orders:
            raise Refuse("EOrder:Orders limit exceeded")
        order = Order(
            order_id=self._id("O"), spec=spec, pair=pair, qty=spec.qty, price=spec.price, opened_ns=now_ns,
            touched_ns=now_ns,
        )  # fmt: skip
        if spec.order_type == "limit":
            checks.check_price(pair, spec.price)
            checks.check_size(pair, spec.price, spec.qty)
        elif spec.cash:
            if spec.cash < pair.cost_min * 10 ** (UNIT - pair.cost_precision):
                raise Refuse("EOrder:Cost minimum not met")
        else:
            touch = self.matcher.resting(spec.symbol).ladder("ask" if spec.side == "buy" else "bid").price(0)
            checks.check_size(pair, touch, spec.qty)
        if spec.post_only and self.post_only_error and self.matcher.crosses(order):
            raise Refuse(POST_ONLY)
        order.amendments = (Amendment(order.order_id, "original", now_ns, order.qty, order.price),)
        self.account.hold(order.order_id, *self._need(order))
        return order

    def _need(self, order: Order, price: int = 0, left: int = 0) -> tuple[str, int]:
        """(asset, amount) that an order holds: what it can cost at most with the taker's fee, or what it sells."""
        pair, left, price = order.pair, left or order.left, price or order.price
        if order.spec.side == "sell":
            return pair.base, left * 10 ** (UNIT - pair.qty_precision)
        if order.spec.order_type == "limit":
            cost = cost_up(pair, price, left)
        else:
            cost = sum(cost_up(pair, at, qty) for at, qty in self.matcher.walk(order))
            cost = max(cost, order.spec.cash)
        return pair.quote, cost - (-cost * self.taker_ppm // PPM)

    def _activate(self, order: Order, now_ns: int) -> None:
        if order.spec.post_only and self.matcher.crosses(order):
            self._close(order, "canceled", "Post only order", now_ns)
            return
        order.status = "new"
        self._tell(order, "new", order.delta("new", now_ns))
        self._work(order, now_ns)

    def _work(self, order: Order, now_ns: int) -> None:
        """Matches, then rests or ends what is left."""
        spec = order.spec
        if spec.tif == "fok" and sum(qty for _, qty in self.matcher.walk(order)) < order.left:
            self._close(order, "canceled", "FOK order could not be filled", now_ns)
            return
        self.matcher.run(order, now_ns)
        if not order.is_open:
            return
        if spec.order_type == "market":
            done = spec.cash and order.cum_qty
            order.qty = order.cum_qty if spec.cash else order.qty
            self._close(order, "filled" if done else "canceled", "" if done else "No liquidity left", now_ns)
        elif spec.tif == "ioc":
            self._close(order, "canceled", "Unfilled IOC", now_ns)
        else:
            self.matcher.rest(order)
            self._keep(order)

    # --- fills and ends -----------------------------------------------------------------------------------------------

    def _fill(self, order_id: str, qty: int, trade: SimTrade, maker: bool) -> None:
        order = self.orders[order_id]
        pair, now_ns = order.pair, trade.ts_ns
        self.now_ns = now_ns
        step = 10 ** (UNIT - pair.cost_precision)
        cost = cost_of(pair, trade.price, qty)
        fee = cost * (self.maker_ppm if maker else self.taker_ppm) // PPM // step * step
        fill = Fill(
            exec_id=self._id("T"), trade_id=trade.trade_id, order_id=order_id, symbol=pair.symbol, side=order.spec.side,
            order_type=order.spec.order_type, price=trade.price, qty=qty, cost=cost, fee=fee, maker=maker, ts_ns=now_ns,
        )  # fmt: skip
        self.fills[fill.exec_id] = fill
        order.fills += (fill.exec_id,)
        order.cum_qty, order.cum_cost, order.fees = order.cum_qty + qty, order.cum_cost + cost, order.fees + fee
        order.status = "partially_filled"
        lots = qty * 10 ** (UNIT - pair.qty_precision)
        self._settle_hold(order, cost + fee)
        sign = 1 if order.spec.side == "buy" else -1
        self._enter(fill, pair.base, sign * lots, 0)
        self._enter(fill, pair.quote, -sign * cost, fee)
        self._tell(order, "trade", order.trade(fill))
        if not order.left and not order.spec.cash:
            order.resting = False  # whoever matched it took it out of the book
            self._close(order, "filled", "", now_ns)

    def _settle_hold(self, order: Order, spent: int) -> None:
        if order.spec.side == "buy" and order.spec.order_type == "market":
            held = self.account.of(order.order_id)
            self.account.hold(order.order_id, order.pair.quote, max(0, held - spent))
        elif order.left:
            self.account.hold(order.order_id, *self._need(order))
        else:
            self.account.release(order.order_id)

    def _enter(self, fill: Fill, asset: str, amount: int, fee: int) -> None:
        balance = self.account.change(asset, amount - fee)
        entry = LedgerEntry(self._id("L"), fill.exec_id, fill.ts_ns, "trade", asset, amount, fee, balance)
        self.ledger.append(entry)

    def _close(self, order: Order, status: str, reason: str, now_ns: int) -> None:
        self.matcher.remove(order)
        self.account.release(order.order_id)
        self.open.pop(order.order_id, None)
        order.status, order.reason, order.closed_ns = status, reason, now_ns
        why = {"reason": reason, "cancel_reason": reason} if status == "canceled" else {}
        sums: dict[str, Any] = order.sums() | {"fee_usd_equiv": order.fee_number()} | why
        self._tell(order, status, order.delta(status, now_ns, **sums))

    def _stp(self, order_id: str) -> None:
        if order_id in self.open:
            self._close(self.open[order_id], "canceled", "Self trade prevention", self.now_ns)

    # --- changes ------------------------------------------------------------------------------------------------------

    def find(self, *, order_id: str = "", cl_ord_id: str = "") -> Order:
        """An open order. Raises Refuse."""
        for order in [self.open[order_id]] if order_id in self.open else self.open.values() if cl_ord_id else []:
            if not cl_ord_id or order.spec.cl_ord_id == cl_ord_id:
                return order
        raise Refuse(UNKNOWN)

    def cancel(self, order: Order, now_ns: int, reason: str = BY_USER) -> None:
        """Ends an open order; the younger it is the more it costs, but it is never refused for that."""
        self.now_ns = now_ns
        self.counters[order.spec.symbol].add(penalty(CANCEL, now_ns - order.touched_ns), now_ns)
        self._close(order, "canceled", reason, now_ns)

    def cancel_all(self, now_ns: int, reason: str = BY_USER) -> int:
        """Every open order of the account on all pairs; how many."""
        orders = list(self.open.values())
        for order in orders:
            self.cancel(order, now_ns, reason)
        return len(orders)

    def amend(self, order: Order, now_ns: int, *, qty: int = 0, price: int = 0, post_only: bool = False) -> str:
        """Changes an order in its place (venues.md 1.9); the amendment's id. Raises Refuse and leaves all as it was."""
        self.now_ns = now_ns
        counter, extra = self.counters[order.spec.symbol], penalty(AMEND, now_ns - order.touched_ns)
        if not counter.fits(ONE + extra, self.tier.threshold, now_ns):
            raise Refuse(RATE)
        counter.add(ONE, now_ns)
        if self.system in {"maintenance", "cancel_only"}:
            raise Refuse(checks.MODES[self.system])
        new_qty, new_price = qty or order.qty, price or order.price
        checks.check_price(order.pair, new_price)
        ends = new_qty <= order.cum_qty
        if not ends:
            checks.check_size(order.pair, new_price, new_qty)
            if (post_only or order.spec.post_only) and self.matcher.crosses(order, new_price):
                raise Refuse(POST_ONLY)
            self.account.hold(order.order_id, *self._need(order, new_price, new_qty - order.cum_qty))
        counter.add(extra, now_ns)
        keeps_place = new_price == order.price and new_qty <= order.qty
        if keeps_place and not ends and order.resting:
            self.matcher.shrink(order, new_qty - order.cum_qty)
        elif not keeps_place:
            self.matcher.remove(order)
        age_ns, order.touched_ns = now_ns - order.touched_ns, now_ns
        order.qty, order.price, order.amended = max(new_qty, order.cum_qty), new_price, True
        amendment = Amendment(self._id("T"), "user", now_ns, order.qty, order.price)
        order.amendments += (amendment,)
        self._tell_amended(order, amendment, now_ns)
        if ends:
            counter.add(penalty(CANCEL, age_ns), now_ns)
            self._close(order, "canceled", BY_USER, now_ns)
        elif not keeps_place and order.status != "pending_new":
            self._work(order, now_ns)
        return amendment.amend_id

    def _tell_amended(self, order: Order, amendment: Amendment, now_ns: int) -> None:
        terms: dict[str, Any] = {"order_qty": order.qty_number(order.qty), "amended": True, "reason": BY_USER}
        terms |= {"limit_price": order.price_number(order.price), "cum_qty": order.qty_number(order.cum_qty)}
        self._tell(order, "amended", order.delta("amended", now_ns, amend_id=amendment.amend_id, **terms))

    def edit(self, order: Order, spec: NewSpec, now_ns: int) -> Order | None:
        """Cancel and new in one: another id, another place, nothing filled. Raises Refuse; then the old one stays."""
        cost = ONE + penalty(EDIT, now_ns - order.touched_ns)
        checks.check_deadline(spec.deadline_ns, now_ns, shortest_ns=WS_DEADLINE_NS)
        self.charge(order.spec.symbol, cost, now_ns)
        held = self._need(order)
        self.account.release(order.order_id)
        try:
            # checked as one that is placed when the old one is gone
            self.account.release(self._admit(spec, now_ns, order).order_id)
        except Refuse:
            self.account.hold(order.order_id, *held)
            raise
        if spec.validate:
            self.account.hold(order.order_id, *held)
            return None
        self._close(order, "canceled", "Order replaced", now_ns)
        return self.add(spec, now_ns, cost=0)

    # --- time ---------------------------------------------------------------------------------------------------------

    def arm(self, timeout_s: int, now_ns: int) -> int:
        """The dead man's switch, for the whole account: replaced by the next, 0 disarms; when it would fire."""
        self.trigger_ns = now_ns + timeout_s * NS if timeout_s else 0
        return self.trigger_ns

    @property
    def next_ns(self) -> int | None:
        """When something falls due by time alone."""
        return min(self._dues(), default=None)

    def _dues(self) -> Iterator[int]:
        if self.trigger_ns:
            yield self.trigger_ns
        for order in self.open.values():
            if order.spec.effective_ns and order.status == "pending_new":
                yield order.spec.effective_ns
            if order.spec.expire_ns:
                yield order.spec.expire_ns

    def advance(self, now_ns: int) -> None:
        """Fires what is due, in the order of its times: the switch, expiries, delayed starts."""
        while (due := self.next_ns) is not None and due <= now_ns:
            self.now_ns = due
            if self.trigger_ns == due:
                self.trigger_ns = 0
                self.cancel_all(due, "Cancel all orders after")
            for order in list(self.open.values()):
                if order.spec.expire_ns == due:
                    self._close(order, "expired", "", due)
                elif order.spec.effective_ns == due and order.status == "pending_new":
                    self._activate(order, due)

    # --- looking back -------------------------------------------------------------------------------------------------

    def as_of(self, at_ns: int) -> list[Order]:
        """Every order as it stood at a time, oldest first."""
        found = []
        for versions in self._versions.values():
            past = [order for ts_ns, order in versions if ts_ns <= at_ns]
            found += past[-1:]
        return found

    def _keep(self, order: Order) -> None:
        versions = self._versions.setdefault(order.order_id, [])
        versions.append((self.now_ns, order.copy()))

    def _tell(self, order: Order, kind: str, data: dict[str, Any]) -> None:
        self.told.append(Told(kind, order.order_id, data))
        self._keep(order)

    def _id(self, first: str) -> str:
        text = "".join(self._rng.choice(ALPHABET) for _ in range(16))
        return f"{first}{text[:5]}-{text[5:10]}-{text[10:]}"
