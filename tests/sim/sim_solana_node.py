"""A simulated Solana as tests use it: JSON in, JSON out, without a socket, in virtual time."""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.pool import Protocol
from connectors.venues.solana import pools
from connectors.venues.solana.account import Account, account_of
from runtime.sim.frames import Close, Frame
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.ledger import Bank
from runtime.sim.solana.node import SLOT_NS, SolanaSim
from runtime.sim.solana.pubsub import Connection
from runtime.sim.solana.shipped import default_world

SOL = Token("So11111111111111111111111111111111111111112", "SOL", 9)
USDC = Token("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "USDC", 6)
USDT = Token("Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "USDT", 6)
CLOCK = "SysvarC1ock11111111111111111111111111111111"
NOBODY = "11111111111111111111111111111111"


def plan(address: str, kind: PoolKind, quote: Token = USDC) -> PoolPlan:
    """A pool of SOL for dollars."""
    return PoolPlan(
        address=address, kind=kind, protocol=Protocol[kind.name], tokens=(SOL, quote), base=0, quote=1, symbol="SOL/USD"
    )


ORCA = plan("Czfq3xZZDmsdGdUyrNLtRhGc47cXcZtLG4crryfu44zE", PoolKind.ORCA_WHIRLPOOL)
RAYDIUM = plan("3ucNos4NbumPLZNWztqGHNFFgkHeRMBQAVemeeomsUxv", PoolKind.RAYDIUM_CLMM)
SIDED = plan("3nMFwZXwY1s1M5s8vYAHqd4wGs4iSxXE4LRoUMMYqEgF", PoolKind.RAYDIUM_CLMM, USDT)
PLAIN = plan("CYbD9RaToYMtWKA7QZyoLahnHdWq553Vm62Lh6qWtuxq", PoolKind.RAYDIUM_CLMM)
POOLS = (ORCA, RAYDIUM, SIDED, PLAIN)
"""An Orca pool, and three of Raydium's: a fee that follows the price, a fee on one token, a plain one."""


class Node:
    """One node and a client's side of it. `plans` are on it; slots come by `slots` and `tick`."""

    def __init__(
        self, plans: Sequence[PoolPlan] = (), *, seed: int = 1, is_alive: bool = True, sim: SolanaSim | None = None,
        faults: SolanaFaults | None = None,
    ) -> None:  # fmt: skip
        self.plans = tuple(plans)
        self.sim = sim or default_world(seed, plans, is_alive=is_alive, faults=faults)
        self.now_ns = 1_790_000_000 * 10**9
        self.held: dict[Connection, list[Frame]] = {}
        self.tick(0)

    @property
    def head(self) -> Bank:
        return self.sim.ledger.head

    def answer(self, method: str, *params: Any) -> dict[str, Any]:
        """The whole answer to one request."""
        text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        reply = self.sim.post(text, self.now_ns)
        assert reply.status == 200
        answer: dict[str, Any] = json.loads(reply.body)
        return answer

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one request."""
        answer = self.answer(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: Any) -> tuple[int, str]:
        """The code and the message of a refusal."""
        error = self.answer(method, *params)["error"]
        return error["code"], error["message"]

    def fault(self, name: str, value: Any) -> None:
        assert self.ask("sim_fault", name, value) is True

    def read(self, keys: Iterable[str], commitment: str = "processed") -> tuple[int, dict[str, Account | None]]:
        """One answer of getMultipleAccounts: (slot, accounts)."""
        asked = list(keys)
        told = self.ask("getMultipleAccounts", asked, {"encoding": "base64", "commitment": commitment})
        return told["context"]["slot"], dict(zip(asked, map(account_of, told["value"]), strict=True))

    def state(self, of: PoolPlan, commitment: str = "processed", around: int = 5) -> Any:
        """A pool's curve as the venue reads it: one atomic read of all that it wants. Raises PoolRefused."""
        accounts: dict[str, Account | None] = {}
        while set(wanted := pools.wanted(of.address, accounts, around)) - accounts.keys():
            _, accounts = self.read(wanted, commitment)
        return pools.state_of(of, accounts)

    def connect(self) -> "Client":
        return Client(self)

    def slots(self, count: int = 1) -> None:
        for _ in range(count):
            self.tick(SLOT_NS)

    def tick(self, ns: int) -> None:
        """Lets time pass; frames stay with their connections until somebody reads them."""
        self.now_ns += ns
        self.hold(self.sim.tick(self.now_ns))

    def hold(self, ready: list[tuple[Connection, list[Frame]]]) -> None:
        for connection, frames in ready:
            self.held.setdefault(connection, []).extend(frames)


class Client:
    """One WebSocket connection."""

    def __init__(self, node: Node) -> None:
        self.node, self.connection = node, node.sim.connect()

    def send(self, text: str) -> None:
        self.node.sim.receive(self.connection, text, self.node.now_ns)

    def call(self, method: str, *params: Any) -> dict[str, Any]:
        self.send(json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))
        (answer,) = (frame for frame in self.frames() if frame.get("id") == 7)
        return answer

    def subscribe(self, key: str, commitment: str = "processed") -> int:
        answer = self.call("accountSubscribe", key, {"encoding": "base64", "commitment": commitment})
        return int(answer["result"])

    def frames(self) -> list[dict[str, Any]]:
        """What has come since last time."""
        self.node.hold(self.node.sim.drain())
        came = self.node.held.pop(self.connection, [])
        return [{"close": frame.code} if isinstance(frame, Close) else json.loads(frame) for frame in came]

    def news(self) -> list[tuple[int, bytes]]:
        """(slot, data) of the account notifications since last time."""
        told = [frame["params"]["result"] for frame in self.frames() if frame.get("method") == "accountNotification"]
        return [(each["context"]["slot"], base64.b64decode(each["value"]["data"][0])) for each in told]
