"""Tapes: the inputs of a session, in the order in which the engine took them, one JSON line each, zstd-compressed.

```
{"venuegate_tape":2,"package":"0.1.0","venues":[{"name":"kraken", …}],"symbols":["BTC/USD"], …}   header: all else
{"n":1,"recv_ns":…,"kind":"up","venue":"kraken","link":"public"}
{"n":2,"recv_ns":…,"venue":"kraken","link":"public","raw":"<the frame, byte for byte>"}  raw_b64 where it is not UTF-8
{"n":3,"recv_ns":…,"kind":"timer"}
{"n":4,"recv_ns":…,"kind":"command","name":"kill","who":"ana"}
{"n":4,"hash":"…","end":true,"sha256":"…"}                                               footer of a session that ended
```
A recording made by others is lines of `{"recv_ns":…,"raw":"…"}` alone, or of a form that `foreign.py` knows. All of
them are plain, gzip or zstd; compressed blocks of ours are ended every second or every thousand lines, so that a file
cut short, by a crash or a full disk, still yields its lines.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import zstandard

from connectors.chain import ChainPlan
from connectors.errors import ConfigError, TapeError
from connectors.pool import PoolId
from risk.limits import LimitTree, Scope
from risk.override import Grant
from runtime import foreign
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from runtime.memory import SessionMemory
from runtime.regions import Param
from runtime.tape_lines import Lines

FORMAT: Final = 2
LINES_A_BLOCK: Final = 1000
BLOCK_NS: Final = 10**9


class AlgoEntry(msgspec.Struct, frozen=True):
    """An algo of the session: its deployment (`spec.AlgoSpec`), the module's digest, generation, and where it was."""

    name: str
    symbols: tuple[str, ...]
    sha256: str
    path: str = ""
    abi: str = ""
    venues: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    label: str = ""
    restarts: int = 0


class VenueEntry(msgspec.Struct, frozen=True):
    """A venue of the session, with what was known before it spoke."""

    name: str
    depth: int
    instruments: tuple[dict[str, Any], ...] = ()
    pools: tuple[PoolId, ...] = ()
    chain: ChainPlan | None = None
    on_paper: bool = False
    audit_ns: int = 0
    is_ticking: bool = False
    options: dict[str, str] = {}


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Everything besides the inputs that decides a session's outputs (`spec.EngineSpec`), in plain values."""

    venuegate_tape: int
    package: str
    venues: tuple[VenueEntry, ...]
    symbols: tuple[str, ...]
    limits: dict[str, int]
    fees: dict[str, int]
    tag: str
    algos: tuple[AlgoEntry, ...] = ()
    predictor: str = ""
    scopes: tuple[Scope, ...] = ()
    instruments: tuple[str, ...] | None = None
    promoted: tuple[str, ...] = ()
    origins: dict[str, str] = {}
    balances: dict[str, dict[str, int]] = {}
    memory: SessionMemory | None = None
    is_paper: bool = True
    is_sim: bool = False


class _Kind(msgspec.Struct):
    venuegate_tape: int
    package: str = "?"


class Footer(msgspec.Struct, frozen=True):
    """The end of a session that ended: how many inputs, the hash of its outputs, and that of the lines before it."""

    n: int
    hash: str
    end: bool = True
    sha256: str = ""


class _Line(msgspec.Struct):
    recv_ns: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    n: int = 0
    kind: str = "frame"
    venue: str = ""
    link: str = "public"
    raw: str | None = None
    raw_b64: str | None = None
    name: str = ""
    who: str = ""
    target: str = ""
    params: tuple[Param, ...] = ()
    limits: LimitTree | None = None
    grant: Grant | None = None
    reason: str = ""
    end: bool = False
    hash: str = ""
    sha256: str = ""
    venuegate_tape: int = 0


