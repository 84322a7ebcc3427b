"""Tapes: what is written comes back, what is cut yields its lines, what is foreign is read or named."""

import base64
import gzip
import json
import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import TapeError
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from runtime.tape import Header, TapeReader, TapeWriter, VenueEntry, encode_input

HEADER = Header(
    venuegate_tape=2, package="0.1.0", venues=(VenueEntry("kraken", 10),), symbols=("BTC/USD",),
    limits={"max_position_1e8": 1}, fees={"maker_ppm": 1}, tag="vg1",
)  # fmt: skip
INPUTS: list[Input] = [
    LinkUp("kraken", "public"),
    Frame("kraken", "public", b'{"channel":"heartbeat"}'),
    Frame("kraken", "public", 'text with "quotes", \\ and é 漢 \u2028 \x00 \x1f \n in it'.encode()),
    Frame("kraken", "public", b"\xff\xfe not UTF-8 \x80\x00"),
    Frame("kraken", "public", b"\xed\xa0\x80"),  # a lone surrogate: not UTF-8 either
    Frame("kraken", "public", b""),
    Timer(),
    Command("kill", "ana"),
    Command("stop", ""),
    LinkDown("kraken", "public", "1001 CloudFlare WebSocket proxy restarting"),
]
T0 = 1_786_874_645_000_000_000


def write(path: Path, inputs: Iterable[tuple[int, Input]], *, digest: str | None = "ab" * 32) -> Path:
    writer = TapeWriter(path, HEADER)
    for recv_ns, given_ in inputs:
        writer.append(given_, recv_ns)
    if digest is None:
        writer.abandon()
    else:
        writer.close(digest)
    return path


def timed(inputs: Iterable[Input], step_ns: int = 1000) -> list[tuple[int, Input]]:
    return [(T0 + step_ns * n, item) for n, item in enumerate(inputs)]


