"""The paper venue: approved orders against the real book, pure, and never kinder than the market would have been.

* A taker walks the visible levels, best first, and pays the taker's fee. What it takes is gone for the next one: each
  level remembers what was taken from it until the venue shows it smaller or gone.
* A resting order fills only when the market trades through its price (a public trade strictly beyond it) or the book
  crosses it (the other side shows its price or better), never for more than that trade or those levels show, at its
  own price, and pays the maker's fee. A trade at its very price fills nothing: nobody knows our place in the queue.
  Nor does a trade that is not younger, by the venue's own clock, than the book on which the order was placed: trades
  and books come on separate channels, and a sweep's trade may arrive after the book it left behind.
  A trade whose taker was on our order's own side fills nothing either: what it took was shown on the other side, and
  there the book's crossing fills us, once.
* Post-only that would cross is refused with the venue's own words. FOK fills whole or not at all. What a market or IOC
  order cannot fill is cancelled.

The bytes that the real venue would get are encoded all the same, so that what is hashed and replayed is the order.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from connectors.book import L2Book
from connectors.errors import NumberError
from connectors.events import ExecReport, ExecType, RejectCode, Trade
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import OrderEncoder, Send
from connectors.units import SIZE_ONE, rfc3339_ns

PPM = 1_000_000


class Fees(msgspec.Struct, frozen=True):
    """Parts per million of the notional; Kraken's lowest tier is 2,500 maker, 4,000 taker."""

    maker_ppm: int = 2_500
    taker_ppm: int = 4_000


class _Resting:
    __slots__ = ("filled_1e8", "instrument", "px_1e9", "qty_1e8", "sequence", "side", "since", "venue_order_id")

    def __init__(self, order: NewOrder, venue_order_id: str, sequence: int, since: str) -> None:
        self.instrument = order.instrument
        self.side = order.side
        self.px_1e9 = order.px_1e9
        self.qty_1e8 = order.qty_1e8
        self.filled_1e8 = 0
        self.venue_order_id = venue_order_id
        self.sequence = sequence
        self.since = since  # the venue's time of the book it was placed, or last amended, on

    @property
    def leaves_1e8(self) -> int:
        return self.qty_1e8 - self.filled_1e8

    def was_there(self, trade: Trade) -> bool:
        """Whether the trade is surely younger than the order; a book that names no time proves nothing."""
        try:
            return trade.ts_venue_ns > rfc3339_ns(self.since)
        except NumberError:
            return False


PaperOutput = Send | ExecReport


