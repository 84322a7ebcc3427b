"""What a contract is, from the contract alone: which kind of pool, of which tokens, at which fee.

Every kind has a view that no other has: slot0() is V3's, globalState() Algebra's, getPoolId() Balancer's, gamma()
cryptoswap's. What answers none of them is refused with a reason. A V2 pair and its forks look alike and none tells its
fee: `fee_ppm` is then a guess of 3000 unless the caller knows better, which its factory may help with.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.amm.stableswap import FEE_ONE
from connectors.chain import DECIMALS_MAX, PoolKind, PoolPlan, Token
from connectors.errors import PoolRefused, WireError
from connectors.pool import Protocol
from connectors.venues.evm import probed, stable
from connectors.venues.evm.abi import ZERO_ADDRESS, Answers, Reading, address_of, call, text_of, words
from connectors.venues.evm.tokens import NATIVE, NATIVE_DECIMALS, word

V2_FEE_PPM: Final = 3000  # Uniswap's own
SYMBOL_MAX: Final = 32
_PROTOCOLS: Final = {
    PoolKind.UNISWAP_V2: Protocol.UNISWAP_V2,
    PoolKind.UNISWAP_V3: Protocol.UNISWAP_V3,
    PoolKind.CURVE_STABLE: Protocol.CURVE,
    PoolKind.CURVE_STABLE_NG: Protocol.CURVE,
    PoolKind.CURVE_CRYPTO: Protocol.CURVE,
    PoolKind.CURVE_META: Protocol.CURVE,
    PoolKind.BALANCER_V2: Protocol.BALANCER_V2,
}
_VIEWS: Final = (
    "token0()", "token1()", "getReserves()", "slot0()", "tickSpacing()", "globalState()", "fee()", "factory()",
    "stable()", "stableSwap()", "A()", "gamma()", "base_pool()", "BASE_POOL()", "offpeg_fee_multiplier()",
    "stored_rates()", "getPoolId()", "getVault()",
)  # fmt: skip


class Detected(msgspec.Struct, frozen=True):
    """A pool that was found: base is its first token and quote its second. `factory`: its maker; empty: not told."""

    pool: PoolPlan
    factory: str


def detect(address: str) -> Reading[Detected]:
    """Kind, tokens, fee. Raises PoolRefused with the reason where it is no pool that we know."""
    try:
        coins = stable.coin_calls(address, stable.COINS_MAX)
        answers = yield [call(address, view) for view in _VIEWS] + coins
        said = dict(zip(_VIEWS, answers, strict=False))
        kind = _kind(said, answers[len(_VIEWS) :])
        found, quoter, pool_id = yield from _tokens_of(kind, said, answers[len(_VIEWS) :])
        tokens = yield from described(found)
        pool = PoolPlan(
            address=address, kind=kind, protocol=_PROTOCOLS.get(kind, Protocol.UNKNOWN), tokens=tokens, base=0, quote=1,
            symbol=f"{tokens[0].symbol}/{tokens[1].symbol}", fee_ppm=_fee_ppm(kind, said), quoter=quoter,
            pool_id=pool_id,
        )  # fmt: skip
        if kind in (PoolKind.CURVE_STABLE, PoolKind.CURVE_STABLE_NG):
            pool = yield from _proved(pool)
    except WireError as error:
        raise PoolRefused(str(error)) from error
    maker = said["factory()"]
    return Detected(pool, "" if maker is None or len(maker) != 32 else address_of(words(maker)[0]))


def described(addresses: Sequence[str]) -> Reading[tuple[Token, ...]]:
    """Tokens with their symbols and decimals. A symbol that is no name is replaced by the address: it is for people."""
    asked = [address for address in addresses if address != NATIVE]
    answers = yield [call(address, view) for address in asked for view in ("symbol()", "decimals()")]
    known = {NATIVE: Token(NATIVE, "ETH", NATIVE_DECIMALS)}
    for at, address in enumerate(asked):
        symbol, decimals = answers[2 * at : 2 * at + 2]
        found = word(decimals, f"decimals() of {address}", 8)
        if found > DECIMALS_MAX:
            raise PoolRefused(f"{address} has {found} decimals, more than {DECIMALS_MAX}")
        known[address] = Token(address, _symbol(address, symbol), found)
    return tuple(known[address] for address in addresses)


def _kind(said: dict[str, bytes | None], coins: Answers) -> PoolKind:
    there = {view for view, answer in said.items() if answer is not None}
    if {"getPoolId()", "getVault()"} <= there:
        return PoolKind.BALANCER_V2
    if {"token0()", "token1()"} <= there:
        if {"slot0()", "tickSpacing()"} <= there:
            return PoolKind.UNISWAP_V3
        if "globalState()" in there:
            return PoolKind.ALGEBRA
        if "getReserves()" in there:
            return PoolKind.SOLIDLY if there & {"stable()", "stableSwap()"} else PoolKind.UNISWAP_V2
    if "A()" in there and any(answer is not None for answer in coins):
        if "gamma()" in there:
            return PoolKind.CURVE_CRYPTO
        if there & {"base_pool()", "BASE_POOL()"}:
            return PoolKind.CURVE_META
        if "offpeg_fee_multiplier()" in there:
            return PoolKind.CURVE_STABLE_NG if "stored_rates()" in there else PoolKind.CURVE_META
        return PoolKind.CURVE_STABLE
    if not there:
        raise PoolRefused("no contract is there, or it answers none of the views that pools have")
    raise PoolRefused(
        f"it is of no kind that is known: of what pools answer, it knows {', '.join(sorted(there))} alone"
    )


def _tokens_of(kind: PoolKind, said: dict[str, bytes | None], coins: Answers) -> Reading[tuple[list[str], str, str]]:
    """Addresses in the contract's order, and for Balancer the Vault and the pool id."""
    quoter = pool_id = ""
    if kind is PoolKind.BALANCER_V2:
        quoter, number = address_of(word(said["getVault()"], "getVault()")), word(said["getPoolId()"], "getPoolId()")
        pool_id = f"0x{number:064x}"
        answers = yield [call(quoter, "getPoolTokens(bytes32)", number.to_bytes(32))]
        found = probed.balancer_tokens(answers[0])
    elif kind in (PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3, PoolKind.ALGEBRA, PoolKind.SOLIDLY):
        found = [address_of(word(said[view], view)) for view in ("token0()", "token1()")]
    else:
        found = stable.coins_of(coins)
    if len(found) < 2 or len(set(found)) < len(found) or ZERO_ADDRESS in found:
        raise PoolRefused(f"its tokens are {', '.join(found) or 'none'}: not initialised, or no pool")
    return found, quoter, pool_id


def _fee_ppm(kind: PoolKind, said: dict[str, bytes | None]) -> int:
    match kind:
        case PoolKind.UNISWAP_V2:
            return V2_FEE_PPM
        case PoolKind.UNISWAP_V3:
            return word(said["fee()"], "fee()", 24)
        case PoolKind.CURVE_STABLE | PoolKind.CURVE_STABLE_NG:
            return word(said["fee()"], "fee()") * 10**6 // FEE_ONE
        case _:
            return 0


def _proved(pool: PoolPlan) -> Reading[PoolPlan]:
    """The plan, or the same as a pool to be asked where its maths turns out not to be the known one."""
    try:
        yield from stable.read(pool)
    except PoolRefused:
        return msgspec.structs.replace(pool, kind=PoolKind.CURVE_META, fee_ppm=0)
    return pool


def _symbol(address: str, answer: bytes | None) -> str:
    try:
        text = text_of(answer or b"")
    except WireError:
        text = ""
    is_name = 0 < len(text) <= SYMBOL_MAX and text.isprintable() and not set(text) & set(" \"'\\/")
    return text if is_name else address[:10]
