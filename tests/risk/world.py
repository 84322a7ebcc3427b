"""A gate with its markets around it, for tests: one order is one call, one answer of the venue is one call.

Prices and sizes are given in whole units or as text (`px("100.1")`); the default instrument's tick and lot are the
smallest there are, so that "one unit more" means one.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from connectors.book import L2Book, Level
from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from risk.denial import Denied, DenyReason
from risk.gate import Deployment, Gate
from risk.limits import Limits, LimitTree, Scope
from risk.market import Link, Market
from risk.states import TradingState

SECOND = 10**9
DAY = 86_400 * SECOND
T0 = 20_000 * DAY + 3_600 * SECOND  # an hour after some midnight UTC
VENUE_ID, AWAY_ID, CHAIN_ID = 1, 2, 12


def px(text: str | int) -> int:
    """A price at the guest's scale."""
    return int(Decimal(text) * 10**9)


def qty(text: str | int) -> int:
    """A size at the guest's scale."""
    return int(Decimal(text) * 10**8)


def usd(text: str | int) -> int:
    return px(text)


WIDE = Limits(
    max_position_1e8=qty(1_000),
    max_order_notional_1e9=usd(1_000_000),
    max_order_rate=1_000,
    price_collar_bps=500,
    max_daily_loss_1e9=usd(1_000_000),
)
FINE = Instrument(
    venue="kraken", symbol="BTC/USD", price_precision=9, size_precision=8, tick_size_1e9=1, lot_size_1e8=1
)
BIDS: list[Level] = [(px("99.9"), qty(5)), (px(99), qty(10)), (px(98), qty(100))]
ASKS: list[Level] = [(px("100.1"), qty(5)), (px(101), qty(10)), (px(102), qty(100))]


def tree(*scopes: Scope, **changes: int) -> LimitTree:
    """Wide limits of the account, but for the ones named, and what narrower scopes say."""
    return LimitTree(limits(**changes), scopes)


def limits(**changes: int) -> Limits:
    """Wide limits, but for the ones named."""
    return Limits(**{**{name: getattr(WIDE, name) for name in Limits.__struct_fields__}, **changes})


