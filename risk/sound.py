"""What the checks look at is what it should be, or nothing passes: raising here is RISK_STATE_UNKNOWN.

A comparison with None raises by itself; with a NaN it is false, whichever way it is written. So before any check runs
all numbers are taken together with `|`: that raises for whatever is not an integer, and is negative as soon as one is.
"""

from risk.case import Case
from risk.exposure import Exposure
from risk.limits import UNSET
from risk.states import TradingState

_STATES = frozenset(TradingState)


def must_be_sound(case: Case) -> None:
    """Raises for an input that is no integer, negative where that is senseless, no truth value, no state."""
    bounds, instrument, market = case.bounds, case.instrument, case.market
    counts = (
        case.now_ns | case.index | case.stale_mark_ns | case.bid_1e9 | case.ask_1e9 | case.open_count
        | case.equal_count | case.max_equals | case.order_count | case.reach_1e9
    )  # fmt: skip
    limits = (
        bounds.age_ns | bounds.collar_bps | bounds.window_bps | bounds.max_notional_1e9 | bounds.max_qty_1e8
        | bounds.max_open | bounds.types | market.types
    )  # fmt: skip
    least = instrument.min_qty_1e8 | instrument.min_notional_1e9
    grid = instrument.tick_size_1e9 - 1 | instrument.lot_size_1e8 - 1 | least
    for window in bounds.orders:
        counts |= window.limit
    if counts | limits | grid | _sums(case.exposure) | _sums(case.own) < 0:
        raise ValueError("an input is negative")
    signed = (
        case.side | case.px_1e9 | case.qty_1e8 | case.order_type | case.more_1e8 | case.raise_1e8 | case.own_raise_1e8
        | case.short_1e17 | case.link_ns | case.exposure.position_1e8 | case.own.position_1e8
    )  # fmt: skip
    truth = (
        case.reduces | case.own_reduces | case.is_amend | case.is_away | case.is_latched | case.is_paper
        | market.drifted | market.is_onchain | market.amends | market.link.is_reconciled | case.book.valid
    )  # fmt: skip
    is_named = type(bounds.not_permitted) is str and type(market.venue) is str
    if type(signed) is not int or type(truth) is not bool or not is_named:
        raise TypeError("an input is of another kind")
    if case.state not in _STATES or case.algo_state not in _STATES:
        raise ValueError("a state is unknown")
    if bounds.window_bps != UNSET:
        lowest, highest = case.mid_span  # type: ignore[misc]
        if lowest | highest < 0:
            raise ValueError("the range of the mid is negative")
    if bounds.canary is not None:
        for limit in bounds.canary.values():
            if limit | 0 < 0:
                raise ValueError("a limit is negative")


def _sums(exposure: Exposure) -> int:
    all_of = exposure.open_buy_1e8 | exposure.open_sell_1e8 | exposure.worst_1e8
    for stock in exposure.stocks:
        all_of |= stock.limit_1e8 | stock.total_1e8
    for ledger in exposure.ledgers:
        all_of |= ledger.capital_2e17 | ledger.max_capital_1e9 | ledger.unvalued
        if type(ledger.latches) is not dict:
            raise TypeError("latches are not known")
    return all_of