_decode_line = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def encode_input(n: int, recv_ns: int, given: Input) -> bytes:
    """One input as its line."""
    line: dict[str, Any] = {"n": n, "recv_ns": recv_ns}
    match given:
        case Frame(venue, link, raw):
            line |= {"venue": venue, "link": link}
            try:
                line["raw"] = raw.decode()
            except UnicodeDecodeError:
                line["raw_b64"] = base64.b64encode(raw).decode()
        case LinkUp(venue, link):
            line |= {"kind": "up", "venue": venue, "link": link}
        case LinkDown(venue, link, reason):
            line |= {"kind": "down", "venue": venue, "link": link, "reason": reason}
        case Timer():
            line["kind"] = "timer"
        case Command():
            line |= {"kind": "command", "name": given.name, "who": given.who}
            if given.target:
                line |= {"target": given.target, "params": given.params}
            if given.limits is not None:
                line["limits"] = given.limits
            if given.grant is not None:
                line["grant"] = given.grant
    return _encode(line) + b"\n"


class TapeWriter:
    """Appends inputs to a file. `append` keeps lines in memory until a block is full; raises OSError on a full disk."""

    def __init__(self, path: Path, header: Header) -> None:
        self.count = 0
        self._file = path.open("xb")
        self._compress = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._lines = [_encode(header) + b"\n"]
        self._block_ns = 0
        self._sha = hashlib.sha256()
        self._write()

    def append(self, given: Input, recv_ns: int) -> None:
        self.count += 1
        self._lines.append(encode_input(self.count, recv_ns, given))
        if len(self._lines) >= LINES_A_BLOCK or recv_ns - self._block_ns >= BLOCK_NS:
            self._block_ns = recv_ns
            self._write()

    def close(self, digest: str) -> None:
        """Writes the footer."""
        self._write()
        self._lines.append(_encode(Footer(self.count, digest, sha256=self._sha.hexdigest())) + b"\n")
        self._write()
        self._file.close()

    def cut(self) -> None:
        """Ends without a footer but with every line: the session broke, and what broke it is to be replayed."""
        with suppress(OSError):
            self._write()
        self.abandon()

    def abandon(self) -> None:
        """Closes the file as it is: after a failed write there is no honest footer. Never raises."""
        with suppress(OSError):  # what the failed write left in the buffer is tried once more, in vain
            self._file.close()

    def _write(self) -> None:
        if self._lines:
            block, self._lines = b"".join(self._lines), []
            self._sha.update(block)
            self._file.write(self._compress.compress(block))
            self._file.flush()


