"""The whole plugin surface: what a venue's author writes against.

A session is pure: bytes and a time come in, a list of outputs goes out. It never awaits, retries, reconnects, logs,
reads a clock or touches a float that is money; `runtime/net.py` does the first four once, from `Capabilities`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from connectors.book import L2Book
from connectors.chain import ChainPlan
from connectors.events import Event, RejectCode
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder
from connectors.pool import PoolId

API_VERSION = 1
PUBLIC: Final = "public"  # the link of a venue that has one


class Send(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bytes for one of the venue's links. Secrets stand as `{secret:NAME}`; net.py puts them in, last.

    `approval`: of the order they carry, its number; 0 for everything else.
    """

    link: str
    data: bytes
    approval: int = 0


class WakeAt(msgspec.Struct, frozen=True, array_like=True):
    """Call `tick` at this time or soon after. A session may ask as often as it likes; the earliest counts."""

    at_ns: int


class Reconnect(msgspec.Struct, frozen=True, array_like=True):
    """This link is dead though its socket may not know: close it and dial again."""

    link: str
    reason: str


Output = Event | Send | WakeAt | Reconnect


class MarketSession(Protocol):
    """One venue's public side. Every method may return any outputs.

    `link` names one of the venue's links; most venues have one and never look at it.
    """

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """The link is up: say hello, subscribe. Called again after each reconnect; nothing is remembered there."""

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """The link went down: every book on it is lost."""

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """One frame as it arrived. Never raises on any bytes: what it cannot explain, it reports and drops."""

    def tick(self, now_ns: int) -> list[Output]:
        """Time passed: liveness, acks that are due, back-off that ended."""

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        """The engine found this book unusable: get a fresh snapshot, with back-off."""


class OrderEncoder(Protocol):
    """Encodes approved orders as the venue takes them. The paper venue uses it too, so that paper is honest bytes."""

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send: ...

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send: ...

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send: ...

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send: ...


class Capabilities(msgspec.Struct, frozen=True):
    """What the venue offers, as data: the runtime and the conformance kit act on it."""

    depths: tuple[int, ...]
    checksum: bool
    order_types: tuple[int, ...] = ()
    amend: bool = False
    onchain: bool = False  # its markets are pools: orders there are filled on paper only


class Venue(msgspec.Struct, frozen=True):
    """One venue, data only. Entry point group `venuegate.venues`.

    `venue_id` is the guest's (ABI: kraken 1 …). `market(plan)` makes a session. `orders(instruments)` makes an encoder
    for orders whose `instrument` indexes that list. `checksum(book)` is compared with the venue's after every book
    message. `asked(data)` reads what outgoing bytes ask for, by the venue's documentation and not by the encoder's
    code: the tap compares it with what was approved; it raises ValueError for bytes it cannot read, and answers with
    nothing for those that ask for no order. `refusals` are the venue's answers that the paper venue must copy: what
    happened → (code, its words).
    """

    name: str
    venue_id: int
    public_url: str
    capabilities: Capabilities
    market: Callable[["SessionPlan"], MarketSession]
    orders: Callable[[Sequence[Instrument | None]], OrderEncoder] | None = None
    checksum: Callable[[L2Book], int] | None = None
    asked: Callable[[bytes], list[Asked]] | None = None
    refusals: Mapping[str, tuple[RejectCode, str]] = {}
    api_version: int = API_VERSION


class SessionPlan(msgspec.Struct, frozen=True):
    """What a market session is to follow.

    `symbols`: (engine index, venue's symbol). `instruments`: metadata known beforehand, by engine index; a symbol
    without it must be learnt from the venue before its book can be read. `depth`: levels a side to subscribe. `pools`:
    (engine index, pool), for chains; a pool's ladder comes as BookSnapshot under its index. `chain`: how the chain is
    followed. `price_1e9(symbol)`: the mid ×1e9 of the first valid book of that symbol at a venue that is no chain, now;
    0 for none.
    """

    symbols: tuple[tuple[int, str], ...]
    depth: int
    instruments: Mapping[int, Instrument] = {}
    pools: tuple[tuple[int, PoolId], ...] = ()
    chain: ChainPlan | None = None
    price_1e9: Callable[[str], int] = lambda _symbol: 0
