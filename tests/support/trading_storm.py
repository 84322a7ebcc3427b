"""Storms: seeded courses of everything a guest, a person, the network and the venue may do at once; then calm.

    Storm(seed, "okx").run()    # raises OracleError with the command that replays it

While it blows the oracle looks on after every turn. Then the faults end, and within five virtual minutes everything
must be definite and equal: orders, positions, balances (RELIABILITY (c) 10 and 11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache, reduce
from random import Random
from typing import Final

from connectors.orders import Action, OrderType
from runtime.abi import ActionKind
from tests.support.trading_venues import place
from tests.support.trading_world import OracleError, TradingWorld

LOUD: Final = 0.25  # how often a step brings a fault
TYPES: Final = (*[OrderType.LIMIT] * 5, OrderType.MARKET, OrderType.IOC, OrderType.FOK, OrderType.POST_ONLY)
FAULTS: Final = (
    "ack_lost,on=add_order", "ack_lost,on=cancel_order", "ack_lost,on=amend_order", "ack_lost,times=3",
    "ack_late=800,times=4", "ack_late=9000", "response_lost", "response_lost,on=cancel_order", "executions_first",
    "engine_late=900,times=3", "engine_late=6000", "rate_limit", "rate_limit,times=5", "refuse",
    "refuse=EOrder:Insufficient funds", "refuse=EService:Unavailable", "busy_live", "busy_live,times=2",
    "token_expired", "fill_before_ack", "fill_before_ack=30,times=2", "fill_after_cancel_ack",
    "fill_after_cancel_ack=40", "cancel_reject_after_fill", "partial_then_cancel", "duplicate_fill,times=3",
    "reordered_fill,times=2", "dropped_fill", "dropped_fill,times=3", "sequence_gap", "executions_late=1500",
    "executions_off", "exponents", "delayed_visibility=5", "delayed_visibility=60", "gateway_error",
    "gateway_error=503,times=3", "gateway_error_live,times=2", "rest_lost,times=2", "rest_late=4000,times=5",
    "rest_late=20000", "http_429,times=2", "rest_rate_limit", "nonce_error", "throttled", "no_pong", "pong_only",
    "mute", "half_open", "heartbeat_off", "garbage_frame", "close", "reset", "half_frame", "connect_refused",
    "no_ack,connections=9", "clock_skew=2500", "clock_skew=-2500", "book_off", "corrupt_checksum", "drop_update=5",
)  # fmt: skip
# a refusal for funds, and one of which nobody knows, in the venues' own words
_REFUSALS: Final = {
    "coinbase": ("INSUFFICIENT_FUND", "UNKNOWN_FAILURE_REASON"),
    "binance": ("-2010", "-1007"),
    "okx": ("51008", "51149"),
    "bybit": ("170131", "170007"),
}


@cache
def faults_at(venue: str) -> tuple[str, ...]:
    """Those of FAULTS that the venue has, in its words."""
    if venue == "kraken":
        return FAULTS
    funds, doubt = _REFUSALS[venue]
    words = {"EOrder:Insufficient funds": funds, "EService:Unavailable": doubt, "_order": "", "on=add": "on=new"}
    found = []
    for text in FAULTS:
        theirs = reduce(lambda told, word: told.replace(*word), words.items(), text)
        with suppress(ValueError):
            place(venue).faults(theirs)
            found.append(theirs)
    return tuple(found)


class Storm:
    """One seed at one venue. `counts`: what was done, how often."""

    def __init__(self, seed: int, venue: str = "kraken") -> None:
        self.seed, self.venue = seed, venue
        self.dice = dice = Random(f"{seed}/storm")
        self.faults = faults_at(venue)
        slow = dice.choice([(1, 5), (1, 30), (5, 200), (50, 900)])
        rate_hz, disk = dice.choice([0, 0, 2, 10]), (0, dice.choice([1, 30]))
        options = {"batch": "true"} if dice.random() < 0.3 and venue == "kraken" else {}
        self.world = TradingWorld(name=venue, seed=seed, rate_hz=rate_hz, latency=slow, disk=disk, options=options)
        self.counts: Counter[str] = Counter()
        self._is_halted = False

    def run(self) -> None:
        """The storm and the calm."""
        try:
            self._blow()
            self.world.calm()
        except Exception as error:
            where = "" if self.venue == "kraken" else f"VENUEGATE_STORM_VENUE={self.venue} "
            again = f"{where}VENUEGATE_STORM_SEED={self.seed} uv run pytest tests/trading/test_storms.py -k one_seed"
            raise OracleError(f"{error}\nto see it again: {again}") from error

    def _blow(self) -> None:
        dice, world = self.dice, self.world
        deeds: list[Callable[[], None]] = [self._guest] * 12 + [self._outside] * 4 + [self._network] * 2
        deeds += [self._person, self._life, world.faults.clear]
        for _ in range(dice.randint(20, 60)):
            if dice.random() < LOUD:
                fault = dice.choice(self.faults)
                self.counts[fault.partition(",")[0].partition("=")[0]] += 1
                world.faults.switch(fault)
            dice.choice(deeds)()
            world.run(dice.choice([0, 0.01, 0.05, 0.3, 1, 3, 10]))
            if world.stopped:
                raise OracleError(f"the gateway ended itself: {world.stopped}")

    # --- deeds ------------------------------------------------------------------------------------------------------

    def _guest(self) -> None:
        """Asks for some things at once, or in its own turn."""
        if self.world.session is None or self.world.is_frozen:
            return
        self.world.want(*(self._action() for _ in range(self.dice.choice([1, 1, 1, 2, 5]))))

    def _action(self) -> Action:
        dice, world = self.dice, self.world
        living = list(world.engine.oms.orders.values())
        what = dice.random()
        if living and what < 0.25:
            order = dice.choice(living)
            self.counts["cancel"] += 1
            return (order.order_id, 0, 0, 0, int(ActionKind.CANCEL), 0, 0, 0, order.instrument, 0)
        if living and what < 0.45:
            order = dice.choice(living)
            self.counts["amend"] += 1
            px_1e9 = max(order.px_1e9 + dice.choice([0, 0, -1, 1, -20, 20]) * 10**9, 10**9)
            qty_1e8 = max(order.qty_1e8 + dice.choice([0, 1, -1, 5, -3]) * 10**5, 10**5)
            return (order.order_id, px_1e9, qty_1e8, 0, int(ActionKind.AMEND), 0, 0, 0, order.instrument, 0)
        kind, symbol = dice.choice(TYPES), dice.randrange(2)
        qty_1e8, side = dice.choice([1, 2, 5, 13]) * 10**6, dice.choice([1, -1])
        far = dice.choice([0, 1, 5, 20]) if kind in (OrderType.LIMIT, OrderType.POST_ONLY) else -dice.choice([0, 5])
        self.counts[kind.name] += 1
        return world.order(side, qty_1e8, far=far, kind=kind, symbol=symbol)

    def _outside(self) -> None:
        """Somebody trades with an order of ours, or the venue cancels it."""
        dice, world = self.dice, self.world
        resting = [name for name, one in world.truth().orders.items() if one.resting]
        if not resting:
            return
        name = dice.choice(resting)
        if dice.random() < 0.15:
            self.counts["ended by the venue"] += 1
            world.end(name)
            return
        self.counts["traded"] += 1
        world.fill(name, dice.choice([1, 30, 50, 100, 100]))

    def _network(self) -> None:
        dice, world = self.dice, self.world
        if world.session is None:
            return
        what = dice.choice(["private", "private", "public", "both", "rest", "shuffle"])
        self.counts[f"cut {what}"] += 1
        match what:
            case "private":
                world.cut(lands=dice.random() < 0.7)
            case "public":
                world.public.cut()
            case "both":
                world.is_down = True
                world.cut(lands=dice.random() < 0.7)
                world.public.cut()
                world.run(dice.choice([0.5, 5, 45]))
                world.is_down = False
            case "rest":
                world.rest.is_broken = not world.rest.is_broken
            case "shuffle":
                world.private.shuffle = dice.choice([0, 0.05])

    def _person(self) -> None:
        world = self.world
        if world.session is None or world.is_frozen:
            return
        if self._is_halted:
            self.counts["arm"] += 1
            world.arm()
        else:
            self.counts["kill"] += 1
            world.kill(
                self.dice.choice(
                    ["all", "all", f"venue:{self.venue}", f"instrument:{world.where.symbols[0]}", "algo:trader"]
                )
            )
        self._is_halted = not self._is_halted

    def _life(self) -> None:
        """The process: it dies, ends in order, or stops for a while."""
        dice, world = self.dice, self.world
        what = dice.choice(["crash", "crash", "stop", "freeze", "long freeze"])
        self.counts[what] += 1
        match what:
            case "crash":
                world.restart(dice.choice([0, 0.5, 5, 70]))
            case "stop":
                world.stop()
                world.restart(dice.choice([0.5, 5]))
            case _:
                world.freeze()
                world.run(70 if what == "long freeze" else dice.choice([0.5, 3, 12]))
                world.thaw()
