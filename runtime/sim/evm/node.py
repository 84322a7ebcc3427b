"""The node: JSON-RPC frames in, frames out, for any number of connections. Pure: time is handed in.

`receive` takes a client's text, `tick` lets time pass, and both leave frames with the connections, which `drain` hands
over. `handle` answers one request and is what HTTP uses. Beside the standard methods there are the usual ones of
development nodes (`evm_…`, `anvil_…`) and our own (`sim_…`).
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any, Final, Protocol

import msgspec

from runtime.sim.evm.abi import data_hex, keccak
from runtime.sim.evm.chain import Block, Chain
from runtime.sim.evm.control import Control
from runtime.sim.evm.faults import EvmFaults
from runtime.sim.evm.methods import EthMethods, unknown
from runtime.sim.evm.params import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    LIMITED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
    argument,
    log_filter,
)
from runtime.sim.evm.shapes import LogFilter, header
from runtime.sim.frames import Close, Frame

NS: Final = 10**9
MILLI: Final = 10**6
BATCH_MAX: Final = 1_000
SUBSCRIPTIONS_MAX: Final = 100


class Driver(Protocol):
    """Whoever makes the chain live: called before each block that time brings."""

    def step(self, chain: Chain) -> None:
        """Puts this block's transactions in."""


class EvmConnection:
    """One client's socket as the node sees it."""

    def __init__(self) -> None:
        self.heads: set[str] = set()
        self.logs: dict[str, LogFilter] = {}
        self.waiting: list[tuple[int, Frame]] = []


