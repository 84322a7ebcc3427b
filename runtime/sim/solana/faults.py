"""What goes wrong at a node, switched while it runs by `sim_fault [name, value]`."""

from typing import Any

import msgspec


class SolanaFaults(msgspec.Struct, kw_only=True):
    """All off by default. Numbers called `next` count down by themselves; the rest stays until it is switched off.

    Control methods (`sim_…`) never suffer, so that every fault can be undone. An answer made of two banks is not among
    them: a real node reads one, and nobody could tell such an answer from a true one.
    """

    drop_notifications: int = 0  # next account notifications that are not sent
    late_notifications: int = 0  # ms that every second account notification waits: later ones overtake it
    duplicate: bool = False  # every account notification is sent twice
    stale: int = 0  # after each account notification comes the one of so many slots before
    rollback: int = 0  # next slots, 32 at most, are of a branch that is then left: the old state again, slots go back
    lie_price: int = 0  # ppm that the price of every pool is off, in answers and notifications; ticks agree with it
    truncate_data: int = 0  # bytes that are missing at the end of every pool's and tick array's data
    foreign_owner: bool = False  # pools and tick arrays belong to the System program
    close: bool = False  # every connection is closed once (1001), then it is off again
    mute: bool = False  # nothing is sent any more, answers included; sockets stay open
    delay_ms: int = 0  # everything sent waits that long
    error_answers: int = 0  # next HTTP requests that are answered with 429 and Retry-After
    behind: int = 0  # slots that this node is behind: it answers of them, and is not healthy
    stall_slots: bool = False  # this node sees no new slot; the chain goes on
    genesis: bool = False  # this node is of another chain
    frozen_context: bool = False  # notifications name the slot of their subscription for ever, as surfpool 1.6.1 does
    context_lag: int = 0  # slots that an answer's context is older than its accounts, clock included: surfpool's is one

    def switch(self, name: str, value: Any) -> None:
        """Sets one fault; text from a command line is read as its type. Raises ValueError."""
        if name not in self.__struct_fields__:
            raise ValueError(f"no fault {name!r}; there are {', '.join(self.__struct_fields__)}")
        kind = type(getattr(self, name))
        try:
            found = msgspec.convert(value, kind, strict=not isinstance(value, str))
        except msgspec.ValidationError:
            wanted = "true or false" if kind is bool else "an integer"
            raise ValueError(f"fault {name} takes {wanted}, not {value!r}") from None
        if name != "lie_price" and found < 0:
            raise ValueError(f"fault {name} takes no number below 0, and {found} is")
        setattr(self, name, found)
