"""A gateway's status for people: one line a scope, a limit, a book."""

from datetime import UTC, datetime
from typing import Any, Final

from connectors.units import trimmed_text
from risk.limit_terms import term

BUSY_MS: Final = 1000


def judged(told: dict[str, Any]) -> dict[str, Any]:
    """A loop that has not answered for so long is not ready, whatever it said last."""
    if told["busy_ms"] <= BUSY_MS:
        return told
    reasons = [*told["not_ready"], f"the loop has not answered for {told['busy_ms']} ms"]
    return {**told, "is_ready": False, "not_ready": reasons}


def for_people(told: dict[str, Any]) -> dict[str, Any]:
    """What matters first: states, latches, whether it is ready; empty things are left out by who prints it."""
    scopes = {scope: _cause(cause) for scope, cause in told["scopes"].items()}
    journal, drill = told["journal"], told["drill"]
    return {
        "state": told["state"] + ("" if told["is_paper"] else ", live") + (", ended" if told["is_ended"] else ""),
        "busy": f"the loop has not answered for {told['busy_ms']} ms: this is what it was then"
        if told["busy_ms"]
        else "",
        "ready": "yes" if told["is_ready"] else "no: " + "; ".join(told["not_ready"]),
        "scopes": scopes or "all ACTIVE",
        "problem": told["problem"],
        "latched": ", ".join(told["latched"]),
        "books": {
            name: "valid" if book["valid"] else f"none: {book['reason']}" for name, book in told["books"].items()
        },
        "journal": _journal(journal) if journal is not None else "none is kept",
        "drill": f"{drill['age_s']} s ago by {drill['who']}" if drill is not None else "none is known",
        "counts": told["counts"],
    }


def limits_for_people(told: dict[str, Any]) -> dict[str, str]:
    """What was observed: `account max_position BTC` → `0.1 of 0.5, 0.4 left`; then each limit as it was said."""
    lines = {f"{one['scope']} {term(one['key'])[0]} {one['currency']}".strip(): _limit(one) for one in told["limits"]}
    for one in told["in_force"]:
        where = f" ({one['origin']})" if one["origin"] else ""
        lines[f"limit {one['scope']} {term(one['key'])[0]}"] = f"{one['limit']}{where}"
    return lines


def _limit(one: dict[str, Any]) -> str:
    decimals = term(one["key"])[1]
    limit, observed, left = (
        "none" if one[name] is None else trimmed_text(one[name], decimals) for name in ("limit", "observed", "headroom")
    )
    text = f"{observed} of {limit}, {left} left" if one["is_known"] else f"not known yet, of {limit}"
    return text + (", LATCHED" if one["latched"] else "")


def _cause(cause: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(cause["since_ns"] // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{cause['state']} since {since}: {cause['what']} by {cause['who'] or 'the gateway'}"


def _journal(journal: dict[str, Any]) -> str:
    problem = f", FAILED: {journal['failed']}" if journal.get("failed") else ""
    return f"{journal.get('path', '')} ({journal.get('durability', '')}){problem}"
