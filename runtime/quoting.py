"""`gateway quote`: what one pool on an EVM chain pays, or takes, at its newest block; from the contract alone."""

import re
from typing import Any, Final

import msgspec

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Beyond, Curve, QuoteError
from connectors.chain import PROBED, PoolKind, PoolPlan
from connectors.errors import ConfigError, PoolRefused, WireError
from connectors.venues.evm.abi import UINT_MAX, Answers, Call, Reading, checksummed
from connectors.venues.evm.detect import Detected, detect
from connectors.venues.evm.probe import EXACT_OUT, exact_out_calls, exact_out_quoted, quote_calls, requoted
from connectors.venues.evm.reading import extended, read
from runtime.chains import NAMES, Chain, Factory, shipped
from runtime.rpc import Block, Rpc

_AMOUNT: Final = re.compile("[0-9]{1,78}")
_ROUNDS_MAX: Final = 40  # of 200 words a side; the finest pool has 6,932


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question: addresses are checksummed, `amount` is of the token that goes in, or with `is_out` comes out.

    What is left empty is found out: `token_out` of a pool of two, `quoter` and `fee_ppm` of a known factory's.
    """

    pool: str
    token_in: str
    amount: int
    is_out: bool = False
    token_out: str = ""
    quoter: str = ""
    fee_ppm: int | None = None


class _Swap(msgspec.Struct, frozen=True):
    amount_in: int
    amount_out: int
    sqrt_price_x96_after: int | None = None
    ticks_crossed: int = 0


def asked(
    pool: str, token_in: str, amount: str, *, exact_out: bool = False, token_out: str = "", quoter: str = "",
    fee_ppm: int | None = None,
) -> Asked:  # fmt: skip
    """A person's words, checked. Raises ConfigError."""
    if not _AMOUNT.fullmatch(amount) or not 0 < int(amount) <= UINT_MAX:
        raise ConfigError(
            f"{amount[:90]} is no amount", place="--amount",
            mend="give a whole number from 1 to 2^256 - 1 of the token's smallest units",
        )  # fmt: skip
    return Asked(
        pool=address_of("--pool", pool), token_in=address_of("--token-in", token_in), amount=int(amount),
        is_out=exact_out, token_out=address_of("--token-out", token_out) if token_out else "",
        quoter=address_of("--quoter", quoter) if quoter else "", fee_ppm=fee_ppm,
    )  # fmt: skip


def address_of(option: str, text: str) -> str:
    """The address as EIP-55 writes it. Raises ConfigError."""
    try:
        return checksummed(text)
    except WireError as error:
        raise ConfigError(str(error), place=option, mend="copy the address again") from None


def quote(url: str, want: Asked) -> dict[str, Any]:
    """Raw integers of one swap at one block. Raises ConfigError for everything that cannot be quoted."""
    with Rpc(url) as rpc:
        block = rpc.newest()
        require_code(rpc, "--pool", want.pool, block)
        try:
            found = rpc.drive(detect(want.pool), block)
            chain = chain_of_id(rpc.number("eth_chainId"))
            maker = maker_of(found, chain)
            plan = _planned(found, maker, chain, want)
            curve = rpc.drive(read(plan), block)
            swap = _probed(rpc, plan, block, want) if curve is None else _computed(rpc, plan, block, curve, want)
        except (PoolRefused, WireError) as refused:
            raise ConfigError(str(refused), place=f"--pool {want.pool}", mend="quote another pool") from None
        except QuoteError as error:
            raise ConfigError(str(error), place=f"--amount {want.amount}", mend="ask for another amount") from None
    return _result(plan, block, swap, want) | {"fee_from": _fee_from(plan, maker, want)}


def require_code(rpc: Rpc, option: str, address: str, block: Block) -> None:
    """Raises ConfigError where no contract is at the address."""
    if not rpc.has_code(address, block):
        problem = f"there is no contract at this address in block {block.number}"
        raise ConfigError(problem, place=f"{option} {address}", mend="check it, and that the endpoint is of its chain")


def chain_of_id(chain_id: int) -> Chain | None:
    """The shipped chain of this id."""
    return next((chain for chain in map(shipped, NAMES.values()) if chain.chain_id == chain_id), None)


def maker_of(found: Detected, chain: Chain | None) -> Factory | None:
    """The shipped factory that the pool says it is of."""
    makers = chain.factories if chain is not None else ()
    return next((maker for maker in makers if maker.address and maker.address == found.factory), None)


def of_maker(pool: PoolPlan, maker: Factory | None) -> PoolPlan:
    """The pool with what its factory tells: protocol, quoter, and the fee of a V2 pair."""
    if maker is None:
        return pool
    is_one_fee = pool.kind is PoolKind.UNISWAP_V2 and len(maker.fees_ppm) == 1
    return msgspec.structs.replace(
        pool, protocol=maker.protocol, quoter=pool.quoter or maker.quoter,
        fee_ppm=maker.fees_ppm[0] if is_one_fee else pool.fee_ppm,
    )  # fmt: skip


