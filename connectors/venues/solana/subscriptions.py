"""Which accounts an endpoint tells of: subscribed as the shown states need them, unsubscribed when they do not.

What one connection is subscribed to is remembered as long as it lasts, whether its endpoint is followed or left for a
while: an endpoint that failed once and is followed again need not be asked for all of it anew. It is unsubscribed when
another endpoint is followed.

A validator gives equal subscriptions of one connection one id, and an unsubscription ends them all (agave,
rpc_subscription_tracker.rs); other nodes give each its own. So of one account at most one request is under way, and it
is subscribed to at most once. What is to be asked is decided when it is asked, a few requests at a time: nothing waits
in line that nobody wants by then.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.onchain.asker import SECOND, UNANSWERED
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.rpc import subscribing

AGAIN_NS: Final = 10 * SECOND  # after which a refused subscription is asked for again
AT_ONCE: Final = 32  # more than a round trip's worth of the budget

_ids = msgspec.json.Decoder(int | str)


class Changed(msgspec.Struct, frozen=True):
    """Accounts that are not told of any more, and those that the connection has been told to tell of before."""

    dropped: list[str]
    resumed: list[str]


class _Line:
    """One connection of an endpoint's. `asked`: accounts with a request under way, of either kind; `anew`: those whose
    subscription is to be ended and made again; `refused`: until when they are not asked for again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.turns = endpoint.turns
        self.wanted: dict[str, None] = {}
        self.ids: dict[str, int | str] = {}
        self.keys: dict[int | str, str] = {}
        self.asked: set[str] = set()
        self.anew: set[str] = set()
        self.refused: dict[str, int] = {}
        self.is_asking = self.is_spoilt = False

    @property
    def is_over(self) -> bool:
        return self.is_spoilt or self.turns != self.endpoint.turns or not self.endpoint.is_up


class Subscriptions:
    """`begin` on an endpoint, and `sync` to what is wanted of it. `on_begun(key)`: told of from now on;
    `on_refused(reason, is_dead)`: it is not."""

    def __init__(
        self, commitment: str, on_begun: Callable[[str, int], None], on_refused: Callable[[str, bool, int], None]
    ) -> None:
        self._commitment = commitment
        self._on_begun = on_begun
        self._on_refused = on_refused
        self._lines: dict[str, _Line] = {}  # by link
        self._line: _Line | None = None  # of the endpoint that is followed
        self._wanted: dict[str, None] = {}  # since it is

    def begin(self, endpoint: Endpoint, now_ns: int) -> None:
        """This endpoint is followed from now on; another that is still up need not tell of anything any more."""
        self.clear()
        for link, line in list(self._lines.items()):
            if line.is_over:
                del self._lines[link]
            elif line.endpoint is not endpoint:
                line.wanted.clear()
                self._ask(line, now_ns)
        self._line = self._lines.setdefault(endpoint.link, _Line(endpoint))

    def clear(self) -> None:
        """None is followed now."""
        self._line = None
        self._wanted = {}

    def key_of(self, number: int | str) -> str | None:
        """The account that a subscription is of."""
        key = self._line.keys.get(number) if self._line is not None else None
        return key if key in self._wanted else None

    def has(self, key: str) -> bool:
        """Whether it is told of."""
        return self._line is not None and key in self._wanted and key in self._line.ids

    def keys(self) -> list[str]:
        """All that are subscribed to, or to be."""
        return list(self._wanted)

    def sync(self, wanted: Collection[str], now_ns: int, *, is_all: bool) -> Changed:
        """Asks for what is missing and gives up what is not wanted; `is_all` False: more is about to be, so that what
        the connection has is kept."""
        line, before = self._line, self._wanted
        if line is None:
            return Changed([], [])
        self._wanted = dict.fromkeys(wanted)
        line.wanted = {**self._wanted, **({} if is_all else line.wanted)}
        dropped = [key for key in before if key not in self._wanted]
        resumed = [key for key in self._wanted if key not in before and key in line.ids]
        for each in self._lines.values():  # one that was left may have more to give up
            self._ask(each, now_ns)
        return Changed(dropped, resumed)

    def renew(self, key: str, now_ns: int) -> None:
        """Ends one and makes it again."""
        if self._line is not None and key in self._line.ids:
            self._line.anew.add(key)
            self._ask(self._line, now_ns)

    def _ask(self, line: _Line, now_ns: int) -> None:
        """What is to be asked now, as long as little is under way."""
        if line.is_asking or line.is_over:
            return
        line.is_asking = True
        for key in [key for key in line.ids if key not in line.wanted or key in line.anew]:
            if len(line.asked) < AT_ONCE:
                self._unsubscribe(line, key, now_ns)
        for key in list(line.wanted):
            is_there = key in line.ids or key in line.asked
            if not is_there and len(line.asked) < AT_ONCE and now_ns >= line.refused.get(key, 0):
                self._subscribe(line, key, now_ns)
        line.is_asking = False

    def _unsubscribe(self, line: _Line, key: str, now_ns: int) -> None:
        number = line.ids.pop(key)
        del line.keys[number]
        line.anew.discard(key)
        line.asked.add(key)

        def ended(_result: msgspec.Raw | None, _why_not: str, now_ns: int) -> None:
            """Whether it was is of no matter: what is told without being wanted is dropped."""
            line.asked.discard(key)
            self._ask(line, now_ns)

        line.endpoint.ask("accountUnsubscribe", [number], ended, now_ns)

    def _subscribe(self, line: _Line, key: str, now_ns: int) -> None:
        line.asked.add(key)

        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            line.asked.discard(key)
            self._subscribed(line, key, result, why_not, now_ns)
            self._ask(line, now_ns)

        def is_wanted() -> bool:
            if key not in line.wanted:
                line.asked.discard(key)
            return key in line.wanted

        line.endpoint.ask("accountSubscribe", subscribing(key, self._commitment), subscribed, now_ns, is_wanted)

    def _subscribed(self, line: _Line, key: str, result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        is_followed = line is self._line and not line.is_over
        if result is None:
            line.refused[key] = now_ns + AGAIN_NS
            if is_followed:
                self._on_refused(f"account {key} is not told of: {why_not}", UNANSWERED in why_not, now_ns)
            return
        number = id_of(result)
        if line.keys.get(number, key) != key:
            line.is_spoilt = True  # one of the two ids is wrong, and nobody knows which
            if is_followed:
                self._on_refused(f"subscription {number} is of two accounts", True, now_ns)
            return
        line.ids[key], line.keys[number] = number, key
        if is_followed and key in self._wanted:
            self._on_begun(key, now_ns)


def id_of(raw: msgspec.Raw) -> int | str:
    """A subscription's id. Raises WireError."""
    try:
        found: int | str = _ids.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{bytes(raw)[:80]!r} is no subscription's id") from error
    return found
