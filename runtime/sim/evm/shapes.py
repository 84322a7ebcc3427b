"""Blocks, transactions, receipts and logs as JSON-RPC shows them, and log filters."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from runtime.sim.evm.abi import Log, bloom, checksum, data_hex, keccak, quantity
from runtime.sim.evm.chain import GAS_LIMIT, Block, Receipt
from runtime.sim.evm.univ2 import SYNC
from runtime.sim.evm.univ3 import BURN, MINT, SWAP

_EMPTY_UNCLES: Final = data_hex(keccak(bytes.fromhex("c0")))  # the hash of an empty RLP list
_STATE_WORD: Final = {SYNC.topic: 0, SWAP.topic: 2, MINT.topic: 1, BURN.topic: 0}  # what a follower keeps of the data


def header(block: Block) -> dict[str, Any]:
    """A header with every field of a present-day one; roots are hashes of the block's own, not of tries."""
    root = data_hex(keccak(b"root" + block.hash))
    return {
        "number": quantity(block.number),
        "hash": data_hex(block.hash),
        "parentHash": data_hex(block.parent),
        "nonce": "0x" + 16 * "0",
        "mixHash": data_hex(keccak(b"mix" + block.hash)),
        "sha3Uncles": _EMPTY_UNCLES,
        "logsBloom": data_hex(block.bloom),
        "transactionsRoot": root,
        "stateRoot": root,
        "receiptsRoot": root,
        "miner": "0x" + 40 * "0",
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": "0x",
        "size": quantity(600 + 200 * len(block.receipts)),
        "gasLimit": quantity(GAS_LIMIT),
        "gasUsed": quantity(block.gas_used),
        "timestamp": quantity(block.timestamp),
        "baseFeePerGas": quantity(block.base_fee),
    }


def full_block(block: Block, chain_id: int, *, with_transactions: bool) -> dict[str, Any]:
    """A block as eth_getBlockBy… answers it."""
    listed: list[Any] = [data_hex(receipt.transaction.hash) for receipt in block.receipts]
    if with_transactions:
        listed = [transaction(block, place, chain_id) for place in range(len(block.receipts))]
    return header(block) | {"transactions": listed, "uncles": []}


def transaction(block: Block, place: int, chain_id: int) -> dict[str, Any]:
    """A mined transaction. Nobody signs here: r and s are zero."""
    sent = block.receipts[place].transaction
    return {
        "blockHash": data_hex(block.hash),
        "blockNumber": quantity(block.number),
        "transactionIndex": quantity(place),
        "hash": data_hex(sent.hash),
        "from": checksum(sent.sender),
        "to": checksum(sent.to),
        "input": data_hex(sent.data),
        "value": quantity(sent.value),
        "nonce": quantity(sent.nonce),
        "gas": quantity(sent.gas),
        "gasPrice": quantity(sent.gas_price),
        "type": "0x0",
        "chainId": quantity(chain_id),
        "v": quantity(2 * chain_id + 35),
        "r": data_hex(bytes(32)),
        "s": data_hex(bytes(32)),
    }


def receipt(block: Block, place: int) -> dict[str, Any]:
    """A receipt with its logs."""
    found = block.receipts[place]
    return {
        "blockHash": data_hex(block.hash),
        "blockNumber": quantity(block.number),
        "transactionIndex": quantity(place),
        "transactionHash": data_hex(found.transaction.hash),
        "from": checksum(found.transaction.sender),
        "to": checksum(found.transaction.to),
        "contractAddress": None,
        "status": quantity(int(found.is_ok)),
        "gasUsed": quantity(found.gas_used),
        "cumulativeGasUsed": quantity(sum(each.gas_used for each in block.receipts[: place + 1])),
        "effectiveGasPrice": quantity(found.transaction.gas_price),
        "type": "0x0",
        "logsBloom": data_hex(bloom(found.logs)),
        "logs": [_log(block, place, index) for index in range(len(found.logs))],
    }


def _log(block: Block, place: int, index: int, *, removed: bool = False, lie: int = 0) -> dict[str, Any]:
    found: Receipt = block.receipts[place]
    log = found.logs[index]
    return {
        "address": checksum(log.address),
        "topics": [data_hex(topic) for topic in log.topics],
        "data": data_hex(_bent(log, lie) if lie else log.data),
        "blockNumber": quantity(block.number),
        "blockHash": data_hex(block.hash),
        "blockTimestamp": quantity(block.timestamp),
        "transactionHash": data_hex(found.transaction.hash),
        "transactionIndex": quantity(place),
        "logIndex": quantity(found.first_log + index),
        "removed": removed,
    }


def _bent(log: Log, lie: int) -> bytes:
    at = 32 * _STATE_WORD.get(log.topics[0], 0)
    word = log.data[at : at + 32]
    if len(word) < 32:
        return log.data
    told = max(0, int.from_bytes(word, "big") + lie)
    return log.data[:at] + told.to_bytes(32, "big") + log.data[at + 32 :]


class LogFilter(msgspec.Struct, frozen=True):
    """Which logs are wanted: no address is every address; a topic place of None takes anything."""

    addresses: frozenset[str]
    topics: tuple[frozenset[bytes] | None, ...]

    def takes(self, log: Log) -> bool:
        """Whether this log is one of them."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(wanted is None or topic in wanted for wanted, topic in zip(self.topics, log.topics, strict=False))

    def of(self, block: Block, *, removed: bool = False, lie: int = 0) -> Iterator[dict[str, Any]]:
        """Its logs of a block, in their order."""
        for place, found in enumerate(block.receipts):
            for index, log in enumerate(found.logs):
                if self.takes(log):
                    yield _log(block, place, index, removed=removed, lie=lie)
