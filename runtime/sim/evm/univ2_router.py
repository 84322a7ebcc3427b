"""Uniswap V2's Router02: paths over pairs, tokens only (no native coin), its library's quotes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from connectors.amm.curve import QuoteError
from runtime.sim.evm.abi import ZERO, Function, functions, sort_tokens
from runtime.sim.evm.machine import Contract, Revert, Run, require
from runtime.sim.evm.tokens import pull
from runtime.sim.evm.univ2 import V2Factory, V2Pair


class V2Router(Contract):
    """Router02 of one factory."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        ("quote(uint256,uint256,uint256)", "uint256", "quote"),
        ("getAmountsOut(uint256,address[])", "uint256[]", "amounts_out"),
        ("getAmountsIn(uint256,address[])", "uint256[]", "amounts_in"),
        ("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", "uint256[]", "swap_exact_in"),
        ("swapTokensForExactTokens(uint256,uint256,address[],address,uint256)", "uint256[]", "swap_exact_out"),
        (
            "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
            "uint256,uint256,uint256",
            "add_liquidity",
        ),
        (
            "removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)",
            "uint256,uint256",
            "remove_liquidity",
        ),
    )

    def __init__(self, address: str, factory: V2Factory) -> None:
        super().__init__(address)
        self._factory = factory

    def factory_of(self, _run: Run, _sender: str) -> str:
        return self._factory.address

    def quote(self, _run: Run, _sender: str, amount: int, reserve_a: int, reserve_b: int) -> int:
        require(amount > 0, "UniswapV2Library: INSUFFICIENT_AMOUNT")
        require(min(reserve_a, reserve_b) > 0, "UniswapV2Library: INSUFFICIENT_LIQUIDITY")
        return amount * reserve_b // reserve_a

    def amounts_out(self, run: Run, _sender: str, amount: int, path: Sequence[str]) -> list[int]:
        require(len(path) >= 2, "UniswapV2Library: INVALID_PATH")
        amounts = [amount]
        for token_in, token_out in pairwise(path):
            require(amounts[-1] > 0, "UniswapV2Library: INSUFFICIENT_INPUT_AMOUNT")
            curve = self._pair(run, token_in, token_out).curve(run)
            i, j = _places(token_in, token_out)
            try:
                amounts.append(curve.exact_in(i, j, amounts[-1]).amount_out)
            except QuoteError:
                raise Revert("UniswapV2Library: INSUFFICIENT_LIQUIDITY") from None
        return amounts

    def amounts_in(self, run: Run, _sender: str, amount: int, path: Sequence[str]) -> list[int]:
        require(len(path) >= 2, "UniswapV2Library: INVALID_PATH")
        amounts = [amount]
        for token_in, token_out in reversed(list(pairwise(path))):
            require(amounts[0] > 0, "UniswapV2Library: INSUFFICIENT_OUTPUT_AMOUNT")
            curve = self._pair(run, token_in, token_out).curve(run)
            i, j = _places(token_in, token_out)
            try:
                amounts.insert(0, curve.exact_out(i, j, amounts[0]).amount_in)
            except QuoteError:
                raise Revert("ds-math-sub-underflow") from None
        return amounts

    def swap_exact_in(
        self, run: Run, sender: str, amount: int, least: int, path: Sequence[str], to: str, deadline: int
    ) -> list[int]:
        require(deadline >= run.timestamp, "UniswapV2Router: EXPIRED")
        amounts = self.amounts_out(run, sender, amount, path)
        require(amounts[-1] >= least, "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT")
        self._swap(run, sender, amounts, path, to)
        return amounts

    def swap_exact_out(
        self, run: Run, sender: str, amount: int, most: int, path: Sequence[str], to: str, deadline: int
    ) -> list[int]:
        require(deadline >= run.timestamp, "UniswapV2Router: EXPIRED")
        amounts = self.amounts_in(run, sender, amount, path)
        require(amounts[0] <= most, "UniswapV2Router: EXCESSIVE_INPUT_AMOUNT")
        self._swap(run, sender, amounts, path, to)
        return amounts

    def _swap(self, run: Run, sender: str, amounts: Sequence[int], path: Sequence[str], to: str) -> None:
        pairs = [self._pair(run, a, b) for a, b in pairwise(path)]
        _pull(run, self.address, path[0], sender, pairs[0].address, amounts[0])
        for place, pair in enumerate(pairs):
            out = amounts[place + 1]
            outs = (0, out) if path[place + 1] == pair.tokens[1] else (out, 0)
            pair.swap(run, self.address, *outs, pairs[place + 1].address if place + 1 < len(pairs) else to)

    def add_liquidity(
        self, run: Run, sender: str, a: str, b: str, want_a: int, want_b: int, least_a: int, least_b: int,
        to: str, deadline: int,
    ) -> tuple[int, int, int]:  # fmt: skip
        require(deadline >= run.timestamp, "UniswapV2Router: EXPIRED")
        if self._factory.get_pair(run, sender, a, b) == ZERO:
            self._factory.create_pair(run, self.address, a, b)
        pair = self._pair(run, a, b)
        reserves = pair.reserves(run)
        reserve_a, reserve_b = reserves if pair.tokens[0] == a else reserves[::-1]
        amount_a, amount_b = want_a, want_b
        if reserve_a or reserve_b:
            amount_b = self.quote(run, sender, want_a, reserve_a, reserve_b)
            if amount_b <= want_b:
                require(amount_b >= least_b, "UniswapV2Router: INSUFFICIENT_B_AMOUNT")
            else:
                amount_a, amount_b = self.quote(run, sender, want_b, reserve_b, reserve_a), want_b
                require(least_a <= amount_a <= want_a, "UniswapV2Router: INSUFFICIENT_A_AMOUNT")
        _pull(run, self.address, a, sender, pair.address, amount_a)
        _pull(run, self.address, b, sender, pair.address, amount_b)
        return amount_a, amount_b, pair.mint(run, self.address, to)

    def remove_liquidity(
        self, run: Run, sender: str, a: str, b: str, shares: int, least_a: int, least_b: int, to: str, deadline: int
    ) -> tuple[int, int]:
        require(deadline >= run.timestamp, "UniswapV2Router: EXPIRED")
        pair = self._pair(run, a, b)
        pair.transfer_from(run, self.address, sender, pair.address, shares)
        amounts = pair.burn(run, self.address, to)
        amount_a, amount_b = amounts if pair.tokens[0] == a else amounts[::-1]
        require(amount_a >= least_a, "UniswapV2Router: INSUFFICIENT_A_AMOUNT")
        require(amount_b >= least_b, "UniswapV2Router: INSUFFICIENT_B_AMOUNT")
        return amount_a, amount_b

    def _pair(self, run: Run, a: str, b: str) -> V2Pair:
        found = run.contract(self._factory.get_pair(run, self.address, a, b))
        assert isinstance(found, V2Pair)  # noqa: S101 - a factory lists nothing else
        return found


def _places(token_in: str, token_out: str) -> tuple[int, int]:
    return (0, 1) if sort_tokens(token_in, token_out)[0] == token_in else (1, 0)


def _pull(run: Run, router: str, token: str, owner: str, to: str, amount: int) -> None:
    try:
        pull(run, router, token, owner, to, amount)
    except Revert:
        raise Revert("TransferHelper: TRANSFER_FROM_FAILED") from None
