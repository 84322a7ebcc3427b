"""What the API key may do, asked before anything else. https://docs.kraken.com/api/docs/rest-api/get-api-key-info

A key that may withdraw, or prepare a withdrawal, is refused for good: whoever steals this process's key must not be
able to take the money away. A key that may not trade, see its orders or open the private socket is named for what it
lacks. Either way, and where Kraken does not accept the key at all, the session ends: nothing here would change it.
"""

from typing import Final

import msgspec

from connectors.events import Notice
from connectors.session import Output
from connectors.venues.kraken import private
from connectors.venues.kraken.account import Account
from connectors.venues.kraken.errors import Next, classify
from connectors.venues.kraken.rest import Question, Reply, Rest

SECOND: Final = 10**9
METHOD: Final = "GetApiKeyInfo"
ANSWER_NS: Final = 30 * SECOND
RETRY_NS: Final = 10 * SECOND
FORBIDDEN: Final = ("withdraw-funds", "add-withdraw-address", "update-withdraw-address")
NEEDED: Final = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "create-ws-token")


def mend(error: str) -> str:
    """What a person does about a key that is not accepted."""
    if error.startswith("EGeneral:Temporary lockout"):
        return "wait a quarter of an hour, and look at the key before you start again"
    if error.startswith("EGeneral:Permission denied"):
        return "look at its permissions, and at the addresses it may be used from"
    return (
        "look at venues.kraken.key and venues.kraken.secret: each whole, both of one key that still exists, and not the"
        " one in the other's place"
    )


class Key:
    """`why`: why the key does not allow trading, or is not known to; ""."""

    def __init__(self, account: Account, rest: Rest) -> None:
        self._account = account
        self._rest = rest
        self._question: Question | None = None
        self._again_ns: int | None = None
        self.why = "the API key's permissions are not known yet"

    def start(self, now_ns: int) -> list[Output]:
        self._again_ns = None
        self._question, send = self._rest.ask(METHOD, "", now_ns)
        return [send]

    def tick(self, now_ns: int) -> list[Output]:
        if self._question is not None and now_ns - self._question.sent_ns >= ANSWER_NS:
            self._rest.forget(self._question)
            return self._failed("no answer", now_ns)
        if self._again_ns is not None and now_ns >= self._again_ns and not self._account.halted:
            return self.start(now_ns)
        return []

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if question is not self._question:
            return []
        self._question = None
        if reply.error:
            if not reply.is_silent and classify(reply.error).next is Next.HALT:
                return self._ended(reply.error, f"the API key is not accepted ({reply.error}): {mend(reply.error)}")
            return self._failed(reply.error, now_ns)
        try:
            allowed = private.decode_key(reply.result).permissions
        except msgspec.MsgspecError as error:
            return self._failed(str(error), now_ns)
        return self._judge(allowed)

    def _judge(self, allowed: list[str]) -> list[Output]:
        taking = [name for name in FORBIDDEN if name in allowed]
        if taking:
            why = f"the API key may take money away ({', '.join(taking)})"
            return self._ended(why, f"{why}: make one without, and delete this one")
        missing = [name for name in NEEDED if name not in allowed]
        if missing:
            why = f"the API key lacks {', '.join(missing)}"
            return self._ended(why, f"{why}: give it these permissions, and start again")
        self.why = ""
        self._account.is_trusted = True
        return []

    def _ended(self, why: str, text: str) -> list[Output]:
        self.why = why
        return self._account.halt(why, text)

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        self._question = None
        self._again_ns = now_ns + RETRY_NS
        text = f"kraken: the API key's permissions could not be read ({why}); again in {RETRY_NS // SECOND} s"
        return [Notice("warning", text)]
