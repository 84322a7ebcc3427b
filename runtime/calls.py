"""The door for HTTP calls without a key: each Send is one request, answered by exactly one Frame.

Exchanges tell their markets, and some of them their books, over HTTP alone: such a question is a GET of its path. Nodes
of some chains take calls over HTTP beside a WebSocket that only tells: the path `/` is a POST of JSON to the address
itself. The form of both is in `connectors.session.Send`. Such a link is never up or down; a call of which nothing came
is answered with status 0 and words, and never sent again by this door.
"""

import asyncio
import re
from typing import Final

import httpx2

from runtime.fetching import ANSWER_S, FAILURES, client_of, fetched, never_left, tls_for, why_not
from runtime.inputs import Frame
from runtime.net import Feed, Tell, secrets_of

AT_ONCE: Final = 4
WAITING_MAX: Final = 256
SCHEMES: Final = ("http://", "https://")
_HEAD: Final = re.compile(rb"(\S+) (?:GET )?(/[\x21-\x7e]{0,400})")
_QUERY: Final = re.compile(rb"[\x21-\x7e]{0,4000}")


class CallDoor:
    """One endpoint's link of HTTP calls, with the face of a `VenueLink`; at most AT_ONCE calls are under way."""

    def __init__(self, venue: str, link: str, url: str, feed: Feed, tell: Tell) -> None:
        self.venue = venue
        self.link = link
        self._url = url
        self._secrets = secrets_of(url)
        self._feed = feed
        self._tell = tell
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MAX)

    def send(self, data: bytes) -> bool:
        """Queues a call; False for one that is not taken, which is answered nevertheless, after this turn."""
        head, has_body, body = data.partition(b"\n")
        number, match = head.partition(b" ")[0], _HEAD.fullmatch(head)
        problem = "" if has_body and match is not None else "it is not an id, a path and a body"
        if match is not None and match[2] != b"/" and not _QUERY.fullmatch(body):
            problem = "what stands behind its path is no query"
        if not problem and self._waiting.full():
            problem = f"{WAITING_MAX} calls are waiting already"
        if problem:
            self._tell(f"{self.venue} {self.link}: a call was not sent: {problem}", "error")
            asyncio.get_running_loop().call_soon(self._answer, number, 0, never_left(problem))
            return False
        self._waiting.put_nowait(data)
        return True

    def reconnect(self, reason: str) -> None:
        """There is nothing to drop: each call has its own time."""

    async def flush(self, within_s: float) -> bool:
        """Waits until every call is answered; False when that took too long."""
        try:
            async with asyncio.timeout(within_s):
                await self._waiting.join()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Until cancelled."""
        client = client_of(self._url, tls_for(self._url), AT_ONCE)
        async with client, asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work(client))

    async def _work(self, client: httpx2.AsyncClient) -> None:
        while True:
            data = await self._waiting.get()
            head, _, body = data.partition(b"\n")
            match = _HEAD.fullmatch(head)
            path = match[2] if match is not None else b"/"
            self._answer(head.partition(b" ")[0], *await self._call(client, path.decode(), body))
            self._waiting.task_done()

    async def _call(self, client: httpx2.AsyncClient, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(ANSWER_S):
                if path == "/":
                    return await fetched(client, "POST", self._url, {"Content-Type": "application/json"}, body)
                url = self._url.rstrip("/") + path + ("?" + body.decode("ascii") if body else "")
                return await fetched(client, "GET", url, {}, None)
        except TimeoutError:
            return 0, b"no answer: none within %d s" % ANSWER_S
        except FAILURES as error:
            return 0, why_not(error, self._url)

    def _answer(self, number: bytes, status: int, body: bytes) -> None:
        """Without what is not for the tape: some providers repeat a key in an error."""
        for secret in self._secrets:
            body = body.replace(secret, b"*" * len(secret))
        self._feed(Frame(self.venue, self.link, b"%s %d\n%s" % (number, status, body)))
