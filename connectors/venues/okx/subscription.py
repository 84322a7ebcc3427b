"""One symbol's book at OKX: a subscription, the chain of its numbers, and how long it may be quiet.

Updates outside LIVE are dropped: after a gap a busy book sends ten of them a second, and asking anew for each would be
a storm (a connection may make 480 requests an hour).
"""

from typing import Final

from connectors.exchange.subscription import BACKOFF_FIRST_NS, BACKOFF_MAX_NS, SECOND, Subscription
from connectors.instrument import Instrument
from connectors.units import TextGrid
from connectors.venues.okx.chain import Chain
from connectors.venues.okx.names import plain_name

DEPTH: Final = 400  # what the channel holds; keeping fewer would lose levels that nobody sends again
PING_AFTER_NS: Final = 5 * SECOND  # OKX closes a connection that was silent for 30 s
SILENCE_MAX_NS: Final = 10 * SECOND
QUIET_MAX_NS: Final = 90 * SECOND  # a book without changes says so after about a minute
METADATA_TIMEOUT_NS: Final = 15 * SECOND  # of the list of all markets, half a megabyte over HTTP
NOTICE_AGAIN_NS: Final = 30 * SECOND  # a notice leaves a minute; a new connection that has one too is not left at once


def delay_ns(attempts: int) -> int:
    """Before the attempt after so many that failed: 0 first, then doubling from 1 s to 60 s."""
    return min(BACKOFF_FIRST_NS << (attempts - 1), BACKOFF_MAX_NS) if attempts else 0


class BookSubscription(Subscription):
    """`name`: OKX's for the symbol. `last_ns`: of its last book message."""

    __slots__ = ("chain", "last_ns", "name", "texts")

    def __init__(self, index: int, symbol: str, known: Instrument | None) -> None:
        super().__init__(index, symbol, DEPTH, None)
        self.name = known.venue_symbol if known and known.venue_symbol else plain_name(symbol)
        self.texts = TextGrid(known.price_precision, known.size_precision) if known else None
        self.chain = Chain()
        self.last_ns = 0
