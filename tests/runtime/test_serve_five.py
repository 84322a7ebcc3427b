"""`gateway serve --venues kraken,coinbase,binance,okx,bybit --sim` for a minute, and what its tape says of that minute.

Orders go over the wire to five simulated exchanges, by a guest that trades one venue against another, at whatever
edge there is. The tape is replayed with a watcher that sees every book and makes each NBBO anew.
VENUEGATE_SERVE_S=600 runs it for ten minutes.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from runtime.journal import reader
from tests.runtime.world import told
from tests.support.data import ROOT
from tests.support.served_minute import GROWTH_KB, SERVE_S, grew_kb, mids, served, watched

VENUES: Final = ("kraken", "coinbase", "binance", "okx", "bybit")
SYMBOLS: Final = ("BTC/USDT", "ETH/USDT")
NEAR_PPM: Final = 5_000  # all of them follow one market
POSITION_1E8: Final = 2 * 10**7
ORDERS_LEAST: Final = 4
CONFIG: Final = f"""
[serve]
venues = {json.dumps(VENUES)}
symbols = {json.dumps(SYMBOLS)}

[[algos]]
name = "arbitrage"
wasm = "{ROOT}/fixtures/algos/arbitrage.wasm"
symbols = ["BTC/USDT"]
venues = {json.dumps(VENUES)}
params = {{ 0 = 200000, 1 = -20, 2 = 3000 }}

[[algos]]
name = "watcher"
wasm = "{ROOT}/fixtures/algos/arbitrage.wasm"
symbols = ["ETH/USDT"]
venues = {json.dumps(VENUES)}
params = {{ 1 = 9000 }}

[limits]
max_position = 0.2
max_order_qty = 0.01
max_order_notional = 2000
max_capital = 500000
max_order_rate = 20
price_collar_bps = 500
max_daily_loss = 5000
max_drawdown = 5000
"""

pytestmark = pytest.mark.slow


def at_venues(rows: list[dict[str, Any]]) -> Counter[int]:
    """How many legs of the arbitrage guest were approved, by venue id."""
    bodies = [row["body"] for row in rows]
    return Counter(one["venue_id"] for one in bodies if one["kind"] == "intent" and one["verdict"] == "approved")


def test_five_venues_for_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "five.toml").write_text(CONFIG)
    summary, lines, memory = served(tmp_path, "--config", "five.toml", "--journal", "journal.db")
    assert (summary["state"], summary["outcome"], summary["disabled"], summary["refused"]) == ("ACTIVE", "", [], [])
    assert not [line for line in lines if line.startswith("×")], "an error was told"
    assert {name for name, book in summary["books"].items() if not book["valid"]} == set()
    for symbol in SYMBOLS:
        found = mids(summary, symbol)
        assert len(found) == len(VENUES)
        here = found[f"kraken:{symbol}"]
        assert all(abs(mid - here) * 10**6 <= NEAR_PPM * here for mid in found.values()), found
    assert (summary["gaps"], summary["resyncs"], summary["lost"]) == (0, 0, {})

    orders = at_venues(reader.show(tmp_path / "journal.db", kinds=["action"], order="", since_ns=0, limit=0))
    assert len(orders) >= 2 and orders.total() >= ORDERS_LEAST, orders
    assert summary["fills"] >= ORDERS_LEAST and summary["open_orders"] == 0
    assert summary["anomalies"] == 0
    positions = {name: at["position_1e8"] for name, at in summary["positions"].items()}
    assert all(abs(size) <= POSITION_1E8 for size in positions.values()), positions

    session, watch = watched(tmp_path / "a.tape")
    assert session.digest.hexdigest() == summary["hash"]
    assert watch.done["books"] >= 20 * SERVE_S
    assert watch.done["of all"] >= SERVE_S
    assert watch.slots == {0, 1, 2, 3, 4}, "each of them was the best at some time"
    verified = told("tape", "verify", tmp_path / "a.tape")
    assert (verified["verdict"], verified["recorded"]) == ("same", summary["hash"])
    assert grew_kb(memory) <= GROWTH_KB
    done = watch.done
    with capsys.disabled():
        print(f"\n    {SERVE_S} s: {summary['frames']} frames, {done['books']} books, {done['nbbo']} NBBOs, "
              f"{done['of all']} of them of five venues; orders {dict(orders)}, fills {summary['fills']}; "
              f"memory {max(memory.kb) >> 10} MiB at most", end="")  # fmt: skip
