"""What differs between two trees of limits, and the part of it that only tightens.

A change that lets nothing new through may be made at once; one that does needs a person's word. A limit that nobody
says lets everything through, so saying one is tightening it, and taking one away is loosening it.
"""

from collections.abc import Iterator

import msgspec

from risk.limit_terms import NAME_LISTS, Value, is_looser_value, number, term, tighter_of, value_text
from risk.limits import ACCOUNT, ALL_TYPES, KEYS, KINDS, UNSET, Limits, LimitTree, Scope

ACCOUNT_KEYS = (*Limits.__struct_fields__, *NAME_LISTS)


class Change(msgspec.Struct, frozen=True):
    """One limit of one scope is no longer what it was.

    `key`: a field of Limits, `instruments`, `promoted` or the canary's `max_orders`. A `max_cancel_rate` that is not
    said is shown as the `max_order_rate` that then holds for cancels.
    """

    scope: str
    key: str
    before: Value
    after: Value

    @property
    def text(self) -> str:
        """`account.max_position 0.5 → 0.4`."""
        before, after = value_text(self.key, self.before), value_text(self.key, self.after)
        return f"{self.scope}.{term(self.key)[0]} {before} → {after}"


def is_looser(change: Change) -> bool:
    """Whether it lets anything through that was not let through before."""
    return is_looser_value(change.key, change.before, change.after)


def changes(old: LimitTree, new: LimitTree) -> list[Change]:
    """Every limit that holds otherwise in `new` than in `old`: the account's first, then scope by scope."""
    found = []
    for label, key in _places(old, new):
        before, after = in_force(old, label, key), in_force(new, label, key)
        if before != after:
            found.append(Change(label, key, before, after))
    return found


def tightened(old: LimitTree, new: LimitTree) -> LimitTree:
    """`old` with what is tighter in `new`, and nothing that is looser. Origins are those of whoever said the value."""
    values = {(label, key): _tighter(old, new, label, key) for label, key in _places(old, new)}
    for label in {label for label, key in values if key == "max_cancel_rate"}:
        orders, cancels = values[label, "max_order_rate"], values[label, "max_cancel_rate"]
        before, after = (said(tree, label, "max_cancel_rate") for tree in (old, new))
        if cancels == orders and cancels != after and UNSET in (before, after):
            values[label, "max_cancel_rate"] = UNSET  # as many as orders, as somebody left it
    origins = {}
    for (label, key), value in values.items():
        source = new if said(new, label, key) == value else old
        if where := source.origin(label, key):
            origins[f"{label}.{key}"] = where
    return _tree(values, {scope.label: scope for scope in (*old.scopes, *new.scopes)}, origins)


def said(tree: LimitTree, label: str, key: str) -> Value:
    """What a scope says itself: UNSET or None for nothing."""
    if label == ACCOUNT:
        value: Value = getattr(tree, key) if key in NAME_LISTS else getattr(tree.account, key)
        return value
    scope = tree.scope(label)
    if key == "instruments":
        return scope.instruments if scope is not None else None
    return scope.values.get(key, UNSET) if scope is not None else UNSET


def in_force(tree: LimitTree, label: str, key: str) -> Value:
    """What a scope's own limit comes to, said or not."""
    value = said(tree, label, key)
    if key == "max_cancel_rate" and value == UNSET:
        return said(tree, label, "max_order_rate")
    if isinstance(value, tuple):
        return tuple(sorted(set(value)))
    return ALL_TYPES if key == "order_types" and value == UNSET else value


def _tighter(old: LimitTree, new: LimitTree, label: str, key: str) -> Value:
    before, after = in_force(old, label, key), in_force(new, label, key)
    if not is_looser_value(key, before, after):
        return after if key == "max_cancel_rate" else said(new, label, key)
    kept = tighter_of(key, before, after)
    return said(old, label, key) if kept == before and key != "max_cancel_rate" else kept


def _places(old: LimitTree, new: LimitTree) -> Iterator[tuple[str, str]]:
    """Every scope of either tree, and what its kind may say."""
    for key in ACCOUNT_KEYS:
        yield ACCOUNT, key
    scopes = {scope.label: scope for scope in (*old.scopes, *new.scopes)}
    for label in sorted(scopes, key=lambda label: rank(scopes[label])):
        for key in sorted(KEYS[scopes[label].kind]):
            yield label, key
        yield label, "instruments"


def rank(scope: Scope) -> tuple[int, str]:
    """The order in which scopes stand in a tree."""
    return KINDS.index(scope.kind), scope.name


def _tree(values: dict[tuple[str, str], Value], known: dict[str, Scope], origins: dict[str, str]) -> LimitTree:
    account = {key: number(values[ACCOUNT, key]) for key in Limits.__struct_fields__}
    scopes = []
    for label, scope in known.items():
        own = {key: number(value) for (at, key), value in values.items() if at == label and key != "instruments"}
        own = {key: value for key, value in own.items() if value != UNSET}
        instruments = _list(values[label, "instruments"])
        if own or instruments is not None:
            scopes.append(Scope(scope.kind, scope.name, own, instruments))
    return LimitTree(
        account=Limits(**account), scopes=tuple(sorted(scopes, key=rank)),
        instruments=_list(values[ACCOUNT, "instruments"]), promoted=_list(values[ACCOUNT, "promoted"]) or (),
        origins=origins,
    )  # fmt: skip


def _list(value: Value) -> tuple[str, ...] | None:
    return value if isinstance(value, tuple) else None
