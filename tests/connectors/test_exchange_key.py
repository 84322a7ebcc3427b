"""What a key may do is asked one question after the other; nothing but an answer decides."""

from __future__ import annotations

import msgspec
import pytest

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.key import ANSWER_NS, RETRY_NS, Found, KeyCheck, KeyQuestion, permitted
from connectors.exchange.rest import Reply
from connectors.session import REST, Output, Send, Stop
from tests.support.trading_tiny import SECOND, Tiny


def judge(result: msgspec.Raw) -> Found:
    said = msgspec.json.decode(result, type=dict[str, str])
    if "odd" in said:
        raise WireError("odd")
    return Found(**said)


QUESTIONS = (KeyQuestion("may", "GET /may", "", judge), KeyQuestion("can", "GET /can", "x=1", judge))


class Desk:
    """One check, on a session of nothing else."""

    def __init__(self) -> None:
        self.tiny = Tiny()
        self.check = KeyCheck(
            self.tiny.account, self.tiny.rest, QUESTIONS, lambda error: "mend it" if error == "no key" else "",
            lambda error: SECOND if error == "clock" else RETRY_NS,
        )  # fmt: skip
        self.sent = self.check.start(0)

    def answer(self, body: bytes, now_ns: int = 1) -> list[Output]:
        (send,) = [one for one in self.sent if isinstance(one, Send)]
        found = self.tiny.rest.answered(send.data.partition(b" ")[0] + b" 200\n" + body)
        assert found is not None
        assert self.check.owns(found[0])
        self.sent = self.check.answered(*found, now_ns)
        return self.sent

    def fail(self, reply: Reply, now_ns: int = 1) -> list[Output]:
        (send,) = [one for one in self.sent if isinstance(one, Send)]
        found = self.tiny.rest.answered(send.data.partition(b" ")[0] + b" 200\n{}")
        assert found is not None
        return self.check.answered(found[0], reply, now_ns)


def test_both_answers_are_needed() -> None:
    desk = Desk()
    (second,) = desk.answer(b"{}")
    assert second == Send(REST, b"1000000002 GET /can\nx=1")
    assert desk.check.why
    assert not desk.tiny.account.is_trusted
    (warning,) = desk.answer(b'{"warning":"borrowing is switched on"}')
    assert warning == Notice("warning", "tiny: borrowing is switched on")
    assert desk.check.why == ""
    assert desk.tiny.account.is_trusted


@pytest.mark.parametrize("place", [0, 1])
def test_a_key_that_may_too_much_ends_the_session(place: int) -> None:
    desk = Desk()
    if place:
        desk.answer(b"{}")
    (stop,) = desk.answer(b'{"why":"it may withdraw","mend":"make another"}')
    assert stop == Stop("it may withdraw: make another")
    assert desk.check.why == "it may withdraw"
    assert desk.check.start(2) == desk.check.tick(10**12) == []


def test_a_key_that_is_not_accepted_ends_it_and_silence_does_not() -> None:
    desk = Desk()
    assert desk.fail(Reply("no key")) == [Stop("the API key is not accepted (no key): mend it")]
    for reply in (Reply("no key", is_silent=True), Reply("busy")):
        other = Desk()
        (said,) = other.fail(reply)
        assert isinstance(said, Notice)
        assert said.text.endswith(f"({reply.error}); again in 10 s")
        assert other.check.tick(RETRY_NS) == []
        assert len(other.check.tick(1 + RETRY_NS)) == 1


def test_a_clock_that_was_wrong_is_asked_again_soon() -> None:
    desk = Desk()
    desk.fail(Reply("clock"))
    (again,) = desk.check.tick(1 + SECOND)
    assert again == Send(REST, b"1000000002 GET /may\n")


@pytest.mark.parametrize("body", [b"[]", b'{"odd":""}', b'{"why":1}'])
def test_an_answer_of_another_form_decides_nothing(body: bytes) -> None:
    desk = Desk()
    (said,) = desk.answer(body)
    assert isinstance(said, Notice)
    assert desk.check.why


def test_no_answer_is_asked_again_and_what_comes_late_is_none() -> None:
    desk = Desk()
    (send,) = [one for one in desk.sent if isinstance(one, Send)]
    assert desk.check.tick(ANSWER_NS - 1) == []
    (said,) = desk.check.tick(ANSWER_NS)
    assert isinstance(said, Notice)
    assert desk.tiny.rest.answered(send.data.partition(b" ")[0] + b" 200\n{}") is None
    assert len(desk.check.tick(ANSWER_NS + RETRY_NS)) == 1
    assert desk.check.start(ANSWER_NS + RETRY_NS) == [], "it is being asked"


def test_what_is_too_much_counts_before_what_is_missing() -> None:
    assert permitted(["withdraw"], ["trade"]).why == "the API key may take money away (withdraw)"
    assert permitted([], ["trade", "read"]).why == "the API key lacks trade, read"
    assert permitted([], []) == Found()
