"""Recordings of hftbacktest and cryptofeed: their lines become inputs, or one clear error."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from connectors.errors import TapeError
from runtime.inputs import Frame
from runtime.tape import TapeReader
from tests.support.gateway import gateway

STAMPED = (
    b'1723161254024619568 {"stream":"ethusdt@trade","data":{}}\n'
    b'1723161254036052868 {"lastUpdateId":5,"bids":[],"asks":[]}\n'
    b'1723161254036052867 {"x": 1}\n'
)
SOCKET = (
    b"wss://stream.example.com:9443/stream?streams=a@depth/b@depth <-> 1633998511.159679\n"
    b'1633998512.0633569: {"n":1}\n'
    b"wss://stream.example.com:9443/stream <- 1633998512.1: {\"method\":\"SUBSCRIBE\"}\n"
    b'1633998514: {"n":3}\n'
    b'1633998515.1234567891: {"n":5}\n'
)  # fmt: skip
HTTP = (
    b'https://api.example.com/api/v3/depth?symbol=A&limit=5 -> 1633998513.5: {"n":2}\n'
    b'https://api.example.com/api/v3/time -> 1633998514.75: {"n":4}\n'
)


def read(path: Path) -> list[tuple[int, int, str, bytes]]:
    found = []
    for number, recv_ns, given in TapeReader(path, venue="binance"):
        assert isinstance(given, Frame)
        assert given.venue == "binance"
        found.append((number, recv_ns, given.link, given.raw))
    return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_stamped_lines(tmp_path: Path, pack: type[bytes]) -> None:
    """Time never steps back, whatever the recorder's clock did."""
    path = tmp_path / "day.gz"
    path.write_bytes(pack(STAMPED))
    tape = TapeReader(path, venue="binance")
    assert tape.header is None
    assert read(path) == [
        (1, 1723161254024619568, "public", b'{"stream":"ethusdt@trade","data":{}}'),
        (2, 1723161254036052868, "public", b'{"lastUpdateId":5,"bids":[],"asks":[]}'),
        (3, 1723161254036052868, "public", b'{"x": 1}'),
    ]
    tape.close()


@pytest.mark.parametrize("given", ["", "X.ws.1.0"])
def test_a_feed_with_its_answers(tmp_path: Path, given: str) -> None:
    """By its folder or the socket's file: merged by time, what the recorder sent left out, times to the nanosecond."""
    (tmp_path / "X.ws.1.0").write_bytes(SOCKET)
    (tmp_path / "X.http.0.0").write_bytes(HTTP)
    (tmp_path / "Y.http.0.0").write_bytes(b"of another venue\n")
    (tmp_path / "README").write_bytes(b"by hand\n")
    assert read(tmp_path / given) == [
        (1, 1633998512_063356900, "public", b'{"n":1}'),
        (2, 1633998513_500000000, "calls", b'GET /api/v3/depth?symbol=A&limit=5 200\n{"n":2}'),
        (3, 1633998514_000000000, "public", b'{"n":3}'),
        (4, 1633998514_750000000, "calls", b'GET /api/v3/time 200\n{"n":4}'),
        (5, 1633998515_123456789, "public", b'{"n":5}'),
    ]


def test_a_feed_without_answers(tmp_path: Path) -> None:
    (tmp_path / "X.ws.1.0").write_bytes(SOCKET)
    assert [raw for _, _, _, raw in read(tmp_path / "X.ws.1.0")] == [b'{"n":1}', b'{"n":3}', b'{"n":5}']


def test_a_folder_of_several_recordings(tmp_path: Path) -> None:
    for name in ("X.ws.1.0", "Y.ws.1.0"):
        (tmp_path / name).write_bytes(SOCKET)
    with pytest.raises(TapeError, match=r"holds several recordings: X\.ws\.1\.0, Y\.ws\.1\.0") as caught:
        TapeReader(tmp_path)
    assert "give one of them" in str(caught.value)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="Is a directory"):
        TapeReader(tmp_path)


@pytest.mark.parametrize("text", [STAMPED, SOCKET])
def test_a_file_cut_in_a_line_yields_the_whole_ones(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "X.ws.1.0"
    path.write_bytes(text)
    whole = read(path)
    path.write_bytes(text[:-4])
    tape = TapeReader(path, venue="binance")
    assert [given.raw for _, _, given in tape if isinstance(given, Frame)] == [raw for *_, raw in whole[:-1]]
    assert tape.cut_short == "in the middle of a line"


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (STAMPED, b'17231612540 {"x":1}'),
        (STAMPED, b'99999999999999999999 {"x":1}'),
        (STAMPED, b'{"recv_ns":1,"raw":""}'),
        (SOCKET, b'yesterday: {"x":1}'),
        (SOCKET, b'https://x.example/y -> later: {"x":1}'),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, head: bytes, line: bytes) -> None:
    path = tmp_path / "X.ws.1.0"
    path.write_bytes(head + line + b"\n" + b"\n")
    with pytest.raises(TapeError) as caught:
        read(path)
    assert caught.value.place == str(path)
    assert caught.value.problem == f"line {len(head.splitlines()) + 1} cannot be read"
    assert "a recording of this form is lines of" in caught.value.mend


def test_other_lines_are_what_they_were(tmp_path: Path) -> None:
    """Ours and plain JSON lines are read as before; what is neither says so."""
    path = tmp_path / "a"
    path.write_bytes(b"12 monkeys\n")
    with pytest.raises(TapeError, match="it is no JSON object"):
        TapeReader(path)
    path.write_bytes(b'{"recv_ns":5,"raw":"{}"}\n')
    assert read(path) == [(1, 5, "public", b"{}")]


@pytest.mark.real_data
def test_replay_of_hftbacktest(real_data: Path) -> None:
    """By Binance's own name; by ours: tests/connectors/test_binance_recorded.py."""
    file = real_data / "binance_spot_hftbacktest/spot_ethusdt_20240808.gz"
    result = gateway("replay", str(file), "--venue", "binance", "--instrument", "ETHUSDT:2:4")
    assert (result["frames"], result["book_frames"], result["trades"]) == (33_618, 3433, 6106)
    assert (result["gaps"], result["resyncs"], result["lost"]) == (0, 0, {})
    assert result["books"]["binance:ETHUSDT"]["valid"]


@pytest.mark.real_data
def test_replay_of_cryptofeed(real_data: Path) -> None:
    pairs = ("NKN/USDT:4:0", "BLZ/ETH:8:0", "LRC/BTC:8:0", "RUNE/EUR:3:1")
    options = [word for pair in pairs for word in ("--instrument", pair)]
    result = gateway("replay", str(real_data / "binance_spot_cryptofeed"), "--venue", "binance", *options)
    assert (result["gaps"], result["resyncs"], result["lost"]) == (0, 0, {})
    assert [book["valid"] for book in result["books"].values()] == [True] * 4
