"""What leaves the gateway, watched from outside: puppets that ask for anything, and a list of every byte.

    world = ExitWorld(seed, is_paper=False)
    world.run(1000)      # actions; raises EscapeError with the seed and the turn when bytes and approvals differ

The watcher shares no code with the tap or the encoder: it keeps the gate's approvals as they were minted, reads what
leaves with the JSON module of the standard library, and asks after each turn that the two are the same, one to one.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from connectors.instrument import Instrument
from connectors.orders import Action, AmendOrder, Approved, CancelAll, NewOrder
from connectors.session import PUBLIC, Send
from risk.limits import Limits
from runtime.exit import Exit
from runtime.inputs import ActionRecord, Command, Frame, Input, LinkUp, Output, Timer, VenueOutput
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec
from tests.support.chain_venue import NAME, chain
from tests.support.chain_venue import frame as chain_frame
from tests.support.exit_parts import (
    FIRST,
    HARMLESS,
    MIDS,
    MS,
    SECOND,
    START_NS,
    SYMBOLS,
    TICKS,
    WIDE,
    FarVenue,
    hostile_action,
    means,
    says,
)
from tests.support.puppet import Puppet


class EscapeError(AssertionError):
    """Something left that was not approved, or was approved and did not leave."""


class ExitWorld:
    """`asked`: actions that guests returned; `left`: kinds of what left; `verdicts`: approved and reasons."""

    def __init__(self, seed: int, *, is_paper: bool = True, limits: Limits = WIDE) -> None:
        self.name = f"seed {seed}, {'paper' if is_paper else 'wire'}"
        self.rng = rng = Random(seed)
        self.now_ns = START_NS
        self.asked = self.turns = 0
        self.left: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.is_halted = False
        self._is_paper = is_paper
        venues = [
            VenueSpec(venue=venue, depth=10, instruments={
                "BTC/USD": Instrument.parse(venue.name, "BTC/USD:1:8"),
                "ETH/USD": Instrument.parse(venue.name, "ETH/USD:2:8"),
            })
            for venue in (FIRST, SECOND)
        ]  # fmt: skip
        names = ["kraken", "other"]
        if is_paper:
            venues.append(chain(pools=2))
            names.append(NAME)
        guests = [Puppet("on_book", name=f"guest{k}").on("on_book", self._answer) for k in range(2)]
        self.session = Session(
            EngineSpec(
                venues=tuple(venues), symbols=SYMBOLS, limits=limits, is_paper=is_paper,
                algos=tuple(AlgoSpec(guest.name, guest, SYMBOLS, tuple(names)) for guest in guests),
            )
        )  # fmt: skip
        self.engine = self.session.engine
        self.exit = Exit(self.session, self._sent, self._told, None)
        self.mids = dict(enumerate(MIDS.values()))
        self.far = {name: FarVenue(rng) for name in ("kraken", "other")}
        self._minted: list[Approved[Any]] = []
        self._at_tap: list[tuple[str, bytes, int, str]] = []
        self._links: list[tuple[str, bytes]] = []
        self._watch()
        for name in names:
            self.feed(LinkUp(name, PUBLIC))

    def _watch(self) -> None:
        """Between the gate and its hook, and around the tap: what was said, and what was answered."""
        gate, tap = self.engine.gate, self.engine.tap
        hook, leaving = gate.on_approved, tap.leaving

        def minted(approved: Approved[Any]) -> None:
            self._minted.append(approved)
            self._counted(approved)
            hook(approved)

        def left(venue: str, data: bytes, approval: int, more: Sequence[int] = ()) -> str:
            self._at_tap.append((venue, data, approval, problem := leaving(venue, data, approval, more)))
            return problem

        gate.on_approved = minted
        tap.leaving = left  # type: ignore[method-assign]

    def _answer(self, guest: Puppet) -> list[Action]:
        if self.rng.random() < 0.3:
            return []
        live = self.engine.gate.account.live.values()
        known = [(one.order_id, one.instrument % 2) for one in live if guest.name == f"guest{one.algo}"]
        actions = [hostile_action(self.rng, self.mids, known) for _ in range(self.rng.randint(1, 16))]
        self.asked += len(actions)
        return actions

    # --- the live hands, without sockets -----------------------------------------------------------------------------

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, VenueOutput) and isinstance(output.output, Send):
                self.exit.offer(output)

    def _sent(self, venue: str, _link: str, data: bytes) -> None:
        self._links.append((venue, data))

    @staticmethod
    def _told(command: Command) -> None:
        raise EscapeError(f"the exit says {command.name}: {command.target}")

    # --- time --------------------------------------------------------------------------------------------------------

    def run(self, actions: int) -> "ExitWorld":
        while self.asked < actions:
            try:
                self._move()
            except Exception as error:
                what = error if isinstance(error, EscapeError) else f"{type(error).__name__}: {error}"
                raise EscapeError(f"{self.name}, turn {self.turns}: {what}") from error
        return self

    def _move(self) -> None:
        rng = self.rng
        self.now_ns += rng.choice((1, 5, 20)) * MS
        chance = rng.random()
        if chance < 0.80:
            venues = ("kraken", "kraken", "other", NAME) if self._is_paper else ("kraken", "other")
            venue, symbol = rng.choice(venues), rng.randint(0, 1)
            self.feed(self._book(venue, symbol))
        elif chance < (0.9 if self.is_halted else 0.98):
            if self._is_paper:
                self.feed(Timer())
            else:
                name = rng.choice(("kraken", "other"))
                reports = self.far[name].reports()
                self.feed(Frame(name, PUBLIC, msgspec.json.encode({"reports": reports})))
        else:
            self._command()

    def _book(self, venue: str, symbol: int) -> Frame:
        rng, name = self.rng, SYMBOLS[symbol]
        tick = TICKS[name]
        self.mids[symbol] = mid = self.mids[symbol] + rng.randint(-3, 3) * tick
        bids, asks = ([[mid - side * tick * step, 10**8] for step in range(1, 11)] for side in (1, -1))
        if venue == NAME:
            return chain_frame(book=rng.choice((0, 2, 3)), bids=bids, asks=asks)
        index = ("kraken", "other").index(venue) * len(SYMBOLS) + symbol
        return Frame(venue, PUBLIC, msgspec.json.encode({"book": [index, bids, asks]}))

    def _command(self) -> None:
        if self.is_halted:
            self.is_halted = False
            self.feed(Command("arm", "test"))
        elif self.rng.random() < 0.5:
            self.is_halted = True
            self.feed(Command("kill", "test"))
        else:
            target = self.rng.choice(("venue:kraken", "algo:guest1", "instrument:BTC/USD"))
            self.feed(Command(self.rng.choice(("kill", "reduce")), "test", target))
            self.feed(Command("arm", "test", target))

    def feed(self, given: Input) -> None:
        self.turns += 1
        self._minted.clear()
        self._at_tap.clear()
        self._links.clear()
        self.session.step(given, self.now_ns, self._carry)
        self._check()

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _counted(self, approved: Approved[Any]) -> None:
        """Whatever is approved counts in full before anybody can act on it."""
        order = approved.order
        if isinstance(order, NewOrder | AmendOrder):
            live = self.engine.gate.account.live.get(order.client_order_id)
            if live is None or live.most_1e8 < order.qty_1e8:
                raise EscapeError(f"approval {approved.approval} does not count as open")

    def _check(self) -> None:
        """Bytes that left in this turn are its approvals, in their order, and the tap saw each once."""
        tap = self.engine.tap
        problems = [problem for _, _, _, problem in self._at_tap if problem] + [tap.difference] * bool(tap.difference)
        if problems:
            raise EscapeError(f"the tap stopped something: {problems[0]}")
        if tap.open():
            raise EscapeError(f"approved, and never at the tap: {tap.open()}")
        approved = [one for one in self._minted if self._venue(one) != NAME]
        at_tap = [(venue, data, number) for venue, data, number, _ in self._at_tap if number]
        wanted = [(self._venue(one), one.approval, means(one, self._symbol(one))) for one in approved]
        if wanted != [(venue, number, says(data)) for venue, data, number in at_tap]:
            raise EscapeError(f"at the tap {at_tap}, approved {approved}")
        orders = [data for data in self.engine.trace if isinstance(data, bytes) and says(data)[0] not in HARMLESS]
        if orders != [data for _, data, _ in at_tap]:
            raise EscapeError(f"encoded {orders}, at the tap {at_tap}")
        left = [(venue, data) for venue, data in self._links if says(data)[0] not in HARMLESS]
        if left != ([] if self._is_paper else [(venue, data) for venue, data, _ in at_tap]):
            raise EscapeError(f"on the links {left}, at the tap {at_tap}")
        self._check_records(approved)
        if not self._is_paper:
            for one in approved:
                self.far[self._venue(one)].take(one)

    def _check_records(self, approved: list[Approved[Any]]) -> None:
        """The trace says what was approved; halted, only cancels; open quantities are what orders add up to."""
        records = [record for record in self.engine.trace if isinstance(record, ActionRecord)]
        for record in records:
            self.verdicts[record.denied.reason if record.denied is not None else "approved"] += 1
        numbers = {record.approval for record in records if record.approval}
        if numbers != {one.approval for one in self._minted if not isinstance(one.order, CancelAll)}:
            raise EscapeError(f"the trace names {sorted(numbers)}, minted were {self._minted}")
        kinds = [means(one, "")[0] for one in approved]
        self.left.update(kinds)
        if self.is_halted and not {*kinds} <= {"cancel", "cancel_all"}:
            raise EscapeError(f"HALTED, and yet {kinds} left")
        account, sums = self.engine.gate.account, Counter[tuple[int, int]]()
        for live in account.live.values():
            sums[live.instrument, live.side] += live.leaves_1e8
        for index, exposure in enumerate(account.exposures):
            if (exposure.open_buy_1e8, exposure.open_sell_1e8) != (sums[index, 1], sums[index, -1]):
                raise EscapeError(
                    f"{self.engine.names[index]}: open {exposure.open_buy_1e8} and {exposure.open_sell_1e8}"
                )

    def _venue(self, approved: Approved[Any]) -> str:
        order = approved.order
        return order.venue if isinstance(order, CancelAll) else self.engine.names[order.instrument].partition(":")[0]

    def _symbol(self, approved: Approved[Any]) -> str:
        order = approved.order
        return "" if isinstance(order, CancelAll) else self.engine.names[order.instrument].partition(":")[2]
