"""Requests to Kraken's REST and their answers: who asked what. https://docs.kraken.com/api/docs/guides/spot-rest-intro

A request leaves unsigned and form-encoded; signing adds the nonce. Its answer names it by the number it was given.
"""

import re
from typing import Final

import msgspec

from connectors.session import REST, Send
from connectors.venues.kraken import private
from connectors.venues.kraken.account import Account

_KEPT_NS: Final = 600 * 10**9  # whoever waits for longer has given up
_HEAD: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,3})")
_SILENT: Final = ("no answer", "never left")  # how the door begins
_WORDS_MAX: Final = 200  # of an answer that is none, for people
_COSTS: Final = {"TradesHistory": 4, "CancelOrder": 0, "CancelAll": 0}  # every other call: 1


class Question(msgspec.Struct, frozen=True):
    """One request under way. `carry`: whatever its asker wants to see again."""

    number: int
    method: str
    sent_ns: int
    carry: object = None


class Reply(msgspec.Struct, frozen=True):
    """`error`: Kraken's own words, "" for success. `is_silent`: nobody knows what became of the request."""

    error: str
    result: msgspec.Raw
    is_silent: bool = False


class Rest:
    """Numbers requests, counts what they cost, finds the one that an answer is about."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._last = 0
        self._open: dict[int, Question] = {}

    def ask(
        self, method: str, form: str, now_ns: int, approval: int = 0, carry: object = None
    ) -> tuple[Question, Send]:
        self._last += 1
        for old in [number for number, one in self._open.items() if now_ns - one.sent_ns > _KEPT_NS]:
            del self._open[old]
        question = self._open[self._last] = Question(self._last, method, now_ns, carry)
        self._account.rest.spend(cost(method), now_ns)
        return question, Send(REST, f"{self._last} /0/private/{method}\n{form}".encode(), approval)

    def answered(self, frame: bytes) -> tuple[Question, Reply] | None:
        """None: bytes that answer nothing that was asked."""
        head, _, body = frame.partition(b"\n")
        match = _HEAD.fullmatch(head)
        question = self._open.pop(int(match[1]), None) if match is not None else None
        if match is None or question is None:
            return None
        return question, _read(int(match[2]), body)

    def forget(self, question: Question) -> None:
        self._open.pop(question.number, None)


def cost(method: str) -> int:
    """In whole counts of the key's counter."""
    return _COSTS.get(method, 1)


def _read(status: int, body: bytes) -> Reply:
    words = body[:_WORDS_MAX].decode(errors="replace") + ("…" if len(body) > _WORDS_MAX else "")
    if status == 0:
        said = words if words.startswith(_SILENT) else f"no answer: {words}"
        return Reply(said, msgspec.Raw(b"null"), is_silent=True)
    try:
        answer = private.decode_rest(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Reply(f"status {status}: {words}", msgspec.Raw(b"null"), is_silent=True)
    errors = [error for error in answer.error if not error.startswith("W")]  # W…: a warning
    if not errors and status != 200:
        return Reply(f"status {status}: {words}", msgspec.Raw(b"null"), is_silent=True)
    return Reply(", ".join(errors), answer.result)
