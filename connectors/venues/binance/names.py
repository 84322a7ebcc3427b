"""What Binance calls our markets, and back: `BTC/USDT` is `BTCUSDT`.

A name is put together, never cut: of a market that is not followed, and whose currencies nobody here knows, Binance's
name is all there is.
"""

from connectors.session import TradingPlan


class Names:
    """Of the followed markets; metadata that come later count from then on."""

    def __init__(self, plan: TradingPlan) -> None:
        self._plan = plan
        self._ours = {symbol.replace("/", ""): symbol for _, symbol in plan.symbols}
        self._index = {symbol: index for index, symbol in plan.symbols}

    def ours(self, name: str) -> str:
        """Ours, or Binance's own where the market is not followed."""
        return self._ours.get(name, name)

    def theirs(self, symbol: str) -> str:
        index = self._index.get(symbol, -1)
        instrument = self._plan.instruments[index] if index >= 0 else None
        return instrument.venue_symbol if instrument and instrument.venue_symbol else symbol.replace("/", "")

    @property
    def all(self) -> tuple[str, ...]:
        """Binance's names of what is followed."""
        return tuple(self.theirs(symbol) for symbol in self._index)
