"""The crate's `OnlineFeatures` of one instrument, computed as its books and trades come: 256 bytes, integers only.

Pure: the same calls give the same bytes on any machine. A book update costs a few microseconds: a side whose top ten
bytes did not change is not looked at, windows are running totals noted once a second, a root is taken only where its
input changed. What each field means, to the last unit: docs/features.md.
"""

import struct
from struct import Struct
from typing import Final

from connectors.book import L2Book
from connectors.events import Trade
from runtime.abi import FEATURES_BYTES, FEATURES_VERSION
from runtime.features.bars import CRISIS, SECOND_NS, Z_MAX, FlowBars, SpreadBars, VolatilityBars
from runtime.features.flow import SIDE_BYTES, WEIGHT_SUM, Side
from runtime.features.model import Prediction, Predictor
from runtime.features.trades import TradeBars

__all__ = ["Features", "Prediction", "Predictor"]

AGE_NONE_MS: Final = 65_535  # prediction_age_ms: there is no prediction
_U32: Final = 2**32 - 1
_U64: Final = 2**64 - 1
_I64: Final = 2**63 - 1
_BIDS: Final = slice(0, SIDE_BYTES)  # of L2Book's buffer
_ASKS: Final = slice(320, 320 + SIDE_BYTES)

_HEAD: Final = Struct("<HH")  # version, flags, at 0
# microprice, OFI 1, 5, 10, EWMA, sign imbalance, arrival rate, VPIN, regime, z-score, cancel rate, depth imbalance
_BODY: Final = Struct("<QqqqqqIHxxBxhHh")
_BODY_AT: Final = 8
_SPREAD: Final = Struct("<Bxh")
_SPREAD_AT: Final = 64
_DEPTH: Final = Struct("<h")
_DEPTH_AT: Final = 70
_VOLATILITY: Final = Struct("<III")
_VOLATILITY_AT: Final = 72
_MODEL: Final = Struct("<7HH3H")  # directions, stress, toxicity, age, fill probabilities, queue decay
_MODEL_AT: Final = 88
_AGE: Final = Struct("<H")
_AGE_AT: Final = 102
_WORD: Final = Struct("<Q")
_STAMP_AT: Final = 112


