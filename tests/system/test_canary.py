"""A whole live session with keys made for it, and then a search for them: RELIABILITY 34 and 59.

The venue runs in a process of its own. In this one the canaries are written backwards until they are looked for, so
that every forward copy of one was made by the gateway; the one that is allowed is inside a `Secret`.
"""

import asyncio
import base64
import gc
import io
import json
import logging
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from connectors.session import REST
from runtime import commands
from runtime.control import Request
from runtime.control_client import ask
from runtime.live import Live
from runtime.rest import RestDoor
from runtime.vault import Secret, Vault
from tests.support.data import ROOT
from tests.support.guests import every

PREFIX = 6
LIMIT_S = 60
OURS = ("runtime", "connectors", "risk", "oms", "httpx2", "httpcore2", "h11", "websockets")

CONFIG = """
[venues.kraken]
url = "{0}"
private_url = "{1}"
rest_url = "{2}"
live = true
key = "env:CANARY_KEY"
secret = "file:secret"

[limits]
max_position = 1
max_order_qty = 1
max_order_notional = 100000
max_capital = 500000
max_order_rate = 50
price_collar_bps = 1000
max_daily_loss = 100000
max_drawdown = 100000
"""


def made(seed: int) -> str:
    """Backwards; with the characters that base64, JSON and URLs write in more than one way."""
    chooser = random.Random(seed)
    return base64.b64encode(chooser.randbytes(54) + b"\xff\xfb\xf0").decode()[::-1]