def _planned(found: Detected, maker: Factory | None, chain: Chain | None, want: Asked) -> PoolPlan:
    """The pool with what its factory tells, then what is shipped about it, then what a person said."""
    pool = of_maker(found.pool, maker)
    known = next((each for each in (chain.pools if chain else ()) if each.address == pool.address), None)
    quoter = want.quoter or pool.quoter or (known.quoter if known is not None else "")
    fee_ppm = pool.fee_ppm if want.fee_ppm is None else want.fee_ppm
    pool = msgspec.structs.replace(pool, quoter=quoter, fee_ppm=fee_ppm)
    if pool.kind is PoolKind.ALGEBRA and not pool.quoter:
        problem = "an Algebra pool is quoted by a contract of its own, and neither pool nor factory is shipped"
        raise ConfigError(problem, place="--quoter", mend="give the address of Algebra's quoter")
    i, j = _places(pool, want)
    return msgspec.structs.replace(pool, base=i, quote=j)


def _places(pool: PoolPlan, want: Asked) -> tuple[int, int]:
    addresses = [token.address for token in pool.tokens]
    there = ", ".join(f"{token.symbol} {token.address}" for token in pool.tokens)
    for option, token in (("--token-in", want.token_in), ("--token-out", want.token_out)):
        if token and token not in addresses:
            raise ConfigError("is no token of this pool", place=f"{option} {token}", mend=f"its tokens: {there}")
    i = addresses.index(want.token_in)
    if not want.token_out and len(addresses) > 2:
        raise ConfigError(f"the pool has {len(addresses)} tokens", place="--token-out", mend=f"name one of: {there}")
    j = addresses.index(want.token_out) if want.token_out else 1 - i
    if i == j:
        raise ConfigError("is the token that goes in", place="--token-out", mend=f"its tokens: {there}")
    return i, j


def _computed(rpc: Rpc, plan: PoolPlan, block: Block, curve: Curve, want: Asked) -> _Swap:
    """The swap; as often as it goes beyond the ticks that were read, more of them are."""
    for _ in range(_ROUNDS_MAX):
        try:
            swap = curve.exact_out if want.is_out else curve.exact_in
            made = swap(plan.base, plan.quote, want.amount)
        except Beyond:
            curve = rpc.drive(extended(plan, curve), block)
            continue
        after = made.after.sqrt_price_x96 if isinstance(made.after, Concentrated) else None
        return _Swap(made.amount_in, made.amount_out, after, made.ticks_crossed)
    raise PoolRefused("it has ticks without end")


def _probed(rpc: Rpc, plan: PoolPlan, block: Block, want: Asked) -> _Swap:
    """The same by one call of the pool's own view; what the pool is afterwards, it does not tell."""
    i, j, amount = plan.base, plan.quote, want.amount
    if not want.is_out:
        answers = rpc.drive(_asking(quote_calls(plan, i, j, amount)), block)
        return _Swap(amount, requoted(plan, answers))
    if plan.kind not in EXACT_OUT:
        problem = f"{plan.kind} pools have no view that tells it"
        raise ConfigError(problem, place="--exact-out", mend="leave it out and vary --amount")
    answers = rpc.drive(_asking(exact_out_calls(plan, i, j, amount)), block)
    return _Swap(exact_out_quoted(plan, answers), amount)


def _asking(calls: list[Call]) -> Reading[Answers]:
    """The answers to one stage of calls."""
    return (yield calls)


def _result(plan: PoolPlan, block: Block, swap: _Swap, want: Asked) -> dict[str, Any]:
    sold, bought = plan.tokens[plan.base], plan.tokens[plan.quote]
    return {
        "protocol": plan.kind.value, "block": block.number, "amount_in": swap.amount_in, "amount_out": swap.amount_out,
        "sqrt_price_x96_after": swap.sqrt_price_x96_after, "ticks_crossed": swap.ticks_crossed,
        "block_hash": block.hash, "pool": plan.address, "exact": "out" if want.is_out else "in",
        "token_in": sold.address, "symbol_in": sold.symbol, "decimals_in": sold.decimals,
        "token_out": bought.address, "symbol_out": bought.symbol, "decimals_out": bought.decimals,
        "fee_ppm": None if plan.kind in PROBED else plan.fee_ppm,
    }  # fmt: skip


def _fee_from(plan: PoolPlan, maker: Factory | None, want: Asked) -> str | None:
    """Where the fee is known from; a V2 pair does not tell it, and of a probed pool it is part of the answer."""
    if plan.kind in PROBED:
        return None
    if plan.kind is not PoolKind.UNISWAP_V2:
        return "contract"
    if want.fee_ppm is not None:
        return "--fee-ppm"
    return f"factory {maker.name}" if maker is not None and maker.fees_ppm else "assumed, as Uniswap's own"
