"""What `gateway status` shows: the states of all scopes, limits with what is left of them, books, journal, drill.

Made on the main loop from what is there; whether the gateway is ready, and if not why, is answered from the same.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from connectors.events import Ticker
from risk.limit_terms import Value, value_text
from risk.limits import ACCOUNT, UNSET, LimitTree, said
from risk.standing import Standing
from risk.states import ALL, Cause, TradingState
from runtime.audit import TOP, Record
from runtime.port import Port
from runtime.session import Session

SECOND_NS: Final = 10**9


class Around(Protocol):
    """What is asked of a session's surroundings (`person.Surroundings`)."""

    journal: Callable[[], dict[str, Any]] | None
    last_drill: dict[str, Any] | None
    drill_max_age_h: int


def standing_of(session: Session, around: Around, held_by: str, now_ns: int) -> dict[str, Any]:
    """Plain values for JSON. `now_ns` is the wall clock's, as the session's own times are."""
    engine = session.engine
    limits, problem = _limits(session)
    standing = {
        "state": str(engine.gate.states.get(ALL)),
        "scopes": {scope: _cause(cause) for scope, cause in sorted(engine.gate.states.causes.items())},
        "problem": problem,
        "kill_file": held_by,
        "is_paper": engine.spec.is_paper,
        "is_sim": engine.spec.is_sim,
        "is_ended": session.is_stopped,
        "latched": [f"{one['scope']} {one['key']} {one['currency']}".strip() for one in limits if one["latched"]],
        "limits": limits,
        "in_force": in_force(session.engine.gate.tree),
        "books": _books(session, now_ns),
        "venues": _venues(session, now_ns),
        "journal": around.journal() if around.journal is not None else None,
        "drill": _drill(around.last_drill, now_ns),
        "counts": _counts(session),
    }
    reasons = not_ready(standing, around.drill_max_age_h)
    return {**standing, "is_ready": not reasons, "not_ready": reasons}


def not_ready(standing: dict[str, Any], drill_max_age_h: int) -> list[str]:
    """Why this gateway should not be relied on to trade; empty if it may be."""
    reasons = ["the session has ended"] if standing["is_ended"] else []
    for scope, cause in standing["scopes"].items():
        if cause["state"] == TradingState.HALTED:
            reasons.append(f"{scope} is HALTED: {cause['what']} by {cause['who'] or 'the gateway'}")
    reasons += [f"{latch} is latched: gateway arm" for latch in standing["latched"]]
    reasons += [standing[key] for key in ("kill_file", "problem") if standing[key]]
    for name, book in standing["books"].items():
        if not book["valid"] and not book["is_pool"]:
            reasons.append(f"no valid book of {name}: {book['reason'] or 'none yet'}")
    for name, venue in standing["venues"].items():
        if not venue["reconciled"]:
            why = venue["account"]["why"] if venue["account"] is not None else "not compared yet"
            reasons.append(f"{name} is not reconciled: {why}")
    journal = standing["journal"]
    if journal is not None and journal.get("failed"):
        reasons.append(f"the journal does not work: {journal['failed']}")
    if drill_max_age_h and (standing["is_paper"] or standing["is_sim"]):  # live, none may be held
        drill = standing["drill"]
        if drill is None:
            reasons.append("no drill of the kill switch is known: gateway drill")
        elif drill["age_s"] > drill_max_age_h * 3600:
            reasons.append(
                f"the last drill is {drill['age_s'] // 3600} h old, at most {drill_max_age_h} h: gateway drill"
            )
    return reasons


def _cause(cause: Cause) -> dict[str, Any]:
    return {"state": str(cause.state), "what": cause.what, "who": cause.who, "since_ns": cause.since_ns}


def _limits(session: Session) -> tuple[list[dict[str, Any]], str]:
    """Every limit of a sum; or why they cannot be told: money that is broken is no reason to show nothing."""
    try:
        return [_limit(one) for one in session.engine.gate.standing()], ""
    except Exception as error:  # noqa: BLE001 - whatever a sum does
        return [], f"limits cannot be told: {type(error).__name__}: {error}"


