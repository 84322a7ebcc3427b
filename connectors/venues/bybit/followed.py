"""One followed market: its subscription, its names, and whether its numbering lets the next message in.

`u` counts the messages of a book's topic. That it rises by one is promised for the full topic and only "generally" for
the others (https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook, English and Chinese pages differ):
whether a jump is a lost message is `CONTINUOUS`. Whatever is decided, a number that falls is no update of our book, and
the same one again is a message that was applied. u = 1 says that the service began anew: what comes with it is the
whole book, also where it is called a delta.
"""

from enum import Enum, auto
from typing import Final

from connectors.book import Level
from connectors.errors import WireError
from connectors.exchange.subscription import State, Subscription
from connectors.instrument import Instrument
from connectors.venues.bybit import wire
from connectors.venues.bybit.reading import TOPIC_DEPTHS, Levels, topic_depth

CONTINUOUS: Final = True
BOOK: Final = "orderbook"
RESTARTED: Final = 1
_DEPTHS: Final = {str(depth): depth for depth in TOPIC_DEPTHS}


class Next(Enum):
    """What a book message is to the book that we hold."""

    WHOLE = auto()  # it replaces it
    FOLLOWS = auto()
    REPEATED = auto()  # it was applied
    GAP = auto()  # something before it is missing
    STRAY = auto()  # we hold no book that it could change


class Followed(Subscription):
    """`name`: Bybit's, a guess (our symbol without its stroke) until the metadata is read: then `is_listed`.

    `topic`: what we subscribe, of `levels_asked` levels; `adopted`: another that is read as if it were ours; `depth`:
    of the book that comes. `next_u`: the number of the message that continues it.
    """

    __slots__ = ("adopted", "instrument", "is_listed", "levels_asked", "name", "next_u", "texts", "topic")

    def __init__(self, index: int, symbol: str, depth: int, known: Instrument | None) -> None:
        self.levels_asked = topic_depth(depth)
        super().__init__(index, symbol, self.levels_asked, None)
        self.name = (known.venue_symbol if known else "") or symbol.replace("/", "")
        self.instrument = known
        self.is_listed = False
        self.next_u = 0
        self.texts: Levels | None = None
        if known is not None:
            self.read_by(known)
        self.topic = self.adopted = ""
        self.call(self.name)

    def call(self, name: str) -> None:
        self.name = name
        self.topic = f"{BOOK}.{self.levels_asked}.{name}"

    def adopt(self, topic: str, depth: int) -> None:
        self.adopted, self.depth = topic, depth

    def own(self) -> None:
        """Our own topic is what is read."""
        self.adopted, self.depth = "", self.levels_asked

    def read_by(self, instrument: Instrument) -> None:
        """Levels are read by these decimals from now on."""
        self.grid = self.texts = Levels(instrument.price_precision, instrument.size_precision)
        self.instrument = instrument

    def place(self, message: wire.Book) -> Next:
        """What this message is; its number is the last one from then on, if it changes the book."""
        u = message.data.u
        if message.type == "snapshot" or u == RESTARTED:
            self.next_u = max(u, RESTARTED) + 1  # the number of a restart never continues anything
            return Next.WHOLE
        if self.state is not State.LIVE:
            return Next.STRAY
        if u == self.next_u or (u > self.next_u and not CONTINUOUS):
            self.next_u = u + 1
            return Next.FOLLOWS
        return Next.REPEATED if u == self.next_u - 1 else Next.GAP

    def levels(self, data: wire.BookData) -> tuple[list[Level], list[Level]]:
        """(bids, asks). Raises WireError, NumberError: not what a book of this market can hold."""
        if self.texts is None or data.s != self.name:
            msg = f"levels of {data.s} under {self.topic}"
            raise WireError(msg)
        try:
            return self.texts.of_texts(data.b), self.texts.of_texts(data.a)
        except IndexError:
            msg = "a level without a size"
            raise WireError(msg) from None


class Followeds:
    """All of them, by whatever a message names them with."""

    def __init__(self, books: list[Followed]) -> None:
        self.all = books
        self.by_index = {book.index: book for book in books}
        self.by_topic = {book.topic: book for book in books}
        self.by_name = {book.name: book for book in books}

    def renamed(self, book: Followed, name: str) -> None:
        """The metadata has another name for it than we thought."""
        if book.name != name:
            book.call(name)
            self.by_topic = {one.topic: one for one in self.all}
            self.by_name = {one.name: one for one in self.all}

    def of_topic(self, topic: str) -> Followed | None:
        """The book of an order book topic that is not ours: a recording made by others has the depth they asked for.

        Only while ours is not acknowledged, and the first one that comes.
        """
        kind, _, rest = topic.partition(".")
        depth, _, name = rest.partition(".")
        book = self.by_name.get(name)
        if kind != BOOK or book is None or depth not in _DEPTHS or book.acked:
            return None
        if book.adopted != topic:
            if book.adopted or book.state is State.LIVE:
                return None
            book.adopt(topic, _DEPTHS[depth])
        return book

    def of_item(self, topic: str) -> Followed | None:
        """The market of a topic of trades or tickers."""
        return self.by_name.get(topic.partition(".")[2])

    def named_in(self, text: str) -> Followed | None:
        """The market whose book topic stands in an answer's words."""
        return next((book for book in self.all if book.topic in text), None)
