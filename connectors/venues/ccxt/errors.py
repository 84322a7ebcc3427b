"""What ccxt's exceptions mean, by their class. https://docs.ccxt.com/#/README?id=error-handling

ccxt sorts each exchange's own codes into these classes; what it has no place for is an ExchangeError, of which nobody
knows what became of the request. Of the network's errors the request may have been carried out.
"""

from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

TABLE: Final = {
    "InsufficientFunds": Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE),
    "InvalidOrder": _PARAMS,
    "OrderImmediatelyFillable": _PARAMS,
    "OrderNotFillable": _PARAMS,
    "OrderNotFound": _PARAMS,
    "OrderNotCached": _PARAMS,
    "DuplicateOrderId": Verdict(Next.UNKNOWN, RejectCode.INVALID_PARAMS),  # of an order that may well be this one
    "BadSymbol": _PARAMS,
    "BadRequest": _PARAMS,
    "ArgumentsRequired": _PARAMS,
    "NotSupported": _PARAMS,
    "MarketClosed": Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY),
    "RateLimitExceeded": _SLOWER,
    "DDoSProtection": _SLOWER,
    "InvalidNonce": _SLOWER,
    "AuthenticationError": _HALT,
    "PermissionDenied": _HALT,
    "AccountNotEnabled": _HALT,
    "AccountSuspended": _HALT,
    "NetworkError": _DOUBT,
    "RequestTimeout": _DOUBT,
    "ExchangeNotAvailable": _DOUBT,
    "OnMaintenance": _DOUBT,
}


def classify(text: str) -> Verdict:
    """The verdict on `<class>: <words>`."""
    return TABLE.get(text.partition(":")[0], UNLISTED)
