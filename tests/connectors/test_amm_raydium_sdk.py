"""Raydium's rules of 2026 against Raydium's own SDK: its answers in fixtures/raydium and, when asked for, live."""

import os

import pytest

from tests.solana.raydium_golden import rounds
from tests.support.clmm_raydium import OURS, REFUSED
from tests.support.clmm_raydium_checks import golden_checks, live_checks, wrong
from tests.support.clmm_raydium_oracles import sdk_folder


def test_the_kept_answers_of_the_sdk() -> None:
    """Hundreds of swaps: fees on either side, volatile fees, orders on ticks; each on what the one before left."""
    checks = golden_checks()
    answers = [answer for check in checks for answer in check.answer]
    assert len(checks) == 160 and len(answers) > 440
    assert sum(answer != REFUSED for answer in answers) > 400
    assert list(wrong(checks, OURS)) == []


@pytest.mark.slow
def test_the_sdk_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """VENUEGATE_RAYDIUM_SDK=1: thousands of swaps (VENUEGATE_RAYDIUM_SEEDS), asked now. How many is printed."""
    folder = sdk_folder()
    seeds = range(10_000, 10_000 + int(os.environ.get("VENUEGATE_RAYDIUM_SEEDS", "1500")))
    cases = list(rounds(folder, seeds))
    checks = live_checks(cases)
    answers = [answer for check in checks for answer in check.answer]
    done = sum(answer != REFUSED for answer in answers)
    assert done >= len(seeds)
    assert list(wrong(checks, OURS)) == []
    with capsys.disabled():
        print(f"\nRaydium SDK: {done} swaps equal, {len(answers) - done} refused by both")
