"""The network door: one WebSocket link per venue, dialled again for as long as it takes.

All that a session must not do is done here, once: connecting, back-off with jitter, a bounded outgoing queue, closing
what is dead, putting secrets into what leaves. Frames come out as bytes, exactly as they arrived but for secrets. The
library is websockets.
"""

import asyncio
import http.client
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

import websockets
from websockets.asyncio.client import ClientConnection, connect

from connectors.session import ASIDE
from runtime import dialling
from runtime.dialling import Dialling
from runtime.inputs import Frame, Input, LinkDown, LinkUp
from runtime.texts import plain
from runtime.vault import Vault

LOOPBACK: Final = dialling.LOOPBACK
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
FRAME_BYTES_MAX: Final = 32 * 2**20  # Kraken's instrument snapshot is about 1 MB
FRAMES_QUEUED_MAX: Final = 1024
SENDS_QUEUED_MAX: Final = 4096
SECRET_CHARS: Final = 8  # no provider's key is shorter
_URL: Final = re.compile(r"\S+://\S+")
_MUTE: Final = logging.Logger("venuegate.mute", logging.CRITICAL + 1)  # the library would log every message, filled in

Feed = Callable[[Input], None]
Seal = Callable[[bytes, Mapping[str, str], int], bytes]
Tell = Callable[[str, str], None]  # what, and how bad: info, warning, error


class VenueLink:
    """One link. `feed` gets its inputs in order; `send` and `reconnect` are called by whoever carries out outputs.

    `vault`: of a venue that is traded at for real: outgoing `{secret:NAME}` become values, incoming values become
    places; `seal`: what of such a message is signed as it leaves (`Trading.seal`). `dials`: shared by the links of one
    venue; without it the link dials for itself. `is_wired`: orders go to this venue, and nobody who means that is
    served by a simulator.
    """

    def __init__(
        self, venue: str, link: str, url: str, feed: Feed, tell: Tell, *, vault: Vault | None = None,
        seal: Seal | None = None, dials: Dialling | None = None, is_wired: bool = False,
    ) -> None:  # fmt: skip
        self.venue = venue
        self.link = link
        self.url = url
        self._name = shown(url)
        self._called = f"{link} link " if link in ASIDE else ""  # it may have the public one's address
        self._secrets = secrets_of(url)
        self._feed = feed
        self._tell = tell
        self._vault = vault
        self._seal = seal
        self._dialling = dials or Dialling()
        self._is_wired = is_wired or vault is not None
        self._connection: ClientConnection | None = None
        self._sends: asyncio.Queue[bytes] = asyncio.Queue(SENDS_QUEUED_MAX)
        self._why_closed = ""
        self._dropped = 0

    def send(self, data: bytes) -> bool:
        """Queues a message for the open connection; a link that cannot take it is dead and is dialled again.

        False for a message that is certainly not sent: the link is down, its queue is full, or a secret is missing.
        True promises nothing: a connection that breaks takes with it what was queued, and LinkDown tells of that.
        """
        if self._vault is not None and self._vault.fill(data) is None:
            self._tell(f"{self.venue} {self.link}: a message was not sent: it needs a secret not known yet", "error")
            return False
        if self._connection is None:
            self._drop(1)
            return False
        try:
            self._sends.put_nowait(data)
        except asyncio.QueueFull:
            self.reconnect("outgoing queue is full")
            return False
        return True

    def reconnect(self, reason: str) -> None:
        """Drops the connection without ceremony; `run` dials again."""
        self._why_closed = reason
        connection = self._connection
        if connection is not None:
            connection.transport.abort()

    async def flush(self, within_s: float) -> bool:
        """Waits until what was queued is written; False when that took too long, or the connection is gone."""
        try:
            async with asyncio.timeout(within_s):
                await self._sends.join()
        except TimeoutError:
            return False
        return self._connection is not None

    async def run(self) -> None:
        """Until cancelled: dial, carry frames, dial again."""
        failures = 0
        was_up = False
        self._tell(f"{self._called}dialling {self._name}", "info")
        try:
            while True:
                await self._dialling.turn(self.link)
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
                    delay_s = self._dialling.failed(self.link)
                    if failures in (0, 1, 2) or failures % 10 == 0:
                        is_answered = isinstance(error, websockets.InvalidHandshake)  # by somebody: there is a network
                        is_lost = not (was_up or failures or is_answered or self._is_wired)
                        hint = " No network here? `--sim` needs none." if is_lost else ""
                        text = f"{self._called}cannot reach {self._name} ({reason_of(error)})"
                        self._tell(f"{text}; trying again in {delay_s:.1f} s.{hint}", "warning")
                    failures += 1
                    continue
                self._dialling.succeeded(self.link)
                self._tell(f"{self._called}connected to {self._name}{' again' if was_up else ''}", "info")
                was_up, failures = True, 0
                async with connection:
                    await self._carry(connection)  # what is raised in here is ours, not the network's: it goes up
                delay_s = self._dialling.lost(self.link)
                text = f"{self._called}lost {self._name} ({self._why_closed}); dialling again in {delay_s:.1f} s"
                self._tell(text, "warning")
        finally:
            self._dialling.left(self.link)

    def _drop(self, count: int) -> None:
        """Told once an outage; how many there were, when it ends."""
        if count and not self._dropped:
            self._tell(f"{self.venue} {self.link} is down: what is meant for it is not sent, now or later", "warning")
        self._dropped += count

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
            logger=_MUTE if self._vault is not None else None,
            proxy=None if is_here else True,  # the environment's proxy knows nothing of this machine
        )

    async def _carry(self, connection: ClientConnection) -> None:
        self._connection, self._why_closed = connection, ""
        if self._dropped:
            self._tell(f"{self.venue} {self.link}: {self._dropped} messages were not sent while it was down", "warning")
            self._dropped = 0
        sender = asyncio.create_task(self._send_all(connection))
        self._feed(LinkUp(self.venue, self.link))
        try:
            while True:
                self._feed(Frame(self.venue, self.link, self._hidden(bytes(await connection.recv(decode=False)))))
        except websockets.ConnectionClosed as closed:
            self._why_closed = self._why_closed or reason_of(closed)
        finally:
            self._connection = None
            sender.cancel()
            self._drop(self._forget())
            self._feed(LinkDown(self.venue, self.link, self._why_closed or "stopped"))

    def _hidden(self, raw: bytes) -> bytes:
        """Without what is not for the tape: some providers repeat a key in an error."""
        for secret in self._secrets:
            if secret in raw:
                raw = raw.replace(secret, b"*" * len(secret))
        return raw if self._vault is None else self._vault.hide(raw)

    def _forget(self) -> int:
        """What waits was meant for the connection that is gone; how much it was."""
        count = 0
        while not self._sends.empty():
            self._sends.get_nowait()
            self._sends.task_done()
            count += 1
        return count

    async def _send_all(self, connection: ClientConnection) -> None:
        try:
            while True:
                data = await self._sends.get()
                try:
                    await self._write(connection, data)
                finally:
                    self._sends.task_done()
        except websockets.ConnectionClosed:
            return  # the receiving side reports it

    async def _write(self, connection: ClientConnection, data: bytes) -> None:
        """Secrets are put in here, last, and nothing holds them once it is written: neither a queue nor a frame."""
        filled = data if self._vault is None else self._vault.fill(data)
        if filled is None:  # it was known when the message was queued
            self._tell(f"{self.venue} {self.link}: a message was not sent: its secret is gone", "error")
            return
        secrets = self._vault.signing() if self._vault is not None and self._seal is not None else None
        if self._seal is not None and secrets is not None:
            try:
                filled = self._seal(filled, secrets, time.time_ns())
            except Exception as error:  # noqa: BLE001 - a plugin's; whatever it says may hold what it was given
                problem = f"it cannot be signed ({type(error).__name__})"
                self._tell(f"{self.venue} {self.link}: a message was not sent: {problem}", "error")
                self.reconnect(problem)  # what was not sent is doubt for the session, which hears of it so
                return
        try:
            text = filled.decode()
        except UnicodeDecodeError:  # which holds what was filled in
            self._tell(f"{self.venue} {self.link}: a message was not sent: it is not text", "error")
            return
        await connection.send(text)


