"""What Coinbase says of the API key.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/data-api/get-api-key-permissions

A key that may transfer is refused; so is one that may not view or trade. The venue's time is asked for first
(trading.py): a key is not refused for a clock that is wrong.
"""

from typing import Final

import msgspec

from connectors.exchange.key import Found, KeyQuestion, permitted
from connectors.exchange.verdict import Next
from connectors.venues.coinbase import private
from connectors.venues.coinbase.errors import classify

_MEND: Final = (
    "look at venues.coinbase.key and venues.coinbase.secret: each whole, and both of one key that still exists"
)


def refused(error: str) -> str:
    """What a person does about a key, or a token made with it, that is not accepted; "" where the words mean something
    else."""
    return _MEND if classify(error).next in (Next.HALT, Next.RENEW) else ""


def _judge(result: msgspec.Raw) -> Found:
    allowed = private.decode_key(result)
    missing = [name for name, may in (("view", allowed.can_view), ("trade", allowed.can_trade)) if not may]
    return permitted(["transfer"] if allowed.can_transfer else [], missing)


QUESTIONS: Final = (KeyQuestion("key_permissions", "GET /api/v3/brokerage/key_permissions", "", _judge),)
