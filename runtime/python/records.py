"""The records that every callback is handed, for Python algos: book, state, fill, reject, features.

Names, methods and integer results are the crate's (`sequence-algo-sdk` 0.4.0: book.rs, state.rs, events.rs,
features.rs); `…_usd` and `…_f64` are floats, for texts and signals, never for an order.
"""

from typing import Final, NamedTuple

from connectors.book import BOOK_BYTES, LEVELS
from connectors.events import RejectCode
from runtime.abi import (
    FEATURES_BYTES,
    FILL_BYTES,
    ORDER_BYTES,
    ORDERS_MAX,
    REJECT_BYTES,
    STATE_BYTES,
    SYMBOL_NAME_BYTES,
    GuestStatus,
)
from runtime.python.layout import (
    I32_MAX,
    I64_MAX,
    I64_MIN,
    U32_MAX,
    U64,
    Array,
    Bytes,
    Int,
    Ints,
    Record,
    Sub,
    as_i32,
    as_i64,
    quotient,
    text_of,
)

_CODE_NAMES: Final[dict[int, str]] = {int(code): code.name for code in RejectCode} | {100: "RISK_CHECK_FAILED"}


class Level(Record):
    """One price level: price ×1e9, size ×1e8."""

    __slots__ = ()
    SIZE = 16
    px_1e9 = Int(0, "Q")
    sz_1e8 = Int(8, "Q")

    def is_valid(self) -> bool:
        return self.px_1e9 > 0


class L2Book(Record):
    """Up to 20 levels a side, best first; `recv_ns` is when it came in: an algo's only clock."""

    __slots__ = ()
    SIZE = BOOK_BYTES
    bids = Array(0, Level, LEVELS)
    asks = Array(320, Level, LEVELS)
    bid_ct = Int(640, "B")
    ask_ct = Int(641, "B")
    symbol_id = Int(642, "H")
    recv_ns = Int(648, "Q")

    def best_bid(self) -> Level | None:
        level = self.bids[0]
        return level if self.bid_ct and level.px_1e9 else None

    def best_ask(self) -> Level | None:
        level = self.asks[0]
        return level if self.ask_ct and level.px_1e9 else None

    def mid_px_1e9(self) -> int:
        """Rounded down; 0 where a side is empty."""
        if not (self.bid_ct and self.ask_ct):
            return 0
        return (self.bids[0].px_1e9 + self.asks[0].px_1e9 & U64) // 2

    def spread_1e9(self) -> int:
        """0 for a crossed book, 2^64 − 1 where a side is empty."""
        if not (self.bid_ct and self.ask_ct):
            return U64
        return max(self.asks[0].px_1e9 - self.bids[0].px_1e9, 0)

    def spread_signed_1e9(self) -> int:
        """Negative for a crossed book, 2^63 − 1 where a side is empty."""
        if not (self.bid_ct and self.ask_ct):
            return I64_MAX
        return as_i64(self.asks[0].px_1e9 - self.bids[0].px_1e9)

    def spread_bps(self) -> int:
        """Whole basis points, rounded down; 2^32 − 1 without a mid."""
        mid = self.mid_px_1e9()
        return U32_MAX if mid == 0 else (self.spread_1e9() * 10_000 & U64) // mid & U32_MAX

    def spread_bps_x1000(self) -> int:
        """Thousandths of a basis point, negative for a crossed book; 2^31 − 1 without a mid."""
        mid = self.mid_px_1e9()
        if mid == 0:
            return I32_MAX
        return as_i32(quotient((self.asks[0].px_1e9 - self.bids[0].px_1e9) * 10_000_000, mid))

    def is_crossed(self) -> bool:
        return bool(self.bid_ct and self.ask_ct and self.bids[0].px_1e9 > self.asks[0].px_1e9)

    def bid_depth_1e8(self, levels: int) -> int:
        """Size of the best `levels` bids."""
        return sum(level.sz_1e8 for level in self.bids[: max(0, min(levels, self.bid_ct))]) & U64

    def ask_depth_1e8(self, levels: int) -> int:
        return sum(level.sz_1e8 for level in self.asks[: max(0, min(levels, self.ask_ct))]) & U64

    def imbalance_bps(self, levels: int) -> int:
        """(bids − asks) / (bids + asks) in basis points; 0 for an empty book."""
        bids, asks = self.bid_depth_1e8(levels), self.ask_depth_1e8(levels)
        total = as_i64(bids + asks)
        return as_i32(quotient(as_i64(as_i64(bids - asks) * 10_000), total)) if total else 0


