"""One venue's account: its record against ours, until they are equal; and again each minute.

    link up ─► Ready ─► look ─► Picture ─► compared: reports, adopted orders, drift ─► reconciled: orders may pass

Nothing passes before that, and the gate says what is missing. What silence leaves open is looked for until it is
decided. What the gateway itself wants cancelled it asks for again until it is gone. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from connectors.events import Doubt, ExecReport, ExecType, Movement, Notice, Picture, Ready, VenueOrder
from connectors.orders import NewOrder
from connectors.session import WakeAt
from oms.manager import Order
from oms.pacer import Pacer
from oms.reconcile import Comparison, Reconciler
from runtime.inputs import Command
from runtime.memory import AccountMemory
from runtime.port import OURS, Port
from runtime.venue_money import Money

if TYPE_CHECKING:
    from runtime.desk import Carry, Desk

SECOND_NS: Final = 10**9
LOOK_TIMEOUT_NS: Final = 60 * SECOND_NS  # a look that nobody answered is asked again
CALM_NS: Final = 60 * SECOND_NS  # between two looks while the private link is down
MARGIN_NS: Final = 60 * SECOND_NS  # by which a venue's clock may differ from ours
ADOPTED: Final = 2**63  # order ids of orders that no algo of this journal ever asked for begin here


class VenueAccount:
    """Of one port with a private side. `carry(venue, outputs, now_ns)` carries a session's outputs out."""

    def __init__(self, port: Port, desk: Desk, carry: Carry) -> None:
        trading = port.spec.venue.trading
        if port.orders is None or trading is None:
            msg = f"{port.name} has no private side"
            raise ValueError(msg)
        self.name = port.name
        self._port, self._desk, self._carry = port, desk, carry
        self._orders = port.orders
        self._reconciler = Reconciler(
            trading.deadline_ns, trading.visible_ns, OURS, port.indices, keeps_ns=trading.keeps_ns
        )
        self._pacer = Pacer(0)
        self.money = Money(port, desk, trading)
        self._memory: AccountMemory | None = None  # as of the last picture that was judged
        self.pictures = 0
        self._is_ending = False
        self._waits_for = ""  # what a person was told that orders wait for
        self._why = "not connected yet"
        self._ready_ns = -1  # since when orders could be sent; −1: they cannot
        self._doubted_ns = -1  # when something was last said to be in doubt
        self._begun_ns = 0  # when the last look was asked for
        self._asked_ns = -1  # when the look was asked for that nobody has answered yet
        self._since_ns = 0  # when the last picture of the session before was asked for
        self.looked_ns = 0  # when the last picture that was compared was asked for
        self.compared_ns = 0  # when it was compared
        self.doubts: dict[str, str] = {}  # orders, and what is not known of them
        self.foreign = 0  # open orders of others on the account
        port.link.is_reconciled, port.link.why = False, self._why

    # --- what happens ------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> None:
        """The session's first turn."""
        for order in self._open():  # of a session before: until now anything may have left
            order.sent_ns = order.asked_ns = order.doubt_ns = now_ns
        self._since_ns = min(self._since_ns, now_ns)  # whatever the clock of then said
        self._carry(self.name, self._orders.start(now_ns), now_ns)

    def take(self, said: Ready | Movement | Picture | Doubt, now_ns: int) -> None:
        """What the session says of itself or of the account."""
        match said:
            case Ready(_, why):
                self._ready(why, now_ns)
            case Movement():
                self.money.moved(said, now_ns)
            case Doubt():
                self._hurry(now_ns)
            case Picture():
                self._compare(said, now_ns)

    def reported(self, report: ExecReport, now_ns: int) -> None:
        """A report was folded: what it says of money counts now, and doubt wants a look."""
        if report.exec_type is ExecType.TRADE:
            self.money.folded(report.exec_id, now_ns)
        elif report.exec_type is ExecType.UNKNOWN:
            self._hurry(now_ns)

    def commanded(self, command: Command, now_ns: int) -> None:
        """A person who arms has looked: what the venue has counts from now on."""
        if command.name == "arm":
            if self.money.accept(command.target):
                self._hurry(now_ns)
        elif command.name == "stop":
            self._is_ending = True
            self._carry(self.name, self._orders.stop(now_ns, is_flat=self.is_flat), now_ns)

    def tick(self, now_ns: int) -> None:
        """Time passed."""
        self._carry(self.name, self._orders.tick(now_ns), now_ns)
        self._desk.sweep.again(self.name, now_ns)
        self._judge(now_ns)
        is_calm = self._doubted_ns <= self._begun_ns and now_ns < self._begun_ns + CALM_NS
        if self._ready_ns < 0 and (self.is_flat or is_calm):
            return  # with an order open or in doubt it is looked for by REST, however long the link is down
        is_waiting = self._asked_ns >= 0 and now_ns < self._asked_ns + LOOK_TIMEOUT_NS
        if self._asked_ns >= 0 and not is_waiting:
            self._asked_ns = -1
            self._pacer.failed(now_ns)
        if not is_waiting and now_ns >= self._pacer.next_ns:
            self.look(now_ns)
        self._wake(max(self._pacer.next_ns, now_ns + SECOND_NS // 10))

    def _hurry(self, now_ns: int) -> None:
        self._doubted_ns = now_ns
        self._pacer.hurry(now_ns)
        self._wake(self._pacer.next_ns)

    @property
    def is_flat(self) -> bool:
        """Whether no order of ours is open or in doubt here, one that nobody here knows included."""
        return not self._open() and not self.doubts

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self, now_ns: int) -> None:
        """Asks for a picture that reaches back to whatever is open, and to the one before it."""
        before_ns = self.looked_ns or self._since_ns or now_ns
        since_ns = min(self._reconciler.reach_ns(self._desk.oms, now_ns), before_ns) - MARGIN_NS
        self._asked_ns = self._begun_ns = now_ns
        self._carry(self.name, self._orders.look(max(since_ns, 0), now_ns), now_ns)

    def _ready(self, why: str, now_ns: int) -> None:
        if why:
            self._ready_ns, self._asked_ns = -1, -1
        elif self._ready_ns < 0:
            self._ready_ns = now_ns
            self._pacer.hurry(now_ns)
            self.look(now_ns)
        if why and why != self._why:
            is_usual = self._is_ending or not self.pictures  # on the way to the first picture there is always something
            level = "info" if is_usual else "warning"
            self._desk.out.append(Notice(level, f"{self.name}: {why}: no order is sent there"))
        elif self._why and not why:
            self._desk.out.append(Notice("info", f"{self.name}: comparing its record of the account with ours"))
        self._why = why
        self._settle(now_ns)

    def _compare(self, picture: Picture, now_ns: int) -> None:
        self._asked_ns = -1
        self.pictures += 1
        found = self._reconciler.compare(picture, self._desk.oms, now_ns)
        self._desk.out += found.notices
        self._desk.reports(found.reports, now_ns)
        for report in found.reports:
            self.reported(report, now_ns)
        for order in found.adopt:
            self._adopt(order, found, now_ns)
        self.doubts, self.foreign = dict(found.in_doubt), found.foreign
        self.looked_ns, self.compared_ns = picture.asked_ns, now_ns
        self.money.pictured(picture, now_ns)
        self._judge(now_ns)
        self._wake(self.money.judge_ns or now_ns)
        self._pacer.looked(found, now_ns)
        if self._doubted_ns >= picture.asked_ns or (
            self.money.differs and not self._port.link.is_reconciled
        ):  # of that it may say nothing yet
            self._pacer.hurry(now_ns)
        self._settle(now_ns)

    def _settle(self, now_ns: int) -> None:
        """Whether orders may pass; what is missing, if not."""
        link, was = self._port.link, self._port.link.is_reconciled
        if self._ready_ns < 0:
            link.is_reconciled, link.why = False, self._why
            return
        old = [name for name in self.doubts if self._is_old(name)]
        uncounted = [name for name in self.doubts if name not in self._desk.oms.orders]
        if self.looked_ns < self._ready_ns:
            link.is_reconciled, link.why = False, "its record was not compared with ours yet"
        elif uncounted or (old and not was):
            name = (uncounted or old)[0]
            link.is_reconciled, link.why = False, f"{name} is in doubt: {self.doubts[name]}"
        elif self.money.differs and not was:
            link.is_reconciled, link.why = False, self.money.differs
        else:
            link.is_reconciled, link.why = True, ""
        if not link.is_reconciled and link.why != self._waits_for and self.looked_ns >= self._ready_ns >= 0:
            self._desk.out.append(Notice("warning", f"{self.name}: no order passes: {link.why}"))
        self._waits_for = link.why
        if link.is_reconciled and not was:
            self._desk.out.append(Notice("info", f"{self.name}: its record and ours are equal, orders may pass"))
        self._wake(max(self._pacer.next_ns, now_ns + SECOND_NS // 10))

    def _is_old(self, name: str) -> bool:
        order = self._desk.oms.orders.get(name)
        return order is None or order.sent_ns <= self._ready_ns  # one that is not among ours counts nowhere yet

    def _judge(self, now_ns: int) -> None:
        drift = self.money.judge(now_ns)
        if drift is not None:
            self._memory = AccountMemory(self.looked_ns, drift)
            self._desk.gate.version += 1
            if self.money.drifted and self.money.differs:
                self.money.differs = ""  # it is told, and those markets are latched
                self._settle(now_ns)

    # --- orders that nobody here asked for ---------------------------------------------------------------------------

    def _adopt(self, found: VenueOrder, said: Comparison, now_ns: int) -> None:
        """Open at the venue under our name, and not in our journal: from now on it counts, and can be cancelled."""
        desk = self._desk
        what = f"{self.name} {found.symbol}: {found.client_order_id} is open under our name and not in our journal"
        algo = next((one for one in desk.algos if found.instrument in one.symbol_of), None)
        if algo is None or not found.client_order_id:
            desk.out.append(Notice("error", f"{what}; no algo here trades that market: it is left alone"))
            return
        order_id = ADOPTED
        while (algo.index, order_id) in desk.gate.account.open_ids:
            order_id += 1
        new = NewOrder(
            found.client_order_id, algo.index, found.instrument, order_id, found.side, found.px_1e9, found.qty_1e8,
            found.order_type,
        )  # fmt: skip
        exec_ids = said.executed.get(found.client_order_id, ())
        desk.gate.adopt(new, found.cum_qty_1e8, exec_ids)
        order = desk.oms.adopt(found, algo.index, order_id, now_ns, exec_ids)
        algo.view_of(found.instrument).state.add(order)
        desk.out.append(Notice("error", f"{what}; it counts as {algo.name}'s from now on"))

    # --- small parts -------------------------------------------------------------------------------------------------

    def _open(self) -> list[Order]:
        indices = self._port.indices
        return [order for order in self._desk.oms.orders.values() if order.instrument in indices]

    def _wake(self, at_ns: int) -> None:
        self._desk.out.append(WakeAt(at_ns))

    def memory(self) -> AccountMemory | None:
        """For the next session; None before the first picture was judged. What came since, the next picture tells."""
        return self._memory

    def restore(self, memory: AccountMemory) -> None:
        """What the session before left."""
        self._memory, self._since_ns = memory, memory.looked_ns
        self.money.restore(memory.drift, memory.looked_ns)

    def floor_ns(self, order: Order) -> int:
        """How far back a look must reach for this order."""
        return self._reconciler.floor_ns(order)

    def told(self, now_ns: int) -> dict[str, Any]:
        """For `gateway status`: what is missing before orders may pass, what is not known, what has drifted."""
        return {
            "why": self._port.link.why, "pictures": self.pictures, "in_doubt": self.doubts, "foreign": self.foreign,
            "looked_s": max(now_ns - self.compared_ns, 0) // SECOND_NS if self.compared_ns else None,
            "drift": {name: list(amounts) for name, amounts in self.money.drifted.items()},
        }  # fmt: skip
