"""What Binance says of the API key, and of its account.

https://developers.binance.com/docs/wallet/account/api-key-permission and
/docs/binance-spot-api-docs/rest-api/account-endpoints#account-information. A key that may withdraw is refused, and so
is one of which Binance does not say whether it may; one that may not read or trade spot; and an account that may not
trade.
"""

from typing import Final

import msgspec

from connectors.exchange.key import RETRY_NS, Found, KeyQuestion, permitted
from connectors.exchange.verdict import Next
from connectors.venues.binance import private
from connectors.venues.binance.errors import CLOCK, classify, code_of

CLOCK_NS: Final = 10**9  # a time that was wrong is mended in the next second
_MEND: Final = (
    "look at venues.binance.key and venues.binance.secret: each whole, both of one key that still exists, used from an"
    " address that it is bound to"
)


def refused(error: str) -> str:
    """What a person does about a key that is not accepted; "" where the words mean something else."""
    return _MEND if classify(error).next is Next.HALT else ""


def again_ns(error: str) -> int:
    """How long after this error to ask again."""
    return CLOCK_NS if code_of(error) == CLOCK else RETRY_NS


def _judge_key(result: msgspec.Raw) -> Found:
    found = private.decode_restrictions(result)
    if found.may_withdraw is None:
        why = "Binance does not say whether the API key may withdraw (enableWithdrawals)"
        return Found(why, "a key of which that is not known is not used")
    needed = {"enableReading": found.may_read, "enableSpotAndMarginTrading": found.may_trade}
    missing = [name for name, allowed in needed.items() if allowed is False]
    return permitted(["enableWithdrawals"] if found.may_withdraw else [], missing)


def _judge_account(result: msgspec.Raw) -> Found:
    may_trade = private.decode_account(result).may_trade
    return Found() if may_trade else Found("the account may not trade (canTrade)", "ask Binance why")


QUESTIONS: Final = (
    KeyQuestion("key", "GET /sapi/v1/account/apiRestrictions", "", _judge_key),
    KeyQuestion("may the account trade", "GET /api/v3/account", "omitZeroBalances=true", _judge_account),
)