class PaperVenue:
    """One account's orders at one venue.

    `books[i]` is instrument i's live book and `book_times[i]` its venue time (RFC 3339, may be empty); the engine owns
    both. Without an encoder it is a chain: nothing is encoded, and what a pool's ladder cannot fill at once is
    cancelled, for a pool keeps no order.
    """

    def __init__(
        self,
        encoder: OrderEncoder | None,
        books: Sequence[L2Book],
        book_times: Sequence[str],
        fees: Fees,
        refusals: Mapping[str, tuple[RejectCode, str]],
    ) -> None:
        self._encoder = encoder
        self._books = books
        self._book_times = book_times
        self._fees = fees
        self._refusals = refusals
        self._orders: dict[str, _Resting] = {}
        self._taken: dict[tuple[int, int], dict[int, int]] = {}  # (instrument, taker's side) → price → size taken
        self._sequence = 0
        self._executions = 0

    @property
    def is_busy(self) -> bool:
        """Whether a new book could matter: something rests, or something was taken."""
        return bool(self._orders or self._taken)

    # --- what we ask -----------------------------------------------------------------------------------------------

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[PaperOutput]:
        """The bytes, then what the venue would answer."""
        order = approved.order
        out: list[PaperOutput] = [self._encoder.submit(approved, now_ns)] if self._encoder is not None else []
        self._sequence += 1
        since = self._book_times[order.instrument]
        paper = _Resting(order, f"PAPER-{self._sequence}", self._sequence, since)
        kind = order.order_type
        if kind == OrderType.POST_ONLY and self._crosses(paper):
            code, text = self._refusals.get("post_only_would_cross", (RejectCode.INVALID_PARAMS, "post only"))
            out.append(self._report(order.client_order_id, paper, ExecType.REJECTED, now_ns, code=code, text=text))
            return out
        out.append(self._report(order.client_order_id, paper, ExecType.NEW, now_ns))
        limit_1e9 = 0 if kind == OrderType.MARKET else order.px_1e9
        if kind == OrderType.FOK and self._available(paper, limit_1e9) < order.qty_1e8:
            out.append(self._report(order.client_order_id, paper, ExecType.CANCELED, now_ns, text="fill or kill"))
            return out
        out += self._take(order.client_order_id, paper, limit_1e9, now_ns)
        if paper.leaves_1e8:
            if self._encoder is not None and kind in (OrderType.LIMIT, OrderType.POST_ONLY):
                self._orders[order.client_order_id] = paper
            else:
                text = "no more visible liquidity at that price"
                out.append(self._report(order.client_order_id, paper, ExecType.CANCELED, now_ns, text=text))
        return out

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[PaperOutput]:
        name = approved.order.client_order_id
        out: list[PaperOutput] = [self._encoder.cancel(approved, now_ns)] if self._encoder is not None else []
        paper = self._orders.pop(name, None)
        if paper is None:
            out.append(self._unknown(name, approved.order.instrument, ExecType.CANCEL_REJECTED, now_ns))
        else:
            out.append(self._report(name, paper, ExecType.CANCELED, now_ns, text="user requested"))
        return out

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> list[PaperOutput]:
        """Whatever rests at this venue, in the order it came."""
        out: list[PaperOutput] = [self._encoder.cancel_all(approved, now_ns)] if self._encoder is not None else []
        gone, self._orders = self._orders, {}
        for name, paper in gone.items():
            out.append(self._report(name, paper, ExecType.CANCELED, now_ns, text="user requested"))
        return out

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[PaperOutput]:
        """In place: id and fills stay. A total at or below what is filled cancels the rest; a better price may take."""
        order = approved.order
        name = order.client_order_id
        out: list[PaperOutput] = [self._encoder.amend(approved, now_ns)] if self._encoder is not None else []
        paper = self._orders.get(name)
        if paper is None:
            out.append(self._unknown(name, order.instrument, ExecType.REPLACE_REJECTED, now_ns))
            return out
        if order.px_1e9 != paper.px_1e9 or order.qty_1e8 > paper.qty_1e8:
            self._sequence += 1
            paper.sequence = self._sequence  # to the back of the queue
            paper.since = self._book_times[paper.instrument]
        paper.px_1e9, paper.qty_1e8 = order.px_1e9, max(order.qty_1e8, paper.filled_1e8)
        out.append(self._report(name, paper, ExecType.REPLACED, now_ns, px_1e9=paper.px_1e9, qty_1e8=paper.qty_1e8))
        if paper.leaves_1e8:
            out += self._take(name, paper, paper.px_1e9, now_ns)
        else:
            out.append(self._report(name, paper, ExecType.CANCELED, now_ns, text="amended below what is filled"))
        if not paper.leaves_1e8:
            self._orders.pop(name, None)
        return out

    # --- what the market does --------------------------------------------------------------------------------------

    def on_book(self, instrument: int, now_ns: int) -> list[ExecReport]:
        """A valid book: forget what was taken from levels that shrank or left, fill what it crosses."""
        if self._taken:
            self._forget_taken(instrument)
        out: list[ExecReport] = []
        bid_1e9, ask_1e9 = self._books[instrument].touch()
        for paper in self._orders.values():
            reached = 0 < ask_1e9 <= paper.px_1e9 if paper.side > 0 else bid_1e9 >= paper.px_1e9
            if reached and paper.instrument == instrument:
                break
        else:
            return out  # almost always: what follows sorts and copies
        for name, paper in self._resting(instrument):
            if self._crosses(paper):
                out += self._cross(name, paper, now_ns)
        return out

    def _forget_taken(self, instrument: int) -> None:
        book = self._books[instrument]
        for side in (1, -1):
            taken = self._taken.get((instrument, side))
            if taken:
                sizes = ((px, min(used, book.size_1e8(side, px))) for px, used in taken.items())
                kept = {px: size for px, size in sizes if size}
                if kept:
                    self._taken[instrument, side] = kept
                else:
                    del self._taken[instrument, side]

    def on_trade(self, trade: Trade, now_ns: int) -> list[ExecReport]:
        """A public trade: what rests at a price that it went through fills, up to the trade's size."""
        out: list[ExecReport] = []
        left_1e8 = 0 if trade.snapshot else trade.sz_1e8
        for name, paper in self._resting(trade.instrument):
            is_through = trade.side != paper.side and (paper.px_1e9 - trade.px_1e9) * paper.side > 0
            if left_1e8 and is_through and paper.was_there(trade):
                qty = min(left_1e8, paper.leaves_1e8)
                left_1e8 -= qty
                out.append(self._fill(name, paper, qty, paper.px_1e9, self._fees.maker_ppm, now_ns))
        return out

    # --- matching --------------------------------------------------------------------------------------------------

    def _levels(self, instrument: int, side: int) -> Iterator[tuple[int, int]]:
        """What a taker of `side` meets, best first."""
        book = self._books[instrument]
        return iter(book.asks if side > 0 else book.bids)

    def _resting(self, instrument: int) -> list[tuple[str, _Resting]]:
        """Price-time priority: best price first on either side, then the earlier."""
        found = [(name, paper) for name, paper in self._orders.items() if paper.instrument == instrument]
        if len(found) > 1:
            found.sort(key=lambda item: (-item[1].px_1e9 * item[1].side, item[1].sequence))
        return found

    def _crosses(self, paper: _Resting) -> bool:
        book = self._books[paper.instrument]
        if paper.side > 0:
            return 0 < book.best_ask_1e9 <= paper.px_1e9
        return book.best_bid_1e9 >= paper.px_1e9

    def _reachable(self, paper: _Resting, limit_1e9: int) -> Iterator[tuple[int, int]]:
        """Levels within the limit (0: none) and what is left of them."""
        taken = self._taken.get((paper.instrument, paper.side), {})
        for px, size in self._levels(paper.instrument, paper.side):
            if limit_1e9 and (px - limit_1e9) * paper.side > 0:
                return
            left = size - taken.get(px, 0)
            if left > 0:
                yield px, left

    def _available(self, paper: _Resting, limit_1e9: int) -> int:
        return sum(left for _, left in self._reachable(paper, limit_1e9))

    def _take(self, name: str, paper: _Resting, limit_1e9: int, now_ns: int) -> list[ExecReport]:
        out = []
        for px, left in list(self._reachable(paper, limit_1e9)):
            if not paper.leaves_1e8:
                break
            qty = min(left, paper.leaves_1e8)
            self._use(paper, px, qty)
            out.append(self._fill(name, paper, qty, px, self._fees.taker_ppm, now_ns))
        return out

    def _cross(self, name: str, paper: _Resting, now_ns: int) -> list[ExecReport]:
        """The book shows our price or better on the other side: those levels would have met our order first."""
        out = []
        for px, left in list(self._reachable(paper, paper.px_1e9)):
            if not paper.leaves_1e8:
                break
            qty = min(left, paper.leaves_1e8)
            self._use(paper, px, qty)
            out.append(self._fill(name, paper, qty, paper.px_1e9, self._fees.maker_ppm, now_ns))
        return out

    def _use(self, paper: _Resting, px: int, qty: int) -> None:
        taken = self._taken.setdefault((paper.instrument, paper.side), {})
        taken[px] = taken.get(px, 0) + qty

    # --- reports ---------------------------------------------------------------------------------------------------

    def _fill(self, name: str, paper: _Resting, qty: int, px: int, fee_ppm: int, now_ns: int) -> ExecReport:
        paper.filled_1e8 += qty
        if not paper.leaves_1e8:
            self._orders.pop(name, None)
        self._executions += 1
        return ExecReport(
            client_order_id=name,
            exec_type=ExecType.TRADE,
            instrument=paper.instrument,
            venue_order_id=paper.venue_order_id,
            exec_id=f"PAPER-E{self._executions}",
            last_qty_1e8=qty,
            last_px_1e9=px,
            cum_qty_1e8=paper.filled_1e8,
            leaves_qty_1e8=paper.leaves_1e8,
            fee_1e9=-(-qty * px * fee_ppm // (SIZE_ONE * PPM)),  # rounded up: against us
            ts_venue_ns=now_ns,
        )

    @staticmethod
    def _report(
        name: str, paper: _Resting, exec_type: ExecType, now_ns: int, *,
        code: RejectCode = RejectCode.UNKNOWN, text: str = "", px_1e9: int = 0, qty_1e8: int = 0,
    ) -> ExecReport:  # fmt: skip
        is_open = exec_type in (ExecType.NEW, ExecType.REPLACED)
        return ExecReport(
            client_order_id=name,
            exec_type=exec_type,
            instrument=paper.instrument,
            venue_order_id=paper.venue_order_id,
            cum_qty_1e8=paper.filled_1e8,
            leaves_qty_1e8=paper.leaves_1e8 if is_open else 0,
            px_1e9=px_1e9,
            qty_1e8=qty_1e8,
            reject_code=code,
            text=text,
            ts_venue_ns=now_ns,
        )

    def _unknown(self, name: str, instrument: int, exec_type: ExecType, now_ns: int) -> ExecReport:
        code, text = self._refusals.get("unknown_order", (RejectCode.INVALID_PARAMS, "unknown order"))
        return ExecReport(
            client_order_id=name,
            exec_type=exec_type,
            instrument=instrument,
            reject_code=code,
            text=text,
            ts_venue_ns=now_ns,
        )
