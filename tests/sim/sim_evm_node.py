"""A simulated chain as tests use it: JSON in, JSON out, without a socket."""

import json
from typing import Any

from eth_utils.address import to_checksum_address

from runtime.sim.evm.node import EvmConnection, EvmSim
from runtime.sim.evm.world import make_world
from runtime.sim.frames import Frame
from tests.evm.abi import Erc20, Method, Positions, SwapRouter, V3Factory, V3Pool

MAX = 2**256 - 1
NEVER = 2**40
CHAIN_ID = 42161


def number(text: str) -> int:
    return int(text, 16)


def heads(news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in news if "parentHash" in each]


def logs(news: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in news if "topics" in each]


class Node:
    """One node and one client's side of it."""

    def __init__(self, sim: EvmSim | None = None, seed: int = 0) -> None:
        self.sim = sim or make_world((), lambda _symbol: None, chain_id=CHAIN_ID, seed=seed, is_alive=False)
        self.now_ns = 1_700_000_000 * 10**9
        self.held: dict[EvmConnection, list[Frame]] = {}
        self.at: dict[str, str] = {}
        self.at = self.ask("sim_contracts")
        self.me = str(self.ask("eth_accounts")[0])

    def answer(self, method: str, *params: Any) -> dict[str, Any]:
        """The whole answer to one request."""
        text = self.sim.answer(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), self.now_ns)
        assert text is not None
        answer: dict[str, Any] = json.loads(text)
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

    def call(self, to: str, method: Method, *arguments: object, block: Any = "latest") -> Any:
        """A view: one value, or a tuple of several."""
        data = self.ask("eth_call", {"to": to, "data": method.encode(*arguments).to_0x_hex()}, block)
        found = method.decode(bytes.fromhex(data[2:]))
        return found[0] if len(found) == 1 else found

    def send(self, to: str, method: Method, *arguments: object) -> dict[str, Any]:
        """A transaction of ours; its receipt."""
        sent = {"from": self.me, "to": to, "data": method.encode(*arguments).to_0x_hex()}
        receipt: dict[str, Any] = self.ask("eth_getTransactionReceipt", self.ask("eth_sendTransaction", sent))
        return receipt

    def token(self, symbol: str, decimals: int = 18) -> str:
        """A new token that the router and the position manager may take from us."""
        token = str(self.ask("sim_createToken", symbol, decimals))
        for spender in ("v3_router", "v3_positions", "v2_router"):
            self.send(token, Erc20.approve, self.at[spender], MAX)
        return token

    def pair(self) -> tuple[str, str]:
        """Two tokens in a pool's order."""
        first, second = sorted((self.token("AAA"), self.token("BBB", 6)), key=lambda address: int(address, 16))
        return first, second

    def v3_pool(self, fee: int = 3000) -> tuple[str, str, str]:
        """A pool at price 1 with one wide and one narrow position: (pool, token 0, token 1)."""
        token0, token1 = self.pair()
        self.send(self.at["v3_factory"], V3Factory.create, token0, token1, fee)
        pool = to_checksum_address(self.call(self.at["v3_factory"], V3Factory.get_pool, token0, token1, fee))
        self.send(pool, V3Pool.initialize, 2**96)
        for low, high, amount in ((-60_000, 60_000, 10**15), (-600, 1200, 10**12)):
            self.mint(token0, token1, fee, low, high, amount)
        return pool, token0, token1

    def mint(self, token0: str, token1: str, fee: int, low: int, high: int, amount: int) -> dict[str, Any]:
        asked = (token0, token1, fee, low, high, amount, amount, 0, 0, self.me, NEVER)
        return self.send(self.at["v3_positions"], Positions.mint, asked)

    def swap(self, token_in: str, token_out: str, amount: int, fee: int = 3000) -> dict[str, Any]:
        asked = (token_in, token_out, fee, self.me, NEVER, amount, 0, 0)
        return self.send(self.at["v3_router"], SwapRouter.swap_in, asked)

    def connect(self) -> "Client":
        return Client(self)

    def tick(self, ns: int) -> None:
        """Lets time pass; frames stay with their connections until somebody reads them."""
        self.now_ns += ns
        self.hold(self.sim.tick(self.now_ns))

    def hold(self, ready: list[tuple[EvmConnection, list[Frame]]]) -> None:
        for connection, frames in ready:
            self.held.setdefault(connection, []).extend(frames)


class Client:
    """One connection."""

    def __init__(self, node: Node) -> None:
        self.node, self.connection = node, node.sim.connect()

    def send(self, text: str) -> None:
        self.node.sim.receive(self.connection, text, self.node.now_ns)

    def subscribe(self, *params: Any) -> str:
        self.send(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "eth_subscribe", "params": params}))
        (answer,) = self.read()
        return str(answer["result"])

    def frames(self) -> list[Frame]:
        """What has come since last time."""
        self.node.hold(self.node.sim.drain())
        return self.node.held.pop(self.connection, [])

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames() if isinstance(frame, str)]

    def news(self) -> list[dict[str, Any]]:
        """The results of the notifications since last time."""
        return [frame["params"]["result"] for frame in self.read() if frame.get("method") == "eth_subscription"]
