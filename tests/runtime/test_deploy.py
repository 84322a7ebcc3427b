"""What a deployment may say, and what a tape may not: whoever made a tape does not choose what runs here."""

import hashlib
import io
import sys
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import Result

from connectors.errors import ConfigError, ModuleError, TapeError
from connectors.registry import load
from runtime.config import AlgoSection
from runtime.deploy import Guests, guests_of_config, guests_of_tape, load_guest, predictors_of_tape, spec_of_tape
from runtime.inputs import GuestLine
from runtime.python.guest import SOURCE_BYTES_MAX
from runtime.screen import Screen
from runtime.session import header_of
from runtime.sinks import guest_line
from runtime.spec import AlgoSpec
from runtime.tape import AlgoEntry
from runtime.texts import plain, plain_bytes
from tests.runtime.world import INSTRUMENT, ROOT, gateway, recording, told
from tests.support.guests import once
from tests.support.puppet import Puppet
from tests.support.replays import taped
from tests.support.virtual import World

LOUD = """
import pathlib, sys
pathlib.Path("ran").touch()
print("the file runs", file=sys.stderr)
from runtime.pyalgo import *
class A(Algo):
    def on_book(self, book, state, features, actions): pass
ALGO = A
"""
MODEL = """
import pathlib
pathlib.Path("ran").touch()
def make(market):
    return lambda features, book, now_ns: None
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def python() -> Path:
    """A tape whose header has a Python algo. Nothing of it has run when the test begins."""
    source = Path("mine.py")
    source.write_text(LOUD)
    guest = load_guest("mine.py", "mine", source.read_bytes())
    world = World(algos=[AlgoSpec("mine", guest, ("BTC/USD",))])
    with taped(world, Path("python.tape"), {"mine": str(source)}):
        world.run(1)
    Path("ran").unlink()
    return Path("python.tape")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, here: Path) -> Path:
    """A tape whose header has a predictor: an importable module, which nobody has imported yet."""
    monkeypatch.syspath_prepend(here)
    for name in ("venuegate_test_model", "venuegate_test_other"):
        Path(f"{name}.py").write_text(MODEL)
        monkeypatch.delitem(sys.modules, name, raising=False)
    world = World()
    with taped(world, Path("model.tape"), {}, "venuegate_test_model:make"):
        world.run(1)
    return Path("model.tape")


def refused(ended: Result, *parts: str) -> None:
    """One clear error, and nothing of anybody's code has run."""
    assert ended.exit_code == 4, ended.output
    assert ended.stderr.count("error: ") == 1
    for part in (*parts, "\n  mend: "):
        assert part in ended.stderr
    assert "Traceback" not in ended.output
    assert not Path("ran").exists()


# --- a tape chooses nothing that runs --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["replay", "tape verify"])
def test_a_tapes_python_runs_only_when_allowed(command: str, python: Path) -> None:
    refused(gateway(*command.split(), python), "python.tape: was made with Python: mine (mine.py)", "--allow-python")
    Path("other.wasm").write_bytes(once())
    replaced = gateway(*command.split(), python, "--algo", "other.wasm")
    assert replaced.exit_code in (0, 5), replaced.output  # 5: another algo, another hash
    assert not Path("ran").exists()
    ended = gateway(*command.split(), python, "--allow-python")
    assert ended.exit_code == 0, ended.output
    assert Path("ran").exists()


@pytest.mark.parametrize("command", ["replay", "tape verify", "run-algo quiet.wasm", "inspect quiet.wasm --on"])
def test_a_tapes_predictor_is_compared_and_only_the_operators_is_imported(command: str, model: Path) -> None:
    Path("quiet.wasm").write_bytes(once())
    words = (*command.split(), model)
    refused(gateway(*words), "was recorded with the predictor 'venuegate_test_model:make'", "--predictor")
    refused(gateway(*words, "--predictor", "venuegate_test_other:make"), "names 'venuegate_test_other:make'")
    assert not {"venuegate_test_model", "venuegate_test_other"} & sys.modules.keys()
    ended = gateway(*words, "--predictor", "venuegate_test_model:make")
    assert ended.exit_code == 0, ended.output
    assert Path("ran").exists()


@pytest.mark.usefixtures("model")
def test_a_predictor_that_no_tape_asks_for_is_refused() -> None:
    world = World()
    with taped(world, Path("none.tape"), {}):
        world.run(1)
    for words in (["replay"], ["tape", "verify"]):
        ended = gateway(*words, "none.tape", "--predictor", "venuegate_test_model:make")
        refused(ended, "--predictor: none.tape was recorded without a predictor")
    day = recording(Path("day.jsonl"), seconds=1)
    ended = gateway("replay", day, "--instrument", INSTRUMENT, "--predictor", "venuegate_test_model:make")
    refused(ended, "--predictor: day.jsonl is a recording made by others")


