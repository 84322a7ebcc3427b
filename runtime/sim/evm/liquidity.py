"""Prices of tokens as ratios, and the first liquidity of a concentrated pool around them."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import isqrt
from typing import Final

from connectors.amm.tickmath import MAX_TICK, tick_at
from connectors.chain import Token
from runtime.sim.evm.machine import Run
from runtime.sim.evm.univ3 import V3Pool
from runtime.sim.evm.univ3_periphery import liquidity_for

Mid = Callable[[str], Fraction | None]
"""The price of a symbol like ETH/USD now, or None while nobody knows."""

START: Final = {
    "BTC": Fraction(628069, 10), "ETH": Fraction(179725, 100), "SOL": Fraction(14852, 100), "POL": Fraction(4, 10),
    "MATIC": Fraction(4, 10), "ARB": Fraction(35, 100), "OP": Fraction(7, 10),
}  # fmt: skip
MEANS: Final = {
    "WETH": "ETH", "WBTC": "BTC", "cbBTC": "BTC", "tBTC": "BTC", "XBT": "BTC", "WPOL": "POL", "WMATIC": "POL",
    "USDC": "USD", "USDC.e": "USD", "USDbC": "USD", "USDT": "USD", "USDT0": "USD", "DAI": "USD", "FRAX": "USD",
}  # fmt: skip
_WIDTHS: Final = (MAX_TICK, 6_000, 2_000, 600, 150)  # ticks to each side, and an equal part of the money for each


class Prices:
    """What tokens are worth in dollars: what the market says, else a start price, else 1. `pegs`: ppm off, by token."""

    def __init__(self, mid: Mid, means: Mapping[str, str] | None = None) -> None:
        self._mid, self._means = mid, {**MEANS, **(means or {})}
        self.pegs: dict[str, int] = {}

    def usd(self, token: Token) -> Fraction:
        """Dollars for one whole token."""
        name = self._means.get(token.symbol, token.symbol)
        if name == "USD":
            return Fraction(10**6 + self.pegs.get(token.symbol, 0), 10**6)
        return self._mid(f"{name}/USD") or START.get(name, Fraction(1))

    def amount(self, token: Token, usd: int) -> int:
        """So many dollars in the token's smallest unit."""
        price = self.usd(token)
        return int(usd * 10**token.decimals * price.denominator // price.numerator)

    def are_alike(self, tokens: Sequence[Token]) -> bool:
        """Whether they are worth the same to 5 %: what a stable pool is for."""
        values = [self.usd(token) for token in tokens]
        return 20 * (max(values) - min(values)) < min(values)

    def ratio(self, i: Token, j: Token) -> Fraction:
        """Token j per token i, in smallest units."""
        one, other = self.usd(i), self.usd(j)
        return Fraction(
            one.numerator * other.denominator * 10**j.decimals, one.denominator * other.numerator * 10**i.decimals
        )


def fill_concentrated(run: Run, pool: V3Pool, payer: str, tokens: Sequence[Token], prices: Prices, usd: int) -> None:
    """Initialises a pool at the prices' ratio and gives it nested positions, the full range among them."""
    ratio = prices.ratio(tokens[0], tokens[1])
    price = isqrt((ratio.numerator << 192) // ratio.denominator)
    pool.initialize(run, payer, price)
    tick, spacing = tick_at(price), pool.spacing
    for width in _WIDTHS:
        low = max(tick - width, -MAX_TICK) // spacing * spacing
        high = min(tick + width, MAX_TICK) // spacing * spacing + spacing
        while low < -MAX_TICK:
            low += spacing
        while high > MAX_TICK:
            high -= spacing
        want = tuple(prices.amount(token, usd // len(_WIDTHS)) for token in tokens)
        liquidity = liquidity_for(price, low, high, (want[0], want[1]))
        pool.mint(run, payer, low, high, liquidity, pool.payer(run, payer))
