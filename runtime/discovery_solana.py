"""`gateway pools discover --chain solana`: the pools of a pair under every fee tier, and what to write to follow them.

A pool's address follows from its program, its two mints and its tier, Raydium's AmmConfig or Orca's fee tier: all known
tiers' are derived and looked at. Others (tiers that are newer, Raydium's permissioned pools, which have a number of
their own in the address) are searched by `getProgramAccounts`, where the endpoint does that. Those that are there are
then read as a session reads them, with the balances of their vaults, each pool in one answer. What cannot be followed
is listed with the reason, and with its price where its account tells one.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import ConfigError, PoolRefused, WireError
from connectors.units import trimmed_text
from connectors.venues.solana import orca_layout, pools, raydium_layout
from connectors.venues.solana.account import Accounts
from connectors.venues.solana.clock import clock_of
from connectors.venues.solana.keys import (
    CLOCK,
    ORCA,
    RAYDIUM,
    TOKEN,
    TOKEN_2022,
    bytes_of,
    orca_pool,
    raydium_config,
    raydium_pool,
    text_of,
)
from connectors.venues.solana.mint import mint_of
from runtime.chains import Chain, chain_named, in_order
from runtime.cluster import doubts, now_s
from runtime.config_solana import SolanaSection, solana_key
from runtime.pool_snippet import snippet
from runtime.rpc_solana import SolanaRpc

ORCA_CONFIG: Final = "2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ"  # runtime/chains/solana.toml names the source
RAYDIUM_TIERS: Final = range(32)  # indices of AmmConfigs: numbered on from 0, and more than there were in 2025
ORCA_TIERS: Final = (1, 2, 4, 8, 16, 32, 64, 96, 128, 256)  # tick spacings, which are the static fee tiers' indices
ORCA_ADAPTIVE: Final = range(1024, 1056)  # indices of adaptive fee tiers begin above every tick spacing in use
SEARCHED_MAX: Final = 64  # pools of a pair and program: each is a read of its own
_PROGRAMS: Final = {  # length of a pool's account, and where its two mints are
    PoolKind.RAYDIUM_CLMM: (RAYDIUM, raydium_layout.POOL_LENGTH, (73, 105)),
    PoolKind.ORCA_WHIRLPOOL: (ORCA, orca_layout.POOL_LENGTH, (101, 181)),
}
_PRICE_DIGITS: Final = 18
_AMOUNT_AT: Final = 64  # of a token account, behind mint and owner


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """A pool that is there. `pool` None: it cannot even be read. `held`: smallest units of base and quote.
    `is_followed`: by these settings, shipped or their own."""

    address: str
    tier: str
    slot: int
    pool: PoolPlan | None = None
    held: tuple[int | None, int | None] = (None, None)
    liquidity: int | None = None
    price: str | None = None
    is_shipped: bool = False
    is_followed: bool = False
    problem: str = ""


def discover(url: str, pair: str, section: SolanaSection) -> dict[str, Any]:
    """The pools, and the TOML to follow them. Raises ConfigError."""
    chain = chain_named("solana")
    wanted = section.genesis or chain.genesis
    with SolanaRpc(url, commitment=section.commitment) as rpc:
        genesis = rpc.genesis()
        if genesis != wanted:
            problem = f"is of the cluster with genesis {genesis}, wanted is {wanted}"
            mend = "name another endpoint, or set genesis under [venues.dex_sol]"
            raise ConfigError(problem, place=rpc.place, mend=mend)
        base, quote = _pair(rpc, chain, pair)
        candidates = tiers_of(base, quote)
        slot, there = rpc.accounts([*candidates, CLOCK])
        clock_s = _time_of(rpc, there)
        exist = [address for address in candidates if _is_there(there, address)]
        searched, not_asked = _searched(rpc, base, quote)
        candidates = searched | candidates
        shipped = {pool.address for pool in chain.pools}
        followed = {pool.address for pool in section.pools} | (shipped if section.defaults else set())
        found = [
            msgspec.structs.replace(
                _look(rpc, address, candidates[address], slot, base, quote),
                is_shipped=address in shipped, is_followed=address in followed,
            )
            for address in dict.fromkeys([*exist, *searched])
        ]  # fmt: skip
    found.sort(key=lambda one: (bool(one.problem), -(one.held[1] or 0), one.address))
    good = [one.pool for one in found if one.pool is not None and not one.problem and not one.is_followed]
    return {
        "chain": chain.name, "genesis": genesis, "slot": slot, "commitment": section.commitment, "base": base.address,
        "quote": quote.address, "pools": [_row(one, base, quote) for one in found], "toml": snippet(chain, good),
        "not_asked": not_asked, "time": clock_s, "warnings": doubts(genesis, wanted, clock_s, now_s()),
    }  # fmt: skip


def tiers_of(base: Token, quote: Token) -> dict[str, str]:
    """Every address that a pool of these two tokens may have, with its tier in words; less than 100 of them."""
    one, other = (token.address for token in in_order(base, quote))
    made = {raydium_pool(raydium_config(tier), one, other): f"{PoolKind.RAYDIUM_CLMM} {tier}" for tier in RAYDIUM_TIERS}
    for tier in (*ORCA_TIERS, *ORCA_ADAPTIVE):
        made[orca_pool(ORCA_CONFIG, one, other, tier)] = f"{PoolKind.ORCA_WHIRLPOOL} {tier}"
    return made


def _searched(rpc: SolanaRpc, base: Token, quote: Token) -> tuple[dict[str, str], list[str]]:
    """Pools of these two tokens by the bytes of their accounts, and the programs that could not be searched."""
    one, other = (token.address for token in in_order(base, quote))
    found: dict[str, str] = {}
    refused: list[str] = []
    for kind, (program, length, places) in _PROGRAMS.items():
        keys = rpc.keys_of(program, length, dict(zip(places, (one, other), strict=True)))
        if keys is None:
            refused.append(f"{kind} by getProgramAccounts")
        else:
            found |= dict.fromkeys(keys[:SEARCHED_MAX], f"{kind}, searched")
    return found, refused


def _pair(rpc: SolanaRpc, chain: Chain, text: str) -> tuple[Token, Token]:
    names = text.split("/")
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ConfigError(f"{text!r} is no pair", place="--pair", mend="name base and quote: SOL/USDC, or two mints")
    base, quote = (_token(rpc, chain, name) for name in names)
    if base.address == quote.address:
        raise ConfigError(f"{text!r} is the same token twice", place="--pair", mend="name two tokens")
    return base, quote


def _token(rpc: SolanaRpc, chain: Chain, name: str) -> Token:
    known = chain.token(name)
    if known is not None:
        return known
    try:
        key = solana_key(name)
    except ValueError:
        mend = f"one of {', '.join(chain.tokens)}, or a mint's key"
        raise ConfigError(f"no token of {chain.name} is called {name[:80]!r}", place="--pair", mend=mend) from None
    account = rpc.accounts([key])[1][key]
    problem = "there is no such account"
    try:
        if account is not None:
            return Token(key, key[:8], mint_of(account, key).decimals)
    except PoolRefused as refused:
        problem = str(refused)
    raise ConfigError(f"is no token: {problem}", place=f"--pair {name}", mend="name a mint")


def _time_of(rpc: SolanaRpc, accounts: Accounts) -> int:
    """The second that the chain's clock says."""
    try:
        return clock_of(accounts).unix_timestamp
    except PoolRefused as refused:
        raise ConfigError(str(refused), place=rpc.place, mend="name another endpoint") from None


