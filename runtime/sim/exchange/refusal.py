"""Why a simulated venue does not do what it was asked for. Each venue has its own codes and words for these. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.sim.exchange.order import Order


class Refusal(StrEnum):
    """What is wrong; what `detail` then says is told behind it."""

    NO_FUNDS = "no_funds"
    POST_ONLY = "post_only"  # it would trade at once
    UNKNOWN = "unknown"  # there never was such an order
    FILLED = "filled"  # it is filled; `order`
    CANCELED = "canceled"  # it ended otherwise; `order`
    DUPLICATE = "duplicate"  # a client order id that is taken; `order`
    PRICE = "price"  # no price, or not above zero
    PRICE_GRID = "price_grid"
    PRICE_BAND = "price_band"  # too far from the market
    SIZE = "size"  # no quantity, or not above zero
    SIZE_GRID = "size_grid"
    SIZE_MIN = "size_min"
    COST_MIN = "cost_min"
    TOO_MANY = "too_many"  # open orders
    SYMBOL = "symbol"  # it is not traded here
    MODE = "mode"  # the system or the pair takes no such order now: maintenance, cancel_only, post_only, limit_only
    AMEND = "amend"  # it cannot be changed like that
    ARGUMENT = "argument"  # the parameter
    NO_LIQUIDITY = "no_liquidity"
    RATE = "rate"
    BUSY = "busy"  # nobody knows whether it was done
    SERVER = "server"
    FAULT = "fault"  # the text of the fault
    PERMISSION = "permission"
    TIME = "time"  # a timestamp outside its window
    SIGN = "sign"
    KEY = "key"
    LOGIN = "login"  # nobody is logged in


class Refused(Exception):  # noqa: N818 - not an error of ours: the venue answers it in its own words
    """`order`: the one that it is about, where there is one."""

    def __init__(self, refusal: Refusal, detail: str = "", order: Order | None = None) -> None:
        super().__init__(f"{refusal} {detail}".strip())
        self.refusal, self.detail, self.order = refusal, detail, order
