"""The switch on a gateway that runs: pulled from threads, signals, a file, while a guest keeps the loop for itself."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from connectors.book import BOOK_BYTES
from connectors.errors import ConfigError, GuestFault
from connectors.orders import OrderType
from connectors.session import Send
from risk.states import ALL, TradingState
from runtime.abi import FEATURES_BYTES, STATE_BYTES
from runtime.control_client import Request, ask
from runtime.host import AlgoHost
from runtime.inputs import VenueOutput
from runtime.journal.keeper import JournalPlan
from runtime.killswitch import KillSwitch, found
from runtime.python.guest import PythonGuest, interrupt
from runtime.session import Session
from runtime.spec import AlgoSpec
from tests.support.guests import every, guest
from tests.support.kill_live import STUCK, live_of, python, running, until
from tests.support.puppet import Puppet
from tests.support.virtual import World

PARTING = """
from runtime.pyalgo import Algo

class Mine(Algo):
    ask = None

    def on_book(self, book, state, features, actions):
        pass

    def on_shutdown(self, state, actions):
        Mine.ask()

ALGO = Mine
"""
HALTED, ACTIVE = TradingState.HALTED, TradingState.ACTIVE
BOOK, STATE, FEATURES = bytearray(BOOK_BYTES), bytearray(STATE_BYTES), bytearray(FEATURES_BYTES)
BURNS = "(i32.store (i32.const 1024) (i32.const 0)) (loop $again (br $again))"


# --- breaking off a callback ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", STUCK)
async def test_a_python_algo_that_never_returns_does_not_hold_up_the_switch(how: str, tmp_path: Path) -> None:
    """Asked by the socket while the loop stands still: status answers, the algo is broken off, its order is gone."""
    stuck = python(STUCK[how])

    def outside(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        while stuck._algo.calls < 6:  # type: ignore[attr-defined]
            time.sleep(0.005)
        return ask(path, Request("status")), ask(path, Request("kill", who="ana"), timeout_s=20)

    async with running(tmp_path, [("stuck", stuck), ("good", AlgoHost(every(3), name="good"))]) as gateway:
        status, killed = await asyncio.to_thread(outside, gateway.path)
        assert status["state"] == "ACTIVE"
        assert (killed["problem"], killed["open"]) == ("", 0)
        assert 0 <= killed["denied_ns"] <= killed["cancel_ns"]
        assert killed["flat_ns"] >= killed["denied_ns"]
        after = await gateway.ask("status")
        assert after["scopes"][ALL]["who"] == "ana"
        (one,) = [algo for algo in after["algos"] if algo["name"] == "stuck"]
        assert not one["alive"]
        assert "while the kill switch was pulled" in one["fault"]
        assert after["counts"]["open_orders"] == 0
        assert after["busy_ms"] == 0


async def test_a_signal_stops_a_gateway_whose_algo_never_returns(tmp_path: Path) -> None:
    stuck = python(STUCK["loops"])

    def outside() -> None:
        while stuck._algo.calls < 6:  # type: ignore[attr-defined]
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGUSR1)

    async with running(tmp_path, [("stuck", stuck)]) as gateway:
        await asyncio.to_thread(outside)
        status = await gateway.ask("status")
        assert status["scopes"][ALL] | {"since_ns": 0} == {
            "state": "HALTED", "what": "kill", "who": "SIGUSR1", "since_ns": 0
        }  # fmt: skip
        assert status["counts"]["open_orders"] == 0


async def test_a_sandboxed_guest_that_burns_its_fuel_holds_it_up_no_longer_than_its_fuel_lasts(tmp_path: Path) -> None:
    guests = [(f"burns{n}", AlgoHost(guest(BURNS), name="burns")) for n in range(3)]
    async with running(tmp_path, [*guests, ("good", AlgoHost(every(3), name="good"))]) as gateway:
        killed = await gateway.ask("kill")
        assert (killed["problem"], killed["open"], killed["scope"]) == ("", 0, ALL)


def test_an_interruption_lands_in_a_callback_and_nowhere_else() -> None:
    """A thread asks for it without a pause, between short callbacks as well: what is not within one is never hit."""
    done = threading.Event()
    main = threading.get_ident()
    asked = [0]

    def handler(_number: int, frame: FrameType | None) -> None:
        asked[0] += 1
        interrupt(frame, "the test says so")

    def pester() -> None:
        while not done.is_set():
            signal.pthread_kill(main, signal.SIGURG)

    algo = PythonGuest(
        b"from runtime.pyalgo import Algo\n"
        b"class Mine(Algo):\n    def on_book(self, book, state, features, actions):\n"
        b"        try:\n            for _ in range(20): actions.buy(1, 10, 10)\n"
        b"        except BaseException: pass  # disabled all the same\n"
        b"ALGO = Mine\n",
        name="mine.py",
    )
    before = signal.signal(signal.SIGURG, handler)
    thread = threading.Thread(target=pester)
    thread.start()
    kinds: list[str] = []
    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-5)
        while len(kinds) < 50 or asked[0] < 200:
            try:
                algo.on_book(BOOK, STATE, FEATURES)
            except GuestFault as fault:
                kinds.append(fault.kind)
    finally:
        sys.setswitchinterval(interval)
        done.set()
        thread.join()
        signal.signal(signal.SIGURG, before)
    assert set(kinds) == {"interrupted"}


def test_outside_of_any_callback_an_interruption_does_nothing() -> None:
    interrupt(sys._getframe(), "nobody is here")
    interrupt(None, "nobody is here")


def test_loading_that_never_ends_is_broken_off_as_an_error_of_the_module() -> None:
    """A restart runs the author's file again, on the main loop."""
    loops = b"import time\nfrom runtime.pyalgo import Algo\nwhile True: time.sleep(0)\n"
    before = signal.signal(signal.SIGURG, lambda _number, frame: interrupt(frame, "the test says so"))
    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGURG))
    timer.start()
    try:
        with pytest.raises(Exception, match="the test says so") as error:
            PythonGuest(loops, name="loops.py")
    finally:
        timer.join()
        signal.signal(signal.SIGURG, before)
    assert type(error.value).__name__ == "ModuleError"


