"""python-kraken-sdk's book client, unmodified: it checks the checksum of every update and says when one is wrong.

It cuts its book to the depth after each level, so it also shows whether a message lists its removals first.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.witness.clients import point_sdk_books, sdk, sdk_market, started
from tests.witness.hearing import Heard, Message
from tests.witness.venue import READY_S, simulator

PAIRS = ("BTC/USD", "ETH/USD")
ENOUGH = 50
Sides = tuple[tuple[tuple[str, str], ...], ...]


class Books:
    """A book client of one depth and what it was told: how many updates of each pair, errors, every state it had."""

    def __init__(self, depth: int) -> None:
        self.heard = Heard()
        self.updates = dict.fromkeys(PAIRS, 0)
        self.errors: list[str] = []
        self.states: dict[str, set[Sides]] = {pair: set() for pair in PAIRS}
        self.depth = depth
        self.client = sdk().SpotOrderBookClient(depth=depth, callback=self._told)

    def _told(self, pair: str, message: Message) -> None:
        if "error" in message:
            self.errors.append(pair)
        else:
            assert len(message["data"]) == 1
            self.updates[pair] += message["type"] == "update"
            book = self.client.get(pair=pair)
            self.states[pair].add(tuple(top(book[side].items()) for side in ("bid", "ask")))
        self.heard.note({"pair": pair, **message})

    def is_done(self) -> bool:
        """Enough updates of each pair, or a wrong one."""
        return bool(self.errors) or min(self.updates.values()) >= ENOUGH

    def has_had(self, pair: str, depth: Sides) -> bool:
        return depth in self.states[pair]

    def types(self, pair: str) -> list[str]:
        """What it was told of a pair, one word each."""
        return ["error" if "error" in m else m["type"] for m in self.heard.messages if m["pair"] == pair]


def top(levels: Any) -> tuple[tuple[str, str], ...]:
    return tuple((price, found[0]) for price, found in list(levels)[:10])


async def test_no_checksum_is_ever_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulator() as at:
        point_sdk_books(monkeypatch, at.rest, at.ws)
        both = [Books(10), Books(25)]
        async with started(*(books.client for books in both)):
            for books in both:
                await books.client.add_book(pairs=list(PAIRS))
            for books in both:
                await books.heard.until(books.is_done, "fifty updates a pair")
            assert [books.errors for books in both] == [[], []]
            await compare_with_rest(at, both)
        for books in both:
            for pair in PAIRS:
                assert books.types(pair)[0] == "snapshot"
                assert books.types(pair).count("snapshot") == 1
                assert [len(books.client.get(pair=pair)[side]) for side in ("bid", "ask")] == [books.depth] * 2


async def compare_with_rest(at: Any, both: list[Books]) -> None:
    """REST's Depth, as text, is one of the states that each client had: they have them all, one an update."""
    market = sdk_market(at)
    for pair in PAIRS:
        for _ in range(5):
            [found] = market.get_order_book(pair=pair, count=10).values()
            depth = tuple(tuple((price, qty) for price, qty, _ in found[side]) for side in ("bids", "asks"))
            for books in both:
                await books.heard.until(partial(books.has_had, pair, depth), f"REST's book of {pair}")


@pytest.mark.slow
async def test_it_subscribes_afresh_after_a_wrong_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Error, unsubscribe, three seconds' pause, subscribe (venues.md 7.1): a new snapshot, then right updates again.

    The first connection is told one wrong checksum; the other misses one update, which a later checksum shows.
    """
    faults = ("--fault", f"corrupt_checksum={ENOUGH},connections=1", "--fault", f"drop_update={ENOUGH + 10}")
    async with simulator(*faults) as at:
        point_sdk_books(monkeypatch, at.rest, at.ws)
        both = [Books(10), Books(10)]
        async with started(*(books.client for books in both)):
            for books in both:
                await books.client.add_book(pairs=["BTC/USD"])
            for books in both:
                await books.heard.until(partial(is_healed, books), "an error, a new snapshot and right updates")
                [again] = books.client.active_public_subscriptions
                assert again == {"channel": "book", "symbol": ["BTC/USD"], "depth": 10, "snapshot": True}
        told, missed = sorted(books.types("BTC/USD").index("error") for books in both)
        assert told == ENOUGH + 1  # behind the snapshot and the update itself
        assert missed > ENOUGH + 10


def is_healed(books: Books) -> bool:
    return re.search("error,snapshot(,update){5}", ",".join(books.types("BTC/USD"))) is not None


@asynccontextmanager
async def serving(state: Path) -> AsyncIterator[str]:
    """`gateway serve --sim`: where its embedded venue's public socket is, read from what it says."""
    words = ("serve", "--venues", "kraken", "--sim", "--duration", "60", "--symbols", ",".join(PAIRS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"XDG_STATE_HOME": str(state)},
    )  # fmt: skip
    assert process.stdout is not None
    said: list[bytes] = []
    try:
        async with asyncio.timeout(READY_S):
            while (found := re.search(rb"(ws://127[^ ]*:\d+)/v2", b"".join(said))) is None:
                line = await process.stdout.readline()
                assert line, b"".join(said)
                said.append(line)
        yield found[1].decode()
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(READY_S):
            await process.communicate()


async def test_no_checksum_of_the_embedded_venue_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with serving(tmp_path) as ws:
        point_sdk_books(monkeypatch, ws.replace("ws://", "http://"), ws)
        books = Books(10)
        async with started(books.client):
            await books.client.add_book(pairs=list(PAIRS))
            await books.heard.until(books.is_done, "fifty updates a pair")
            assert books.errors == []
