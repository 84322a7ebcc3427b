"""Everything that can go wrong at each of the five, by the simulators' own lists: in the end all is what the venue has.

No scenario: a guest asks for orders of every kind, amends and cancels them, somebody trades with them, links are cut,
and meanwhile one fault is on, first while the session begins, then while it trades. The oracle looks on at every turn;
then comes calm. VENUEGATE_FAULT_SEEDS: how many courses of each.
"""

from __future__ import annotations

from random import Random

import pytest

from connectors.orders import Action, OrderType
from runtime.abi import ActionKind
from tests.oms.bench import knob
from tests.support.trading_venues import VENUES, place
from tests.support.trading_world import QTY, TradingWorld

SEEDS = knob("FAULT_SEEDS", 1)
WAYS = {
    "ack_lost": (",times=3", ",on=cancel", ",on=amend"),
    "ack_late": ("=800,times=3", "=9000"),
    "busy_live": (",times=3", ",on=cancel"),
    "clock_skew": ("=2000", "=-45000"),
    "dropped_fill": (",times=3",),
    "engine_late": ("=1000", "=6000,times=1"),
    "executions_late": ("=1500",),
    "gateway_error": (",times=3",),
    "http_429": (",times=2",),
    "notice": ("=4",),
    "refuse_symbols": (),  # for good
    "response_lost": ("", ",on=cancel", ",on=amend"),
    "rest_late": ("=2000", "=20000,times=3"),
    "rest_lost": (",times=3",),
    "shutdown": ("=4",),
    "status": ("=maintenance", "=cancel_only", "=post_only"),
}
"""How a fault is asked for, where its name alone is not the one way."""
LOGINS = {"coinbase": "subscribe", "binance": "userDataStream.subscribe.signature", "okx": "login", "bybit": "auth"}
"""The request that opens the link of news. Any signed question so answered means a key that is no good: an end."""


def forms(venue: str) -> list[str]:
    """Every fault of the venue's, in every form."""
    ways = {"login_refused": (f",on={LOGINS.get(venue)}",), **WAYS}
    return [name + way for name in place(venue).faults().table for way in ways.get(name, ("",))]


class Course:
    """One seed's course of events under one fault."""

    def __init__(self, venue: str, fault: str, seed: int) -> None:
        self.dice = Random(f"{seed}/course")
        first = () if fault.startswith("login_refused") else (fault,)  # it would be the key's question
        self.world = world = TradingWorld(*first, name=venue, seed=seed, starts=False)
        world.start()
        world.run(3)
        world.faults.clear()
        world.venue.set_status("online", world.now_ns)
        world.until(lambda: world.is_ready, 120, "the gateway is not ready")
        world.faults.switch(fault)

    def run(self) -> None:
        for deeds in (4, 1):
            for deed in self.dice.sample([self.resting, self.taking, self.refusable, self.parts], deeds):
                deed()
            self.world.cut()
            self.wait()
        self.world.calm()

    def wait(self) -> None:
        self.world.run(self.dice.choice((0.01, 0.05, 0.3, 2)))

    def want(self, action: Action) -> None:
        """Books may be lost: then nobody is asked."""
        before = len(self.world.actions)
        self.world.want(action)
        self.world.run(0.5, lambda: len(self.world.actions) > before)
        self.wait()

    def one(self, side: int, far: int, kind: OrderType = OrderType.LIMIT) -> str:
        """A new order; its name, "" where none could be asked for, or the gate let none pass."""
        before = len(self.world.actions)
        self.want(self.world.order(side, 2 * QTY, far=far, kind=kind))
        return next((one.client_order_id for one in self.world.actions[before:] if one.approval), "")

    def change(self, name: str, kind: ActionKind) -> None:
        """An amend to less, or a cancel; of one that is open as far as anybody knows."""
        order = self.world.engine.oms.find(name)
        if order is not None and not order.is_finished:
            px, qty = (order.px_1e9, QTY) if kind is ActionKind.AMEND else (0, 0)
            self.want((order.order_id, px, qty, 0, int(kind), 0, 0, 0, order.instrument, 0))

    def resting(self) -> None:
        name = self.one(1, 50)
        self.change(name, ActionKind.AMEND)
        self.change(name, ActionKind.CANCEL)

    def taking(self) -> None:
        self.one(1, -10)
        self.one(-1, 0, OrderType.MARKET)

    def refusable(self) -> None:
        self.one(1, -10, OrderType.POST_ONLY)
        self.one(1, 10, self.dice.choice((OrderType.IOC, OrderType.FOK)))

    def parts(self) -> None:
        """Somebody trades with it, twice; the rest is cancelled."""
        name = self.one(-1, 20)
        for percent in (40, 50):
            if name and self.world.is_there(name) and self.world.there(name).resting:
                self.world.fill(name, percent)
                self.wait()
        self.change(name, ActionKind.CANCEL)


@pytest.mark.parametrize(("venue", "fault"), [(venue, fault) for venue in VENUES for fault in forms(venue)])
def test_in_the_end_everything_is_what_the_venue_says(venue: str, fault: str) -> None:
    for seed in range(SEEDS):
        course = Course(venue, fault, seed)
        course.run()
        fills = course.world.truth().fills
        assert course.world.guest.count("on_fill") == sum(map(len, fills.values())), f"seed {seed}: a fill is told once"
