"""The first half of the checks: states, the order itself, what is permitted, the data it is judged by.

One function, one reason; each looks at a `Case` and returns a Denied or None. Integers only; nothing here catches.
"""

from connectors.orders import OrderType
from connectors.units import SIZE_ONE
from risk.case import Case
from risk.denial import Denied, DenyReason, bounded
from risk.states import TradingState

_MARKET = int(OrderType.MARKET)  # plain integers: an enum's member costs a lookup each time
_POST_ONLY = int(OrderType.POST_ONLY)
QTY_MAX_1E8 = 2**62  # a quantity above this is a guest's mistake, and products stay far from overflow anywhere
_HALTED = TradingState.HALTED
_ACTIVE = TradingState.ACTIVE


def check_state(case: Case) -> Denied | None:
    if case.state is _HALTED:
        return Denied(DenyReason.KILL_SWITCH, 0, 1, f"{case.state_scope} is HALTED", case.state_scope)
    if case.algo_state is _HALTED:
        return Denied(DenyReason.KILL_SWITCH, 0, 1, f"{case.bounds.algo_scope} is HALTED", case.bounds.algo_scope)
    return None


def check_reconciled(case: Case) -> Denied | None:
    if case.market.link.is_reconciled:
        return None
    why = f": {case.market.link.why}" if case.market.link.why else ""
    return Denied(DenyReason.NOT_RECONCILED, 1, 0, f"{case.market.venue} is not reconciled yet{why}")


def check_drift(case: Case) -> Denied | None:
    if not case.market.drifted:
        return None
    venue_1e8 = case.market.venue_position_1e8
    return Denied(
        DenyReason.POSITION_DRIFT, case.exposure.position_1e8, venue_1e8, "position: ours, the venue's (1e-8)"
    )


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


def check_reduce_only(case: Case) -> Denied | None:
    if case.state is not _ACTIVE and not case.reduces:
        return Denied(
            DenyReason.REDUCE_ONLY, 0, case.qty_1e8, f"{case.state_scope} is REDUCING (1e-8)", case.state_scope
        )
    if case.algo_state is not _ACTIVE and not case.own_reduces:
        scope = case.bounds.algo_scope
        return Denied(DenyReason.REDUCE_ONLY, 0, case.qty_1e8, f"{scope} is REDUCING (1e-8)", scope)
    return None


def not_allowed(limit: int, observed: int, rule: str, scope: str = "", key: str = "") -> Denied:
    """A symbol that the deployment does not have, or a market that somebody's `instruments` does not."""
    return Denied(DenyReason.INSTRUMENT_NOT_ALLOWED, limit, observed, rule, scope, key)


def check_instrument(case: Case) -> Denied | None:
    scope = case.bounds.not_permitted
    if scope and not case.reduces:
        return not_allowed(0, 1, f"{case.market.name} is not permitted", scope, "instruments")
    return None


def check_order_type(case: Case) -> Denied | None:
    bounds = case.bounds
    if bounds.types >> case.order_type & 1:
        return None
    scope = bounds.scope_of["order_types"]
    return Denied(
        DenyReason.ORDER_TYPE_NOT_ALLOWED, bounds.types, 1 << case.order_type, "order types, a bit each", scope,
        "order_types",
    )  # fmt: skip


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
    limit = case.bounds.max_open
    if case.open_count >= limit and not case.is_amend:
        scope = case.bounds.scope_of["max_open_orders"]
        return Denied(
            DenyReason.OPEN_ORDERS, limit, case.open_count + 1, "open orders of one algo", scope, "max_open_orders",
            case.open_count,
        )  # fmt: skip
    return None


