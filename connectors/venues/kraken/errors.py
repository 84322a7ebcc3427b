"""What Kraken's error texts mean, and what the caller does next. https://docs.kraken.com/api/docs/guides/spot-errors

Found by the longest prefix that is listed: some texts go on (`EGeneral:Invalid arguments:…`). A text that is not listed
decides nothing: its outcome is unknown, and a person is told.
"""

from typing import Final

from connectors.events import RejectCode
from connectors.exchange.verdict import UNLISTED, Next, Verdict

_FUNDS: Final = Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE)
_PARAMS: Final = Verdict(Next.DEFINITE, RejectCode.INVALID_PARAMS)
_FULL: Final = Verdict(Next.DEFINITE, RejectCode.RATE_LIMIT)
_CLOSED: Final = Verdict(Next.DEFINITE, RejectCode.EXCHANGE_BUSY)
_SLOWER: Final = Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT)
_DOUBT: Final = Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY)
_TOKEN: Final = Verdict(Next.RENEW, RejectCode.AUTH)
_HALT: Final = Verdict(Next.HALT, RejectCode.AUTH)

TABLE: Final = {
    "EOrder:Insufficient funds": _FUNDS,
    "EOrder:Insufficient margin": _FUNDS,
    "EOrder:Margin allowance exceeded": _FUNDS,
    "EOrder:Margin level too low": _FUNDS,
    "EOrder:Order minimum not met": _PARAMS,
    "EOrder:Cost minimum not met": _PARAMS,
    "EOrder:Tick size check failed": _PARAMS,
    "EOrder:Invalid price": _PARAMS,
    "EOrder:Invalid order": _PARAMS,
    "EOrder:Unknown order": _PARAMS,
    "EOrder:Post only order": _PARAMS,
    "Post only order": _PARAMS,
    "EOrder:Reduce only": _PARAMS,
    "EOrder:Positions limit exceeded": _PARAMS,
    "EOrder:Scheduled orders limit exceeded": _FULL,
    "EOrder:Orders limit exceeded": _FULL,
    "EOrder:Rate limit exceeded": _SLOWER,
    "EOrder:Domain rate limit exceeded": _SLOWER,
    "EAPI:Rate limit exceeded": _SLOWER,
    "EService: Throttled": _SLOWER,
    "EService:Throttled": _SLOWER,
    "Exceeded msg rate": _SLOWER,
    "EAPI:Invalid nonce": Verdict(Next.BACK_OFF, RejectCode.AUTH),
    "EGeneral:Invalid arguments": _PARAMS,
    "EBM:limit exceeded:CAL": _PARAMS,
    "EService:Deadline elapsed": _CLOSED,
    "EService:Market in cancel_only mode": _CLOSED,
    "EService:Market in post_only mode": _CLOSED,
    "EService:Market in limit_only mode": _CLOSED,
    "EService:Unavailable": _DOUBT,
    "EService:Busy": _DOUBT,
    "EGeneral:Internal error": _DOUBT,
    "EGeneral:Permission denied": _HALT,
    "EGeneral:Temporary lockout": _HALT,
    "EAPI:Invalid key": _HALT,
    "EAPI:Invalid signature": _HALT,
    "ESession:Invalid session": _TOKEN,
    "Token(s) not found": _TOKEN,
    # §1.2: the reader of requests refuses before anything else sees them
    "Currency pair not supported": _PARAMS,
    "Subscription depth not supported": _PARAMS,
    "Subscription book depth must be an integer": _PARAMS,
    "Already subscribed": _PARAMS,
    "Unsupported event": _PARAMS,
    "Unsupported field": _PARAMS,
}
_LONGEST_FIRST: Final = sorted(TABLE, key=len, reverse=True)
_FIELD: Final = "field must be a number_float"  # `Limit_price field must be a number_float`
# `time_in_force` fok is documented for REST only in some editions: a refusal that names the field is one of the request
_TERMS: Final = ("time_in_force", "timeinforce")


def classify(text: str) -> Verdict:
    """The verdict on one error text."""
    for prefix in _LONGEST_FIRST:
        if text.startswith(prefix):
            return TABLE[prefix]
    if text.endswith(_FIELD) or any(word in text.lower() for word in _TERMS):
        return _PARAMS
    return UNLISTED


def throttled_until_ns(text: str) -> int:
    """`EService: Throttled: <Unix seconds>`: until when, in ns; 0: it does not say."""
    head, _, tail = text.rpartition(":")
    tail = tail.strip()
    is_time = head.endswith("Throttled") and tail.isascii() and tail.isdigit() and len(tail) <= 12
    return int(tail) * 10**9 if is_time else 0
