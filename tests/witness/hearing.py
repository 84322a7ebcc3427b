"""Waiting for what a client has heard: by events, with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

WITHIN_S = 60
Message = dict[str, Any]
Truth = Callable[[], Any]


class Heard:
    """Everything a callback was told, in order; `until` waits for a truth about it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        """What the SDK calls for each message."""
        self.note(message)

    def note(self, message: Message) -> None:
        if message.get("channel") != "heartbeat":
            self.messages.append(message)
        self._news.set()

    async def until(self, truth: Truth, what: str, within: float = WITHIN_S) -> Any:
        """Waits until it holds, looked at after each message; what it then is. AssertionError in time."""
        try:
            async with asyncio.timeout(within):
                while not (found := truth()):
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"not within {within} s: {what}; last heard {self.messages[-3:]}") from None

    async def answer(self, req_id: int) -> Message:
        """The response to a request."""
        found: Message = await self.until(lambda: self.of(req_id), f"an answer to {req_id}")
        return found

    def of(self, req_id: int) -> Message | None:
        return next((message for message in self.messages if message.get("req_id") == req_id), None)

    def items(self, channel: str, **wanted: Any) -> list[Message]:
        """The items of a channel's messages that have these fields, in order."""
        data = [item for message in self.messages if message.get("channel") == channel for item in message["data"]]
        return [item for item in data if all(item.get(name) == value for name, value in wanted.items())]

    def frames(self, channel: str) -> list[Message]:
        return [message for message in self.messages if message.get("channel") == channel]


@asynccontextmanager
async def watching(heard: Heard, **calls: Callable[[], Awaitable[Any]]) -> AsyncIterator[None]:
    """ccxt.pro's way of hearing: each of `watch_…` again and again, its results noted under the name given."""

    async def again(name: str, call: Callable[[], Awaitable[Any]]) -> None:
        while True:
            heard.note({"watched": name, "result": await call()})

    tasks = [asyncio.create_task(again(name, call), name=name) for name, call in calls.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
