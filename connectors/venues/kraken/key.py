"""What Kraken says of the API key. https://docs.kraken.com/api/docs/rest-api/get-api-key-info

A key that may withdraw, or prepare a withdrawal, is refused; so is one that may not trade, see its orders or open the
private socket.
"""

from typing import Final

import msgspec

from connectors.exchange.key import Found, KeyQuestion, permitted
from connectors.exchange.verdict import Next
from connectors.venues.kraken import private
from connectors.venues.kraken.errors import classify

METHOD: Final = "GetApiKeyInfo"
FORBIDDEN: Final = ("withdraw-funds", "add-withdraw-address", "update-withdraw-address")
NEEDED: Final = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "create-ws-token")


def refused(error: str) -> str:
    """What a person does about a key that is not accepted; "" where the words mean something else."""
    if classify(error).next is not Next.HALT:
        return ""
    if error.startswith("EGeneral:Temporary lockout"):
        return "wait a quarter of an hour, and look at the key before you start again"
    if error.startswith("EGeneral:Permission denied"):
        return "look at its permissions, and at the addresses it may be used from"
    return (
        "look at venues.kraken.key and venues.kraken.secret: each whole, both of one key that still exists, and not the"
        " one in the other's place"
    )


def _judge(result: msgspec.Raw) -> Found:
    allowed = private.decode_key(result).permissions
    taking = [name for name in FORBIDDEN if name in allowed]
    return permitted(taking, [name for name in NEEDED if name not in allowed])


QUESTIONS: Final = (KeyQuestion(METHOD, f"/0/private/{METHOD}", "", _judge),)
