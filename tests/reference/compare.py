"""What the gate remembers and shows, against the reference: raised errors say which sum differs."""

from __future__ import annotations

from collections.abc import Iterable

from risk.limits import ACCOUNT
from risk.memory import Held as Remembered
from risk.memory import Memory
from risk.standing import Standing
from tests.reference.money import Held
from tests.reference.state import State
from tests.reference.windows import SECOND

NOTHING = Remembered(0, 0, 0)
SCALE = {"max_capital_1e9": 2 * 10**8, "max_daily_loss_1e9": 2 * 10**8, "max_drawdown_1e9": 2 * 10**8}


def _same(what: str, gate: object, reference: object) -> None:
    assert gate == reference, f"{what}: gate {gate}, reference {reference}"


def _money(what: str, gate: Remembered, held: Held) -> None:
    """Position and total exactly; how a closing shares the cost, to a unit for each that no integer could share."""
    _same(f"position {what}", gate.position_1e8, held.qty)
    paid = gate.cost_1e17 if held.qty > 0 else -gate.cost_1e17
    _same(f"cash {what}", 2 * (gate.realized_1e17 - paid), held.cash2)
    least, most = held.realized2 - 2 * held.roughs, held.realized2 + 2 * held.roughs
    assert least <= 2 * gate.realized_1e17 <= most, f"realised {what}: gate {gate}, reference {held}"


def compare_memory(state: State, memory: Memory, now: int) -> None:
    """Positions, money, open orders, latches, counters."""
    names = [place.name for place in state.places]
    for place, held in zip(state.places, state.held, strict=True):
        told = memory.markets.get(place.name, NOTHING)
        if told != NOTHING or held.qty or held.cash2:
            _money(place.name, told, held)
    for trader in state.traders:
        of_algo = memory.algos.get(trader.name, {})
        for place in state.places:
            told, held = of_algo.get(place.name, NOTHING), state.own[trader.index, place.index]
            if told != NOTHING or held.qty or held.cash2:
                _money(f"{trader.name} {place.name}", told, held)
    _same(
        "open orders",
        {one.new.client_order_id: (one.market, one.algo, one.most_1e8, one.leaves_1e8, one.filled_1e8)
         for one in memory.open_orders},
        {one.name: (names[one.market], state.traders[one.algo].name, one.most, one.leaves, one.filled)
         for one in state.orders.values() if one.is_live},
    )  # fmt: skip
    _same(
        "latches",
        {(scope, quote, reason) for scope, quotes in memory.days.items() for quote, day in quotes.items()
         for reason in day.latches},
        {(label, quote, str(reason)) for (label, quote), ledger in state.ledgers.items() for reason in ledger.latches},
    )  # fmt: skip
    latched = {state.traders[algo].name for algo in state.repeat_latched}
    _same("repeat latches", set(memory.repeat_latched), latched)
    _same("drifts", set(memory.drifts), {place.name for place in state.places if place.has_drifted})
    _same("used overrides", set(memory.grants), state.used_grants)
    _same("balances", memory.balances, state.balances)
    compare_windows(state, memory, now)


def compare_windows(state: State, memory: Memory, now: int) -> None:
    """Messages of the last second in every scope that limits them."""
    for what, key in (("orders", "max_order_rate"), ("cancels", "max_cancel_rate")):
        for label, said in state.rules.said.items():
            if label == ACCOUNT or key in said:
                times = memory.windows.get(what, {}).get(label, ())
                count = sum(1 for at in times if now - at < SECOND)
                most = said.get(key, said.get("max_order_rate", 0))
                # more than the limit need not be kept
                want = min(state.times[what].count(label, now, SECOND), most)
                assert count >= want, f"{what} of {label}: gate {count}, reference {want}"


def compare_standing(state: State, standing: Iterable[Standing]) -> None:
    """Every sum that a scope limits: its limit, and what counts against it."""
    found = {(one.scope, one.key, one.currency): one for one in standing}
    for label, quotes in state.quotes.items():
        for key, limit in state.rules.said.get(label, {}).items():
            if key == "max_position_1e8":
                for base in {state.places[market].base for market in state.scopes[label][1]}:
                    one = found[label, key, base]
                    _same(f"worst case {label} {base}", (one.limit, one.observed), (limit, state.position(label, base)))
            elif key in SCALE:
                for quote in quotes:
                    _sum(state, found[label, key, quote], limit)


def _sum(state: State, one: Standing, limit: int) -> None:
    label, quote = one.scope, one.currency
    ledger, pnl2 = state.ledger(label, quote), state.pnl2(label, quote)
    capital2 = state.capital2(label, quote)
    want: int | None = None
    if one.key == "max_capital_1e9":
        want = capital2
    elif pnl2 is not None and ledger.start2 is not None:
        want = (ledger.start2 if one.key == "max_daily_loss_1e9" else ledger.peak2) - pnl2
    if want is not None:
        _same(f"{one.key} {label} {quote}", (one.limit, one.observed), (limit, -(-want // SCALE[one.key])))
