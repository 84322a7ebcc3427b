"""What every reader does first: is this the contract, and are these the tokens, that the plan says?"""

from collections.abc import Sequence
from typing import Final

from connectors.chain import PoolPlan, Token
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.abi import Answers, Call, call, unsigned, words

NATIVE: Final = (
    "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"  # how Curve writes the chain's own coin, which has no contract
)
NATIVE_DECIMALS: Final = 18


def required(answer: bytes | None, what: str) -> bytes:
    """The answer, or PoolRefused where the contract has none."""
    if answer is None:
        raise PoolRefused(f"its contract does not answer {what}: no contract at this address, or one of another kind")
    return answer


def word(answer: bytes | None, what: str, bits: int = 256) -> int:
    """The one number the answer is."""
    try:
        return unsigned(words(required(answer, what), 1)[0], bits)
    except WireError as error:
        raise PoolRefused(f"{what}: {error}") from error


def decimals_calls(tokens: Sequence[Token]) -> list[Call]:
    """One call a token that has a contract."""
    return [call(token.address, "decimals()") for token in tokens if token.address != NATIVE]


def check_decimals(tokens: Sequence[Token], answers: Answers) -> None:
    """Compares the answers of `decimals_calls` with the plan."""
    left = iter(answers)
    for token in tokens:
        found = NATIVE_DECIMALS if token.address == NATIVE else word(next(left), f"decimals() of {token.symbol}", 8)
        if found != token.decimals:
            raise PoolRefused(f"{token.symbol} {token.address} has {found} decimals, the plan says {token.decimals}")


def check_addresses(pool: PoolPlan, found: Sequence[str]) -> None:
    """The contract's tokens, in its order, are the plan's."""
    planned = [token.address for token in pool.tokens]
    if planned != list(found):
        raise PoolRefused(f"its tokens are {' '.join(found)}, the plan says {' '.join(planned)}")


def check_fee(pool: PoolPlan, fee_ppm: int) -> None:
    """A fee in the plan is compared; 0 leaves it to the contract."""
    if pool.fee_ppm not in (0, fee_ppm):
        raise PoolRefused(f"its fee is {fee_ppm} ppm, the plan says {pool.fee_ppm}")
