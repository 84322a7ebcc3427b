"""`[limits]`: a file's sections become the integers of a `LimitTree`, with the place that each was read at.

Account, venues, instruments and algos each say what they are held to; what one does not say, only the scopes around it
bound. What contradicts itself is refused, for nobody could tell which of the two was meant.
"""

import difflib
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Final

from connectors.errors import ConfigError, NumberError
from connectors.units import scaled
from risk.limit_changes import in_force, rank, said
from risk.limit_terms import (
    ORDER_TYPES,
    Value,
    covers,
    is_looser_value,
    lies_in,
    market_of,
    names,
    number,
    term,
    type_names,
    value_text,
)
from risk.limits import ACCOUNT, UNSET, Limits, LimitTree, Scope, unset
from runtime.config_limit_sections import LimitsSection
from runtime.config_types import Section

Origin = Callable[[str], str]  # a setting's dotted name → where it was said

TABLES: Final = {"venues": "venue", "instruments": "instrument", "algos": "algo"}
_KEYS: Final = {term(key)[0]: key for key in (*Limits.__struct_fields__, "max_orders")}
_WINDOWS: Final = {
    "collar_window_s": "collar_window_bps", "duplicate_window_s": "max_duplicates", "repeat_window_s": "max_repeats",
    "refusal_window_s": "max_refusals",
}  # fmt: skip


def limits_of(section: LimitsSection | None, origin: Origin) -> LimitTree:
    """The section as integers. Raises ConfigError for what is missing, beyond the scales or contradicts itself."""
    if section is None:
        raise ConfigError(
            "has no [limits]", place=origin("limits"), mend="add a [limits] table; see docs/configuration.md"
        )
    reading = _Reading(origin)
    account = reading.scope(ACCOUNT, "", section, "limits")
    scopes = []
    for table, kind in TABLES.items():
        for name, below in getattr(section, table).items():
            scopes.append(reading.scope(kind, name, below, f"limits.{table}.{name}"))
    if section.canary is not None:
        scopes.append(reading.scope("canary", "", section.canary, "limits.canary"))
    if section.promoted:
        reading.places["account.promoted"] = "limits.promoted"
    says = [scope for scope in scopes if scope.values or scope.instruments is not None]
    tree = LimitTree(
        account=Limits(**account.values), scopes=tuple(sorted(says, key=rank)), instruments=account.instruments,
        promoted=tuple(sorted(set(section.promoted))),
        origins={key: origin(where) for key, where in reading.places.items()},
    )  # fmt: skip
    reading.check_windows(section)
    reading.check_scopes(tree)
    return tree


def unset_text(tree: LimitTree) -> str:
    """Which amounts of money nobody said, to be told loudly; empty: none."""
    off, partly = [], []
    for name in unset(tree.account):
        key = _KEYS[name]
        labels = [scope.label for scope in tree.scopes if scope.kind != "canary" and key in scope.values]
        if labels:
            partly.append(f"{name} (but for {', '.join(labels)})")
        else:
            off.append(name)
    texts = [f"not set: {', '.join(off)}: those controls are off"] if off else []
    texts += [f"not set for the account: {', '.join(partly)}"] if partly else []
    return "; ".join(texts)


def check_names(
    tree: LimitTree, venues: Collection[str], markets: Collection[str], symbols: Collection[str], algos: Collection[str]
) -> None:
    """Raises ConfigError for limits of a venue, market or algo that the session has not: they would hold nobody."""
    known = {"venue": list(venues), "instrument": [*symbols, *markets], "algo": list(algos)}
    for scope in tree.scopes:
        if scope.kind == "canary" or scope.name in known[scope.kind]:
            continue
        there = known[scope.kind]
        table = next(table for table, kind in TABLES.items() if kind == scope.kind)
        place = next((place for key, place in tree.origins.items() if key.startswith(f"{scope.label}.")), "limits")
        near = next((name for name in there if scope.name.lower().partition(":")[2] in _tails(name)), "")
        close = [near] if near else difflib.get_close_matches(scope.name, there, 1)
        mend = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(
            f"limits.{table}.{scope.name}: the session has no {scope.kind} of this name", place=place,
            mend=f"{mend}there {'is' if len(there) == 1 else 'are'}: {', '.join(there) or 'none'}",
        )  # fmt: skip


def canonical(name: str) -> str:
    """A pool's address in small letters, as markets are named; everything else as it is."""
    symbol, at, address = name.partition("@0x")
    return symbol + at + address.lower()


def _tails(market: str) -> set[str]:
    """What a market may be called by mistake: `dex_arb:0x…` for `dex_arb:ETH/USD@0x…`; case aside."""
    rest = market.lower().partition(":")[2]
    return {rest, rest.rpartition("@")[2]} - {""}


