"""The venue's clock against ours, from questions whose answers say its time. Integers of ns.

Cristian's rule: the answer's time was true somewhere between sending and receiving, so the middle is off by half the
round trip at most. The estimate with the shortest round trip of the last ones is used. A venue refuses requests whose
time is not its own (Binance −1021, OKX 50102, Bybit 10002): the door writes its own time plus this.
"""

import re
from collections import deque
from typing import Final

from connectors.events import Notice
from connectors.session import REST, Output, Send

_MS: Final = 10**6
_SECOND: Final = 10**9
KEPT: Final = 8
EVERY_NS: Final = 300 * _SECOND
WARN_NS: Final = _SECOND
BELIEVED_NS: Final = 3600 * _SECOND  # beyond that somebody's clock is broken, and following it mends nothing
ROUND_TRIP_MAX_NS: Final = 10 * _SECOND
_PLACE: Final = re.compile(rb"\{(time_ms|time_s|expires_ms)(?::([+-]?[0-9]{1,12}))?\}")


class Skew:
    """One venue's. `ns`: how far its clock is ahead of ours. `sure_ns`: how wrong that may be; −1: not known."""

    __slots__ = ("_asked_ns", "_is_warned", "_samples", "_venue", "ns", "sure_ns")

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._samples: deque[tuple[int, int]] = deque(maxlen=KEPT)  # (half the round trip, ahead)
        self._asked_ns: int | None = None
        self._is_warned = False
        self.ns = 0
        self.sure_ns = -1

    @property
    def ms(self) -> int:
        """Whole milliseconds, towards 0."""
        return self.ns // _MS if self.ns >= 0 else -(-self.ns // _MS)

    @property
    def behind_ns(self) -> int:
        """How far the venue's clock may be behind ours, at the most; 0: it is not."""
        return max(self.sure_ns - self.ns, 0) if self.sure_ns >= 0 else 0

    def is_due(self, now_ns: int) -> bool:
        """Whether the venue should be asked for its time: at first, then every five minutes."""
        return self._asked_ns is None or now_ns - self._asked_ns >= EVERY_NS

    def asked(self, now_ns: int) -> None:
        self._asked_ns = now_ns

    def again(self) -> None:
        """The venue refused a request for its time: what was measured is no good."""
        self._asked_ns = None
        self._samples.clear()

    def told(self, sent_ns: int, now_ns: int, server_ns: int) -> list[Output]:
        """An answer to a question sent then came now, and says this time."""
        trip_ns = now_ns - sent_ns
        if not 0 <= trip_ns <= ROUND_TRIP_MAX_NS:
            return []
        ahead_ns = server_ns - (sent_ns + trip_ns // 2)
        if abs(ahead_ns) > BELIEVED_NS:
            text = f"{self._venue}: its clock and ours are {abs(ahead_ns) // _SECOND} s apart: set this machine's clock"
            return self._warn("error", text)
        self._samples.append((trip_ns - trip_ns // 2, ahead_ns))
        self.sure_ns, self.ns = min(self._samples, key=lambda one: one[0])
        if abs(self.ns) <= WARN_NS + self.sure_ns:
            self._is_warned = False
            return []
        which = "behind" if self.ns > 0 else "ahead of"
        text = f"{self._venue}: our clock is {abs(self.ms)} ms {which} its own: requests carry its time"
        return self._warn("warning", text)

    def _warn(self, level: str, text: str) -> list[Output]:
        if self._is_warned:
            return []
        self._is_warned = True
        return [Notice(level, text)]

    def into(self, send: Send) -> Send:
        """The request with the skew where whoever signs it looks for it: the third word of an HTTP request's head, the
        places for times in a frame."""
        if not self.ms:
            return send
        if send.link == REST:
            head, _, body = send.data.partition(b"\n")
            data = b"%s %+d\n%s" % (head, self.ms, body)
        else:
            data = _PLACE.sub(self._place, send.data)
        return Send(send.link, data, send.approval, send.more)

    def _place(self, found: re.Match[bytes]) -> bytes:
        shift = int(found[2] or 0) + (self.ms // 1000 if found[1] == b"time_s" else self.ms)
        return b"{%s:%+d}" % (found[1], shift)


def fill_times(data: bytes, now_ns: int) -> bytes:
    """A frame as it leaves: the door's time in its places, `{time_ms:+250}`, `{time_s}`, `{expires_ms:5000}`, each with
    what it says is to be added. For `Trading.seal`."""

    def value(found: re.Match[bytes]) -> bytes:
        unit = _SECOND if found[1] == b"time_s" else _MS
        return b"%d" % (now_ns // unit + int(found[2] or 0))

    return _PLACE.sub(value, data)
