"""One stretch of a concentrated pool's swap, where liquidity stays: amounts and prices, rounded as the pool does.

Formulas: "Uniswap v3 Core", §6.2 (6.13–6.16): Δ√P = Δy / L and Δ(1/√P) = Δx / L. Where each rounds, and what happens
when a 256-bit product overflows, follows `SqrtPriceMath` and `SwapMath` of @uniswap/v3-sdk (MIT). Always against the
trader: what goes in rounds up, what comes out rounds down, a price moves too little for an amount in, too far for one
out. Raydium's and Orca's pools round at the same places (crates solana-clmm-raydium 0.2.0, MIT or Apache-2.0, and
orca_whirlpools_core 1.0.3, Apache-2.0); their prices have 64 places after the point, not 96.

`down`: token 0 goes in and the price falls; otherwise token 1 goes in and it rises. Prices are square roots.
"""

from typing import Final

from connectors.amm.curve import QuoteError

MILLION: Final = 1_000_000
_WORD: Final = 1 << 256


def fee_on(net: int, fee_ppm: int) -> int:
    """The fee on top of `net` that has gone in whole."""
    return -(-net * fee_ppm // (MILLION - fee_ppm))


class Steps:
    """The formulas for prices with `bits` binary places."""

    __slots__ = ("bits",)

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def amount0(self, low: int, high: int, liquidity: int) -> int:
        """Token 0 paid out between two prices."""
        return (liquidity << self.bits) * (high - low) // high // low

    def amount0_up(self, low: int, high: int, liquidity: int) -> int:
        """Token 0 taken between two prices."""
        return -(-(liquidity << self.bits) * (high - low) // high // low)

    def amount1(self, low: int, high: int, liquidity: int) -> int:
        """Token 1 paid out between two prices."""
        return liquidity * (high - low) >> self.bits

    def amount1_up(self, low: int, high: int, liquidity: int) -> int:
        """Token 1 taken between two prices."""
        return -(-liquidity * (high - low) >> self.bits)

    def price_after_in(self, price: int, liquidity: int, amount: int, down: bool) -> int:
        """The price once `amount`, fee already taken, has gone in."""
        if not down:
            return price + (amount << self.bits) // liquidity
        virtual, product = liquidity << self.bits, amount * price
        if virtual + product < _WORD:
            return -(-virtual * price // (virtual + product))
        return -(-virtual // (virtual // price + amount))

    def price_after_out(self, price: int, liquidity: int, amount: int, down: bool) -> int:
        """The price once `amount` has come out. Raises QuoteError where the stretch does not hold it."""
        if down:
            after = price + (-(amount << self.bits) // liquidity)
            if after > 0:
                return after
        else:
            virtual, product = liquidity << self.bits, amount * price
            if product < virtual:
                return -(-virtual * price // (virtual - product))
        raise QuoteError(f"liquidity {liquidity} cannot pay {amount}")

    def whole(self, price: int, target: int, liquidity: int, fee_ppm: int, down: bool) -> tuple[int, int]:
        """The step that goes all the way from `price` to `target`: (taken with fee, paid)."""
        if not liquidity:
            return 0, 0
        if down:
            net, paid = self.amount0_up(target, price, liquidity), self.amount1(target, price, liquidity)
        else:
            net, paid = self.amount1_up(price, target, liquidity), self.amount0(price, target, liquidity)
        return net + fee_on(net, fee_ppm), paid

    def paid_for(self, price: int, liquidity: int, amount: int, fee_ppm: int, down: bool) -> tuple[int, int]:
        """A last step that stops on the way, for `amount` in, fee within: (price then, paid).

        Whether it stops on the way is `amount` < `whole(…)[0]`: the pool asks whether amount · (1 − fee), rounded down,
        is less than the net amount, and over the integers that is the same question.
        """
        after = self.price_after_in(price, liquidity, amount * (MILLION - fee_ppm) // MILLION, down)
        return after, self.amount1(after, price, liquidity) if down else self.amount0(price, after, liquidity)

    def taken_for(self, price: int, liquidity: int, amount: int, fee_ppm: int, down: bool) -> tuple[int, int]:
        """A last step that stops on the way, for `amount` out: (price then, taken with fee).

        It pays `amount` and no less: the price went at least as far as `amount` asks, and the pool caps what is above.
        """
        after = self.price_after_out(price, liquidity, amount, down)
        net = self.amount0_up(after, price, liquidity) if down else self.amount1_up(price, after, liquidity)
        return after, net + fee_on(net, fee_ppm)


X64: Final = Steps(64)
X96: Final = Steps(96)
