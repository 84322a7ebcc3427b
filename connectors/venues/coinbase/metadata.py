"""Questions for the products that are followed, over the CALLS link, and what their answers mean.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/list-public-products (no key needed)

Only the wanted products are asked for, fifty in one question. Whoever is missing from an answer is not listed. A
question of several that is refused is asked again for each by itself, so that one bad name costs no other. Silence, a
429 or a 5xx says nothing about any product: the question is asked again after 1, 2, 4 … 60 s. What is known is asked
for again once a minute: ticks, minimums and states change while a book is live.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from connectors.events import Notice
from connectors.session import CALLS, Output, Send
from connectors.venues.coinbase import wire

PATH: Final = "/api/v3/brokerage/market/products"
ASKED_MAX: Final = 50  # products in one question: an address of about a kilobyte
SECOND: Final = 10**9
AGAIN_NS: Final = 60 * SECOND
ANSWER_NS: Final = 30 * SECOND  # whoever keeps the link answers sooner, if only that there is no answer
BACKOFF_MAX_NS: Final = 60 * SECOND
_REFUSED: Final = (400, 404)
_WORDS_MAX: Final = 160
_HEAD: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,3})")
_FOREIGN: Final = re.compile(rb"GET (/[^ ?]*)(?:\?([^ ]*))? ([0-9]{1,3})")
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class Question:
    """One question under way, or one that waits for `due_ns`."""

    __slots__ = ("attempts", "due_ns", "is_under_way", "names")

    def __init__(self, names: tuple[str, ...], due_ns: int) -> None:
        self.names = names
        self.due_ns = due_ns
        self.attempts = 0
        self.is_under_way = False


class Found(msgspec.Struct, frozen=True):
    """What an answer says: the products in it, as they stood there, and the names that it refuses, with why."""

    products: tuple[msgspec.Raw, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    out: tuple[Output, ...] = ()


class Metadata:
    """`names`: the venue's names of the markets followed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._waiting: list[Question] = []
        self._under_way: dict[int, Question] = {}
        self._last = 0
        self._again_ns = 0

    def ask(self, now_ns: int) -> list[Output]:
        """The connection is new: everything is asked for, whatever was asked before."""
        self._under_way.clear()
        self._again_ns = now_ns + AGAIN_NS
        self._waiting = [
            Question(self._names[at : at + ASKED_MAX], now_ns) for at in range(0, len(self._names), ASKED_MAX)
        ]
        return self.tick(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        for number, question in list(self._under_way.items()):
            if now_ns >= question.due_ns:
                del self._under_way[number]
                self._later(question, now_ns)
        if now_ns >= self._again_ns and not self._waiting and not self._under_way:
            return self.ask(now_ns)
        due = [question for question in self._waiting if now_ns >= question.due_ns]
        self._waiting = [question for question in self._waiting if now_ns < question.due_ns]
        return [self._send(question, now_ns) for question in due]

    def _send(self, question: Question, now_ns: int) -> Send:
        self._last += 1
        question.due_ns = now_ns + ANSWER_NS
        self._under_way[self._last] = question
        query = "&".join(f"product_ids={name}" for name in question.names)
        return Send(CALLS, f"{self._last} GET {PATH}\n{query}".encode())

    def _later(self, question: Question, now_ns: int) -> None:
        question.due_ns = now_ns + min(SECOND << question.attempts, BACKOFF_MAX_NS)
        question.attempts = min(question.attempts + 1, 6)
        self._waiting.append(question)

    # --- answers -----------------------------------------------------------------------------------------------------

    def answered(self, frame: bytes, now_ns: int) -> Found:
        """An answer to one of ours, or one that somebody recorded: `GET <path>?<query> <status>`."""
        head, _, body = frame.partition(b"\n")
        match = _HEAD.fullmatch(head)
        if match is not None:
            question = self._under_way.pop(int(match[1]), None)
            return self._read(question, int(match[2]), body, now_ns) if question is not None else Found()
        foreign = _FOREIGN.fullmatch(head)
        if foreign is None:
            return Found(out=(Notice("error", f"coinbase: no answer of HTTP: {head[:_WORDS_MAX]!r}"),))
        path = foreign[1].decode("ascii", "replace")
        if int(foreign[3]) != 200 or not path.startswith(PATH):
            return Found()
        return Found(tuple(_products(body)))

    def _read(self, question: Question, status: int, body: bytes, now_ns: int) -> Found:
        words = body[:_WORDS_MAX].decode(errors="replace")
        if status == 200:
            try:
                products = tuple(_products(body, strictly=True))
                listed = {wire.decode_product_name(raw).product_id for raw in products}
            except _UNREADABLE as error:
                return self._failed(question, f"{error}: {words}", now_ns)
            absent = [(name, f"coinbase does not list {name}") for name in question.names if name not in listed]
            return Found(products, tuple(absent))
        if status not in _REFUSED:
            return self._failed(question, f"status {status}: {words}", now_ns)
        if len(question.names) == 1:
            return Found(missing=((question.names[0], f"coinbase does not list it (status {status}: {words})"),))
        self._waiting += [Question((name,), now_ns) for name in question.names]
        return Found(out=tuple(self.tick(now_ns)))

    def _failed(self, question: Question, why: str, now_ns: int) -> Found:
        is_first = not question.attempts
        self._later(question, now_ns)
        text = f"coinbase: products could not be read ({why}); asking again"
        return Found(out=(Notice("warning", text),) if is_first else ())


def _products(body: bytes, *, strictly: bool = False) -> Iterator[msgspec.Raw]:
    """Those of a list, or the one product that the answer is. Raises msgspec's errors where `strictly` is asked."""
    try:
        yield from wire.decode_products(body).products
    except _UNREADABLE:
        try:
            wire.decode_product_name(body)
        except _UNREADABLE:
            if strictly:
                raise
        else:
            yield msgspec.Raw(body)
