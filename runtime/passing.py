"""What would have passed: the quantity or price that the check which said no would have let through.

Pure. `of_row` answers from a denied action's row alone, for the one limit that it names; what cannot be known from that
has no answer: a market order beyond the levels that were seen, balances. `at_gate` asks the gate as well, at the moment
of the decision, and is exact: that quantity passes, one lot more does not. Both answer for this one check; another may
still object. Quantities are whole lots, prices whole ticks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.orders import Action, OrderType
from connectors.units import SIZE_ONE
from risk.checks import REASON_OF
from risk.denial import Denied, DenyReason
from risk.gate import Gate
from risk.windows import SECOND_NS, Window

_ANY = 2**63  # a limit order may trade any quantity at its price
_MARKET = int(OrderType.MARKET)
_LIMIT = int(OrderType.LIMIT)
_PLACE = {reason: place for place, reason in enumerate(REASON_OF.values())}
_SMALL = DenyReason.BELOW_MINIMUM
_AMEND = 2  # of the guest's kinds of action
_BY_SIZE = frozenset(
    {DenyReason.REDUCE_ONLY, DenyReason.INSTRUMENT_NOT_ALLOWED, DenyReason.STALE_MARK, DenyReason.MAX_ORDER_QTY,
     DenyReason.MAX_ORDER_NOTIONAL, DenyReason.CAPITAL_LIMIT, DenyReason.MAX_POSITION, DenyReason.CANARY_LIMIT,
     DenyReason.REPEAT_EXECUTION, DenyReason.DAILY_LOSS, DenyReason.DRAWDOWN, DenyReason.INSUFFICIENT_BALANCE,
     DenyReason.PRICE_COLLAR, DenyReason.PRICE_COLLAR_WINDOW}
)  # fmt: skip
"""A smaller order may pass these where a larger one does not: by its size, or because it only reduces."""


class Passes(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most (or at least) this quantity, at prices from here to there, from a time on; None: not said.

    A most of 0: no quantity. Where the lowest price is above the highest: no price.
    `is_exact`: the gate was asked. Otherwise it is what this one limit leaves, whatever other scopes say.
    """

    qty_max_1e8: int | None = None
    qty_min_1e8: int | None = None
    px_min_1e9: int | None = None
    px_max_1e9: int | None = None
    from_ns: int | None = None
    is_exact: bool = False


