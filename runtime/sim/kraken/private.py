"""The channels of one account on one connection: executions and balances, each with a sequence of its own.

A sequence starts at 1 with the subscription, counts snapshots too and has no holes unless a fault makes one
(Kraken docs, websocket-v2/executions and /balances; venues.md 1.11). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.kraken.account import UNIT, LedgerEntry
from runtime.sim.kraken.wire import dump, number
from runtime.sim.market import rfc3339

if TYPE_CHECKING:
    from runtime.sim.kraken.connection import Connection
    from runtime.sim.kraken.engine import Engine, Told

TRADES: Final = 50
"""What a snapshot of trades holds."""
WARNINGS: Final = [
    "cancel_reason is deprecated, use reason",
    "stop_price is deprecated, use triggers.price",
    "trigger is deprecated use triggers.reference",
    "triggered_price is deprecated use triggers.last_price",
]
_SMALL: Final = re.compile(r":(0\.0000\d*[1-9])\b")


class Executions:
    """One subscription to `executions`."""

    def __init__(self, connection: Connection, *, order_status: bool, ratecounter: bool) -> None:
        self._connection = connection
        self._order_status, self._ratecounter = order_status, ratecounter
        self._sequence = 0
        self._held: list[str] = []

    def snapshot(self, engine: Engine, *, orders: bool, trades: bool, now_ns: int) -> None:
        """The open orders and the last fifty trades, each in a message of its own, empty ones too."""
        if orders:
            data = []
            for order in engine.open.values():
                full = order.full("pending_new" if order.status == "pending_new" else "new", order.touched_ns)
                data.append(full | order.sums())
            self._connection.send(self._frame("snapshot", data), now_ns)
        if trades:
            last = list(engine.fills.values())[-TRADES:]
            data = [engine.orders[fill.order_id].trade(fill) for fill in last]
            self._connection.send(self._frame("snapshot", data), now_ns)

    def tell(self, told: Told, now_ns: int) -> None:
        """One execution, in a message of its own: trades and other news never share one."""
        fires, is_trade = self._connection.fires, told.kind == "trade"
        if (not self._order_status and not is_trade) or self._connection.active("executions_off", now_ns):
            return
        if is_trade and fires("dropped_fill", now_ns):
            return
        data = told.data
        if self._ratecounter and "symbol" in data:
            engine = self._connection.venue.engine
            data = data | {"ratecount": int(engine.counters[data["symbol"]].text(now_ns).partition(".")[0])}
        frame = self._frame("update", [data])
        if fires("sequence_gap", now_ns):
            return
        frames = [frame]
        if is_trade and fires("duplicate_fill", now_ns):
            frames.append(self._frame("update", [data]))
        if is_trade and not self._held and fires("reordered_fill", now_ns):
            self._held = frames
            return
        frames += self._held
        self._held = []
        self._connection.send_late(frames, now_ns)

    def release(self, now_ns: int) -> None:
        """Nothing followed: what was kept for later goes out now."""
        frames, self._held = self._held, []
        self._connection.send_late(frames, now_ns)

    def _frame(self, kind: str, data: list[dict[str, Any]]) -> str:
        self._sequence += 1
        frame = dump({"channel": "executions", "type": kind, "data": data, "sequence": self._sequence})
        return self._connection.numbers(frame)


class Balances:
    """One subscription to `balances`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sequence = 0

    def snapshot(self, engine: Engine, now_ns: int) -> None:
        """Every asset with its one wallet."""
        data = []
        for asset, amount in sorted(engine.account.balances.items()):
            balance = number(amount, UNIT)
            wallets = [{"type": "spot", "id": "main", "balance": balance}]
            data.append({"asset": asset, "asset_class": "currency", "balance": balance, "wallets": wallets})
        self._send("snapshot", data, now_ns)

    def tell(self, entries: Sequence[LedgerEntry], now_ns: int) -> None:
        """The ledger's entries, those of one trade together."""
        for _, group in groupby(entries, lambda entry: entry.ref_id):
            self._send("update", [_entry(entry) for entry in group], now_ns)

    def _send(self, kind: str, data: list[dict[str, Any]], now_ns: int) -> None:
        self._sequence += 1
        frame = dump({"channel": "balances", "type": kind, "data": data, "sequence": self._sequence})
        self._connection.send_late([self._connection.numbers(frame)], now_ns)


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    told: dict[str, Any] = {"ledger_id": entry.ledger_id, "ref_id": entry.ref_id, "timestamp": rfc3339(entry.ts_ns)}
    told |= {"type": entry.kind, "asset": entry.asset, "asset_class": "currency", "category": "trade"}
    told |= {"wallet_type": "spot", "wallet_id": "main", "amount": number(entry.amount, UNIT)}
    return told | {"fee": number(entry.fee, UNIT), "balance": number(entry.balance, UNIT)}


def exponents(frame: str) -> str:
    """The frame with numbers below 0.0001 written as 5e-05: it is JSON all the same."""

    def short(found: re.Match[str]) -> str:
        digits = found[1].removeprefix("0.")
        lead = len(digits) - len(digits.lstrip("0")) + 1
        rest = digits.lstrip("0")
        return f":{rest[0]}{'.' + rest[1:] if rest[1:] else ''}e-{lead:02d}"

    return _SMALL.sub(short, frame)
