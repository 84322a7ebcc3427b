"""The chain: banks, one a slot, each with every account as it is then. Pure: a slot is made when it is asked for.

A bank keeps all accounts in one dict, copied from its parent, so an answer is of one bank by construction, old views
and forks cost a lookup, and no virtual machine (LiteSVM) is needed: nobody sends transactions here, and LiteSVM has no
history. `fork` plays slots on a branch that the cluster leaves again: the head goes back to where it was, and slot
numbers with it, because the branch took numbers further on.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, Protocol

import msgspec

from connectors.base58 import key_text
from runtime.sim.solana.accounts import Stored, clock
from runtime.sim.solana.keys import CLOCK, MAINNET

NS: Final = 10**9
FIRST_SLOT: Final = 415_800_000  # of spring 2026: a number as long as today's
FINAL_LAG: Final = 32
KEPT: Final = 3 * FINAL_LAG

Changes = dict[str, Stored | None]


class Driver(Protocol):
    """Whoever makes the chain live. `state` is his own and immutable: a branch goes on from its parent's."""

    def pass_time(self, slot: int) -> None:
        """Called once before each slot of the chain, not of a branch: the world outside of it goes on."""

    def begin(self, unix_s: int) -> tuple[Any, Changes]:
        """The first state, and every account of it."""

    def step(self, state: Any, slot: int, unix_s: int) -> tuple[Any, Changes]:
        """The next state, and what changed; None for an account that is gone."""

    def lied(self, state: Any, key: str, ppm: int) -> Stored | None:
        """A pool's account as if its price were so much off; None for what is no pool."""


class Bank(msgspec.Struct, frozen=True, eq=False):
    """One slot. `accounts`: (the account, the slot that wrote it) by key; `lag`: slots until it is confirmed."""

    slot: int
    unix_s: int
    accounts: Mapping[str, tuple[Stored, int]]
    state: Any
    blockhash: str
    lag: int

    def account(self, key: str) -> Stored | None:
        """As it was at the end of this slot."""
        found = self.accounts.get(key)
        return None if found is None else found[0]

    def written(self, key: str) -> int:
        """The slot that last wrote it; 0: there is none."""
        found = self.accounts.get(key)
        return 0 if found is None else found[1]


class Ledger:
    """Banks from the oldest kept to the head, which `advance` and `fork` move. Empty until the first `advance`."""

    def __init__(self, driver: Driver | None = None, *, seed: int = 0, genesis: str = MAINNET) -> None:
        self.genesis, self.driver, self._seed = genesis, driver, seed
        self.banks: list[Bank] = []
        self._set: Changes = {}
        self._skip: set[int] = set()

    @property
    def head(self) -> Bank:
        """The newest bank of the chain. Raises IndexError before the first."""
        return self.banks[-1]

    def set_account(self, key: str, account: Stored | None) -> None:
        """What the next slot writes beside its driver's changes; None takes the account away."""
        self._set[key] = account

    def advance(self, now_ns: int) -> Bank:
        """One more slot; the first one holds the whole world."""
        if not self.banks:
            state, changes = (None, {}) if self.driver is None else self.driver.begin(now_ns // NS)
            self.banks.append(self._bank(None, FIRST_SLOT, now_ns // NS, state, changes | self._set))
        else:
            slot = self.head.slot + 1
            while slot in self._skip:  # taken by a branch that was left
                self._skip.discard(slot)
                slot += 1
            if self.driver is not None:
                self.driver.pass_time(slot)
            self.banks.append(self._next(self.head, slot, now_ns // NS, self._set))
        self._set = {}
        del self.banks[:-KEPT]
        return self.head

    def fork(self, depth: int, now_ns: int) -> list[list[Bank]]:
        """What a node shows, slot after slot, that follows a branch of `depth` slots: the banks up to each.

        The chain itself stays what it was; its next slot has a lower number than any of the branch's.
        """
        first = self.head.slot + 2
        shown, branch = [], list(self.banks)
        for slot in range(first, first + depth):
            branch.append(self._next(branch[-1], slot, now_ns // NS, {}))
            self._skip.add(slot)
            shown.append(list(branch))
        return shown

    def lied(self, bank: Bank, key: str, ppm: int) -> Stored | None:
        """As `Driver.lied`, of a bank."""
        return None if self.driver is None else self.driver.lied(bank.state, key, ppm)

    def _next(self, parent: Bank, slot: int, unix_s: int, also: Changes) -> Bank:
        unix_s = max(unix_s, parent.unix_s)
        state, changes = parent.state, dict[str, Stored | None]()
        if self.driver is not None:
            state, changes = self.driver.step(state, slot, unix_s)
        return self._bank(parent, slot, unix_s, state, changes | also)

    def _bank(self, parent: Bank | None, slot: int, unix_s: int, state: Any, changes: Changes) -> Bank:
        accounts = {} if parent is None else dict(parent.accounts)
        for key, account in changes.items():
            if account is None:
                accounts.pop(key, None)
            elif key not in accounts or accounts[key][0] != account:
                accounts[key] = account, slot
        accounts[CLOCK] = clock(slot, unix_s), slot
        digest = sha256(f"slot {self._seed}/{slot}/{unix_s}".encode()).digest()
        return Bank(slot, unix_s, accounts, state, key_text(digest), 1 + digest[0] % 2)


def confirmed(banks: list[Bank]) -> Bank:
    """The newest bank that its own lag, of one or two slots, lies behind."""
    for back, bank in enumerate(reversed(banks)):
        if back >= bank.lag:
            return bank
    return banks[0]


def finalized(banks: list[Bank]) -> Bank:
    """The root: as many slots behind as a cluster takes to vote."""
    return banks[max(0, len(banks) - 1 - FINAL_LAG)]


def at_slot(banks: list[Bank], slot: int) -> Bank | None:
    """The bank of a slot, if it is kept and was not skipped."""
    return next(_of(banks, slot), None)


def _of(banks: list[Bank], slot: int) -> Iterator[Bank]:
    return (bank for bank in banks if bank.slot == slot)
