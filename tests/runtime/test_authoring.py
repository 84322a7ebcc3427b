"""`gateway init` and `gateway build`: what is written builds and passes its tests; what cannot is explained."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.errors import ConfigError, InputError, ModuleError
from runtime.authoring import LANGUAGES, RESERVED, check_name, class_name, init, module_name
from runtime.building import CompileError, build, kind_of, modules_of, zig_command
from runtime.host import AlgoHost
from tests.support.data import ROOT

IN_CI = bool(os.environ.get("CI"))  # where a missing compiler is a failure
needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None and not IN_CI, reason="no cargo")


def has_zig() -> bool:
    try:
        return bool(zig_command())
    except ConfigError:
        return False


def refused(call: object, *words: str) -> InputError:
    with pytest.raises(InputError) as raised:
        call()  # type: ignore[operator]
    assert raised.value.place
    assert raised.value.mend
    for word in words:
        assert word in str(raised.value)
    return raised.value


# --- init ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_project_says_what_it_wrote_and_leaves_no_mark_unfilled(language: str, tmp_path: Path) -> None:
    result = init(tmp_path / "deep" / "my-algo2", language)
    folder = tmp_path / "deep" / "my-algo2"
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert result["files"] == written
    assert {".gitignore", "README.md", "gateway.toml"} < set(written)
    for path in written:
        text = (folder / path).read_text()
        assert not {mark for mark in ("@NAME@", "@CLASS@", "@MODULE@") if mark in text}, path
    assert "my-algo2" in (folder / "README.md").read_text()
    assert kind_of(folder) == language


@pytest.mark.parametrize(
    "name",
    [
        "",
        "My-Algo",
        "1algo",
        "-x",
        "a--b",
        "a-",
        "a_",
        "a b",
        "a/../b c",
        "café",
        "a.b",
        "x" * 33,
        "fn",
        "test",
        "core",
    ],
)
def test_a_name_that_no_crate_can_have_is_refused(name: str) -> None:
    refused(lambda: check_name(name), "NAME: ", "mend: ")


@given(st.from_regex(r"[a-z][a-z0-9]{0,9}([-_][a-z0-9]{1,9}){0,2}", fullmatch=True))
def test_a_name_that_is_allowed_is_a_name_in_every_language(name: str) -> None:
    assume(name not in RESERVED)
    check_name(name)
    assert module_name(name).isidentifier()
    assert class_name(name).isidentifier()


def test_nothing_is_overwritten_and_an_empty_folder_will_do(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    assert init(mine, "zig")["folder"] == str(mine)
    before = {path: path.read_bytes() for path in mine.iterdir()}
    refused(lambda: init(mine, "python"), str(mine), "exists already", "nothing is overwritten")
    assert {path: path.read_bytes() for path in mine.iterdir()} == before
    (tmp_path / "file").touch()
    refused(lambda: init(tmp_path / "file", "rust"), "exists already")
    refused(lambda: init(tmp_path / "file" / "below", "rust"), "cannot be written: Not a directory")
    refused(lambda: init(tmp_path / "other", "cobol"), "--lang: 'cobol'", "rust, zig, python")
    assert not (tmp_path / "other").exists()


def test_the_documented_way_to_read_parameters_is_the_one_in_use() -> None:
    """docs/parameters.md, the template and the examples say it in the same words."""
    snippet = (ROOT / "docs/parameters.md").read_text().split("```rust\n")[1].split("```")[0]
    assert "fn config()" in snippet
    examples = [path for path in ROOT.glob("fixtures/algos/*/src/lib.rs") if "ConfigRegion" in path.read_text()]
    mine = [path for path in examples if not path.parts[-3].startswith("referee")]
    assert len(mine) == 8
    for source in (ROOT / "runtime/templates/rust/src/lib.rs.tmpl", *mine):
        assert snippet in source.read_text(), source


# --- build -----------------------------------------------------------------------------------------------------------


def test_a_python_project_passes_its_own_tests_and_builds(tmp_path: Path) -> None:
    """Its tests run in a process of their own, as their author's do."""
    folder = tmp_path / "my-algo"
    init(folder, "python")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}"],
        capture_output=True, text=True, check=False, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    result = build(folder)
    assert (result["kind"], result["class"], result["generation"]) == ("python", "MyAlgo", "0.4")
    assert result["callbacks"] == ["on_book", "on_fill", "on_reject", "on_shutdown"]
    assert "unsandboxed" in result["sandbox"]
    refused(lambda: build(folder, tmp_path / "x.wasm"), "--out", "deploy algo.py itself")
    (folder / "algo.py").write_text("class A(\n")
    assert "line 1: SyntaxError" in refused(lambda: build(folder)).problem


