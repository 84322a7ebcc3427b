"""The table, row by row: each check is one method, and the tuple at the end is their order."""

from __future__ import annotations

from collections.abc import Callable

from connectors.orders import OrderType
from risk.denial import DenyReason
from risk.states import TradingState
from tests.reference.case import Case, Refusal, Seen
from tests.reference.markets import Place
from tests.reference.state import State

Check = Callable[[State, Case], Refusal | None]
MARKET, POST_ONLY = int(OrderType.MARKET), int(OrderType.POST_ONLY)
D = DenyReason


def _no(reason: DenyReason, key: str = "", seen: Seen | None = None) -> Refusal:
    return Refusal(reason, key, seen)


def _each(state: State, case: Case, key: str, observed: int) -> Seen:
    """A limit of one order: the tightest that is passed."""
    said = state.rules.each(case.labels, key)
    if all(observed <= value for _, value in said):
        return {}
    tightest = min(value for _, value in said)
    return {label: (value, observed) for label, value in said if value == tightest}


def kill_switch(state: State, case: Case) -> Refusal | None:
    return _no(D.KILL_SWITCH) if TradingState.HALTED in state.states_of(case) else None


def reconciled(_: State, case: Case) -> Refusal | None:
    return None if case.place.wire.is_reconciled else _no(D.NOT_RECONCILED)


def drift(_: State, case: Case) -> Refusal | None:
    return _no(D.POSITION_DRIFT) if case.place.has_drifted else None


def is_well_formed(side: int, px: int, qty: int, kind: int) -> bool:
    return side in (1, -1) and 0 <= kind <= 4 and 1 <= qty <= 2**62 and (kind == MARKET or px > 0)


def invalid(_: State, case: Case) -> Refusal | None:
    return None if is_well_formed(case.side, case.px, case.qty, case.kind) else _no(D.INVALID_ORDER)


def reduce_only(state: State, case: Case) -> Refusal | None:
    wide = any(state.state_of(label) is TradingState.REDUCING for label in ("all", *case.labels[1:-1]))
    if wide and not case.reduces:
        return _no(D.REDUCE_ONLY)
    own = state.state_of(case.trader.label) is TradingState.REDUCING
    return _no(D.REDUCE_ONLY) if own and not case.reduces_own else None


def instrument_allowed(state: State, case: Case) -> Refusal | None:
    permitted = [state.rules.permitted[label] for label in case.labels if label in state.rules.permitted]
    if case.reduces or all(case.place.name in names or case.place.symbol in names for names in permitted):
        return None
    return _no(D.INSTRUMENT_NOT_ALLOWED)


def type_allowed(state: State, case: Case) -> Refusal | None:
    masks = state.rules.each(case.labels, "order_types")
    return None if all(mask >> case.kind & 1 for _, mask in masks) else _no(D.ORDER_TYPE_NOT_ALLOWED)


def grid(_: State, case: Case) -> Refusal | None:
    place = case.place
    if not place.is_known:
        return _no(D.RISK_STATE_UNKNOWN)
    fits = case.qty % place.lot == 0 and (case.kind == MARKET or case.px % place.tick == 0)
    return None if fits else _no(D.OFF_GRID)


def open_orders(state: State, case: Case) -> Refusal | None:
    if case.amended is not None:
        return None
    count = sum(1 for order in state.orders.values() if order.is_open and order.algo == case.trader.index)
    said = state.rules.each(("account", case.trader.label), "max_open_orders")
    seen = {label: (most, count + 1) for label, most in said if count >= most}
    return _no(D.OPEN_ORDERS, "max_open_orders", seen) if seen else None


def supported(state: State, case: Case) -> Refusal | None:
    if case.amended is not None and case.kind == MARKET:
        return _no(D.NOT_SUPPORTED)
    onchain = case.place.is_onchain
    return _no(D.NOT_SUPPORTED) if onchain and (not state.is_paper or case.kind == POST_ONLY) else None


def venue_ready(_: State, case: Case) -> Refusal | None:
    for word in (case.place.wire.system, case.place.status):
        takes = {"online": True, "post_only": case.kind == POST_ONLY, "limit_only": case.kind != MARKET,
                 "reduce_only": case.reduces}  # fmt: skip
        if not takes.get(word, False):
            return _no(D.VENUE_NOT_READY)
    return None


