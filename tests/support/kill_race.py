"""Who races with the kill switch: algos that ask for something at every book, and a pull at some moment of a turn."""

import random
from typing import Any

from connectors.orders import Action, OrderType
from risk.states import ALL
from runtime.abi import ActionKind
from runtime.killswitch import Pull
from runtime.spec import AlgoSpec
from tests.support.kill_world import P, Q, World
from tests.support.puppet import Puppet, at, cancel, order

SYMBOLS = ("BTC/USD", "ETH/USD")
VENUES = ("sim", "two")
SCOPES = (ALL, "venue:sim", "venue:two", "instrument:BTC/USD", "instrument:sim:ETH/USD", "algo:a", "algo:b")
LIMIT = int(OrderType.LIMIT)


class Racer(Puppet):
    """Asks for something at every book: new orders, amends and cancels of those that it placed lately."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__("on_book")
        self.dice = dice
        self.placed = 0
        self.on("on_book", lambda _: [self.one() for _ in range(dice.randint(0, 3))])

    def one(self) -> Action:
        dice = self.dice
        lately = max(self.placed - dice.randint(0, 4), 1)
        kind = dice.random()
        if kind < 0.2:
            return cancel(lately)
        side, qty, px = dice.choice((1, -1)), dice.randint(1, 5) * Q, dice.randint(95, 106) * P
        if kind < 0.35:
            return order(lately, side, qty, px, kind=ActionKind.AMEND, order_type=LIMIT)
        self.placed += 1
        aim = {"symbol_idx": dice.randint(0, 1), "venue_id": dice.randint(0, 2)}
        return order(self.placed, side, qty, px, order_type=LIMIT, **aim)


def racing(seed: int) -> tuple[World, list[Racer]]:
    dice = random.Random(seed)
    guests = [Racer(dice), Racer(dice)]
    specs = [AlgoSpec(name, guest, SYMBOLS) for name, guest in zip("ab", guests, strict=True)]
    return World(specs, seed=seed, venues=VENUES, symbols=SYMBOLS), guests


class Race:
    """One pull in a world that goes on trading; `escapes` are what must not be."""

    def __init__(self, world: World, guests: list[Racer], scope: str) -> None:
        self.world, self.guests, self.scope = world, guests, scope
        self.dice = world.dice
        self.escapes: list[str] = []
        self.pull: Pull | None = None
        self.turn = 0
        world.carried = self.carried

    def pulled(self) -> None:
        if self.pull is None:
            self.turn = len(self.world.inputs)
            self.pull = self.world.switch.pull(self.scope, who="ana")
            self.pull.done.add_done_callback(lambda _: self.proved())

    def proved(self) -> None:
        """At the very moment at which the switch says that nothing is open."""
        if alive := self.world.alive(self.scope):
            self.escapes.append(f"proved flat with {alive} open")

    def carried(self, _venue: str, body: list[Any]) -> None:
        if self.pull is None or body[0] not in ("new", "amend"):
            return
        is_ours = self.world.in_scope(self.scope, body[2], self.algo_of(body))
        if is_ours and (self.pull.denied_ns >= 0 or len(self.world.inputs) > self.turn):
            self.escapes.append(f"{body} left after the pull")

    def algo_of(self, body: list[Any]) -> int:
        return body[6] if body[0] == "new" else self.world.engine.gate.account.live[body[1]].algo

    def run(self) -> None:
        world, dice = self.world, self.dice
        steps = dice.randint(1, 6)
        moment, where = dice.randint(0, steps), dice.choice(("between", "in a callback", "while bytes leave"))
        for step in range(steps + dice.randint(1, 3)):
            if step == moment:
                self.arrange(where)
            world.book(dice.randint(0, 3))
            self.trade()
            world.run(ms=dice.randint(0, 15))
        self.pulled()  # where nothing of that kind came
        world.run(lambda: self.pull is not None and self.pull.done.done(), ms=120_000)

    def arrange(self, where: str) -> None:
        """Somebody's pull, at this place of the next turn."""
        if where == "between":
            self.pulled()
        elif where == "in a callback":
            guest, answer = self.guests[0], self.guests[0].answers["on_book"]

            def pulling(puppet: Puppet) -> list[Action]:
                guest.on("on_book", answer)
                before = answer(puppet)
                self.pulled()
                return before

            guest.on("on_book", pulling)
        else:

            def carried(venue: str, body: list[Any]) -> None:
                self.world.carried = self.carried
                self.pulled()
                self.carried(venue, body)

            self.world.carried = carried

    def trade(self) -> None:
        """Somebody takes what the venue has open."""
        for name, exchange in self.world.exchanges.items():
            for one in list(exchange.open):
                self.world.answer(name, exchange.fill(one, 0.15))


def relent(world: World) -> None:
    for exchange in world.exchanges.values():
        exchange.refuses = False


def resting(count: int = 2, **fields: Any) -> tuple[World, list[Puppet]]:
    """Two algos, each with so many orders open in each of two symbols at each of two venues; nothing trades."""
    guests = [Puppet("on_book"), Puppet("on_book")]
    specs = [AlgoSpec(name, guest, SYMBOLS) for name, guest in zip("ab", guests, strict=True)]
    world = World(specs, venues=VENUES, symbols=SYMBOLS, **fields)
    for exchange in world.exchanges.values():
        exchange.trades = False
    for guest in guests:
        orders = [
            order(1 + k, 1, Q, 99 * P, order_type=LIMIT, symbol_idx=k % 2, venue_id=1 + k // 2 % 2)
            for k in range(4 * count)
        ]
        guest.on("on_book", at(1, *orders))
    world.book(0)
    world.run(ms=100)
    assert len(world.alive(ALL)) == 8 * count
    return world, guests
