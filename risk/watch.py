"""What the gate keeps between two actions: counters, latches, states, limits in force. It mints nothing.

Everything here survives a restart (`recall.py`) but marks and the range of the mid, which are learnt anew. `happened`
is what was done besides saying yes or no; `version` rises whenever the memory changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from connectors.events import Balance, ExecReport, ExecType, PositionReport
from connectors.orders import AmendOrder, NewOrder, OrderType
from risk.bounds import Deployment, ScopeBook
from risk.case import Case
from risk.denial import Denied, DenyReason
from risk.exposure import ANY_PRICE, Account, Exposure, LiveOrder
from risk.funds import Purse
from risk.happenings import Adopted, DayRolled, Latched, LimitChanged, Promoted
from risk.ledger import Ledger
from risk.limit_changes import changes
from risk.limits import UNSET, Limits, LimitTree, said, tree_of
from risk.market import Market
from risk.memory import Memory
from risk.states import ALL, TradingState
from risk.switchboard import GATEWAY, Switchboard
from risk.windows import MidRange, Recent

DAY_NS: Final = 86_400 * 10**9
_MARKET: Final = int(OrderType.MARKET)
_REFUSED: Final = frozenset({ExecType.REJECTED, ExecType.REPLACE_REJECTED})  # a cancel that crosses a fill is none
EqualKey = tuple[int, int, int, int, int, int]  # algo, market, side, price, quantity, type


class Watch(Switchboard):
    """The state of one account's gate. `tree` are the limits in force, `book` what follows from them."""

    def __init__(
        self, limits: Limits | LimitTree, markets: list[Market], deployments: Sequence[Deployment], *,
        taker_ppm: int, balances: Mapping[str, Mapping[str, int]],
    ) -> None:  # fmt: skip
        super().__init__(markets, deployments)
        self.account = Account(len(markets), len(deployments))
        self.approvals = 0
        self.carried = Memory()  # what was remembered of algos and markets that this session does not have
        self.day_end_ns = 0
        self.now_ns = 0  # of the last input that was looked at
        self.orders_of: dict[str, int] = {}  # by canary key
        self._taker_ppm = taker_ppm
        self.purses: dict[str, Purse] = {}
        for venue, amounts in balances.items():
            self.purse(venue).totals = {currency: amount * 10**9 for currency, amount in amounts.items()}
        self.ranges: list[MidRange] = []
        self.equals: Recent[EqualKey] = Recent(0)
        self.repeats: Recent[tuple[int, int, int]] = Recent(0)
        self.refusals: Recent[int] = Recent(0)
        self._case = Case()
        self._touched: list[tuple[Exposure, ...]] = []
        self.touch()
        self._adopt(tree_of(limits), None)

    def touch(self) -> None:
        """Whose money a market's mark moves: the account's, and of the algos those that trade or hold there."""
        account = self.account
        self._touched = [
            (
                exposure,
                *(
                    own[index]
                    for one, own in zip(self.deployments, account.owns, strict=True)
                    if index in one.markets or own[index].position_1e8
                ),
            )
            for index, exposure in enumerate(account.exposures)
        ]

    # --- limits ----------------------------------------------------------------------------------------------------

    def _adopt(self, tree: LimitTree, before: ScopeBook | None) -> None:
        self.tree = tree
        account = tree.account
        self.book = ScopeBook(tree, self.markets, self.deployments, self.account, before)
        if not self.ranges:
            self.ranges = [MidRange(account.collar_window_ns) for _ in self.markets]
        for one in self.ranges:
            one.window_ns = account.collar_window_ns
        self.equals.window_ns = account.duplicate_window_ns
        self.repeats.window_ns = account.repeat_window_ns
        self.refusals.window_ns = account.refusal_window_ns
        case = self._case
        case.max_equals = account.max_duplicates
        case.ages = self.book.ages
        case.stale_mark_ns = account.max_mark_age_ns
        keys = {key for _, key, value in said(tree) if value != UNSET}
        self._has_ranges = "collar_window_bps" in keys
        self.has_feed_limits = "max_feed_loss_ns" in keys
        self._has_repeats = "max_repeats" in keys
        self._has_refusals = "max_refusals" in keys

    def apply(self, tree: LimitTree, who: str) -> bool:
        """Puts other limits in force; latches, sums and times stay. True when one is passed by them at once."""
        promoted = tuple(dict.fromkeys((*tree.promoted, *self.tree.promoted)))  # a person's word outlives a reload
        tree = msgspec.structs.replace(tree, promoted=promoted)
        for change in changes(self.tree, tree):
            self.happened.append(LimitChanged(change.scope, change.key, change.before, change.after, who))
        self._adopt(tree, self.book)
        self.version += 1
        return self._settle(list(self.book.ledgers.values()))

    def promote(self, sha256: str, who: str) -> None:
        """A person vouches for a module."""
        self.vouch(sha256)
        self.version += 1
        self.happened.append(Promoted(sha256, who))

    def vouch(self, sha256: str) -> None:
        """This module is no canary."""
        promoted = tuple(dict.fromkeys((*self.tree.promoted, sha256)))
        self.tree = self.book.tree = msgspec.structs.replace(self.tree, promoted=promoted)
        self.book.forget()

    def canary_key(self, algo: int) -> str:
        """Orders of a canary are its module's, whatever the instance is called."""
        return self.deployments[algo].sha256 or self.deployments[algo].name

    # --- what is counted -------------------------------------------------------------------------------------------

    def refused(self, algo: int, denied: Denied, now_ns: int) -> Denied:
        """Counts a denial; a storm of them halts the algo."""
        if self._has_refusals and denied.reason is not DenyReason.UNKNOWN_ORDER:  # a cancel that crosses a fill is none
            self._refusal(algo, now_ns)
        return denied

    def _refusal(self, algo: int, now_ns: int) -> None:
        scope = f"algo:{self.deployments[algo].name}"
        if self.states.get(scope) is TradingState.HALTED:
            return  # it stormed, or was stopped: there is nothing more to be found out
        limit, _ = self.book.of_algo(algo, "max_refusals")
        count = self.refusals.add(algo, now_ns)
        self.version += 1
        if count > limit:
            self.tighten(scope, TradingState.HALTED, f"refusal storm: {count} in the window", GATEWAY, now_ns)

    def equal_key(self, algo: int, case: Case) -> EqualKey:
        """What makes two orders equal."""
        px_1e9 = 0 if case.order_type == _MARKET else case.px_1e9
        return algo, case.index, case.side, px_1e9, case.qty_1e8, case.order_type

    def count_new(self, order: NewOrder, reach_1e9: int, now_ns: int) -> None:
        """An order that was approved: open from this moment on. `reach_1e9`: the worst price it may trade at."""
        live = self.account.approved_new(order)
        bounds = self.book.bounds(order.algo, order.instrument)
        for window in bounds.orders:
            window.times.append(now_ns)
        if self.limits.max_duplicates != UNSET:
            key = (order.algo, order.instrument, order.side, order.px_1e9, order.qty_1e8, order.order_type)
            self.equals.add(key, now_ns)
        if bounds.canary is not None:
            module = self.canary_key(order.algo)
            self.orders_of[module] = self.orders_of.get(module, 0) + 1
        market = self.markets[order.instrument]
        if self.purses and (purse := self.purses.get(market.venue)) is not None:
            purse.hold(market, live, reach_1e9)

    def adopt(self, order: NewOrder, filled_1e8: int, exec_ids: Iterable[str] = ()) -> None:
        """An order that was found open at its venue, `filled_1e8` of it done: what may still trade counts in full.

        What it did before, by `exec_ids`, is in no position: nobody here asked for it.
        """
        far_px_1e9 = order.px_1e9
        if order.order_type == _MARKET or not order.px_1e9:
            far_px_1e9 = ANY_PRICE if order.side > 0 else 0
        qty_1e8 = order.qty_1e8
        live = LiveOrder(
            order, order.px_1e9, qty_1e8, qty_1e8, max(qty_1e8 - filled_1e8, 0), far_px_1e9, filled_1e8
        )  # fmt: skip
        live.exec_ids = set(exec_ids) or None
        self.account.add(live)
        market = self.markets[order.instrument]
        if self.purses and (purse := self.purses.get(market.venue)) is not None:
            purse.hold(market, live, order.px_1e9)
        algo = self.deployments[order.algo].name
        self.version += 1
        self.happened.append(
            Adopted(order.client_order_id, market.name, algo, order.side, order.px_1e9, qty_1e8, filled_1e8)
        )

    def count_amend(self, order: AmendOrder, now_ns: int) -> None:
        """An amend that was approved: the larger of old and new counts until it is answered."""
        live = self.account.approved_amend(order)
        for window in self.book.bounds(order.algo, order.instrument).orders:
            window.times.append(now_ns)
        market = self.markets[order.instrument]
        if self.purses and (purse := self.purses.get(market.venue)) is not None:
            purse.hold(market, live, max(order.px_1e9, live.px_1e9, live.far_px_1e9 if order.side > 0 else 0))

    def fund(self, case: Case, amended: LiveOrder | None) -> None:
        """What the order would need beyond the free balance, where the venue keeps one."""
        purse = self.purses.get(case.market.venue)
        if purse is None:
            return
        qty_1e8, name = case.qty_1e8, ""
        if amended is not None:
            qty_1e8, name = max(case.qty_1e8, amended.most_1e8) - amended.filled_1e8, amended.client_order_id
        case.short_1e17 = purse.short_1e17(case.market, case.side, qty_1e8, case.reach_1e9, name)

    # --- what happened ---------------------------------------------------------------------------------------------

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        """Applies an execution report; True when a limit latched or a scope was halted by it."""
        self.now_ns = now_ns
        before = self.account.live.get(report.client_order_id)
        was_open = before is not None and not before.is_over
        live, is_trade = self.account.fold(report)
        if live is None:
            return False
        self.version += 1
        market = self.markets[live.instrument]
        purse = self.purses.get(market.venue) if self.purses else None
        if purse is not None:
            if is_trade:
                purse.trade(market, live.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9)
            px_1e9 = max(live.px_1e9, live.far_px_1e9) if live.side > 0 else live.px_1e9
            purse.hold(market, live, 0 if live.order_type == _MARKET else px_1e9)
        known = len(self.happened)
        if is_trade:
            if self._has_repeats and live.filled_1e8 == report.last_qty_1e8 > 0:
                self._repeat(live, now_ns)
            ledgers = {id(one): one for exposure in self._both(live) for one in exposure.ledgers}
            self._settle(list(ledgers.values()))
        elif was_open and report.exec_type in _REFUSED and self._has_refusals:
            self._refusal(live.algo, now_ns)
        return len(self.happened) > known

    def _both(self, live: LiveOrder) -> tuple[Exposure, Exposure]:
        return self.account.exposures[live.instrument], self.account.owns[live.algo][live.instrument]

    def _repeat(self, live: LiveOrder, now_ns: int) -> None:
        """An order traded for the first time."""
        limit, scope = self.book.of_algo(live.algo, "max_repeats")
        count = self.repeats.add((live.algo, live.instrument, live.side), now_ns)
        if count > limit and live.algo not in self.repeat_latched:
            self.repeat_latched[live.algo] = limit, count, scope
            name = f"algo:{self.deployments[live.algo].name}"
            self.happened.append(Latched(name, "", DenyReason.REPEAT_EXECUTION, limit, count))

    def mark(self, index: int, mid_sum_1e9: int, now_ns: int) -> bool:
        """A valid book's bid + ask; True when the move latched a limit."""
        mark = self.account.marks[index]
        mark.ns = self.now_ns = now_ns
        if self._has_ranges:
            self.ranges[index].add(mid_sum_1e9, now_ns)
        if mid_sum_1e9 == mark.mid_sum_1e9:
            return False
        mark.mid_sum_1e9 = mid_sum_1e9
        is_latched = False
        for exposure in self._touched[index]:
            if exposure.worst_1e8 or exposure.position_1e8:
                was_open = exposure.is_day_open
                exposure.settle()
                self.version += was_open  # the day's start is known from here on
                if self._settle(exposure.ledgers):
                    is_latched = True
        return is_latched

    def _settle(self, ledgers: Sequence[Ledger]) -> bool:
        is_latched = False
        for ledger in ledgers:
            before = ledger.peak_1e17, ledger.start_1e17, ledger.is_day_open
            if ledger.settle():
                self.happened += ledger.latch()
                is_latched = True
            if is_latched or (ledger.peak_1e17, ledger.start_1e17, ledger.is_day_open) != before:
                self.version += 1
        return is_latched

    def arm(self, scope: str, who: str, now_ns: int) -> None:
        """A person re-arms a scope: what was counted against its algos, too, or the next one would latch it again."""
        super().arm(scope, who, now_ns)
        armed = {a for a, one in enumerate(self.deployments) if scope in (ALL, f"algo:{one.name}")}
        self.repeats.drop(lambda key: key[0] in armed)
        self.refusals.drop(lambda algo: algo in armed)

    def roll(self, now_ns: int) -> bool:
        """Starts a new day's PnL at the first input after 00:00 UTC; True when it did. Latches stay."""
        if now_ns < self.day_end_ns:
            return False
        is_first = self.day_end_ns == 0
        self.day_end_ns = (now_ns // DAY_NS + 1) * DAY_NS
        self.version += 1
        if is_first:
            return False
        for exposures in (self.account.exposures, *self.account.owns):
            for exposure in exposures:
                exposure.new_day()
        for ledger in self.book.ledgers.values():
            ledger.new_day()
        self.happened.append(DayRolled(self.day_end_ns))
        return True

    def balance(self, told: Balance) -> None:
        """The venue's own word on what is there."""
        is_first = told.venue not in self.purses
        purse = self.purse(told.venue)
        purse.totals[told.currency] = told.total_1e8 * 10**9
        self.version += 1
        for live in self.account.live.values() if is_first else ():
            market = self.markets[live.instrument]
            if market.venue == told.venue:
                mid_1e9 = -(-self.account.marks[live.instrument].mid_sum_1e9 // 2)
                purse.hold(market, live, mid_1e9 if live.order_type == _MARKET else live.far_px_1e9)

    def purse(self, venue: str) -> Purse:
        """The venue's, begun if there was none."""
        return self.purses.setdefault(venue, Purse(self._taker_ppm))

    def position(self, told: PositionReport, now_ns: int) -> bool:
        """The venue's own word on a position; True when it latched that market.

        What open orders explain is no difference. What differs stops everything there, reducing orders too: what would
        reduce is not known.
        """
        exposure, market = self.account.exposures[told.instrument], self.markets[told.instrument]
        market.venue_position_1e8 = told.position_1e8
        least = exposure.position_1e8 - exposure.open_sell_1e8
        if least <= told.position_1e8 <= exposure.position_1e8 + exposure.open_buy_1e8:
            return False
        self.now_ns = now_ns
        return self.distrust(told.instrument)

    def distrust(self, index: int) -> bool:
        """What happened at this market is not known, or not believed: nothing passes there until a person re-arms."""
        if not 0 <= index < len(self.markets):
            return False
        market, ours_1e8 = self.markets[index], self.account.exposures[index].position_1e8
        self.version += 1
        is_new, market.drifted = not market.drifted, True
        if is_new:
            scope, venues_1e8 = f"instrument:{market.name}", market.venue_position_1e8
            self.happened.append(Latched(scope, "", DenyReason.POSITION_DRIFT, ours_1e8, venues_1e8))
        return is_new
