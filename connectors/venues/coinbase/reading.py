"""Coinbase's numbers to ours, exactly: levels, trades, tickers, products. What cannot be held raises, and says why."""

from typing import Final

from connectors.book import Level
from connectors.errors import NumberError
from connectors.events import Ticker, Trade
from connectors.instrument import Instrument
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, TextGrid, rfc3339_ns, scaled
from connectors.venues.coinbase import wire

_DIGITS_MAX: Final = 18  # of a trade's number
# Flags that say more than `status`, the gravest first, in the words that the gate knows.
_FLAGS: Final = (
    "is_disabled",
    "trading_disabled",
    "view_only",
    "cancel_only",
    "auction_mode",
    "post_only",
    "limit_only",
)


def levels(event: wire.BookEvent, grid: TextGrid) -> tuple[list[Level], list[Level]]:
    """(bids, asks), each in the venue's order. Raises NumberError for what is not on the grid."""
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    for one in event.updates:
        if one.side == "bid":
            bids.append((one.price_level, one.new_quantity))
        else:
            asks.append((one.price_level, one.new_quantity))
    return grid.of_texts(bids) if bids else [], grid.of_texts(asks) if asks else []


def trade(index: int, item: wire.TradeItem, is_snapshot: bool) -> Trade:
    """The venue names the maker's side: the taker did the other thing. Raises NumberError."""
    px, sz = scaled(item.price, PRICE_DECIMALS), scaled(item.size, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        raise NumberError(f"trade {item.price} × {item.size} is outside the guest's range")
    number = item.trade_id
    if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX):
        raise NumberError(f"trade_id {number!r:.40} is no number")
    return Trade(index, px, sz, -1 if item.side == "BUY" else 1, int(number), rfc3339_ns(item.time), is_snapshot)


def ticker(index: int, item: wire.TickerItem, timestamp: str) -> Ticker:
    """Raises NumberError."""
    last, high, low = (scaled(price, PRICE_DECIMALS) for price in (item.price, item.high_24_h, item.low_24_h))
    volume = scaled(item.volume_24_h, SIZE_DECIMALS)
    if min(last, high, low, volume) < 0 or max(last, high, low) > I64_MAX:
        raise NumberError(f"ticker of {item.product_id}: last {item.price}, {item.low_24_h} to {item.high_24_h}")
    return Ticker(index, last, volume, high, low, timestamp)


def instrument(product: wire.Product, symbol: str) -> Instrument:
    """Raises NumberError or InstrumentError: it does not fit the guest's scales.

    `price_increment` is the tick; `quote_increment` is of money. `quote_min_size` is the least an order may be worth.
    """
    tick, lot = scaled(product.price_increment, PRICE_DECIMALS), scaled(product.base_increment, SIZE_DECIMALS)
    return Instrument(
        venue="coinbase",
        symbol=symbol,
        price_precision=decimals(tick, PRICE_DECIMALS),
        size_precision=decimals(lot, SIZE_DECIMALS),
        tick_size_1e9=tick,
        lot_size_1e8=lot,
        min_qty_1e8=scaled(product.base_min_size, SIZE_DECIMALS),
        min_notional_1e9=scaled(product.quote_min_size, PRICE_DECIMALS),
        status=next((flag.removeprefix("is_") for flag in _FLAGS if getattr(product, flag)), product.status),
        venue_symbol=product.product_id,
    )


def decimals(step: int, scale: int) -> int:
    """How many decimals a multiple of `step` ×10^-`scale` can have."""
    while scale and step and step % 10 == 0:
        step //= 10
        scale -= 1
    return scale


def book_decimals(made: Instrument, product: wire.Product) -> tuple[int, int]:
    """(price, size) of its levels: orders that rest since before the tick became coarser stand between the new ones."""
    try:
        finest = decimals(scaled(product.quote_increment, PRICE_DECIMALS), PRICE_DECIMALS)
    except NumberError:
        finest = 0
    return max(made.price_precision, finest), made.size_precision
