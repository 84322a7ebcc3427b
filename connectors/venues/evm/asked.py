"""What bytes on their way to a node ask it for: reads, which ask for nothing, or something that nobody approved.

https://ethereum.org/en/developers/docs/apis/json-rpc/. The list is of the reads that `session.py` makes; whatever is
not on it (eth_sendRawTransaction, personal_*, eth_sign* and all the rest) comes out under its own name and is stopped.
"""

from typing import Final

from connectors.onchain.asked import asked_besides
from connectors.orders import Asked

READS: Final = frozenset(
    {"eth_call", "eth_chainId", "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getLogs",
     "eth_maxPriorityFeePerGas", "eth_subscribe", "eth_unsubscribe"}
)  # fmt: skip


def asked(data: bytes) -> list[Asked]:
    """What is no read, of one request or a batch of them. Raises ValueError."""
    return asked_besides(READS, data)
