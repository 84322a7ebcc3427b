"""Subscriptions: what each one was told last, and what it is told when the node's view has moved.

An account is told when the slot that wrote it is another than last time, so the old state is told again when a branch
is left, as agave does (`filter_account_result` of its `rpc_subscriptions.rs`). The slot told is that of the view.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.frames import Frame
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.keys import SYSTEM
from runtime.sim.solana.ledger import Bank
from runtime.sim.solana.params import Config
from runtime.sim.solana.shapes import context, passes, shown

if TYPE_CHECKING:
    from runtime.sim.solana.node import SolanaSim

MILLI: Final = 10**6
_GONE: Final = Stored(SYSTEM, b"", 0)


class Connection:
    """One client's socket as the node sees it."""

    def __init__(self) -> None:
        self.watches: dict[int, AccountWatch | ProgramWatch | SlotWatch] = {}
        self._waiting: list[tuple[int, Frame]] = []
        self._last_ns = 0
        self._told = 0

    def send(self, frame: Frame, now_ns: int, faults: SolanaFaults) -> None:
        """Queues what nothing sent later overtakes, even when a delay is taken off in between."""
        self._last_ns = max(self._last_ns, now_ns + faults.delay_ms * MILLI)
        self._waiting.append((self._last_ns, frame))

    def tell(self, frame: Frame, now_ns: int, faults: SolanaFaults) -> None:
        """Queues an account's notification, with what goes wrong with those."""
        if faults.drop_notifications > 0:
            faults.drop_notifications -= 1
            return
        self._told += 1
        for _ in range(2 if faults.duplicate else 1):
            if faults.late_notifications and self._told % 2:
                wait_ms = faults.delay_ms + faults.late_notifications
                self._waiting.append((max(self._last_ns, now_ns + wait_ms * MILLI), frame))
            else:
                self.send(frame, now_ns, faults)

    def due(self, now_ns: int) -> list[Frame]:
        """What is to be sent by now; it is no longer waiting then."""
        due = sorted((each for each in self._waiting if each[0] <= now_ns), key=lambda each: each[0])
        if due:
            self._waiting = [each for each in self._waiting if each[0] > now_ns]
        return [frame for _, frame in due]


class SlotWatch:
    """slotSubscribe: each slot that the node has begun."""

    def __init__(self) -> None:
        self._last = 0

    def tell(self, node: "SolanaSim", connection: Connection, number: int) -> None:
        """Sends the head's slot if it is another than last time."""
        banks = node.banks
        if banks[-1].slot == self._last:
            return
        self._last = banks[-1].slot
        parent = banks[-2].slot if len(banks) > 1 else self._last - 1
        result = {"slot": self._last, "parent": parent, "root": node.bank("finalized").slot}
        connection.send(_notification("slot", number, result), node.now_ns, node.faults)


class AccountWatch:
    """accountSubscribe. `bank`: what the client may know when it subscribes."""

    def __init__(self, key: str, asked: Config, bank: Bank) -> None:
        self._key, self._asked, self._first = key, asked, bank.slot
        self._written = bank.written(key)

    def tell(self, node: "SolanaSim", connection: Connection, number: int) -> None:
        """Sends the account if another slot wrote it than last time."""
        bank = node.bank(self._asked.commitment)
        if bank.written(self._key) == self._written:
            return
        self._written = bank.written(self._key)
        connection.tell(self._frame(node, bank, number), node.now_ns, node.faults)
        if node.faults.stale:
            known = [each for each in node.banks if each.slot <= bank.slot]
            older = known[max(0, len(known) - 1 - node.faults.stale)]
            connection.tell(self._frame(node, older, number), node.now_ns, node.faults)

    def _frame(self, node: "SolanaSim", bank: Bank, number: int) -> Frame:
        # one that is gone is told as an empty one of the System program, as a node does
        value = shown(node.account(bank, self._key), self._asked) or shown(_GONE, self._asked)
        slot = self._first if node.faults.frozen_context else bank.slot
        return _notification("account", number, {"context": context(slot), "value": value})


class ProgramWatch:
    """programSubscribe: every account of a program that is written."""

    def __init__(self, program: str, asked: Config, bank: Bank) -> None:
        self._program, self._asked = program, asked
        self._written = {key: slot for key, (_, slot) in bank.accounts.items()}

    def tell(self, node: "SolanaSim", connection: Connection, number: int) -> None:
        """Sends each account that another slot wrote than last time."""
        bank = node.bank(self._asked.commitment)
        for key, (_, slot) in bank.accounts.items():
            if self._written.get(key) == slot:
                continue
            self._written[key] = slot
            account = node.account(bank, key)
            if account is not None and account.owner == self._program and passes(account, self._asked.filters):
                value = {"pubkey": key, "account": shown(account, self._asked)}
                frame = _notification("program", number, {"context": context(bank.slot), "value": value})
                connection.tell(frame, node.now_ns, node.faults)


def _notification(kind: str, number: int, result: Any) -> str:
    params = {"result": result, "subscription": number}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": f"{kind}Notification", "params": params}).decode()
