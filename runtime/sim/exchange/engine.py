"""A neutral matching engine with one account: orders from their birth to their end, funds, a dead man's switch.

Pure and deterministic by seed: time comes in with every call. What happened collects in `told` and `matcher.touched`
until the venue hands it out. How venues differ is data (`rules.py`); what they call it is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from runtime.sim.exchange import checks
from runtime.sim.exchange.account import Account, NoFunds
from runtime.sim.exchange.matching import Matcher, affordable
from runtime.sim.exchange.numbers import UNIT, cost_of, cost_up
from runtime.sim.exchange.order import Fill, NewSpec, Order, Told
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.exchange.rules import PPM, Ids, Rules
from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, Market


class Engine:
    """All orders of the account. `system`, `pair_status`: online, maintenance, cancel_only, post_only, limit_only."""

    def __init__(self, market: Market, balances: Mapping[str, int], rules: Rules, ids: Ids) -> None:
        self.market, self.rules, self.ids = market, rules, ids
        self.pairs = {pair.symbol: pair for pair in market.pairs}
        self.account = Account(balances)
        self.matcher = Matcher(market, self._fill, self._stp)
        self.system = "online"
        self.pair_status = {pair.symbol: "online" for pair in market.pairs}
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.told: list[Told] = []
        self.trigger_ns = 0
        self.now_ns = 0
        self._by_client: dict[str, Order] = {}  # the youngest of each
        self._versions: dict[str, list[tuple[int, Order]]] = {}

    # --- new orders ---------------------------------------------------------------------------------------------------

    def place(self, spec: NewSpec, now_ns: int) -> Order:
        """Takes an order, or gives back the one of its client id where that is the rule. Raises Refused."""
        self.now_ns = now_ns
        known = self._by_client.get(spec.cl_ord_id) if spec.cl_ord_id else None
        if known is not None and self.rules.client_ids == "returns":
            return known
        order = self._admit(spec, now_ns)
        self.orders[order.order_id] = self.open[order.order_id] = order
        if spec.cl_ord_id:
            self._by_client[spec.cl_ord_id] = order
        if spec.post_only and self.matcher.crosses(order):
            self._close(order, "canceled", "post_only", now_ns)
            return order
        self._tell(order, "new", now_ns)
        self._work(order, now_ns)
        return order

    def check(self, spec: NewSpec, now_ns: int) -> None:
        """All that is asked of a new order; nothing is placed. Raises Refused."""
        self.now_ns = now_ns
        self.account.release(self._admit(spec, now_ns).order_id)

    def _admit(self, spec: NewSpec, now_ns: int) -> Order:
        """Every check, and the hold. Raises Refused."""
        pair = self.pairs.get(spec.symbol)
        if pair is None:
            raise Refused(Refusal.SYMBOL, spec.symbol)
        for mode in (self.system, self.pair_status[spec.symbol]):
            checks.check_mode(mode, spec)
        known = self._by_client.get(spec.cl_ord_id) if spec.cl_ord_id else None
        if known is not None and (known.is_open or self.rules.client_ids == "ever"):
            raise Refused(Refusal.DUPLICATE, spec.cl_ord_id, known)
        if len(self.open) >= self.rules.max_open:
            raise Refused(Refusal.TOO_MANY)
        if not spec.stp:
            spec = msgspec.structs.replace(spec, stp=self.rules.stp)
        number = len(self.orders) + 1
        order = Order(
            order_id=self.ids.order(number), number=number, spec=spec, pair=pair, qty=spec.qty, price=spec.price,
            opened_ns=now_ns, touched_ns=now_ns,
        )  # fmt: skip
        self._check_terms(order)
        self._hold(order, *self._need(order))
        return order

    def _check_terms(self, order: Order) -> None:
        spec, pair = order.spec, order.pair
        if spec.order_type == "limit":
            checks.check_price(pair, spec.price)
            checks.check_size(pair, spec.price, spec.qty)
        elif spec.cash:
            checks.check_cost(pair, spec.cash)
        else:
            ladder = self.matcher.resting(spec.symbol).ladder("ask" if spec.side == "buy" else "bid")
            checks.check_size(pair, ladder.price(0), spec.qty)
        if spec.post_only and self.rules.post_only == "refuse" and self.matcher.crosses(order):
            raise Refused(Refusal.POST_ONLY)

    def _hold(self, order: Order, asset: str, amount: int) -> None:
        try:
            self.account.hold(order.order_id, asset, amount)
        except NoFunds:
            raise Refused(Refusal.NO_FUNDS, asset) from None

    def _need(self, order: Order, price: int = 0, left: int = 0) -> tuple[str, int]:
        """(asset, amount) that an order holds: what it can cost at most, with a fee in the quote, or what it sells."""
        pair, left, price = order.pair, left or order.left, price or order.price
        fee_ppm = self.rules.taker_ppm if self.rules.fee_in == "quote" else 0
        if order.spec.side == "sell":
            if order.spec.cash and not order.cum_qty:
                left = sum(qty for _, qty in self.matcher.walk(order))
            return pair.base, left * 10 ** (UNIT - pair.qty_precision)
        if order.spec.order_type == "limit":
            cost = cost_up(pair, price, left)
        else:
            cost = sum(cost_up(pair, at, qty) for at, qty in self.matcher.walk(order))
            cost = max(cost, order.spec.cash)
        return pair.quote, cost - (-cost * fee_ppm // PPM)

    def _work(self, order: Order, now_ns: int) -> None:
        """Matches, then rests or ends what is left."""
        spec = order.spec
        if spec.tif == "fok" and sum(qty for _, qty in self.matcher.walk(order)) < order.left:
            self._close(order, "canceled", "fok", now_ns)
            return
        self.matcher.run(order, now_ns)
        if not order.is_open:
            return
        if spec.order_type == "market":
            self._close(order, "canceled", "no_liquidity", now_ns)
        elif spec.tif == "ioc":
            self._close(order, "canceled", "ioc", now_ns)
        else:
            self.matcher.rest(order)
            self._keep(order)

    # --- fills and ends -----------------------------------------------------------------------------------------------

    def _fill(self, order_id: str, qty: int, trade: SimTrade, maker: bool) -> None:
        order, rules = self.orders[order_id], self.rules
        pair, spec, now_ns = order.pair, order.spec, trade.ts_ns
        self.now_ns = now_ns
        cost, lots = cost_of(pair, trade.price, qty), qty * 10 ** (UNIT - pair.qty_precision)
        is_buy = spec.side == "buy"
        fee_asset = pair.base if rules.fee_in == "received" and is_buy else pair.quote
        step = 10 ** (UNIT - rules.fee_decimals)
        base = lots if fee_asset == pair.base else cost
        fee = base * (rules.maker_ppm if maker else rules.taker_ppm) // PPM // step * step
        number = len(self.fills) + 1
        fill = Fill(
            exec_id=self.ids.fill(number), number=number, trade_id=trade.trade_id, order_id=order_id,
            symbol=pair.symbol, side=spec.side, order_type=spec.order_type, price=trade.price, qty=qty, cost=cost,
            fee=fee, fee_asset=fee_asset, maker=maker, ts_ns=now_ns, pair=pair,
        )  # fmt: skip
        self.fills[fill.exec_id] = fill
        order.fills += (fill.exec_id,)
        order.cum_qty, order.cum_cost = order.cum_qty + qty, order.cum_cost + cost
        order.fees = order.fees | {fee_asset: order.fees.get(fee_asset, 0) + fee}
        if spec.cash and not affordable(order, trade.price, spec.cash - order.cum_cost):
            order.qty = order.cum_qty  # no lot can be had any more for what is left: it is done
        is_done = order.qty == order.cum_qty
        self._settle_hold(
            order, lots if not is_buy else cost + (fee if fee_asset == pair.quote else 0), is_done=is_done
        )
        sign = 1 if is_buy else -1
        self.account.change(pair.base, sign * lots - (fee if fee_asset == pair.base else 0))
        self.account.change(pair.quote, -sign * cost - (fee if fee_asset == pair.quote else 0))
        order.status, order.touched_ns = "filled" if is_done else "partially_filled", now_ns
        if is_done:
            order.resting = False  # whoever matched it took it out of the book
            order.closed_ns = now_ns
            self.open.pop(order_id, None)
        self._tell(order, "trade", now_ns, fill)

    def _settle_hold(self, order: Order, spent: int, *, is_done: bool) -> None:
        if is_done:
            self.account.release(order.order_id)
        elif order.spec.order_type == "market":
            asset = order.pair.quote if order.spec.side == "buy" else order.pair.base
            self.account.hold(order.order_id, asset, max(0, self.account.of(order.order_id) - spent))
        else:
            self.account.hold(order.order_id, *self._need(order))

    def _close(self, order: Order, status: str, reason: str, now_ns: int) -> None:
        self.matcher.remove(order)
        self.account.release(order.order_id)
        self.open.pop(order.order_id, None)
        if order.spec.cash:
            order.qty = order.cum_qty
        order.status, order.reason, order.closed_ns = status, reason, now_ns
        self._tell(order, status, now_ns)

    def _stp(self, order_id: str) -> None:
        if order_id in self.open:
            self._close(self.open[order_id], "canceled", "self_trade", self.now_ns)

    # --- changes ------------------------------------------------------------------------------------------------------

    def find(self, *, order_id: str = "", cl_ord_id: str = "", symbol: str = "") -> Order:
        """An open order; of two ids the venue's counts. Raises Refused: UNKNOWN, FILLED, CANCELED."""
        order = self.lookup(order_id=order_id, cl_ord_id=cl_ord_id)
        if order is None or (symbol and order.spec.symbol != symbol):
            raise Refused(Refusal.UNKNOWN)
        if not order.is_open:
            raise Refused(Refusal.FILLED if order.status == "filled" else Refusal.CANCELED, order=order)
        return order

    def lookup(self, *, order_id: str = "", cl_ord_id: str = "") -> Order | None:
        """Any order there ever was; the youngest of a client id."""
        return self.orders.get(order_id) if order_id else self._by_client.get(cl_ord_id)

    def cancel(self, order: Order, now_ns: int, reason: str = "user") -> None:
        """Ends an open order."""
        self.now_ns = now_ns
        self._close(order, "canceled", reason, now_ns)

    def cancel_all(self, now_ns: int, symbol: str = "", side: str = "", reason: str = "user") -> list[Order]:
        """Every open order, of one pair or side alone where it is named."""
        orders = [
            order for order in self.open.values()
            if symbol in ("", order.spec.symbol) and side in ("", order.spec.side)
        ]  # fmt: skip
        for order in orders:
            self.cancel(order, now_ns, reason)
        return orders

    def amend(self, order: Order, now_ns: int, *, qty: int = 0, price: int = 0) -> None:
        """Changes an open order: in its place where it only becomes less, else at the back. Raises Refused."""
        self.now_ns = now_ns
        if self.system in {"maintenance", "cancel_only"}:
            raise Refused(Refusal.MODE, self.system)
        new_qty, new_price = qty or order.qty, price or order.price
        checks.check_price(order.pair, new_price)
        ends = new_qty <= order.cum_qty
        crosses = not ends and order.spec.post_only and self.matcher.crosses(order, new_price)
        if ends and self.rules.amend_below == "refuse":
            raise Refused(Refusal.AMEND, "quantity", order)
        if not ends:
            checks.check_size(order.pair, new_price, new_qty)
            if crosses and self.rules.post_only == "refuse":
                raise Refused(Refusal.POST_ONLY)
            self._hold(order, *self._need(order, new_price, new_qty - order.cum_qty))
        keeps_place = new_price == order.price and new_qty <= order.qty
        if keeps_place and not ends and order.resting:
            self.matcher.shrink(order, new_qty - order.cum_qty)
        elif not keeps_place:
            self.matcher.remove(order)
        order.qty, order.price, order.touched_ns, order.amended = max(new_qty, order.cum_qty), new_price, now_ns, True
        self._tell(order, "amended", now_ns)
        if ends or crosses:
            self._close(order, "canceled", "amend" if ends else "post_only", now_ns)
        elif not keeps_place:
            self._work(order, now_ns)

    def rename(self, order: Order, cl_ord_id: str) -> None:
        """An order goes by another client id from now on. Raises Refused: DUPLICATE."""
        known = self._by_client.get(cl_ord_id)
        if known is not None and (known.is_open or self.rules.client_ids == "ever"):
            raise Refused(Refusal.DUPLICATE, cl_ord_id, known)
        order.spec = msgspec.structs.replace(order.spec, cl_ord_id=cl_ord_id)
        self._by_client[cl_ord_id] = order

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
        yield from (order.spec.expire_ns for order in self.open.values() if order.spec.expire_ns)

    def advance(self, now_ns: int) -> None:
        """Fires what is due, in the order of its times: the switch, expiries."""
        while (due := self.next_ns) is not None and due <= now_ns:
            self.now_ns = due
            if self.trigger_ns == due:
                self.trigger_ns = 0
                self.cancel_all(due, reason="timer")
            for order in list(self.open.values()):
                if order.spec.expire_ns == due:
                    self._close(order, "expired", "", due)

    # --- looking back -------------------------------------------------------------------------------------------------

    def as_of(self, at_ns: int) -> list[Order]:
        """Every order as it stood at a time, oldest first."""
        found = []
        for versions in self._versions.values():
            past = [order for ts_ns, order in versions if ts_ns <= at_ns]
            found += past[-1:]
        return found

    def fills_as_of(self, at_ns: int) -> list[Fill]:
        """The fills until then, oldest first."""
        return [fill for fill in self.fills.values() if fill.ts_ns <= at_ns]

    def _keep(self, order: Order) -> Order:
        kept = order.copy()
        self._versions.setdefault(order.order_id, []).append((self.now_ns, kept))
        return kept

    def _tell(self, order: Order, kind: str, now_ns: int, fill: Fill | None = None) -> None:
        self.told.append(Told(kind, self._keep(order), fill, now_ns, order.reason))
