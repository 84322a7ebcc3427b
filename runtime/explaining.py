"""`gateway explain`: one action, from what was written down about it, in a person's words.

Everything here reads entries: one dictionary an action (`sinks.action_row`, with the `book` it was judged by) or a
report, each with its `kind` and `now_ns`. A tape's replay, a journal and a running gateway all give them
(`decisions.py`), so all three explain alike.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text
from risk.denial import REASONS, DenyReason
from risk.limit_terms import term, type_names
from runtime.passing import Passes, of_row
from runtime.reasons import place_text

Entry = Mapping[str, Any]
_SECOND_NS: Final = 10**9
_SENT_MAX: Final = 300  # characters of an order's bytes that are shown
_LABEL: Final = 10
_SCALES: Final = (("(1e-8)", SIZE_DECIMALS), ("(1e-9)", MONEY_DECIMALS))
_ENDS: Final = frozenset({"canceled", "rejected", "expired"})


def explained(entry: Entry, entries: Iterable[Entry] = ()) -> dict[str, Any]:
    """One action with all that is known: its own fields, what they mean, `text` for people.

    `entries`: where an approved order's later life is looked for.
    """
    if entry["verdict"] == "denied":
        return denial(entry)
    name = entry.get("client_order_id", "")
    life = [one for one in entries if name and one.get("client_order_id") == name] or [entry]
    return {**entry, "life": life, "text": _life_text(entry, life)}


def denial(entry: Entry) -> dict[str, Any]:
    """A denied action: what its reason means, in whose words the limit stands, and what would have passed."""
    reason = entry["reason"]
    found: dict[str, Any] = dict(entry)
    if reason in DenyReason.__members__:
        meaning = REASONS[DenyReason(reason)]
        found |= {"meaning": meaning.text, "category": str(meaning.category), "control": meaning.control,
                  "place": place_text(reason)}  # fmt: skip
    if entry.get("key"):
        found |= {"setting": setting(entry["key"]), "said_in": origin_text(entry)}
    passes = entry.get("passes") or passes_fields(of_row(entry))
    if passes:
        found["passes"] = passes
    return found | {"text": _denial_text(found)}


def passes_fields(passes: Passes | None) -> dict[str, Any]:
    """As an entry keeps it under `passes`: what is said, and no more."""
    if passes is None:
        return {}
    fields = {key: getattr(passes, key) for key in passes.__struct_fields__}
    return {key: value for key, value in fields.items() if value is not None and value is not False}


# --- words -----------------------------------------------------------------------------------------------------------


def setting(key: str) -> str:
    """A limit's name in a file: `max_position_1e8` → `max_position`."""
    return term(key)[0]


def origin_text(entry: Entry) -> str:
    """The file and line that says a limit; where none does, what else it is."""
    from runtime.config import paper_limits

    scope, key, origin = entry["scope"], entry["key"], entry.get("origin", "")
    shipped = paper_limits()
    is_shipped = scope == "account" and getattr(shipped.account, key, None) == entry["limit"]
    if origin:
        return f"{origin} (the shipped paper limits)" if is_shipped and origin == shipped.origin(scope, key) else origin
    return "the default, or the shipped paper limits" if is_shipped else "no file that is known here"


def amount(value: int, rule: str, entry: Entry) -> str:
    """An integer at the scale that `rule` names, with its unit."""
    for mark, decimals in _SCALES:
        if rule.endswith(mark):
            unit = _unit(rule, mark, entry)
            return f"{trimmed_text(value, decimals)} {unit}".rstrip()
    if rule.endswith("(bps)"):
        return f"{value} bps"
    if rule.endswith("(ns)"):
        return "never" if value < 0 else f"{trimmed_text(value, 9)} s"
    if entry["reason"] == DenyReason.ORDER_TYPE_NOT_ALLOWED:
        return ", ".join(type_names(value)) or "none"
    return str(value)


def _unit(rule: str, mark: str, entry: Entry) -> str:
    if entry["reason"] == DenyReason.INSUFFICIENT_BALANCE:
        return rule.partition(" ")[0]
    return str(entry.get("base" if mark == "(1e-8)" else "quote", ""))


