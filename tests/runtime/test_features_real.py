"""OnlineFeatures over real Kraken recordings, against the reference."""

from pathlib import Path

import pytest

from tests.support.features_reference import Pair
from tests.support.reference import books, recording

pytestmark = pytest.mark.slow


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "depth", "digits", "every"),
    [("kraken_btcusd_l2.jsonl", 10, 1, 5), ("kraken_ethusd_sample.jsonl", 25, 2, 25)],
)
def test_real_books(name: str, depth: int, digits: int, every: int, kraken_captures: Path) -> None:
    """Every `every`-th book of the recording and the last; a second snapshot means that the book was lost before it.

    The recordings hold no trades: every third book is followed by a made one.
    """
    frames = recording(kraken_captures / name)
    pair = Pair(depth)
    for count, (index, recv_ns, book, _) in enumerate(books(frames, depth, digits, 8)):
        if count and '"type":"snapshot"' in frames[index][1]:
            pair.lost()
        top = book.top(depth)
        bids, asks = ([(px, sz) for px, sz in top[side]] for side in ("bids", "asks"))
        pair.load(bids, asks, recv_ns)
        if count % every == 0:
            pair.check()
        if count % 3 == 0:
            pair.trade(1 if count % 2 else -1, bids[0][1] // 3 + 1, recv_ns)
    pair.check()
    shown = pair.shown()
    assert min(shown["trade_arrival_rate_1e3"], shown["cancel_rate_1e4"]) > 0
    assert (shown["rv_1m_bps"] > 0) is ("ethusd" in name)  # in the other one the mid stood still for its whole minute
    assert bids[0][0] <= shown["microprice_1e9"] <= asks[0][0]
    assert shown["ofi_ewma_1e6"] != 0