class World:
    """One account at one venue: a valid book of mid 100 for every instrument, a link that just spoke.

    `away`: the first symbol is traded at another venue (market n), at a chain (n + 1) and at two pools of it as well.
    Algos are called a0, a1 … or `names`; their modules' hashes are `hashes`.
    """

    def __init__(
        self, held: Limits | LimitTree = WIDE, instruments: tuple[Instrument | None, ...] = (FINE,), *, algos: int = 1,
        away: bool = False, is_paper: bool = True, hashes: tuple[str, ...] = (), taker_ppm: int = 0,
        balances: Mapping[str, Mapping[str, int]] | None = None, names: tuple[str, ...] = ("a0", "a1", "a2"),
    ) -> None:  # fmt: skip
        self.now = T0
        self.link = Link()
        self.links = [self.link]
        self.link.last_ns = self.now
        self.books: list[L2Book] = []
        self.markets: list[Market] = []
        for instrument in instruments:
            self._add(self.link, instrument, VENUE_ID, "")
        own = tuple(range(len(instruments)))
        elsewhere: dict[tuple[int, int], int] = {}
        pools: dict[tuple[int, int], int] = {}
        if away:
            elsewhere = {(AWAY_ID, 0): self._away(AWAY_ID, "other:BTC/USD")}
            elsewhere[CHAIN_ID, 0] = self._away(CHAIN_ID, "dex:BTC/USD")
            pools = {(0, slot): self._away(CHAIN_ID, f"dex:BTC/USD@0x{slot}") for slot in (0, 1)}
        self.deployments = [
            Deployment(VENUE_ID, own, elsewhere, pools, name=names[n], sha256="".join(hashes[n : n + 1]))
            for n in range(algos)
        ]
        self.gate = Gate(
            held, self.markets, self.deployments, is_paper=is_paper, taker_ppm=taker_ppm, balances=balances
        )
        self.gate.roll(self.now)
        for index in range(len(self.markets)):
            self.gate.mark(index, px(200), self.now)
        self.sent = 0
        self.executions = 0

    def _away(self, venue_id: int, name: str) -> int:
        """One more market of the first symbol, on a link of its own: at another venue, or a pool."""
        self.links.append(Link())
        self.links[-1].last_ns = self.now
        return self._add(self.links[-1], FINE, venue_id, name)

    def _add(self, link: Link, instrument: Instrument | None, venue_id: int, name: str) -> int:
        book = L2Book()
        book.load(list(BIDS), list(ASKS), self.now)
        self.books.append(book)
        self.markets.append(Market(instrument, book, link, venue_id, is_onchain=venue_id == CHAIN_ID, name=name))
        return len(self.markets) - 1

    # --- what an algo asks -----------------------------------------------------------------------------------------

    def ask(self, **given: Any) -> Approved[NewOrder] | Denied:
        """A new order; by default a buy of 1 at 100 that nothing speaks against."""
        self.sent += 1
        order: dict[str, Any] = {
            "algo": 0, "client_order_id": f"c{self.sent}", "order_id": self.sent, "side": 1, "px_1e9": px(100),
            "qty_1e8": qty(1), "order_type": 0, "venue_id": 0, "pool_idx": 0, "symbol_idx": 0, "now_ns": self.now,
        }  # fmt: skip
        order |= given
        action = (
            order["order_id"], order["px_1e9"], order["qty_1e8"], order["side"], 0, order["order_type"],
            order["venue_id"], order["pool_idx"], order["symbol_idx"], 0,
        )  # fmt: skip
        return self.gate.check_new(order["algo"], order["client_order_id"], action, order["now_ns"])

    def new(self, **given: Any) -> NewOrder:
        """A new order that must pass."""
        verdict = self.ask(**given)
        assert isinstance(verdict, Approved), verdict
        return verdict.order

    def refused(self, **given: Any) -> DenyReason:
        """Why a new order does not pass; nothing may be counted for it."""
        before = self.counted()
        verdict = self.ask(**given)
        assert isinstance(verdict, Denied), verdict
        assert self.counted() == before
        return verdict.reason

    def denied(self, reason: DenyReason, **given: Any) -> Denied:
        """A new order that does not pass, for this reason; nothing is counted for it, and a dry run says the same."""
        before = self.counted()
        verdict = self.ask(**given)
        assert isinstance(verdict, Denied), verdict
        assert verdict.reason is reason, verdict
        assert verdict.rule
        assert self.counted() == before
        return verdict

    def amend(self, order: NewOrder, qty_1e8: int, px_1e9: int | None = None) -> Approved[AmendOrder] | Denied:
        price = order.px_1e9 if px_1e9 is None else px_1e9
        return self.gate.check_amend(order.algo, "amend", order.order_id, price, qty_1e8, self.now)

    def cancel(self, order: NewOrder) -> Approved[CancelOrder] | Denied:
        return self.gate.check_cancel(order.algo, "cancel", order.order_id, self.now)

    def counted(self) -> tuple[object, ...]:
        """Everything that an approval changes."""
        account = self.gate.account
        return (
            [(e.position_1e8, e.open_buy_1e8, e.open_sell_1e8) for e in account.exposures],
            sorted(account.live),
            self.gate.approvals,
            dict(account.open_counts),
        )

    # --- what the venue answers ------------------------------------------------------------------------------------

    def report(self, order: NewOrder, kind: ExecType, **fields: Any) -> bool:
        return self.gate.fold(
            ExecReport(client_order_id=order.client_order_id, exec_type=kind, instrument=order.instrument, **fields),
            self.now,
        )

    def fill(
        self, order: NewOrder, qty_1e8: int | None = None, px_1e9: int | None = None, *, cum: int | None = None,
        leaves: int = 0, fee: int = 0,
    ) -> bool:  # fmt: skip
        """One new execution, the whole order by default; True when it latched the daily loss."""
        self.executions += 1
        live = self.gate.account.live.get(order.client_order_id)
        before = live.filled_1e8 if live is not None else 0
        return self.report(
            order,
            ExecType.TRADE,
            exec_id=f"e{self.executions}",
            last_qty_1e8=order.qty_1e8 if qty_1e8 is None else qty_1e8,
            last_px_1e9=order.px_1e9 if px_1e9 is None else px_1e9,
            cum_qty_1e8=before + (order.qty_1e8 if qty_1e8 is None else qty_1e8) if cum is None else cum,
            leaves_qty_1e8=leaves,
            fee_1e9=fee,
        )

    def hold(self, side: int, qty_1e8: int, px_1e9: int = px(100), symbol_idx: int = 0) -> None:
        """Ends up with that much more position, bought or sold at that price."""
        self.fill(self.new(side=side, qty_1e8=qty_1e8, symbol_idx=symbol_idx), px_1e9=px_1e9)

    def later(self, ns: int = SECOND) -> None:
        """Time passes on links that keep speaking."""
        self.now += ns
        for link in self.links:
            link.last_ns = self.now

    def show(self, bid: str | int, ask: str | int, index: int = 0) -> bool:
        """The venue shows 1,000 at one price on either side; True when the mark latched something."""
        self.books[index].load([(px(bid), qty(1_000))], [(px(ask), qty(1_000))], self.now)
        return self.gate.mark(index, px(bid) + px(ask), self.now)

    # --- what a person does ----------------------------------------------------------------------------------------

    def halt(self, scope: str = "all") -> None:
        self.gate.tighten(scope, TradingState.HALTED, "kill", "ana", self.now)

    def reduce(self, scope: str = "all") -> None:
        self.gate.tighten(scope, TradingState.REDUCING, "kill", "ana", self.now)

    def arm(self, scope: str = "all") -> None:
        self.gate.arm(scope, "ana", self.now)

    def restrict(self, **changes: int) -> None:
        """Other limits of the account, from now on."""
        account = msgspec.structs.replace(self.gate.limits, **changes)
        self.gate.apply(msgspec.structs.replace(self.gate.tree, account=account), "ana")
