"""Why the gate says no: a closed set, one reason per check, each with the code its guest sees.

*Denied* is ours; *rejected* is the venue's word. A `Denied` carries which control fired, in which scope, its limit and
what was observed, so that every surface a person sees can explain it. `docs/reasons.md` is printed from this table.
"""

from enum import StrEnum

import msgspec

from connectors.events import RejectCode


class DenyReason(StrEnum):
    """One word per control. The guest sees only the RejectCode (`REASONS`)."""

    RISK_STATE_UNKNOWN = "RISK_STATE_UNKNOWN"
    KILL_SWITCH = "KILL_SWITCH"
    NOT_RECONCILED = "NOT_RECONCILED"
    POSITION_DRIFT = "POSITION_DRIFT"
    INVALID_ORDER = "INVALID_ORDER"
    BAD_VENUE = "BAD_VENUE"
    UNKNOWN_POOL = "UNKNOWN_POOL"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    DUPLICATE_ORDER_ID = "DUPLICATE_ORDER_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    REDUCE_ONLY = "REDUCE_ONLY"
    INSTRUMENT_NOT_ALLOWED = "INSTRUMENT_NOT_ALLOWED"
    ORDER_TYPE_NOT_ALLOWED = "ORDER_TYPE_NOT_ALLOWED"
    OFF_GRID = "OFF_GRID"
    OPEN_ORDERS = "OPEN_ORDERS"
    VENUE_NOT_READY = "VENUE_NOT_READY"
    STALE_MARKET_DATA = "STALE_MARKET_DATA"
    BOOK_DESYNC = "BOOK_DESYNC"
    CROSSED_BOOK = "CROSSED_BOOK"
    STALE_VENUE = "STALE_VENUE"
    STALE_MARK = "STALE_MARK"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    RATE_LIMIT = "RATE_LIMIT"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    REPEAT_EXECUTION = "REPEAT_EXECUTION"
    PRICE_COLLAR = "PRICE_COLLAR"
    PRICE_COLLAR_WINDOW = "PRICE_COLLAR_WINDOW"
    MAX_ORDER_QTY = "MAX_ORDER_QTY"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    CAPITAL_LIMIT = "CAPITAL_LIMIT"
    MAX_POSITION = "MAX_POSITION"
    CANARY_LIMIT = "CANARY_LIMIT"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    SELF_TRADE = "SELF_TRADE"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"


class Category(StrEnum):
    """What kind of control it is, for people who filter."""

    STATE = "state"
    ORDER = "order"
    PERMISSION = "permission"
    DATA = "market data"
    RATE = "rate"
    PRICE = "price"
    SIZE = "size"
    EXPOSURE = "exposure"
    LOSS = "loss"


class Meaning(msgspec.Struct, frozen=True):
    """What a reason tells a guest, and a person.

    `control`: the control's standard term, and where it is asked for. `config_keys`: the settings that decide it.
    """

    code: RejectCode
    category: Category
    text: str
    control: str
    config_keys: tuple[str, ...] = ()


R, C, D = RejectCode, Category, DenyReason

