"""Binance's numbers to ours, exactly: trades and markets. Whatever cannot be held raises, and says why."""

from typing import Final

from connectors.errors import NumberError
from connectors.events import Trade
from connectors.instrument import Instrument
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, scaled, trimmed_text
from connectors.venues.binance import wire

MS: Final = 1_000_000
TRADING: Final = "TRADING"


def trade(index: int, item: wire.Trade) -> Trade:
    """Raises NumberError."""
    px, sz = scaled(item.price, PRICE_DECIMALS), scaled(item.qty, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        msg = f"trade {item.price} × {item.qty} is outside the guest's range"
        raise NumberError(msg)
    return Trade(index, px, sz, -1 if item.is_buyer_maker else 1, item.trade_id, item.ms * MS)


def instrument(symbol: str, market: wire.Market) -> Instrument:
    """`symbol` is ours. A filter of 0 is switched off; then the assets' own decimals are the grid.

    https://developers.binance.com/docs/binance-spot-api-docs/filters. Raises NumberError or InstrumentError: it does
    not fit the guest's scales.
    """
    tick = step = min_qty = min_notional = 0
    for one in market.filters:
        if one.kind == "PRICE_FILTER":
            tick = scaled(one.tick, PRICE_DECIMALS)
        elif one.kind == "LOT_SIZE":
            step, min_qty = scaled(one.step, SIZE_DECIMALS), scaled(one.min_qty, SIZE_DECIMALS)
        elif one.kind in ("NOTIONAL", "MIN_NOTIONAL"):  # a market has one of them
            min_notional = max(min_notional, scaled(one.min_notional, PRICE_DECIMALS))
    tick = tick or 10 ** max(PRICE_DECIMALS - market.quote_precision, 0)
    step = step or 10 ** max(SIZE_DECIMALS - market.base_precision, 0)
    return Instrument(
        venue="binance",
        symbol=symbol,
        price_precision=_decimals(tick, PRICE_DECIMALS),
        size_precision=_decimals(step, SIZE_DECIMALS),
        tick_size_1e9=tick,
        lot_size_1e8=step,
        min_qty_1e8=min_qty,
        min_notional_1e9=min_notional,
        status="online" if market.status == TRADING else market.status,
        venue_symbol=market.symbol,
    )


def _decimals(units: int, scale: int) -> int:
    """Of the grid's step: 2 of 0.01, 0 of 5."""
    return len(trimmed_text(units, scale).partition(".")[2])
