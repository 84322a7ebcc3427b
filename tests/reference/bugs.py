"""Planted bugs: gates that are wrong in one thing each. The driver must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

import risk.checks
import risk.gate
from connectors.events import ExecReport, ExecType
from risk.checks import Check
from risk.denial import Denied
from risk.gate import Gate
from risk.limits import LimitTree
from risk.memory import Memory
from risk.states import TradingState
from tests.reference.pair import Pair


@contextmanager
def wrong_check(name: str, change: Callable[[Any, Check], Denied | None]) -> Iterator[None]:
    """One check of the gate's list is asked through `change`."""
    check: Check = getattr(risk.checks, name)

    def asked(case: Any) -> Denied | None:
        return change(case, check)

    numbered = risk.gate._NUMBERED
    assert check in [one for _, one in numbered], name
    risk.gate._NUMBERED = type(numbered)((n, asked if one is check else one) for n, one in numbered)
    try:
        yield
    finally:
        risk.gate._NUMBERED = numbered


def with_values(**values: Callable[[Any], Any]) -> Callable[[Any, Check], Denied | None]:
    """Asks the check with other values of the case, and puts the right ones back."""

    def change(case: Any, check: Check) -> Denied | None:
        before = {name: getattr(case, name) for name in values}
        for name, value in values.items():
            setattr(case, name, value(case))
        try:
            return check(case)
        finally:
            for name, old in before.items():
                setattr(case, name, old)

    return change


def inverse(name: str) -> Callable[[Any], int]:
    """A price that divides where it should multiply."""
    return lambda case: 10**18 // max(getattr(case, name), 1)


def never(_case: Any, _check: Check) -> Denied | None:
    return None


CHECK_BUGS: dict[str, tuple[str, Callable[[Any, Check], Denied | None]]] = {
    "notional divided instead of multiplied": (
        "check_notional",
        with_values(reach_1e9=inverse("reach_1e9"), bid_1e9=inverse("bid_1e9"), ask_1e9=inverse("ask_1e9")),
    ),
    "rate window off by one": ("check_order_rate", with_values(now_ns=lambda case: case.now_ns - 1)),
    "collar only for buys": ("check_collar", lambda case, check: check(case) if case.side > 0 else None),
    "self-trade with the own side": ("check_self_trade", with_values(side=lambda case: -case.side)),
    "position forgets what is open": ("check_position", with_values(raise_1e8=lambda _: 0)),
    "own position never looked at": ("check_reduce_only", with_values(own_reduces=lambda _: True)),
    "reducing orders meet the minimum": ("check_minimum", with_values(reduces=lambda _: False)),
    "no drawdown": ("check_drawdown", never),
    "capital skipped": ("check_capital", never),
    "canaries unbound": ("check_canary", never),
    "stale marks trusted": ("check_marks", never),
}


class UnknownEnds(Gate):
    """UNKNOWN treated as terminal."""

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        if report.exec_type is ExecType.UNKNOWN:
            report = msgspec.structs.replace(report, exec_type=ExecType.CANCELED)
        return super().fold(report, now_ns)


class FillsTwice(Gate):
    """A fill counted twice."""

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        again = msgspec.structs.replace(report, exec_id=report.exec_id + "-")
        first = super().fold(report, now_ns)
        return super().fold(again, now_ns) or first if report.exec_type is ExecType.TRADE else first


class ForgetsLateFills(Gate):
    """A fill after the cancel's answer is thrown away."""

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        live = {one.new.client_order_id for one in self.memory().open_orders}
        return report.client_order_id in live and super().fold(report, now_ns)


class FeesAreFree(Gate):
    """PnL without fees."""

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        return super().fold(msgspec.structs.replace(report, fee_1e9=0), now_ns)


class AmendsAnsweredAtOnce(Gate):
    """An amend that is refused counts as done."""

    def fold(self, report: ExecReport, now_ns: int) -> bool:
        for one in self.memory().open_orders:
            if one.new.client_order_id == report.client_order_id and report.exec_type is ExecType.REPLACE_REJECTED:
                report = msgspec.structs.replace(
                    report, exec_type=ExecType.REPLACED, px_1e9=one.px_1e9, qty_1e8=one.most_1e8
                )
        return super().fold(report, now_ns)


