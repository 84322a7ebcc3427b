"""One turn of the engine as rows of the journal: what people, `explain` and an auditor read. Names, not numbers."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from connectors.events import ExecReport
from risk.happenings import (
    Adopted,
    AllCancelled,
    DayRolled,
    Happening,
    Latched,
    LimitChanged,
    OverrideUsed,
    Promoted,
    Switched,
)
from risk.limits import UNSET, LimitTree, said, tree_of
from runtime import __version__
from runtime.inputs import ActionRecord, BookSeen, Command
from runtime.journal.chain import Row, digest
from runtime.sinks import action_row

if TYPE_CHECKING:
    from runtime.session import Session

KINDS: Final = (
    "session", "action", "report", "command", "switch", "latch", "limit", "override", "roll", "promote", "drill",
    "end", "state", "dropped",
)  # fmt: skip
_OF_REPORTS: Final = tuple(name for name in ExecReport.__struct_fields__ if name != "instrument")


def session_row(session: "Session", now_ns: int, *, who: str, python: str) -> Row:
    """The start: who runs what, with which modules, under which limits."""
    engine = session.engine
    spec = engine.spec
    tree = engine.gate.tree
    limits: dict[str, dict[str, int]] = {}
    for scope, key, value in said(tree):
        if value != UNSET:
            limits.setdefault(scope, {})[key] = value
    body = {
        "package": __version__,
        "python": python,
        "tag": spec.tag,
        "who": who,
        "is_paper": spec.is_paper,
        "is_sim": spec.is_sim,
        "venues": [venue.venue.name for venue in spec.venues],
        "symbols": list(spec.symbols),
        "algos": [{"name": algo.name, "sha256": algo.guest.sha256} for algo in spec.algos],
        "limits_sha256": limits_digest(tree),
        "limits": limits,
    }
    return Row(now_ns, "session", body)


def limits_digest(tree: LimitTree) -> str:
    """SHA-256 over what a tree of limits says, wherever it was read."""
    return digest(msgspec.json.encode(msgspec.structs.replace(tree_of(tree), origins={}), order="deterministic"))


def action(session: "Session", record: ActionRecord, book: BookSeen | None, now_ns: int) -> Row:
    """One action with its verdict; of a denied one the book at that moment, too."""
    body = action_row(session, record, now_ns)
    del body["now_ns"]  # the row has it
    if book is not None:
        body["book"] = {
            "market": session.engine.names[book.market], "valid": book.valid, "bids": book.bids, "asks": book.asks,
        }  # fmt: skip
    return Row(now_ns, "action", body, is_spare=record.denied is not None)


def report(session: "Session", given: ExecReport, now_ns: int) -> Row:
    """One report on one order, as it was told; what it does not say is left out."""
    body: dict[str, Any] = {name: value for name in _OF_REPORTS if (value := getattr(given, name))}
    if 0 <= given.instrument < len(session.engine.names):
        body["market"] = session.engine.names[given.instrument]
    return Row(now_ns, "report", body)


def command(given: Command, now_ns: int) -> Row:
    """A person's word, or a door's. New limits by their digest: what they changed is in rows of its own."""
    body: dict[str, Any] = {"name": given.name, "who": given.who}
    if given.target:
        body["target"] = given.target
    if given.params:
        body["params"] = given.params
    if given.limits is not None:
        body["limits_sha256"] = limits_digest(given.limits)
    if given.grant is not None:
        body["grant"] = given.grant
    return Row(now_ns, "command", body)


def happening(given: Happening, now_ns: int) -> Row:
    """What the gate did by itself, or by a command. A limit that nobody said is null."""
    match given:
        case Switched():
            kind = "switch"
        case Latched():
            kind = "latch"
        case LimitChanged():
            kind = "limit"
        case DayRolled():
            kind = "roll"
        case OverrideUsed():
            kind = "override"
        case Promoted():
            kind = "promote"
        case AllCancelled():
            kind = "cancel_all"
        case Adopted():
            kind = "adopt"
    body = {name: getattr(given, name) for name in given.__struct_fields__}
    if isinstance(given, LimitChanged):
        body |= {name: None for name in ("before", "after") if body[name] == UNSET}
    return Row(now_ns, kind, body)
