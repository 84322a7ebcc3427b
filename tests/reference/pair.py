"""Gate and reference in one world: each thing done to both, each answer compared, and what must never happen."""

from __future__ import annotations

import msgspec

from connectors.book import L2Book
from connectors.events import Balance, ExecReport, PositionReport
from connectors.orders import Action, Approved
from risk.checks import Link, Market
from risk.denial import Denied, DenyReason
from risk.gate import Deployment, Gate
from risk.limits import LimitTree
from risk.memory import Memory
from risk.override import Grant
from risk.standing import Standing
from risk.states import TradingState
from tests.reference.case import Refusal
from tests.reference.checks import data_problem
from tests.reference.compare import compare_memory, compare_standing
from tests.reference.gate import RANK, Reference
from tests.reference.markets import Levels, Place, Wire
from tests.reference.orders import Order
from tests.reference.worlds import T0, Layout, instrument_of, places_of, traders_of, wires

CHECK_COUNT = 31
COUNTED = {"equals": "duplicate_window_ns", "repeats": "repeat_window_ns", "refusals": "refusal_window_ns"}
SPARED = frozenset(
    {DenyReason.REDUCE_ONLY, DenyReason.MAX_ORDER_QTY, DenyReason.MAX_ORDER_NOTIONAL, DenyReason.CAPITAL_LIMIT,
     DenyReason.MAX_POSITION, DenyReason.DAILY_LOSS, DenyReason.DRAWDOWN, DenyReason.INSUFFICIENT_BALANCE,
     DenyReason.BELOW_MINIMUM}
)  # fmt: skip


Exposure = dict[tuple[str, str], tuple[int, int]]


def exposure(standing: list[Standing]) -> Exposure:
    """Scope and currency → limit and worst case, of every scope that limits positions, by the gate's own account."""
    return {(one.scope, one.currency): (one.limit, one.observed) for one in standing if one.key == "max_position_1e8"}


