"""The second half of the checks: rates, prices, sizes, exposure, losses, own orders, balances.

One function, one reason. What only reduces skips what the table in docs/gate.md says it skips. Integers only.
"""

from connectors.orders import OrderType
from connectors.units import SIZE_ONE
from risk.case import Case
from risk.denial import OBSERVED_MAX, Denied, DenyReason, bounded
from risk.exposure import ANY_PRICE
from risk.ledger import Ledger, Stock
from risk.limits import UNSET
from risk.windows import Window

_MARKET = int(OrderType.MARKET)


def check_rate(windows: tuple[Window, ...], now_ns: int) -> Denied | None:
    """Of new orders and amends one window a scope, of cancels another."""
    for window in windows:
        if len(window.times) >= window.limit and window.is_full(now_ns):
            count = window.count(now_ns)
            return Denied(
                DenyReason.RATE_LIMIT, window.limit, count + 1, "messages in a rolling second", window.scope,
                window.key, count,
            )  # fmt: skip
    return None


def check_order_rate(case: Case) -> Denied | None:
    return check_rate(case.bounds.orders, case.now_ns)


def check_duplicate(case: Case) -> Denied | None:
    limit = case.max_equals
    if case.equal_count < limit or case.is_amend:
        return None
    return Denied(
        DenyReason.DUPLICATE_ORDER, limit, case.equal_count + 1, "equal orders in the window", "account",
        "max_duplicates", case.equal_count,
    )  # fmt: skip


def check_repeats(case: Case) -> Denied | None:
    latch = case.repeat_latch
    if latch is None or case.own_reduces:
        return None
    limit, observed, scope = latch
    return Denied(
        DenyReason.REPEAT_EXECUTION, limit, observed, "orders that traded in one direction, latched", scope,
        "max_repeats", observed,
    )  # fmt: skip


