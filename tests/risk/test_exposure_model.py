"""The gate's account against a second one, written from the rules in fractions: any sequence of events, one answer.

The model knows nothing of our code: an order is a dict, money is an exact Fraction, the worst case is recomputed from
all orders each time. After every step both must agree on position, worst case, PnL, session PnL and the latch.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from connectors.events import ExecReport, ExecType
from connectors.orders import Approved, OrderType
from risk.denial import Denied, DenyReason
from tests.risk.world import DAY, SECOND, World, limits, px, qty, usd

LIMIT = 40  # position, in whole units
LOSS = 30  # a day, in whole dollars
PRICE = {1: px(99), -1: px(101)}  # ours do not meet
STEPS = 220


class Model:
    """One instrument, one account. Quantities and prices in whole units."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.lots: list[tuple[Fraction, Fraction]] = []  # signed quantity and its average price, at most one
        self.realized = Fraction(0)
        self.mid = Fraction(100)
        self.day_start = Fraction(0)
        self.latched = False
        self.seen: set[tuple[str, str]] = set()

    @property
    def position(self) -> Fraction:
        return sum((size for size, _ in self.lots), Fraction(0))

    def open(self, side: int) -> int:
        """What may still trade on a side, at worst: of each live order its largest possible total less its fills."""
        return sum(
            max(order["most"] - order["filled"], 0)
            for order in self.orders.values()
            if order["live"] and order["side"] == side
        )

    def worst(self, side: int, more: int = 0) -> Fraction:
        return side * self.position + self.open(side) + more

    def only_reduces(self, side: int, more: int) -> bool:
        return side * self.position < 0 and self.worst(side, more) <= 0

    def trade(self, side: int, size: int, price: Fraction, fee: Fraction) -> None:
        self.realized -= fee
        held, entry = self.lots[0] if self.lots else (Fraction(0), Fraction(0))
        signed = Fraction(side * size)
        after = held + signed
        if held * signed >= 0:
            entry = (abs(held) * entry + size * price) / abs(after)
        else:
            closed = min(abs(held), Fraction(size))
            self.realized += closed * (price - entry) * (1 if held > 0 else -1)
            if after * held < 0:
                entry = price
        self.lots = [(after, entry)] if after else []

    def total(self) -> Fraction:
        return self.realized + sum((size * (self.mid - entry) for size, entry in self.lots), Fraction(0))

    def session(self) -> Fraction:
        return self.total() - self.day_start

    def judge(self) -> None:
        if self.session() < -LOSS:
            self.latched = True


