"""Surfnet: a Solana node that is really one (LiteSVM behind the cluster's JSON-RPC and PubSub), offline, for tests.

`tests/solana/tools/surfnet` is a dozen lines around crate surfpool-sdk 1.6.1 (Apache-2.0). Opt-in, because cargo builds
a thousand crates for it: some seven minutes and 2 GB, once.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

SWITCH: Final = "VENUEGATE_SURFNET"
BUILD_S: Final = 3_600
SLOT_MS: Final = 400
_SOURCE: Final = Path(__file__).parent / "tools" / "surfnet"


class Node(NamedTuple):
    """Its two addresses."""

    http: str
    ws: str


def binary() -> Path:
    """The program, built if it is not, or not of this source. Skips unless asked for: the variable VENUEGATE_SURFNET is
    1, or the folder to build in."""
    switch = os.environ.get(SWITCH)
    if not switch:
        pytest.skip(f"a real Solana node is asked when {SWITCH}=1 (cargo builds it: 7 minutes and 2 GB, once)")
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.fail(f"{SWITCH} is set, and there is no cargo: .ci/install installs it")
    target = Path.home() / ".cache" / "venuegate" / "surfnet" if switch == "1" else Path(switch)
    env = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_PROFILE_DEV_DEBUG": "0"}
    built = subprocess.run(  # noqa: PLW1510 - what it says is shown
        [cargo, "build", "--locked", "--quiet"],
        cwd=_SOURCE, env=env, timeout=BUILD_S, capture_output=True, text=True, preexec_fn=lambda: os.nice(15),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-4_000:]
    return target / "debug" / "surfnet"


@contextmanager
def surfnet(slot_ms: int = SLOT_MS) -> Iterator[Node]:
    """A node for as long as the block lasts: it ends with its input."""
    command = [str(binary()), str(slot_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Node(**json.loads(process.stdout.readline()))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