def check_collar(case: Case) -> Denied | None:
    """A market order is judged by the worst price it needs; one needing more than the book shows has none."""
    if case.order_type == _MARKET:
        shown = sum(size for _, size in (case.book.asks if case.side > 0 else case.book.bids)) | 0
        if case.qty_1e8 > shown:
            return Denied(DenyReason.PRICE_COLLAR, bounded(shown), case.qty_1e8, "quantity the book shows (1e-8)")
    mid_sum = case.bid_1e9 + case.ask_1e9
    off = 2 * case.reach_1e9 - mid_sum
    off = (off if off >= 0 else -off) * 10_000
    limit = case.bounds.collar_bps
    if off > limit * mid_sum:
        observed = bounded(-(-off // mid_sum))
        rule, scope = "distance from the mid (bps)", case.bounds.scope_of["price_collar_bps"]
        return Denied(DenyReason.PRICE_COLLAR, limit, observed, rule, scope, "price_collar_bps")
    return None


def check_collar_window(case: Case) -> Denied | None:
    span = case.mid_span
    if span is None:
        return None
    limit, twice = case.bounds.window_bps, 2 * case.reach_1e9
    for mid_sum in span:
        off = abs(twice - mid_sum) * 10_000
        if off > limit * mid_sum:
            scope, rule = case.bounds.scope_of["collar_window_bps"], "distance from a mid of the window (bps)"
            observed = bounded(-(-off // mid_sum))
            return Denied(DenyReason.PRICE_COLLAR_WINDOW, limit, observed, rule, scope, "collar_window_bps")
    return None


def check_quantity(case: Case) -> Denied | None:
    limit = case.bounds.max_qty_1e8
    if case.qty_1e8 <= limit or case.reduces:
        return None
    scope = case.bounds.scope_of["max_order_qty_1e8"]
    return Denied(DenyReason.MAX_ORDER_QTY, limit, case.qty_1e8, "order quantity (1e-8)", scope, "max_order_qty_1e8")


def _notional(case: Case) -> int:
    """At the dearer of reach and touch, in 1e-17."""
    touch = case.ask_1e9 if case.side > 0 else case.bid_1e9
    return case.qty_1e8 * (case.reach_1e9 if case.reach_1e9 > touch else touch)


def check_notional(case: Case) -> Denied | None:
    """A limit order is valued at the dearer of its price and the touch it would trade at."""
    if case.reduces:
        return None
    value, limit = _notional(case), case.bounds.max_notional_1e9
    if value > limit * SIZE_ONE:
        notional_1e9, scope = bounded(-(-value // SIZE_ONE)), case.bounds.scope_of["max_order_notional_1e9"]
        rule = "order notional (1e-9)"
        return Denied(DenyReason.MAX_ORDER_NOTIONAL, limit, notional_1e9, rule, scope, "max_order_notional_1e9")
    return None


def check_capital(case: Case) -> Denied | None:
    """A scope beyond its limit takes what reduces, and what asks for no more."""
    if case.more_1e8 <= 0:
        return None
    for ledger in case.exposure.ledgers if not case.reduces else ():
        if ledger.max_capital_1e9 != UNSET:
            denied = _beyond_capital(case, ledger, case.raise_1e8)
            if denied is not None:
                return denied
    for ledger in case.own.ledgers if not case.own_reduces else ():
        if ledger.max_capital_1e9 != UNSET:
            denied = _beyond_capital(case, ledger, case.own_raise_1e8)
            if denied is not None:
                return denied
    return None


def _beyond_capital(case: Case, ledger: Ledger, grows_1e8: int) -> Denied | None:
    """This order counts at the dearest of reach, touch and mid."""
    limit = ledger.max_capital_1e9
    mid_sum, touch = case.bid_1e9 + case.ask_1e9, case.ask_1e9 if case.side > 0 else case.bid_1e9
    after = ledger.capital_2e17 + grows_1e8 * max(2 * case.reach_1e9, 2 * touch, mid_sum)
    if not ledger.unvalued and after <= 2 * limit * SIZE_ONE:
        return None
    before = observed = OBSERVED_MAX
    rule = f"capital in {ledger.quote} is not known: something open has no mark (1e-9)"
    if not ledger.unvalued:
        before = bounded(-(-ledger.capital_2e17 // (2 * SIZE_ONE)))
        observed, rule = bounded(-(-after // (2 * SIZE_ONE))), f"capital in {ledger.quote} (1e-9)"
    return Denied(DenyReason.CAPITAL_LIMIT, limit, observed, rule, ledger.scope, "max_capital_1e9", before)


def check_position(case: Case) -> Denied | None:
    """A scope beyond its limit takes what reduces, and what asks for no more."""
    if case.more_1e8 <= 0:
        return None
    if not case.reduces:
        for stock in case.exposure.stocks:
            if stock.total_1e8 + case.raise_1e8 > stock.limit_1e8:
                return _beyond_position(stock, case.raise_1e8)
    if not case.own_reduces:
        for stock in case.own.stocks:
            if stock.total_1e8 + case.own_raise_1e8 > stock.limit_1e8:
                return _beyond_position(stock, case.own_raise_1e8)
    return None


def _beyond_position(stock: Stock, grows_1e8: int) -> Denied:
    before, after = bounded(stock.total_1e8), bounded(stock.total_1e8 + grows_1e8)
    rule = "position with open orders filled (1e-8)"
    return Denied(DenyReason.MAX_POSITION, stock.limit_1e8, after, rule, stock.scope, "max_position_1e8", before)


def check_canary(case: Case) -> Denied | None:
    canary = case.bounds.canary
    if canary is None or case.own_reduces:
        return None
    own = case.own.worst_1e8
    seen = {
        "max_order_notional_1e9": (-(-_notional(case) // SIZE_ONE), 0, "order notional of a canary (1e-9)"),
        "max_position_1e8": (own + max(case.own_raise_1e8, 0), own, "position of a canary (1e-8)"),
        "max_orders": (case.order_count + (not case.is_amend), case.order_count, "orders of a canary"),
    }
    for key, limit in canary.items():
        observed, before, rule = seen[key]
        if observed > limit and observed > before:
            return Denied(DenyReason.CANARY_LIMIT, limit, bounded(observed), rule, "canary", key, bounded(before))
    return None


def _not_reduced(case: Case) -> tuple[Ledger, ...]:
    """The ledgers whose exposure this order may raise: a latch lets nothing else through."""
    ledgers = () if case.reduces else case.exposure.ledgers
    return ledgers if case.own_reduces else (*ledgers, *case.own.ledgers)


def check_daily_loss(case: Case) -> Denied | None:
    if case.is_latched:
        for ledger in _not_reduced(case):
            if DenyReason.DAILY_LOSS in ledger.latches:
                loss_1e9, rule = bounded(ledger.loss_1e9), f"loss in {ledger.quote} since 00:00 UTC, latched (1e-9)"
                return Denied(
                    DenyReason.DAILY_LOSS, ledger.max_loss_1e9, loss_1e9, rule, ledger.scope, "max_daily_loss_1e9",
                    loss_1e9,
                )  # fmt: skip
    return None


def check_drawdown(case: Case) -> Denied | None:
    if case.is_latched:
        for ledger in _not_reduced(case):
            if DenyReason.DRAWDOWN in ledger.latches:
                fall_1e9, rule = bounded(ledger.drawdown_1e9), f"below the day's best in {ledger.quote}, latched (1e-9)"
                return Denied(
                    DenyReason.DRAWDOWN, ledger.max_drawdown_1e9, fall_1e9, rule, ledger.scope, "max_drawdown_1e9",
                    fall_1e9,
                )  # fmt: skip
    return None


def check_self_trade(case: Case) -> Denied | None:
    others = case.account.sides[-case.side][case.index]
    if not others:
        return None
    is_market = case.order_type == _MARKET
    if case.side > 0:
        nearest, reach = min(others.values()), ANY_PRICE if is_market else case.reach_1e9
        is_met = not reach < nearest
    else:
        nearest, reach = max(others.values()), 0 if is_market else case.reach_1e9
        is_met = not reach > nearest
    if is_met:
        rule = "price of an own order on the other side (1e-9)"
        return Denied(DenyReason.SELF_TRADE, bounded(nearest), bounded(reach), rule)
    return None


def check_balance(case: Case) -> Denied | None:
    """`short_1e17` was worked out from the purse, where the venue keeps one."""
    if case.short_1e17 <= 0 or case.reduces:
        return None
    currency = case.market.quote if case.side > 0 else case.market.base
    short_1e8 = bounded(-(-case.short_1e17 // 10**9))
    return Denied(DenyReason.INSUFFICIENT_BALANCE, 0, short_1e8, f"{currency} that is missing (1e-8)")
