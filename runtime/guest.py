"""What the engine asks of an algo, whatever it is written in: a WASM guest (`host.py`) or Python (`pyalgo.py`).

Records go in as the bytes of the crate's structs, actions come out as tuples of integers. A guest that breaks the
contract raises GuestFault; nothing else comes out of these methods.
"""

from collections.abc import Mapping
from typing import Protocol

from connectors.orders import Action
from runtime.abi import Generation, Region, Span

LogLine = tuple[int, bytes]  # level 0 trace … 4 error, the bytes as the guest wrote them
Sent = tuple[int, bytes]  # mesh_id of the receiver, payload


class Guest(Protocol):
    """One loaded algo.

    `callbacks`: which of on_book, on_nbbo, on_message, on_heartbeat it has. `regions`: the records it is given beside
    the arguments, which the engine keeps current with `show` before a callback. `logs` and `sent` are what it wrote and
    messaged since they were last taken.
    """

    name: str
    sha256: str
    generation: Generation
    is_sandboxed: bool
    callbacks: frozenset[str]
    regions: Mapping[Region, Span]
    logs: list[LogLine]
    logs_dropped: int
    logs_cut: int
    sent: list[Sent]
    sent_dropped: int

    @property
    def fuel_used(self) -> int:
        """Instructions the last call burnt; 0 where nothing counts them."""

    def fresh(self) -> "Guest":
        """The same module again in its first state, for a restart. Raises ModuleError."""

    def show(self, region: Region, record: bytes | bytearray) -> None:
        """Puts a record, in the layout of the guest's own generation, where the guest reads it."""

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Action]:
        """A valid book of its own venue changed. `symbol_id`: the book's place in this algo's deployment."""

    def on_nbbo(self, nbbo: bytearray, state: bytearray) -> list[Action]:
        """Some source's touch changed. `nbbo` is of the guest's own generation; VenueBooks was shown before."""

    def on_message(self, sender: int, payload: bytes, state: bytearray) -> list[Action]:
        """A peer's message, at most 256 bytes, from the peer with this mesh id."""

    def on_heartbeat(self, state: bytearray) -> list[Action]:
        """Once a second of engine time."""

    def on_fill(self, fill: bytes, state: bytearray) -> None:
        """One execution; `state` already shows its effect."""

    def on_reject(self, reject: bytes) -> None:
        """One refusal, ours or the venue's."""

    def on_shutdown(self, state: bytearray) -> list[Action]:
        """The last callback."""

    def take_logs(self) -> list[LogLine]: ...

    def take_sent(self) -> list[Sent]: ...
