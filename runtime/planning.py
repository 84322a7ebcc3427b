"""`gateway plan`: a recording under its own limits, and what other limits would have decided, given what happened.

What a guest would have done next, had it been refused, nobody can know: the recording goes on as it was, and each
action is judged by both (`shadow.py`).
"""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from connectors.errors import TapeError
from risk.denial import Denied
from risk.happenings import Latched, Switched
from risk.limits import LimitTree
from risk.switchboard import GATEWAY
from runtime import config as configuration
from runtime.config_limits import check_names, limits_of, unset_text
from runtime.explaining import amount, denial, passes_fields, when
from runtime.inputs import ActionRecord, Input
from runtime.recordings import Recording, spec_of_recording
from runtime.replay import replay
from runtime.session import Session
from runtime.shadow import Followed, Other
from runtime.sinks import action_row, grid_of

Tell = Callable[[str, str], None]
_APPROVED: Final = "approved"


def plan(limits: Path, recording: Recording, tell: Tell) -> dict[str, Any]:
    """`gateway plan`. Raises ConfigError, TapeError, ModuleError."""
    planned = _planned(limits, tell)
    with closing(recording.reader()) as tape:
        if tape.header is None:
            mend = "plan on a tape that venuegate recorded: gateway serve --record"
            raise TapeError("is a recording made by others: it has no decisions", place=str(recording.file), mend=mend)
        session = Session(spec_of_recording(recording, tape, None, "", None, tell), gate=partial(Followed, planned))
        engine = session.engine
        check_names(planned, list(engine.ports), engine.names, engine.spec.symbols, [one.name for one in engine.algos])
        differing = Differing(session, planned)
        replay(session, tape)
    return {"tape": str(recording.file), "limits": str(limits), **differing.result()}


def _planned(path: Path, tell: Tell) -> LimitTree:
    config = configuration.load([path], {}, default=False)
    tree = limits_of(config.limits, config.origin)
    if missing := unset_text(tree):
        tell(f"{path}: {missing}", "warning")
    return tree


class Differing:
    """A watcher: what the two gates of a `Followed` session decided differently, action by action."""

    def __init__(self, session: Session, planned: LimitTree) -> None:
        self._planned = planned
        self._gate = _followed(session)
        self.actions: list[dict[str, Any]] = []
        self.approved = self.refused = 0
        self._did: dict[bool, list[dict[str, Any]]] = {False: [], True: []}  # by itself: the one, and the shadow
        session.watchers.append(self)

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        del given
        for is_shadow, happened in ((False, session.engine.asides), (True, self._gate.shadow.take())):
            self._did[is_shadow] += [_happening(now_ns, one) for one in happened if _is_own(one)]
        others = {other.approval or id(other.denied): other for other in self._gate.others}
        for record in session.engine.trace:
            if not isinstance(record, ActionRecord) or record.by == "gateway":
                continue
            self.approved += record.approval > 0
            self.refused += record.denied is not None
            other = others.get(record.approval or id(record.denied))
            if other is not None:
                self.actions.append(self._row(session, record, other, now_ns))
        self._gate.others.clear()

    def _row(self, session: Session, record: ActionRecord, other: Other, now_ns: int) -> dict[str, Any]:
        """The action, what it was and would be, and the denial that is one of the two in full."""
        row = action_row(session, record, now_ns) | _seen(session, other)
        was = str(other.denied.reason) if other.denied is not None else _APPROVED
        if other.would is None:
            return denial(row) | {"was": was, "would": _APPROVED}
        entry = row | _fields(other.would, self._planned) | {"passes": passes_fields(other.passes)}
        return denial({key: value for key, value in entry.items() if value != {}}) | {
            "was": was, "would": str(other.would.reason)
        }  # fmt: skip

    def result(self) -> dict[str, Any]:
        """Totals, counts by reason, latches of both, and every action that would have been decided otherwise."""
        refuse = Counter(row["would"] for row in self.actions if row["was"] == _APPROVED)
        allow = Counter(row["was"] for row in self.actions if row["would"] == _APPROVED)
        change = Counter(
            f"{row['was']} → {row['would']}" for row in self.actions if _APPROVED not in (row["was"], row["would"])
        )
        return {
            "approved": self.approved, "refused": self.refused,
            "would_refuse": refuse.total(), "would_allow": allow.total(), "other_reason": change.total(),
            "refuse_by_reason": dict(sorted(refuse.items())), "allow_by_reason": dict(sorted(allow.items())),
            "reason_changes": dict(sorted(change.items())),
            "latches": self._did[False], "would_latch": self._did[True],
            "actions": self.actions,
        }  # fmt: skip


def _followed(session: Session) -> Followed:
    gate = session.engine.gate
    assert isinstance(gate, Followed)  # noqa: S101 - made two lines above
    return gate


def _fields(denied: Denied, tree: LimitTree) -> dict[str, Any]:
    return {
        "verdict": "denied", "reason": str(denied.reason), "code": int(denied.code), "limit": denied.limit,
        "observed": denied.observed, "rule": denied.rule, "scope": denied.scope, "key": denied.key,
        "before": denied.before, "headroom": denied.headroom,
        "origin": tree.origin(denied.scope, denied.key) if denied.key else "",
    }  # fmt: skip


def _seen(session: Session, other: Other) -> dict[str, Any]:
    """Market, grid and book of the decision."""
    if other.market < 0:
        return {}
    market = session.engine.gate.markets[other.market]
    found = {"market": market.name, "base": market.base, "quote": market.quote, **grid_of(market)}
    return found | {"book": {"bids": other.bids, "asks": other.asks, "valid": other.valid}}


def _is_own(one: object) -> bool:
    return isinstance(one, Latched) or (isinstance(one, Switched) and one.who == GATEWAY)


def _happening(now_ns: int, one: Any) -> dict[str, Any]:
    row = {"now_ns": now_ns, "scope": one.scope}
    if isinstance(one, Latched):
        return row | {"what": str(one.reason), "quote": one.quote, "limit": one.limit, "observed": one.observed}
    return row | {"what": f"{one.after}: {one.what}"}


# --- for people ------------------------------------------------------------------------------------------------------


def text(result: dict[str, Any]) -> list[str]:
    """What a person reads: totals first, then each action."""
    refuse, approved = f"{result['would_refuse']:,}", f"{result['approved']:,}"
    allow, refused = f"{result['would_allow']:,}", f"{result['refused']:,}"
    would = f"would have refused {refuse} of {approved} approved actions, allowed {allow} of {refused} refused ones"
    lines = [f"{result['limits']} {would}"]
    if result["other_reason"]:
        lines.append(f"{result['other_reason']:,} more would have been refused for another reason")
    for title, key in (("refused ", "refuse_by_reason"), ("allowed ", "allow_by_reason"), ("", "reason_changes")):
        lines += [f"  {title}{reason}: {count:,}" for reason, count in result[key].items()]
    for title, key in (("latched", "latches"), ("would have latched", "would_latch")):
        lines += [f"{title}: {_latch_text(one)}" for one in result[key]]
    for row in result["actions"]:
        lines += ["", f"{row['was']} → {row['would']}", *row["text"]]
    return lines


def _latch_text(one: dict[str, Any]) -> str:
    shown = f"{when(one['now_ns'])}  {one['scope']}: {one['what']}"
    if "limit" not in one:
        return shown
    rule = "(1e-9)" if one["quote"] else ""
    unit = {"quote": one["quote"], "reason": one["what"]}
    return f"{shown}, {amount(one['observed'], rule, unit)} (limit {amount(one['limit'], rule, unit)})"
