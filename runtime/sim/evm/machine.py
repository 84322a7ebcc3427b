"""What stands in for the EVM: a state of immutable values, contracts that are Python methods behind selectors, reverts.

The state is one dict of (address, slot) → value. Values never change in place, so that a block keeps its state by a
shallow copy and a failed call is undone by dropping the copy it ran on.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from connectors.amm.curve import QuoteError
from runtime.sim.evm.abi import Event, Function, Log, data_hex, decode, encode, keccak

State = dict[tuple[str, Any], Any]

CODE: Final = "code"
ERROR_SELECTOR: Final = keccak(b"Error(string)")[:4]
PANIC: Final = keccak(b"Panic(uint256)")[:4] + (0x11).to_bytes(32, "big")


class Revert(Exception):  # noqa: N818 - the EVM's own word
    """A call was undone. `data` is what the contract gave as its reason, ABI-encoded."""

    def __init__(self, reason: str = "", data: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.data = data or (ERROR_SELECTOR + encode(("string",), (reason,)) if reason else b"")


class Run:
    """One transaction or eth_call under way: the state it may change, the logs it has made, where and when it runs.

    `lie` is added to the first amount of each view: a fault (`EvmFaults.lie_call`).
    """

    def __init__(
        self, state: State, number: int, timestamp: int, hash_of: Callable[[int], bytes] | None = None, lie: int = 0
    ) -> None:
        self.state, self.number, self.timestamp, self.lie = state, number, timestamp, lie
        self.hash_of = hash_of or (lambda _number: bytes(32))
        self.logs: list[Log] = []

    def contract(self, address: str) -> "Contract":
        """Whoever lives there. Raises Revert."""
        found = self.state.get((address, CODE))
        if found is None:
            raise Revert(data=b"")
        assert isinstance(found, Contract)  # noqa: S101 - nothing else is ever put under CODE
        return found

    def call(self, sender: str, to: str, data: bytes) -> bytes:
        """What the contract answers; an account without code answers nothing. Raises Revert."""
        found: Contract | None = self.state.get((to, CODE))
        return b"" if found is None else found.answer(self, sender, data)

    def attempt(self, sender: str, to: str, data: bytes) -> tuple[bool, bytes]:
        """A call that may fail: (True, answer), or (False, revert data) with nothing changed."""
        before, logs = dict(self.state), len(self.logs)
        try:
            return True, self.call(sender, to, data)
        except Revert as revert:
            self.state.clear()
            self.state.update(before)
            del self.logs[logs:]
            return False, revert.data

    def deploy(self, contract: "Contract") -> None:
        """Puts a contract at its address."""
        self.state[contract.address, CODE] = contract


class Contract:
    """A contract: a table of functions and the methods behind them.

    An object holds only what its constructor fixed for ever; everything else lies in the run's state. Each method takes
    the run and the sender first, then the arguments.
    """

    FUNCTIONS: ClassVar[dict[bytes, Function]] = {}

    def __init__(self, address: str) -> None:
        self.address = address.lower()

    @property
    def code(self) -> bytes:
        """No bytecode runs here; eth_getCode shows the contract's kind behind INVALID (0xfe)."""
        return b"\xfe" + type(self).__name__.encode()

    def answer(self, run: Run, sender: str, data: bytes) -> bytes:
        """Decodes, calls, encodes. Raises Revert; an unknown selector reverts without a reason, as without fallback."""
        function = self.FUNCTIONS.get(data[:4])
        if function is None:
            raise Revert
        try:
            arguments = decode(function.inputs, data[4:])
        except ValueError:
            raise Revert from None
        try:
            result = getattr(self, function.method)(run, sender, *arguments)
            values = () if not function.outputs else result if len(function.outputs) > 1 else (result,)
            return encode(function.outputs, _bent(function, values, run.lie) if run.lie else values)
        except (ArithmeticError, LookupError, ValueError, QuoteError):
            # an overflow, a division by zero, an index out of range: Solidity panics where Python raises
            raise Revert(data=PANIC) from None

    def load(self, run: Run, slot: Any, default: Any = 0) -> Any:
        """One of this contract's values."""
        return run.state.get((self.address, slot), default)

    def store(self, run: Run, slot: Any, value: Any) -> None:
        """Sets one of this contract's values."""
        run.state[self.address, slot] = value

    def emit(self, run: Run, event: Event, *values: Any) -> None:
        """Logs an event of this contract."""
        run.logs.append(event.log(self.address, *values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


_AMOUNTS: Final = ("uint112", "uint128", "uint160", "uint256")


def _bent(function: Function, values: Any, lie: int) -> Any:
    """The same answer with its first amount off by `lie`; bitmaps and ids are no amounts and stay."""
    if not function.outputs or function.outputs[0] not in _AMOUNTS or function.signature.startswith("tickBitmap"):
        return values
    return (max(0, values[0] + lie), *values[1:])


def require(condition: bool, reason: str) -> None:
    """Raises Revert with the reason unless the condition holds."""
    if not condition:
        raise Revert(reason)


def reason_text(data: bytes) -> str:
    """What a node says about revert data."""
    if data[:4] == ERROR_SELECTOR:
        try:
            return f"execution reverted: {decode(('string',), data[4:])[0]}"
        except ValueError:
            return "execution reverted"
    return f"execution reverted: custom error {data_hex(data)}" if data else "execution reverted"
