"""What the API key may do, asked before anything else.
https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration

A key that may withdraw is refused for good: whoever steals this process's key must not be able to take the money away.
One that may not read or trade is named for what it lacks. An account whose mode trades spot with borrowed money alone
(multi-currency and portfolio margin) is refused: orders here are of cash. Either way, and where OKX does not accept the
key at all, the session ends: nothing here would change it.
"""

from typing import Final

import msgspec

from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.verdict import Next
from connectors.session import Output
from connectors.venues.okx import private
from connectors.venues.okx.errors import classify, code_of

SECOND: Final = 10**9
NAME: Final = "config"
ANSWER_NS: Final = 30 * SECOND
RETRY_NS: Final = 10 * SECOND
NEEDED: Final = ("read_only", "trade")
_CASH_MODES: Final = frozenset({"1", "2"})  # spot mode, futures mode
_MENDS: Final = {
    "50101": "a key of demo trading is used at the real venue, or the other way round: look at the addresses",
    "50105": "look at venues.okx.passphrase",
    "50110": "let the key be used from this machine's address",
    "50113": "look at venues.okx.secret: whole, and of the same key",
}


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
        self._question, send = self._rest.ask(NAME, "GET /api/v5/account/config", "", now_ns)
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
                mend = _MENDS.get(code_of(reply.error), "look at venues.okx.key, secret and passphrase, all of one key")
                return self._ended(reply.error, f"the API key is not accepted ({reply.error}): {mend}")
            return self._failed(reply.error, now_ns)
        try:
            (config,) = private.decode_config(reply.result)
        except msgspec.MsgspecError as error:
            return self._failed(str(error), now_ns)
        return self._judge(config)

    def _judge(self, config: private.Config) -> list[Output]:
        allowed = [name.strip() for name in config.perm.split(",")]
        if "withdraw" in allowed:
            why = "the API key may take money away (withdraw)"
            return self._ended(why, f"{why}: make one without, and delete this one")
        missing = [name for name in NEEDED if name not in allowed]
        if missing:
            why = f"the API key lacks {', '.join(missing)}"
            return self._ended(why, f"{why}: give it these permissions, and start again")
        if config.acct_lv not in _CASH_MODES:
            why = f"the account's mode {config.acct_lv} trades spot with borrowed money"
            return self._ended(why, f"{why}: set it to spot mode (or futures mode), or use a sub-account that is")
        self.why = ""
        self._account.is_trusted = True
        if config.enable_spot_borrow:
            return [Notice("warning", "okx: borrowing is switched on in this account: a sale may be of borrowed coins")]
        return []

    def _ended(self, why: str, text: str) -> list[Output]:
        self.why = why
        return self._account.halt(why, text)

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        self._question = None
        self._again_ns = now_ns + RETRY_NS
        text = f"okx: the API key's permissions could not be read ({why}); again in {RETRY_NS // SECOND} s"
        return [Notice("warning", text)]
