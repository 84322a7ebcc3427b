"""Raydium's limit orders (2026): an amount of one token resting on a tick, sold at that tick's price and no other.

A swap that reaches a tick buys what rests there before it goes on, and pays its fee as elsewhere; only with all of it
bought does the price pass the tick. Orders that were touched before (`part_filled`) come first; what a swap starts on
of the others (`orders`) moves over to them.

Source of the rules: `TickState.match_limit_order` of Raydium's program (github.com/raydium-io/raydium-clmm, Apache-2.0,
as of autumn 2026). Its price is the square root squared and cut to 64 places: down where token 0 goes in, up where
token 1 does; what comes out rounds down, what goes in rounds up.

Raydium's SDK 0.2.73 differs in one thing: where a rest of the input is so small that the fee is all of it, the program
takes it, and the SDK goes round for ever. This follows the program.
"""

import msgspec

from connectors.amm.curve import QuoteError
from connectors.amm.swapstep import MILLION, fee_on

_HALF = 64


class Resting(msgspec.Struct, frozen=True):
    """What rests on one tick, seen by a swap that comes that way: `amount` of the token that it buys, > 0.

    `price`: of token 0 in token 1, 64 places. `down`: token 0 goes in. `on_input`: the fee is taken from what goes in.
    """

    amount: int
    price: int
    fee_ppm: int
    down: bool
    on_input: bool

    @classmethod
    def at(cls, sqrt_price: int, amount: int, fee_ppm: int, down: bool, on_input: bool) -> "Resting":
        """On the tick with this square root price (X64)."""
        square = sqrt_price * sqrt_price
        return cls(amount, square >> _HALF if down else -(-square >> _HALF), fee_ppm, down, on_input)

    def whole(self) -> tuple[int, int]:
        """All of it: (taken with fee, paid)."""
        taken = self._cost(self.amount)
        return taken, self._net(self.amount)

    def needs(self) -> tuple[int, int]:
        """From which rest of an exact input, and of an exact output, on a swap buys all and goes on.

        A swap goes on when its input would buy more than there is; what buys just as much, or less, is spent here.
        """
        more = self.amount + 1
        net = -(-(more << _HALF) // self.price) if self.down else -(-more * self.price >> _HALF)
        if self.on_input:
            return net + fee_on(net, self.fee_ppm), self.amount
        return net, (self.amount - 1) * (MILLION - self.fee_ppm) // MILLION + 1

    def bought(self, rest: int) -> tuple[int, int]:
        """For the last `rest` of an exact input: (paid, how much of the orders)."""
        net = rest - -(-rest * self.fee_ppm // MILLION) if self.on_input else rest
        gross = net * self.price >> _HALF if self.down else (net << _HALF) // self.price
        return self._net(gross), gross

    def sold(self, rest: int) -> tuple[int, int]:
        """For the last `rest` of an exact output: (taken with fee, how much of the orders)."""
        gross = rest if self.on_input else -(-rest * MILLION // (MILLION - self.fee_ppm))
        return self._cost(gross), gross

    def _cost(self, gross: int) -> int:
        net = -(-(gross << _HALF) // self.price) if self.down else -(-gross * self.price >> _HALF)
        return net + fee_on(net, self.fee_ppm) if self.on_input else net

    def _net(self, gross: int) -> int:
        return gross if self.on_input else gross - -(-gross * self.fee_ppm // MILLION)


def left(orders: int, part_filled: int, gross: int) -> tuple[int, int]:
    """(orders, part filled) once `gross` of them is sold. Raises QuoteError for more than there is."""
    if gross > orders + part_filled:
        raise QuoteError(f"{gross} cannot be bought of orders of {orders + part_filled}")
    if gross <= part_filled:
        return orders, part_filled - gross
    return 0, orders + part_filled - gross
