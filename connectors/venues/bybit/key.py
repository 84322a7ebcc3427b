"""What Bybit says of the API key. https://bybit-exchange.github.io/docs/v5/user/apikey-info

A key that may withdraw is refused, whoever meant well: what a gateway cannot do, nobody can make it do. So is one that
only reads, or may not trade spot.
"""

from typing import Final

import msgspec

from connectors.exchange.key import Found, KeyQuestion, permitted
from connectors.exchange.verdict import Next
from connectors.venues.bybit import private
from connectors.venues.bybit.errors import classify

FORBIDDEN: Final = ("Withdraw",)
NEEDED: Final = ("SpotTrade",)
_MEND: Final = (
    "look at venues.bybit.key and venues.bybit.secret: each whole, both of one key that still exists, used from an"
    " address that it is bound to"
)


def refused(error: str) -> str:
    """What a person does about a key that is not accepted; "" where the words mean something else."""
    return _MEND if classify(error).next is Next.HALT else ""


def _judge(result: msgspec.Raw) -> Found:
    info = private.decode_key(result)
    missing = ["write access"] if info.read_only else []
    missing += [name for name in NEEDED if name not in info.permissions.spot]
    return permitted([name for name in FORBIDDEN if name in info.permissions.wallet], missing)


QUESTIONS: Final = (KeyQuestion("key", "GET /v5/user/query-api", "", _judge),)
