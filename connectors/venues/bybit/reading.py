"""Bybit's numbers to ours, exactly: trades, tickers, pairs, times. Whatever cannot be held raises, and says why."""

from decimal import Decimal
from typing import Final

from connectors.errors import NumberError
from connectors.events import Ticker, Trade
from connectors.instrument import Instrument
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, TextGrid, rfc3339_of_ms, scaled
from connectors.venues.bybit import wire

TOPIC_DEPTHS: Final = (1, 50, 200, 1000)
DEPTHS: Final = (1, 10, 25, 50, 100, 200, 500, 1000)
MS: Final = 10**6
_ID_DIGITS_MAX: Final = 19  # of a trade id that is a number; others are UUIDs


def topic_depth(depth: int) -> int:
    """The smallest topic with so many levels.

    Its book is kept whole. One cut to fewer levels would lack, after a removal near the top, a level that Bybit still
    has and will not send again.
    """
    return next((most for most in TOPIC_DEPTHS if most >= depth), TOPIC_DEPTHS[-1])


class Levels(TextGrid):
    """Levels of one market, exactly, also those finer than its tick and lot: orders outlive a change of these."""

    __slots__ = ()

    def exact_level(self, price: str | Decimal, qty: str | Decimal) -> tuple[int, int]:
        """Raises NumberError: off the guest's scale, not positive, beyond 63 bits."""
        px, sz = scaled(price, PRICE_DECIMALS), scaled(qty, SIZE_DECIMALS)
        if not 0 < px <= I64_MAX or not 0 <= sz <= I64_MAX:
            msg = f"level {price} × {qty} is outside the guest's range"
            raise NumberError(msg)
        return px, sz


def trade(index: int, item: wire.TradeData) -> Trade:
    """`trade_id` is 0 where Bybit's is no number. Raises NumberError."""
    px, sz = scaled(item.price, PRICE_DECIMALS), scaled(item.size, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        msg = f"trade {item.price} × {item.size} is outside the guest's range"
        raise NumberError(msg)
    name = item.trade_id
    number = int(name) if name.isascii() and name.isdigit() and len(name) <= _ID_DIGITS_MAX else 0
    trade_id = number if number <= I64_MAX else 0
    return Trade(index, px, sz, 1 if item.side == "Buy" else -1, trade_id, item.time * MS)


def ticker(index: int, message: wire.Ticker, stamp: str) -> Ticker:
    """Raises NumberError."""
    item = message.data
    last, high, low = (scaled(price, PRICE_DECIMALS) for price in (item.last_price, item.high_price, item.low_price))
    volume = scaled(item.volume, SIZE_DECIMALS)
    if min(last, high, low, volume) < 0 or max(last, high, low) > I64_MAX:
        msg = f"ticker of {item.symbol}: last {item.last_price}, volume {item.volume}"
        raise NumberError(msg)
    return Ticker(index, last, volume, high, low, stamp)


def instrument(symbol: str, pair: wire.Pair) -> Instrument:
    """`minOrderQty` is deprecated and not checked any more. Raises NumberError, InstrumentError: it does not fit."""
    tick = scaled(pair.price_filter.tick_size, PRICE_DECIMALS)
    lot = scaled(pair.lot_size_filter.base_precision, SIZE_DECIMALS)
    return Instrument(
        venue="bybit",
        symbol=symbol,
        price_precision=_decimals(tick, PRICE_DECIMALS),
        size_precision=_decimals(lot, SIZE_DECIMALS),
        tick_size_1e9=tick,
        lot_size_1e8=lot,
        min_notional_1e9=scaled(pair.lot_size_filter.min_order_amt or "0", PRICE_DECIMALS),
        status="online" if pair.status == "Trading" else pair.status,
        venue_symbol=pair.symbol,
    )


def _decimals(units: int, scale: int) -> int:
    """How many of `scale` decimals a step needs: 0.05 needs two."""
    digits = str(units)
    return max(scale - (len(digits) - len(digits.rstrip("0"))), 0) if units > 0 else scale


class Stamp:
    """Milliseconds as RFC 3339 in UTC. The text of the last second is kept: most frames share it."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, ms: int) -> str:
        """`2026-08-16T10:04:05.123Z`. Raises NumberError for a time that is none."""
        second, rest = divmod(ms, 1000)
        if second != self._second:
            self._text = rfc3339_of_ms(second * 1000)[:-4]
            self._second = second
        return f"{self._text}{rest:03d}Z"
