"""The gate: the one place where an action becomes `Approved`, and the only one that may build it.

Inputs are the guest's raw numbers; outputs are an `Approved` order or a `Denied` with its reason. What cannot be
judged (an instrument without metadata, an input that raises) is denied with RISK_STATE_UNKNOWN.

State folded here and nowhere else: exposures (`exposure.py`), rate windows, the trading state, the daily-loss latch.
A daily loss latches when the PnL since 00:00 UTC of all instruments with the same quote currency falls below the
limit; it stays latched over midnight until a person re-arms it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from connectors.events import ExecReport
from connectors.orders import Action, AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.units import SIZE_ONE
from risk.checks import (
    CHECKS,
    Case,
    Market,
    TradingState,
    Window,
    check_rate,
    check_state,
    check_well_formed,
    not_supported,
    unknown_order,
)
from risk.denial import Denied, DenyReason
from risk.exposure import Account, LiveOrder
from risk.limits import Limits

_MARKET = int(OrderType.MARKET)
_LIMIT = int(OrderType.LIMIT)
_CHECKS = len(CHECKS)
DAY_NS = 86_400 * 10**9


class Deployment:
    """What one algo may touch, as market indices.

    `instruments[k]`: its k-th symbol at its own venue, whose id is `venue_id`. `elsewhere[venue_id, k]`: the same at
    another venue. `pools[k, slot]`: a pool of that symbol, by its place in the guest's PoolBooks.
    """

    __slots__ = ("count", "elsewhere", "instruments", "pools", "unseen", "venue_id")

    def __init__(
        self,
        venue_id: int,
        instruments: tuple[int, ...],
        elsewhere: Mapping[tuple[int, int], int] = MappingProxyType({}),
        pools: Mapping[tuple[int, int], int] = MappingProxyType({}),
    ) -> None:
        self.venue_id = venue_id
        self.instruments = instruments
        self.elsewhere = elsewhere
        self.pools = pools
        self.count = len(instruments)
        self.unseen = 0  # finished orders whose place in the guest's table is taken until it was shown them

    @property
    def markets(self) -> tuple[int, ...]:
        """Every market index it may trade at."""
        return (*self.instruments, *self.elsewhere.values(), *self.pools.values())


class Gate:
    """Checks of one account. `markets[i]` is what is known of instrument i; the engine keeps it current.

    `is_paper`: orders go to the paper venue, so those at pools may too; live they are refused.
    """

    def __init__(
        self, limits: Limits, markets: list[Market], deployments: list[Deployment], *, is_paper: bool = True
    ) -> None:
        self.limits = limits
        self.markets = markets
        self.deployments = deployments
        self.account = Account(len(markets))
        self.state = TradingState.ACTIVE
        self.latched: set[str] = set()  # quote currencies whose daily loss was passed
        self.reserved: set[tuple[int, int]] = set()  # (algo, order_id) of intents between two orders
        self.approvals = 0
        self._orders = Window(limits.max_order_rate)
        self._cancels = Window(limits.max_order_rate)
        self.day_end_ns = 0
        self._case = Case()
        self._case.limits = limits
        self._case.window = self._orders
        self._case.is_paper = is_paper

    # --- new orders and amends -------------------------------------------------------------------------------------

    def check_new(self, algo: int, client_order_id: str, action: Action, now_ns: int) -> Approved[NewOrder] | Denied:
        """Judges a new order of `algo`; quantities and prices at the guest's scales, as it gave them."""
        order_id, px_1e9, qty_1e8, side, _, order_type, venue_id, pool_idx, symbol_idx, _ = action
        deployment = self.deployments[algo]
        account = self.account
        if pool_idx or (venue_id and venue_id != deployment.venue_id) or symbol_idx >= deployment.count:
            target = self.target(algo, venue_id, pool_idx, symbol_idx)
            if isinstance(target, Denied):
                return self._first(side, px_1e9, qty_1e8, order_type) or target
            instrument = target
            self._case.is_away = self.markets[instrument].venue_id != deployment.venue_id
        else:
            instrument = deployment.instruments[symbol_idx]
            self._case.is_away = False
        if (algo, order_id) in account.open_ids or (self.reserved and (algo, order_id) in self.reserved):
            return self._first(side, px_1e9, qty_1e8, order_type) or self._duplicate(order_id)
        denied = self._run(algo, instrument, side, px_1e9, qty_1e8, order_type, qty_1e8, None, now_ns)
        if denied is not None:
            return denied
        if order_type == _MARKET:
            px_1e9 = 0
        order = NewOrder(client_order_id, algo, instrument, order_id, side, px_1e9, qty_1e8, order_type)
        account.approved_new(order)
        self._orders.times.append(now_ns)
        self.approvals = approval = self.approvals + 1
        return Approved(order, approval, now_ns, _CHECKS)

    def check_kind(self, kind: int) -> Denied:
        """Refuses what is neither a new order, a cancel, an amend nor an intent."""
        self._case.state = self.state
        return check_state(self._case) or not_supported(kind, "action kind: 0 new, 1 cancel, 2 amend, 3 intent")

    def check_intent(self, algo: int, action: Action, *, is_known: bool) -> int | Denied:
        """The market of an intent whose policy `is_known`. Its id, price and quantity are judged with its orders."""
        order_id, _, _, _, _, policy, venue_id, pool_idx, symbol_idx, _ = action
        target: int | Denied = self.target(algo, venue_id, pool_idx, symbol_idx)
        if not is_known:
            target = not_supported(policy, "intent policy: 0 IOC sweep, 1 aggressive chase")
        elif (algo, order_id) in self.account.open_ids or (algo, order_id) in self.reserved:
            target = self._duplicate(order_id)
        self._case.state = self.state
        return (check_state(self._case) or target) if isinstance(target, Denied) else target

    @staticmethod
    def _duplicate(order_id: int) -> Denied:
        return Denied(DenyReason.DUPLICATE_ORDER_ID, 0, order_id, "order id is still open")

    def check_amend(
        self, algo: int, action_id: str, order_id: int, px_1e9: int, qty_1e8: int, now_ns: int
    ) -> Approved[AmendOrder] | Denied:
        """Judges a change of price and total quantity of an open order, which keeps counting in full until answered."""
        live = self.find(algo, order_id)
        if live is None:
            self._case.state = self.state
            return check_state(self._case) or unknown_order(order_id)
        own = self.deployments[algo]
        index = live.instrument
        self._case.is_away = index not in own.instruments and self.markets[index].venue_id != own.venue_id
        more = qty_1e8 - live.filled_1e8 - live.leaves_1e8
        denied = self._run(algo, index, live.side, px_1e9, qty_1e8, _LIMIT, more, live, now_ns)
        if denied is not None:
            return denied
        order = AmendOrder(live.client_order_id, algo, live.instrument, order_id, live.side, px_1e9, qty_1e8, action_id)
        self.account.approved_amend(order)
        self._orders.add(now_ns)
        self.approvals += 1
        return Approved(order, self.approvals, now_ns, _CHECKS)

    def _run(
        self, algo: int, index: int, side: int, px_1e9: int, qty_1e8: int, order_type: int, more_1e8: int,
        amended: LiveOrder | None, now_ns: int,
    ) -> Denied | None:  # fmt: skip
        market = self.markets[index]
        instrument = market.instrument
        if instrument is None:
            unknown = Denied(DenyReason.RISK_STATE_UNKNOWN, 0, 0, "instrument metadata is missing")
            return self._first(side, px_1e9, qty_1e8, order_type) or unknown
        case = self._case
        case.market = market
        case.instrument = instrument
        case.now_ns = now_ns
        case.state = self.state
        case.exposure = exposure = self.account.exposures[index]
        case.side = side
        case.px_1e9 = px_1e9
        case.qty_1e8 = qty_1e8
        case.order_type = order_type
        case.more_1e8 = more_1e8
        case.is_amend = amended is not None
        check = None
        try:
            case.open_count = self.account.open_counts.get(algo, 0) + self.deployments[algo].unseen
            case.latched = instrument.quote in self.latched if self.latched else False
            case.reduces = (amended is not None and amended.is_shrunk_by(px_1e9, qty_1e8)) or (
                exposure.position_1e8 * side < 0 and side in (1, -1) and exposure.only_reduces(side, max(more_1e8, 0))
            )
            case.bid_1e9, case.ask_1e9 = market.book.touch()
            case.reach_1e9 = market.book.reach_1e9(side, qty_1e8) if order_type == _MARKET else px_1e9
            for check in CHECKS:
                denied = check(case)
                if denied is not None:
                    return denied
        except Exception as error:  # noqa: BLE001 - whatever an input does, the answer is no
            name = check.__name__ if check is not None else "inputs"
            rule = f"{name} raised {type(error).__name__}: {error}"
            return check_state(case) or Denied(DenyReason.RISK_STATE_UNKNOWN, 0, 0, rule)
        return None

    def _first(self, side: int, px_1e9: int, qty_1e8: int, order_type: int) -> Denied | None:
        """What comes before everything else that may be wrong with an order: halted, then not an order at all."""
        case = self._case
        case.state, case.side, case.px_1e9 = self.state, side, px_1e9
        case.qty_1e8, case.order_type = qty_1e8, order_type
        return check_state(case) or check_well_formed(case)

    def target(self, algo: int, venue_id: int, pool_idx: int, symbol_idx: int) -> int | Denied:
        """The market that an action aims at."""
        deployment = self.deployments[algo]
        if symbol_idx >= deployment.count:
            return Denied(DenyReason.INSTRUMENT_NOT_ALLOWED, deployment.count - 1, symbol_idx, "symbol index")
        if pool_idx:
            pool = deployment.pools.get((symbol_idx, pool_idx - 1))
            if pool is None:
                return Denied(DenyReason.UNKNOWN_POOL, 0, pool_idx, "pool_idx is a slot of PoolBooks, plus one")
            if venue_id and venue_id != self.markets[pool].venue_id:
                return self._bad_venue(self.markets[pool].venue_id, venue_id)
            return pool
        if not venue_id or venue_id == deployment.venue_id:
            return deployment.instruments[symbol_idx]
        found = deployment.elsewhere.get((venue_id, symbol_idx))
        return self._bad_venue(deployment.venue_id, venue_id) if found is None else found

    @staticmethod
    def _bad_venue(expected: int, venue_id: int) -> Denied:
        return Denied(DenyReason.BAD_VENUE, expected, venue_id, "venue ids of this instance")

    # --- cancels ---------------------------------------------------------------------------------------------------

    def find(self, algo: int, order_id: int) -> LiveOrder | None:
        """The open order an algo calls `order_id`."""
        client_order_id = self.account.open_ids.get((algo, order_id))
        return self.account.live[client_order_id] if client_order_id is not None else None

    def check_cancel(self, algo: int, action_id: str, order_id: int, now_ns: int) -> Approved[CancelOrder] | Denied:
        """Cancels pass everything but rate, and draw from a budget of their own."""
        live = self.find(algo, order_id)
        if live is None:
            return unknown_order(order_id)
        denied = check_rate(self._cancels, now_ns)
        if denied is not None:
            return denied
        self._cancels.add(now_ns)
        return self._approve_cancel(live, action_id, now_ns)

    def must_cancel(self, live: LiveOrder, action_id: str, now_ns: int) -> Approved[CancelOrder]:
        """A cancel of ours (kill switch, loss latch, a disabled guest): never refused, not even for its rate."""
        self._cancels.add(now_ns)
        return self._approve_cancel(live, action_id, now_ns)

    def _approve_cancel(self, live: LiveOrder, action_id: str, now_ns: int) -> Approved[CancelOrder]:
        self.approvals += 1
        order = CancelOrder(live.client_order_id, live.algo, live.instrument, live.order_id, action_id)
        return Approved(order, self.approvals, now_ns, 1)

    # --- what happened ---------------------------------------------------------------------------------------------

    def fold(self, report: ExecReport) -> bool:
        """Applies an execution report; True when it latched the daily loss."""
        live = self.account.fold(report)
        return live is not None and report.last_qty_1e8 > 0 and self._latch(live.instrument)

    def mark(self, index: int, mid_sum_1e9: int) -> bool:
        """A valid book's bid + ask; True when the move latched the daily loss."""
        exposure = self.account.exposures[index]
        exposure.mid_sum_1e9 = mid_sum_1e9
        return exposure.position_1e8 != 0 and self._latch(index)

    def _latch(self, index: int) -> bool:
        instrument = self.markets[index].instrument
        quote = instrument.quote if instrument else ""
        if quote in self.latched:
            return False
        total = sum(
            exposure.session_1e17()
            for exposure, market in zip(self.account.exposures, self.markets, strict=True)
            if market.instrument is not None and market.instrument.quote == quote
        )
        if -total <= self.limits.max_daily_loss_1e9 * SIZE_ONE:
            return False
        self.latched.add(quote)
        return True

    def roll(self, now_ns: int) -> bool:
        """Starts a new day's PnL at the first input after 00:00 UTC; True when it did. The latch stays."""
        if now_ns < self.day_end_ns:
            return False
        is_first = self.day_end_ns == 0
        self.day_end_ns = (now_ns // DAY_NS + 1) * DAY_NS
        if is_first:
            return False
        for exposure in self.account.exposures:
            exposure.day_start_1e17 = exposure.total_1e17()
        return True

    # --- a person's hand -------------------------------------------------------------------------------------------

    def halt(self) -> None:
        """The kill switch: nothing new leaves until `arm`."""
        self.state = TradingState.HALTED

    def reduce(self) -> None:
        """Only what reduces passes from here on; a halt stays one."""
        if self.state is not TradingState.HALTED:
            self.state = TradingState.REDUCING

    def arm(self) -> None:
        """A person re-arms: trading state and loss latch; the day's PnL starts anew where a latch was taken off."""
        self.state = TradingState.ACTIVE
        for exposure, market in zip(self.account.exposures, self.markets, strict=True):
            if market.instrument is not None and market.instrument.quote in self.latched:
                exposure.day_start_1e17 = exposure.total_1e17()
        self.latched.clear()