# --- the kill file ----------------------------------------------------------------------------------------------------


async def test_a_kill_file_stops_everything_and_nobody_arms_while_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "KILL"
    async with running(tmp_path, [("good", AlgoHost(every(3), name="good"))], kill_file=file) as gateway:
        assert not (await gateway.ask("status"))["scopes"]
        file.touch()
        live = live_of(gateway)
        await until(lambda: live.session.engine.gate.states.get(ALL) is HALTED)
        status = await gateway.ask("status")
        assert status["scopes"][ALL]["who"].startswith("file ")
        assert f"the kill file {file} is there" in status["not_ready"]
        refused = await gateway.ask("arm")
        assert refused["text"] == f"the kill file {file} is there: nothing is armed"
        file.unlink()
        assert (await gateway.ask("arm"))["text"] == "all is ACTIVE"
        file.write_text("algo:good\n")
        await until(lambda: live.session.engine.gate.states.get("algo:good") is HALTED)
        assert live.session.engine.gate.states.get(ALL) is ACTIVE


async def test_a_file_that_is_there_at_the_start_or_says_nonsense_stops_all(tmp_path: Path) -> None:
    """Before anything may have been asked for; an unknown scope is no reason to stop less."""
    file = tmp_path / "KILL"
    file.write_text("algo:nobody")
    eager = Puppet("on_book")
    async with running(tmp_path, [("eager", eager)], kill_file=file) as gateway:
        await until(lambda: eager.count("on_book") > 1)
        status = await gateway.ask("status")
        assert status["scopes"][ALL]["state"] == "HALTED"
        assert status["counts"]["approved"] == 0


