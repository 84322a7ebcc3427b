"""The gate's memory: taken after a turn, given back at the next start (`memory.py` says what is in it and why)."""

from collections.abc import Sequence

import msgspec

from risk.denial import DenyReason
from risk.exposure import Exposure, LiveOrder
from risk.memory import Day, Held, Memory, OpenOrder
from risk.watch import Watch
from risk.windows import SECOND_NS, Window


def _held(exposures: Sequence[Exposure], names: Sequence[str]) -> dict[str, Held]:
    return {
        name: Held(one.position_1e8, one.cost_1e17, one.realized_1e17, one.day_1e17, one.is_day_open)
        for name, one in zip(names, exposures, strict=True)
        if one.position_1e8 or one.cost_1e17 or one.realized_1e17 or one.day_1e17 or one.is_day_open
    }


def _times(windows: dict[str, Window]) -> dict[str, tuple[int, ...]]:
    """Those of the second before the newest: no older one counts for anything that is asked later."""
    return {scope: _lately(window.times) for scope, window in windows.items() if window.times}


def _lately(times: Sequence[int]) -> tuple[int, ...]:
    since_ns = times[-1] - SECOND_NS
    return tuple(at_ns for at_ns in times if at_ns > since_ns)


def remember(gate: Watch) -> Memory:
    """Everything, by names."""
    names = [market.name for market in gate.markets]
    algos = [deployment.name for deployment in gate.deployments]
    days: dict[str, dict[str, Day]] = {}
    for (scope, quote), ledger in gate.book.ledgers.items():
        latches = {str(reason): observed for reason, observed in ledger.latches.items()}
        days.setdefault(scope, {})[quote] = Day(ledger.start_1e17, ledger.peak_1e17, latches, ledger.is_day_open)
    return Memory(
        day_end_ns=gate.day_end_ns,
        approvals=gate.approvals,
        causes=gate.states.causes,
        markets=_held(gate.account.exposures, names),
        algos=gate.carried.algos
        | {algo: found for a, algo in enumerate(algos) if (found := _held(gate.account.owns[a], names))},
        days=days,
        windows={"orders": _times(gate.book.orders), "cancels": _times(gate.book.cancels)},
        equals=tuple((at, algos[k[0]], names[k[1]], k[2], k[3], k[4], k[5]) for at, k in gate.equals.entries),
        repeats=tuple((at, algos[a], names[m], side) for at, (a, m, side) in gate.repeats.entries),
        repeat_latched=gate.carried.repeat_latched
        | {algos[algo]: latch for algo, latch in gate.repeat_latched.items()},
        refusals=tuple((at, algos[algo]) for at, algo in gate.refusals.entries),
        orders_of=dict(gate.orders_of),
        open_orders=tuple(_open(gate, live) for live in gate.account.live.values()),
        balances={venue: dict(purse.totals) for venue, purse in gate.purses.items()},
        grants=tuple(sorted(gate.grants_used)),
        drifts=gate.carried.drifts
        | {market.name: market.venue_position_1e8 for market in gate.markets if market.drifted},
        limits=gate.tree,
    )  # fmt: skip


def _open(gate: Watch, live: LiveOrder) -> OpenOrder:
    market = gate.markets[live.instrument]
    holds = gate.purses[market.venue].holds if market.venue in gate.purses else {}
    return OpenOrder(
        algo=gate.deployments[live.algo].name, market=market.name,
        hold_px_1e9=holds.get(live.client_order_id, ("", 0, 0))[2],
        new=msgspec.structs.replace(live.new, algo=0, instrument=0), px_1e9=live.px_1e9, qty_1e8=live.qty_1e8,
        most_1e8=live.most_1e8, leaves_1e8=live.leaves_1e8, filled_1e8=live.filled_1e8, asked=live.asked,
        refused=live.refused, is_over=live.is_over, end_1e8=live.end_1e8, far_px_1e9=live.far_px_1e9,
        exec_ids=tuple(sorted(live.exec_ids or ())), told_1e8=live.told_1e8, furthest_1e8=live.furthest_1e8,
    )  # fmt: skip


def missing(gate: Watch, memory: Memory) -> list[str]:
    """What the memory speaks of and this session does not have, though it matters: positions and open orders."""
    markets, algos = {market.name for market in gate.markets}, {one.name for one in gate.deployments}
    found = [
        f"a position at {name}" for name, held in memory.markets.items() if held.position_1e8 and name not in markets
    ]
    found += [
        f"the open order {order.new.client_order_id} of {order.algo} at {order.market}"
        for order in memory.open_orders
        if order.market not in markets or order.algo not in algos
    ]
    return found


