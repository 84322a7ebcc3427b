"""One RPC endpoint of an EVM chain: what is asked of it, and its word on the chain."""

from collections.abc import Iterator
from typing import Final

from connectors.onchain.asker import Asker
from connectors.session import Output
from connectors.venues.evm.rpc import Head

HEIGHTS_KEPT: Final = 256


class Endpoint(Asker):
    """One link.

    `heads` is this endpoint's word on the chain: number → hash, of the last 256. `is_ready`: it answered the right
    chain id. `is_trusted`: no other endpoint has proved it wrong since it connected.
    """

    def __init__(self, link: str, calls_per_s: int, out: list[Output], numbers: Iterator[int]) -> None:
        super().__init__(link, calls_per_s, out, numbers)
        self.is_ready = False
        self.is_trusted = True
        self.subscription: int | str = ""  # of new heads
        self.logs_subscription: int | str = ""
        self.head: Head | None = None
        self.heads: dict[int, str] = {}
        self.head_ns = 0  # when the last new head came
        self.frame_ns = 0
        self.polled_ns = 0
        self.is_polling = False
        self.older = ""  # the hash of an older block that was told as the newest, last time
        self.failures = 0  # answers that were wrong or missing, in a row

    @property
    def is_usable(self) -> bool:
        return self.is_up and self.is_ready and self.is_trusted

    def turned(self, now_ns: int, *, is_up: bool) -> None:
        """The link is up or down: nothing said before counts any more."""
        dropped = self.forget()
        self.is_up, self.is_ready, self.is_trusted = is_up, False, True
        self.subscription = self.logs_subscription = ""
        self.head = None
        self.heads.clear()
        self.failures = 0
        self.older, self.is_polling = "", False
        self.frame_ns = self.head_ns = now_ns
        for then in dropped:
            then(None, "link down", now_ns)

    def saw(self, head: Head, now_ns: int) -> None:
        """A new head, by notification or by asking."""
        if self.head is None or head.hash != self.head.hash:
            self.head_ns = now_ns
        self.head = head
        if self.heads.get(head.number) != head.hash:
            for number in [number for number in self.heads if number >= head.number]:
                del self.heads[number]  # what stood above a replaced block is gone with it
        self.heads[head.number] = head.hash
        while len(self.heads) > HEIGHTS_KEPT:
            del self.heads[next(iter(self.heads))]