def data_problem(state: State, place: Place, labels: tuple[str, ...], now: int) -> Refusal | None:
    """Rows 12 to 14 of one market."""
    oldest = state.rules.tightest(labels, "max_book_age_ns")
    age = now - place.wire.last_ns
    if not place.wire.is_up:
        return _no(D.STALE_MARKET_DATA)
    if oldest is not None and age > oldest:
        said = state.rules.each(labels, "max_book_age_ns")
        return _no(D.STALE_MARKET_DATA, "max_book_age_ns", {at: (most, age) for at, most in said if most == oldest})
    bid, ask = place.touch()
    if not place.is_trusted or not bid or not ask:
        return _no(D.BOOK_DESYNC)
    return _no(D.CROSSED_BOOK) if bid >= ask else None


def market_data(state: State, case: Case) -> Refusal | None:
    problem = data_problem(state, case.place, case.labels, case.now)
    if problem is None or case.place.wire.venue_id == case.trader.venue_id:
        return problem
    return _no(D.STALE_VENUE)


def stale_mark(state: State, case: Case) -> Refusal | None:
    most = state.rules.account("max_mark_age_ns")
    if case.reduces:
        return None
    for place in state.places:
        if state.held[place.index].qty == 0:
            continue
        if place.mid2 is None:
            return _no(D.STALE_MARK)
        is_bad = data_problem(state, place, place.labels, case.now) is not None
        if most is not None and is_bad and case.now - place.mark_ns > most:
            return _no(D.STALE_MARK)
    return None


def minimum(_: State, case: Case) -> Refusal | None:
    small = case.qty < case.place.min_qty or case.qty * case.reach < case.place.min_notional * 10**8
    return _no(D.BELOW_MINIMUM) if small and not case.reduces else None


def rate(state: State, case: Case) -> Refusal | None:
    seen = state.too_fast("orders", "max_order_rate", case.labels, case.now)
    return _no(D.RATE_LIMIT, "max_order_rate", seen) if seen else None


def duplicate(state: State, case: Case) -> Refusal | None:
    most, window = state.rules.account("max_duplicates"), state.rules.account("duplicate_window_ns")
    if case.amended is not None or most is None or window is None:
        return None
    count = state.equals.count(state.likeness(case), case.now, window)
    return _no(D.DUPLICATE_ORDER, "max_duplicates", {"account": (most, count + 1)}) if count >= most else None


def repeat(state: State, case: Case) -> Refusal | None:
    latched = case.trader.index in state.repeat_latched
    return _no(D.REPEAT_EXECUTION) if latched and not case.reduces_own else None


