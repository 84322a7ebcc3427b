"""A simulated Kraken that outlives the gateways: a process of its own, with dice for faults, and its own record.

    python -m tests.support.trading_kill_sim SEED

The first line of stdout says where it is, as `gateway sim kraken --json` does. Then it answers lines of stdin: `record`
with all that ever happened to the account, `freeze` (the market stands still) and `calm` (no more faults) with `{}`. It
ends with its stdin.

So that hundreds of lives pass in a minute, the account's rate counters are as good as endless, a deadline may be
shorter than Kraken's shortest, and the lists lag by LAG_MS.
"""

import asyncio
import json
import random
import sys
from typing import Any, Final

import msgspec

from runtime.sim.kraken import Faults, checks, rates, restorders
from runtime.sim.kraken.faults import Fault
from runtime.sim.kraken.rates import Tier
from runtime.sim.kraken.venue import KrakenVenue
from runtime.sim.server import KrakenSimServer

MS: Final = 10**6
LAG_MS: Final = 120
LATE_MS: Final = 260  # how late a request may reach the engine: near its deadline, after the client has gone
# fault → how likely at each occasion, and from where to where its value lies
CHANCES: Final = {
    "engine_late": (0.7, 10, LATE_MS),
    "ack_lost": (0.03, 0, 0),
    "fill_before_ack": (0.04, 20, 100),
    "fill_after_cancel_ack": (0.06, 20, 100),
    "partial_then_cancel": (0.06, 20, 80),
    "cancel_reject_after_fill": (0.04, 0, 0),
    "duplicate_fill": (0.04, 0, 0),
}
_TRADING: Final = frozenset({"add_order", "amend_order", "cancel_order"})


class Dice(Faults):
    """Faults that strike by chance, on requests about single orders; REST lags always."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._dice = random.Random(f"venue {seed}")
        self.is_calm = False

    def fires(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        del age_ns, index
        chance, least, most = CHANCES.get(name, (0.0, 0, 0))
        if self.is_calm or (what and what not in _TRADING) or self._dice.random() >= chance:
            return None
        return Fault(name=name, value=self._dice.randint(least, most))

    def active(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        del age_ns, index, what
        return Fault(name=name, value=LAG_MS) if name == "delayed_visibility" else None


def hurry() -> None:
    """What would make each life of a gateway last for minutes."""
    tiers: dict[str, Tier] = rates.TIERS
    for name, tier in tiers.items():
        tiers[name] = msgspec.structs.replace(
            tier, threshold=10**6, open_orders=10**4, rest_max=10**6, rest_decay=tier.rest_decay * 10**4
        )
    lists: Any = restorders
    lists.NS = MS  # delayed_visibility is in seconds
    check = checks.check_deadline

    def short(deadline_ns: int, now_ns: int, *, shortest_ns: int) -> None:
        del shortest_ns
        check(deadline_ns, now_ns, shortest_ns=MS)

    module: Any = checks
    module.check_deadline = short


def record(venue: KrakenVenue) -> dict[str, Any]:
    """Every order there ever was, with its executions; sizes ×1e8, times in ns."""
    engine = venue.engine
    orders = []
    for order in engine.orders.values():
        to_1e8 = 10 ** (8 - order.pair.qty_precision)
        orders.append({
            "id": order.order_id, "name": order.spec.cl_ord_id, "symbol": order.spec.symbol,
            "side": 1 if order.spec.side == "buy" else -1, "status": order.status, "is_open": order.is_open,
            "qty_1e8": order.qty * to_1e8, "cum_1e8": order.cum_qty * to_1e8, "closed_ns": order.closed_ns,
            "opened_ns": order.opened_ns, "fills": {one: engine.fills[one].qty * to_1e8 for one in order.fills},
        })  # fmt: skip
    return {"orders": orders, "armed_ns": engine.trigger_ns}


async def main() -> None:
    hurry()
    seed = int(sys.argv[1])
    dice, loop = Dice(seed), asyncio.get_running_loop()
    async with KrakenSimServer(seed=seed, faults=dice, rate_hz=300) as server:
        where = {"rest": server.rest_url, "ws": server.ws_url, "ws_auth": server.ws_auth_url, "key": server.key,
                 "secret": server.secret}  # fmt: skip
        print(json.dumps(where), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            said: dict[str, Any] = {}
            match line.strip():
                case "record":
                    said = record(server.venue)
                case "freeze":
                    server.venue._interval_ns = 0
                case "calm":
                    dice.is_calm = True
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
