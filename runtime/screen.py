"""What `serve` shows while it runs: one line a second on stderr, and every notice as it comes.

Nobody may be reading (`serve 2>&1 | less`), and a full pipe blocks whoever writes to it. So while a session runs, lines
go into a bounded queue that one daemon thread empties; a full queue drops lines and counts them.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, decimal_text, trimmed_text
from runtime.session import Session
from runtime.texts import plain

EVERY_S = 1.0
LINES_QUEUED_MAX: Final = 1000
FLUSH_S: Final = 1.0
_MARKS = {"info": " ", "warning": "!", "error": "×"}


class Screen:
    """`tell` prints a notice; `run` prints a status line for each instrument every second."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._writer: _Writer | None = None

    def tell(self, text: str, level: str = "warning") -> None:
        self._print(f"{_MARKS.get(level, ' ')} {plain(text, keep=chr(10))}")

    def tell_first(self, text: str, level: str = "warning") -> None:
        """`tell` that returns once it is written, or nobody reads: for what is said before something is done."""
        self.tell(text, level)
        if self._writer is not None:
            self._writer.flush(FLUSH_S)

    def _print(self, line: str) -> None:
        if self._writer is not None:
            self._writer.put(line)
        else:
            _write(self._out, line)

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Within the block no line waits for its reader; at its end what is queued is given `FLUSH_S` to be read."""
        writer = self._writer = _Writer(self._out)
        writer.start()
        try:
            yield
        finally:
            if writer.finish(FLUSH_S):
                self._writer = None  # else its thread is stuck in a write for good: later lines are dropped, too

    async def run(self, session: Session) -> None:
        """Until cancelled."""
        before = 0
        while True:
            await asyncio.sleep(EVERY_S)
            now = session.engine.stats.book_frames
            for line in status_lines(session, (now - before) / EVERY_S):
                self._print(plain(line))  # a book's reason is a venue's word
            before = now


class _Writer(threading.Thread):
    """Writes queued lines in their order; `put` never waits."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(name="screen", daemon=True)
        self._out = out
        self._lines: list[str] = []
        self._dropped = 0
        self._is_finishing = False
        self._is_writing = False
        self._changed = threading.Condition()

    def put(self, line: str) -> None:
        with self._changed:
            if len(self._lines) >= LINES_QUEUED_MAX:
                self._dropped += 1
            else:
                self._lines.append(line)
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Waits until all that was queued has been written, but no longer."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._is_writing, timeout_s)

    def finish(self, timeout_s: float) -> bool:
        """Whether all that was queued has been written."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()
        self.join(timeout_s)
        return not self.is_alive()

    def run(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._is_finishing)
                lines, self._lines = self._lines, []
                dropped, self._dropped = self._dropped, 0
                if not lines:
                    return
                self._is_writing = True
            for line in lines:
                _write(self._out, line)
            if dropped:
                _write(self._out, f"! {dropped} lines were dropped: nobody was reading")


def _write(out: TextIO, line: str) -> None:
    """One line. A thread stuck in `print` would hold the stream's lock, on which the interpreter dies at its exit."""
    with suppress(OSError, ValueError):  # nobody reads any more (`2>&1 | head`): no reason to stop trading
        try:
            number = out.fileno()
        except OSError:  # a stream in memory
            print(line, file=out, flush=True)
            return
        data = f"{line}\n".encode(errors="replace")
        while data:
            data = data[os.write(number, data) :]


def _held(session: Session, pools: Container[int]) -> str:
    """What algos hold in pools, and their session PnL there, by symbol."""
    engine, held = session.engine, dict[str, list[int]]()
    for (_, index), position in engine.oms.positions.items():
        instrument = engine.instruments[index]
        if index in pools and instrument is not None:
            sums = held.setdefault(instrument.symbol, [0, 0])
            sums[0] += position.qty_1e8
            sums[1] += position.session_1e9
    return "".join(
        f"  {symbol} position {trimmed_text(qty, SIZE_DECIMALS)}  "
        f"PnL {decimal_text(pnl // 10 ** (MONEY_DECIMALS - 2), 2)} {symbol.partition('/')[2]}"
        for symbol, (qty, pnl) in held.items()
    )


def is_pool(session: Session, index: int) -> bool:
    """Whether this market is one pool, not a symbol of a venue."""
    return any(index in port.pools for port in session.engine.ports.values())


def status_lines(session: Session, books_per_s: float) -> list[str]:
    """What a person wants to know at a glance: feed, touch, position, money, verdicts; without algos the feed alone."""
    engine = session.engine
    lines = []
    for index, name in enumerate(engine.names):
        if is_pool(session, index):
            continue  # `gateway pools` shows them; here they are counted
        symbol = name if len(engine.ports) > 1 else name.partition(":")[2]
        book = engine.books[index]
        instrument = engine.instruments[index]
        if not book.valid or instrument is None:
            lines.append(f"  {symbol:<10} no book: {book.reason}")
            continue
        places = instrument.price_precision
        bid, ask = (
            decimal_text(px // 10 ** (PRICE_DECIMALS - places), places) for px in (book.best_bid_1e9, book.best_ask_1e9)
        )
        line = f"  {symbol:<10} {bid} / {ask}"
        if engine.algos:
            positions = [p for (_, i), p in engine.oms.positions.items() if i == index]
            qty = trimmed_text(sum(p.qty_1e8 for p in positions), SIZE_DECIMALS)
            pnl = decimal_text(sum(p.session_1e9 for p in positions) // 10 ** (MONEY_DECIMALS - 2), 2)
            line += f"  position {qty}  PnL {pnl} {instrument.quote}"
        lines.append(line)
    for port in engine.ports.values():
        if port.pools:
            shown = sum(engine.books[index].valid for index in port.pools)
            lines.append(f"  {port.name}: {shown} of {len(port.pools)} pools{_held(session, port.pools)}")
    if not engine.algos:
        return [*lines, f"  {engine.state} · {books_per_s:.0f} books/s · {engine.stats.frames} frames"]
    denied = " ".join(f"{reason} {count}" for reason, count in sorted(engine.desk.denied.items()))
    lines.append(
        f"  {engine.state} · {books_per_s:.0f} books/s · {engine.desk.approved} approved · "
        f"{sum(engine.desk.denied.values())} denied{f' ({denied})' if denied else ''} · "
        f"{engine.oms.fills} fills · {len(engine.oms.orders)} open"
    )
    return lines
