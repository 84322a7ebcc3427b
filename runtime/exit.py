"""The last metres: from an engine's Sends to the links, past the journal and the tap.

A new order or an amend waits until its record is durable (`outbox.py`); then, and never before, its bytes are compared
with what was approved (`tap.py`) and handed to the link. Everything else goes at once. What is found to differ does not
leave, and halts; what cannot be recorded is dropped and told back to the engine, which then knows that it never left.
"""

from collections.abc import Callable, Sequence

from connectors.orders import Asked
from connectors.session import Send
from runtime.inputs import Command, VenueOutput
from runtime.journal.store import Done, Journal
from runtime.outbox import Outbox, Unsent
from runtime.session import Session

Feed = Callable[[Command], None]


class Exit:
    """Of one live session. `send(venue, link, data)` is the link's own. `feed` takes commands outside of turns.

    `first` is called before anything that waited leaves: whoever pulled the switch meanwhile goes before it.
    """

    def __init__(
        self, session: Session, send: Callable[[str, str, bytes], None], feed: Feed, journal: Journal | None,
        first: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._session = session
        self._send = send
        self._feed = feed
        self._journal = journal
        self._outbox = Outbox(journal, self._leave, self._unsent, first) if journal is not None else None

    def offer(self, output: VenueOutput) -> None:
        """One Send of the turn."""
        send = output.output
        if self._outbox is None or not isinstance(send, Send):
            self._leave(output)
            return
        kind, client_order_id, *more = self._meant(send) if send.approval else ("", "")
        is_ours = kind == "cancel" and client_order_id in self._session.engine.desk.sweep.ours
        self._outbox.offer(output, kind, client_order_id, more=tuple(more), is_ours=is_ours)

    def seal(self) -> Done | None:
        """The turn is over: whom to call when its record is durable."""
        return self._outbox.seal() if self._outbox is not None else None

    def withdraw(self, orders: frozenset[str] | None = None) -> None:
        """What waits will not be sent: of these orders, or all. A kill overtook it."""
        if self._outbox is not None:
            self._outbox.withdraw(orders=orders)

    def fail(self) -> None:
        """The journal failed: nothing that waits is ever sent."""
        if self._outbox is not None:
            self._outbox.fail()

    def _meant(self, send: Send) -> list[str]:
        """What its bytes were approved for, and of which orders. Whether they ask for that, the tap will say."""
        tap = self._session.engine.tap
        meant = [one.asked for approval in (send.approval, *send.more) if (one := tap.waiting(approval)) is not None]
        meant = meant or [Asked("unknown")]  # waits as an order would, for the tap to stop it
        return [meant[0].what, *(one.client_order_id for one in meant)]

    def _leave(self, output: VenueOutput) -> None:
        send = output.output
        if not isinstance(send, Send):
            return
        tap = self._session.engine.tap
        meant = [tap.waiting(approval) for approval in (send.approval, *send.more)]
        problem = tap.leaving(output.venue, send.data, send.approval, send.more)
        if not problem:
            self._send(output.venue, send.link, send.data)
            return
        self._feed(Command("breach", "point of exit", problem))
        for one in meant:
            if one is not None and one.asked.what in ("new", "amend"):
                self._feed(Command("unsent", "point of exit", f"{one.asked.what}:{one.asked.client_order_id}"))

    def _unsent(self, orders: Sequence[Unsent]) -> None:
        has_failed = self._journal is not None and bool(self._journal.failed)
        for kind, client_order_id in orders:
            self._session.engine.tap.unsent(kind, client_order_id)
            what = kind if has_failed or kind != "new" else "withdrawn"
            self._feed(Command("unsent", "journal" if has_failed else "outbox", f"{what}:{client_order_id}"))
