"""Asking OKX for the list of its spot markets, until it comes.
https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments

Over HTTP, by `Send`s of the CALLS link; asked anew after each connect, and after 1, 2, 4 … 60 s where it did not come.
"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.session import CALLS, Send
from connectors.venues.okx import wire
from connectors.venues.okx.subscription import METADATA_TIMEOUT_NS, delay_ns

_PATH: Final = b"/api/v5/public/instruments"
_QUERY: Final = b"instType=SPOT"


class Metadata:
    """Where the question stands."""

    def __init__(self) -> None:
        self._next_id = 0
        self._attempts = 0
        self._due_ns: int | None = None

    def ask(self, now_ns: int) -> Send:
        self._next_id += 1
        self._due_ns = now_ns + METADATA_TIMEOUT_NS
        return Send(CALLS, b"%d GET %s\n%s" % (self._next_id, _PATH, _QUERY))

    def tick(self, now_ns: int) -> list[Send]:
        """Asks again where it is time."""
        if self._due_ns is None or now_ns < self._due_ns:
            return []
        return [self.ask(now_ns)]

    def answer(self, frame: bytes, now_ns: int) -> list[msgspec.Raw] | None:
        """The markets, from `<id> <status>` or, in a recording, `GET <path>?<query> <status>` and a body; None: it
        answers something else. Raises WireError or what msgspec raises, after which it is asked again in a while.
        """
        head, _, body = frame.partition(b"\n")
        words = head.split(b" ")
        if len(words) == 3 and not words[1].startswith(_PATH):
            return None
        self._attempts = min(self._attempts + 1, 8)
        self._due_ns = now_ns + delay_ns(self._attempts)
        if len(words) not in (2, 3) or words[-1] != b"200":
            raise WireError(f"{head[:60]!r}: {body[:120]!r}")
        pairs = wire.decode_pairs(body)
        if pairs.code != "0":
            raise WireError(f"{pairs.code} {pairs.msg:.80}")
        if not pairs.data:
            raise WireError("an empty list")
        self._attempts, self._due_ns = 0, None
        return pairs.data
