"""One algo as the engine sees it: its guest, what it may touch, what it is shown, how it is doing."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from connectors.errors import GuestFault
from connectors.orders import Action
from risk.gate import Deployment
from runtime.abi import Region
from runtime.guest import Guest
from runtime.inputs import GuestLine, Trace
from runtime.regions import ChainFees, ConfigRegion, MeshTable, Record
from runtime.view import SymbolView

MAIL_MAX: Final = 64  # messages of one sender that may wait; what comes beyond is counted, not kept
_NOTHING: Final = (None, 0)  # what a guest's memory holds when it is loaded: zeros
CALLBACKS: Final = ("on_book", "on_fill", "on_reject", "on_nbbo", "on_message", "on_heartbeat", "on_shutdown")


class AlgoInstance:
    """`views[k]` is what the guest is shown of the k-th symbol. Callbacks return actions or raise GuestFault.

    `config`, `mesh` and `fees` are records at fixed addresses; whoever changes one, or a view's pools, calls `changed`,
    and the guest is shown it before its next callback.
    """

    __slots__ = (
        "_callbacks", "_is_changed", "_mail", "_shown", "_versions", "book_calls", "config", "deployment", "fault",
        "fees", "guest", "index", "is_alive", "is_faulty", "mail_waiting", "mesh", "name", "restarts", "symbol_of",
        "trace", "views",
    )  # fmt: skip

    def __init__(
        self, index: int, name: str, guest: Guest, deployment: Deployment, views: Sequence[SymbolView],
        symbol_of: dict[int, int], trace: Trace, mail: "deque[Mail]", *,
        config: ConfigRegion, mesh: MeshTable | None, fees: ChainFees,
    ) -> None:  # fmt: skip
        self.index = index
        self.name = name
        self.guest = guest
        self.deployment = deployment
        self.views = list(views)
        self.symbol_of = symbol_of  # market → symbol id
        self.config = config
        self.mesh = mesh
        self.fees = fees
        self.is_alive = True
        self.is_faulty = False
        self.fault = ""  # what took it out last
        self.restarts = 0
        self.book_calls = 0
        self.trace = trace
        self._mail = mail
        self.mail_waiting = 0
        self._callbacks: Counter[str] = Counter()
        self._shown: SymbolView | None = None
        self._versions: dict[Region, tuple[Record | None, int]] = {}
        self._is_changed = True

    @property
    def callbacks(self) -> dict[str, int]:
        """How often each callback ran."""
        return {"on_book": self.book_calls, **self._callbacks}

    def view_of(self, market: int) -> SymbolView:
        return self.views[self.symbol_of[market]]

    # --- callbacks -------------------------------------------------------------------------------------------------

    def on_book(self, book: bytearray, view: SymbolView) -> list[Action]:
        self.book_calls += 1
        if self._is_changed or self._shown is not view:
            self._show(view)
        state = view.state
        actions = self.guest.on_book(book, state.buffer, view.features, view.symbol_id)
        if state.dead or self.guest.logs or self.guest.sent:
            self._after(view)
        return actions

    def on_nbbo(self, view: SymbolView) -> list[Action]:
        """The view's NBBO was updated before."""
        assert view.nbbo is not None  # noqa: S101 - rounds.py calls it for such views only
        self._before("on_nbbo", view)
        self.guest.show(Region.VENUE_BOOKS, view.nbbo.books)
        actions = self.guest.on_nbbo(view.nbbo.snapshot, view.state.buffer)
        self._after(view)
        return actions

    def on_message(self, sender: int, payload: bytes) -> list[Action]:
        view = self.views[0]
        self._before("on_message", view)
        actions = self.guest.on_message(sender, payload, view.state.buffer)
        self._after(view)
        return actions

    def on_heartbeat(self) -> list[Action]:
        view = self.views[0]
        self._before("on_heartbeat", view)
        actions = self.guest.on_heartbeat(view.state.buffer)
        self._after(view)
        return actions

    def on_fill(self, fill: bytes, view: SymbolView) -> None:
        self._before("on_fill", view)
        self.guest.on_fill(fill, view.state.buffer)
        self._after(view)

    def on_reject(self, reject: bytes) -> None:
        self._before("on_reject", self._shown or self.views[0])
        self.guest.on_reject(reject)
        self._drain()

    def on_shutdown(self) -> list[Action]:
        view = self.views[0]
        self._before("on_shutdown", view)
        actions = self.guest.on_shutdown(view.state.buffer)
        self._after(view)
        return actions

    def _before(self, callback: str, view: SymbolView) -> None:
        self._callbacks[callback] += 1
        if self._is_changed or self._shown is not view:
            self._show(view)
        self.guest.show(Region.FEATURES, view.features)

    def _after(self, view: SymbolView) -> None:
        if view.state.dead:
            self.deployment.unseen -= view.state.sweep()
        self._drain()

    def _drain(self) -> None:
        """Log lines go to the trace, messages to the mail."""
        if self.guest.logs:
            self.trace.extend(GuestLine(self.index, level, text) for level, text in self.guest.take_logs())
        if self.guest.sent:
            sent = self.guest.take_sent()
            room = MAIL_MAX - self.mail_waiting if self.mesh is not None else 0
            self.guest.sent_dropped += max(len(sent) - room, 0)
            self.mail_waiting += min(len(sent), room)
            self._mail.extend((self, receiver, payload) for receiver, payload in sent[:room])

    # --- records at fixed addresses --------------------------------------------------------------------------------

    def changed(self) -> None:
        """Some record is newer than what the guest was shown."""
        self._is_changed = True

    def _show(self, view: SymbolView) -> None:
        is_other, self._shown, self._is_changed = view is not self._shown, view, False
        records = {
            Region.CONFIG: self.config,
            Region.CHAIN_FEES: self.fees,
            Region.MESH: self.mesh,
            Region.POOL_BOOKS: view.pools.books if view.pools is not None else None,
            Region.POOL_STATES: view.pools.states if view.pools is not None else None,
        }
        for region, record in records.items():
            version = (record, record.version if record is not None else 0)
            if region in self.guest.regions and self._versions.get(region, _NOTHING) != version:
                self._versions[region] = version
                self.guest.show(region, record.buffer if record is not None else self._empty(region))
        if is_other and Region.VENUE_BOOKS in self.guest.regions:
            books = view.nbbo.books if view.nbbo is not None else self._empty(Region.VENUE_BOOKS)
            self.guest.show(Region.VENUE_BOOKS, books)

    def _empty(self, region: Region) -> bytes:
        """What a symbol without pools, or without other venues, has there: not another symbol's."""
        return bytes(self.guest.regions[region][1])

    # --- the end, and another beginning ----------------------------------------------------------------------------

    def disable(self, fault: GuestFault, callback: str) -> str:
        """Out, for good or until `restart`; returns what to tell the operator."""
        self.is_alive = False
        self.is_faulty = True
        self.guest.sent_dropped += len(self.guest.take_sent())  # what it sent in the callback that broke
        self._drain()
        hint = " (a panic, whose text is lost, or no room left in its heap)" if fault.detail == "unreachable" else ""
        self.fault = f"{callback}: {fault}"
        call = f"{callback}, call {self.callbacks[callback]}"
        return f"algo {self.name} disabled in {call}, its orders are being cancelled: {fault}{hint}"

    def restart(self) -> None:
        """The module in its first state, with the position and orders it has. Raises ModuleError."""
        fresh = self.guest.fresh()
        fresh.logs_dropped, fresh.logs_cut = self.guest.logs_dropped, self.guest.logs_cut
        fresh.sent_dropped = self.guest.sent_dropped
        self.guest = fresh
        self.restarts += 1
        self._shown, self._is_changed = None, True
        self._versions.clear()
        self.is_alive, self.is_faulty = True, False


Mail = tuple[AlgoInstance, int, bytes]  # sender, mesh id of the receiver, payload
