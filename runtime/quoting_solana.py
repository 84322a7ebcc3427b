"""`gateway quote` of a pool on Solana: from a dump of accounts, offline, or from an endpoint's newest slot.

A dump need not hold all that a book is made of. What is missing of it is told by its key; only what does not change a
quote's raw integers may be left out, and then the answer says what was taken for granted (`assumed`).
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Any, Final

import msgspec

from connectors.amm.curve import Beyond, Curve, Quote, QuoteError
from connectors.amm.raydium import Raydium
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import ConfigError, PoolRefused, WireError
from connectors.venues.solana import pools, raydium
from connectors.venues.solana.account import Account, Accounts
from connectors.venues.solana.clock import clock_of
from connectors.venues.solana.keys import CLOCK, SYSVAR, TOKEN, raydium_extension
from connectors.venues.solana.orca_layout import WhirlpoolState
from runtime.account_file import read_accounts
from runtime.chains import shipped
from runtime.cluster import doubts, now_s
from runtime.config_solana import solana_key

_AMOUNT: Final = re.compile("[0-9]{1,20}")
_U64: Final = 2**64 - 1
_AROUND: Final = (5, 10, 20, 40)  # arrays each side of a Raydium pool, as far as a swap needs them
_MINT: Final = Struct("<I32sQBBI32s")  # connectors/venues/solana/mint.py
_CLOCK: Final = Struct("<QqQQq")
_PRICE_DIGITS: Final = 18
_LISTED_MAX: Final = 5
_MEND_DUMP: Final = "dump these accounts, too, at the same slot; or read them live: --rpc URL"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question: keys in base58, `amount` of the token that goes in, or with `is_out` comes out."""

    pool: str
    token_in: str
    amount: int
    is_out: bool = False
    token_out: str = ""


class _Read(msgspec.Struct, frozen=True):
    """Accounts of one slot. `slot`, `time_s`: their clock's; None: they do not tell. `assumed`: what was not there and
    taken for granted. `undecided`: mints whose decimals nobody tells. `genesis`: of the endpoint. `warnings`: why it
    may not be what was meant."""

    accounts: Accounts
    slot: int | None = None
    time_s: int | None = None
    assumed: tuple[str, ...] = ()
    undecided: frozenset[str] = frozenset()
    genesis: str | None = None
    warnings: tuple[str, ...] = ()


def asked(pool: str, token_in: str, amount: str, *, exact_out: bool = False, token_out: str = "") -> Asked:
    """A person's words, checked. Raises ConfigError."""
    if not _AMOUNT.fullmatch(amount) or not 0 < int(amount) <= _U64:
        raise ConfigError(
            f"{amount[:90]} is no amount", place="--amount",
            mend="give a whole number from 1 to 2^64 - 1 of the token's smallest units",
        )  # fmt: skip
    return Asked(
        pool=key_option("--pool", pool), token_in=key_option("--token-in", token_in), amount=int(amount),
        is_out=exact_out, token_out=key_option("--token-out", token_out) if token_out else "",
    )  # fmt: skip


def key_option(option: str, text: str) -> str:
    """A key in base58. Raises ConfigError."""
    try:
        return solana_key(text)
    except ValueError as error:
        mend = "copy the key again" + ("; a pool on an EVM chain begins with 0x" if option == "--pool" else "")
        raise ConfigError(str(error), place=option, mend=mend) from None


def quote_dump(path: Path, want: Asked) -> dict[str, Any]:
    """From a file. Raises ConfigError for everything that cannot be quoted."""
    accounts = read_accounts(path)
    place = f"--accounts {path}"
    try:
        read = _of_dump(accounts, want.pool, place)
        plan = _planned(want, read.accounts)
        missing = _missing(plan, read.accounts)
        try:
            return _result(plan, read, *_swapped(plan, read.accounts, want), want)
        except Beyond:
            problem = f"the swap goes beyond the tick arrays that are there; missing: {_listed(missing)}"
            raise ConfigError(problem, place=place, mend=_MEND_DUMP) from None
        except PoolRefused as refused:
            if "not read" not in str(refused):
                raise
            more = _listed([key for key in missing if key not in str(refused)])
            problem = f"{refused}; beyond it missing: {more}" if more else str(refused)
            raise ConfigError(problem, place=place, mend=_MEND_DUMP) from None
    except QuoteError as error:
        raise _mended(error, want) from None
    except (PoolRefused, WireError) as error:
        mend = "dump its accounts again, all of one slot, or quote another pool"
        raise ConfigError(
            f"pool {want.pool}: {_with_state(error, want.pool, accounts)}", place=place, mend=mend
        ) from None


