"""Real Kraken recordings through `gateway replay`, against an independent reference, level by level."""

from pathlib import Path

import pytest

from tests.support.gateway import gateway, json_lines
from tests.support.reference import books, recording

RECORDINGS = [
    ("kraken_btcusd_l2.jsonl", "BTC/USD", 10, 1, 301),
    ("kraken_ethusd_sample.jsonl", "ETH/USD", 25, 2, 1129),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "symbol", "depth", "digits", "count"), RECORDINGS)
def test_every_level_equals_the_reference(
    name: str, symbol: str, depth: int, digits: int, count: int, tmp_path: Path, kraken_captures: Path
) -> None:
    """All checksums hold, and after every frame and every resubscription the top 20 are the reference's."""
    path = kraken_captures / name
    out = tmp_path / "books.jsonl"
    result = gateway(
        "replay", str(path), "--venue", "kraken", "--instrument", f"{symbol}:{digits}:8", "--books", str(out)
    )

    served = json_lines(out)
    expected = []
    for _, _, book, checksum in books(recording(path), depth, digits, 8):
        assert book.checksum() == checksum, "the reference itself must be right"
        expected.append(book.top())
    assert served == expected
    assert len(expected) == count
    assert result["checksums"] == {"ok": count, "failed": 0}
    assert result["book_frames"] == result["callbacks"]["on_book"] == count
    assert result["callbacks"]["on_shutdown"] == 1
    assert result["resyncs"] == 0
    assert result["books"][f"kraken:{symbol}"]["bids"] == expected[-1]["bids"]


@pytest.mark.real_data
def test_a_depth_option_stands_in_for_a_missing_ack(tmp_path: Path, kraken_captures: Path) -> None:
    """Without the subscription's ack the depth comes from --depth, or from what the snapshot holds."""
    lines = (kraken_captures / "kraken_ethusd_sample.jsonl").read_text().splitlines(keepends=True)
    path = tmp_path / "no-ack.jsonl"
    path.write_text("".join(line for line in lines if '\\"method\\"' not in line))
    for options in (["--depth", "25"], []):
        result = gateway("replay", str(path), "--instrument", "ETH/USD:2:8", *options)
        assert result["checksums"] == {"ok": 1129, "failed": 0}