class Features:
    """`buffer` is the record, current after each `on_book`; between books it tells what the last book left.

    Engine time never goes back here: a smaller `now_ns` than the largest seen counts as that.
    """

    __slots__ = ("_asks", "_bar", "_bar_end_ns", "_bids", "_ewma", "_flow", "_lost", "_now_ns", "_predicted_ns",
                 "_rate", "_regime", "_sign", "_spread", "_spreads", "_stale", "_traded", "_trades", "_trades_seen",
                 "_volatility", "_vpin", "_zscore", "buffer")  # fmt: skip

    def __init__(self) -> None:
        self.buffer = bytearray(FEATURES_BYTES)
        self._bids, self._asks = Side(is_bid=True), Side(is_bid=False)
        self._flow, self._spreads, self._volatility = FlowBars(), SpreadBars(), VolatilityBars()
        self._trades = TradeBars()
        self._now_ns = self._bar_end_ns = 0
        self._bar = -1  # the bar of the last book
        self._spread = self._ewma = self._traded = self._sign = self._rate = self._vpin = 0
        self._regime, self._zscore = CRISIS, Z_MAX
        self._trades_seen = False  # some trade is not in the fields yet
        self._stale = True  # what is not of the book changed, so that the body must be written even if the book did not
        self._predicted_ns: int | None = None
        _HEAD.pack_into(self.buffer, 0, FEATURES_VERSION, 0)
        self._drop_prediction()
        self.on_lost()

    # --- what comes in ---------------------------------------------------------------------------------------------

    def on_book(self, book: L2Book, now_ns: int) -> None:
        """A valid book, after every change of it. Takes the differences to the one before, and writes the record."""
        if now_ns > self._now_ns:
            self._now_ns = now_ns
        else:
            now_ns = self._now_ns
        if now_ns >= self._bar_end_ns:
            self._next_bar(now_ns // SECOND_NS)
        if self._trades_seen:
            self._take_trades()
        raw = book.buffer
        bids, asks = raw[_BIDS], raw[_ASKS]
        if self._lost:
            self._restart(bids, asks)
        elif bids != self._bids.raw:
            self._bids.take(bids)
            if asks != self._asks.raw:
                self._asks.take(asks)
            self._write()
        elif asks != self._asks.raw:
            self._asks.take(asks)
            self._write()
        elif self._stale:
            self._write()
        _WORD.pack_into(self.buffer, _STAMP_AT, now_ns if now_ns < _U64 else _U64)
        if self._predicted_ns is not None:
            self._age()

    def on_trade(self, trade: Trade, now_ns: int) -> None:
        """A public trade; it enters the record with the next book. Snapshot trades and empty ones are ignored."""
        if trade.snapshot or trade.sz_1e8 <= 0:
            return
        self._now_ns = max(self._now_ns, now_ns)
        self._trades.advance(self._now_ns // SECOND_NS)
        self._trades.add(trade.sz_1e8, trade.side)
        self._trades_seen = True

    def on_lost(self) -> None:
        """The book is invalid: until the next one the record shows an empty book; windows keep what they hold.

        Neither an order-flow difference nor a return is taken from the last book before to the first one after.
        """
        self._lost = True
        _WORD.pack_into(self.buffer, _BODY_AT, 0)
        _SPREAD.pack_into(self.buffer, _SPREAD_AT, CRISIS, Z_MAX)
        _DEPTH.pack_into(self.buffer, _DEPTH_AT, 0)

    def predict(self, prediction: Prediction, now_ns: int) -> None:
        """Shows a model's answer, aged from `now_ns` on, until it is replaced or 65.535 s old."""
        self._predicted_ns = now_ns
        fields = (
            prediction.pred_dir_up_1e4, prediction.pred_dir_flat_1e4, prediction.pred_dir_down_1e4,
            prediction.pred_stress_normal_1e4, prediction.pred_stress_widening_1e4,
            prediction.pred_stress_crisis_1e4, prediction.pred_toxic_1e4, 0, prediction.fill_prob_bid_1e4,
            prediction.fill_prob_ask_1e4, prediction.queue_decay_rate_1e4,
        )  # fmt: skip
        _MODEL.pack_into(self.buffer, _MODEL_AT, *fields)
        self._age()

    # --- once a second ---------------------------------------------------------------------------------------------

    def _next_bar(self, bar: int) -> None:
        """The first book of a new second: closes the bar of the book before it."""
        if self._bar >= 0:
            bids, asks = self._bids, self._asks
            flow = bids.one - asks.one, bids.five - asks.five, bids.ten - asks.ten
            self._flow.close(self._bar, bar, flow, bids.taken + asks.taken)
            self._spreads.close(self._bar, bar, self._spread)
            mid_2e9 = bids.px[0] + asks.px[0] if self._spread else 0
            self._volatility.close(self._bar, bar, mid_2e9)
            self._ewma = _within_i64(self._flow.ewma_1e6)
            bps = (value if value < _U32 else _U32 for value in self._volatility.bps())
            _VOLATILITY.pack_into(self.buffer, _VOLATILITY_AT, *bps)
        self._bar = bar
        self._bar_end_ns = (bar + 1) * SECOND_NS
        self._trades.advance(bar)
        self._trades_seen = True

    def _take_trades(self) -> None:
        trades = self._trades
        self._sign, self._rate = trades.sign_imbalance_1e6, min(trades.rate_1e3, _U32)
        self._traded = trades.volume_1e8
        vpin = trades.vpin.value_1e4
        if vpin is not None:
            self._vpin = vpin
            _HEAD.pack_into(self.buffer, 0, FEATURES_VERSION, 1)
        self._trades_seen = False
        self._stale = True

    # --- every book ------------------------------------------------------------------------------------------------

    def _restart(self, bids: bytearray, asks: bytearray) -> None:
        """The first book, or the first after a loss: there is nothing to compare it with."""
        self._volatility.cut()
        self._bids.restart(bids)
        self._asks.restart(asks)
        self._lost = False
        self._write()

    def _write(self) -> None:
        bids, asks, flow = self._bids, self._asks, self._flow
        bid, ask = bids.px[0], asks.px[0]
        if bid and ask:
            spread = ask - bid
            bid_sz, ask_sz = bids.sz[0], asks.sz[0]
            micro = (bid * ask_sz + ask * bid_sz) // (bid_sz + ask_sz)
        else:
            spread = micro = 0
        if spread != self._spread or self._stale:
            self._spread = spread
            self._regime, self._zscore = self._spreads.judge(spread)
            self._stale = False
        more = bids.sum - asks.sum
        if more >= 0:
            imbalance = 10_000 * more // (bids.sum + asks.sum) if more else 0
        else:
            imbalance = -(-10_000 * more // (bids.sum + asks.sum))
        taken = bids.taken + asks.taken - flow.taken
        cancelled = taken - self._traded
        one = bids.one - asks.one - flow.one
        five = bids.five - asks.five - flow.five
        ten = bids.ten - asks.ten - flow.ten
        ten = ten // WEIGHT_SUM if ten >= 0 else -(-ten // WEIGHT_SUM)
        cancel = 10_000 * cancelled // taken if cancelled > 0 else 0
        try:
            _BODY.pack_into(
                self.buffer, _BODY_AT, micro, one, five, ten, self._ewma, self._sign, self._rate, self._vpin,
                self._regime, self._zscore, cancel, imbalance,
            )  # fmt: skip
        except struct.error:  # cheaper than three comparisons for every book; all else is within its range by now
            _BODY.pack_into(
                self.buffer, _BODY_AT, micro, _within_i64(one), _within_i64(five), _within_i64(ten), self._ewma,
                self._sign, self._rate, self._vpin, self._regime, self._zscore, cancel, imbalance,
            )  # fmt: skip

    # --- the model's part ------------------------------------------------------------------------------------------

    def _age(self) -> None:
        predicted_ns = self._predicted_ns
        if predicted_ns is not None:
            age_ms = (self._now_ns - predicted_ns) // 1_000_000
            if age_ms >= AGE_NONE_MS:
                self._drop_prediction()
            else:
                _AGE.pack_into(self.buffer, _AGE_AT, max(age_ms, 0))

    def _drop_prediction(self) -> None:
        """None yet, or one so old that its age cannot be told from none."""
        self._predicted_ns = None
        _MODEL.pack_into(self.buffer, _MODEL_AT, *(0,) * 7, AGE_NONE_MS, *(0,) * 3)


def _within_i64(value: int) -> int:
    return max(-_I64 - 1, min(value, _I64))