class TapeReader:
    """Reads own tapes and foreign recordings alike. `header` is None for a foreign one; `footer` once it was read.

    Iterating, once, yields `(n, recv_ns, input)`. Afterwards `cut_short` says how the file ended if not at a line's
    end; of a tape of ours `out_of_order` says which input is not in its place, `is_altered` that its lines are not
    those that were written.
    Raises TapeError naming file and line for a line that is not what a tape holds.
    """

    def __init__(self, path: Path, *, venue: str = "") -> None:
        self.path = path
        self.footer: Footer | None = None
        self.out_of_order = ""
        self.is_altered = False
        self._sha = hashlib.sha256()
        self._venue = venue
        self._form: foreign.Form | None = None
        self._file = foreign.main_file(path)
        self._source = Lines(self._file)
        self._lines = iter(self._source)
        self._pending = first = next(self._lines, None)
        try:
            self.header = self._read_header(first)
        except TapeError:
            self._source.close()
            raise
        if self.header is not None and first is not None:
            self._pending = None
            self._sha.update(first + b"\n")

    def __iter__(self) -> Iterator[tuple[int, int, Input]]:
        with closing(self._source):
            yield from self._inputs() if self._form is None else self._foreign(self._form)

    @property
    def cut_short(self) -> str:
        return self._source.cut_short

    def close(self) -> None:
        """For a reader that is not iterated to its end."""
        self._source.close()

    def _foreign(self, form: foreign.Form) -> Iterator[tuple[int, int, Input]]:
        last_ns = 0
        read = foreign.inputs(form, self._file, self._pending or b"", self._source, self._lines)
        for number, line in enumerate(read, 1):
            last_ns = max(last_ns, line.recv_ns)
            yield number, last_ns, Frame(self._venue, line.link, line.raw)

    def _inputs(self) -> Iterator[tuple[int, int, Input]]:
        last_ns = count = 0
        for number, line in enumerate(self._all_lines(), 1 if self.header is None else 2):
            if not line.strip():
                continue
            try:
                parsed = _decode_line(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                if self.cut_short:  # the half line that the cut left
                    break
                raise self._bad(number, f"cannot be read: {error}") from None
            if parsed.end:
                self.footer = Footer(parsed.n, parsed.hash, sha256=parsed.sha256)
                self.is_altered = parsed.sha256 not in {"", self._sha.hexdigest()}
                break
            if self.header is not None:
                self._sha.update(line + b"\n")
            if parsed.recv_ns is None:
                raise self._bad(number, "has no recv_ns")
            last_ns = max(last_ns, parsed.recv_ns)  # some recorders' clocks step back; the engine's time never does
            count += 1
            if self.header is not None and parsed.n != count and not self.out_of_order:
                self.out_of_order = f"input {parsed.n} stands where {count} should"
            yield parsed.n or number, last_ns, self._input(number, parsed)

    def _input(self, number: int, line: _Line) -> Input:
        venue = line.venue or self._venue
        match line.kind:
            case "frame":
                if line.raw is not None:
                    return Frame(venue, line.link, line.raw.encode())
                if line.raw_b64 is not None:
                    try:
                        return Frame(venue, line.link, base64.b64decode(line.raw_b64, validate=True))
                    except ValueError as error:
                        raise self._bad(number, f"has a raw_b64 that is not base64: {error}") from None
                raise self._bad(number, "has neither raw nor kind")
            case "up":
                return LinkUp(venue, line.link)
            case "down":
                return LinkDown(venue, line.link, line.reason)
            case "timer":
                return Timer()
            case "command":
                return Command(line.name, line.who, line.target, line.params, line.limits, line.grant)
            case other:
                raise self._bad(number, f"is of unknown kind {other!r}")

    def _bad(self, number: int, problem: str) -> TapeError:
        mend = 'a recording is lines of {"recv_ns": <ns>, "raw": "<frame>"}'
        return TapeError(f"line {number} {problem}", place=str(self.path), mend=mend)

    def _read_header(self, first: bytes | None) -> Header | None:
        if self.cut_short and not (first or b"").rstrip().endswith(b"}"):
            problem = f"is damaged or cut short {self.cut_short}, before its first line ends"
            raise TapeError(problem, place=str(self.path), mend="nothing of it can be read: give another copy")
        if first is None:
            raise TapeError("is empty", place=str(self.path), mend="give a tape with lines in it")
        self._form = foreign.form_of(first)
        if self._form is not None:
            return None
        if not first.lstrip().startswith(b"{"):
            mend = 'give a tape, or lines of {"recv_ns":…,"raw":"…"}'
            raise TapeError("line 1 cannot be read: it is no JSON object", place=str(self.path), mend=mend)
        if b'"venuegate_tape"' not in first[:200]:
            return None
        try:
            kind = msgspec.json.decode(first, type=_Kind)
            if kind.venuegate_tape != FORMAT:
                problem = f"has format {kind.venuegate_tape}, this version reads {FORMAT}"
                raise TapeError(problem, place=str(self.path), mend=f"replay it with venuegate {kind.package}")
            return msgspec.json.decode(first, type=Header)
        except ConfigError as error:  # a part of it checks its ranges
            problem = f"header: {error.place}: {error.problem}"
            raise TapeError(problem, place=str(self.path), mend="this tape's head is damaged") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise TapeError(f"header: {error}", place=str(self.path), mend="this tape's head is damaged") from None

    def _all_lines(self) -> Iterator[bytes]:
        if self._pending is not None:
            yield self._pending
        yield from self._lines
