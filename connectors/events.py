"""What venues tell us, after a session has read it: integers at the guest's scales, two times on everything.

`instrument` is the index of the instrument in the engine's table; the session is given it when it is made. Structs
are array-like, so that the ones which count as outputs (`ExecReport`) enter the session's hash in one short record.
"""

from enum import IntEnum, StrEnum

import msgspec

from connectors.book import Level
from connectors.instrument import Instrument
from connectors.pool import ChainFee, PoolUpdate


class BookSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The whole book as the venue has it now; replaces ours. `checksum` as the venue printed it, None: it has none."""

    instrument: int
    bids: list[Level]
    asks: list[Level]
    checksum: int | None
    depth: int
    ts_venue: str


class BookDelta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Changed levels in the venue's order; size 0 removes. `checksum` is of the book after this change.

    `ts_venue` is the venue's RFC 3339 text (`units.rfc3339_ns` reads it): parsing it for every delta would cost more
    than the rest of the event.
    """

    instrument: int
    bids: list[Level]
    asks: list[Level]
    checksum: int | None
    ts_venue: str


class BookLost(msgspec.Struct, frozen=True, array_like=True):
    """The session knows that this book is no longer the venue's: unsubscribed, unexplained frame, silent link.

    `is_gap`: the venue's own numbering says that a message of it was lost.
    """

    instrument: int
    reason: str
    is_gap: bool = False


class Trade(msgspec.Struct, frozen=True, array_like=True):
    """A public trade. `side` is the taker's: +1 bought, −1 sold."""

    instrument: int
    px_1e9: int
    sz_1e8: int
    side: int
    trade_id: int
    ts_venue_ns: int
    snapshot: bool = False


class VenueStatus(msgspec.Struct, frozen=True, array_like=True):
    """The venue's own word on itself: `online`, `maintenance`, `cancel_only`, `post_only`."""

    venue: str
    system: str


