"""One market as it is followed: its subscription, its chain of diffs, and when to ask what.

```
          subscribe           ack, or a diff            snapshot that fits
  IDLE ──────────► WAIT_ACK ────────────► WAIT_SNAPSHOT ───────► LIVE ◄──┐ fresh snapshot, when few known levels are
                      │ no                  ▲                     │──────┘ left; the book stands meanwhile
                      ▼                     │ diffs are kept      │ gap, crossed, unreadable, beyond the snapshot
                   REFUSED                  └── back-off ◄────────┘
```
A recording made by others has neither our subscribe nor its ack: diffs are kept in IDLE as well, and any snapshot that
fits makes the book LIVE.
"""

from collections.abc import Sequence
from typing import Final

from connectors.book import Level
from connectors.errors import NumberError
from connectors.exchange.subscription import SECOND, State, Subscription
from connectors.instrument import Instrument
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, TextGrid
from connectors.venues.binance import wire
from connectors.venues.binance.chain import Chain
from connectors.venues.binance.reach import Reach

LIMITS: Final = (1000, 5000)  # they cost 50 and 250; smaller ones cost less, and a lively market runs past them at once
BOOK_DEPTH: Final = 5000  # levels a side that a book here may grow to: what the deepest snapshot holds
SILENT_NS: Final = 10 * SECOND  # without a diff: ask whether there was any
SILENT_MAX_NS: Final = 80 * SECOND
SOON_NS: Final = 60 * SECOND  # a snapshot that did not last so long was too small


def limit_for(depth: int) -> int:
    """Levels of the first snapshot for a book of which `depth` must always be known: some times as many."""
    return next((limit for limit in LIMITS if limit >= 4 * depth), LIMITS[-1])


class Follow(Subscription):
    """`name` is Binance's. `ask_ns`: when to ask for a snapshot; None: none is wanted. `question`: under way; 0: none.

    `probe_ns`: when a silent stream is looked at; `seen`: the number that the look found, 0: none yet; `last_ns`: of
    the last diff, or of the ack; `strikes`: how often in a row a look found Binance ahead of it.
    """

    __slots__ = (
        "_coarse",
        "_fine",
        "ask_ns",
        "chain",
        "instrument",
        "is_listed",
        "is_probe",
        "last_ns",
        "limit",
        "name",
        "probe_ns",
        "question",
        "reach",
        "seen",
        "silent_ns",
        "snapshot_ns",
        "strikes",
    )  # fmt: skip

    def __init__(self, index: int, symbol: str, depth: int, known: Instrument | None) -> None:
        self._coarse = TextGrid(known.price_precision, known.size_precision) if known else None
        self._fine = TextGrid(PRICE_DECIMALS, SIZE_DECIMALS)
        super().__init__(index, symbol, depth, self._coarse)
        self.name = known.venue_symbol if known and known.venue_symbol else symbol.replace("/", "")
        self.instrument = known
        self.is_listed = True
        self.chain = Chain()
        self.reach = Reach()
        self.limit = limit_for(depth)
        self.ask_ns: int | None = None
        self.question = 0
        self.is_probe = False
        self.snapshot_ns = self.last_ns = self.seen = self.strikes = 0
        self.silent_ns = SILENT_NS
        self.probe_ns: int | None = None

    @property
    def need(self) -> int:
        """Known levels a side with which a book is left alone."""
        return min(self.depth, self.limit * 3 // 4)

    @property
    def streams(self) -> tuple[str, str]:
        lower = self.name.lower()
        return f"{lower}@depth@100ms", f"{lower}@trade"

    def idle(self) -> None:
        """The link went: nothing that was kept is of use any more. Who was refused still is."""
        if self.state is not State.REFUSED:
            self.move(State.IDLE)
        self.acked = False
        self._forget()

    def define(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._coarse = self.grid = TextGrid(instrument.price_precision, instrument.size_precision)

    @property
    def is_known(self) -> bool:
        """Whether its metadata came."""
        return self._coarse is not None

    def levels(self, raw: Sequence[wire.Level]) -> list[Level]:
        """Raises NumberError for what no price or size of ours can hold.

        Orders that were placed before a market's lot or tick was made coarser stay as they are: nearly all levels are
        on the grid that new orders must be on, and the others are read as well.
        """
        grid = self._coarse or self._fine
        try:
            return grid.of_texts(raw)
        except NumberError:
            return self._fine.of_texts(raw)

    def wait(self, ask_ns: int | None) -> None:
        """No book stands: keep diffs, and ask for a snapshot then."""
        self._forget()
        self.move(State.WAIT_SNAPSHOT)
        self.ask_ns = ask_ns

    def _forget(self) -> None:
        self.chain.restart()
        self.ask_ns, self.question, self.probe_ns, self.seen, self.strikes = None, 0, None, 0, 0

    def heard(self, now_ns: int) -> None:
        """A diff came: the stream lives."""
        self.last_ns, self.silent_ns, self.seen, self.strikes = now_ns, SILENT_NS, 0, 0
        if self.probe_ns is not None:
            self.probe_ns = now_ns + SILENT_NS

    def widen(self, now_ns: int) -> None:
        """Few known levels are left: the next snapshot is larger where this one did not last."""
        if now_ns - self.snapshot_ns < SOON_NS:
            self.limit = next((limit for limit in LIMITS if limit > self.limit), LIMITS[-1])
