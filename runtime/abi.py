"""The guest's records: layouts, regions, generations. Source: the crate `sequence-algo-sdk` 0.1.0–0.4.0 (`repr(C)`).

All little-endian. The numbers below are offsets printed by the Rust compiler; tests compare them with the published
table and with what guests compiled against the real crate read back. Later generations append fields to `AlgoState`,
so the newest record serves every generation.
"""

from enum import IntEnum, StrEnum
from struct import Struct
from typing import Final

from connectors.book import BOOK_BYTES

STATE_BYTES: Final = 1576
FILL_BYTES: Final = 40
REJECT_BYTES: Final = 16
ACTIONS_BYTES: Final = 520
FEATURES_BYTES: Final = 256

ACTIONS_MAX: Final = 16
ORDERS_MAX: Final = 32
ACTION_BYTES: Final = 32
ACTIONS_AT: Final = 8  # behind count u32 and padding

# order_id, px_1e9, qty_1e8, side, kind (is_cancel), order_type, venue_id, pool_idx, symbol_idx, the last two bytes
ACTION: Final = Struct("<QQqbBBBBBH")
OPEN_ORDER: Final = Struct("<QQqqbB6x")  # order_id, px_1e9, signed qty_1e8, filled_1e8, side, status
FILL: Final = Struct("<QQqQbH5x")  # order_id, px_1e9, qty_1e8, recv_ns, side, symbol_id in the first padding bytes
REJECT: Final = Struct("<QBH5x")  # order_id, code, symbol_id in the first padding bytes

BOOK_SYMBOL_ID_AT: Final = 642

# AlgoState
POSITION: Final = Struct("<qQqq")  # position_1e8, avg_entry_1e9, realized_pnl_1e9, unrealized_pnl_1e9 at 0
UNREALIZED_AT: Final = 24
ORDERS_AT: Final = 32
ORDER_BYTES: Final = 40
ORDER_CT_AT: Final = 1312
SESSION_AT: Final = 1320  # session_pnl_1e9 i64, total_fill_count u64
SYMBOL_AT: Final = 1336
SYMBOL_META: Final = Struct("<QQQQBB6x")  # tick, lot, min qty, min notional, price and qty decimals
RISK_AT: Final = 1376
RISK: Final = Struct("<qqQIB3x")  # max position, max daily loss, max order notional, max order rate, reduce_only
SYMBOL_ID_AT: Final = 1552
SYMBOL_NAME_AT: Final = 1560
SYMBOL_NAME_BYTES: Final = 16

FEATURES_VERSION: Final = 1
MESSAGE_BYTES_MAX: Final = 256
LABEL_BYTES: Final = 32
PEERS_MAX: Final = 16
MESH_AT: Final = 1408  # mesh_id u64, mesh_peer_count u8, at 1424 mesh_peers [u64; 16]
MESH_PEERS_AT: Final = 1424
PARAMS_MAX: Final = 32
POOLS_MAX: Final = 32
CHAINS_MAX: Final = 8


class ActionKind(IntEnum):
    """`Action.is_cancel`."""

    NEW = 0
    CANCEL = 1
    AMEND = 2
    INTENT = 3


class GuestStatus(IntEnum):
    """`OpenOrder.status`. DEAD stands for exactly one more callback that is handed the state."""

    PENDING = 0
    ACKED = 1
    PARTIAL = 2
    DEAD = 3


class Generation(StrEnum):
    """What a guest was built with, as its exports tell; `abi =` in its deploy block may say it."""

    V0_1 = "0.1"  # also 0.3 single venue: the same exports
    V0_3 = "0.3"  # 0.3.1 and later with features
    V0_3_0_NBBO = "0.3.0"  # multi venue, 16 slots
    V0_3_2_NBBO = "0.3.2"  # multi venue of 0.3.1 and later, 20 slots; the same exports
    V0_4 = "0.4"


class Region(StrEnum):
    """A record at a fixed address of guest memory."""

    VENUE_BOOKS = "VenueBooks"
    POOL_BOOKS = "PoolBooks"
    FEATURES = "OnlineFeatures"
    CHAIN_FEES = "ChainFeeTable"
    POOL_STATES = "PoolStateTable"
    CONFIG = "ConfigRegion"
    MESH = "MeshTable"


Span = tuple[int, int]  # (address, bytes)

# Which regions a guest of a generation is given; one that is not given a region may use that memory as it likes.
REGIONS: Final[dict[Generation, dict[Region, Span]]] = {
    Generation.V0_1: {},
    Generation.V0_3: {Region.FEATURES: (0x1A000, 256)},
    Generation.V0_3_0_NBBO: {Region.VENUE_BOOKS: (0x10000, 11_176), Region.POOL_BOOKS: (0x13000, 22_280)},
    Generation.V0_3_2_NBBO: {
        Region.VENUE_BOOKS: (0x10000, 13_808),
        Region.POOL_BOOKS: (0x14000, 22_280),
        Region.FEATURES: (0x1A000, 256),
    },
    Generation.V0_4: {
        Region.VENUE_BOOKS: (0x10000, 13_832),
        Region.POOL_BOOKS: (0x14000, 22_536),
        Region.FEATURES: (0x1A000, 256),
        Region.CHAIN_FEES: (0x1B000, 392),
        Region.POOL_STATES: (0x23000, 3_088),
        Region.CONFIG: (0x24000, 304),
        Region.MESH: (0x24200, 688),
    },
}
NBBO_BYTES: Final = {Generation.V0_3_0_NBBO: 480, Generation.V0_3_2_NBBO: 592, Generation.V0_4: 616}


I32: Final = "i32"
I64: Final = "i64"

# name → (parameters, results); every module must have these
CORE_EXPORTS: Final = {
    "algo_alloc": ((I32,), (I32,)),
    "algo_on_fill": ((I32, I32), ()),
    "algo_on_reject": ((I32,), ()),
    "algo_on_shutdown": ((I32,), (I32,)),
}
OPTIONAL_EXPORTS: Final = {
    "algo_on_book": ((I32, I32), (I32,)),
    "algo_on_book_v3": ((I32, I32), (I32,)),
    "algo_on_nbbo": ((I32, I32, I32), (I32,)),
    "algo_on_message": ((I64, I32, I32, I32), (I32,)),
    "algo_on_heartbeat": ((I32,), (I32,)),
}
IMPORTS: Final = {
    "host_log_impl": ((I32, I32, I32), ()),
    "__seq_send": ((I64, I32, I32), ()),
}
# records handed over by pointer, in the order in which they are allocated
RECORDS: Final = {"book": BOOK_BYTES, "state": STATE_BYTES, "fill": FILL_BYTES, "reject": REJECT_BYTES}