def _bps(reach: int, mid2: int) -> int:
    """Distance from half of `mid2` in 1/100 %, rounded up."""
    return -(-abs(2 * reach - mid2) * 10_000 // mid2)


def collar(state: State, case: Case) -> Refusal | None:
    shown = sum(size for _, size in case.place.shown(case.side))
    if case.kind == MARKET and case.qty > shown:
        return _no(D.PRICE_COLLAR)
    seen = _each(state, case, "price_collar_bps", _bps(case.reach, sum(case.place.touch())))
    return _no(D.PRICE_COLLAR, "price_collar_bps", seen) if seen else None


def collar_window(state: State, case: Case) -> Refusal | None:
    window = state.rules.account("collar_window_ns")
    mids = [mid2 for at, mid2 in case.place.mids if window is not None and case.now - at < window]
    mids.append(sum(case.place.touch()))
    low, high = _bps(case.reach, min(mids)), _bps(case.reach, max(mids))
    seen = _each(state, case, "collar_window_bps", low) or _each(state, case, "collar_window_bps", high)
    return _no(D.PRICE_COLLAR_WINDOW, "collar_window_bps", seen) if seen else None


def order_qty(state: State, case: Case) -> Refusal | None:
    seen = {} if case.reduces else _each(state, case, "max_order_qty_1e8", case.qty)
    return _no(D.MAX_ORDER_QTY, "max_order_qty_1e8", seen) if seen else None


def order_notional(state: State, case: Case) -> Refusal | None:
    worth = -(-case.qty * case.value_px // 10**8)
    seen = {} if case.reduces else _each(state, case, "max_order_notional_1e9", worth)
    return _no(D.MAX_ORDER_NOTIONAL, "max_order_notional_1e9", seen) if seen else None


def _spared(case: Case, label: str) -> bool:
    """Scopes of the account look at the account's position, an algo's at its own."""
    return case.reduces_own if label == case.trader.label else case.reduces


def capital(state: State, case: Case) -> Refusal | None:
    seen: Seen = {}
    for label, most in state.rules.each(case.labels, "max_capital_1e9") if case.more else []:
        if _spared(case, label):
            continue
        before = state.capital2(label, case.place.quote)
        if before is None:
            return _no(D.CAPITAL_LIMIT)
        after = before + state.rise(label, case) * max(2 * case.value_px, sum(case.place.touch()))
        if after > 2 * most * 10**8:
            seen[label] = (most, -(-after // (2 * 10**8)))
    return _no(D.CAPITAL_LIMIT, "max_capital_1e9", seen) if seen else None


def position(state: State, case: Case) -> Refusal | None:
    seen: Seen = {}
    for label, most in state.rules.each(case.labels, "max_position_1e8") if case.more else []:
        after = state.position(label, case.place.base) + state.rise(label, case)
        if after > most and not _spared(case, label):
            seen[label] = (most, after)
    return _no(D.MAX_POSITION, "max_position_1e8", seen) if seen else None


def canary(state: State, case: Case) -> Refusal | None:
    if not state.is_canary(case.trader) or case.reduces_own:
        return None
    said = state.rules.said["canary"]
    worth = -(-case.qty * case.value_px // 10**8)
    rise = state.rise(case.trader.label, case)
    after = state.worst(case.trader.index, case.place.index) + rise
    count = state.orders_of.get(case.trader.index, 0) + (case.amended is None)
    seen: Seen = {}
    for key, observed, matters in (
        ("max_order_notional_1e9", worth, True), ("max_position_1e8", after, rise > 0),
        ("max_orders", count, case.amended is None),
    ):  # fmt: skip
        if matters and key in said and observed > said[key]:
            seen[key] = (said[key], observed)
    return _no(D.CANARY_LIMIT, "", None) if seen else None


def _latched(state: State, case: Case, reason: DenyReason) -> Refusal | None:
    ledgers = (state.ledgers.get((label, case.place.quote)) for label in case.labels if not _spared(case, label))
    return _no(reason) if any(ledger and reason in ledger.latches for ledger in ledgers) else None


def daily_loss(state: State, case: Case) -> Refusal | None:
    return _latched(state, case, D.DAILY_LOSS)


def drawdown(state: State, case: Case) -> Refusal | None:
    return _latched(state, case, D.DRAWDOWN)


def self_trade(state: State, case: Case) -> Refusal | None:
    for order in state.orders.values():
        if not order.is_open or order.market != case.place.index or order.side != -case.side:
            continue
        if MARKET in (case.kind, order.kind) or case.side * (case.reach - order.far) >= 0:
            return _no(D.SELF_TRADE)
    return None


def balance(state: State, case: Case) -> Refusal | None:
    kept = state.balances.get(case.place.wire.venue)
    if kept is None or case.reduces:
        return None
    other = [order for order in state.orders.values() if order is not case.amended]
    amended = case.amended
    left = case.qty if amended is None else max(case.qty, amended.most) - amended.filled  # as long as it is unanswered
    if case.side > 0:
        need, free = state.cost17(left, case.reach), kept.get(case.place.quote, 0)
        if amended is not None:  # it holds so much already
            need = max(need, state.cost17(amended.leaves, amended.far))
        free -= sum(
            state.cost17(order.leaves, order.reach if order.kind == MARKET else order.far)
            for order in other
            if order.side > 0 and state.shares(order, case.place, case.place.quote)
        )
    else:
        need, free = left * 10**9, kept.get(case.place.base, 0)
        free -= 10**9 * sum(
            order.leaves for order in other if order.side < 0 and state.shares(order, case.place, case.place.base)
        )
    return _no(D.INSUFFICIENT_BALANCE) if need > free else None


CHECKS: tuple[tuple[int, Check], ...] = (
    (1, kill_switch), (2, reconciled), (3, drift), (4, invalid), (5, reduce_only), (6, instrument_allowed),
    (7, type_allowed), (8, grid), (9, open_orders), (10, supported), (11, venue_ready), (12, market_data),
    (16, stale_mark), (17, minimum), (18, rate), (19, duplicate), (20, repeat), (21, collar), (22, collar_window),
    (23, order_qty), (24, order_notional), (25, capital), (26, position), (27, canary), (28, daily_loss),
    (29, drawdown), (30, self_trade), (31, balance),
)  # fmt: skip
"""By their numbers in the table; 12 to 15 are one walk."""
