"""One algo as the engine sees it: its guest, what it may touch, what it is shown, how it is doing."""

from collections import Counter

from connectors.errors import GuestFault
from connectors.orders import Action
from risk.gate import Deployment
from risk.limits import Limits
from runtime.algostate import AlgoState
from runtime.host import AlgoHost
from runtime.inputs import GuestLine, Trace


class AlgoInstance:
    """`states[k]` is the record for the k-th symbol of the deployment. Callbacks return actions or raise GuestFault."""

    __slots__ = ("_callbacks", "book_calls", "deployment", "host", "index", "is_alive", "is_faulty", "name",
                 "positions_of", "states", "trace")  # fmt: skip

    def __init__(
        self, index: int, name: str, host: AlgoHost, deployment: Deployment, limits: Limits, trace: Trace
    ) -> None:
        self.index = index
        self.name = name
        self.host = host
        self.deployment = deployment
        self.states = [AlgoState(symbol_id, limits) for symbol_id in range(len(deployment.instruments))]
        self.positions_of = {instrument: symbol_id for symbol_id, instrument in enumerate(deployment.instruments)}
        self.is_alive = True
        self.is_faulty = False
        self._callbacks: Counter[str] = Counter()
        self.trace = trace
        self.book_calls = 0

    @property
    def callbacks(self) -> dict[str, int]:
        """How often each callback ran."""
        return {"on_book": self.book_calls, **self._callbacks}

    def state_of(self, instrument: int) -> AlgoState:
        return self.states[self.positions_of[instrument]]

    def on_book(self, book: bytearray, state: AlgoState) -> list[Action]:
        self.book_calls += 1
        actions = self.host.on_book(book, state.buffer, state.symbol_id)
        if state.dead or self.host.logs:
            self._after(state)
        return actions

    def on_fill(self, fill: bytes, state: AlgoState) -> None:
        self._callbacks["on_fill"] += 1
        self.host.on_fill(fill, state.buffer)
        self._after(state)

    def on_reject(self, reject: bytes) -> None:
        self._callbacks["on_reject"] += 1
        self.host.on_reject(reject)
        self._logged()

    def on_shutdown(self) -> list[Action]:
        self._callbacks["on_shutdown"] += 1
        actions = self.host.on_shutdown(self.states[0].buffer)
        self._after(self.states[0])
        return actions

    def _after(self, state: AlgoState) -> None:
        if state.dead:
            self.deployment.unseen -= state.sweep()
        if self.host.logs:
            self._logged()

    def _logged(self) -> None:
        self.trace.extend(GuestLine(self.index, level, text) for level, text in self.host.take_logs())

    def disable(self, fault: GuestFault) -> str:
        """Out for good; returns what to tell the operator."""
        self.is_alive = False
        self.is_faulty = True
        self._logged()
        return f"algo {self.name} disabled, its orders are being cancelled: {fault}"
