"""What Binance lists: asked for the markets that are followed, every five minutes and sooner where it failed.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#exchange-information. A list of
names with one in it that Binance does not know is refused as a whole: then each is asked for by itself, and the wrong
one is alone with it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from connectors.errors import InstrumentError, WireError
from connectors.exchange.subscription import BACKOFF_MAX_NS, SECOND, UNREADABLE
from connectors.instrument import Instrument
from connectors.session import Output, WakeAt
from connectors.venues.binance import reading, wire
from connectors.venues.binance.follow import Follow
from connectors.venues.binance.questions import INFO_WEIGHT, Question, Questions

EVERY_NS: Final = 300 * SECOND
TOGETHER: Final = 50  # names in one question
NO_SYMBOL: Final = -1121  # errors: BAD_SYMBOL


class Listing(NamedTuple):
    """What is listed of a market: its definition, or why there is none for us."""

    follow: Follow
    definition: Instrument | None
    problem: str = ""


class Metadata:
    """`due_ns`: when everything is asked for again; None: not before the link is up."""

    def __init__(self, follows: Sequence[Follow], questions: Questions) -> None:
        self._follows = {follow.name: follow for follow in follows}
        self._questions = questions
        self._waiting: deque[tuple[str, ...]] = deque()
        self._failures = 0
        self._again_ns = 0
        self.due_ns: int | None = None

    def begin(self, now_ns: int) -> None:
        """Ask for all of them, now."""
        self._again_ns = now_ns if not self._failures else self._again_ns
        self.due_ns = now_ns

    def tick(self, now_ns: int) -> list[Output]:
        if self.due_ns is not None and now_ns >= self.due_ns:
            self.due_ns = now_ns + EVERY_NS
            listed = [name for name, follow in self._follows.items() if follow.is_listed]
            self._waiting.clear()
            self._waiting.extend(tuple(listed[at : at + TOGETHER]) for at in range(0, len(listed), TOGETHER))
            self._waiting.extend((name,) for name, follow in self._follows.items() if not follow.is_listed)
        out: list[Output] = []
        while self._waiting:
            wait_ns = max(self._questions.wait_ns(INFO_WEIGHT, now_ns), self._again_ns - now_ns)
            if wait_ns > 0:
                out.append(WakeAt(now_ns + wait_ns))
                break
            out.append(self._questions.info(self._waiting.popleft(), now_ns))
        return out

    def failed(self, question: Question, now_ns: int) -> int:
        """No answer, or none that can be read: ask again, after this many ns."""
        delay_ns = min(SECOND << self._failures, BACKOFF_MAX_NS)
        self._failures = min(self._failures + 1, 8)
        self._again_ns = now_ns + delay_ns
        self._waiting.append(question.about)
        return delay_ns

    def refused(self, question: Question, problem: wire.Problem) -> list[Listing] | None:
        """None: for a reason that is not the markets' names."""
        if problem.code != NO_SYMBOL:
            return None
        if len(question.about) > 1:
            self._waiting.extend((name,) for name in question.about)
            return []
        return [self._missing(self._follows[name]) for name in question.about]

    def read(self, body: bytes, about: Sequence[str]) -> list[Listing]:
        """What the answer lists of the followed markets, and who of `about` is not in it. Raises as UNREADABLE."""
        info = wire.decode_info(body)
        self._questions.limits(info.limits)
        self._failures = 0
        out: list[Listing] = []
        found = set()
        for raw in info.symbols:
            named = wire.decode_market_name(raw)
            follow = self._follow_of(named)
            if follow is not None:
                found.add(follow.name)
                out.append(self._listing(follow, raw))
        return out + [self._missing(self._follows[name]) for name in about if name not in found]

    def _follow_of(self, named: wire.MarketName) -> Follow | None:
        """By base and quote, where ours says both; its name alone would let `A/BC` be `AB/C`."""
        follow = self._follows.get(named.symbol)
        if follow is None or "/" not in follow.symbol:
            return follow
        return follow if follow.symbol == f"{named.base}/{named.quote}" else None

    @staticmethod
    def _listing(follow: Follow, raw: bytes | memoryview) -> Listing:
        try:
            return Listing(follow, reading.instrument(follow.symbol, wire.decode_market(raw)))
        except (InstrumentError, WireError, *UNREADABLE) as error:
            return Listing(follow, None, str(error))

    @staticmethod
    def _missing(follow: Follow) -> Listing:
        follow.is_listed = False
        return Listing(follow, None, f"binance does not list {follow.symbol}")
