"""The REST door of the tests: it runs against `rest_server`, and what it fed and told is kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from connectors.session import REST
from runtime.inputs import Frame, Input
from runtime.keylock import Counted
from runtime.rest import RestDoor
from runtime.vault import Vault
from tests.support.rest_server import KEY, SECRET, Asked, http, trading

LIMIT_S = 20


class Heard:
    """What a door of venue and link fed and told."""

    def __init__(self, venue: str, link: str) -> None:
        self.fed: list[Frame] = []
        self.told: list[str] = []
        self._from = venue, link
        self._came = asyncio.Event()

    def feed(self, given: Input) -> None:
        assert isinstance(given, Frame) and (given.venue, given.link) == self._from
        self.fed.append(given)
        self._came.set()

    def tell(self, text: str, _level: str) -> None:
        self.told.append(text)

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


class Door(Heard):
    """A REST door that is running."""

    def __init__(self, url: str, vault: Vault | None = None, **other: Any) -> None:
        super().__init__("kraken", REST)
        self.vault = vault or Vault({"key": KEY, "secret": SECRET}, Counted())
        self.later_ns = 0  # than the clock says
        self.door = RestDoor(
            "kraken", trading(**other), url, self.vault, self.feed, self.tell,
            clock_ns=lambda: time.time_ns() + self.later_ns,
        )  # fmt: skip

    def send(self, id_: int, path: str, body: str = "") -> bool:
        return self.door.send(f"{id_} {path}\n{body}".encode())


@asynccontextmanager
async def running(url: str, vault: Vault | None = None, **other: Any) -> AsyncIterator[Door]:
    door = Door(url, vault, **other)
    async with carried(door.door.run()):
        yield door


@asynccontextmanager
async def carried(running: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """While a door's `run` runs; it must not end by itself."""
    task = asyncio.create_task(running)
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def always(body: bytes, status: int = 200, *headers: str) -> Callable[[Asked], Any]:
    async def answer(_asked: Asked) -> bytes:
        return http(body, status, *headers)

    return answer
