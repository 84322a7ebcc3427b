"""The control socket: a person's word reaches a running gateway, ends up on its tape, and nothing else does."""

import asyncio
import io
import json
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.errors import ConfigError
from connectors.registry import load
from runtime import control, control_client
from runtime.abi import Generation
from runtime.cli import app
from runtime.config import paper_limits
from runtime.control_client import Request, ask
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Command, Input
from runtime.killswitch import KillSwitch
from runtime.live import serve
from runtime.person import Person, Surroundings
from runtime.regions import parse_param
from runtime.screen import Screen
from runtime.session import Session
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader
from tests.support.puppet import Puppet
from tests.support.virtual import World


@asynccontextmanager
async def running(path: Path, tape: Path | None = None) -> AsyncIterator[Puppet]:
    """A gateway with one algo called `mm` on the embedded venue, for as long as the block lasts."""
    guest, guests = Puppet("on_book"), Guests()
    guests.add(AlgoSpec("mm", guest, ("BTC/USD",), params=(parse_param("0", 50),)))
    made = spec_of([venue_spec(load("kraken"), depth=10, depth_from="test")], ["BTC/USD"], guests, paper_limits(),
                   fees=Fees(), tag="t")  # fmt: skip
    task = asyncio.create_task(
        serve(made, urls={}, sim_seed=1, screen=Screen(io.StringIO()), record=tape, algo_paths={}, duration_s=30,
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
        assert algo["params"] == {"0": "51", "3": "25bps"}
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
        ({"command": "set", "target": "mm", "params": [[0, 0, 5, 6]]}, "cannot be read"),
        ({"command": "set", "target": "mm", "params": []}, "mm: no parameter is given"),
        ({"command": "set", "target": "mm"}, "mm: no parameter is given"),
        ({"command": "set", "target": "m" * 65, "params": [[0, 0, 5]]}, "target is 'mmm"),
        ({"command": "set", "target": "mm", "who": "a" * 65, "params": [[0, 0, 5]]}, "who is 'aaa"),
        ({"command": "set", "target": "mm", "who": "\x1b[2J", "params": [[0, 0, 5]]}, r"who is '\x1b[2J'"),
        ({"command": "set", "target": "mm", "who": "a\nb", "params": [[0, 0, 5]]}, r"who is 'a\nb'"),
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


class Door:
    """The control server on a session of its own: `answer` without a socket. Within a running loop."""

    def __init__(self, *specs: AlgoSpec, is_fed: bool = True) -> None:
        self.world = World(algos=specs)
        self.session = Session(self.world.engine.spec)
        self.fed: list[Input] = []
        self.said: list[str] = []
        self.is_fed = is_fed
        self.switch = KillSwitch(self.session, self.feed, self.tell)
        self.switch.attach(asyncio.get_running_loop())
        self.around = Surroundings()
        self.person = Person(self.session, self.switch, self.feed, self.tell, self.around, lambda: 1)
        self.server = control.ControlServer(Path("none"), self.switch, self.person, self.tell)

    def tell(self, text: str, _level: str) -> None:
        self.said.append(text)

    def feed(self, given: Input) -> None:
        if self.switch.waiting:
            self.switch.take()
        self.fed.append(given)
        if self.is_fed:
            self.session.step(given, 1, lambda _: None)

    async def ask(self, **request: Any) -> dict[str, Any]:
        return await self.server.answer(json.dumps(request).encode())

    async def set(self, target: str) -> dict[str, Any]:
        return await self.ask(command="set", who="ana", target=target, params=[[0, 0, 5]])


def spec(name: str, generation: Generation = Generation.V0_4) -> AlgoSpec:
    return AlgoSpec(name, Puppet("on_book", generation=generation), ("BTC/USD",))


@pytest.mark.parametrize(
    "line",
    [b"[" * 60_000, b'{"command":"set","params":[[0,0,5,' + b"[" * 60_000,
     b'{"command":' * 5_000, b'{"command":"set","params":' + b"[" * 50_000, b"\xff", b"", b"7",
     b'{"command":"set","params":[[' + b"9" * 5_000 + b",0,0]]}"],
)  # fmt: skip
async def test_no_line_makes_it_raise(line: bytes) -> None:
    answer = await Door(spec("mm")).server.answer(line)
    assert not answer["ok"]
    assert answer["text"].startswith("cannot be read")


async def test_a_decoder_that_gives_up_does_not_make_it_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a line may hold what nobody reads, msgspec skips it by recursion, which ends in no DecodeError."""

    def decode(*_: object, **__: object) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(msgspec.json, "decode", decode)
    answer = await Door(spec("mm")).server.answer(b"{}")
    assert answer["text"].startswith("cannot be read: maximum recursion")


async def test_what_an_algo_would_never_see_is_refused_with_the_reason() -> None:
    door = Door(spec("mm"), spec("old", Generation.V0_3), spec("out"))
    assert await door.set("mm") == {"ok": True, "text": "mm: 1 set, seen at its next callback"}
    assert "generation 0.3 cannot read parameters" in (await door.set("old"))["text"]
    out = door.session.engine.algos[2]
    out.is_alive = False
    assert "out: it is disabled" in (await door.set("out"))["text"]
    door.session.step(Command("stop"), 2, lambda _: None)
    assert "mm: the session has ended" in (await door.set("mm"))["text"]
    assert len(door.fed) == 1
    assert door.said == ["ana set parameters of mm"]


async def test_what_the_engine_did_not_take_is_not_called_set() -> None:
    """A session that broke takes no input any more, though nobody stopped it."""
    door = Door(spec("mm"), is_fed=False)
    assert (await door.set("mm"))["text"] == "mm: nothing was set: the session is ending"
    assert door.said == []


def test_the_status_of_many_algos_is_read_whole(tmp_path: Path) -> None:
    """64 algos with 32 parameters each are more than a line from a person may be."""
    algos = [{"name": f"algo{n}", "params": {str(slot): [1, -(2**62)] for slot in range(32)}} for n in range(64)]
    answer = json.dumps({"ok": True, "algos": algos}).encode() + b"\n"
    assert len(answer) > control.LINE_BYTES_MAX
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "c.sock"))
    server.listen()

    def serve_once() -> None:
        link = server.accept()[0]
        link.recv(1000)
        link.sendall(answer)
        link.close()

    thread = threading.Thread(target=serve_once)
    thread.start()
    assert ask(tmp_path / "c.sock", Request(command="status"))["algos"] == algos
    thread.join()
    server.close()


async def test_the_umask_is_its_own_again_before_anything_is_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever runs meanwhile would make its files unreadable to those who may read them."""
    before = os.umask(0o022)
    seen: list[int] = []
    start_server = asyncio.start_unix_server

    async def start(*given: Any, **named: Any) -> asyncio.Server:
        os.umask(current := os.umask(0o777))
        seen.append(current)
        return await start_server(*given, **named)

    monkeypatch.setattr(asyncio, "start_unix_server", start)
    door = Door(spec("mm"))
    try:
        async with control.ControlServer(tmp_path / "c.sock", door.switch, door.person, lambda *_: None):
            assert oct((tmp_path / "c.sock").stat().st_mode & 0o777) == "0o600"
    finally:
        os.umask(before)
    assert seen == [0o022]


async def test_while_the_loop_is_busy_a_status_is_shown_a_kill_is_noted_and_nothing_else_is_done_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAIN_S", 0.05)
    monkeypatch.setattr(control, "PROOF_S", 0.05)
    monkeypatch.setattr(control, "SNAPSHOT_S", 0.05)
    door, path, told = Door(spec("mm")), tmp_path / "c.sock", list[Any]()

    def outside() -> None:
        told.append(ask(path, Request("status")))
        with pytest.raises(ConfigError, match="the gateway is busy, nothing was done"):
            ask(path, Request("set", "ana", "mm", (parse_param("0", 5),)))
        told.append(ask(path, Request("kill", "ana")))

    async with control.ControlServer(path, door.switch, door.person, door.tell):
        thread = threading.Thread(target=outside)
        thread.start()
        thread.join()  # this is the main loop: nothing of it runs meanwhile
        assert (told[0]["state"], told[0]["algos"][0]["name"], door.fed) == ("ACTIVE", "mm", [])
        assert told[1]["problem"] == "the main loop has not taken it yet: it will before its next input"
        await asyncio.sleep(0.02)
        assert [(given.name, given.who) for given in door.fed if isinstance(given, Command)] == [("kill", "ana")]
        after = await asyncio.to_thread(ask, path, Request("status"))
        assert (after["state"], after["busy_ms"]) == ("HALTED", 0)


async def test_a_session_whose_money_is_broken_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(spec("mm"))
    monkeypatch.setattr(type(door.session.engine.gate), "standing", lambda _: 1 // 0)
    status = await door.ask(command="status")
    assert (status["ok"], status["limits"]) == (True, [])
    assert "limits cannot be told: ZeroDivisionError" in " ".join(status["not_ready"])
    monkeypatch.setattr(door.person, "look", lambda: 1 // 0)
    monkeypatch.setattr(door.person, "seen", lambda: 1 // 0)
    answer = await door.ask(command="status")
    assert answer["text"].startswith("a fault of the gateway's: ZeroDivisionError")


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
    folder = control_client.folder()
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    servers = []
    for number in range(count):
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(folder / f"{number}.sock"))
        server.listen()
        servers.append(server)
    try:
        if count == 1:
            assert control_client.find(None) == folder / "0.sock"
        else:
            with pytest.raises(ConfigError, match=f"{count} gateways run here"):
                control_client.find(None)
    finally:
        for server in servers:
            server.close()


def test_a_folder_open_to_others_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "venuegate").mkdir(mode=0o755)
    (tmp_path / "venuegate").chmod(0o755)
    with pytest.raises(ConfigError, match="is open to others"):
        control_client.folder()


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