def _is_there(accounts: Accounts, address: str) -> bool:
    account = accounts[address]
    return account is not None and bool(account.data)


def _look(rpc: SolanaRpc, address: str, tier: str, slot: int, base: Token, quote: Token) -> _Found:
    """One pool, read. What is wrong with it is told."""
    found = _Found(address=address, tier=tier, slot=slot)
    try:
        slot, accounts = rpc.whole(partial(_wanted, address))
        mints = pools.mints_of(address, accounts)
        places = mints.index(base.address), mints.index(quote.address)
        names = {token.address: token.symbol for token in (base, quote)}
        plan = pools.plan_of(address, accounts, *places, names)
        vaults = pools.vaults_of(address, accounts)
        balances = [_balance(accounts, vault, mint) for vault, mint in zip(vaults, mints, strict=True)]
        held = balances[places[0]], balances[places[1]]
        said = pools.said_by(address, accounts)
        price = _price(said.sqrt_price_x64, plan)
        found = msgspec.structs.replace(found, slot=slot, pool=plan, held=held, liquidity=said.liquidity, price=price)
        pools.state_of(plan, accounts)
    except (PoolRefused, WireError) as error:
        return msgspec.structs.replace(found, problem=str(error))
    except ValueError:
        return msgspec.structs.replace(found, problem="it does not hold both tokens")
    return found if all(found.held) else msgspec.structs.replace(found, problem="it holds nothing of a token")


def _wanted(address: str, known: Accounts) -> Sequence[str]:
    keys = pools.wanted(address, known)
    return keys if known.get(address) is None else (*keys, *pools.vaults_of(address, known))


def _price(sqrt_price_x64: int, plan: PoolPlan) -> str:
    """Quote for one of base, rounded down to 18 decimals: at the margin, without the fee."""
    base, quote = plan.tokens[plan.base], plan.tokens[plan.quote]
    above, below = sqrt_price_x64**2, 1 << 128
    if plan.base:
        above, below = below, max(above, 1)
    return trimmed_text(above * 10 ** (_PRICE_DIGITS + base.decimals) // (below * 10**quote.decimals), _PRICE_DIGITS)


def _balance(accounts: Accounts, vault: str, mint: str) -> int | None:
    """What a token account of this mint holds; None for what is none."""
    account = accounts.get(vault)
    if account is None or account.owner not in (TOKEN, TOKEN_2022) or len(account.data) < _AMOUNT_AT + 8:
        return None
    if account.data[:32] != bytes_of(mint):
        raise PoolRefused(f"its vault {vault} is of mint {text_of(account.data[:32])}")
    return int.from_bytes(account.data[_AMOUNT_AT : _AMOUNT_AT + 8], "little")


def _row(found: _Found, base: Token, quote: Token) -> dict[str, Any]:
    pool = found.pool
    held = {
        token.symbol: None if amount is None else trimmed_text(amount, token.decimals)
        for token, amount in zip((base, quote), found.held, strict=True)
    }
    return {
        "address": found.address, "protocol": pool.kind.value if pool else found.tier.replace(",", "").split()[0],
        "factory": found.tier, "fee_ppm": pool.fee_ppm if pool else None, "held": held, "held_units": found.held,
        "liquidity": found.liquidity, "price": found.price, "slot": found.slot, "is_shipped": found.is_shipped,
        "is_followed": found.is_followed, "problem": found.problem,
    }  # fmt: skip
