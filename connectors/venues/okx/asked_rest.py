"""What an HTTP request to OKX asks for, read from OKX's documentation and from nothing of ours.

`<id> [GET|POST] <path> [+skew]`, a newline, the JSON body or the query. Only what is needed is understood: questions,
cancels by our own id, and the timer that can only cancel.
https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-cancel-order
https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-cancel-all-after
"""

import re
from collections.abc import Callable
from typing import Final

from connectors.orders import Asked
from connectors.strictjson import Number, strict_object, unread

_HEAD: Final = re.compile(rb"[0-9A-Za-z_-]+ (?:(GET|POST) )?(/api/v5/[a-z0-9/-]+)(?: [+-][0-9]{1,15})?")
_QUERY: Final = re.compile(rb"(?:[A-Za-z]+=[A-Za-z0-9._,-]*(?:&[A-Za-z]+=[A-Za-z0-9._,-]*)*)?")
_SECONDS: Final = re.compile(r"0|[1-9][0-9]|1[01][0-9]|120")  # 0 disarms
_PUBLIC: Final = "/api/v5/public/"
_CANCEL: Final = "/api/v5/trade/cancel-order"
_TIMER: Final = "/api/v5/trade/cancel-all-after"


def asked_rest(data: bytes, order: Callable[[str, bytes], list[Asked]]) -> list[Asked]:
    """Every cancel in one request; nothing for a question. Raises ValueError for what has another form."""
    head, newline, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        raise unread("no HTTP request: <id> [method] /api/v5/…, a newline, the body")
    method, path = (match[1] or b"").decode(), match[2].decode()
    if method == "GET" or (not method and path.startswith(_PUBLIC)):  # whatever it says, no order moves
        if _QUERY.fullmatch(body) is None:
            raise unread("no query")
        return []
    if path == _CANCEL:
        return order("cancel-order", body)
    if path == _TIMER:
        timer = strict_object(body)
        seconds = timer.get("timeOut")
        is_plain = isinstance(seconds, str) and not isinstance(seconds, Number)
        if is_plain and timer.keys() == {"timeOut"} and _SECONDS.fullmatch(str(seconds)) is not None:
            return []
    return [Asked(f"{method} {path}")]