class Run:
    """Does the same to both and compares."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(limits(max_position_1e8=qty(LIMIT), max_daily_loss_1e9=usd(LOSS), price_collar_bps=2_000))
        self.model = Model()
        self.names: dict[str, tuple[int, int]] = {}  # client order id → (order id, side)
        self.executed: list[ExecReport] = []
        self.exec_id = 0
        self.reasons: set[str] = set()

    def step(self) -> None:
        action = self.rng.choice(
            ["new", "new", "new", "fill", "fill", "fill", "amend", "answer", "end", "cancel", "mark", "late", "again",
             "noise", "day", "arm"]
        )  # fmt: skip
        getattr(self, action)()
        self.compare()

    def pick(self, *, live: bool = True) -> str | None:
        names = [name for name, order in self.model.orders.items() if order["live"] is live]
        return self.rng.choice(names) if names else None

    def fold(self, name: str, kind: ExecType, **fields: int | str) -> None:
        self.world.gate.fold(ExecReport(client_order_id=name, exec_type=kind, instrument=0, **fields), self.world.now)  # type: ignore[arg-type]

    # --- what may happen -------------------------------------------------------------------------------------------

    def new(self) -> None:
        side, size = self.rng.choice([1, -1]), self.rng.randint(1, 25)
        order_type = OrderType.IOC if self.rng.random() < 0.5 else OrderType.LIMIT
        verdict = self.world.ask(side=side, qty_1e8=qty(size), order_type=int(order_type), px_1e9=PRICE[side])
        self.expect(verdict, side, size)
        if isinstance(verdict, Approved):
            order = verdict.order
            self.names[order.client_order_id] = (order.order_id, side)
            self.model.orders[order.client_order_id] = {
                "side": side, "total": size, "most": size, "asked": [], "refused": 0, "filled": 0, "live": True
            }  # fmt: skip

    def expect(self, verdict: object, side: int, more: int, *, shrinks: bool = False) -> None:
        """What the rules say about `more` on a side, or about an amend that only makes an order smaller."""
        want = None
        if not shrinks and not self.model.only_reduces(side, max(more, 0)):
            if (
                more > 0 and max(self.model.worst(side, more), self.model.worst(-side)) > LIMIT
            ):  # late fills may be, too
                want = DenyReason.MAX_POSITION
            elif self.model.latched:
                want = DenyReason.DAILY_LOSS
        if isinstance(verdict, Denied):
            self.reasons.add(verdict.reason)
        assert (verdict.reason if isinstance(verdict, Denied) else None) is want

    def amend(self) -> None:
        name = self.pick()
        if name is None:
            return
        order = self.model.orders[name]
        total = self.rng.randint(1, 30)
        more = total - order["filled"] - max(order["most"] - order["filled"], 0)
        price = PRICE[order["side"]]
        verdict = self.world.gate.check_amend(0, "a", self.names[name][0], price, qty(total), self.world.now)
        self.expect(verdict, order["side"], more, shrinks=total < order["total"] and not order["asked"])
        if isinstance(verdict, Approved):
            order["asked"].append(total)
            order["most"] = max(order["most"], total)

    def answer(self) -> None:
        """The venue answers amends in any order; now and then it makes a total of its own, which answers none."""
        waiting = [name for name, order in self.model.orders.items() if order["live"] and order["asked"]]
        if not waiting:
            return
        name = self.rng.choice(waiting)
        order = self.model.orders[name]
        total = (
            self.rng.choice(order["asked"]) if self.is_obedient or self.rng.random() < 0.9 else self.rng.randint(1, 30)
        )
        if total > order["filled"] and self.rng.random() < 0.7:
            order["total"] = total
            if total in order["asked"]:
                order["asked"].remove(total)
            price = self.rng.choice((PRICE[order["side"]], 0))
            self.fold(name, ExecType.REPLACED, px_1e9=price, qty_1e8=qty(total))
        else:
            order["refused"] += 1  # which one is not said
            self.fold(name, ExecType.REPLACE_REJECTED)
        if order["refused"] >= len(order["asked"]):
            order["asked"], order["refused"] = [], 0
            order["live"] = order["filled"] < order["total"]
        order["most"] = max(order["most"], order["total"]) if order["asked"] else order["total"]

    def fill(self) -> None:
        name = self.pick()
        if name is None:
            return
        order = self.model.orders[name]
        room = order["total"] - order["filled"]
        if room > 0:
            self.execute(name, self.rng.randint(1, room))

    def late(self) -> None:
        """A fill after the cancel's ack: it happened, so it counts."""
        name = self.pick(live=False)
        if name is not None and self.rng.random() < 0.3:
            self.execute(name, self.rng.randint(1, 3))

    def execute(self, name: str, size: int) -> None:
        order = self.model.orders[name]
        price = Fraction(self.rng.randint(980, 1020), 10)
        fee = Fraction(self.rng.randint(0, 50), 100)
        self.exec_id += 1
        self.model.seen.add((name, str(self.exec_id)))
        order["filled"] += size
        leaves = max(order["total"] - order["filled"], 0) if order["live"] else 0
        report = ExecReport(
            client_order_id=name, exec_type=ExecType.TRADE, instrument=0, exec_id=str(self.exec_id),
            last_qty_1e8=qty(size), last_px_1e9=int(price * 10**9), fee_1e9=int(fee * 10**9),
            cum_qty_1e8=qty(order["filled"]), leaves_qty_1e8=qty(leaves),
        )  # fmt: skip
        self.executed.append(report)
        self.model.trade(order["side"], size, price, fee)
        if leaves == 0:
            order["live"] = False
        self.world.gate.fold(report, self.world.now)
        self.model.judge()

    def again(self) -> None:
        """The same execution told twice."""
        if self.executed:
            self.world.gate.fold(self.rng.choice(self.executed), self.world.now)

    def end(self) -> None:
        name = self.pick()
        if name is not None:
            self.model.orders[name]["live"] = False
            self.fold(name, self.rng.choice([ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED]))

    def cancel(self) -> None:
        """Asked for is not done: nothing changes."""
        name = self.pick()
        if name is not None:
            assert isinstance(self.world.gate.check_cancel(0, "c", self.names[name][0], self.world.now), Approved)

    def noise(self) -> None:
        """Reports that change nothing, and reports about nobody's order."""
        kind = self.rng.choice([ExecType.NEW, ExecType.UNKNOWN, ExecType.CANCEL_REJECTED])
        name = self.pick()
        if name is not None:
            self.fold(name, kind)
        self.fold("nobody's", self.rng.choice(list(ExecType)), exec_id="x", last_qty_1e8=qty(5), last_px_1e9=px(100))
        done = self.pick(live=False)
        if done is not None:
            self.fold(done, ExecType.CANCELED)

    def mark(self) -> None:
        self.model.mid = Fraction(self.rng.randint(1980, 2020), 20)
        self.world.gate.mark(0, int(self.model.mid * 2 * 10**9), self.world.now)
        if self.model.position:
            self.model.judge()

    def day(self) -> None:
        if self.rng.random() < 0.7:
            self.world.later(self.rng.randint(1, 3) * SECOND)
        else:
            self.world.later(self.rng.choice([DAY, DAY // 2, 2 * DAY]))
        before = (self.world.now // DAY) * DAY
        if self.world.gate.roll(self.world.now):
            assert before > self.started_day
            self.started_day = before
            self.model.day_start = self.model.total()
        assert before == self.started_day

    is_obedient = False  # no total of the venue's own making
    started_day = (20_000 * DAY // DAY) * DAY

    def arm(self) -> None:
        if self.rng.random() < 0.3:
            self.world.arm()
            if self.model.latched:
                self.model.day_start = self.model.total()
            self.model.latched = False

    # --- must agree ------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        exposure = self.world.gate.account.exposures[0]
        model = self.model
        assert exposure.position_1e8 == qty(1) * model.position
        assert exposure.open_buy_1e8 == qty(model.open(1))
        assert exposure.open_sell_1e8 == qty(model.open(-1))
        assert {name for name, order in model.orders.items() if order["live"]} == set(self.world.gate.account.live)
        assert self.world.gate.account.open_counts.get(0, 0) == len(self.world.gate.account.live)
        tolerance = 2 * self.exec_id + 2  # each partial close leaves less than one 1e-17 in the cost
        assert abs(exposure.pnl_1e17() - model.total() * 10**17) <= tolerance
        ledger = self.world.gate.book.ledgers["account", "USD"]
        assert abs(ledger.total_1e17 - ledger.start_1e17 - model.session() * 10**17) <= 2 * tolerance
        if abs(model.session() + LOSS) * 10**17 > 2 * tolerance:
            assert bool(self.world.gate.latched) is model.latched


@pytest.mark.parametrize("seed", range(40))
def test_the_gate_and_the_model_agree_after_every_event(seed: int) -> None:
    run = Run(seed)
    for _ in range(STEPS):
        run.step()


def test_the_runs_meet_both_limits() -> None:
    """Else the agreement above would say little."""
    met: set[str] = set()
    for seed in range(6):
        run = Run(seed)
        for _ in range(STEPS):
            run.step()
        met |= run.reasons
    assert met == {DenyReason.MAX_POSITION, DenyReason.DAILY_LOSS}


@pytest.mark.parametrize("seed", range(15))
def test_whatever_fills_the_position_stays_within_its_limit(seed: int) -> None:
    """Every order asks the gate; the venue fills, grows and ends them as it likes; no late fills, nothing unasked."""
    run = Run(1_000 + seed)
    run.is_obedient = True
    for _ in range(STEPS):
        getattr(
            run, run.rng.choice(["new", "new", "new", "fill", "fill", "amend", "answer", "end", "again", "noise"])
        )()
        run.compare()
        for side in (1, -1):
            assert run.world.gate.account.exposures[0].side_worst_1e8(side, 0) <= qty(LIMIT)
