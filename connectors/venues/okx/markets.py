"""Markets of the account by OKX's names for them: those that are followed, and of all others their two currencies.

Trades at markets that nobody follows move money, too. Their currencies come from the venue's own list, asked for once;
of a market that is not in it, nothing is guessed from its name.
"""

from connectors.session import TradingPlan
from connectors.venues.okx import wire
from connectors.venues.okx.names import plain_name


class Markets:
    """`learn` takes the venue's list."""

    def __init__(self, plan: TradingPlan) -> None:
        self._plan = plan
        self._followed = {symbol.replace("/", "-"): symbol for _, symbol in plan.symbols}
        self._listed: dict[str, str] = {}

    def learn(self, pairs: wire.Pairs) -> None:
        """Raises msgspec's errors."""
        for raw in pairs.data:
            found = wire.decode_pair_name(raw)
            if found.base_ccy and found.quote_ccy:
                self._listed[found.inst_id] = f"{found.base_ccy}/{found.quote_ccy}"

    def symbol(self, inst_id: str) -> str:
        """BASE/QUOTE; the venue's own name, where nobody here can tell its currencies."""
        for index, symbol in self._plan.symbols:
            instrument = self._plan.instruments[index] if index < len(self._plan.instruments) else None
            if instrument is not None and instrument.venue_symbol == inst_id:
                return symbol
        return self._listed.get(inst_id) or self._followed.get(inst_id, inst_id)

    def is_online(self, index: int) -> bool:
        instrument = self._plan.instruments[index] if 0 <= index < len(self._plan.instruments) else None
        return instrument is not None and instrument.status == "online"

    def inst_id(self, index: int, symbol: str) -> str:
        """What a question about an order at this market calls it."""
        instrument = self._plan.instruments[index] if 0 <= index < len(self._plan.instruments) else None
        if instrument is not None and instrument.venue_symbol:
            return instrument.venue_symbol
        return plain_name(symbol)
