"""Many sequences: seed after seed, what was compared counted honestly, every difference kept."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from risk.denial import DenyReason
from tests.reference.driver import Run

SEED_STRIDE = 10**9


@dataclass
class Tally:
    """`sequences` ran to their end; `steps` were compared after each; `verdicts` asked of both; `met` by reason.

    `differences`: what the others ended with.
    """

    sequences: int = 0
    steps: int = 0
    verdicts: int = 0
    met: Counter[DenyReason] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.sequences += other.sequences
        self.steps += other.steps
        self.verdicts += other.verdicts
        self.met.update(other.met)
        self.differences += other.differences


def length_of(seed: int) -> int:
    """Most sequences are short; one in forty is long, and goes where short ones do not."""
    rng = Random(seed * 7 + 1)
    return rng.randint(60, 140) if rng.random() < 0.025 else rng.randint(3, 14)


def play(base: int, first: int, count: int) -> Tally:
    """Sequences `first` … `first + count` of the seed `base`; what differs is in the tally, and the next goes on."""
    tally = Tally()
    for number in range(first, first + count):
        seed = base * SEED_STRIDE + number
        run = Run(seed, length_of(seed))
        try:
            run.play()
            tally.sequences += 1
        except AssertionError as difference:
            tally.differences.append(str(difference))
        tally.steps += run.count
        tally.verdicts += run.pair.verdicts
        tally.met.update(run.met)
    return tally


def wanted(default: int) -> tuple[int, int]:
    """How many sequences, and which seed, the environment asks for."""
    return int(os.environ.get("VENUEGATE_GATE_SEQUENCES", default)), int(os.environ.get("VENUEGATE_GATE_SEED", "0"))
