"""The node: JSON-RPC in, answers and notifications out, for any number of clients. Pure: time is handed in.

Two doors, as a validator has them: `post` is the HTTP port, which answers; `receive` the WebSocket port, which knows
subscriptions and nothing else. `tick` lets time pass; what is due for each connection `drain` hands over. Several nodes
may show one ledger, each with faults of its own; the first that is made moves it.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from runtime.sim.frames import Close, Frame
from runtime.sim.solana import params as read
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.control import Control
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.keys import ORCA, RAYDIUM, SYSTEM, named
from runtime.sim.solana.ledger import FINAL_LAG, Bank, Ledger, confirmed, finalized
from runtime.sim.solana.methods import Methods
from runtime.sim.solana.params import INVALID_PARAMS, INVALID_REQUEST, LIMITED, METHOD_NOT_FOUND, PARSE_ERROR, RpcError
from runtime.sim.solana.pubsub import AccountWatch, Connection, ProgramWatch, SlotWatch
from runtime.sim.solana.shapes import context

MILLI: Final = 10**6
SLOT_NS: Final = 400 * MILLI
BATCH_MAX: Final = 1_000
RETRY_S: Final = 1


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer: its status and its body; `retry_s` goes into Retry-After."""

    status: int
    body: str
    retry_s: int | None = None