def test_whoever_forgets_to_ask_runs_nothing(here: Path) -> None:
    """The functions below the commands refuse by default; a header's text cannot steer a terminal either."""
    header = header_of(World().engine.spec, {})
    steering = msgspec.structs.replace(header, predictor="\x1b[2Ja:b")
    with pytest.raises(TapeError, match=r"the predictor '\\x1b\[2Ja:b'") as caught:
        spec_of_tape(steering, Guests(), None, load)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(TapeError, match="a:b"):
        predictors_of_tape(steering, "", "x")
    Path("x.py").write_text(LOUD)
    entry = AlgoEntry("\x1bx", ("BTC/USD",), hashlib.sha256(LOUD.encode()).hexdigest(), str(here / "x.py"))
    with pytest.raises(TapeError, match="was made with Python") as caught:
        guests_of_tape(msgspec.structs.replace(header, algos=(entry,)), None, "x")
    assert "\x1b" not in str(caught.value)
    assert not Path("ran").exists()


def test_tape_show_says_what_a_replay_would_run(python: Path, model: Path) -> None:
    shown = told("tape", "show", python)
    assert (shown["python"], shown["predictor"]) == (["mine"], "")
    shown = told("tape", "show", model)
    assert (shown["python"], shown["predictor"]) == ([], "venuegate_test_model:make")
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "command",
    [
        "serve --venues kraken --sim --duration 0.3 --algo mine.py",
        "replay day.jsonl --instrument BTC/USD:1:8 --algo mine.py",
        "replay python.tape --allow-python",
        "tape verify python.tape --allow-python",
        "run-algo mine.py day.jsonl --instrument BTC/USD:1:8",
        "inspect mine.py",
    ],
)
@pytest.mark.usefixtures("python")
def test_that_python_is_not_sandboxed_is_said_before_it_runs(command: str) -> None:
    recording(Path("day.jsonl"), seconds=1)
    said = gateway(*command.split()).stderr
    assert 0 <= said.index("algo mine is Python: not sandboxed") < said.index("the file runs")


def test_what_is_said_first_is_written_first_though_the_screen_has_a_thread() -> None:
    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.1)
            return super().write(text)

    out = Slow()
    screen = Screen(out)
    with screen.in_background():
        screen.tell("before")
        screen.tell_first("not sandboxed")
        assert "not sandboxed" in out.getvalue()


# --- a deployment that cannot be meant -------------------------------------------------------------------------------


def section(**given: object) -> AlgoSection:
    wasm = str(ROOT / "fixtures/algos/referee04.wasm")
    return AlgoSection.model_validate({"name": "mm", "wasm": wasm, "symbols": ["BTC/USD"], **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"symbols": ["BTC/USD", "ETH/USD", "BTC/USD"]}, "algo mm: symbols names BTC/USD 2 times"),
        ({"venues": ["kraken", "kraken"]}, "algo mm: venues names kraken 2 times"),
    ],
)
def test_a_name_twice_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        guests_of_config([section(**given)])
    assert caught.value.mend


@pytest.mark.parametrize("name", ["referee01", "referee032", "referee032m"])
def test_params_for_a_guest_that_cannot_read_any_are_refused(name: str) -> None:
    wasm = str(ROOT / f"fixtures/algos/{name}.wasm")
    assert guests_of_config([section(wasm=wasm)]).specs
    with pytest.raises(ConfigError, match=r"algo mm: params are given, but a guest of generation 0\.") as caught:
        guests_of_config([section(wasm=wasm, params={"0": 1})])
    assert "leave params out" in caught.value.mend
    assert guests_of_config([section(params={"0": 1})]).specs[0].params


def test_a_python_source_has_its_size_by_every_door() -> None:
    Path("big.py").write_bytes(LOUD.encode() + b"#" * SOURCE_BYTES_MAX)
    source = Path("big.py").read_bytes()
    with pytest.raises(ModuleError, match=rf"big\.py: is {len(source)} bytes"):
        load_guest("big.py", "big", source)
    day = recording(Path("day.jsonl"), seconds=1)
    refused(gateway("replay", day, "--instrument", INSTRUMENT, "--algo", "big.py"), "the most is 4194304")
    refused(gateway("inspect", "big.py"), "the most is 4194304")


# --- nothing that others wrote steers a terminal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keep", "shown"),
    [
        ("plain – text × µ", "", "plain – text × µ"),
        ("\x1b[2J\x07", "", r"\x1b[2J\x07"),
        ("a\nb\tc", "", r"a\x0ab\x09c"),
        ("a\nb\tc", "\n", "a\nb\\x09c"),
        ("\x9b1m", "", r"\x9b1m"),  # one byte's worth of ESC [
        ("\u202eabc\u2028", "", r"\u202eabc\u2028"),
        ("\ud800\U000e0041", "", r"\ud800\U000e0041"),
    ],
)
def test_plain(text: str, keep: str, shown: str) -> None:
    assert plain(text, keep) == shown


def test_a_guests_line_is_one_line() -> None:
    assert plain_bytes(b"a\nb\x1b[1m\xff") == "a\\nb\\x1b[1m\ufffd"


