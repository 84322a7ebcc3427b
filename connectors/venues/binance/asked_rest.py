"""What an HTTP request to Binance asks for, read from Binance's documentation and from nothing of ours.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#cancel-order-trade. A head of
`<id> [GET|POST|DELETE] <path> [+skew_ms]`, a newline, the query. Only what is needed is understood: questions, and
cancels of one order by our own id.
"""

import re
from typing import Final

from connectors.orders import Asked
from connectors.strictjson import unread

_HEAD: Final = re.compile(rb"[0-9A-Za-z_-]+ (?:(GET|POST|DELETE) )?(/[A-Za-z0-9/_-]+)(?: [+-][0-9]{1,12})?")
_FIELD: Final = re.compile(r"([A-Za-z]+)=([A-Za-z0-9._~%-]*)")
_CANCEL: Final = frozenset({"symbol", "origClientOrderId", "recvWindow"})


def asked_rest(data: bytes) -> list[Asked]:
    """A cancel; nothing for a question. Raises ValueError for what has another form."""
    head, newline, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        raise unread("no HTTP request: <id> [<method>] <path>, a newline, the query")
    method, path = (match[1] or b"").decode(), match[2].decode()
    fields = _form(body)
    if method == "GET":
        return []
    if method == "DELETE" and path == "/api/v3/order":
        name = fields.get("origClientOrderId", "")
        window = fields.get("recvWindow", "0")
        if not name or "%" in name or not fields.keys() <= _CANCEL or not (window.isdigit() and int(window) <= 60_000):
            return [Asked(f"{method} {path} with {', '.join(sorted(fields)) or 'nothing'}")]
        return [Asked("cancel", name, fields.get("symbol", ""))]
    return [Asked(f"{method} {path}".lstrip())]


def _form(body: bytes) -> dict[str, str]:
    """Raises ValueError for what two readers could understand differently."""
    found: dict[str, str] = {}
    for part in body.decode("ascii").split("&") if body else ():
        match = _FIELD.fullmatch(part)
        if match is None:
            raise unread(f"{part!r:.40} is no field of a query")
        if match[1] in found:
            raise unread(f"{match[1]} stands twice")
        found[match[1]] = match[2]
    return found
