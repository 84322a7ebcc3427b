"""What a turn does after its input: on_nbbo, on_message, on_heartbeat, restarts, the end of intents' time.

In this order, each over the instances in the session's order (ABI: on_fill / on_reject and on_book come first):

1. `on_nbbo`: once a turn, for each symbol whose best price or size changed at some source.
2. `on_message`: everything sent before this point, in the order sent. What is sent from here on waits for the next
   turn, asked for a millisecond later; of one sender 64 messages may wait. So no guests can hold a turn up by messages.
3. `on_heartbeat`: at each full second of engine time; after a gap once, not once for each second missed.
4. Restarts that are due, and intents whose time is over.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from connectors.errors import GuestFault, ModuleError
from connectors.events import Notice
from connectors.orders import Action
from connectors.session import WakeAt
from risk.states import TradingState
from risk.switchboard import GATEWAY
from runtime.desk import Desk
from runtime.inputs import Output
from runtime.instance import AlgoInstance, Mail
from runtime.intents import NEVER_NS
from runtime.view import SymbolView

SECOND_NS: Final = 10**9
REPLY_NS: Final = 1_000_000  # an answer to a message waits this long: two guests that never stop take no core
RESTART_FIRST_NS: Final = SECOND_NS  # then 2, 4, 8 … seconds
RESTART_MOST_NS: Final = 60 * SECOND_NS


class Rounds:
    """`run` at a turn's end, when `is_due`. `next_ns`: when a turn is needed though nothing else happens."""

    def __init__(
        self, desk: Desk, algos: list[AlgoInstance], restarts: Sequence[int], mail: deque[Mail], out: list[Output]
    ) -> None:
        self._desk = desk
        self._algos = algos
        self._restarts_max = restarts  # of each algo: how often it may be restarted
        self._out = out
        self._by_mesh = {algo.mesh.mesh_id: algo for algo in algos if algo.mesh is not None}
        self._beating = any("on_heartbeat" in algo.guest.callbacks for algo in algos) or any(
            view.nbbo is not None for algo in algos for view in algo.views
        )
        self._due: list[tuple[AlgoInstance, SymbolView]] = []
        self._mail = mail  # what guests sent and nobody was handed yet
        self._restarts: list[tuple[int, AlgoInstance]] = []
        self._beat_ns = 0
        self.next_ns = 0 if self._beating else NEVER_NS
        self.messages_lost = 0

    def book_changed(self, algo: AlgoInstance, view: SymbolView, *, is_pool: bool = False) -> None:
        """A source of this view was applied or lost: on_nbbo may be due; a pool's ladder always makes it so."""
        view.has_news |= is_pool
        if not view.is_due:
            view.is_due = True
            self._due.append((algo, view))

    def is_due(self, now_ns: int) -> bool:
        desk = self._desk
        return bool(
            self._due or self._mail or now_ns >= self.next_ns or now_ns >= desk.intents.deadline_ns or desk.faulted
        )

    def wake(self) -> None:
        """A timer rang though nothing was due here: what was asked for may have been forgotten for it."""
        at_ns = min(self.next_ns, self._desk.intents.deadline_ns)
        if at_ns != NEVER_NS:
            self._out.append(WakeAt(at_ns))

    def run(self, now_ns: int) -> None:
        """Everything that is due, and when to come back."""
        is_beat = self._beating and now_ns >= self._beat_ns
        if is_beat:
            self._watch_silence()
        self._nbbo(now_ns)
        self._deliver(now_ns)
        if is_beat:
            self._beat(now_ns)
        self._desk.intents.expire(now_ns)
        self._restart(now_ns)
        self._plan(now_ns)

    # --- on_nbbo ---------------------------------------------------------------------------------------------------

    def _watch_silence(self) -> None:
        """Time alone makes a venue stale: look at every view once a second."""
        for algo in self._algos:
            for view in algo.views:
                if view.nbbo is not None:
                    self.book_changed(algo, view)

    def _nbbo(self, now_ns: int) -> None:
        due, self._due = self._due, []
        for algo, view in sorted(due, key=lambda one: (one[0].index, one[1].symbol_id)):
            has_news, view.is_due, view.has_news = view.has_news, False, False
            nbbo = view.nbbo
            if nbbo is None or not algo.is_alive or not (nbbo.touched(now_ns) or has_news):
                continue
            nbbo.update(now_ns)
            self._call(algo, "on_nbbo", lambda a=algo, v=view: a.on_nbbo(v), now_ns)  # type: ignore[misc]

    # --- on_message ------------------------------------------------------------------------------------------------

    def _deliver(self, now_ns: int) -> None:
        for _ in range(len(self._mail)):
            sender, receiver, payload = self._mail.popleft()
            sender.mail_waiting -= 1
            algo = self._by_mesh.get(receiver)
            if algo is None or algo is sender or not algo.is_alive or "on_message" not in algo.guest.callbacks:
                self.messages_lost += 1
                continue
            label = sender.mesh.mesh_id if sender.mesh is not None else 0
            self._call(algo, "on_message", lambda a=algo, s=label, p=payload: a.on_message(s, p), now_ns)  # type: ignore[misc]

    # --- time ------------------------------------------------------------------------------------------------------

    def _beat(self, now_ns: int) -> None:
        is_first = self._beat_ns == 0
        self._beat_ns = (now_ns // SECOND_NS + 1) * SECOND_NS
        if is_first:
            return
        for algo in self._algos:
            if algo.is_alive and "on_heartbeat" in algo.guest.callbacks:
                self._call(algo, "on_heartbeat", algo.on_heartbeat, now_ns)

    def _call(self, algo: AlgoInstance, name: str, callback: Callable[[], list[Action]], now_ns: int) -> None:
        try:
            actions = callback()
        except GuestFault as fault:
            self._desk.fault(algo, fault, name, now_ns)
            return
        if actions:
            self._desk.act(algo, actions, now_ns)

    def _plan(self, now_ns: int) -> None:
        """Asks for the next turn where one is needed; a WakeAt may be forgotten, so it is said again each time."""
        times = [self._desk.intents.deadline_ns, *(at for at, _ in self._restarts)]
        if self._beating:
            times.append(self._beat_ns)
        self.next_ns = min(times)
        if self._mail:
            self._out.append(WakeAt(min(now_ns + REPLY_NS, self.next_ns)))
        elif self.next_ns != NEVER_NS:
            self._out.append(WakeAt(self.next_ns))

    # --- restarts --------------------------------------------------------------------------------------------------

    def _restart(self, now_ns: int) -> None:
        for algo in self._desk.faulted:
            most = self._restarts_max[algo.index]
            if algo.restarts < most:
                wait_ns = min(RESTART_FIRST_NS << min(algo.restarts, 10), RESTART_MOST_NS)
                self._restarts.append((now_ns + wait_ns, algo))
                continue
            if most:
                text = f"algo {algo.name} stays out: restarted {algo.restarts} times already"
                self._out.append(Notice("error", text))
            self._desk.gate.tighten(f"algo:{algo.name}", TradingState.HALTED, "guest fault", GATEWAY, now_ns)
        self._desk.faulted.clear()
        for at_ns, algo in [entry for entry in self._restarts if entry[0] <= now_ns]:
            self._restarts.remove((at_ns, algo))
            if any(live.algo == algo.index for live in self._desk.gate.account.live.values()):
                self._restarts.append((now_ns + SECOND_NS, algo))  # not before its old orders are known to be gone
                continue
            try:
                algo.restart()
            except ModuleError as error:
                self._out.append(Notice("error", f"algo {algo.name} cannot be restarted: {error}"))
                continue
            self._out.append(Notice("warning", f"algo {algo.name} restarted (restart {algo.restarts})"))
