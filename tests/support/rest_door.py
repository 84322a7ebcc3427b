"""The REST door of the tests: it runs against `rest_server`, and what it fed and told is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from connectors.session import REST
from runtime.inputs import Frame, Input
from runtime.keylock import Counted
from runtime.rest import RestDoor
from runtime.vault import Vault
from tests.support.rest_server import KEY, SECRET, Asked, http, trading

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
