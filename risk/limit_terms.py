"""How limits are called by people, and which of two is the tighter. Nothing here knows a session or a file."""

from collections.abc import Iterable
from typing import Final

from connectors.orders import OrderType
from connectors.units import MONEY_DECIMALS, SIZE_DECIMALS, trimmed_text
from risk.limits import ALL_TYPES, UNSET, Scope

Value = int | tuple[str, ...] | None
"""Of `instruments` and `promoted` names, None for all; of every other limit a number, UNSET where nobody said one."""

ORDER_TYPES: Final = {kind.name.lower(): 1 << kind for kind in OrderType}
NAME_LISTS: Final = ("instruments", "promoted")
LONGER_IS_TIGHTER: Final = frozenset(
    {"collar_window_ns", "duplicate_window_ns", "repeat_window_ns", "refusal_window_ns"}
)
"""More is counted in a longer window, and the range of the mid in it is wider."""

_SUFFIXES: Final = {"_1e8": ("", SIZE_DECIMALS), "_1e9": ("", MONEY_DECIMALS), "_ns": ("_s", 9)}


def term(key: str) -> tuple[str, int]:
    """What people call a field of Limits, and its decimals: `max_position_1e8` → `max_position`, 8."""
    for suffix, (unit, decimals) in _SUFFIXES.items():
        if key.endswith(suffix):
            return key.removesuffix(suffix) + unit, decimals
    return ("permitted" if key == "instruments" else key), 0


def type_names(types: int) -> list[str]:
    """The order types of a mask, by their names in a file."""
    return [name for name, bit in ORDER_TYPES.items() if types & bit]


def value_text(key: str, value: Value) -> str:
    """A limit as a person would write it."""
    if value is None:
        return "all"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if key == "order_types":
        return "all" if value & ALL_TYPES == ALL_TYPES else ", ".join(type_names(value)) or "none"
    if value == UNSET:
        return "not set"
    return trimmed_text(value, term(key)[1])


def is_looser_value(key: str, before: Value, after: Value) -> bool:
    """Whether `after` lets anything through that `before` does not."""
    if key == "instruments":
        return before is not None and (after is None or not covers(names(before), names(after)))
    if key == "promoted":
        return not set(names(after)) <= set(names(before))
    one, other = number(before), number(after)
    if key == "order_types":
        return bool(other & ~one)
    return other < one if key in LONGER_IS_TIGHTER else other > one


def tighter_of(key: str, one: Value, other: Value) -> Value:
    """What both let through."""
    if key == "instruments":
        if one is None or other is None:
            return other if one is None else one
        mine, theirs = names(one), names(other)
        common = {name for name in mine if covers(theirs, [name])} | {name for name in theirs if covers(mine, [name])}
        return tuple(sorted(common))
    if key == "promoted":
        return tuple(sorted(set(names(one)) & set(names(other))))
    if key == "order_types":
        return number(one) & number(other)
    pick = max if key in LONGER_IS_TIGHTER else min
    return pick(number(one), number(other))


def names(value: Value) -> tuple[str, ...]:
    """The names of a list of names."""
    return value if isinstance(value, tuple) else ()


def number(value: Value) -> int:
    """The number of every other limit."""
    return value if isinstance(value, int) else UNSET


def market_of(name: str) -> tuple[str, str]:
    """Venue and symbol of an instrument's name; a symbol alone has no venue.

    `kraken:BTC/USD` → kraken, BTC/USD; `dex_arb:ETH/USD@0x…` → dex_arb, ETH/USD; a symbol like `BTC/USDT:USDT` → "",
    itself.
    """
    venue, colon, rest = name.partition(":")
    if not colon or "/" in venue:
        return "", name
    return venue, rest.partition("@0x")[0]


def covers(permitted: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether every market that `wanted` names is one that `permitted` names. A symbol names all its markets."""
    known = set(permitted)
    return all(name in known or market_of(name)[1] in known for name in wanted)


def lies_in(inner: Scope, outer: Scope) -> bool:
    """Whether every order in `inner` is in `outer`, too, as far as their names tell."""
    if inner.kind != "instrument" or inner.label == outer.label:
        return False
    venue, symbol = market_of(inner.name)
    return bool(venue) and outer.name == {"venue": venue, "instrument": symbol}.get(outer.kind)