class InstrumentUpdate(msgspec.Struct, frozen=True, array_like=True):
    """Metadata read or changed. Where the digits change, the book of the old digits is gone."""

    instrument: int
    definition: Instrument


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Something a person should read: a refused symbol, an unexplained frame. `level`: info, warning, error."""

    level: str
    text: str


class ExecType(StrEnum):
    """What an ExecReport reports (FIX 150 ExecType, in the field's words)."""

    NEW = "new"
    TRADE = "trade"
    CANCELED = "canceled"
    REPLACED = "replaced"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCEL_REJECTED = "cancel_rejected"
    REPLACE_REJECTED = "replace_rejected"
    UNKNOWN = "unknown"


class RejectCode(IntEnum):
    """The codes a guest is given (crate `sequence-algo-sdk`, events.rs): 0–6 the venue's, 100–106 ours."""

    UNKNOWN = 0
    INSUFFICIENT_BALANCE = 1
    INVALID_PARAMS = 2
    RATE_LIMIT = 3
    EXCHANGE_BUSY = 4
    NETWORK = 5
    AUTH = 6
    RISK = 100
    POSITION_LIMIT = 101
    KILL_SWITCH = 102
    PRICE_DEVIATION = 103
    DAILY_LOSS_LIMIT = 104
    BAD_VENUE = 105
    STALE_VENUE = 106


class ExecReport(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One thing that happened to one order (FIX 35=8). Quantities ×1e8 ≥ 0, prices ×1e9, fee ×1e9 of the quote.

    `last_*` are of this execution, `cum_qty_1e8` and `leaves_qty_1e8` after it. `exec_id` is unique per execution and
    empty where nothing was executed. `px_1e9` and `qty_1e8` are the order's new ones in REPLACED, else 0.
    `reject_code` is the code for the guest when a venue refused, `text` the venue's own words.
    """

    client_order_id: str
    exec_type: ExecType
    instrument: int
    venue_order_id: str = ""
    exec_id: str = ""
    last_qty_1e8: int = 0
    last_px_1e9: int = 0
    cum_qty_1e8: int = 0
    leaves_qty_1e8: int = 0
    fee_1e9: int = 0
    px_1e9: int = 0
    qty_1e8: int = 0
    reject_code: RejectCode = RejectCode.UNKNOWN
    text: str = ""
    ts_venue_ns: int = 0


class Balance(msgspec.Struct, frozen=True, array_like=True):
    """What the account has of a currency at a venue, what open orders hold included; ×1e8, rounded down."""

    venue: str
    currency: str
    total_1e8: int


class Movement(msgspec.Struct, frozen=True, array_like=True):
    """Money that came or went at a venue: one leg of an execution, a fee, a deposit; ×1e8, signed, rounded down.

    `ref` with `currency` and `kind` (`base`, `quote`, `fee`, or the venue's own word) names it for ever: told twice, it
    is the same movement. Of whosever order: `client_order_id` where it is one of ours. `ts_venue_ns` 0: not told.
    """

    venue: str
    ref: str
    currency: str
    kind: str
    amount_1e8: int
    client_order_id: str = ""
    ts_venue_ns: int = 0


class Ready(msgspec.Struct, frozen=True, array_like=True):
    """Whether orders may be sent to this venue: `why` not, in words; "": they may."""

    venue: str
    why: str


class Doubt(msgspec.Struct, frozen=True, array_like=True):
    """The account may be other than what was told, for this reason: somebody should look."""

    venue: str
    why: str


class OrderStatus(StrEnum):
    """What a venue's record says of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"


class VenueOrder(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One order in the venue's record. `instrument` −1: a market that we do not follow, named by `symbol`.

    `client_order_id` is "" where the order has none. `px_1e9` 0: a market order. `reason`: the venue's own words.
    """

    client_order_id: str
    venue_order_id: str
    instrument: int
    symbol: str
    side: int
    order_type: int
    px_1e9: int
    qty_1e8: int
    cum_qty_1e8: int
    status: OrderStatus
    reason: str = ""
    opened_ns: int = 0


class VenueTrade(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One execution in the venue's record; `fee_1e9` in the quote currency."""

    exec_id: str
    venue_order_id: str
    client_order_id: str
    instrument: int
    side: int
    qty_1e8: int
    px_1e9: int
    fee_1e9: int = 0
    ts_venue_ns: int = 0


class Picture(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The venue's record of the account, put together from answers to questions of which none was asked before
    `asked_ns`: everything that is open, everything that closed or traded since `since_ns`, what is there.

    `trades` are those of orders of ours. `balances`: currency → total ×1e8, what open orders hold included.
    """

    venue: str
    asked_ns: int
    since_ns: int
    open: tuple[VenueOrder, ...]
    closed: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]
    balances: tuple[tuple[str, int], ...]


class Ticker(msgspec.Struct, frozen=True, array_like=True):
    """The venue's summary of one market: last price and of 24 hours volume, high and low."""

    instrument: int
    last_1e9: int
    volume_1e8: int
    high_1e9: int
    low_1e9: int
    ts_venue: str


class AuditDue(msgspec.Struct, frozen=True, array_like=True):
    """A fresh snapshot of this book will be asked for some seconds from now: what the book is from now on is wanted to
    compare it with.
    """

    instrument: int


class BookAudit(msgspec.Struct, frozen=True, array_like=True):
    """The snapshot that was asked for; None where none came in time."""

    instrument: int
    snapshot: BookSnapshot | None


class Reconciled(msgspec.Struct, frozen=True, array_like=True):
    """This venue's record and ours were compared, and are equal: it may be traded at."""

    venue: str


class PositionReport(msgspec.Struct, frozen=True, array_like=True):
    """The venue's own word on the account's position at one market; ×1e8, signed."""

    instrument: int
    position_1e8: int


Event = (
    BookDelta
    | BookSnapshot
    | BookLost
    | Trade
    | VenueStatus
    | InstrumentUpdate
    | Notice
    | ExecReport
    | Balance
    | PositionReport
    | Reconciled
    | Movement
    | Ready
    | Doubt
    | Picture
    | Ticker
    | AuditDue
    | BookAudit
    | PoolUpdate
    | ChainFee
)
