"""The one door to pools on Solana: what kind, which accounts, what state, what plan.

Pure: accounts in, values out. All accounts must be of one atomic read (`getMultipleAccounts` answers of one slot), for
nothing here can see that two were read at different times. Only the owner program can write an account's bytes, so an
account with its owner, type and length is what the program made; everything that it says of others is compared.
"""

from collections.abc import Mapping
from typing import Final

from connectors.amm.curve import Curve
from connectors.amm.raydium import Raydium
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK
from connectors.amm.ticks64 import LIQUIDITY_END
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import PoolRefused
from connectors.pool import Protocol
from connectors.venues.solana import mint, orca, orca_layout, raydium, raydium_layout
from connectors.venues.solana.account import Accounts, required
from connectors.venues.solana.clock import clock_of
from connectors.venues.solana.keys import CLOCK, ORCA, RAYDIUM
from connectors.venues.solana.orca_layout import Oracle, WhirlpoolState
from connectors.venues.solana.raydium_layout import PoolState

KEYS_A_READ: Final = 100  # of getMultipleAccounts
AROUND: Final = 5
_KINDS: Final = {
    (RAYDIUM, raydium_layout.POOL): PoolKind.RAYDIUM_CLMM,
    (ORCA, orca_layout.POOL): PoolKind.ORCA_WHIRLPOOL,
}
_PROTOCOLS: Final = {
    PoolKind.RAYDIUM_CLMM: Protocol.RAYDIUM_CLMM,
    PoolKind.ORCA_WHIRLPOOL: Protocol.ORCA_WHIRLPOOL,
}


def kind_of(address: str, accounts: Accounts) -> PoolKind:
    """By the owner program and the type of account. Raises PoolRefused for any other."""
    account = required(accounts, address, "pool")
    kind = _KINDS.get((account.owner, account.data[:8]))
    if kind is None:
        raise PoolRefused(
            f"it is an account of program {account.owner} that starts with {account.data[:8].hex() or 'nothing'}: "
            "no pool of a kind that is known here"
        )
    return kind


def wanted(address: str, accounts: Accounts, around: int = AROUND) -> tuple[str, ...]:
    """Every account that the pool's state is made of, as far as these tell; the pool first. Raises PoolRefused.

    To be asked again when they are read, until it names nothing new: twice, or three times for a Raydium pool with an
    extension. `around`: how many arrays with ticks on either side of a Raydium pool's price; an Orca pool's are all
    that one swap can touch. Seven keys and twice `around` at most, twelve of an Orca pool.
    """
    if address not in accounts:
        return address, CLOCK
    kind = kind_of(address, accounts)
    keys = (
        raydium.wanted(address, accounts, around) if kind is PoolKind.RAYDIUM_CLMM else orca.wanted(address, accounts)
    )
    return address, CLOCK, *mints_of(address, accounts), *keys


def way(address: str, accounts: Accounts, around: int = AROUND, *, down: bool) -> tuple[str, ...]:
    """The tick arrays on the way of a swap, the nearest first; `down`: token 0 goes in. Raises PoolRefused.

    Of a Raydium pool the price's own, where it holds ticks, and the next `around`; of an Orca pool all that one swap
    can take.
    """
    if kind_of(address, accounts) is PoolKind.RAYDIUM_CLMM:
        return tuple(raydium.way(address, accounts, around, down=down))
    return tuple(orca.way(address, accounts, down=down))


def state_of(pool: PoolPlan, accounts: Accounts) -> Curve:
    """The pool's curve, all of it checked: against the plan, and each account against the others.

    A tick array that was not read ends what is known of the ticks: a swap that gets there raises Beyond. The plan's
    `fee_ppm` is compared where it is not 0. Raises PoolRefused with the reason.
    """
    kind = kind_of(pool.address, accounts)
    if kind is not pool.kind:
        raise PoolRefused(f"it is a pool of kind {kind}, the settings say {pool.kind}")
    mints = mints_of(pool.address, accounts)
    planned = tuple(token.address for token in pool.tokens)
    if mints != planned:
        raise PoolRefused(f"its tokens are {' '.join(mints)}, the settings say {' '.join(planned)}")
    is_raydium = kind is PoolKind.RAYDIUM_CLMM
    curve = raydium.curve(pool.address, accounts) if is_raydium else orca.curve(pool.address, accounts)
    _check_tokens(pool, accounts)
    if pool.fee_ppm not in (0, curve.fee_ppm):
        raise PoolRefused(f"its fee is {curve.fee_ppm} ppm, the settings say {pool.fee_ppm}")
    found = problem(curve)
    if found:
        raise PoolRefused(found)
    return curve


