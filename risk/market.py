"""What the gate knows of one market: its instrument, its book, the link it comes over."""

from connectors.book import L2Book
from connectors.instrument import Instrument
from connectors.orders import OrderType

ALL_TYPES = sum(1 << kind for kind in OrderType)


class Link:
    """One venue's links as the gate sees them. `last_ns`: when one last spoke, −1 while all are down (since `down_ns`).

    `system`: the venue's word on itself. `is_reconciled`: its record and ours were compared and are equal; `why` not.
    """

    __slots__ = ("down_ns", "is_reconciled", "last_ns", "system", "why")

    def __init__(self) -> None:
        self.last_ns = -1
        self.down_ns = 0
        self.system = "online"
        self.is_reconciled = True
        self.why = ""


class Market:
    """What the gate may judge by, of one market. `is_onchain`: a pool, or the book of all pools of a chain.

    `name` is `kraken:BTC/USD` or `dex_arb:0x…`, `symbol` what is traded there; both are needed before the venue has
    told its metadata. `on_paper`: its orders are filled on paper, whatever the account's other ones are. `types`: order
    types that the venue has, a bit each; `amends`: whether it can change an order. `drifted`: the venue reported
    another position than ours, `venue_position_1e8`.
    """

    __slots__ = ("amends", "base", "book", "drifted", "instrument", "is_onchain", "link", "name", "on_paper", "quote",
                 "symbol", "types", "venue", "venue_id", "venue_position_1e8")  # fmt: skip

    def __init__(
        self, instrument: Instrument | None, book: L2Book, link: Link, venue_id: int = 0, *, is_onchain: bool = False,
        name: str = "", symbol: str = "", on_paper: bool = False, types: int = ALL_TYPES, amends: bool = True,
    ) -> None:  # fmt: skip
        self.instrument = instrument
        self.book = book
        self.link = link
        self.venue_id = venue_id
        self.is_onchain = is_onchain
        self.on_paper = on_paper
        self.types = types
        self.amends = amends
        self.symbol = symbol or (instrument.symbol if instrument is not None else "")
        self.name = name or (instrument.key if instrument is not None else "")
        self.venue = self.name.partition(":")[0]
        self.drifted = False
        self.venue_position_1e8 = 0
        self.base, _, self.quote = self.symbol.partition("/")
        self.quote = self.quote or self.symbol

    @property
    def definition(self) -> Instrument:
        """Its metadata. Raises LookupError while the venue has not told them."""
        if self.instrument is None:
            raise LookupError("instrument metadata is missing")
        return self.instrument

    def is_reliable(self, now_ns: int, max_age_ns: int) -> bool:
        """Whether its book may be judged by: the link speaks, and the book is valid, two-sided and not crossed."""
        last_ns = self.link.last_ns
        if not (last_ns >= 0 and now_ns - last_ns <= max_age_ns and self.book.valid is True):
            return False
        bid_1e9, ask_1e9 = self.book.touch()
        return 0 < bid_1e9 < ask_1e9
