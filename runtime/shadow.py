"""Two gates over one session: the one that decides, and its shadow with other limits.

The shadow is told everything that really happened: orders that left, also those that it would have refused, marks,
reports, days, a person's words. What it counts is its own: rates, windows, refusals, latches, overrides. Pure.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from connectors.events import Balance, ExecReport, PositionReport
from connectors.orders import Action, AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from risk.checks_limits import check_rate
from risk.checks_order import unknown_order
from risk.denial import Denied
from risk.exposure import LiveOrder
from risk.gate import Deployment, Gate
from risk.limits import UNSET, Limits, LimitTree, tree_of
from risk.market import Market
from risk.memory import Memory
from risk.override import Grant
from risk.states import TradingState
from runtime.passing import Passes, at_gate

_MARKET: Final = int(OrderType.MARKET)
_AMEND: Final = 2  # of the guest's kinds of action
TOP: Final = 5


class Other(msgspec.Struct, frozen=True):
    """One action that the shadow would have decided otherwise. `approval` and `denied`: what it really got.

    `market` is -1 where none was known. The book is that of the decision, its top levels.
    """

    approval: int
    denied: Denied | None
    would: Denied | None
    market: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    valid: bool
    passes: Passes | None


class Shadow(Gate):
    """Judges, counts what it would have let pass, and holds what really left."""

    def would_new(self, algo: int, action: Action, now_ns: int) -> Denied | None:
        """What `check_new` would say."""
        return self.judge(algo, action, now_ns)

    def would_cancel(self, algo: int, order_id: int, now_ns: int) -> Denied | None:
        """What `check_cancel` would say."""
        live = self.find(algo, order_id)
        if live is None:
            return unknown_order(order_id)
        return check_rate(self.book.bounds(algo, live.instrument).cancels, now_ns)

    def passed_new(self, algo: int, name: str, order: NewOrder | None, now_ns: int) -> None:
        """The new order just judged may pass here; it left as `order`, or did not leave and counts all the same."""
        case = self._case
        if self._grant is not None:
            self.used(self._grant, name, self._skipped)
        if order is not None:
            self.count_new(order, case.reach_1e9, now_ns)
            return
        bounds = case.bounds
        for window in bounds.orders:
            window.note(now_ns)
        if self.limits.max_duplicates != UNSET:
            self.equals.add(self.equal_key(algo, case), now_ns)
        if bounds.canary is not None:
            module = self.canary_key(algo)
            self.orders_of[module] = self.orders_of.get(module, 0) + 1

    def passed_amend(self, order: AmendOrder | None, now_ns: int) -> None:
        """As `passed_new`, of an amend."""
        if order is not None:
            self.count_amend(order, now_ns)
            return
        for window in self._case.bounds.orders:
            window.note(now_ns)

    def refuses(self, algo: int, would: Denied, order: NewOrder | AmendOrder | None, now_ns: int) -> None:
        """It is refused here; where it left all the same, it is open."""
        if order is not None:
            self._hold(order)
        self.refused(algo, would, now_ns)

    def _hold(self, order: NewOrder | AmendOrder) -> None:
        if isinstance(order, NewOrder):
            live, px_1e9 = self.account.approved_new(order), order.px_1e9
        else:
            live = self.account.approved_amend(order)
            px_1e9 = max(order.px_1e9, live.px_1e9)
        market = self.markets[live.instrument]
        purse = self.purses.get(market.venue)
        if purse is not None:
            is_market = live.order_type == _MARKET
            purse.hold(market, live, market.book.reach_1e9(live.side, order.qty_1e8) if is_market else px_1e9)

    def cancelled(self, algo: int, market: int, now_ns: int) -> None:
        """One cancel more."""
        for window in self.book.bounds(algo, market).cancels:
            window.note(now_ns)


class Followed(Gate):
    """The gate of the recorded session, with its shadow. `others`: what the shadow decided otherwise, until taken."""

    def __init__(
        self, planned: LimitTree, limits: Limits | LimitTree, markets: list[Market], deployments: Sequence[Deployment],
        **options: Any,
    ) -> None:  # fmt: skip
        known = {key: value for key, value in options.items() if key != "on_approved"}
        promoted = tuple(sorted({*planned.promoted, *tree_of(limits).promoted}))
        self.shadow = Shadow(msgspec.structs.replace(planned, promoted=promoted), markets, deployments, **known)
        self.others: list[Other] = []
        self._is_within = False  # a call of the gate's own: the shadow makes its own
        super().__init__(limits, markets, deployments, **options)
        self.shadow.reserved = self.reserved

    @contextmanager
    def _within(self) -> Iterator[None]:
        before, self._is_within = self._is_within, True
        try:
            yield
        finally:
            self._is_within = before

    def _compare(
        self, verdict: Approved[Any] | Denied, would: Denied | None, market: int, passes: Passes | None = None
    ) -> None:
        denied = verdict if isinstance(verdict, Denied) else None
        if (denied and denied.reason) == (would and would.reason):
            return
        approval = 0 if isinstance(verdict, Denied) else verdict.approval
        bids, asks, valid = [], [], False
        if market >= 0:
            book = self.markets[market].book
            bids, asks, valid = book.bids[:TOP], book.asks[:TOP], book.valid
        self.others.append(Other(approval, denied, would, market, tuple(bids), tuple(asks), valid, passes))

    # --- actions ---------------------------------------------------------------------------------------------------

    def check_new(self, algo: int, client_order_id: str, action: Action, now_ns: int) -> Approved[NewOrder] | Denied:
        """Judged by both."""
        shadow, passes = self.shadow, None
        would = shadow.would_new(algo, action, now_ns)
        with self._within():
            verdict = super().check_new(algo, client_order_id, action, now_ns)
        order = None if isinstance(verdict, Denied) else verdict.order
        if would is None:
            shadow.passed_new(algo, client_order_id, order, now_ns)
        else:
            passes = self._passes(verdict, algo, action, now_ns, would)
            shadow.refuses(algo, would, order, now_ns)
        self._compare(verdict, would, self.judged, passes)
        return verdict

    def _passes(
        self, verdict: Approved[Any] | Denied, algo: int, action: Action, now_ns: int, would: Denied
    ) -> Passes | None:
        """Where the two differ, what the shadow would have let pass."""
        if isinstance(verdict, Denied) and verdict.reason is would.reason:
            return None
        return at_gate(self.shadow, algo, action, now_ns, would)

    def check_amend(
        self, algo: int, action_id: str, order_id: int, px_1e9: int, qty_1e8: int, now_ns: int
    ) -> Approved[AmendOrder] | Denied:
        """Judged by both."""
        shadow, passes = self.shadow, None
        would = shadow.judge_amend(algo, order_id, px_1e9, qty_1e8, now_ns)
        with self._within():
            verdict = super().check_amend(algo, action_id, order_id, px_1e9, qty_1e8, now_ns)
        order = None if isinstance(verdict, Denied) else verdict.order
        if would is None:
            shadow.passed_amend(order, now_ns)
        else:
            action = (order_id, px_1e9, qty_1e8, 0, _AMEND, 0, 0, 0, 0, 0)
            passes = self._passes(verdict, algo, action, now_ns, would)
            shadow.refuses(algo, would, order, now_ns)
        self._compare(verdict, would, self.judged, passes)
        return verdict

    def check_cancel(self, algo: int, action_id: str, order_id: int, now_ns: int) -> Approved[CancelOrder] | Denied:
        """Judged by both."""
        shadow, live = self.shadow, self.find(algo, order_id)
        would = shadow.would_cancel(algo, order_id, now_ns)
        with self._within():
            verdict = super().check_cancel(algo, action_id, order_id, now_ns)
        market = -1 if live is None else live.instrument
        if would is not None:
            shadow.refused(algo, would, now_ns)
        elif live is not None:
            shadow.cancelled(algo, market, now_ns)
        self._compare(verdict, would, market)
        return verdict

    def must_cancel(self, live: LiveOrder, action_id: str, now_ns: int) -> Approved[CancelOrder]:
        """The gateway's own cancel really left: both count it."""
        if not self._is_within:
            self.shadow.cancelled(live.algo, live.instrument, now_ns)
        return super().must_cancel(live, action_id, now_ns)

    def check_intent(self, algo: int, action: Action, now_ns: int, *, is_known: bool) -> int | Denied:
        """What an intent is refused for, limits do not decide; a state may be named first."""
        would = self.shadow.check_intent(algo, action, now_ns, is_known=is_known)
        with self._within():
            verdict = super().check_intent(algo, action, now_ns, is_known=is_known)
        if isinstance(verdict, Denied) and isinstance(would, Denied):
            self._compare(verdict, would, -1)
        return verdict

    def check_kind(self, algo: int, kind: int, now_ns: int) -> Denied:
        """As an intent's."""
        would = self.shadow.check_kind(algo, kind, now_ns)
        with self._within():
            verdict = super().check_kind(algo, kind, now_ns)
        self._compare(verdict, would, -1)
        return verdict

    # --- what happens ----------------------------------------------------------------------------------------------

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        """Both."""
        self.shadow.fold(report, now_ns)
        with self._within():
            return super().fold(report, now_ns)

    def mark(self, index: int, mid_sum_1e9: int, now_ns: int) -> bool:
        """Both."""
        self.shadow.mark(index, mid_sum_1e9, now_ns)
        return super().mark(index, mid_sum_1e9, now_ns)

    def roll(self, now_ns: int) -> bool:
        """Both."""
        self.shadow.roll(now_ns)
        return super().roll(now_ns)

    def balance(self, told: Balance) -> None:
        """Both."""
        self.shadow.balance(told)
        super().balance(told)

    def position(self, told: PositionReport, now_ns: int) -> bool:
        """Both."""
        self.shadow.position(told, now_ns)
        with self._within():
            return super().position(told, now_ns)

    def silent(self, now_ns: int) -> list[str]:
        """Both, each by its own limit."""
        self.shadow.silent(now_ns)
        with self._within():
            return super().silent(now_ns)

    def restore(self, memory: Memory) -> None:
        """Both."""
        self.shadow.restore(memory)
        super().restore(memory)

    # --- a person's words ------------------------------------------------------------------------------------------

    def tighten(self, scope: str, state: TradingState, what: str, who: str, now_ns: int) -> bool:
        """A person's word, or the engine's, is both gates'; what this gate does by itself is not the shadow's."""
        if not self._is_within:
            self.shadow.tighten(scope, state, what, who, now_ns)
        return super().tighten(scope, state, what, who, now_ns)

    def arm(self, scope: str, who: str, now_ns: int) -> None:
        """Both."""
        self.shadow.arm(scope, who, now_ns)
        super().arm(scope, who, now_ns)

    def grant(self, grant: Grant) -> bool:
        """Both; each uses it where it needs it."""
        self.shadow.grant(grant)
        return super().grant(grant)

    def promote(self, sha256: str, who: str) -> None:
        """Both."""
        self.shadow.promote(sha256, who)
        super().promote(sha256, who)

    @property
    def is_stopping(self) -> bool:
        """Of both."""
        return self.shadow.is_stopping

    @is_stopping.setter
    def is_stopping(self, value: bool) -> None:
        self.shadow.is_stopping = value
