"""`gateway pools discover`: the pools of a pair, asked from the factories of a chain, and what to write to follow them.

The factories are the shipped ones (`runtime/chains/`), or those of `--factory KIND=ADDRESS` alone, on whatever chain
the endpoint is of. Each pool found is then read like any other: what cannot be followed is listed with the reason.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import ConfigError, PoolRefused, WireError
from connectors.pool import Protocol
from connectors.units import trimmed_text
from connectors.venues.evm.abi import ZERO_ADDRESS, Answers, Call, Reading, address_of, call, checksummed, decode, words
from connectors.venues.evm.detect import described, detect
from connectors.venues.evm.tokens import NATIVE
from runtime.chains import Chain, Factory, chain_named
from runtime.pool_snippet import snippet
from runtime.quoting import address_of as address_option
from runtime.quoting import of_maker, require_code
from runtime.rpc import Block, Rpc

_FEES_PPM: Final = (100, 200, 300, 400, 500, 2500, 3000, 10_000)  # of Uniswap V3 and PancakeSwap V3
_SPACINGS: Final = (1, 10, 50, 60, 100, 200, 2000)  # of Slipstream, which knows pools by them
_REGISTRY_MAX: Final = 16  # pools of a pair asked of a Curve factory
_PROTOCOLS: Final = {
    PoolKind.UNISWAP_V2: Protocol.UNISWAP_V2,
    PoolKind.UNISWAP_V3: Protocol.UNISWAP_V3,
    PoolKind.BALANCER_V2: Protocol.BALANCER_V2,
}
_CURVE: Final = frozenset({PoolKind.CURVE_STABLE, PoolKind.CURVE_STABLE_NG, PoolKind.CURVE_CRYPTO, PoolKind.CURVE_META})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of the pair. `problem`: why it cannot be followed; the rest is then what was found out until there.

    `held`: what it holds of base and quote in their smallest units; None: held elsewhere. `liquidity`: V3's, at the
    price. `is_shipped`: followed without being asked for.
    """

    address: str
    factory: str
    pool: PoolPlan | None
    held: tuple[int | None, int | None] = (None, None)
    liquidity: int | None = None
    is_shipped: bool = False
    problem: str = ""


def discover(url: str, chain_name: str, pair: str, factories: Sequence[str]) -> dict[str, Any]:
    """The pools, and the TOML to follow them. Raises ConfigError."""
    chain = chain_named(chain_name)
    makers = [_override(text) for text in factories] or list(chain.factories)
    with Rpc(url) as rpc:
        block, chain_id = rpc.newest(), rpc.number("eth_chainId")
        if not factories and chain_id != chain.chain_id:
            problem = f"is of chain {chain_id}, {chain.name} is {chain.chain_id}"
            raise ConfigError(problem, place=rpc.place, mend="name another endpoint, or the factories with --factory")
        base, quote = _pair(rpc, chain, pair, block)
        candidates = _candidates(rpc, makers, base, quote, block)
        if not factories:
            candidates |= {
                pool.address: None for pool in _shipped(chain, base, quote) if pool.address not in candidates
            }
        shipped = {pool.address for pool in _shipped(chain, base, quote)}
        readings = [_look(address, maker, base, quote) for address, maker in candidates.items()]
        pools = [
            msgspec.structs.replace(pool, is_shipped=pool.address in shipped)
            for pool in rpc.drive(together(readings), block)
        ]
    pools.sort(key=lambda pool: (bool(pool.problem), -(pool.held[1] or 0), pool.address))
    good = [pool.pool for pool in pools if pool.pool is not None and not pool.problem and not pool.is_shipped]
    return {
        "chain": chain.name, "chain_id": chain_id, "block": block.number, "block_hash": block.hash,
        "base": base.address, "quote": quote.address, "pools": [_row(pool, base, quote) for pool in pools],
        "toml": snippet(chain, good),
        "not_asked": [maker.name for maker in makers if not _lookups(maker, base.address, quote.address)],
    }  # fmt: skip


def together(readings: Sequence[Reading[Any]]) -> Reading[list[Any]]:
    """Many readings as one: each stage is that of all which still have one."""
    results: dict[int, Any] = {}
    stages = {at: _stage(reading, None, at, results) for at, reading in enumerate(readings)}
    while left := {at: calls for at, calls in stages.items() if calls is not None}:
        answers = yield [each for calls in left.values() for each in calls]
        stages, start = {}, 0
        for at, calls in left.items():
            stages[at] = _stage(readings[at], answers[start : start + len(calls)], at, results)
            start += len(calls)
    return [results[at] for at in range(len(readings))]


def _stage(reading: Reading[Any], given: Answers | None, at: int, results: dict[int, Any]) -> list[Call] | None:
    try:
        return next(reading) if given is None else reading.send(given)
    except StopIteration as stop:
        results[at] = stop.value
        return None


def _override(text: str) -> Factory:
    kind, _, address = text.partition("=")
    if kind not in set(PoolKind):
        raise ConfigError(
            f"{text!r} names no kind of pool", place="--factory", mend=f"KIND=ADDRESS, of {', '.join(PoolKind)}"
        )
    made = PoolKind(kind)
    protocol = Protocol.CURVE if made in _CURVE else _PROTOCOLS.get(made, Protocol.UNKNOWN)
    return Factory(name=kind, kind=made, protocol=protocol, address=address_option("--factory", address))


def _pair(rpc: Rpc, chain: Chain, text: str, block: Block) -> tuple[Token, Token]:
    names = text.split("/")
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ConfigError(
            f"{text!r} is no pair", place="--pair", mend="name base and quote: WETH/USDC, or two addresses"
        )
    base, quote = (_token(rpc, chain, name, block) for name in names)
    if base.address == quote.address:
        raise ConfigError(f"{text!r} is the same token twice", place="--pair", mend="name two tokens")
    return base, quote


