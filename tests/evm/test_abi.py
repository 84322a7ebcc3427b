"""The signatures in abi.py are the published ones."""

from collections.abc import Mapping
from typing import Any

import pytest
from web3 import Web3

from tests.evm import abi
from tests.evm.deploy import artifact, bytecode

NPM = "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
CORE = "@cryptoalgebra/integral-core/artifacts/contracts/"
PERIPHERY = "@cryptoalgebra/integral-periphery/artifacts/contracts/"
PUBLISHED: dict[type, str] = {
    abi.Erc20: "@uniswap/v2-periphery/build/ERC20.json",
    abi.V2Factory: "@uniswap/v2-core/build/UniswapV2Factory.json",
    abi.V2Pair: "@uniswap/v2-core/build/UniswapV2Pair.json",
    abi.V2Router: "@uniswap/v2-periphery/build/UniswapV2Router02.json",
    abi.V3Factory: "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    abi.V3Pool: "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    abi.Positions: NPM,
    abi.SwapRouter: "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json",
    abi.Quoter: "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json",
    abi.BalancerVault: "@balancer-labs/v2-deployments/dist/tasks/20210418-vault/artifact/Vault.json",
    abi.BalancerFactory: "@balancer-labs/v2-deployments/dist/tasks/20210418-weighted-pool/abi/WeightedPoolFactory.json",
    abi.AlgebraFactory: f"{CORE}AlgebraFactory.sol/AlgebraFactory.json",
    abi.AlgebraPool: f"{CORE}AlgebraPool.sol/AlgebraPool.json",
    abi.AlgebraPositions: f"{PERIPHERY}NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
    abi.AlgebraRouter: f"{PERIPHERY}SwapRouter.sol/SwapRouter.json",
}


def typed(parameter: Mapping[str, Any]) -> str:
    """A parameter's type, structs written out."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(typed(part) for part in parameter["components"]) + ")" + kind.removeprefix("tuple")


@pytest.mark.parametrize("contract", PUBLISHED, ids=lambda contract: contract.__name__)
def test_every_signature_is_the_published_one(contract: type) -> None:
    published_as = artifact(PUBLISHED[contract])
    entries = published_as if isinstance(published_as, list) else published_as["abi"]
    known = {f"{entry['name']}({','.join(map(typed, entry['inputs']))})": entry for entry in entries if "name" in entry}
    used = [value for value in vars(contract).values() if isinstance(value, abi.Method | abi.Log)]
    assert used
    for entry in used:
        published = known[entry.signature]
        if isinstance(entry, abi.Method):
            assert abi.split(entry.outputs) == tuple(map(typed, published["outputs"])), entry.signature
        else:
            flags = [parameter["indexed"] for parameter in published["inputs"]]
            assert flags == [parameter.endswith(" indexed") for parameter in entry.parameters], entry.signature


@pytest.mark.parametrize(
    ("path", "code_hash"),
    [
        (
            "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
            "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54",
        ),
        (
            "@uniswap/v2-core/build/UniswapV2Pair.json",
            "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f",
        ),
    ],
    ids=["V3", "V2"],
)
def test_the_pools_are_mainnets(path: str, code_hash: str) -> None:
    """The hash of the creation code is the one that every client derives pools' addresses from."""
    assert Web3.keccak(hexstr=bytecode(path)).hex() == code_hash
