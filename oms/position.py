"""Position: quantity, exact cost, average entry, realised, unrealised and session PnL of one algo on one instrument.

Average cost. Cost and realised PnL are integers of 1e-17 (price 1e-9 × size 1e-8), so adding to a position loses
nothing; closing a part takes floor(cost·closed/position) out of the cost. What a guest sees is rounded down: average
entry (×1e9), realised (net of fees), unrealised (at the mid), session PnL.

Session PnL is what realised + unrealised gained since the last 00:00 UTC, measured from the mark that stood then.
"""

from connectors.units import SIZE_ONE


class Position:
    """Quantities ×1e8, signed; money in 1e-17 inside, ×1e9 in the properties."""

    __slots__ = ("cost_1e17", "fees_1e9", "fill_count", "mid_sum_1e9", "qty_1e8", "realized_1e17", "session_start_1e17")

    def __init__(self) -> None:
        self.qty_1e8 = 0
        self.cost_1e17 = 0
        self.realized_1e17 = 0
        self.fees_1e9 = 0
        self.fill_count = 0
        self.mid_sum_1e9 = 0
        self.session_start_1e17 = 0

    def fill(self, side: int, qty_1e8: int, px_1e9: int, fee_1e9: int) -> None:
        """Folds one execution: `side` +1 bought, −1 sold."""
        self.fill_count += 1
        self.fees_1e9 += fee_1e9
        self.realized_1e17 -= fee_1e9 * SIZE_ONE
        signed = side * qty_1e8
        held = self.qty_1e8
        if held == 0 or (held > 0) == (side > 0):
            self.qty_1e8 = held + signed
            self.cost_1e17 += px_1e9 * qty_1e8
            return
        size = abs(held)
        closing = min(size, qty_1e8)
        entry_cost = self.cost_1e17 * closing // size
        exit_value = px_1e9 * closing
        self.realized_1e17 += exit_value - entry_cost if held > 0 else entry_cost - exit_value
        self.cost_1e17 -= entry_cost
        self.qty_1e8 = held + signed
        opened = qty_1e8 - closing
        if opened:
            self.cost_1e17 = px_1e9 * opened

    @property
    def avg_entry_1e9(self) -> int:
        """Average entry price, rounded down; 0 when flat."""
        return self.cost_1e17 // abs(self.qty_1e8) if self.qty_1e8 else 0

    @property
    def realized_1e9(self) -> int:
        return self.realized_1e17 // SIZE_ONE

    def unrealized_1e17(self) -> int:
        """Value of the position at the mid less its cost, rounded down to a whole unit; 0 while there is no mid."""
        if not self.qty_1e8 or not self.mid_sum_1e9:
            return 0
        twice = self.qty_1e8 * self.mid_sum_1e9
        twice_cost = 2 * self.cost_1e17
        return (twice - twice_cost if self.qty_1e8 > 0 else twice + twice_cost) // 2

    @property
    def unrealized_1e9(self) -> int:
        return self.unrealized_1e17() // SIZE_ONE

    def session_1e17(self) -> int:
        return self.realized_1e17 + self.unrealized_1e17() - self.session_start_1e17

    @property
    def session_1e9(self) -> int:
        return self.session_1e17() // SIZE_ONE

    def new_session(self) -> None:
        """00:00 UTC."""
        self.session_start_1e17 = self.realized_1e17 + self.unrealized_1e17()
