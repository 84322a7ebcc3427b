"""What OKX says of its own work on itself: the `status` channel.
https://www.okx.com/docs-v5/en/#status-ws-status-channel

Several works may overlap; each is over when OKX says `completed` or `canceled`, or, where that was missed while the
link was down, when the end that it named has passed. While one is `ongoing` the venue is in maintenance; in `pre_open`
it takes cancels and post-only orders.
"""

from typing import Final

from connectors.errors import WireError
from connectors.events import Notice, VenueStatus
from connectors.exchange.amounts import ms_ns
from connectors.session import Output
from connectors.venues.okx.wire import StatusData

# block trading, bots, spread trading, copy trading; `Others`: single instruments, which say so themselves
_NOT_OURS: Final = frozenset({"6", "7", "10", "11", "99"})
_DEMO: Final = "2"
_OVER: Final = frozenset({"completed", "canceled"})
_WORDS: Final = {"ongoing": "maintenance", "pre_open": "post_only"}


class Maintenance:
    """`word`: what the venue is, as `VenueStatus` has it."""

    def __init__(self) -> None:
        self.word = "online"
        self._works: dict[str, tuple[str, int]] = {}  # by title: (the venue's word, when it is to end)

    def opened(self, now_ns: int) -> list[Output]:
        """A new connection: what should be over, and may have been told over while nobody listened, is."""
        self._works = {title: work for title, work in self._works.items() if work[1] > now_ns}
        return self._told()

    def take(self, item: StatusData) -> list[Output]:
        """Raises WireError."""
        if item.env == _DEMO:
            return []
        what = f"okx: {item.title:.200}: {item.state:.40}"
        if item.state in _OVER:
            was = self._works.pop(item.title, None)
            return [Notice("info", what), *self._told()] if was is not None else []
        word = _WORDS.get(item.state)
        if item.service_type in _NOT_OURS or item.state == "scheduled":
            return [Notice("info", what)]
        if word is None:
            raise WireError(f"status {item.state!r:.40}")
        self._works[item.title] = (word, _end_ns(item.end))
        return [Notice("warning", what), *self._told()]

    def _told(self) -> list[Output]:
        words = {word for word, _ in self._works.values()}
        word = "maintenance" if "maintenance" in words else "post_only" if words else "online"
        if word == self.word:
            return []
        self.word = word
        return [VenueStatus("okx", word)]


def _end_ns(text: str) -> int:
    return ms_ns(text) if text else 0
