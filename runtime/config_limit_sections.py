"""The sections of `[limits]`: which scope may say what. `docs/configuration.md` explains every setting.

The account says everything, a narrower scope what `risk.limits.KEYS` lets its kind say.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field

from risk.limit_terms import ORDER_TYPES
from runtime.config_types import Amount, Section, Sha256, Whole

OPEN_ORDERS_MAX: Final = 32  # the guest's table of its open orders

Bps = Annotated[Whole, Field(ge=1, le=10_000)]
Rate = Annotated[Whole, Field(ge=1, le=100_000)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
OpenOrders = Annotated[Whole, Field(ge=1, le=OPEN_ORDERS_MAX)]
Seconds = Annotated[Decimal, Field(gt=0, le=3600, allow_inf_nan=False)]
Names = Annotated[list[str], Field(min_length=1)]


class MarketLimits(Section):
    """`[limits.instruments.NAME]`: one market (`kraken:BTC/USD`), or a symbol at all its markets (`BTC/USD`)."""

    max_position: Amount | None = Field(
        default=None, description="per base currency, with every open order filled, in that currency"
    )
    max_order_qty: Amount | None = Field(default=None, description="one order, in the base currency")
    max_order_notional: Amount | None = Field(default=None, description="one order, in the quote currency")
    max_capital: Amount | None = Field(
        default=None, description="all positions with every open order filled, at the mids, per quote currency"
    )
    max_daily_loss: Amount | None = Field(
        default=None, description="realised + unrealised + fees since 00:00 UTC, per quote currency"
    )
    max_drawdown: Amount | None = Field(
        default=None, description="fall of the same below its best since 00:00 UTC, per quote currency"
    )
    max_order_rate: Rate | None = Field(default=None, description="new orders and amends in any rolling second")
    max_cancel_rate: Rate | None = Field(
        default=None, description="cancels in any rolling second; by default as many as max_order_rate"
    )
    price_collar_bps: Bps | None = Field(default=None, description="distance from the mid, 1/100 %")
    collar_window_bps: Bps | None = Field(
        default=None, description="distance from the lowest and the highest mid of collar_window_s, 1/100 %"
    )
    max_book_age_s: Seconds | None = Field(
        default=None, description="silence of a link after which its books are stale (5)"
    )
    order_types: Names | None = Field(default=None, description=f"those permitted, of: {', '.join(ORDER_TYPES)}")


class VenueLimits(MarketLimits):
    """`[limits.venues.NAME]`: everything at one venue."""

    max_feed_loss_s: Seconds | None = Field(
        default=None, description="how long a venue with open orders may be silent before it is halted"
    )
    permitted: Names | None = Field(default=None, description="those permitted here: symbols, or markets' names")


class AlgoLimits(MarketLimits):
    """`[limits.algos.NAME]`: the orders and positions of one algo."""

    max_open_orders: OpenOrders | None = Field(default=None, description="open orders of each algo, at most 32 (32)")
    max_repeats: Count | None = Field(
        default=None, description="orders of one algo, market and side that may trade within repeat_window_s"
    )
    max_refusals: Count | None = Field(
        default=None, description="denials and rejections of one algo within refusal_window_s before it is halted"
    )
    permitted: Names | None = Field(default=None, description="those permitted: symbols, or markets' names")


class CanaryLimits(Section):
    """`[limits.canary]`: what a module may do that nobody promoted yet."""

    max_position: Amount | None = Field(default=None, description="its algo's position at each market, base currency")
    max_order_notional: Amount | None = Field(default=None, description="one order, in the quote currency")
    max_orders: Count | None = Field(default=None, description="orders of its algo, all told")


class LimitsSection(AlgoLimits):
    """`[limits]`: of the account. The first five must be set; no amount of money has a default."""

    max_position: Amount = Field(description="per base currency, with every open order filled, in that currency")
    max_order_notional: Amount = Field(description="one order, in the quote currency")
    max_order_rate: Rate = Field(description="new orders and amends in any rolling second")
    price_collar_bps: Bps = Field(description="distance from the mid, 1/100 %")
    max_daily_loss: Amount = Field(description="realised + unrealised + fees since 00:00 UTC, per quote currency")
    max_feed_loss_s: Seconds | None = Field(
        default=None, description="how long a venue with open orders may be silent before it is halted"
    )
    collar_window_s: Seconds | None = Field(default=None, description="how far back collar_window_bps looks (60)")
    max_mark_age_s: Seconds | None = Field(
        default=None, description="how long a held position may go without a valid book (60)"
    )
    max_duplicates: Count | None = Field(default=None, description="equal orders of one algo within duplicate_window_s")
    duplicate_window_s: Seconds | None = Field(default=None, description="how far back max_duplicates looks (1)")
    repeat_window_s: Seconds | None = Field(default=None, description="how far back max_repeats looks (60)")
    refusal_window_s: Seconds | None = Field(default=None, description="how far back max_refusals looks (10)")
    promoted: list[Sha256] = Field(default=[], description="SHA-256 of modules that are no canaries any more")
    venues: dict[str, VenueLimits] = Field(default={}, description="of one venue, by its name")
    instruments: dict[str, MarketLimits] = Field(default={}, description="of one market or symbol, by its name")
    algos: dict[str, AlgoLimits] = Field(default={}, description="of one algo, by its name")
    canary: CanaryLimits | None = Field(default=None, description="of modules that nobody promoted yet")


def wanted_of(key: str) -> str:
    """What to write for a setting of `[limits]`."""
    if key in ("order_types", "promoted", "permitted"):
        return 'write a list of names, like ["…"]'
    if key == "max_open_orders":
        return "write a whole number from 1 to 32"
    if key.endswith("_s"):
        return "write seconds above 0, at most 3600, like 2.5"
    if key.endswith("_bps"):
        return "write a whole number from 1 to 10000, like 300"
    if key.endswith("_rate"):
        return "write a whole number from 1 to 100000, like 20"
    if key in ("max_orders", "max_repeats", "max_refusals", "max_duplicates"):
        return "write a whole number from 1 to 1000000, like 50"
    return "write an amount above 0, like 0.5"


def mend_of(where: Sequence[str], *, is_unknown: bool) -> str:
    """What the section alone does not tell: another scope says this, or a table stands where names are wanted."""
    *sections, key = where
    if sections[:1] != ["limits"]:
        return ""
    if is_unknown and key == "markets":
        return 'did you mean instruments? [limits.instruments."BTC/USD"]'
    if key in ("permitted", "instruments") and not is_unknown:
        own = '[limits.instruments."BTC/USD"]'
        return f'name those permitted: permitted = ["BTC/USD"]; one market\'s own limits go under {own}'
    if is_unknown and len(sections) > 1 and key in LimitsSection.model_fields:
        tables: dict[str, type[Section]] = {"[limits.venues.NAME]": VenueLimits, "[limits.algos.NAME]": AlgoLimits}
        also = [table for table, model in tables.items() if key in model.model_fields]
        return f"{key} may be said under {' and '.join(['[limits]', *also])} alone"
    return ""
