"""AlgoState as a guest reads it: decoded by the published offsets alone and compared with what was put in."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from oms.manager import Oms, Order
from oms.position import Position
from risk.limits import Limits
from runtime.algostate import AlgoState
from tests.support.algo_reference import Layout
from tests.support.data import abi_table

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("real_data")]

PENDING, ACKED, PARTIAL, DEAD = range(4)
P, Q = 10**9, 10**8
LIMITS = Limits(
    max_position_1e8=11, max_order_notional_1e9=22, max_order_rate=33, price_collar_bps=44, max_daily_loss_1e9=55
)


@cache
def _layout() -> Layout:
    return Layout(abi_table()["structs"]["0.4.0"])


class Guest:
    """One algo's record, an OMS that moves its orders, and the eyes of a guest."""

    def __init__(self) -> None:
        self.oms = Oms()
        self.state = AlgoState(3, LIMITS)
        self.orders: list[Order] = []
        self.executions = 0

    def seen(self) -> Any:
        assert len(self.state.buffer) == 1576
        return _layout().decode("AlgoState", bytes(self.state.buffer))

    def new(self, order_id: int, side: int = 1, qty: int = 10 * Q) -> str:
        name = f"c{len(self.orders)}"
        order = self.oms.submit(Approved(NewOrder(name, 0, 0, order_id, side, 100 * P, qty, 0), 1, 0, 1))
        self.orders.append(order)
        self.state.add(order)
        return name

    def report(self, name: str, kind: ExecType, **fields: int | str) -> None:
        applied = self.oms.apply(ExecReport(client_order_id=name, exec_type=kind, instrument=0, **fields))  # type: ignore[arg-type]
        assert applied is not None
        self.state.update(applied.order)

    def fill(self, name: str, qty: int) -> None:
        self.executions += 1
        order = self.oms.orders[name]
        cum = order.filled_1e8 + qty
        self.report(
            name, ExecType.TRADE, exec_id=str(self.executions), last_qty_1e8=qty, last_px_1e9=100 * P, cum_qty_1e8=cum,
            leaves_qty_1e8=order.qty_1e8 - cum,
        )  # fmt: skip

    def cancel(self, name: str) -> None:
        order = self.oms.cancel(Approved(CancelOrder(name, 0, 0, 1, "a"), 2, 0, 1))
        assert order is not None
        self.state.update(order)

    def callback(self) -> list[tuple[int, int]]:
        """Hands the record over as `AlgoInstance` does; returns what the guest sees: (order id, status)."""
        table = self.table()
        if self.state.dead:
            self.state.sweep()
        return [(entry["order_id"], entry["status"]) for entry in table]

    def table(self) -> list[dict[str, int]]:
        """The entries in use; behind them there is nothing."""
        seen = self.seen()
        entries: list[dict[str, int]] = seen["orders"]
        used = seen["order_ct"]
        assert all(not any(entry.values()) for entry in entries[used:])
        return entries[:used]


def test_a_new_record_holds_the_limits_and_the_symbol_id_only() -> None:
    seen = Guest().seen()
    assert seen["symbol_id"] == 3
    assert seen["risk"] == {
        "max_position_1e8": 11, "max_daily_loss_1e9": 55, "max_order_notional_1e9": 22, "max_order_rate": 33,
        "reduce_only": 0,
    }  # fmt: skip
    rest = {name: value for name, value in seen.items() if name not in ("symbol_id", "risk", "orders", "symbol")}
    assert not any(any(value) if isinstance(value, list) else value for value in rest.values())


@pytest.mark.parametrize("reduce_only", [False, True])
def test_the_guest_is_told_when_only_reducing_orders_pass(reduce_only: bool) -> None:
    guest = Guest()
    guest.state.limits(LIMITS, reduce_only=not reduce_only)
    guest.state.limits(LIMITS, reduce_only=reduce_only)
    assert guest.seen()["risk"]["reduce_only"] == reduce_only


@pytest.mark.parametrize(("symbol", "name"), [("BTC/USD", "BTC-USD"), ("ABCDEFGH/IJKLMNO", "ABCDEFGH-IJKLMNO")])
def test_symbol_meta_and_name(symbol: str, name: str) -> None:
    guest = Guest()
    guest.state.instrument(Instrument("kraken", "LONGER/NAMED", 0, 0, 1, 1))
    guest.state.instrument(
        Instrument(
            venue="kraken", symbol=symbol, price_precision=1, size_precision=5, tick_size_1e9=2**63 - 1, lot_size_1e8=3,
            min_qty_1e8=5, min_notional_1e9=7,
        )
    )  # fmt: skip
    seen = guest.seen()
    assert seen["symbol"] == {
        "tick_size_1e9": 2**63 - 1, "lot_size_1e8": 3, "min_qty_1e8": 5, "min_notional_1e9": 7, "price_precision": 1,
        "qty_precision": 5,
    }  # fmt: skip
    assert bytes(seen["symbol_name"]) == name.encode().ljust(16, b"\0")


