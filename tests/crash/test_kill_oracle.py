"""The oracle of the kill -9 proof by itself: a world without a fault has no findings, each planted fault has one."""

from pathlib import Path
from typing import Any

import pytest

from connectors.orders import NewOrder
from risk.memory import Held, Memory, OpenOrder
from runtime.memory import PositionMemory, SessionMemory
from tests.support.trading_kill_oracle import Account, Findings, judge

QTY = 500
OPEN, DONE, DEAD = "vg-1", "vg-2", "vg-3"


class World:
    """One order open and filled in part, one filled whole, one canceled; both sides agree on all of them."""

    def __init__(self) -> None:
        self.account = Account(Path())
        for name in (OPEN, DONE, DEAD):
            self.approve(name)
            self.report(name, "new", 20)
        self.report(OPEN, "trade", 30, exec_id="T1", last_qty_1e8=200)
        self.report(DONE, "trade", 31, exec_id="T2", last_qty_1e8=QTY)
        self.report(DEAD, "canceled", 40)
        self.orders = [
            self.order(OPEN, 1, "partially_filled", {"T1": 200}),
            self.order(DONE, -1, "filled", {"T2": QTY}, 31),
            self.order(DEAD, 1, "canceled", {}, 39),
        ]
        self.open = [OPEN]
        self.position = 200 - QTY
        self.drifts: dict[str, int] = {}

    def approve(self, name: str) -> None:
        self.account.take("action", 10, {"kind": "new", "verdict": "approved", "client_order_id": name})

    def report(self, name: str, what: str, now_ns: int, **fields: Any) -> None:
        self.account.take("report", now_ns, {"client_order_id": name, "exec_type": what, **fields})

    @staticmethod
    def order(name: str, side: int, status: str, fills: dict[str, int], closed_ns: int = 0) -> dict[str, Any]:
        return {
            "name": name, "symbol": "BTC/USD", "side": side, "status": status, "is_open": not closed_ns,
            "cum_1e8": sum(fills.values()), "fills": fills, "closed_ns": closed_ns,
        }  # fmt: skip

    def judged(self) -> Findings:
        here = tuple(
            OpenOrder("busy", "kraken:BTC/USD", NewOrder(name, 0, 0, 1, 1, 10**9, QTY, 0), 10**9, QTY, QTY, QTY, 0, (),
                      0, False, 0)
            for name in self.open
        )  # fmt: skip
        held = {"kraken:BTC/USD": Held(self.position, 0, 0)}
        kept = {"busy": {"kraken:BTC/USD": PositionMemory(self.position, 0, 0, 0, 0, 0)}}
        gate = Memory(open_orders=here, markets=held, drifts=self.drifts)
        return judge(self.account, {"orders": self.orders}, SessionMemory(gate, kept))


def test_a_world_without_a_fault_has_no_findings() -> None:
    assert World().judged().all == []


def lost_approval(world: World) -> None:
    del world.account.approved[DONE]


def forgotten_open(world: World) -> None:
    world.open = []


def never_settled(world: World) -> None:
    world.approve("vg-4")


def adopted(world: World) -> None:
    world.account.take("adopt", 50, {"client_order_id": OPEN})


def placed_twice(world: World) -> None:
    world.orders.append(world.order(DEAD, 1, "canceled", {}, 39))


def approved_twice(world: World) -> None:
    world.approve(DONE)


def rejected_and_there(world: World) -> None:
    world.report(DEAD, "rejected", 35, text="never reached kraken")


def canceled_and_open(world: World) -> None:
    world.report(OPEN, "canceled", 35)


def canceled_and_filled(world: World) -> None:
    world.report(DONE, "canceled", 35)


def canceled_too_early(world: World) -> None:
    world.orders[2]["closed_ns"] = 41


def fill_missed(world: World) -> None:
    world.orders[1]["fills"] = {"T2": 400, "T3": 100}


def open_here_alone(world: World) -> None:
    world.open.append(DEAD)


def position_wrong(world: World) -> None:
    world.position += 1


def drifted(world: World) -> None:
    world.drifts["kraken:BTC/USD"] = 1


FAULTS = {
    lost_approval: "lost", forgotten_open: "lost", never_settled: "lost", adopted: "lost", placed_twice: "doubled",
    approved_twice: "doubled", rejected_and_there: "false", canceled_and_open: "false", canceled_and_filled: "false",
    canceled_too_early: "false", fill_missed: "false", open_here_alone: "false", position_wrong: "money",
    drifted: "money",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_found(fault: Any) -> None:
    world = World()
    fault(world)
    assert getattr(world.judged(), FAULTS[fault]), fault.__name__