def restore(gate: Watch, memory: Memory) -> None:
    """Gives a new gate what the one before it knew. Limits in force are the new session's own, latches the old ones'.

    Positions of algos that are gone count for the account alone. Raises ValueError for what `missing` names.
    """
    if lost := missing(gate, memory):
        msg = f"memory holds {', '.join(lost)}, which this session does not follow"
        raise ValueError(msg)
    index_of = {market.name: index for index, market in enumerate(gate.markets)}
    algo_of = {deployment.name: algo for algo, deployment in enumerate(gate.deployments)}
    account = gate.account
    for name, held in memory.markets.items():
        if name in index_of:
            _put(account.exposures[index_of[name]], held)
            account.note_held(index_of[name])
    for algo, positions in memory.algos.items():
        for name, held in positions.items():
            if algo in algo_of and name in index_of:
                _put(account.owns[algo_of[algo]][index_of[name]], held)
    gate.carried = Memory(
        repeat_latched={algo: latch for algo, latch in memory.repeat_latched.items() if algo not in algo_of},
        algos={algo: held for algo, held in memory.algos.items() if algo not in algo_of},
        drifts={name: told for name, told in memory.drifts.items() if name not in index_of},
    )
    gate.touch()
    for order in memory.open_orders:
        account.add(_live(order, algo_of[order.algo], index_of[order.market]))
    gate.day_end_ns, gate.approvals = memory.day_end_ns, memory.approvals
    gate.states.restore(memory.causes)
    gate.book.begin(account, {(scope, quote) for scope, days in memory.days.items() for quote in days})
    for scope, days in memory.days.items():
        for quote, day in days.items():
            ledger = gate.book.keep(scope, quote, account)
            ledger.start_1e17, ledger.peak_1e17 = day.start_1e17, day.peak_1e17
            ledger.is_day_open = day.is_day_open
            gone_1e17 = _gone_1e17(memory, scope, quote, index_of)
            ledger.start_1e17, ledger.peak_1e17 = ledger.start_1e17 - gone_1e17, ledger.peak_1e17 - gone_1e17
            ledger.latches = {DenyReason(reason): observed for reason, observed in day.latches.items()}
    for kind, windows in (("orders", gate.book.orders), ("cancels", gate.book.cancels)):
        for scope, times in memory.windows.get(kind, {}).items():
            if scope in windows:
                windows[scope].keep(times)
    _counters(gate, memory, algo_of, index_of)


def _gone_1e17(memory: Memory, scope: str, quote: str, index_of: dict[str, int]) -> int:
    """What a scope has earned at markets that are not followed any more: what was lost there today stays lost today."""
    kind, _, name = scope.partition(":")
    held = memory.algos.get(name, {}) if kind == "algo" else memory.markets
    gone = 0
    for market, one in held.items():
        venue, _, rest = market.partition(":")
        symbol = rest.partition("@")[0]
        is_inside = kind in ("account", "algo") or name == venue or name in (symbol, market)
        if market not in index_of and is_inside and (symbol.partition("/")[2] or symbol) == quote:
            gone += one.realized_1e17
    return gone


def _put(exposure: Exposure, held: Held) -> None:
    exposure.position_1e8, exposure.cost_1e17 = held.position_1e8, held.cost_1e17
    exposure.realized_1e17, exposure.day_1e17 = held.realized_1e17, held.day_1e17
    exposure.is_day_open = held.is_day_open
    exposure.settle()


def _live(order: OpenOrder, algo: int, market: int) -> LiveOrder:
    new = msgspec.structs.replace(order.new, algo=algo, instrument=market)
    return LiveOrder(
        new, order.px_1e9, order.qty_1e8, order.most_1e8, order.leaves_1e8, order.far_px_1e9, order.filled_1e8,
        order.asked, order.refused, order.is_over, order.end_1e8, set(order.exec_ids) or None,
        order.told_1e8, order.furthest_1e8,
    )  # fmt: skip


def _counters(gate: Watch, memory: Memory, algo_of: dict[str, int], index_of: dict[str, int]) -> None:
    for at, algo, name, side, px_1e9, qty_1e8, kind in memory.equals:
        if algo in algo_of and name in index_of:
            gate.equals.add((algo_of[algo], index_of[name], side, px_1e9, qty_1e8, kind), at)
    for at, algo, name, side in memory.repeats:
        if algo in algo_of and name in index_of:
            gate.repeats.add((algo_of[algo], index_of[name], side), at)
    for at, algo in memory.refusals:
        if algo in algo_of:
            gate.refusals.add(algo_of[algo], at)
    gate.repeat_latched = {algo_of[algo]: latch for algo, latch in memory.repeat_latched.items() if algo in algo_of}
    gate.orders_of = dict(memory.orders_of)
    for sha256 in memory.limits.promoted if memory.limits is not None else ():
        gate.vouch(sha256)
    gate.grants_used = set(memory.grants)
    for venue, totals in memory.balances.items():
        gate.purse(venue).totals = dict(totals)
    for order in memory.open_orders:
        market, live = gate.markets[index_of[order.market]], gate.account.live[order.new.client_order_id]
        if market.venue in gate.purses:
            gate.purses[market.venue].hold(market, live, order.hold_px_1e9)
    for name, position_1e8 in memory.drifts.items():
        if name in index_of:
            gate.markets[index_of[name]].drifted = True
            gate.markets[index_of[name]].venue_position_1e8 = position_1e8
