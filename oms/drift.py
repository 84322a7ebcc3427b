"""Drift: is the money at a venue what it was, and what came and went since? Per currency, in integers ×1e8.

expected = anchor + Σ movements since, of whosever order, deposits and withdrawals too: what nobody told of is what is
looked for. Observed is what a picture's balances say; a currency that they lack is 0 there.

**The anchor** is taken from the first picture, unless one is remembered. It stands at once where no money moved while
it was asked for; else when a second picture equals it and what moved between: it may hold an execution whose movement
was still on its way, and would count it twice for ever. Until it stands, each picture is a new anchor, and nothing is
said. `anchor()` (a person looked) begins that anew.

**What is on its way** is none: balances and executions come from different requests and over different links. What the
picture shows may be any of the sums that `expected` went through from `lag_ns` before it was asked for until it is
judged, which should be a few seconds after it was read.

**A difference counts** when two pictures in a row have the same one, or five in a row have any: balances and executions
come from different requests, and what is on its way differs from picture to picture. Pictures that were asked for less
than `apart_ns` after the last one that counted are one with it, as is one that is older.

**A movement counts once**, by ref, currency and kind. Refs are kept by how lately they were told, `kept` of them: a
movement is forgotten when that many others were told since it was told last, new or again. A venue repeats its last 50
executions at a new link, and a picture those since the one before; so `kept` is far above both. Were one forgotten and
told again all the same, it would count twice and be seen as drift: loud, not silent.

**Tolerance.** Each movement was rounded by the venue to `unit_1e8` of its currency and by us to 1e-8, and we rounded
the balances. So a difference of both for every movement since the last picture that was equal, and of 1e-8 more, is
none.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.events import Movement, Picture

SAME_IN_A_ROW: Final = 2
ANY_IN_A_ROW: Final = 5
REFS_KEPT: Final = 16_384
RECENT_NS: Final = 60 * 10**9
QUIET_NS: Final = 5 * 10**9  # before the anchor's picture was asked for
Ref = tuple[str, str, str]  # ref, currency, kind


class DriftMemory(msgspec.Struct, frozen=True):
    """What must outlive the process. `expected` ×1e8; `moves`: movements since the anchor; both by currency. `refs`:
    those told lately, the latest last. `stands`: whether the anchor was confirmed.
    """

    expected: dict[str, int]
    moves: dict[str, int]
    refs: tuple[Ref, ...]
    stands: bool


class Drifted(msgspec.Struct, frozen=True, array_like=True):
    """A currency of which the venue has something else than it should; ×1e8."""

    currency: str
    expected_1e8: int
    observed_1e8: int


class _Row(msgspec.Struct):
    """Pictures in a row in which a currency differs: by how much the last did, how many had that, how many any."""

    by_1e8: int
    same: int
    any: int


class Drift:
    """One venue's. `unit_1e8`: the venue's rounding of a movement by currency (Kraken: USD, 4 decimals, 10,000 × 1e-8);
    a currency that is not named is exact to 1e-8.
    """

    def __init__(
        self, venue: str, unit_1e8: Mapping[str, int], memory: DriftMemory | None = None, *, apart_ns: int = 0,
        lag_ns: int = 0, kept: int = REFS_KEPT,
    ) -> None:  # fmt: skip
        self.venue = venue
        self._unit_1e8 = unit_1e8
        self._apart_ns, self._lag_ns = apart_ns, lag_ns
        self._recent: deque[tuple[int, str, int]] = deque()  # when told, currency, amount
        self._kept = kept
        self._refs: OrderedDict[Ref, None] = OrderedDict()
        self._expected: dict[str, int] | None = None  # None: no anchor yet
        self._moves: dict[str, int] = {}
        self._stands = False
        self._rows: dict[str, _Row] = {}
        self._asked_ns = -1
        self._found: list[Drifted] = []
        if memory is not None:
            self._refs.update((ref, None) for ref in memory.refs[-kept:])
            self._expected = dict(memory.expected) if memory.stands else None
            self._moves, self._stands = dict(memory.moves), memory.stands

    def memory(self) -> DriftMemory:
        return DriftMemory(dict(self._expected or {}), dict(self._moves), tuple(self._refs), self._stands)

    def moved(self, movement: Movement, now_ns: int = 0) -> bool:
        """Money came or went; whether it was told for the first time."""
        ref = (movement.ref, movement.currency, movement.kind)
        if ref in self._refs:
            self._refs.move_to_end(ref)
            return False
        self._refs[ref] = None
        if len(self._refs) > self._kept:
            self._refs.popitem(last=False)
        if self._expected is not None:
            currency = movement.currency
            self._expected[currency] = self._expected.get(currency, 0) + movement.amount_1e8
            self._moves[currency] = self._moves.get(currency, 0) + 1
        self._recent.append((now_ns, movement.currency, movement.amount_1e8))
        while self._recent[0][0] < now_ns - 2 * self._lag_ns - RECENT_NS:
            self._recent.popleft()
        return True

    def anchor(self) -> None:
        """A person looked, and what the venue has is right: the next picture is where it begins."""
        self._expected, self._stands, self._found = None, False, []
        self._rows.clear()

    @property
    def is_anchored(self) -> bool:
        return self._expected is not None

    def differs(self, picture: Picture) -> list[Drifted]:
        """What this picture shows otherwise than expected, whether it counts or not; nothing is remembered."""
        if self._expected is None or not self._stands:
            return []
        observed, expected = dict(picture.balances), self._expected
        found = self._differences(expected, observed, picture.asked_ns)
        return [Drifted(name, expected.get(name, 0), observed.get(name, 0)) for name in found]

    def looked(self, picture: Picture) -> list[Drifted]:
        """A picture came: what has drifted, by currency; by the one before, where this one does not count."""
        if self._asked_ns >= 0 and picture.asked_ns <= self._asked_ns + self._apart_ns:
            return self._found
        self._asked_ns = picture.asked_ns
        observed = dict(picture.balances)
        expected = self._expected
        if expected is None or (not self._stands and self._differences(expected, observed, picture.asked_ns)):
            self._expected, self._moves, self._found = observed, {}, []
            self._stands = self._lag_ns > 0 and all(
                told_ns < picture.asked_ns - QUIET_NS for told_ns, _, _ in self._recent
            )
            for told_ns, currency, amount_1e8 in self._recent:
                if told_ns > picture.asked_ns:
                    observed[currency] = observed.get(currency, 0) + amount_1e8
            return []
        self._stands = True
        differences = self._differences(expected, observed, picture.asked_ns)
        for currency, by_1e8 in differences.items():
            row = self._rows.get(currency)
            if row is None:
                self._rows[currency] = _Row(by_1e8, 1, 1)
            else:
                row.same = row.same + 1 if row.by_1e8 == by_1e8 else 1
                row.by_1e8, row.any = by_1e8, row.any + 1
        for currency in [one for one in self._rows if one not in differences]:
            del self._rows[currency]
        if self._lag_ns:
            for currency in expected.keys() - differences.keys():
                self._begin_anew(currency, observed.get(currency, 0))
        self._found = self._drifted(observed)
        return self._found

    def _differences(self, expected: Mapping[str, int], observed: Mapping[str, int], asked_ns: int) -> dict[str, int]:
        """Currency → observed less expected, where that is more than rounding."""
        found = {}
        for currency in sorted({*expected, *observed}):
            by_1e8 = observed.get(currency, 0) - expected.get(currency, 0)
            if self._residual(currency, by_1e8, self._rounding_1e8(currency), asked_ns) is None:
                found[currency] = by_1e8
        return found

    def _begin_anew(self, currency: str, observed_1e8: int) -> None:
        """Equal but for rounding: that is the venue's from now on, so that what may be rounding does not grow."""
        expected = self._expected or {}
        by_1e8 = observed_1e8 - expected.get(currency, 0)
        residual = self._residual(currency, by_1e8, self._rounding_1e8(currency), self._asked_ns)
        if residual is not None:
            expected[currency] = expected.get(currency, 0) + residual
            since_ns = self._asked_ns - self._lag_ns
            self._moves[currency] = sum(one == currency and at >= since_ns for at, one, _ in self._recent)

    def _rounding_1e8(self, currency: str) -> int:
        return self._moves.get(currency, 0) * (1 + self._unit_1e8.get(currency, 0)) + 1

    def _residual(self, currency: str, by_1e8: int, rounding_1e8: int, asked_ns: int) -> int | None:
        """What rounding leaves between the picture and one of the sums it may show; None: it shows none of them."""
        if abs(by_1e8) <= rounding_1e8:
            return by_1e8
        since_ns, back_1e8 = asked_ns - self._lag_ns, 0
        for told_ns, one, amount_1e8 in reversed(self._recent):
            if told_ns < since_ns:
                return None
            if one == currency:
                back_1e8 -= amount_1e8
                if abs(by_1e8 - back_1e8) <= rounding_1e8:
                    return by_1e8 - back_1e8
        return None

    def _drifted(self, observed: Mapping[str, int]) -> list[Drifted]:
        expected = self._expected or {}
        return [
            Drifted(currency, expected.get(currency, 0), observed.get(currency, 0))
            for currency, row in self._rows.items()
            if row.same >= SAME_IN_A_ROW or row.any >= ANY_IN_A_ROW
        ]
