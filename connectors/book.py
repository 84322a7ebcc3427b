"""L2Book: one instrument's price levels, best first, with its top 20 in the guest's own 656 bytes.

The whole book (up to the subscribed depth) lives in sorted lists; the buffer that a guest is handed holds the first
20 levels of each side and is edited in place, only where a level changed. Its layout is the crate's `L2Book`
(`repr(C)`, little-endian): 20 bids and 20 asks of `{px_1e9 u64, sz_1e8 u64}`, counts (u8, u8), symbol_id (u16),
recv_ns (u64). `symbol_id` stays 0 here: it is a place in one algo's deployment, so the host writes it.

Beside each level stands the text that a venue's checksum wants for it, made once when the level changes: printing
20 levels anew for every message costs five times as much.

A book that cannot be trusted says so: `apply` and `load` raise `BookGap`, after which the book is empty and invalid
with that reason until the next `load`. There is no state in between, and nobody can serve one.
"""

from bisect import bisect_left
from typing import Final

from connectors.errors import BookGap

LEVELS: Final = 20
BOOK_BYTES: Final = 656
_ASKS: Final = 40  # index of the first ask in u64 words
_COUNTS: Final = 320  # index of bid_ct | ask_ct << 8 in u16 words
_RECV_NS: Final = 81  # in u64 words

Level = tuple[int, int]  # (px_1e9, sz_1e8); size 0 removes the level


_Parts = tuple[list[int], list[int], list[str], int, int]  # keys, sizes, texts, sign, first word