REASONS: dict[DenyReason, Meaning] = {
    D.RISK_STATE_UNKNOWN: Meaning(
        R.RISK, C.STATE, "an input of a check was missing, stale or raised", "fail closed (every control)"
    ),
    D.KILL_SWITCH: Meaning(
        R.KILL_SWITCH, C.STATE, "trading is halted until a person re-arms it",
        "kill functionality (RTS 6 art. 12; FIA §1.11)",
    ),
    D.NOT_RECONCILED: Meaning(
        R.RISK, C.STATE, "our record and the venue's were not compared yet, or differ",
        "pre-order-entry compliance (SEC 15c3-5 (c)(2)(i))",
    ),
    D.POSITION_DRIFT: Meaning(
        R.RISK, C.STATE, "the venue reports another position than ours",
        "post-trade reconciliation (RTS 6 art. 17)",
    ),
    D.INVALID_ORDER: Meaning(
        R.RISK, C.ORDER, "side, type, quantity or price is not an order's", "erroneous-order control (SEC (c)(1)(ii))"
    ),
    D.BAD_VENUE: Meaning(
        R.BAD_VENUE, C.PERMISSION, "the venue id is not one this instance trades at", "permitted venues (RTS 6 art. 15)"
    ),
    D.UNKNOWN_POOL: Meaning(
        R.RISK, C.PERMISSION, "pool_idx names no pool of this symbol", "permitted instruments (RTS 6 art. 15)"
    ),
    D.NOT_SUPPORTED: Meaning(R.RISK, C.ORDER, "this kind of action is not carried out here", "permitted order types"),
    D.DUPLICATE_ORDER_ID: Meaning(
        R.RISK, C.ORDER, "an order with this id is still open", "duplicative-order control (SEC (c)(1)(ii))"
    ),
    D.UNKNOWN_ORDER: Meaning(R.RISK, C.ORDER, "cancel or amend of an order that is not open", "order traceability"),
    D.REDUCE_ONLY: Meaning(
        R.RISK, C.STATE, "only orders that reduce the position are let through", "reduce-only state (FIA §1.11)"
    ),
    D.INSTRUMENT_NOT_ALLOWED: Meaning(
        R.RISK, C.PERMISSION, "the instrument is not one that this algo may trade",
        "permitted instruments (SEC (c)(2)(ii); RTS 6 art. 15)", ("permitted",),
    ),
    D.ORDER_TYPE_NOT_ALLOWED: Meaning(
        R.RISK, C.PERMISSION, "the order type is not one that may be used here", "permitted order types",
        ("order_types",),
    ),
    D.OFF_GRID: Meaning(
        R.RISK, C.ORDER, "price is not a multiple of the tick or quantity of the lot", "precision (venue's rules)"
    ),
    D.OPEN_ORDERS: Meaning(
        R.RISK, C.RATE, "more open orders than allowed, or than the guest's table holds", "maximum open orders",
        ("max_open_orders",),
    ),
    D.VENUE_NOT_READY: Meaning(
        R.RISK, C.DATA, "the venue or the instrument takes no such orders now",
        "pre-order-entry compliance (SEC (c)(2)(i))",
    ),
    D.STALE_MARKET_DATA: Meaning(
        R.RISK, C.DATA, "the link is down, or has been silent for too long", "market-data staleness (FIA)",
        ("max_book_age_s",),
    ),
    D.BOOK_DESYNC: Meaning(
        R.RISK, C.DATA, "the book is not known to be the venue's, or has an empty side",
        "market-data reasonability (FIA)",
    ),
    D.CROSSED_BOOK: Meaning(
        R.RISK, C.DATA, "the book's bid is not below its ask", "market-data reasonability (FIA)"
    ),
    D.STALE_VENUE: Meaning(
        R.STALE_VENUE, C.DATA, "link or book of another venue than the instance's own is not to be relied on",
        "market-data staleness (FIA)", ("max_book_age_s",),
    ),
    D.STALE_MARK: Meaning(
        R.RISK, C.DATA, "a held position has had no valid book for too long: loss and capital are not known",
        "market-data reasonability (FIA)", ("max_mark_age_s",),
    ),
    D.BELOW_MINIMUM: Meaning(
        R.RISK, C.ORDER, "smaller than the venue takes, and not a reducing order", "minimum size (venue's rules)"
    ),
    D.RATE_LIMIT: Meaning(
        R.RISK, C.RATE, "more messages in a second than allowed", "maximum messages limit (RTS 6 art. 15(1)(d))",
        ("max_order_rate", "max_cancel_rate"),
    ),
    D.DUPLICATE_ORDER: Meaning(
        R.RISK, C.RATE, "equal orders in a short time: a sign of a loop",
        "duplicative-order control (SEC (c)(1)(ii))", ("max_duplicates", "duplicate_window_s"),
    ),
    D.REPEAT_EXECUTION: Meaning(
        R.RISK, C.RATE, "traded in one direction more often than allowed; latched until a person re-arms it",
        "repeated automated execution throttle (RTS 6 art. 15(3))", ("max_repeats", "repeat_window_s"),
    ),
    D.PRICE_COLLAR: Meaning(
        R.PRICE_DEVIATION, C.PRICE, "price too far from the book's mid",
        "price collar, order by order (RTS 6 art. 15(1)(a))", ("price_collar_bps",),
    ),
    D.PRICE_COLLAR_WINDOW: Meaning(
        R.PRICE_DEVIATION, C.PRICE, "price too far from where the mid has been lately",
        "price collar, over a period (RTS 6 art. 15(1)(a))", ("collar_window_bps", "collar_window_s"),
    ),
    D.MAX_ORDER_QTY: Meaning(
        R.RISK, C.SIZE, "one order larger than allowed", "maximum order volume (RTS 6 art. 15(1)(c))",
        ("max_order_qty",),
    ),
    D.MAX_ORDER_NOTIONAL: Meaning(
        R.RISK, C.SIZE, "one order worth more than allowed", "maximum order value (RTS 6 art. 15(1)(b))",
        ("max_order_notional",),
    ),
    D.CAPITAL_LIMIT: Meaning(
        R.RISK, C.EXPOSURE, "all positions with all open orders filled would be worth more than allowed",
        "capital threshold (SEC (c)(1)(i))", ("max_capital",),
    ),
    D.MAX_POSITION: Meaning(
        R.POSITION_LIMIT, C.EXPOSURE, "position with all open orders filled would be too large",
        "maximum position (RTS 6 art. 17; FIA)", ("max_position",),
    ),
    D.CANARY_LIMIT: Meaning(
        R.RISK, C.EXPOSURE, "more than a module may do that nobody promoted yet",
        "controlled deployment (RTS 6 art. 8)", ("canary",),
    ),
    D.DAILY_LOSS: Meaning(
        R.DAILY_LOSS_LIMIT, C.LOSS, "the day's loss limit was passed; a person re-arms it", "daily loss limit (FIA)",
        ("max_daily_loss",),
    ),
    D.DRAWDOWN: Meaning(
        R.DAILY_LOSS_LIMIT, C.LOSS, "too far below the day's best; a person re-arms it", "drawdown limit (FIA)",
        ("max_drawdown",),
    ),
    D.SELF_TRADE: Meaning(
        R.RISK, C.ORDER, "would trade with an order of this account's own", "self-trade prevention (FIA)"
    ),
    D.INSUFFICIENT_BALANCE: Meaning(
        R.RISK, C.EXPOSURE, "the account does not hold what this order would need", "balance (venue's rules)",
        ("balances",),
    ),
}  # fmt: skip


class Denied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """No. `limit` and `observed` are integers at the scale that `rule` names; `rule` says what was compared.

    `scope`: whose limit it was (`account`, `venue:kraken`, `instrument:BTC/USD`, `algo:mm`, `canary`), `key` its name
    in `Limits`; both empty where no limit decided. `before`: what would have been observed without this action.
    """

    reason: DenyReason
    limit: int
    observed: int
    rule: str
    scope: str = ""
    key: str = ""
    before: int = 0

    @property
    def code(self) -> RejectCode:
        """What the guest is told."""
        return REASONS[self.reason].code

    @property
    def headroom(self) -> int:
        """How much the limit left before this action; 0 where it had been passed, or where none decided."""
        return max(self.limit - self.before, 0) if self.key else 0


OBSERVED_MAX = 2**63 - 1


def bounded(amount: int) -> int:
    """What does not fit 63 bits is recorded as their largest: it is beyond every limit either way."""
    return max(-OBSERVED_MAX, min(amount, OBSERVED_MAX))
