"""The life of an order: a table, and nothing else may change a state.

An order is born PENDING_NEW when its bytes are handed over. What the venue says moves it (columns are ExecTypes).
Every pair is decided: a state, `RESTORED`, or why the state stays: `Ignored` is what a sound venue and a line that
reorders, repeats or loses can bring about, `Anomaly` what they cannot: it is counted, and a person hears of it.

* A trade may come in any state, before the ack and after a cancel's ack too: executions are facts, and the position
  counts each once, by its `exec_id`, whatever becomes of the state. Whether it fills the order is decided by
  quantities, not by this table.
* PENDING_CANCEL is ours: a cancel is on its way. If the venue refuses the cancel, the order is again what it was; a
  refusal that comes when the order has ended is moot: the cancel was too late.
* UNKNOWN is what silence makes of an order, from every live state: it counts as live until proof. An ack, a trade, an
  amend that took effect prove that it lives; an end proves itself. A refused cancel or amend proves nothing: the venue
  may have refused it because it never saw the order.
* An order the venue took and refuses after all (REJECTED after NEW) is over: what is left of it will not trade.
* A terminal state is left by nothing. Acks and answers that the end overtook are ignored, and so is silence: it cannot
  undo proof. A refused order that is acked, amended or traded all the same is an anomaly (it lives), as is an end of
  another kind than the one that was told, and a trade of an order that was filled.
* An end that says more was executed than we were told (`cum_qty`) ends the order, and its rest is owed: it is kept
  until those executions came (`manager.py`).
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


class Ignored(StrEnum):
    """Why a report leaves the state as it is, and that is well."""

    REPEATED = "repeated"  # the same end, told twice
    OVERTAKEN = "overtaken"  # sent before the end, came after it
    MOOT = "moot"  # a cancel or amend was refused because the order had ended
    LATE_FILL = "late fill"  # of before the end; the position counts it
    SETTLED = "settled"  # silence about an order whose end is proven


class Anomaly(StrEnum):
    """Why a report leaves the state as it is, though it should not have come."""

    ALIVE = "a refused order lives"
    ENDED_TWICE = "it ended otherwise before"
    OVERFILLED = "traded after it was filled"


class Restored:
    """The type of `RESTORED`: back to NEW or PARTIALLY_FILLED, by what is filled."""

    def __repr__(self) -> str:
        return "RESTORED"


RESTORED: Final = Restored()
Target = OrderState | Restored | Ignored | Anomaly

S = OrderState
E = ExecType
_I = Ignored
_A = Anomaly

TERMINAL: Final = frozenset({S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED})

COLUMNS: Final = (E.NEW, E.TRADE, E.CANCELED, E.REJECTED, E.EXPIRED, E.REPLACED, E.REPLACE_REJECTED, E.CANCEL_REJECTED,
                  E.UNKNOWN)  # fmt: skip

# TRADE's target is for a partial fill; a fill that leaves nothing goes to FILLED from every live state.
_ROWS: Final[dict[OrderState, tuple[Target, ...]]] = {
    S.PENDING_NEW: (S.NEW, S.PARTIALLY_FILLED, S.CANCELED, S.REJECTED, S.EXPIRED,
                    RESTORED, S.PENDING_NEW, S.PENDING_NEW, S.UNKNOWN),
    S.NEW: (S.NEW, S.PARTIALLY_FILLED, S.CANCELED, S.REJECTED, S.EXPIRED,
            S.NEW, S.NEW, S.NEW, S.UNKNOWN),
    S.PARTIALLY_FILLED: (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.CANCELED, S.REJECTED, S.EXPIRED,
                         S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.UNKNOWN),
    S.PENDING_CANCEL: (S.PENDING_CANCEL, S.PENDING_CANCEL, S.CANCELED, S.REJECTED, S.EXPIRED,
                       S.PENDING_CANCEL, S.PENDING_CANCEL, RESTORED, S.UNKNOWN),
    S.UNKNOWN: (RESTORED, S.PARTIALLY_FILLED, S.CANCELED, S.REJECTED, S.EXPIRED,
                RESTORED, S.UNKNOWN, S.UNKNOWN, S.UNKNOWN),
    S.FILLED: (_I.OVERTAKEN, _A.OVERFILLED, _A.ENDED_TWICE, _A.ENDED_TWICE, _A.ENDED_TWICE,
               _I.OVERTAKEN, _I.MOOT, _I.MOOT, _I.SETTLED),
    S.CANCELED: (_I.OVERTAKEN, _I.LATE_FILL, _I.REPEATED, _A.ENDED_TWICE, _A.ENDED_TWICE,
                 _I.OVERTAKEN, _I.MOOT, _I.MOOT, _I.SETTLED),
    S.REJECTED: (_A.ALIVE, _A.ALIVE, _A.ENDED_TWICE, _I.REPEATED, _A.ENDED_TWICE,
                 _A.ALIVE, _I.MOOT, _I.MOOT, _I.SETTLED),
    S.EXPIRED: (_I.OVERTAKEN, _I.LATE_FILL, _A.ENDED_TWICE, _A.ENDED_TWICE, _I.REPEATED,
                _I.OVERTAKEN, _I.MOOT, _I.MOOT, _I.SETTLED),
}  # fmt: skip

TRANSITIONS: Final[dict[tuple[OrderState, ExecType], Target]] = {
    (state, kind): target for state, row in _ROWS.items() for kind, target in zip(COLUMNS, row, strict=True)
}
"""(state, report) → where it leads, or why it stays. All pairs are there."""


def table() -> str:
    """The table as docs/orders.md has it: one row a state, one column a report, in Markdown."""
    head = ("state", *(kind.value for kind in COLUMNS))
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for state, row in _ROWS.items():
        cells = (_cell(state, target) for target in row)
        lines.append(f"| **{state}** | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(state: OrderState, target: Target) -> str:
    if isinstance(target, Anomaly):
        return f"**!** {target.value}"
    if isinstance(target, Ignored):
        return f"*{target.value}*"
    if isinstance(target, Restored):
        return "restored"
    return "·" if target is state else target.value
