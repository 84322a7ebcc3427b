"""The last station before the links: no new order or amend leaves before its record is durable.

Everything else goes at once: subscriptions, cancels, cancel-all; also when the journal is broken. When it breaks, what
waits is dropped, never sent, and told. A cancel of an order that itself still waits, whoever asked for it, takes that
order back: neither leaves. A cancel of the gateway's own takes back amends of its order, too, before it leaves. Orders
of one link leave in the order in which they were given; there is one queue, for records become durable in one order,
too. No clock, no thread: the journal calls.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from connectors.session import Send
from runtime.inputs import VenueOutput

Unsent = tuple[str, str]  # kind, client_order_id
AT_ONCE: Final = frozenset({"cancel", "cancel_all"})


class Recorder(Protocol):
    """What is needed of the journal: whether it has failed, and a way to call after the turn."""

    @property
    def failed(self) -> str: ...

    @property
    def soon(self) -> Callable[[Callable[[], None]], object]: ...


class _Held:
    """A message that waits for the record of its turn."""

    __slots__ = ("kind", "orders", "output", "turn", "venue")

    def __init__(self, output: VenueOutput, kind: str, orders: tuple[str, ...], turn: int) -> None:
        self.output = output
        self.venue = output.venue
        self.kind = kind
        self.orders = orders
        self.turn = turn

    @property
    def unsent(self) -> list[Unsent]:
        return [(self.kind, client_order_id) for client_order_id in self.orders]


class Outbox:
    """Give it every Send of a turn (`offer`), then `seal` the turn and have its record written with what that returns.

    `send` puts bytes on a link. `cancel_unsent([(kind, client_order_id), …])` is told what was never sent, in order: of
    an order whose new order was not, that alone. It is called outside of turns, so that it may feed the engine. So is
    `first`, before each message that waited: a kill that was noted may withdraw it.
    """

    def __init__(
        self, journal: Recorder, send: Callable[[VenueOutput], None],
        cancel_unsent: Callable[[Sequence[Unsent]], None], first: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._send = send
        self._cancel_unsent = cancel_unsent
        self._first = first
        self._held: deque[_Held] = deque()
        self._turn = 1
        self._sealed = 0  # how many of those held belong to sealed turns
        self._unsent: list[Unsent] = []

    @property
    def held(self) -> tuple[str, ...]:
        """The orders that wait, oldest first."""
        return tuple(order for one in self._held for order in one.orders)

    def offer(
        self, output: VenueOutput, kind: str = "", client_order_id: str = "", *, more: tuple[str, ...] = (),
        is_ours: bool = False,
    ) -> None:  # fmt: skip
        """One Send of this turn. `kind`: new, amend, cancel, cancel_all; "" for what carries no order. `more`: orders
        that the same bytes carry besides; they leave together or not at all.

        An approved message of any other kind waits, too: what cannot be told apart is taken for an order. `is_ours`: a
        cancel that no guest asked for.
        """
        approval = output.output.approval if isinstance(output.output, Send) else 0
        if kind == "cancel" and self._is_held(client_order_id):
            self.withdraw(orders=frozenset({client_order_id}))
        elif kind in ("cancel", "amend") and self._is_gone(client_order_id):
            return  # its order never left, and that is about to be told
        elif kind in AT_ONCE or (not kind and approval == 0):
            if kind == "cancel_all":
                self.withdraw(output.venue)
            elif is_ours:
                self.withdraw(orders=frozenset({client_order_id}))
            self._send(output)
        elif self._journal.failed:
            self._drop([(kind, one) for one in (client_order_id, *more)])
        else:
            self._held.append(_Held(output, kind, (client_order_id, *more), self._turn))

    def seal(self) -> Callable[[], None] | None:
        """Ends the turn. What the journal is to call when its record is durable; None: nothing of this turn waits."""
        if len(self._held) == self._sealed:
            return None
        turn, self._turn, self._sealed = self._turn, self._turn + 1, len(self._held)
        return lambda: self._release(turn)

    def withdraw(self, venue: str = "", orders: frozenset[str] | None = None) -> None:
        """Drops what waits, of one venue or of these orders, instead of sending it: a kill or a cancel overtook it."""
        kept: deque[_Held] = deque()
        dropped: list[Unsent] = []
        for one in self._held:
            if venue not in ("", one.venue) or (orders is not None and orders.isdisjoint(one.orders)):
                kept.append(one)
            else:
                dropped += one.unsent
        self._held = kept
        self._sealed = sum(one.turn < self._turn for one in kept)
        self._drop(dropped)

    def fail(self) -> None:
        """The journal failed, and says so: nothing that waits is ever sent."""
        self.withdraw()

    def _is_held(self, client_order_id: str) -> bool:
        return any(one.kind != "amend" and client_order_id in one.orders for one in self._held)

    def _is_gone(self, client_order_id: str) -> bool:
        return any(kind != "amend" and name == client_order_id for kind, name in self._unsent)

    def _release(self, turn: int) -> None:
        """Sends what waited for this turn's record, or for an earlier one's."""
        while self._held and self._held[0].turn <= turn:
            self._first()
            if not self._held or self._held[0].turn > turn:
                return
            one = self._held.popleft()
            self._sealed -= 1
            self._send(one.output)

    def _drop(self, dropped: Sequence[Unsent]) -> None:
        if dropped and not self._unsent:
            self._journal.soon(self._tell)
        self._unsent += dropped

    def _tell(self) -> None:
        told, self._unsent = self._unsent, []
        never_new = {client_order_id for kind, client_order_id in told if kind != "amend"}
        self._cancel_unsent([one for one in told if one[0] != "amend" or one[1] not in never_new])
