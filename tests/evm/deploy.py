"""Puts the published contracts on a node: Uniswap V2 and V3 and Multicall3 from npm, tokens of our own."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from web3 import Web3
from web3.types import RPCEndpoint

from tests.evm.abi import CODEC, V3Factory
from tests.evm.anvil import tools
from tests.support.data import ROOT

MULTICALL: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"  # its address on every chain
_GAS: Final = 30_000_000


@dataclass(frozen=True)
class Token:
    """One ERC-20."""

    address: str
    symbol: str
    decimals: int


@dataclass(frozen=True)
class Deployment:
    """Where the contracts are."""

    v2_factory: str
    v2_router: str
    v3_factory: str
    positions: str
    swap_router: str
    quoter: str
    multicall: str


def artifact(path: str) -> Any:
    """A JSON file of the packages."""
    return json.loads((tools() / path).read_text())


def bytecode(path: str) -> str:
    """The creation code in an artifact, of whichever tool made it."""
    code = artifact(path)
    found = code.get("bytecode") or code.get("creationCode")
    text = str(found["object"] if isinstance(found, dict) else found)
    return text if text.startswith("0x") else f"0x{text}"


def create(w3: Web3, code: str, types: tuple[str, ...] = (), *arguments: object) -> str:
    """Deploys creation code; the contract's address. Needs a node that mines at once."""
    data = code + CODEC.encode(types, arguments).hex()
    sent = w3.eth.send_transaction({"from": w3.eth.accounts[0], "data": data, "gas": _GAS})  # type: ignore[typeddict-item]
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=30, poll_latency=0.002)
    assert receipt["status"] == 1, f"creation failed: {receipt}"
    assert receipt["contractAddress"] is not None
    return str(receipt["contractAddress"])


def _v3(name: str, folder: str = "") -> str:
    return bytecode(f"@uniswap/v3-periphery/artifacts/contracts/{folder}{name}.sol/{name}.json")


def deploy(w3: Web3) -> Deployment:
    """All that pools and their clients need, from the published creation code."""
    weth = create(w3, bytecode("@uniswap/v2-periphery/build/WETH9.json"))
    v2_factory = create(w3, bytecode("@uniswap/v2-core/build/UniswapV2Factory.json"), ("address",), w3.eth.accounts[0])
    both = ("address", "address")
    v2_router = create(w3, bytecode("@uniswap/v2-periphery/build/UniswapV2Router02.json"), both, v2_factory, weth)
    core = "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
    v3_factory = create(w3, bytecode(core))
    enable = V3Factory.enable.encode(100, 1)  # the fourth tier came by a vote, mainnet's factory was made without it
    w3.eth.send_transaction({"from": w3.eth.accounts[0], "to": w3.to_checksum_address(v3_factory), "data": enable})
    place_multicall(w3)
    return Deployment(
        v2_factory=v2_factory,
        v2_router=v2_router,
        v3_factory=v3_factory,
        # its third argument draws a position's picture, which nobody asks for here
        positions=create(w3, _v3("NonfungiblePositionManager"), (*both, "address"), v3_factory, weth, weth),
        swap_router=create(w3, _v3("SwapRouter"), both, v3_factory, weth),
        quoter=create(w3, _v3("QuoterV2", "lens/"), both, v3_factory, weth),
        multicall=MULTICALL,
    )


def place_multicall(w3: Web3) -> None:
    """Multicall3 at its usual address: anvil has it not by itself."""
    source = (tools() / "viem/_cjs/constants/contracts.js").read_text()
    found = re.search(r"exports\.multicall3Bytecode = '(0x[0-9a-f]+)'", source)
    assert found is not None
    code = w3.eth.get_code(w3.to_checksum_address(create(w3, found[1])))
    w3.provider.make_request(RPCEndpoint("anvil_setCode"), [MULTICALL, code.to_0x_hex()])


def create_token(w3: Web3, symbol: str, decimals: int, *, fee_ppm: int = 0, old: bool = False) -> Token:
    """A token that anybody may mint. `fee_ppm`: kept of each transfer.

    `old`: name and symbol are bytes32, transfers return nothing.
    """
    code = _own("token_old" if old else "token")
    if old:
        padded = symbol.encode().ljust(32, b"\0")
        return Token(create(w3, code, ("bytes32", "uint256"), padded, decimals), symbol, decimals)
    return Token(create(w3, code, ("string", "uint8", "uint256"), symbol, decimals, fee_ppm), symbol, decimals)


def _own(name: str) -> str:
    code: str = json.loads((ROOT / f"fixtures/evm/{name}.json").read_text())["bytecode"]
    return code
