"""What bytes on their way to a Solana node ask it for: reads, which ask for nothing, or something nobody approved.

https://solana.com/docs/rpc. The list is of the reads that the session makes; whatever is not on it (sendTransaction,
simulateTransaction, requestAirdrop and all the rest) comes out under its own name and is stopped.

    {"jsonrpc":"2.0","id":7,"method":"accountSubscribe","params":[…]}         on the WebSocket's link
    7 /⏎{"jsonrpc":"2.0","id":7,"method":"getMultipleAccounts","params":[…]}  on the link of HTTP calls
"""

import re
from typing import Final

from connectors.onchain.asked import asked_besides
from connectors.orders import Asked
from connectors.strictjson import unread

READS: Final = frozenset(
    {"accountSubscribe", "accountUnsubscribe", "getGenesisHash", "getMultipleAccounts", "getRecentPrioritizationFees",
     "getSlot", "slotSubscribe", "slotUnsubscribe"}
)  # fmt: skip
_CALL: Final = re.compile(rb"([1-9][0-9]{0,18}) ([^\n]*)\n")


def asked(data: bytes) -> list[Asked]:
    """What is no read, of one request or a batch of them. Raises ValueError."""
    call = _CALL.match(data)
    if call is not None and call[2] != b"/":
        raise unread("a call of another path than the endpoint's own")
    return asked_besides(READS, data[call.end() :] if call is not None else data)
