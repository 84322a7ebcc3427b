"""The gate: the one place where an action becomes `Approved`, and the only one that may build it.

Inputs are the guest's raw numbers; outputs are an `Approved` order or a `Denied` with its reason. What cannot be judged
(an instrument without metadata, an input that raises) is denied with RISK_STATE_UNKNOWN. The rules are the table in
docs/gate.md; what latches, halts and is remembered is in `watch.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.orders import (
    Action,
    AmendOrder,
    Approved,
    CancelAll,
    CancelOrder,
    NewOrder,
    OrderType,
)
from risk.bounds import Deployment
from risk.case import Case
from risk.checks import CHECKS
from risk.checks_limits import check_rate
from risk.checks_order import check_state, check_well_formed, not_allowed, not_supported, unknown_order
from risk.denial import Denied, DenyReason
from risk.exposure import LiveOrder
from risk.happenings import AllCancelled
from risk.limits import UNSET, Limits, LimitTree
from risk.market import Market
from risk.memory import Memory
from risk.override import OVERRIDABLE, Grant
from risk.recall import remember, restore
from risk.sound import must_be_sound
from risk.standing import Standing, standing_of
from risk.states import TradingState
from risk.watch import Watch

__all__ = ["Deployment", "Gate"]

_MARKET = int(OrderType.MARKET)
_NUMBERED = tuple(enumerate(CHECKS, 1))
_ACTIVE, _REDUCING = TradingState.ACTIVE, TradingState.REDUCING
Issued = Callable[[Approved[Any]], None]


def _nobody(approved: Approved[Any]) -> None:
    """Where approvals are told where nobody taps the exit."""


class Gate(Watch):
    """Checks of one account. `markets[i]` is what is known of instrument i; the engine keeps it current.

    `is_paper`: orders go to the paper venue, so those at pools may too; live they are refused. `taker_ppm`: the fee
    that a buy must be able to pay, where balances are kept; `balances`: venue → currency → what is there ×1e8.
    `on_approved` is told of every approval, before anybody can act on it.
    """

    def __init__(
        self, limits: Limits | LimitTree, markets: list[Market], deployments: Sequence[Deployment], *,
        is_paper: bool = True, taker_ppm: int = 0, balances: Mapping[str, Mapping[str, int]] | None = None,
        on_approved: Issued = _nobody,
    ) -> None:  # fmt: skip
        super().__init__(limits, markets, deployments, taker_ppm=taker_ppm, balances=balances or {})
        self.on_approved = on_approved
        self.is_stopping = False  # only what reduces passes: nobody would be there to look after anything else
        self.reserved: set[tuple[int, int]] = set()  # (algo, order_id) of intents between two orders
        self.judged = -1  # the market that the last action was judged at; −1: it had none
        self._ran = 0  # checks, of the last action
        self._grant: Grant | None = None  # that let it skip some
        self._skipped: list[DenyReason] = []
        case = self._case
        case.account, case.markets = self.account, markets
        self.is_paper = is_paper

    # --- new orders and amends -------------------------------------------------------------------------------------

    def check_new(self, algo: int, client_order_id: str, action: Action, now_ns: int) -> Approved[NewOrder] | Denied:
        """Judges a new order of `algo`; quantities and prices at the guest's scales, as it gave them."""
        verdict = self._judge(algo, action, now_ns)
        if type(verdict) is Denied:
            return self.refused(algo, verdict, now_ns)
        order_id, px_1e9, qty_1e8, side, _, order_type, _, _, _, _ = action
        if order_type == _MARKET:
            px_1e9 = 0
        order = NewOrder(client_order_id, algo, verdict, order_id, side, px_1e9, qty_1e8, order_type)  # type: ignore[arg-type]
        self.count_new(order, self._case.reach_1e9, now_ns)
        if self._grant is not None:
            self.used(self._grant, client_order_id, self._skipped)
        return self._issue(order, now_ns, self._ran)

    def judge(self, algo: int, action: Action, now_ns: int) -> Denied | None:
        """What `check_new` would say, without counting anything."""
        verdict = self._judge(algo, action, now_ns)
        return verdict if isinstance(verdict, Denied) else None

    def _judge(self, algo: int, action: Action, now_ns: int) -> int | Denied:
        """The market of a new order that may pass."""
        order_id, px_1e9, qty_1e8, side, _, order_type, venue_id, pool_idx, symbol_idx, _ = action
        deployment = self.deployments[algo]
        case = self._case
        self.judged = -1
        if pool_idx or (venue_id and venue_id != deployment.venue_id) or symbol_idx >= deployment.count:
            target = self.target(algo, venue_id, pool_idx, symbol_idx)
            if isinstance(target, Denied):
                return self._first(algo, side, px_1e9, qty_1e8, order_type) or target
            index = target
            case.is_away = self.markets[index].venue_id != deployment.venue_id
        else:
            index = deployment.instruments[symbol_idx]
            case.is_away = False
        if (algo, order_id) in self.account.open_ids or (self.reserved and (algo, order_id) in self.reserved):
            return self._first(algo, side, px_1e9, qty_1e8, order_type) or self._duplicate(order_id)
        return self._run(algo, index, side, px_1e9, qty_1e8, order_type, qty_1e8, None, now_ns) or index

    def check_kind(self, algo: int, kind: int, now_ns: int) -> Denied:
        """Refuses what is neither a new order, a cancel, an amend nor an intent."""
        self.judged = -1
        self._states(algo, None)
        denied = check_state(self._case) or not_supported(kind, "action kind: 0 new, 1 cancel, 2 amend, 3 intent")
        return self.refused(algo, denied, now_ns)

    def check_intent(self, algo: int, action: Action, now_ns: int, *, is_known: bool) -> int | Denied:
        """The market of an intent whose policy `is_known`. Its id, price and quantity are judged with its orders."""
        order_id, _, _, _, _, policy, venue_id, pool_idx, symbol_idx, _ = action
        self.judged = -1
        target: int | Denied = self.target(algo, venue_id, pool_idx, symbol_idx)
        if not is_known:
            target = not_supported(policy, "intent policy: 0 IOC sweep, 1 aggressive chase")
        elif (algo, order_id) in self.account.open_ids or (algo, order_id) in self.reserved:
            target = self._duplicate(order_id)
        if not isinstance(target, Denied):
            return target
        self._states(algo, None)
        return self.refused(algo, check_state(self._case) or target, now_ns)

    @staticmethod
    def _duplicate(order_id: int) -> Denied:
        return Denied(DenyReason.DUPLICATE_ORDER_ID, 0, order_id, "order id is still open")

    def check_amend(
        self, algo: int, action_id: str, order_id: int, px_1e9: int, qty_1e8: int, now_ns: int
    ) -> Approved[AmendOrder] | Denied:
        """Judges a change of price and total quantity of an open order, which keeps counting in full until answered."""
        denied = self.judge_amend(algo, order_id, px_1e9, qty_1e8, now_ns)
        live = self.find(algo, order_id)
        if denied is not None or live is None:
            return self.refused(algo, denied or unknown_order(order_id), now_ns)
        name, index, side = live.client_order_id, live.instrument, live.side
        order = AmendOrder(name, algo, index, order_id, side, px_1e9, qty_1e8, action_id)
        self.count_amend(order, now_ns)
        return self._issue(order, now_ns, self._ran)

    def judge_amend(self, algo: int, order_id: int, px_1e9: int, qty_1e8: int, now_ns: int) -> Denied | None:
        """What `check_amend` would say, without counting anything."""
        live = self.find(algo, order_id)
        self.judged = -1
        if live is None:
            self._states(algo, None)
            return check_state(self._case) or unknown_order(order_id)
        own, index = self.deployments[algo], live.instrument
        self._case.is_away = index not in own.instruments and self.markets[index].venue_id != own.venue_id
        more = qty_1e8 - live.filled_1e8 - live.leaves_1e8
        return self._run(algo, index, live.side, px_1e9, qty_1e8, live.order_type, more, live, now_ns)

    # --- judging ---------------------------------------------------------------------------------------------------

    def _run(
        self, algo: int, index: int, side: int, px_1e9: int, qty_1e8: int, order_type: int, more_1e8: int,
        amended: LiveOrder | None, now_ns: int,
    ) -> Denied | None:  # fmt: skip
        market = self.markets[index]
        case = self._case
        self.judged, self.now_ns = index, now_ns
        case.market = market
        case.index = index
        case.now_ns = now_ns
        case.side = side
        case.px_1e9 = px_1e9
        case.qty_1e8 = qty_1e8
        case.order_type = order_type
        case.more_1e8 = more_1e8
        case.is_amend = amended is not None
        case.is_paper = self.is_paper or market.on_paper
        self._grant = None
        check, number = None, 0
        try:
            case.instrument = market.definition
            self._inputs(case, algo, amended)
            must_be_sound(case)
            for number, check in _NUMBERED:  # noqa: B007 - the last number is how many ran
                denied = check(case)
                if denied is not None and not self._is_granted(algo, case, denied):
                    return denied
        except Exception as error:  # noqa: BLE001 - whatever an input does, the answer is no
            name = check.__name__ if check is not None else "inputs"
            rule = f"{name} raised {type(error).__name__}: {error}"
            unknown = Denied(DenyReason.RISK_STATE_UNKNOWN, 0, 0, rule)
            try:
                return self._first(algo, side, px_1e9, qty_1e8, order_type, index) or unknown
            except Exception:  # noqa: BLE001 - nor may what comes before everything else be asked
                return unknown
        self._ran = number
        return None

    def _inputs(self, case: Case, algo: int, amended: LiveOrder | None) -> None:
        """Everything that the checks look at. What raises here denies."""
        market, index, side = case.market, case.index, case.side
        account = self.account
        case.bounds = bounds = self.book.bounds(algo, index)
        self._states(algo, index)
        case.exposure = exposure = account.exposures[index]
        case.own = own = account.owns[algo][index]
        case.link_ns = market.link.last_ns
        case.book = book = market.book
        case.bid_1e9, case.ask_1e9 = book.touch()
        case.reach_1e9 = book.reach_1e9(side, case.qty_1e8) if case.order_type == _MARKET else case.px_1e9
        case.is_latched = any(ledger.latches for ledger in exposure.ledgers) or any(
            ledger.latches for ledger in own.ledgers
        )
        more = case.more_1e8
        grown, own_grown = exposure.side_worst_1e8(side, more), own.side_worst_1e8(side, more)
        if amended is not None and amended.is_shrunk_by(case.px_1e9, case.qty_1e8):
            case.reduces = case.own_reduces = True
        else:
            is_side, least = side in (1, -1), max(more, 0)
            case.reduces = is_side and exposure.position_1e8 * side < 0 and grown - more + least <= 0
            case.own_reduces = is_side and own.position_1e8 * side < 0 and own_grown - more + least <= 0
        case.raise_1e8 = max(grown - exposure.worst_1e8, 0)
        case.own_raise_1e8 = max(own_grown - own.worst_1e8, 0)
        case.open_count = account.open_counts.get(algo, 0) + self.deployments[algo].unseen
        case.order_count = 0
        if bounds.canary is not None:
            case.order_count = self.orders_of.get(self.canary_key(algo), 0)
        case.repeat_latch = self.repeat_latched.get(algo) if self.repeat_latched else None
        case.mid_span = None
        if bounds.window_bps != UNSET:
            case.mid_span = self.ranges[index].span(case.bid_1e9 + case.ask_1e9, case.now_ns)
        case.equal_count = 0
        if case.max_equals != UNSET:
            case.equal_count = self.equals.count(self.equal_key(algo, case), case.now_ns)
        case.short_1e17 = 0
        if self.purses:
            self.fund(case, amended)

    def _states(self, algo: int, index: int | None) -> None:
        """The states of what the action lies in: without a market, of all and of its algo."""
        case = self._case
        case.state, case.state_scope, case.algo_state = _ACTIVE, "", _ACTIVE
        if self.states.is_quiet is not True:
            scopes = self.book.bounds(algo, index).state_scopes if index is not None else ("all",)
            case.state, case.state_scope = self.states.strictest(scopes)
            case.algo_state = self.states.get(f"algo:{self.deployments[algo].name}")
            case.bounds = self.book.bounds(algo, index if index is not None else self.deployments[algo].instruments[0])
        if self.is_stopping and case.state is _ACTIVE:
            case.state, case.state_scope = _REDUCING, "all"

    def _first(
        self, algo: int, side: int, px_1e9: int, qty_1e8: int, order_type: int, index: int | None = None
    ) -> Denied | None:
        """What comes before everything else that may be wrong with an order: halted, then not an order at all."""
        case = self._case
        self._states(algo, index)
        case.side, case.px_1e9, case.qty_1e8, case.order_type = side, px_1e9, qty_1e8, order_type
        return check_state(case) or check_well_formed(case)

    def _is_granted(self, algo: int, case: Case, denied: Denied) -> bool:
        """Whether a signed override names this very order, and lets it skip this check."""
        if not self.grants or denied.reason not in OVERRIDABLE or case.is_amend:
            return False
        if self._grant is None:
            asked = self.deployments[algo].name, case.market.name, case.side, case.qty_1e8
            px_1e9 = 0 if case.order_type == _MARKET else case.px_1e9
            self._skipped = []
            for grant in self.grants:
                named = grant.algo, grant.market, grant.side, grant.qty_1e8
                if named == asked and grant.px_1e9 == px_1e9 and case.now_ns < grant.expires_ns:
                    self._grant = grant
                    break
            else:
                return False
        self._skipped.append(denied.reason)
        return True

    # --- targets ---------------------------------------------------------------------------------------------------

    def target(self, algo: int, venue_id: int, pool_idx: int, symbol_idx: int) -> int | Denied:
        """The market that an action aims at."""
        deployment = self.deployments[algo]
        if symbol_idx >= deployment.count:
            return not_allowed(deployment.count - 1, symbol_idx, "symbol index")
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

    # --- what survives, and where it stands ----------------------------------------------------------------------

    def memory(self) -> Memory:
        """Everything that must survive a restart."""
        return remember(self)

    def restore(self, memory: Memory) -> None:
        """Gives a new gate what the one before it knew. Raises ValueError for what this session does not follow."""
        restore(self, memory)

    def standing(self) -> list[Standing]:
        """Every limit of a sum with what counts against it, as of the last input."""
        return list(standing_of(self, self.now_ns))

    # --- cancels ---------------------------------------------------------------------------------------------------

    def find(self, algo: int, order_id: int) -> LiveOrder | None:
        """The open order an algo calls `order_id`."""
        client_order_id = self.account.open_ids.get((algo, order_id))
        return self.account.live[client_order_id] if client_order_id is not None else None

    def check_cancel(self, algo: int, action_id: str, order_id: int, now_ns: int) -> Approved[CancelOrder] | Denied:
        """Cancels pass everything but rate, and draw from a budget of their own."""
        live = self.find(algo, order_id)
        self.judged = -1 if live is None else live.instrument
        if live is None:
            return self.refused(algo, unknown_order(order_id), now_ns)
        denied = check_rate(self.book.bounds(algo, live.instrument).cancels, now_ns)
        if denied is not None:
            return self.refused(algo, denied, now_ns)
        return self.must_cancel(live, action_id, now_ns)

    def must_cancel(self, live: LiveOrder, action_id: str, now_ns: int) -> Approved[CancelOrder]:
        """A cancel of ours (kill switch, loss latch, a disabled guest): never refused, not even for its rate."""
        for window in self.book.bounds(live.algo, live.instrument).cancels:
            window.note(now_ns)
        order = CancelOrder(live.client_order_id, live.algo, live.instrument, live.order_id, action_id)
        return self._issue(order, now_ns, 1)

    def must_cancel_all(self, venue: str, action_id: str, now_ns: int) -> Approved[CancelAll]:
        """One message for every open order at a venue; counts against no rate."""
        self.happened.append(AllCancelled(venue, self.approvals + 1, action_id))
        return self._issue(CancelAll(venue, action_id), now_ns, 1)

    def _issue(self, order: Any, now_ns: int, checks: int) -> Approved[Any]:
        """The one mint. Numbered, counted, told."""
        self.version += 1
        self.approvals = approval = self.approvals + 1
        approved = Approved(order, approval, now_ns, checks)
        self.on_approved(approved)
        return approved
