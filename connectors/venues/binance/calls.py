"""Answers to public questions: snapshots for the books, lists for the metadata, and what is done where none comes."""

from collections.abc import Mapping
from typing import Final

from connectors.events import Notice
from connectors.exchange.subscription import SECOND, UNREADABLE
from connectors.session import Output, WakeAt
from connectors.venues.binance import wire
from connectors.venues.binance.books import Books
from connectors.venues.binance.callframe import CallFrame, read_call
from connectors.venues.binance.follow import Follow
from connectors.venues.binance.metadata import Listing, Metadata
from connectors.venues.binance.questions import Question, Questions

SHUT: Final = (418, 429)

Heard = tuple[list[Output], list[Listing]]


class Calls:
    """The CALLS link. `follows` by Binance's names."""

    def __init__(self, follows: Mapping[str, Follow], questions: Questions, books: Books, metadata: Metadata) -> None:
        self._follows = follows
        self._questions = questions
        self._books = books
        self._metadata = metadata

    def heard(self, frame: bytes, now_ns: int) -> Heard:
        """One answer, and what it lists of markets."""
        try:
            call = read_call(frame)
        except ValueError as error:
            return [Notice("error", f"binance: an answer that cannot be read: {error}")], []
        if call.number is None:
            return self._foreign(call, now_ns)
        question = self._questions.answered(call.number)
        if question is None:
            return [], []
        if call.status != 200:
            return self._refused(question, call, now_ns)
        try:
            if question.name:
                return self._snapshot(question, wire.decode_snapshot(call.body), now_ns), []
            return [], self._metadata.read(call.body, question.about)
        except UNREADABLE as error:
            return self._nothing(question, f"an answer that cannot be read: {error}", now_ns), []

    def overdue(self, now_ns: int) -> list[Output]:
        """The door answers every question; should it not, nothing waits for ever."""
        return [
            out for question in self._questions.overdue(now_ns) for out in self._nothing(question, "no answer", now_ns)
        ]

    def _snapshot(self, question: Question, found: wire.Snapshot, now_ns: int) -> list[Output]:
        follow = self._follows[question.name]
        if follow.question != question.number:  # an earlier connection's: what came since was not kept for it
            return []
        if follow.is_probe:
            self._books.probed(follow, found, now_ns)
            return []
        return self._books.snapshot(follow, found, question.limit, now_ns)

    def _refused(self, question: Question, call: CallFrame, now_ns: int) -> Heard:
        """Or nobody knows: status 0 says in words what happened."""
        out: list[Output] = []
        if call.status in SHUT:
            until_ns = self._questions.shut(call.status, call.body, now_ns)
            why = f"too much was asked from this address; nothing is for {(until_ns - now_ns) / SECOND:.0f} s"
            out.append(Notice("error", f"binance: HTTP {call.status}: {why}"))
        try:
            problem = wire.decode_problem(call.body)
        except UNREADABLE:
            words = call.body[:200].decode("utf-8", "replace")
            return out + self._nothing(question, f"HTTP {call.status} {words}".rstrip(), now_ns), []
        listings = None if question.name else self._metadata.refused(question, problem)
        if listings is not None:
            return out, listings
        return out + self._nothing(question, f"{problem.code} {problem.msg}", now_ns), []

    def _nothing(self, question: Question, why: str, now_ns: int) -> list[Output]:
        if question.name:
            return self._books.failed(question, self._follows[question.name], f"no snapshot: {why}", now_ns)
        delay_ns = self._metadata.failed(question, now_ns)
        text = f"binance: no metadata: {why}; asking again in {delay_ns / SECOND:g} s"
        return [Notice("warning", text), WakeAt(now_ns + delay_ns)]

    def _foreign(self, call: CallFrame, now_ns: int) -> Heard:
        """In a recording made by others; it says itself what was asked."""
        follow = self._follows.get(call.fields.get("symbol", ""))
        limit = call.fields.get("limit", "")
        try:
            if call.status == 200 and call.path.endswith("/exchangeInfo"):
                return [], self._metadata.read(call.body, ())
            if call.status == 200 and call.path.endswith("/depth") and follow is not None:
                asked = int(limit) if limit.isdigit() else 0
                return self._books.snapshot(follow, wire.decode_snapshot(call.body), asked, now_ns), []
        except UNREADABLE as error:
            return [Notice("error", f"binance: an answer of {call.path:.60} that cannot be read: {error}")], []
        return [], []
