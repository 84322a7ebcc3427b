"""The states of a chain's pools at one moment, as any venue on a chain hands them to what shows them."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from connectors.amm.curve import Curve


class Probed(msgspec.Struct, frozen=True):
    """A pool known by its own quotes at one block, rising: (quote paid, base received), (base paid, quote received)."""

    asks: tuple[tuple[int, int], ...]
    bids: tuple[tuple[int, int], ...]


State = Curve | Probed | str  # a text: why this pool cannot be shown


class Moment(Protocol):
    """Every pool's state, by its place in the plan."""

    @property
    def states(self) -> Mapping[int, State]: ...

    def number_of(self, key: int) -> int:
        """The block or slot that this pool's state is of."""
