"""What the API key may do, asked before anything else.

A key that may take money away is refused for good: whoever steals this process's key must not be able to. One that may
not do what trading takes is named for what it lacks. Either way, and where the venue does not accept the key at all,
the session ends: nothing here would change it. Nothing but an answer decides: silence is asked again.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.account import Account
from connectors.exchange.rest import Question, Reply, Rest
from connectors.session import Output

SECOND: Final = 10**9
ANSWER_NS: Final = 30 * SECOND
RETRY_NS: Final = 10 * SECOND


class Found(NamedTuple):
    """What an answer says against the key; `why` "": nothing. `mend`: what a person does about it. `warning`: what they
    should know of a key that is used."""

    why: str = ""
    mend: str = ""
    warning: str = ""


class KeyQuestion(NamedTuple):
    """One thing to be asked. `judge` reads its answer; it may raise msgspec's errors and WireError."""

    name: str
    head: str
    body: str
    judge: Callable[[msgspec.Raw], Found]


class KeyCheck:
    """`why`: why the key does not allow trading, or is not known to; "". `is_asked`: it was begun.

    `questions`: asked one after the other; from the first one again after a failure, in ten seconds or what `again_ns`
    says of the error. `refused(error)`: what a person does about a key that is not accepted, where these words mean
    that; "": they mean something else.
    """

    def __init__(
        self,
        account: Account,
        rest: Rest,
        questions: Sequence[KeyQuestion],
        refused: Callable[[str], str],
        again_ns: Callable[[str], int] = lambda _error: RETRY_NS,
    ) -> None:
        self._account = account
        self._rest = rest
        self._questions = questions
        self._refused = refused
        self._wait_ns = again_ns
        self._place = 0
        self._question: Question | None = None
        self._again_ns: int | None = None
        self.is_asked = False
        self.why = "the API key's permissions are not known yet"

    def start(self, now_ns: int) -> list[Output]:
        """Asks, unless it is being asked."""
        if self._question is not None or self._account.halted:
            return []
        self.is_asked, self._again_ns, self._place = True, None, 0
        return self._ask(now_ns)

    def _ask(self, now_ns: int) -> list[Output]:
        one = self._questions[self._place]
        self._question, send = self._rest.ask(one.name, one.head, one.body, now_ns, carry=self)
        return [send]

    def tick(self, now_ns: int) -> list[Output]:
        if self._question is not None and now_ns - self._question.sent_ns >= ANSWER_NS:
            self._rest.forget(self._question)
            return self._failed("no answer", now_ns)
        if self._again_ns is not None and now_ns >= self._again_ns:
            return self.start(now_ns)
        return []

    def owns(self, question: Question) -> bool:
        """Whether the answer to this question is for `answered`, be it too late."""
        return isinstance(question.carry, KeyCheck)

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        if question is not self._question:
            return []
        self._question = None
        if reply.error:
            mend = "" if reply.is_silent else self._refused(reply.error)
            if mend:
                return self._ended(reply.error, f"the API key is not accepted ({reply.error}): {mend}")
            return self._failed(reply.error, now_ns)
        try:
            found = self._questions[self._place].judge(reply.result)
        except (msgspec.MsgspecError, WireError, ValueError, RecursionError) as error:
            return self._failed(str(error), now_ns)
        if found.why:
            return self._ended(found.why, f"{found.why}: {found.mend}")
        out: list[Output] = [Notice("warning", f"{self._account.venue}: {found.warning}")] if found.warning else []
        self._place += 1
        if self._place < len(self._questions):
            return out + self._ask(now_ns)
        self.why = ""
        self._account.is_trusted = True
        return out

    def _ended(self, why: str, text: str) -> list[Output]:
        self.why = why
        return self._account.halt(why, text)

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        self._question = None
        wait_ns = self._wait_ns(why)
        self._again_ns = now_ns + wait_ns
        what = f"{self._account.venue}: the API key's permissions could not be read ({why})"
        return [Notice("warning", f"{what}; again in {wait_ns // SECOND} s")]


def permitted(taking: Sequence[str], missing: Sequence[str]) -> Found:
    """Of a key that may do `taking`, which takes money away, and lacks `missing`, which trading needs."""
    if taking:
        return Found(f"the API key may take money away ({', '.join(taking)})", "make one without, and delete this one")
    if missing:
        return Found(f"the API key lacks {', '.join(missing)}", "give it these permissions, and start again")
    return Found()
