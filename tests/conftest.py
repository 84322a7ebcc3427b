"""What all tests share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.data import data_folder

RECURSION: int = sys.getrecursionlimit()
# files that take long, the longest wait first: with `--dist loadfile` none of them is what all others wait for
LONG = (
    "runtime/test_serve_solana.py", "runtime/test_serve_five.py", "trading/test_planted.py", "system/test_damage.py",
    "crash/test_kill9.py", "system/test_storm.py", "risk/test_gate_reference.py", "runtime/test_serve.py",
    "system/test_chain_damage.py", "system/test_planted_bypasses.py", "system/test_add_a_venue.py",
    "trading/test_five_venues.py", "evm/test_quotes.py", "evm/test_pool_commands.py", "system/test_canary.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {str(Path(__file__).parent / name): number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(str(item.path), len(LONG)))


@pytest.fixture(autouse=True)
def _usual_depth() -> Iterator[None]:
    """web3 raises the limit to 100,000 when it is imported, at which deep JSON ends the process, not the decoder."""
    sys.setrecursionlimit(RECURSION)
    yield
    sys.setrecursionlimit(RECURSION)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a gateway keeps of its own between runs (tags, nonces) is not this user's."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recordings made by others; skips where it is absent, fails there in CI."""
    folder = data_folder()
    if folder is None:
        reason = "no ../shared/data and no VENUEGATE_DATA: recordings made by others are not in this repository"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def kraken_captures(real_data: Path) -> Path:
    return real_data / "kraken_v2_crossbook"
