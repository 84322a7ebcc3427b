"""What bytes on their way to a node ask it for: reads, which ask for nothing, or something that nobody approved.

https://ethereum.org/en/developers/docs/apis/json-rpc/. The list is of the reads that `session.py` makes; whatever is
not on it (eth_sendRawTransaction, personal_*, eth_sign* and all the rest) comes out under its own name and is stopped.
"""

from typing import Any, Final

from connectors.orders import Asked
from connectors.strictjson import Number, strict_value, unread

READS: Final = frozenset(
    {"eth_call", "eth_chainId", "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getLogs",
     "eth_maxPriorityFeePerGas", "eth_subscribe", "eth_unsubscribe"}
)  # fmt: skip
_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})


def asked(data: bytes) -> list[Asked]:
    """What is no read, of one request or a batch of them. Raises ValueError."""
    found = strict_value(data)
    requests = found if isinstance(found, list) else [found]
    if not requests:
        raise unread("an empty batch")
    return [one for request in requests for one in _asked(request)]


def _asked(request: Any) -> list[Asked]:
    """Many nodes read names in upper or lower case alike: a second `Method` is not overlooked."""
    method = request.get("method") if isinstance(request, dict) else None
    if not isinstance(method, str) or isinstance(method, Number):
        raise unread("no JSON-RPC request")
    strange = sorted(request.keys() - _REQUEST)
    if strange:
        return [Asked(f"{method} with {', '.join(strange)}")]
    return [] if method in READS else [Asked(method)]