class SolanaSim:
    """A node over a ledger. `interval_ns` 0: no slot comes by itself, `sim_slot` makes them."""

    def __init__(
        self, ledger: Ledger, *, faults: SolanaFaults | None = None, interval_ns: int = SLOT_NS, is_leading: bool = True
    ) -> None:
        self.ledger, self.faults = ledger, faults or SolanaFaults()
        self.interval_ns, self.is_leading = interval_ns, is_leading
        self.now_ns = 0
        self._next_ns: int | None = None
        self._seen: list[Bank] = []
        self._branch: list[list[Bank]] = []
        self._connections: list[Connection] = []
        self._ids = 0
        self._methods, self._control = Methods(self), Control(self)

    @property
    def banks(self) -> list[Bank]:
        """The banks that it knows, head last; never empty once time has begun."""
        return self._seen[: max(1, len(self._seen) - self.faults.behind)]

    @property
    def behind(self) -> int:
        """Slots that it lies behind the chain."""
        return max(0, self.ledger.head.slot - self.banks[-1].slot)

    @property
    def genesis(self) -> str:
        """The chain it says it is of."""
        return named("another chain") if self.faults.genesis else self.ledger.genesis

    def bank(self, commitment: str) -> Bank:
        """The bank of a commitment."""
        banks = self.banks
        if commitment == "processed":
            return banks[-1]
        return confirmed(banks) if commitment == "confirmed" else finalized(banks)

    def context(self, bank: Bank) -> dict[str, Any]:
        """Of which slot an answer from a bank says it is."""
        return context(bank.slot - self.faults.context_lag)

    def account(self, bank: Bank, key: str) -> Stored | None:
        """An account of a bank, as this node tells it."""
        account, faults = bank.account(key), self.faults
        if account is None or account.owner not in (RAYDIUM, ORCA):
            return account
        if faults.lie_price:
            account = self.ledger.lied(bank, key, faults.lie_price) or account
        data = account.data[: max(0, len(account.data) - faults.truncate_data)]
        owner = SYSTEM if faults.foreign_owner else account.owner
        return Stored(owner, data, account.lamports)

    def connect(self) -> Connection:
        """A new WebSocket client."""
        connection = Connection()
        self._connections.append(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forgets a client and its subscriptions."""
        self._connections.remove(connection)

    def post(self, text: str | bytes, now_ns: int) -> Reply:
        """The HTTP port's answer to a request or a batch; raises for nothing a client may send."""
        self._begin(now_ns)
        try:
            asked = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Reply(200, _dump(_error(None, RpcError(PARSE_ERROR, "Parse error"))))
        requests = asked if isinstance(asked, list) else [asked]
        if self.faults.error_answers > 0 and not all(self._is_control(each) for each in requests):
            self.faults.error_answers -= 1
            first = requests[0] if requests and isinstance(requests[0], dict) else {}
            error = RpcError(LIMITED, "Too many requests for a specific RPC call")
            return Reply(429, _dump(_error(first.get("id"), error)), RETRY_S)
        if not 0 < len(requests) <= BATCH_MAX:
            return Reply(200, _dump(_error(None, RpcError(INVALID_REQUEST, "Invalid request"))))
        answers = [answer for each in requests if (answer := self._answer(each, self._call)) is not None]
        if not answers:
            return Reply(200, "")
        return Reply(200, _dump(answers if isinstance(asked, list) else answers[0]))

    def receive(self, connection: Connection, text: str | bytes, now_ns: int) -> None:
        """Answers one frame of a WebSocket client; raises for nothing a client may send."""
        self._begin(now_ns)
        try:
            asked = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer: dict[str, Any] | None = _error(None, RpcError(PARSE_ERROR, "Parse error"))
        else:
            answer = self._answer(asked, lambda method, given: self._subscribe(connection, method, given))
        if answer is not None:
            connection.send(_dump(answer), self.now_ns, self.faults)

    def _answer(self, request: Any, call: Any) -> dict[str, Any] | None:
        """The answer to one request; None if it has no id."""
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _error(None, RpcError(INVALID_REQUEST, "Invalid request"))
        request_id = request.get("id")
        try:
            given = request.get("params") or []
            if not isinstance(given, list):
                raise RpcError(INVALID_PARAMS, "Invalid params: they come as a list")  # noqa: TRY301 - answered below
            result = call(request["method"], given)
        except RpcError as error:
            return _error(request_id, error)
        return {"jsonrpc": "2.0", "result": result, "id": request_id} if "id" in request else None

    def _is_control(self, request: Any) -> bool:
        return isinstance(request, dict) and str(request.get("method")).startswith("sim_")

    def _call(self, method: str, given: list[Any]) -> Any:
        found = self._control.find(method) or self._methods.find(method)
        if found is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        return found(given)

    def _subscribe(self, connection: Connection, method: str, given: list[Any]) -> Any:
        if method.endswith("Unsubscribe") and method.removesuffix("Unsubscribe") in ("account", "program", "slot"):
            number = read.argument(given, 0)
            if connection.watches.pop(number if isinstance(number, int) else -1, None) is None:
                raise RpcError(INVALID_PARAMS, "Invalid subscription id.")
            return True
        match method:
            case "accountSubscribe":
                key, asked = read.key(read.argument(given, 0)), read.config(given, 1)
                watch: Any = AccountWatch(key, asked, self.bank(asked.commitment))
            case "programSubscribe":
                program, asked = read.key(read.argument(given, 0)), read.config(given, 1)
                watch = ProgramWatch(program, asked, self.bank(asked.commitment))
            case "slotSubscribe":
                watch = SlotWatch()
            case _:
                raise RpcError(METHOD_NOT_FOUND, "Method not found")
        self._ids += 1
        connection.watches[self._ids] = watch
        return self._ids

    def tick(self, now_ns: int) -> list[tuple[Connection, list[Frame]]]:
        """Makes the slot that is due, if one is, and hands over every frame that is."""
        self._begin(now_ns)
        if self.interval_ns and self._next_ns is not None and now_ns >= self._next_ns:
            # a late timer makes one slot, not all it has missed
            self._next_ns = max(self._next_ns + self.interval_ns, now_ns - self.interval_ns)
            self.slot()
        return self.drain()

    def drain(self) -> list[tuple[Connection, list[Frame]]]:
        """Every frame that is due by now, by connection."""
        if self.faults.close:
            self.faults.close = False
            return [(connection, [Close(1001, "going away")]) for connection in self._connections]
        ready = []
        for connection in self._connections:
            due = connection.due(self.now_ns)
            if due and not self.faults.mute:
                ready.append((connection, due))
        return ready

    def slot(self) -> None:
        """One slot: of the chain, or of a branch that this node is on."""
        if self.faults.rollback and not self._branch:
            self._branch = self.ledger.fork(min(self.faults.rollback, FINAL_LAG), self.now_ns)
            self.faults.rollback = 0
        if self._branch:
            self._show(self._branch.pop(0))
            return
        if self.is_leading:
            self.ledger.advance(self.now_ns)
        self._show(self.ledger.banks)

    def _begin(self, now_ns: int) -> None:
        """The first bank comes with the first moment."""
        self.now_ns = max(self.now_ns, now_ns)
        if not self._seen:
            if not self.ledger.banks:
                self.ledger.advance(self.now_ns)
            self._seen = list(self.ledger.banks)
            self._next_ns = self.now_ns + self.interval_ns

    def _show(self, banks: Sequence[Bank]) -> None:
        if self.faults.stall_slots:
            return
        self._seen = list(banks)
        for connection in self._connections:
            for number, watch in connection.watches.items():
                watch.tell(self, connection, number)


def _error(request_id: Any, error: RpcError) -> dict[str, Any]:
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "error": told, "id": request_id}


def _dump(message: Any) -> str:
    return msgspec.json.encode(message).decode()