class _Side:
    """One side's sorted levels. Bids are keyed by −price, so that index 0 is the best on both sides.

    `parts` is all of it in one tuple: the lists keep their identity, and one lookup is cheaper than five.
    """

    __slots__ = ("keys", "parts", "sign", "sizes", "texts")

    def __init__(self, sign: int, first_word: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.sizes: list[int] = []
        self.texts: list[str] = []
        self.parts = (self.keys, self.sizes, self.texts, sign, first_word)


class L2Book:
    """Levels of one instrument, truncated to `depth` after each message.

    `price_digit_1e9` and `size_digit_1e8`: the value of one unit in the venue's last printed decimal (100_000_000 for
    one decimal of price); they make the checksum texts. `valid` is False until the first `load`; `reason` says why.
    """

    __slots__ = (
        "_ask_keys",
        "_asks",
        "_bid_keys",
        "_bids",
        "_halves",
        "_words",
        "buffer",
        "depth",
        "price_digit",
        "reason",
        "size_digit",
        "valid",
    )

    def __init__(self, *, depth: int = 1000, price_digit_1e9: int = 1, size_digit_1e8: int = 1) -> None:
        self.buffer = bytearray(BOOK_BYTES)
        self._words = memoryview(self.buffer).cast("Q")
        self._halves = memoryview(self.buffer).cast("H")
        self.depth = depth
        self.price_digit = price_digit_1e9
        self.size_digit = size_digit_1e8
        self._bids = _Side(-1, 0)
        self._asks = _Side(1, _ASKS)
        self._bid_keys, self._ask_keys = self._bids.keys, self._asks.keys
        self.valid = False
        self.reason = "no snapshot yet"

    # --- what changes it -------------------------------------------------------------------------------------------

    def load(self, bids: list[Level], asks: list[Level], recv_ns: int) -> None:
        """Replaces the whole book. Levels in any order, sizes > 0, at most `depth` kept a side. Raises BookGap."""
        self._clear()
        self.valid, self.reason = True, ""
        self.apply(bids, asks, recv_ns)

    def apply(self, bids: list[Level], asks: list[Level], recv_ns: int) -> None:
        """Applies changed levels in the order given (the same price may come twice), then truncates to the depth.

        Raises BookGap("crossed") when the best bid reaches the best ask; the book is then invalid.
        """
        if bids:
            self._edit(self._bids.parts, bids)
        if asks:
            self._edit(self._asks.parts, asks)
        bid_keys, ask_keys = self._bid_keys, self._ask_keys
        bid_count, ask_count = len(bid_keys), len(ask_keys)
        if bid_count and ask_count and -bid_keys[0] >= ask_keys[0]:
            detail = f"bid {-bid_keys[0]} against ask {ask_keys[0]} (1e-9)"
            self.invalidate(f"crossed: {detail}")
            raise BookGap("crossed", detail)
        self._halves[_COUNTS] = (bid_count if bid_count < LEVELS else LEVELS) | (
            ask_count if ask_count < LEVELS else LEVELS
        ) << 8
        self._words[_RECV_NS] = recv_ns

    def invalidate(self, reason: str) -> None:
        """Empties the book: nothing can be served from it until the next `load`."""
        self._clear()
        self.valid, self.reason = False, reason

    def set_digits(self, price_digit_1e9: int, size_digit_1e8: int) -> None:
        """New metadata: a book printed with other digits is gone."""
        if (price_digit_1e9, size_digit_1e8) != (self.price_digit, self.size_digit):
            self.price_digit, self.size_digit = price_digit_1e9, size_digit_1e8
            self.invalidate("precision changed")

    def _clear(self) -> None:
        for side in (self._bids, self._asks):
            side.keys.clear()
            side.sizes.clear()
            side.texts.clear()
        self.buffer[:] = bytes(BOOK_BYTES)

    def _edit(self, parts: _Parts, changes: list[Level]) -> None:
        keys, sizes, texts, sign, first = parts
        words = self._words
        price_digit, size_digit = self.price_digit, self.size_digit
        for px, sz in changes:
            key = px * sign
            i = bisect_left(keys, key)
            if i < len(keys) and keys[i] == key:
                if sz:
                    sizes[i] = sz
                    texts[i] = f"{px // price_digit}{sz // size_digit}"
                    if i < LEVELS:
                        words[first + 2 * i + 1] = sz
                else:
                    del keys[i], sizes[i], texts[i]
                    if i < LEVELS:
                        at = first + 2 * i
                        words[at : first + 38] = words[at + 2 : first + 40]
                        if len(keys) >= LEVELS:
                            words[first + 38], words[first + 39] = keys[19] * sign, sizes[19]
                        else:
                            words[first + 38] = words[first + 39] = 0
            elif sz:  # a removal of a level we do not hold: it left our depth earlier
                keys.insert(i, key)
                sizes.insert(i, sz)
                texts.insert(i, f"{px // price_digit}{sz // size_digit}")
                if i < LEVELS:
                    at = first + 2 * i
                    words[at + 2 : first + 40] = words[at : first + 38]
                    words[at], words[at + 1] = px, sz
        if len(keys) > self.depth:
            for slot in range(self.depth, min(len(keys), LEVELS)):
                words[first + 2 * slot] = words[first + 2 * slot + 1] = 0
            del keys[self.depth :], sizes[self.depth :], texts[self.depth :]

    # --- what it says ----------------------------------------------------------------------------------------------

    def touch(self) -> tuple[int, int]:
        """(best bid, best ask); 0 where that side is empty."""
        words = self._words
        return words[0], words[_ASKS]

    @property
    def best_bid_1e9(self) -> int:
        """Best bid, 0 when that side is empty."""
        return self._words[0]

    @property
    def best_ask_1e9(self) -> int:
        """Best ask, 0 when that side is empty."""
        return self._words[_ASKS]

    @property
    def recv_ns(self) -> int:
        return self._words[_RECV_NS]

    @property
    def bids(self) -> list[Level]:
        """All bids held, high to low."""
        return [(-key, size) for key, size in zip(self._bids.keys, self._bids.sizes, strict=True)]

    @property
    def asks(self) -> list[Level]:
        """All asks held, low to high."""
        return list(zip(self._asks.keys, self._asks.sizes, strict=True))

    @property
    def is_deep(self) -> bool:
        """At least ten levels a side: what a top-ten checksum is defined over."""
        return len(self._bids.keys) >= 10 and len(self._asks.keys) >= 10

    def reach_1e9(self, side: int, qty_1e8: int) -> int:
        """The worst price a taker of `side` would pay for `qty_1e8`; the last level's when there is not enough."""
        book = self._asks if side > 0 else self._bids
        for key, size in zip(book.keys, book.sizes, strict=True):
            qty_1e8 -= size
            if qty_1e8 <= 0:
                return key * book.sign
        return book.keys[-1] * book.sign if book.keys else 0

    def size_1e8(self, side: int, px_1e9: int) -> int:
        """What a taker of `side` finds at this price; 0 where there is no level."""
        book = self._asks if side > 0 else self._bids
        key = px_1e9 * book.sign
        i = bisect_left(book.keys, key)
        return book.sizes[i] if i < len(book.keys) and book.keys[i] == key else 0

    def texts(self, count: int) -> str:
        """Checksum text of the best `count` asks, then bids: price and size of each, no dot, no leading zeros."""
        return "".join(self._asks.texts[:count] + self._bids.texts[:count])