def forgetting(**fields: Any) -> type[Gate]:
    """A gate whose restart forgets something."""

    class Forgets(Gate):
        def restore(self, memory: Memory) -> None:
            super().restore(msgspec.structs.replace(memory, **fields))

    return Forgets


class ForgetsLatches(Gate):
    """A restart takes the loss latch off."""

    def restore(self, memory: Memory) -> None:
        days = {
            scope: {quote: msgspec.structs.replace(day, latches={}) for quote, day in quotes.items()}
            for scope, quotes in memory.days.items()
        }
        super().restore(msgspec.structs.replace(memory, days=days))


class ForgetsExecutions(Gate):
    """After a restart an execution told again counts again."""

    def restore(self, memory: Memory) -> None:
        orders = tuple(msgspec.structs.replace(one, exec_ids=()) for one in memory.open_orders)
        super().restore(msgspec.structs.replace(memory, open_orders=orders))


class MidnightForgives(Gate):
    """A new day takes latches and states off."""

    def roll(self, now_ns: int) -> bool:
        rolled = super().roll(now_ns)
        if rolled:
            self.arm("all", "midnight", now_ns)
        return rolled


class LateMidnight(Gate):
    """The day begins a nanosecond late."""

    def roll(self, now_ns: int) -> bool:
        return super().roll(now_ns - 1)


class ArmsEverything(Gate):
    """Arming one scope arms them all."""

    def arm(self, scope: str, who: str, now_ns: int) -> None:
        super().arm("all" if scope else scope, who, now_ns)


class Loosens(Gate):
    """ACTIVE may be asked for without a person's arm."""

    def tighten(self, scope: str, state: TradingState, what: str, who: str, now_ns: int) -> bool:
        if state is TradingState.ACTIVE:
            self.arm(scope, who, now_ns)
        return super().tighten(scope, state, what, who, now_ns)


class MarksBeside(Gate):
    """The mark is not the middle."""

    def mark(self, index: int, mid_sum_1e9: int, now_ns: int) -> bool:
        return super().mark(index, mid_sum_1e9 + 10**8, now_ns)


class IgnoresNewLimits(Gate):
    """Limits changed in session are not in force."""

    def apply(self, tree: LimitTree, who: str) -> bool:
        return bool(tree and who) and super().apply(self.tree, who)


GATE_BUGS: dict[str, type[Gate]] = {
    "UNKNOWN ends an order": UnknownEnds,
    "a fill counts twice": FillsTwice,
    "late fills are lost": ForgetsLateFills,
    "fees are free": FeesAreFree,
    "a refused amend counts as done": AmendsAnsweredAtOnce,
    "restart forgets the latch": ForgetsLatches,
    "restart forgets the states": forgetting(causes={}),
    "restart forgets the rate": forgetting(windows={}),
    "restart forgets equal orders": forgetting(equals=()),
    "restart forgets repeats": forgetting(repeats=(), repeat_latched={}),
    "restart forgets what is open": forgetting(open_orders=()),
    "restart forgets executions": ForgetsExecutions,
    "restart lets an override pass again": forgetting(grants=()),
    "midnight takes latches off": MidnightForgives,
    "midnight is late": LateMidnight,
    "arming one arms all": ArmsEverything,
    "a state loosens by itself": Loosens,
    "marks beside the middle": MarksBeside,
    "new limits are ignored": IgnoresNewLimits,
}


@contextmanager
def planted(name: str) -> Iterator[type[Pair]]:
    """A pair whose gate has this bug."""
    if name in CHECK_BUGS:
        with wrong_check(*CHECK_BUGS[name]):
            yield Pair
        return
    wrong = GATE_BUGS[name]

    class Wrong(Pair):
        gate_class = wrong

    yield Wrong
