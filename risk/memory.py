"""What the gate must not forget: everything that survives a restart, by names, as plain values.

Written to the journal with the turn that changed it and given back at the next start. Markets, algos and scopes go by
their names, for their numbers change with the configuration. Integers may exceed 64 bits: it is encoded as JSON.
Marks are not in it: prices are learnt anew, and until they are, what depends on them is denied.
"""

import msgspec

from connectors.orders import NewOrder
from risk.limits import LimitTree
from risk.states import Cause

MEMORY_VERSION = 1


class Held(msgspec.Struct, frozen=True, array_like=True):
    """One market's position and money; of the account, or of one algo there. `day_1e17`: its PnL at 00:00 UTC."""

    position_1e8: int
    cost_1e17: int
    realized_1e17: int
    day_1e17: int = 0
    is_day_open: bool = False


class Day(msgspec.Struct, frozen=True, array_like=True):
    """One scope's money in one quote currency. `latches`: reasons that latched, with what was observed (×1e9)."""

    start_1e17: int
    peak_1e17: int
    latches: dict[str, int] = {}
    is_day_open: bool = False


class OpenOrder(msgspec.Struct, frozen=True, array_like=True):
    """An approved order that is not known to be finished (`exposure.LiveOrder`).

    `hold_px_1e9`: at which it holds balance.
    """

    algo: str
    market: str
    new: NewOrder
    px_1e9: int
    qty_1e8: int
    most_1e8: int
    leaves_1e8: int
    filled_1e8: int
    asked: tuple[tuple[int, int], ...]
    refused: int
    is_over: bool
    far_px_1e9: int
    hold_px_1e9: int = 0
    end_1e8: int = 0
    exec_ids: tuple[str, ...] = ()
    told_1e8: int = 0
    furthest_1e8: int = 0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's. `windows`: `orders`, `cancels` → scope → times. Lately, by time: `equals` (algo, market, side, price,
    quantity, type of new orders), `repeats` (algo, market, side of orders that traded), `refusals` (algo).
    `repeat_latched`: algo → limit, observed, scope. `orders_of`: orders of canaries, by module. `grants`: overrides
    that were used. `drifts`: market → the venue's position. `limits`: those in force.
    """

    version: int = MEMORY_VERSION
    day_end_ns: int = 0
    approvals: int = 0
    causes: dict[str, Cause] = {}
    markets: dict[str, Held] = {}
    algos: dict[str, dict[str, Held]] = {}
    days: dict[str, dict[str, Day]] = {}
    windows: dict[str, dict[str, tuple[int, ...]]] = {}
    equals: tuple[tuple[int, str, str, int, int, int, int], ...] = ()
    repeats: tuple[tuple[int, str, str, int], ...] = ()
    refusals: tuple[tuple[int, str], ...] = ()
    repeat_latched: dict[str, tuple[int, int, str]] = {}
    orders_of: dict[str, int] = {}
    open_orders: tuple[OpenOrder, ...] = ()
    balances: dict[str, dict[str, int]] = {}
    grants: tuple[str, ...] = ()
    drifts: dict[str, int] = {}
    limits: LimitTree | None = None
