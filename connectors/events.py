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
    """The session knows that this book is no longer the venue's: unsubscribed, unexplained frame, silent link."""

    instrument: int
    reason: str


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
    | PoolUpdate
    | ChainFee
)
