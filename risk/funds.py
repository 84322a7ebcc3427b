"""Balances at a venue, and what open orders hold of them. Amounts in 1e-17 (a size 1e-8 is 10^9 of them).

A buy holds its value at the worst price it may trade at, and the taker's fee on it, of the quote currency; a sell its
quantity of the base currency. What is not listed is not there. Executions move balances at once; the venue's own word
(`Balance`) replaces them.
"""

from risk.exposure import LiveOrder
from risk.market import Market

PPM = 1_000_000
SIZE_1E17 = 10**9


class Purse:
    """One venue's. `totals` and `held`: currency → 1e-17; `holds`: client order id → (currency, amount, price)."""

    __slots__ = ("_taker_ppm", "held", "holds", "totals")

    def __init__(self, taker_ppm: int) -> None:
        self._taker_ppm = taker_ppm
        self.totals: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.holds: dict[str, tuple[str, int, int]] = {}

    def need(self, market: Market, side: int, qty_1e8: int, px_1e9: int) -> tuple[str, int]:
        """What an order holds: the currency and how much of it."""
        if side < 0:
            return market.base, qty_1e8 * SIZE_1E17
        value = qty_1e8 * px_1e9
        return market.quote, value + -(-value * self._taker_ppm // PPM)

    def short_1e17(self, market: Market, side: int, qty_1e8: int, px_1e9: int, client_order_id: str = "") -> int:
        """By how much the free balance falls short of an order; of an amend only what it needs beyond its own hold."""
        currency, amount = self.need(market, side, qty_1e8, px_1e9)
        _, has, _ = self.holds.get(client_order_id, ("", 0, 0))
        return max(amount - has, 0) - self.totals.get(currency, 0) + self.held.get(currency, 0)

    def hold(self, market: Market, live: LiveOrder, px_1e9: int = 0) -> None:
        """An order's hold follows what it may still trade, at this price or (0) the one before."""
        name = live.client_order_id
        currency, before, at_1e9 = self.holds.pop(name, ("", 0, px_1e9))
        if before:
            self.held[currency] -= before
        if live.leaves_1e8:
            currency, amount = self.need(market, live.side, live.leaves_1e8, px_1e9 or at_1e9)
            self.holds[name] = currency, amount, px_1e9 or at_1e9
            self.held[currency] = self.held.get(currency, 0) + amount

    def trade(self, market: Market, side: int, qty_1e8: int, px_1e9: int, fee_1e9: int) -> None:
        """One execution: fee ×1e9 of the quote currency."""
        self._move(market.base, side * qty_1e8 * SIZE_1E17)
        self._move(market.quote, -side * qty_1e8 * px_1e9 - fee_1e9 * 10**8)

    def _move(self, currency: str, amount_1e17: int) -> None:
        self.totals[currency] = self.totals.get(currency, 0) + amount_1e17