class Asked(msgspec.Struct, frozen=True):
    """A denied order: `bids` and `asks` as far as they are known, and the grid."""

    side: int
    px_1e9: int
    qty_1e8: int
    is_market: bool
    bids: Sequence[Sequence[int]]
    asks: Sequence[Sequence[int]]
    tick_1e9: int
    lot_1e8: int
    min_qty_1e8: int = 0
    min_notional_1e9: int = 0
    reducing_1e8: int = 0  # up to which quantity it would only reduce the account's position

    @property
    def touch_1e9(self) -> int:
        """The price it would trade at first; 0 for none."""
        levels = self.asks if self.side > 0 else self.bids
        return levels[0][0] if levels else 0

    @property
    def mid_sum_1e9(self) -> int:
        return self.bids[0][0] + self.asks[0][0] if self.bids and self.asks else 0

    def steps(self) -> Iterator[tuple[int, int]]:
        """(quantity up to which, reach): how far it reaches for how much."""
        if not self.is_market:
            yield _ANY, self.px_1e9
            return
        total = 0
        for px_1e9, size_1e8 in self.asks if self.side > 0 else self.bids:
            total += size_1e8
            yield total, px_1e9

    def worth(self, budget_1e17: int) -> int | None:
        """The largest quantity whose value, at the dearer of reach and touch, is within the budget."""
        found = 0
        for upto_1e8, reach_1e9 in self.steps():
            here = min(upto_1e8, budget_1e17 // max(reach_1e9, self.touch_1e9, 1))
            if here <= found:
                return found
            found = here
            if here < upto_1e8:
                return found
        return None  # all that is seen would pass: how much more cannot be said

    def most(self, qty_1e8: int | None) -> Passes | None:
        """So much, in whole lots."""
        return None if qty_1e8 is None else Passes(qty_max_1e8=_down(max(qty_1e8, 0), self.lot_1e8))

    def most_or_reducing(self, qty_1e8: int | None) -> Passes | None:
        """So much, or what only reduces and need not ask."""
        return None if qty_1e8 is None else self.most(max(qty_1e8, self.reducing_1e8))


# --- from the denial alone --------------------------------------------------------------------------------------------


def of_row(row: Mapping[str, Any]) -> Passes | None:
    """Of a row of `sinks.action_row` with its `book`. None where it cannot be told."""
    grid, book, reason = row.get("grid"), row.get("book"), row["reason"]
    if not grid or not book or reason not in DenyReason.__members__ or row["kind"] not in ("new", "amend"):
        return None
    if row["kind"] == "amend" and reason not in _SIDELESS:  # its side is the open order's, which the row does not say
        return None
    denied = Denied(
        DenyReason(reason), row["limit"], row["observed"], row["rule"], row["scope"], row["key"], row["before"]
    )
    is_market = row["order_type"] == "market" and row["kind"] != "amend"
    return guess(denied, Asked(
        row["side"] or 1, row["px_1e9"], row["qty_1e8"], is_market, book["bids"], book["asks"], grid["tick_size_1e9"],
        grid["lot_size_1e8"], grid["min_qty_1e8"], grid["min_notional_1e9"], row.get("reducing_1e8", 0),
    ))  # fmt: skip


def guess(denied: Denied, asked: Asked) -> Passes | None:
    """What the limit that this denial names leaves."""
    answer = _ANSWERS.get(denied.reason)
    return None if answer is None else answer(denied, asked)


def _quantity(denied: Denied, asked: Asked) -> Passes | None:
    return asked.most_or_reducing(denied.limit)


def _notional(denied: Denied, asked: Asked) -> Passes | None:
    return asked.most_or_reducing(asked.worth(denied.limit * SIZE_ONE))


def _position(denied: Denied, asked: Asked) -> Passes | None:
    """What is observed rises one to one with the quantity; a scope beyond its limit takes what does not raise it."""
    return asked.most_or_reducing(asked.qty_1e8 - (denied.observed - max(denied.limit, denied.before)))


def _capital(denied: Denied, asked: Asked) -> Passes | None:
    """As the position, in money: a limit order's unit counts at the dearest of price, touch and mid."""
    if asked.is_market:
        return None
    unit_2e17 = max(2 * asked.px_1e9, 2 * asked.touch_1e9, asked.mid_sum_1e9, 1)
    beyond_2e17 = (denied.observed - denied.limit) * 2 * SIZE_ONE
    return asked.most_or_reducing(asked.qty_1e8 - -(-beyond_2e17 // unit_2e17))


def _canary(denied: Denied, asked: Asked) -> Passes | None:
    """As an order's notional, or a position, but that only what reduces the algo's own is let off."""
    if denied.key == "max_order_notional_1e9":
        return asked.most(asked.worth(denied.limit * SIZE_ONE))
    beyond = denied.observed - max(denied.limit, denied.before)
    return asked.most(asked.qty_1e8 - beyond) if denied.key == "max_position_1e8" else None


def _minimum(denied: Denied, asked: Asked) -> Passes | None:
    """The quantity from which on all that is seen is neither too small nor worth too little."""
    del denied
    least, before = _up(max(asked.min_qty_1e8, 1), asked.lot_1e8), 0
    for upto_1e8, reach_1e9 in asked.steps():
        too_little = -(-asked.min_notional_1e9 * SIZE_ONE // max(reach_1e9, 1)) - 1
        last = _down(min(upto_1e8, too_little), asked.lot_1e8)
        if last > before:
            least = max(least, last + asked.lot_1e8)
        before = upto_1e8
    return Passes(qty_min_1e8=least) if least <= before else None


def _collar(denied: Denied, asked: Asked) -> Passes | None:
    """Prices around the mid; of a market order what lies within them. Nothing where the book shows too little."""
    if not denied.key:
        return None
    low, high = _around(asked.mid_sum_1e9, asked.mid_sum_1e9, denied.limit)
    if not asked.is_market:
        return _between(low, high, asked)
    within = 0
    for upto_1e8, reach_1e9 in asked.steps():
        if not low <= reach_1e9 <= high:
            return asked.most(within)
        within = upto_1e8
    return None


def _around(low_sum_1e9: int, high_sum_1e9: int, bps: int) -> tuple[int, int]:
    """The prices that are within so many bps of both mids."""
    return -(-high_sum_1e9 * (10_000 - bps) // 20_000), low_sum_1e9 * (10_000 + bps) // 20_000


def _between(low_1e9: int, high_1e9: int, asked: Asked) -> Passes:
    tick = asked.tick_1e9
    return Passes(px_min_1e9=max(_up(low_1e9, tick), tick), px_max_1e9=_down(high_1e9, tick))


def _grid(denied: Denied, asked: Asked) -> Passes | None:
    """The quantities, or the prices, on either side."""
    del denied
    if asked.qty_1e8 % asked.lot_1e8:
        qty, lot = asked.qty_1e8, asked.lot_1e8
        return Passes(qty_max_1e8=_down(qty, lot), qty_min_1e8=_up(qty, lot))
    return Passes(px_max_1e9=_down(asked.px_1e9, asked.tick_1e9), px_min_1e9=_up(asked.px_1e9, asked.tick_1e9))


def _self_trade(denied: Denied, asked: Asked) -> Passes | None:
    """Short of the nearest own order on the other side."""
    if asked.is_market:
        return None
    tick = asked.tick_1e9
    if asked.side > 0:
        return Passes(px_max_1e9=_down(denied.limit - 1, tick))
    return Passes(px_min_1e9=_up(denied.limit + 1, tick))


def _reducing(denied: Denied, asked: Asked) -> Passes | None:
    """Nothing but what reduces; of one algo's state it is that algo's position that counts, which is not known here."""
    return None if denied.scope.startswith("algo:") else asked.most(asked.reducing_1e8)


def _balance(denied: Denied, asked: Asked) -> Passes | None:
    """What is missing is in 1e-8 of the currency that it would cost; without the fee on it, so rather too little."""
    if asked.side < 0:
        return asked.most_or_reducing(asked.qty_1e8 - denied.observed)
    if asked.is_market:
        return None
    return asked.most_or_reducing(asked.qty_1e8 - -(-denied.observed * 10**9 // max(asked.px_1e9, 1)))


def _up(amount: int, step: int) -> int:
    return -(-amount // step) * step


def _down(amount: int, step: int) -> int:
    return amount - amount % step


_ANSWERS = {
    DenyReason.MAX_ORDER_QTY: _quantity,
    DenyReason.MAX_ORDER_NOTIONAL: _notional,
    DenyReason.MAX_POSITION: _position,
    DenyReason.CAPITAL_LIMIT: _capital,
    DenyReason.CANARY_LIMIT: _canary,
    DenyReason.BELOW_MINIMUM: _minimum,
    DenyReason.PRICE_COLLAR: _collar,
    DenyReason.OFF_GRID: _grid,
    DenyReason.SELF_TRADE: _self_trade,
    DenyReason.INSUFFICIENT_BALANCE: _balance,
    DenyReason.REDUCE_ONLY: _reducing,
    DenyReason.STALE_MARK: _reducing,
    DenyReason.DAILY_LOSS: _reducing,
    DenyReason.DRAWDOWN: _reducing,
}
_SIDELESS = (DenyReason.PRICE_COLLAR, DenyReason.MAX_ORDER_QTY, DenyReason.MAX_POSITION, DenyReason.OFF_GRID)


# --- with the gate at hand --------------------------------------------------------------------------------------------


def at_gate(gate: Gate, algo: int, action: Action, now_ns: int, denied: Denied) -> Passes | None:
    """Exact; `gate` must be as it was when it denied this new order or amend. None where no quantity or price would do.

    Raises nothing: what the gate cannot judge it denies.
    """
    found = _asked(gate, algo, action)
    if found is None:
        return None
    index, asked = found
    if denied.reason is DenyReason.RATE_LIMIT:
        return _later(gate.book.bounds(algo, index).orders, now_ns)
    near = _near(gate, algo, index, asked, now_ns, denied)
    if (near is not None and near.qty_max_1e8 is None) or denied.reason is DenyReason.OFF_GRID:
        return None if near is None else msgspec.structs.replace(near, is_exact=True)
    if denied.reason not in _BY_SIZE:
        return None

    def reason_of(lots: int) -> DenyReason | None:
        qty_1e8 = lots * asked.lot_1e8
        if action[4] == _AMEND:
            verdict = gate.judge_amend(algo, action[0], action[1], qty_1e8, now_ns)
        else:
            verdict = gate.judge(algo, (*action[:2], qty_1e8, *action[3:]), now_ns)
        return None if verdict is None else verdict.reason

    def is_passed(lots: int) -> bool:
        reason = reason_of(lots)
        if reason is None or reason is _SMALL or _PLACE.get(reason, -1) > _PLACE[denied.reason]:
            return True
        return reason is not denied.reason and lots <= first  # an earlier check hides this one

    first = 0 if near is None else (near.qty_max_1e8 or 0) // asked.lot_1e8
    lots = _largest(is_passed, first, -(-asked.qty_1e8 // asked.lot_1e8))
    if denied.reason is not _SMALL and lots and reason_of(lots) is _SMALL:
        lots = _largest(lambda less: reason_of(less) is not _SMALL, 0, lots)  # the venue takes so little only to reduce
    return Passes(qty_max_1e8=lots * asked.lot_1e8, is_exact=True)


def _later(windows: Sequence[Window], now_ns: int) -> Passes | None:
    """From when on there is room for one message more, should none come before it; never where none is allowed."""
    full = [window for window in windows if window.is_full(now_ns)]
    if not all(window.times for window in full):
        return None
    return Passes(from_ns=max(window.times[0] for window in full) + SECOND_NS, is_exact=True)


def _near(gate: Gate, algo: int, index: int, asked: Asked, now_ns: int, denied: Denied) -> Passes | None:
    """Where to begin; of collars what the gate knows besides."""
    if denied.reason is DenyReason.PRICE_COLLAR_WINDOW and not asked.is_market:
        span = gate.ranges[index].span(asked.mid_sum_1e9, now_ns)
        return _between(*_around(*span, denied.limit), asked)
    if denied.reason is DenyReason.PRICE_COLLAR and not denied.key:  # more than the book shows
        within = msgspec.structs.replace(denied, limit=gate.book.bounds(algo, index).collar_bps, key="price_collar_bps")
        return _collar(within, asked) or asked.most(denied.limit)
    return guess(denied, asked)


def _asked(gate: Gate, algo: int, action: Action) -> tuple[int, Asked] | None:
    """The market an action is at, and what it asks for there."""
    order_id, px_1e9, qty_1e8, side, kind, order_type, venue_id, pool_idx, symbol_idx, _ = action
    if kind == _AMEND:
        live = gate.find(algo, order_id)
        if live is None:
            return None
        index: int | Denied = live.instrument
        side, order_type = live.side, _LIMIT
    else:
        index = gate.target(algo, venue_id, pool_idx, symbol_idx)
    if isinstance(index, Denied) or (instrument := gate.markets[index].instrument) is None:
        return None
    book = gate.markets[index].book
    return index, Asked(
        side, px_1e9, qty_1e8, order_type == _MARKET, book.bids, book.asks, instrument.tick_size_1e9,
        instrument.lot_size_1e8, instrument.min_qty_1e8, instrument.min_notional_1e9,
    )  # fmt: skip


def _largest(is_passed: Callable[[int], bool], first: int, most: int) -> int:
    """The largest number below `most`, which does not pass, that does: near `first`, or found by halves. 0 passes."""
    low, high = 0, most
    for near in (first, first + 1):
        if low < near < high:
            if is_passed(near):
                low = near
            else:
                high = near
    while high - low > 1:
        middle = (low + high) // 2
        if is_passed(middle):
            low = middle
        else:
            high = middle
    return low
