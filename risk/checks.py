"""The checks: one function, one reason. Each looks at a `Case` and returns a Denied or None; integers only.

Order (HOUSE §8): state → well-formed → venue and instrument known → data → rate → collar → notional → position →
daily loss. An order that can only reduce the position (`case.reduces`) skips minimum, notional, position and loss.
A check that raises is a denial (`gate.py`): nothing here catches.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum

from connectors.book import L2Book
from connectors.instrument import Instrument
from connectors.orders import OrderType
from connectors.units import SIZE_ONE
from risk.denial import Denied, DenyReason, bounded
from risk.exposure import Exposure
from risk.limits import Limits

SECOND_NS = 10**9
_MARKET = int(OrderType.MARKET)  # plain integers: an enum's member costs a lookup each time
_POST_ONLY = int(OrderType.POST_ONLY)
QTY_MAX_1E8 = 2**62  # a quantity above this is a guest's mistake, and products stay far from overflow anywhere


class TradingState(StrEnum):
    """What is let through: everything, only what reduces, nothing new."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


_HALTED = TradingState.HALTED
_REDUCING = TradingState.REDUCING


class Window:
    """Messages in a strict rolling second: the n-th before last must be at least a second old."""

    __slots__ = ("limit", "times")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.times: deque[int] = deque(maxlen=max(limit, 1))

    def add(self, now_ns: int) -> None:
        self.times.append(now_ns)


class Link:
    """One venue link as the gate sees it. `last_ns`: when it last spoke, −1 while down; `system`: the venue's word."""

    __slots__ = ("last_ns", "system")

    def __init__(self) -> None:
        self.last_ns = -1
        self.system = "online"


class Market:
    """What the gate may judge by, of one instrument. `is_onchain`: a pool, or the book of all pools of a chain."""

    __slots__ = ("book", "instrument", "is_onchain", "link", "venue_id")

    def __init__(
        self, instrument: Instrument | None, book: L2Book, link: Link, venue_id: int = 0, *, is_onchain: bool = False
    ) -> None:
        self.instrument = instrument
        self.book = book
        self.link = link
        self.venue_id = venue_id
        self.is_onchain = is_onchain


class Case:
    """One action under judgement. `more_1e8`: quantity it adds to what is already counted as open."""

    __slots__ = (
        "ask_1e9", "bid_1e9", "exposure", "instrument", "is_amend", "is_away", "is_paper", "latched", "limits",
        "market", "more_1e8", "now_ns", "open_count", "order_type", "px_1e9", "qty_1e8", "reach_1e9", "reduces",
        "side", "state", "window",
    )  # fmt: skip

    market: Market
    instrument: Instrument
    exposure: Exposure
    limits: Limits
    state: TradingState
    window: Window
    now_ns: int
    side: int
    px_1e9: int
    qty_1e8: int
    order_type: int
    more_1e8: int
    bid_1e9: int  # best of the book; 0 where that side is empty or the book invalid
    ask_1e9: int
    reach_1e9: int  # the worst price it may trade at: its own, or for a market order the depth it needs
    reduces: bool
    is_amend: bool
    is_away: bool  # at another venue than the instance's own
    is_paper: bool
    open_count: int
    latched: bool


def check_state(case: Case) -> Denied | None:
    if case.state is _HALTED:
        return Denied(DenyReason.KILL_SWITCH, 0, 1, "state: HALTED")
    return None


def check_reduce_only(case: Case) -> Denied | None:
    if case.state is _REDUCING and not case.reduces:
        return Denied(DenyReason.REDUCE_ONLY, 0, case.qty_1e8, "state: REDUCING (1e-8)")
    return None


