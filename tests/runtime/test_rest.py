"""The REST door, against a server over loopback: what leaves, in which order, and what every outcome is told as."""

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.session import Signed, Unsigned
from runtime import fetching, rest
from runtime.keylock import Counted
from runtime.vault import Vault
from tests.support.rest_door import LIMIT_S, always, running
from tests.support.rest_server import KEY, SECRET, TOKEN, Asked, RestServer, http, nobodys_tls, sign


async def test_requests_are_signed() -> None:
    async with RestServer(always(b'{"error":[]}')) as server, running(server.url) as door:
        assert door.send(1, "/0/private/OpenOrders", "trades=true")
        answers = await door.until(1)
    assert answers == {1: (200, b'{"error":[]}')}
    (private,) = server.asked
    assert (private.method, private.path) == ("POST", "/0/private/OpenOrders")
    assert private.headers["content-type"] == "application/x-www-form-urlencoded"
    request = Unsigned(method="POST", path=private.path, body=b"trades=true", host="", nonce=private.nonce, now_ns=0)
    signed = sign(request, {"key": KEY, "secret": SECRET})
    assert private.body == signed.body
    assert {name.lower(): value for name, value in signed.headers.items()}.items() <= private.headers.items()


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_method_query_host_and_the_venues_clock_are_the_signers(method: str) -> None:
    """What it returns is what leaves; it is told where to, and the venue's time as the session knows it."""
    told: list[Unsigned] = []

    def as_asked(request: Unsigned, _secrets: Mapping[str, str]) -> Signed:
        told.append(request)
        return Signed(f"{request.path}?{request.body.decode()}", {"X-Signed": "yes"}, None)

    before_ns = time.time_ns()
    async with RestServer(always(b"{}")) as server, running(server.url, sign=as_asked) as door:
        assert door.door.send(f"7 {method} /api/orders +3600000\nsymbol=A".encode())
        assert await door.until(1) == {7: (200, b"{}")}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == (method, "/api/orders?symbol=A", b"")
    assert asked.headers["x-signed"] == "yes"
    assert server.url.endswith(told[0].host) and told[0].method == method
    assert told[0].now_ns >= before_ns + 3600 * 10**9


async def test_with_several_at_once_no_order_is_given_up_for_a_cancel() -> None:
    """And the cancel has a connection that orders never take."""
    held = asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if "cancel" in asked.path:
            held.set()
        else:
            await held.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url, rest_at_once=3) as door:
        for number in range(1, 4):
            assert door.send(number, "/orders")
        assert door.send(9, "/orders/batch_cancel")
        assert await door.until(4) == dict.fromkeys((1, 2, 3, 9), (200, b"{}"))


async def test_an_order_that_waited_past_its_deadline_never_leaves_and_a_cancel_does() -> None:
    """The venue hangs, and both places are taken."""
    held, began = asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if "cancel" not in asked.path:
            began.set()
            await held.wait()
        return http(b"{}")

    async with RestServer(answer) as server, running(server.url, rest_at_once=2, deadline_ns=5 * 10**9) as door:
        door.send(1, "/orders")
        door.send(2, "/orders")
        await began.wait()
        door.send(8, "/orders/batch_cancel")
        await door.until(1)
        door.later_ns = 6 * 10**9
        door.send(3, "/orders")
        held.set()
        answers = await door.until(4)
    assert answers[2] == (0, b"never left: it waited for more than 5 s")
    assert [answers[number] for number in (1, 3, 8)] == [(200, b"{}")] * 3
    assert len(server.asked) == 3


async def test_json_is_said_to_be_json() -> None:
    def as_json(request: Unsigned, _secrets: Mapping[str, str]) -> Signed:
        return Signed(request.path, {}, json.dumps({"nonce": request.nonce, **json.loads(request.body)}).encode())

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
    monkeypatch.setattr(fetching, "ANSWER_BYTES_MAX", 1000)

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

    def raises(_request: Unsigned, secrets: Mapping[str, str]) -> Signed:
        raise RuntimeError(secrets["secret"])

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
