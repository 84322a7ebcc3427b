"""What the gate did besides saying yes or no: records for the journal and for people, told once, in order."""

import msgspec

from risk.denial import DenyReason
from risk.states import TradingState


class Switched(msgspec.Struct, frozen=True, tag=True):
    """A scope's state changed: `what` did it, by `who` (a person, or the gateway itself)."""

    scope: str
    before: TradingState
    after: TradingState
    what: str
    who: str


class Latched(msgspec.Struct, frozen=True, tag=True):
    """A limit was passed and its scope is latched. `quote`: of DAILY_LOSS and DRAWDOWN. Amounts as in `Denied`."""

    scope: str
    quote: str
    reason: DenyReason
    limit: int
    observed: int


class LimitChanged(msgspec.Struct, frozen=True, tag=True):
    """One limit was changed by a person; UNSET for one that is not said, None for no list."""

    scope: str
    key: str
    before: int | tuple[str, ...] | None
    after: int | tuple[str, ...] | None
    who: str


class DayRolled(msgspec.Struct, frozen=True, tag=True):
    """00:00 UTC: a new day of money."""

    day_end_ns: int


class OverrideUsed(msgspec.Struct, frozen=True, tag=True):
    """One signed override let one order skip these controls."""

    grant: str
    client_order_id: str
    skipped: tuple[DenyReason, ...]
    who: str


class Promoted(msgspec.Struct, frozen=True, tag=True):
    """A person promoted a module: it is no canary any more."""

    sha256: str
    who: str


class AllCancelled(msgspec.Struct, frozen=True, tag=True):
    """One cancel-all of the gateway's own was approved for a venue, by this number."""

    venue: str
    approval: int
    action_id: str


class Adopted(msgspec.Struct, frozen=True, tag=True):
    """An order was found open at a venue under our name that this account did not know: it counts from now on."""

    client_order_id: str
    market: str
    algo: str
    side: int
    px_1e9: int
    qty_1e8: int
    filled_1e8: int


Happening = Adopted | Switched | Latched | LimitChanged | DayRolled | OverrideUsed | Promoted | AllCancelled
