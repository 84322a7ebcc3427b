"""What the gate costs: all checks on one order, as a ratio to ten plain integer comparisons of the same run.

    uv run python -m tests.bench.gate [--rounds N]

Floor: a Python function that compares ten pairs of integers. Two gates: with the plain paper limits, and with every
control and every kind of scope set (account, venue, symbol, market, algo, canary, balances; a position and an open
order at another market, an open order on the same side). `judge` runs every check and counts nothing; `check_new`
mints as well. Each figure is the best of several rounds, taken in turns, so that a busy machine slows all alike.

Then what is left in memory after judging, refusing and approving many orders: traced bytes, allocated blocks, objects
that the collector follows.
"""

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Final

from connectors.book import L2Book
from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import Action, Approved, NewOrder
from risk.bounds import Deployment
from risk.checks import CHECKS
from risk.denial import Denied
from risk.gate import Gate
from risk.limits import Limits, LimitTree, Scope
from risk.market import Link, Market
from runtime.config import paper_limits

SECOND: Final = 10**9
T0: Final = 1_785_000_000 * SECOND
USD, ONE = 10**9, 10**8
NAMES: Final = ("kraken:BTC/USD", "kraken:ETH/USD", "other:BTC/USD")
CALLS: Final = 50  # a round: shorter than the time slices of a busy machine
GOAL: Final = 25.0
Run = Callable[[], float]


def every_control() -> LimitTree:
    """Nothing unset, in every kind of scope; nothing that the order of this bench would pass."""
    wide = {
        "max_position_1e8": 10**4 * ONE, "max_order_notional_1e9": 10**7 * USD, "max_order_rate": 2_000,
        "price_collar_bps": 500, "max_daily_loss_1e9": 10**6 * USD, "max_book_age_ns": 5 * SECOND,
        "max_order_qty_1e8": 10**3 * ONE, "max_capital_1e9": 10**9 * USD, "max_drawdown_1e9": 10**6 * USD,
        "max_cancel_rate": 2_000, "collar_window_bps": 1_000, "order_types": 31,
    }  # fmt: skip
    account = Limits(
        **wide, max_open_orders=10**6, max_duplicates=10**6, max_repeats=1_000, max_refusals=10**6,
        max_feed_loss_ns=60 * SECOND,
    )  # fmt: skip
    scopes = [Scope("venue", "kraken", wide, ("BTC/USD", "ETH/USD")), Scope("instrument", "BTC/USD", wide)]
    scopes += [Scope("instrument", "kraken:BTC/USD", wide), Scope("algo", "mm", wide, NAMES)]
    canary = {"max_position_1e8": 10**4 * ONE, "max_order_notional_1e9": 10**7 * USD, "max_orders": 10**9}
    return LimitTree(account, (*scopes, Scope("canary", "", canary)), NAMES)


