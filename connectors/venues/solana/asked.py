"""What bytes on their way to a Solana node ask it for: reads, which ask for nothing, or something nobody approved.

https://solana.com/docs/rpc. The list is of the reads that the session makes; whatever is not on it (sendTransaction,
simulateTransaction, requestAirdrop and all the rest) comes out under its own name and is stopped.

    {"jsonrpc":"2.0","id":7,"method":"accountSubscribe","params":[…]}         on the WebSocket's link
    7 /⏎{"jsonrpc":"2.0","id":7,"method":"getMultipleAccounts","params":[…]}  on the link of HTTP calls
"""

import re
from typing import Any, Final

from connectors.orders import Asked
from connectors.strictjson import Number, strict_value, unread

READS: Final = frozenset(
    {"accountSubscribe", "accountUnsubscribe", "getGenesisHash", "getMultipleAccounts", "getRecentPrioritizationFees",
     "getSlot", "slotSubscribe", "slotUnsubscribe"}
)  # fmt: skip
_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_CALL: Final = re.compile(rb"([1-9][0-9]{0,18}) ([^\n]*)\n")


def asked(data: bytes) -> list[Asked]:
    """What is no read, of one request or a batch of them. Raises ValueError."""
    call = _CALL.match(data)
    if call is not None and call[2] != b"/":
        raise unread("a call of another path than the endpoint's own")
    found = strict_value(data[call.end() :] if call is not None else data)
    requests = found if isinstance(found, list) else [found]
    if not requests:
        raise unread("an empty batch")
    return [one for request in requests for one in _asked(request)]


def _asked(request: Any) -> list[Asked]:
    """Some servers read names in upper or lower case alike: a second `Method` is not overlooked."""
    method = request.get("method") if isinstance(request, dict) else None
    if not isinstance(method, str) or isinstance(method, Number):
        raise unread("no JSON-RPC request")
    strange = sorted(request.keys() - _REQUEST)
    if strange:
        return [Asked(f"{method} with {', '.join(strange)}")]
    return [] if method in READS else [Asked(method)]