@pytest.mark.parametrize("kind", ["a link that leads nowhere", "a pipe without a writer"])
async def test_whatever_lies_there_stops_all(kind: str, tmp_path: Path) -> None:
    """And holds up neither the watch for it nor the end of the session."""
    file = tmp_path / "KILL"
    async with running(tmp_path, [("good", AlgoHost(every(3), name="good"))], kill_file=file) as gateway:
        if kind == "a pipe without a writer":
            os.mkfifo(file)
        else:
            file.symlink_to("/nowhere/at/all")
        states = live_of(gateway).session.engine.gate.states
        await until(lambda: states.get(ALL) is HALTED)
        assert (await gateway.ask("arm"))["text"].endswith("nothing is armed")
        file.unlink()
        assert (await gateway.ask("arm"))["text"] == "all is ACTIVE"
        file.write_text("algo:good")
        await until(lambda: states.get("algo:good") is HALTED)


def test_a_file_that_cannot_be_looked_for_is_taken_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not found(Path("/nowhere/at/all"))
    assert not found(Path(__file__) / "below a file")

    def stat(_: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "lstat", stat)
    assert found(Path("/nowhere/at/all"))


# --- pulls without a loop ---------------------------------------------------------------------------------------------


class Bare:
    """A switch on a session that a test feeds by hand."""

    def __init__(self) -> None:
        self.session = Session(World(algos=[AlgoSpec("mm", Puppet("on_book"), ("BTC/USD",))]).engine.spec)
        self.fed: list[Any] = []
        self.told: list[str] = []
        self.switch = KillSwitch(self.session, self.feed, lambda text, _: self.told.append(text))

    def feed(self, given: Any) -> None:
        self.fed.append(given)
        self.session.step(given, 1, lambda _: None)


