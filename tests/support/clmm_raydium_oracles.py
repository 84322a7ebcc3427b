"""Second opinions on Raydium's maths: the crate (a small Rust program) and Raydium's own SDK (a process of node's)."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.clmm_raydium import Pool, Swap
from tests.support.data import ROOT

_TOOLS: Final = ROOT / "tests" / "solana" / "tools"
_CRATE: Final = _TOOLS / "raydium_crate"
SDK_SWITCH: Final = "VENUEGATE_RAYDIUM_SDK"
SWAPS_IN_CRATE: Final = 17


def crate_folder() -> Path:
    """Where `.ci/install` puts the program and the crate's recorded swaps. Skips without it; fails there in CI."""
    state = hashlib.sha256()
    for name in ("Cargo.toml", "Cargo.lock", "src/main.rs"):
        state.update((_CRATE / name).read_bytes())
    home = os.environ.get("VENUEGATE_TOOLS") or Path.home() / ".cache" / "venuegate" / "solana"
    folder = Path(home) / f"raydium-{state.hexdigest()[:16]}"
    if not folder.is_dir():
        reason = f"no {folder}: run .ci/install (crate solana-clmm-raydium, built by cargo)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def crate_says(lines: Iterable[str]) -> list[list[str]]:
    """Each question's answer, cut into words: `ok` and numbers, or `no` and why."""
    asked = list(lines)
    done = subprocess.run(
        [crate_folder() / "oracle"], input="\n".join(asked) + "\n", capture_output=True, text=True, check=True
    )
    said = [line.split() for line in done.stdout.splitlines()]
    assert len(said) == len(asked) and all(words[0] in ("ok", "no") for words in said)
    return said


def sdk_folder() -> Path:
    """The folder whose node_modules hold the SDK, installed by npm at its first use. Skips unless asked for: the
    variable VENUEGATE_RAYDIUM_SDK is 1, or the folder to keep it in."""
    switch = os.environ.get(SDK_SWITCH)
    if not switch:
        pytest.skip(f"Raydium's SDK is asked when {SDK_SWITCH}=1 (npm, 260 MB, GPL-3: a process of its own)")
    lock = _TOOLS / "raydium_sdk" / "package-lock.json"
    home = Path.home() / ".cache" / "venuegate" / "solana" if switch == "1" else Path(switch)
    folder = home / f"raydium-sdk-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        fresh = Path(
            tempfile.mkdtemp(prefix="raydium-sdk-", dir=home)
        )  # renamed when complete: what is there, is whole
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock.with_name(name), fresh)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=fresh, check=True, capture_output=True, timeout=300)
        fresh.rename(folder)
    return folder


def sdk_says(folder: Path, asked: Iterable[tuple[Pool, Swap]]) -> list[dict[str, Any]]:
    """The SDK's answers, as swaps.cjs writes them."""
    lines = [json.dumps(pool.ask(swap)) for pool, swap in asked]
    command = ["node", str(_TOOLS / "raydium_sdk" / "swaps.cjs"), str(folder)]
    done = subprocess.run(
        command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(lines), done.stderr
    return said
