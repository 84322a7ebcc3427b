"""Why the gate says no: a closed set, one reason per check, each with the code its guest sees.

*Denied* is ours; *rejected* is the venue's word. A `Denied` carries which control fired, its limit and what was
observed, so that every surface a person sees can explain it.
"""

from enum import StrEnum

import msgspec

from connectors.events import RejectCode


class DenyReason(StrEnum):
    """One word per control. The guest sees only the RejectCode (`REASONS`)."""

    RISK_STATE_UNKNOWN = "RISK_STATE_UNKNOWN"
    KILL_SWITCH = "KILL_SWITCH"
    REDUCE_ONLY = "REDUCE_ONLY"
    INVALID_ORDER = "INVALID_ORDER"
    OFF_GRID = "OFF_GRID"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    DUPLICATE_ORDER_ID = "DUPLICATE_ORDER_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    OPEN_ORDERS = "OPEN_ORDERS"
    BAD_VENUE = "BAD_VENUE"
    INSTRUMENT_NOT_ALLOWED = "INSTRUMENT_NOT_ALLOWED"
    UNKNOWN_POOL = "UNKNOWN_POOL"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    VENUE_NOT_READY = "VENUE_NOT_READY"
    STALE_MARKET_DATA = "STALE_MARKET_DATA"
    STALE_VENUE = "STALE_VENUE"
    RATE_LIMIT = "RATE_LIMIT"
    PRICE_COLLAR = "PRICE_COLLAR"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    MAX_POSITION = "MAX_POSITION"
    DAILY_LOSS = "DAILY_LOSS"


class Meaning(msgspec.Struct, frozen=True):
    """What a reason tells a guest, and a person."""

    code: RejectCode
    text: str


REASONS: dict[DenyReason, Meaning] = {
    DenyReason.RISK_STATE_UNKNOWN: Meaning(RejectCode.RISK, "an input of a check was missing, stale or raised"),
    DenyReason.KILL_SWITCH: Meaning(RejectCode.KILL_SWITCH, "trading is halted until a person re-arms it"),
    DenyReason.REDUCE_ONLY: Meaning(RejectCode.RISK, "only orders that reduce the position are let through"),
    DenyReason.INVALID_ORDER: Meaning(RejectCode.RISK, "side, type, quantity or price is not an order's"),
    DenyReason.OFF_GRID: Meaning(RejectCode.RISK, "price is not a multiple of the tick or quantity of the lot"),
    DenyReason.BELOW_MINIMUM: Meaning(RejectCode.RISK, "smaller than the venue takes, and not a reducing order"),
    DenyReason.DUPLICATE_ORDER_ID: Meaning(RejectCode.RISK, "an order with this id is still open"),
    DenyReason.UNKNOWN_ORDER: Meaning(RejectCode.RISK, "cancel or amend of an order that is not open"),
    DenyReason.OPEN_ORDERS: Meaning(RejectCode.RISK, "more open orders than the guest's table holds"),
    DenyReason.BAD_VENUE: Meaning(RejectCode.BAD_VENUE, "the venue id is not one this instance trades at"),
    DenyReason.INSTRUMENT_NOT_ALLOWED: Meaning(RejectCode.RISK, "the symbol index is not in this deployment"),
    DenyReason.UNKNOWN_POOL: Meaning(RejectCode.RISK, "pool_idx names no pool of this symbol"),
    DenyReason.NOT_SUPPORTED: Meaning(RejectCode.RISK, "this kind of action is not carried out here"),
    DenyReason.VENUE_NOT_READY: Meaning(RejectCode.RISK, "the venue or the instrument takes no such orders now"),
    DenyReason.STALE_MARKET_DATA: Meaning(RejectCode.RISK, "no valid, fresh, uncrossed two-sided book to judge by"),
    DenyReason.STALE_VENUE: Meaning(RejectCode.STALE_VENUE, "the same, of another venue than the instance's own"),
    DenyReason.RATE_LIMIT: Meaning(RejectCode.RISK, "more messages in a second than allowed"),
    DenyReason.PRICE_COLLAR: Meaning(RejectCode.PRICE_DEVIATION, "price too far from the book's mid"),
    DenyReason.MAX_ORDER_NOTIONAL: Meaning(RejectCode.RISK, "one order worth more than allowed"),
    DenyReason.MAX_POSITION: Meaning(
        RejectCode.POSITION_LIMIT, "position with all open orders filled would be too large"
    ),
    DenyReason.DAILY_LOSS: Meaning(RejectCode.DAILY_LOSS_LIMIT, "the day's loss limit was passed; a person re-arms it"),
}


OBSERVED_MAX = 2**63 - 1


def bounded(amount: int) -> int:
    """What does not fit 63 bits is recorded as their largest: it is beyond every limit either way."""
    return max(-OBSERVED_MAX, min(amount, OBSERVED_MAX))


class Denied(msgspec.Struct, frozen=True, array_like=True):
    """A refusal of ours. `limit` and `observed` are in the unit the rule names (1e-8 sizes, 1e-9 money, counts)."""

    reason: DenyReason
    limit: int
    observed: int
    rule: str

    @property
    def code(self) -> RejectCode:
        return REASONS[self.reason].code
