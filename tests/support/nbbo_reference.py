"""What a multi-venue guest must be shown, from plain dictionaries: price → size, merged and sorted when asked.

Of venuegate only the refusal of a crossed book's levels is repeated, nothing is imported. Layouts come from the
published table of the crate's offsets.
"""

import struct
from typing import Any

from tests.support.algo_reference import CODES, Layout

U32_MAX, U64_MAX = 2**32 - 1, 2**64 - 1
STALE_MS = 65_535
Levels = dict[int, int]


class WideLayout(Layout):
    """Also decodes u128, and says which bytes of a record belong to no field."""

    def _value(self, spec: dict[str, Any], raw: bytes) -> Any:
        if spec["type"] == "u128":
            return int.from_bytes(raw[spec["offset"] : spec["offset"] + 16], "little")
        return super()._value(spec, raw)

    def size(self, kind: str) -> int:
        if kind.startswith("["):
            item, count = kind[1:-1].split("; ")
            return self.size(item) * int(count)
        if kind == "u128":
            return 16
        size: int = self._structs[kind]["size"] if kind in self._structs else struct.calcsize("<" + CODES[kind])
        return size

    def padding(self, name: str, raw: bytes) -> bytes:
        """The bytes that belong to no field, at any depth."""
        rest = bytearray(raw)
        for spec in self._structs[name]["fields"].values():
            kind, at = spec["type"], spec["offset"]
            size = self.size(kind)
            item = kind[1:-1].split("; ")[0] if kind.startswith("[") else kind
            inner = b""
            if item in self._structs:
                step = self.size(item)
                inner = b"".join(self.padding(item, raw[k : k + step]) for k in range(at, at + size, step))
            rest[at : at + size] = inner.ljust(size, b"\0")
        return bytes(rest)


class Venue:
    """One venue as a test drives it: what its book holds, and when its link last spoke (−1: down)."""

    def __init__(self, venue_id: int, depth: int) -> None:
        self.venue_id = venue_id
        self.depth = depth
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.recv_ns = 0
        self.is_valid = False
        self.last_ns = -1

    def edit(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], recv_ns: int) -> None:
        """Sizes as told, 0 removes; cut to the depth; crossed makes it invalid and empty."""
        self.bids, self.asks = self.bids | dict(bids), self.asks | dict(asks)
        self.bids = {px: self.bids[px] for px in sorted(filter(self.bids.get, self.bids), reverse=True)[: self.depth]}
        self.asks = {px: self.asks[px] for px in sorted(filter(self.asks.get, self.asks))[: self.depth]}
        self.recv_ns = recv_ns
        if self.bids and self.asks and max(self.bids) >= min(self.asks):
            self.lose()

    def lose(self) -> None:
        self.bids, self.asks, self.recv_ns, self.is_valid = {}, {}, 0, False

    def is_fresh(self, now_ns: int, max_age_ns: int) -> bool:
        return self.is_valid and self.last_ns >= 0 and now_ns - self.last_ns <= max_age_ns

    def touch(self) -> tuple[int, int, int, int]:
        bid, ask = max(self.bids, default=0), min(self.asks, default=0)
        return bid, self.bids.get(bid, 0), ask, self.asks.get(ask, 0)


def rows(levels: Levels, *, descending: bool) -> list[dict[str, int]]:
    """20 rows of the guest's `Level`, best first."""
    best = [{"px_1e9": px, "sz_1e8": levels[px]} for px in sorted(levels, reverse=descending)[:20]]
    return best + [{"px_1e9": 0, "sz_1e8": 0}] * (20 - len(best))


def book(bids: Levels, asks: Levels, symbol_id: int, recv_ns: int) -> dict[str, Any]:
    return {
        "bids": rows(bids, descending=True), "asks": rows(asks, descending=False), "bid_ct": min(len(bids), 20),
        "ask_ct": min(len(asks), 20), "symbol_id": symbol_id, "recv_ns": recv_ns,
    }  # fmt: skip


def summed(sides: list[Levels]) -> Levels:
    total: Levels = {}
    for side in sides:
        for px, sz in side.items():
            total[px] = min(total.get(px, 0) + sz, U64_MAX)
    return total