@pytest.mark.slow
@needs_cargo
def test_a_rust_project_passes_its_own_tests_and_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own flags and target folder are respected; the module is the one that the gateway then hosts."""
    folder = tmp_path / "my-algo"
    init(folder, "rust")
    done = subprocess.run(["cargo", "test"], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    assert "5 passed" in done.stdout
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("RUSTFLAGS", "--cfg mine")
    result = build(folder)
    made = folder / "my_algo.wasm"
    assert (result["kind"], result["file"], result["generation"]) == ("rust", str(made), "0.4")
    assert result["bytes"] == made.stat().st_size < 20_000
    assert AlgoHost(made.read_bytes(), name="my_algo").sha256 == result["sha256"]
    source = folder / "src/lib.rs"
    source.write_text(source.read_text() + '#[cfg(not(mine))]\ncompile_error!("flags were lost");\n')
    out = tmp_path / "out.wasm"
    assert build(folder, out)["file"] == str(out)
    source.write_text(source.read_text() + "fn broken( {}\n")
    with pytest.raises(CompileError, match="cargo ended with exit code 101"):
        build(folder)
    assert AlgoHost(made.read_bytes(), name="my_algo").sha256 == result["sha256"]  # the old module stands
    refused(lambda: build(tmp_path / "my-algo" / "src"), "holds no algo", "gateway init")


@pytest.mark.slow
@pytest.mark.skipif(not has_zig() and not IN_CI, reason="no zig: pip install ziglang")
def test_a_zig_project_passes_its_own_tests_and_builds(tmp_path: Path) -> None:
    folder = tmp_path / "my-algo"
    init(folder, "zig")
    done = subprocess.run([*zig_command(), "test", "main.zig"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "All 6 tests passed" in done.stderr
    result = build(folder)
    assert (result["kind"], result["generation"], result["bytes"] < 5_000) == ("zig", "0.4", True)
    assert AlgoHost((folder / "my_algo.wasm").read_bytes(), name="my_algo").callbacks == set(result["callbacks"])
    (folder / "main.zig").write_text("fn broken( {}\n")
    with pytest.raises(CompileError, match="zig ended with exit code 1"):
        build(folder)


def test_what_is_in_a_folder_must_be_clear(tmp_path: Path) -> None:
    refused(lambda: build(tmp_path / "none"), "does not exist")
    (tmp_path / "algo.py").touch()
    refused(lambda: build(tmp_path / "algo.py"), "is not a folder", "name the folder")
    (tmp_path / "main.zig").touch()
    refused(lambda: build(tmp_path), "holds main.zig and algo.py", "its own folder")
    (tmp_path / "empty").mkdir()
    refused(lambda: build(tmp_path / "empty"), "holds no algo", "gateway init NAME")


# --- compilers that are missing, old, new or silent: stand-ins that record how they were called ----------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Cargo.toml, and a PATH that holds nothing but what the test puts into `bin`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    folder = tmp_path / "my-algo"
    folder.mkdir()
    (folder / "Cargo.toml").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for variable in ("CARGO", "RUSTC"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def tool(project: Path, name: str, script: str) -> None:
    path = project.parent / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def rustc(project: Path, version: str, *, with_target: bool = True) -> None:
    lib = project.parent / "lib"
    if with_target:
        (lib / "libcore-1234.rlib").touch()
    tool(project, "rustc", f'case "$1" in --version) echo "rustc {version} (x)";; *) echo {lib};; esac')


def test_a_missing_compiler_is_explained(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(lambda: build(project), "cargo was not found", "https://rustup.rs")
    tool(project, "cargo", "exit 9")
    refused(lambda: build(project), "rustc was not found")
    tool(project, "rustc", "echo no default toolchain >&2; exit 1")
    refused(lambda: build(project), "--version failed: no default toolchain")
    tool(project, "rustc", "echo strange")
    refused(lambda: build(project), "calls itself 'strange'")
    (project / "Cargo.toml").rename(project / "main.zig")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    refused(lambda: build(project), "zig was not found", "pip install ziglang")


def test_a_missing_target_is_explained_with_the_command_that_mends_it(project: Path) -> None:
    rustc(project, "1.95.0", with_target=False)
    tool(project, "cargo", "exit 9")
    error = refused(lambda: build(project), "has no wasm32-unknown-unknown target")
    assert "rustup target add wasm32-unknown-unknown" in error.mend
    assert "rustc-web" in error.mend
    assert "-Zbuild-std=core,alloc" in error.mend


@pytest.mark.parametrize(
    ("version", "needs_flag"), [("1.95.0", False), ("1.96.0-nightly", True), ("1.100.3", True), ("2.0.0", True)]
)
def test_new_compilers_are_given_the_flag_that_the_crate_needs(
    project: Path, version: str, needs_flag: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind `--`, for the last link alone: RUSTFLAGS and .cargo/config.toml stay the user's."""
    rustc(project, version)
    tool(project, "cargo", 'echo "$@ [$RUSTFLAGS]" > ../called; exit 7')
    monkeypatch.setenv("RUSTFLAGS", "--cfg mine")
    with pytest.raises(CompileError, match="exit code 7"):
        build(project)
    called = (project.parent / "called").read_text()
    assert called.startswith("rustc --lib --release --target wasm32-unknown-unknown ")
    assert called.rstrip().endswith("[--cfg mine]")
    assert ("-- -C link-arg=--allow-undefined" in called) is needs_flag


