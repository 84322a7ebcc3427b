"""What a kill left, against what the journal's rows say (`crash_fold.py`)."""

from typing import Any

import msgspec

from risk.memory import Memory
from tests.support.crash_fold import MONEY, SECOND, Fold, Key, Money, Order
from tests.support.crash_world import ALGOS


def compare(fold: Fold, memory: Memory, paid_in: dict[str, dict[str, int]]) -> None:
    """What the next start is given is what the rows say; `paid_in`: balances at the very start ×1e8."""
    assert memory.approvals >= fold.approvals, f"{memory.approvals} approvals, by the rows {fold.approvals}"
    if fold.day_end:
        _same("the day's end", memory.day_end_ns, fold.day_end)
    _same("states", {s: (c.state, c.what, c.who, c.since_ns) for s, c in memory.causes.items()}, fold.causes)
    _latches(fold, memory)
    _positions(fold, memory)
    _limits(fold, memory)
    _windows(fold, memory)
    _orders(fold, memory)
    _same("canaries' orders", dict(memory.orders_of), fold.orders_of)
    _same("overrides that were used", set(memory.grants), fold.grants)
    for venue, amounts in paid_in.items():
        moved = fold.totals.get(venue, {})
        for currency in {*amounts, *moved}:
            there = memory.balances[venue].get(currency, 0)
            _same(f"{currency} at {venue}", there, amounts.get(currency, 0) * 10**9 + moved.get(currency, 0))


def _same(what: str, found: Any, by_rows: Any) -> None:
    assert found == by_rows, f"{what}: {found}, by the rows {by_rows}"


def _latches(fold: Fold, memory: Memory) -> None:
    found = {
        (scope, quote, reason): observed
        for scope, days in memory.days.items()
        for quote, day in days.items()
        for reason, observed in day.latches.items()
    }
    _same("latches", found, {key: observed for key, (observed, _) in fold.latches.items()})
    _same("drifts", set(memory.drifts), fold.drifts)
    _same("repeats", {algo: latch[:2] for algo, latch in memory.repeat_latched.items()}, fold.repeat_latched)


def _positions(fold: Fold, memory: Memory) -> None:
    for algo in ("", *ALGOS):
        kept = memory.algos.get(algo, {}) if algo else memory.markets
        ours = fold.money if not algo else {key[1]: one for key, one in fold.algo_money.items() if key[0] == algo}
        found = {name: (one.position_1e8, one.cost_1e17, one.realized_1e17) for name, one in kept.items()}
        wanted = {name: (one.position, one.cost, one.realized) for name, one in ours.items()}
        _same(
            f"positions {algo}", *({name: held for name, held in one.items() if any(held)} for one in (found, wanted))
        )


def _limits(fold: Fold, memory: Memory) -> None:
    tree = memory.limits
    assert tree is not None
    _same("promoted", set(tree.promoted), fold.promoted)
    said: dict[Key, Any] = {
        ("account", name): getattr(tree.account, name) for scope, name in fold.limits if scope == "account"
    }
    said |= {(scope.label, key): value for scope in tree.scopes for key, value in scope.values.items()}
    _same("limits", _in_force(said), _in_force(fold.limits))


def _in_force(limits: dict[Key, Any]) -> dict[Key, Any]:
    """Cancels that nobody limited may be as many as orders; rows say what holds."""
    rates = {(scope, "max_cancel_rate"): value for (scope, key), value in limits.items() if key == "max_order_rate"}
    return rates | limits


def _windows(fold: Fold, memory: Memory) -> None:
    """What may still refuse something, and must: messages of the last second, and what lies in each window."""
    for kind, key in (("orders", "max_order_rate"), ("cancels", "max_cancel_rate")):
        for scope in {scope for scope, name in fold.limits if name == "max_order_rate"}:
            limit = fold.limits.get((scope, key), fold.limits[scope, "max_order_rate"])
            ours = [at for at in fold.times[kind].get(scope, []) if fold.now - at < SECOND]
            kept = [at for at in memory.windows[kind].get(scope, ()) if fold.now - at < SECOND]
            if kind == "cancels" and kept and fold.now - fold.swept_ns < SECOND:
                ours = ours[-len(kept) :]  # the gateway's own may be more than a limit, and no more than it is kept
            _same(f"{kind} of {scope}", kept[-limit:], ours[-limit:])
    windows: list[tuple[str, Any, list[Key]]] = [
        ("duplicate_window_ns", memory.equals, fold.equals), ("repeat_window_ns", memory.repeats, fold.repeats),
        ("refusal_window_ns", memory.refusals, fold.refusals),
    ]  # fmt: skip
    for name, there, rows in windows:
        window_ns = fold.limits["account", name]
        _same(name, *([one for one in found if fold.now - one[0] < window_ns] for found in (there, rows)))


def _orders(fold: Fold, memory: Memory) -> None:
    found = {
        one.new.client_order_id: (
            one.algo, one.market, one.new.side, one.px_1e9, one.qty_1e8, one.most_1e8, one.leaves_1e8, one.filled_1e8,
            list(one.asked), one.refused, one.end_1e8, set(one.exec_ids),
        )
        for one in memory.open_orders
    }  # fmt: skip
    wanted = {
        name: (o.algo, o.market, o.side, o.px, o.qty, o.most, o.leaves, o.filled, o.asked, o.refused, o.end, o.execs)
        for name, o in fold.open.items()
    }
    _same("open orders", found, wanted)


def must_deny(fold: Fold, one: Order, now_ns: int) -> str:
    """Why this order cannot pass, by the rows alone; "" where they do not forbid it."""
    own, at = fold.algo_money.get((one.algo, one.market), Money()), fold.money.get(one.market, Money())
    more, more_own = (
        max(money.position * one.side + money.open[one.side] + one.qty - money.worst, 0) for money in (at, own)
    )
    scopes, quote = ("all", *fold.scopes(one)), one.market.partition("/")[2]
    states = {scope: fold.causes[scope][0] for scope in scopes if scope in fold.causes}
    if "HALTED" in states.values():
        return "KILL_SWITCH"
    if one.market in fold.drifts:
        return "drift"
    for scope in scopes:
        is_more = more_own if scope.startswith("algo:") else more
        if is_more and any((scope, quote, reason) in fold.latches for reason in MONEY):
            return "latched"
        if is_more and scope in states:
            return "reducing"
        limit = fold.limits.get((scope, "max_order_rate"))
        if limit is not None and sum(now_ns - at_ns < SECOND for at_ns in fold.times["orders"].get(scope, ())) >= limit:
            return "rate"
    return "repeats" if more_own and one.algo in fold.repeat_latched else ""


def body_of(body: bytes) -> dict[str, Any]:
    """A row's own words."""
    found: dict[str, Any] = msgspec.json.decode(body)
    return found
