"""What Binance's error codes mean, and what the caller does next.

https://developers.binance.com/docs/binance-spot-api-docs/errors. −2010 says only that a new order was refused: its
words say why. What comes with a status of 500 or more, and whatever code, decides nothing: the order may be at the
engine. A code that is not listed decides nothing either, and a person is told.
"""

import re
from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

_FUNDS: Final = Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE)
_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_CLOSED: Final = Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY)
_FULL: Final = Verdict(Next.DEFINITE, RejectCode.RATE_LIMIT)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_CLOCK: Final = Verdict(Next.BACK_OFF, RejectCode.AUTH)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

CLOCK: Final = -1021
NO_ORDER: Final = -2013
DUPLICATE: Final = "Duplicate order sent."
TABLE: Final = {
    -1000: _DOUBT,  # an unknown error occurred while processing the request
    -1001: _DOUBT,  # internal error
    -1002: _HALT,
    -1003: _SLOWER,
    -1006: _DOUBT,  # an unexpected response; execution status unknown
    -1007: _DOUBT,  # timeout; send status unknown, execution status unknown
    -1008: _DOUBT,  # overloaded
    -1010: _DOUBT,
    -1013: _PARAMS,  # a filter
    -1014: _PARAMS,
    -1015: _SLOWER,  # too many orders
    -1016: _CLOSED,
    -1020: _PARAMS,
    CLOCK: _CLOCK,
    -1022: _HALT,
    -1033: _CLOSED,
    -1034: _SLOWER,
    -1035: _CLOSED,
    **dict.fromkeys(range(-1211, -1098), _PARAMS),  # what is wrong with the request itself
    -2010: _PARAMS,
    -2011: _PARAMS,
    NO_ORDER: _PARAMS,
    -2014: _HALT,
    -2015: _HALT,
    -2016: _CLOSED,
    -2021: _PARAMS,
    -2022: _PARAMS,
    -2026: _PARAMS,
    -2035: _PARAMS,
    -2036: _PARAMS,
    -2038: _PARAMS,
    -2039: _PARAMS,
    -2042: _PARAMS,
    -4056: _HALT,  # a key of a kind that this method does not take
}
# words of −2010, −2011 and −2038: what each means where it is not that the order is wrong
WORDS: Final = {
    "Account has insufficient balance for requested action.": _FUNDS,
    DUPLICATE: _DOUBT,  # nothing is sent twice here: then the first one, which nobody knows of, is there
    "Market is closed.": _CLOSED,
    "This action is disabled on this account.": _HALT,
    "This account may not place or cancel orders.": _HALT,
    "Rest API trading is not enabled.": _CLOSED,
    "WebSocket API trading is not enabled.": _CLOSED,
    "Filter failure: MAX_NUM_ORDERS": _FULL,
    "Filter failure: EXCHANGE_MAX_NUM_ORDERS": _FULL,
}
_STATUSES: Final = {403: _SLOWER, 418: _SLOWER, 429: _SLOWER}
_CODED: Final = re.compile(r"(-[0-9]{4,6}) (.*)", re.DOTALL)
_STATUS: Final = re.compile(r"status ([0-9]{3})\b.*", re.DOTALL)
_UNTIL: Final = re.compile(r"until ([0-9]{13})\b")


def code_of(text: str) -> int:
    """0: it has none."""
    found = _CODED.fullmatch(text)
    return int(found[1]) if found else 0


def classify(text: str) -> Verdict:
    """The verdict on one error, `<code> <words>` or `status <number>`."""
    found = _CODED.fullmatch(text)
    if found is None:
        status = _STATUS.fullmatch(text)
        return _STATUSES.get(int(status[1]), UNLISTED) if status else UNLISTED
    code, words = int(found[1]), found[2]
    verdict = TABLE.get(code, UNLISTED)
    if verdict is _PARAMS:
        verdict = WORDS.get(words, verdict)
    until = _UNTIL.search(words) if verdict is _SLOWER else None
    return verdict._replace(until_ns=int(until[1]) * 10**6) if until else verdict
