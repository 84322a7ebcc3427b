"""Blocks and what is in them: transactions run, states kept, heads dropped. Pure; time is handed in.

Equal seeds and equal calls give equal hashes: a block's hash is the keccak of its parent, its number, its transactions
and the seed, and of how often this chain has been forked, so that a block mined again never looks like the first.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from runtime.sim.evm.abi import MAX_UINT, Log, bloom, keccak
from runtime.sim.evm.machine import Contract, Revert, Run, State

STATES_KEPT: Final = 256
BLOCKS_KEPT: Final = 5_000  # at least; twice as many at most
ACCOUNTS: Final = 10
START_WEI: Final = 10_000 * 10**18
GAS_LIMIT: Final = 1_000_000_000
_GAS_BASE, _GAS_BYTE, _GAS_LOG = 60_000, 16, 12_000


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction as it was sent."""

    hash: bytes
    sender: str
    to: str
    data: bytes
    value: int
    nonce: int
    gas: int
    gas_price: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one transaction; `first_log` is the place of its first log in the block."""

    transaction: Transaction
    is_ok: bool
    gas_used: int
    logs: tuple[Log, ...]
    first_log: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One block. `hash` and `parent` are 32 bytes."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int
    base_fee: int
    bloom: bytes
    receipts: tuple[Receipt, ...]

    @property
    def gas_used(self) -> int:
        return sum(receipt.gas_used for receipt in self.receipts)


class _Snapshot(msgspec.Struct, frozen=True):
    blocks: list[Block]
    state: State
    pending: list[Transaction]


class Chain:
    """The canonical chain, the states of its last blocks, transactions that wait.

    `state` is the state after the head: whoever sets the world up writes there before the first block is mined.
    """

    def __init__(self, *, chain_id: int, seed: int = 0, base_fee: int = 10_000_000, tip: int = 0) -> None:
        self.chain_id, self.seed, self.base_fee, self.tip = chain_id, seed, base_fee, tip
        self.accounts = tuple(account(place) for place in range(ACCOUNTS))
        self.state: State = {(owner, "wei"): START_WEI for owner in self.accounts}
        self.pending: list[Transaction] = []
        self._forks = 0
        self._sent = 0
        self._snapshots: list[_Snapshot | None] = []
        first = self._hash(bytes(32), 0, ())
        self.blocks = [Block(number=0, hash=first, parent=bytes(32), timestamp=0, base_fee=base_fee,
                             bloom=bloom(()), receipts=())]  # fmt: skip
        self._states: dict[bytes, tuple[Block, State]] = {first: (self.blocks[0], dict(self.state))}
        self._known: dict[bytes, Block] = {first: self.blocks[0]}  # by hash, dropped ones too
        self._placed: dict[bytes, tuple[Block, int]] = {}  # transactions by hash

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def settle(self) -> None:
        """The state as it stands becomes the head's own: for setting a world up."""
        self._states[self.head.hash] = (self.head, dict(self.state))

    def at(self, number: int) -> Block | None:
        """The canonical block of a height, if it is kept."""
        place = number - self.blocks[0].number
        return self.blocks[place] if 0 <= place < len(self.blocks) else None

    def with_hash(self, block_hash: bytes) -> Block | None:
        """A block by its hash: canonical, or dropped not long ago."""
        return self._known.get(block_hash)

    def is_canonical(self, block: Block) -> bool:
        at = self.at(block.number)
        return at is not None and at.hash == block.hash

    def run_at(self, block: Block, lie: int = 0) -> Run:
        """A run on a copy of a block's state. Raises LookupError when that state is no longer kept."""
        kept = self._states.get(block.hash)
        if kept is None:
            raise LookupError("header not found")
        return Run(dict(kept[1]), block.number, block.timestamp, self.hash_at, lie)

    def receipt(self, tx_hash: bytes) -> tuple[Block, int] | None:
        """The block a transaction is in, and its place there."""
        found = self._placed.get(tx_hash)
        return found if found and self.is_canonical(found[0]) else None

    def submit(self, sender: str, to: str, data: bytes, *, value: int = 0, gas: int = 0, price: int = 0) -> Transaction:
        """Takes a transaction for the next block."""
        waiting = sum(other.sender == sender for other in self.pending)
        nonce = self.state.get((sender, "nonce"), 0) + waiting
        self._sent += 1
        salt = f"{self.chain_id}/{self.seed}/{self._sent}/{sender}/{nonce}/{to}/".encode()
        transaction = Transaction(
            hash=keccak(salt + data), sender=sender, to=to, data=data, value=value, nonce=nonce,
            gas=gas or GAS_LIMIT, gas_price=price or self.base_fee,
        )  # fmt: skip
        self.pending.append(transaction)
        return transaction

    def mine(self, timestamp: int) -> Block:
        """Makes the next block of all that waits."""
        parent = self.head
        timestamp = max(timestamp, parent.timestamp)
        receipts: list[Receipt] = []
        for transaction in self.pending:
            logs_before = sum(len(receipt.logs) for receipt in receipts)
            receipts.append(self._execute(transaction, parent.number + 1, timestamp, logs_before))
        self.pending = []
        number = parent.number + 1
        block_hash = self._hash(parent.hash, number, [receipt.transaction.hash for receipt in receipts])
        block = Block(
            number=number, hash=block_hash, parent=parent.hash, timestamp=timestamp, base_fee=self.base_fee,
            bloom=bloom(log for receipt in receipts for log in receipt.logs), receipts=tuple(receipts),
        )  # fmt: skip
        self._keep(block)
        return block

    def _keep(self, block: Block) -> None:
        self.blocks.append(block)
        self._known[block.hash] = block
        self._placed |= {receipt.transaction.hash: (block, at) for at, receipt in enumerate(block.receipts)}
        self._states[block.hash] = (block, dict(self.state))
        if len(self._states) > STATES_KEPT:
            oldest = block.number - STATES_KEPT
            self._states = {key: kept for key, kept in self._states.items() if kept[0].number > oldest}
        if len(self._known) > 2 * BLOCKS_KEPT:
            del self.blocks[:-BLOCKS_KEPT]
            self._known = {old.hash: old for old in self.blocks}
            self._placed = {key: placed for key, placed in self._placed.items() if placed[0].hash in self._known}

    def _execute(self, transaction: Transaction, number: int, timestamp: int, first_log: int) -> Receipt:
        run = Run(dict(self.state), number, timestamp, self.hash_at)
        try:
            _pay(run.state, transaction)
            run.call(transaction.sender, transaction.to, transaction.data)
            is_ok, self.state, logs = True, run.state, tuple(run.logs)
        except Revert:
            is_ok, logs = False, ()
        self.state[transaction.sender, "nonce"] = transaction.nonce + 1
        gas_used = gas_of(transaction.data, len(logs))
        held = self.state.get((transaction.sender, "wei"), 0)
        self.state[transaction.sender, "wei"] = max(0, held - gas_used * transaction.gas_price)
        return Receipt(transaction=transaction, is_ok=is_ok, gas_used=gas_used, logs=logs, first_log=first_log)

    def drop(self, depth: int) -> list[Block]:
        """Takes the newest blocks off the chain, newest last; their transactions are gone. Raises LookupError."""
        if not 0 < depth < len(self.blocks) or self.blocks[-depth - 1].hash not in self._states:
            raise LookupError(f"cannot drop {depth} of {len(self.blocks)} blocks")
        dropped = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.state = dict(self._states[self.head.hash][1])
        self._forks += 1
        return dropped

    def snapshot(self) -> int:
        """Remembers everything; returns the snapshot's id."""
        self._snapshots.append(_Snapshot(list(self.blocks), dict(self.state), list(self.pending)))
        return len(self._snapshots)

    def revert(self, snapshot_id: int) -> bool:
        """Goes back to a snapshot, which is used up with all later ones; False if there is none of that id."""
        if not 0 < snapshot_id <= len(self._snapshots) or (kept := self._snapshots[snapshot_id - 1]) is None:
            return False
        self.blocks, self.state, self.pending = list(kept.blocks), dict(kept.state), list(kept.pending)
        self._states.setdefault(self.head.hash, (self.head, dict(kept.state)))
        self._snapshots[snapshot_id - 1 :] = [None] * (len(self._snapshots) - snapshot_id + 1)
        self._forks += 1
        return True

    def hash_at(self, number: int) -> bytes:
        """The hash of a height, zero where there is none."""
        block = self.at(number)
        return block.hash if block else bytes(32)

    def _hash(self, parent: bytes, number: int, transactions: Sequence[bytes]) -> bytes:
        salt = f"{self.chain_id}/{self.seed}/{self._forks}/{number}/".encode()
        return keccak(salt + parent + b"".join(transactions))


def account(place: int) -> str:
    """The address of an unlocked account."""
    return "0x" + keccak(f"venuegate account {place}".encode())[-20:].hex()


def gas_of(data: bytes, logs: int) -> int:
    """Gas of a transaction, roughly: this chain runs no bytecode that could be metered."""
    return _GAS_BASE + _GAS_BYTE * len(data) + _GAS_LOG * logs


def _pay(state: State, transaction: Transaction) -> None:
    held = state.get((transaction.sender, "wei"), 0)
    if held < transaction.value:
        raise Revert("insufficient funds for transfer")
    if transaction.value:
        state[transaction.sender, "wei"] = held - transaction.value
        state[transaction.to, "wei"] = state.get((transaction.to, "wei"), 0) + transaction.value


def endow(state: State, contract: Contract, owners: Sequence[str], amount: int) -> None:
    """Gives owners tokens without a transaction, for setting a world up."""
    for owner in owners:
        state[contract.address, ("balance", owner)] = min(amount, MAX_UINT)
        state[contract.address, "supply"] = state.get((contract.address, "supply"), 0) + amount
