"""All methods under one roof: who may call them, what they cost, what is answered (venues.md 3.2 to 3.4). Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runtime.sim.binance.orders import Call
from runtime.sim.binance.public import Public
from runtime.sim.binance.words import Oops, oops
from runtime.sim.exchange.refusal import Refusal, Refused

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue


class Calls:
    """`run` carries a method out; whoever calls has seen to the signature."""

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue = venue
        self._public = Public(venue).methods
        self._orders = venue.orders

    def is_public(self, method: str) -> bool:
        """Whether it needs no key."""
        return method in self._public

    def is_trading(self, method: str) -> bool:
        """Whether it may touch an order."""
        return method in self._orders.trading

    def is_known(self, method: str) -> bool:
        """Whether there is such a method."""
        return method in self._public or method in self._orders.trading or method in self._orders.reading

    def permit(self, method: str) -> None:
        """Whether the key may do that. Raises Refused."""
        if self.is_trading(method):
            self._venue.access.check_permission("spot")
        elif not self.is_public(method):
            self._venue.access.check_permission("reading")

    def run(self, method: str, call: Call) -> Any:
        """The result. Raises Refused, Oops."""
        for table in (self._public, self._orders.trading, self._orders.reading):
            act: Callable[[Call], Any] | None = table.get(method)
            if act is not None:
                return act(call)
        raise Refused(Refusal.ARGUMENT, "method")

    def tried(self, method: str, act: Callable[[], Any]) -> Any | Oops:
        """The result, or the error it is answered with."""
        try:
            return act()
        except Refused as refused:
            return oops(refused, method)
        except Oops as problem:
            return problem
