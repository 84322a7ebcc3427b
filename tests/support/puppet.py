"""A guest whose callbacks are Python functions of the test: it keeps what it was given and answers what it is told."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.errors import GuestFault
from connectors.orders import Action, OrderType
from runtime.abi import NBBO_BYTES, REGIONS, ActionKind, Generation, Region, Span
from runtime.guest import LogLine, Sent

Answer = Callable[["Puppet"], list[Action]]
ALL = ("on_book", "on_nbbo", "on_message", "on_heartbeat")


class Puppet:
    """`on(callback, answer)` sets what a callback returns; `heard` is every callback with its records, in order.

    `regions_seen` holds the last record shown for each region.
    """

    is_sandboxed = True
    fuel_used = 0

    def __init__(self, *callbacks: str, generation: Generation = Generation.V0_4, name: str = "puppet") -> None:
        self.name, self.sha256 = name, "0" * 64
        self.generation = generation
        self.callbacks = frozenset(callbacks or ALL)
        self.regions: Mapping[Region, Span] = REGIONS[generation]
        self.logs: list[LogLine] = []
        self.logs_dropped = self.logs_cut = self.sent_dropped = 0
        self.sent: list[Sent] = []
        self.answers: dict[str, Answer] = {}
        self.heard: list[tuple[str, tuple[Any, ...]]] = []
        self.regions_seen: dict[Region, bytes] = {}
        self.lives = 1

    def on(self, callback: str, answer: Answer) -> "Puppet":
        self.answers[callback] = answer
        return self

    def fresh(self) -> "Puppet":
        """The same object again: the test goes on looking at it."""
        self.lives += 1
        return self

    def count(self, callback: str) -> int:
        return sum(name == callback for name, _ in self.heard)

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def send(self, receiver: int, payload: bytes) -> None:
        self.sent.append((receiver, payload))

    def trap(self) -> list[Action]:
        raise GuestFault("trap", "the test says so")

    # --- the protocol ----------------------------------------------------------------------------------------------

    def show(self, region: Region, record: bytes | bytearray) -> None:
        assert len(record) == self.regions[region][1] if region in self.regions else True
        self.regions_seen[region] = bytes(record)

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Action]:
        return self._called("on_book", bytes(book), bytes(state), bytes(features), symbol_id)

    def on_nbbo(self, nbbo: bytearray, state: bytearray) -> list[Action]:
        assert len(nbbo) == NBBO_BYTES[self.generation]
        return self._called("on_nbbo", bytes(nbbo), bytes(state))

    def on_message(self, sender: int, payload: bytes, state: bytearray) -> list[Action]:
        return self._called("on_message", sender, payload, bytes(state))

    def on_heartbeat(self, state: bytearray) -> list[Action]:
        return self._called("on_heartbeat", bytes(state))

    def on_fill(self, fill: bytes, state: bytearray) -> None:
        self._called("on_fill", fill, bytes(state))

    def on_reject(self, reject: bytes) -> None:
        self._called("on_reject", reject)

    def on_shutdown(self, state: bytearray) -> list[Action]:
        return self._called("on_shutdown", bytes(state))

    def take_logs(self) -> list[LogLine]:
        logs, self.logs = self.logs, []
        return logs

    def take_sent(self) -> list[Sent]:
        sent, self.sent = self.sent, []
        return sent

    def _called(self, callback: str, *records: Any) -> list[Action]:
        self.heard.append((callback, records))
        answer = self.answers.get(callback)
        return answer(self) if answer is not None else []


def at(n: int, *actions: Action) -> Answer:
    """These actions on the n-th of the callback, nothing otherwise."""
    seen = [0]

    def answer(_: Puppet) -> list[Action]:
        seen[0] += 1
        return list(actions) if seen[0] == n else []

    return answer


def order(
    order_id: int, side: int, qty_1e8: int, px_1e9: int = 0, *, kind: int = ActionKind.NEW,
    order_type: int = OrderType.IOC, venue_id: int = 0, pool_idx: int = 0, symbol_idx: int = 0, ttl_ms: int = 0,
) -> Action:  # fmt: skip
    """One action as the guest's record holds it."""
    return (order_id, px_1e9, qty_1e8, side, int(kind), int(order_type), venue_id, pool_idx, symbol_idx, ttl_ms)


def market(order_id: int, side: int, qty_1e8: int, **target: int) -> Action:
    return order(order_id, side, qty_1e8, order_type=OrderType.MARKET, **target)


def intent(order_id: int, side: int, qty_1e8: int, limit_1e9: int, policy: int, ttl_ms: int = 0, **aim: int) -> Action:
    return order(order_id, side, qty_1e8, limit_1e9, kind=ActionKind.INTENT, order_type=policy, ttl_ms=ttl_ms, **aim)


def cancel(order_id: int) -> Action:
    return order(order_id, 0, 0, kind=ActionKind.CANCEL, order_type=0)
