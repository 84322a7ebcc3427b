"""A gate with random limits, books, positions and open orders, for what explains its denials: two venues, one symbol.

Integers at the guest's scales throughout; lot and tick are coarser than a unit, so that rounding shows.
"""

from typing import Any

from hypothesis import strategies as st

from connectors.book import L2Book, Level
from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import Action, Approved, OrderType
from risk.checks import Link, Market
from risk.denial import Denied
from risk.gate import Deployment, Gate
from risk.limits import UNSET, Limits, LimitTree, Scope

SECOND = 10**9
T0 = 20_000 * 86_400 * SECOND + 3_600 * SECOND
LOT = 10_000  # 0.0001
TICK = 10**8  # 0.1
MID = 100 * 10**9
MARKET, AMEND = int(OrderType.MARKET), 2


def instrument(venue: str) -> Instrument:
    return Instrument(
        venue=venue, symbol="BTC/USD", price_precision=1, size_precision=4, tick_size_1e9=TICK, lot_size_1e8=LOT,
        min_qty_1e8=10 * LOT, min_notional_1e9=10**9 // 2,
    )  # fmt: skip


class World:
    """Two algos at two venues; algo 0 is at home at the first, algo 1 at the second."""

    def __init__(self, limits: Limits | LimitTree, bids: list[Level], asks: list[Level], **options: Any) -> None:
        self.markets: list[Market] = []
        for number, venue in enumerate(("kraken", "other"), 1):
            book, link = L2Book(), Link()
            book.load(list(bids), list(asks), T0)
            link.last_ns = T0
            self.markets.append(Market(instrument(venue), book, link, number, name=f"{venue}:BTC/USD"))
        deployments = [Deployment(1, (0,), {(2, 0): 1}, name="mm"), Deployment(2, (1,), {(1, 0): 0}, name="hedger")]
        self.gate = Gate(limits, self.markets, deployments, **options)
        self.gate.roll(T0)
        for index in range(2):
            self.gate.mark(index, bids[0][0] + asks[0][0], T0)
        self.count = 0

    def row(self, algo: int, action: Action, denied: Denied) -> dict[str, Any]:
        """The denied new order as the journal would have it."""
        order_id, px_1e9, qty_1e8, side, _, kind, venue_id, pool_idx, symbol_idx, _ = action
        market = self.gate.target(algo, venue_id, pool_idx, symbol_idx)
        assert isinstance(market, int)
        book, known = self.markets[market].book, self.markets[market].instrument
        assert known is not None
        reducing = max(-self.gate.account.exposures[market].side_worst_1e8(side, 0), 0)
        return {
            "kind": "new", "order_id": order_id, "side": side, "px_1e9": px_1e9, "qty_1e8": qty_1e8,
            "order_type": "market" if kind == MARKET else "limit", "reason": str(denied.reason), "limit": denied.limit,
            "observed": denied.observed, "rule": denied.rule, "scope": denied.scope, "key": denied.key,
            "before": denied.before, "book": {"bids": book.bids[:5], "asks": book.asks[:5], "valid": True},
            "reducing_1e8": reducing,
            "grid": {"tick_size_1e9": TICK, "lot_size_1e8": LOT, "min_qty_1e8": known.min_qty_1e8,
                     "min_notional_1e9": known.min_notional_1e9},
        }  # fmt: skip

    def ask(self, algo: int, action: Action) -> Any:
        self.count += 1
        return self.gate.check_new(algo, f"c{self.count}", action, T0)

    def order(self, algo: int, side: int, qty_1e8: int, px_1e9: int, *, fill_1e8: int = 0, venue: int = 0) -> None:
        """Asks for a limit order and, if it passed, trades some of it."""
        verdict = self.ask(algo, new(self.count + 1, side, qty_1e8, px_1e9, venue=venue))
        if isinstance(verdict, Approved) and fill_1e8:
            order = verdict.order
            self.gate.fold(
                ExecReport(
                    client_order_id=order.client_order_id, exec_type=ExecType.TRADE, instrument=order.instrument,
                    exec_id=f"e{self.count}", last_qty_1e8=fill_1e8, last_px_1e9=px_1e9, cum_qty_1e8=fill_1e8,
                    leaves_qty_1e8=order.qty_1e8 - fill_1e8,
                ),
                T0,
            )  # fmt: skip


