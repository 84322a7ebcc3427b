"""A gateway's status for people: one line a scope, a limit, a book."""

from datetime import UTC, datetime
from typing import Any, Final

from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text
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
        "state": told["state"]
        + ("" if told["is_paper"] else ", simulated" if told["is_sim"] else ", live")
        + (", ended" if told["is_ended"] else ""),
        "busy": f"the loop has not answered for {told['busy_ms']} ms: this is what it was then"
        if told["busy_ms"]
        else "",
        "ready": "yes" if told["is_ready"] else "no: " + "; ".join(told["not_ready"]),
        "scopes": scopes or "all ACTIVE",
        "problem": told["problem"],
        "latched": ", ".join(told["latched"]),
        "books": {name: book_text(book) for name, book in told["books"].items()},
        "accounts": {
            name: account_text(venue["account"], venue["options"])
            for name, venue in told["venues"].items()
            if venue["account"]
        },
        "journal": _journal(journal) if journal is not None else "none is kept",
        "drill": f"{drill['age_s']} s ago by {drill['who']}" if drill is not None else "none is known",
        "counts": told["counts"],
    }


def account_text(account: dict[str, Any], options: dict[str, str]) -> str:
    """`equal, compared 12 s ago; 1 order in doubt: …; 2 open orders of others`."""
    parts = ["validating, no order is placed"] if options.get("validate") == "true" else []
    parts.append(account["why"] or "its record and ours are equal")
    if account["looked_s"] is not None:
        parts.append(f"compared {account['looked_s']} s ago")
    for name, why in account["in_doubt"].items():
        parts.append(f"{name} in doubt: {why}")
    if account["foreign"]:
        parts.append(f"{account['foreign']} open orders of others, left alone")
    for currency, amounts in account["drift"].items():
        ours, theirs = (trimmed_text(amount, SIZE_DECIMALS) for amount in amounts)
        parts.append(f"{currency} has drifted: by our record {ours}, by the venue's {theirs}")
    return "; ".join(parts)


def book_text(book: dict[str, Any]) -> str:
    """`valid; levels 11–25 not audited yet; last 62806.9, 2812.4 in 24 h`."""
    parts = ["valid" if book["valid"] else f"none: {book['reason']}"]
    audit, ticker = book["audit"], book["ticker"]
    if audit is not None:
        parts += _levels(audit) if book["valid"] else []
        if audit["mismatches"]:
            parts.append(f"{audit['mismatches']} found wrong by an audit and loaded anew, last: {audit['found']}")
        if audit["inconclusive"]:
            parts.append(f"{audit['inconclusive']} audits said nothing, last: {audit['why']}")
    if ticker is not None:
        volume = trimmed_text(ticker["volume_1e8"], SIZE_DECIMALS)
        parts.append(f"last {trimmed_text(ticker['last_1e9'], PRICE_DECIMALS)}, {volume} in 24 h")
    return "; ".join(parts)


def _levels(audit: dict[str, Any]) -> list[str]:
    """Which levels rest on the feed alone. Below the checksum nothing but an audit proves that none was lost."""
    proved = max(audit["audited_to"], audit["covered"])
    out = [f"audited {audit['age_s']} s ago"] if audit["audited_to"] else []
    if audit["audited_to"] and audit["audited_to"] < audit["depth"]:
        out = [f"levels 1–{audit['audited_to']} {out[0]}"]
    if proved < audit["depth"]:
        out.append(f"levels {proved + 1}–{audit['depth']} not audited" + (" yet" if audit["is_on"] else ""))
    return out


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
