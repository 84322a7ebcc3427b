"""What the reference keeps, and the sums that the checks ask for, each made anew from the orders and positions."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.orders import OrderType
from risk.limits import ACCOUNT, LimitTree
from risk.override import Grant
from risk.states import TradingState
from tests.reference.case import Case, Seen
from tests.reference.markets import Place, Rules, Trader
from tests.reference.money import Held, Ledger
from tests.reference.orders import Order
from tests.reference.windows import SECOND, Times

Balances = Mapping[str, Mapping[str, int]]
Likeness = tuple[int, int, int, int, int, int]


class State:
    """One account. `held` by market, `own` by (algo, market); `ledgers` by (scope, quote currency)."""

    def __init__(
        self, tree: LimitTree, places: list[Place], traders: list[Trader], *, is_paper: bool = True,
        taker_ppm: int = 0, balances: Balances | None = None,
    ) -> None:  # fmt: skip
        self.rules = Rules(tree)
        self.places, self.traders = places, traders
        self.is_paper, self.taker_ppm = is_paper, taker_ppm
        # at 1e-17, as prices times sizes are
        self.balances = {
            venue: {at: total * 10**9 for at, total in kept.items()} for venue, kept in (balances or {}).items()
        }
        self.orders: dict[str, Order] = {}
        self.held = [Held() for _ in places]
        self.own = {(trader.index, place.index): Held() for trader in traders for place in places}
        self.scopes = self._scopes()
        self.quotes = {
            label: sorted({places[market].quote for market in members}) for label, (_, members) in self.scopes.items()
        }
        self.ledgers: dict[tuple[str, str], Ledger] = {}
        self.times = {"orders": Times(), "cancels": Times()}
        self.equals = Times()
        self.refusals = Times()
        self.repeats = Times()
        self.repeat_latched: set[int] = set()
        self.states: dict[str, TradingState] = {}
        self.grants: dict[str, Grant] = {}
        self.used_grants: set[str] = set()
        self.orders_of: dict[int, int] = {}
        self.promoted: set[str] = set(tree.promoted)
        self.day = -1
        self.is_blurred = False  # a day began while a position had no mark: the table does not say whose start counts
        self.open_by: dict[tuple[int | None, int, int], int] = {}

    # --- scopes --------------------------------------------------------------------------------------------------

    def _scopes(self) -> dict[str, tuple[int | None, list[int]]]:
        """Every scope with its algo (None: the account's orders count) and its markets."""
        found: dict[str, tuple[int | None, list[int]]] = {}
        for place in self.places:
            for label in place.labels:
                found.setdefault(label, (None, []))[1].append(place.index)
        for trader in self.traders:
            found[trader.label] = (trader.index, list(range(len(self.places))))
        return found

    def state_of(self, scope: str) -> TradingState:
        return self.states.get(scope, TradingState.ACTIVE)

    def states_of(self, case: Case) -> set[TradingState]:
        return {self.state_of(scope) for scope in ("all", *case.labels[1:])}

    # --- sums ----------------------------------------------------------------------------------------------------

    def count_open(self) -> None:
        """What is open, by algo, market and side, and of the account; from all orders."""
        found: dict[tuple[int | None, int, int], int] = {}
        for order in self.orders.values():
            if order.is_live:
                for algo in (None, order.algo):
                    key = (algo, order.market, order.side)
                    found[key] = found.get(key, 0) + order.leaves
        self.open_by = found

    def qty(self, algo: int | None, market: int) -> int:
        return self.held[market].qty if algo is None else self.own[algo, market].qty

    def worst(self, algo: int | None, market: int, more: int = 0, side: int = 0) -> int:
        """The longer side of one market with everything open filled, and with `more` on `side` besides."""
        held = self.qty(algo, market)
        longs = held + self.open_by.get((algo, market, 1), 0) + (more if side > 0 else 0)
        shorts = -held + self.open_by.get((algo, market, -1), 0) + (more if side < 0 else 0)
        return max(longs, shorts, 0)

    def rise(self, label: str, case: Case) -> int:
        """By how much an order lengthens its market's worst case in a scope."""
        algo = case.trader.index if label == case.trader.label else None
        market = case.place.index
        return self.worst(algo, market, case.more, case.side) - self.worst(algo, market)

    def position(self, label: str, base: str) -> int:
        algo, members = self.scopes[label]
        return sum(self.worst(algo, market) for market in members if self.places[market].base == base)

    def capital2(self, label: str, quote: str) -> int | None:
        """Twice 1e-17 of the quote; None where a price is not known."""
        algo, members = self.scopes[label]
        total = 0
        for market in members:
            worst, place = self.worst(algo, market), self.places[market]
            if place.quote == quote and worst:
                if place.mid2 is None:
                    return None
                total += worst * place.mid2
        return total

    def pnl2(self, label: str, quote: str) -> int | None:
        """Twice 1e-17 of the quote; None while a held position has no mark."""
        algo, members = self.scopes[label]
        total = 0
        for market in members:
            place = self.places[market]
            if place.quote == quote:
                held = self.held[market] if algo is None else self.own[algo, market]
                one = held.total2(place.mid2)
                if one is None:
                    return None
                total += one
        return total

    # --- smaller questions ---------------------------------------------------------------------------------------

    def likeness(self, case: Case) -> Likeness:
        """What makes two new orders equal."""
        px = 0 if case.kind == OrderType.MARKET else case.px
        return (case.trader.index, case.place.index, case.side, px, case.qty, case.kind)

    def too_fast(self, what: str, key: str, labels: tuple[str, ...], now: int) -> Seen:
        """The scopes whose rate of messages is used up."""
        seen: Seen = {}
        for label in labels:
            most = self.rules.rate(label, key)
            if most is not None:
                count = self.times[what].count(label, now, SECOND)
                if count >= most:
                    seen[label] = (most, count + 1)
        return seen

    def is_canary(self, trader: Trader) -> bool:
        return "canary" in self.rules.said and trader.sha256 not in self.promoted

    def cost17(self, qty: int, px: int) -> int:
        """What a buy costs at most, with the taker's fee rounded up."""
        worth = max(qty, 0) * px
        return worth - (-worth * self.taker_ppm // 10**6)

    def shares(self, order: Order, place: Place, currency: str) -> bool:
        """Whether an open order holds this currency at the same venue."""
        other = self.places[order.market]
        holds = other.quote if order.side > 0 else other.base
        return order.is_live and other.wire.venue == place.wire.venue and holds == currency

    def ledger(self, label: str, quote: str) -> Ledger:
        return self.ledgers.setdefault((label, quote), Ledger())

    def loss_limit(self, label: str, key: str) -> int | None:
        return self.rules.said.get(label, {}).get(key)


__all__ = ["ACCOUNT", "State"]