class _Reading:
    """One section on its way to a tree. `places`: a limit of the tree → the dotted name of the setting that said it."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.places: dict[str, str] = {}

    def refuse(self, where: str, problem: str, mend: str) -> ConfigError:
        return ConfigError(f"{where}{problem}", place=self.origin(where), mend=mend)

    def scope(self, kind: str, name: str, section: Section, where: str) -> Scope:
        if kind in TABLES.values() and (not name or name != name.strip() or not name.isprintable()):
            raise self.refuse(where, f": {name!r} is no {kind}'s name", "write its name between quotes")
        made = Scope(kind, canonical(name), {})
        for said_as in type(section).model_fields:
            value, key, at = getattr(section, said_as), _KEYS.get(said_as, ""), f"{where}.{said_as}"
            if key and value is not None:
                made.values[key] = self.types(value, at) if key == "order_types" else self.integer(key, value, at)
                self.places[f"{made.label}.{key}"] = at
        permitted = getattr(section, "permitted", None)
        if permitted is None:
            return made
        self.places[f"{made.label}.instruments"] = at = f"{where}.permitted"
        return Scope(kind, made.name, made.values, self.instruments(permitted, at, name if kind == "venue" else ""))

    def integer(self, key: str, amount: Decimal | int, where: str) -> int:
        decimals = term(key)[1]
        try:
            value = scaled(amount, decimals)
        except NumberError as error:
            raise self.refuse(where, f": {error}", f"use at most {decimals} decimals") from None
        if value >= UNSET:
            raise self.refuse(where, f" = {amount} is too large", "the guest's records hold 63 bits")
        return value

    def types(self, said_types: Sequence[str], where: str) -> int:
        for name in said_types:
            if name not in ORDER_TYPES:
                close = difflib.get_close_matches(name.lower(), ORDER_TYPES, 1)
                mend = f"did you mean {close[0]}?" if close else f"there are: {', '.join(ORDER_TYPES)}"
                raise self.refuse(where, f": {name!r} is no order type", mend)
        return sum(bit for name, bit in ORDER_TYPES.items() if name in said_types)

    def instruments(self, permitted: Sequence[str], where: str, venue: str) -> tuple[str, ...]:
        """Of a venue's scope, symbols become that venue's markets."""
        made = set()
        for name in permitted:
            if not name or name != name.strip() or not name.isprintable():
                raise self.refuse(where, f": {name!r} is no instrument", "write BTC/USD, or kraken:BTC/USD")
            own = market_of(name)[0]
            if venue and own not in ("", venue):
                raise self.refuse(where, f": {name} is not at {venue}", f"name instruments of {venue} alone")
            made.add(canonical(f"{venue}:{name}" if venue and not own else name))
        return tuple(sorted(made))

    def check_windows(self, section: LimitsSection) -> None:
        """A window of what is not limited: whoever wrote it takes that control for on."""
        sections: list[Section] = [
            section,
            *section.venues.values(),
            *section.instruments.values(),
            *section.algos.values(),
        ]
        for window, limit in _WINDOWS.items():
            is_used = any(getattr(one, limit, None) is not None for one in sections)
            if getattr(section, window) is not None and not is_used:
                problem = f" = {getattr(section, window)} without {limit}: that control is off"
                raise self.refuse(f"limits.{window}", problem, f"set {limit}, or leave {window} out")

    def check_scopes(self, tree: LimitTree) -> None:
        """A scope that is let more than one around it."""
        for inner in tree.scopes:
            around = [ACCOUNT, *(outer.label for outer in tree.scopes if lies_in(inner, outer))]
            for outer, key in ((outer, key) for outer in around for key in (*inner.values, "instruments")):
                if key == "max_orders" or (key == "instruments" and inner.instruments is None):
                    continue
                value, bound = said(tree, inner.label, key), in_force(tree, outer, key)
                if is_looser_value(key, bound, value):
                    raise self.contradiction(tree, inner.label, outer, key)

    def contradiction(self, tree: LimitTree, label: str, outer: str, key: str) -> ConfigError:
        value, bound = said(tree, label, key), in_force(tree, outer, key)
        holder = "its account" if outer == ACCOUNT else outer
        source = "max_order_rate" if key == "max_cancel_rate" and said(tree, outer, key) == UNSET else key
        there = tree.origin(outer, source) or self.origin("limits")
        if key in ("instruments", "order_types"):
            extra = _extra(key, bound, value)
            return self.refuse(
                self.places[f"{label}.{key}"], f": {', '.join(extra)} is not permitted by {holder}",
                f"leave it out, or permit it there ({there})",
            )  # fmt: skip
        why = f" (its {source})" if source != key else ""
        problem = f" = {value_text(key, value)} is more than {holder}'s {value_text(key, bound)}{why}"
        return self.refuse(self.places[f"{label}.{key}"], problem, f"lower it, or raise the other ({there})")


def _extra(key: str, bound: Value, value: Value) -> list[str]:
    """What the narrower scope permits and the wider does not."""
    if key == "order_types":
        return type_names(number(value) & ~number(bound))
    return [name for name in names(value) if not covers(names(bound), [name])]
