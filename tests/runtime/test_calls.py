"""The door for HTTP calls without a key, against a server over loopback: one Frame for each call, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runtime import calls, fetching
from runtime.calls import AT_ONCE, CallDoor
from tests.support.rest_door import LIMIT_S, Heard, always, carried
from tests.support.rest_server import Asked, RestServer, http

LINK = "rpc1.http"


class Door(Heard):
    """A door that may run."""

    def __init__(self, url: str) -> None:
        super().__init__("dex_sol", LINK)
        self.door = CallDoor("dex_sol", LINK, url, self.feed, self.tell)


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Door]:
    door = Door(url)
    async with carried(door.door.run()):
        yield door


async def test_a_call_is_one_post_and_its_answer_one_frame() -> None:
    async with RestServer(always(b'{"result":1}')) as server, running(server.url + "/v1/key?x=1") as door:
        assert door.door.send(b'7 /\n{"id":7}')
        assert await door.until(1) == {7: (200, b'{"result":1}')}
        assert await door.door.flush(LIMIT_S)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/key?x=1", b'{"id":7}')
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"


async def test_another_path_is_asked_for_with_its_query() -> None:
    """Exchanges tell their markets and books so: a GET, at the address's host, and nothing in the body."""
    async with RestServer(always(b"{}")) as server, running(server.url) as door:
        assert door.door.send(b"7 GET /api/v3/depth\nsymbol=BTCUSDT&limit=1000")
        assert door.door.send(b"8 /api/v3/time\n")
        assert await door.until(2) == {7: (200, b"{}"), 8: (200, b"{}")}
    asked = {one.path: (one.method, one.body) for one in server.asked}
    assert asked == {"/api/v3/depth?symbol=BTCUSDT&limit=1000": ("GET", b""), "/api/v3/time": ("GET", b"")}


async def test_several_are_under_way_at_once_and_no_more() -> None:
    asking = most = 0
    free = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        nonlocal asking, most
        asking, most = asking + 1, max(most, asking + 1)
        if asking == AT_ONCE:
            free.set()
        await free.wait()
        asking -= 1
        return http(asked.body)

    async with RestServer(answer) as server, running(server.url) as door:
        for number in range(20):
            assert door.door.send(b"%d /\n%d" % (number, number))
        answers = await door.until(20)
    assert most == AT_ONCE
    assert answers == {number: (200, b"%d" % number) for number in range(20)}


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_a_refusal_comes_with_its_status_and_words(status: int) -> None:
    async with (
        RestServer(always(b"Too many requests", status, "Retry-After: 3")) as server,
        running(server.url) as door,
    ):
        door.door.send(b"1 /\n{}")
        assert await door.until(1) == {1: (status, b"Too many requests")}
    assert len(server.asked) == 1, "never sent again"


async def test_no_answer_in_time_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ANSWER_S", 0.1)

    async def never(_asked: Asked) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with RestServer(never) as server, running(server.url) as door:
        door.door.send(b"1 /\n{}")
        [(status, body)] = (await door.until(1)).values()
    assert (status, body.startswith(b"no answer: none within")) == (0, True)


@pytest.mark.parametrize("said", [None, b"nonsense\r\n\r\n", http(b"x" * 2000)])
async def test_what_is_no_whole_answer_is_none(said: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "ANSWER_BYTES_MAX", 1000)

    async def answer(_asked: Asked) -> bytes | None:
        return said

    async with RestServer(answer) as server, running(server.url) as door:
        door.door.send(b"1 /\n{}")
        [(status, body)] = (await door.until(1)).values()
    assert (status, body.startswith(b"no answer: ")) == (0, True)


async def test_a_call_that_reaches_nobody_never_left() -> None:
    async with RestServer(always(b"")) as server:
        url = server.url
    async with running(url) as door:
        door.door.send(b"1 /\n{}")
        [(status, body)] = (await door.until(1)).values()
    assert status == 0
    assert body.startswith(b"never left: cannot reach http://127.0.0.1")


@pytest.mark.parametrize("data", [b"", b"1 /", b"1 path\n{}", b" /\n{}", b"1 POST /orders\n{}", b"1 /a b\n"])
async def test_what_is_no_call_is_refused_and_told(data: bytes) -> None:
    door = Door("http://127.0.0.1:1")
    assert not door.door.send(data)
    async with asyncio.timeout(LIMIT_S):
        while not door.fed:
            await asyncio.sleep(0)
    assert b"never left: it is not an id, a path and a body" in door.fed[0].raw
    assert "a call was not sent" in door.told[0]


async def test_too_many_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WAITING_MAX", 2)
    door = Door("http://127.0.0.1:1")
    assert [door.door.send(b"%d /\n{}" % number) for number in range(3)] == [True, True, False]
    answers = await door.until(1)
    assert answers == {2: (0, b"never left: 2 calls are waiting already")}
    assert not await door.door.flush(0.01)


async def test_a_key_in_the_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another machine: its name leads here only in this test."""
    key = "0123456789abcdef"
    door = Door(f"https://rpc.example/{key}")

    async def fetched(*_given: object) -> tuple[int, bytes]:
        return 401, f"no such key: {key}".encode()

    monkeypatch.setattr(calls, "fetched", fetched)
    async with carried(door.door.run()):
        door.door.send(b"1 /\n{}")
        answers = await door.until(1)
    assert answers == {1: (401, b"no such key: " + b"*" * len(key))}
