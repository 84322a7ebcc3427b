"""ERC-20 tokens, Multicall3 and the contracts that tell what gas costs on Arbitrum and on the OP stack.

A token's balances are real and finite here: whoever swaps needs tokens and allowances, as on any chain.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from runtime.sim.evm.abi import MAX_UINT, ZERO, Event, Function, functions
from runtime.sim.evm.machine import Contract, Revert, Run, require

TRANSFER: Final = Event("Transfer(address indexed,address indexed,uint256)")
APPROVAL: Final = Event("Approval(address indexed,address indexed,uint256)")

MULTICALL3: Final = "0xca11bde05977b3631167028862be2a173976ca11"
ARB_SYS: Final = "0x0000000000000000000000000000000000000064"
ARB_GAS_INFO: Final = "0x000000000000000000000000000000000000006c"
_L1_START, _L1_BLOCK = 20_000_000, 48  # so many of Arbitrum's blocks to one of Ethereum's
OP_GAS_ORACLE: Final = "0x420000000000000000000000000000000000000f"


class Erc20(Contract):
    """An ordinary token: what is sent is what arrives."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("name()", "string", "name_of"),
        ("symbol()", "string", "symbol_of"),
        ("decimals()", "uint8", "decimals_of"),
        ("totalSupply()", "uint256", "total_supply"),
        ("balanceOf(address)", "uint256", "balance_of"),
        ("allowance(address,address)", "uint256", "allowance"),
        ("approve(address,uint256)", "bool", "approve"),
        ("transfer(address,uint256)", "bool", "transfer"),
        ("transferFrom(address,address,uint256)", "bool", "transfer_from"),
    )

    def __init__(self, address: str, symbol: str, decimals: int, name: str = "") -> None:
        super().__init__(address)
        self.symbol, self.decimals, self.name = symbol, decimals, name or symbol

    def name_of(self, _run: Run, _sender: str) -> str:
        return self.name

    def symbol_of(self, _run: Run, _sender: str) -> str:
        return self.symbol

    def decimals_of(self, _run: Run, _sender: str) -> int:
        return self.decimals

    def total_supply(self, run: Run, _sender: str) -> int:
        return int(self.load(run, "supply"))

    def balance_of(self, run: Run, _sender: str, owner: str) -> int:
        return int(self.load(run, ("balance", owner)))

    def allowance(self, run: Run, _sender: str, owner: str, spender: str) -> int:
        return int(self.load(run, ("allowance", owner, spender)))

    def approve(self, run: Run, sender: str, spender: str, amount: int) -> bool:
        self.store(run, ("allowance", sender, spender), amount)
        self.emit(run, APPROVAL, sender, spender, amount)
        return True

    def transfer(self, run: Run, sender: str, to: str, amount: int) -> bool:
        self.move(run, sender, to, amount)
        return True

    def transfer_from(self, run: Run, sender: str, owner: str, to: str, amount: int) -> bool:
        allowed = self.allowance(run, sender, owner, sender)
        require(allowed >= amount, "ERC20: transfer amount exceeds allowance")
        if allowed != MAX_UINT:
            self.store(run, ("allowance", owner, sender), allowed - amount)
        self.move(run, owner, to, amount)
        return True

    def move(self, run: Run, owner: str, to: str, amount: int) -> None:
        """Moves tokens and says so. Raises Revert."""
        held = self.balance_of(run, owner, owner)
        require(held >= amount, "ERC20: transfer amount exceeds balance")
        self.store(run, ("balance", owner), held - amount)
        self.store(run, ("balance", to), self.balance_of(run, to, to) + amount)
        self.emit(run, TRANSFER, owner, to, amount)

    def mint_to(self, run: Run, to: str, amount: int) -> None:
        """New tokens for somebody."""
        supply = self.load(run, "supply") + amount
        require(supply <= MAX_UINT, "ERC20: supply overflow")
        self.store(run, "supply", supply)
        self.store(run, ("balance", to), self.balance_of(run, to, to) + amount)
        self.emit(run, TRANSFER, ZERO, to, amount)

    def burn_from(self, run: Run, owner: str, amount: int) -> None:
        """Destroys tokens. Raises Revert."""
        held = self.balance_of(run, owner, owner)
        require(held >= amount, "ERC20: burn amount exceeds balance")
        self.store(run, ("balance", owner), held - amount)
        self.store(run, "supply", self.load(run, "supply") - amount)
        self.emit(run, TRANSFER, owner, ZERO, amount)


class OpenToken(Erc20):
    """A token for tests: anybody may mint it, and it may keep a part of each transfer."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = Erc20.FUNCTIONS | functions(("mint(address,uint256)", "", "mint"))

    def __init__(self, address: str, symbol: str, decimals: int, fee_ppm: int = 0) -> None:
        super().__init__(address, symbol, decimals)
        self._fee_ppm = fee_ppm

    def mint(self, run: Run, _sender: str, to: str, amount: int) -> None:
        self.mint_to(run, to, amount)

    def move(self, run: Run, owner: str, to: str, amount: int) -> None:
        kept = amount * self._fee_ppm // 10**6
        super().move(run, owner, to, amount - kept)
        if kept:
            self.burn_from(run, owner, kept)


class OldToken(OpenToken):
    """A token as they were before the standard settled: texts are bytes32, and transfers return nothing."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = OpenToken.FUNCTIONS | functions(
        ("name()", "bytes32", "padded_symbol"),
        ("symbol()", "bytes32", "padded_symbol"),
        ("approve(address,uint256)", "", "approve"),
        ("transfer(address,uint256)", "", "transfer"),
        ("transferFrom(address,address,uint256)", "", "transfer_from"),
    )

    def padded_symbol(self, _run: Run, _sender: str) -> bytes:
        return self.symbol.encode()[:32].ljust(32, b"\0")


