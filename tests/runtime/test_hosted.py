"""Exchanges that ccxt hosts: as a person serves one, and what the doors to the library do with whatever it does."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError
from runtime.hosted import exchange as hosting
from runtime.hosted import feed as feeding
from runtime.hosted.calls import HostedCalls
from runtime.hosted.feed import HostedFeed
from runtime.inputs import Frame, Input, LinkDown, LinkUp
from runtime.keylock import Counted
from runtime.vault import Vault
from tests.runtime.world import ROOT, told
from tests.support.rest_door import carried

ccxt = pytest.importorskip("ccxt") if not os.environ.get("CI") else __import__("ccxt")
LIMIT_S = 30
BTC = "BTC/USDT"
SECRETS = {"key": "canary-key-0123456789", "secret": "canary-secret-0123456789"}


# --- as a person serves one -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_exchange_through_ccxt_is_followed_traded_at_and_replayed(tmp_path: Path) -> None:
    """Against the simulated Kraken, as ccxt.pro speaks to it: books, orders, fills, the account found equal."""
    command = [sys.executable, "-m", "runtime", "serve", "--venues", "ccxt:kraken", "--sim", "--json",
               "--duration", "90", "--record", "a.tape", "--journal", "a.journal"]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if re.search(r"[1-9]\d* fills", line):
                process.terminate()
        summary = json.loads(process.stdout.read())
    said = "".join(lines)
    assert process.returncode == 0, said
    assert "its record and ours are equal" in said
    assert (summary["state"], summary["outcome"], summary["open_orders"], summary["anomalies"]) == ("ACTIVE", "", 0, 0)
    assert summary["fills"] > 0 and summary["books"]["ccxt_kraken:BTC/USDT"]["valid"]
    verified = told("tape", "verify", tmp_path / "a.tape")
    assert (verified["verdict"], verified["recorded"]) == ("same", summary["hash"])


def test_an_exchange_that_ccxt_does_not_know() -> None:
    with pytest.raises(ConfigError, match=r"knows no exchange 'bitgett'[^$]*did you mean ccxt:bitget"):
        hosting.make("ccxt://bitgett")


def test_without_ccxt_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    with pytest.raises(ConfigError, match=r"not installed[^$]*pip install 'venuegate\[ccxt\]'"):
        hosting.make("ccxt://bitget")


def test_an_address_of_a_simulated_exchange_is_used_for_all_that_ccxt_would_call() -> None:
    made = hosting.make("ccxt://bitget?http=http://127.0.0.1:1&ws=ws://127.0.0.1:2", SECRETS)

    def every(urls: Any) -> list[str]:
        return [urls] if isinstance(urls, str) else [url for one in urls.values() for url in every(one)]

    assert {url.split("/")[2] for url in every(made.urls["api"])} == {"127.0.0.1:1", "127.0.0.1:2"}
    assert (made.apiKey, made.secret) == (SECRETS["key"], SECRETS["secret"])


@pytest.mark.parametrize(
    ("number", "found"), [(0.1, "0.1"), (1e-08, "1e-08"), (62807, "62807"), (None, ""), (float("nan"), ""), (True, "")]
)
def test_a_float_is_the_shortest_text_that_reads_back_as_it(number: Any, found: str) -> None:
    assert hosting.text(number) == found


# --- the doors --------------------------------------------------------------------------------------------------------


class Exchange:
    """A library whose every word the test says: an exception, or what comes."""

    id = "x"
    has = {"watchOrderBook": True, "watchTrades": True, "fetchClosedOrders": True}  # noqa: RUF012
    precisionMode = 4  # noqa: N815
    markets = {BTC: {"id": "BTCUSDT", "spot": True, "precision": {"price": 0.01, "amount": 1e-06}, "limits": {}}}  # noqa: RUF012

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.called: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = 0

    async def load_markets(self) -> None:
        self._answer("load_markets")

    async def close(self) -> None:
        self.closed += 1

    async def watch_order_book(self, symbol: str) -> Any:
        found = await self.said.get()
        if isinstance(found, Exception):
            raise found
        return {"bids": [[found, 0.5, 7]], "asks": [[found + 1, 1.25]], "timestamp": 5, "symbol": symbol}

    def amount_to_precision(self, _symbol: str, amount: float) -> str:
        return str(round(amount, 6))

    def price_to_precision(self, _symbol: str, price: float) -> str:
        return str(round(price, 2))

    def _answer(self, name: str) -> Any:
        found = self.answers.get(name)
        if isinstance(found, Exception):
            raise found
        return found

    async def create_order(self, *call: Any) -> Any:
        self.called.append(call)
        return self._answer("create_order")

    async def cancel_order(self, *call: Any) -> Any:
        self.called.append(call)
        return self._answer("cancel_order")

    async def fetch_balance(self) -> Any:
        return self._answer("fetch_balance")


class World:
    """Both doors of an account, and what they fed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Exchange] = []
        self.fed: list[Input] = []
        self._came = asyncio.Event()
        monkeypatch.setattr(feeding, "make", self._make)
        self.vault = Vault(SECRETS, Counted())
        self.feed = HostedFeed("ccxt_x", "private", "ccxt://x", self._feed, lambda *_: None, vault=self.vault)
        self.calls = HostedCalls("ccxt_x", "rest", self.feed, self.vault, self._feed, lambda *_: None)

    def _make(self, _url: str, secrets: Any) -> Exchange:
        assert secrets == SECRETS
        self.made.append(Exchange())
        return self.made[-1]

    def _feed(self, given: Input) -> None:
        self.fed.append(given)
        self._came.set()

    async def until(self, kind: type[Input], count: int = 1) -> list[Any]:
        async with asyncio.timeout(LIMIT_S):
            while len(found := [one for one in self.fed if type(one) is kind]) < count:
                self._came.clear()
                await self._came.wait()
        return found

    async def call(self, data: bytes) -> bytes:
        before = len([one for one in self.fed if isinstance(one, Frame)])
        self.calls.send(data)
        return bytes((await self.until(Frame, before + 1))[-1].raw)


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    world = World(monkeypatch)
    async with carried(world.feed.run()), carried(world.calls.run()):
        await world.until(LinkUp)
        yield world


