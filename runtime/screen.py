"""What `serve` shows while it runs: one line a second on stderr, and every notice as it comes."""

import asyncio
import sys
from contextlib import suppress
from typing import TextIO

from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, decimal_text, trimmed_text
from runtime.session import Session

EVERY_S = 1.0
_MARKS = {"info": " ", "warning": "!", "error": "×"}


class Screen:
    """`tell` prints a notice; `run` prints a status line for each instrument every second."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr

    def tell(self, text: str, level: str = "warning") -> None:
        self._print(f"{_MARKS.get(level, ' ')} {text}")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # nobody reads any more (`2>&1 | head`): no reason to stop trading
            print(line, file=self._out, flush=True)

    async def run(self, session: Session) -> None:
        """Until cancelled."""
        before = 0
        while True:
            await asyncio.sleep(EVERY_S)
            now = session.engine.stats.book_frames
            for line in status_lines(session, (now - before) / EVERY_S):
                self._print(line)
            before = now


def status_lines(session: Session, books_per_s: float) -> list[str]:
    """What a person wants to know at a glance: feed, touch, position, money, verdicts."""
    engine = session.engine
    lines = []
    for index, symbol in enumerate(engine.spec.symbols):
        book = engine.books[index]
        instrument = engine.instruments[index]
        if not book.valid or instrument is None:
            lines.append(f"  {symbol:<10} no book: {book.reason}")
            continue
        places = instrument.price_precision
        bid, ask = (
            decimal_text(px // 10 ** (PRICE_DECIMALS - places), places) for px in (book.best_bid_1e9, book.best_ask_1e9)
        )
        positions = [p for (_, i), p in engine.oms.positions.items() if i == index]
        qty = trimmed_text(sum(p.qty_1e8 for p in positions), SIZE_DECIMALS)
        pnl = decimal_text(sum(p.session_1e9 for p in positions) // 10 ** (MONEY_DECIMALS - 2), 2)
        lines.append(f"  {symbol:<10} {bid} / {ask}  position {qty}  PnL {pnl} {instrument.quote}")
    denied = " ".join(f"{reason} {count}" for reason, count in sorted(engine.desk.denied.items()))
    lines.append(
        f"  {engine.state} · {books_per_s:.0f} books/s · {engine.desk.approved} approved · "
        f"{sum(engine.desk.denied.values())} denied{f' ({denied})' if denied else ''} · "
        f"{engine.oms.fills} fills · {len(engine.oms.orders)} open"
    )
    return lines
