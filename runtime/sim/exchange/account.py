"""One account: what it has and what open orders hold of it. Pure.

Every amount, of any asset, counts 10^-10. What is held cannot be spent twice: `free` never falls below zero.
"""

from __future__ import annotations

from collections.abc import Mapping


class NoFunds(Exception):  # noqa: N818 - the venue answers it in its own words
    """More is asked for than is free."""


class Account:
    """Balances and holds, by asset. `touched`: assets of which something changed, for whoever tells it."""

    def __init__(self, balances: Mapping[str, int]) -> None:
        self.balances = dict(balances)
        self._holds: dict[str, tuple[str, int]] = {}
        self.held: dict[str, int] = {}
        self.touched: set[str] = set()

    def free(self, asset: str) -> int:
        """What can still be promised to a new order."""
        return self.balances.get(asset, 0) - self.held.get(asset, 0)

    def hold(self, order_id: str, asset: str, amount: int) -> None:
        """From now on this order holds so much, whatever it held before. Raises NoFunds when there is not enough."""
        old_asset, old = self._holds.get(order_id, (asset, 0))
        more = amount - (old if old_asset == asset else 0)
        if more > 0 and more > self.free(asset):
            raise NoFunds
        self.release(order_id)
        if amount:
            self._holds[order_id] = (asset, amount)
            self.held[asset] = self.held.get(asset, 0) + amount
            self.touched.add(asset)

    def of(self, order_id: str) -> int:
        """What an order holds."""
        return self._holds.get(order_id, ("", 0))[1]

    def release(self, order_id: str) -> None:
        """The order holds nothing any more."""
        asset, amount = self._holds.pop(order_id, ("", 0))
        if amount:
            self.held[asset] -= amount
            self.touched.add(asset)

    def change(self, asset: str, amount: int) -> int:
        """Adds to a balance; what it is then."""
        self.balances[asset] = self.balances.get(asset, 0) + amount
        self.touched.add(asset)
        return self.balances[asset]
