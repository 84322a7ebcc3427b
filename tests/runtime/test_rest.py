"""The REST door, against a server over loopback: what leaves, in which order, and what every outcome is told as."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from connectors.session import REST
from runtime import rest
from runtime.inputs import Frame, Input
from runtime.keylock import Counted
from runtime.rest import RestDoor
from runtime.vault import Vault
from tests.support.rest_server import KEY, SECRET, TOKEN, Asked, RestServer, http, nobodys_tls, sign, trading

LIMIT_S = 20


class Door:
    """A door that is running, and what it fed and told."""

    def __init__(self, url: str, vault: Vault | None = None, **other: Any) -> None:
        self.fed: list[Frame] = []
        self.told: list[str] = []
        self._came = asyncio.Event()
        self.vault = vault or Vault({"key": KEY, "secret": SECRET}, Counted())
        self.door = RestDoor("kraken", trading(**other), url, self.vault, self._feed, self._tell)

    def _feed(self, given: Input) -> None:
        assert isinstance(given, Frame) and (given.venue, given.link) == ("kraken", REST)
        self.fed.append(given)
        self._came.set()

    def _tell(self, text: str, _level: str) -> None:
        self.told.append(text)

    def send(self, id_: int, path: str, body: str = "") -> bool:
        return self.door.send(f"{id_} {path}\n{body}".encode())

    async def until(self, count: int) -> dict[int, tuple[int, bytes]]:
        """Every answer by its id: status, body."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.fed) < count:
                self._came.clear()
                await self._came.wait()
        answers = {}
        for frame in self.fed:
            head, _, body = frame.raw.partition(b"\n")
            id_, _, status = head.partition(b" ")
            answers[int(id_)] = (int(status), body)
        assert len(answers) == len(self.fed), "one answer each"
        return answers


@asynccontextmanager
async def running(url: str, vault: Vault | None = None, **other: Any) -> AsyncIterator[Door]:
    door = Door(url, vault, **other)
    task = asyncio.create_task(door.door.run())
    try:
        yield door
    finally:
        assert not task.done(), task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def always(body: bytes, status: int = 200, *headers: str) -> Callable[[Asked], Any]:
    async def answer(_asked: Asked) -> bytes:
        return http(body, status, *headers)

    return answer


async def test_private_requests_are_signed_and_public_ones_are_not() -> None:
    async with RestServer(always(b'{"error":[]}')) as server, running(server.url) as door:
        assert door.send(1, "/0/private/OpenOrders", "trades=true")
        assert door.send(2, "/0/public/SystemStatus")
        assert door.send(3, "/0/public/Ticker", "pair=XBTUSD")
        answers = await door.until(3)
    assert answers == dict.fromkeys((1, 2, 3), (200, b'{"error":[]}'))
    asked = {one.path: one for one in server.asked}
    private = asked["/0/private/OpenOrders"]
    assert private.method == "POST"
    assert private.headers["content-type"] == "application/x-www-form-urlencoded"
    headers, body = sign("/0/private/OpenOrders", b"trades=true", KEY, SECRET, private.nonce)
    assert private.body == body
    assert {name.lower(): value for name, value in headers.items()}.items() <= private.headers.items()
    for path in ("/0/public/SystemStatus", "/0/public/Ticker?pair=XBTUSD"):
        assert (asked[path].method, asked[path].body) == ("GET", b"")
        assert not {"api-key", "api-sign"} & asked[path].headers.keys()


async def test_json_is_said_to_be_json() -> None:
    def as_json(_path: str, body: bytes, _key: str, _secret: str, nonce: int) -> tuple[dict[str, str], bytes]:
        return {}, json.dumps({"nonce": nonce, **json.loads(body)}).encode()

    async with RestServer(always(b"{}")) as server, running(server.url, sign=as_json) as door:
        door.send(1, "/0/private/AddOrderBatch", '{"a":1}')
        await door.until(1)
    assert server.asked[0].headers["content-type"] == "application/json"


async def test_private_requests_go_one_at_a_time_on_one_connection_and_nonces_arrive_in_order() -> None:
    asking = most = 0

    async def answer(_asked: Asked) -> bytes:
        nonlocal asking, most
        asking, most = asking + 1, max(most, asking + 1)
        await asyncio.sleep(0)
        asking -= 1
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        for number in range(100):
            door.send(number, "/0/private/Balance")
        assert await door.door.flush(LIMIT_S)
        await door.until(100)
    assert most == 1
    assert {one.connection for one in server.asked} == {0}
    assert all(before.nonce < after.nonce for before, after in itertools.pairwise(server.asked))


