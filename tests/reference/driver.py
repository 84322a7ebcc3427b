"""One sequence: a random world, random actions, the gate and the reference side by side after every step."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec

from connectors.events import ExecReport, ExecType
from connectors.orders import OrderType
from risk.denial import DenyReason
from risk.override import Grant
from risk.states import TradingState
from tests.reference.markets import Place, Trader
from tests.reference.orders import Order
from tests.reference.pair import Pair
from tests.reference.worlds import CHAIN, DAY, PX, QTY, SECOND, TICK, random_layout, random_tree

STEPS: tuple[tuple[str, int], ...] = (
    ("new", 40), ("amend", 7), ("cancel", 5), ("fill", 20), ("end", 4), ("answer", 6), ("odd", 4), ("book", 10),
    ("time", 8), ("link", 2), ("word", 2), ("switch", 2), ("arm", 2), ("limits", 1), ("grant", 2), ("drift", 1),
    ("reconcile", 1), ("kind", 1), ("restart", 2), ("metadata", 1), ("balance", 1),
)  # fmt: skip
GAPS = (0, 0, 1, SECOND // 2, SECOND - 1, SECOND, SECOND, SECOND + 1, 2 * SECOND, 5 * SECOND, 10 * SECOND)


class Run:
    """One sequence. `met`: how often each reason was given; `count`: how many actions were compared."""

    names: tuple[str, ...] = tuple(name for name, _ in STEPS)
    weights: tuple[int, ...] = tuple(weight for _, weight in STEPS)

    def __init__(self, seed: int, steps: int, pair_class: type[Pair] = Pair) -> None:
        self.rng = Random(seed)
        self.seed, self.length = seed, steps
        self.pair = pair_class(random_layout(self.rng))
        self.met: Counter[DenyReason] = Counter()
        self.count = 0
        self.serial = 0
        self.reports: list[ExecReport] = []
        self.trail: list[str] = []

    def play(self) -> None:
        """Every step, compared. Raises AssertionError with the whole trail."""
        try:
            for place in self.pair.places:
                self.show(place)
            for _ in range(self.length):
                name = self.rng.choices(self.names, self.weights)[0]
                self.trail.append(name)
                self.pair.begin()
                getattr(self, name)()
                self.pair.compare()
                self.count += 1
        except Exception as error:
            trail = "\n".join(self.trail[-14:])
            raise AssertionError(f"seed {self.seed}, step {self.count} of {self.length}: {error}\n{trail}") from error

    def say(self, text: object) -> None:
        self.trail[-1] += f" {text}"

    # --- what algos ask ------------------------------------------------------------------------------------------

    def aim(self, trader: Trader) -> tuple[int, int, int]:
        """Venue id, pool and symbol index: nearly always somewhere that is there."""
        rng = self.rng
        aims = [(0, 0, symbol) for symbol in range(len(trader.own))] * 3
        aims += [(venue_id, 0, symbol) for venue_id, symbol in trader.elsewhere]
        aims += [(rng.choice((0, CHAIN)), slot + 1, symbol) for symbol, slot in trader.pools]
        if rng.random() < 0.03:
            return rng.choice(((9, 0, 0), (0, 9, 0), (0, 0, 9), (1, 1, 0), (9, 9, 0), (9, 1, 9), (CHAIN, 0, 1)))
        return rng.choice(aims)

    def price(self, place: Place) -> int:
        bid, ask = place.touch()
        around = (bid or ask or 100 * PX) + self.rng.choice((-4, -2, -1, 0, 0, 1, 1, 2, 3, 6)) * TICK
        return around + (self.rng.random() < 0.01)

    def new(self) -> None:
        rng, pair = self.rng, self.pair
        algo = rng.randrange(len(pair.traders))
        trader = pair.traders[algo]
        venue_id, pool, symbol = self.aim(trader)
        found = pair.reference.target(trader, (0, 0, 0, 1, 0, 0, venue_id, pool, symbol, 0))
        place = found if isinstance(found, Place) else pair.places[0]
        held = pair.reference.held[place.index].qty
        side = rng.choice((1, -1)) if not held or rng.random() < 0.6 else (-1 if held > 0 else 1)
        qty = rng.choice((1, 1, 1, 2, 2, 3, 5)) * QTY
        kind = rng.choice((0, 0, 0, 0, 1, 2, 3, 4))
        price = 0 if kind == OrderType.MARKET else self.price(place)
        self.serial += 1
        order_id = self.serial
        if rng.random() < 0.04:
            side, price, qty, kind = rng.choice(
                ((0, price, qty, kind), (side, 0, qty, kind), (side, price, 0, kind), (side, price, qty, 5),
                 (side, price, qty + 1, kind), (2, price, -QTY, 255), (side, price, 2**62 + 1, kind))
            )  # fmt: skip
        if rng.random() < 0.02 and pair.live():
            order_id = rng.choice(pair.live()).order_id
        if rng.random() < 0.05:
            self.grant_for(trader, place, side, price, qty)
        action = (order_id, price, qty, side, 0, kind, venue_id, pool, symbol, 0)
        if rng.random() < 0.1:
            self.say(f"judge {algo} {action}")
            pair.judge(algo, action)
        self.say(f"algo={algo} {action}")
        self.note(pair.new(algo, f"c{self.serial}", action))

    def note(self, reason: DenyReason | None) -> None:
        self.say(f"→ {reason}")
        if reason is not None:
            self.met[reason] += 1

    def pick(self, *, is_live: bool = True) -> Order | None:
        orders = [order for order in self.pair.reference.orders.values() if order.is_open is is_live]
        return self.rng.choice(orders) if orders else None

    def amend(self) -> None:
        rng, order = self.rng, self.pick()
        if order is None and rng.random() < 0.9:
            self.new()
            return
        algo, order_id, px, qty = 0, 10**9, 100 * PX, QTY
        if order is not None and rng.random() < 0.97:
            algo, order_id = order.algo, order.order_id
            px = order.px if rng.random() < 0.5 else self.price(self.pair.places[order.market])
            qty = max(order.total + rng.choice((-2, -1, -1, 0, 1, 2, 4)) * QTY, QTY)
        if rng.random() < 0.03:
            px, qty = rng.choice(((0, qty), (px, 0), (px, qty + 1), (px + 1, qty)))
        self.say(f"algo={algo} id={order_id} px={px} qty={qty}")
        self.note(self.pair.amend(algo, f"a{self.count}", order_id, px, qty))

    def cancel(self) -> None:
        order = self.pick()
        if order is None and self.rng.random() < 0.9:
            self.new()
            return
        known = order is not None and self.rng.random() < 0.95
        algo, order_id = (order.algo, order.order_id) if order is not None and known else (0, 10**9)
        is_ours = known and self.rng.random() < 0.2
        self.say(f"algo={algo} id={order_id} ours={is_ours}")
        self.note(self.pair.cancel(algo, f"x{self.count}", order_id, is_ours=is_ours))

    def kind(self) -> None:
        algo = self.rng.randrange(len(self.pair.traders))
        self.note(self.pair.kind(algo, self.rng.choice((7, 200))))

    # --- what venues tell ----------------------------------------------------------------------------------------

    def tell(self, report: ExecReport) -> None:
        self.say(
            f"{report.client_order_id} {report.exec_type} {report.last_qty_1e8}@{report.last_px_1e9} "
            f"cum={report.cum_qty_1e8} leaves={report.leaves_qty_1e8} px={report.px_1e9} qty={report.qty_1e8}"
        )
        self.reports.append(report)
        self.pair.fold(report)

    def execution(self, order: Order, size: int, cum: int, leaves: int) -> ExecReport:
        self.serial += 1
        place = self.pair.places[order.market]
        near = (sum(place.touch()) // 2 or 100 * PX) // TICK * TICK
        last_px = order.px if order.px and self.rng.random() < 0.5 else near + self.rng.choice((-2, -1, 0, 1, 2)) * TICK
        fee = self.rng.choice((0, 0, 1, PX // 4, PX))
        return ExecReport(
            client_order_id=order.name, exec_type=ExecType.TRADE, instrument=order.market, exec_id=f"e{self.serial}",
            last_qty_1e8=size, last_px_1e9=last_px, cum_qty_1e8=cum, leaves_qty_1e8=leaves, fee_1e9=fee,
        )  # fmt: skip

    def fill(self) -> None:
        order = self.pick()
        if order is None:
            self.new()
            return
        room = max(order.total - order.filled, 0)
        if room:
            size = room if self.rng.random() < 0.6 else self.rng.randint(1, room // QTY or 1) * QTY
            self.tell(self.execution(order, min(size, room), order.filled + min(size, room), max(room - size, 0)))

    def end(self) -> None:
        order = self.pick()
        if order is None:
            self.new()
        else:
            kind = self.rng.choice((ExecType.CANCELED, ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED))
            # some say that more was filled than they told us yet
            cum = min(order.filled + self.rng.choice((0, 0, 0, 1, 2)) * QTY, order.total)
            self.tell(ExecReport(client_order_id=order.name, exec_type=kind, instrument=order.market, cum_qty_1e8=cum))

    def answer(self) -> None:
        """An amend is answered, perhaps not the first that was asked, perhaps with something of the venue's own."""
        rng = self.rng
        waiting = [order for order in self.pair.live() if order.waiting]
        order = rng.choice(waiting) if waiting else self.pick()
        if order is None or (not waiting and rng.random() < 0.8):
            self.amend()
            return
        if rng.random() < 0.35:
            self.tell(
                ExecReport(client_order_id=order.name, exec_type=ExecType.REPLACE_REJECTED, instrument=order.market)
            )
            return
        px, total = rng.choice(order.batch) if order.batch else (order.px, order.total + rng.choice((0, 1)) * QTY)
        total = max(total, order.filled + QTY)
        total = 0 if rng.random() < 0.03 else total
        self.tell(
            ExecReport(
                client_order_id=order.name, exec_type=ExecType.REPLACED, instrument=order.market, px_1e9=px,
                qty_1e8=total, cum_qty_1e8=order.filled, leaves_qty_1e8=max(total - order.filled, 0),
            )
        )  # fmt: skip

    def odd(self) -> None:
        """Reports that come twice, late, early, out of order, about nobody's order, or change nothing."""
        rng, choice = self.rng, self.rng.randrange(6)
        gone, order = self.pick(is_live=False), self.pick()
        if choice == 0 and self.reports:
            self.tell(rng.choice([report for report in self.reports if report.exec_id] or self.reports[-1:]))
        elif choice == 1 and gone is not None:
            self.tell(self.execution(gone, QTY, gone.filled + QTY, 0))
        elif choice == 2 and gone is not None:
            self.tell(ExecReport(client_order_id=gone.name, exec_type=ExecType.CANCELED, instrument=gone.market))
        elif choice == 3:
            kind = rng.choice(list(ExecType))
            self.tell(ExecReport(client_order_id="nobody", exec_type=kind, instrument=0, exec_id="x", last_qty_1e8=QTY,
                                 last_px_1e9=PX))  # fmt: skip
        elif choice == 4 and order is not None and order.total - order.filled >= 2 * QTY:
            # the last part is told before the first
            self.tell(self.execution(order, QTY, order.total, 0))
        elif order is not None:
            kind = rng.choice((ExecType.NEW, ExecType.UNKNOWN, ExecType.CANCEL_REJECTED))
            self.tell(ExecReport(client_order_id=order.name, exec_type=kind, instrument=order.market))

    # --- what the market does ------------------------------------------------------------------------------------

    def show(self, place: Place) -> None:
        """A new book, which is a mark where it can be relied on."""
        rng = self.rng
        last = place.mid2 // 2 if place.mid2 else 100 * PX
        bid = max(last // TICK + rng.choice((-3, -1, -1, 0, 0, 0, 1, 2)), 40) * TICK
        ask = bid + rng.choice((1, 2, 2)) * TICK
        sizes = [rng.choice((1, 2, 3, 5)) * QTY for _ in range(6)]
        bids = [(bid - level * TICK * 2, sizes[level]) for level in range(3)]
        asks = [(ask + level * TICK * 2, sizes[3 + level]) for level in range(3)]
        self.pair.show(place, bids, asks)

    def book(self) -> None:
        place = self.rng.choice(self.pair.places)
        spoiled = self.rng.random()
        if spoiled < 0.85:
            self.show(place)
        else:
            self.pair.spoil(place, self.rng.choice(("lost", "no bids", "no asks", "crossed", "distrusted")))
        self.say(f"{place.name} {place.bids[:1]} {place.asks[:1]} {place.is_trusted}")

    def time(self) -> None:
        now, rng = self.pair.now, self.rng
        midnight = (now // DAY + 1) * DAY
        to = now + rng.choice(GAPS) if rng.random() < 0.93 else rng.choice((midnight - 1, midnight, midnight + SECOND))
        self.say(to - now)
        self.pair.later(max(to, now), quiet=rng.choice(self.pair.wires) if rng.random() < 0.15 else None)

    def link(self) -> None:
        wire = self.rng.choice(self.pair.wires)
        self.pair.link(wire, is_up=not wire.is_up or self.rng.random() < 0.5)
        self.say(f"{wire.venue} {wire.is_up}")

    def word(self) -> None:
        words = ("online", "online", "post_only", "limit_only", "reduce_only", "cancel_only", "maintenance", "?")
        place, word = self.rng.choice(self.pair.places), self.rng.choice(words)
        self.say(f"{place.name} {word}")
        self.pair.word(place, word, of_venue=self.rng.random() < 0.5)

    def metadata(self) -> None:
        place = self.rng.choice(self.pair.places)
        self.pair.metadata(place, is_known=not place.is_known)
        self.say(f"{place.name} {place.is_known}")

    # --- what people do ------------------------------------------------------------------------------------------

    def scope(self) -> str:
        places, traders = self.pair.places, self.pair.traders
        choices = ["all", *(trader.label for trader in traders), *self.rng.choice(places).labels[1:]]
        return self.rng.choice(choices)

    def switch(self) -> None:
        state = self.rng.choice(
            (TradingState.REDUCING, TradingState.REDUCING, TradingState.HALTED, TradingState.ACTIVE)
        )
        scope = self.scope()
        self.say(f"{scope} {state}")
        self.pair.tighten(scope, state)

    def arm(self) -> None:
        scope = "all" if self.rng.random() < 0.5 else self.scope()
        self.say(scope)
        self.pair.arm(scope)

    def limits(self) -> None:
        if self.pair.reference.is_blurred:
            return
        tree = random_tree(self.rng, self.pair.layout.second, self.rng.randint(1, 4))
        tree = msgspec.structs.replace(tree, promoted=self.pair.gate.tree.promoted)
        self.say(tree)
        self.pair.apply(tree)

    def grant_for(self, trader: Trader, place: Place, side: int, px: int, qty: int) -> None:
        self.serial += 1
        expires = self.pair.now + self.rng.choice((0, 1, SECOND, DAY))
        self.pair.grant(Grant(f"g{self.serial}", trader.name, place.name, side, qty, px, expires, "person"))

    def grant(self) -> None:
        sha = self.rng.choice(self.pair.traders).sha256
        self.say(f"promote {sha[:2]}")
        self.pair.promote(sha)

    def drift(self) -> None:
        place = self.rng.choice(self.pair.places)
        off = self.rng.choice((0, 1, -1, 2, -2)) * QTY
        self.say(f"{place.name} {off}")
        self.pair.tell_position(place, off)

    def reconcile(self) -> None:
        wire = self.rng.choice(self.pair.wires)
        self.pair.reconcile(wire, is_equal=not wire.is_reconciled)
        self.say(f"{wire.venue} {wire.is_reconciled}")

    def balance(self) -> None:
        venue, currency = self.rng.choice(("alpha", "beta")), self.rng.choice(("BTC", "USD"))
        amount = self.rng.choice((0, 1, 3, 300, 500)) * QTY
        self.say(f"{venue} {currency} {amount}")
        self.pair.balance(venue, currency, amount)

    def restart(self) -> None:
        self.pair.restart()