def new(order_id: int, side: int, qty_1e8: int, px_1e9: int, *, kind: int = 0, venue: int = 0) -> Action:
    """A new order; `kind` is its order type."""
    return (order_id, px_1e9, qty_1e8, side, 0, kind, venue, 0, 0, 0)


def limits(**said: int) -> Limits:
    """Nothing is limited but what is said."""
    free = {
        "max_position_1e8": UNSET, "max_order_notional_1e9": UNSET, "max_order_rate": UNSET,
        "price_collar_bps": 10_000, "max_daily_loss_1e9": UNSET,
    }  # fmt: skip
    return Limits(**{**free, **said})


lots = (st.integers(100, 3_000) | st.integers(1, 100)).map(lambda n: n * LOT)
prices = st.integers(900, 1_100).map(lambda n: n * TICK)
sides = st.sampled_from([1, -1])


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Level], list[Level]]:
    """Up to eight levels a side around 100."""
    bid = draw(st.integers(950, 1_049))
    made: list[list[Level]] = []
    for step, first in ((-1, bid), (1, bid + draw(st.integers(1, 20)))):
        gaps = draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
        levels, px = [], first
        for gap in gaps:
            levels.append((px * TICK, draw(lots)))
            px += step * gap
        made.append(levels)
    return made[0], made[1]


_BOUNDS = {
    "max_position_1e8": st.integers(0, 50_000_000), "max_order_notional_1e9": st.integers(0, 40 * 10**9),
    "max_order_qty_1e8": st.integers(0, 30_000_000), "max_capital_1e9": st.integers(0, 60 * 10**9),
    "price_collar_bps": st.integers(1, 600) | st.just(10_000),
    "collar_window_bps": st.integers(1, 600) | st.just(10_000),
}  # fmt: skip
_LABELS = (("venue", "kraken"), ("instrument", "BTC/USD"), ("instrument", "other:BTC/USD"), ("algo", "mm"))


@st.composite
def trees(draw: st.DrawFn, *, are_scoped: bool = True) -> LimitTree:
    """Some limits for the account, some for narrower scopes."""
    said = draw(st.fixed_dictionaries({}, optional=_BOUNDS))
    if not are_scoped:
        return LimitTree(account=limits(**said))
    scopes = []
    for kind, name in draw(st.lists(st.sampled_from(_LABELS), unique=True, max_size=3)):
        scopes.append(Scope(kind, name, draw(st.fixed_dictionaries({}, optional=_BOUNDS))))
    return LimitTree(account=limits(**said), scopes=tuple(scopes))


@st.composite
def worlds(draw: st.DrawFn, *, are_scoped: bool = True) -> World:
    """A world in which some orders were asked for, and some of them traded, before it was held to its limits."""
    balances = draw(st.sampled_from([{}, {"kraken": {"USD": 30 * 10**8, "BTC": 20_000_000}}]))
    world = World(limits(), *draw(books()), balances=balances, taker_ppm=2_600)
    for _ in range(draw(st.integers(0, 5))):
        qty_1e8 = draw(lots)
        fill_1e8 = draw(st.sampled_from([0, qty_1e8, qty_1e8 // LOT // 2 * LOT]))
        world.order(
            draw(st.integers(0, 1)), draw(sides), qty_1e8, draw(prices), fill_1e8=fill_1e8,
            venue=draw(st.integers(0, 2)),
        )  # fmt: skip
    world.gate.apply(draw(trees(are_scoped=are_scoped)), "test")
    return world
