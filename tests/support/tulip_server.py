"""Tulip, the exchange of docs/add-a-venue.md that does not exist: its feed on a loopback port, in its own thread."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MARKETS = {"BTC-USD": ("0.5", "0.001", 60_000), "ETH-USD": ("0.05", "0.01", 3_000)}
STEP_S = 0.02
LEVELS = 10


class Market:
    """One market's book on its grid, and the number of its last message."""

    def __init__(self, name: str, seed: int) -> None:
        tick, lot, start = MARKETS[name]
        self.name, self.tick, self.lot = name, Decimal(tick), Decimal(lot)
        self.rng = Random(f"{name}{seed}")
        self.mid = int(start / self.tick)
        self.sides: dict[str, dict[int, int]] = {"bids": {}, "asks": {}}
        self.n = 0
        self.trades = 0
        self.clock_ms = 0
        self.change()

    def wanted(self) -> dict[str, set[int]]:
        return {
            "bids": {self.mid - k for k in range(1, LEVELS + 1)}, "asks": {self.mid + k for k in range(1, LEVELS + 1)},
        }  # fmt: skip

    def change(self) -> dict[str, list[list[str]]]:
        """The market moves; levels that changed, sizes of 0 first."""
        self.mid += self.rng.choice((-1, 0, 0, 0, 1))
        self.n += 1
        told: dict[str, list[list[str]]] = {}
        for side, wanted in self.wanted().items():
            held = self.sides[side]
            gone = [(price, 0) for price in sorted(held.keys() - wanted)]
            fresh = [(price, self.rng.randint(1, 5_000)) for price in sorted(wanted - held.keys())]
            stirred = [(price, self.rng.randint(1, 5_000)) for price in self.rng.sample(sorted(wanted), 1)]
            for price, size in (*gone, *fresh, *stirred):
                if size:
                    held[price] = size
                else:
                    del held[price]
            told[side] = [self.level(*one) for one in dict((*gone, *fresh, *stirred)).items()]
        return told

    def level(self, price: int, size: int) -> list[str]:
        return [str(price * self.tick), str(size * self.lot) if size else "0"]

    def stamp(self) -> str:
        self.clock_ms += int(STEP_S * 1000)
        seconds, ms = divmod(self.clock_ms, 1000)
        return f"2026-08-16T10:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}Z"

    def whole(self) -> dict[str, Any]:
        sides = {side: [self.level(*one) for one in sorted(held.items())] for side, held in self.sides.items()}
        return {"kind": "book", "market": self.name, "n": self.n, **sides, "at": self.stamp()}


class TulipServer:
    """`with TulipServer() as url:`"""

    done: asyncio.Event

    def __enter__(self) -> str:
        self.loop = asyncio.new_event_loop()
        self.port = 0
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,))
        self.thread.start()
        started.wait()
        return f"ws://127.0.0.1:{self.port}/v1"

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join()
        self.loop.close()

    def _run(self, started: threading.Event) -> None:
        self.loop.run_until_complete(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self.done = asyncio.Event()
        async with serve(self._client, "127.0.0.1", 0) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            started.set()
            await self.done.wait()

    async def _client(self, socket: ServerConnection) -> None:
        markets: dict[str, Market] = {}
        teller = asyncio.create_task(self._tell(socket, markets))
        with suppress(ConnectionClosed):
            async for text in socket:
                await self._hear(socket, json.loads(text)["market"], markets)
        teller.cancel()
        with suppress(asyncio.CancelledError, ConnectionClosed):
            await teller

    async def _hear(self, socket: ServerConnection, name: str, markets: dict[str, Market]) -> None:
        """`follow`: metadata and book, or that there is no such market."""
        if name not in MARKETS:
            await self._say(socket, {"kind": "no", "market": name, "why": "no such market"})
            return
        market = markets.setdefault(name, Market(name, 1))
        tick, lot, _ = MARKETS[name]
        least = str(market.lot * 2)
        await self._say(socket, {"kind": "market", "market": name, "tick": tick, "lot": lot, "least": least})
        await self._say(socket, market.whole())

    async def _tell(self, socket: ServerConnection, markets: dict[str, Market]) -> None:
        step = 0
        while True:
            await asyncio.sleep(STEP_S)
            step += 1
            if step % 50 == 0:
                await self._say(socket, {"kind": "beat"})
            for market in list(markets.values()):
                told = market.change()
                message = {"kind": "change", "market": market.name, "n": market.n, **told, "at": market.stamp()}
                await self._say(socket, message)
                if step % 10 == 0:
                    market.trades += 1
                    best = market.level(min(market.sides["asks"]), 20)
                    await self._say(
                        socket,
                        {"kind": "trade", "market": market.name, "id": market.trades, "side": "buy", "price": best[0],
                         "size": best[1], "at": market.stamp()},
                    )  # fmt: skip

    @staticmethod
    async def _say(socket: ServerConnection, message: dict[str, Any]) -> None:
        await socket.send(json.dumps(message, separators=(",", ":")))