def token_at(run: Run, address: str) -> Erc20:
    """The token that lives there. Raises Revert."""
    found = run.contract(address)
    if not isinstance(found, Erc20):
        raise Revert
    return found


def pull(run: Run, spender: str, token: str, owner: str, to: str, amount: int) -> None:
    """`transferFrom` as a contract makes it: periphery contracts report its failure as STF."""
    try:
        token_at(run, token).transfer_from(run, spender, owner, to, amount)
    except Revert:
        raise Revert("STF") from None


class Multicall3(Contract):
    """Many calls in one (github.com/mds1/multicall3), at the address it has on every chain.

    `counts_l1`: what contracts call the block's number is the chain's below, as on Arbitrum (docs.arbitrum.io, block
    numbers and time): far from eth_blockNumber's, and the same for many blocks.
    """

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("aggregate((address,bytes)[])", "uint256,bytes[]", "aggregate"),
        ("aggregate3((address,bool,bytes)[])", "(bool,bytes)[]", "aggregate3"),
        ("tryAggregate(bool,(address,bytes)[])", "(bool,bytes)[]", "try_aggregate"),
        ("getBlockNumber()", "uint256", "block_number"),
        ("getBlockHash(uint256)", "bytes32", "block_hash"),
        ("getCurrentBlockTimestamp()", "uint256", "timestamp"),
        ("getEthBalance(address)", "uint256", "eth_balance"),
    )

    def __init__(self, address: str, *, counts_l1: bool = False) -> None:
        super().__init__(address)
        self._counts_l1 = counts_l1

    def aggregate(self, run: Run, sender: str, calls: Sequence[tuple[str, bytes]]) -> tuple[int, list[bytes]]:
        return self.block_number(run, sender), [self._one(run, to, data, may_fail=False)[1] for to, data in calls]

    def aggregate3(self, run: Run, _sender: str, calls: Sequence[tuple[str, bool, bytes]]) -> list[tuple[bool, bytes]]:
        return [self._one(run, to, data, may_fail=may_fail) for to, may_fail, data in calls]

    def try_aggregate(
        self, run: Run, _sender: str, all_must: bool, calls: Sequence[tuple[str, bytes]]
    ) -> list[tuple[bool, bytes]]:  # fmt: skip
        return [self._one(run, to, data, may_fail=not all_must) for to, data in calls]

    def _one(self, run: Run, to: str, data: bytes, *, may_fail: bool) -> tuple[bool, bytes]:
        done, answer = run.attempt(self.address, to, data)
        require(done or may_fail, "Multicall3: call failed")
        return done, answer

    def block_number(self, run: Run, _sender: str) -> int:
        return _L1_START + run.number // _L1_BLOCK if self._counts_l1 else run.number

    def block_hash(self, run: Run, _sender: str, number: int) -> bytes:
        return run.hash_of(number) if run.number - 256 <= number < run.number else bytes(32)

    def timestamp(self, run: Run, _sender: str) -> int:
        return run.timestamp

    def eth_balance(self, run: Run, _sender: str, owner: str) -> int:
        return int(run.state.get((owner, "wei"), 0))


class ArbSys(Contract):
    """Arbitrum's own block number (docs.arbitrum.io: block numbers and time)."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(("arbBlockNumber()", "uint256", "number"))

    def number(self, run: Run, _sender: str) -> int:
        return run.number


class ArbGasInfo(Contract):
    """What gas costs on Arbitrum: L2 gas at its floor, calldata at `l1_base_fee` × 16 a byte."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getPricesInWei()", "uint256,uint256,uint256,uint256,uint256,uint256", "prices"),
        ("getL1BaseFeeEstimate()", "uint256", "l1_base"),
        ("getMinimumGasPrice()", "uint256", "minimum"),
    )

    def __init__(self, base_fee: int, l1_base_fee: int) -> None:
        super().__init__(ARB_GAS_INFO)
        self._base_fee, self._l1_base_fee = base_fee, l1_base_fee

    def prices(self, _run: Run, _sender: str) -> tuple[int, ...]:
        a_byte = 16 * self._l1_base_fee
        return 140 * a_byte, a_byte, 20_000 * self._base_fee, self._base_fee, 0, self._base_fee

    def l1_base(self, _run: Run, _sender: str) -> int:
        return self._l1_base_fee

    def minimum(self, _run: Run, _sender: str) -> int:
        return self._base_fee


class OpGasPriceOracle(Contract):
    """The L1 part of a fee on the OP stack: 16 gas a byte at `l1_base_fee`, scaled by a constant instead of FastLZ."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getL1Fee(bytes)", "uint256", "l1_fee"),
        ("getL1FeeUpperBound(uint256)", "uint256", "l1_fee_bound"),
        ("l1BaseFee()", "uint256", "l1_base"),
        ("gasPrice()", "uint256", "gas_price"),
        ("baseFee()", "uint256", "gas_price"),
    )

    def __init__(self, base_fee: int, l1_base_fee: int) -> None:
        super().__init__(OP_GAS_ORACLE)
        self._base_fee, self._l1_base_fee = base_fee, l1_base_fee

    def l1_fee(self, run: Run, sender: str, data: bytes) -> int:
        return self.l1_fee_bound(run, sender, len(data))

    def l1_fee_bound(self, _run: Run, _sender: str, size: int) -> int:
        return 16 * (size + 68) * self._l1_base_fee // 100

    def l1_base(self, _run: Run, _sender: str) -> int:
        return self._l1_base_fee

    def gas_price(self, _run: Run, _sender: str) -> int:
        return self._base_fee
