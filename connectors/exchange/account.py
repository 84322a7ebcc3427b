"""What the parts of one trading session share, and how they ask each other for things."""

from typing import Final

from connectors.events import ExecReport, ExecType, Notice, RejectCode
from connectors.exchange.known import Known, KnownOrders
from connectors.session import Output, Stop, TradingPlan

SECOND: Final = 10**9
TOLD_MAX: Final = 8192  # executions remembered, so that their money is told once
PACE_NS: Final = 5 * SECOND
PACE_MAX_NS: Final = 60 * SECOND  # whatever a venue names as the end, this is the most that is believed


class Account:
    """`look_why`: somebody needs a picture of the account, and why. `halted`: nothing more is sent, and why.
    `is_trusted`: the key is known, and may do what it must.

    `renew_why`: the link's token or login is no good. `paced_until_ns`: no order leaves before that, the venue asked
    for it.
    """

    def __init__(self, venue: str, plan: TradingPlan) -> None:
        self.venue = venue
        self.plan = plan
        self.symbols = dict(plan.symbols)
        self.orders = KnownOrders(plan.ours)
        self.look_why = ""
        self.halted = ""
        self.is_trusted = False
        self.renew_why = ""
        self.paced_until_ns = 0
        self._index = {symbol: index for index, symbol in plan.symbols}
        self._told: dict[str, bool] = {}  # exec_id → whether an ExecReport told it, too

    def index(self, symbol: str) -> int:
        """The engine's index of a symbol of ours; −1: not followed."""
        return self._index.get(symbol, -1)

    def halt(self, why: str, text: str) -> list[Output]:
        """The venue accepts nothing of us any more: told once. Before the key was known to be good, nothing will change
        that: the session ends."""
        if self.halted:
            return []
        self.halted = why
        told = f"{self.venue}: {text}"
        return [Stop(text)] if not self.is_trusted else [Notice("error", f"{told}: nothing more is sent")]

    def slower(self, now_ns: int, until_ns: int = 0) -> None:
        """The venue asked for less: no new order for five seconds, or until the time that it named."""
        until_ns = min(max(until_ns, now_ns + PACE_NS), now_ns + PACE_MAX_NS)
        self.paced_until_ns = max(self.paced_until_ns, until_ns)

    def is_new_money(self, exec_id: str) -> bool:
        """Whether nobody was told yet what this execution moved; remembers it."""
        if exec_id in self._told:
            return False
        if len(self._told) >= TOLD_MAX:
            del self._told[next(iter(self._told))]
        self._told[exec_id] = False
        return True

    def is_new_report(self, exec_id: str) -> bool:
        """Whether no report was made of this execution; remembers it."""
        if self._told.get(exec_id):
            return False
        self._told[exec_id] = True
        return True


def report(
    known: Known, exec_type: ExecType, text: str = "", code: RejectCode = RejectCode.UNKNOWN, ts_ns: int = 0
) -> ExecReport:
    """A report that executes nothing."""
    known.told_id = known.venue_id
    is_over = exec_type in (ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED)
    return ExecReport(
        client_order_id=known.name,
        exec_type=exec_type,
        instrument=known.instrument,
        venue_order_id=known.venue_id,
        cum_qty_1e8=known.cum_1e8,
        leaves_qty_1e8=0 if is_over else max(known.qty_1e8 - known.cum_1e8, 0),
        reject_code=code,
        text=text,
        ts_venue_ns=ts_ns,
    )
