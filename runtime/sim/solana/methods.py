"""The methods of a node's HTTP port that readers of accounts use."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, Protocol

from connectors.base58 import key_text
from runtime.sim.solana import params as read
from runtime.sim.solana.accounts import EPOCH_SLOTS, Stored
from runtime.sim.solana.keys import TOKEN, named
from runtime.sim.solana.ledger import Bank, at_slot
from runtime.sim.solana.params import BLOCK_NOT_AVAILABLE, MIN_CONTEXT_SLOT, UNHEALTHY, Config, RpcError
from runtime.sim.solana.shapes import API_VERSION, passes, shown

FEES_KEPT: Final = 150  # slots that getRecentPrioritizationFees tells of
_LOCKS_MAX: Final = 128
_VALID_SLOTS: Final = 150
_VAULT_SIZE: Final = 165

Params = Sequence[Any]


class View(Protocol):
    """The chain as one node shows it, its faults included."""

    @property
    def banks(self) -> list[Bank]:
        """The banks that it knows, head last."""

    @property
    def behind(self) -> int:
        """Slots that it lies behind the chain."""

    @property
    def genesis(self) -> str:
        """The chain it says it is of."""

    def bank(self, commitment: str) -> Bank:
        """The bank of a commitment."""

    def context(self, bank: Bank) -> dict[str, Any]:
        """Of which slot an answer says it is."""

    def account(self, bank: Bank, key: str) -> Stored | None:
        """An account of a bank."""


class Methods:
    """Each public method is the JSON-RPC method of that name."""

    def __init__(self, view: View) -> None:
        self._view = view

    def find(self, method: str) -> Any:
        """The Python method of a JSON-RPC method, or None."""
        return getattr(self, method, None) if method.startswith("get") else None

    def getAccountInfo(self, params: Params) -> dict[str, Any]:  # noqa: N802 - JSON-RPC's names, here and below
        key, asked = read.key(read.argument(params, 0)), read.config(params, 1)
        bank = self._bank(asked)
        return {"context": self._view.context(bank), "value": shown(self._view.account(bank, key), asked)}

    def getMultipleAccounts(self, params: Params) -> dict[str, Any]:  # noqa: N802
        """All of one bank."""
        keys, asked = read.keys(read.argument(params, 0)), read.config(params, 1)
        bank = self._bank(asked)
        values = [shown(self._view.account(bank, key), asked) for key in keys]
        return {"context": self._view.context(bank), "value": values}

    def getProgramAccounts(self, params: Params) -> Any:  # noqa: N802
        program, asked = read.key(read.argument(params, 0)), read.config(params, 1)
        bank = self._bank(asked)
        found = []
        for key in bank.accounts:
            account = self._view.account(bank, key)
            if account is not None and account.owner == program and passes(account, asked.filters):
                found.append({"pubkey": key, "account": shown(account, asked)})
        return {"context": self._view.context(bank), "value": found} if asked.with_context else found

    def getBalance(self, params: Params) -> dict[str, Any]:  # noqa: N802
        key, bank = read.key(read.argument(params, 0)), self._bank(read.config(params, 1))
        account = self._view.account(bank, key)
        return {"context": self._view.context(bank), "value": account.lamports if account else 0}

    def getTokenAccountBalance(self, params: Params) -> dict[str, Any]:  # noqa: N802
        key, bank = read.key(read.argument(params, 0)), self._bank(read.config(params, 1))
        account = self._view.account(bank, key)
        if account is None:
            raise read.invalid("Invalid param: could not find account")
        mint = self._view.account(bank, key_text(account.data[:32])) if len(account.data) == _VAULT_SIZE else None
        if account.owner != TOKEN or mint is None:
            raise read.invalid("Invalid param: not a Token account")
        amount, decimals = int.from_bytes(account.data[64:72], "little"), mint.data[44]
        text = f"{amount // 10**decimals}.{amount % 10**decimals:0{decimals}d}".rstrip("0").rstrip(".")
        told = {"amount": str(amount), "decimals": decimals, "uiAmount": None, "uiAmountString": text}
        return {"context": self._view.context(bank), "value": told}

    def getSlot(self, params: Params) -> int:  # noqa: N802
        return self._bank(read.config(params, 0)).slot

    def getBlockHeight(self, params: Params) -> int:  # noqa: N802
        return self._bank(read.config(params, 0)).slot

    def getBlockTime(self, params: Params) -> int:  # noqa: N802
        slot = read.whole(read.argument(params, 0))
        bank = at_slot(self._view.banks, slot)
        if bank is None:
            raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
        return bank.unix_s

    def getLatestBlockhash(self, params: Params) -> dict[str, Any]:  # noqa: N802
        bank = self._bank(read.config(params, 0))
        told = {"blockhash": bank.blockhash, "lastValidBlockHeight": bank.slot + _VALID_SLOTS}
        return {"context": self._view.context(bank), "value": told}

    def getEpochInfo(self, params: Params) -> dict[str, Any]:  # noqa: N802
        slot = self._bank(read.config(params, 0)).slot
        epoch, place = divmod(slot, EPOCH_SLOTS)
        return {
            "absoluteSlot": slot, "blockHeight": slot, "epoch": epoch, "slotIndex": place,
            "slotsInEpoch": EPOCH_SLOTS, "transactionCount": None,
        }  # fmt: skip

    def getRecentPrioritizationFees(self, params: Params) -> list[dict[str, int]]:  # noqa: N802
        """Micro-lamports a compute unit that a transaction paid at least which locked these accounts, by slot."""
        keys = read.keys(read.argument(params, 0, []), _LOCKS_MAX)
        return [
            {"slot": bank.slot, "prioritizationFee": _fee(bank.slot, bool(keys))}
            for bank in self._view.banks[-FEES_KEPT:]
        ]

    def getGenesisHash(self, _params: Params) -> str:  # noqa: N802
        return self._view.genesis

    def getVersion(self, _params: Params) -> dict[str, Any]:  # noqa: N802
        return {"solana-core": API_VERSION, "feature-set": 1_793_238_286}

    def getIdentity(self, _params: Params) -> dict[str, str]:  # noqa: N802
        return {"identity": named("identity of the simulated node")}

    def getHealth(self, _params: Params) -> str:  # noqa: N802
        behind = self._view.behind
        if behind:
            raise RpcError(UNHEALTHY, f"Node is behind by {behind} slots", {"numSlotsBehind": behind})
        return "ok"

    def _bank(self, asked: Config) -> Bank:
        bank = self._view.bank(asked.commitment)
        if bank.slot < asked.min_context_slot:
            told = {"contextSlot": bank.slot}
            raise RpcError(MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", told)
        return bank


def _fee(slot: int, is_contested: bool) -> int:
    """Nothing in most slots, more where many write to the same accounts: the pools."""
    dice = int.from_bytes(sha256(f"fee {slot}".encode()).digest()[:4])
    if dice % 8 < (3 if is_contested else 7):
        return 0
    return dice % 250_000 if is_contested else dice % 5_000