def check_supported(case: Case) -> Denied | None:
    if case.is_amend and case.order_type == _MARKET:
        return not_supported(case.order_type, "a market order has no price to amend")
    if not case.market.types >> case.order_type & 1:
        return not_supported(case.order_type, f"{case.market.venue} has no orders of this type")
    if case.is_amend and not case.market.amends:
        return not_supported(1, f"{case.market.venue} cannot change an order: cancel it, and place another")
    if not case.market.is_onchain:
        return None
    if not case.is_paper:
        return not_supported(case.market.venue_id, "orders on chain are filled on paper only")
    if case.order_type == _POST_ONLY:
        return not_supported(case.order_type, "a pool keeps no resting order")
    return None


def check_venue_ready(case: Case) -> Denied | None:
    link_word, own_word = case.market.link.system, case.instrument.status
    if link_word == "online" == own_word:
        return None
    for word in (link_word, own_word):
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


def check_link(case: Case) -> Denied | None:
    """Of the instance's own venue."""
    if case.is_away:
        return None
    problem = _link_problem(case)
    return None if problem is None else Denied(DenyReason.STALE_MARKET_DATA, *problem)


def check_book(case: Case) -> Denied | None:
    """Of the instance's own venue."""
    if case.is_away:
        return None
    problem = _book_problem(case)
    return None if problem is None else Denied(DenyReason.BOOK_DESYNC, *problem)


def check_crossed(case: Case) -> Denied | None:
    """Of the instance's own venue."""
    if case.bid_1e9 < case.ask_1e9 or case.is_away:
        return None
    return Denied(DenyReason.CROSSED_BOOK, case.ask_1e9, case.bid_1e9, "book is crossed (1e-9)")


def check_venue_data(case: Case) -> Denied | None:
    """Of another venue than the instance's own, which its guest is told apart (RejectCode 106)."""
    if not case.is_away:
        return None
    problem = _link_problem(case) or _book_problem(case)
    if problem is None and case.bid_1e9 >= case.ask_1e9:
        problem = case.ask_1e9, case.bid_1e9, "book is crossed (1e-9)", "", ""
    return None if problem is None else Denied(DenyReason.STALE_VENUE, *problem)


_Problem = tuple[int, int, str, str, str]  # limit, observed, rule, scope, key


def _link_problem(case: Case) -> _Problem | None:
    last_ns, most_ns = case.link_ns, case.bounds.age_ns
    if last_ns >= 0 and case.now_ns - last_ns <= most_ns:
        return None
    scope = case.bounds.scope_of["max_book_age_ns"]
    if last_ns < 0:
        return most_ns, -1, "link is down (ns)", scope, "max_book_age_ns"
    return most_ns, case.now_ns - last_ns, "age of the link's last frame (ns)", scope, "max_book_age_ns"


def _book_problem(case: Case) -> _Problem | None:
    book = case.book
    if not book.valid:
        return 0, 0, f"book is invalid: {book.reason}", "", ""
    if not case.bid_1e9 or not case.ask_1e9:
        return 0, 0, "book has an empty side", "", ""
    return None


def check_marks(case: Case) -> Denied | None:
    """Time without a reliable book, of what is held anywhere: what it is worth is not known any more."""
    if case.reduces:
        return None
    most_ns = case.stale_mark_ns
    for index, exposure in case.account.held.items():
        if exposure is case.exposure or case.markets[index].is_reliable(case.now_ns, case.ages[index] | 0):
            continue
        age_ns = case.now_ns - exposure.mark.ns if exposure.mark.mid_sum_1e9 | 0 > 0 else -1
        if not 0 <= age_ns <= most_ns:
            rule = f"age of the last mark of {case.markets[index].name} (ns)"
            return Denied(DenyReason.STALE_MARK, most_ns, age_ns, rule, "account", "max_mark_age_ns")
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


def not_supported(observed: int, what: str) -> Denied:
    """For what no venue here carries out yet."""
    return Denied(DenyReason.NOT_SUPPORTED, 0, observed, what)


def unknown_order(order_id: int) -> Denied:
    """A cancel or amend of what is not open: a race with a fill more often than a mistake."""
    return Denied(DenyReason.UNKNOWN_ORDER, 0, order_id, "no open order with this id")