@pytest.mark.parametrize("side", [1, -1])
def test_money_after_a_fill_after_a_mark_and_at_midnight(side: int) -> None:
    guest, position = Guest(), Position()

    def money() -> tuple[int, ...]:
        seen = guest.seen()
        return tuple(
            seen[name]
            for name in (
                "position_1e8", "avg_entry_1e9", "realized_pnl_1e9", "unrealized_pnl_1e9", "session_pnl_1e9",
                "total_fill_count",
            )
        )  # fmt: skip

    position.mid_sum_1e9 = 200 * P
    position.fill(side, 2 * Q, 100 * P, P)
    guest.state.position(position)
    assert money() == (side * 2 * Q, 100 * P, -P, 0, -P, 1)
    position.mid_sum_1e9 += side * 6 * P
    guest.state.mark(position)
    assert money() == (side * 2 * Q, 100 * P, -P, 6 * P, 5 * P, 1)
    position.new_session()
    guest.state.position(position)
    assert money() == (side * 2 * Q, 100 * P, -P, 6 * P, 0, 1)
    position.fill(-side, 2 * Q, (100 + side * 3) * P, 0)
    guest.state.position(position)
    assert money() == (0, 0, 5 * P, 0, 0, 2)


def test_amounts_beyond_the_record_are_its_largest() -> None:
    guest, position = Guest(), Position()
    position.mid_sum_1e9 = 2**60
    position.fill(-1, 2**62, 1, 0)
    guest.state.position(position)
    assert guest.seen()["unrealized_pnl_1e9"] == guest.seen()["session_pnl_1e9"] == -(2**63 - 1)


def test_an_orders_life_as_a_guest_sees_it() -> None:
    guest = Guest()
    name = guest.new(7, side=-1)
    entry = {"order_id": 7, "px_1e9": 100 * P, "qty_1e8": -10 * Q, "filled_1e8": 0, "side": -1, "status": PENDING}
    assert guest.table() == [entry]
    guest.report(name, ExecType.NEW)
    assert guest.table() == [entry | {"status": ACKED}]
    guest.fill(name, 3 * Q)
    assert guest.table() == [entry | {"status": PARTIAL, "filled_1e8": 3 * Q}]
    guest.oms.amend(Approved(AmendOrder(name, 0, 0, 7, -1, 99 * P, 12 * Q, "a"), 2, 0, 1))
    guest.report(name, ExecType.REPLACED, px_1e9=99 * P, qty_1e8=12 * Q, leaves_qty_1e8=9 * Q)
    entry |= {"px_1e9": 99 * P, "qty_1e8": -12 * Q, "filled_1e8": 3 * Q}
    assert guest.table() == [entry | {"status": PARTIAL}]
    guest.cancel(name)
    assert guest.table() == [entry | {"status": PARTIAL}], "asked for is not done"
    guest.report(name, ExecType.UNKNOWN)
    assert guest.table() == [entry | {"status": PENDING}]
    guest.report(name, ExecType.CANCELED)
    assert guest.table() == [entry | {"status": DEAD}]


@pytest.mark.parametrize("end", [ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED, ExecType.TRADE])
def test_a_finished_order_is_shown_dead_to_exactly_one_callback(end: ExecType) -> None:
    guest = Guest()
    names = [guest.new(order_id) for order_id in (1, 2, 3)]
    assert guest.callback() == [(1, PENDING), (2, PENDING), (3, PENDING)]
    if end is ExecType.TRADE:
        guest.fill(names[1], 10 * Q)
    else:
        guest.report(names[1], end)
    assert guest.callback() == [(1, PENDING), (2, DEAD), (3, PENDING)]
    assert guest.callback() == [(1, PENDING), (3, PENDING)], "dense, in order"
    guest.report(names[2], ExecType.NEW)
    assert guest.callback() == [(1, PENDING), (3, ACKED)]
    guest.report(names[0], ExecType.CANCELED)
    guest.report(names[0], ExecType.CANCELED)
    assert guest.callback() == [(1, DEAD), (3, ACKED)]
    assert guest.callback() == [(3, ACKED)]


def test_a_late_fill_does_not_bring_a_dead_order_back() -> None:
    guest = Guest()
    name = guest.new(1)
    guest.report(name, ExecType.CANCELED)
    guest.callback()
    guest.report(name, ExecType.TRADE, exec_id="late", last_qty_1e8=Q, last_px_1e9=P, cum_qty_1e8=Q)
    assert guest.callback() == []


def test_thirty_two_orders_fit_and_dead_ones_make_room_once_they_were_shown() -> None:
    guest = Guest()
    names = [guest.new(order_id) for order_id in range(100, 132)]
    assert guest.callback() == [(order_id, PENDING) for order_id in range(100, 132)]
    guest.report(names[5], ExecType.CANCELED)
    assert guest.callback()[5] == (105, DEAD)
    guest.new(132)
    assert guest.callback() == [(order_id, PENDING) for order_id in range(100, 133) if order_id != 105]


def test_a_thirty_third_live_order_never_writes_behind_the_table() -> None:
    guest = Guest()
    position = Position()
    position.fill(1, Q, 100 * P, 0)
    guest.state.position(position)
    names = [guest.new(order_id) for order_id in range(40)]
    for name in names:
        guest.report(name, ExecType.NEW)
    assert guest.callback() == [(order_id, ACKED) for order_id in range(32)]
    seen = guest.seen()
    assert (seen["session_pnl_1e9"], seen["total_fill_count"], seen["symbol"]["tick_size_1e9"]) == (0, 1, 0)
    for name in names:
        guest.report(name, ExecType.CANCELED)
    assert guest.callback() == [(order_id, DEAD) for order_id in range(32)]
    assert guest.callback() == []
