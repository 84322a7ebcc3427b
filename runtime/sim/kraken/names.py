"""Kraken's older names: XXBT, ZUSD, XXBTZUSD, XBTUSD, XBT/USD for the BTC/USD of today (venues.md 1.7). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runtime.sim.market import SimPair

ALTNAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
KEYS: Final = {"BTC": "XXBT", "DOGE": "XXDG", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP"}


def asset_altname(asset: str) -> str:
    """BTC → XBT."""
    return ALTNAMES.get(asset, asset)


def asset_key(asset: str) -> str:
    """BTC → XXBT, as balances are keyed."""
    return KEYS.get(asset, asset)


def pair_altname(pair: SimPair) -> str:
    """BTC/USD → XBTUSD."""
    return asset_altname(pair.base) + asset_altname(pair.quote)


def pair_wsname(pair: SimPair) -> str:
    """BTC/USD → XBT/USD."""
    return f"{asset_altname(pair.base)}/{asset_altname(pair.quote)}"


def pair_key(pair: SimPair) -> str:
    """BTC/USD → XXBTZUSD; pairs of newer assets are keyed by their altname."""
    old = pair.base in {"BTC", "ETH"} and pair.quote in KEYS
    return asset_key(pair.base) + asset_key(pair.quote) if old else pair_altname(pair)


def find_pair(pairs: Iterable[SimPair], name: str) -> SimPair | None:
    """A pair by any of its spellings."""
    for pair in pairs:
        if name.upper() in {pair.symbol, pair_altname(pair), pair_wsname(pair), pair_key(pair)}:
            return pair
    return None