class Bench:
    """One gate with live books, and an order that every check of it passes. `is_full`: every control is set."""

    def __init__(self, tree: LimitTree, *, is_full: bool) -> None:
        self.now_ns = T0
        self.link = Link()
        self.link.last_ns = T0
        self.book = self._book()
        markets = [
            Market(self._instrument(name), self.book if place == 0 else self._book(), self.link, 1 + (place == 2),
                   name=name)
            for place, name in enumerate(NAMES)
        ]  # fmt: skip
        deployment = Deployment(1, (0, 1), {(2, 0): 2}, name="mm", sha256="0" * 64)
        amounts = {"USD": 10**9 * ONE, "BTC": 10**4 * ONE, "ETH": 10**6 * ONE}
        balances = {"kraken": amounts, "other": amounts} if is_full else {}
        self.gate = Gate(tree, markets, [deployment], taker_ppm=4_000, balances=balances)
        self.gate.roll(T0)
        for market in range(len(markets)):
            self.gate.mark(market, 126_000 * USD, T0)
        self.sent = 0
        self.action: Action = (9_000_001, 62_999 * USD, ONE // 100, 1, 0, 0, 0, 0, 0, 0)
        self.far: Action = (9_000_002, 90_000 * USD, ONE // 100, 1, 0, 0, 0, 0, 0, 0)
        if is_full:
            self._live()
        assert self.gate.judge(0, self.action, T0) is None
        assert isinstance(self.gate.judge(0, self.far, T0), Denied)

    @staticmethod
    def _instrument(name: str) -> Instrument:
        venue, _, symbol = name.partition(":")
        return Instrument.parse(venue, f"{symbol}:1:8:0.0001:0.5")

    @staticmethod
    def _book() -> L2Book:
        book = L2Book(depth=25)
        bids = [((62_999 - place) * USD, ONE) for place in range(25)]
        book.load(bids, [((63_001 + place) * USD, ONE) for place in range(25)], T0)
        return book

    def _live(self) -> None:
        """A position at the second market, an open order there and one at the first."""
        for symbol, side in ((1, 1), (1, -1), (0, 1)):
            order = (1 + self.sent, (63_000 - side * 10) * USD, ONE // 10, side, 0, 0, 0, 0, symbol, 0)
            verdict = self.approve(order)
            if self.sent == 1:
                name = verdict.order.client_order_id
                self.report(name, ExecType.TRADE, exec_id="e1", qty=ONE // 10, px=62_990 * USD)

    # --- what is measured ------------------------------------------------------------------------------------------

    def approve(self, action: Action) -> Approved[NewOrder]:
        self.sent += 1
        verdict = self.gate.check_new(0, f"b-{self.sent}", action, self.now_ns)
        assert isinstance(verdict, Approved), verdict
        return verdict

    def report(self, name: str, kind: ExecType, *, exec_id: str = "", qty: int = 0, px: int = 0) -> None:
        report = ExecReport(
            client_order_id=name, exec_type=kind, instrument=0, exec_id=exec_id, last_qty_1e8=qty, last_px_1e9=px,
            cum_qty_1e8=qty,
        )  # fmt: skip
        self.gate.fold(report, self.now_ns)

    def judged(self) -> float:
        judge, action, now_ns = self.gate.judge, self.action, self.now_ns
        begin = time.perf_counter()
        for _ in range(CALLS):
            judge(0, action, now_ns)
        return (time.perf_counter() - begin) / CALLS

    def refused(self) -> float:
        check, action, now_ns = self.gate.check_new, self.far, self.now_ns
        begin = time.perf_counter()
        for _ in range(CALLS):
            check(0, "denied", action, now_ns)
        return (time.perf_counter() - begin) / CALLS

    def approved(self) -> float:
        """Orders of ids of their own, ended outside the timed part; time passes, so that no rate is reached."""
        self.now_ns += 2 * SECOND
        self.link.last_ns = self.now_ns
        first = 10_000_000 + self.sent
        _, px, qty, side, kind, order_type, *_ = self.action
        actions = [(first + k, px, qty, side, kind, order_type, 0, 0, 0, 0) for k in range(CALLS)]
        names = [f"b-{first + k}" for k in range(CALLS)]
        self.sent += CALLS
        check, now_ns = self.gate.check_new, self.now_ns
        begin = time.perf_counter()
        for action, name in zip(actions, names, strict=True):
            verdict = check(0, name, action, now_ns)
        spent = time.perf_counter() - begin
        assert isinstance(verdict, Approved), verdict
        assert verdict.checks == len(CHECKS)
        for name in names:
            self.report(name, ExecType.CANCELED)
        return spent / CALLS


def floor() -> float:
    """Ten comparisons of integers that are in hand, and a call."""

    def ten(a: int, b: int, c: int) -> bool:
        if a > b or c > b or a > 7_000 or c < 0 or b < c:
            return False
        return not (a == 99 or b <= 77 or c >= 10**9 or a != 1_000 or b > 10**8)

    begin = time.perf_counter()
    for _ in range(CALLS):
        ten(1_000, 10**6, 1_000)
    return (time.perf_counter() - begin) / CALLS


def measure(rounds: int) -> dict[str, float]:
    """Best seconds of each line, all taken in turns."""
    paper, full = Bench(_often(paper_limits()), is_full=False), Bench(every_control(), is_full=True)
    runs: dict[str, Run] = {
        "ten integer comparisons": floor,
        "paper limits: judge": paper.judged, "paper limits: check_new, denied": paper.refused,
        "paper limits: check_new, approved": paper.approved,
        "all controls and scopes: judge": full.judged, "all controls and scopes: check_new, denied": full.refused,
        "all controls and scopes: check_new, approved": full.approved,
    }  # fmt: skip
    best = dict.fromkeys(runs, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in runs.items():
                best[name] = min(best[name], run())
    finally:
        gc.enable()
    return best


def _often(tree: LimitTree) -> LimitTree:
    """The paper limits with amounts that a thousand open orders do not reach: the same checks, the same scopes."""
    wide = {
        "max_order_rate": 2_000, "max_open_orders": 10**6, "max_position_1e8": 10**4 * ONE, "max_refusals": 10**6,
        "max_capital_1e9": 10**9 * USD,
    }  # fmt: skip
    account = {name: getattr(tree.account, name) for name in Limits.__struct_fields__} | wide
    return LimitTree(Limits(**account), tree.scopes, tree.instruments, tree.promoted)


# --- what is left ----------------------------------------------------------------------------------------------------


def left(run: Callable[[], object], times: int = 4_000) -> tuple[float, float, float]:
    """Bytes, memory blocks and collectable objects that one call leaves behind, after as many to warm up."""
    tracemalloc.start()
    try:
        for _ in range(times):
            run()
        before = _held()
        for _ in range(times):
            run()
        size, blocks, objects = (now - then for now, then in zip(_held(), before, strict=True))
    finally:
        tracemalloc.stop()
    return size / times, blocks / times, objects / times


def _held() -> tuple[int, int, int]:
    gc.collect()
    return tracemalloc.get_traced_memory()[0], sys.getallocatedblocks(), len(gc.get_objects())


def memory() -> list[tuple[str, tuple[float, float, float]]]:
    """A judged, a refused, an approved and an ended order. What an approved one keeps is the order, in the account."""
    found = []
    for what, tree, is_full in (
        ("paper limits", _often(paper_limits()), False), ("all controls and scopes", every_control(), True),
    ):  # fmt: skip
        bench = Bench(tree, is_full=is_full)
        found.append((f"{what}: judged", left(lambda b=bench: b.gate.judge(0, b.action, b.now_ns))))  # type: ignore[misc]
        found.append((f"{what}: judged and refused", left(lambda b=bench: b.gate.judge(0, b.far, b.now_ns))))  # type: ignore[misc]
        found.append((f"{what}: denied", left(lambda b=bench: _denied(b))))  # type: ignore[misc]
        found.append((f"{what}: approved, open", left(lambda b=bench: _open(b))))  # type: ignore[misc]
        done = Bench(tree, is_full=is_full)
        found.append((f"{what}: approved and ended", left(lambda b=done: _ended(b))))  # type: ignore[misc]
    return found


def _denied(bench: Bench) -> None:
    """Denials are counted for as long as their window: let it pass, so that what stays would be seen."""
    bench.now_ns = bench.link.last_ns = bench.now_ns + SECOND // 10
    assert isinstance(bench.gate.check_new(0, "denied", bench.far, bench.now_ns), Denied)


def _open(bench: Bench) -> str:
    bench.now_ns = bench.link.last_ns = bench.now_ns + SECOND // 10
    order_id, px, qty, side, kind, order_type, venue, pool, symbol, ttl = bench.action
    action = (order_id + bench.sent, px, qty, side, kind, order_type, venue, pool, symbol, ttl)
    return bench.approve(action).order.client_order_id


def _ended(bench: Bench) -> None:
    bench.report(_open(bench), ExecType.CANCELED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    best = measure(rounds)
    at_floor = best["ten integer comparisons"]
    print(f"{len(CHECKS)} checks on one order; best of", rounds)
    for name, seconds in best.items():
        goal = ""
        if name.endswith("judge"):
            goal = f"   goal ≤ {GOAL:g} ×: {'reached' if seconds / at_floor <= GOAL else 'missed'}"
        print(f"  {name:<46} {seconds * 1e6:6.2f} µs  {seconds / at_floor:6.2f} × floor{goal}")
    print("what one order leaves behind")
    for name, (size, blocks, objects) in memory():
        print(f"  {name:<46} {size:8.1f} bytes  {blocks:6.2f} blocks  {objects:6.2f} collectable objects")


if __name__ == "__main__":
    main()