def check_well_formed(case: Case) -> Denied | None:
    if case.side not in (1, -1):
        return Denied(DenyReason.INVALID_ORDER, 1, case.side, "side is +1 or -1")
    if not 0 <= case.order_type <= _POST_ONLY:
        return Denied(DenyReason.INVALID_ORDER, _POST_ONLY, case.order_type, "order_type is 0 … 4")
    if not 0 < case.qty_1e8 <= QTY_MAX_1E8:
        return Denied(DenyReason.INVALID_ORDER, QTY_MAX_1E8, case.qty_1e8, "quantity is positive (1e-8)")
    if case.px_1e9 <= 0 and case.order_type != _MARKET:
        return Denied(DenyReason.INVALID_ORDER, 1, case.px_1e9, "a price is positive (1e-9)")
    return None


def check_grid(case: Case) -> Denied | None:
    instrument = case.instrument
    if case.qty_1e8 % instrument.lot_size_1e8:
        return Denied(
            DenyReason.OFF_GRID, instrument.lot_size_1e8, case.qty_1e8, "quantity is a multiple of the lot (1e-8)"
        )
    if case.px_1e9 % instrument.tick_size_1e9 and case.order_type != _MARKET:
        return Denied(
            DenyReason.OFF_GRID, instrument.tick_size_1e9, case.px_1e9, "price is a multiple of the tick (1e-9)"
        )
    return None


def check_open_orders(case: Case) -> Denied | None:
    if case.open_count >= case.limits.max_open_orders and not case.is_amend:
        return Denied(DenyReason.OPEN_ORDERS, case.limits.max_open_orders, case.open_count, "open orders of one algo")
    return None


def check_venue_ready(case: Case) -> Denied | None:
    if case.market.link.system == "online" and case.instrument.status == "online":
        return None
    for word in (case.market.link.system, case.instrument.status):
        if word == "online":
            continue
        if word == "post_only" and case.order_type == _POST_ONLY:
            continue
        if word == "limit_only" and case.order_type != _MARKET:
            continue
        if word == "reduce_only" and case.reduces:
            continue
        return Denied(DenyReason.VENUE_NOT_READY, 0, 1, f"venue or instrument is {word}")
    return None


def check_onchain(case: Case) -> Denied | None:
    if not case.market.is_onchain:
        return None
    if not case.is_paper:
        return not_supported(case.market.venue_id, "orders on chain are filled on paper only")
    if case.order_type == _POST_ONLY:
        return not_supported(case.order_type, "a pool keeps no resting order")
    return None


def check_market_data(case: Case) -> Denied | None:
    """Of the instance's own venue."""
    if case.is_away:
        return None
    problem = _data_problem(case)
    return Denied(DenyReason.STALE_MARKET_DATA, *problem) if problem is not None else None


def check_venue_data(case: Case) -> Denied | None:
    """Of another venue than the instance's own, which its guest is told apart (RejectCode 106)."""
    if not case.is_away:
        return None
    problem = _data_problem(case)
    return Denied(DenyReason.STALE_VENUE, *problem) if problem is not None else None


def _data_problem(case: Case) -> tuple[int, int, str] | None:
    """(limit, observed, rule) of what is wrong with the book the order would be judged by."""
    market = case.market
    last_ns = market.link.last_ns
    most_ns = case.limits.max_book_age_ns
    if last_ns < 0:
        return most_ns, -1, "link is down (ns)"
    if case.now_ns - last_ns > most_ns:
        return most_ns, case.now_ns - last_ns, "age of the link's last frame (ns)"
    book = market.book
    if not book.valid:
        return 0, 0, f"book is invalid: {book.reason}"
    bid, ask = case.bid_1e9, case.ask_1e9
    if not bid or not ask:
        return 0, 0, "book has an empty side"
    if bid >= ask:
        return ask, bid, "book is crossed (1e-9)"
    return None


