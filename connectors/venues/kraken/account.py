"""What the parts of one trading session at Kraken share, and how they ask each other for things."""

from connectors.events import ExecReport, ExecType, Notice, RejectCode
from connectors.session import Output, Stop, TradingPlan
from connectors.venues.kraken.known import Known, KnownOrders
from connectors.venues.kraken.limits import EngineLimits, RestLimits, tier
from connectors.venues.kraken.names import Names

VENUE = "kraken"
TOLD_MAX = 8192  # executions remembered, so that their money is told once


class Account:
    """`look_why`: somebody needs a picture of the account, and why. `halted`: nothing more is sent, and why.
    `is_trusted`: the key is known, and may do what it must.

    `token_why`: the socket's token is no good. `paced_until_ns`: no order leaves before that, the venue asked for it.
    """

    def __init__(self, plan: TradingPlan) -> None:
        of = tier(plan.options.get("tier", "starter"))
        self.plan = plan
        self.names = Names(plan.symbols)
        self.symbols = dict(plan.symbols)
        self.orders = KnownOrders(plan.ours)
        self.engine = EngineLimits(of)
        self.rest = RestLimits(of)
        self.look_why = ""
        self.halted = ""
        self.is_trusted = False
        self.token_why = ""
        self.paced_until_ns = 0
        self._told: dict[str, bool] = {}  # exec_id → whether an ExecReport told it, too

    def halt(self, why: str, text: str) -> list[Output]:
        """Kraken accepts nothing of us any more: told once. Before the key was known to be good, nothing will change
        that: the session ends."""
        if self.halted:
            return []
        self.halted = why
        told = f"{VENUE}: {text}"
        return [Stop(text)] if not self.is_trusted else [Notice("error", f"{told}: nothing more is sent")]

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
