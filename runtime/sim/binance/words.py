"""Binance's codes and words for what it refuses (venues.md 3.4; errors.md of the official documentation). Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from runtime.sim.exchange.refusal import Refusal, Refused

_CODED: Final = re.compile(r"(-\d{4}) (.+)")
LOT_SIZE: Final = "Filter failure: LOT_SIZE"
UNKNOWN_OUTCOME: Final = (
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
)
UNKNOWN_ORDER: Final = "Unknown order sent."
TABLE: Final[dict[Refusal, tuple[int, int, str]]] = {
    Refusal.NO_FUNDS: (400, -2010, "Account has insufficient balance for requested action."),
    Refusal.POST_ONLY: (400, -2010, "Order would immediately match and take."),
    Refusal.UNKNOWN: (400, -2011, UNKNOWN_ORDER),
    Refusal.FILLED: (400, -2011, UNKNOWN_ORDER),
    Refusal.CANCELED: (400, -2011, UNKNOWN_ORDER),
    Refusal.DUPLICATE: (400, -2010, "Duplicate order sent."),
    Refusal.PRICE: (400, -1013, "Invalid price."),
    Refusal.PRICE_GRID: (400, -1013, "Filter failure: PRICE_FILTER"),
    Refusal.PRICE_BAND: (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Refusal.SIZE: (400, -1013, "Invalid quantity."),
    Refusal.SIZE_GRID: (400, -1013, LOT_SIZE),
    Refusal.SIZE_MIN: (400, -1013, LOT_SIZE),
    Refusal.COST_MIN: (400, -1013, "Filter failure: NOTIONAL"),
    Refusal.TOO_MANY: (400, -2010, "Filter failure: MAX_NUM_ORDERS"),
    Refusal.SYMBOL: (400, -1121, "Invalid symbol."),
    Refusal.MODE: (400, -2010, "Market is closed."),
    Refusal.AMEND: (400, -2038, "The requested action would change no state; rejecting."),
    Refusal.NO_LIQUIDITY: (400, -2010, "Market has no liquidity."),
    Refusal.RATE: (429, -1015, "Too many new orders; current limit is 50 orders per 10 SECOND."),
    Refusal.BUSY: (503, -1007, UNKNOWN_OUTCOME),
    Refusal.SERVER: (503, -1001, "Internal error; unable to process your request. Please try again."),
    Refusal.PERMISSION: (401, -2015, "Invalid API-key, IP, or permissions for action."),
    Refusal.KEY: (401, -2014, "API-key format invalid."),
    Refusal.SIGN: (400, -1022, "Signature for this request is not valid."),
    Refusal.LOGIN: (401, -2015, "Invalid API-key, IP, or permissions for action."),
}  # fmt: skip


class Oops(Exception):  # noqa: N818 - it is answered, not raised to anybody
    """An error as Binance tells it. `data`: what stands beside code and message, where something does."""

    def __init__(self, status: int, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.status, self.code, self.message, self.data = status, code, message, data

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message} | ({"data": self.data} if self.data is not None else {})


def oops(refused: Refused, method: str = "") -> Oops:
    """What is answered for a refusal; the words of an order that is not there depend on what was asked."""
    refusal, detail = refused.refusal, refused.detail
    if refusal is Refusal.FAULT:
        coded = _CODED.fullmatch(detail)
        return Oops(400, int(coded[1]), coded[2]) if coded else Oops(400, -2010, detail)
    if refusal is Refusal.ARGUMENT:
        return missing(detail)
    if refusal is Refusal.TIME:
        return Oops(400, -1021, detail or "Timestamp for this request is outside of the recvWindow.")
    status, code, message = TABLE[refusal]
    if code == -2011 and method == "order.status":
        return Oops(400, -2013, "Order does not exist.")
    if code == -2011 and method == "order.amend.keepPriority":
        return Oops(400, -2038, UNKNOWN_ORDER)
    return Oops(status, code, message)


def missing(name: str) -> Oops:
    """A parameter that has to be there, or makes no sense."""
    return Oops(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str) -> Oops:
    """A parameter that is not for this."""
    return Oops(400, -1106, f"Parameter '{name}' sent when not required.")
