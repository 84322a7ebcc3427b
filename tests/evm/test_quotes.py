"""Our maths against the pools' own contracts: every quote, every executed swap, to the last unit.

State is read here by plain calls (`scenes.py`), the questions are asked of QuoterV2 and Router02, the swaps are sent
through the public routers. On anvil the contracts are the published ones; the embedded chain runs the same suite. What
the chain said is recorded once and shown to broken copies of the maths as well: each must be found out.
"""

import random
from collections.abc import Iterator
from itertools import chain as chained

import pytest

from tests.evm.cases import ENDS, Case, curve_of, mismatches, quote_of, v2_cases, v3_cases
from tests.evm.chains import Chain
from tests.evm.deeds import Story, Swap, departures, landing_story, v2_stories, v3_stories
from tests.evm.scenes import SPACINGS, Scene, V3State, brimful_scene
from tests.support.amm_mutants import MUTANTS, Mutant, load

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quotes_v3(chain: Chain, v3_pools: list[Scene]) -> list[Case]:
    rng = random.Random(1)
    return [case for scene in v3_pools for case in v3_cases(chain.driver, scene, rng)]


@pytest.fixture(scope="module")
def quotes_v2(chain: Chain, v2_pools: list[Scene]) -> list[Case]:
    rng = random.Random(2)
    return [case for scene in v2_pools for case in v2_cases(chain.driver, scene, rng)]


@pytest.fixture(scope="module")
def stories_v3(chain: Chain, v3_pools: list[Scene]) -> Iterator[list[Story]]:
    rng, snapshot = random.Random(3), chain.driver.snapshot()
    landing = landing_story(chain.driver, brimful_scene(chain))
    yield [landing, *v3_stories(chain.driver, v3_pools, rng)]
    chain.driver.revert(snapshot)


@pytest.fixture(scope="module")
def stories_v2(chain: Chain, v2_pools: list[Scene]) -> Iterator[list[Story]]:
    rng, snapshot = random.Random(4), chain.driver.snapshot()
    yield v2_stories(chain.driver, v2_pools, rng)
    chain.driver.revert(snapshot)


def told(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """A figure for CI's log, whatever pytest captures."""
    with capsys.disabled():
        print(f"\n    {line}", end="")


def test_every_v3_quote_is_the_quoters(chain: Chain, quotes_v3: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    """Amount, price after and ticks crossed, both ways, exact in and exact out; a refusal where it refuses."""
    assert list(mismatches(quotes_v3)) == []
    answered = [(case, case.said) for case in quotes_v3 if case.said is not None]
    crossed = [said[2] for _, said in answered]
    at_end = sum(said[1] in ENDS for _, said in answered)
    assert len(answered) >= 1_000
    assert len({(case.down, case.is_out) for case, _ in answered}) == 4
    assert {case.pool.fee_ppm for case, _ in answered} == set(SPACINGS)
    assert sum(count >= 30 for count in crossed) >= 20
    assert at_end >= 20
    told(capsys, f"{chain.name}: {len(quotes_v3)} V3 quotes ({len(quotes_v3) - len(answered)} refused), 0 mismatches; "
         f"up to {max(crossed)} ticks crossed, {sum(count >= 30 for count in crossed)} times 30 or more; {at_end} to "
         "the price limits")  # fmt: skip


def test_the_quotes_cross_word_borders_and_gaps(quotes_v3: list[Case]) -> None:
    """Without these a suite flatters the maths: an empty word's border and a stretch without liquidity round too."""
    borders = gaps = 0
    for case in quotes_v3:
        quote = quote_of(curve_of(case.pool, case.state), case.amount, down=case.down, is_out=case.is_out)
        if quote is None or not isinstance(case.state, V3State):
            continue
        ends = sorted((case.state.tick, quote.after.tick))  # type: ignore[attr-defined]
        borders += len({tick // case.pool.spacing // 256 for tick in ends}) == 2
        running, is_gap = 0, False
        for tick, (_, net) in sorted(case.state.ticks.items()):
            running += net
            is_gap |= running == 0 and ends[0] <= tick < ends[1]
        gaps += is_gap
    assert borders >= 100
    assert gaps >= 50


def test_every_v2_quote_is_the_routers(chain: Chain, quotes_v2: list[Case], capsys: pytest.CaptureFixture[str]) -> None:
    """getAmountsOut and getAmountsIn, both ways; refusals where they refuse or the pair would."""
    assert list(mismatches(quotes_v2)) == []
    answered = sum(case.said is not None for case in quotes_v2)
    assert answered >= 200
    told(capsys, f"{chain.name}: {len(quotes_v2)} V2 quotes ({len(quotes_v2) - answered} refused), 0 mismatches")


def test_executed_swaps_are_what_our_maths_says(
    chain: Chain, stories_v3: list[Story], stories_v2: list[Story], capsys: pytest.CaptureFixture[str]
) -> None:
    """From our own state after the last deed, nothing read again: amounts, price, liquidity, tick and reserves by the
    logs, slot0 and getReserves beside them, every tick at the end."""
    assert list(departures(stories_v3)) == []
    assert list(departures(stories_v2)) == []
    for version, stories, least in (("V3", stories_v3, 140), ("V2", stories_v2, 50)):
        deeds = list(chained.from_iterable(story.deeds for story in stories))
        swaps = [deed for deed in deeds if isinstance(deed, Swap)]
        done = sum(swap.said is not None for swap in swaps)
        assert done >= least
        assert done < len(swaps), "none is refused"
        told(capsys, f"{chain.name}: {done} {version} swaps executed, {len(swaps) - done} refused by both, "
             f"{len(deeds) - len(swaps)} changes of positions, 0 mismatches")  # fmt: skip


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in MUTANTS if mutant.file != "stableswap.py"],
    ids=lambda mutant: mutant.name,
)
def test_broken_maths_is_found_out(
    mutant: Mutant, quotes_v3: list[Case], quotes_v2: list[Case], stories_v3: list[Story], stories_v2: list[Story]
) -> None:
    """One thing wrong in the maths, and some answer of the chain says so."""
    maths = load(mutant)
    found = chained(
        mismatches(quotes_v3, maths), mismatches(quotes_v2, maths),
        departures(stories_v3, maths), departures(stories_v2, maths),
    )  # fmt: skip
    try:
        wrong = next(found, None)
    except (ArithmeticError, AssertionError, LookupError, ValueError) as error:  # it breaks, or never ends
        wrong = repr(error)
    assert wrong is not None, "no answer of the chain tells it from the right one"
