"""A live session against a simulated venue, in virtual time: everything from the guest to the venue's engine.

    world = TradingWorld("ack_lost,on=add_order")   # faults as `--sim-fault` takes them; the market stands still
    name = world.bid()                              # a guest's resting order; its client order id
    world.run(10)
    assert world.state(name) == "NEW" and world.there(name).is_open
    world.calm()                                    # faults off: within five minutes all is definite and equal

What turns below is `trading_machine.py`; the oracle (`trading_oracle.py`) looks on after every turn.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from connectors.events import ExecReport, ExecType
from connectors.orders import Action, Asked, OrderType
from connectors.session import CALLS, PUBLIC, REST
from oms.manager import Order
from runtime.abi import ActionKind
from runtime.inputs import ActionRecord, Command
from runtime.sim.market import MarketEvent
from tests.support.trading_links import SECOND
from tests.support.trading_machine import LIMITS, START_NS, Machine
from tests.support.trading_oracle import OracleError

USD: Final = 10**9
QTY: Final = 10**6  # 0.01 of a coin
CALM_S: Final = 300


class Truth(NamedTuple):
    """The venue's own view: every order of ours by name, what each traded, what is in the account ×1e10."""

    orders: dict[str, Any]
    fills: dict[str, list[Any]]
    balances: dict[str, int]


