"""A Python algo through the whole engine: it trades, its faults stay its own, and a session with it can be replayed."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime.algotools import run
from runtime.recordings import Recording
from tests.runtime.world import GATEWAY, INSTRUMENT, ROOT, recording
from tests.support.gateway import json_lines

MAKER = ROOT / "fixtures/algos/market_maker_py/market_maker.py"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "long.jsonl", seconds=90)


def replay(algo: Path, tape: Path, folder: Path, instrument: str = INSTRUMENT, **environment: str) -> dict[str, Any]:
    """`gateway replay` in a process of its own, with its files in `folder`."""
    files = [word for name in ("actions", "fills", "guest-log") for word in (f"--{name}", str(folder / name))]
    done = subprocess.run(
        [*GATEWAY, "replay", str(tape), "--instrument", instrument, "--algo", str(algo), "--json", *files],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout) | {"stderr": done.stderr, "exit": done.returncode}
    return result


def algo(folder: Path, body: str, others: str = "") -> Path:
    path = folder / "mine.py"
    path.write_text(
        "from runtime.pyalgo import *\nclass A(Algo):\n    n = 0\n"
        f"    def on_book(self, book, state, features, actions):\n        self.n += 1\n        {body}\n"
        f"{others}\nALGO = A\n"
    )
    return path


@pytest.mark.real_data
def test_the_market_maker_quotes_a_real_recording(kraken_captures: Path, tmp_path: Path) -> None:
    """Both sides, post-only, on the grid, around the touch; nothing is denied, nothing is left open."""
    tape = kraken_captures / "kraken_btcusd_l2.jsonl"
    result = replay(MAKER, tape, tmp_path, "BTC/USD:1:8:0.00005:0.5")
    assert (result["exit"], result["state"], result["disabled"], result["denied"]) == (0, "ACTIVE", [], {})
    assert result["callbacks"]["on_book"] == 301
    assert result["open_orders"] == 0
    orders = [row for row in json_lines(tmp_path / "actions") if row["kind"] == "new"]
    assert {order["side"] for order in orders} == {1, -1}
    for order in orders:
        assert (order["order_type"], order["verdict"], order["px_1e9"] % 10**8) == ("post_only", "approved", 0)
        assert order["px_1e9"] * order["side"] < 63_005_000_000_000 * order["side"]
        assert abs(order["px_1e9"] - 63_005_000_000_000) < 63_005_000_000_000 // 1000


def test_the_market_maker_trades_within_its_inventory(long: Path, tmp_path: Path) -> None:
    """It is filled on both sides, leans against what it holds, and never holds more than its cap."""
    result = replay(MAKER, long, tmp_path)
    assert (result["exit"], result["disabled"], result["anomalies"]) == (0, [], 0)
    fills = json_lines(tmp_path / "fills")
    assert {fill["side"] for fill in fills} == {1, -1}
    clip_1e8 = max(fill["qty_1e8"] for fill in fills)
    held = 0
    for fill in fills:
        held += fill["side"] * fill["qty_1e8"]
        assert abs(held) <= 20 * clip_1e8
    assert held == result["positions"]["kraken:BTC/USD"]["position_1e8"]
    assert all(row["order_type"] == "post_only" for row in json_lines(tmp_path / "actions") if row["kind"] == "new")
    log = (tmp_path / "guest-log").read_text()
    assert log.count(" INFO fill ") == len(fills) == result["callbacks"]["on_fill"]


def test_a_replay_is_the_same_whatever_pythons_hash_seed(long: Path, tmp_path: Path) -> None:
    results = [replay(MAKER, long, tmp_path, PYTHONHASHSEED=seed)["hash"] for seed in ("0", "1")]
    results.append(run(MAKER, Recording(long, instruments=(INSTRUMENT,)), tell=lambda *_: None)["hash"])
    assert len(set(results)) == 1


@pytest.mark.parametrize("what", ["raise SystemExit", "actions.buy(1, 1.0, 1)", "raise KeyboardInterrupt"])
def test_a_fault_disables_the_algo_and_nothing_else(what: str, long: Path, tmp_path: Path) -> None:
    """Its resting order is cancelled, the market data goes on, the operator is told where it happened."""
    body = f"actions.buy(1, 100_000, book.bids[9].px_1e9) if self.n == 1 else None\n        if self.n == 20: {what}"
    path = algo(tmp_path, body)
    result = replay(path, long, tmp_path)
    assert (result["exit"], result["disabled"], result["state"]) == (1, ["mine"], "ACTIVE")
    assert result["callbacks"]["on_book"] == 20 < result["book_frames"]
    assert result["open_orders"] == 0
    assert "algo mine disabled" in result["stderr"]
    assert "mine.py:7 " in result["stderr"]
    placed, cancelled = json_lines(tmp_path / "actions")
    assert (placed["kind"], cancelled["kind"], cancelled["by"]) == ("new", "cancel", "gateway")


def test_refusals_reach_it_with_their_codes(long: Path, tmp_path: Path) -> None:
    others = (
        "    def on_reject(self, reject):\n        log.error(f'{reject.order_id} {reject.code} {reject.reason()}')\n"
    )
    body = "actions.buy(7, 10**14, book.asks[0].px_1e9) if self.n == 3 else None"
    result = replay(algo(tmp_path, body, others), long, tmp_path)
    (row,) = json_lines(tmp_path / "actions")
    assert (row["verdict"], result["callbacks"]["on_reject"]) == ("denied", 1)
    line = (tmp_path / "guest-log").read_text().split(" ", 3)
    assert line[2:] == ["ERROR", f"7 {row['code']} RISK_CHECK_FAILED\n"]


def test_features_and_state_are_the_engines(long: Path, tmp_path: Path) -> None:
    """What it is shown at each book agrees with itself: the microprice lies within the touch, orders are its own."""
    body = (
        "m = features.microprice_1e9\n"
        "        assert features.version == 1 and (m == 0 or book.bids[0].px_1e9 <= m <= book.asks[0].px_1e9)\n"
        "        assert state.symbol_name() == 'BTC-USD' and state.symbol.tick_size_1e9 == 10**8\n"
        "        assert [o.order_id for o in state.orders[: state.order_ct]] == ([1] if self.n > 1 else [])\n"
        "        if self.n == 1: actions.buy(1, 100_000, book.bids[9].px_1e9)"
    )
    result = replay(algo(tmp_path, body), long, tmp_path)
    assert result["disabled"] == [], result["stderr"]
