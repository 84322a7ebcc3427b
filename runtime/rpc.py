"""A door: JSON-RPC for commands that ask once and go. http(s) by urllib, ws(s) by websockets; nothing is retried.

What a running session asks goes through `net.py` and `connectors/venues/evm/endpoint.py` instead. Every failure is one
ConfigError that names the endpoint by its host alone: the rest of its address may be a key.
"""

import http.client
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final, Literal, Self, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec
import websockets
from websockets.sync.client import ClientConnection, connect

from connectors.errors import ConfigError, WireError
from connectors.onchain.jsonrpc import RpcError, why
from connectors.venues.evm.abi import (
    MULTICALL3,
    MULTICALL_MAX,
    WORD,
    Answers,
    Call,
    Reading,
    aggregated,
    from_hex,
    quantity,
    separated,
    words,
)
from connectors.venues.evm.rpc import is_revert
from runtime.net import LOOPBACK, reason_of
from runtime.texts import plain

TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 64 * 2**20
BATCH_MAX: Final = 50
STAGES_MAX: Final = 64  # a reading that never ends would ask for ever
_CHECK_URL: Final = "check the address, or name another endpoint"
_NO_HASHES: Final = frozenset({-32602, -32600, -32700})  # how an endpoint refuses EIP-1898's object

T = TypeVar("T")


class Block(msgspec.Struct, frozen=True):
    """One block: everything that is read together is read there."""

    number: int
    hash: str


