"""`python -m tests.reference --sequences 1000000`: gate against reference on all cores; prints what it compared."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from risk.denial import DenyReason
from tests.reference.runner import Tally, play, wanted

SLICE = 500
MOST_DIFFERENCES = 50


def slices(total: int) -> Iterator[tuple[int, int]]:
    for first in range(0, total, SLICE):
        yield first, min(SLICE, total - first)


def main() -> int:
    """Ends with status 1 where anything differed, and says the seeds."""
    sequences, seed = wanted(100_000)
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("--sequences", type=int, default=sequences)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    total, told = Tally(), 0
    with ProcessPoolExecutor(asked.jobs) as pool:
        for tally in pool.map(_slice, [(asked.seed, first, count) for first, count in slices(asked.sequences)]):
            total.add(tally)
            for difference in tally.differences:
                print(difference, flush=True)
            if len(total.differences) >= MOST_DIFFERENCES:
                pool.shutdown(cancel_futures=True)
                break
            if total.sequences - told >= 20_000:
                told = total.sequences
                print(f"{told} sequences, {len(total.differences)} differences so far", flush=True)
    print(
        f"{total.sequences} sequences agreed, {len(total.differences)} did not; {total.steps} steps, {total.verdicts} "
        f"verdicts (seed {asked.seed})"
    )
    for reason in DenyReason:
        print(f"  {reason:<24}{total.met[reason]:>10}")
    return 1 if total.differences else 0


def _slice(asked: tuple[int, int, int]) -> Tally:
    return play(*asked)


if __name__ == "__main__":
    raise SystemExit(main())
