"""What OKX says of the API key, and of its account.
https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration

A key that may withdraw is refused; so is one that may not read or trade, and an account whose mode trades spot with
borrowed money alone (multi-currency and portfolio margin): orders here are of cash.
"""

from typing import Final

import msgspec

from connectors.exchange.key import Found, KeyQuestion, permitted
from connectors.exchange.verdict import Next
from connectors.venues.okx import private
from connectors.venues.okx.errors import classify, code_of

FORBIDDEN: Final = ("withdraw",)
NEEDED: Final = ("read_only", "trade")
_CASH_MODES: Final = frozenset({"1", "2"})  # spot mode, futures mode
_MEND: Final = "look at venues.okx.key, secret and passphrase, all of one key"
_MENDS: Final = {
    "50101": "a key of demo trading is used at the real venue, or the other way round: look at the addresses",
    "50105": "look at venues.okx.passphrase",
    "50110": "let the key be used from this machine's address",
    "50113": "look at venues.okx.secret: whole, and of the same key",
}


def refused(error: str) -> str:
    """What a person does about a key that is not accepted; "" where the words mean something else."""
    return _MENDS.get(code_of(error), _MEND) if classify(error).next is Next.HALT else ""


def _judge(result: msgspec.Raw) -> Found:
    (config,) = private.decode_config(result)
    allowed = [name.strip() for name in config.perm.split(",")]
    taking = [name for name in FORBIDDEN if name in allowed]
    found = permitted(taking, [name for name in NEEDED if name not in allowed])
    if found.why:
        return found
    if config.acct_lv not in _CASH_MODES:
        why = f"the account's mode {config.acct_lv} trades spot with borrowed money"
        return Found(why, "set it to spot mode (or futures mode), or use a sub-account that is")
    if config.enable_spot_borrow:
        return Found(warning="borrowing is switched on in this account: a sale may be of borrowed coins")
    return Found()


QUESTIONS: Final = (KeyQuestion("config", "GET /api/v5/account/config", "", _judge),)
