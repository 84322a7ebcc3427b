"""Cancels that no guest asked for: the kill switch, a limit that latched, a scope that halted, a guest that broke.

The gate decides that something latches or halts and says so (`happenings.py`); here it is carried out. Of a venue, or
of all: one account-wide cancel-all each, by one message, and whatever else is open there goes with it. Of an algo, an
instrument, a currency, and at a venue that has no such message: its own orders, one by one. Intents of what is stopped
end, and their guests hear why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from connectors.events import Notice, RejectCode
from connectors.units import MONEY_DECIMALS, SIZE_DECIMALS, trimmed_text
from oms.state import OrderState
from risk.denial import DenyReason
from risk.exposure import LiveOrder
from risk.happenings import Latched, Switched
from risk.states import ALL, TradingState
from risk.windows import SECOND_NS
from runtime.abi import ActionKind
from runtime.intents import Intent

if TYPE_CHECKING:
    from runtime.desk import Desk
    from runtime.instance import AlgoInstance

_OURS: Final = (0, 0, 0, int(ActionKind.CANCEL), 0, 0, 0, 0, 0)
_OPEN: Final = (OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN)
AGAIN_MAX_NS: Final = 30 * SECOND_NS
_SAID: Final = {
    DenyReason.DAILY_LOSS: ("daily loss limit", "max_daily_loss_1e9", MONEY_DECIMALS),
    DenyReason.DRAWDOWN: ("drawdown limit", "max_drawdown_1e9", MONEY_DECIMALS),
    DenyReason.REPEAT_EXECUTION: ("repeated execution limit", "max_repeats", 0),
}  # fmt: skip


class Sweeper:
    """Of one desk. `heed` after everything that may have made the gate latch or halt."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._heeded = 0
        self.ours: set[str] = set()  # client order ids that we, not the guest, are cancelling
        self._again: dict[str, tuple[int, int]] = {}  # those found open all the same: when next, how often so far

    def heed(self, now_ns: int) -> None:
        """Carries out what the gate latched or halted and nobody carried out yet."""
        gate = self._desk.gate
        while self._heeded < len(gate.happened):
            one = gate.happened[self._heeded]
            self._heeded += 1
            if isinstance(one, Latched):
                self._latched(one, now_ns)
            elif isinstance(one, Switched) and one.after is TradingState.HALTED:
                self.halted(one.scope, now_ns, one.who, one.what)

    def forget(self) -> None:
        """The turn is over: its happenings were taken."""
        self._heeded = 0

    # --- scopes ----------------------------------------------------------------------------------------------------

    def halted(self, scope: str, now_ns: int, who: str, what: str = "kill") -> None:
        """Nothing of this scope stays open: cancels first, then whoever has an intent hears.

        Said again, it cancels again.
        """
        desk = self._desk
        self.show_limits()
        kind, _, name = scope.partition(":")
        count, reached = 0, set[str]()
        for venue in desk.sweeping if kind in (ALL, "venue") else ():
            if name in ("", venue):
                count += self._cancel_venue(venue, now_ns)
                reached.add(venue)
        count += self.cancel_all(
            lambda live: (
                self._lies_in(live.algo, live.instrument, scope)
                and desk.gate.markets[live.instrument].venue not in reached
            ),
            now_ns,
        )
        desk.intents.drop(
            lambda intent: self._lies_in(intent.algo, intent.market, scope), RejectCode.KILL_SWITCH, now_ns
        )
        where, why = "" if scope == ALL else f"{scope} ", "" if what == "kill" else f" ({what})"
        wired = sorted(reached & desk.wired)
        more = f", and whatever else is open at {', '.join(wired)}" if wired else ""
        desk.out.append(Notice("error", f"{where}HALTED by {who}{why}: {count} open orders cancelled{more}"))

    def _lies_in(self, algo: int, market: int, scope: str) -> bool:
        gate = self._desk.gate
        bounds = gate.book.bounds(algo, market)
        return scope in (*bounds.state_scopes, bounds.algo_scope)

    def _cancel_venue(self, venue: str, now_ns: int) -> int:
        """One message for everything that is open there; how many orders of ours that is."""
        desk = self._desk
        desk.post(now_ns)
        every = desk.gate.account.live.values()
        found = [one for one in every if not one.is_over and desk.gate.markets[one.instrument].venue == venue]
        if not found and venue not in desk.wired:
            return 0
        approved = desk.gate.must_cancel_all(venue, desk.next_name(), now_ns)
        desk.actions += 1
        for live in found:
            self.ours.add(live.client_order_id)
            desk.cancelling(live.client_order_id, now_ns)
        desk.leave(venue, desk.venue_of[venue].cancel_all(approved, now_ns), now_ns)
        return len(found)

    def _latched(self, one: Latched, now_ns: int) -> None:
        """A limit was passed: open orders of its scope and currency go, reducing ones may come."""
        desk, gate = self._desk, self._desk.gate
        desk.out.append(Notice("error", self._told(one)))
        self.show_limits()

        def is_meant(algo: int, market: int) -> bool:
            is_inside = one.scope == "account" or self._lies_in(algo, market, one.scope)
            return is_inside and one.quote in ("", gate.markets[market].quote)

        code = RejectCode.DAILY_LOSS_LIMIT if one.quote else RejectCode.RISK
        desk.intents.drop(lambda intent: is_meant(intent.algo, intent.market), code, now_ns)
        self.cancel_all(
            lambda live: is_meant(live.algo, live.instrument) and live.client_order_id not in self.ours, now_ns
        )

    def _told(self, one: Latched) -> str:
        """What a person should know of a latch: the limit, what was observed, and where the limit is said."""
        if one.reason is DenyReason.POSITION_DRIFT:
            ours, venues = (trimmed_text(amount, SIZE_DECIMALS) for amount in (one.limit, one.observed))
            return f"{one.scope}: our position is {ours}, the venue's {venues}: nothing passes there until re-armed"
        what, key, decimals = _SAID[one.reason]
        seen, limit = trimmed_text(one.observed, decimals), trimmed_text(one.limit, decimals)
        origin = self._desk.gate.tree.origin(one.scope, key)
        where = f" in {one.quote}" if one.quote else ""
        whose = "" if one.scope == "account" else f" of {one.scope}"
        numbers = f"{seen} against {limit}{f', {origin}' if origin else ''}"
        return f"{what} passed{where}{whose} ({numbers}): only reducing orders until re-armed"

    # --- orders ----------------------------------------------------------------------------------------------------

    def cancel_all(self, wanted: Callable[[LiveOrder], bool], now_ns: int) -> int:
        """Cancels every live order that is wanted gone, one by one, whatever its rate; returns how many."""
        desk = self._desk
        found = [live for live in desk.gate.account.live.values() if not live.is_over and wanted(live)]
        for live in found:
            self._cancel(live, now_ns)
        return len(found)

    def _cancel(self, live: LiveOrder, now_ns: int) -> None:
        desk = self._desk
        desk.actions += 1
        approved = desk.gate.must_cancel(live, desk.name(desk.actions), now_ns)
        desk.record(desk.algos[live.algo], (live.order_id, *_OURS), approved, now_ns, by="gateway")
        self.ours.add(live.client_order_id)
        desk.cancel(approved, now_ns)

    def again(self, venue: str, now_ns: int) -> None:
        """What we cancel at a venue over the wire and is open or in doubt is cancelled again, until it is not."""
        desk = self._desk
        for name in sorted(self.ours):
            order = desk.oms.orders.get(name)
            live = desk.gate.account.live.get(name)
            if order is None or live is None or live.is_over:
                self.over(name)
            elif order.state in _OPEN and desk.gate.markets[order.instrument].venue == venue:
                due_ns, tries = self._again.get(name, (now_ns, 0))
                if now_ns >= due_ns:
                    self._again[name] = now_ns + min(SECOND_NS << min(tries, 5), AGAIN_MAX_NS), tries + 1
                    self._cancel(live, now_ns)

    def over(self, client_order_id: str) -> None:
        """It is gone."""
        self.ours.discard(client_order_id)
        self._again.pop(client_order_id, None)

    def everything(self, now_ns: int, besides: Collection[str] = ()) -> int:
        """Nothing stays open or waits to be asked again; returns how many orders were cancelled."""
        self._desk.intents.drop(lambda _: True, None, now_ns)
        return self.cancel_all(lambda live: live.client_order_id not in besides, now_ns)

    def algo(self, algo: AlgoInstance, now_ns: int) -> None:
        """What a guest that broke its contract has open."""

        def is_its(intent: Intent) -> bool:
            return intent.algo == algo.index

        self._desk.intents.drop(is_its, None, now_ns)
        self.cancel_all(lambda live: live.algo == algo.index, now_ns)

    # --- what guests are shown -------------------------------------------------------------------------------------

    def show_limits(self) -> None:
        """RiskSnapshot: the tightest limits at the symbol's own market, and whether only reducing orders may pass."""
        gate = self._desk.gate
        for algo in self._desk.algos:
            for view in algo.views:
                is_reducing = gate.is_stopping or gate.is_reducing(algo.index, view.own)
                view.state.limits(gate.shown(algo.index, view.own), reduce_only=is_reducing)