def check_minimum(case: Case) -> Denied | None:
    instrument = case.instrument
    if case.reduces:
        return None
    if case.qty_1e8 < instrument.min_qty_1e8:
        return Denied(DenyReason.BELOW_MINIMUM, instrument.min_qty_1e8, case.qty_1e8, "venue's least quantity (1e-8)")
    if instrument.min_notional_1e9 and case.qty_1e8 * case.reach_1e9 < instrument.min_notional_1e9 * SIZE_ONE:
        notional_1e9 = bounded(case.qty_1e8 * case.reach_1e9 // SIZE_ONE)
        return Denied(
            DenyReason.BELOW_MINIMUM, instrument.min_notional_1e9, notional_1e9, "venue's least notional (1e-9)"
        )
    return None


def check_rate(window: Window, now_ns: int) -> Denied | None:
    """Of new orders and amends one window, of cancels another."""
    times, limit = window.times, window.limit
    if len(times) >= limit and (limit <= 0 or now_ns - times[0] < SECOND_NS):
        return Denied(DenyReason.RATE_LIMIT, limit, len(times) + 1, "messages in a rolling second")
    return None


def check_order_rate(case: Case) -> Denied | None:
    return check_rate(case.window, case.now_ns)


def check_collar(case: Case) -> Denied | None:
    """A market order is judged by the worst price it needs; one needing more than the book shows has none."""
    book = case.market.book
    if case.order_type == _MARKET:
        shown = sum(size for _, size in (book.asks if case.side > 0 else book.bids))
        if case.qty_1e8 > shown:
            return Denied(DenyReason.PRICE_COLLAR, bounded(shown), case.qty_1e8, "quantity the book shows (1e-8)")
    mid_sum = case.bid_1e9 + case.ask_1e9
    off = 2 * case.reach_1e9 - mid_sum
    off = (off if off >= 0 else -off) * 10_000
    if off > case.limits.price_collar_bps * mid_sum:
        return Denied(
            DenyReason.PRICE_COLLAR,
            case.limits.price_collar_bps,
            bounded(-(-off // mid_sum)),
            "distance from the mid (bps)",
        )
    return None


def check_notional(case: Case) -> Denied | None:
    """A limit order is valued at the dearer of its price and the touch it would trade at."""
    if case.reduces:
        return None
    touch = case.ask_1e9 if case.side > 0 else case.bid_1e9
    value = case.qty_1e8 * (case.reach_1e9 if case.reach_1e9 > touch else touch)
    if value > case.limits.max_order_notional_1e9 * SIZE_ONE:
        notional_1e9 = bounded(-(-value // SIZE_ONE))
        return Denied(
            DenyReason.MAX_ORDER_NOTIONAL, case.limits.max_order_notional_1e9, notional_1e9, "order notional (1e-9)"
        )
    return None


def check_position(case: Case) -> Denied | None:
    if case.reduces:
        return None
    worst = case.exposure.worst_1e8(case.side, case.more_1e8)
    if worst > case.limits.max_position_1e8:
        return Denied(
            DenyReason.MAX_POSITION,
            case.limits.max_position_1e8,
            bounded(worst),
            "position with open orders filled (1e-8)",
        )
    return None


def check_daily_loss(case: Case) -> Denied | None:
    if case.latched and not case.reduces:
        loss_1e9 = bounded(-case.exposure.session_1e17() // SIZE_ONE)
        return Denied(
            DenyReason.DAILY_LOSS, case.limits.max_daily_loss_1e9, loss_1e9, "loss since 00:00 UTC, latched (1e-9)"
        )
    return None


def not_supported(observed: int, what: str) -> Denied:
    """For what no venue here carries out yet."""
    return Denied(DenyReason.NOT_SUPPORTED, 0, observed, what)


def unknown_order(order_id: int) -> Denied:
    """A cancel or amend of what is not open: a race with a fill more often than a mistake."""
    return Denied(DenyReason.UNKNOWN_ORDER, 0, order_id, "no open order with this id")


Check = Callable[[Case], Denied | None]

CHECKS: tuple[Check, ...] = (
    check_state,
    check_well_formed,
    check_reduce_only,
    check_grid,
    check_open_orders,
    check_onchain,
    check_venue_ready,
    check_market_data,
    check_venue_data,
    check_minimum,
    check_order_rate,
    check_collar,
    check_notional,
    check_position,
    check_daily_loss,
)