def _token(rpc: Rpc, chain: Chain, name: str, block: Block) -> Token:
    known = chain.token(name)
    if known is None and not name.startswith("0x"):
        there = ", ".join(chain.tokens)
        raise ConfigError(
            f"no token of {chain.name} is called {name!r}", place="--pair", mend=f"one of {there}, or an address"
        )
    address = known.address if known else address_option("--pair", name)
    if address != NATIVE:
        require_code(rpc, "--pair", address, block)
    if known is not None:
        return known
    try:
        return rpc.drive(described([address]), block)[0]
    except PoolRefused as refused:
        raise ConfigError(f"is no token: {refused}", place=f"--pair {name}", mend="name an ERC-20 token") from None


def _candidates(
    rpc: Rpc, makers: Sequence[Factory], base: Token, quote: Token, block: Block
) -> dict[str, Factory | None]:
    """Every pool that a factory knows, with the factory."""
    asked = [(maker, each) for maker in makers for each in _lookups(maker, base.address, quote.address)]
    answers = rpc.drive(_asking([each for _, each in asked]), block)
    return {
        address: maker
        for (maker, _), answer in zip(asked, answers, strict=True)
        for address in _addresses(answer)
        if address not in (ZERO_ADDRESS, base.address, quote.address)
    }


def _lookups(maker: Factory, one: str, other: str) -> list[Call]:
    """The ways this kind of factory is asked for a pair; those it does not know revert. Balancer's Vault has none."""
    if not maker.address:
        return []
    match maker.kind:
        case PoolKind.UNISWAP_V2:
            return [call(maker.address, "getPair(address,address)", one, other)]
        case PoolKind.UNISWAP_V3:
            fees = sorted({*_FEES_PPM, *maker.fees_ppm})
            return [
                *(call(maker.address, "getPool(address,address,uint24)", one, other, fee) for fee in fees),
                *(call(maker.address, "getPool(address,address,int24)", one, other, spacing) for spacing in _SPACINGS),
            ]
        case PoolKind.SOLIDLY:
            return [
                *(call(maker.address, "getPool(address,address,bool)", one, other, stable) for stable in (False, True)),
                *(call(maker.address, "getPair(address,address,bool)", one, other, stable) for stable in (False, True)),
                call(maker.address, "getPair(address,address)", one, other),
            ]
        case PoolKind.ALGEBRA:
            return [call(maker.address, "poolByPair(address,address)", one, other)]
        case PoolKind.BALANCER_V2:
            return []
        case _:
            find = "find_pool_for_coins(address,address,uint256)"
            return [
                call(maker.address, "find_pools_for_coins(address,address)", one, other),
                *(call(maker.address, find, one, other, place) for place in range(_REGISTRY_MAX)),
            ]


def _addresses(answer: bytes | None) -> list[str]:
    """One address, or a list of them; nothing of what is neither."""
    try:
        if answer is None or len(answer) == 32:
            return [] if answer is None else [address_of(words(answer, 1)[0])]
        return [checksummed(address) for address in decode(["address[]"], answer)[0]]
    except WireError:
        return []


def _shipped(chain: Chain, base: Token, quote: Token) -> Iterator[PoolPlan]:
    for pool in chain.pools:
        if {pool.tokens[pool.base].address, pool.tokens[pool.quote].address} == {base.address, quote.address}:
            yield pool


def _look(address: str, maker: Factory | None, base: Token, quote: Token) -> Reading[Found]:
    """One candidate, read. Never raises: what is wrong with it is told."""
    name = maker.name if maker is not None else "shipped"
    try:
        pool = of_maker((yield from detect(address)).pool, maker)
        places = [token.address for token in pool.tokens]
        pool = msgspec.structs.replace(pool, base=places.index(base.address), quote=places.index(quote.address))
        is_elsewhere = pool.kind is PoolKind.BALANCER_V2
        tokens = [] if is_elsewhere else [token for token in (base, quote) if token.address != NATIVE]
        answers = yield [
            *(call(token.address, "balanceOf(address)", address) for token in tokens),
            *([call(address, "liquidity()")] if pool.kind is PoolKind.UNISWAP_V3 else []),
        ]
        amounts = [None if answer is None else words(answer, 1)[0] for answer in answers]
    except (PoolRefused, WireError) as error:
        return Found(address=address, factory=name, pool=None, problem=str(error))
    except ValueError:
        return Found(address=address, factory=name, pool=None, problem="it does not hold both tokens")
    held = dict(zip([token.address for token in tokens], amounts, strict=False))
    return Found(
        address=address, factory=name, pool=pool, held=(held.get(base.address), held.get(quote.address)),
        liquidity=amounts[-1] if pool.kind is PoolKind.UNISWAP_V3 else None,
        problem="" if is_elsewhere or all(amount for amount in held.values()) else "it holds nothing of a token",
    )  # fmt: skip


def _asking(calls: list[Call]) -> Reading[Answers]:
    return (yield calls)


def _row(found: Found, base: Token, quote: Token) -> dict[str, Any]:
    pool = found.pool
    held = {
        token.symbol: None if amount is None else trimmed_text(amount, token.decimals)
        for token, amount in zip((base, quote), found.held, strict=True)
    }
    return {
        "address": found.address, "protocol": pool.kind.value if pool else None, "factory": found.factory,
        "fee_ppm": pool.fee_ppm or None if pool else None, "held": held,
        "held_units": found.held,
        "liquidity": found.liquidity, "is_shipped": found.is_shipped, "problem": found.problem,
    }  # fmt: skip
