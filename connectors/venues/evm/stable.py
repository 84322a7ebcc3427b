"""Curve's StableSwap pools, old and NG, of plain coins. https://docs.curve.finance/stableswap-exchange/overview/

There are dozens of contracts that look like one. So the maths is put to the test before it is believed: the pool's own
get_dy is asked at the same block, four times, and must agree to the last unit; a pool of lending coins, a
rebasing one, one with more coins than the plan or a variant that rounds otherwise is refused here and can be followed
as `curve_meta`. Events carry no state, and with
rates or a ramping A it changes without any: `drifts` in reading.py.
"""

from collections.abc import Iterator
from typing import Final

from connectors.amm.curve import Curve, QuoteError
from connectors.amm.stableswap import A_PRECISION, FEE_ONE, StableSwap
from connectors.chain import DECIMALS_MAX, PoolKind, PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.abi import WORD, Answers, Call, Reading, address_of, call, words
from connectors.venues.evm.probe import quote_calls, requoted
from connectors.venues.evm.tokens import check_addresses, check_decimals, check_fee, decimals_calls, word

COINS_MAX: Final = 8
AMP_MAX: Final = 10**6 * A_PRECISION
_INDEX_TYPES: Final = ("uint256", "int128")  # the oldest pools count their coins with int128
_FEE_ONE_PPM: Final = 10**6
_SHARES: Final = (1000, 10)  # parts of a balance that the test swaps
_META: Final = ("base_pool()", "BASE_POOL()")
KILLED: Final = "is_killed()"  # where its owner can halt a pool, which goes on answering get_dy; NG has no such view
_PARAMETERS: Final = (
    "A_precise()", "A()", "fee()", "offpeg_fee_multiplier()", "stored_rates()", "admin_fee()", KILLED,
)  # fmt: skip
_DYNAMIC_MAX: Final = FEE_ONE // 2 * FEE_ONE  # NG's own bound of offpeg_fee_multiplier × fee: half of what is swapped


