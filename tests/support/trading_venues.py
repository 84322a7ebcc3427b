"""Where a `TradingWorld` may play: each venue's connector with its simulator, which share no code."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Final, NamedTuple

from connectors.session import CALLS, PRIVATE, PUBLIC, TRADE, Trading, Venue
from runtime.sim.exchange import order as exchange_order
from runtime.sim.kraken import Faults, KrakenVenue
from runtime.sim.kraken import order as kraken_order
from runtime.sim.market import DEFAULT_PAIRS, SimPair

# venue → (the simulated one, its markets here)
_USD: Final = ("BTC/USD", "ETH/USD")
_USDT: Final = ("BTC/USDT", "ETH/USDT")
_SIMS: Final = {
    "kraken": ("KrakenVenue", _USD),
    "coinbase": ("CoinbaseVenue", _USD),
    "binance": ("BinanceVenue", _USDT),
    "okx": ("OkxVenue", _USDT),
    "bybit": ("BybitVenue", _USDT),
}
VENUES: Final = tuple(_SIMS)
# what a simulator keeps of an order besides, of one that is placed by hand
_EXTRA: Final[dict[str, dict[str, str]]] = {
    "coinbase": {"configuration": "limit_limit_gtc", "end_time": ""},
    "okx": {"tag": "", "ordType": "limit", "tgtCcy": ""},
}
_TAG: Final = 8  # characters of our tag, before the number


class Place(NamedTuple):
    """One venue. `sim`: the class of its simulated self."""

    venue: Venue
    trading: Trading
    sim: Any
    symbols: tuple[str, ...]

    @property
    def sockets(self) -> tuple[str, ...]:
        """The links that are sockets, public first."""
        return (PUBLIC, PRIVATE, TRADE) if self.trading.trade_url else (PUBLIC, PRIVATE)

    @property
    def has_calls(self) -> bool:
        return bool(self.venue.calls_url) and CALLS in self.sim.LINKS

    @property
    def pairs(self) -> tuple[SimPair, ...]:
        pairs = DEFAULT_PAIRS if self.sim is KrakenVenue else self.sim.PAIRS
        return tuple(pair for pair in pairs if pair.symbol in self.symbols)

    def faults(self, *texts: str) -> Faults:
        return self.sim.faults_of(*texts)  # type: ignore[no-any-return]

    def place_by_hand(self, engine: Any, pair: SimPair, side: int, lots: int, price: int, now_ns: int) -> Any:
        """An order of nobody here, which rests."""
        terms: dict[str, Any] = {
            "symbol": pair.symbol, "side": "buy" if side > 0 else "sell", "order_type": "limit", "qty": lots,
            "price": price,
        }  # fmt: skip
        if self.sim is KrakenVenue:
            return engine.add(kraken_order.NewSpec(**terms), now_ns)
        extra = {"product_id": pair.symbol.replace("/", "-"), **_EXTRA.get(self.venue.name, {})}
        return engine.place(exchange_order.NewSpec(**terms, extra=extra), now_ns)

    def name_of(self, client_id: str) -> str:
        """Our name of an order, of the client id that the venue has: one takes no hyphen."""
        is_bare = client_id.startswith("vg") and "-" not in client_id and len(client_id) > _TAG
        return f"{client_id[:_TAG]}-{client_id[_TAG:]}" if is_bare else client_id


@cache
def place(name: str) -> Place:
    """Raises ImportError for a venue that cannot be traded at here."""
    sim_name, symbols = _SIMS[name]
    venue = importlib.import_module(f"connectors.venues.{name}").VENUE
    if venue.trading is None:
        raise ImportError(f"{name} is not traded at")
    return Place(venue, venue.trading, getattr(importlib.import_module(f"runtime.sim.{name}"), sim_name), symbols)
