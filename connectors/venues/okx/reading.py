"""OKX's numbers to ours, exactly: trades, tickers, pairs. Whatever cannot be held raises, and says why."""

from typing import Final

from connectors.errors import NumberError
from connectors.events import Ticker, Trade
from connectors.exchange.amounts import ms_ns
from connectors.instrument import Instrument
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, scaled
from connectors.venues.okx import wire

_ID_DIGITS: Final = 19


def trade(index: int, item: wire.TradeData) -> Trade:
    """Raises NumberError."""
    px, sz = scaled(item.px, PRICE_DECIMALS), scaled(item.sz, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        msg = f"trade {item.px} × {item.sz} is outside the guest's range"
        raise NumberError(msg)
    digits = item.trade_id
    if not digits.isascii() or not digits.isdigit() or len(digits) > _ID_DIGITS or int(digits) > I64_MAX:
        msg = f"trade id {item.trade_id!r:.40} is no number"
        raise NumberError(msg)
    return Trade(index, px, sz, 1 if item.side == "buy" else -1, int(digits), ms_ns(item.ts))


def ticker(index: int, item: wire.TickerData, ts_venue: str) -> Ticker:
    """0 where nothing was traded yet, which OKX writes as an empty text. Raises NumberError."""
    last, high, low = (scaled(price or "0", PRICE_DECIMALS) for price in (item.last, item.high24h, item.low24h))
    # a day's volume of small coins has more than eight decimals, and no guest is given it
    volume = scaled(item.vol24h or "0", 18) // 10 ** (18 - SIZE_DECIMALS)
    if min(last, high, low, volume) < 0 or max(last, high, low) > I64_MAX:
        msg = f"ticker of {item.inst_id}: last {item.last}, volume {item.vol24h}, {item.low24h} to {item.high24h}"
        raise NumberError(msg)
    return Ticker(index, last, volume, high, low, ts_venue)


def instrument(pair: wire.Pair, symbol: str) -> Instrument:
    """Raises NumberError or InstrumentError: it does not fit the guest's scales, or is not filled in yet."""
    tick, lot = scaled(pair.tick_sz, PRICE_DECIMALS), scaled(pair.lot_sz, SIZE_DECIMALS)
    return Instrument(
        venue="okx",
        symbol=symbol,
        price_precision=_decimals(tick, PRICE_DECIMALS),
        size_precision=_decimals(lot, SIZE_DECIMALS),
        tick_size_1e9=tick,
        lot_size_1e8=lot,
        min_qty_1e8=scaled(pair.min_sz, SIZE_DECIMALS),
        status="online" if pair.state == "live" else pair.state or "unknown",
        venue_symbol=pair.inst_id,
        venue_code="" if pair.inst_id_code is None else str(pair.inst_id_code),
    )


def _decimals(step: int, decimals: int) -> int:
    """Of a step's own text: 10^8 at nine decimals (0.1) has one."""
    while decimals and step and step % 10 == 0:
        step //= 10
        decimals -= 1
    return decimals