def top(levels: Levels, *, descending: bool) -> Levels:
    """What a guest sees of one venue: its best 20."""
    return {px: levels[px] for px in sorted(levels, reverse=descending)[:20]}


class Market:
    """All venues of one symbol: what both records must say."""

    def __init__(self, venues: list[Venue], symbol_id: int, max_age_ns: int, slots: int) -> None:
        self.venues = sorted(venues, key=lambda venue: venue.venue_id)
        self.symbol_id = symbol_id
        self.max_age_ns = max_age_ns
        self.slots = slots
        self.shown: list[Any] = [None] * len(venues)
        self.sequence = 0

    def seen(self, now_ns: int) -> list[Any]:
        return [venue.touch() if venue.is_fresh(now_ns, self.max_age_ns) else None for venue in self.venues]

    def touched(self, now_ns: int) -> bool:
        return self.seen(now_ns) != self.shown

    def update(self, now_ns: int) -> None:
        self.shown = self.seen(now_ns)
        self.sequence += 1

    def padded(self, values: list[int]) -> list[int]:
        return values + [0] * (self.slots - len(values))

    def snapshot(self, now_ns: int) -> dict[str, Any]:
        seen = self.seen(now_ns)
        touches = [touch or (0, 0, 0, 0) for touch in seen]
        bid = max((touch[0] for touch in touches), default=0)
        ask = min((touch[2] for touch in touches if touch[2]), default=0)
        bid_slot = [touch[0] for touch in touches].index(bid) if bid else 0
        ask_slot = [touch[2] for touch in touches].index(ask) if ask else 0
        ages = [max(now_ns - venue.recv_ns, 0) // 10**6 for venue in self.venues]
        return {
            "nbbo_bid_px_1e9": bid, "nbbo_bid_sz_1e8": touches[bid_slot][1] if bid else 0, "nbbo_bid_venue": bid_slot,
            "nbbo_ask_px_1e9": ask, "nbbo_ask_sz_1e8": touches[ask_slot][3] if ask else 0, "nbbo_ask_venue": ask_slot,
            "venue_ct": len(self.venues), "symbol_id": self.symbol_id, "sequence": self.sequence,
            "venue_ids": self.padded([venue.venue_id for venue in self.venues]),
            "venue_bid_px": self.padded([touch[0] for touch in touches]),
            "venue_bid_sz": self.padded([min(touch[1], U32_MAX) for touch in touches]),
            "venue_ask_px": self.padded([touch[2] for touch in touches]),
            "venue_ask_sz": self.padded([min(touch[3], U32_MAX) for touch in touches]),
            "venue_update_ms": self.padded(
                [STALE_MS if touch is None else min(age, STALE_MS - 1) for touch, age in zip(seen, ages, strict=True)]
            ),
            "recv_ns": self.newest(now_ns),
            "venue_region_ids": self.padded([255] * len(self.venues)),
        }  # fmt: skip

    def newest(self, now_ns: int) -> int:
        return max((venue.recv_ns for venue in self.venues if venue.is_fresh(now_ns, self.max_age_ns)), default=0)

    def books(self, now_ns: int) -> dict[str, Any]:
        bids: list[Levels] = []
        asks: list[Levels] = []
        each = []
        for venue in self.venues:
            is_fresh = venue.is_fresh(now_ns, self.max_age_ns)
            bids.append(top(venue.bids, descending=True) if is_fresh else {})
            asks.append(top(venue.asks, descending=False) if is_fresh else {})
            each.append(book(bids[-1], asks[-1], self.symbol_id, venue.recv_ns if is_fresh else 0))
        return {
            "merged": book(summed(bids), summed(asks), self.symbol_id, self.newest(now_ns)),
            "book_ct": len(self.venues), "symbol_id": self.symbol_id,
            "venue_ids": self.padded([venue.venue_id for venue in self.venues]),
            "venue_region_ids": self.padded([255] * len(self.venues)),
            "books": each + [book({}, {}, 0, 0)] * (self.slots - len(each)),
        }  # fmt: skip