def secrets_of(url: str) -> tuple[bytes, ...]:
    """What in an address may be a key: parts of the path, values of the query and names without one, user and password;
    each as it stands there and as it reads decoded, whichever an answer repeats. On this machine nothing."""
    parts = urlsplit(url)
    if parts.hostname in LOOPBACK:
        return ()
    queried = (part.partition("=") for part in parts.query.split("&"))
    written = [
        *parts.path.split("/"),
        *(value or name for name, _, value in queried),
        *parts.netloc.rpartition("@")[0].partition(":"),
    ]
    found = dict.fromkeys(form for part in written for form in (part, unquote(part), unquote_plus(part)))
    return tuple(sorted((part.encode() for part in found if len(part) >= SECRET_CHARS), key=len, reverse=True))


def shown(url: str) -> str:
    """The address for people and logs: without user and password, and of another machine by its host alone, because
    providers of chain endpoints put their keys, long or short, into path and query."""
    before = "".join(url.partition("://")[:2]) if "://" in url else ""
    address, *more = re.split("[?#]", url.removeprefix(before), maxsplit=1)
    netloc, *parts = address.split("/")
    host = netloc.rpartition("@")[2]
    if re.sub(r":\d+$|[\[\]]", "", host) not in LOOPBACK:
        return before + host
    path = [part if len(part) < SECRET_CHARS else "…" for part in parts]
    return before + "/".join([host, *path]) + ("?…" if more else "")


def reason_of(error: Exception) -> str:
    """What went wrong, in one line and without the address, which the libraries' own words may hold whole."""
    if isinstance(error, ValueError | websockets.InvalidURI | http.client.InvalidURL):
        return "not an address that can be dialled"
    text = _URL.sub("…", str(error).strip()) or type(error).__name__
    return plain(text.splitlines()[0][:200])
