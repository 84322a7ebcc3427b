"""A hundred replays of one tape with each example guest, in two processes: the same outputs, the same fuel.

Nothing counts a Python algo's fuel; its outputs are the same all the same.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data import ROOT
from tests.support.replays import taped
from tests.support.virtual import World

REPLAYS = 50  # in each of two processes
SECONDS = 8  # of the simulated market; the tape holds timers, so heartbeats are on it
EXAMPLES = {
    "demo": ["demo=demo"],
    "market_maker": ["mm=market_maker"],
    "market_maker_zig": ["mm=market_maker_zig"],
    "momentum": ["momentum=momentum"],
    "grid": ["grid=grid"],
    "twap": ["twap=twap"],
    "speed_test": ["speed=speed_test"],
    "market_maker_py": ["mm=market_maker_py/market_maker.py"],
    "mesh pair": ["maker=mesh_maker@maker", "hedger=mesh_hedger@hedger"],
}  # fmt: skip


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of the simulated market without algos."""
    path = tmp_path_factory.mktemp("tape") / "sim.tape.zst"
    world = World()
    with taped(world, path, {}):
        world.run(SECONDS)
    return path


def replays(tape: Path, algos: list[str], seed: str) -> subprocess.Popen[str]:
    named = [f"{name}={ROOT / 'fixtures/algos'}/{file_of(module)}{at_label(module)}"
             for name, _, module in (text.partition("=") for text in algos)]  # fmt: skip
    command = [sys.executable, "-m", "tests.support.replays", str(tape), str(REPLAYS), *named]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def file_of(module: str) -> str:
    return module if module.endswith(".py") else f"{module.partition('@')[0]}.wasm"


def at_label(module: str) -> str:
    label = module.partition("@")[2]
    return f"@{label}" if label else ""


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_replay_is_the_same(example: str, tape: Path) -> None:
    processes = [replays(tape, EXAMPLES[example], seed) for seed in ("0", "4711")]
    lines = [line for process in processes for line in process.communicate(timeout=300)[0].splitlines()]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(lines) == 2 * REPLAYS
    assert len(set(lines)) == 1
    _, _, calls, fuel, actions, *faults = lines[0].split(" ")
    assert int(calls) > 100
    assert int(fuel) == 0 if example.endswith("_py") else int(fuel) > 100 * int(calls)
    assert int(actions) > 0, "a session in which nothing happened proves nothing"
    assert faults == [""]