def quote_live(url: str, want: Asked, commitment: str, genesis: str = "") -> dict[str, Any]:
    """From an endpoint, all of one slot. Raises ConfigError for everything that cannot be quoted.

    `genesis`: of the cluster that is meant, by default mainnet-beta's; another one is told under `warnings`.
    """
    from runtime.rpc_solana import SolanaRpc  # a dump needs no network

    with SolanaRpc(url, commitment=commitment) as rpc:
        said = rpc.genesis()
        accounts: Accounts = {}
        for around in _AROUND:
            try:
                _, accounts = rpc.whole(partial(_wanted, want.pool, around, rpc.place))
                clock, plan = clock_of(accounts), _planned(want, accounts)
                warnings = doubts(said, genesis or shipped("solana").genesis, clock.unix_timestamp, now_s())
                read = _Read(accounts, clock.slot, clock.unix_timestamp, genesis=said, warnings=tuple(warnings))
                return _result(plan, read, *_swapped(plan, accounts, want), want)
            except Beyond:
                continue
            except (PoolRefused, WireError, QuoteError) as error:
                raise _mended(_with_state(error, want.pool, accounts), want) from None
    raise _mended(QuoteError(f"it goes beyond {_AROUND[-1]} tick arrays"), want)


def _wanted(pool: str, around: int, place: str, known: Accounts) -> tuple[str, ...]:
    if pool in known and known[pool] is None:
        mend = f"check it, and that {place} is of its cluster"
        raise ConfigError("there is no such account", place=f"--pool {pool}", mend=mend)
    return pools.wanted(pool, known, around)


def _of_dump(accounts: Mapping[str, Account | None], pool: str, place: str) -> _Read:
    """What was read, and beside it what may be taken for granted. Raises ConfigError naming what is missing."""
    if accounts.get(pool) is None:
        raise ConfigError(f"the pool's account is missing: {pool}", place=place, mend=_MEND_DUMP)
    made: dict[str, Account | None] = dict(accounts)
    assumed: list[str] = []
    missing: list[str] = []
    known = {token.address: token.decimals for token in shipped("solana").tokens.values()}
    clock, mints = clock_of(accounts) if CLOCK in accounts else None, pools.mints_of(pool, accounts)
    if pools.kind_of(pool, accounts) is PoolKind.RAYDIUM_CLMM:
        state = raydium.pool(pool, accounts)
        known |= dict(zip(mints, state.decimals, strict=True))
        if state.config not in accounts:
            missing.append(state.config)
        if clock is None and state.open_time >= now_s():
            raise PoolRefused(f"it opens at {state.open_time} s after 1970, and that is still to come")
        if clock is None and state.volatility is not None:
            missing.append(CLOCK)  # the fee depends on the second
        elif clock is None:
            made[CLOCK] = Account(SYSVAR, _CLOCK.pack(0, 0, 0, 0, state.open_time + 1))
            assumed.append(f"the pool, to be opened at {state.open_time} s after 1970, is open: {CLOCK} is not there")
    if missing:
        raise ConfigError(f"accounts are missing: {_listed(missing)}", place=place, mend=_MEND_DUMP)
    for key in mints:
        if key not in accounts:
            made[key] = Account(TOKEN, _MINT.pack(0, bytes(32), 0, known.get(key, 0), 1, 0, bytes(32)))
            assumed.append(f"a transfer moves what it says: mint {key} is not there")
    undecided = frozenset(key for key in mints if key not in accounts and key not in known)
    slot, time_s = (None, None) if clock is None else (clock.slot, clock.unix_timestamp)
    return _Read(made, slot, time_s, tuple(assumed), undecided)


