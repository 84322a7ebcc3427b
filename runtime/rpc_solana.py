"""A door: Solana's JSON-RPC over HTTP for commands that ask once and go. As `rpc.py`, whose errors it has.

All accounts of one question come in one answer of `getMultipleAccounts`, which is of one slot: nothing that is put
together here was read at two times (https://solana.com/docs/rpc/http/getmultipleaccounts).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self

from connectors.errors import ConfigError, WireError
from connectors.onchain.jsonrpc import RpcError
from connectors.venues.solana.account import Account, Accounts, account_of
from connectors.venues.solana.rpc import ENCODING, KEYS_MAX, MIN_CONTEXT_SLOT
from runtime.config_solana import solana_key
from runtime.rpc import TIMEOUT_S, Rpc

ROUNDS_MAX: Final = 16  # each names accounts that the one before did not
LATE_TRIES: Final = 10  # of a node that has not come to a slot that another behind the same address has
LATE_S: Final = 0.3


class SolanaRpc:
    """One endpoint, for one command. Use it with `with`. Every method may raise ConfigError."""

    def __init__(
        self, url: str, *, commitment: str = "confirmed", place: str = "--rpc", timeout_s: float = TIMEOUT_S
    ) -> None:
        if url.startswith(("ws://", "wss://")):
            problem = "is a WebSocket's address: Solana's nodes answer calls over HTTP alone"
            raise ConfigError(problem, place=place, mend="name the endpoint's http:// or https:// address")
        self._rpc = Rpc(url, place=place, timeout_s=timeout_s)
        self._commitment = commitment
        self.place = self._rpc.place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._rpc.__exit__(*error)

    def genesis(self) -> str:
        """The hash of the cluster's first block: which cluster it is."""
        try:
            return solana_key(self._rpc.call("getGenesisHash"))
        except (TypeError, ValueError):
            raise self._rpc.refused("getGenesisHash: its answer is no hash") from None

    def accounts(self, keys: Iterable[str], min_slot: int = 0) -> tuple[int, dict[str, Account | None]]:
        """(slot, accounts), all of one answer, of a slot no older than `min_slot`. At most 100 keys."""
        asked = list(dict.fromkeys(keys))
        if len(asked) > KEYS_MAX:
            raise self._rpc.refused(
                f"{len(asked)} accounts are wanted of one answer: {KEYS_MAX} can be", "ask for less"
            )
        options: dict[str, Any] = {"encoding": ENCODING, "commitment": self._commitment}
        if min_slot:
            options["minContextSlot"] = min_slot
        answer = self._in_time([asked, options])
        try:
            slot, values = answer["context"]["slot"], answer["value"]
            found = {key: account_of(value) for key, value in zip(asked, values, strict=True)}
            is_late = not isinstance(slot, int) or slot < min_slot
        except (WireError, TypeError, KeyError, ValueError) as error:
            raise self._rpc.refused(f"getMultipleAccounts: no accounts that can be read ({error})") from None
        if is_late:
            raise self._rpc.refused(f"getMultipleAccounts: slot {slot!a:.20} is before {min_slot}, which it knew")
        return slot, found

    def whole(self, wanted: Callable[[Accounts], Iterable[str]]) -> tuple[int, Accounts]:
        """(slot, accounts) of all that is wanted, once nothing new is. What `wanted` raises passes through."""
        slot, accounts = 0, dict[str, Account | None]()
        for _ in range(ROUNDS_MAX):
            keys = tuple(wanted(accounts))
            if keys and accounts.keys() >= set(keys):
                return slot, accounts
            slot, accounts = self.accounts(keys, slot)
        raise self._rpc.refused("the accounts change faster than they can be read", "ask again")

    def keys_of(self, program: str, length: int, holding: Mapping[int, str]) -> list[str] | None:
        """The program's accounts of this length that hold these keys at these places; None: it does not search."""
        filters: list[dict[str, Any]] = [{"dataSize": length}]
        filters += [{"memcmp": {"offset": at, "bytes": key, "encoding": "base58"}} for at, key in holding.items()]
        options = {"encoding": "base64", "dataSlice": {"offset": 0, "length": 0}, "filters": filters}
        answer = self._rpc.answer("getProgramAccounts", program, options | {"commitment": self._commitment})
        if isinstance(answer, RpcError):
            return None
        try:
            return [solana_key(one["pubkey"]) for one in answer]
        except (TypeError, KeyError, ValueError) as error:
            raise self._rpc.refused(f"getProgramAccounts: no accounts that can be read ({error})") from None

    def _in_time(self, params: list[Any]) -> Any:
        for _ in range(LATE_TRIES):
            answer = self._rpc.answer("getMultipleAccounts", *params)
            if not isinstance(answer, RpcError):
                return answer
            if answer.code != MIN_CONTEXT_SLOT:
                break
            time.sleep(LATE_S)
        problem = f"getMultipleAccounts: it answers {answer.message} ({answer.code})"
        raise self._rpc.refused(problem, "ask another endpoint")