async def test_a_stream_is_told_piece_by_piece_and_a_network_error_is_a_link_that_went_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as world:
        assert world.feed.send(json.dumps({"op": "watch", "channel": "book", "symbol": BTC, "depth": 5}).encode())
        world.made[0].said.put_nowait(62807.1)
        [book] = await world.until(Frame)
        assert json.loads(book.raw) == {
            "op": "book", "symbol": BTC, "bids": [["62807.1", "0.5"]], "asks": [["62808.1", "1.25"]], "ms": 5,
        }  # fmt: skip
        world.made[0].said.put_nowait(ccxt.NetworkError("gone"))
        [down] = await world.until(LinkDown)
        assert down.reason == "NetworkError: gone"
        await world.until(LinkUp, 2)
        assert len(world.made) == 2 and world.made[0].closed == 1, "from the very beginning"


async def test_a_stream_that_ends_by_itself_is_told_and_the_link_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as world:
        world.feed.send(json.dumps({"op": "watch", "channel": "book", "symbol": BTC, "depth": 5}).encode())
        world.feed.send(json.dumps({"op": "watch", "channel": "orders", "symbol": ""}).encode())
        world.made[0].said.put_nowait(ccxt.BadSymbol(f"x has no {SECRETS['key']}"))
        failed = {one["channel"]: one for one in (json.loads(frame.raw) for frame in await world.until(Frame, 2))}
        assert failed["book"] == {
            "op": "failed", "channel": "book", "symbol": BTC, "error": "BadSymbol", "text": "x has no {secret:key}",
        }  # fmt: skip
        assert failed["orders"]["error"] == "NotSupported"
        assert world.feed.exchange is world.made[0]


async def test_every_call_is_answered_once_whatever_the_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    new = b'7 POST /create_order\n' + json.dumps(
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": "0.01", "price": "62807.10", "params": {}}
    ).encode()  # fmt: skip
    async with running(monkeypatch) as world:
        library = world.made[0]
        library.answers["create_order"] = {"id": "8231", "clientOrderId": "vg-1", "filled": 0.0, "amount": 0.01}
        head, _, body = (await world.call(new)).partition(b"\n")
        assert head == b"7 200"
        assert json.loads(body)["id"] == "8231" and json.loads(body)["amount"] == "0.01"
        assert library.called == [(BTC, "limit", "buy", 0.01, 62807.1, {})]
        for error, status in (
            (ccxt.InsufficientFunds("poor"), 400), (ccxt.RateLimitExceeded("slow"), 400), (ccxt.RequestTimeout("t"), 0),
            (ccxt.ExchangeNotAvailable("502"), 0), (OSError("cut"), 0), (KeyError("a bug of the library's"), 400),
        ):  # fmt: skip
            library.answers["create_order"] = error
            head, _, body = (await world.call(new)).partition(b"\n")
            assert head == b"7 %d" % status, error
            assert type(error).__name__.encode() in body
        assert (await world.call(b"8 POST /withdraw\n{}")).startswith(b"8 0\nnever left")


@pytest.mark.parametrize("change", [{"amount": "0.0100001"}, {"price": "62807.101"}])
async def test_what_the_library_would_round_does_not_leave(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    call = {"symbol": BTC, "type": "limit", "side": "buy", "amount": "0.01", "price": "62807.1", "params": {}, **change}
    async with running(monkeypatch) as world:
        answer = await world.call(b"7 POST /create_order\n" + json.dumps(call).encode())
        assert answer.startswith(b"7 400\n") and b"never sent: ccxt would send" in answer
        assert world.made[0].called == []


async def test_while_the_exchange_is_away_a_call_is_certain_never_to_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    async with carried(world.calls.run()):
        assert (await world.call(b"7 POST /cancel_order\n{}")) == b"7 0\nnever left: the exchange is not connected"
