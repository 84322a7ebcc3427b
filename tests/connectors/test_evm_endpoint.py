"""One endpoint: each question ends once, in time; no more are asked than the budget allows, and in order."""

from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.onchain.asker import ANSWER_NS, PAUSE_NS, QUEUED_MAX, RATE_LIMITED, SECOND
from connectors.onchain.jsonrpc import message_of
from connectors.session import Output, Send
from connectors.venues.evm.endpoint import HEIGHTS_KEPT, Endpoint
from connectors.venues.evm.rpc import Head


class Desk:
    """An endpoint that is up, what it sent, and how its questions ended."""

    def __init__(self, calls_per_s: int = 10, *, is_up: bool = True) -> None:
        self.out: list[Output] = []
        self.endpoint = Endpoint("rpc1", calls_per_s, self.out, count(1))
        self.ended: dict[int, list[tuple[str, str]]] = {}
        self.asked = 0
        if is_up:
            self.endpoint.turned(0, is_up=True)

    def ask(self, now_ns: int = 0) -> int:
        self.asked += 1
        name = self.asked

        def then(result: msgspec.Raw | None, why_not: str, _now_ns: int) -> None:
            self.ended.setdefault(name, []).append((bytes(result).decode() if result is not None else "", why_not))

        self.endpoint.ask("eth_call", [name], then, now_ns)
        return name

    def sent(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(output.data) for output in self.out if isinstance(output, Send)]

    def answer(self, number: int, now_ns: int = 0, **said: Any) -> bool:
        return self.endpoint.answered(message_of(msgspec.json.encode({"id": number, **said})), now_ns)


def test_an_answer_ends_its_question_once() -> None:
    desk = Desk()
    first, second = desk.ask(), desk.ask()
    assert [said["params"] for said in desk.sent()] == [[first], [second]]
    assert desk.answer(2, result="0x2")
    assert not desk.answer(2, result="0x3"), "nothing of that id is open"
    assert desk.answer(1, error={"code": -32000, "message": "header not found"})
    assert desk.ended == {second: [('"0x2"', "")], first: [("", "header not found (-32000)")]}
    assert desk.endpoint.busy_with == 0


@pytest.mark.parametrize("number", [0, 99, -1, "1", None, 2**70])
def test_an_answer_to_nothing_is_nothing(number: Any) -> None:
    desk = Desk()
    desk.ask()
    if number == 2**70:
        number = 2**62
    assert not desk.answer(number, result="0x1")
    assert desk.ended == {}


def test_a_question_without_an_answer_ends_at_its_deadline() -> None:
    desk = Desk()
    name = desk.ask(5)
    desk.endpoint.tick(5 + ANSWER_NS - 1)
    assert desk.ended == {}
    desk.endpoint.tick(5 + ANSWER_NS)
    assert desk.ended == {name: [("", "no answer to eth_call within 10 s")]}
    assert not desk.answer(1, result="0x1"), "too late"


def test_what_waits_has_no_deadline_before_it_is_sent() -> None:
    desk = Desk(calls_per_s=1)
    names = [desk.ask(), desk.ask()]
    desk.endpoint.tick(ANSWER_NS)
    assert list(desk.ended) == names[:1]
    assert len(desk.sent()) == 2


def test_a_link_that_goes_down_ends_everything() -> None:
    desk = Desk(calls_per_s=1)
    names = [desk.ask() for _ in range(4)]
    desk.endpoint.subscription = "0x1"
    desk.endpoint.saw(Head(5, "a", "b", 0), 0)
    desk.endpoint.is_ready, desk.endpoint.is_trusted = True, False
    desk.endpoint.turned(9, is_up=False)
    assert desk.ended == {name: [("", "link down")] for name in names}
    assert desk.endpoint.head is None
    assert desk.endpoint.heads == {}
    assert desk.endpoint.subscription == ""
    assert not desk.endpoint.is_usable
    late = desk.ask(10)
    assert desk.ended[late] == [("", "link down")]
    desk.endpoint.turned(11, is_up=True)
    assert desk.endpoint.is_trusted, "it connected anew"
    assert not desk.endpoint.is_ready


@pytest.mark.parametrize("code", sorted(RATE_LIMITED))
def test_a_rate_limit_pauses_and_the_question_is_first_afterwards(code: int) -> None:
    desk = Desk()
    first, second = desk.ask(), desk.ask()
    assert desk.answer(1, 7, error={"code": code, "message": "slow down"})
    third = desk.ask(7)
    desk.endpoint.tick(7 + PAUSE_NS - 1)
    assert len(desk.sent()) == 2
    desk.endpoint.tick(7 + PAUSE_NS)
    assert [said["params"] for said in desk.sent()[2:]] == [[first], [third]]
    assert desk.ended == {}
    assert desk.endpoint.busy_with == 3
    desk.answer(3, result="1")
    assert set(desk.ended) == {first}
    assert second not in desk.ended


def test_too_much_is_refused() -> None:
    desk = Desk(calls_per_s=1)
    for _ in range(QUEUED_MAX + 1):
        desk.ask()
    last = desk.ask()
    assert desk.ended == {last: [("", "too much is asked of it")]}


@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 400_000_000), st.integers(0, 6)), min_size=1, max_size=120),
)
def test_no_stretch_of_time_has_more_than_its_budget_and_a_seconds_worth(
    calls_per_s: int, steps: list[tuple[int, int]]
) -> None:
    desk = Desk(calls_per_s)
    now_ns, times = 0, list[int]()
    for wait_ns, questions in steps:
        now_ns += wait_ns
        desk.endpoint.tick(now_ns)
        for _ in range(questions):
            desk.ask(now_ns)
        times += [now_ns] * (len(desk.sent()) - len(times))
    assert [said["params"][0] for said in desk.sent()] == sorted(said["params"][0] for said in desk.sent()), "in order"
    gap_ns = SECOND // calls_per_s
    for first, begin_ns in enumerate(times):
        for place, end_ns in enumerate(times[first:], 1):
            assert (place - 1) * gap_ns < end_ns - begin_ns + SECOND + gap_ns


def test_heights_are_kept_and_what_stood_above_a_replaced_block_is_gone() -> None:
    endpoint = Desk().endpoint
    for number in range(300):
        endpoint.saw(Head(number, f"a{number}", "", 0), number)
    assert len(endpoint.heads) == HEIGHTS_KEPT
    assert min(endpoint.heads) == 300 - HEIGHTS_KEPT
    endpoint.saw(Head(290, "b290", "", 0), 1_000)
    assert max(endpoint.heads) == 290
    assert endpoint.heads[290] == "b290"
    assert endpoint.head_ns == 1_000
    endpoint.saw(Head(290, "b290", "", 0), 2_000)
    assert endpoint.head_ns == 1_000, "no news"
