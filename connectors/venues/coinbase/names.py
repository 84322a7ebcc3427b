"""One market, two names: BTC/USD is BTC-USD there. Private messages keep the product that an order was sent to."""

from collections.abc import Sequence

from connectors.instrument import Instrument
from connectors.session import TradingPlan


class Names:
    """The followed markets by Coinbase's names; `instruments` is kept current by the engine."""

    def __init__(self, plan: TradingPlan) -> None:
        self._plain = {symbol.replace("/", "-"): symbol for _, symbol in plan.symbols}
        self._symbols = plan.symbols
        self._instruments: Sequence[Instrument | None] = plan.instruments

    def symbol(self, product_id: str) -> str:
        """Ours. Of a market that is not followed BASE/QUOTE, where the name has these two parts and no more: of spot
        that is all a product id is made of. Otherwise Coinbase's own: nobody here can tell its currencies."""
        for index, symbol in self._symbols:
            instrument = self._instruments[index] if index < len(self._instruments) else None
            if instrument is not None and instrument.venue_symbol == product_id:
                return symbol
        found = self._plain.get(product_id)
        if found is not None:
            return found
        base, _, quote = product_id.partition("-")
        return f"{base}/{quote}" if base and quote and "-" not in quote else product_id
