"""What the API key may do, asked before anything else. https://bybit-exchange.github.io/docs/v5/user/apikey-info

A key that may withdraw is refused, whoever meant well: what a gateway cannot do, nobody can make it do. One that only
reads, or may not trade spot, is refused with what it lacks. Nothing but an answer decides: silence is asked again.
"""

from typing import Final

import msgspec

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.bybit import private
from connectors.venues.bybit.errors import classify

SECOND: Final = 10**9
NAME: Final = "key"
PATH: Final = "/v5/user/query-api"
ANSWER_NS: Final = 30 * SECOND
RETRY_NS: Final = 10 * SECOND
FORBIDDEN: Final = ("Withdraw",)
NEEDED: Final = ("SpotTrade",)
_MEND: Final = (
    "look at venues.bybit.key and venues.bybit.secret: each whole, both of one key that still exists, used from an"
    " address that it is bound to"
)


class Key:
    """`why`: why the key does not allow trading, or is not known to; ""."""

    def __init__(self, account: Account, rest: Rest) -> None:
        self._account = account
        self._rest = rest
        self._question: Question | None = None
        self._again_ns: int | None = None
        self.is_asked = False
        self.why = "the API key's permissions are not known yet"

    def ask(self, now_ns: int) -> list[Output]:
        self.is_asked, self._again_ns = True, None
        self._question, send = self._rest.ask(NAME, f"GET {PATH}", "", now_ns)
        return [send]

    def tick(self, now_ns: int) -> list[Output]:
        if self._question is not None and now_ns - self._question.sent_ns >= ANSWER_NS:
            self._rest.forget(self._question)
            return self._failed("no answer", now_ns)
        if self._again_ns is not None and now_ns >= self._again_ns and not self._account.halted:
            return self.ask(now_ns)
        return []

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if question is not self._question:
            return []
        self._question = None
        if reply.error:
            if not reply.is_silent and classify(reply.error).next is Next.HALT:
                return self._ended(reply.error, f"the API key is not accepted ({reply.error}): {_MEND}")
            return self._failed(reply.error, now_ns)
        try:
            info = private.decode_key(reply.result)
        except msgspec.MsgspecError as error:
            return self._failed(str(error), now_ns)
        return self._judge(info)

    def _judge(self, info: private.KeyInfo) -> list[Output]:
        taking = [name for name in FORBIDDEN if name in info.permissions.wallet]
        if taking:
            why = f"the API key may take money away ({', '.join(taking)})"
            return self._ended(why, f"{why}: make one without, and delete this one")
        missing = ["write access"] if info.read_only else []
        missing += [name for name in NEEDED if name not in info.permissions.spot]
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
        text = f"bybit: the API key's permissions could not be read ({why}); again in {RETRY_NS // SECOND} s"
        return [Notice("warning", text)]
