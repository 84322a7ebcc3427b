"""Show 6: `gateway serve --venues kraken,dex_arb,dex_sol --sim` for a minute, and what its tape says of that minute.

The session runs as a process of its own, over loopback sockets, in real time. Its tape is then replayed here with a
watcher that sees every book after every turn, and `gateway tape verify` replays it once more by itself.
VENUEGATE_SERVE_S=3600 runs it for an hour.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.runtime.world import told
from tests.support.served_minute import GROWTH_KB, SERVE_S, grew_kb, mids, served, watched

VENUES: Final = ("kraken", "dex_arb", "dex_sol")
SYMBOLS: Final = ("SOL/USD", "BTC/USD", "ETH/USD")
NEAR_PPM: Final = 30_000  # all venues follow one market
CROSSED: Final = "crossed"  # a chain's own book, while arbitrage between its pools would pay

pytestmark = pytest.mark.slow


def test_three_venues_for_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary, lines, memory = served(tmp_path, "--venues", ",".join(VENUES), "--symbols", ",".join(SYMBOLS))
    assert (summary["state"], summary["outcome"], summary["disabled"], summary["refused"]) == ("ACTIVE", "", [], [])
    states = [line for line in lines if "books/s" in line]
    assert len(states) >= SERVE_S // 2
    assert all(line.strip().startswith("ACTIVE") for line in states)
    assert not [line for line in lines if line.startswith("×")]

    books = summary["books"]
    solana = {name: book for name, book in books.items() if name.startswith("dex_sol:")}
    pools = {name: book for name, book in solana.items() if "@" in name}
    assert len(pools) >= 10
    assert all(book["valid"] or book["reason"] for book in books.values())
    assert all(book["valid"] and book["bids"] and book["asks"] for book in pools.values())
    assert all(book["valid"] or book["reason"].startswith(CROSSED) for book in solana.values())
    for symbol in SYMBOLS:
        found = mids(summary, symbol)
        here = found[f"kraken:{symbol}"]
        assert all(abs(mid - here) * 10**6 <= NEAR_PPM * here for mid in found.values()), found

    session, watch = watched(tmp_path / "a.tape")
    assert session.digest.hexdigest() == summary["hash"]
    assert watch.done["books"] >= 10 * SERVE_S
    assert watch.done["of all"] >= SERVE_S
    assert watch.slots == {0, 1, 2}
    lost = {name: count for name, count in watch.lost.items() if name in pools}
    assert sum(lost.values()) <= len(pools), f"a resync storm: {watch.why}"
    assert summary["resyncs"] <= 3
    verified = told("tape", "verify", tmp_path / "a.tape")
    assert (verified["verdict"], verified["recorded"]) == ("same", summary["hash"])

    assert grew_kb(memory) <= GROWTH_KB
    done = watch.done
    with capsys.disabled():
        print(f"\n    {SERVE_S} s: {summary['frames']} frames, {done['books']} books, {done['nbbo']} NBBOs, "
              f"{done['of all']} of them of three venues; books lost: {sum(watch.lost.values())}, pools on "
              f"Solana {sum(lost.values())}; memory {max(memory.kb) >> 10} MiB at most", end="")  # fmt: skip