async def test_cancels_overtake_what_waits() -> None:
    gate = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("First"):
            await gate.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(0, "/0/private/First")
        while not server.asked:
            await asyncio.sleep(0)
        for number, path in enumerate(("ClosedOrders", "TradesHistory", "CancelOrder", "CancelAll"), 1):
            door.send(number, f"/0/private/{path}")
        door.send(9, "/0/public/Time")  # it waits for nobody
        await door.until(1)
        gate.set()
        await door.until(6)
    order = [one.path.rpartition("/")[2] for one in server.asked]
    assert order == ["First", "Time", "CancelOrder", "CancelAll", "ClosedOrders", "TradesHistory"]


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
        while len(server.asked) < 2:
            await asyncio.sleep(0)
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
            Door._feed(door, given)
            if given.raw.startswith(b"1 "):
                door.send(2, "/0/private/CancelOrder")
                door.send(3, "/0/private/CancelAll")

        door.door._feed = fed
        door.send(1, "/0/private/Balance")
        while len(server.asked) < 2:
            await asyncio.sleep(0)
        gate.set()
        assert await door.until(3) == dict.fromkeys((1, 2, 3), (200, b"{}"))
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["Balance", "CancelOrder", "CancelAll"]


async def test_cancels_without_end_starve_no_question() -> None:
    """Whoever keeps cancelling while the private link is down must not keep it down: the token has its turn."""
    async with RestServer(always(b"{}")) as server, running(server.url) as door:

        def fed(given: Input) -> None:
            assert isinstance(given, Frame)
            Door._feed(door, given)
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
                while not server.asked:
                    await asyncio.sleep(0)
            if number == 4:
                await door.until(2)
                while len(server.asked) < 3:
                    await asyncio.sleep(0)
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


