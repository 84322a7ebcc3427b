"""Kraken's numbers to ours, exactly: levels, trades, tickers, pairs. Whatever cannot be held raises, and says why.

Both links read levels here: a snapshot that is to judge a book must not be read in another way than the book was.
"""

from typing import Final

from connectors.book import Level
from connectors.errors import NumberError
from connectors.events import Ticker, Trade
from connectors.instrument import Instrument
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, FloatGrid, rfc3339_ns, scaled
from connectors.venues.kraken import wire

DEPTHS: Final = (10, 25, 100, 500, 1000)


def levels(frame: bytes, data: wire.BookData, grid: FloatGrid) -> tuple[list[Level], list[Level]]:
    """(bids, asks) of a book frame that was decoded to `data`. Raises NumberError for what is not on the grid."""
    bids = grid.levels(data.bids) if data.bids else []  # type: ignore[arg-type]
    asks = grid.levels(data.asks) if data.asks else []  # type: ignore[arg-type]
    if bids is None or asks is None:
        (exact,) = wire.decode_exact_book(frame).data
        bids = [grid.exact_level(level.price, level.qty) for level in exact.bids]
        asks = [grid.exact_level(level.price, level.qty) for level in exact.asks]
    return bids, asks


def trade(index: int, item: wire.TradeData, is_snapshot: bool) -> Trade:
    """Raises NumberError."""
    px, sz = scaled(item.price, PRICE_DECIMALS), scaled(item.qty, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        msg = f"trade {item.price} × {item.qty} is outside the guest's range"
        raise NumberError(msg)
    return Trade(index, px, sz, 1 if item.side == "buy" else -1, item.trade_id, rfc3339_ns(item.timestamp), is_snapshot)


def ticker(index: int, item: wire.TickerData) -> Ticker:
    """0 where nothing was traded yet. Raises NumberError."""
    last, high, low = (scaled(price, PRICE_DECIMALS) for price in (item.last, item.high, item.low))
    volume = scaled(item.volume, SIZE_DECIMALS)  # no guest is given it: a day's of small coins is beyond 63 bits
    if min(last, high, low, volume) < 0 or max(last, high, low) > I64_MAX:
        msg = f"ticker of {item.symbol}: last {item.last}, volume {item.volume}, {item.low} to {item.high}"
        raise NumberError(msg)
    return Ticker(index, last, volume, high, low, item.timestamp)


def instrument(pair: wire.Pair) -> Instrument:
    """Raises NumberError or InstrumentError: it does not fit the guest's scales."""
    return Instrument(
        venue="kraken",
        symbol=pair.symbol,
        price_precision=pair.price_precision,
        size_precision=pair.qty_precision,
        tick_size_1e9=scaled(pair.price_increment, PRICE_DECIMALS),
        lot_size_1e8=scaled(pair.qty_increment, SIZE_DECIMALS),
        min_qty_1e8=scaled(pair.qty_min, SIZE_DECIMALS),
        min_notional_1e9=scaled(pair.cost_min, PRICE_DECIMALS),
        status=pair.status,
    )
