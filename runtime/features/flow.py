"""What one side of a book did between two updates: order flow per level, and size taken off it.

Per level m the flow is the event contribution e of Cont, Kukanov and Stoikov (2014), "The Price Impact of Order Book
Events"; at levels beyond the first it is the multi-level one of Xu, Gould and Howison (2019), "Multi-Level Order-Flow
Imbalance in a Limit Order Book". Size taken off is matched by price, not by level. Formulas: docs/features.md.
"""

from operator import mul
from struct import Struct
from typing import Final

TOP: Final = 10  # levels a side that features look at
SIDE_BYTES: Final = 16 * TOP
WEIGHTS: Final = tuple(2520 // level for level in range(1, TOP + 1))  # 1/m over lcm(1 … 10): exact integers
WEIGHT_SUM: Final = sum(WEIGHTS)
_FROM: Final = tuple(WEIGHTS[level:] for level in range(TOP))

_WORDS: Final = Struct("<20Q")  # ten levels of px, sz
_LEVEL: Final = Struct("<QQ")


class Side:
    """The top ten levels of one side as last seen, and totals of its flow since the start.

    `px`, `sz`: best first, 0 where there is no level. `one`, `five`, `ten`, `taken`: flow at level 1, summed over
    levels 1–5, weighted over 1–10 (× 2520), and size taken off, all ×1e8. Flow is positive where the side grew, so
    that order flow imbalance is the bids' minus the asks'. A level that is not there ranks behind every price: one that
    appears brings all of its size, one that is gone takes all of it.
    """

    __slots__ = ("_is_bid", "_number", "five", "one", "px", "raw", "sum", "sz", "taken", "ten")

    def __init__(self, *, is_bid: bool) -> None:
        self._is_bid = is_bid
        self.raw = bytearray(SIDE_BYTES)
        self._number = 0  # the same bytes as one number: its difference to the next tells where they differ
        self.px: list[int] = [0] * TOP
        self.sz: list[int] = [0] * TOP
        self.sum = self.one = self.five = self.ten = self.taken = 0

    def restart(self, raw: bytearray) -> None:
        """Takes the levels as they are: nothing is known about what happened since the last ones."""
        self.raw, self._number = raw, int.from_bytes(raw, "little")
        self._read()

    def take(self, raw: bytearray) -> None:
        """Takes changed levels. `raw` differs from the last one and is the side's own from now on."""
        before, self.raw = self.raw, raw
        number = int.from_bytes(raw, "little")
        difference, self._number = number ^ self._number, number
        at = ((difference & -difference).bit_length() - 1) >> 7  # the first level that differs, and the last
        last = (difference.bit_length() - 1) >> 7
        cut, end = at << 4, last << 4
        if at == last:
            price, size = _LEVEL.unpack_from(raw, cut)
            if price == self.px[at]:
                self._resize(at, size)
            else:
                self._replace(at, price, size)
        elif raw[cut + 16 : end + 16] == before[cut:end]:
            self._shift_back(at, last)
        elif raw[cut:end] == before[cut + 16 : end + 16]:
            self._shift_up(at, last)
        else:
            px, sz = self.px, self.sz
            self._read()
            self._compare(slice(at, last + 1), px, sz)

    def _read(self) -> None:
        words = _WORDS.unpack(self.raw)
        self.px, self.sz = list(words[::2]), list(words[1::2])
        self.sum = sum(self.sz)

    def _resize(self, at: int, size: int) -> None:
        change = size - self.sz[at]
        self.sz[at] = size
        self.sum += change
        self.ten += WEIGHTS[at] * change
        if at < 5:
            self.five += change
            if not at:
                self.one += change
        if change < 0:
            self.taken -= change

    def _replace(self, at: int, price: int, size: int) -> None:
        """Another price in this place, all other levels the same."""
        px, sz = self.px, self.sz
        before, gone = px[at], sz[at]
        px[at], sz[at] = price, size
        self.sum += size - gone
        if not before or (price and (price > before) is self._is_bid):
            self._add(at, [size], 1)
            if at < TOP - 1 and px[at + 1]:  # else it may have been pushed out of sight
                self.taken += gone
        else:
            self._add(at, [gone], -1)
            self.taken += gone

    def _shift_back(self, at: int, last: int) -> None:
        """A level came in at `at`, those behind it moved back one place, what was at `last` is gone or out of sight.

        Each place holds a better price than before.
        """
        px, sz = self.px, self.sz
        price, size = _LEVEL.unpack_from(self.raw, at << 4)
        px.insert(at, price)
        sz.insert(at, size)
        gone = sz.pop(last + 1)
        del px[last + 1]
        self.sum += size - gone
        self._add(at, sz[at : last + 1], 1)
        if last < TOP - 1 and px[last + 1]:  # else it was the worst, and may have been pushed out of sight
            self.taken += gone

    def _shift_up(self, at: int, last: int) -> None:
        """The level at `at` went, those behind it moved up one place, another one appeared at `last`, or none.

        Each place holds a worse price than before.
        """
        px, sz = self.px, self.sz
        self._add(at, sz[at : last + 1], -1)
        price, size = _LEVEL.unpack_from(self.raw, last << 4)
        del px[at]
        gone = sz.pop(at)
        px.insert(last, price)
        sz.insert(last, size)
        self.sum += size - gone
        self.taken += gone

    def _add(self, at: int, sizes: list[int], sign: int) -> None:
        """These sizes, of level `at` on, all came or all went."""
        self.ten += sign * sum(map(mul, sizes, _FROM[at]))
        if at < 5:
            self.five += sign * sum(sizes[: 5 - at])
            if not at:
                self.one += sign * sizes[0]

    def _compare(self, here: slice, old_px: list[int], old_sz: list[int]) -> None:
        """Level by level, whatever happened `here`; the levels beside are as they were."""
        is_bid = self._is_bid
        level = here.start
        for price, size, before, gone in zip(self.px[here], self.sz[here], old_px[here], old_sz[here], strict=True):
            if price == before:
                change = size - gone
            elif not before or (price and (price > before) is is_bid):
                change = size
            else:
                change = -gone
            self.ten += WEIGHTS[level] * change
            if level < 5:
                self.five += change
                if not level:
                    self.one += change
            level += 1
        self.taken += self._off(here, old_px, old_sz)

    def _off(self, here: slice, old_px: list[int], old_sz: list[int]) -> int:
        """Size that left the prices still in sight.

        A side that shows no fewer levels than before may have pushed its worst ones out of sight: whatever is behind
        the worst price shown now is not counted. A side that shows fewer pushed nothing out: all that is gone counts.
        """
        px, is_bid = self.px, self._is_bid
        absent = px.count(0)
        worst = px[TOP - 1 - absent] if absent <= old_px.count(0) else 0
        left = dict(zip(px[here], self.sz[here], strict=True))
        taken = 0
        for price, size in zip(old_px[here], old_sz[here], strict=True):
            remaining = left.get(price)
            if remaining is None:
                if not worst or (price > worst) is is_bid:
                    taken += size
            elif remaining < size:
                taken += size - remaining
        return taken
