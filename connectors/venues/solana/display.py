"""The window of Solana: each pool's book with the slot it was read at; priority fees are asked every ten seconds."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.events import Notice
from connectors.onchain.asker import SECOND
from connectors.onchain.states import State
from connectors.onchain.window import Window
from connectors.session import Output, SessionPlan
from connectors.venues.solana.cost import Cost
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.rpc import FEE_KEYS_MAX, fees_of

FEES_NS: Final = 10 * SECOND
UNREAD: Final = "not read yet"


class Slots(msgspec.Struct, frozen=True):
    """Every pool's state, by its place in the plan, each of the slot it was read at; `number` is the newest."""

    number: int
    states: Mapping[int, State]
    slots: Mapping[int, int]

    def number_of(self, place: int) -> int:
        return self.slots.get(place, 0)


class Display(Window):
    """`show_read` what was read, `drop` what is in doubt. `at`: what is known of every pool."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, out: list[Output]) -> None:
        units = max((pool.gas_units for pool in chain.pools), default=0)
        self.cost = Cost(units)
        super().__init__(plan, chain, out, self.cost)
        self._none = Slots(0, dict.fromkeys(range(len(chain.pools)), UNREAD), {})
        self.at = self._none
        self._place = {index: place for place, index in self.markets.items()}
        self._fees_ns = 0

    def lose(self, reason: str) -> None:
        """Nothing is shown any more, nor known."""
        self.at = self._none
        super().lose(reason)

    def restart(self) -> None:
        """Another endpoint is followed: what is asked now and then is asked of it at once."""
        self._fees_ns = 0
        self.cost.forget()

    def show_read(self, slot: int, states: Mapping[int, State], now_ns: int) -> None:
        """Shows these pools, read at this slot, if they are not what is shown already."""
        before = self.at
        changed = [place for place, state in states.items() if state is not before.states[place]]
        self.at = Slots(
            max(slot, before.number), {**before.states, **states}, {**before.slots, **dict.fromkeys(states, slot)}
        )
        if changed:
            self.show(self.at, changed, now_ns)

    def drop(self, places: Iterable[int], reason: str, now_ns: int) -> None:
        """These pools are not shown any more, nor counted in the chain's own books."""
        gone = list(places)
        self.at = msgspec.structs.replace(self.at, states={**self.at.states, **dict.fromkeys(gone, reason)})
        symbols = set()
        for place in gone:
            if place in self.markets:
                self.shelf.depths.pop(place, None)
                self._out += self.shelf.drop(self.markets[place], reason)
                symbols.add(self._plan.pools[place].symbol)
        if self._shown is not None:
            self._shown = self.at
            self._repriced(self.at, symbols, now_ns)

    def ask_fees(self, endpoint: Endpoint, now_ns: int) -> None:
        """Every ten seconds: of the pools' accounts together, so of the dearest of them."""
        if self.cost.aged(now_ns):
            self.priced(now_ns)
        if now_ns < self._fees_ns:
            return
        self._fees_ns = now_ns + FEES_NS

        def told(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if result is None:
                self._out.append(Notice("warning", f"priority fees are not known: {why_not}"))
                return
            self.cost.told(fees_of(result), now_ns)
            self.priced(now_ns)

        keys = list(dict.fromkeys(pool.address for pool in self._plan.pools))[:FEE_KEYS_MAX]
        endpoint.call("getRecentPrioritizationFees", [keys], told, now_ns)

    def place_of(self, index: int) -> int | None:
        """Which pool an engine's index is of; None: none."""
        return self._place.get(index)
