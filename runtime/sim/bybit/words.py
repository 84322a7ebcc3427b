"""Bybit's return codes and words for what it refuses (venues.md 5.4; docs/v5/error of its documentation). Pure."""

from __future__ import annotations

import re
from typing import Final

from runtime.sim.exchange.refusal import Refusal, Refused

_CODED: Final = re.compile(r"(\d{3,6}) (.+)")
TABLE: Final[dict[Refusal, tuple[int, str]]] = {
    Refusal.NO_FUNDS: (170131, "Balance insufficient"),
    Refusal.POST_ONLY: (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    Refusal.UNKNOWN: (170213, "Order does not exist."),
    Refusal.FILLED: (170139, "Order has been filled."),
    Refusal.CANCELED: (170142, "Order has been canceled."),
    Refusal.DUPLICATE: (170141, "Duplicate clientOrderId"),
    Refusal.PRICE: (170133, "Order price too low"),
    Refusal.PRICE_GRID: (170134, "Order price has too many decimals."),
    Refusal.PRICE_BAND: (170132, "Order price too high."),
    Refusal.SIZE: (170136, "Order quantity exceeded lower limit."),
    Refusal.SIZE_GRID: (170137, "Order volume decimal too long"),
    Refusal.SIZE_MIN: (170136, "Order quantity exceeded lower limit."),
    Refusal.COST_MIN: (170140, "Order value exceeded lower limit."),
    Refusal.TOO_MANY: (170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders."),
    Refusal.SYMBOL: (170121, "Invalid symbol."),
    Refusal.AMEND: (170311, "Order modification failed."),
    Refusal.NO_LIQUIDITY: (170222, "Too many requests in this time frame."),
    Refusal.RATE: (10006, "Too many visits. Exceeded the API Rate Limit."),
    Refusal.SERVER: (10016, "Server error."),
    Refusal.PERMISSION: (10005, "Permission denied, please check your API key permissions."),
    Refusal.KEY: (10003, "API key is invalid."),
    Refusal.SIGN: (10004, "Error sign, please check your signature generation algorithm."),
    Refusal.LOGIN: (10005, "Request not authorized"),
}  # fmt: skip
TIMEOUTS: Final = {
    "new": (170146, "Order creation timeout"), "cancel": (170147, "Order cancellation timeout"),
    "cancel_all": (170147, "Order cancellation timeout"), "amend": (170310, "Order modification timeout"),
}  # fmt: skip
MODES: Final = {
    "post_only": (170217, "Only LIMIT-MAKER order is supported for the current pair."),
    "limit_only": (170115, "Invalid order type."),
}  # fmt: skip


class Oops(Exception):  # noqa: N818 - it is answered, not raised to anybody
    """A return code and its words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message = code, message


def oops(refused: Refused, what: str = "new") -> Oops:
    """What is answered for a refusal; `what` was asked, as it is called at every venue."""
    refusal, detail = refused.refusal, refused.detail
    if refusal is Refusal.FAULT:
        coded = _CODED.fullmatch(detail)
        return Oops(int(coded[1]), coded[2]) if coded else Oops(10001, detail)
    if refusal is Refusal.BUSY:
        return Oops(*TIMEOUTS.get(what, (170007, "Timeout waiting for response from backend server.")))
    if refusal is Refusal.MODE:
        return Oops(*MODES.get(detail, (10016, "Server error.")))
    if refusal is Refusal.ARGUMENT:
        return bad(detail)
    if refusal is Refusal.TIME:
        return Oops(10002, f"invalid request, please check your server timestamp or recv_window param. {detail}")
    return Oops(*TABLE[refusal])


def bad(name: str) -> Oops:
    """A parameter that makes no sense."""
    return Oops(10001, f"Request parameter error: {name}")
