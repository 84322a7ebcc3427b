"""The P cards, on a constant-product pool with swaps of our own arithmetic, and on two tapes of a chain that forked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Quote
from connectors.session import Venue
from connectors.venues.evm import ARBITRUM
from runtime.certify import FAILED, PASSED, Outcome, _outcome
from runtime.conformance import Swap, VenueConformance
from runtime.conformance.cards import cards_of
from runtime.conformance.pools import FORKED, STRAIGHT
from tests.support.tulip import planted, tape

POOL = ConstantProduct((1_000_000_000, 2_000_000_000_000), 3_000)
# 997·x·y / (1000·X + 997·x), as the router of Uniswap V2 rounds: by hand
SWAPS = [
    Swap("one way", POOL, 0, 1, 1_000_000, 1_992_013_962, 2_000_000_000_000),
    Swap("the other", POOL, 1, 0, 1_000_000_000, 498_251, 1_000_000_000),
]


class Generous(ConstantProduct, frozen=True):
    """One unit too much."""

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        found = super().exact_in(i, j, amount)
        return msgspec.structs.replace(found, amount_out=found.amount_out + 1)


class Falling(ConstantProduct, frozen=True):
    """The more in, the less out, from some point on."""

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        found = super().exact_in(i, j, amount)
        return msgspec.structs.replace(found, amount_out=found.amount_out - max(0, amount - 1_000_000) * 1_000_000)

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        return [self.exact_in(i, j, amount).amount_out for amount in amounts]


class Bottomless(ConstantProduct, frozen=True):
    """It pays what it has not."""

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        del i, j
        return Quote(1, amount, self)


def run(card: str, swaps: Sequence[Swap], venue: Venue = ARBITRUM, tapes: Path = Path("/nowhere")) -> Outcome:
    kit = type("Certified", (VenueConformance,), {"tapes": tapes, "docs": (), "swaps": lambda _self: swaps})()
    (one,) = [one for one in cards_of(type(kit)) if one.id == card]
    return _outcome(one, kit, venue)


@pytest.mark.parametrize("card", ["P10", "P20", "P30"])
def test_an_exact_pool_keeps_them(card: str) -> None:
    assert run(card, SWAPS).outcome == PASSED


@pytest.mark.parametrize(
    ("card", "pool", "said"),
    [("P10", Generous, "the chain paid"), ("P20", Falling, "in gives"), ("P20", Generous, "in a ladder"),
     ("P30", Bottomless, "is ready to pay")],
)  # fmt: skip
def test_a_pool_that_is_not_is_caught(card: str, pool: type[ConstantProduct], said: str) -> None:
    crooked = [msgspec.structs.replace(swap, curve=pool(POOL.reserves, POOL.fee_ppm)) for swap in SWAPS]
    found = run(card, crooked)
    assert found.outcome == FAILED
    assert said in found.reason


def test_a_chain_without_swaps_has_proved_nothing() -> None:
    found = run("P10", [])
    assert found.outcome == FAILED
    assert "override `swaps`" in found.reason


@pytest.mark.parametrize("fault", ["", "no fork", "another end"])
def test_a_fork_leaves_nothing_behind(fault: str, tmp_path: Path) -> None:
    """Books of both tapes are compared; the forked one has to show that a block was removed."""
    venue = planted(tmp_path)
    chain = msgspec.structs.replace(venue, capabilities=msgspec.structs.replace(venue.capabilities, onchain=True))
    straight = tape(tmp_path / "straight", venue)
    forked = tape(
        tmp_path / "forked", venue, fork=0 if fault == "no fork" else 30, steps=59 if fault == "another end" else 60
    )
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / STRAIGHT).write_bytes(next(straight.iterdir()).read_bytes())
    (folder / FORKED).write_bytes(next(forked.iterdir()).read_bytes())
    found = run("P40", SWAPS, chain, folder)
    said = {"": "", "no fork": "it holds no fork", "another end": "another book than without it"}[fault]
    assert found.outcome == (FAILED if fault else PASSED), found.reason
    assert said in found.reason
