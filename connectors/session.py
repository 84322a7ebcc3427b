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
TRADE: Final = "trade"  # where orders leave, at a venue that has a socket of its own for them: needs the same key
CALLS: Final = "calls"  # public questions over HTTP, without a key; never up or down
ORDERS_DIGITS: Final = 10  # of an order session's numbers there
AUDIT: Final = "audit"  # a second look at the books
KEYED: Final = frozenset({PRIVATE, TRADE})  # sockets on which a key is used
# what they say is no market data: a venue is not alive by them
ASIDE: Final = frozenset({PRIVATE, TRADE, REST, CALLS, AUDIT})


class Send(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bytes for one of the venue's links. Secrets stand as `{secret:NAME}`; net.py puts them in, last.

    `approval`: of the order they carry, its number; 0 for everything else. `more`: of further orders in the same bytes.

    On the REST link, and on any link whose address is HTTP's: `<id> <path>` or `<id> <method> <path>`, a newline, then
    the body as the venue takes it, form-encoded or JSON, without what signing adds; of GET and DELETE it is the query.
    Without a method REST posts, and CALLS gets; there a market session numbers from 1 and an order session from 10^9,
    so that it is known whose an answer is. No path is secret. A third word, `+250` or `-3000`, is how many ms the
    venue's clock is ahead of ours, for whoever signs. The answer comes as a Frame of that link: `<id> <status>`, a
    newline, the body. Status 0: no answer, and nobody knows what became of the request; the body says what happened, in
    words. A chain's link of HTTP calls is posted to at its address: path `/`.
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


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue offers, as data: the runtime and the conformance kit act on it.

    `sequence`: its book messages are numbered or chained, so that a lost one is noticed by that alone. `cancel_all`:
    one message cancels everything the account has open; without it every order is cancelled by itself. `absent`:
    what a user would look for and the venue does not have, name → why, for the documentation.
    """

    depths: tuple[int, ...]
    checksum: bool
    order_types: tuple[int, ...] = ()
    sequence: bool = False
    trades: bool = True
    ticker: bool = False
    audit: bool = False  # books can be compared with fresh ones on the AUDIT link
    amend: bool = False
    amend_down_only: bool = False  # an amend lowers the quantity and can change nothing else
    cancel_all: bool = False
    dead_man: bool = False  # a timer at the venue cancels what is open when we are silent
    batch_max: int = 0  # new orders that one message can carry; 0: one each
    onchain: bool = False  # its markets are pools: orders there are filled on paper only
    is_float: bool = False  # its numbers went through floats before they came to us
    absent: Mapping[str, str] = {}


class Unsigned(msgspec.Struct, frozen=True, kw_only=True):
    """A request as a session wrote it. `body`: of GET and DELETE the query. `host`: where it goes, without a scheme.

    `nonce` rises strictly over all requests of the key, and over restarts. `now_ns`: the venue's time, as far as the
    session knows it.
    """

    method: str
    path: str
    body: bytes
    host: str
    nonce: int
    now_ns: int


class Signed(msgspec.Struct, frozen=True):
    """What leaves of it: `path` with its query, headers, and the body where there is one."""

    path: str
    headers: dict[str, str]
    body: bytes | None = None


class Trading(msgspec.Struct, frozen=True):
    """What it takes to trade at a venue for real.

    `session(plan)` makes an order session. `sign(request, secrets)`: how a request leaves; pure; `secrets` by name:
    key, secret, and those of `more_secrets`. Raises ConfigError, which names no part of one, for a secret that cannot
    sign.
    `seal(data, secrets, now_ns)`: of a frame for a socket that a key opens, what has to be signed as it leaves: the
    bytes with that put in, where the session left a place for it; pure; everything else it leaves as it is. None: such
    frames need `{secret:NAME}` at most. `secrets_in(path, body)`: name → what an answer to `path` holds that is a
    secret; the door keeps it for `{secret:NAME}` and lets nobody see it. `trade_url`: of the TRADE link; "" where there
    is none. `rest_at_once`: so many requests may be under way.

    `deadline_ns`: how long after its approval the venue may still act on a request. `visible_ns`: how long after that
    the venue's lists may still lack it. `keeps_ns`: how long they keep an order that was cancelled without a trade; 0:
    for good. `id_max`: characters of a client order id. `unit_1e8`: by currency, to what the venue rounds each movement
    of money, ×1e8; one that is not named is exact. `options`: its own settings, name → the texts that each may have;
    `validate` = `true`, where there is one, has new orders checked and not placed.
    """

    session: Callable[["TradingPlan"], OrderSession]
    private_url: str
    rest_url: str
    sign: Callable[[Unsigned, Mapping[str, str]], Signed]
    deadline_ns: int
    visible_ns: int
    id_max: int
    secrets_in: Callable[[str, bytes], dict[str, str]] = lambda _path, _body: {}
    seal: Callable[[bytes, Mapping[str, str], int], bytes] | None = None
    trade_url: str = ""
    more_secrets: tuple[str, ...] = ()
    keeps_ns: int = 0
    rest_at_once: int = 1
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
    happened → (code, its words). `trading`: None, where orders are filled on paper only. `calls_url`: of the CALLS
    link; "" for a venue that needs none. `usual`: its best known markets; the first that all venues of a session have
    is followed where nobody names any.
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
    calls_url: str = ""
    usual: tuple[str, ...] = ("BTC/USD", "ETH/USD")
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
