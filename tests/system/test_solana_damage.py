"""Solana's session while its frames are damaged: notifications, answers, slots, one damage after the other.

Each book that is shown is judged at once, and again at every moment that it stands, by the honest ledger's state of the
slot it is of (tests/support/solana_watch.py): it is right, or the market is lost with a reason. Nothing raises, and
after an undamaged stretch everything is shown again.
"""

import os
import random
from collections import Counter
from functools import partial
from typing import Final

import pytest

from tests.support.solana_damage import CONTENTS, ON_THE_WAY, SHAPES, is_lie, parts
from tests.support.solana_world import ORCA, ORCA_FINE, RAYDIUM, Bare, Link, Way, solana_plan

KINDS: Final = (*(damage.__name__ for damage in (*SHAPES, *CONTENTS)), *ON_THE_WAY)
EACH: Final = -(-int(os.environ.get("VENUEGATE_SOLANA_DAMAGE", "2000")) // len(KINDS))
BATCH: Final = 16  # damages between two undamaged stretches


class Storm:
    """A running session, one damage after the other, at whichever of its endpoints. `counts` is for the figures."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.rng = kind, random.Random(f"{kind} {seed}")
        pools = (ORCA, ORCA_FINE, RAYDIUM) if kind == "other_account" else (ORCA, RAYDIUM)  # two of the same tokens
        self.bare = Bare(solana_plan(pools, ("rpc1", "rpc2"), calls_per_s=1000), seed=seed)
        self.counts: Counter[str] = Counter()
        self.last = ""
        self._armed = -1  # eligible frames to let pass; -1: nothing is armed
        self._kept: dict[int, list[bytes]] = {}  # frames of a way, for `again_later` and `stale`
        self._held: dict[int, bytes] = {}
        self._lied = False
        for link in self.bare.chain.links.values():
            for way in (link.socket, link.calls):
                way.filter = partial(self._frame, link, way)
        self.bare.run(5, self.bare.is_well)

    def _frame(self, link: Link, way: Way, frame: bytes) -> tuple[bytes, ...]:
        kept = self._kept.setdefault(id(way), [])
        kept.append(frame)
        del kept[:-40]
        held = self._held.pop(id(way), None)
        before = () if held is None else (held,)
        if self._armed < 0 or not self._is_eligible(frame):
            return (frame, *before)
        self._armed -= 1
        if self._armed >= 0:
            return (frame, *before)
        self.counts["damaged"] += 1
        return (*self._damaged(link, way, frame, kept), *before)

    def _is_eligible(self, frame: bytes) -> bool:
        """Most of them of accounts, which is where a wrong book would come from."""
        if self.kind == "rollback":  # two branches would take the same slots
            chain = self.bare.chain
            return chain.head + 2 > max(chain.truths) and not any(link.node._branch for link in chain.links.values())
        if self.kind in ("cut_account", "long_account", "foreign_owner", "no_account", "other_account", "other_type"):
            return b'"owner"' in frame
        return b'"owner"' in frame or self.rng.randrange(4) == 0

    def _damaged(self, link: Link, way: Way, frame: bytes, kept: list[bytes]) -> tuple[bytes, ...]:
        found: tuple[bytes, ...]
        match self.kind:
            case "drop":
                found = ()
            case "duplicate":
                found = frame, frame
            case "again_later":
                found = frame, self.rng.choice(kept)
            case "out_of_order":
                self._held[id(way)] = frame
                found = ()
            case "stale":
                found = (_of_another(frame, self.rng.choice(kept)),)
            case "rollback":
                link.node.faults.rollback = self.rng.randrange(1, 6)
                found = (frame,)
            case _:
                damage = next(one for one in (*SHAPES, *CONTENTS) if one.__name__ == self.kind)
                found = (damage(frame, self.rng),)
        self.last = f"{self.kind}: {frame[:200]!r} became {[one[:200] for one in found]!r}"
        if self.kind != "other_account" and len(found) == 1 and is_lie(frame, found[0]):
            self.counts["lies"] += 1
            self.bare.watch.check = False
            self._lied = True
        return found

    def batch(self, count: int) -> None:
        """So many damages, and the undamaged stretch behind them."""
        bare = self.bare
        for _ in range(count):
            before = self.counts["damaged"]
            self._armed = self.rng.randrange(4)
            bare.run(20, partial(self._is_damaged_more, before))
            assert self.counts["damaged"] == before + 1, self.last
            if self._lied:
                self._armed = -1
                self._recover()
        self._armed = -1
        self._recover()

    def _is_damaged_more(self, before: int) -> bool:
        return self.counts["damaged"] > before

    def _recover(self) -> None:
        bare = self.bare
        self._lied = False
        if bare.watch.check and bare.is_well():
            return
        bare.run(0.5)
        bare.run(60, self._is_well)
        assert self._is_well(), f"{self.last}; lost: {bare.session.lost!r} {bare.watch.lost_for} {bare.notices[-4:]}"
        bare.watch.check = True
        bare.watch.wrong.clear()

    def _is_well(self) -> bool:
        return self.bare.is_well() and not self.bare.watch.amiss_now()


def _of_another(frame: bytes, older: bytes) -> bytes:
    """An older frame in the place of this one, as its answer if it is one."""
    head, body = parts(frame)
    _, said = parts(older)
    if not head or b'"id":' not in said:
        return older
    number = body.rpartition(b'"id":')[2]
    return head + said.rpartition(b'"id":')[0] + b'"id":' + number


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_raises_or_shows_or_stays(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    storm, left = Storm(kind, 1), EACH
    while left:
        count = min(left, BATCH)
        try:
            storm.batch(count)
        except Exception as error:
            raise AssertionError(f"{error!r} after {storm.last}") from error
        left -= count
    assert storm.counts["damaged"] == EACH
    with capsys.disabled():
        lost = len(storm.bare.lost)
        print(f"\n    {kind}: {dict(storm.counts)}, {storm.bare.watch.compared} books judged, {lost} lost", end="")
