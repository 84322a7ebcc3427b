"""The reference itself: verdicts, and everything that changes what the next one is."""

from __future__ import annotations

from dataclasses import replace

from connectors.events import ExecReport, ExecType
from connectors.orders import Action, OrderType
from risk.denial import DenyReason
from risk.limits import LimitTree
from risk.override import OVERRIDABLE, Grant
from risk.states import TradingState
from tests.reference.case import Case, Refusal
from tests.reference.checks import CHECKS, is_well_formed
from tests.reference.markets import Place, Rules, Trader
from tests.reference.orders import ENDS, Order
from tests.reference.state import State

DAY = 86_400 * 10**9
RANK = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
REJECTIONS = (ExecType.REJECTED, ExecType.REPLACE_REJECTED)
OF_MONEY = ("max_daily_loss_1e9", "max_drawdown_1e9", "max_capital_1e9")
D = DenyReason


class Reference(State):
    """The gate by the table."""

    # --- verdicts ------------------------------------------------------------------------------------------------

    def target(self, trader: Trader, action: Action) -> Place | Refusal:
        """Which market an action is aimed at."""
        venue_id, pool, symbol = action[6], action[7], action[8]
        if not 0 <= symbol < len(trader.own):
            return Refusal(D.INSTRUMENT_NOT_ALLOWED)
        if pool:
            market = trader.pools.get((symbol, pool - 1))
            if market is None:
                return Refusal(D.UNKNOWN_POOL)
            place = self.places[market]
            return place if venue_id in (0, place.wire.venue_id) else Refusal(D.BAD_VENUE)
        if venue_id in (0, trader.venue_id):
            return self.places[trader.own[symbol]]
        market = trader.elsewhere.get((venue_id, symbol))
        return Refusal(D.BAD_VENUE) if market is None else self.places[market]

    def early(self, trader: Trader, is_formed: bool, refusal: Refusal) -> Refusal:
        """What has no market to be judged at; halted and malformed are said first."""
        if TradingState.HALTED in (self.state_of("all"), self.state_of(trader.label)):
            return Refusal(D.KILL_SWITCH)
        return refusal if is_formed else Refusal(D.INVALID_ORDER)

    def case(self, trader: Trader, place: Place, action: Action, now: int, amended: Order | None = None) -> Case:
        case = Case(trader, place, action[3], action[1], action[2], action[5], now, amended)
        case.open_by = self.open_by
        case.account_qty = self.held[place.index].qty
        case.own_qty = self.own[trader.index, place.index].qty
        case.labels = (*place.labels, trader.label)
        return case

    def judge(self, case: Case, grant: Grant | None = None) -> tuple[Refusal | None, list[DenyReason]]:
        """The first check that objects; which ones a grant made look away."""
        skipped = []
        for _, check in CHECKS:
            refusal = check(self, case)
            if refusal is not None:
                if grant is None or refusal.reason not in OVERRIDABLE:
                    return self.or_unknown(case, refusal), []
                skipped.append(refusal.reason)
        return None, skipped

    def or_unknown(self, case: Case, refusal: Refusal) -> Refusal:
        """Without metadata any check may say that it does not know; but halted is said first."""
        if case.place.is_known or refusal.reason is D.KILL_SWITCH:
            return refusal
        is_formed = is_well_formed(case.side, case.px, case.qty, case.kind)
        return replace(
            refusal, instead=(D.RISK_STATE_UNKNOWN,) if is_formed else (D.RISK_STATE_UNKNOWN, D.INVALID_ORDER)
        )

    def grant_for(self, case: Case) -> Grant | None:
        px = 0 if case.kind == OrderType.MARKET else case.px
        wanted = (case.trader.name, case.place.name, case.side, case.qty, px)
        for grant in self.grants.values():
            is_fresh = case.now < grant.expires_ns and grant.id not in self.used_grants
            if is_fresh and wanted == (grant.algo, grant.market, grant.side, grant.qty_1e8, grant.px_1e9):
                return grant
        return None

    def check_new(self, algo: int, name: str, action: Action, now: int, *, is_dry: bool = False) -> Refusal | None:
        trader = self.traders[algo]
        place = self.target(trader, action)
        refusal: Refusal | None
        if self.find(algo, action[0]) is not None:
            place = place if isinstance(place, Refusal) else Refusal(D.DUPLICATE_ORDER_ID)
        if isinstance(place, Refusal):
            refusal = self.early(trader, is_well_formed(action[3], action[1], action[2], action[5]), place)
            return refusal if is_dry else self.refused(algo, refusal, now)
        case = self.case(trader, place, action, now)
        grant = self.grant_for(case)
        refusal, skipped = self.judge(case, grant)
        if is_dry:
            return refusal
        if refusal is not None:
            return self.refused(algo, refusal, now)
        if grant is not None and skipped:
            self.used_grants.add(grant.id)
        self.orders[name] = Order(
            name, algo, place.index, action[0], case.side, 0 if case.kind == OrderType.MARKET else case.px, case.qty,
            case.kind, case.reach,
        )  # fmt: skip
        if self.is_canary(trader):
            self.orders_of[algo] = self.orders_of.get(algo, 0) + 1
        if self.rules.is_said("max_duplicates"):
            self.equals.add(self.likeness(case), now)
        self.sent("orders", case.labels, now)
        return None

    def check_amend(self, algo: int, order_id: int, px: int, qty: int, now: int) -> Refusal | None:
        trader, order = self.traders[algo], self.find(algo, order_id)
        if order is None:
            return self.refused(algo, self.early(trader, True, Refusal(D.UNKNOWN_ORDER)), now)
        action = (order_id, px, qty, order.side, 2, order.kind, 0, 0, 0, 0)
        case = self.case(trader, self.places[order.market], action, now, order)
        refusal, _ = self.judge(case)
        if refusal is not None:
            return self.refused(algo, refusal, now)
        order.ask(px, qty)
        self.sent("orders", case.labels, now)
        return None

    def check_cancel(self, algo: int, order_id: int, now: int, *, is_ours: bool = False) -> Refusal | None:
        order = self.find(algo, order_id)
        if order is None:
            return self.refused(algo, Refusal(D.UNKNOWN_ORDER), now)
        labels = (*self.places[order.market].labels, self.traders[algo].label)
        seen = self.too_fast("cancels", "max_cancel_rate", labels, now)
        if seen and not is_ours:
            return self.refused(algo, Refusal(D.RATE_LIMIT, "", seen), now)
        self.sent("cancels", labels, now)
        return None

    def check_kind(self, algo: int, now: int) -> Refusal | None:
        return self.refused(algo, self.early(self.traders[algo], True, Refusal(D.NOT_SUPPORTED)), now)

    def find(self, algo: int, order_id: int) -> Order | None:
        for order in self.orders.values():
            if order.is_open and (order.algo, order.order_id) == (algo, order_id):
                return order
        return None

    def sent(self, what: str, labels: tuple[str, ...], now: int) -> None:
        for label in labels:
            self.times[what].add(label, now)
        self.count_open()

    def refused(self, algo: int, refusal: Refusal | None, now: int) -> Refusal | None:
        """Denials and venue rejections of one algo: too many halt it."""
        most, window = self.rules.account("max_refusals"), self.rules.account("refusal_window_ns")
        said = self.rules.said.get(self.traders[algo].label, {}).get("max_refusals")
        bounds = [bound for bound in (most, said) if bound is not None]
        is_late = refusal is not None and refusal.reason is D.UNKNOWN_ORDER
        if is_late or self.state_of(self.traders[algo].label) is TradingState.HALTED:
            return refusal
        if self.rules.is_said("max_refusals"):
            self.refusals.add(algo, now)
        if bounds and window is not None and self.refusals.count(algo, now, window) > min(bounds):
            self.tighten(self.traders[algo].label, TradingState.HALTED)
        return refusal

    # --- what happens --------------------------------------------------------------------------------------------

    def roll(self, now: int) -> bool:
        if now // DAY <= self.day:
            return False
        self.day = now // DAY
        self.is_blurred |= any(held.qty and self.places[at].mid2 is None for at, held in enumerate(self.held))
        for label, quotes in self.quotes.items():
            for quote in quotes:
                self.begin(label, quote)
        return True

    def begin(self, label: str, quote: str) -> None:
        """The day starts at what it is now, or as soon as that is known; so does its highest."""
        ledger, pnl2 = self.ledger(label, quote), self.pnl2(label, quote)
        ledger.start2, ledger.peak2 = pnl2, pnl2 or 0

    def look(self, place: Place) -> None:
        """After a mark or an execution there: is a scope's loss or fall beyond its limit?"""
        quote = place.quote
        for label in (*place.labels, *(trader.label for trader in self.traders)):
            ledger, pnl2 = self.ledger(label, quote), self.pnl2(label, quote)
            if pnl2 is None:
                continue
            if ledger.start2 is None:
                self.begin(label, quote)
                continue
            if any(self.loss_limit(label, key) is not None for key in OF_MONEY):
                ledger.peak2 = max(ledger.peak2, pnl2)
            for reason, fall, key in (
                (D.DAILY_LOSS, ledger.start2 - pnl2, "max_daily_loss_1e9"),
                (D.DRAWDOWN, ledger.peak2 - pnl2, "max_drawdown_1e9"),
            ):
                most = self.loss_limit(label, key)
                if most is not None and fall > 2 * most * 10**8:
                    ledger.latches.setdefault(reason, fall)

    def mark(self, market: int, mid2: int, now: int) -> None:
        place = self.places[market]
        place.mid2, place.mark_ns = mid2, now
        if self.rules.is_said("collar_window_bps"):
            place.mids.append((now, mid2))
        self.look(place)

    def fold(self, report: ExecReport, now: int) -> None:
        order = self.orders.get(report.client_order_id)
        if order is None:
            return
        kind = report.exec_type
        if kind in REJECTIONS and order.is_open:
            self.refused(order.algo, None, now)
        if kind is ExecType.TRADE:
            is_first = order.filled == 0 and report.last_qty_1e8 > 0
            if order.execute(report):
                self.trade(order, report)
                if is_first:
                    self.count_repeats(order, now)
                self.look(self.places[order.market])
        elif kind in ENDS:
            order.end(report.cum_qty_1e8)
        elif kind in (ExecType.REPLACED, ExecType.REPLACE_REJECTED) and order.is_open:
            order.answer(report)
        self.count_open()

    def trade(self, order: Order, report: ExecReport) -> None:
        size, px, fee = report.last_qty_1e8, report.last_px_1e9, report.fee_1e9
        for held in (self.held[order.market], self.own[order.algo, order.market]):
            held.trade(order.side, size, px, fee)
        self.move_balance(order, size, px, fee)

    def move_balance(self, order: Order, size: int, px: int, fee: int) -> None:
        """What a fill takes from and adds to a kept balance."""
        place = self.places[order.market]
        kept = self.balances.get(place.wire.venue)
        if kept is not None:
            money = -order.side * size * px - fee * 10**8
            kept[place.base] = kept.get(place.base, 0) + order.side * size * 10**9
            kept[place.quote] = kept.get(place.quote, 0) + money

    def told(self, place: Place, position: int) -> None:
        """The venue's own word on a position: a drift is what open orders do not explain."""
        held = self.held[place.index].qty
        least = held - self.open_by.get((None, place.index, -1), 0)
        most = held + self.open_by.get((None, place.index, 1), 0)
        if not least <= position <= most:
            place.has_drifted = True

    def count_repeats(self, order: Order, now: int) -> None:
        """Orders of one algo that traded at one market and side lately, each counted when it first traded."""
        window = self.rules.account("repeat_window_ns")
        said = self.rules.each(("account", self.traders[order.algo].label), "max_repeats")
        key = (order.algo, order.market, order.side)
        if self.rules.is_said("max_repeats"):
            self.repeats.add(key, now)
        bound = min((most for _, most in said), default=None)
        if window is not None and bound is not None and self.repeats.count(key, now, window) > bound:
            self.repeat_latched.add(order.algo)

    # --- what people do ------------------------------------------------------------------------------------------

    def tighten(self, scope: str, state: TradingState) -> bool:
        if RANK[state] <= RANK[self.state_of(scope)]:
            return False
        self.states[scope] = state
        return True

    def arm(self, scope: str) -> None:
        """A person takes states and latches off."""
        everything = scope == "all"
        self.states = {} if everything else {at: state for at, state in self.states.items() if at != scope}
        for (label, quote), ledger in self.ledgers.items():
            if (everything or label == scope) and ledger.latches:
                ledger.latches.clear()
                self.begin(label, quote)
        for trader in self.traders:
            if everything or trader.label == scope:
                self.repeat_latched.discard(trader.index)
                # nor does what was counted against it before latch it again
                self.refusals.at.pop(trader.index, None)
                for key in [key for key in self.repeats.at if isinstance(key, tuple) and key[0] == trader.index]:
                    del self.repeats.at[key]
        for place in self.places:
            if everything or scope in place.labels[1:]:
                place.has_drifted = False

    def apply(self, tree: LimitTree, now: int) -> None:
        """Other limits; what nobody limited is not counted. A loss that is beyond already latches at once."""
        old, self.rules = self.rules, Rules(tree)
        self.promoted |= set(tree.promoted)
        for (label, _), ledger in self.ledgers.items():
            if not ledger.latches and not any(key in old.said.get(label, {}) for key in OF_MONEY):
                ledger.peak2 = ledger.start2 or 0
        for label in self.scopes:
            for what, key in (("orders", "max_order_rate"), ("cancels", "max_cancel_rate")):
                if old.rate(label, key) is None:
                    self.times[what].at.pop(label, None)
        for times, key in (
            (self.refusals, "refusal_window_ns"),
            (self.equals, "duplicate_window_ns"),
            (self.repeats, "repeat_window_ns"),
        ):
            times.forget(now, old.account(key) or 0)  # what was too old before stays forgotten when a window grows
        for place in self.places:
            self.look(place)

    def grant(self, grant: Grant) -> None:
        self.grants[grant.id] = grant

    def promote(self, sha256: str) -> None:
        self.promoted.add(sha256)

    def restart(self) -> None:
        """What a restart forgets: marks, orders that ended, overrides that nobody used."""
        for place in self.places:
            place.mid2 = None
            place.mids.clear()
        self.orders = {name: order for name, order in self.orders.items() if order.is_live}
        self.grants.clear()