class TradingWorld(Machine):
    """The words of tests: what a guest asks for, what a person does, what the venue has."""

    # --- the guest --------------------------------------------------------------------------------------------------

    def want(self, *actions: Action) -> None:
        """The guest asks for this when it is called next; the book is moved a hair, so that this is soon."""
        self._wanted += actions
        self._nudge()

    def ask(self, *actions: Action) -> list[ActionRecord]:
        """The same, and waits until it was called: what became of the actions."""
        seen = len(self.actions)
        self.want(*actions)
        self.until(lambda: not self._wanted, 10, "the guest is not called: no valid book")
        mine = [one for one in self.actions[seen:] if one.by != "gateway"]
        assert len(mine) == len(actions)
        return mine

    def _nudge(self) -> None:
        """One lot more or less at the fifth bid of each book; never less than what orders there hold."""
        self._nudged = not self._nudged
        for pair in self.venue.market.pairs:
            book = self.venue.market.book(pair.symbol)
            price = book.bids.price(4)
            qty, held = book.bids.qty(price), book.guests.held("bid", price) if book.guests is not None else 0
            book.bids.set(price, qty + (1 if self._nudged or qty <= held + 1 else -1))
            self.venue.publish(MarketEvent(pair.symbol, self.now_ns, (), ()), self.now_ns)
        self._collect()

    def order(
        self, side: int, qty_1e8: int = QTY, *, far: int = 0, kind: OrderType = OrderType.LIMIT, symbol: int = 0
    ) -> Action:
        """A new order `far` dollars from the touch, away from it; negative: through the book."""
        self._order_id += 1
        px = 0 if kind is OrderType.MARKET else self.touch(side, symbol) - side * far * USD
        return (self._order_id, px, qty_1e8, side, int(ActionKind.NEW), int(kind), 0, 0, symbol, 0)

    def touch(self, side: int, symbol: int = 0) -> int:
        """The best price on this side, ×1e9, as the venue has it."""
        book = self.venue.market.book(self.where.symbols[symbol])
        return int((book.bids if side > 0 else book.asks).price(0) * 10 ** (9 - book.pair.price_precision))

    def place(self, side: int, qty_1e8: int = QTY, **terms: Any) -> str:
        """One new order, which the gate must let pass; its client order id."""
        record = self.ask(self.order(side, qty_1e8, **terms))[0]
        assert record.approval, f"denied: {record.denied}"
        return record.client_order_id

    def bid(self, qty_1e8: int = QTY, far: int = 50, symbol: int = 0) -> str:
        """A buy that rests."""
        return self.place(1, qty_1e8, far=far, symbol=symbol)

    def offer(self, qty_1e8: int = QTY, far: int = 50, symbol: int = 0) -> str:
        """A sell that rests."""
        return self.place(-1, qty_1e8, far=far, symbol=symbol)

    def cancelling(self, name: str) -> Action:
        order = self.ours(name)
        return (order.order_id, 0, 0, 0, int(ActionKind.CANCEL), 0, 0, 0, order.instrument, 0)

    def cancel(self, name: str) -> ActionRecord:
        return self.ask(self.cancelling(name))[0]

    def amend(self, name: str, *, qty_1e8: int = 0, px_1e9: int = 0) -> ActionRecord:
        order = self.ours(name)
        px_1e9, qty_1e8 = px_1e9 or order.px_1e9, qty_1e8 or order.qty_1e8
        return self.ask((order.order_id, px_1e9, qty_1e8, 0, int(ActionKind.AMEND), 0, 0, 0, order.instrument, 0))[0]

    # --- a person ---------------------------------------------------------------------------------------------------

    def kill(self, scope: str = "all") -> None:
        self.switch.pull(scope, who="person")
        self.run(0)

    def arm(self, scope: str = "all") -> None:
        self.oracle.halted.clear()
        self.feed(Command("arm", "person", scope))

    # --- what is seen -----------------------------------------------------------------------------------------------

    def ours(self, name: str) -> Order:
        order = self.engine.oms.find(name)
        assert order is not None, f"{name} is not known here"
        return order

    def state(self, name: str) -> str:
        return str(self.ours(name).state)

    def there(self, name: str) -> Any:
        """The venue's order of that name, of all that it ever had. Raises KeyError."""
        self.oracle.look(None)
        return self.oracle.by_name[name]

    def is_there(self, name: str) -> bool:
        """Whether the venue ever had it."""
        self.oracle.look(None)
        return name in self.oracle.by_name

    def position(self, symbol: int = 0) -> int:
        """Ours ×1e8, as the gate counts it and as the OMS does."""
        ours = sum(one.qty_1e8 for (_, at), one in self.engine.oms.positions.items() if at == symbol)
        assert ours == self.engine.gate.account.exposures[symbol].position_1e8
        return ours

    def told(self, name: str, kind: ExecType) -> list[ExecReport]:
        """Reports of this kind that the engine was given of an order."""
        return [one for one in self.reports if one.client_order_id == name and one.exec_type is kind]

    def becomes(self, name: str, state: str, seconds: float) -> None:
        """Fails unless the order gets there in time."""
        self.until(lambda: self.state(name) == state, seconds, f"{name} does not become {state}")

    def alive(self, **terms: int) -> str:
        """A buy that rests there, and is known to."""
        name = self.bid(**terms)
        self.becomes(name, "NEW", 5)
        return name

    def trades(self, name: str) -> list[int]:
        """What the engine was told of an order's fills, each ×1e8."""
        return [one.last_qty_1e8 for one in self.told(name, ExecType.TRADE)]

    def sent(self, what: str) -> int:
        """How many requests of this kind left."""
        return len(self.asked(what))

    def said(self, *parts: str, level: str = "") -> list[str]:
        return [text for _, at, text in self.notices if level in ("", at) and all(part in text for part in parts)]

    def methods(self, since_ns: int = 0) -> list[str]:
        """What left on Kraken's private link and by REST, pings aside."""
        found = []
        for at_ns, link, data in self.wire:
            if at_ns < since_ns or link in (PUBLIC, CALLS):
                continue
            method = data.partition(b"\n")[0].rpartition(b"/")[2] if link == REST else data.split(b'"')[3]
            found += [method.decode()] if method != b"ping" else []
        return found

    def asked(self, what: str = "", since_ns: int = 0) -> list[Asked]:
        """What left and asked for something, by the venue's own reader."""
        assert self.where.venue.asked is not None
        sent = [data for at_ns, link, data in self.wire if at_ns >= since_ns and link not in (PUBLIC, CALLS)]
        return [one for data in sent for one in self.where.venue.asked(data) if what in ("", one.what)]

    def truth(self) -> Truth:
        """The venue's own view, as of now."""
        self.oracle.look(None)
        orders = dict(self.oracle.by_name)
        fills = {name: [self.venue.engine.fills[one] for one in order.fills] for name, order in orders.items()}
        return Truth(orders, fills, dict(self.venue.engine.account.balances))

    # --- what the venue does ----------------------------------------------------------------------------------------

    def fill(self, name: str, percent: int = 100) -> None:
        """Somebody trades with this very order, which rests."""
        order = self.there(name)
        assert order.resting
        engine = self.venue.engine
        engine.matcher.force(order, max(1, order.left * percent // 100), self.now_ns)
        self.venue.flush(self.now_ns)
        self._collect()

    def end(self, name: str, why: str = "Cancelled by the venue") -> None:
        """The venue cancels it by itself."""
        order = self.there(name)
        self.venue.engine.cancel(order, self.now_ns, why)
        self.venue.flush(self.now_ns)
        self._collect()

    def foreign(self, side: int, qty_1e8: int = QTY, *, far: int = 50, symbol: int = 0) -> Any:
        """Somebody places an order by hand; the venue's order. `qty_1e8` 0: for nearly all there is."""
        pair = self.venue.market.book(self.where.symbols[symbol]).pair
        px_1e9 = self.touch(side, symbol) - side * far * USD
        if not qty_1e8:
            asset = pair.symbol.partition("/")[2 if side > 0 else 0]
            free = self.venue.engine.account.free(asset) * 99 // 100
            qty_1e8 = free * 10**7 // px_1e9 if side > 0 else free // 100
        order = self.where.place_by_hand(
            self.venue.engine, pair, side, qty_1e8 // int(10 ** (8 - pair.qty_precision)),
            px_1e9 // int(10 ** (9 - pair.price_precision)), self.now_ns,
        )  # fmt: skip
        self.venue.flush(self.now_ns)
        self._collect()
        return order

    def cut(self, *, lands: bool = True) -> None:
        """The links of orders are gone; they are dialled again."""
        for link, wire in self.wires.items():
            if link != PUBLIC:
                wire.cut(lands=lands)

    # --- all is well again ------------------------------------------------------------------------------------------

    def calm(self, seconds: int = CALM_S) -> None:
        """Every fault ends. Within five minutes all must be definite, equal, and open for trade."""
        self.faults.clear()
        self.venue.set_status("online", self.now_ns)
        self.is_down = self.rest.is_broken = False
        for wire in self.wires.values():
            wire.shuffle = 0.0
        if self.session is None:
            self.restart(0)
        if self.is_frozen:
            self.thaw()
        for _ in range(seconds):
            self.run(1)
            wrong = self.unsettled()
            if not wrong:
                return
        told = "\n  ".join(wrong)
        raise OracleError(f"seed {self.seed}: after {seconds} s of calm:\n  {told}\n{self.story()}")

    def unsettled(self) -> list[str]:
        """What is not definite or not equal."""
        account = self.engine.accounts[self.name]
        found = [f"{name}: {why}" for name, why in account.doubts.items()]
        found += [f"{currency} has drifted" for currency in account.money.drifted]
        if not self.is_ready:
            found.append(f"not ready: {self.engine.ports[self.name].link.why}")
        return found + self.oracle.differences(self.engine)


__all__ = ["LIMITS", "SECOND", "START_NS", "OracleError", "TradingWorld"]
