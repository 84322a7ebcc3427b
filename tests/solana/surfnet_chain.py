"""solana-py at the node: it writes accounts by the node's cheat code, and says what the node holds and tells of."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.jsonrpc import JsonRpcRequest
from solana.rpc.websocket_api import SolanaWsClient
from solders.pubkey import Pubkey
from solders.rpc.responses import AccountNotification

from connectors.venues.solana.account import Account
from runtime.sim.solana.accounts import Stored
from tests.solana.surfnet_node import Node

KEYS_MAX: Final = 100
HEARD_S: Final = 30.0
GONE: Final = Stored("1" * 32, b"", 0)  # to the cheat code, an account that is no more


class SurfnetChain:
    """`heard`: by account, what solana-py's own subscription was told of its data, in order."""

    def __init__(self, node: Node) -> None:
        self._client = AsyncClient(node.http, commitment=Confirmed, timeout=30)
        self._socket = SolanaWsClient(node.ws)
        self._names: dict[int, str] = {}
        self._ear: asyncio.Task[None] | None = None
        self._rang = asyncio.Event()
        self.heard: dict[str, list[bytes]] = {}
        self.writes = 0

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self._socket.connect()
        self._ear = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ear is not None:
            self._ear.cancel()
            with suppress(asyncio.CancelledError):
                await self._ear
        await self._socket.close()
        await self._client.close()

    async def ask(self, method: str, *params: Any) -> Any:
        """Any method, also such as a validator has not."""
        return await self._client.send_rpc_request(JsonRpcRequest(method=method, params=list(params)), Any)

    async def genesis(self) -> str:
        return str((await self._client.get_genesis_hash()).value)

    async def write(self, key: str, account: Stored | None) -> None:
        """One account, in a moment of its own: the node has no way to write several at once."""
        stored = account or GONE
        said = {"lamports": stored.lamports, "owner": stored.owner, "data": stored.data.hex()}
        await self.ask("surfnet_setAccount", key, said)
        self.writes += 1

    async def held(self, keys: Iterable[str]) -> tuple[int, dict[str, Account | None]]:
        """(slot, accounts) as the node holds them now."""
        asked = [Pubkey.from_string(key) for key in keys]
        slot, found = 0, dict[str, Account | None]()
        for at in range(0, len(asked), KEYS_MAX):
            part = asked[at : at + KEYS_MAX]
            answer = await self._client.get_multiple_accounts(part)
            slot = answer.context.slot
            for key, account in zip(part, answer.value, strict=True):
                found[str(key)] = None if account is None else Account(str(account.owner), bytes(account.data))
        return slot, found

    async def listen_to(self, key: str) -> None:
        """Subscribes to an account, in base64."""
        made = await self._socket.account_subscribe(
            pubkey=Pubkey.from_string(key), commitment=Confirmed, encoding="base64"
        )
        self._names[made.subscription_id] = key
        self.heard.setdefault(key, [])

    async def _listen(self) -> None:
        while True:
            told = await self._socket.recv()
            assert isinstance(told, AccountNotification)
            self.heard[self._names[told.subscription]].append(bytes(told.result.value.data))
            self._rang.set()

    async def hears(self, key: str, data: bytes) -> None:
        """Waits until solana-py was told that this is what the account holds."""
        async with asyncio.timeout(HEARD_S):
            while self.heard[key][-1] != data:
                self._rang.clear()
                await self._rang.wait()


def agrees(held: Mapping[str, Account | None], stored: Mapping[str, Stored | None]) -> bool:
    """Whether the node holds what was written, of every account that was."""
    return all(_is_of(account, stored[key]) for key, account in held.items() if key in stored)


def _is_of(account: Account | None, stored: Stored | None) -> bool:
    if account is None or stored is None:
        return account is None and stored is None
    return (account.owner, account.data) == (stored.owner, stored.data)
