"""What a session must not forget, taken from an engine and given to the next one (`memory.py`, `risk/recall.py`).

On paper the venue's orders died with the process: they are over, and nothing is open. Live, an order that was open is
in doubt: UNKNOWN in the OMS, counted in full by the gate, and its venue is not reconciled until it has said so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from connectors.errors import ConfigError
from connectors.events import Notice
from oms.manager import Order
from oms.position import Position
from oms.state import OrderState
from risk.recall import missing
from runtime.memory import PositionMemory, SessionMemory

if TYPE_CHECKING:
    from runtime.engine import Engine
    from runtime.instance import AlgoInstance
    from runtime.view import SymbolView


def _kept(position: Position) -> PositionMemory:
    return PositionMemory(
        position.qty_1e8, position.cost_1e17, position.realized_1e17, position.fees_1e9, position.fill_count,
        position.session_start_1e17,
    )  # fmt: skip


def _mode(is_paper: bool, is_sim: bool) -> str:
    return "paper" if is_paper else "simulated" if is_sim else "live"


def _given(kept: PositionMemory) -> Position:
    position = Position()
    position.qty_1e8, position.cost_1e17 = kept.qty_1e8, kept.cost_1e17
    position.realized_1e17, position.fees_1e9 = kept.realized_1e17, kept.fees_1e9
    position.fill_count, position.session_start_1e17 = kept.fill_count, kept.session_start_1e17
    return position


def _symbol(engine: Engine, algo: AlgoInstance, view: SymbolView) -> str:
    return engine.spec.algos[algo.index].symbols[view.symbol_id]


def remembered(engine: Engine) -> SessionMemory:
    """The gate's and the OMS's."""
    positions: dict[str, dict[str, PositionMemory]] = {}
    for (algo, market), position in engine.oms.positions.items():
        positions.setdefault(engine.algos[algo].name, {})[engine.names[market]] = _kept(position)
    views = {
        algo.name: {
            _symbol(engine, algo, view): _kept(view.position) for view in algo.views if view.position is not None
        }
        for algo in engine.algos
    }
    kept = {algo: found for algo, found in views.items() if found}
    spec = engine.spec
    return SessionMemory(
        engine.gate.memory(), positions, kept, spec.tag, engine.desk.actions, spec.is_paper, spec.is_sim,
        cancelling=tuple(sorted(engine.desk.sweep.ours)),
        born_ns={name: _floor_ns(engine, one) for part in (engine.oms.orders, engine.oms.owed)
                 for name, one in part.items()},
        accounts={
            name: account for name, one in engine.accounts.items() if (account := one.memory()) is not None
        },
    )  # fmt: skip


def _floor_ns(engine: Engine, order: Order) -> int:
    """How far back a look must reach for everything of this order that is not known."""
    account = engine.accounts.get(engine.gate.markets[order.instrument].venue)
    return order.born_ns if account is None else account.floor_ns(order)


def recall(engine: Engine, memory: SessionMemory) -> list[Notice]:
    """Gives a new engine what the one before it knew; what a person should hear of it.

    Raises ConfigError when it holds a position or an open order that this session does not follow, or is of paper where
    this one is not, or the other way round: live orders in doubt would be forgotten, or paper money counted as real.
    """
    gate, kept, said = engine.gate, memory.gate, list[Notice]()
    spec = engine.spec
    if memory.is_paper is not None and (memory.is_paper, memory.is_sim) != (spec.is_paper, spec.is_sim):
        was, now = _mode(memory.is_paper, memory.is_sim), _mode(spec.is_paper, spec.is_sim)
        mend = "paper, simulated and live sessions need a journal each: --journal PATH"
        now = "on paper" if spec.is_paper else now
        raise ConfigError(f"is of a {was} session, this one is {now}", place="journal", mend=mend)
    if (spec.is_paper or spec.is_sim) and kept.open_orders:
        said.append(Notice("warning", f"{len(kept.open_orders)} paper orders of the session before are gone"))
        kept = msgspec.structs.replace(kept, open_orders=())
    if lost := missing(gate, kept):
        mend = "follow what it names again, or begin with a journal of its own: --journal PATH"
        raise ConfigError(f"holds {', '.join(lost)}, which this session does not follow", place="journal", mend=mend)
    if memory.tag == engine.spec.tag:
        engine.desk.actions = memory.actions  # no two orders are ever called the same
    gate.restore(kept)
    _positions(engine, memory)
    _orders(engine, memory)
    return said


def _positions(engine: Engine, memory: SessionMemory) -> None:
    algos = {algo.name: algo for algo in engine.algos}
    markets = {name: index for index, name in enumerate(engine.names)}
    for name, positions in memory.positions.items():
        for market, position in positions.items():
            if name in algos and market in markets:
                engine.oms.positions[algos[name].index, markets[market]] = _given(position)
    for name, algo in algos.items():
        for view in algo.views:
            found = memory.views.get(name, {}).get(_symbol(engine, algo, view))
            if found is not None and view.position is not None:
                view.position = _given(found)
            held = view.position or engine.oms.positions.get((algo.index, view.own))
            if held is not None:
                view.state.position(held)


def _orders(engine: Engine, memory: SessionMemory) -> None:
    """What was open is in doubt, and what was being cancelled still is."""
    gate = engine.gate
    for venue, account in memory.accounts.items() if not engine.spec.is_sim else ():
        if venue in engine.accounts:
            engine.accounts[venue].restore(account)
    engine.desk.sweep.ours |= {name for name in memory.cancelling if name in gate.account.live}
    for live in gate.account.live.values():
        order = Order(
            live.new,
            live.px_1e9,
            live.qty_1e8,
            live.filled_1e8,
            end_1e8=live.end_1e8,
            asked=live.asked,
            refused=live.refused,
            told_1e8=live.told_1e8,
            furthest_1e8=live.furthest_1e8,
        )
        order.exec_ids = set(live.exec_ids or ()) or None
        order.state = OrderState.CANCELED if live.is_over else OrderState.UNKNOWN
        engine.oms.recall(order, 0, memory.born_ns.get(live.client_order_id, 0))
        if not live.is_over:
            engine.algos[live.algo].view_of(live.instrument).state.add(order)
        gate.markets[live.instrument].link.is_reconciled = False
