"""OKX's codes and words for what it refuses (venues.md 4.3, the docs' list of error codes). Pure."""

from __future__ import annotations

from typing import Final

from runtime.sim.exchange.refusal import Refusal, Refused

GONE: Final = "has been filled, canceled or does not exist."
TIMED_OUT: Final = ("51149", "Order timed out. Please try again.")
UNKNOWN_OUTCOME: Final = ("50004", "API endpoint request timeout: it may have been carried out, check the result.")
OF_REQUESTS: Final = ("50", "60")
"""Codes that begin so are of a request, never of an order in it."""
TOO_OFTEN: Final = ("50011", "Rate limit reached. Please refer to API documentation and throttle requests accordingly.")
ACCOUNT_RATE: Final = ("50061", "You've reached the maximum order rate limit for this account.")
NOT_ALLOWED: Final = ("50120", "This API key doesn't have permission to use this function.")
NO_INSTRUMENT: Final = ("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
NO_ORDER: Final = ("51603", "Order does not exist")
CODES: Final = {
    Refusal.NO_FUNDS: ("51008", "Order failed. Insufficient balance"),
    Refusal.DUPLICATE: ("51016", "Client order ID already exists."),
    Refusal.PRICE: ("51000", "Parameter px error"), Refusal.PRICE_GRID: ("51000", "Parameter px error"),
    Refusal.PRICE_BAND: ("51137", "The price is beyond the price limit."),
    Refusal.SIZE: ("51000", "Parameter sz error"),
    Refusal.SIZE_GRID: ("51121", "Order quantity must be a multiple of the lot size."),
    Refusal.SIZE_MIN: ("51020", "Your order should meet or exceed the minimum order amount."),
    Refusal.COST_MIN: ("51020", "Your order should meet or exceed the minimum order amount."),
    Refusal.SYMBOL: NO_INSTRUMENT, Refusal.AMEND: ("51000", "Parameter newSz error"),
    Refusal.TOO_MANY: ("51174", "The number of pending orders has reached the upper limit."),
    Refusal.NO_LIQUIDITY: ("51000", "Parameter sz error"), Refusal.MODE: ("50001", "Service temporarily unavailable."),
    Refusal.RATE: TOO_OFTEN, Refusal.BUSY: TIMED_OUT, Refusal.SERVER: ("50001", "Service temporarily unavailable."),
    Refusal.PERMISSION: NOT_ALLOWED,
}  # fmt: skip
WHOLE: Final = frozenset({Refusal.RATE, Refusal.SERVER, Refusal.PERMISSION})
"""Refusals of a request, not of an order in it: the code stands at the top and there are no items."""
NEUTRAL: Final = {
    "order": "new", "batch-orders": "new", "amend-order": "amend", "batch-amend-orders": "amend",
    "cancel-order": "cancel", "batch-cancel-orders": "cancel",
}  # fmt: skip


def words(refused: Refused, op: str) -> tuple[str, str]:
    """(sCode, sMsg) of an order that is refused."""
    what, refusal = NEUTRAL.get(op, "new"), refused.refusal
    if refusal is Refusal.FAULT:
        return (refused.detail, "") if refused.detail.isdigit() else ("51000", refused.detail)
    if refusal is Refusal.ARGUMENT:
        return "51000", f"Parameter {refused.detail} error"
    if refusal in {Refusal.UNKNOWN, Refusal.FILLED, Refusal.CANCELED}:
        return ("51503", f"Order modification failed as the order {GONE}") if what == "amend" else (
            "51400", f"Cancellation failed as the order {GONE}",
        )  # fmt: skip
    return CODES.get(refusal, ("51000", str(refusal)))
