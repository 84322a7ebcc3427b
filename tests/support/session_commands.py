"""What a person's commands do to a session, a second time: states of scopes, one cancel-all a venue, shutdown.

A part of the walk (`session_reference.py`); of the engine's records it reads what the walk reads: actions, bytes.
"""

from abc import abstractmethod
from collections import Counter, deque
from typing import Any

from runtime.inputs import ActionRecord, Command
from tests.support.session_markets import CHAIN, Algo, Markets, Order, View
from tests.support.session_money import DEAD, Chase
from tests.support.session_records import Mismatch
from tests.support.session_script import Played


class Commands(Markets):
    """`states`: scope → REDUCING or HALTED, until it is armed. `seen`: what happened."""

    def __init__(self, played: Played, max_age_ns: int | None = None) -> None:
        super().__init__(played, max_age_ns)
        self.orders: dict[str, Order] = {}
        self.chases: dict[tuple[int, int], Chase] = {}
        self.states: dict[str, str] = {}
        self.is_stopping = False
        self.is_latched = False
        self.trace: deque[Any] = deque()
        self.turn_number = 0
        self.seen = Counter[str]()

    @abstractmethod
    def call(self, algo: Algo, view: View | None, callback: str) -> None:
        """This callback must be the next."""

    @abstractmethod
    def act(self, algo: Algo) -> None:
        """What came of it."""

    @abstractmethod
    def reject(self, algo: Algo, order_id: int, code: int, symbol_idx: int) -> None:
        """The guest must hear this."""

    def command(self, given: Command, meaning: Any) -> None:
        self.seen[given.name] += 1
        scope = given.target or "all"
        if given.name == "kill":
            self.kill(scope)
        elif given.name == "reduce":
            self.states.setdefault(scope, "REDUCING")
        elif given.name == "arm":
            assert scope == "all", "that is all that the plans ask for"
            self.states.clear()
            for place in self.everywhere() if self.is_latched else []:
                place.account.restart(place.mid_sum)
            self.is_latched = False
        elif given.name == "set":
            (algo,) = (algo for algo in self.algos if algo.plan.name == given.target)
            self.seen["set refused"] += not algo.config.set(meaning, self.now_ns)
        else:
            self.stop()
        self.follow()

    def kill(self, scope: str) -> None:
        """Of all: one cancel-all for each venue that has an open order, and nothing by order; of an algo: its own."""
        assert scope == "all" or scope.startswith("algo:"), "that is all that the plans ask for"
        self.states[scope] = "HALTED"
        is_all = scope == "all"
        meant = [order for order in self.orders.values() if is_all or f"algo:{order.algo.plan.name}" == scope]
        there = [order for order in meant if order.entry.status != DEAD]
        requests = [record for record in self.trace if isinstance(record, bytes) and b'"cancel_all"' in record]
        cancels = [record.client_order_id for record in self.trace if isinstance(record, ActionRecord)]
        assert not any(order.place.pool is not None or order.place.venue == CHAIN for order in there)
        venues = {order.place.venue for order in there}
        if len(requests) != (len(venues) if is_all else 0) or len(cancels) != (0 if is_all else len(there)):
            raise Mismatch(f"turn {self.turn_number}: kill of {scope}: {len(requests)} and {cancels} for {venues}")
        self.follow()
        if any(order.entry.status != DEAD for order in there):
            raise Mismatch(f"turn {self.turn_number}: kill of {scope} left orders open")
        self.end_chases(scope)
        self.seen["swept"] += len(there) if is_all else 0  # the others are counted where they are cancelled

    def end_chases(self, scope: str) -> None:
        """The kill switch ends what waits for another order, and says so."""
        chases, self.chases = self.chases, {}
        for (index, order_id), chase in chases.items():
            if scope not in ("all", f"algo:{self.algos[index].plan.name}"):
                self.chases[index, order_id] = chase
            elif not chase.is_over:
                self.reject(self.algos[index], order_id, 102, chase.symbol_idx)

    def stop(self) -> None:
        self.is_stopping = True
        for algo in self.algos:
            self.call(algo, algo.views[0], "on_shutdown")
            self.act(algo)
            algo.is_alive = False
        self.is_stopping = False

    def is_reducing(self, algo: Algo, view: View) -> bool:
        """Whether any scope that this algo's orders for this symbol at its own venue lie in is not ACTIVE."""
        own, name = view.own, f"{view.own.venue}:{view.own.symbol}"
        scopes = "all", f"venue:{own.venue}", f"instrument:{own.symbol}", f"instrument:{name}", f"algo:{algo.plan.name}"
        return self.is_stopping or self.is_latched or any(scope in self.states for scope in scopes)
