"""Changes of a sound pool's accounts: fields by their names in the published layouts, bytes, owners, places."""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.chain import PoolPlan
from connectors.venues.solana.account import Account
from tests.support.solana_accounts import account as written
from tests.support.solana_accounts import discriminator, read
from tests.support.solana_accounts_pools import World

Change = Callable[[PoolPlan, World], tuple[PoolPlan, World]]
Place = Callable[[PoolPlan, World], str]


def of_kind(world: World, name: str) -> list[str]:
    """The keys of the accounts of that type."""
    return [each for each, found in world.items() if found and found.data[:8] == discriminator(name)]


def edited(name: str, number: int = 0, **changes: Any) -> Change:
    """The number-th account of that type with other fields; a callable makes a field from what it was."""

    def change(plan: PoolPlan, world: World) -> tuple[PoolPlan, World]:
        where = of_kind(world, name)[number]
        found = world[where]
        assert found is not None
        values = read(name, found.data)
        for field, value in changes.items():
            values[field] = value(values[field]) if callable(value) else value
        return plan, world | {where: written(name, values)}

    return change


def ticked(name: str, **changes: Any) -> Change:
    """The first tick that holds anything in the first array of that type, with other fields."""

    def ticks(states: list[Any]) -> list[Any]:
        at = next(at for at, state in enumerate(states) if holds(state))
        state = states[at].get("initialized") if name == "DynamicTickArray" else states[at]
        fresh = state | changes
        return [*states[:at], {"initialized": fresh} if name == "DynamicTickArray" else fresh, *states[at + 1 :]]

    def holds(state: dict[str, Any]) -> bool:
        inner = state.get("initialized") if name == "DynamicTickArray" else state
        return bool(inner and inner["liquidity_gross"])

    return edited(name, ticks=ticks)


def untouched(name: str, **changes: Any) -> Change:
    """The same of the first tick that holds nothing."""

    def ticks(states: list[Any]) -> list[Any]:
        at = next(
            at for at, state in enumerate(states) if not state["liquidity_gross"] and not state.get("orders_amount")
        )
        return [*states[:at], states[at] | changes, *states[at + 1 :]]

    return edited(name, ticks=ticks)


def put(where: Place, found: Account | None) -> Change:
    """Another account, or none, at a key."""
    return lambda plan, world: (plan, world | {where(plan, world): found})


def raw(where: Place, edit: Callable[[Account], Account]) -> Change:
    """The account at a key as `edit` makes it."""

    def change(plan: PoolPlan, world: World) -> tuple[PoolPlan, World]:
        found = world[where(plan, world)]
        assert found is not None
        return plan, world | {where(plan, world): edit(found)}

    return change


def forgotten(where: Place) -> Change:
    return lambda plan, world: (plan, {each: found for each, found in world.items() if each != where(plan, world)})


def planned(**changes: Any) -> Change:
    return lambda plan, world: (msgspec.structs.replace(plan, **changes), world)


def first(name: str) -> Place:
    return lambda _, world: of_kind(world, name)[0]


def at(place: str) -> Place:
    return lambda _plan, _world: place


def token(number: int) -> Place:
    return lambda plan, _: plan.tokens[number].address


def longer(found: Account) -> Account:
    return Account(found.owner, found.data + b"\0")


def cut(end: int) -> Callable[[Account], Account]:
    return lambda found: Account(found.owner, found.data[:end])


def byte(place: int, value: int) -> Callable[[Account], Account]:
    return lambda found: Account(found.owner, found.data[:place] + bytes([value]) + found.data[place + 1 :])


def owned(owner: str) -> Callable[[Account], Account]:
    return lambda found: Account(owner, found.data)
