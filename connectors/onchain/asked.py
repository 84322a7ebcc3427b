"""What a JSON-RPC request asks a node for besides reads: everything that is not on a list of reads, under its name."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from connectors.orders import Asked
from connectors.strictjson import Number, strict_value, unread

_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})


def asked_besides(reads: AbstractSet[str], data: bytes) -> list[Asked]:
    """What is no read, of one request or a batch of them. Raises ValueError."""
    found = strict_value(data)
    requests = found if isinstance(found, list) else [found]
    if not requests:
        raise unread("an empty batch")
    return [one for request in requests for one in _asked(reads, request)]


def _asked(reads: AbstractSet[str], request: Any) -> list[Asked]:
    """Many nodes read names in upper or lower case alike: a second `Method` is not overlooked."""
    method = request.get("method") if isinstance(request, dict) else None
    if not isinstance(method, str) or isinstance(method, Number):
        raise unread("no JSON-RPC request")
    strange = sorted(request.keys() - _REQUEST)
    if strange:
        return [Asked(f"{method} with {', '.join(strange)}")]
    return [] if method in reads else [Asked(method)]
