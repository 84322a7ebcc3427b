"""Our whole turn beside other clients' order-book handlers, on the same frames in one run.

    uv run python -m tests.bench.peers [--rounds N]

Ours: `Session.step(Frame(…))` from the bytes of a frame on, on paper: typed decode, book, checksum of every message,
the gate's marks, a WASM guest's callback (sandboxed, with fuel), the session's hash. Not in it: socket, tape, journal.

* orders on 5 %: the guest (`tests/support/guests.every`, the oldest ABI, which has no features) asks on every 20th book
  for an IOC buy under the best bid. All checks judge it; it is approved, encoded as Kraken takes it, read back and
  compared by the tap, acknowledged and expired by the paper venue, folded by gate and OMS, all in that turn.
* filled orders on 5 %: the same, above the best bid: filled, which the guest is told. From then on there is a position
  to be marked with each book, and the paper venue remembers what was taken.
* market maker: the shipped example of the newest ABI. Features are computed for it on every book; it does as it likes
  (one order in 150 books or so), and its orders rest at the paper venue, which looks at each book for them.
* no order: a guest that is called and asks for nothing. Book only: no guest, which is what the others do.

ccxt.pro and python-kraken-sdk: `peer_clients.py` says what runs. They act on nothing.

Frames are real (../shared/data, Kraken ETH/USD, depth 25) where that folder is present, else the embedded venue's, the
levels of a message in Kraken's order. Before anything is timed, all are fed frame by frame, and after each book frame
their books must be the same, level by level; after each timed pass their last books must be, our orders must have come
to what is said above, and every checksum must have been right. What differs ends the run with exit code 1; slowness
does not. Each figure is the median of so many rounds, each ratio the median of the rounds' own ratios: within a round
all take turns.
"""

import argparse
import gc
import re
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

import msgspec

from connectors.events import Notice
from connectors.instrument import Instrument
from connectors.venues.kraken import VENUE
from runtime.host import AlgoHost
from runtime.inputs import Frame, Output
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec
from tests.bench.chain import LIMITS, Frames, real_frames, sim_frames
from tests.bench.peer_clients import CCXT, SDK, CcxtPro, Handler, KrakenSdk, Peer, Sides, WrongBookError, installed
from tests.support.data import ROOT
from tests.support.guests import every

DEPTH: Final = 25
NTH: Final = 20  # an order on every 20th book: 5 %
IOC: Final = 2
AWAY_1E9: Final = 10 * 10**9  # from the best bid: above it, an order crosses
PAUSE_NS: Final = 10**9  # between one pass of the recording and the next
GOAL: Final = 2.0
OURS: Final = "venuegate, orders on 5 %"
_LEVEL: Final = re.compile(rb'\{"price":[^{}]*\}')
_SIDE: Final = re.compile(rb'("(?:bids|asks)":)\[([^\]]*)\]')
_GONE: Final = re.compile(rb'"qty":0\.?0*\}')
_ROW: Final = "  {:<34} {:>8}  {}"


class Variant(msgspec.Struct, frozen=True):
    """What one of our lines does. `nth`: 0 for a guest that never acts by the clock of books. `is_filled`: or expired.

    `wasm`: None for no guest at all.
    """

    name: str
    wasm: bytes | None
    nth: int = 0
    is_filled: bool = False
    is_free: bool = False  # the guest's orders are its own affair, but there are some


def variants() -> list[Variant]:
    """The goal's own first."""
    under, above = (every(NTH, below_1e9=away, order_type=IOC) for away in (AWAY_1E9, -AWAY_1E9))
    return [
        Variant(OURS, under, NTH),
        Variant("venuegate, filled orders on 5 %", above, NTH, is_filled=True),
        Variant("venuegate, market maker", (ROOT / "fixtures/algos/market_maker.wasm").read_bytes(), is_free=True),
        Variant("venuegate, no order", every(0)),
        Variant("venuegate, book only", None),
    ]


