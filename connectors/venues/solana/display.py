"""The window of Solana: each pool's book with the slot it was read at; priority fees are asked every ten seconds."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import WireError
from connectors.onchain.asker import SECOND
from connectors.onchain.states import Moment, State
from connectors.onchain.window import Window
from connectors.pool import PoolUpdate
from connectors.session import Output, SessionPlan
from connectors.venues.solana.cost import Cost
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.rpc import FEE_KEYS_MAX, fees_of

FEES_NS: Final = 10 * SECOND
UNREAD: Final = "not read yet"


class Slots(msgspec.Struct, frozen=True):
    """Every pool's state, by its place in the plan, each of the slot and the time it was read at; `number` is the
    newest slot."""

    number: int
    states: Mapping[int, State]
    slots: Mapping[int, int]
    read_ns: Mapping[int, int]

    def number_of(self, place: int) -> int:
        return self.slots.get(place, 0)


class Display(Window):
    """`show_read` what was read, `drop` what is in doubt. `at`: what is known of every pool. `tell`: for what a person
    should read."""

    def __init__(
        self, plan: SessionPlan, chain: ChainPlan, out: list[Output], tell: Callable[[str], None]
    ) -> None:  # fmt: skip
        units = max((pool.gas_units for pool in chain.pools), default=0)
        self.cost = Cost(units)
        super().__init__(plan, chain, out, self.cost)
        self._none = Slots(0, dict.fromkeys(range(len(chain.pools)), UNREAD), {}, {})
        self.at = self._none
        self._place = {index: place for place, index in self.markets.items()}
        self._tell = tell
        self._fees_ns = 0
        self._epoch = 0  # what was asked before the last `restart` is void
        self._withdrawn: set[str] = set()  # symbols whose own book is to be made anew

    def lose(self, reason: str) -> None:
        """Nothing is shown any more, nor known."""
        self.at = self._none
        self._withdrawn.clear()
        super().lose(reason)

    def restart(self) -> None:
        """Another endpoint is followed: what is asked now and then is asked of it at once."""
        self._fees_ns = 0
        self._epoch += 1
        self.cost.forget()

    def show_read(self, slot: int, states: Mapping[int, State], now_ns: int) -> None:
        """Shows these pools, read at this slot, if they are not what is shown already."""
        before = self.at
        changed = [place for place, state in states.items() if state is not before.states[place]]
        self.at = Slots(
            max(slot, before.number), {**before.states, **states}, {**before.slots, **dict.fromkeys(states, slot)},
            {**before.read_ns, **dict.fromkeys(states, now_ns)},
        )  # fmt: skip
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

    def withdraw(self, index: int, reason: str) -> None:
        """The chain's own book that the engine could not take: made anew with the next `tick`."""
        self._out += self.shelf.drop(index, reason)
        self._withdrawn.update(symbol for symbol, one in self.shelf.chain_markets.items() if one == index)

    def tick(self, endpoint: Endpoint, now_ns: int) -> None:
        """Shows what was withdrawn, and asks this endpoint what is asked now and then."""
        if self._withdrawn and self._shown is not None:
            again, self._withdrawn = self._withdrawn, set()
            self._repriced(self._shown, again, now_ns)
        self.ask_fees(endpoint, now_ns)

    def ask_fees(self, endpoint: Endpoint, now_ns: int) -> None:
        """Every ten seconds: of the pools' accounts together, so of the dearest of them."""
        if self.cost.aged(now_ns):
            self.priced(now_ns)
        if now_ns < self._fees_ns:
            return
        self._fees_ns, epoch = now_ns + FEES_NS, self._epoch

        def told(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if epoch == self._epoch:
                self._fees_told(result, why_not, now_ns)

        keys = list(dict.fromkeys(pool.address for pool in self._plan.pools))[:FEE_KEYS_MAX]
        endpoint.call("getRecentPrioritizationFees", [keys], told, now_ns)

    def _fees_told(self, result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        """A refusal says nothing of fees: the last word stands for its time. One that cannot be read is a word that
        they are not known."""
        if result is None:
            self._tell(f"priority fees are not known: {why_not}")
            return
        try:
            fees = fees_of(result)
        except WireError as error:
            self._tell(f"priority fees are not known: {error}")
            fees = []
        self.cost.told(fees, now_ns)
        self.priced(now_ns)

    def _repriced(self, moment: Moment, symbols: set[str], now_ns: int) -> None:
        """A pool that is told anew because of what a swap costs was not read now."""
        count = len(self._out)
        super()._repriced(moment, symbols, now_ns)
        self._out[count:] = [self._dated(output) for output in self._out[count:]]

    def _dated(self, output: Output) -> Output:
        if not isinstance(output, PoolUpdate) or output.amm is None:
            return output
        read_ns = self.at.read_ns[self._place[output.instrument]]
        return msgspec.structs.replace(output, amm=msgspec.structs.replace(output.amm, last_update_ns=read_ns))

    def place_of(self, index: int) -> int | None:
        """Which pool an engine's index is of; None: none."""
        return self._place.get(index)
