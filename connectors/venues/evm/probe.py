"""Asking the chain what a swap would pay: one view call a quote, for every kind of pool that has such a view.

Kinds whose maths is not ported are asked at every size of the ladder, all in one Multicall3 call. The others are asked
now and then, to check ours. Where quoters of two generations exist, both forms of the call are made: the one that is
not known there reverts at once.
"""

from collections.abc import Sequence
from typing import Final

from connectors.amm.curve import Curve
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.abi import WORD, ZERO_ADDRESS, Answers, Call, call, decode, words

# QuoterV2; Slipstream's, which knows pools by their spacing
_V3_IN: Final = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
_SLIPSTREAM_IN: Final = "quoteExactInputSingle((address,address,uint256,int24,uint160))"
# Algebra's before "Integral", and since
_ALGEBRA: Final = "quoteExact{}Single(address,address,uint256,uint160)"
_INTEGRAL: Final = "quoteExact{}Single((address,address,address,uint256,uint160))"
_BALANCER: Final = (
    "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))"
)
_GIVEN_IN, _GIVEN_OUT = 0, 1
_FORMS: Final = {PoolKind.UNISWAP_V3: 2, PoolKind.ALGEBRA: 2}  # calls a quote; of every other kind one
_WITH_QUOTER: Final = frozenset({PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3, PoolKind.ALGEBRA, PoolKind.BALANCER_V2})
EXACT_OUT: Final = frozenset({PoolKind.ALGEBRA, PoolKind.BALANCER_V2})  # probed kinds with a view for it

Points = list[tuple[int, int]]  # (amount in, amount out), rising


def probe_calls(pool: PoolPlan, asks: Sequence[int], bids: Sequence[int]) -> list[Call]:
    """Quotes at all sizes: `asks` are amounts of the quote token that go in, `bids` of the base token, both rising."""
    i, j = pool.quote, pool.base
    return [
        *(each for amount in asks for each in quote_calls(pool, i, j, amount)),
        *(each for amount in bids for each in quote_calls(pool, j, i, amount)),
    ]


def probe_results(pool: PoolPlan, asks: Sequence[int], bids: Sequence[int], answers: Answers) -> tuple[Points, Points]:
    """What came of `probe_calls`, by side. A side ends where the pool stops answering or pays no more for more."""
    forms = _FORMS.get(pool.kind, 1)
    if len(answers) != (len(asks) + len(bids)) * forms:
        raise WireError(f"{len(answers)} answers to {(len(asks) + len(bids)) * forms} calls")
    split = len(asks) * forms
    return _points(pool, asks, answers[:split], forms), _points(pool, bids, answers[split:], forms)


def requote_calls(pool: PoolPlan, is_ask: bool, amount_in: int, curve: Curve | None = None) -> list[Call]:
    """What a taker would be paid for `amount_in`: an ask takes the quote token, a bid the base. Empty: nobody to ask.

    `curve`, where there is one, knows a V3 pool's fee and spacing, which a plan may leave open.
    """
    if pool.kind in _WITH_QUOTER and not pool.quoter:
        return []
    i, j = (pool.quote, pool.base) if is_ask else (pool.base, pool.quote)
    return quote_calls(pool, i, j, amount_in, curve)


def requoted(pool: PoolPlan, answers: Answers) -> int:
    """The amount out; WireError where no form of the call was answered."""
    found = _first(pool, answers)
    if found is None:
        raise WireError("its quoter did not answer" if pool.kind in _WITH_QUOTER else "its view did not answer")
    return found