def test_pulls_of_many_threads_are_each_taken_once() -> None:
    bare = Bare()
    start = threading.Barrier(8)

    def pull(number: int) -> None:
        start.wait()
        for count in range(50):
            bare.switch.pull(who=f"t{number}-{count}")

    threads = [threading.Thread(target=pull, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or bare.switch.waiting:
        bare.switch.take()
    assert sorted(given.who for given in bare.fed) == sorted(f"t{n}-{c}" for n in range(8) for c in range(50))
    assert bare.switch.kills == 400


@pytest.mark.parametrize("scope", ["algo:nobody", "venue:", "everything", "kraken", "algo:mm "])
def test_a_scope_that_there_is_not_is_one_clear_error(scope: str) -> None:
    bare = Bare()
    with pytest.raises(ConfigError, match="name one of all, venue:kraken, instrument:kraken:BTC/USD"):
        bare.switch.pull(scope, who="ana")
    assert not bare.switch.waiting


def test_every_scope_of_the_session_can_be_pulled_and_armed_by_its_name() -> None:
    for scope in Bare().switch.scopes.names:
        bare = Bare()
        pull = bare.switch.pull(scope, who="ana")
        bare.switch.take()
        assert (pull.problem, pull.done.done(), bare.session.engine.gate.states.get(scope)) == ("", True, HALTED)
        assert bare.switch.arm(scope, "ana") == []
        assert bare.session.engine.gate.states.is_quiet


def test_a_pull_that_the_gateway_cannot_take_any_more_says_so() -> None:
    bare = Bare()
    bare.switch._feed = lambda _given: None  # it broke: live.py feeds nothing
    pull = bare.switch.pull(who="ana")
    bare.switch.take()
    assert pull.problem == "the gateway did not take it: it has broken, nothing more leaves"
    assert pull.is_lost
    later = bare.switch.pull(who="ana")
    bare.switch.stop(1)
    assert (later.problem, later.is_lost) == (pull.problem, True)
    with pytest.raises(ConfigError, match="the session has ended"):
        bare.switch.pull(who="ana")
    assert not bare.switch.waiting


@pytest.mark.parametrize("how", ["kill", "reduce"])
async def test_a_pull_within_the_last_turn_is_remembered_by_the_next_start(how: str, tmp_path: Path) -> None:
    """The session is being stopped while it is pulled: everything goes as it would have, and nobody trades after it."""
    journal = tmp_path / "journal.db"
    algo = PythonGuest(PARTING.encode(), name="mine.py")
    answers: list[dict[str, Any]] = []

    def asked_meanwhile(path: Path, switch: KillSwitch) -> None:
        asking = threading.Thread(target=lambda: answers.append(ask(path, Request(how, who="ana"), timeout_s=20)))
        asking.start()
        while not switch.waiting:
            time.sleep(0.001)

    async with running(tmp_path, [("mine", algo)], journal=JournalPlan(journal)) as gateway:
        live = live_of(gateway)
        type(algo._algo).ask = staticmethod(lambda: asked_meanwhile(gateway.path, live.switch))  # type: ignore[attr-defined]
        live.stop()
        await gateway.task
        await until(lambda: bool(answers))
    (answer,) = answers
    assert (answer["ok"], answer["problem"], answer["open"]) == (True, "", 0)
    state = HALTED if how == "kill" else TradingState.REDUCING
    with closing(sqlite3.connect(journal)) as stored:
        kinds = [kind for (kind,) in stored.execute("SELECT kind FROM log ORDER BY seq")]
    assert kinds[-3:] == ["switch", "end", "state"]
    quotes = AlgoHost(every(3, below_1e9=500_000_000_000, order_type=OrderType.LIMIT), name="quotes")
    async with running(tmp_path, [("mine", quotes)], journal=JournalPlan(journal)) as gateway:
        after = await gateway.ask("status")
        assert (after["scopes"][ALL]["state"], after["scopes"][ALL]["who"]) == (state, "ana")


async def test_a_pull_goes_before_an_order_whose_record_is_durable_already(tmp_path: Path) -> None:
    """The loop hears of the record first: in one step, nothing in between."""
    async with running(tmp_path, [], journal=JournalPlan(tmp_path / "journal.db")) as gateway:
        live = live_of(gateway)
        outbox = live._exit._outbox
        assert outbox is not None
        outbox.offer(VenueOutput("kraken", Send("public", b"an order", 1)), "new", "t-1")
        durable = live._exit.seal()
        assert durable is not None
        pull = live.switch.pull(who="ana")
        durable()
        assert (pull.denied_ns >= 0, outbox.held) == (True, ())
        assert live.session.engine.gate.states.get(ALL) is HALTED
        assert live.session.engine.tap.difference == "", "its bytes never came as far as the tap"


async def test_a_pull_that_stopped_nothing_is_answered_as_refused(tmp_path: Path) -> None:
    async with running(tmp_path, [("quotes", AlgoHost(every(3), name="quotes"))]) as gateway:
        live = live_of(gateway)
        live.switch._feed = lambda _given: None  # it broke: live.py feeds nothing
        answer = await gateway.ask("kill")
        assert not answer["ok"]
        assert answer["text"] == "the gateway did not take it: it has broken, nothing more leaves"
        assert "cancel-all" in answer["mend"]


async def test_a_journal_that_somebody_locked_does_not_hold_up_the_switch(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    quotes = AlgoHost(every(3, below_1e9=500_000_000_000, order_type=OrderType.LIMIT), name="quotes")
    async with running(tmp_path, [("quotes", quotes)], journal=JournalPlan(journal)) as gateway:
        live = live_of(gateway)
        await until(lambda: len(live.session.engine.gate.account.live) > 0)
        with closing(sqlite3.connect(journal)) as hostile:
            hostile.execute("BEGIN IMMEDIATE")
            killed = await gateway.ask("kill")
            await until(lambda: bool(live.switch.held_by))
            refused = await gateway.ask("arm")
        assert (killed["problem"], killed["open"]) == ("", 0)
        assert killed["cancelled"] > 0
        assert live.session.engine.gate.states.get(ALL) is HALTED
        assert "database is locked" in refused["text"]
        assert (await gateway.ask("arm"))["text"] == refused["text"], "what was lost stays lost"