def plan_of(
    address: str, accounts: Accounts, base: int = 0, quote: int = 1, names: Mapping[str, str] | None = None
) -> PoolPlan:
    """What the accounts themselves say: kind, mints, decimals, fee. Raises PoolRefused, and ConfigError for places that
    are not 0 and 1.

    `names`: symbols by mint; another is called by its key's first eight letters. `fee_ppm` is Raydium's AmmConfig's,
    Orca's pool's, without what follows volatility.
    """
    kind = kind_of(address, accounts)
    names = names or {}
    found = said_by(address, accounts)
    fee_ppm = raydium.config(found, accounts).trade_fee if isinstance(found, PoolState) else found.fee_ppm
    tokens = tuple(
        Token(key, names.get(key, key[:8]), mint.mint_of(required(accounts, key, "mint"), key).decimals)
        for key in found.mints
    )
    symbol = "/".join(tokens[place].symbol for place in (base, quote) if 0 <= place < len(tokens))
    return PoolPlan(
        address=address,
        kind=kind,
        protocol=_PROTOCOLS[kind],
        tokens=tokens,
        base=base,
        quote=quote,
        symbol=symbol,
        fee_ppm=fee_ppm,
    )


def said_by(address: str, accounts: Accounts) -> PoolState | WhirlpoolState:
    """What the pool's own account says, of a pool that cannot be quoted, too. Raises PoolRefused."""
    reader = raydium.pool if kind_of(address, accounts) is PoolKind.RAYDIUM_CLMM else orca.pool
    return reader(address, accounts)


def mints_of(address: str, accounts: Accounts) -> tuple[str, str]:
    """The two tokens, from the pool's own account. Raises PoolRefused."""
    return said_by(address, accounts).mints


def vaults_of(address: str, accounts: Accounts) -> tuple[str, str]:
    """The token accounts that hold the pool's two tokens. Raises PoolRefused."""
    return said_by(address, accounts).vaults


def adaptive_fee(address: str, accounts: Accounts) -> Oracle | None:
    """An Orca pool's adaptive fee, to be shown; None where there is none. Raises PoolRefused."""
    return orca.oracle(address, accounts) if kind_of(address, accounts) is PoolKind.ORCA_WHIRLPOOL else None


def problem(curve: Raydium | Whirlpool) -> str:
    """What in this state cannot be; empty when all agrees.

    Going either way, each tick's net leaves a liquidity that can be. Where all ticks on a side are known, none is left
    at the end: so the nets below the price add up to the pool's liquidity, and all of them to 0.
    """
    ticks, tick = curve.ticks, curve.tick
    entries = ticks.entries()
    if not curve.liquidity and not entries:
        return "no liquidity: none at its price and no tick around it"
    for nets, is_end in (
        ([-entry.net for at, entry in reversed(entries.items()) if at <= tick], ticks.low == MIN_TICK),
        ([entry.net for at, entry in entries.items() if at > tick], ticks.high == MAX_TICK),
    ):
        left = curve.liquidity
        for net in nets:
            left += net
            if not 0 <= left < LIQUIDITY_END:
                return f"its ticks do not add up: a swap would reach a liquidity of {left}"
        if is_end and left:
            return f"its ticks do not add up: a liquidity of {left} is left at the end of all prices"
    return ""


def _check_tokens(pool: PoolPlan, accounts: Accounts) -> None:
    """Decimals are the plan's, and a transfer moves what it says."""
    epoch = clock_of(accounts).epoch if CLOCK in accounts else None
    found = said_by(pool.address, accounts)
    own = found.decimals if isinstance(found, PoolState) else (None, None)
    for token, said in zip(pool.tokens, own, strict=True):
        name = f"{token.symbol} {token.address}"
        kept = mint.mint_of(required(accounts, token.address, f"mint {token.symbol}"), name)
        if kept.decimals != token.decimals or said not in (None, kept.decimals):
            pool_says = "" if said is None else f", the pool says {said}"
            raise PoolRefused(
                f"its mint {name} has {kept.decimals} decimals, the settings say {token.decimals}{pool_says}"
            )
        why = mint.problem(kept, name, epoch)
        if why:
            raise PoolRefused(why)
