"""Questions over HTTP and their answers: who asked what. How an answer is read is the venue's.

A request leaves unsigned; the door signs it. Its answer names it by the number it was given.
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from connectors.exchange.skew import Skew
from connectors.session import REST, Send

OWN: Final = 10**9  # approvals are numbered below
_KEPT_NS: Final = 600 * 10**9  # whoever waits for longer has given up
_HEAD: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,3})")
_SILENT: Final = ("no answer", "never left")  # how the door begins
_WORDS_MAX: Final = 200  # of an answer that is none, for people
NOTHING: Final = msgspec.Raw(b"null")


class Question(msgspec.Struct, frozen=True):
    """One request under way. `name`: what is asked, for people and for prices. `carry`: whatever its asker wants to see
    again."""

    number: int
    name: str
    sent_ns: int
    carry: object = None


class Reply(msgspec.Struct, frozen=True):
    """`error`: the venue's own code and words, "" for success. `result`: of a success, what is to be read of the body.
    `is_silent`: nobody knows what became of the request."""

    error: str
    result: msgspec.Raw = NOTHING
    is_silent: bool = False


class Purse(Protocol):
    """What questions cost, by their names."""

    def wait_ns(self, name: str, now_ns: int) -> int:
        """How long until it can be paid; 0: now."""

    def spend(self, name: str, now_ns: int) -> None: ...

    def overrun(self, now_ns: int) -> None:
        """The venue says that too much was asked."""


class Rest:
    """Numbers requests, counts what they cost, finds the one that an answer is about.

    `read(status, body)` makes a Reply of an answer. `first`: the number before the first question's. `link`: REST, or
    CALLS for questions that take no key.
    """

    def __init__(
        self,
        read: Callable[[int, bytes], Reply],
        purse: Purse,
        *,
        first: int = OWN,
        skew: Skew | None = None,
        link: str = REST,
    ) -> None:
        self._read = read
        self._purse = purse
        self._last = first
        self._skew = skew
        self._link = link
        self._open: dict[int, Question] = {}

    @property
    def behind_ns(self) -> int:
        """How far the venue's clock may be behind ours: what it dates so much earlier happened at the same time."""
        return self._skew.behind_ns if self._skew is not None else 0

    def ask(
        self, name: str, head: str, body: str, now_ns: int, approval: int = 0, carry: object = None
    ) -> tuple[Question, Send]:
        """`head`: the path, or the method and the path."""
        self._last += 1
        question = self.expect(self._last, name, now_ns, carry)
        send = Send(self._link, f"{self._last} {head}\n{body}".encode(), approval)
        return question, self._skew.into(send) if self._skew is not None else send

    def expect(self, number: int, name: str, now_ns: int, carry: object = None) -> Question:
        """A request of this number leaves, whoever wrote it: it is paid, and its answer will be known."""
        for old in [number for number, one in self._open.items() if now_ns - one.sent_ns > _KEPT_NS]:
            del self._open[old]
        question = self._open[number] = Question(number, name, now_ns, carry)
        self._purse.spend(name, now_ns)
        return question

    def answered(self, frame: bytes) -> tuple[Question, Reply] | None:
        """None: bytes that answer nothing that was asked."""
        head, _, body = frame.partition(b"\n")
        match = _HEAD.fullmatch(head)
        question = self._open.pop(int(match[1]), None) if match is not None else None
        if match is None or question is None:
            return None
        status = int(match[2])
        return question, silence(status, body) or self._read(status, body)

    def forget(self, question: Question) -> None:
        self._open.pop(question.number, None)


def silence(status: int, body: bytes) -> Reply | None:
    """Status 0: nobody knows; None: there is an answer to read."""
    if status:
        return None
    words = _words(body)
    said = words if words.startswith(_SILENT) else f"no answer: {words}"
    return Reply(said, is_silent=True)


def unreadable(status: int, body: bytes) -> Reply:
    """No answer of the venue's own: a gateway's page, half a body. Nobody knows what became of the request."""
    return Reply(f"status {status}: {_words(body)}", is_silent=True)


def _words(body: bytes) -> str:
    return body[:_WORDS_MAX].decode(errors="replace") + ("…" if len(body) > _WORDS_MAX else "")