def _planned(want: Asked, accounts: Accounts) -> PoolPlan:
    """The pool, with the token that goes in as base."""
    mints = pools.mints_of(want.pool, accounts)
    chain = shipped("solana")
    names = {token.address: token.symbol for token in chain.tokens.values()}
    there = ", ".join(f"{names.get(key, '')} {key}".strip() for key in mints)
    for option, token in (("--token-in", want.token_in), ("--token-out", want.token_out)):
        if token and token not in mints:
            raise ConfigError("is no token of this pool", place=f"{option} {token}", mend=f"its tokens: {there}")
    if want.token_in == want.token_out:
        raise ConfigError("is the token that goes in", place="--token-out", mend=f"its tokens: {there}")
    base = mints.index(want.token_in)
    return pools.plan_of(want.pool, accounts, base, 1 - base, names)


def _swapped(plan: PoolPlan, accounts: Accounts, want: Asked) -> tuple[Curve, Quote]:
    curve = pools.state_of(plan, accounts)
    swap = curve.exact_out if want.is_out else curve.exact_in
    return curve, swap(plan.base, plan.quote, want.amount)


def _mended(error: Exception, want: Asked) -> ConfigError:
    if isinstance(error, QuoteError):
        return ConfigError(str(error), place=f"--amount {want.amount}", mend="ask for another amount")
    return ConfigError(str(error), place=f"--pool {want.pool}", mend="quote another pool, or ask another endpoint")


def _with_state(error: Exception, pool: str, accounts: Accounts) -> Exception:
    """An adaptive fee is not computed; what the pool says of its price is shown nevertheless."""
    try:
        said = pools.said_by(pool, accounts)
    except PoolRefused:
        return error
    if not isinstance(error, PoolRefused) or not isinstance(said, WhirlpoolState):
        return error
    if said.fee_tier_index == said.spacing:
        return error
    state = f"sqrt_price_x64 {said.sqrt_price_x64}, tick {said.tick}, liquidity {said.liquidity}, "
    return PoolRefused(f"{error}; it says {state}fee without what follows volatility {said.fee_ppm} ppm")


def _missing(plan: PoolPlan, accounts: Accounts) -> list[str]:
    """Tick arrays on the swap's way that are not there, the nearest first; last what names more of them."""
    way = list(pools.way(plan.address, accounts, _AROUND[-1], down=plan.base == 0))
    extension = raydium_extension(plan.address)
    if extension in pools.wanted(plan.address, accounts):
        way.append(extension)
    return [key for key in way if key not in accounts]


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:_LISTED_MAX]) + (f" and {len(keys) - _LISTED_MAX} more" if len(keys) > _LISTED_MAX else "")


def _result(plan: PoolPlan, read: _Read, curve: Curve, made: Quote, want: Asked) -> dict[str, Any]:
    sold, bought = plan.tokens[plan.base], plan.tokens[plan.quote]
    after = made.after
    if not isinstance(after, Raydium | Whirlpool):
        raise TypeError(f"{type(after).__name__} is not the pool of a Solana program")
    decimals = [None if token.address in read.undecided else token.decimals for token in (sold, bought)]
    return {
        "protocol": plan.kind.value, "slot": read.slot, "amount_in": made.amount_in, "amount_out": made.amount_out,
        "sqrt_price_x64_after": after.sqrt_price_x64, "tick_after": after.tick, "ticks_crossed": made.ticks_crossed,
        "price_after": None if None in decimals else _price(after.sqrt_price_x64, plan),
        "pool": plan.address, "exact": "out" if want.is_out else "in",
        "token_in": sold.address, "symbol_in": sold.symbol, "decimals_in": decimals[0],
        "token_out": bought.address, "symbol_out": bought.symbol, "decimals_out": decimals[1],
        "fee_ppm": curve.charged_ppm if isinstance(curve, Raydium) else plan.fee_ppm, "fee_from": "accounts",
        "time": read.time_s, "genesis": read.genesis, "assumed": list(read.assumed), "warnings": list(read.warnings),
    }  # fmt: skip


def _price(sqrt_price_x64: int, plan: PoolPlan) -> str:
    """Token 1 for one of token 0, rounded down to 18 decimals."""
    zero, one = plan.tokens
    scaled = sqrt_price_x64**2 * 10 ** (_PRICE_DIGITS + zero.decimals) // (10**one.decimals << 128)
    whole, part = divmod(scaled, 10**_PRICE_DIGITS)
    return f"{whole}.{part:0{_PRICE_DIGITS}}".rstrip("0").rstrip(".")
