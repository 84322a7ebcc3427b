"""Where an account stands: every limit of a sum, with what counts against it now. For people, not for checks."""

from collections.abc import Iterator

import msgspec

from connectors.units import SIZE_ONE
from risk.denial import DenyReason, bounded
from risk.limits import UNSET
from risk.watch import Watch


class Standing(msgspec.Struct, frozen=True):
    """One limit of one scope. Amounts at the scale that `key` names; `currency`: "" where it has none.

    `latched`: passed, and nobody re-armed it. `is_known`: false while a position has no mark.
    """

    scope: str
    key: str
    currency: str
    limit: int
    observed: int
    latched: bool = False
    is_known: bool = True

    @property
    def headroom(self) -> int:
        return max(self.limit - self.observed, 0)


def standing_of(gate: Watch, now_ns: int) -> Iterator[Standing]:
    """Limits that nobody said are left out."""
    for (scope, base), stock in gate.book.stocks.items():
        yield Standing(scope, "max_position_1e8", base, stock.limit_1e8, bounded(stock.total_1e8))
    for (scope, quote), ledger in gate.book.ledgers.items():
        capital_1e9 = bounded(-(-ledger.capital_2e17 // (2 * SIZE_ONE)))
        for key, limit, observed, reason in (
            ("max_capital_1e9", ledger.max_capital_1e9, capital_1e9, None),
            ("max_daily_loss_1e9", ledger.max_loss_1e9, bounded(ledger.loss_1e9), DenyReason.DAILY_LOSS),
            ("max_drawdown_1e9", ledger.max_drawdown_1e9, bounded(ledger.drawdown_1e9), DenyReason.DRAWDOWN),
        ):
            is_latched = reason in ledger.latches
            if limit != UNSET or is_latched:
                yield Standing(scope, key, quote, limit, observed, is_latched, is_known=not ledger.unmarked)
    for market, exposure in zip(gate.markets, gate.account.exposures, strict=True):
        if market.drifted:
            scope, ours_1e8 = f"instrument:{market.name}", exposure.position_1e8
            yield Standing(scope, "position_1e8", market.base, ours_1e8, market.venue_position_1e8, latched=True)
    for windows in (gate.book.orders, gate.book.cancels):
        for scope, window in windows.items():
            key = "max_cancel_rate" if windows is gate.book.cancels else "max_order_rate"
            yield Standing(scope, key, "", window.limit, window.count(now_ns))
    for algo, deployment in enumerate(gate.deployments):
        scope = f"algo:{deployment.name}"
        most, _ = gate.book.of_algo(algo, "max_open_orders")
        yield Standing(scope, "max_open_orders", "", most, gate.account.open_counts.get(algo, 0))
        most, _ = gate.book.of_algo(algo, "max_refusals")
        if most != UNSET:
            yield Standing(scope, "max_refusals", "", most, gate.refusals.peek(algo, now_ns))
        most, _ = gate.book.of_algo(algo, "max_repeats")
        if most != UNSET:
            counts = [gate.repeats.peek(key, now_ns) for key in list(gate.repeats.counts) if key[0] == algo]
            latch = gate.repeat_latched.get(algo)
            yield Standing(scope, "max_repeats", "", most, max(counts, default=0), latched=latch is not None)
