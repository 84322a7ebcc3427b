"""`gateway init`, `build`, `inspect` and `run-algo` as an author uses them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from connectors.orders import OrderType
from runtime import cli
from runtime.cli_algo import register
from runtime.watching import FILES_MAX, changes, sources_of
from tests.runtime.world import INSTRUMENT, ROOT, recording
from tests.support.guests import guest, once

MAKER = ROOT / "fixtures/algos/market_maker_py/market_maker.py"
TRADER = ROOT / "fixtures/algos/trader.wasm"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "day.jsonl")


def author(*words: object) -> Result:
    app = typer.Typer(cls=cli._Group, no_args_is_help=True)
    register(app, show=cli._show, exit_of=cli._exit_of)
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words: object, code: int = 0) -> dict[str, Any]:
    result = author(*words, "--json")
    assert result.exit_code == code, result.output
    (line,) = result.stdout.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


def algo(body: str, name: str = "mine.py") -> Path:
    path = Path(name)
    path.write_text(
        "from runtime.pyalgo import *\nclass A(Algo):\n"
        f"    def on_book(self, book, state, features, actions): {body}\nALGO = A\n"
    )
    return path


# --- init and build --------------------------------------------------------------------------------------------------


def test_from_nothing_to_a_run_in_four_commands(day: Path) -> None:
    begun = told("init", "my-algo", "--lang", "python")
    assert begun["next"][-1] == "gateway run-algo algo.py TAPE"
    built = told("build", "my-algo")
    seen = told("inspect", "my-algo/algo.py")
    assert built["sha256"] == seen["sha256"]
    result = told("run-algo", "my-algo/algo.py", day, "--instrument", INSTRUMENT)
    assert result["algo"] == {
        "file": "my-algo/algo.py", "sha256": seen["sha256"], "generation": "0.4", "sandboxed": False,
    }  # fmt: skip
    assert result["approved"] > 0
    assert result["fuel"] == {}
    assert result["callbacks"]["on_book"] == result["book_frames"] > 100
    again = told("run-algo", "my-algo/algo.py", day, "--instrument", INSTRUMENT, "--log-lines", 1000)
    assert "my-algo quotes BTC-USD" in again["log"][0]
    assert again["hash"] == result["hash"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("init My-Algo", "NAME: 'My-Algo' cannot be an algo's name"),
        ("init my-algo --lang c", "--lang: 'c' is no language of ours"),
        ("build none", "none: does not exist"),
        ("build .", "holds no algo"),
        ("inspect none.wasm", "none.wasm: cannot be read"),
        ("inspect none.py", "none.py: cannot be read"),
        ("inspect text.wasm", "text.wasm: "),
        ("inspect good.py --abi 0.3.0", "--abi: a Python algo has no other ABI"),
        ("run-algo none.wasm day.jsonl --instrument BTC/USD:1:8", "none.wasm: cannot be read"),
        ("run-algo good.py none.jsonl", "none.jsonl: cannot be read"),
        ("run-algo good.py day.jsonl", "has no metadata of its own"),
        ("run-algo good.py day.jsonl --instrument BTC/USD:1:8 --venue x", "--venue: no venue is called 'x'"),
        ("run-algo good.py day.jsonl --instrument BTC/USD:1:8 --depth 3", "--depth: kraken has no book of depth 3"),
        ("run-algo bad.py day.jsonl --instrument BTC/USD:1:8", "bad.py: line 1: SyntaxError"),
    ],
)
def test_a_mistake_gets_one_clear_message(line: str, said: str, day: Path) -> None:
    algo("pass", "good.py")
    Path("bad.py").write_text("class A(\n")
    Path("text.wasm").write_text("hello\n")
    Path("day.jsonl").write_bytes(day.read_bytes())
    result = author(*line.split())
    assert result.exit_code == 4, result.output
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("error: ") == 1
    assert "\n  mend: " in result.stderr
    assert "Traceback" not in result.output


def test_a_compilers_no_is_exit_1() -> None:
    if shutil.which("cargo") is None:
        pytest.skip("no cargo")
    told("init", "my-algo")
    Path("my-algo/Cargo.toml").write_text("[package\n")
    result = author("build", "my-algo")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "error: cargo ended with exit code 101" in result.stderr


# --- inspect ---------------------------------------------------------------------------------------------------------


def test_inspect_tells_what_a_module_is_and_what_it_costs(day: Path) -> None:
    facts = told("inspect", TRADER, "--on", day, "--instrument", INSTRUMENT)
    assert (facts["generation"], facts["hosted"]["ok"], facts["bytes"]) == ("0.4", True, TRADER.stat().st_size)
    fuel, callbacks = facts["on"]["fuel"], facts["on"]["callbacks"]
    assert {name: cost["calls"] for name, cost in fuel.items()} == {name: n for name, n in callbacks.items() if n}
    assert all(0 < cost["p50"] <= cost["p99"] <= cost["max"] < 2_000_000 for cost in fuel.values())
    plain = author("inspect", TRADER, "--on", day, "--instrument", INSTRUMENT)
    assert plain.exit_code == 0
    assert "algo_on_book_v3(i32, i32) -> i32" in plain.stdout
    assert "{" not in plain.stdout


def test_a_module_that_cannot_be_hosted_is_described_all_the_same(day: Path) -> None:
    wasm = guest().replace(b"algo_on_fill", b"algo_on_fell")
    Path("odd.wasm").write_bytes(wasm)
    facts = told("inspect", "odd.wasm", "--on", day, code=4)
    assert facts["hosted"]["ok"] is False
    assert "algo_on_fill" in facts["hosted"]["problem"]
    assert "on" not in facts
    assert "error: odd.wasm: does not export algo_on_fill" in author("inspect", "odd.wasm").stderr


def test_inspect_of_a_python_algo() -> None:
    facts = told("inspect", MAKER)
    assert (facts["class"], facts["generation"]) == ("MarketMaker", "0.4")
    assert facts["callbacks"] == ["on_book", "on_fill", "on_reject", "on_shutdown"]
    assert facts["sandbox"].startswith("unsandboxed")


# --- run-algo --------------------------------------------------------------------------------------------------------


def test_a_run_is_a_replay_under_the_paper_limits(day: Path) -> None:
    """The hash is that of `gateway replay`: measuring changes nothing."""
    Path("buy.wasm").write_bytes(once(OrderType.MARKET, qty_1e8=1000, at_call=3))
    result = told("run-algo", "buy.wasm", day, "--instrument", INSTRUMENT)
    assert (result["actions"], result["fills"], result["outcome"]) == (1, 1, "")
    assert result["positions"]["kraken:BTC/USD"]["position_1e8"] == 1000
    assert result["fuel"]["on_fill"]["calls"] == 1
    replayed = CliRunner().invoke(
        cli.app, ["replay", str(day), "--instrument", INSTRUMENT, "--algo", "buy.wasm", "--json"]
    )
    assert json.loads(replayed.stdout)["hash"] == result["hash"]
    Path("huge.wasm").write_bytes(once(OrderType.MARKET, qty_1e8=10**12, at_call=3))
    (count,) = told("run-algo", "huge.wasm", day, "--instrument", INSTRUMENT)["denied"].values()
    assert count == 1


def test_the_last_log_lines_go_to_stderr(day: Path) -> None:
    path = algo("log.info(f'line {book.recv_ns}')")
    result = author("run-algo", path, day, "--instrument", INSTRUMENT, "--log-lines", "3")
    lines = [line for line in result.stderr.splitlines() if " INFO line " in line]
    assert len(lines) == 3
    assert all(line.split()[0] == line.split()[-1] for line in lines)  # when it was logged is the book's own time
    assert "books" not in result.stdout
    assert "not sandboxed" in result.stderr


def test_a_fault_is_exit_1_and_told_with_its_line(day: Path) -> None:
    path = algo("1 // 0")
    result = author("run-algo", path, day, "--instrument", INSTRUMENT)
    assert result.exit_code == 1
    assert "mine.py:3 ZeroDivisionError" in result.stderr
    assert "disabled for a fault: mine" in result.stdout
    assert author("inspect", path, "--on", day, "--instrument", INSTRUMENT).exit_code == 1


def test_a_tape_of_ours_needs_no_metadata_and_takes_none() -> None:
    recorded = CliRunner().invoke(cli.app, ["record", "a.tape", "--sim", "--duration", "1.2"])
    assert recorded.exit_code == 0, recorded.stderr
    path = algo("actions.market_buy(book.recv_ns, 1000)")
    result = told("run-algo", path, "a.tape")
    assert result["actions"] == result["callbacks"]["on_book"] > 0
    for option, value in (("--instrument", INSTRUMENT), ("--venue", "kraken"), ("--depth", "10")):
        refused = author("run-algo", path, "a.tape", option, value)
        assert refused.exit_code == 4
        assert f"{option}: a.tape is a tape of ours" in refused.stderr


# --- watch -----------------------------------------------------------------------------------------------------------


def test_changes_of_sources_are_seen_and_those_of_compilers_are_not(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look is followed by a write: what matters ends the wait, what does not prolongs it."""
    for name in ("src/lib.rs", "target/debug/x.rs", ".git/y.rs", "Cargo.toml", "notes.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert sources_of(here) == [here / "Cargo.toml", here / "src/lib.rs"]
    (here / "algo.wasm").touch()
    writes: Iterator[str] = iter(["target/debug/x.rs", "notes.txt", "src/lib.rs", "new.zig", "algo.wasm"])
    waits = []

    def sleep(_: float) -> None:
        name = next(writes)
        waits.append(name)
        with (here / name).open("a") as file:
            file.write("x")

    monkeypatch.setattr("time.sleep", sleep)
    assert len(list(islice(changes([here / "algo.wasm"], here), 4))) == 4
    assert waits == ["target/debug/x.rs", "notes.txt", "src/lib.rs", "new.zig", "algo.wasm"]
    for number in range(FILES_MAX + 5):
        (here / f"f{number}.py").touch()
    assert len(sources_of(here)) == FILES_MAX


def test_watch_runs_again_after_a_change_and_ctrl_c_ends_it(day: Path, here: Path) -> None:
    path = algo("actions.cancel(1)")
    script = (
        "from runtime import cli\nfrom runtime.cli_algo import register\nimport typer\n"
        "app = typer.Typer(cls=cli._Group)\nregister(app, show=cli._show, exit_of=cli._exit_of)\napp()\n"
    )
    command = [sys.executable, "-c", script, "run-algo", path, day, "--instrument", INSTRUMENT, "--watch", "--json"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        await_line(process.stderr, "waiting for a change")
        path.write_text("class A(\n")
        await_line(process.stderr, "SyntaxError")
        await_line(process.stderr, "waiting for a change")
        algo("pass")
        second = json.loads(process.stdout.readline())
        await_line(process.stderr, "waiting for a change")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert first["actions"] > second["actions"] == 0
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def await_line(stream: Any, words: str) -> None:
    for line in stream:
        if words in line:
            return
    pytest.fail(f"it ended before it said {words!r}")


def test_build_before_each_run(day: Path) -> None:
    """A Python algo is not built; a folder without one is told; a Rust one is covered in test_authoring.py."""
    path = algo("pass")
    refused = author("run-algo", path, day, "--instrument", INSTRUMENT, "--build", ".")
    assert refused.exit_code == 2
    assert "leave --build out" in refused.stderr
    refused = author("run-algo", "x.wasm", day, "--instrument", INSTRUMENT, "--build", "none")
    assert refused.exit_code == 4
    assert "none: does not exist" in refused.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cargo") is None and "CI" not in os.environ, reason="no cargo")
def test_build_and_run_a_rust_algo(day: Path) -> None:
    """The three languages' templates trade alike: the same actions, fills and money on the same recording."""
    told("init", "my-rust")
    rust = told("run-algo", "my.wasm", day, "--instrument", INSTRUMENT, "--build", "my-rust")
    told("init", "my-python", "--lang", "python")
    python = told("run-algo", "my-python/algo.py", day, "--instrument", INSTRUMENT)
    assert rust["actions"] > 0
    for key in ("actions", "approved", "denied", "fills", "pnl"):
        assert rust[key] == python[key], key
    assert rust["fuel"]["on_book"]["calls"] == rust["callbacks"]["on_book"]


def test_run_algo_starts_with_the_parameters_it_is_given(day: Path) -> None:
    mine = algo("log.info(f'{ConfigRegion.read().get_i64(0)} {ConfigRegion.read().get_bps(3)}')")
    result = told("run-algo", mine, day, "--instrument", INSTRUMENT, "--param", "0=51", "--param", "3=25bps")
    assert result["log"][-1].endswith("51 25")
    wrong = author("run-algo", mine, day, "--instrument", INSTRUMENT, "--param", "0=x")
    assert wrong.exit_code == 4
    assert "--param" in wrong.output
