"""A real EVM node for tests: anvil, from npm (`.ci/install`), on a port that it chooses itself."""

import atexit
import contextlib
import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

HOST: Final = "127.0.0.1"
GAS_LIMIT: Final = 3_000_000_000  # of a block and of a call: hundreds of quotes go into one
_TOOLS: Final = Path(__file__).parent / "tools"
_LISTENING: Final = f"Listening on {HOST}:"
_START_S: Final = 20


def tools() -> Path:
    """The node_modules of tests/evm/tools, outside the repository. Skips where it is absent, fails there in CI."""
    lock = hashlib.sha256((_TOOLS / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = os.environ.get("VENUEGATE_TOOLS") or Path.home() / ".cache" / "venuegate" / "evm"
    folder = Path(home) / lock / "node_modules"
    if not folder.is_dir():
        reason = f"no {folder}: run .ci/install (anvil and the pools' published bytecode, from npm)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


class Anvil:
    """One node. `block_time`: seconds between blocks; None: a block for each transaction, at once."""

    def __init__(self, *, chain_id: int = 31337, block_time: int | None = None) -> None:
        self._log = Path(tempfile.mkstemp(prefix="anvil-", suffix=".log")[1])
        binary = tools() / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
        command = [str(binary), "--host", HOST, "--port", "0", "--chain-id", str(chain_id)]
        command += ["--gas-limit", str(GAS_LIMIT), "--no-request-size-limit", "--threads", "1"]
        command += ["--block-time", str(block_time)] if block_time else []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        atexit.register(self.stop)
        self.port = self._listening()

    @property
    def http(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://{HOST}:{self.port}"

    def _listening(self) -> int:
        """Its port, when it is up: anvil is asked for any free one and says which it took."""
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            said = self._log.read_text(errors="replace")
            if _LISTENING in said and said.endswith("\n"):
                return int(said.rsplit(_LISTENING, 1)[1].split()[0])
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        pytest.fail(f"anvil did not start:\n{said}")

    def stop(self) -> None:
        """Ends it at once; may be called again. A test uses it to cut every connection."""
        atexit.unregister(self.stop)
        self._process.kill()
        self._process.wait()
        self._log.unlink(missing_ok=True)


@contextlib.contextmanager
def anvil(*, chain_id: int = 31337, block_time: int | None = None) -> Iterator[Anvil]:
    """A node for as long as the block lasts."""
    node = Anvil(chain_id=chain_id, block_time=block_time)
    try:
        yield node
    finally:
        node.stop()
