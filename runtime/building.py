"""`gateway build`: from an algo's folder to a module that the gateway hosts, with the compiler's own words on the way.

What is built is told by the files: `Cargo.toml`, `main.zig` or `algo.py`. The module is put beside them, and looked at
as `serve` would before it is called built.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConfigError, ModuleError
from runtime.authoring import module_name

TARGET: Final = "wasm32-unknown-unknown"
KINDS: Final = {"Cargo.toml": "rust", "main.zig": "zig", "algo.py": "python"}
UNDEFINED_FROM: Final = (1, 96)  # from here on the crate's imports, declared without a module, need a linker flag
STACK_BYTES: Final = 2**20  # as Rust has it: the regions lie in the part of it that is never reached


class CompileError(Exception):
    """The compiler refused; what it said is on stderr already."""


def build(folder: Path, out: Path | None = None) -> dict[str, Any]:
    """Builds, vets and describes: kind, file, bytes, sha256, generation, callbacks.

    Raises ConfigError for a missing tool, ModuleError for what cannot be hosted, CompileError when a compiler said no.
    """
    kind = kind_of(folder)
    if kind == "python":
        if out is not None:
            raise ConfigError(
                "a Python algo is not compiled", place="--out", mend="leave --out out: deploy algo.py itself"
            )
        return _python(folder / "algo.py")
    with tempfile.TemporaryDirectory() as scratch:
        made = _rust(folder) if kind == "rust" else _zig(folder, Path(scratch))
        target = out or folder / made.name
        wasm = made.read_bytes()
        described = _described(wasm, str(target))
        _write(target, wasm)
    return {"kind": kind, "file": str(target), **described}


def kind_of(folder: Path) -> str:
    """`rust`, `zig` or `python`. Raises ConfigError."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigError(problem, place=str(folder), mend="name the folder that holds Cargo.toml, main.zig or algo.py")
    found = [name for name in KINDS if (folder / name).is_file()]
    if not found:
        mend = f"name a folder with one of {', '.join(KINDS)}, or begin with gateway init NAME"
        raise ConfigError("holds no algo", place=str(folder), mend=mend)
    if len(found) > 1:
        raise ConfigError(f"holds {' and '.join(found)}", place=str(folder), mend="give each algo its own folder")
    return KINDS[found[0]]


def _described(wasm: bytes, name: str) -> dict[str, Any]:
    from runtime.vet import vet

    vetted = vet(wasm, name=name)
    return {
        "bytes": len(wasm),
        "sha256": hashlib.sha256(wasm).hexdigest(),
        "generation": str(vetted.generation),
        "callbacks": sorted(vetted.callbacks),
    }


def _write(target: Path, wasm: bytes) -> None:
    """Whole or not at all: a running `--watch` never sees half a module."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(wasm)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, place=str(target), mend="name a file in a folder that exists") from None


def _python(file: Path) -> dict[str, Any]:
    from runtime.algotools import python_facts
    from runtime.python.guest import load_python

    return {"kind": "python", "file": str(file), **python_facts(load_python(file))}


# --- Rust -------------------------------------------------------------------------------------------------------------


def _rust(folder: Path) -> Path:
    cargo, rustc = _tool("CARGO", "cargo"), _tool("RUSTC", "rustc")
    version = _rustc_version(rustc, folder)
    _check_target(rustc, folder)
    # `cargo rustc` hands its last words to the final link alone, whatever RUSTFLAGS or .cargo/config.toml say
    flags = ["--", "-C", "link-arg=--allow-undefined"] if version >= UNDEFINED_FROM else []
    command = [
        cargo,
        "rustc",
        "--lib",
        "--release",
        "--target",
        TARGET,
        "--message-format=json-render-diagnostics",
        *flags,
    ]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=False)  # noqa: S603 - a compiler is asked for
    if done.returncode != 0:
        raise CompileError(f"cargo ended with exit code {done.returncode}")
    found = modules_of(done.stdout.splitlines(), folder)
    if not found:
        mend = 'add to Cargo.toml: [lib] crate-type = ["cdylib"]'
        raise ConfigError("cargo wrote no .wasm", place=str(folder / "Cargo.toml"), mend=mend)
    return found


def modules_of(lines: Sequence[bytes], folder: Path) -> Path | None:
    """The .wasm of the package in `folder`, from cargo's JSON lines."""
    manifest = (folder / "Cargo.toml").resolve()
    for line in reversed(lines):
        if not line.startswith(b"{"):
            continue
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and Path(message["manifest_path"]).resolve() == manifest:
            for name in message["filenames"]:
                if name.endswith(".wasm"):
                    return Path(name)
    return None


def _tool(variable: str, name: str) -> str:
    """A program by its variable, else by its name. Raises ConfigError."""
    wanted = os.environ.get(variable) or name
    found = shutil.which(wanted)
    if found is None:
        mend = "install Rust from https://rustup.rs (or your system's packages cargo and rustc)"
        raise ConfigError(f"{wanted} was not found", place="PATH", mend=mend)
    return os.path.abspath(found)


def _asked(rustc: str, folder: Path, *words: str) -> str:
    """In the folder, whose rust-toolchain.toml may choose another rustc."""
    done = subprocess.run([rustc, *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]
        raise ConfigError(f"{' '.join(words)} failed: {said}", place=rustc, mend="mend the Rust installation")
    return done.stdout.strip()


def _rustc_version(rustc: str, folder: Path) -> tuple[int, int]:
    text = _asked(rustc, folder, "--version")
    found = re.search(r"(\d+)\.(\d+)\.\d+", text)
    if found is None:
        raise ConfigError(f"calls itself {text!r}", place=rustc, mend="give a rustc in RUSTC or in PATH")
    return int(found[1]), int(found[2])


def _check_target(rustc: str, folder: Path) -> None:
    """Cargo would say `can't find crate for core` and leave it at that."""
    libraries = Path(_asked(rustc, folder, "--print", "target-libdir", "--target", TARGET))
    if any(libraries.glob("libcore-*.rlib")):
        return
    mend = (
        f"rustup target add {TARGET}\n"
        "  where rustup cannot: Debian's packages rustc-web and rust-web-src, then in the algo's folder\n"
        f"    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 cargo build --release --target {TARGET} -Zbuild-std=core,alloc\n"
        "    with CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER set to a rust-lld"
    )
    raise ConfigError(f"has no {TARGET} target", place=rustc, mend=mend)


# --- Zig --------------------------------------------------------------------------------------------------------------


def _zig(folder: Path, scratch: Path) -> Path:
    made = scratch / f"{module_name(folder.resolve().name)}.wasm"
    command = [
        *zig_command(), "build-exe", "main.zig", "-target", "wasm32-freestanding", "-O", "ReleaseSmall", "-fno-entry",
        "-rdynamic", "--stack", str(STACK_BYTES), f"-femit-bin={made}",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
    if done.returncode != 0:
        raise CompileError(f"zig ended with exit code {done.returncode}")
    if not made.is_file():
        raise ModuleError("zig wrote no .wasm", place=str(folder / "main.zig"), mend="export the guest's functions")
    return made


def zig_command() -> list[str]:
    """`zig` of PATH, else the one from PyPI. Raises ConfigError."""
    found = shutil.which("zig")
    if found is not None:
        return [found]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang"]
    raise ConfigError("zig was not found", place="PATH", mend="pip install ziglang, or install Zig from ziglang.org")