class Pair:
    """Both, and the books and links that the gate looks at. `verdicts`: how many answers were compared."""

    gate_class: type[Gate] = Gate

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.now = T0
        self.wires = wires(T0)
        self.places = places_of(layout, self.wires)
        self.traders = traders_of(layout)
        self.links = {wire.venue: Link() for wire in self.wires}
        for wire in self.wires:
            link = self.links[wire.venue]
            link.last_ns, link.is_reconciled = wire.last_ns, True
        self.books = [L2Book() for _ in self.places]
        self.markets = [
            Market(
                instrument_of(place), self.books[place.index], self.links[place.wire.venue], place.wire.venue_id,
                is_onchain=place.is_onchain, name=place.name, symbol=place.symbol,
            )
            for place in self.places
        ]  # fmt: skip
        self.tree = layout.tree
        self.reference = Reference(
            layout.tree, self.places, self.traders, is_paper=layout.paper, taker_ppm=layout.taker_ppm,
            balances=layout.balances,
        )  # fmt: skip
        self.approvals: list[int] = []
        self.gate = self.new_gate()
        self.gate.roll(self.now)
        self.reference.roll(self.now)
        self.causes: dict[str, TradingState] = {}
        self.is_armed = self.is_bound = False
        self.is_touched, self.version = True, -1
        self.memory, self.sums = self.gate.memory(), self.gate.standing()
        self.exposed = exposure(self.sums)
        self.verdicts = 0

    def new_gate(self) -> Gate:
        deployments = [
            Deployment(trader.venue_id, trader.own, trader.elsewhere, trader.pools, name=trader.name,
                       sha256=trader.sha256)
            for trader in self.traders
        ]  # fmt: skip
        layout = self.layout
        return self.gate_class(
            self.tree, self.markets, deployments, is_paper=layout.paper, taker_ppm=layout.taker_ppm,
            balances=layout.balances, on_approved=self.issued,
        )  # fmt: skip

    def issued(self, approved: Approved[object]) -> None:  # type: ignore[type-var]
        self.approvals.append(approved.checks)

    def roll(self) -> None:
        began = self.reference.roll(self.now)
        assert self.gate.roll(self.now) == began, "roll"
        self.is_touched |= began

    def live(self) -> list[Order]:
        return [order for order in self.reference.orders.values() if order.is_open]

    # --- before and after each step ------------------------------------------------------------------------------

    def begin(self) -> None:
        self.roll()
        self.is_armed = self.is_bound = self.is_touched = False

    def compare(self) -> None:
        """States, and nothing but `arm` made one more permissive; then everything that the gate remembers."""
        states = {scope: cause.state for scope, cause in self.gate.states.causes.items()}
        assert states == self.reference.states, f"states: gate {states}, reference {self.reference.states}"
        if not self.is_armed:
            for scope, before in self.causes.items():
                assert RANK[states.get(scope, TradingState.ACTIVE)] >= RANK[before], f"{scope} was {before}"
        self.causes = states
        if self.gate.version == self.version and not self.is_touched:
            return
        self.version = self.gate.version
        self.memory, self.sums = self.gate.memory(), self.gate.standing()
        compare_memory(self.reference, self.memory, self.now)
        compare_standing(self.reference, self.sums)
        if self.is_bound:
            self.within()
        self.exposed = exposure(self.sums)

    def judged(self, verdict: Denied | Approved[object] | None, want: Refusal | None) -> DenyReason | None:  # type: ignore[type-var]
        """The same answer: reason, and where the table determines them limit, observed, scope and key."""
        self.verdicts += 1
        got = verdict.reason if isinstance(verdict, Denied) else None
        if want is not None and got in want.instead:
            return got
        assert got == (want.reason if want else None), f"gate {verdict}, reference {want}"
        if isinstance(verdict, Denied) and want is not None and want.seen is not None:
            assert want.key in ("", verdict.key), f"key: gate {verdict}, reference {want}"
            assert want.seen.get(verdict.scope) == (verdict.limit, verdict.observed), (
                f"gate {verdict}, reference {want}"
            )
        if isinstance(verdict, Approved):
            self.is_touched = True
            assert self.approvals.pop() == verdict.checks
            assert not self.approvals
        return got

    # --- what algos ask ------------------------------------------------------------------------------------------

    def new(self, algo: int, name: str, action: Action) -> DenyReason | None:
        is_spared = self.is_spared(algo, action)
        uses = len(self.reference.used_grants)
        want = self.reference.check_new(algo, name, action, self.now)
        verdict = self.gate.check_new(algo, name, action, self.now)
        got = self.judged(verdict, want)
        if isinstance(verdict, Approved):
            assert verdict.checks == CHECK_COUNT, verdict
            self.is_bound = len(self.reference.used_grants) == uses
        assert not (is_spared and got in SPARED), f"{got} of an order that reduces"
        return got

    def is_spared(self, algo: int, action: Action) -> bool:
        """Whether it can do nothing but reduce, of the account and of its algo; by what the gate itself remembers."""
        trader, side, qty = self.traders[algo], action[3], action[2]
        place = self.reference.target(trader, action)
        if isinstance(place, Refusal) or side not in (1, -1) or qty <= 0:
            return False
        memory = self.memory
        mine = memory.algos.get(trader.name, {}).get(place.name)
        held = memory.markets.get(place.name)
        open_ = [one for one in memory.open_orders if one.market == place.name and one.new.side == side]
        account = qty + sum(one.leaves_1e8 for one in open_)
        own = qty + sum(one.leaves_1e8 for one in open_ if one.algo == trader.name)
        return (
            held is not None and mine is not None
            and side * held.position_1e8 + account <= 0 and side * mine.position_1e8 + own <= 0
        )  # fmt: skip

    def within(self) -> None:
        """After an approval every worst case is within its limit, or not above what it was."""
        for key, (limit, observed) in exposure(self.sums).items():
            before = self.exposed.get(key, (0, 0))[1]
            assert observed <= max(limit, before), f"worst case of {key}: {observed}, limit {limit}, before {before}"

    def is_older(self, name: str, before: tuple[tuple[int, str], ...], after: tuple[tuple[int, str], ...]) -> bool:
        """Whether nothing is missing but what is too old to count."""
        window = self.reference.rules.account(COUNTED[name]) if name in COUNTED else None
        return window is not None and all(self.now - one[0] >= window for one in set(before) - set(after))

    def judge(self, algo: int, action: Action) -> None:
        """A dry run counts nothing, whatever it says."""
        want = self.reference.check_new(algo, "dry", action, self.now, is_dry=True)
        before = self.gate.memory()
        self.judged(self.gate.judge(algo, action, self.now), want)
        after = self.gate.memory()
        for name in Memory.__struct_fields__:
            old, new = getattr(before, name), getattr(after, name)
            assert old == new or self.is_older(name, old, new), (
                f"a dry run changed something: {name} was {old}, is {new}"
            )

    def amend(self, algo: int, action_id: str, order_id: int, px: int, qty: int) -> DenyReason | None:
        want = self.reference.check_amend(algo, order_id, px, qty, self.now)
        verdict = self.gate.check_amend(algo, action_id, order_id, px, qty, self.now)
        if isinstance(verdict, Approved):
            assert verdict.checks == CHECK_COUNT, verdict
            self.is_bound = True
        return self.judged(verdict, want)

    def cancel(self, algo: int, action_id: str, order_id: int, *, is_ours: bool) -> DenyReason | None:
        want = self.reference.check_cancel(algo, order_id, self.now, is_ours=is_ours)
        live = self.gate.find(algo, order_id)
        if is_ours and live is not None:
            return self.judged(self.gate.must_cancel(live, action_id, self.now), want)
        return self.judged(self.gate.check_cancel(algo, action_id, order_id, self.now), want)

    def kind(self, algo: int, kind: int) -> DenyReason | None:
        want = self.reference.check_kind(algo, self.now)
        return self.judged(self.gate.check_kind(algo, kind, self.now), want)

    # --- what venues tell ----------------------------------------------------------------------------------------

    def fold(self, report: ExecReport) -> None:
        self.is_touched = True
        self.reference.fold(report, self.now)
        self.gate.fold(report, self.now)

    def heard(self, place: Place) -> None:
        if place.wire.is_up:
            place.wire.last_ns = self.links[place.wire.venue].last_ns = self.now

    def show(self, place: Place, bids: Levels, asks: Levels) -> None:
        """A whole book. Where it can be relied on it is a mark, as the engine makes one."""
        self.heard(place)
        place.bids, place.asks, place.is_trusted = bids, asks, True
        self.books[place.index].load(list(bids), list(asks), self.now)
        self.mark(place)

    def mark(self, place: Place) -> None:
        self.is_touched = True
        bid, ask = place.touch()
        if place.is_trusted and 0 < bid < ask:
            self.reference.mark(place.index, bid + ask, self.now)
            self.gate.mark(place.index, bid + ask, self.now)

    def spoil(self, place: Place, how: str) -> None:
        book = self.books[place.index]
        if how == "lost":
            book.invalidate("lost")
            place.bids, place.asks, place.is_trusted = [], [], False
        elif how == "distrusted":
            book.valid = place.is_trusted = False
        elif how == "crossed" and place.touch()[0] and place.touch()[1]:
            memoryview(book.buffer).cast("Q")[0] = place.asks[0][0]
            place.bids = [(place.asks[0][0], place.bids[0][1]), *place.bids[1:]]
        elif how in ("no bids", "no asks") and 0 < place.touch()[0] < place.touch()[1]:
            kept = ([], place.asks) if how == "no bids" else (place.bids, [])
            place.bids, place.asks, place.is_trusted = list(kept[0]), list(kept[1]), True
            book.load(list(kept[0]), list(kept[1]), self.now)

    def later(self, now: int, quiet: Wire | None) -> None:
        """Time passes; every link that is up keeps speaking but one."""
        self.now = now
        for wire in self.wires:
            if wire is not quiet and wire.is_up:
                wire.last_ns = self.links[wire.venue].last_ns = now
        self.roll()

    def link(self, wire: Wire, *, is_up: bool) -> None:
        """A link that goes down takes its books with it."""
        for place in self.places:
            if place.wire is wire and not is_up:
                self.spoil(place, "lost")
        wire.is_up = is_up
        wire.last_ns = self.now if is_up else -1
        self.links[wire.venue].last_ns = wire.last_ns

    def word(self, place: Place, word: str, *, of_venue: bool) -> None:
        if of_venue:
            place.wire.system = self.links[place.wire.venue].system = word
        else:
            place.status = word
            if place.is_known:
                self.markets[place.index].instrument = instrument_of(place)

    def metadata(self, place: Place, *, is_known: bool) -> None:
        place.is_known = is_known
        self.markets[place.index].instrument = instrument_of(place) if is_known else None

    # --- what people do ------------------------------------------------------------------------------------------

    def tighten(self, scope: str, state: TradingState) -> None:
        assert self.gate.tighten(scope, state, "test", "person", self.now) == self.reference.tighten(scope, state)

    def arm(self, scope: str) -> None:
        self.is_armed = self.is_touched = True
        self.gate.arm(scope, "person", self.now)
        self.reference.arm(scope)

    def apply(self, tree: LimitTree) -> None:
        self.is_touched = True
        self.tree = tree
        self.gate.apply(tree, "person")
        self.reference.apply(tree, self.now)

    def grant(self, grant: Grant) -> None:
        self.gate.grant(grant)
        self.reference.grant(grant)

    def promote(self, sha256: str) -> None:
        self.gate.promote(sha256, "person")
        self.reference.promote(sha256)

    def tell_position(self, place: Place, off: int) -> None:
        """The venue tells a position: ours, and something else besides."""
        self.is_touched = True
        told = self.reference.held[place.index].qty + off
        self.reference.told(place, told)
        self.gate.position(PositionReport(place.index, told), self.now)

    def reconcile(self, wire: Wire, *, is_equal: bool) -> None:
        wire.is_reconciled = self.links[wire.venue].is_reconciled = is_equal

    def balance(self, venue: str, currency: str, amount: int) -> None:
        self.is_touched = True
        self.gate.balance(Balance(venue, currency, amount))
        self.reference.balances.setdefault(venue, {})[currency] = amount * 10**9

    def restart(self) -> None:
        """The gate ends and begins again from what it remembers, as plain text; then books come again, if they do."""
        self.is_touched = True
        text = msgspec.json.encode(self.gate.memory())
        memory = msgspec.json.decode(text, type=Memory)
        assert memory.limits is not None
        self.tree = memory.limits
        self.gate = self.new_gate()
        self.gate.restore(memory)
        self.reference.restart()
        again = self.gate.memory()
        for name in Memory.__struct_fields__:
            old, new = getattr(memory, name), getattr(again, name)
            assert new == old or self.is_older(name, old, new), (
                f"a memory given back is not the same: {name} was {old}, is {new}"
            )
        self.roll()
        for place in self.places:
            if data_problem(self.reference, place, place.labels, self.now) is None:
                self.mark(place)
            else:
                self.spoil(place, "lost")
