"""What Bybit says of its markets: asked over HTTP, again after failures, and from time to time.

https://bybit-exchange.github.io/docs/v5/market/instrument: of spot all markets come in one answer, without pages. One
that is not in it does not trade. A market is found by its two coins, never by cutting its name.
"""

import re
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Notice
from connectors.exchange.subscription import BACKOFF_FIRST_NS, BACKOFF_MAX_NS, SECOND, UNREADABLE
from connectors.session import CALLS, Output, Send
from connectors.venues.bybit import wire

PATH: Final = "/v5/market/instruments-info"
AGAIN_NS: Final = 900 * SECOND
SOONER_NS: Final = 10 * SECOND  # between two answers, whatever made us ask
ANSWER_NS: Final = 20 * SECOND
_OURS: Final = re.compile(rb"([0-9]{1,18}) ([0-9]{1,3})")
_THEIRS: Final = re.compile(rb"GET " + PATH.encode() + rb"\?([!-~]*) ([0-9]{1,3})")  # of a recording made by others
_WORDS_MAX: Final = 200


class Listing(msgspec.Struct, frozen=True):
    """`pairs`: (base, quote, name, the record). `is_whole`: what is not among them is not listed."""

    pairs: tuple[tuple[str, str, str, msgspec.Raw], ...]
    is_whole: bool


class Metadata:
    """Asks, and reads the answer. `is_known`: it has been answered since the session began."""

    def __init__(self) -> None:
        self.is_known = False
        self._number = 0
        self._is_asking = False
        self._due_ns: int | None = None  # of the next question, or of the answer
        self._last_ns = -SOONER_NS
        self._failures = 0

    def ask(self, now_ns: int) -> list[Output]:
        self._number += 1
        self._is_asking = True
        self._due_ns = now_ns + ANSWER_NS
        return [Send(CALLS, f"{self._number} GET {PATH}\ncategory=spot".encode())]

    def close(self) -> None:
        self._is_asking, self._due_ns = False, None

    def sooner(self, now_ns: int) -> None:
        """Something says that it may have changed."""
        if self._due_ns is not None and not self._is_asking:
            self._due_ns = min(self._due_ns, max(now_ns, self._last_ns + SOONER_NS))

    def tick(self, now_ns: int) -> list[Output]:
        if self._due_ns is None or now_ns < self._due_ns:
            return []
        return self._failed("no answer", now_ns) if self._is_asking else self.ask(now_ns)

    def answered(self, frame: bytes, now_ns: int) -> Listing | list[Output]:
        """What was learnt; or what to say, if nothing was."""
        head, _, body = frame.partition(b"\n")
        ours, theirs = _OURS.fullmatch(head), _THEIRS.fullmatch(head)
        if theirs is None and (ours is None or int(ours[1]) != self._number):
            return []  # the answer to a question before the last one
        try:
            listing = _read(int((theirs or ours)[2]), body, theirs[1].decode() if theirs else "")  # type: ignore[index]
        except UNREADABLE as error:
            return self._failed(str(error), now_ns)
        self.is_known = True
        self._is_asking, self._failures = False, 0
        self._last_ns = now_ns
        self._due_ns = now_ns + AGAIN_NS
        return listing

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        delay_ns = min(BACKOFF_FIRST_NS << self._failures, BACKOFF_MAX_NS)
        self._failures = min(self._failures + 1, 8)
        self._is_asking, self._due_ns = False, now_ns + delay_ns
        return [Notice("warning", f"bybit: no list of markets ({why}); again in {delay_ns // SECOND} s")]


def _read(status: int, body: bytes, query: str) -> Listing:
    """Raises WireError and what decoding raises."""
    words = body[:_WORDS_MAX].decode(errors="replace")
    if status != 200:
        msg = words if status == 0 else f"status {status}: {words}"
        raise WireError(msg)
    answer = wire.decode_pairs(body)
    if answer.ret_code != 0:
        msg = f"{answer.ret_code}: {answer.ret_msg}"
        raise WireError(msg)
    pairs = []
    for raw in answer.result.pairs:
        name = wire.decode_pair_name(raw)
        pairs.append((name.base_coin, name.quote_coin, name.symbol, raw))
    if not pairs:
        msg = "an empty list"
        raise WireError(msg)
    return Listing(tuple(pairs), is_whole="symbol=" not in query)
