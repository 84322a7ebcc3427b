"""One instrument's book at a paper venue, in whole units, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.book import L2Book, Level
from connectors.events import ExecReport, Trade
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import rfc3339_ns
from connectors.venues.kraken import VENUE
from runtime.sim.paper import Fees, PaperVenue

P, Q = 10**9, 10**8
LIMIT, MARKET, IOC, FOK, POST = (int(kind) for kind in OrderType)
FEES = Fees(maker_ppm=2_500, taker_ppm=4_000)
BTC = Instrument(
    venue="kraken", symbol="BTC/USD", price_precision=1, size_precision=8, tick_size_1e9=P // 10, lot_size_1e8=1
)
Fill = tuple[str, int, int]  # order, size, price in whole units


def time_text(second: int) -> str:
    return f"2026-08-01T00:00:{second:02}.000000Z"


class Desk:
    """One instrument's book at a paper venue; prices and sizes in whole units."""

    def __init__(self) -> None:
        self.book = L2Book()
        assert VENUE.orders is not None
        self.times = [time_text(0)]
        self.paper = PaperVenue(VENUE.orders([BTC]), [self.book], self.times, FEES, VENUE.refusals)
        self.asked = 0

    def show(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[ExecReport]:
        """A new book; levels as (price, size)."""
        self.book.load([(px * P, sz * Q) for px, sz in bids], [(px * P, sz * Q) for px, sz in asks], 1)
        return self.paper.on_book(0, 1)

    def trade(self, px: int, size: int, side: int, *, snapshot: bool = False, second: int = 59) -> list[ExecReport]:
        """A public trade; by default long after any book."""
        return self.paper.on_trade(Trade(0, px * P, size * Q, side, 1, rfc3339_ns(time_text(second)), snapshot), 1)

    def new(self, name: str, side: int, size: int, px: int = 0, kind: int = LIMIT) -> list[ExecReport]:
        order = NewOrder(name, 0, 0, 1, side, px * P, size * Q, kind)
        return self._answers(self.paper.submit(Approved(order, self._number(), 1, 1), 1))

    def cancel(self, name: str) -> list[ExecReport]:
        order = CancelOrder(name, 0, 0, 1, "a")
        return self._answers(self.paper.cancel(Approved(order, self._number(), 1, 1), 1))

    def amend(self, name: str, side: int, size: int, px: int) -> list[ExecReport]:
        order = AmendOrder(name, 0, 0, 1, side, px * P, size * Q, "a")
        return self._answers(self.paper.amend(Approved(order, self._number(), 1, 1), 1))

    def _number(self) -> int:
        self.asked += 1
        return self.asked

    @staticmethod
    def _answers(outputs: Sequence[Send | ExecReport]) -> list[ExecReport]:
        """The bytes go first, once; then the answers."""
        assert isinstance(outputs[0], Send)
        answers = [output for output in outputs if isinstance(output, ExecReport)]
        assert len(answers) == len(outputs) - 1
        return answers