def quote_calls(pool: PoolPlan, i: int, j: int, amount: int, curve: Curve | None = None) -> list[Call]:
    """Calls whose first answer is what `amount` of token i buys of token j."""
    token_in, token_out = pool.tokens[i].address, pool.tokens[j].address
    match pool.kind:
        case PoolKind.UNISWAP_V2:
            return [call(pool.quoter, "getAmountsOut(uint256,address[])", amount, [token_in, token_out])]
        case PoolKind.UNISWAP_V3:
            fee, spacing = getattr(curve, "fee_ppm", pool.fee_ppm), getattr(getattr(curve, "ticks", None), "spacing", 0)
            return [
                call(pool.quoter, _V3_IN, (token_in, token_out, amount, fee, 0)),
                call(pool.quoter, _SLIPSTREAM_IN, (token_in, token_out, amount, spacing, 0)),
            ]
        case PoolKind.CURVE_STABLE | PoolKind.CURVE_STABLE_NG | PoolKind.CURVE_META:
            return [call(pool.address, "get_dy(int128,int128,uint256)", i, j, amount)]
        case PoolKind.CURVE_CRYPTO:
            return [call(pool.address, "get_dy(uint256,uint256,uint256)", i, j, amount)]
        case PoolKind.SOLIDLY:
            return [call(pool.address, "getAmountOut(uint256,address)", amount, token_in)]
        case PoolKind.ALGEBRA:
            return _algebra(pool, "Input", token_in, token_out, amount)
        case PoolKind.BALANCER_V2:
            return [_balancer(pool, _GIVEN_IN, token_in, token_out, amount)]
        case _:
            raise PoolRefused(f"{pool.kind} is no kind of pool on an EVM chain")


def exact_out_calls(pool: PoolPlan, i: int, j: int, amount: int) -> list[Call]:
    """Calls whose first answer is what `amount` of token j costs in token i; for kinds in EXACT_OUT."""
    token_in, token_out = pool.tokens[i].address, pool.tokens[j].address
    if pool.kind is PoolKind.ALGEBRA:
        return _algebra(pool, "Output", token_in, token_out, amount)
    return [_balancer(pool, _GIVEN_OUT, token_in, token_out, amount)]


def exact_out_quoted(pool: PoolPlan, answers: Answers) -> int:
    """The amount in, of `exact_out_calls`."""
    given = next((form for form, answer in enumerate(answers) if answer is not None), None)
    if given is None:
        raise WireError("its quoter did not answer")
    answer = answers[given] or b""
    if pool.kind is PoolKind.BALANCER_V2:
        return _deltas(answer)[0]
    found = words(answer)
    if len(found) <= given:  # Integral's says the amount out first, then the amount in
        raise WireError(f"a quoter's answer of {len(answer)} bytes")
    return found[given]


def _algebra(pool: PoolPlan, way: str, token_in: str, token_out: str, amount: int) -> list[Call]:
    return [
        call(pool.quoter, _ALGEBRA.format(way), token_in, token_out, amount, 0),
        call(pool.quoter, _INTEGRAL.format(way), (token_in, token_out, ZERO_ADDRESS, amount, 0)),
    ]


def _balancer(pool: PoolPlan, given: int, token_in: str, token_out: str, amount: int) -> Call:
    steps = [(bytes.fromhex(pool.pool_id[2:]), 0, 1, amount, b"")]
    funds = (ZERO_ADDRESS, False, ZERO_ADDRESS, False)
    return call(pool.quoter, _BALANCER, given, steps, [token_in, token_out], funds)


def _deltas(answer: bytes) -> tuple[int, int]:
    """The Vault's changes of the two tokens: what it receives is above zero, what it pays below."""
    (deltas,) = decode(["int256[]"], answer)
    if len(deltas) != 2:
        raise WireError(f"the Vault answered {len(deltas)} deltas of 2")
    return int(deltas[0]), int(deltas[1])


def _points(pool: PoolPlan, amounts: Sequence[int], answers: Answers, forms: int) -> Points:
    points: Points = []
    for at, amount in enumerate(amounts):
        out = _first(pool, answers[at * forms : (at + 1) * forms])
        if out is None or out <= (points[-1][1] if points else 0):
            break
        points.append((amount, out))
    return points


def _first(pool: PoolPlan, answers: Answers) -> int | None:
    return next((_amount(pool.kind, answer) for answer in answers if answer is not None), None)


def _amount(kind: PoolKind, answer: bytes) -> int:
    match kind:
        case PoolKind.UNISWAP_V2:
            (amounts,) = decode(["uint256[]"], answer)
            if len(amounts) != 2:
                raise WireError(f"the router answered {len(amounts)} amounts of 2")
            return int(amounts[1])
        case PoolKind.BALANCER_V2:
            return -_deltas(answer)[1]
        case PoolKind.UNISWAP_V3 | PoolKind.ALGEBRA:  # the amount, and more that differs
            if len(answer) < WORD:
                raise WireError(f"a quoter's answer of {len(answer)} bytes")
            return words(answer)[0]
        case _:
            return words(answer, 1)[0]