async def test_a_full_queue_answers_after_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is in the middle of a turn when it sends: nothing may be fed to it then."""
    monkeypatch.setattr(rest, "WAITING_MAX", 3)
    async with RestServer(always(b"{}")) as server, running(server.url) as door:
        taken = [door.send(number, "/0/private/Balance") for number in range(5)]
        assert taken == [True, True, True, False, False]
        assert door.fed == []
        answers = await door.until(5)
    assert [answers[number][0] for number in range(5)] == [200, 200, 200, 0, 0]
    assert answers[4][1] == b"never left: 3 requests are waiting already"


@pytest.mark.parametrize("data", [b"", b"1", b"1 /0/private/Balance", b"1 \nx", b"1 0/private\nx", b"1 /a b\nx", b"\n"])
async def test_what_is_no_request_never_leaves(data: bytes) -> None:
    async with RestServer(always(b"{}")) as server, running(server.url) as door:
        assert not door.door.send(data)
        async with asyncio.timeout(LIMIT_S):
            while not door.fed:
                await asyncio.sleep(0)
    assert server.asked == []
    assert b" 0\nnever left: it is not an id, a path and a body" in door.fed[0].raw


async def test_errors_of_the_venue_are_told_as_they_are_and_redirects_are_not_followed() -> None:
    for status in (301, 307, 403, 429, 500, 502, 520):
        body = b"<html>%d</html>" % status
        async with (
            RestServer(always(body, status, "Location: http://127.0.0.1:1/0/private/Balance")) as server,
            running(server.url) as door,
        ):
            door.send(1, "/0/private/Balance")
            assert await door.until(1) == {1: (status, body)}
            assert len(server.asked) == 1


async def test_silence_is_no_answer_and_the_next_request_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "ANSWER_S", 0.2)

    async def answer(asked: Asked) -> bytes:
        if asked.path.endswith("Silence"):
            await asyncio.Event().wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(1, "/0/private/Silence")
        door.send(2, "/0/private/Balance")
        answers = await door.until(2)
    assert answers[1][0] == 0 and answers[1][1].startswith(b"no answer: ")
    assert answers[2] == (200, b"{}")
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["Silence", "Balance"]  # and none of them twice


async def test_a_dripping_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time; the answer does not."""
    monkeypatch.setattr(rest, "ANSWER_S", 0.3)

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, running(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as door:
        door.send(1, "/0/private/Balance")
        assert (await door.until(1))[1] == (0, b"no answer: none within 0 s")
        async with asyncio.timeout(LIMIT_S):
            await gone.wait()


@pytest.mark.parametrize(
    "said",
    [None, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf", b"nonsense\r\n\r\n",
     http(b"\x1f\x8b" * 9, 200, "Content-Encoding: gzip"), http(b"x" * 1001)],
)  # fmt: skip
async def test_what_is_no_whole_answer_is_none(said: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed before or within the answer, no HTTP, compressed, too long."""
    monkeypatch.setattr(rest, "ANSWER_BYTES_MAX", 1000)

    async def answer(asked: Asked) -> bytes | None:
        return http(b"good") if asked.path.endswith("Balance") else said

    async with RestServer(answer) as server, running(server.url) as door:
        door.send(1, "/0/private/Odd")
        door.send(2, "/0/private/Balance")
        answers = await door.until(2)
    assert answers[1][0] == 0 and answers[1][1].startswith(b"no answer: ")
    assert answers[2] == (200, b"good")


async def test_a_venue_that_cannot_be_reached_is_told_without_its_secrets() -> None:
    async with running("http://user:canary@127.0.0.1:1") as door:
        door.send(1, "/0/private/Balance")
        status, body = (await door.until(1))[1]
    assert status == 0
    assert body.startswith(b"never left: cannot reach http://127.0.0.1:1 (ConnectError: ")
    assert b"canary" not in body


async def test_without_a_key_a_nonce_or_a_signature_nothing_leaves() -> None:
    class Broken(Counted):
        def next(self) -> int:
            raise OSError(28, "No space left on device")

    def raises(_path: str, _body: bytes, _key: str, secret: str, _nonce: int) -> tuple[dict[str, str], bytes]:
        raise RuntimeError(secret)

    known = {"key": KEY, "secret": SECRET}
    async with RestServer(always(b"{}")) as server:
        for vault, other, words in (
            (Vault({}), {}, b"no key is known"),
            (Vault(known), {}, b"no nonce (no key is held)"),
            (Vault(known, Broken()), {}, b"no nonce (No space left on device)"),
            (Vault(known, Counted()), {"sign": raises}, b"cannot be signed (RuntimeError)"),
            (Vault({**known, "secret": "not-base64!"}, Counted()), {}, b"cannot be signed (Error)"),
        ):
            async with running(server.url, vault, **other) as door:
                door.send(1, "/0/private/Balance")
                assert (await door.until(1))[1] == (0, b"never left: " + words)
                assert "was not sent" in door.told[0]
        async with running(server.url) as door:
            door.send(1, "/0/private/Balance", "x={secret:token}")
            assert (await door.until(1))[1] == (0, b"never left: it needs a secret that is not known")
    assert server.asked == []


async def test_a_secret_in_an_answer_is_kept_and_not_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"error": [], "result": {"token": TOKEN, "expires": 900}, "echo": KEY}).encode()
    async with RestServer(always(body)) as server, running(server.url) as door:
        door.send(1, "/0/private/GetWebSocketsToken")
        status, said = (await door.until(1))[1]
        door.send(2, "/0/private/Other", "token={secret:token}")
        await door.until(2)
    assert status == 200
    assert json.loads(said) == {
        "error": [], "result": {"token": "{secret:token}", "expires": 900}, "echo": "{secret:key}",
    }  # fmt: skip
    assert server.asked[1].body.endswith(b"&token=" + TOKEN.encode())
    for secret in (KEY, SECRET, TOKEN):
        assert not any(secret[at : at + 6] in caplog.text for at in range(len(secret) - 5))


@pytest.mark.parametrize("token", ["", "short", 'quo"te-0123456789', 7, None])
async def test_a_token_that_cannot_be_used_is_no_answer(token: object) -> None:
    """Put into a message, it would change what that asks for."""
    body = json.dumps({"result": {"token": token}}).encode()
    async with RestServer(always(body)) as server, running(server.url) as door:
        door.send(1, "/0/private/GetWebSocketsToken")
        status, said = (await door.until(1))[1]
    assert status == 0
    assert said.startswith(b"no answer: its secret cannot be used")
    assert len(door.told) == 1


async def test_a_proxy_in_the_environment_is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with RestServer(always(b"{}")) as server, running(server.url) as door:
        door.send(1, "/0/private/Balance")
        assert await door.until(1) == {1: (200, b"{}")}


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Also on this machine: a signed request, and the key with it, is for the venue alone."""
    async with RestServer(always(b"{}"), nobodys_tls(tmp_path)) as server, running(server.url) as door:
        door.send(1, "/0/private/Balance")
        status, body = (await door.until(1))[1]
    assert (status, server.asked) == (0, [])
    assert body.startswith(b"never left: ") and b"certificate" in body.lower()
