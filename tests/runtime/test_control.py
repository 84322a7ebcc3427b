"""The control socket: a person's word reaches a running gateway, ends up on its tape, and nothing else does."""

import asyncio
import io
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.errors import ConfigError
from connectors.registry import load
from runtime import control
from runtime.cli import app
from runtime.config import paper_limits
from runtime.control import Request, ask
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Command
from runtime.live import serve
from runtime.regions import parse_param
from runtime.screen import Screen
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader
from tests.support.puppet import Puppet


@asynccontextmanager
async def running(path: Path, tape: Path | None = None) -> AsyncIterator[Puppet]:
    """A gateway with one algo called `mm` on the embedded venue, for as long as the block lasts."""
    guest, guests = Puppet("on_book"), Guests()
    guests.add(AlgoSpec("mm", guest, ("BTC/USD",), params=(parse_param("0", 50),)))
    spec = spec_of([venue_spec(load("kraken"), depth=10, depth_from="test")], ["BTC/USD"], guests, paper_limits(),
                   fees=Fees(), tag="t")  # fmt: skip
    task = asyncio.create_task(
        serve(spec, urls={}, sim_seed=1, screen=Screen(io.StringIO()), record=tape, algo_paths={}, duration_s=30,
              control=path)
    )  # fmt: skip
    while not guest.heard and not task.done():
        await asyncio.sleep(0.01)
    try:
        yield guest
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def said(path: Path, **request: Any) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps(request).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_a_parameter_set_from_outside_reaches_the_guest_and_the_tape(tmp_path: Path) -> None:
    path, tape = tmp_path / "c.sock", tmp_path / "t.tape"
    async with running(path, tape) as guest:
        assert oct(path.stat().st_mode & 0o777) == "0o600"
        result = await asyncio.to_thread(
            CliRunner().invoke, app, ["algo", "set", "mm", "0=51", "3=25bps", "--control", str(path)]
        )
        assert result.exit_code == 0, result.output
        calls = guest.count("on_book")
        while guest.count("on_book") < calls + 2:
            await asyncio.sleep(0.01)
        shown = await asyncio.to_thread(CliRunner().invoke, app, ["algo", "list", "--json", "--control", str(path)])
        algo = json.loads(shown.output)["mm"]
        assert algo["params"] == {"0": [0, 51], "3": [3, 25]}
        assert algo["alive"]
    record = next(r for r in guest.regions_seen.values() if len(r) == 304)
    assert int.from_bytes(record[16:24], "little") == 51
    (command,) = [given for _, _, given in TapeReader(tape) if isinstance(given, Command) and given.name == "set"]
    assert (command.target, command.params) == ("mm", (parse_param("0", 51), parse_param("3", "25bps")))
    assert command.who


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"command": "set", "target": "nobody", "params": []}, "no algo is called 'nobody': mm"),
        ({"command": "set", "target": "mm", "params": [[0, 1, 5]]}, "it holds I64, and F64 was written"),
        ({"command": "set", "target": "mm", "params": [[32, 0, 5]]}, "there is no such slot"),
        ({"command": "set", "target": "mm", "params": [[0, 9, 5]]}, "cannot be read"),
        ({"command": "dance"}, "unknown command 'dance'"),
        ({"command": "set", "surprise": 1}, "cannot be read"),
        ({}, "cannot be read"),
    ],
)
async def test_what_is_refused_is_told_and_becomes_no_input(
    request_: dict[str, Any], text: str, tmp_path: Path
) -> None:
    path, tape = tmp_path / "c.sock", tmp_path / "t.tape"
    async with running(path, tape):
        answer = await said(path, **request_)
        assert not answer["ok"]
        assert text in answer["text"]
    assert not [given for _, _, given in TapeReader(tape) if isinstance(given, Command) and given.name != "stop"]


async def test_nonsense_and_endless_lines_harm_nobody(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with running(path) as guest:
        for data in (b"\xff\x00\n", b"[]\n", b"x" * 200_000, b""):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(data)
            writer.write_eof()
            answer = await reader.read()
            assert answer == b"" or not json.loads(answer)["ok"]
            writer.close()
        calls = guest.count("on_book")
        while guest.count("on_book") < calls + 3:
            await asyncio.sleep(0.01)


async def test_a_second_gateway_does_not_take_the_socket_of_a_living_one(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with running(path):
        with pytest.raises(ConfigError, match="another gateway listens there"):
            async with running(path):
                pass
        assert (await said(path, command="status"))["ok"]
    assert not path.exists()


def test_a_dead_gateways_socket_is_replaced_and_another_file_is_not(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(dead))
    left.close()
    control._clear(dead)
    assert not dead.exists()
    text = tmp_path / "notes.txt"
    text.write_text("keep me")
    with pytest.raises(ConfigError, match="is no socket"):
        control._clear(text)
    assert text.read_text() == "keep me"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_without_a_name_the_only_gateway_is_meant(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = control.folder()
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    servers = []
    for number in range(count):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / f"{number}.sock"))
        server.listen()
        servers.append(server)
    try:
        if count == 1:
            assert control.find(None) == folder / "0.sock"
        else:
            with pytest.raises(ConfigError, match=f"{count} gateways run here"):
                control.find(None)
    finally:
        for server in servers:
            server.close()


def test_a_folder_open_to_others_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "venuegate").mkdir(mode=0o755)
    (tmp_path / "venuegate").chmod(0o755)
    with pytest.raises(ConfigError, match="is open to others"):
        control.folder()


def test_a_gateway_that_hangs_up_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    thread = threading.Thread(target=lambda: server.accept()[0].close())  # noqa: PLW0108 - in the thread
    thread.start()
    with pytest.raises(ConfigError):
        ask(path, Request(command="status"))
    thread.join()
    server.close()
    with pytest.raises(ConfigError, match="no gateway answers"):
        ask(path, Request(command="status"))


@pytest.mark.parametrize("value", ["3", "32=1", "x=1", "0=nan", "0=1.5.2", "0=", "-1=2"])
def test_a_mistyped_parameter_is_one_clear_error(value: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["algo", "set", "mm", value, "--control", str(tmp_path / "none")])
    assert result.exit_code == 2 if value.startswith("-") else 4
    assert "Traceback" not in result.output