class EvmSim:
    """A node over one chain. `interval_ns` 0: no block comes by itself; `automine`: one for each transaction.

    `contracts` are told by `sim_contracts`.
    """

    def __init__(
        self, chain: Chain, *, faults: EvmFaults | None = None, driver: Driver | None = None,
        automine: bool = True, interval_ns: int = 0, contracts: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.chain, self.faults, self.driver = chain, faults or EvmFaults(), driver
        self.automine, self.interval_ns = automine, interval_ns
        self.contracts = dict(contracts or {})
        self.now_ns = 0
        self._next_ns: int | None = None
        self._connections: list[EvmConnection] = []
        self._ids = 0
        self._eth = EthMethods(chain, self.faults)
        self._control = Control(self)

    def connect(self) -> EvmConnection:
        """A new client."""
        connection = EvmConnection()
        self._connections.append(connection)
        return connection

    def disconnect(self, connection: EvmConnection) -> None:
        """Forgets a client and its subscriptions."""
        self._connections.remove(connection)

    def receive(self, connection: EvmConnection, text: str | bytes, now_ns: int) -> None:
        """Answers one frame of a client; raises for nothing a client may send."""
        before = len(connection.waiting)
        answer = self.answer(text, now_ns, connection)
        if answer is not None:
            # the answer goes before what the request has set off: a subscription's id before its first news
            connection.waiting.insert(before, (self._due(), answer))

    def answer(self, text: str | bytes, now_ns: int, connection: EvmConnection | None = None) -> str | None:
        """The answer to a request or a batch; None for a notification."""
        self.now_ns = max(self.now_ns, now_ns)
        try:
            asked = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _dump(_error(None, RpcError(PARSE_ERROR, "parse error")))
        if not isinstance(asked, list):
            answer = self.handle(asked, connection)
            return None if answer is None else _dump(answer)
        if not 0 < len(asked) <= BATCH_MAX:
            return _dump(_error(None, RpcError(INVALID_REQUEST, f"a batch holds 1 … {BATCH_MAX} requests")))
        answers = [answer for each in asked if (answer := self.handle(each, connection)) is not None]
        return _dump(answers) if answers else None

    def handle(self, request: Any, connection: EvmConnection | None = None) -> dict[str, Any] | None:
        """The answer to one request; None if it has no id."""
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _error(None, RpcError(INVALID_REQUEST, "invalid request"))
        request_id = request.get("id")
        try:
            result = self._dispatch(request["method"], request.get("params") or [], connection)
        except RpcError as error:
            return _error(request_id, error)
        return {"jsonrpc": "2.0", "id": request_id, "result": result} if "id" in request else None

    def _dispatch(self, method: str, given: Any, connection: EvmConnection | None) -> Any:
        if not isinstance(given, list):
            raise RpcError(INVALID_PARAMS, "invalid params: they come as a list")
        control = self._control.find(method)
        if control is not None:
            return control(given)
        if self.faults.error_answers > 0:
            self.faults.error_answers -= 1
            raise RpcError(LIMITED, "rate limit exceeded")
        if method == "eth_subscribe":
            return self._subscribe(given, connection)
        if method == "eth_unsubscribe":
            return self._unsubscribe(given, connection)
        standard = self._eth.find(method)
        if standard is None:
            raise unknown(method)
        result = standard(given)
        if method == "eth_sendTransaction" and self.automine:
            self.mine()
        return result

    def _subscribe(self, given: list[Any], connection: EvmConnection | None) -> str:
        if connection is None:
            raise RpcError(METHOD_NOT_FOUND, "notifications not supported")
        if len(connection.heads) + len(connection.logs) >= SUBSCRIPTIONS_MAX:
            raise RpcError(LIMITED, f"more than {SUBSCRIPTIONS_MAX} subscriptions")
        kind = argument(given, 0)
        self._ids += 1
        name = data_hex(keccak(f"subscription {self.chain.seed}/{self._ids}".encode())[:16])
        if kind == "newHeads":
            connection.heads.add(name)
        elif kind == "logs":
            connection.logs[name] = log_filter(argument(given, 1, {}))
        else:
            raise RpcError(INVALID_PARAMS, f'no "{kind}" subscription in eth namespace')
        return name

    @staticmethod
    def _unsubscribe(given: list[Any], connection: EvmConnection | None) -> bool:
        name = argument(given, 0)
        if connection is None or not isinstance(name, str):
            return False
        known = name in connection.heads or name in connection.logs
        connection.heads.discard(name)
        connection.logs.pop(name, None)
        return known

    def tick(self, now_ns: int) -> list[tuple[EvmConnection, list[Frame]]]:
        """Makes the block that is due, if one is (the first at once), and hands over every frame that is."""
        self.now_ns = max(self.now_ns, now_ns)
        if self.interval_ns:
            if self._next_ns is None:
                self._next_ns = now_ns
            if now_ns >= self._next_ns:
                # a late timer makes one block, not all it has missed: a node that slept does not make up for it
                self._next_ns = max(self._next_ns + self.interval_ns, now_ns - self.interval_ns)
                if self.driver is not None:
                    self.driver.step(self.chain)
                self.mine()
        return self.drain()

    def drain(self) -> list[tuple[EvmConnection, list[Frame]]]:
        """Every frame that is due by now, by connection."""
        if self.faults.close:
            self.faults.close = False
            return [(connection, [Close(1001, "going away")]) for connection in self._connections]
        ready = []
        for connection in self._connections:
            # in their order: what was sent later never overtakes, even when the delay was taken off in between
            due = [frame for _, frame in takewhile(lambda sent: sent[0] <= self.now_ns, connection.waiting)]
            if due:
                del connection.waiting[: len(due)]
                if not self.faults.mute:
                    ready.append((connection, due))
        return ready

    def every(self, interval_ns: int) -> None:
        """A block each `interval_ns` from now on; 0: none by itself."""
        self.interval_ns, self._next_ns = interval_ns, None

    def mine(self, timestamp: int | None = None) -> Block:
        """Makes a block of what waits, and tells everybody."""
        block = self.chain.mine(self.now_ns // NS if timestamp is None else timestamp)
        self.announce([], [block])
        return block

    def announce(self, dropped: Iterable[Block], made: Iterable[Block]) -> None:
        """Tells subscribers: first the logs that are gone, newest block first, then each new head and its logs."""
        if self.faults.removed_logs:
            for block in reversed(list(dropped)):
                self._tell_logs(block, removed=True)
        for block in made:
            # nodes promise no order between a head and its logs: half of the blocks come one way, half the other
            heads_first = block.hash[0] % 2 == 0
            if heads_first:
                self._tell_head(block)
            self._tell_logs(block, removed=False)
            if not heads_first:
                self._tell_head(block)

    def _tell_head(self, block: Block) -> None:
        if self.faults.stall_heads:
            return
        if self.faults.skip_heads > 0:
            self.faults.skip_heads -= 1
            return
        for connection in self._connections:
            for name in sorted(connection.heads):
                self._notify(connection, name, header(block))

    def _tell_logs(self, block: Block, *, removed: bool) -> None:
        for connection in self._connections:
            for name, wanted in connection.logs.items():
                for log in wanted.of(block, removed=removed, lie=self.faults.lie_logs):
                    if self.faults.drop_logs > 0:
                        self.faults.drop_logs -= 1
                    else:
                        self._notify(connection, name, log)

    def _notify(self, connection: EvmConnection, name: str, result: dict[str, Any]) -> None:
        params = {"subscription": name, "result": result}
        frame = _dump({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})
        connection.waiting.append((self._due(), frame))

    def _due(self) -> int:
        return self.now_ns + self.faults.delay_ms * MILLI


def _error(request_id: Any, error: RpcError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": told}


def _dump(message: Any) -> str:
    return msgspec.json.encode(message).decode()
