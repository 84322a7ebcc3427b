"""The last blocks as we followed them, with every pool's state at each: what a reorg rolls back to.

States are immutable, so that keeping 128 blocks costs little more than keeping one. What a new head is to us:

| its parent | its hash | |
|---|---|---|
| our tip | new | NEXT: apply its logs to the tip's state |
| another block we kept | new | FORK: a reorg; the parent becomes the tip, then apply |
| anything | a block we kept, not the tip | BACK: the chain returned to it; it becomes the tip |
| anything | our tip | SAME |
| unknown | new | GAP: blocks are missing in between, or the reorg went deeper than we kept |
"""

from enum import Enum, auto
from typing import Final

import msgspec

from connectors.onchain.states import State
from connectors.venues.evm.rpc import Head

KEPT: Final = 128


class Place(Enum):
    """What a head is to the blocks we have."""

    NEXT = auto()
    FORK = auto()
    BACK = auto()
    SAME = auto()
    GAP = auto()


class Block(msgspec.Struct, frozen=True):
    """A block and the state of every pool after it, by market (its place in the plan); when we had all of that."""

    head: Head
    states: dict[int, State]
    arrived_ns: int = 0

    def number_of(self, _key: int) -> int:
        """The same for all."""
        return self.head.number


class Blocks:
    """Bounded history; `tip` is the block that our states are of."""

    def __init__(self) -> None:
        self.tip: Block | None = None
        self._kept: dict[str, Block] = {}

    def clear(self) -> None:
        self.tip = None
        self._kept.clear()

    def place(self, head: Head) -> Place:
        tip = self.tip
        if tip is None:
            return Place.GAP
        if head.hash == tip.head.hash:
            return Place.SAME
        if head.hash in self._kept:
            return Place.BACK
        if head.parent == tip.head.hash and head.number == tip.head.number + 1:
            return Place.NEXT
        parent = self._kept.get(head.parent)
        return Place.FORK if parent is not None and head.number == parent.head.number + 1 else Place.GAP

    def roll_back(self, block_hash: str, now_ns: int) -> Block:
        """A block we kept becomes the tip; what came after it stays known, should the chain return to it."""
        block = msgspec.structs.replace(self._kept[block_hash], arrived_ns=now_ns)
        self.add(block)
        return block

    def before(self, block: Block) -> Block | None:
        """The block before this one, if it was kept."""
        return self._kept.get(block.head.parent)

    def add(self, block: Block) -> None:
        self.tip = block
        self._kept.pop(block.head.hash, None)
        self._kept[block.head.hash] = block
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
