"""What goes wrong at a node, switched while it runs by `sim_fault [name, value]`."""

from typing import Any

import msgspec


class EvmFaults(msgspec.Struct, kw_only=True):
    """All off by default. Numbers called `next` count down by themselves; the rest stays until it is switched off.

    Control methods (`sim_…`, `evm_…`, `anvil_…`) never suffer, so that every fault can be undone.
    """

    drop_logs: int = 0  # next log notifications that are not sent
    skip_heads: int = 0  # next newHeads notifications that are not sent
    stall_heads: bool = False  # no newHeads at all; the chain itself goes on
    lie_call: int = 0  # units added to the first amount that any view answers, inside Multicall3 too
    lie_logs: int = 0  # units added to the amount of a log that a follower keeps: reserve0, √price, liquidity
    lie_height: int = 0  # blocks added to eth_blockNumber
    close: bool = False  # every connection is closed once (1001), then it is off again
    mute: bool = False  # nothing is sent any more, answers included; sockets stay open
    delay_ms: int = 0  # everything sent waits that long
    error_answers: int = 0  # next requests that are answered with -32005, as a provider does over its rate
    refuse_block_hash: bool = False  # blockHash parameters are unknown to this node
    removed_logs: bool = True  # off: a reorg does not resend dropped logs (anvil 1.7.1 does not)

    def switch(self, name: str, value: Any) -> None:
        """Sets one fault; text from a command line is read as its type. Raises ValueError."""
        if name not in self.__struct_fields__:
            raise ValueError(f"no fault {name!r}; there are {', '.join(self.__struct_fields__)}")
        kind = type(getattr(self, name))
        try:
            setattr(self, name, msgspec.convert(value, kind, strict=not isinstance(value, str)))
        except msgspec.ValidationError:
            wanted = "true or false" if kind is bool else "an integer"
            raise ValueError(f"fault {name} takes {wanted}, not {value!r}") from None