def in_force(tree: LimitTree) -> list[dict[str, str]]:
    """Every limit that holds somebody, of each scope, with the file and line that said it; without one, a default."""
    rows: list[tuple[str, str, Value]] = [row for row in said(tree) if row[2] != UNSET]
    named = [(ACCOUNT, tree.instruments), *((scope.label, scope.instruments) for scope in tree.scopes)]
    rows += [(label, "instruments", names) for label, names in named if names is not None]
    labels = [ACCOUNT, *(scope.label for scope in tree.scopes)]
    return [
        {
            "scope": label, "key": key, "limit": value_text(key, value),
            "origin": tree.origin(label, key) or ("default" if label == ACCOUNT else ""),
        }
        for label, key, value in sorted(rows, key=lambda row: labels.index(row[0]))
    ]  # fmt: skip


def _limit(one: Standing) -> dict[str, Any]:
    """A limit that nobody says any more, and whose latch is still there, has no number."""
    is_said = one.limit != UNSET
    return {
        "scope": one.scope, "key": one.key, "currency": one.currency, "limit": one.limit if is_said else None,
        "observed": one.observed, "headroom": one.headroom if is_said else None, "latched": one.latched,
        "is_known": one.is_known,
    }  # fmt: skip


def _books(session: Session, now_ns: int) -> dict[str, Any]:
    """Of every market that some algo trades at; without algos of all. Pools come and go by themselves."""
    engine = session.engine
    traded = {market for algo in engine.algos for market in algo.deployment.markets} or set(range(len(engine.books)))
    port_of = {index: port for port in engine.ports.values() for index in port.indices}
    told = {}
    for index in sorted(traded):
        book, port = engine.books[index], port_of[index]
        told[engine.names[index]] = {
            "valid": book.valid, "reason": book.reason, "is_pool": index in port.pools,
            "audit": audit_of(engine.auditor.records.get(index), port, index, book.depth, now_ns),
            "ticker": ticker_of(engine.tickers.get(index)),
        }  # fmt: skip
    return told


def audit_of(record: Record | None, port: Port, index: int, depth: int, now_ns: int) -> dict[str, Any] | None:
    """What proves the levels of a book: `covered` by the venue's checksum with every message, `audited_to` by the last
    look at the whole of it. None: a pool's ladder is made of the pool's state, which is audited elsewhere; and at most
    exchanges there is neither, the sequence is all that proves a book.
    """
    if index in port.pools or not (port.checksum or port.spec.venue.capabilities.audit):
        return None
    record = record or Record()
    return {
        "is_on": port.spec.audit_ns > 0, "depth": depth, "covered": min(TOP, depth) if port.checksum else 0,
        "audited_to": record.levels, "age_s": max(now_ns - record.last_ns, 0) // SECOND_NS if record.levels else None,
        "passed": record.passed, "mismatches": record.mismatches, "found": record.found,
        "inconclusive": record.inconclusive, "why": record.why,
    }  # fmt: skip


def ticker_of(ticker: Ticker | None) -> dict[str, Any] | None:
    if ticker is None:
        return None
    return {
        "last_1e9": ticker.last_1e9, "volume_1e8": ticker.volume_1e8, "high_1e9": ticker.high_1e9,
        "low_1e9": ticker.low_1e9, "ts_venue": ticker.ts_venue,
    }  # fmt: skip


def _venues(session: Session, now_ns: int) -> dict[str, Any]:
    accounts = session.engine.accounts
    return {
        name: {
            "up": port.link.last_ns >= 0, "system": port.link.system, "reconciled": port.link.is_reconciled,
            "silent_ms": max(now_ns - port.link.last_ns, 0) // 10**6 if port.link.last_ns >= 0 else None,
            "account": accounts[name].told(now_ns) if name in accounts else None,
            "options": dict(port.spec.options) if name in accounts else {},
        }
        for name, port in session.engine.ports.items()
    }  # fmt: skip


def _drill(last: dict[str, Any] | None, now_ns: int) -> dict[str, Any] | None:
    return None if last is None else {**last, "age_s": max(now_ns - last["at_ns"], 0) // SECOND_NS}


def _counts(session: Session) -> dict[str, Any]:
    engine = session.engine
    return {
        "frames": engine.stats.frames, "actions": engine.desk.actions, "approved": engine.desk.approved,
        "denied": {str(reason): count for reason, count in sorted(engine.desk.denied.items())},
        "fills": engine.oms.fills, "open_orders": len(engine.gate.account.live), "anomalies": engine.oms.anomalies,
        "disabled": [algo.name for algo in engine.algos if algo.is_faulty],
    }  # fmt: skip
