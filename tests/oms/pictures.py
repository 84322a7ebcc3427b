"""What the tests of the reconciler share: one order at a bench, and pictures made by hand."""

from __future__ import annotations

import msgspec

from connectors.events import ExecType, Picture, VenueOrder
from oms.reconcile import Comparison
from tests.oms.bench import BUY, DEADLINE, VISIBLE, Bench
from tests.oms.model import S

LATE = DEADLINE + VISIBLE + S


def one_order(*, landed: bool = True, filled: int = 0, told: bool = True) -> tuple[Bench, str]:
    """One buy of 10 at 5."""
    bench = Bench()
    name = bench.submit(BUY, 5, 10)
    if landed:
        bench.land(0)
        if filled:
            bench.fill(name, filled)
    if told:
        for report in bench.wire:
            bench.hear(report)
    bench.wire.clear()
    return bench, name


def kinds(comparison: Comparison) -> list[ExecType]:
    return [report.exec_type for report in comparison.reports]


def picture_of(bench: Bench, **lists: tuple[object, ...]) -> Picture:
    empty = bench.truth.picture(0, bench.now, lambda _list, _name: 0)
    return msgspec.structs.replace(empty, **lists)


def record_of(bench: Bench, name: str, **fields: object) -> VenueOrder:
    (record,) = (one for one in bench.truth.picture(0, bench.now, lambda _l, _n: bench.now).open
                 if one.client_order_id == name)  # fmt: skip
    return msgspec.structs.replace(record, **fields)
