"""The network door: one WebSocket link per venue, dialled again for as long as it takes.

All that a session must not do is done here, once: connecting, back-off with jitter, a bounded outgoing queue, closing
what is dead. Frames come out as bytes, exactly as they arrived. The library is websockets.
"""

import asyncio
import http.client
import random
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import websockets
from websockets.asyncio.client import ClientConnection, connect

from runtime.inputs import Frame, Input, LinkDown, LinkUp

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
STEADY_S: Final = 30.0  # a connection that lived this long starts back-off anew; Kraken bans 150 dials in ten minutes
FRAME_BYTES_MAX: Final = 32 * 2**20  # Kraken's instrument snapshot is about 1 MB
FRAMES_QUEUED_MAX: Final = 1024
SENDS_QUEUED_MAX: Final = 4096
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
SHOWN_CHARS: Final = 12  # of a part of a path on this machine
SECRET_CHARS: Final = 8  # no provider's key is shorter
_URL: Final = re.compile(r"\S+://\S+")

Feed = Callable[[Input], None]
Tell = Callable[[str, str], None]  # what, and how bad: info, warning, error


class VenueLink:
    """One link. `feed` gets its inputs in order; `send` and `reconnect` are called by whoever carries out outputs."""

    def __init__(self, venue: str, link: str, url: str, feed: Feed, tell: Tell) -> None:
        self.venue = venue
        self.link = link
        self.url = url
        self._name = shown(url)
        self._secrets = secrets_of(url)
        self._feed = feed
        self._tell = tell
        self._connection: ClientConnection | None = None
        self._sends: asyncio.Queue[bytes] = asyncio.Queue(SENDS_QUEUED_MAX)
        self._why_closed = ""

    def send(self, data: bytes) -> None:
        """Queues a message for the open connection; a link that cannot take it is dead and is dialled again."""
        try:
            self._sends.put_nowait(data)
        except asyncio.QueueFull:
            self.reconnect("outgoing queue is full")

    def reconnect(self, reason: str) -> None:
        """Drops the connection without ceremony; `run` dials again."""
        self._why_closed = reason
        connection = self._connection
        if connection is not None:
            connection.transport.abort()

    async def run(self) -> None:
        """Until cancelled: dial, carry frames, dial again."""
        attempt = 0
        was_up = False
        loop = asyncio.get_running_loop()
        self._tell(f"dialling {self._name}", "info")
        while True:
            try:
                connection = await self._dial()
            except (
                OSError,
                TimeoutError,
                ImportError,
                ValueError,
                websockets.InvalidHandshake,
                websockets.InvalidURI,
            ) as error:
                delay_s = _back_off_s(attempt)
                if attempt in (0, 1, 2) or attempt % 10 == 0:
                    hint = "" if was_up or attempt else " No network here? `--sim` needs none."
                    self._tell(
                        f"cannot reach {self._name} ({reason_of(error)}); trying again in {delay_s:.1f} s.{hint}",
                        "warning",
                    )
            else:
                self._tell(f"connected to {self._name}{' again' if was_up else ''}", "info")
                was_up, opened = True, loop.time()
                async with connection:
                    await self._carry(connection)  # what is raised in here is ours, not the network's: it goes up
                if loop.time() - opened >= STEADY_S:
                    attempt = 0
                delay_s = _back_off_s(attempt)
                self._tell(f"lost {self._name} ({self._why_closed}); dialling again in {delay_s:.1f} s", "warning")
            attempt += 1
            await asyncio.sleep(delay_s)

    async def _dial(self) -> ClientConnection:
        """Raises ValueError for an impossible address, ImportError for a SOCKS proxy without python-socks."""
        is_here = urlsplit(self.url).hostname in LOOPBACK
        return await connect(
            self.url,
            max_size=FRAME_BYTES_MAX,
            max_queue=FRAMES_QUEUED_MAX,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            compression=None,
            ping_interval=None,  # liveness is the session's: it knows what this venue owes
            user_agent_header="venuegate",
            proxy=None if is_here else True,  # the environment's proxy knows nothing of this machine
        )

    async def _carry(self, connection: ClientConnection) -> None:
        self._connection, self._why_closed = connection, ""
        while not self._sends.empty():  # meant for the connection that is gone
            self._sends.get_nowait()
        sender = asyncio.create_task(self._send_all(connection))
        self._feed(LinkUp(self.venue, self.link))
        try:
            while True:
                raw = bytes(await connection.recv(decode=False))
                for secret in self._secrets:  # some providers repeat it in an error: it is not for the tape
                    if secret in raw:
                        raw = raw.replace(secret, b"*" * len(secret))
                self._feed(Frame(self.venue, self.link, raw))
        except websockets.ConnectionClosed as closed:
            self._why_closed = self._why_closed or reason_of(closed)
        finally:
            self._connection = None
            sender.cancel()
            self._feed(LinkDown(self.venue, self.link, self._why_closed or "stopped"))

    async def _send_all(self, connection: ClientConnection) -> None:
        try:
            while True:
                await connection.send((await self._sends.get()).decode())
        except websockets.ConnectionClosed:
            return  # the receiving side reports it


def secrets_of(url: str) -> tuple[bytes, ...]:
    """What in an address may be a key: parts of the path and of the query, a password; on this machine nothing."""
    parts = urlsplit(url)
    if parts.hostname in LOOPBACK:
        return ()
    found = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.password or ""]
    return tuple(part.encode() for part in found if len(part) >= SECRET_CHARS)


def shown(url: str) -> str:
    """The address for people and logs: without user and password, and of another machine by its host alone, because
    providers of chain endpoints put their keys, long or short, into path and query."""
    before = "".join(url.partition("://")[:2]) if "://" in url else ""
    address, *more = re.split("[?#]", url.removeprefix(before), maxsplit=1)
    netloc, *parts = address.split("/")
    host = netloc.rpartition("@")[2]
    if re.sub(r":\d+$|[\[\]]", "", host) not in LOOPBACK:
        return before + host
    path = [part if len(part) <= SHOWN_CHARS else "…" for part in parts]
    return before + "/".join([host, *path]) + ("?…" if more else "")


def reason_of(error: Exception) -> str:
    """What went wrong, in one line and without the address, which the libraries' own words may hold whole."""
    if isinstance(error, ValueError | websockets.InvalidURI | http.client.InvalidURL):
        return "not an address that can be dialled"
    text = _URL.sub("…", str(error).strip()) or type(error).__name__
    return text.splitlines()[0][:200]


def _back_off_s(attempt: int) -> float:
    """Doubling; with jitter, so that many do not dial at once."""
    return min(BACKOFF_FIRST_S * 2.0 ** min(attempt, 10), BACKOFF_MAX_S) * random.uniform(0.5, 1.0)  # noqa: S311
