"""Pools whose state is known: V3 from positions, Curve from balances, each with its views as contracts offer them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.chain import Token
from tests.support.evm_contracts import USDC, WETH, Reverted, Views

Position = tuple[int, int, int]  # lower, upper, liquidity
ABI_SLOT0: Final = "uint160,int24,uint16,uint16,uint16,uint8,bool"
ABI_TICKS: Final = "uint128,int128,uint256,uint256,int56,uint160,uint32,bool"


@dataclass
class V3:
    """A pool of positions; its ticks are what they add up to."""

    sqrt_price_x96: int
    tick: int
    spacing: int = 60
    fee_ppm: int = 3000
    positions: list[Position] = field(default_factory=list)
    tokens: tuple[Token, Token] = (WETH, USDC)

    @property
    def liquidity(self) -> int:
        return sum(amount for lower, upper, amount in self.positions if lower <= self.tick < upper)

    @property
    def ticks(self) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for lower, upper, amount in self.positions:
            for tick, change in ((lower, amount), (upper, -amount)):
                gross, net = found.get(tick, (0, 0))
                found[tick] = gross + amount, net + change
        return {tick: entry for tick, entry in sorted(found.items()) if entry[0]}

    def views(self) -> dict[str, tuple[str, Any]]:
        return v3_views(self.sqrt_price_x96, self.tick, self.liquidity, self.fee_ppm, self.spacing, self.ticks,
                        self.tokens)  # fmt: skip


def v3_views(
    sqrt_price_x96: int, tick: int, liquidity: int, fee_ppm: int, spacing: int, ticks: Mapping[int, tuple[int, int]],
    tokens: tuple[Token, Token],
) -> dict[str, tuple[str, Any]]:  # fmt: skip
    """A contract with this state."""
    bitmap: dict[int, int] = {}
    for at in ticks:
        assert at % spacing == 0
        bitmap[at // spacing // 256] = bitmap.get(at // spacing // 256, 0) | 1 << (at // spacing % 256)
    return {
        "slot0()": (ABI_SLOT0, (sqrt_price_x96, tick, 3, 10, 10, 0, True)),
        "liquidity()": ("uint128", liquidity),
        "fee()": ("uint24", fee_ppm),
        "tickSpacing()": ("int24", spacing),
        "token0()": ("address", tokens[0].address),
        "token1()": ("address", tokens[1].address),
        "tickBitmap(int16)": ("uint256", lambda word: bitmap.get(word, 0)),
        "ticks(int24)": (ABI_TICKS, lambda at: (*ticks.get(at, (0, 0)), 7, 8, -9, 10, 11, at in ticks)),
    }


@dataclass
class Stable:
    """An old StableSwap pool, as its documentation describes `get_dy`."""

    balances: Sequence[int]
    tokens: tuple[Token, ...]
    amp: int = 2000
    fee: int = 4_000_000
    skim: int = 0  # what this variant pays less

    def get_dy(self, i: int, j: int, dx: int) -> int:
        rates: list[int] = [10 ** (36 - token.decimals) for token in self.tokens]
        scaled = [balance * rate // 10**18 for balance, rate in zip(self.balances, rates, strict=True)]
        moved = scaled.copy()
        moved[i] += dx * rates[i] // 10**18
        y = self._y(self._d(scaled), [amount for place, amount in enumerate(moved) if place != j])
        gross = (scaled[j] - y - 1) * 10**18 // rates[j]
        return gross - self.fee * gross // 10**10 - self.skim

    def _d(self, scaled: Sequence[int]) -> int:
        count, total = len(scaled), sum(scaled)
        ann, d, before = self.amp * len(scaled), total, 0
        while abs(d - before) > 1:
            product = d
            for amount in scaled:
                product = product * d // (amount * count)
            before, d = d, (ann * total + product * count) * d // ((ann - 1) * d + (count + 1) * product)
        return d

    def _y(self, d: int, others: Sequence[int]) -> int:
        count = len(others) + 1
        ann, c = self.amp * count, d
        for amount in others:
            c = c * d // (amount * count)
        c = c * d // (ann * count)
        b, y, before = sum(others) + d // ann, d, 0
        while abs(y - before) > 1:
            before, y = y, (y * y + c) // (2 * y + b - d)
        return y

    def views(self, index: str = "int128") -> dict[str, tuple[str, Any]]:
        def at(values: Sequence[Any]) -> Any:
            def value(place: int) -> Any:
                if not 0 <= place < len(values):
                    raise Reverted
                return values[place]

            return value

        return {
            f"coins({index})": ("address", at([token.address for token in self.tokens])),
            f"balances({index})": ("uint256", at(self.balances)),
            "A()": ("uint256", self.amp),
            "fee()": ("uint256", self.fee),
            "admin_fee()": ("uint256", 5 * 10**9),
            "get_dy(int128,int128,uint256)": ("uint256", self.get_dy),
        }


def with_view(views: Views, signature: str, types: str, answer: Any) -> Views:
    """The same contract with one view more, or another."""
    return {**views, signature: (types, answer)}
