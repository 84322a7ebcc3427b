"""The life of an order: a table, and nothing else may change a state.

An order is born PENDING_NEW when its bytes are handed over. What the venue says moves it (columns are ExecTypes):

* A trade may come in any state, before the ack and after a cancel's ack too: executions are facts. Whether it fills
  the order or not is decided by quantities (`leaves_qty`), not by this table.
* PENDING_CANCEL is ours: a cancel is on its way. If the venue refuses the cancel, the order is again what it was.
* UNKNOWN is what silence makes of an order: it counts as live until proof, and proof of any kind ends it.
* An order the venue took and refuses after all (REJECTED after NEW) is over: what is left of it will not trade.
* A terminal state is left by nothing. A report that asks for it is counted as an anomaly and changes nothing but, for
  a trade, the position.
"""

from enum import StrEnum
from typing import Final

from connectors.events import ExecType


class OrderState(StrEnum):
    """FIX 39 OrdStatus, and UNKNOWN."""

    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


S = OrderState
E = ExecType

TERMINAL: Final = frozenset({S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED})

# TRADE's target is for a partial fill; a fill that leaves nothing goes to FILLED from every live state.
# RESTORED (None): back to NEW or PARTIALLY_FILLED, by what is filled.
RESTORED: Final = None

TRANSITIONS: Final[dict[tuple[OrderState, ExecType], OrderState | None]] = {
    (S.PENDING_NEW, E.NEW): S.NEW,
    (S.PENDING_NEW, E.TRADE): S.PARTIALLY_FILLED,
    (S.PENDING_NEW, E.CANCELED): S.CANCELED,
    (S.PENDING_NEW, E.REJECTED): S.REJECTED,
    (S.PENDING_NEW, E.EXPIRED): S.EXPIRED,
    (S.PENDING_NEW, E.UNKNOWN): S.UNKNOWN,
    (S.PENDING_NEW, E.REPLACED): S.NEW,
    (S.PENDING_NEW, E.REPLACE_REJECTED): S.PENDING_NEW,
    (S.PENDING_NEW, E.CANCEL_REJECTED): S.PENDING_NEW,
    (S.NEW, E.NEW): S.NEW,
    (S.NEW, E.TRADE): S.PARTIALLY_FILLED,
    (S.NEW, E.CANCELED): S.CANCELED,
    (S.NEW, E.REJECTED): S.REJECTED,
    (S.NEW, E.EXPIRED): S.EXPIRED,
    (S.NEW, E.REPLACED): S.NEW,
    (S.NEW, E.REPLACE_REJECTED): S.NEW,
    (S.NEW, E.CANCEL_REJECTED): S.NEW,
    (S.NEW, E.UNKNOWN): S.UNKNOWN,
    (S.PARTIALLY_FILLED, E.NEW): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.TRADE): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.CANCELED): S.CANCELED,
    (S.PARTIALLY_FILLED, E.REJECTED): S.REJECTED,
    (S.PARTIALLY_FILLED, E.EXPIRED): S.EXPIRED,
    (S.PARTIALLY_FILLED, E.REPLACED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.REPLACE_REJECTED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.CANCEL_REJECTED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, E.UNKNOWN): S.UNKNOWN,
    (S.PENDING_CANCEL, E.NEW): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.TRADE): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.CANCELED): S.CANCELED,
    (S.PENDING_CANCEL, E.REJECTED): S.REJECTED,
    (S.PENDING_CANCEL, E.EXPIRED): S.EXPIRED,
    (S.PENDING_CANCEL, E.REPLACED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.REPLACE_REJECTED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, E.CANCEL_REJECTED): RESTORED,
    (S.PENDING_CANCEL, E.UNKNOWN): S.UNKNOWN,
    (S.UNKNOWN, E.NEW): RESTORED,
    (S.UNKNOWN, E.TRADE): S.PARTIALLY_FILLED,
    (S.UNKNOWN, E.CANCELED): S.CANCELED,
    (S.UNKNOWN, E.REJECTED): S.REJECTED,
    (S.UNKNOWN, E.EXPIRED): S.EXPIRED,
    (S.UNKNOWN, E.REPLACED): RESTORED,
    (S.UNKNOWN, E.REPLACE_REJECTED): S.UNKNOWN,
    (S.UNKNOWN, E.CANCEL_REJECTED): S.UNKNOWN,
    (S.UNKNOWN, E.UNKNOWN): S.UNKNOWN,
}
"""(state, report) → state. A pair that is missing is an anomaly: counted, reported, and the state stays."""
