"""Damaged accounts, many and at random: refused with a reason, or taken for just what their bytes say.

`VENUEGATE_SOLANA_DAMAGE` sets how many.
"""

import os
from collections import Counter
from typing import Final

import pytest

from connectors.chain import PoolPlan
from tests.support.solana_accounts_damage import KINDS, asked, damages, judge, swapped, worlds
from tests.support.solana_accounts_pools import World

COUNT: Final = int(os.environ.get("VENUEGATE_SOLANA_DAMAGE", "10000"))
PARTS: Final = 4


@pytest.fixture(scope="module")
def sound() -> list[tuple[PoolPlan, World]]:
    return worlds(24, seed=2026)


def test_sound_pools_are_made(sound: list[tuple[PoolPlan, World]]) -> None:
    assert [judge(plan, world) for plan, world in sound] == ["made"] * len(sound)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_damage_makes_a_state_that_is_not_there(sound: list[tuple[PoolPlan, World]], part: int) -> None:
    """Truncated, a bit or a byte changed, a foreign owner, another type, exchanged, closed, foreign, not read."""
    seen: Counter[tuple[str, str]] = Counter()
    for kind, plan, world in damages(COUNT // PARTS, part, sound):
        seen[kind, judge(plan, world)] += 1
    made = sum(count for (_, verdict), count in seen.items() if verdict == "made")
    assert sum(seen.values()) == COUNT // PARTS
    assert all(seen[kind, "refused"] for kind in KINDS)
    assert 0.1 < made / seen.total() < 0.6  # much of an account is nothing to a quote
    assert not any(seen[kind, "made"] for kind in ("truncated", "longer"))


def test_every_other_question_too(sound: list[tuple[PoolPlan, World]]) -> None:
    """What is wanted, what plan it makes: an answer or a refusal; and a state that was made answers for a swap."""
    for _, plan, world in damages(COUNT // 10, 99, sound):
        asked(plan, world)
        if judge(plan, world) == "made":
            swapped(plan, world)
