"""Pools that are asked for every quote: who they are is read and checked, their maths stays with the contract."""

from connectors.chain import PoolKind, PoolPlan
from connectors.errors import PoolRefused
from connectors.venues.evm.abi import ZERO_ADDRESS, Answers, Call, Reading, address_of, call, checksummed, decode, words
from connectors.venues.evm.stable import KILLED, check_alive, coin_calls, coins_of
from connectors.venues.evm.tokens import check_addresses, check_decimals, decimals_calls, required, word


def read(pool: PoolPlan) -> Reading[None]:
    """Checks the plan against the contract. There is no state to hold."""
    asked = _identity(pool)
    answers = yield asked + decimals_calls(pool.tokens)
    check_addresses(pool, _tokens(pool, answers[: len(asked)]))
    check_decimals(pool.tokens, answers[len(asked) :])


def balancer_tokens(answer: bytes | None) -> list[str]:
    """The tokens of Vault.getPoolTokens(poolId)."""
    tokens, _balances, _block = decode(
        ["address[]", "uint256[]", "uint256"], required(answer, "getPoolTokens(poolId) at its Vault")
    )
    return [checksummed(token) for token in tokens]


def _identity(pool: PoolPlan) -> list[Call]:
    match pool.kind:
        case PoolKind.CURVE_CRYPTO | PoolKind.CURVE_META:
            return [call(pool.address, KILLED), *coin_calls(pool.address, len(pool.tokens) + 1)]
        case PoolKind.BALANCER_V2:
            if not pool.quoter or len(pool.pool_id) != 66:
                raise PoolRefused("a Balancer pool needs pool_id, and its Vault as quoter")
            pool_id = bytes.fromhex(pool.pool_id[2:])
            return [
                call(pool.address, "getPoolId()"),
                call(pool.address, "getVault()"),
                call(pool.address, "getPausedState()"),
                call(pool.quoter, "getPoolTokens(bytes32)", pool_id),
            ]
        case _:
            if pool.kind is PoolKind.ALGEBRA and not pool.quoter:
                raise PoolRefused("an Algebra pool needs its quoter's address")
            return [call(pool.address, "token0()"), call(pool.address, "token1()")]


def _tokens(pool: PoolPlan, answers: Answers) -> list[str]:
    match pool.kind:
        case PoolKind.CURVE_CRYPTO | PoolKind.CURVE_META:
            check_alive(answers[0])
            return coins_of(answers[1:])
        case PoolKind.BALANCER_V2:
            found = f"0x{word(answers[0], 'getPoolId()'):064x}"
            if found != pool.pool_id.lower():
                raise PoolRefused(f"its pool id is {found}, the plan says {pool.pool_id}")
            vault = address_of(word(answers[1], "getVault()"))
            if vault != pool.quoter:
                raise PoolRefused(f"its Vault is {vault}, the plan says {pool.quoter}")
            if answers[2] is not None and any(words(answers[2])[:1]):
                raise PoolRefused("it is paused: no swap is possible")
            return balancer_tokens(answers[3])
        case _:
            found_tokens = [address_of(word(answers[0], "token0()")), address_of(word(answers[1], "token1()"))]
            if ZERO_ADDRESS in found_tokens:
                raise PoolRefused("it has no tokens: not initialised")
            return found_tokens