def test_every_kind_of_input_comes_back(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tape", timed(INPUTS))
    tape = TapeReader(path)
    assert tape.header == HEADER
    assert list(tape) == [(n + 1, T0 + 1000 * n, item) for n, item in enumerate(INPUTS)]
    assert tape.footer is not None
    assert (tape.footer.n, tape.footer.hash) == (len(INPUTS), "ab" * 32)
    assert (tape.cut_short, tape.out_of_order, tape.is_altered) == ("", "", False)


@settings(deadline=None, database=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_frame_comes_back_byte_for_byte(raw: bytes) -> None:
    line = encode_input(1, 5, Frame("kraken", "public", raw))
    assert line.count(b"\n") == 1
    row = json.loads(line)
    assert (base64.b64decode(row["raw_b64"]) if "raw_b64" in row else row["raw"].encode()) == raw


def test_a_tape_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tape", timed(INPUTS))
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        TapeWriter(path, HEADER)
    assert path.read_bytes() == before


def test_a_session_that_did_not_end_has_no_footer_but_all_whole_blocks(tmp_path: Path) -> None:
    """Blocks end each second: a crash loses less than one."""
    inputs = timed([Timer()] * 25, step_ns=100_000_000)
    tape = TapeReader(write(tmp_path / "a.tape", inputs, digest=None))
    got = list(tape)
    assert tape.footer is None
    assert len(inputs) - len(got) <= 10
    assert [(ns, item) for _, ns, item in got] == inputs[: len(got)]


def long_tape(path: Path) -> list[tuple[int, Input]]:
    frames = [Frame("kraken", "public", f'{{"n":{n},"text":"{n * 7919 % 1009}"}}'.encode()) for n in range(400)]
    inputs = timed(frames, step_ns=30_000_000)
    write(path, inputs)
    return inputs


def test_a_tape_cut_anywhere_yields_a_prefix_and_says_so(tmp_path: Path) -> None:
    inputs = long_tape(tmp_path / "whole.tape")
    data = (tmp_path / "whole.tape").read_bytes()
    first_block = len(
        zstandard.ZstdCompressor(level=3, write_checksum=True).compress(msgspec.json.encode(HEADER) + b"\n")
    )
    cut = tmp_path / "cut.tape"
    lengths, unsaid = [], 0
    for size in range(first_block, len(data), 100):
        cut.write_bytes(data[:size])
        tape = TapeReader(cut)
        assert tape.header == HEADER
        got = [(ns, item) for _, ns, item in tape]
        assert got == inputs[: len(got)]
        assert tape.footer is None
        unsaid += not tape.cut_short
        lengths.append(len(got))
    assert lengths == sorted(lengths)
    assert lengths[-1] > 350
    assert unsaid <= 1  # a cut exactly between two blocks cannot be seen; only the footer is missed


def test_a_cut_through_the_header_is_named(tmp_path: Path) -> None:
    long_tape(tmp_path / "whole.tape")
    data = (tmp_path / "whole.tape").read_bytes()
    cut = tmp_path / "cut.tape"
    cut.write_bytes(b"")
    with pytest.raises(TapeError, match=r"cut\.tape: is empty"):
        TapeReader(cut)
    for size in (3, 20, 60):
        cut.write_bytes(data[:size])
        try:
            tape = TapeReader(cut)
        except TapeError as error:
            assert str(cut) in str(error)  # noqa: PT017 - either is right: it depends on what zstd makes of it
            continue
        assert list(tape) == []
        assert tape.cut_short


def test_a_flipped_bit_is_noticed_not_replayed(tmp_path: Path) -> None:
    """Blocks carry a checksum: what comes out up to there is what was written."""
    inputs = long_tape(tmp_path / "whole.tape")
    data = (tmp_path / "whole.tape").read_bytes()
    damaged = tmp_path / "damaged.tape"
    for at in range(400, len(data) - 100, 331):
        damaged.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        tape = TapeReader(damaged)
        try:
            got = [(ns, item) for _, ns, item in tape]
        except TapeError:
            continue
        assert tape.cut_short
        assert got == inputs[: len(got)]


FOREIGN = b"".join(json.dumps({"recv_ns": 100 + n, "raw": f'{{"n":{n}}}'}).encode() + b"\n" for n in range(50))
WANTED = [(n + 1, 100 + n, Frame("kraken", "public", f'{{"n":{n}}}'.encode())) for n in range(50)]


def frames_of(tmp_path: Path, data: bytes, name: str = "foreign") -> list[tuple[int, int, Input]]:
    path = tmp_path / name
    path.write_bytes(data)
    tape = TapeReader(path, venue="kraken")
    assert tape.header is None
    got = list(tape)
    assert tape.footer is None
    return got


@pytest.mark.parametrize(
    "data",
    [
        FOREIGN,
        FOREIGN.rstrip(b"\n"),
        FOREIGN.replace(b"\n", b"\r\n"),
        gzip.compress(FOREIGN),
        gzip.compress(FOREIGN[:777]) + gzip.compress(FOREIGN[777:]),  # as `cat a.gz b.gz`
        zstandard.ZstdCompressor().compress(FOREIGN),
        zstandard.ZstdCompressor().compress(FOREIGN[:777]) + zstandard.ZstdCompressor().compress(FOREIGN[777:]),
        zstandard.ZstdCompressor(write_content_size=False).compressobj().compress(b"")
        + zstandard.ZstdCompressor(level=19).compress(FOREIGN),
    ],
    ids=["plain", "no last newline", "crlf", "gzip", "two gzips", "zstd", "two zstds", "zstd 19"],
)
def test_foreign_recordings(tmp_path: Path, data: bytes) -> None:
    """Told by their first bytes, whatever they are called."""
    assert frames_of(tmp_path, data, "day.jsonl") == WANTED


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    lines = FOREIGN.splitlines(keepends=True)
    got = frames_of(tmp_path, b"".join(lines[:2]) + b"\n   \n" + lines[2])
    assert [(n, item) for n, _, item in got] == [(1, WANTED[0][2]), (2, WANTED[1][2]), (5, WANTED[2][2])]


def test_a_clock_that_steps_back_is_held(tmp_path: Path) -> None:
    data = b"".join(b'{"recv_ns":%d,"raw":"x"}\n' % ns for ns in (10, 30, 20, 5, 31))
    assert [ns for _, ns, _ in frames_of(tmp_path, data)] == [10, 30, 30, 30, 31]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json", "cannot be read"),
        (b"[1,2]", "cannot be read"),
        (b"{}", "has no recv_ns"),
        (b'{"recv_ns":5}', "has neither raw nor kind"),
        (b'{"recv_ns":"5","raw":"x"}', "cannot be read"),
        (b'{"recv_ns":-1,"raw":"x"}', "cannot be read"),
        (b'{"recv_ns":9223372036854775808,"raw":"x"}', "cannot be read"),  # beyond the records' 63 bits
        (b'{"recv_ns":5,"raw":7}', "cannot be read"),
        (b'{"recv_ns":5,"raw":"\xff"}', "cannot be read"),
        (b'{"recv_ns":5,"raw_b64":"*"}', "not base64"),
        (b'{"recv_ns":5,"raw_b64":"YWJj\\n!"}', "not base64"),
        (b'{"recv_ns":5,"kind":"surprise"}', "unknown kind 'surprise'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(FOREIGN + line + b"\n" + FOREIGN)
    tape = TapeReader(path, venue="kraken")
    with pytest.raises(TapeError) as caught:
        list(tape)
    assert caught.value.place == str(path)
    assert caught.value.problem.startswith("line 51 ")
    assert said in caught.value.problem
    assert "recv_ns" in caught.value.mend


def test_a_plain_recording_cut_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(FOREIGN[:-9])
    tape = TapeReader(path, venue="kraken")
    assert list(tape) == WANTED[:-1]
    assert tape.cut_short == "in the middle of a line"


def test_a_gzip_cut_short_yields_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(FOREIGN)[:-20])
    tape = TapeReader(path, venue="kraken")
    got = list(tape)
    assert got == WANTED[: len(got)]
    assert tape.cut_short


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (b'{"venuegate_tape":9,"package":"9.9.0","venues":[],"symbols":[],"limits":{},"fees":{},"tag":""}',
         "has format 9, this version reads 2\n  mend: replay it with venuegate 9.9.0"),
        (b'{"venuegate_tape":1,"package":"0.1.0","venue":"kraken"}', "has format 1, this version reads 2\n"),
        (b'{"venuegate_tape":2}', "header: "),
        (b'{"venuegate_tape":2,"venues":"\xff"}', "header: "),
        (b'{"venuegate_tape":"1"', "header: "),
    ],
)  # fmt: skip
def test_a_header_of_another_kind_is_refused(tmp_path: Path, first: bytes, said: str) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(first + b"\n")
    with pytest.raises(TapeError) as caught:
        TapeReader(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for path, said in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "empty", "empty"),
    ):
        with pytest.raises(TapeError, match=said) as caught:
            TapeReader(path)
        assert caught.value.place == str(path)
        assert caught.value.mend


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(FOREIGN)[:15],
        gzip.compress(FOREIGN)[:12] + b"\xff" * 40,
        zstandard.ZstdCompressor(write_checksum=True).compress(FOREIGN)[:20],
        zstandard.ZstdCompressor().compress(FOREIGN)[:6] + b"\xff" * 40,
        b"\x28\xb5\x2f",
        FOREIGN[:17],
    ],
    ids=["gzip cut", "gzip damaged", "zstd cut", "zstd damaged", "zstd magic cut", "plain cut"],
)
def test_a_head_that_cannot_be_read_is_not_called_empty(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    path.write_bytes(data)
    with pytest.raises(TapeError, match=r"is damaged or cut short in .*, before its first line ends") as caught:
        TapeReader(path)
    assert caught.value.place == str(path)


def test_inputs_missing_or_moved_are_noticed(tmp_path: Path) -> None:
    """Heartbeats and timers may leave no trace in the hash; their numbers do."""
    path = write(tmp_path / "a.tape", timed(INPUTS))
    text = b"".join(_blocks(path))
    lines = text.splitlines(keepends=True)
    for changed in ([*lines[:3], *lines[4:]], [*lines[:3], lines[4], lines[3], *lines[5:]]):
        path.write_bytes(b"".join(changed))
        tape = TapeReader(path)
        assert len(list(tape)) >= len(INPUTS) - 1
        assert tape.out_of_order == "input 4 stands where 3 should"


def test_any_digit_changed_is_noticed(tmp_path: Path) -> None:
    """Also where no output depends on it, as in a heartbeat's time or the header's tag."""
    path = write(tmp_path / "a.tape", timed(INPUTS))
    text = b"".join(_blocks(path))
    for old, new in (
        (b'"tag":"vg1"', b'"tag":"vg2"'),
        (b'"who":"ana"', b'"who":"bob"'),
        (b"1001 Cloud", b"1002 Cloud"),
    ):
        assert text.count(old) == 1
        path.write_bytes(zstandard.ZstdCompressor().compress(text.replace(old, new)))
        tape = TapeReader(path)
        assert len(list(tape)) == len(INPUTS)
        assert tape.is_altered
    path.write_bytes(text)  # the same lines, packed otherwise
    tape = TapeReader(path)
    assert len(list(tape)) == len(INPUTS)
    assert not tape.is_altered


def _blocks(path: Path) -> list[bytes]:
    data, out = path.read_bytes(), []
    while data:
        inflate = zstandard.ZstdDecompressor().decompressobj()
        out.append(inflate.decompress(data))
        data = inflate.unused_data
    return out


def test_blocks_are_bounded_by_lines_and_by_time(tmp_path: Path) -> None:
    quick = write(tmp_path / "quick", timed([Timer()] * 2500, step_ns=1))
    slow = write(tmp_path / "slow", timed([Timer()] * 5, step_ns=10**9))
    assert max(block.count(b"\n") for block in _blocks(quick)) <= 1000
    assert [block.count(b"\n") for block in _blocks(slow)] == [1, 1, 1, 1, 1, 1, 1]
    assert struct.unpack_from("<I", slow.read_bytes()) == (0xFD2FB528,)


def test_a_full_disk_raises_once_and_abandon_never(tmp_path: Path) -> None:
    """/dev/full refuses every write, also the one that closing a file tries again."""
    writer = TapeWriter(tmp_path / "a.tape", HEADER)
    writer._file.close()
    writer._file = Path("/dev/full").open("wb")  # noqa: SIM115 - the writer closes it
    with pytest.raises(OSError, match="No space left"):
        writer.append(Timer(), T0)
    writer.abandon()
    assert writer._file.closed
