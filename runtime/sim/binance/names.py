"""Symbols and numbers as Binance writes them: `BTCUSDT`, amounts as texts with eight decimals (venues.md 3.1). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.sim.binance.words import Oops, missing
from runtime.sim.exchange.numbers import UNIT, fixed, scaled
from runtime.sim.market import SimPair

DECIMALS: Final = 8
PLACES: Final = UNIT - DECIMALS


def symbol_of(pair: SimPair) -> str:
    """The venue's own name."""
    return f"{pair.base}{pair.quote}"


def by_symbol(pairs: Mapping[str, SimPair]) -> dict[str, SimPair]:
    """The pairs by the venue's names."""
    return {symbol_of(pair): pair for pair in pairs.values()}


def price(pair: SimPair, value: int) -> str:
    """A price."""
    return fixed(value * 10 ** (DECIMALS - pair.price_precision), DECIMALS)


def qty(pair: SimPair, lots: int) -> str:
    """A quantity."""
    return fixed(lots * 10 ** (DECIMALS - pair.qty_precision), DECIMALS)


def money(amount: int) -> str:
    """An amount of any asset, cut to eight decimals."""
    return fixed(amount // 10**PLACES, DECIMALS)


def read_price(pair: SimPair, value: object, name: str = "price") -> int:
    """A price in the pair's units. Raises Oops for no number, too many decimals, and what is off the grid."""
    return _read(value, name, pair.price_precision, "Filter failure: PRICE_FILTER")


def read_qty(pair: SimPair, value: object, name: str = "quantity") -> int:
    """A quantity in lots. Raises Oops."""
    return _read(value, name, pair.qty_precision, "Filter failure: LOT_SIZE")


def read_money(value: object, name: str) -> int:
    """An amount of the quote. Raises Oops."""
    return _read(value, name, DECIMALS, "") * int(10**PLACES)


def _read(value: object, name: str, decimals: int, filter_text: str) -> int:
    found = scaled(value, decimals)
    if found is None:
        wide = scaled(value, 40)
        if wide is None:
            raise missing(name)
        if scaled(value, DECIMALS) is None:
            raise Oops(400, -1111, f"Parameter '{name}' has too much precision.")
        raise Oops(400, -1013, filter_text)
    if found < 0:
        raise missing(name)
    return found
