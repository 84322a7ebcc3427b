"""Who is believed, of two, three and four endpoints, by their heads alone."""

from itertools import count
from typing import Final

import pytest

from connectors.chain import ChainPlan
from connectors.onchain.asker import SECOND
from connectors.venues.evm.council import agreeing, judge
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.rpc import Head
from tests.support.virtual_chain import V2, chain_plan

NOW: Final = 1_000 * SECOND
PLAN: Final = chain_plan((V2,), block_time_ns=SECOND, stale_after_ns=10 * SECOND)  # apart: 10 blocks


def endpoint(name: str, branch: str, top: int, *, age_s: int = 0, is_ready: bool = True) -> Endpoint:
    """At block `top` of a chain whose hashes begin with `branch`'s letter: "a" all along, "a100b": b from 100 on."""
    made = Endpoint(name, 10, [], count(1))
    made.turned(NOW - 50 * SECOND, is_up=True)
    made.is_ready = is_ready
    first, at, second = (branch[0], int(branch[1:-1]), branch[-1]) if len(branch) > 1 else (branch, 2**62, "")
    for number in range(top - 20, top + 1):
        letter = first if number < at else second
        made.saw(Head(number, f"{letter}{number}", "", 0), NOW - age_s * SECOND)
    return made


# endpoints as (branch, top, age), the first is followed → (is disputed, who is wrong)
TABLE: Final = [
    ([("a", 100, 0)], (False, [])),
    ([("a", 100, 0), ("a", 100, 0)], (False, [])),
    ([("a", 100, 0), ("a", 97, 0)], (False, [])),
    ([("a", 100, 0), ("a", 110, 0)], (False, [])),
    ([("a", 100, 0), ("a", 111, 0)], (True, [])),
    ([("a", 100, 0), ("b", 100, 0)], (True, [])),
    ([("a", 100, 0), ("b", 100, 11)], (False, [])),  # a voice that is too old
    ([("a", 100, 11), ("b", 100, 0)], (False, [])),  # the followed one is old: `_watch` ends it
    ([("a", 100, 0), ("a99b", 100, 0)], (False, [])),  # near the top honest nodes may differ …
    ([("a", 100, 3), ("a99b", 100, 3)], (True, [])),  # … not for so long
    ([("a", 100, 0), ("a98b", 100, 0)], (True, [])),
    ([("a", 100, 0), ("a", 100, 0), ("b", 100, 0)], (False, [2])),
    ([("b", 100, 0), ("a", 100, 0), ("a", 100, 0)], (False, [0])),
    ([("a", 100, 0), ("b", 100, 0), ("b", 100, 0)], (False, [0])),
    ([("a", 100, 0), ("a", 100, 0), ("a", 150, 0)], (False, [2])),
    ([("a", 150, 0), ("a", 100, 0), ("a", 100, 0)], (False, [0])),
    ([("a", 100, 0), ("b", 100, 0), ("a", 100, 30)], (True, [])),
    ([("a", 100, 0), ("a", 99, 0), ("a", 98, 0), ("b", 100, 0)], (False, [3])),
    ([("a", 100, 0), ("a", 99, 0), ("b", 100, 0), ("b", 100, 0)], (True, [])),
    ([("a", 100, 0), ("b", 100, 0), ("b", 100, 0), ("b", 100, 0)], (False, [0])),
    ([("b", 100, 0), ("b", 100, 0), ("a", 100, 0), ("b", 100, 0)], (False, [2])),
]


@pytest.mark.parametrize(("said", "verdict"), TABLE)
def test_a_majority_is_believed_and_without_one_nobody(
    said: list[tuple[str, int, int]], verdict: tuple[bool, list[int]]
) -> None:
    endpoints = [endpoint(f"rpc{k}", branch, top, age_s=age) for k, (branch, top, age) in enumerate(said)]
    found = judge(endpoints, endpoints[0], PLAN, NOW)
    assert (bool(found.dispute), sorted(endpoints.index(one) for one in found.wrong)) == verdict


def test_two_that_differ_from_each_other_outvote_nobody() -> None:
    endpoints = [endpoint("rpc0", "a", 100), endpoint("rpc1", "b", 100), endpoint("rpc2", "c", 100)]
    assert endpoints[0] not in judge(endpoints, endpoints[0], PLAN, NOW).wrong


@pytest.mark.parametrize("change", ["down", "of another chain", "outvoted"])
def test_who_may_not_be_used_has_no_voice(change: str) -> None:
    good, other = endpoint("rpc0", "a", 100), endpoint("rpc1", "b", 100, is_ready=change != "of another chain")
    if change == "down":
        other.is_up = False
    other.is_trusted = change != "outvoted"
    assert judge([good, other], good, PLAN, NOW) == judge([good], good, PLAN, NOW)
    assert agreeing([good, other], Head(100, "a100", "", 0), good) == 1


def test_the_words_say_who_says_what() -> None:
    pair = [endpoint("rpc0", "a", 100), endpoint("rpc1", "b", 100)]
    assert judge(pair, pair[0], PLAN, NOW).dispute == ("endpoints disagree: block 98 is a98… to rpc0 and b98… to rpc1")
    apart = [endpoint("rpc0", "a", 100), endpoint("rpc1", "a", 150)]
    assert "rpc0 is at block 100, rpc1 at 150" in judge(apart, apart[0], PLAN, NOW).dispute


def test_a_block_is_agreed_on_by_those_that_have_it() -> None:
    three = [endpoint("rpc0", "a", 100), endpoint("rpc1", "a", 99), endpoint("rpc2", "a100b", 100)]
    assert agreeing(three, Head(100, "a100", "", 0), three[0]) == 1
    assert agreeing(three, Head(99, "a99", "", 0), three[0]) == 3


def test_slow_chains_may_be_five_blocks_apart() -> None:
    plan: ChainPlan = chain_plan((V2,), block_time_ns=12 * SECOND, stale_after_ns=30 * SECOND)
    for top, is_disputed in ((105, False), (106, True)):
        pair = [endpoint("rpc0", "a", 100), endpoint("rpc1", "a", top)]
        assert bool(judge(pair, pair[0], plan, NOW).dispute) == is_disputed
