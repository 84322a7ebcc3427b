"""The standard methods: `eth_…`, `net_…`, `web3_…`."""

from collections.abc import Sequence
from typing import Any, Final

from runtime.sim.evm import params as read
from runtime.sim.evm import shapes
from runtime.sim.evm.abi import ZERO, checksum, data_hex, quantity
from runtime.sim.evm.chain import Chain, gas_of
from runtime.sim.evm.faults import EvmFaults
from runtime.sim.evm.machine import CODE, Contract, Revert, Run, reason_text
from runtime.sim.evm.params import METHOD_NOT_FOUND, REVERTED, SERVER_ERROR, Asker, RpcError

CLIENT: Final = "venuegate-sim/1"
_CALL_ADDRESS: Final = "0x000000000000000000000000000000000000dead"

Params = Sequence[Any]


class EthMethods:
    """Each public method is the JSON-RPC method of that name. `mine` is called after a transaction came in."""

    def __init__(self, chain: Chain, faults: EvmFaults) -> None:
        self._chain, self._faults = chain, faults
        self._asker = Asker(chain, faults)

    def find(self, method: str) -> Any:
        """The Python method of a JSON-RPC method, or None."""
        return getattr(self, method, None) if method.startswith(("eth_", "net_", "web3_")) else None

    def eth_chainId(self, _params: Params) -> str:  # noqa: N802 - JSON-RPC's names, here and below
        return quantity(self._chain.chain_id)

    def net_version(self, _params: Params) -> str:
        return str(self._chain.chain_id)

    def net_listening(self, _params: Params) -> bool:
        return True

    def web3_clientVersion(self, _params: Params) -> str:  # noqa: N802
        return CLIENT

    def eth_syncing(self, _params: Params) -> bool:
        return False

    def eth_accounts(self, _params: Params) -> list[str]:
        return [checksum(owner) for owner in self._chain.accounts]

    def eth_blockNumber(self, _params: Params) -> str:  # noqa: N802
        return quantity(max(0, self._chain.head.number + self._faults.lie_height))

    def eth_getBlockByNumber(self, params: Params) -> dict[str, Any] | None:  # noqa: N802
        block = self._chain.at(self._asker.height(read.argument(params, 0)))
        full = bool(read.argument(params, 1, False))
        return shapes.full_block(block, self._chain.chain_id, with_transactions=full) if block else None

    def eth_getBlockByHash(self, params: Params) -> dict[str, Any] | None:  # noqa: N802
        block = self._chain.with_hash(read.blob(read.argument(params, 0), 32))
        full = bool(read.argument(params, 1, False))
        return shapes.full_block(block, self._chain.chain_id, with_transactions=full) if block else None

    def eth_gasPrice(self, _params: Params) -> str:  # noqa: N802
        return quantity(self._chain.base_fee + self._chain.tip)

    def eth_maxPriorityFeePerGas(self, _params: Params) -> str:  # noqa: N802
        return quantity(self._chain.tip)

    def eth_feeHistory(self, params: Params) -> dict[str, Any]:  # noqa: N802
        last = self._asker.block(read.argument(params, 1)).number
        count = min(max(read.whole(read.argument(params, 0)), 1), 1024, last - self._chain.blocks[0].number + 1)
        percentiles = read.argument(params, 2, None) or []
        history = {
            "oldestBlock": quantity(last - count + 1),
            "baseFeePerGas": [quantity(self._chain.base_fee)] * (count + 1),
            "gasUsedRatio": [0] * count,
        }
        return history | ({"reward": [[quantity(self._chain.tip)] * len(percentiles)] * count} if percentiles else {})

    def eth_getCode(self, params: Params) -> str:  # noqa: N802
        run = self._at(params, 1)
        found = run.state.get((read.address(read.argument(params, 0)), CODE))
        return data_hex(found.code) if isinstance(found, Contract) else "0x"

    def eth_getBalance(self, params: Params) -> str:  # noqa: N802
        run = self._at(params, 1)
        return quantity(run.state.get((read.address(read.argument(params, 0)), "wei"), 0))

    def eth_getTransactionCount(self, params: Params) -> str:  # noqa: N802
        owner = read.address(read.argument(params, 0))
        if read.argument(params, 1, "latest") == "pending":
            waiting = sum(sent.sender == owner for sent in self._chain.pending)
            return quantity(self._chain.state.get((owner, "nonce"), 0) + waiting)
        return quantity(self._at(params, 1).state.get((owner, "nonce"), 0))

    def eth_call(self, params: Params) -> str:
        asked = self._call(read.argument(params, 0))
        run = self._at(params, 1, lie=self._faults.lie_call)
        return data_hex(self._run(run, asked))

    def eth_estimateGas(self, params: Params) -> str:  # noqa: N802
        asked = self._call(read.argument(params, 0))
        run = self._at(params, 1)
        self._run(run, asked)
        return quantity(gas_of(asked[2], len(run.logs)))

    def eth_sendTransaction(self, params: Params) -> str:  # noqa: N802
        sent = read.argument(params, 0)
        sender, to, data = self._call(sent)
        if sender not in self._chain.accounts:
            raise RpcError(SERVER_ERROR, f"No Signer available: {sender} is not one of eth_accounts")
        if not isinstance(sent.get("to"), str):
            raise RpcError(
                SERVER_ERROR, "this chain runs no bytecode: contracts come with it, tokens by sim_createToken"
            )
        value = read.number(sent.get("value", "0x0"))
        if "gas" not in sent:  # as a node does: estimating shows a revert before anything is sent
            head = self._chain.head
            run = Run(dict(self._chain.state), head.number + 1, head.timestamp, self._chain.hash_at)
            self._run(run, (sender, to, data))
        gas = read.number(sent.get("gas", "0x0"))
        price = read.number(sent.get("gasPrice", sent.get("maxFeePerGas", "0x0")))
        return data_hex(self._chain.submit(sender, to, data, value=value, gas=gas, price=price).hash)

    def eth_getTransactionReceipt(self, params: Params) -> dict[str, Any] | None:  # noqa: N802
        found = self._chain.receipt(read.blob(read.argument(params, 0), 32))
        return shapes.receipt(*found) if found else None

    def eth_getTransactionByHash(self, params: Params) -> dict[str, Any] | None:  # noqa: N802
        found = self._chain.receipt(read.blob(read.argument(params, 0), 32))
        return shapes.transaction(*found, self._chain.chain_id) if found else None

    def eth_getLogs(self, params: Params) -> list[dict[str, Any]]:  # noqa: N802
        query = read.argument(params, 0)
        wanted = read.log_filter(query)
        return [log for block in self._asker.blocks(query) for log in wanted.of(block, lie=self._faults.lie_logs)]

    def _at(self, params: Params, place: int, lie: int = 0) -> Run:
        try:
            return self._chain.run_at(self._asker.block(read.argument(params, place, "latest")), lie)
        except LookupError as error:
            raise RpcError(SERVER_ERROR, str(error.args[0])) from None

    @staticmethod
    def _call(asked: Any) -> tuple[str, str, bytes]:
        """(from, to, data) of a call object."""
        if not isinstance(asked, dict):
            raise read.invalid("a call is an object")
        to = asked.get("to")
        data = read.blob(asked.get("input", asked.get("data")) or "0x")
        return read.address(asked.get("from", ZERO)), read.address(to) if to is not None else _CALL_ADDRESS, data

    @staticmethod
    def _run(run: Run, asked: tuple[str, str, bytes]) -> bytes:
        try:
            return run.call(*asked)
        except Revert as revert:
            raise RpcError(REVERTED, reason_text(revert.data), data_hex(revert.data)) from None


def unknown(method: str) -> RpcError:
    """What is said about a method nobody has."""
    return RpcError(METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")
