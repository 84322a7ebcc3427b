"""One thing that a venue said of one order, in no venue's words; and the money that moved with it.

Streams and records are both translated into this: what was told twice is the same execution by its `exec_id`.
"""

from decimal import Decimal
from enum import Enum, auto

import msgspec

from connectors.errors import WireError
from connectors.events import Movement, Notice, RejectCode
from connectors.exchange.amounts import (
    amount_1e8,
    fee_1e9,
    fee_of_base_1e9,
    near_price_1e9,
    price_1e9,
    size_1e8,
    value_1e8,
)
from connectors.exchange.known import Known
from connectors.session import Output


class Kind(Enum):
    """What happened. STATE: all that an open order is now, its price and quantity among it; STATUS: nothing to tell."""

    NEW = auto()
    TRADE = auto()
    FILLED = auto()
    CANCELED = auto()
    EXPIRED = auto()
    REJECTED = auto()
    AMENDED = auto()
    AMEND_REJECTED = auto()
    STATE = auto()
    STATUS = auto()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue left out is "" or None; its numbers are as it wrote them.

    `kind`: the venue's own word where nobody knows it here: that is loud, and makes a look. `name`: the client order id
    as we gave it. `is_named`: without `name` the order is certainly not ours. `symbol`: BASE/QUOTE as we write it; of a
    market whose two currencies nobody here can tell, the venue's own without `/`, and then no money is told. `qty`,
    `px`, `cum`: of the order, in all, and after this. `exec_id`: unique at the venue for ever, the same in its stream
    and in its records. `cost`: of this trade, positive. `fees`: (currency, what was paid; a rebate is negative).
    `code`: of what was refused, or cancelled for what is a refusal.
    """

    kind: Kind | str
    venue_id: str = ""
    name: str = ""
    is_named: bool = True
    symbol: str = ""
    side: int = 0
    qty: Decimal | None = None
    px: Decimal | None = None
    cum: Decimal | None = None
    exec_id: str = ""
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    cost: Decimal | None = None
    fees: tuple[tuple[str, Decimal], ...] = ()
    reason: str = ""
    code: RejectCode = RejectCode.UNKNOWN
    ts_ns: int = 0


def said(number: Decimal | None) -> Decimal:
    """Raises WireError where a trade lacks what every trade has."""
    if number is None:
        raise WireError("a trade without quantity or price")
    return number


def size_of(index: int, number: Decimal) -> int:
    """Exact at a market that is followed; elsewhere (index −1) it only has to be near enough."""
    return size_1e8(number) if index >= 0 else amount_1e8(number)


def price_of(index: int, number: Decimal) -> int:
    return price_1e9(number) if index >= 0 else near_price_1e9(number)


def legs(venue: str, told: Told, known: Known | None) -> list[Output]:
    """The legs and fees of one trade, whosever it is. Raises WireError for one without what every trade has."""
    symbol = told.symbol or (known.symbol if known is not None else "")
    side = told.side or (known.side if known is not None else 0)
    if not told.exec_id or not symbol or not side:
        raise WireError(f"a trade of order {told.venue_id} without exec_id, symbol or side")
    size, px = said(told.last_qty), near_price_1e9(said(told.last_px))
    qty = amount_1e8(size if side > 0 else size.copy_negate())
    base, slash, quote = symbol.partition("/")
    if not slash:
        return []
    cost = told.cost.copy_negate() if told.cost is not None and side > 0 else told.cost
    paid = value_1e8(-qty, px) if cost is None else amount_1e8(cost)
    name = known.name if known is not None and known.is_ours else ""
    moved = [(base, "base", qty), (quote, "quote", paid)]
    for paid_in in dict.fromkeys(currency for currency, _ in told.fees):  # one movement each, or one counts as told
        fees = sum(amount_1e8(fee.copy_negate()) for currency, fee in told.fees if currency == paid_in)
        moved += [(paid_in, "fee", fees)] if fees else []
    return [Movement(venue, told.exec_id, currency, kind, amount, name, told.ts_ns) for currency, kind, amount in moved]


def fee_in_quote(venue: str, told: Told, known: Known, px_1e9: int) -> tuple[int, list[Output]]:
    """Fees ×1e9 of the quote; one in a third currency is a movement, and a person is told."""
    base, _, quote = (told.symbol or known.symbol).partition("/")
    total = 0
    out: list[Output] = []
    for currency, fee in told.fees:
        if currency == quote:
            total += fee_1e9(fee)
        elif currency == base:
            total += fee_of_base_1e9(fee, px_1e9)
        elif fee:
            text = f"{venue} {known.name}: a fee of {fee} {currency}, neither base nor quote: not in its costs"
            out.append(Notice("warning", text))
    return total, out
