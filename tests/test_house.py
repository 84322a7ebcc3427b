"""The house's rules, as tests: what the linters cannot see."""

import ast
import hashlib
import importlib
import pkgutil
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main

import connectors.errors
from connectors.errors import VenuegateError
from risk.checks import CHECKS, REASON_OF
from risk.denial import REASONS, DenyReason
from tests.support.data import ROOT
from tests.support.gate_table import table

PACKAGES = ("connectors", "risk", "oms", "runtime")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PURE = [path for path in SOURCES if path.parts[len(ROOT.parts)] != "runtime"] + [
    ROOT / "runtime" / name
    for name in ("abi.py", "algostate.py", "assembly.py", "desk.py", "digest.py", "engine.py", "features/bars.py",
                 "features/flow.py", "features/model.py", "features/record.py", "features/trades.py",
                 "generation.py", "guest.py", "inputs.py", "instance.py", "intents.py", "models.py",
                 "module/bytes.py", "module/code.py", "module/layout.py", "module/reader.py", "module/sections.py",
                 "module/types.py", "nbbo.py", "pooltables.py", "port.py", "python/actions.py",
                 "python/context.py", "python/layout.py", "regions.py", "rounds.py", "spec.py", "stats.py",
                 "texts.py", "view.py", "sim/paper.py", "sim/market.py", "sim/ladder.py", "sim/http1.py",
                 "sim/frames.py", "audit.py", "market_data.py", "venue_account.py", "venue_money.py")
] + [path for path in SOURCES if path.parent.parent == ROOT / "runtime/sim"
     and path.name != "server.py"]  # fmt: skip
WORLDLY = {"asyncio", "datetime", "io", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "signal",
           "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
           "websockets"}  # fmt: skip
# random.Random(seed) is their whole point, and they print times that they are given
SEEDED = {ROOT / "runtime/sim/market.py", *ROOT.glob("runtime/sim/*/world.py")}
FLOATS = {ROOT / "connectors/units.py", ROOT / "connectors/venues/kraken/wire.py"} | SEEDED


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def of_each(paths: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """One test of all files, which names every one that fails: thousands of tests cost more than what they look at."""

    def decorated(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            found = []
            for path in paths:
                try:
                    check(path)
                except AssertionError as error:
                    found.append(f"{name_of(path)}: {error}")
            assert not found, "\n\n".join(found)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorated


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@of_each(PURE)
def test_a_pure_file_touches_no_world(path: Path) -> None:
    """No clock, socket, randomness, file, process or await below runtime's doors."""
    allowed = {"random", "datetime"} if path in SEEDED else set()
    if path == ROOT / "connectors/registry.py":
        allowed |= {"importlib"}
    assert not imports(path) & (WORLDLY - allowed)
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "input", "print", "eval", "exec", "__import__"}


@of_each([path for path in PURE if path not in FLOATS])
def test_no_float_decides_money(path: Path) -> None:
    """No float literal, no float(), no true division, but in texts for people: f-strings and back-off notices."""
    source = tree(path)
    in_text = {id(inner) for node in ast.walk(source) if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)}
    for node in ast.walk(source):
        if id(node) in in_text:
            continue
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"float at line {node.lineno}"
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"float at line {node.lineno}"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), f"division at line {node.lineno}"


def calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Subscript):
                function = function.value
            if isinstance(function, ast.Name):
                yield function.id, node.lineno
            elif isinstance(function, ast.Attribute):
                yield function.attr, node.lineno


def test_only_the_gate_mints_approved() -> None:
    """Proof in the type is proof only while one file can make it."""
    makers = {name_of(path) for path in SOURCES for name, _ in calls(path) if name == "Approved"}
    assert makers == {"risk/gate.py"}


BANNED = {
    "eval": "parse it", "exec": "parse it", "data_ptr": "host.py takes views through get_buffer_ptr and checks them",
    "deserialize": "compile the module: a precompiled one can abort the process", "loads_pickle": "use msgspec",
}  # fmt: skip


@of_each(SOURCES)
def test_nothing_banned_is_called(path: Path) -> None:
    assert not {name for name, _ in calls(path)} & BANNED.keys()
    assert not imports(path) & {"pickle", "marshal", "shelve", "yaml"}
    assert "shell=True" not in path.read_text()


@of_each(SOURCES + TESTS)
def test_files_and_functions_hold_one_idea(path: Path) -> None:
    """400 lines a file, 50 a function with its docstring: what outgrows that has two ideas in it."""
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{node.name} is too long"


