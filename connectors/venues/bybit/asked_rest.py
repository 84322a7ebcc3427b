"""What an HTTP request to Bybit asks for, read from Bybit's documentation and from nothing of ours.

https://bybit-exchange.github.io/docs/v5/guide. `<id> <method> <path> [+skew_ms]`, a newline, the query or the JSON.
Only what is needed is understood: questions, the cancel of one order by our own id, and that of all orders of spot.
"""

import re
from typing import Any, Final

from connectors.orders import Asked
from connectors.strictjson import Number, strict_object, unread

_HEAD: Final = re.compile(rb"[0-9A-Za-z_-]+ (GET|POST) (/v5/[a-z0-9/-]+)(?: [+-][0-9]{1,9})?")
_QUERY: Final = re.compile(r"(?:[A-Za-z]+=[A-Za-z0-9._~%-]*(?:&[A-Za-z]+=[A-Za-z0-9._~%-]*)*)?")
_CANCEL: Final = frozenset({"category", "symbol", "orderLinkId"})


def asked_rest(data: bytes) -> list[Asked]:
    """Every cancel in one request; nothing for a question. Raises ValueError for what has another form."""
    head, newline, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        raise unread("no HTTP request: <id> <GET or POST> /v5/…, a newline, the query or the JSON")
    method, path = match[1].decode(), match[2].decode()
    if method == "GET":  # a question, whatever it says: Bybit changes nothing by GET
        if _QUERY.fullmatch(body.decode("ascii")) is None:
            raise unread(f"{path}: no query")
        return []
    params = strict_object(body)
    if params.get("category") != "spot":
        return [Asked(f"{path} of category {params.get('category')!r:.20}")]
    if path == "/v5/order/cancel-all":
        strange = params.keys() - {"category"}
        return [_with(path, strange)] if strange else [Asked("cancel_all")]
    if path == "/v5/order/cancel":
        strange = params.keys() - _CANCEL
        if strange:
            return [_with(path, strange)]
        return [Asked("cancel", _text(params, "orderLinkId"), _text(params, "symbol"))]
    return [Asked(path)]


def _text(params: dict[str, Any], name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or isinstance(found, Number) or not found:
        raise unread(f"{name} is no text")
    return found


def _with(path: str, fields: set[str]) -> Asked:
    return Asked(f"{path} with {', '.join(sorted(fields))}")
