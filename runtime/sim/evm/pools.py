"""What every simulated pool has in common, whatever its ABI: a curve, tokens, and a plain exact-in trade."""

from typing import Any

from connectors.amm.curve import Curve
from runtime.sim.evm.machine import Contract, Revert, Run
from runtime.sim.evm.tokens import Erc20, token_at


class Pool(Contract):
    """A pool as the simulated traders see it. `tokens` are addresses in the contract's own order."""

    tokens: tuple[str, ...] = ()

    def curve(self, run: Run) -> Curve:
        """Its state now. Raises Revert before it has one."""
        curve: Curve | None = self.load(run, "curve", None)
        if curve is None:
            raise Revert("LOK")
        return curve

    def seed(self, run: Run, payer: str, curve: Any, amounts: tuple[int, ...]) -> None:
        """Gives a new pool its state and the tokens that belong to it."""
        self.store(run, "curve", curve)
        for token, amount in zip(self.tokens, amounts, strict=True):
            token_at(run, token).move(run, payer, self.address, amount)

    def trade(self, run: Run, payer: str, i: int, j: int, amount: int) -> int:
        """Swaps `amount` of token i from `payer`, who is a contract, and returns what it got. Raises Revert."""
        raise NotImplementedError

    def token(self, run: Run, place: int) -> Erc20:
        """One of its tokens."""
        return token_at(run, self.tokens[place])


def pay(run: Run, pool: Pool, i: int, j: int, amounts: tuple[int, int], payer: str, to: str) -> None:
    """Moves what a swap takes and pays; `payer` has already agreed."""
    pool.token(run, i).move(run, payer, pool.address, amounts[0])
    pool.token(run, j).move(run, pool.address, to, amounts[1])