class OpenOrder(Record):
    """One of our orders as the gateway knows it. `qty_1e8` is signed, `filled_1e8` is not."""

    __slots__ = ()
    SIZE = ORDER_BYTES
    order_id = Int(0, "Q")
    px_1e9 = Int(8, "Q")
    qty_1e8 = Int(16, "q")
    filled_1e8 = Int(24, "q")
    side = Int(32, "b")
    status = Int(33, "B")

    def is_live(self) -> bool:
        return self.status in (GuestStatus.ACKED, GuestStatus.PARTIAL)

    def is_pending(self) -> bool:
        return self.status == GuestStatus.PENDING

    def remaining_1e8(self) -> int:
        return abs(self.qty_1e8) - abs(self.filled_1e8)


class SymbolMeta(Record):
    """The instrument's grid and minimums; 0 is unknown, and then nothing is rounded or refused."""

    __slots__ = ()
    SIZE = 40
    tick_size_1e9 = Int(0, "Q")
    lot_size_1e8 = Int(8, "Q")
    min_qty_1e8 = Int(16, "Q")
    min_notional_1e9 = Int(24, "Q")
    price_precision = Int(32, "B")
    qty_precision = Int(33, "B")

    def round_px(self, px_1e9: int) -> int:
        """Down to the tick."""
        tick = self.tick_size_1e9
        return px_1e9 // tick * tick if tick else px_1e9

    def round_qty(self, qty_1e8: int) -> int:
        """Towards zero to the lot."""
        lot = self.lot_size_1e8
        return quotient(qty_1e8, lot) * lot if lot else qty_1e8

    def check_notional(self, qty_1e8: int, px_1e9: int) -> bool:
        minimum = self.min_notional_1e9
        return minimum == 0 or (abs(qty_1e8) * px_1e9 // 100_000_000 & U64) >= minimum

    def check_min_qty(self, qty_1e8: int) -> bool:
        minimum = self.min_qty_1e8
        return minimum == 0 or abs(qty_1e8) >= minimum


class RiskSnapshot(Record):
    """What the gate holds this algo to; a limit of 0 is unknown. `reduce_only` 1: only reducing orders pass."""

    __slots__ = ()
    SIZE = 32
    max_position_1e8 = Int(0, "q")
    max_daily_loss_1e9 = Int(8, "q")
    max_order_notional_1e9 = Int(16, "Q")
    max_order_rate = Int(24, "I")
    reduce_only = Int(28, "B")

    def check_position(self, current_position_1e8: int, delta_1e8: int) -> bool:
        """Whether the position stays within the limit."""
        limit = self.max_position_1e8
        projected = max(I64_MIN, min(current_position_1e8 + delta_1e8, I64_MAX))
        return limit == 0 or abs(projected) <= limit


class PnlSnapshot(NamedTuple):
    """Money ×1e9."""

    realized_1e9: int
    unrealized_1e9: int
    total_1e9: int


class AlgoState(Record):
    """Position, money, orders, instrument and limits of one symbol, as the gateway knows them at this callback."""

    __slots__ = ()
    SIZE = STATE_BYTES
    position_1e8 = Int(0, "q")
    avg_entry_1e9 = Int(8, "Q")
    realized_pnl_1e9 = Int(16, "q")
    unrealized_pnl_1e9 = Int(24, "q")
    orders = Array(32, OpenOrder, ORDERS_MAX)
    order_ct = Int(1312, "B")
    session_pnl_1e9 = Int(1320, "q")
    total_fill_count = Int(1328, "Q")
    symbol = Sub(1336, SymbolMeta)
    risk = Sub(1376, RiskSnapshot)
    mesh_id = Int(1408, "Q")
    mesh_peer_count = Int(1416, "B")
    mesh_peers = Ints(1424, "Q", 16)
    symbol_id = Int(1552, "H")
    symbol_name_bytes = Bytes(1560, SYMBOL_NAME_BYTES)

    def symbol_name(self) -> str:
        """`BTC-USD`."""
        return text_of(self.symbol_name_bytes)

    def is_flat(self) -> bool:
        return self.position_1e8 == 0

    def is_long(self) -> bool:
        return self.position_1e8 > 0

    def is_short(self) -> bool:
        return self.position_1e8 < 0

    def has_orders(self) -> bool:
        return self.order_ct > 0

    def live_order_count(self) -> int:
        return sum(order.is_live() for order in self.orders[: self.order_ct])

    def find_order(self, order_id: int) -> OpenOrder | None:
        """Of whatever status, DEAD too."""
        return next((order for order in self.orders[: self.order_ct] if order.order_id == order_id), None)

    def open_buy_qty_1e8(self) -> int:
        """What live buys have left."""
        return sum(o.remaining_1e8() for o in self.orders[: self.order_ct] if o.is_live() and o.side > 0)

    def open_sell_qty_1e8(self) -> int:
        return sum(o.remaining_1e8() for o in self.orders[: self.order_ct] if o.is_live() and o.side < 0)

    def total_pnl_1e9(self) -> int:
        return as_i64(self.realized_pnl_1e9 + self.unrealized_pnl_1e9)

    def get_pnl(self) -> PnlSnapshot:
        return PnlSnapshot(self.realized_pnl_1e9, self.unrealized_pnl_1e9, self.total_pnl_1e9())

    def realized_pnl_usd(self) -> float:
        return self.realized_pnl_1e9 / 1e9

    def unrealized_pnl_usd(self) -> float:
        return self.unrealized_pnl_1e9 / 1e9

    def total_pnl_usd(self) -> float:
        return self.total_pnl_1e9() / 1e9

    def session_pnl_usd(self) -> float:
        return self.session_pnl_1e9 / 1e9


class Fill(Record):
    """One execution: `qty_1e8` is a magnitude, `side` its direction."""

    __slots__ = ()
    SIZE = FILL_BYTES
    order_id = Int(0, "Q")
    px_1e9 = Int(8, "Q")
    qty_1e8 = Int(16, "q")
    recv_ns = Int(24, "Q")
    side = Int(32, "b")
    symbol = Int(33, "H")  # in the first padding bytes

    def symbol_id(self) -> int:
        return self.symbol

    def since_ns(self, start_ns: int) -> int:
        """From a book's `recv_ns` to this; never negative."""
        return max(self.recv_ns - start_ns, 0)

    def since_us(self, start_ns: int) -> int:
        return self.since_ns(start_ns) // 1_000

    def since_ms(self, start_ns: int) -> int:
        return self.since_ns(start_ns) // 1_000_000


class Reject(Record):
    """One refusal: codes from 100 are the gate's, below it the venue's."""

    __slots__ = ()
    SIZE = REJECT_BYTES
    order_id = Int(0, "Q")
    code = Int(8, "B")
    symbol = Int(9, "H")  # in the first padding bytes

    def symbol_id(self) -> int:
        return self.symbol

    def reason(self) -> str:
        """The crate's word for the code."""
        return _CODE_NAMES.get(self.code, "UNKNOWN")


class OnlineFeatures(Record):
    """What venuegate computes of one instrument's flow; a field's name ends in its scale."""

    __slots__ = ()
    SIZE = FEATURES_BYTES
    version = Int(0, "H")
    flags = Int(2, "H")
    microprice_1e9 = Int(8, "Q")
    ofi_1level_1e8 = Int(16, "q")
    ofi_5level_1e8 = Int(24, "q")
    mlofi_10_1e8 = Int(32, "q")
    ofi_ewma_1e6 = Int(40, "q")
    trade_sign_imbalance_1e6 = Int(48, "q")
    trade_arrival_rate_1e3 = Int(56, "I")
    vpin_1e4 = Int(60, "H")
    spread_regime = Int(64, "B")
    spread_zscore_1e3 = Int(66, "h")
    cancel_rate_1e4 = Int(68, "H")
    depth_imbalance_1e4 = Int(70, "h")
    rv_1m_bps = Int(72, "I")
    rv_5m_bps = Int(76, "I")
    rv_1h_bps = Int(80, "I")
    pred_dir_up_1e4 = Int(88, "H")
    pred_dir_flat_1e4 = Int(90, "H")
    pred_dir_down_1e4 = Int(92, "H")
    pred_stress_normal_1e4 = Int(94, "H")
    pred_stress_widening_1e4 = Int(96, "H")
    pred_stress_crisis_1e4 = Int(98, "H")
    pred_toxic_1e4 = Int(100, "H")
    prediction_age_ms = Int(102, "H")
    fill_prob_bid_1e4 = Int(104, "H")
    fill_prob_ask_1e4 = Int(106, "H")
    queue_decay_rate_1e4 = Int(108, "H")
    feature_ts_ns = Int(112, "Q")

    def vpin_valid(self) -> bool:
        return bool(self.flags & 1)

    def microprice_f64(self) -> float:
        return self.microprice_1e9 / 1e9

    def ofi_1level_f64(self) -> float:
        return self.ofi_1level_1e8 / 1e8

    def trade_sign_imbalance_f64(self) -> float:
        return self.trade_sign_imbalance_1e6 / 1e6