def when(now_ns: int) -> str:
    """UTC, to the millisecond."""
    seconds, rest = divmod(now_ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 10**6:03d} UTC"


def action_text(entry: Entry) -> str:
    """`buy 0.5 BTC at 62807.1 USD (limit) at kraken:BTC/USD`."""
    base, quote, market = entry.get("base", ""), entry.get("quote", ""), entry.get("market", "")
    where = f" at {market}" if market else ""
    if entry["kind"] == "cancel":
        return f"cancel of its order {entry['order_id']}{where}"
    side = {1: "buy", -1: "sell"}.get(entry["side"], f"side {entry['side']}")
    what = {"new": side, "amend": f"amend of its order {entry['order_id']} to"}.get(entry["kind"], entry["kind"])
    text = f"{what} {trimmed_text(entry['qty_1e8'], SIZE_DECIMALS)} {base}".rstrip()
    if entry["order_type"] != "market" or entry["kind"] == "amend":
        text += f" at {trimmed_text(entry['px_1e9'], PRICE_DECIMALS)} {quote}".rstrip()
    return f"{text} ({entry['order_type']}){where}" if entry["kind"] == "new" else f"{text}{where}"


def _head(entry: Entry) -> str:
    name = f" {entry['client_order_id']}" if entry.get("client_order_id") else ""
    asker = entry["algo"] if entry["by"] == "algo" else f"{entry['algo']} (by the {entry['by']})"
    return f"#{entry['n']}{name}  {when(entry['now_ns'])}  {asker}: {action_text(entry)}"


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"


# --- a denial --------------------------------------------------------------------------------------------------------


def _denial_text(entry: Entry) -> list[str]:
    lines = [_head(entry), _line("denied", f"{entry['reason']} (code {entry['code']}): {entry.get('meaning', '')}")]
    if "control" in entry:
        lines.append(_line("check", f"{entry['place']}; {entry['control']}"))
    rule, scale = entry["rule"], entry["rule"].rpartition(" (")[0] or entry["rule"]
    lines.append(_line("rule", scale))
    if entry.get("key"):
        limit = amount(entry["limit"], rule, entry)
        lines.append(_line("limit", f"{limit}: {entry['scope']} {entry['setting']}, {entry['said_in']}"))
        seen = f"{amount(entry['observed'], rule, entry)} with this order"
        lines.append(_line("observed", f"{seen}, {amount(entry['before'], rule, entry)} without"))
        lines.append(_line("headroom", amount(entry["headroom"], rule, entry)))
    else:
        lines.append(_line("limit", amount(entry["limit"], rule, entry)))
        lines.append(_line("observed", amount(entry["observed"], rule, entry)))
    return [*lines, *_cause_text(entry), *_book_text(entry), *_passes_text(entry)]


def _cause_text(entry: Entry) -> list[str]:
    cause = entry.get("cause")
    if cause is None:
        is_stopping = entry["reason"] == DenyReason.REDUCE_ONLY and entry["scope"] == "all"
        return [_line("state", "the session was stopping: only what reduces passes")] if is_stopping else []
    return [
        _line("state", f"{cause['state']} since {when(cause['since_ns'])} by {cause['who'] or '?'}: {cause['what']}")
    ]


def _book_text(entry: Entry) -> list[str]:
    book = entry.get("book")
    if not book:
        return [_line("book", "none: no market was known yet")]
    lines = [_line("book", "valid" if book["valid"] else "not valid")]
    for side in ("bids", "asks"):
        levels = [f"{trimmed_text(px, PRICE_DECIMALS)} × {trimmed_text(sz, SIZE_DECIMALS)}" for px, sz in book[side]]
        lines.append(_line("", f"{side} {', '.join(levels) or 'none'}"))
    return lines