class Ours:
    """One session. A pass over the frames is a later minute of its life."""

    def __init__(self, frames: Frames, instrument: Instrument, variant: Variant) -> None:
        self.name = variant.name
        self._frames = frames
        self._variant = variant
        self._ahead_ns = 0
        algos: tuple[AlgoSpec, ...] = ()
        if variant.wasm is not None:
            algos = (AlgoSpec("bench", AlgoHost(variant.wasm, name=variant.name), (instrument.symbol,)),)
        venue = VenueSpec(venue=VENUE, depth=DEPTH, instruments={instrument.symbol: instrument})
        self.session = Session(EngineSpec(venues=(venue,), symbols=(instrument.symbol,), limits=LIMITS, algos=algos))

    def feed(self, start: int, stop: int) -> float:
        step, carry, ahead_ns = self.session.step, self._carry, self._ahead_ns
        clock, frames = time.perf_counter, self._frames[start:stop]
        begin = clock()
        for recv_ns, raw in frames:
            step(Frame("kraken", "public", raw), recv_ns + ahead_ns, carry)
        spent = clock() - begin
        if stop == len(self._frames):
            self._ahead_ns += self._frames[-1][0] - self._frames[0][0] + PAUSE_NS
            self._check()
        return spent

    @staticmethod
    def _carry(outputs: list[Output]) -> None:
        """Where a socket would be: nothing leaves on paper, and no error may be told."""
        for output in outputs:
            if type(output) is Notice and output.level == "error":
                raise WrongBookError(f"ours: {output.text}")

    def _check(self) -> None:
        """That all passes so far did what they say."""
        engine, variant = self.session.engine, self._variant
        stats, desk = engine.stats, engine.desk
        if not stats.checksums_ok or stats.checksums_failed or stats.dropped:
            raise WrongBookError(f"ours: {stats.checksums_failed} checksums differ, {stats.dropped} frames dropped")
        if not all(algo.is_alive for algo in engine.algos):
            raise WrongBookError(f"{self.name}: the guest was disabled")
        done = desk.approved, engine.oms.fills, sum(desk.denied.values())
        wanted = stats.book_frames // variant.nth if variant.nth else 0
        is_filled = engine.oms.fills >= wanted if variant.is_filled else not engine.oms.fills  # of several levels, too
        is_done = desk.approved == wanted and is_filled and not desk.denied and not engine.oms.orders
        if not (desk.approved if variant.is_free else is_done):
            raise WrongBookError(f"{self.name}: {done[0]} approved, {done[1]} filled, {done[2]} denied; {wanted} asked")

    def book(self) -> Sides:
        book = self.session.engine.books[0]
        if not book.valid:
            return [], []
        return [(px, size) for px, size in book.bids], [(px, size) for px, size in book.asks]

    def close(self) -> None:
        pass


def same(handlers: Sequence[Handler], where: str) -> None:
    """Raises WrongBookError unless all hold the same book, and one with two sides."""
    first, *others = handlers
    expected = first.book()
    if not expected[0] or not expected[1]:
        raise WrongBookError(f"{where}: {first.name} holds no book")
    for other in others:
        found = other.book()
        for side, ours, theirs in zip(("bids", "asks"), expected, found, strict=True):
            if ours != theirs:
                at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
                what = f"{len(ours)} and {len(theirs)} levels" if at is None else f"{ours[at]} and {theirs[at]}"
                raise WrongBookError(f"{where}: {side} of {first.name} and {other.name} differ: {what}")


def walk(handlers: Sequence[Handler], frames: Frames) -> int:
    """One pass, untimed, frame by frame: the books after each book frame compared. How many were."""
    compared = 0
    for n, (_, raw) in enumerate(frames):
        for handler in handlers:
            handler.feed(n, n + 1)
        if raw.startswith(b'{"channel":"book"'):
            same(handlers, f"after frame {n}")
            compared += 1
    return compared


