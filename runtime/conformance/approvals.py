"""Approvals for the T cards, minted by a real gate: nobody else can make one, the kit neither.

The gate's limits are as wide as they go, its book stands around whatever price is asked for; the checks all run.
"""

from collections.abc import Sequence
from typing import Any, Final

from connectors.book import L2Book
from connectors.events import ExecReport
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Venue
from connectors.units import I64_MAX, SIZE_ONE
from risk.bounds import Deployment
from risk.denial import Denied
from risk.gate import Gate
from risk.limits import U32_MAX, Limits
from risk.market import Link, Market
from runtime.tap import Tap

T0: Final = 1_786_874_645_000_000_000
_WIDE: Final = Limits(
    max_position_1e8=I64_MAX, max_order_notional_1e9=I64_MAX, max_order_rate=U32_MAX, price_collar_bps=1_000_000,
    max_daily_loss_1e9=I64_MAX, max_open_orders=100_000, max_book_age_ns=I64_MAX,
)  # fmt: skip


class Mint:
    """One account at one venue, and the tap that reads what leaves for it. `venue_ids`: of orders, as they are told."""

    def __init__(self, venue: Venue, instruments: Sequence[Instrument], now_ns: int = T0) -> None:
        self.venue = venue
        self.venue_ids: dict[str, str] = {}
        self._link = Link()
        self._link.last_ns = now_ns
        self._books = [L2Book() for _ in instruments]
        markets = [
            Market(one, book, self._link, venue.venue_id) for one, book in zip(instruments, self._books, strict=True)
        ]
        lowering = [venue.name] if venue.capabilities.amend_down_only else []
        self.tap = Tap(
            {venue.name: venue.asked}, [market.name for market in markets], instruments=list(instruments),
            venue_ids=lambda name: self.venue_ids.get(name, ""), lowering=lowering,
        )  # fmt: skip
        deployment = Deployment(venue.venue_id, tuple(range(len(markets))), name="conformance")
        self.gate = Gate(_WIDE, markets, [deployment], is_paper=False, on_approved=self.tap.approved)
        self._instruments = list(instruments)
        self._made = 0

    def new(
        self, px_1e9: int, qty_1e8: int, now_ns: int, *, index: int = 0, side: int = 1,
        order_type: int = int(OrderType.LIMIT),
    ) -> Approved[NewOrder]:  # fmt: skip
        """Raises AssertionError where the gate denies it, with its reason."""
        self._made += 1
        self._around(index, px_1e9, qty_1e8, side, order_type, now_ns)
        action = (self._made, px_1e9, qty_1e8, side, 0, order_type, 0, 0, index, 0)
        approved: Approved[NewOrder] = _passed(self.gate.check_new(0, f"vgk1t2x3-{self._made}", action, now_ns))
        return approved

    def amend(self, order: NewOrder, px_1e9: int, qty_1e8: int, now_ns: int) -> Approved[AmendOrder]:
        self._link.last_ns = now_ns
        name = f"{order.client_order_id}-a"
        approved: Approved[AmendOrder] = _passed(
            self.gate.check_amend(0, name, order.order_id, px_1e9, qty_1e8, now_ns)
        )
        return approved

    def cancel(self, order: NewOrder, now_ns: int) -> Approved[CancelOrder]:
        approved: Approved[CancelOrder] = _passed(
            self.gate.check_cancel(0, f"{order.client_order_id}-c", order.order_id, now_ns)
        )
        return approved

    def cancel_all(self, now_ns: int) -> Approved[CancelAll]:
        return self.gate.must_cancel_all(self.venue.name, "all", now_ns)

    def told(self, report: ExecReport, now_ns: int) -> None:
        """What the venue said of an order."""
        if report.venue_order_id:
            self.venue_ids[report.client_order_id] = report.venue_order_id
        self.gate.fold(report, now_ns)

    def _around(self, index: int, px_1e9: int, qty_1e8: int, side: int, order_type: int, now_ns: int) -> None:
        """A book a tick wide on the order's passive side, deep enough for a market order."""
        tick = self._instruments[index].tick_size_1e9
        bid = px_1e9 if side > 0 else px_1e9 - tick
        if order_type in (OrderType.IOC, OrderType.FOK, OrderType.MARKET):
            bid = px_1e9 - tick if side > 0 else px_1e9
        self._books[index].load([(bid, qty_1e8)], [(bid + tick, qty_1e8)], now_ns)
        self._link.last_ns = now_ns
        self.gate.mark(index, 2 * bid + tick, now_ns)


def _passed(verdict: Any) -> Any:
    if isinstance(verdict, Denied):
        raise AssertionError(f"the kit's own gate denies this order: {verdict.reason}: {verdict.rule}")  # noqa: TRY004
    return verdict


def example(instrument: Instrument, parts: int = 3) -> tuple[int, int]:
    """(price ×1e9, quantity ×1e8) that any venue takes: on the grid, above the minimums, divisible by `parts` lots."""
    px_1e9 = instrument.tick_size_1e9 * 100_003
    least = max(instrument.min_qty_1e8, instrument.lot_size_1e8)
    least = max(least, -(-instrument.min_notional_1e9 * SIZE_ONE // px_1e9))
    lots = -(-least // instrument.lot_size_1e8)
    return px_1e9, parts * lots * instrument.lot_size_1e8
