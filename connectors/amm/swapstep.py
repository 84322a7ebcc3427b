"""One stretch of a concentrated pool's swap, where liquidity stays: amounts and prices, rounded as the pool does.

Formulas: "Uniswap v3 Core", §6.2 (6.13–6.16): Δ√P = Δy / L and Δ(1/√P) = Δx / L. Where each rounds, and what happens
when a 256-bit product overflows, follows `SqrtPriceMath` and `SwapMath` of @uniswap/v3-sdk (MIT). Always against the
trader: what goes in rounds up, what comes out rounds down, a price moves too little for an amount in, too far for one
out.

`down`: token 0 goes in and the price falls; otherwise token 1 goes in and it rises. Prices are square roots in X96.
"""

from typing import Final

from connectors.amm.curve import QuoteError

MILLION: Final = 1_000_000
_WORD: Final = 1 << 256


def amount0(low: int, high: int, liquidity: int) -> int:
    """Token 0 paid out between two prices."""
    return (liquidity << 96) * (high - low) // high // low


def amount0_up(low: int, high: int, liquidity: int) -> int:
    """Token 0 taken between two prices."""
    return -(-(liquidity << 96) * (high - low) // high // low)


def amount1(low: int, high: int, liquidity: int) -> int:
    """Token 1 paid out between two prices."""
    return liquidity * (high - low) >> 96


def amount1_up(low: int, high: int, liquidity: int) -> int:
    """Token 1 taken between two prices."""
    return -(-liquidity * (high - low) >> 96)


def fee_on(net: int, fee_ppm: int) -> int:
    """The fee on top of `net` that has gone in whole."""
    return -(-net * fee_ppm // (MILLION - fee_ppm))


def price_after_in(price: int, liquidity: int, amount: int, down: bool) -> int:
    """The price once `amount`, fee already taken, has gone in."""
    if not down:
        return price + (amount << 96) // liquidity
    virtual, product = liquidity << 96, amount * price
    if virtual + product < _WORD:
        return -(-virtual * price // (virtual + product))
    return -(-virtual // (virtual // price + amount))


def price_after_out(price: int, liquidity: int, amount: int, down: bool) -> int:
    """The price once `amount` has come out. Raises QuoteError where the stretch does not hold it."""
    if down:
        after = price + (-(amount << 96) // liquidity)
        if after > 0:
            return after
    else:
        virtual, product = liquidity << 96, amount * price
        if product < virtual:
            return -(-virtual * price // (virtual - product))
    raise QuoteError(f"liquidity {liquidity} cannot pay {amount}")


def whole(price: int, target: int, liquidity: int, fee_ppm: int, down: bool) -> tuple[int, int]:
    """The step that goes all the way from `price` to `target`: (taken with fee, paid)."""
    if not liquidity:
        return 0, 0
    if down:
        net, paid = amount0_up(target, price, liquidity), amount1(target, price, liquidity)
    else:
        net, paid = amount1_up(price, target, liquidity), amount0(price, target, liquidity)
    return net + fee_on(net, fee_ppm), paid


def paid_for(price: int, liquidity: int, amount: int, fee_ppm: int, down: bool) -> tuple[int, int]:
    """A last step that stops on the way, for `amount` in, fee within: (price then, paid).

    Whether it stops on the way is `amount` < `whole(…)[0]`: the pool asks whether amount · (1 − fee), rounded down, is
    less than the net amount, and over the integers that is the same question.
    """
    after = price_after_in(price, liquidity, amount * (MILLION - fee_ppm) // MILLION, down)
    return after, amount1(after, price, liquidity) if down else amount0(price, after, liquidity)


def taken_for(price: int, liquidity: int, amount: int, fee_ppm: int, down: bool) -> tuple[int, int]:
    """A last step that stops on the way, for `amount` out: (price then, taken with fee).

    It pays `amount` and no less: the price went at least as far as `amount` asks, and the pool caps what is above it.
    """
    after = price_after_out(price, liquidity, amount, down)
    net = amount0_up(after, price, liquidity) if down else amount1_up(price, after, liquidity)
    return after, net + fee_on(net, fee_ppm)
