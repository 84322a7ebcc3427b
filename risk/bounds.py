"""From the tree of limits to what bounds each algo at each market: worked out once, looked up for each action.

Limits of one order become the tightest of all scopes it lies in, with the scope that says it. Limits of a sum become
the scopes' own sums (`ledger.py`) and windows, which every exposure in the scope adds to. Where several scopes refuse,
the widest is named: account, venue, instrument (a symbol before a market), algo.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from risk.exposure import Account, Exposure
from risk.ledger import Ledger, Stock
from risk.limits import ACCOUNT, UNSET, Limits, LimitTree, Scope
from risk.market import Market
from risk.states import ALL
from risk.windows import Window


class Deployment:
    """What one algo may touch, as market indices.

    `instruments[k]`: its k-th symbol at its own venue, whose id is `venue_id`. `elsewhere[venue_id, k]`: the same at
    another venue. `pools[k, slot]`: a pool of that symbol, by its place in the guest's PoolBooks. `sha256`: its
    module's.
    """

    __slots__ = ("count", "elsewhere", "instruments", "name", "pools", "sha256", "unseen", "venue_id")

    def __init__(
        self,
        venue_id: int,
        instruments: tuple[int, ...],
        elsewhere: Mapping[tuple[int, int], int] = MappingProxyType({}),
        pools: Mapping[tuple[int, int], int] = MappingProxyType({}),
        *,
        name: str = "",
        sha256: str = "",
    ) -> None:
        self.venue_id = venue_id
        self.instruments = instruments
        self.elsewhere = elsewhere
        self.pools = pools
        self.count = len(instruments)
        self.name = name
        self.sha256 = sha256
        self.unseen = 0  # finished orders whose place in the guest's table is taken until it was shown them

    @property
    def markets(self) -> tuple[int, ...]:
        """Every market index it may trade at."""
        return (*self.instruments, *self.elsewhere.values(), *self.pools.values())


class Bounds:
    """What bounds one algo at one market. Of each limit of one order: the value, and in `scope_of` who says it."""

    __slots__ = (
        "age_ns", "algo_scope", "canary", "cancels", "collar_bps", "max_notional_1e9", "max_open", "max_qty_1e8",
        "not_permitted", "orders", "scope_of", "state_scopes", "types", "window_bps",
    )  # fmt: skip

    def __init__(self) -> None:
        self.scope_of: dict[str, str] = {}
        self.state_scopes: tuple[str, ...] = ()
        self.algo_scope = ""
        self.not_permitted = ""  # the scope that does not permit this market
        self.orders: tuple[Window, ...] = ()
        self.cancels: tuple[Window, ...] = ()
        self.canary: Mapping[str, int] | None = None
        self.age_ns = self.collar_bps = self.window_bps = UNSET
        self.max_notional_1e9 = self.max_qty_1e8 = self.max_open = UNSET
        self.types = 0


_EACH = {
    "max_book_age_ns": "age_ns", "price_collar_bps": "collar_bps", "collar_window_bps": "window_bps",
    "max_order_notional_1e9": "max_notional_1e9", "max_order_qty_1e8": "max_qty_1e8", "max_open_orders": "max_open",
}  # fmt: skip


class ScopeBook:
    """All scopes of a session: `ledgers`, `stocks` by (scope, currency), `orders` and `cancels` windows by scope.

    `ages[market]`: how old its link's last frame may be.
    """

    def __init__(
        self, tree: LimitTree, markets: Sequence[Market], deployments: Sequence[Deployment], account: Account,
        before: "ScopeBook | None" = None,
    ) -> None:  # fmt: skip
        self.tree = tree
        self._markets = markets
        self._deployments = deployments
        self._said: dict[str, Limits | Scope] = {ACCOUNT: tree.account}
        self._said |= {scope.label: scope for scope in tree.scopes if scope.kind != "canary"}
        self.ledgers: dict[tuple[str, str], Ledger] = {}
        self.stocks: dict[tuple[str, str], Stock] = {}
        self.orders: dict[str, Window] = {}
        self.cancels: dict[str, Window] = {}
        self._before = before
        for scope in self._said:
            self._windows(scope)
        for exposure, market, scopes in self._all(account):
            self._join(exposure, market, scopes)
        for ledger in self.ledgers.values():
            if not self._was(ledger.scope, ledger.quote):  # its highest is not known: no lower than these
                ledger.peak_1e17 = max(ledger.start_1e17, ledger.total_1e17)
        self._before = None
        self.ages = [
            min(self.value(scope, "max_book_age_ns") for scope in self.of_market(market)) for market in markets
        ]
        self._table: list[list[Bounds | None]] = [[None] * len(markets) for _ in deployments]

    # --- who lies where --------------------------------------------------------------------------------------------

    def _all(self, account: Account) -> Iterator[tuple[Exposure, Market, list[str]]]:
        """Every exposure, with its market and the scopes that it lies in, widest first."""
        for index, market in enumerate(self._markets):
            yield account.exposures[index], market, self.of_market(market)
            for algo, deployment in enumerate(self._deployments):
                yield account.owns[algo][index], market, [f"algo:{deployment.name}"]

    @staticmethod
    def of_market(market: Market) -> list[str]:
        """The scopes that a market lies in, widest first."""
        return [ACCOUNT, f"venue:{market.venue}", f"instrument:{market.symbol}", f"instrument:{market.name}"]

    def value(self, scope: str, key: str) -> int:
        """What a scope says itself; UNSET for nothing."""
        said = self._said.get(scope)
        if said is None:
            return UNSET
        value: int = getattr(said, key) if isinstance(said, Limits) else said.values.get(key, UNSET)
        return value

    # --- sums ------------------------------------------------------------------------------------------------------

    def _windows(self, scope: str) -> None:
        rate, before = self.value(scope, "max_order_rate"), self._before
        cancels = self.value(scope, "max_cancel_rate")
        cancel_key = "max_order_rate" if cancels == UNSET else "max_cancel_rate"
        for book, key, limit, earlier in (
            (self.orders, "max_order_rate", rate, before.orders if before else {}),
            (self.cancels, cancel_key, rate if cancels == UNSET else cancels, before.cancels if before else {}),
        ):
            if limit != UNSET:
                book[scope] = Window(limit, scope, key, earlier.get(scope))

    def _join(self, exposure: Exposure, market: Market, scopes: Sequence[str]) -> None:
        stocks, ledgers = [], []
        for scope in dict.fromkeys(scopes):
            if self.value(scope, "max_position_1e8") != UNSET:
                stock = self._stock(scope, market.base)
                stock.total_1e8 += exposure.worst_1e8
                stocks.append(stock)
            if scope == ACCOUNT or any(self._of_money(scope)) or self._is_latched(scope, market.quote):
                ledger = self._ledger(scope, market.quote)
                _count(ledger, exposure)
                if not self._was(scope, market.quote):
                    ledger.start_1e17 += exposure.day_1e17
                ledgers.append(ledger)
        exposure.stocks, exposure.ledgers = tuple(stocks), tuple(ledgers)

    def _of_money(self, scope: str) -> Iterator[bool]:
        keys = ("max_capital_1e9", "max_daily_loss_1e9", "max_drawdown_1e9")
        return (self.value(scope, key) != UNSET for key in keys)

    def _stock(self, scope: str, base: str) -> Stock:
        if (scope, base) not in self.stocks:
            self.stocks[scope, base] = Stock(scope, base, self.value(scope, "max_position_1e8"))
        return self.stocks[scope, base]

    def _was(self, scope: str, quote: str) -> Ledger | None:
        return self._before.ledgers.get((scope, quote)) if self._before is not None else None

    def _is_latched(self, scope: str, quote: str) -> bool:
        """Who takes a limit away does not thereby take its latch off."""
        was = self._was(scope, quote)
        return was is not None and bool(was.latches)

    def _ledger(self, scope: str, quote: str) -> Ledger:
        ledger = self.ledgers.get((scope, quote))
        if ledger is None:
            ledger = self.ledgers[scope, quote] = Ledger(scope, quote)
            ledger.max_capital_1e9 = self.value(scope, "max_capital_1e9")
            ledger.max_loss_1e9 = self.value(scope, "max_daily_loss_1e9")
            ledger.max_drawdown_1e9 = self.value(scope, "max_drawdown_1e9")
            was = self._was(scope, quote)
            if was is not None:
                ledger.start_1e17, ledger.peak_1e17, ledger.latches = was.start_1e17, was.peak_1e17, was.latches
                ledger.is_day_open = was.is_day_open
        return ledger

    def keep(self, scope: str, quote: str, account: Account) -> Ledger:
        """A scope's ledger, though nobody says a limit for it any more: it was latched."""
        if (scope, quote) not in self.ledgers:
            ledger = self._ledger(scope, quote)
            for exposure, market, scopes in self._all(account):
                if scope in scopes and market.quote == quote:
                    exposure.ledgers = (*exposure.ledgers, ledger)
                    _count(ledger, exposure)
        return self.ledgers[scope, quote]

    def begin(self, account: Account, known: Collection[tuple[str, str]]) -> None:
        """After a restart: ledgers that nobody remembers begin with the day of what is in them."""
        for exposure, market, _ in self._all(account):
            for ledger in exposure.ledgers:
                if (ledger.scope, market.quote) not in known:
                    ledger.start_1e17 += exposure.day_1e17
                    ledger.is_day_open |= exposure.is_day_open
                    known_1e17 = ledger.start_1e17 if ledger.unmarked else ledger.total_1e17
                    ledger.peak_1e17 = max(ledger.start_1e17, known_1e17)

    # --- one algo at one market ------------------------------------------------------------------------------------

    def bounds(self, algo: int, index: int) -> Bounds:
        found = self._table[algo][index]
        if found is None:
            found = self._table[algo][index] = self._make(algo, index)
        return found

    def forget(self) -> None:
        """What was looked up is to be worked out again: a module was promoted."""
        self._table = [[None] * len(row) for row in self._table]

    def _make(self, algo: int, index: int) -> Bounds:
        market, deployment = self._markets[index], self._deployments[algo]
        lies_in = [*self.of_market(market), f"algo:{deployment.name}"]
        scopes = [scope for scope in dict.fromkeys(lies_in) if scope in self._said]
        made = Bounds()
        made.algo_scope = f"algo:{deployment.name}"
        venue = f"venue:{market.venue}"
        made.state_scopes = (ALL, venue, f"instrument:{market.symbol}", f"instrument:{market.name}")
        made.orders = tuple(self.orders[scope] for scope in scopes if scope in self.orders)
        made.cancels = tuple(self.cancels[scope] for scope in scopes if scope in self.cancels)
        for key, slot in _EACH.items():
            for scope in scopes:
                value = self.value(scope, key)
                if value < getattr(made, slot) or key not in made.scope_of:
                    setattr(made, slot, value)
                    made.scope_of[key] = scope
        self._permissions(made, market, scopes)
        canary = self.tree.scope("canary")
        if canary is not None and deployment.sha256 not in self.tree.promoted:
            made.canary = canary.values
        return made

    def _permissions(self, made: Bounds, market: Market, scopes: Sequence[str]) -> None:
        made.types = self.tree.account.order_types
        made.scope_of["order_types"] = ACCOUNT
        for scope in scopes:
            said = self._said[scope]
            if isinstance(said, Scope) and said.values.get("order_types", made.types) & made.types != made.types:
                made.types &= said.values["order_types"]
                made.scope_of["order_types"] = scope
            permitted = said.instruments if isinstance(said, Scope) else self.tree.instruments
            if permitted is not None and not {market.name, market.symbol} & set(permitted):
                made.not_permitted = made.not_permitted or scope

    def of_algo(self, algo: int, key: str) -> tuple[int, str]:
        """A limit that is counted for each algo by itself, and who says it."""
        own = f"algo:{self._deployments[algo].name}"
        ours, wide = self.value(own, key), self.value(ACCOUNT, key)
        return (ours, own) if ours < wide else (wide, ACCOUNT)


def _count(ledger: Ledger, exposure: Exposure) -> None:
    """What an exposure that joins a ledger adds to it."""
    ledger.capital_2e17 += exposure.value_2e17
    ledger.total_1e17 += exposure.total_1e17
    ledger.unmarked += exposure.is_unmarked
    ledger.unvalued += exposure.is_unvalued