def test_a_module_that_cannot_be_hosted_is_not_left_behind(project: Path) -> None:
    rustc(project, "1.95.0")
    tool(project, "cargo", "exit 0")
    refused(lambda: build(project), "cargo wrote no .wasm", 'crate-type = ["cdylib"]')
    made = project / "made.wasm"
    made.write_bytes(b"\0asm\1\0\0\0")
    message = {"reason": "compiler-artifact", "manifest_path": str(project / "Cargo.toml"), "filenames": [str(made)]}
    tool(project, "cargo", f"echo '{json.dumps(message)}'")
    with pytest.raises(ModuleError):
        build(project, project / "out.wasm")
    assert not (project / "out.wasm").exists()


def test_the_module_is_found_among_cargos_messages(tmp_path: Path) -> None:
    """Dependencies write artifacts as well; other lines are no JSON."""
    (tmp_path / "Cargo.toml").touch()

    def artifact(manifest: Path, *names: str) -> bytes:
        return json.dumps({"reason": "compiler-artifact", "manifest_path": str(manifest), "filenames": names}).encode()

    lines = [
        b"warning: words",
        artifact(tmp_path / "dep" / "Cargo.toml", "/t/dep.wasm"),
        b'{"reason":"build-script-executed"}',
        artifact(tmp_path / "Cargo.toml", "/t/my.rlib", "/t/my.wasm"),
        b'{"reason":"build-finished","success":true}',
        b"",
    ]
    assert modules_of(lines, tmp_path) == Path("/t/my.wasm")
    assert modules_of(lines[:3], tmp_path) is None
