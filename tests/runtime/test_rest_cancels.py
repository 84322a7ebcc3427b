"""The REST door's order: cancels before everything, at once; and yet no question is starved by them."""

import asyncio
import itertools

import pytest

from runtime import rest
from runtime.inputs import Frame, Input
from tests.support.rest_door import LIMIT_S, Door, always, running
from tests.support.rest_server import Asked, RestServer, http


async def reached(server: RestServer, count: int) -> None:
    """So many requests came to the venue."""
    async with asyncio.timeout(LIMIT_S):
        while len(server.asked) < count:
            await asyncio.sleep(0)


async def test_cancels_overtake_what_waits() -> None:
    gate = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("First"):
            await gate.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(0, "/0/private/First")
        await reached(server, 1)
        for number, path in enumerate(("ClosedOrders", "TradesHistory", "CancelOrder", "CancelAll"), 1):
            door.send(number, f"/0/private/{path}")
        gate.set()
        await door.until(5)
    order = [one.path.rpartition("/")[2] for one in server.asked]
    assert order == ["First", "CancelOrder", "CancelAll", "ClosedOrders", "TradesHistory"]


@pytest.mark.parametrize("is_begun", [False, True])
async def test_a_cancel_waits_for_no_question(*, is_begun: bool) -> None:
    """A look that hangs, without a word or in the middle of its answer, is given up and told so; the cancel goes over
    another connection at once, with a later nonce, and what waited comes after it."""
    never = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("OpenOrders"):
            if is_begun:
                return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
            await never.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(1, "/0/private/Balance")
        await door.until(1)
        door.send(2, "/0/private/OpenOrders")
        door.send(3, "/0/private/ClosedOrders")
        await reached(server, 2)
        door.send(4, "/0/private/CancelAll")
        answers = await door.until(4)
    assert answers[2] == (0, b"no answer: given up for a cancel")
    assert {number: answers[number] for number in (1, 3, 4)} == dict.fromkeys((1, 3, 4), (200, b"{}"))
    asked = [(one.path.rpartition("/")[2], one.connection) for one in server.asked]
    assert asked == [("Balance", 0), ("OpenOrders", 0), ("CancelAll", 1), ("ClosedOrders", 1)]
    assert all(before.nonce < after.nonce for before, after in itertools.pairwise(server.asked))
    assert [int(frame.raw.split()[0]) for frame in door.fed] == [1, 2, 4, 3]


async def test_a_cancel_gives_up_no_cancel_and_nothing_that_is_answered() -> None:
    """Two cancels go one after the other; one that the answer to a question leads to has nothing to give up."""
    gate = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("CancelOrder"):
            await gate.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:

        def fed(given: Input) -> None:
            assert isinstance(given, Frame)
            Door.feed(door, given)
            if given.raw.startswith(b"1 "):
                door.send(2, "/0/private/CancelOrder")
                door.send(3, "/0/private/CancelAll")

        door.door._feed = fed
        door.send(1, "/0/private/Balance")
        await reached(server, 2)
        gate.set()
        assert await door.until(3) == dict.fromkeys((1, 2, 3), (200, b"{}"))
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["Balance", "CancelOrder", "CancelAll"]


async def test_cancels_without_end_starve_no_question() -> None:
    """Whoever keeps cancelling while the private link is down must not keep it down: the token has its turn."""
    async with RestServer(always(b"{}")) as server, running(server.url) as door:

        def fed(given: Input) -> None:
            assert isinstance(given, Frame)
            Door.feed(door, given)
            if len(door.fed) < 12:
                door.send(100 + len(door.fed), "/0/private/CancelOrder")

        door.door._feed = fed
        door.send(100, "/0/private/CancelOrder")
        door.send(99, "/0/private/CancelOrder")
        for number in (1, 2):
            door.send(number, "/0/private/GetWebSocketsToken")
        await door.until(12)
    asked = [one.path.rpartition("/")[2] for one in server.asked]
    assert [place for place, path in enumerate(asked) if path == "GetWebSocketsToken"] == [3, 7]


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_question_has_its_turn_after_one_was_given_up(
    *, is_late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel waits for it, but not for long."""
    monkeypatch.setattr(rest, "TURN_S", 0.2 if is_late else LIMIT_S)
    gate, never = asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("OpenOrders"):
            await never.wait()
        if asked.path.endswith("GetWebSocketsToken"):
            await (never if is_late else gate).wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        for number, path in ((1, "OpenOrders"), (2, "GetWebSocketsToken"), (3, "CancelAll"), (4, "CancelAll")):
            if number == 2:
                await reached(server, 1)
            if number == 4:
                await door.until(2)
                await reached(server, 3)
            door.send(number, f"/0/private/{path}")
        if not is_late:
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(server.asked) == 3, "the cancel waits"
            gate.set()
        answers = await door.until(4)
    assert answers[2] == ((0, b"no answer: given up for a cancel") if is_late else (200, b"{}"))
    assert [one.path.rpartition("/")[2] for one in server.asked] == [
        "OpenOrders", "CancelAll", "GetWebSocketsToken", "CancelAll",
    ]  # fmt: skip


async def test_a_cancel_without_an_answer_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CANCEL_S", 0.2)

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("CancelOrder"):
            await asyncio.Event().wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(1, "/0/private/CancelOrder")
        door.send(2, "/0/private/CancelAll")
        answers = await door.until(2)
    assert answers == {1: (0, b"no answer: none within 0 s"), 2: (200, b"{}")}
    assert len({one.connection for one in server.asked}) == 2
