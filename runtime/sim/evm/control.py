"""What only development nodes offer, and our own: blocks, snapshots and reorgs on demand, tokens, faults."""

from typing import TYPE_CHECKING, Any, Final

from runtime.sim.evm import params as read
from runtime.sim.evm.abi import checksum, keccak, quantity
from runtime.sim.evm.chain import Block, endow
from runtime.sim.evm.machine import CODE
from runtime.sim.evm.params import SERVER_ERROR, RpcError
from runtime.sim.evm.tokens import OldToken, OpenToken

if TYPE_CHECKING:
    from runtime.sim.evm.node import EvmSim

_NS: Final = 10**9
_MINE_MAX: Final = 1_000
_PURSE: Final = 10**12
"""Whole tokens that each unlocked account gets of a token made by `sim_createToken`."""


class Control:
    """Each public method is the JSON-RPC method of that name."""

    def __init__(self, sim: "EvmSim") -> None:
        self._sim = sim
        self._tokens = 0

    def find(self, method: str) -> Any:
        """The Python method of a JSON-RPC method, or None."""
        return getattr(self, method, None) if method.startswith(("evm_", "anvil_", "hardhat_", "sim_")) else None

    def evm_mine(self, params: list[Any]) -> str:
        """[timestamp] or [{"blocks": n}] or nothing."""
        given = read.argument(params, 0, None)
        count, timestamp = 1, None
        if isinstance(given, dict):
            count = read.whole(given.get("blocks", 1))
        elif given is not None:
            timestamp = read.whole(given)
        return self._mine(count, timestamp)

    def anvil_mine(self, params: list[Any]) -> None:
        """[count]."""
        self._mine(read.whole(read.argument(params, 0, 1)), None)

    hardhat_mine = anvil_mine

    def _mine(self, count: int, timestamp: int | None) -> str:
        if count > _MINE_MAX:
            raise read.invalid(f"{count} blocks at once, {_MINE_MAX} at most")
        for _ in range(count):
            self._sim.mine(timestamp)
        return "0x0"

    def evm_snapshot(self, _params: list[Any]) -> str:
        return quantity(self._sim.chain.snapshot())

    def evm_revert(self, params: list[Any]) -> bool:
        """Nobody is told, as on other development nodes: the next block is what a subscriber sees."""
        return self._sim.chain.revert(read.whole(read.argument(params, 0)))

    def evm_setAutomine(self, params: list[Any]) -> bool:  # noqa: N802 - JSON-RPC's names, here and below
        given = read.argument(params, 0)
        if not isinstance(given, bool):
            raise read.invalid("true or false")
        self._sim.automine = given
        return True

    def evm_setIntervalMining(self, params: list[Any]) -> bool:  # noqa: N802
        """Seconds; 0 ends it."""
        self._sim.every(read.whole(read.argument(params, 0)) * _NS)
        return True

    def anvil_reorg(self, params: list[Any]) -> None:
        """[depth, [[transaction, place], …]]: that many blocks are made anew, with these transactions only."""
        depth, given = read.whole(read.argument(params, 0)), read.argument(params, 1, [])
        pairs = [(read.whole(place), sent) for sent, place in self._pairs(given)]
        chain = self._sim.chain
        try:
            dropped = chain.drop(depth)
        except LookupError as error:
            raise RpcError(SERVER_ERROR, str(error.args[0])) from None
        chain.pending = []
        made: list[Block] = []
        for place, old in enumerate(dropped):
            for _, sent in (pair for pair in pairs if pair[0] == place):
                data = read.blob(sent.get("input", sent.get("data")) or "0x")
                chain.submit(read.address(sent.get("from")), read.address(sent.get("to")), data)
            made.append(chain.mine(old.timestamp))
        self._sim.announce(dropped, made)

    @staticmethod
    def _pairs(given: Any) -> list[tuple[dict[str, Any], Any]]:
        if not isinstance(given, list):
            raise read.invalid("transactions come as a list of [transaction, place]")
        for pair in given:
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], dict):
                raise read.invalid(
                    "transactions come as a list of [transaction, place]; signed ones are not known here"
                )
        return [(pair[0], pair[1]) for pair in given]

    def sim_createToken(self, params: list[Any]) -> str:  # noqa: N802
        """[symbol, decimals, fee_ppm = 0, old = false]: a token that anybody may mint.

        `fee_ppm` of each transfer is lost on the way; `old`: symbol and name are bytes32, transfers return nothing.
        """
        symbol, decimals = read.argument(params, 0), read.whole(read.argument(params, 1))
        fee_ppm, old = read.whole(read.argument(params, 2, 0)), bool(read.argument(params, 3, False))
        if not isinstance(symbol, str) or decimals > 255 or fee_ppm >= 10**6:
            raise read.invalid("a symbol, decimals up to 255 and a fee below 1,000,000 ppm")
        self._tokens += 1
        place = keccak(f"token {self._sim.chain.seed}/{self._tokens}".encode())[-20:]
        token = (OldToken if old else OpenToken)("0x" + place.hex(), symbol, decimals, fee_ppm)
        chain = self._sim.chain
        chain.state[token.address, CODE] = token
        endow(chain.state, token, chain.accounts, _PURSE * 10**decimals)
        chain.settle()
        return checksum(token.address)

    def sim_contracts(self, _params: list[Any]) -> dict[str, str]:
        """Where the contracts that every chain here has are, by name."""
        return {name: checksum(place) for name, place in self._sim.contracts.items()}

    def sim_fault(self, params: list[Any]) -> bool:
        """[name, value]."""
        try:
            self._sim.faults.switch(str(read.argument(params, 0)), read.argument(params, 1))
        except ValueError as error:
            raise read.invalid(str(error)) from None
        return True
