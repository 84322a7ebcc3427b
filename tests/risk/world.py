"""A gate with a market around it, for tests: one order is one call, one answer of the venue is one call.

Prices and sizes are given in whole units or as text (`px("100.1")`); the default instrument's tick and lot are the
smallest there are, so that "one unit more" means one.
"""

from decimal import Decimal
from typing import Any

from connectors.book import L2Book, Level
from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from risk.checks import Link, Market
from risk.denial import Denied, DenyReason
from risk.gate import Deployment, Gate
from risk.limits import Limits

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


def limits(**changes: int) -> Limits:
    """Wide limits, but for the ones named."""
    return Limits(**{**{name: getattr(WIDE, name) for name in Limits.__struct_fields__}, **changes})


class World:
    """One account at one venue: a valid book of mid 100 for every instrument, a link that just spoke.

    `away`: the first symbol is traded at another venue (market n), at a chain (n + 1) and at two pools of it as well.
    """

    def __init__(
        self, held: Limits = WIDE, instruments: tuple[Instrument | None, ...] = (FINE,), *, algos: int = 1,
        away: bool = False, is_paper: bool = True,
    ) -> None:  # fmt: skip
        self.now = T0
        self.link = Link()
        self.link.last_ns = self.now
        self.books = [L2Book() for _ in instruments]
        for book in self.books:
            book.load(list(BIDS), list(ASKS), self.now)
        self.markets = [Market(i, book, self.link, VENUE_ID) for i, book in zip(instruments, self.books, strict=True)]
        own = tuple(range(len(instruments)))
        deployment = Deployment(VENUE_ID, own)
        if away:
            elsewhere = {(venue, 0): self._add(venue) for venue in (AWAY_ID, CHAIN_ID)}
            deployment = Deployment(VENUE_ID, own, elsewhere, {(0, slot): self._add(CHAIN_ID) for slot in (0, 1)})
        self.gate = Gate(held, self.markets, [deployment] * algos, is_paper=is_paper)
        self.gate.roll(self.now)
        for index in range(len(self.markets)):
            self.gate.mark(index, px(200))
        self.sent = 0
        self.executions = 0

    def _add(self, venue_id: int) -> int:
        """One more market of the same symbol, on a link of its own: at another venue, or a pool."""
        book, link = L2Book(), Link()
        book.load(list(BIDS), list(ASKS), self.now)
        link.last_ns = self.now
        self.books.append(book)
        self.markets.append(Market(FINE, book, link, venue_id, is_onchain=venue_id == CHAIN_ID))
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
            ExecReport(client_order_id=order.client_order_id, exec_type=kind, instrument=order.instrument, **fields)
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
        """Time passes on a link that keeps speaking."""
        self.now += ns
        self.link.last_ns = self.now