def read(pool: PoolPlan) -> Reading[Curve]:
    """The pool at one block, proved against its own get_dy."""
    coins, decimals = coin_calls(pool.address, len(pool.tokens)), decimals_calls(pool.tokens)
    asked = [coins, decimals, scalars(pool), [call(pool.address, view) for view in _META]]
    answers = yield [each for calls in asked for each in calls]
    found = [answers[sum(map(len, asked[:at])) :][: len(calls)] for at, calls in enumerate(asked)]
    check_addresses(pool, coins_of(found[0]))
    check_decimals(pool.tokens, found[1])
    if any(answer is not None for answer in found[3]):
        raise PoolRefused(f"it is a metapool (base_pool() answers): its kind is {PoolKind.CURVE_META}")
    curve = _curve(pool, found[2])
    check_fee(pool, curve.fee * _FEE_ONE_PPM // FEE_ONE)
    yield from _proved(pool, curve)
    return curve


def scalars(pool: PoolPlan) -> list[Call]:
    """All of its state."""
    return balance_calls(pool.address, len(pool.tokens)) + [call(pool.address, view) for view in _PARAMETERS]


def differs(pool: PoolPlan, curve: StableSwap, answers: Answers) -> str:
    """'' or what is not as it was when the pool was read."""
    found = _curve(pool, answers)
    return ", ".join(
        f"{name} is {there}, was {here}"
        for name in ("balances", "rates", "amp", "fee", "offpeg_fee_multiplier", "admin_fee")
        if (there := getattr(found, name)) != (here := getattr(curve, name))
    )


def coin_calls(address: str, count: int) -> list[Call]:
    """The first `count` coins, each asked in both dialects."""
    return _by_index(address, "coins", count)


def balance_calls(address: str, count: int) -> list[Call]:
    """The first `count` balances, each asked in both dialects."""
    return _by_index(address, "balances", count)


def coins_of(answers: Answers) -> list[str]:
    """The coins that `coin_calls` found, up to the first place where there is none."""
    found = []
    for value in _values(answers):
        if not value:
            break
        found.append(address_of(value))
    return found


def check_alive(killed: bytes | None) -> None:
    """PoolRefused where the answer to is_killed() is yes."""
    if killed is not None and word(killed, KILLED):
        raise PoolRefused("it is killed: no swap is possible")


def _curve(pool: PoolPlan, answers: Answers) -> StableSwap:
    count = len(pool.tokens)
    balances = tuple(_values(answers[: 2 * count]))
    precise, whole, fee, offpeg, rates, admin, killed = answers[2 * count :]
    check_alive(killed)
    if None in balances or not all(balances):
        raise PoolRefused(f"no liquidity: its balances are {', '.join(map(str, balances))}")
    amp = word(whole, "A()") * A_PRECISION if precise is None else word(precise, "A_precise()")
    is_ng = pool.kind is PoolKind.CURVE_STABLE_NG
    if is_ng and (offpeg is None or rates is None):
        raise PoolRefused(f"it has no offpeg_fee_multiplier() or stored_rates(): not of kind {pool.kind}")
    if offpeg is not None and not is_ng:
        raise PoolRefused(
            "its fee is dynamic (offpeg_fee_multiplier() answers): its kind is curve_stable_ng or curve_meta"
        )
    curve = StableSwap(
        balances=tuple(balance or 0 for balance in balances),
        rates=_rates(pool, rates),
        amp=amp,
        fee=word(fee, "fee()"),
        offpeg_fee_multiplier=word(offpeg, "offpeg_fee_multiplier()") if is_ng else 0,
        is_ng=is_ng,
        admin_fee=0 if admin is None else word(admin, "admin_fee()"),
    )
    if not 0 < curve.amp <= AMP_MAX or curve.fee >= FEE_ONE or curve.admin_fee > FEE_ONE:
        raise PoolRefused(f"its A is {amp}, its fee {curve.fee}, its admin's part {curve.admin_fee}: out of range")
    if curve.offpeg_fee_multiplier * curve.fee > _DYNAMIC_MAX:
        factor = curve.offpeg_fee_multiplier
        raise PoolRefused(f"its offpeg_fee_multiplier is {factor} at a fee of {curve.fee}: out of range")
    return curve


def _rates(pool: PoolPlan, answer: bytes | None) -> tuple[int, ...]:
    """stored_rates(), a list in NG and a fixed array before; without it the coins' decimals."""
    count = len(pool.tokens)
    if answer is None:
        return tuple(10 ** (DECIMALS_MAX - token.decimals) for token in pool.tokens)
    found = words(answer)
    if len(found) == count + 2 and found[:2] == (WORD, count):
        found = found[2:]
    if len(found) != count or not all(found):
        raise PoolRefused(f"stored_rates() answers {len(found)} words for {count} coins, or a rate of 0")
    return found


def _proved(pool: PoolPlan, curve: StableSwap) -> Reading[None]:
    ways = [(pool.base, pool.quote), (pool.quote, pool.base)]
    asked = [(i, j, curve.balances[i] // share) for i, j in ways for share in _SHARES if curve.balances[i] >= share]
    answers = yield [each for i, j, amount in asked for each in quote_calls(pool, i, j, amount)]
    for (i, j, amount), answer in zip(asked, answers, strict=True):
        try:
            theirs = requoted(pool, [answer])
            ours = curve.view(i, j, amount)
        except (WireError, QuoteError) as error:
            raise PoolRefused(f"get_dy({i}, {j}, {amount}): {error}") from error
        if ours != theirs:
            raise PoolRefused(
                f"get_dy({i}, {j}, {amount}) answers {theirs}, {pool.kind} would {ours}: a variant that is not known; "
                f"follow it as {PoolKind.CURVE_META}"
            )


def _by_index(address: str, name: str, count: int) -> list[Call]:
    return [call(address, f"{name}({kind})", place) for place in range(count) for kind in _INDEX_TYPES]


def _values(answers: Answers) -> Iterator[int | None]:
    """Of each place the answer of the dialect that the contract speaks; None where it has nothing."""
    for at in range(0, len(answers), len(_INDEX_TYPES)):
        answer = next((found for found in answers[at : at + len(_INDEX_TYPES)] if found is not None), None)
        yield None if answer is None else word(answer, "coins or balances")