@contextmanager
def venue(key: str, secret: str) -> Iterator[list[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.sim_child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT,
    ) as child:  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(f"{key}\n{secret}\n")
        child.stdin.flush()
        try:
            yield child.stdout.readline().split()
        finally:
            child.stdin.close()


def needles(backwards: str) -> list[bytes]:
    """A canary as it is, in base64 at each of three alignments, as URLs write it, and what it begins with."""
    text = backwards[::-1]
    found = [text[:PREFIX], text[-PREFIX:], text[len(text) // 2 :][:PREFIX], quote(text, safe="")[: PREFIX + 2]]
    found += [base64.b64encode(b"x" * shift + text.encode()).decode()[4:-4] for shift in range(3)]
    return [one.encode() for one in found]


def strings(one: object) -> Iterator[bytes]:
    if isinstance(one, str):
        yield one.encode(errors="replace")
    elif isinstance(one, bytes | bytearray):
        yield bytes(one)


class Search:
    """What was found, by where."""

    def __init__(self, canaries: dict[str, str]) -> None:
        self.wanted = {name: needles(backwards) for name, backwards in canaries.items()}
        every_one = [re.escape(one) for some in self.wanted.values() for one in some]
        self._pattern = re.compile(b"|".join(every_one))
        re.purge()  # its cache has the pattern, too
        self._own = {
            id(self._pattern),
            id(self),
            id(self.__dict__),
            id(self.wanted),
            id(every_one),
            *map(id, self.wanted.values()),
        }
        self.found: list[str] = []
        self.looked_at = 0

    def look(self, where: str, data: bytes) -> None:
        self.looked_at += len(data)
        if (match := self._pattern.search(data)) is not None:
            names = [name for name, some in self.wanted.items() if match[0] in some]
            self.found.append(f"{where}: {names}")

    def look_at_everything(self) -> None:
        """Every string that any object holds, and every word that ours say of themselves."""
        gc.unfreeze()  # what `Live` froze would not be listed
        gc.collect()
        for one in gc.get_objects():
            if isinstance(one, Secret) or id(one) in self._own:
                continue
            for held in gc.get_referents(one):
                for data in strings(held):
                    self.look(f"in a {type(one).__module__}.{type(one).__qualname__}", data)
            if str(type(one).__module__).partition(".")[0] in OURS:
                self.look(f"repr of {type(one).__qualname__}", repr(one).encode())


class Watcher:
    """Looks on from inside: when the session has traded and nothing is under way, everything is searched."""

    def __init__(self, canaries: dict[str, str], control: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.canaries = canaries
        self.control = control
        self.search: Search | None = None
        self.answers: list[str] = []
        run, put, watcher = Live.run, Vault.put, self

        async def watched(live: Live, duration_s: float | None) -> None:
            looking = asyncio.create_task(watcher.look(live))
            await run(live, duration_s)
            await looking

        def noted(vault: Vault, name: str, value: str) -> None:
            canaries.setdefault(f"{name} {value[-3:]}" if name not in ("key", "secret") else name, value[::-1])
            put(vault, name, value)

        monkeypatch.setattr(Live, "run", watched)
        monkeypatch.setattr(Vault, "put", noted)

    async def look(self, live: Live) -> None:
        try:
            for tokens in (1, 2):
                async with asyncio.timeout(LIMIT_S):
                    while live.session.summary()["approved"] < 3 or len(self.canaries) < 2 + tokens:
                        await asyncio.sleep(0.05)
                if tokens == 1:
                    live._links["kraken", "private"].reconnect("the test wants a second token")
            for command in ("status", "limits"):
                told = await asyncio.to_thread(ask, self.control, Request(command=command, who="canary"))
                self.answers.append(json.dumps(told))
            assert await self._is_idle(live)
            self.search = Search(self.canaries)
            self.search.look_at_everything()
            for algo in live.session.engine.spec.algos:
                self.search.look("guest memory", bytes(algo.guest._view))  # type: ignore[attr-defined]
        finally:
            live.stop()

    async def _is_idle(self, live: Live) -> bool:
        door = live._links["kraken", REST]
        assert isinstance(door, RestDoor)
        return await door.flush(LIMIT_S)


@pytest.mark.slow
def test_nothing_of_a_key_a_secret_or_a_token_is_seen_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Raw, base64, as URLs write it, and six characters of it, in: log at DEBUG, screen, tape, journal, control's
    answers, the summary, guests' memory, and every object of the process."""
    caplog.set_level(logging.DEBUG)
    canaries = {"key": made(1), "secret": made(2)}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    (tmp_path / "secret").write_text(canaries["secret"][::-1])
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "a.wasm").write_bytes(every(5))
    watcher = Watcher(canaries, tmp_path / "control", monkeypatch)
    with venue(canaries["key"], canaries["secret"]) as urls:
        (tmp_path / "live.toml").write_text(CONFIG.format(*urls))
        os.environ["CANARY_KEY"] = canaries["key"][::-1]
        result = commands.serve(
            venues="kraken", symbols="BTC/USD", algo=tmp_path / "a.wasm", limits=None, config=[tmp_path / "live.toml"],
            record=tmp_path / "a.tape", duration=LIMIT_S * 3, depth=None, sim_seed=None, trade=True,
            control=watcher.control, journal=tmp_path / "journal", live=True,
        )  # fmt: skip
    assert watcher.search is not None, screen.getvalue()
    search = watcher.search
    assert search.found == []
    assert "CANARY_KEY" not in os.environ
    assert len(search.wanted) >= 4, "key, secret and two tokens"
    assert result["approved"] >= 3
    with zstandard.open(tmp_path / "a.tape", "rb") as tape:
        text = tape.read()
    assert b"{secret:ws_token}" in text or b"secret:ws_token" in text
    search.look("tape", text)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "secret":
            search.look(path.name, path.read_bytes())
    search.look("screen", screen.getvalue().encode())
    search.look("log", caplog.text.encode())
    search.look("control", "".join(watcher.answers).encode())
    search.look("summary", json.dumps(result).encode())
    assert search.found == []
    assert search.looked_at > 10**6


class Holder:
    """Something that holds a leak."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


FORMS: dict[str, Callable[[str], object]] = {
    "raw": str,
    "bytes": str.encode,
    "first": lambda text: text[:PREFIX],
    "last": lambda text: text[-PREFIX:],
    "within": lambda text: f"error: {text} is unknown",
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(f"ab{text}cd".encode()).decode(),
    "url": lambda text: quote(text, safe=""),
}


def test_the_search_finds_what_is_there() -> None:
    """Each of the ways in which a canary might be written, a canary each."""
    canaries = {form: made(3 + place) for place, form in enumerate(FORMS)}
    holders = [Holder(FORMS[form](backwards[::-1])) for form, backwards in canaries.items()]
    search = Search(canaries)
    search.look_at_everything()
    for form in FORMS:
        assert any("Holder" in where and repr(form) in where for where in search.found), form
    assert search.looked_at > 0 and all(holder.value for holder in holders)
