"""What a REST request to Kraken asks for, read from Kraken's documentation and from nothing of ours.

https://docs.kraken.com/api/docs/rest-api/cancel-order and the pages beside it. `<id> <path>`, a newline, the form. Only
what is needed is understood: questions, cancels by our own id, and the timer that can only cancel.
"""

import re
from typing import Final

from connectors.orders import Asked
from connectors.strictjson import unread

_HEAD: Final = re.compile(rb"[0-9A-Za-z_-]+ (/0/private/([A-Za-z]+))")
_FIELD: Final = re.compile(r"([a-z_]+)=([A-Za-z0-9._~-]*)")  # no escapes: nothing that we send needs one
# questions: whatever they say, no order moves
_QUESTIONS: Final = frozenset(
    {"GetApiKeyInfo", "GetWebSocketsToken", "OpenOrders", "ClosedOrders", "QueryOrders", "TradesHistory", "QueryTrades",
     "BalanceEx", "Balance"}
)  # fmt: skip


def asked_rest(data: bytes) -> list[Asked]:
    """Every cancel in one request; nothing for a question. Raises ValueError for what has another form."""
    head, newline, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        raise unread("no REST request: <id> /0/private/<Name>, a newline, the form")
    method = match[2].decode()
    if body.startswith(b"{"):
        return [Asked(f"{method} with a JSON body")]
    form = _form(body)
    if method in _QUESTIONS:
        return []
    if method == "CancelAll":
        return [_with(method, form)] if form else [Asked("cancel_all")]
    if method == "CancelOrder":
        name = form.pop("cl_ord_id", "")
        return [Asked("cancel", name)] if name and not form else [_with(method, form or {"cl_ord_id": name})]
    if method == "CancelAllOrdersAfter":
        timeout = form.pop("timeout", "")
        is_timer = timeout.isdigit() and len(timeout) <= 5 and int(timeout) <= 86_400
        return [] if is_timer and not form else [_with(method, form or {"timeout": timeout})]
    return [Asked(method)]


def _form(body: bytes) -> dict[str, str]:
    """Raises ValueError for what two readers could understand differently."""
    found: dict[str, str] = {}
    if not body:
        return found
    for part in body.decode("ascii").split("&"):
        match = _FIELD.fullmatch(part)
        if match is None:
            raise unread(f"{part!r:.40} is no field of a form")
        if match[1] in found:
            raise unread(f"{match[1]} stands twice")
        found[match[1]] = match[2]
    return found


def _with(method: str, form: dict[str, str]) -> Asked:
    return Asked(f"{method} with {', '.join(sorted(form)) or 'nothing'}")
