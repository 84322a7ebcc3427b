"""The public functions and logs that tests use, one signature a line, and calls of them by web3's codec.

`test_abi.py` compares every line with the published artifacts. Types in parentheses are a struct, passed as a tuple.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from hexbytes import HexBytes
from web3 import Web3
from web3.types import LogReceipt

CODEC: Final = Web3().codec


def split(types: str) -> tuple[str, ...]:
    """The types of a list; commas inside parentheses do not part them."""
    found, depth, start = [], 0, 0
    for at, char in enumerate(types + ","):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            found.append(types[start:at])
            start = at + 1
    return tuple(found) if types else ()


@dataclass(frozen=True)
class Method:
    """One function: `signature` as it is hashed, `outputs` as one list of types."""

    signature: str
    outputs: str = ""

    @cached_property
    def selector(self) -> bytes:
        return bytes(Web3.keccak(text=self.signature)[:4])

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return split(self.signature[self.signature.index("(") + 1 : -1])

    def encode(self, *arguments: object) -> HexBytes:
        return HexBytes(self.selector + CODEC.encode(self.inputs, arguments))

    def decode(self, data: bytes) -> tuple[Any, ...]:
        return tuple(CODEC.decode(split(self.outputs), data))


@dataclass(frozen=True)
class Log:
    """One event: `Sync(uint112,uint112)`; what stands in the topics says ` indexed`."""

    declaration: str

    @cached_property
    def signature(self) -> str:
        return self.declaration.replace(" indexed", "")

    @cached_property
    def topic(self) -> HexBytes:
        return Web3.keccak(text=self.signature)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        return split(self.declaration[self.declaration.index("(") + 1 : -1])

    def decode(self, log: LogReceipt) -> tuple[Any, ...]:
        """Its values, in the order of the declaration."""
        types = [parameter.removesuffix(" indexed") for parameter in self.parameters]
        is_topic = [parameter.endswith(" indexed") for parameter in self.parameters]
        topics = b"".join(bytes(topic) for topic in log["topics"][1:])
        in_topics = iter(CODEC.decode([kind for kind, topic in zip(types, is_topic, strict=True) if topic], topics))
        plain = [kind for kind, topic in zip(types, is_topic, strict=True) if not topic]
        in_data = iter(CODEC.decode(plain, bytes(log["data"])))
        return tuple(next(in_topics if topic else in_data) for topic in is_topic)

    def of(self, logs: Sequence[LogReceipt], address: str) -> list[tuple[Any, ...]]:
        """Those of one contract among the logs of a receipt."""
        return [self.decode(log) for log in logs if log["address"] == address and log["topics"][0] == self.topic]


class Erc20:
    """A token."""

    symbol = Method("symbol()", "string")
    decimals = Method("decimals()", "uint8")
    total_supply = Method("totalSupply()", "uint256")
    balance_of = Method("balanceOf(address)", "uint256")
    approve = Method("approve(address,uint256)", "bool")
    transfer = Method("transfer(address,uint256)", "bool")


class Multicall:
    """Multicall3."""

    aggregate3 = Method("aggregate3((address,bool,bytes)[])", "(bool,bytes)[]")
    block_hash = Method("getBlockHash(uint256)", "bytes32")
    block_number = Method("getBlockNumber()", "uint256")


class V2Factory:
    """UniswapV2Factory."""

    create_pair = Method("createPair(address,address)", "address")
    get_pair = Method("getPair(address,address)", "address")


class V2Pair:
    """UniswapV2Pair."""

    reserves = Method("getReserves()", "uint112,uint112,uint32")
    approve = Method("approve(address,uint256)", "bool")
    balance_of = Method("balanceOf(address)", "uint256")
    swapped = Log("Swap(address indexed,uint256,uint256,uint256,uint256,address indexed)")
    synced = Log("Sync(uint112,uint112)")


class V2Router:
    """UniswapV2Router02."""

    add = Method(
        "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)", "uint256,uint256,uint256"
    )
    remove = Method("removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)", "uint256,uint256")
    swap_in = Method("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", "uint256[]")
    swap_out = Method("swapTokensForExactTokens(uint256,uint256,address[],address,uint256)", "uint256[]")
    amounts_out = Method("getAmountsOut(uint256,address[])", "uint256[]")
    amounts_in = Method("getAmountsIn(uint256,address[])", "uint256[]")


class V3Factory:
    """UniswapV3Factory."""

    enable = Method("enableFeeAmount(uint24,int24)")
    create = Method("createPool(address,address,uint24)", "address")
    get_pool = Method("getPool(address,address,uint24)", "address")


class V3Pool:
    """UniswapV3Pool."""

    initialize = Method("initialize(uint160)")
    slot0 = Method("slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool")
    liquidity = Method("liquidity()", "uint128")
    fee = Method("fee()", "uint24")
    spacing = Method("tickSpacing()", "int24")
    token0 = Method("token0()", "address")
    token1 = Method("token1()", "address")
    bitmap = Method("tickBitmap(int16)", "uint256")
    ticks = Method("ticks(int24)", "uint128,int128,uint256,uint256,int56,uint160,uint32,bool")
    swapped = Log("Swap(address indexed,address indexed,int256,int256,uint160,uint128,int24)")
    burned = Log("Burn(address indexed,int24 indexed,int24 indexed,uint128,uint256,uint256)")


class Positions:
    """NonfungiblePositionManager."""

    mint = Method(
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
        "uint256,uint128,uint256,uint256",
    )
    decrease = Method("decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))", "uint256,uint256")
    collect = Method("collect((uint256,address,uint128,uint128))", "uint256,uint256")
    increased = Log("IncreaseLiquidity(uint256 indexed,uint128,uint256,uint256)")


class SwapRouter:
    """SwapRouter of V3, the first one, with deadlines."""

    swap_in = Method("exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))", "uint256")
    swap_out = Method("exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))", "uint256")
    hops = Method("exactInput((bytes,address,uint256,uint256,uint256))", "uint256")


class Quoter:
    """QuoterV2."""

    quote_in = Method(
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))", "uint256,uint160,uint32,uint256"
    )
    quote_out = Method(
        "quoteExactOutputSingle((address,address,uint256,uint24,uint160))", "uint256,uint160,uint32,uint256"
    )


class BalancerVault:
    """Balancer V2's Vault."""

    join = Method("joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))")
    swap = Method(
        "batchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool),int256[],uint256)",
        "int256[]",
    )
    registered = Log("PoolRegistered(bytes32 indexed,address indexed,uint8)")


class BalancerFactory:
    """Balancer V2's first WeightedPoolFactory."""

    create = Method("create(string,string,address[],uint256[],uint256,address)", "address")


class AlgebraFactory:
    """AlgebraFactory of Integral."""

    create = Method("createPool(address,address,bytes)", "address")
    pool = Method("poolByPair(address,address)", "address")


class AlgebraPool:
    """AlgebraPool of Integral."""

    initialize = Method("initialize(uint160)")
    state = Method("globalState()", "uint160,int24,uint16,uint8,uint16,bool")


class AlgebraPositions:
    """Integral's NonfungiblePositionManager."""

    mint = Method(
        "mint((address,address,address,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
        "uint256,uint128,uint256,uint256",
    )


class AlgebraRouter:
    """Integral's SwapRouter."""

    swap_in = Method("exactInputSingle((address,address,address,address,uint256,uint256,uint256,uint160))", "uint256")
