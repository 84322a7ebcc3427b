"""Recordings whose lines are not ours: what two widely used recorders write, read as inputs.

hftbacktest (collect.py; github.com/nkaz001/hftbacktest): `<ns> <frame>` a line, snapshots of HTTP among the frames as
they came, naked.

cryptofeed (raw_data_collection.py; github.com/bmoscon/cryptofeed): beside each other `NAME.ws.N.M`, whose first line is
`<url> <-> <epoch>`, then `<epoch>: <frame>` a line, and `NAME.http.N.M`, `<url> -> <epoch>: <body>` a line. Given the
first or their folder, both are read as one, by time; an answer becomes a frame of the CALLS link headed by what was
asked, `GET <path>?<query> 200`. What the recorder itself sent (`<url> <- <epoch>: …`) is left out.

A time is kept to the nanosecond as it is written; no float touches it.
"""

import heapq
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple

from connectors.errors import TapeError
from connectors.session import CALLS, PUBLIC
from runtime.tape_lines import Lines

_STAMPED: Final = re.compile(rb"([0-9]{16,19}) (\S.*)", re.DOTALL)
_EPOCH: Final = rb"([0-9]{9,10})(?:\.([0-9]{1,12}))?"
_FRAME: Final = re.compile(_EPOCH + rb": (.*)", re.DOTALL)
_ANSWER: Final = re.compile(rb"[a-z]{2,6}://[^/\s]+(/\S*)? -> " + _EPOCH + rb": (.*)", re.DOTALL)
_ASIDE: Final = re.compile(rb"[a-z]{2,6}://\S+ (?:<->|<-) " + _EPOCH + rb"(?::.*)?", re.DOTALL)  # dialled; sent
_FILE: Final = re.compile(r"(.+)\.(ws|http)\.[0-9]+\.[0-9]+(?:\.gz)?")
_NS_MAX: Final = 2**63 - 1


class Form(Enum):
    """How a recording's lines are written."""

    STAMPED = auto()
    FEED = auto()


class Recorded(NamedTuple):
    """One line: when it came, on which link, and what."""

    recv_ns: int
    link: str
    raw: bytes


def form_of(first: bytes) -> Form | None:
    """Of a recording whose first line this is; None: of no form that is known here."""
    if _STAMPED.fullmatch(first):
        return Form.STAMPED
    return Form.FEED if _ASIDE.fullmatch(first) or _ANSWER.fullmatch(first) else None


def main_file(path: Path) -> Path:
    """Of a folder the socket's recording in it, if there is any; whatever else is given, itself.

    Raises TapeError for a folder with those of several venues or sessions.
    """
    if not path.is_dir():
        return path
    found = sorted(one for one in path.iterdir() if (match := _FILE.fullmatch(one.name)) and match[2] == "ws")
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise TapeError(f"holds several recordings: {names}", place=str(path), mend="give one of them")
    return found[0] if found else path


def inputs(form: Form, path: Path, first: bytes, lines: Lines, rest: Iterator[bytes]) -> Iterator[Recorded]:
    """`first` and `rest`: the lines of `path`, which are read from `lines`. Raises TapeError."""
    if form is Form.STAMPED:
        yield from _stamped(path, lines, _chained(first, rest))
        return
    with ExitStack() as stack:
        streams = [_feed(path, lines, _chained(first, rest))]
        for one in _beside(path):
            others = stack.enter_context(closing(Lines(one)))
            streams.append(_feed(one, others, iter(others)))
        yield from heapq.merge(*streams, key=lambda line: line.recv_ns)


def _beside(path: Path) -> list[Path]:
    """What was asked over HTTP while this was recorded."""
    match = _FILE.fullmatch(path.name)
    if match is None or match[2] != "ws":
        return []
    named = ((one, _FILE.fullmatch(one.name)) for one in path.parent.iterdir())
    return sorted(one for one, its in named if its and its[1] == match[1] and its[2] == "http")


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _stamped(path: Path, lines: Lines, several: Iterable[bytes]) -> Iterator[Recorded]:
    for number, line in _whole(lines, several):
        match = _STAMPED.fullmatch(line)
        if match is None or int(match[1]) > _NS_MAX:
            mend = "a recording of this form is lines of <ns since the epoch> <frame>"
            raise TapeError(f"line {number} cannot be read", place=str(path), mend=mend)
        yield Recorded(int(match[1]), PUBLIC, match[2])


def _feed(path: Path, lines: Lines, several: Iterable[bytes]) -> Iterator[Recorded]:
    last_ns = 0
    for number, line in _whole(lines, several):
        if frame := _FRAME.fullmatch(line):
            link, recv_ns, raw = PUBLIC, _ns(frame[1], frame[2]), frame[3]
        elif answer := _ANSWER.fullmatch(line):
            link, recv_ns = CALLS, _ns(answer[2], answer[3])
            raw = b"GET %s 200\n%s" % (answer[1] or b"/", answer[4])
        elif _ASIDE.fullmatch(line):
            continue
        else:
            mend = "a recording of this form is lines of <epoch>: <frame>, or <url> -> <epoch>: <body>"
            raise TapeError(f"line {number} cannot be read", place=str(path), mend=mend)
        last_ns = max(last_ns, recv_ns)  # merged by time, in the order in which they were written
        yield Recorded(last_ns, link, raw)


def _whole(lines: Lines, several: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Numbered from 1, without empty ones and without the half that a cut left."""
    for number, line in enumerate(several, 1):
        is_half = lines.cut_short and not line.rstrip().endswith(b"}")
        if line.strip() and not is_half:
            yield number, line.rstrip(b"\r")


def _ns(seconds: bytes, part: bytes | None) -> int:
    """Finer than a nanosecond is cut."""
    return int(seconds) * 10**9 + int((part or b"0").ljust(9, b"0")[:9])
