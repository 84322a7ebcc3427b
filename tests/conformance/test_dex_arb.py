"""Arbitrum keeps every card of a chain: P on swaps that Uniswap's bytecode executed, F and P40 on tapes with a fork.

`uv run gateway venue certify dex_arb` prints the same as a table.
"""

from pathlib import Path

import pytest

from connectors.errors import TapeError
from connectors.session import Venue
from connectors.venues.evm import ARBITRUM
from runtime.conformance import Swap, VenueConformance
from runtime.conformance.pools import FORKED, STRAIGHT
from runtime.conformance.swaps import FILE, lines_in, text_of
from runtime.conformance.tapes import Tape
from runtime.conformance.truth import Truth
from tests.support.data import ROOT

FOLDER = ROOT / "fixtures/dex_arb/conformance"


class TestArbitrum(VenueConformance):
    tapes = FOLDER
    docs = (ROOT / "docs/conformance.md",)

    @pytest.fixture
    def venue(self) -> Venue:
        return ARBITRUM


def test_the_fork_was_shown_before_it_was_removed() -> None:
    """Else P40 would hold for a session that never saw it: books that only the forked chain had, and trades after."""
    forked, straight = (Truth(ARBITRUM, Tape(FOLDER / name, ARBITRUM)) for name in (FORKED, STRAIGHT))
    for index, states in straight.had.items():
        assert forked.had[index] - states, straight.tape.names[index]
        assert len(states) > 1


def test_the_swaps_are_of_each_exact_kind() -> None:
    swaps: list[Swap] = list(TestArbitrum().swaps())
    kinds = {type(swap.curve).__name__ for swap in swaps}
    assert kinds == {"ConstantProduct", "Concentrated", "StableSwap"}
    assert all({swap.i for swap in swaps if type(swap.curve).__name__ == kind} >= {0, 1} for kind in kinds)


def test_a_swap_is_written_as_it_was_read() -> None:
    assert [text_of(line) for line in lines_in(FOLDER)] == (FOLDER / FILE).read_bytes().splitlines()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "is no swap"),
        (b'{"name": "a"}', "is no swap"),
        (b'{"name":"a","i":"0","j":"1","amount_in":"5","amount_out":"4","reserve":"9"}', "has not one pool"),
        (b'{"name":"a","i":"0","j":"1","amount_in":"x","amount_out":"4","reserve":"9"}', "is no swap"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_swap_is_named(line: bytes, said: str, tmp_path: Path) -> None:
    """Never left out: fewer swaps would prove less, in silence."""
    first = (FOLDER / FILE).read_bytes().splitlines()[0]
    (tmp_path / FILE).write_bytes(first + b"\n" + line + b"\n")
    with pytest.raises(TapeError, match=said) as error:
        list(lines_in(tmp_path))
    assert f"{FILE}:2" in str(error.value)
