"""Kraken's account: it refuses in Kraken's words and keeps a ledger of every change. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from runtime.sim.exchange import account
from runtime.sim.exchange.numbers import ONE, UNIT
from runtime.sim.kraken.wire import Refuse

__all__ = ["NO_FUNDS", "ONE", "UNIT", "Account", "LedgerEntry"]

NO_FUNDS: Final = "EOrder:Insufficient funds"


class LedgerEntry(msgspec.Struct, frozen=True):
    """One change of one balance; `amount` before the fee, signed, `balance` after both."""

    ledger_id: str
    ref_id: str
    ts_ns: int
    kind: str
    asset: str
    amount: int
    fee: int
    balance: int


class Account(account.Account):
    """Balances and holds, by asset."""

    def hold(self, order_id: str, asset: str, amount: int) -> None:
        """As every account. Raises Refuse when there is not enough."""
        try:
            super().hold(order_id, asset, amount)
        except account.NoFunds:
            raise Refuse(NO_FUNDS) from None