class Rpc:
    """One endpoint, for one command. Use it with `with`. Every method may raise ConfigError."""

    def __init__(self, url: str, *, place: str = "--rpc", timeout_s: float = TIMEOUT_S) -> None:
        parts = _parts(url, place)
        self._is_socket = parts.scheme in ("ws", "wss")
        self._url, self._login = (url, {}) if self._is_socket else _without_login(parts)
        self.place = f"{place} {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._timeout_s = timeout_s
        self._is_near = parts.hostname in LOOPBACK
        self._open = ExitStack()  # the connection, once it is needed
        self._socket: ClientConnection | None = None
        self._last_id = 0
        self._by_hash = True
        self._has_multicall: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def call(self, method: str, *params: Any) -> Any:
        """One method's result."""
        result = self.answer(method, *params)
        if isinstance(result, RpcError):
            raise self.refused(f"{method}: it answers {result.message} ({result.code})", "ask another endpoint")
        return result

    def answer(self, method: str, *params: Any) -> Any:
        """The same, or the RpcError that the endpoint refuses with."""
        (result,) = self._ask([(method, list(params))])
        return result

    def number(self, method: str, *params: Any) -> int:
        """The same where the result is a hexadecimal number."""
        result = self.call(method, *params)
        try:
            return quantity(result)
        except WireError as error:
            raise self.refused(f"{method}: {error}") from None

    def newest(self) -> Block:
        """The newest block."""
        return self._block("latest")

    def has_code(self, address: str, block: Block) -> bool:
        """Whether there is a contract."""
        return bool(self._data("eth_getCode", self.call("eth_getCode", address, hex(block.number))))

    def drive(self, reading: Reading[T], block: Block) -> T:
        """Answers a reading's calls, stage by stage, all at this block, and returns what it read."""
        given: Answers | None = None
        for _ in range(STAGES_MAX):
            try:
                calls = next(reading) if given is None else reading.send(given)
            except StopIteration as stop:
                self._check_still(block)
                result: T = stop.value
                return result
            given = self._answers(calls, block)
        raise self.refused(f"the reading asked more than {STAGES_MAX} times", "report this")

    def _check_still(self, block: Block) -> None:
        """Where calls could not be pinned to the hash, the block of that number must be the same afterwards."""
        if not self._by_hash and self._block(hex(block.number)).hash != block.hash:
            raise self.refused(f"block {block.number} was replaced by another while it was read", "ask again")

    def _block(self, tag: str) -> Block:
        found = self.call("eth_getBlockByNumber", tag, False)
        try:
            return Block(quantity(found["number"]), "0x" + words(from_hex(found["hash"]), 1)[0].to_bytes(WORD).hex())
        except (WireError, TypeError, KeyError) as error:
            raise self.refused(f"eth_getBlockByNumber: no block that can be read ({error})") from None

    def _answers(self, calls: Sequence[Call], block: Block) -> Answers:
        if not calls:
            return []
        if self._has_multicall is None:
            self._has_multicall = self.has_code(MULTICALL3, block)
        if not self._has_multicall:
            return self._singly(calls, block)
        answers: Answers = []
        for at in range(0, len(calls), MULTICALL_MAX):
            answers += self._together(calls[at : at + MULTICALL_MAX], block)
        return answers

    def _together(self, calls: Sequence[Call], block: Block) -> Answers:
        """Through Multicall3; in halves where that is more than the endpoint allows a call.

        What fails among others is asked again by itself: one before it may have burnt the gas of all.
        """
        if len(calls) == 1:
            return self._singly(calls, block)
        (answer,) = self._singly([aggregated(calls)], block)
        if answer is None:
            half = len(calls) // 2
            return self._together(calls[:half], block) + self._together(calls[half:], block)
        try:
            answers = separated(answer, len(calls))
        except WireError as error:
            raise self.refused(str(error)) from None
        failed = [at for at, found in enumerate(answers) if found is None]
        for at, again in zip(failed, self._singly([calls[at] for at in failed], block), strict=True):
            answers[at] = again
        return answers

    def _singly(self, calls: Sequence[Call], block: Block) -> Answers:
        """One eth_call each, many in a request. None: it reverted, or answered nothing."""
        answers: Answers = []
        for at in range(0, len(calls), BATCH_MAX):
            batch = calls[at : at + BATCH_MAX]
            results = self._ask([self._request(call, block) for call in batch])
            if self._by_hash and any(isinstance(result, RpcError) and result.code in _NO_HASHES for result in results):
                self._by_hash = False  # the number instead, and the hash is compared in the end
                results = self._ask([self._request(call, block) for call in batch])
            answers += [self._answer(result) for result in results]
        return answers

    def _request(self, call: Call, block: Block) -> tuple[str, list[Any]]:
        at = {"blockHash": block.hash, "requireCanonical": True} if self._by_hash else hex(block.number)
        return "eth_call", [{"to": call.to, "data": "0x" + call.data.hex()}, at]

    def _answer(self, result: Any) -> bytes | None:
        if not isinstance(result, RpcError):
            return self._data("eth_call", result) or None
        if is_revert(why(result)):
            return None
        raise self.refused(f"eth_call: it answers {result.message} ({result.code})", "ask another endpoint")

    def _data(self, method: str, result: Any) -> bytes:
        try:
            return from_hex(result)
        except WireError as error:
            raise self.refused(f"{method}: {error}") from None

    def _ask(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Results or faults, in order."""
        requests: list[dict[str, Any]] = []
        for method, params in asked:
            self._last_id += 1
            requests.append({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        found = self._by_socket(requests) if self._is_socket else self._by_post(requests)
        return [self._result(found, request["id"]) for request in requests]

    def _by_post(self, requests: Sequence[dict[str, Any]]) -> dict[Any, Any]:
        if len(requests) == 1:
            return _by_id(self._post(requests[0]))
        found = _by_id(self._post(requests))
        if not any(request["id"] in found for request in requests):  # it knows no batches
            found = {}
            for request in requests:
                found |= _by_id(self._post(request))
        return found

    def _post(self, body: Any) -> Any:
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if self._is_near else []))
        headers = {"Content-Type": "application/json", "User-Agent": "venuegate"} | self._login
        request = urllib.request.Request(self._url, msgspec.json.encode(body), headers)  # noqa: S310 - http(s), checked
        try:
            with opener.open(request, timeout=self._timeout_s) as response:
                status, text = response.status, response.read(ANSWER_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:  # some put JSON-RPC's errors into an HTTP error's body
            with error:
                status, text = error.code, error.read(ANSWER_BYTES_MAX)
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise self.refused(f"cannot be reached: {_reason(error)}") from None
        if len(text) > ANSWER_BYTES_MAX:
            raise self.refused(f"answers more than {ANSWER_BYTES_MAX} bytes")
        return self._json(text, f"HTTP status {status}, ")

    def _by_socket(self, requests: Sequence[dict[str, Any]]) -> dict[Any, Any]:
        wanted = {request["id"] for request in requests}
        found: dict[Any, Any] = {}
        until = time.monotonic() + self._timeout_s
        try:
            if self._socket is None:
                proxy: Literal[True] | None = None if self._is_near else True
                dialled = connect(
                    self._url, open_timeout=self._timeout_s, close_timeout=1, max_size=ANSWER_BYTES_MAX, proxy=proxy
                )
                self._socket = self._open.enter_context(dialled)
            for request in requests:
                self._socket.send(msgspec.json.encode(request).decode())
            while wanted - found.keys() and None not in found:
                found |= _by_id(self._json(self._socket.recv(max(until - time.monotonic(), 0)), ""))
        except (websockets.WebSocketException, OSError, ValueError) as error:
            raise self.refused(f"cannot be reached: {_reason(error)}") from None
        return found

    def _json(self, text: bytes | str, status: str) -> Any:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self.refused(f"does not speak JSON-RPC: {status}its answer is {text[:60]!r}") from None

    def _result(self, found: dict[Any, Any], request_id: int) -> Any:
        """An error without an id is everybody's: the endpoint could not read the request."""
        answer = found.get(request_id, found.get(None))
        if answer is None:
            raise self.refused("did not answer a request that it was sent")
        error = answer.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            return RpcError(code if isinstance(code, int) else 0, plain(str(error.get("message", ""))[:300]))
        if error is not None or "result" not in answer:
            raise self.refused(f"does not speak JSON-RPC: its answer is {str(answer)[:60]}")
        return answer["result"]

    def refused(self, problem: str, mend: str = _CHECK_URL) -> ConfigError:
        """An error at this endpoint."""
        return ConfigError(problem, place=self.place, mend=mend)


def _without_login(parts: SplitResult) -> tuple[str, dict[str, str]]:
    """The address, and NAME:PASSWORD@ of it as the header that urllib does not make of it."""
    login, _, host = parts.netloc.rpartition("@")
    made = {"Authorization": f"Basic {b64encode(unquote(login).encode()).decode()}"} if login else {}
    return urlunsplit(parts._replace(netloc=host)), made


def _parts(url: str, place: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or not url.isprintable() or set(url) & set(" #"):
        raise ConfigError("is no address of an endpoint", place=place, mend="like http://127.0.0.1:8545 or wss://…")
    return parts


def _by_id(answer: Any) -> dict[Any, Any]:
    answers = answer if isinstance(answer, list) else [answer]
    return {
        each.get("id"): each
        for each in answers
        if isinstance(each, dict) and isinstance(each.get("id"), int | str | None) and "method" not in each
    }


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError):
        return _reason(error.reason if isinstance(error.reason, Exception) else OSError(error.reason))
    return (isinstance(error, OSError) and error.strerror) or reason_of(error)
