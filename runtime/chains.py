"""The shipped data of each chain, `runtime/chains/*.toml`, and the addresses that a factory gives its pools.

The files are read when they are asked for. They name the source of every address; tests derive each pool's address
again from its factory and tokens wherever a factory works that way, so that a pool cannot be another than it says.
`chain_plan.py` makes a session's plan of them and of the user's settings.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import msgspec

from connectors.base58 import key_bytes
from connectors.chain import GasModel, PoolKind, PoolPlan, Token
from connectors.errors import ConfigError
from connectors.pool import DexVenue, Protocol
from connectors.venues.evm.abi import checksummed, keccak

NAMES: Final = {
    DexVenue.DEX_ETH: "ethereum",
    DexVenue.DEX_ARB: "arbitrum",
    DexVenue.DEX_BASE: "base",
    DexVenue.DEX_OP: "optimism",
    DexVenue.DEX_POLY: "polygon",
    DexVenue.DEX_SOL: "solana",
}
# what one swap through the pool alone takes, rounded up; a measured figure of one's own is better: `gas_units`. Of
# Solana compute units: logs of recorded transactions in public code say 64,464 … 151,833 ("Program CAMMCz… consumed")
# and 47,125 … 108,113 ("Program whirLb… consumed")
GAS_UNITS: Final = {
    PoolKind.UNISWAP_V2: 120_000,
    PoolKind.UNISWAP_V3: 150_000,
    PoolKind.CURVE_STABLE: 150_000,
    PoolKind.CURVE_STABLE_NG: 180_000,
    PoolKind.CURVE_CRYPTO: 350_000,
    PoolKind.CURVE_META: 400_000,
    PoolKind.BALANCER_V2: 200_000,
    PoolKind.ALGEBRA: 180_000,
    PoolKind.SOLIDLY: 180_000,
    PoolKind.RAYDIUM_CLMM: 120_000,
    PoolKind.ORCA_WHIRLPOOL: 80_000,
}
_CLONE: Final = ("3d602d80600a3d3981f3363d3d373d3d3d363d73", "5af43d82803e903d91602b57fd5bf3")  # EIP-1167, creation


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes pools of one kind on a chain. `fees_ppm`: those it offers, or the one of all its pools; empty: its own.

    `quoter`: the contract that quotes its pools. Its pools' addresses follow from `deployer` (by default itself) and
    `init_code_hash`, or for clones from `implementation`; without both they cannot be derived.
    """

    name: str
    kind: PoolKind
    protocol: Protocol
    address: str
    quoter: str = ""
    fees_ppm: tuple[int, ...] = ()
    deployer: str = ""
    init_code_hash: str = ""
    implementation: str = ""

    def pool_address(self, one: Token, other: Token, fee_ppm: int = 0, *, stable: bool = False) -> str:
        """Where its pool of these two tokens is, if it was ever made; empty: that cannot be derived here.

        `fee_ppm` matters to Uniswap V3's kind alone, `stable` to Solidly's.
        """
        if not self.init_code_hash and not self.implementation:
            return ""
        first, second = in_order(one, other)
        low, high = bytes.fromhex(first.address[2:]), bytes.fromhex(second.address[2:])
        if self.kind is PoolKind.UNISWAP_V3:
            salt = bytes(12) + low + bytes(12) + high + fee_ppm.to_bytes(32, "big")
        elif self.kind is PoolKind.ALGEBRA:
            salt = bytes(12) + low + bytes(12) + high
        else:
            salt = low + high + (bytes([stable]) if self.implementation else b"")
        before, behind = _CLONE
        code_hash = (
            keccak(bytes.fromhex(f"{before}{self.implementation[2:]}{behind}"))
            if self.implementation
            else bytes.fromhex(self.init_code_hash[2:])
        )
        maker = bytes.fromhex((self.deployer or self.address)[2:])
        return checksummed("0x" + keccak(b"\xff" + maker + keccak(salt) + code_hash)[12:].hex())


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One chain as shipped. `counts_as`: what a token counts as in symbols, at par; `native_pool`: the pool in `pools`
    by which the native coin is priced; `wrapped_native`: its token's name."""

    name: str
    venue: str
    venue_id: DexVenue
    chain_id: int
    block_time_ns: int
    stale_after_ns: int
    gas: GasModel
    native: str
    native_pool: str
    multicall: str
    wrapped_native: str
    tokens: Mapping[str, Token]
    counts_as: Mapping[str, str]
    factories: tuple[Factory, ...]
    pools: tuple[PoolPlan, ...]
    genesis: str = ""

    @property
    def quoters(self) -> dict[str, str]:
        """The quoting contract of each factory that has one, by the factory's name."""
        return {factory.name: factory.quoter for factory in self.factories if factory.quoter}

    def token(self, name_or_address: str) -> Token | None:
        """A shipped token, by its name or its address: in whatever capitals, but on Solana, where they are digits."""
        wanted = name_or_address if self.genesis else name_or_address.lower()
        by_address = (
            token
            for token in self.tokens.values()
            if (token.address if self.genesis else token.address.lower()) == wanted
        )
        return self.tokens.get(name_or_address) or next(by_address, None)


