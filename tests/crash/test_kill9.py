"""The kill -9 proof: a trading gateway dies at any moment, the venue lives on, and nothing is lost, doubled or wrong.

Each test is a journal (or several) through many lives of the real gateway: sockets, vault, doors, journal, and a guest
that places, amends and cancels as fast as books come. The venue is a process of its own, takes requests late, answers
some of them never, and its lists lag; its own record is the oracle. VENUEGATE_KILL9=10000 kills more often.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.trading_kill import Figures, kills
from tests.support.trading_kill_child import POINTS

KILLS = int(os.environ.get("VENUEGATE_KILL9", "64"))
OF_ONE = 48  # kills on one journal: an account's record grows, and who reads it gets slower
CONTROL_KILLS = 18
AT_ONCE = 2


def run(folder: Path, count: int, wrong: str = "", first_seed: int = 1) -> Figures:
    """So many kills, on journals of their own; two at a time."""
    chains = max(AT_ONCE, -(-count // OF_ONE))
    each = -(-count // chains)
    figures, due = Figures(), deque(POINTS)  # shared: a point that one journal's life missed, the next life comes to
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seeds = range(first_seed, first_seed + chains)
        for found in pool.map(lambda seed: kills(folder / str(seed), seed, each, due, wrong), seeds):
            figures.add(found)
    return figures


@pytest.mark.slow
@pytest.mark.timeout(240 + 3 * KILLS)
def test_a_kill_at_any_moment_loses_doubles_and_misjudges_nothing(tmp_path: Path) -> None:
    """Every order of ours at the venue is known, placed once, and what we say of it is so; positions are the venue's.

    Every named point is hit; most kills leave orders of which nobody knows what became. A second recovery adds nothing
    to the first (`Lives.end`).
    """
    figures = run(tmp_path, KILLS)
    print(figures)
    assert figures.found.all == []
    assert figures.kills >= KILLS
    assert figures.doubtful * 2 >= figures.kills
    assert figures.fresh * 3 >= figures.kills
    assert figures.orders > 2 * KILLS
    assert figures.fills > KILLS
    assert set(POINTS) <= figures.points.keys()


@pytest.mark.slow
def test_bytes_before_the_record_lose_orders(tmp_path: Path) -> None:
    """The first negative control: the same kills find out a gateway that sends before its record is durable."""
    figures = run(tmp_path, CONTROL_KILLS, "send first", 101)
    print(figures)
    assert figures.found.lost


@pytest.mark.slow
def test_one_not_found_that_is_believed_calls_living_orders_dead(tmp_path: Path) -> None:
    """The second: absence in the first picture is no proof, for the order may still be in the pipe."""
    figures = run(tmp_path, CONTROL_KILLS, "believe one not found", 201)
    print(figures)
    assert figures.found.false
    assert any("was called rejected" in text for text in figures.found.false)
