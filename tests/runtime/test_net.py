"""What is told of an address, and of what went wrong with it: never what may be a provider's key."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import websockets
from websockets.asyncio.server import ServerConnection, serve

from runtime import dialling, net
from runtime.inputs import Frame, Input, LinkDown, LinkUp
from runtime.net import VenueLink, secrets_of, shown
from runtime.vault import Vault
from tests.support.rest_server import KEY, SECRET, TOKEN

LIMIT_S = 20


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("wss://ws.kraken.com/v2", "wss://ws.kraken.com"),
        ("ws://127.0.0.1:8546", "ws://127.0.0.1:8546"),
        ("ws://127.0.0.1:41537/v2", "ws://127.0.0.1:41537/v2"),
        ("ws://localhost/v2/aBcDeF0123456789?key=secret", "ws://localhost/v2/…?…"),
        ("http://127.0.0.1:8899/SECRETPATH/aB3dE6gH/rpc", "http://127.0.0.1:8899/…/…/rpc"),
        ("ws://[::1]:8546/ws#secret", "ws://[::1]:8546/ws?…"),
        ("ws://127.0.0.1@x.example/secret", "ws://x.example"),
        ("wss://arb-mainnet.example/v2/aBcDeF0123456789", "wss://arb-mainnet.example"),
        ("wss://arb-mainnet.example/short", "wss://arb-mainnet.example"),
        ("wss://user:secret@node.example:443/ws?apikey=secret", "wss://node.example:443"),
        ("x.example/secret", "x.example"),
        ("wss:user:secret@x.example", "x.example"),
        ("not an address", "not an address"),
    ],
)
def test_what_may_be_a_key_in_an_address_is_not_told(url: str, told: str) -> None:
    """Providers of chain endpoints put the key into the path or the query."""
    assert shown(url) == told


@pytest.mark.parametrize(
    "error",
    [
        websockets.InvalidURI("wss://x/secret", "wss://x/secret has a fragment"), OSError("no wss://x/secret is there"),
        ValueError("Port could not be cast to integer value as 'secret'"), websockets.InvalidHandshake("to ws://x/secret"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told_without_the_address(error: Exception) -> None:
    """The libraries' own words hold it, whole."""
    assert "secret" not in net.reason_of(error)
    assert net.reason_of(error)


def test_a_servers_words_move_no_cursor() -> None:
    """A close frame's reason is whatever the other side wrote."""
    assert net.reason_of(OSError("gone \x1b[2J\u202eaway")) == r"gone \x1b[2J\u202eaway"


def _never(given: Input) -> None:
    raise AssertionError(given)


async def test_an_address_that_the_library_refuses_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "BACKOFF_FIRST_S", 0.001)
    told: list[str] = []
    enough = asyncio.Event()

    def tell(text: str, _level: str) -> None:
        told.append(text)
        if len(told) == 3:
            enough.set()

    link = asyncio.create_task(VenueLink("kraken", "public", "ws://127.0.0.1:1/v2#secret", _never, tell).run())
    async with asyncio.timeout(LIMIT_S):
        await enough.wait()
    link.cancel()
    with pytest.raises(asyncio.CancelledError):
        await link
    assert "not an address that can be dialled" in told[1]
    assert not any("secret" in text for text in told)