def measure(handlers: Sequence[Handler], frames: Frames, rounds: int) -> dict[str, list[float]]:
    """Seconds a frame of each, round by round."""
    spent: dict[str, list[float]] = {handler.name: [] for handler in handlers}
    is_on = gc.isenabled()
    gc.disable()
    try:
        for n in range(rounds):
            gc.collect()
            for handler in handlers:
                spent[handler.name].append(handler.feed(0, len(frames)) / len(frames))
            same(handlers, f"after round {n + 1}")
    finally:
        if is_on:
            gc.enable()
    return spent


def kraken_order(raw: bytes) -> bytes:
    """The same message as Kraken's own in the recordings are: each price once, a side's removals before the rest.

    The embedded venue does worse on purpose, which the SDK does not survive: it cuts a side to its depth after each
    level of a message.
    """

    def sorted_side(found: re.Match[bytes]) -> bytes:
        last = {one.split(b",")[0]: one for one in _LEVEL.findall(found[2])}
        levels = sorted(last.values(), key=lambda one: _GONE.search(one) is None)
        return b"%b[%b]" % (found[1], b",".join(levels))

    return _SIDE.sub(sorted_side, raw)


def contenders(frames: Frames, instrument: Instrument) -> tuple[list[Handler], list[str]]:
    """Ours and the peers that are installed; and of the others, what to say."""
    texts = [raw.decode() for _, raw in frames]
    made: list[Handler] = [Ours(frames, instrument, variant) for variant in variants()]
    said = []
    peers: list[tuple[str, str, Callable[[], Peer], str]] = [
        ("ccxt", CCXT, lambda: CcxtPro(texts, instrument.symbol, DEPTH), "uv sync --extra ccxt"),
        ("python-kraken-sdk", SDK, lambda: KrakenSdk(texts, instrument, DEPTH), "uv pip install -r .ci/oracles.txt"),
    ]
    for package, wanted, make, mend in peers:
        found = installed(package)
        if not found:
            said.append(f"{package} is not installed, and not measured: {mend}")
            continue
        peer = make()
        made.append(peer)
        said.append(f"{peer.name} {found}: {peer.note}")
        if found != wanted:
            said.append(f"docs/benchmarks.md tells of {package} {wanted}")
    return made, said


def shown(handlers: Sequence[Handler], spent: dict[str, list[float]]) -> list[str]:
    """The table: median µs a message, and how many times that each peer takes."""
    peers = [handler.name for handler in handlers if not isinstance(handler, Ours)]
    lines = [_ROW.format("", "µs", "".join(f"{peer + ' ÷ it':>25}" for peer in peers))]
    for handler in handlers:
        own = spent[handler.name]
        ratios = {peer: median(a / b for a, b in zip(spent[peer], own, strict=True)) for peer in peers}
        cells = "".join(f"{ratio:>23.2f} ×" for ratio in ratios.values())
        if handler.name == OURS and CcxtPro.name in ratios:
            verdict = "reached" if ratios[CcxtPro.name] >= GOAL else "missed"
            cells += f"   goal: {CcxtPro.name} ÷ it ≥ {GOAL:g}: {verdict}"
        lines.append(_ROW.format(handler.name, f"{median(own) * 1e6:.2f}", cells))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    rounds = max(parser.parse_args().rounds, 1)
    recorded = real_frames()
    frames, instrument = recorded or sim_frames()
    if recorded is None:
        frames = [(at_ns, kraken_order(raw)) for at_ns, raw in frames]
    handlers, said = contenders(frames, instrument)
    try:
        compared = walk(handlers, frames)
        spent = measure(handlers, frames, rounds)
    except WrongBookError as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 1
    finally:
        for handler in handlers:
            handler.close()
    source = "a recording of" if recorded else "made frames of"
    print(
        f"{len(frames)} frames, {source} Kraken {instrument.symbol} at depth {DEPTH}; µs a message, median of {rounds}"
    )
    print(f"equal books, all {DEPTH} levels a side, after each of {compared} book frames: {len(handlers)} holders")
    print("\n".join([*shown(handlers, spent), *said]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