def in_order(one: Token, other: Token) -> tuple[Token, Token]:
    """Token 0 and token 1 of a pool of two, as every factory but Curve's numbers them: by their addresses."""
    return (one, other) if _place(one) < _place(other) else (other, one)


def _place(token: Token) -> int:
    return int(token.address, 16) if token.address.startswith("0x") else int.from_bytes(key_bytes(token.address))


def symbol_of(base: Token, quote: Token, counts_as: Mapping[str, str]) -> str:
    """The session's symbol of a pair: by what the tokens count as; two that count as the same keep their own names."""
    sides = [counts_as.get(token.symbol, token.symbol) for token in (base, quote)]
    return "/".join(sides if sides[0] != sides[1] else (base.symbol, quote.symbol))


def chain_named(name: str) -> Chain:
    """By the chain's name (`arbitrum`) or its venue's (`dex_arb`). Raises ConfigError."""
    known = {text: chain for venue, chain in NAMES.items() for text in (chain, venue.name.lower())}
    if name not in known:
        raise ConfigError(f"no chain is called {name!r}", place="--chain", mend=f"choose from: {', '.join(known)}")
    return shipped(known[name])


def chain_of_venue(venue: str) -> Chain | None:
    """The chain of `dex_arb` and the like; None for a venue that is no chain of ours."""
    return next((shipped(chain) for made, chain in NAMES.items() if made.name.lower() == venue), None)


@lru_cache(maxsize=len(NAMES))
def shipped(name: str) -> Chain:
    """Reads runtime/chains/NAME.toml; `name` is one of NAMES."""
    text = resources.files("runtime").joinpath("chains", f"{name}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    tokens = {
        symbol: Token(address=said["address"], symbol=symbol, decimals=said["decimals"])
        for symbol, said in data["tokens"].items()
    }
    counts_as = {symbol: said["counts_as"] for symbol, said in data["tokens"].items() if "counts_as" in said}
    factories = {key: _factory(key, said) for key, said in data["factories"].items()}
    return Chain(
        name=name,
        venue=data["venue"],
        venue_id=DexVenue[data["venue"].upper()],
        chain_id=data["chain_id"],
        block_time_ns=data["block_time_ms"] * 10**6,
        stale_after_ns=data["stale_after_ms"] * 10**6,
        gas=GasModel(data["gas"]),
        native=data["native"],
        native_pool=data["native_pool"],
        multicall=data["multicall"],
        wrapped_native=data["wrapped_native"],
        tokens=tokens,
        counts_as=counts_as,
        factories=tuple(factories.values()),
        pools=tuple(_pool(said, factories[said["factory"]], tokens, counts_as) for said in data["pools"]),
        genesis=data.get("genesis", ""),
    )


def _factory(name: str, said: Mapping[str, Any]) -> Factory:
    return Factory(
        name=name,
        kind=PoolKind(said["kind"]),
        protocol=Protocol[said["protocol"].upper()],
        address=said["address"],
        quoter=said.get("quoter", ""),
        fees_ppm=tuple(said.get("fees_ppm", ())),
        deployer=said.get("deployer", ""),
        init_code_hash=said.get("init_code_hash", ""),
        implementation=said.get("implementation", ""),
    )


def _pool(
    said: Mapping[str, Any], factory: Factory, tokens: Mapping[str, Token], counts_as: Mapping[str, str]
) -> PoolPlan:
    base, quote = tokens[said["base"]], tokens[said["quote"]]
    coins: Sequence[Token] = [tokens[coin] for coin in said.get("coins", ())] or in_order(base, quote)
    kind = PoolKind(said.get("kind", factory.kind))
    return PoolPlan(
        address=said["address"],
        kind=kind,
        protocol=factory.protocol,
        tokens=tuple(coins),
        base=coins.index(base),
        quote=coins.index(quote),
        symbol=said.get("symbol") or symbol_of(base, quote, counts_as),
        fee_ppm=said.get("fee_ppm") or (factory.fees_ppm[0] if kind is PoolKind.UNISWAP_V2 else 0),
        quoter=factory.quoter,
        pool_id=said.get("pool_id", ""),
        gas_units=said.get("gas_units", GAS_UNITS[kind]),
    )
