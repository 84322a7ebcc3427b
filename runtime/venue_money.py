"""What is at one venue, held against what came and went there (`oms/drift.py`), and what of that a restart must know.

An execution of ours counts when the OMS was told of it, everything else when it is told: so an execution that the OMS
missed shows as a difference. A picture is judged a moment after it was read, when what was on its way is there.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.events import Balance, Movement, Notice, Picture
from connectors.session import Trading
from connectors.units import SIZE_DECIMALS, trimmed_text
from oms.drift import Drift, DriftMemory
from risk.states import ALL
from runtime.port import OURS, Port

if TYPE_CHECKING:
    from runtime.desk import Desk

SECOND_NS: Final = 10**9
JUDGED_NS: Final = 3 * SECOND_NS  # after a picture was read
KEPT_NS: Final = 600 * SECOND_NS  # refs told for so long a restart knows, and whatever the last 50 executions take
REFS_LEAST: Final = 200
OLD_NS: Final = 300 * SECOND_NS  # what happened so long before the remembered picture is in its balances


class Money:
    """Of one port. `drifted`: currency → by our record, by the venue's."""

    def __init__(self, port: Port, desk: Desk, trading: Trading) -> None:
        self._port, self._desk, self._trading = port, desk, trading
        self._drift = self._made(None)
        self.drifted: dict[str, tuple[int, int]] = {}
        self._unfolded: dict[str, list[Movement]] = {}  # executions of ours that the OMS has not been told of
        self._told: deque[tuple[int, int]] = deque()  # second, movements told in it
        self._waits: Picture | None = None
        self._judge_ns = 0
        self.differs = ""  # what the last picture shows otherwise than expected: on its way, or drifted
        self._old_ns = 0  # what is older is in the balances that the session before remembered

    def _made(self, memory: DriftMemory | None) -> Drift:
        trading = self._trading
        return Drift(
            self._port.name, trading.unit_1e8, memory, apart_ns=trading.visible_ns, lag_ns=trading.visible_ns
        )  # fmt: skip

    # --- what comes and goes -----------------------------------------------------------------------------------------

    def moved(self, movement: Movement, now_ns: int) -> None:
        """Told by the venue, perhaps again."""
        if movement.ts_venue_ns and movement.ts_venue_ns < self._old_ns:
            return
        if self._told and self._told[-1][0] == now_ns // SECOND_NS:
            self._told[-1] = self._told[-1][0], self._told[-1][1] + 1
        else:
            self._told.append((now_ns // SECOND_NS, 1))
        name = movement.client_order_id
        if name.startswith(OURS) and not self._is_folded(name, movement.ref):
            known = self._unfolded.setdefault(movement.ref, [])
            if movement not in known:
                known.append(movement)
            return
        self._drift.moved(movement, now_ns)

    def folded(self, exec_id: str, now_ns: int) -> None:
        """The OMS was told of this execution."""
        for movement in self._unfolded.pop(exec_id, ()):
            self._drift.moved(movement, now_ns)

    def _is_folded(self, client_order_id: str, exec_id: str) -> bool:
        order = self._desk.oms.find(client_order_id)
        return order is None or exec_id in (order.exec_ids or ())

    def accept(self, scope: str) -> bool:
        """A person armed this scope. What he was told has drifted is right from now on, if it is of this venue."""
        markets = {f"instrument:{self._desk.gate.markets[index].name}" for index in self._port.indices}
        if not self.drifted or scope not in {"", ALL, f"venue:{self._port.name}", *markets}:
            return False
        self._drift.anchor()
        self.drifted, self._waits = {}, None
        self._unfolded.clear()
        return True

    # --- pictures ----------------------------------------------------------------------------------------------------

    def pictured(self, picture: Picture, now_ns: int) -> None:
        """The venue's word on what is there, reports of this picture folded."""
        for currency, total_1e8 in picture.balances:  # an execution may have been in a balance that was told before it
            self._desk.gate.balance(Balance(self._port.name, currency, total_1e8))
        self._waits, self._judge_ns = picture, now_ns + (JUDGED_NS if self._drift.is_anchored else 0)
        found = self._drift.differs(picture)
        self.differs = f"its {found[0].currency} differs from ours" if found else ""

    def judge(self, now_ns: int) -> DriftMemory | None:
        """Judges the last picture once it is time; what is to be remembered then."""
        if self._waits is None or now_ns < self._judge_ns:
            return None
        picture, self._waits = self._waits, None
        found = [msgspec.structs.astuple(one) for one in self._drift.looked(picture)]
        known, self.drifted = self.drifted, {currency: (ours, theirs) for currency, ours, theirs in found}
        for currency, expected_1e8, observed_1e8 in found:
            if currency not in known:
                self._distrust(currency, expected_1e8, observed_1e8)
        while self._told and self._told[0][0] < (now_ns - KEPT_NS) // SECOND_NS:
            self._told.popleft()
        memory = self._drift.memory()
        count = max(REFS_LEAST, sum(told for _, told in self._told))
        return msgspec.structs.replace(memory, refs=memory.refs[-count:])

    @property
    def judge_ns(self) -> int:
        """When `judge` is wanted; 0: it is not."""
        return self._judge_ns if self._waits is not None else 0

    def _distrust(self, currency: str, expected_1e8: int, observed_1e8: int) -> None:
        ours, theirs = (trimmed_text(amount, SIZE_DECIMALS) for amount in (expected_1e8, observed_1e8))
        text = f"{self._port.name} {currency}: by our record {ours}, by the venue's {theirs}: nothing passes there"
        self._desk.out.append(Notice("error", f"{text} until a person has looked and armed"))
        gate = self._desk.gate
        for index in self._port.indices:
            market = gate.markets[index]
            if currency in (market.base, market.quote):
                more_1e8 = observed_1e8 - expected_1e8 if currency == market.base else 0
                market.venue_position_1e8 = gate.account.exposures[index].position_1e8 + more_1e8
                gate.distrust(index)

    def restore(self, memory: DriftMemory, looked_ns: int) -> None:
        """What the session before left, as of a picture asked for at `looked_ns`."""
        self._drift = self._made(memory)
        self._old_ns = max(looked_ns - OLD_NS, 0)
