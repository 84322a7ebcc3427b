"""Sums of one scope: its position in a base currency, its capital and PnL in a quote currency.

Each market's exposure adds what it changes by, so that a check reads one number however many markets there are. Exact:
money in 1e-17 (price 1e-9 × size 1e-8); capital in half units of that, because a mid is kept as bid + ask.
"""

from connectors.units import SIZE_ONE
from risk.denial import DenyReason, bounded
from risk.happenings import Latched
from risk.limits import UNSET


class Stock:
    """One scope's worst-case position in one base currency."""

    __slots__ = ("base", "limit_1e8", "scope", "total_1e8")

    def __init__(self, scope: str, base: str, limit_1e8: int) -> None:
        self.scope = scope
        self.base = base
        self.limit_1e8 = limit_1e8
        self.total_1e8 = 0


class Ledger:
    """One scope's money in one quote currency.

    `capital_2e17`: worst-case positions valued at the mids. `total_1e17`: realised and unrealised PnL of all time,
    `start_1e17` and `peak_1e17` what it was at the day's start and at its best since. `unmarked`: exposures that have
    no mid yet: while there are any the sums are not known, and neither latch nor peak moves. `latches`: what was
    observed.
    """

    __slots__ = (
        "capital_2e17", "is_day_open", "latches", "max_capital_1e9", "max_drawdown_1e9", "max_loss_1e9", "peak_1e17",
        "quote", "scope", "start_1e17", "total_1e17", "unmarked", "unvalued",
    )  # fmt: skip

    def __init__(self, scope: str, quote: str) -> None:
        self.scope = scope
        self.quote = quote
        self.max_capital_1e9 = self.max_loss_1e9 = self.max_drawdown_1e9 = UNSET
        self.capital_2e17 = 0
        self.total_1e17 = self.start_1e17 = self.peak_1e17 = 0
        self.unmarked = self.unvalued = 0
        self.is_day_open = False  # a day began while the PnL was not known: it starts when it is
        self.latches: dict[DenyReason, int] = {}

    def settle(self) -> bool:
        """After PnL changed: moves the peak. True when a limit is passed that is not latched yet."""
        if self.unmarked:
            return False
        if self.is_day_open:
            self.new_day()
        total = self.total_1e17
        self.peak_1e17 = max(total, self.peak_1e17)
        return (
            self.start_1e17 - total > self.max_loss_1e9 * SIZE_ONE and DenyReason.DAILY_LOSS not in self.latches
        ) or (self.peak_1e17 - total > self.max_drawdown_1e9 * SIZE_ONE and DenyReason.DRAWDOWN not in self.latches)

    def latch(self) -> list[Latched]:
        """Latches what is passed."""
        made = []
        for reason, fall_1e17, limit_1e9 in (
            (DenyReason.DAILY_LOSS, self.start_1e17 - self.total_1e17, self.max_loss_1e9),
            (DenyReason.DRAWDOWN, self.peak_1e17 - self.total_1e17, self.max_drawdown_1e9),
        ):
            if fall_1e17 > limit_1e9 * SIZE_ONE and reason not in self.latches:
                observed_1e9 = self.latches[reason] = bounded(-(-fall_1e17 // SIZE_ONE))
                made.append(Latched(self.scope, self.quote, reason, limit_1e9, observed_1e9))
        return made

    def new_day(self) -> None:
        """00:00 UTC, or a person re-armed it: what was lost is yesterday's.

        A latch stays until `latches` is emptied.
        """
        self.start_1e17 = self.peak_1e17 = self.total_1e17
        self.is_day_open = self.unmarked > 0

    @property
    def loss_1e9(self) -> int:
        """Since the day's start, rounded up; negative for a gain."""
        return -((self.total_1e17 - self.start_1e17) // SIZE_ONE)

    @property
    def drawdown_1e9(self) -> int:
        """Below the day's best, rounded up."""
        return -((self.total_1e17 - self.peak_1e17) // SIZE_ONE)