def _passes_text(entry: Entry) -> list[str]:
    passes, base, quote = entry.get("passes"), entry.get("base", ""), entry.get("quote", "")
    if not passes:
        return []
    parts = []
    most, least, low, high = ("at",) * 4 if _is_grid(entry) else ("at most", "at least", "from", "up to")
    for key, word in (("qty_max_1e8", most), ("qty_min_1e8", least)):
        if key in passes:
            parts.append(f"{word} {trimmed_text(passes[key], SIZE_DECIMALS)} {base}".rstrip())
    for key, word in (("px_min_1e9", low), ("px_max_1e9", high)):
        if key in passes:
            parts.append(f"{word} {trimmed_text(passes[key], PRICE_DECIMALS)} {quote}".rstrip())
    if "from_ns" in passes:
        parts.append(f"from {when(passes['from_ns'])} on")
    if passes.get("px_min_1e9", 0) > passes.get("px_max_1e9", passes.get("px_min_1e9", 0)) and not _is_grid(entry):
        parts = ["no price"]
    if passes.get("qty_max_1e8") == 0 and len(passes.keys() - {"is_exact"}) == 1:
        parts = ["no quantity"]
    joint = " or " if _is_grid(entry) else " "
    tail = "" if passes.get("is_exact") else " (by this limit alone)"
    return [_line("passes", joint.join(parts) + tail)]


def _is_grid(entry: Entry) -> bool:
    """Off the grid there are two ways back to it, not a range."""
    return bool(entry["reason"] == DenyReason.OFF_GRID)


# --- a life ----------------------------------------------------------------------------------------------------------


def _life_text(entry: Entry, life: list[Entry]) -> list[str]:
    market = next((one["market"] for one in life if one.get("market")), "")
    base, _, quote = market.partition(":")[2].partition("/")
    named = {"market": market, "base": base if quote else "", "quote": quote}
    lines = [_head({**named, **entry})]
    if entry["verdict"] == "ended":
        return [*lines, _line("ended", "the intent was waiting, nothing of it was open")]
    filled = value = 0
    end = "open"
    for one in life:
        lines += [_line("", f"{when(one['now_ns'])}  {text}") for text in _event_text({**named, **one})]
        if one.get("exec_type") == "trade":
            filled += one["last_qty_1e8"]
            value += one["last_qty_1e8"] * one["last_px_1e9"]
            end = end if one.get("leaves_qty_1e8") or end in _ENDS else "filled"
        elif one.get("exec_type") in _ENDS:
            end = one["exec_type"]
    total = f"{trimmed_text(filled, SIZE_DECIMALS)} {named['base']}".rstrip()
    mean = f" at {trimmed_text(value // filled, PRICE_DECIMALS)} {quote} on average".rstrip() if filled else ""
    return [*lines, _line("end", f"{end}; {total} traded{mean}")]


def _event_text(one: Entry) -> list[str]:
    if one["kind"] != "report":
        if one["verdict"] == "denied":
            return [f"{action_text(one)}: denied, {one['reason']} (#{one['n']})"]
        who = "" if one["by"] == "algo" else f" by the {one['by']}"
        lines = [f"approved{who} ({one['approval']}): {action_text(one)} (#{one['n']})"]
        return [*lines, f"sent {one['sent']}"] if one.get("sent") else lines
    kind, quote = one["exec_type"], one["quote"]
    text = {"new": "acknowledged", "canceled": "cancelled"}.get(kind, kind.replace("_", " "))
    if kind == "trade":
        price, size = trimmed_text(one["last_px_1e9"], PRICE_DECIMALS), trimmed_text(one["last_qty_1e8"], SIZE_DECIMALS)
        left = trimmed_text(one.get("leaves_qty_1e8", 0), SIZE_DECIMALS)
        fee = trimmed_text(one.get("fee_1e9", 0), MONEY_DECIMALS)
        text = f"traded {size} at {price} {quote}, fee {fee} {quote}, {left} left"
    elif kind == "replaced":
        price, size = trimmed_text(one.get("px_1e9", 0), PRICE_DECIMALS), trimmed_text(one.get("qty_1e8", 0), 8)
        text = f"replaced: {size} at {price} {quote}"
    return [f"{text}: {one['text']}" if one.get("text") else text]


def sent_text(data: bytes) -> str:
    """An order's bytes, cut short; secrets stand in them by name only."""
    text = data.decode(errors="replace")
    return f"{len(data)} bytes: {text[:_SENT_MAX]}{'…' if len(text) > _SENT_MAX else ''}"
