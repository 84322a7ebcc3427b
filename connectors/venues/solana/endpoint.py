"""One endpoint of Solana: its WebSocket, which tells, and its HTTP calls, which answer; and its word on the slot."""

from collections.abc import Iterator, Sequence
from typing import Final

from connectors.chain import calls_of
from connectors.onchain.asker import SECOND, Asker, Then, over_http
from connectors.onchain.jsonrpc import Message, why
from connectors.session import Output
from connectors.venues.solana.lag import Lag
from connectors.venues.solana.rpc import RATE_LIMITED, http_answer_of, is_unhealthy

AT_ONCE: Final = 8  # slots that nodes behind one address may be apart, or that are confirmed together
FOREIGN_NS: Final = 30 * SECOND  # an address may have many nodes behind it, and one of them be another chain's
FOREIGN_MAX_NS: Final = 600 * SECOND


class Endpoint:
    """`link` is the WebSocket's, which alone is up or down.

    `is_ready`: it told the right genesis hash. `slot`: what it told of last; `highest`: the highest, 0: none that
    counts yet; a node that stands still since it connected never has one. `proved`: the newest that a good read was of.
    `lag`: the chain's clock in its reads.
    """

    def __init__(self, link: str, calls_per_s: int, slot_ns: int, out: list[Output], numbers: Iterator[int]) -> None:
        self.link = link
        self.calls_link = calls_of(link)
        self._socket = Asker(link, calls_per_s, out, numbers, limited=RATE_LIMITED)
        self._calls = Asker(self.calls_link, calls_per_s, out, numbers, form=over_http, limited=RATE_LIMITED)
        self.turns = 0  # how often its WebSocket came or went: ids of subscriptions are of one connection
        self.is_ready = False
        self.slots: int | str | None = None  # the subscription of slots
        self.is_polling = False
        self.polled_ns = 0
        self.slot = self.highest = self._stream = self.proved = 0
        self.lag = Lag()
        self.foreign = ""  # what it said instead of the right genesis hash, last
        self._foreign_count = 0  # in a row
        self._foreign_ns = 0  # when it may be dialled again for it; 0: it need not
        self._claimed = self._claimed_ns = 0
        self._slot_ns = slot_ns
        self.slot_ns = 0  # when a slot came that was higher than all before
        self.frame_ns = 0
        self.failures = 0  # in a row
        self.ask, self.call = self._socket.ask, self._calls.ask

    @property
    def is_up(self) -> bool:
        return self._socket.is_up

    @property
    def is_awaited(self) -> bool:
        """Whether something is due to be told on the WebSocket."""
        return self.slots is not None or bool(self._socket.busy_with)

    def turned(self, now_ns: int, *, is_up: bool) -> None:
        """The WebSocket is up or down: nothing said before counts any more."""
        self.turns += 1
        dropped: Sequence[Then] = [*self._socket.forget(), *self._calls.forget()]
        self._socket.is_up = self._calls.is_up = is_up
        self.is_ready = self.is_polling = False
        self.slots = None
        self.failures = 0
        self.frame_ns = now_ns
        self.slot = self.highest = self._stream = self.proved = 0
        self.slot_ns = now_ns
        self.lag = Lag()
        self._foreign_ns = 0
        self._claimed = 0
        for then in dropped:
            then(None, "link down", now_ns)

    def identified(self) -> None:
        """It told the right genesis hash."""
        self.is_ready = True
        self.foreign, self._foreign_count = "", 0

    def is_news_that_foreign(self, reason: str, now_ns: int) -> bool:
        """It told no genesis hash, or another; False where it said the same the last time."""
        is_news, self.foreign = self.foreign != reason, reason
        self._foreign_ns = now_ns + min(FOREIGN_NS << min(self._foreign_count, 10), FOREIGN_MAX_NS)
        self._foreign_count += 1
        return is_news

    def is_to_be_asked_anew(self, now_ns: int) -> bool:
        """Whether the node behind its address may be another one by now, of the right chain."""
        return self.is_up and 0 < self._foreign_ns <= now_ns

    def is_heard(self, late: int) -> bool:
        """Whether its word on the slot counts against others: not where it failed and no read bears that word out.

        `late`: slots that a good read may be behind what is told.
        """
        return not self.failures or self.slot - self.proved <= late

    def saw(self, slot: int, now_ns: int, *, is_polled: bool = False) -> bool:
        """A slot it tells of; True where its notifications went back.

        The first, and one higher than time allows, counts when the next one goes on from there: else it was nonsense,
        and one word would make all that follow look old. Nodes behind one address may differ by a few, so that what is
        polled is not compared.
        """
        if self.highest and slot <= self.highest + self._in(now_ns - self.slot_ns):
            if slot > self.highest:
                self.highest, self.slot_ns = slot, now_ns
        elif self._claimed < slot <= self._claimed + self._in(now_ns - self._claimed_ns) and self._claimed:
            self.highest, self.slot_ns = slot, now_ns
        else:
            self._claimed, self._claimed_ns = slot, now_ns
            return False
        self.slot, self._claimed = slot, 0
        if is_polled:
            return False
        is_back, self._stream = slot < self._stream, slot
        return is_back

    def _in(self, time_ns: int) -> int:
        """Slots that may have come in that time: twice as many as there should, and a few at once."""
        return AT_ONCE + 2 * time_ns // self._slot_ns

    def answered(self, message: Message, now_ns: int) -> None:
        """An answer on the WebSocket. May raise what its continuation raises: WireError."""
        _answer(self._socket, message, now_ns)

    def called(self, frame: bytes, now_ns: int) -> None:
        """A frame of HTTP's link. Raises WireError."""
        answer = http_answer_of(frame)
        if answer.message is None:
            self._calls.refused(answer.number, answer.problem, now_ns, is_limit=answer.is_limit)
        else:
            _answer(self._calls, answer.message, now_ns)

    def tick(self, now_ns: int) -> None:
        self._socket.tick(now_ns)
        self._calls.tick(now_ns)


def _answer(asker: Asker, message: Message, now_ns: int) -> None:
    if isinstance(message.id, int) and message.error is not None and is_unhealthy(message):
        asker.refused(message.id, why(message.error), now_ns, is_limit=False)
    else:
        asker.answered(message, now_ns)
