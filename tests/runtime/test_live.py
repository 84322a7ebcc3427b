"""The live hands over loopback: what is recorded, what is told, how it ends. Every wait is bounded and for an event."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from connectors.registry import load
from connectors.session import Output
from connectors.venues.kraken.session import KrakenMarket
from risk.states import TradingState
from runtime import dialling, net
from runtime.config import paper_limits
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.dialling import Dialling
from runtime.host import AlgoHost
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from runtime.live import Live, serve
from runtime.net import VenueLink
from runtime.screen import Screen
from runtime.session import Session
from runtime.sim.kraken import SimFaults
from runtime.sim.paper import Fees
from runtime.sim.server import KrakenSimServer
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import TapeReader
from tests.runtime.world import ROOT, start, told
from tests.support.guests import every

LIMIT_S = 30.0


def spec(wasm: bytes | None = None) -> EngineSpec:
    guests = Guests()
    if wasm is not None:
        guests.add(AlgoSpec("algo", AlgoHost(wasm, name="algo"), ("BTC/USD",)))
    venue = venue_spec(load("kraken"), depth=10, depth_from="test")
    return spec_of([venue], ["BTC/USD"], guests, paper_limits(), fees=Fees(), tag="vgt")


def stop_when(live: Live, done: Callable[[Session, Input], bool]) -> None:
    live.session.watchers.append(lambda session, given, _now: live.stop() if done(session, given) else None)


async def test_a_session_against_the_embedded_venue_records_a_tape_that_verifies(tmp_path: Path) -> None:
    out = io.StringIO()
    path = tmp_path / "a.tape"
    live = await serve(
        spec(every(5)),
        urls={},
        sim_seed=3,
        screen=Screen(out),
        record=path,
        algo_paths={},
        duration_s=2,
    )
    summary = live.session.summary()
    assert live.outcome == ""
    assert summary["checksums"]["failed"] == 0
    assert summary["callbacks"]["on_book"] == summary["book_frames"] > 20
    assert summary["approved"] > 0
    assert summary["open_orders"] == 0
    assert "embedded venue speaking Kraken's v2 protocol at ws://127.0.0.1:" in out.getvalue()
    assert "books/s" in out.getvalue()
    (tmp_path / "every.wasm").write_bytes(every(5))
    verified = told("tape", "verify", path, "--algo", tmp_path / "every.wasm")
    assert (verified["verdict"], verified["recorded"]) == ("same", summary["hash"])


def at(server: KrakenSimServer) -> dict[str, dict[str, str]]:
    return {"kraken": {"public": server.ws_url}}


async def test_a_stop_runs_on_shutdown_and_leaves_no_order_open() -> None:
    """Also for a guest that leaves its orders lying: the OMS sweeps after it."""
    async with KrakenSimServer(seed=4) as server:
        live = Live(
            spec(every(2, below_1e9=500_000_000_000)),
            urls=at(server),
            screen=Screen(io.StringIO()),
        )
        most = 0

        def resting(session: Session, _given: Input) -> bool:
            nonlocal most
            most = max(most, len(session.engine.oms.orders))
            return most >= 3

        stop_when(live, resting)
        await live.run(LIMIT_S)
    summary = live.session.summary()
    assert most >= 3
    assert (summary["callbacks"]["on_shutdown"], summary["open_orders"]) == (1, 0)
    assert summary["approved"] >= 2 * most  # each order, and the sweep's cancel of it


async def test_a_venue_that_goes_away_is_dialled_again_and_sends_a_fresh_snapshot() -> None:
    """Close 1001 on the first connection: the book is lost, and served again only from the new snapshot."""
    seen: list[str] = []
    async with KrakenSimServer(seed=1, faults=SimFaults(close_after_s=1, connections=1)) as server:
        out = io.StringIO()
        live = Live(spec(), urls=at(server), screen=Screen(out))

        def again(session: Session, given: Input) -> bool:
            if isinstance(given, LinkUp | LinkDown):
                seen.append(type(given).__name__ + (" " + given.reason if isinstance(given, LinkDown) else ""))
                assert not session.engine.books[0].valid
            return seen.count("LinkUp") == 2 and session.engine.books[0].valid

        stop_when(live, again)
        await live.run(LIMIT_S)
    assert [entry.split()[0] for entry in seen] == ["LinkUp", "LinkDown", "LinkUp"]
    assert "1001" in seen[1]
    assert "CloudFlare" in seen[1]
    door = live._links["kraken", "public"]
    assert isinstance(door, VenueLink)
    url = door.url
    notices = [line[2:] for line in out.getvalue().splitlines() if url in line]
    assert notices[:2] == [f"dialling {url}", f"connected to {url}"]
    assert notices[2].startswith(f"lost {url} (")
    assert "1001" in notices[2]
    assert "dialling again in" in notices[2]
    assert notices[3:] == [f"connected to {url} again"]
    assert live.session.summary()["checksums"]["failed"] == 0


async def test_an_address_that_cannot_be_reached_is_named_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "BACKOFF_FIRST_S", 0.001)
    for url in ("ws://127.0.0.1:1/v2", "ws://no-such-host.invalid", "ws://127.0.0.1:99999/", "not an address"):
        notices: list[str] = []
        enough = asyncio.Event()

        def tell(text: str, _level: str, told_: list[str] = notices, event: asyncio.Event = enough) -> None:
            told_.append(text)
            if len(told_) == 4:
                event.set()

        link = asyncio.create_task(VenueLink("kraken", "public", url, _never, tell).run())
        async with asyncio.timeout(LIMIT_S):
            await enough.wait()
        assert not link.done()  # it keeps trying
        link.cancel()
        with pytest.raises(asyncio.CancelledError):
            await link
        assert notices[0] == f"dialling {url}"
        assert all(f"cannot reach {url} (" in text and "); trying again in " in text for text in notices[1:4])
        assert ["--sim" in text for text in notices[1:4]] == [True, False, False]


def _never(given: Input) -> None:
    raise AssertionError(given)


async def test_the_embedded_venue_is_reached_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment knows nothing of this machine's loopback."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://127.0.0.1:1")
    async with KrakenSimServer(seed=4) as server:
        live = Live(spec(), urls=at(server), screen=Screen(io.StringIO()))
        stop_when(live, lambda session, _: session.engine.books[0].valid)
        await live.run(LIMIT_S)
    assert live.session.engine.stats.frames > 0


async def test_back_off_grows_for_a_venue_that_accepts_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kraken bans an address after 150 dials in ten minutes; a connection proves nothing until it has lasted."""
    delays: list[float] = []

    async def nap(seconds: float, _woken: asyncio.Event) -> None:
        delays.append(seconds)
        if len(delays) == 8:
            raise asyncio.CancelledError
        now_s[0] += seconds

    now_s = [0.0]

    async def slam(socket: ServerConnection) -> None:
        await socket.close(1013, "try again later")

    fed: list[Input] = []
    async with serve_websocket(slam, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        dials = Dialling(lambda: now_s[0])
        link = VenueLink("kraken", "public", f"ws://127.0.0.1:{port}", fed.append, lambda *_: None, dials=dials)
        monkeypatch.setattr(dialling, "nap", nap)
        with pytest.raises(asyncio.CancelledError):
            await link.run()
    for attempt, delay in enumerate(delays):
        whole = min(0.5 * 2**attempt, 45.0)
        assert whole * 0.85 - 1e-6 <= delay <= whole
    assert [type(item) for item in fed] == [LinkUp, LinkDown] * 8
    assert all("1013" in item.reason for item in fed if isinstance(item, LinkDown))


async def test_what_was_meant_for_a_dead_connection_is_not_sent_on_the_next() -> None:
    """Subscriptions and orders of a session that is gone must not surface in the new one."""
    heard: list[str | bytes] = []
    both = asyncio.Event()

    async def listen(socket: ServerConnection) -> None:
        async for message in socket:
            heard.append(message)
            both.set()

    async with serve_websocket(listen, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        def feed(given: Input) -> None:
            if isinstance(given, LinkUp):
                link.send(b"hello")

        link = VenueLink("kraken", "public", f"ws://127.0.0.1:{port}", feed, lambda *_: None)
        link.send(b"old")
        task = asyncio.create_task(link.run())
        async with asyncio.timeout(LIMIT_S):
            await both.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert heard == ["hello"]


async def test_a_full_outgoing_queue_drops_the_connection() -> None:
    """A venue that does not read: the queue is bounded, and the link is dialled again instead of growing."""
    downs: list[str] = []
    down = asyncio.Event()

    async def deaf(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve_websocket(deaf, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        def feed(given: Input) -> None:
            if isinstance(given, LinkUp):
                for _ in range(net.SENDS_QUEUED_MAX + 1):
                    link.send(b"x")
            elif isinstance(given, LinkDown):
                downs.append(given.reason)
                down.set()

        link = VenueLink("kraken", "public", f"ws://127.0.0.1:{port}", feed, lambda *_: None)
        task = asyncio.create_task(link.run())
        async with asyncio.timeout(LIMIT_S):
            await down.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert downs[0] == "outgoing queue is full"


async def test_a_fault_of_ours_is_not_taken_for_the_network() -> None:
    """An OSError from a turn used to be reported as `cannot reach`, and the session went on without it."""
    out = io.StringIO()
    async with KrakenSimServer(seed=4) as server:
        live = Live(spec(), urls=at(server), screen=Screen(out))

        def broken(_session: Session, given: Input, _now: int) -> None:
            if isinstance(given, Frame):
                raise OSError("ours")

        live.session.watchers.append(broken)
        await live.run(LIMIT_S)
    assert live.outcome == "fault in the engine, halted: OSError: ours"
    assert "cannot reach" not in out.getvalue()
    assert live.session.engine.state is TradingState.HALTED


@pytest.mark.parametrize("fails_at", ["append", "close"])
async def test_a_tape_on_a_full_disk_halts_and_says_so(fails_at: str, tmp_path: Path) -> None:
    """/dev/full stands for the disk; a session that cannot be replayed does not go on trading."""
    out = io.StringIO()
    async with KrakenSimServer(seed=4) as server:
        live = Live(spec(every(2, below_1e9=500_000_000_000)), urls=at(server), screen=Screen(out))
        live.record(tmp_path / "a.tape", {})
        tape = live._tape
        assert tape is not None

        def fill_disk(session: Session, _given: Input) -> bool:
            if session.engine.oms.orders and tape._file.name != "/dev/full":
                tape._file.close()
                tape._file = Path("/dev/full").open("wb")  # noqa: SIM115 - the writer closes it
                return fails_at == "close"
            return False

        stop_when(live, fill_disk)
        await live.run(LIMIT_S)
    summary = live.session.summary()
    assert "No space left on device" in live.outcome
    assert live.outcome in out.getvalue()
    assert summary["open_orders"] == 0
    if fails_at == "append":
        assert summary["state"] == "HALTED"
        assert "halted" in live.outcome
    with closing(TapeReader(tmp_path / "a.tape")) as written:
        assert written.header is not None


async def test_a_screen_that_nobody_reads_does_not_stop_the_session() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    async with KrakenSimServer(seed=4) as server:
        live = Live(spec(), urls=at(server), screen=Screen(Gone()))
        live._screen.tell("hello")
        stop_when(live, lambda session, _: session.engine.stats.book_frames > 20)
        await live.run(LIMIT_S)
    assert live.session.engine.stats.book_frames > 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(number: signal.Signals, tmp_path: Path) -> None:
    """As a person does it: on_shutdown ran, nothing is open, the summary is printed and the tape is whole."""
    with start(tmp_path, "--record", "a.tape") as process:
        assert process.stderr is not None
        assert any("books/s" in line for line in process.stderr)  # the first status line: it trades
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, stderr
    summary = json.loads(stdout)
    assert (summary["callbacks"]["on_shutdown"], summary["open_orders"], summary["outcome"]) == (1, 0, "")
    assert summary["book_frames"] > 0
    assert told("tape", "verify", tmp_path / "a.tape")["recorded"] == summary["hash"]


MEASURED = """
import sys
from pathlib import Path
from runtime.cli import app
try:
    app(["serve", "--venues", "kraken", "--sim", "--duration", "3"])
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    print(*[line for line in lines if line.startswith("VmHWM:")], file=sys.stderr)
"""


def test_peak_memory_of_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The issue's bound is 150 MB; the child reads its own mark: RUSAGE_CHILDREN would begin at pytest's size."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], check=False, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "book_frames" in done.stdout
    name, kilobytes, unit = done.stderr.splitlines()[-1].split()
    assert (name, unit) == ("VmHWM:", "kB")
    peak_mb = int(kilobytes) / 1024
    with capsys.disabled():
        print(f"\npeak memory of `serve --sim`: {peak_mb:.0f} MB")
    assert peak_mb <= 150


async def test_a_fault_of_ours_halts_and_ends_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer's exception would only be logged by the loop, and liveness be dead while trading went on."""
    ticks = iter(range(3))
    tick = KrakenMarket.tick

    def breaks(self: KrakenMarket, now_ns: int) -> list[Output]:
        if next(ticks, None) is None:
            raise ZeroDivisionError
        return tick(self, now_ns)

    monkeypatch.setattr(KrakenMarket, "tick", breaks)
    out, path = io.StringIO(), tmp_path / "a.tape"
    live = await serve(
        spec(every(5)), urls={}, sim_seed=3, screen=Screen(out), record=path, algo_paths={}, duration_s=LIMIT_S
    )
    assert live.outcome == "fault in the engine, halted: ZeroDivisionError: "
    assert "Traceback" in out.getvalue()
    assert live.session.engine.state is TradingState.HALTED
    with closing(TapeReader(path)) as tape:
        kinds = [type(given) for _, _, given in tape]
    assert kinds.count(Timer) == 4, "the input that broke it is on the tape, too"
    assert kinds[-1] is Command
    assert tape.footer is None, "a broken session has no honest hash"
