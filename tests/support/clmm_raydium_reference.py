"""Raydium's swap, slow and plain: one step after another with exact fractions, as the program's rules say it.

No table of legs, no sums, no threshold: what the fast maths derives, this does. It also answers where the oracles do
not: the SDK where a rest of the input is all fee at orders, and at the end of all prices.
"""

from fractions import Fraction
from math import ceil, floor

from tests.support.clmm_raydium import OURS, REFUSED, U64, Entry, Pool, Said, Swap

MILLION = 10**6
ONE = 1 << 64
ENDS = (-443636, 443636)


class Refused(Exception):  # noqa: N818 - not an error of ours
    """The program would abort."""


class Slow:
    """One swap on its way; `left` is what is still to be swapped, `other` what came of the rest so far."""

    def __init__(self, pool: Pool, swap: Swap) -> None:
        self.pool, self.swap = pool, swap
        self.price, self.tick, self.liquidity = pool.price, pool.tick, pool.liquidity
        self.left, self.other = swap.amount, 0
        self.entries = {at.tick: at for at in pool.entries}
        self.on_input = {0: True, 1: swap.down, 2: not swap.down}[pool.fee_on]
        self.group = pool.tick // pool.spacing
        self.most = 0
        if pool.volatility:
            filter_s, decay_s, reduction, self.control, self.most, *state = pool.volatility
            self.origin, self.base, self.accumulator, self.since = state
            passed = max(0, swap.now_s - self.since)
            if passed >= filter_s:
                self.origin, self.since = self.group, swap.now_s
                self.base = self.accumulator * reduction // 10**4 if passed < decay_s else 0

    def run(self) -> Said:
        end = OURS.table.min_sqrt + 1 if self.swap.down else OURS.table.max_sqrt - 1
        while self.left and self.price != end:
            ahead = [at for at in self.entries if (at <= self.tick if self.swap.down else at > self.tick)]
            if not ahead:
                raise Refused
            stop = max(ahead) if self.swap.down else min(ahead)
            goal = OURS.table.sqrt_at(stop)
            target = max(goal, end) if self.swap.down else min(goal, end)
            while self._step(stop, goal, target):
                pass
        if self.left or not self.other:
            raise Refused
        return self._said()

    def _step(self, stop: int, goal: int, target: int) -> bool:
        """As far as the tick, the end, or the edge of a group; whether there is more to do before the next tick."""
        self._count()
        fee, bound, skips = self._fee(), target, True
        if self.pool.volatility and self.liquidity and self.accumulator != self.most:
            edge = (self.group + (not self.swap.down)) * self.pool.spacing
            price = OURS.table.sqrt_at(max(ENDS[0], min(ENDS[1], edge)))
            bound, skips = max(target, price) if self.swap.down else min(target, price), False
        before = self.price
        if bound != before:
            self.price = self._move(bound, fee)
        if self.price == goal:
            self._match(stop, goal, fee)
        elif self.price != before:
            self.tick = OURS.table.tick_at(self.price)
        if self.pool.volatility:
            if skips:
                at = stop if self.price == goal else self.tick
                self.group = at // self.pool.spacing - (not self.swap.down and at % self.pool.spacing == 0)
                if self.accumulator != self.most:
                    self._count()
            self.group += -1 if self.swap.down else 1
        return bool(self.left) and self.price != target

    def _count(self) -> None:
        if self.pool.volatility:
            self.accumulator = min(self.base + abs(self.origin - self.group) * 10**4, self.most)

    def _fee(self) -> Fraction:
        """Of what goes in with it, or of what comes out without it."""
        if not self.pool.volatility:
            return Fraction(self.pool.fee_ppm, MILLION)
        distance = self.accumulator * self.pool.spacing
        if distance >= 1 << 32:
            raise Refused
        extra = ceil(Fraction(self.control * distance**2, 10**13))
        return Fraction(min(self.pool.fee_ppm + extra, 10**5), MILLION)

    def _amounts(self, to: int) -> tuple[int, int]:
        """What goes in and comes out between the price and `to`, without fees."""
        low, high = sorted((self.price, to))
        zero, one = (
            Fraction(self.liquidity * ONE * (high - low), low * high),
            Fraction(self.liquidity * (high - low), ONE),
        )
        return (ceil(zero), floor(one)) if self.swap.down else (ceil(one), floor(zero))

    def _move(self, bound: int, fee: Fraction) -> int:
        """Towards `bound`: takes and pays, and says where the price is then."""
        into, out = self._amounts(bound)
        if self.swap.exact_out:
            budget = self.left if self.on_input else ceil(self.left / (1 - fee))
            if budget > U64:
                raise Refused
            to = bound if budget >= out <= U64 else self._price(-budget)
        else:
            budget = floor(self.left * (1 - fee)) if self.on_input else self.left
            to = bound if budget >= into else self._price(budget)
        into, out = self._amounts(to)
        if max(into, out) > U64:
            raise Refused
        if self.swap.exact_out:
            paid = min(out if self.on_input else out - ceil(out * fee), self.left)
            self._book(into + ceil(into * fee / (1 - fee)) if self.on_input else into, paid)
        elif self.on_input:
            self._book(into + ceil(into * fee / (1 - fee)) if to == bound else self.left, out)
        else:
            self._book(into if to == bound else self.left, out - ceil(out * fee))
        return to

    def _price(self, amount: int) -> int:
        """After `amount` more of the token that goes in, or, below 0, so much less of the one that comes out."""
        if self.swap.down == (amount > 0):
            inverse = Fraction(1, self.price) + Fraction(amount, self.liquidity * ONE)
            if inverse <= 0:
                raise Refused
            return ceil(1 / inverse)
        return floor(self.price + Fraction(amount * ONE, self.liquidity))

    def _match(self, stop: int, goal: int, fee: Fraction) -> None:
        """On a tick: buys what rests there, and crosses it when nothing is left."""
        at, down = self.entries[stop], self.swap.down
        resting = at.orders + at.part
        if resting and self.left:
            price = Fraction(floor(Fraction(goal**2, ONE)) if down else ceil(Fraction(goal**2, ONE)), ONE)
            rate = price if down else 1 / price  # of the token that comes out, for one that goes in
            if self.swap.exact_out:
                want = min(self.left, resting)
                gross = min(want if self.on_input else ceil(want / (1 - fee)), resting)
                whole = True
            else:
                net = self.left - ceil(self.left * fee) if self.on_input else self.left
                gross, whole = min(floor(net * rate), resting), floor(net * rate) > resting
            into = ceil(gross / rate)
            taken = into + ceil(into * fee / (1 - fee)) if self.on_input else into
            self._book(taken if whole else self.left, gross if self.on_input else gross - ceil(gross * fee))
            part = max(at.part - gross, 0)
            if gross > at.part:
                at = at._replace(orders=0, part=at.orders - (gross - at.part))
            else:
                at = at._replace(part=part)
            self._keep(stop, at)
        has_orders = bool(at.orders + at.part)
        if at.gross and not has_orders:
            self.liquidity += -at.net if down else at.net
        self.tick = stop - (down != has_orders)

    def _keep(self, stop: int, at: Entry) -> None:
        if at.gross or at.orders or at.part:
            self.entries[stop] = at
        else:
            del self.entries[stop]

    def _book(self, taken: int, paid: int) -> None:
        given, other = (paid, taken) if self.swap.exact_out else (taken, paid)
        self.left, self.other = self.left - given, self.other + other
        if self.left < 0 or self.other > U64:
            raise Refused

    def _said(self) -> Said:
        amounts = self.swap.amount, self.other
        entries = {at.tick: (at.net, at.gross, at.orders, at.part) for at in self.entries.values()}
        volatility = (self.origin, self.base, self.accumulator, self.since) if self.pool.volatility else None
        return Said(
            *(amounts[::-1] if self.swap.exact_out else amounts),
            self.price,
            self.tick,
            self.liquidity,
            entries,
            volatility,
        )


def slow(pool: Pool, swap: Swap) -> Said | str:
    """What the program does with a swap, or REFUSED."""
    try:
        return Slow(pool, swap).run()
    except Refused:
        return REFUSED
