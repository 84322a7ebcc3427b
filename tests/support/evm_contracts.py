"""Contracts that answer views, and a loopback endpoint in front of them: written from the ABI, not from our encoder.

A contract is its views: signature → (types of the answer, the answer or a function of the arguments). What raises
`Reverted`, or is not there, answers nothing, as a chain does.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeVar

from eth_abi.abi import decode, encode
from web3 import Web3

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.pool import Protocol
from connectors.venues.evm.abi import Call, Reading

MULTICALL: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"
BLOCK: Final = {"number": "0x10", "hash": "0x" + "ab" * 32}

T = TypeVar("T")
Views = Mapping[str, tuple[str, Any]]


class Reverted(Exception):  # noqa: N818 - what a call does
    """This call reverts."""


def selector(signature: str) -> bytes:
    return bytes(Web3.keccak(text=signature)[:4])


def address(number: int) -> str:
    return Web3.to_checksum_address(f"0x{number:040x}")


WETH, USDC, DAI, USDT = (
    Token(address(0xA1), "WETH", 18),
    Token(address(0xB2), "USDC", 6),
    Token(address(0xC3), "DAI", 18),
    Token(address(0xD4), "USDT", 6),
)
POOL: Final = address(0x1000)
QUOTER: Final = address(0x2000)


class Contracts:
    """A chain at one block."""

    def __init__(self, contracts: Mapping[str, Views] | None = None, tokens: Sequence[Token] = ()) -> None:
        self._views: dict[str, dict[bytes, tuple[list[str], list[str], Any]]] = {}
        for where, views in (contracts or {}).items():
            self.add(where, views)
        for token in tokens:
            self.add(token.address, erc20(token))

    def add(self, where: str, views: Views) -> None:
        """More views of a contract, or others instead of those it had."""
        mine = self._views.setdefault(where.lower(), {})
        for signature, (types, answer) in views.items():
            mine[selector(signature)] = split(signature[signature.index("(") :]), split(f"({types})"), answer

    def remove(self, where: str, signature: str) -> None:
        del self._views[where.lower()][selector(signature)]

    def has_code(self, where: str) -> bool:
        return where.lower() in self._views or where == MULTICALL

    def call(self, where: str, data: bytes) -> bytes | None:
        """An eth_call; None: reverted, or nobody there."""
        if where.lower() == MULTICALL.lower():
            return self._aggregate3(data)
        view = self._views.get(where.lower(), {}).get(data[:4])
        if view is None:
            return None
        arguments, types, answer = view
        try:
            found = answer(*decode(arguments, data[4:])) if callable(answer) else answer
        except Reverted:
            return None
        if isinstance(found, bytes) and types == ["raw"]:
            return found
        return encode(types, found if len(types) > 1 else [found])

    def answers(self, calls: Sequence[Call]) -> list[bytes | None]:
        return [self.call(each.to, each.data) or None for each in calls]

    def drive(self, reading: Reading[T], tamper: Callable[[int, int, bytes | None], bytes | None] | None = None) -> T:
        """Runs a reading to its end; `tamper(stage, place, answer)` may change each answer."""
        stage, given = 0, None
        while True:
            try:
                calls = next(reading) if given is None else reading.send(given)
            except StopIteration as stop:
                result: T = stop.value
                return result
            given = self.answers(calls)
            if tamper is not None:
                given = [tamper(stage, place, answer) for place, answer in enumerate(given)]
            stage += 1

    def _aggregate3(self, data: bytes) -> bytes:
        assert data[:4] == selector("aggregate3((address,bool,bytes)[])")
        (calls,) = decode(["(address,bool,bytes)[]"], data[4:])
        answers = [self.call(where, inner) for where, _, inner in calls]
        return encode(["(bool,bytes)[]"], [[(answer is not None, answer or b"") for answer in answers]])


def split(types: str) -> list[str]:
    """`(a,(b,c))` → a, (b,c)."""
    parts, depth = [""], 0
    for letter in types[1:-1]:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part]


def erc20(token: Token, balances: int = 10**24) -> Views:
    return {
        "symbol()": ("string", token.symbol),
        "decimals()": ("uint8", token.decimals),
        "balanceOf(address)": ("uint256", lambda _: balances),
    }


def plan(kind: PoolKind, tokens: tuple[Token, ...], **settings: Any) -> PoolPlan:
    made: dict[str, Any] = {
        "address": POOL, "kind": kind, "protocol": Protocol.UNKNOWN, "tokens": tokens, "base": 0, "quote": 1,
        "symbol": "ETH/USD",
    }  # fmt: skip
    return PoolPlan(**(made | settings))


def v2_views(reserve0: int, reserve1: int, tokens: tuple[Token, Token] = (WETH, USDC)) -> Views:
    return {
        "getReserves()": ("uint112,uint112,uint32", (reserve0, reserve1, 1_700_000_000)),
        "token0()": ("address", tokens[0].address),
        "token1()": ("address", tokens[1].address),
    }


class Handler(BaseHTTPRequestHandler):
    """POST of one request or of a batch."""

    endpoint: "Endpoint"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.endpoint.logins.add(self.headers.get("Authorization", ""))
        status, text = self.endpoint.post(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Endpoint:
    """JSON-RPC before `Contracts`. Its attributes make it as bad as some endpoints are."""

    def __init__(self, chain: Contracts) -> None:
        self.chain = chain
        self.chain_id = 31337
        self.has_multicall = True
        self.knows_hashes = True
        self.knows_batches = True
        self.multicall_max = 10**6
        self.blocks: list[dict[str, str]] = [BLOCK]  # the newest at each question; the last stays
        self.instead: tuple[int, bytes] | None = None  # status and body of every answer
        self.requests: list[dict[str, Any]] = []
        self.logins: set[str] = set()
        self.url = ""

    def post(self, body: bytes) -> tuple[int, bytes]:
        if self.instead is not None:
            return self.instead
        asked = json.loads(body)
        if isinstance(asked, list) and not self.knows_batches:
            return 200, json.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "no"}}).encode()
        answered = [self.answer(each) for each in reversed(asked)] if isinstance(asked, list) else self.answer(asked)
        return 200, json.dumps(answered).encode()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        made = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return made | {"result": self._result(request["method"], request["params"])}
        except Reverted:
            return made | {"error": {"code": 3, "message": "execution reverted", "data": "0x"}}
        except ValueError as error:
            return made | {"error": {"code": -32602, "message": str(error)}}

    def _result(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_getBlockByNumber":
                return self.blocks.pop(0) if len(self.blocks) > 1 else self.blocks[0]
            case "eth_getCode":
                if params[0] == MULTICALL and not self.has_multicall:
                    return "0x"
                return "0x60" if self.chain.has_code(params[0]) else "0x"
            case "eth_call":
                return self._call(*params)
            case _:
                raise ValueError(f"no {method}")

    def _call(self, asked: dict[str, str], at: Any) -> str:
        if isinstance(at, dict):
            if not self.knows_hashes:
                raise ValueError("invalid block tag")
            assert at == {"blockHash": BLOCK["hash"], "requireCanonical": True}
        else:
            assert at == BLOCK["number"]
        data = bytes.fromhex(asked["data"][2:])
        is_many = asked["to"] == MULTICALL
        if is_many and len(decode(["(address,bool,bytes)[]"], data[4:])[0]) > self.multicall_max:
            raise Reverted
        answer = self.chain.call(asked["to"], data)
        if answer is None and self.chain.has_code(asked["to"]):
            raise Reverted
        return "0x" + (answer or b"").hex()


@contextmanager
def served(chain: Contracts) -> Iterator[Endpoint]:
    """The endpoint on a port of its own, over HTTP."""
    endpoint = Endpoint(chain)
    handler = type("Bound", (Handler,), {"endpoint": endpoint})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
