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
PRIVATE: Final = "private"  # orders, executions, balances: needs a key
REST: Final = "rest"  # one request a Send, one answer a Frame; never up or down
AUDIT: Final = "audit"  # a second look at the books
ASIDE: Final = frozenset({PRIVATE, REST, AUDIT})  # what they say is no market data: a venue is not alive by them


class Send(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bytes for one of the venue's links. Secrets stand as `{secret:NAME}`; net.py puts them in, last.

    `approval`: of the order they carry, its number; 0 for everything else. `more`: of further orders in the same bytes.

    On the REST link, and on any link whose address is HTTP's: `<id> <path>`, a newline, then the body as the venue
    takes it, form-encoded or JSON, without what signing adds; no path is secret. The answer comes as a Frame of that
    link: `<id> <status>`, a newline, the body. Status 0: no answer, and nobody knows what became of the request; the
    body says what happened, in words. A link of HTTP calls without a key is posted to at its address: path `/`.
    """

    link: str
    data: bytes
    approval: int = 0
    more: tuple[int, ...] = ()


class WakeAt(msgspec.Struct, frozen=True, array_like=True):
    """Call `tick` at this time or soon after. A session may ask as often as it likes; the earliest counts."""

    at_ns: int


class Reconnect(msgspec.Struct, frozen=True, array_like=True):
    """This link is dead though its socket may not know: close it and dial again."""

    link: str
    reason: str


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """Nothing may be traded here, and nothing will change that while this session runs: it ends, for this reason."""

    reason: str


Output = Event | Send | WakeAt | Reconnect | Stop


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


class OrderSession(Protocol):
    """One venue's private side, pure like `MarketSession`: requests out; answers, executions and balances in.

    It says with `Ready` whether orders may be sent, and with `Doubt` that the account may be other than what it told;
    it looks only when it is asked to. What silence or a cut link leaves open it reports as UNKNOWN, never as refused,
    and never asks twice. It knows no order but by what the venue and the approvals say of it, keeps nothing over a
    restart, and tells nothing of an order that is not ours but `Movement`s of money. A key that is refused, or may not
    do what trading takes, is `Stop`; one that loses that later is `Ready` with the reason.
    """

    def start(self, now_ns: int) -> list[Output]:
        """Once, before any link: what must be known of the key."""

    def open(self, now_ns: int, link: str, /) -> list[Output]:
        """The private link is up."""

    def close(self, now_ns: int, link: str, /) -> list[Output]:
        """It is gone: `Ready` with the reason, and everything unanswered is UNKNOWN."""

    def receive(self, frame: bytes, now_ns: int, link: str, /) -> list[Output]:
        """One frame of the private link, or one answer of REST. Never raises on any bytes."""

    def tick(self, now_ns: int) -> list[Output]: ...

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[Output]: ...

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        """Several at one market in one message, where the venue has it: the first's approval, the others in `more`."""

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]: ...

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        """By whichever way is open: the private link, or REST while that is down."""

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> list[Output]:
        """The same."""

    def over(self, client_order_id: str) -> None:
        """It ended, by whatever proof: nothing of it is awaited. Executions of it that are told later still count."""

    def look(self, since_ns: int, now_ns: int) -> list[Output]:
        """Ask for a `Picture` of the account: what is open, what closed and traded since. One at a time.

        The engine asks after each `Ready`, after each `Doubt`, and whenever it has reasons of its own.
        """

    def says(self, system: str, now_ns: int) -> list[Output]:
        """The venue's word on itself, from whichever link: a dead-man's switch is disarmed before maintenance."""

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """The session ends; `is_flat`: no order of ours is open or in doubt. The last word before the links close."""


class Capabilities(msgspec.Struct, frozen=True):
    """What the venue offers, as data: the runtime and the conformance kit act on it."""

    depths: tuple[int, ...]
    checksum: bool
    order_types: tuple[int, ...] = ()
    amend: bool = False
    onchain: bool = False  # its markets are pools: orders there are filled on paper only
    batch_max: int = 0  # new orders that one message can carry; 0: one each


class Trading(msgspec.Struct, frozen=True):
    """What it takes to trade at a venue for real.

    `session(plan)` makes an order session. `sign(path, body, key, secret, nonce)`: headers and body of a signed
    request; pure, `nonce` rises strictly. `secrets_in(path, body)`: name → what an answer to `path` holds that is a
    secret; the door keeps it for `{secret:NAME}` and lets nobody see it. `deadline_ns`: how long after its approval the
    venue may still act on a request. `visible_ns`: how long after that the venue's lists may still lack it. `id_max`:
    characters of a client order id. `unit_1e8`: by currency, to what the venue rounds each movement of money, ×1e8; one
    that is not named is exact. `options`: its own settings, name → the texts that each may have;
    `validate` = `true`, where there is one, has new orders checked and not placed.
    """

    session: Callable[["TradingPlan"], OrderSession]
    private_url: str
    rest_url: str
    sign: Callable[[str, bytes, str, str, int], tuple[dict[str, str], bytes]]
    secrets_in: Callable[[str, bytes], dict[str, str]]
    deadline_ns: int
    visible_ns: int
    id_max: int
    unit_1e8: Mapping[str, int] = {}
    options: Mapping[str, tuple[str, ...]] = {}


class TradingPlan(msgspec.Struct, frozen=True):
    """What an order session is to trade.

    `symbols`: (engine index, venue's symbol). `instruments`: metadata by engine index, kept current by the engine.
    `ours`: what every client order id of ours begins with, of whichever session. `options`: the venue's own settings,
    as its documentation names them.
    """

    symbols: tuple[tuple[int, str], ...]
    instruments: Sequence[Instrument | None]
    ours: str
    options: Mapping[str, str] = {}


class Venue(msgspec.Struct, frozen=True):
    """One venue, data only. Entry point group `venuegate.venues`.

    `venue_id` is the guest's (ABI: kraken 1 …). `market(plan)` makes a session. `orders(instruments)` makes an encoder
    for orders whose `instrument` indexes that list. `checksum(book)` is compared with the venue's after every book
    message. `asked(data)` reads what outgoing bytes ask for, by the venue's documentation and not by the encoder's
    code: the tap compares it with what was approved; it raises ValueError for bytes it cannot read, and answers with
    nothing for those that ask for no order. `refusals` are the venue's answers that the paper venue must copy: what
    happened → (code, its words). `trading`: None, where orders are filled on paper only.
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
    trading: Trading | None = None
    api_version: int = API_VERSION


class SessionPlan(msgspec.Struct, frozen=True):
    """What a market session is to follow.

    `symbols`: (engine index, venue's symbol). `instruments`: metadata known beforehand, by engine index; a symbol
    without it must be learnt from the venue before its book can be read. `depth`: levels a side to subscribe. `pools`:
    (engine index, pool), for chains; a pool's ladder comes as BookSnapshot under its index. `chain`: how the chain is
    followed. `audit_ns`: how often a book is compared with a fresh snapshot on the AUDIT link; 0: never. `is_ticking`:
    whether the venue's tickers are wanted. `price_1e9(symbol)`: the mid ×1e9 of the first valid book of that symbol at
    a venue that is no chain, now; 0 for none.
    """

    symbols: tuple[tuple[int, str], ...]
    depth: int
    instruments: Mapping[int, Instrument] = {}
    pools: tuple[tuple[int, PoolId], ...] = ()
    chain: ChainPlan | None = None
    price_1e9: Callable[[str], int] = lambda _symbol: 0
    audit_ns: int = 0
    is_ticking: bool = False
