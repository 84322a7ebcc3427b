"""Venue numbers of the account as integers, rounded against ourselves where the guest's scales are coarser.

Venues keep ten and more decimals of some assets; the guest's amounts have eight. Every function raises NumberError for
what is no number of reasonable length, and for what the guest's 63 bits cannot hold.
"""

from decimal import Decimal
from typing import Final

from connectors.errors import NumberError
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, scaled

_FINE: Final = 24  # decimals; no asset at any venue has as many
_FINE_ONE: Final = 10**_FINE
_TO_SIZE: Final = 10**16
_TO_NINE: Final = 10**15
_PRICE_ONE: Final = 10**PRICE_DECIMALS


def amount_1e8(number: Decimal) -> int:
    """Signed, rounded down."""
    return _held(scaled(number, _FINE) // _TO_SIZE)


def fee_1e9(number: Decimal) -> int:
    """Rounded up."""
    return _held(-(-scaled(number, _FINE) // _TO_NINE))


def fee_of_base_1e9(number: Decimal, px_1e9: int) -> int:
    """A fee in the base currency, in quote at this price, rounded up."""
    return _held(-(-scaled(number, _FINE) * px_1e9 // _FINE_ONE))


def size_1e8(number: Decimal) -> int:
    """Exact, not negative."""
    return _counted(scaled(number, SIZE_DECIMALS))


def price_1e9(number: Decimal) -> int:
    """Exact, not negative."""
    return _counted(scaled(number, PRICE_DECIMALS))


def near_price_1e9(number: Decimal) -> int:
    """Rounded down, not negative: of a market that is not followed, whose prices may have more decimals."""
    return _counted(scaled(number, _FINE) // _TO_NINE)


def value_1e8(qty_1e8: int, px_1e9: int) -> int:
    """Quantity × price in the quote currency, signed as the quantity is, rounded down."""
    return _held(qty_1e8 * px_1e9 // _PRICE_ONE)


def seconds_ns(seconds: Decimal) -> int:
    """Seconds of a Unix time with their decimals; finer than ns is cut."""
    return _counted(scaled(seconds, _FINE) // _TO_NINE)


def ms_ns(ms: str | int) -> int:
    """Milliseconds of a Unix time, as a number or its digits. Raises NumberError for other text."""
    digits = str(ms)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        msg = f"{digits:.40} is no time in milliseconds"
        raise NumberError(msg)
    return _counted(int(digits) * 1_000_000)


def _held(units: int) -> int:
    if abs(units) > I64_MAX:
        msg = f"{units} is beyond 63 bits"
        raise NumberError(msg)
    return units


def _counted(units: int) -> int:
    if units < 0:
        msg = f"{units} is negative"
        raise NumberError(msg)
    return _held(units)