@pytest.mark.parametrize("command", ["run-algo bad.py day.jsonl", "replay day.jsonl --algo bad.py --guest-log log"])
def test_a_log_line_and_a_fault_cannot_steer_a_terminal(command: str) -> None:
    body = "log.info('\\x1b[2Jred\\x9b1m'); raise ValueError('\\x1b]0;owned\\x07')"
    Path("bad.py").write_text(LOUD.replace("actions): pass", f"actions): {body}"))
    recording(Path("day.jsonl"), seconds=1)
    ended = gateway(*command.split(), "--instrument", INSTRUMENT)
    written = ended.output + ended.stderr + (Path("log").read_text() if Path("log").exists() else "")
    assert r"INFO \x1b[2Jred\x9b1m" in written
    assert r"ValueError: \x1b]0;owned\x07" in written
    assert not {"\x1b", "\x07", "\x9b"} & set(written)


def test_names_on_a_tape_and_in_an_error_cannot_steer_a_terminal() -> None:
    world = World()
    with taped(world, Path("odd.tape"), {}, "\x1b]0;owned\x07:\x9b"):
        world.run(1)
    ended = gateway("tape", "show", "odd.tape")
    assert r"\x1b]0;owned\x07:\x9b" in ended.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(ended.output)
    Path("line\x1b.py").write_text("class A(\n")
    ended = gateway("run-algo", "line\x1b.py", recording(Path("day.jsonl"), seconds=1), "--instrument", INSTRUMENT)
    assert r"error: line\x1b.py: line 1: SyntaxError" in ended.stderr
    assert "\x1b" not in ended.output


def test_an_algos_name_in_a_guest_line_is_plain() -> None:
    world = World(algos=[AlgoSpec("a\x1bb", Puppet("on_book"), ("BTC/USD",))])
    session = type("S", (), {"engine": world.engine})()
    assert guest_line(session, GuestLine(0, 2, b"x"), 7) == r"7 a\x1bb INFO x"


# --- a configuration's own words -------------------------------------------------------------------------------------

CONFIG = """
[[algos]]
name = "mm"
wasm = "buys.wasm"
symbols = ["BTC/USD"]
"""


def test_a_module_lies_where_its_configuration_says_from_wherever_it_is_run(here: Path) -> None:
    """Relative to the file that names it, as an author's project has it."""
    day = recording(here / "day.jsonl", seconds=2)
    folder = here / "project"
    folder.mkdir()
    (folder / "buys.wasm").write_bytes(once(qty_1e8=100_000))
    (folder / "gateway.toml").write_text(CONFIG)
    result = told("replay", day, "--instrument", INSTRUMENT, "--config", folder / "gateway.toml")
    assert result["approved"] == 1


def test_a_tape_of_ours_can_be_replayed_with_other_algos() -> None:
    """Those of a --config, with their parameters; the hash is another, and none is compared."""
    told("serve", "--venues", "kraken", "--sim", "--duration", "1.5", "--record", "a.tape")
    Path("buys.wasm").write_bytes(once(qty_1e8=100_000))
    Path("other.toml").write_text(CONFIG)
    result = told("replay", "a.tape", "--config", "other.toml")
    assert list(result["positions"]["kraken:BTC/USD"]["algos"]) == ["mm"]
    assert "recorded" not in result
    assert told("replay", "a.tape")["recorded"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('mesh = "a\\u0000b"', "algo mm: "),
        ("params = {0 = 1, 00 = 2}", "algo mm: params"),
        ('abi = "0.3.0"', "has the exports of 0.1, not of 0.3.0"),
        ('name = "a\\nb"', "printable characters are wanted"),
    ],
)
def test_a_block_that_cannot_be_says_which_algo_and_why(line: str, said: str, here: Path) -> None:
    day = recording(here / "day.jsonl", seconds=1)
    Path("buys.wasm").write_bytes(once())
    text = CONFIG.replace('name = "mm"', line) if line.startswith("name") else CONFIG + line + "\n"
    Path("bad.toml").write_text(text)
    result = gateway("replay", day, "--instrument", INSTRUMENT, "--config", "bad.toml")
    assert result.exit_code == 4
    assert said in result.stderr


def test_python_has_no_other_abi() -> None:
    with pytest.raises(ModuleError, match=r"has no abi '0\.3\.0'"):
        load_guest("mine.py", "mine", LOUD.encode(), "0.3.0")


def test_what_a_tape_names_is_not_read_whatever_it_is(tmp_path: Path) -> None:
    """A device, or more than any module: not there, as far as a tape goes."""
    huge = tmp_path / "huge.wasm"
    with huge.open("wb") as file:
        file.truncate(2**33)
    for path in (str(huge), "/dev/zero", str(tmp_path)):
        world = World(algos=[AlgoSpec("a", Puppet(), ("BTC/USD",))])
        header = header_of(world.engine.spec, {"a": path})
        with pytest.raises(TapeError, match="is not at"):
            guests_of_tape(header, None, "x.tape")
