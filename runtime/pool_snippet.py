"""Pools as `gateway.toml` names them: what `pools discover` gives to paste; keys are `PoolSection`'s."""

import json
from collections.abc import Sequence
from typing import Final

from connectors.chain import PoolKind, PoolPlan, Token
from runtime.chains import Chain

_GUESS: Final = "  # a guess: its contract does not tell"
_LISTS_COINS: Final = frozenset(
    {
        PoolKind.CURVE_STABLE,
        PoolKind.CURVE_STABLE_NG,
        PoolKind.CURVE_CRYPTO,
        PoolKind.CURVE_META,
        PoolKind.BALANCER_V2,
    }
)


def snippet(chain: Chain, pools: Sequence[PoolPlan]) -> str:
    """`[[venues.dex_….pools]]` for each, and the tokens among them that are not shipped; empty without pools."""
    names: dict[str, str] = {}
    for pool in pools:
        for token in pool.tokens:
            names.setdefault(token.address, _name(chain, token, names))
    unknown = {token.address: token for pool in pools for token in pool.tokens if chain.token(token.address) is None}
    tables = [_pool(chain, pool, names) for pool in pools]
    for token in unknown.values():
        name = names[token.address]
        own = "" if name == token.symbol else f"  # it calls itself {token.symbol}"
        tables.append(
            f"[venues.{chain.venue}.tokens.{_quoted(name)}]{own}\n"
            f"address = {_quoted(token.address)}\ndecimals = {token.decimals}\n"
        )
    return "\n".join(tables)


def _pool(chain: Chain, pool: PoolPlan, names: dict[str, str]) -> str:
    base, quote = (names[pool.tokens[place].address] for place in (pool.base, pool.quote))
    lines = [
        f"[[venues.{chain.venue}.pools]]",
        f"address = {_quoted(pool.address)}",
        f"kind = {_quoted(pool.kind)}",
        f"base = {_quoted(base)}",
        f"quote = {_quoted(quote)}",
    ]
    if pool.kind in _LISTS_COINS:
        lines.append(f"coins = [{', '.join(_quoted(names[token.address]) for token in pool.tokens)}]")
    if pool.fee_ppm and not chain.genesis:  # on Solana the accounts tell it
        is_guess = pool.kind is PoolKind.UNISWAP_V2 and not pool.quoter
        lines.append(f"fee_ppm = {pool.fee_ppm}{_GUESS if is_guess else ''}")
    if pool.quoter:
        lines.append(f"quoter = {_quoted(pool.quoter)}")
    if pool.pool_id:
        lines.append(f"pool_id = {_quoted(pool.pool_id)}")
    return "\n".join(lines) + "\n"


def _name(chain: Chain, token: Token, names: dict[str, str]) -> str:
    """As shipped; else by its own symbol, unless that names another token already."""
    shipped = chain.token(token.address)
    if shipped is not None:
        return shipped.symbol
    is_free = token.symbol not in chain.tokens and token.symbol not in names.values()
    is_free = is_free and not token.symbol.lower().startswith("0x")
    if is_free:
        return token.symbol
    digits = token.address.removeprefix("0x")
    tries = (f"T{digits[:count]}" for count in range(6, len(digits) + 1))  # many addresses begin with zeros
    return next(name for name in tries if name not in names.values())


def _quoted(text: str) -> str:
    """A TOML string, or key; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
