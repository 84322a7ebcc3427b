"""What the API key may do, asked before anything else.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/data-api/get-api-key-permissions

A key that may transfer is refused for good: whoever steals this process's key must not be able to take the money away.
One that may not view or trade is named for what it lacks. Either way, and where Coinbase does not accept the key at
all, the session ends: nothing here would change it. The venue's time is asked for first (time.py): a key is not refused
for a clock that is wrong.
"""

from typing import Final

import msgspec

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.coinbase import private
from connectors.venues.coinbase.errors import classify

SECOND: Final = 10**9
NAME: Final = "key_permissions"
PATH: Final = "/api/v3/brokerage/key_permissions"
ANSWER_NS: Final = 30 * SECOND
RETRY_NS: Final = 10 * SECOND
_MEND: Final = (
    "look at venues.coinbase.key and venues.coinbase.secret: each whole, and both of one key that still exists"
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
        """Asks, unless it is asked already."""
        if self._question is not None or self._account.halted:
            return []
        self._again_ns = None
        self._question, send = self._rest.ask(NAME, f"GET {PATH}", "", now_ns)
        return [send]

    def tick(self, now_ns: int) -> list[Output]:
        if self._question is not None and now_ns - self._question.sent_ns >= ANSWER_NS:
            self._rest.forget(self._question)
            return self._failed("no answer", now_ns)
        if self._again_ns is not None and now_ns >= self._again_ns:
            return self.start(now_ns)
        return []

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if question is not self._question:
            return []
        self._question = None
        if reply.error:
            if not reply.is_silent and classify(reply.error).next in (Next.HALT, Next.RENEW):
                return self._ended(reply.error, f"the API key is not accepted ({reply.error}): {_MEND}")
            return self._failed(reply.error, now_ns)
        try:
            allowed = private.decode_key(reply.result)
        except msgspec.MsgspecError as error:
            return self._failed(str(error), now_ns)
        return self._judge(allowed)

    def _judge(self, allowed: private.KeyPermissions) -> list[Output]:
        if allowed.can_transfer:
            why = "the API key may take money away (transfer)"
            return self._ended(why, f"{why}: make one without, and delete this one")
        missing = [name for name, may in (("view", allowed.can_view), ("trade", allowed.can_trade)) if not may]
        if missing:
            why = f"the API key lacks {' and '.join(missing)}"
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
        text = f"coinbase: the API key's permissions could not be read ({why}); again in {RETRY_NS // SECOND} s"
        return [Notice("warning", text)]
