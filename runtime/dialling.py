"""When the links of one venue may dial: together they never dial more often than one of them would alone.

Kraken bans an address after 150 dials in ten minutes. While no link of a venue is up, its links take turns, one dial at
a time, with one back-off between them; 22 dials in ten minutes at most, which leaves room for looks over REST. The
first that succeeds lets the others follow at once. While one is up, a link that is lost has a back-off of its own.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
TINY_S: Final = 1e-6  # what the rounding of a sum of times may leave of a wait
BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 45.0
JITTER_LEAST: Final = 0.85  # so that many gateways do not dial at once
STEADY_S: Final = 30.0  # a connection that lived this long starts back-off anew: a shorter one proves nothing


async def nap(seconds: float, woken: asyncio.Event) -> None:
    """Until that much time is over or somebody wakes it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()


class Dialling:
    """Of one venue, or of one link that dials for itself. Each link: `turn`, then `succeeded` and `lost`, or `failed`.

    `clock_s`: the loop's time, by default.
    """

    def __init__(self, clock_s: Callable[[], float] | None = None) -> None:
        self._clock_s = clock_s or (lambda: asyncio.get_running_loop().time())
        self._up: dict[str, float] = {}  # link → since when
        self._queue: deque[str] = deque()
        self._dialler = ""
        self._attempts: dict[str, int] = {}  # "" counts those of all links while none is up
        self._not_before: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def turn(self, link: str) -> None:
        """Returns when this link is to dial."""
        self._queue.append(link)
        try:
            while (wait_s := self._wait_s(link)) > TINY_S:
                changed = self._changed
                await nap(wait_s, changed)
        finally:
            self._queue.remove(link)
        if not self._up:
            self._dialler = link

    def succeeded(self, link: str) -> None:
        """It is up."""
        if not self._up:
            self._not_before.clear()
        self._up[link] = self._clock_s()
        self._stopped(link)

    def failed(self, link: str) -> float:
        """It could not be reached; seconds until the next dial, of whichever link."""
        delay_s = self._later(link if self._up else "")
        self._stopped(link)
        return delay_s

    def lost(self, link: str) -> float:
        """It was up; seconds until the next dial."""
        steady = self._clock_s() - self._up.pop(link) >= STEADY_S
        whose = link if self._up else ""
        if steady:
            self._attempts.pop(link, None)
            self._attempts.pop("", None)
        delay_s = self._later(whose)
        self._stopped(link)
        return delay_s

    def left(self, link: str) -> None:
        """It does not dial any more."""
        self._up.pop(link, None)
        self._stopped(link)

    def _wait_s(self, link: str) -> float:
        """Until it may dial; while it is not its turn, until somebody else's."""
        now_s = self._clock_s()
        if self._up:
            return self._not_before.get(link, 0.0) - now_s
        if self._dialler or self._queue[0] != link:
            return BACKOFF_MAX_S  # what changes wakes it
        return self._not_before.get("", 0.0) - now_s

    def _later(self, whose: str) -> float:
        attempt = self._attempts.get(whose, 0)
        self._attempts[whose] = attempt + 1
        delay_s = back_off_s(attempt)
        self._not_before[whose] = self._clock_s() + delay_s
        return delay_s

    def _stopped(self, link: str) -> None:
        if self._dialler == link:
            self._dialler = ""
        self._changed.set()
        self._changed = asyncio.Event()


def back_off_s(attempt: int) -> float:
    """Doubling from half a second to 45, with jitter."""
    return min(BACKOFF_FIRST_S * 2.0 ** min(attempt, 10), BACKOFF_MAX_S) * random.uniform(JITTER_LEAST, 1.0)  # noqa: S311
