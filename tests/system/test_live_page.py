"""docs/live.md, followed: its config and its rehearsal, word for word, at each native venue."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from connectors.registry import load
from runtime.guests import demo_wasm
from tests.support.data import ROOT

PAGE = (ROOT / "docs/live.md").read_text()
LIMIT_S = 120
READY = "its record and ours are equal, orders may pass"
MARKETS = dict(re.findall(r"^\| [^|]+ \| `(\w+)` \| `([A-Z/]+)` \|", PAGE, re.MULTILINE))
_BLOCKS = re.compile(r"<!-- (run|file: live\.toml) -->\n```\w+\n(.*?)```\n", re.DOTALL)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """With the command `gateway`, and states and sockets of its own."""
    script = tmp_path / "bin" / "gateway"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m runtime "$@"\n')
    script.chmod(0o755)
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY__")}
    return mine | {
        "PATH": f"{script.parent}:{mine['PATH']}", "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_RUNTIME_DIR": str(tmp_path),
    }  # fmt: skip


def test_the_page_names_the_native_venues() -> None:
    assert set(MARKETS) == {"kraken", "coinbase", "binance", "okx", "bybit"}
    for name, market in MARKETS.items():
        assert market in load(name).usual


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MARKETS))
def test_the_rehearsal(name: str, variables: dict[str, str], tmp_path: Path) -> None:
    (_, config), (_, script) = _BLOCKS.findall(PAGE)
    config = changed(changed(config, "kraken", name), "BTC/USD", MARKETS[name])
    (tmp_path / "live.toml").write_text(config)
    (tmp_path / "mm.wasm").write_bytes(demo_wasm())
    script = changed(script, "NAME=kraken", f"NAME={name}")
    lines = []
    with subprocess.Popen(
        ["/bin/bash", "-c", script], cwd=tmp_path, env=variables, start_new_session=True, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as rehearsal:  # fmt: skip
        assert rehearsal.stderr is not None
        guard = Timer(LIMIT_S, os.killpg, (rehearsal.pid, signal.SIGKILL))
        guard.start()
        try:
            for line in rehearsal.stderr:
                lines.append(line)
                if READY in line:
                    os.killpg(rehearsal.pid, signal.SIGINT)  # Ctrl-C
            rehearsal.wait()
        finally:
            guard.cancel()
    said = "".join(lines)
    assert said.count(READY) == 1, said
    assert f"LIVE: orders go to {name} for real: ws://127.0.0.1:" in said
    wanted = {"sim.key", "sim.secret"} | ({"sim.passphrase"} if name == "okx" else set())
    files = {path.name: path for path in tmp_path.glob("sim.*")}
    assert set(files) - {"sim.json", "sim.toml"} == wanted
    assert all(files[one].stat().st_mode & 0o777 == 0o600 for one in wanted)