@pytest.mark.parametrize(
    ("link", "is_wired", "port", "begins", "is_hinted"),
    [("public", False, 1, "", True), ("public", True, 1, "", False), ("private", False, 1, "private link ", True),
     ("audit", True, 1, "audit link ", False), ("public", False, 0, "", False)],
)  # fmt: skip
async def test_a_link_says_which_it_is_and_points_to_a_simulator_only_where_that_helps(
    *, link: str, is_wired: bool, port: int, begins: str, is_hinted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who trades for real, or was answered (here with 404), wants no simulator. Port 0: that of a server."""
    monkeypatch.setattr(dialling, "BACKOFF_FIRST_S", 0.001)
    told: list[str] = []
    enough = asyncio.Event()

    def tell(text: str, _level: str) -> None:
        told.append(text)
        if len(told) == 2:
            enough.set()

    async def nobody(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(nobody, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{port or server.sockets[0].getsockname()[1]}/v2"
        made = asyncio.create_task(VenueLink("kraken", link, url, _never, tell, is_wired=is_wired).run())
        async with asyncio.timeout(LIMIT_S):
            await enough.wait()
        made.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made
    assert told[0] == f"{begins}dialling {url}"
    assert told[1].startswith(f"{begins}cannot reach {url} (")
    assert ("--sim" in told[1]) == is_hinted


def test_a_key_that_a_provider_repeats_is_known_by_the_address() -> None:
    """Loopback addresses hold none: a path there is a path."""
    url = "wss://user:passw0rd@node.example/v3/0123456789abcdef?apikey=fedcba9876543210&x=1"
    assert set(secrets_of(url)) == {b"passw0rd", b"0123456789abcdef", b"fedcba9876543210"}
    assert secrets_of("https://node.example/?fedcba9876543210") == (b"fedcba9876543210",), "a query without a value"
    assert secrets_of("https://node.example/?x=1&fedcba9876543210=") == (b"fedcba9876543210",)
    assert secrets_of("https://fedcba9876543210@node.example/ws") == (b"fedcba9876543210",), "a user name"
    written = secrets_of("https://us%40er%3A789:a%2Fb:cdefgh@node.example/?key=ab%2Bcd+efgh")
    assert set(written) == {
        b"us%40er%3A789", b"us@er:789", b"a%2Fb:cdefgh", b"a/b:cdefgh", b"ab%2Bcd+efgh", b"ab+cd+efgh", b"ab+cd efgh"
    }, "as it is written and as it reads"  # fmt: skip
    assert [len(secret) for secret in written] == sorted(map(len, written), reverse=True), "the longest is hidden first"
    assert secrets_of("ws://127.0.0.1:8546/v3/0123456789abcdef") == ()
    assert secrets_of("wss://ws.kraken.com/v2") == ()


class Private:
    """A venue's private link, and a server that repeats what it hears and then says what it knows."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.fed: list[Input] = []
        self.told: list[tuple[str, str]] = []
        self._came = asyncio.Event()
        self.vault = Vault({"key": KEY, "secret": SECRET})
        self.link: VenueLink

    async def serve(self, socket: ServerConnection) -> None:
        async for message in socket:
            assert isinstance(message, str)
            self.heard.append(message.encode())
            await socket.send(message)
            if message == "die":
                socket.transport.abort()
            if message == "tell":
                await socket.send(f'{{"error":"no such key {KEY}","of":"{SECRET}"}}')

    def feed(self, given: Input) -> None:
        self.fed.append(given)
        self._came.set()

    def frames(self) -> list[bytes]:
        return [one.raw for one in self.fed if isinstance(one, Frame)]

    async def until(self, kind: type[Input], count: int = 1) -> None:
        async with asyncio.timeout(LIMIT_S):
            while sum(isinstance(one, kind) for one in self.fed) < count:
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def private() -> AsyncIterator[Private]:
    made = Private()
    async with serve(made.serve, "127.0.0.1", 0, ping_interval=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/auth"
        made.link = VenueLink(
            "kraken", "private", url, made.feed, lambda text, level: made.told.append((level, text)), vault=made.vault
        )
        task = asyncio.create_task(made.link.run())
        try:
            await made.until(LinkUp)
            yield made
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_secrets_are_put_in_last_and_taken_out_first(caplog: pytest.LogCaptureFixture) -> None:
    """The venue hears the token; what comes back, and what is logged, is the place where it stood."""
    caplog.set_level(logging.DEBUG)
    async with private() as it:
        it.vault.put("token", TOKEN)
        assert it.link.send(b'{"token":"{secret:token}"}')
        assert it.link.send(b"tell")
        assert await it.link.flush(LIMIT_S)
        await it.until(Frame, 3)
    assert it.heard[0] == b'{"token":"%s"}' % TOKEN.encode()
    assert it.frames() == [
        b'{"token":"{secret:token}"}', b"tell", b'{"error":"no such key {secret:key}","of":"{secret:secret}"}',
    ]  # fmt: skip
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")
    for secret in (KEY, SECRET, TOKEN):
        assert not any(secret[at : at + 6] in ours for at in range(len(secret) - 5))


async def test_a_message_whose_secret_is_missing_is_not_sent_and_told() -> None:
    async with private() as it:
        assert not it.link.send(b'{"token":"{secret:token}"}')
        assert not it.link.send(b'{"signature":"{secret:secret}"}')
        assert it.link.send(b"other")
        await it.until(Frame)
    assert it.heard == [b"other"]
    assert [text for level, text in it.told if level == "error"] == [
        "kraken private: a message was not sent: it needs a secret not known yet"
    ] * 2


async def test_what_is_given_to_a_link_that_is_down_is_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order must not wait for the next connection, and nobody may think that it was sent."""
    monkeypatch.setattr(dialling, "BACKOFF_FIRST_S", 0.05)
    async with private() as it:
        assert it.link.send(b"die")
        await it.until(LinkDown)
        assert [it.link.send(b"order") for _ in range(3)] == [False] * 3
        assert not await it.link.flush(LIMIT_S)
        await it.until(LinkUp, 2)
        assert it.link.send(b"new")
        await it.until(Frame, 1)
        async with asyncio.timeout(LIMIT_S):
            while b"new" not in it.heard:
                await asyncio.sleep(0)
    assert it.heard == [b"die", b"new"]
    texts = [text for _, text in it.told]
    assert sum("is not sent, now or later" in text for text in texts) == 1
    assert any("3 messages were not sent while it was down" in text for text in texts)