@of_each(SOURCES)
def test_public_things_say_what_they_are(path: Path) -> None:
    """A module and every public class has a docstring."""
    source = tree(path)
    assert ast.get_docstring(source)
    for node in source.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and path.name != "wire.py":
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def makers() -> dict[str, set[str]]:
    """Reason → the functions of risk/ that build a Denied with it."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "risk").glob("*.py")):
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Denied":
                        reason = node.args[0]
                        assert isinstance(reason, ast.Attribute), f"{path.name}:{node.lineno}: a reason by name"
                        found.setdefault(reason.attr, set()).add(function.name)
    return found


BEFORE_CHECKS = {  # who says what has no market to be judged at (docs/gate.md)
    "BAD_VENUE": "_bad_venue", "UNKNOWN_POOL": "target", "DUPLICATE_ORDER_ID": "_duplicate",
    "UNKNOWN_ORDER": "unknown_order",
}  # fmt: skip
SHARED_WORDS = {  # of a check and of somebody else, or said at two places of a check: by one function
    "RATE_LIMIT": "check_rate", "INSTRUMENT_NOT_ALLOWED": "not_allowed", "NOT_SUPPORTED": "not_supported",
    "CAPITAL_LIMIT": "_beyond_capital", "MAX_POSITION": "_beyond_position",
}  # fmt: skip


def test_every_reason_has_a_meaning_one_check_a_test_and_a_scenario() -> None:
    """The set of reasons is closed; each is a check's or is said before them, by one function alone."""
    assert set(REASONS) == set(DenyReason)
    check_of = {reason: check.__name__ for check, reason in REASON_OF.items()}
    assert len(check_of) == len(REASON_OF) == len(CHECKS)
    assert not check_of.keys() & BEFORE_CHECKS.keys()
    everyone = {"RISK_STATE_UNKNOWN"}  # whatever input is missing, of whichever check
    assert {*check_of, *BEFORE_CHECKS, *everyone} == set(DenyReason)
    made = makers()
    want = {str(reason): {name} for reason, name in (check_of | BEFORE_CHECKS | SHARED_WORDS).items()}
    assert {reason: names for reason, names in made.items() if reason not in everyone} == want
    assert everyone <= made.keys()
    tests = "".join(path.read_text() for path in (ROOT / "tests/risk").glob("test_*.py"))
    assert [reason for reason in DenyReason if f"DenyReason.{reason}" not in tests] == []
    scenarios = {path.stem: path.read_text() for path in (ROOT / "fixtures/scenarios").glob("*.toml")}
    assert [reason for reason in DenyReason if f"denied {reason}" not in scenarios.get(reason.lower(), "")] == []


def test_the_checks_run_in_the_order_of_the_table() -> None:
    """docs/gate.md: numbers, reasons, codes; and what only reduces is asked about where the table says so."""
    rows = table()
    assert [row.number for row in rows] == list(range(1, len(CHECKS) + 1))
    assert [row.reason for row in rows] == [REASON_OF[check] for check in CHECKS]
    assert {row.reason: row.code for row in rows} == {row.reason: REASONS[row.reason].code for row in rows}
    source = {node.name: ast.unparse(node) for path in (ROOT / "risk").glob("checks_*.py") for node in tree(path).body
              if isinstance(node, ast.FunctionDef)}  # fmt: skip
    for check, row in zip(CHECKS, rows, strict=True):
        body = source[check.__name__]
        asks = {word for word in ("case.reduces", "case.own_reduces") if word in body}
        if row.reducing.startswith("skips (its own"):
            assert asks == {"case.own_reduces"}, row
        elif row.reducing == "skips":
            assert asks == {"case.reduces"}, row
        elif not row.reducing and row.reason not in (DenyReason.REDUCE_ONLY, DenyReason.VENUE_NOT_READY):
            assert asks == set(), row


def test_every_error_is_in_the_tree() -> None:
    """errors.py draws all of them, and no other file defines one."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def below(error: type[VenuegateError]) -> set[type[VenuegateError]]:
        return {error}.union(*(below(child) for child in error.__subclasses__()))

    drawn = connectors.errors.__doc__ or ""
    for error in below(VenuegateError):
        assert error.__module__ == "connectors.errors"
        assert re.search(rf"\b{error.__name__}\b", drawn), f"{error.__name__} is not drawn"


def test_every_fixture_has_its_origin_and_hash() -> None:
    """What lies in fixtures/ was made here or is a published known answer, and is what it says it is."""
    origins = {}
    for origin in (ROOT / "fixtures").rglob("origin.toml"):
        for name, entry in tomllib.loads(origin.read_text()).items():
            path = origin.parent / entry.get("file", name if "." in name else f"{name}.wasm")
            origins[path] = entry
    data = {
        path
        for path in (ROOT / "fixtures").rglob("*")
        if path.suffix in {".wasm", ".json", ".jsonl", ".zst", ".gz", ".bin"}
    }
    assert data == origins.keys()
    for path, entry in origins.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], path


def test_the_shipped_guest_is_the_one_built_from_its_source() -> None:
    assert (ROOT / "runtime/guests/demo.wasm").read_bytes() == (ROOT / "fixtures/algos/demo.wasm").read_bytes()


def test_every_option_and_setting_is_documented() -> None:
    """docs/commands.md names every option of every command, docs/configuration.md every key."""
    from pydantic import BaseModel

    from runtime.cli import app
    from runtime.config import Config

    commands = (ROOT / "docs/commands.md").read_text()
    root = typer.main.get_command(app)

    def walk(command: object, path: str) -> Iterator[tuple[str, str]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, f"{path} {name}".strip())
        for parameter in getattr(command, "params", []):
            for option in parameter.opts:
                if option.startswith("--") and option not in {"--install-completion", "--show-completion"}:
                    yield path, option

    missing = [(path, option) for path, option in walk(root, "") if f"`{option}" not in commands]
    assert not missing

    settings = (ROOT / "docs/configuration.md").read_text()

    def keys(model: type[BaseModel]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            yield name
            for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    yield from keys(part)

    assert [key for key in keys(Config) if key not in settings] == []


@pytest.mark.real_data
def test_no_copy_of_anybody_elses_recording(real_data: Path) -> None:
    """../shared/data is for tests here; nothing of it is in this repository."""
    foreign = {hashlib.sha256(path.read_bytes()).hexdigest() for path in real_data.rglob("*") if path.is_file()}
    ours = Counter(
        hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("fixtures", "tests", "docs", "runtime")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    )
    assert not foreign & ours.keys()
