"""What a head is to the blocks that are kept: the table in blocks.py, and what stays kept."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.venues.evm.blocks import KEPT, Block, Blocks, Place
from connectors.venues.evm.rpc import Head


def head(number: int, name: str, parent: str) -> Head:
    return Head(number, name, parent, number)


def chain(*names: str, start: int = 10) -> Blocks:
    """Blocks that follow each other: the first one's parent is nobody's."""
    blocks = Blocks()
    before = "?"
    for number, name in enumerate(names, start):
        blocks.add(Block(head(number, name, before), {}))
        before = name
    return blocks


# ours: a 10, b 11, c 12, d 13 (the tip)
TABLE: Final = [
    (head(14, "e", "d"), Place.NEXT), (head(13, "d", "c"), Place.SAME), (head(13, "D", "c"), Place.FORK),
    (head(11, "B", "a"), Place.FORK), (head(12, "c", "b"), Place.BACK), (head(10, "a", "?"), Place.BACK),
    (head(15, "f", "e"), Place.GAP), (head(14, "E", "D"), Place.GAP), (head(10, "A", "?"), Place.GAP),
    (head(15, "e", "d"), Place.GAP), (head(12, "e", "d"), Place.GAP), (head(13, "D", "b"), Place.GAP),
    (head(2**63, "z", "y"), Place.GAP), (head(0, "o", "?"), Place.GAP),
]  # fmt: skip


@pytest.mark.parametrize(("given", "place"), TABLE)
def test_every_row_of_the_table(given: Head, place: Place) -> None:
    assert chain("a", "b", "c", "d").place(given) is place


def test_nothing_fits_before_the_first() -> None:
    blocks = Blocks()
    assert blocks.place(head(1, "a", "?")) is Place.GAP
    blocks.add(Block(head(1, "a", "?"), {}))
    blocks.clear()
    assert blocks.place(head(2, "b", "a")) is Place.GAP


def test_what_was_left_is_known_should_the_chain_return_to_it() -> None:
    blocks = chain("a", "b", "c", "d")
    assert blocks.roll_back("b", 0).head.number == 11
    assert blocks.place(head(12, "C", "b")) is Place.NEXT
    blocks.add(Block(head(12, "C", "b"), {}))
    assert blocks.place(head(13, "d", "c")) is Place.BACK
    assert blocks.roll_back("d", 0).head.hash == "d"
    assert blocks.place(head(12, "C", "b")) is Place.BACK


def test_so_many_are_kept_and_no_more() -> None:
    names = [f"b{number}" for number in range(KEPT + 20)]
    blocks = chain(*names, start=0)
    last = KEPT + 20
    oldest = last - KEPT
    assert blocks.place(head(oldest + 1, "fork", f"b{oldest}")) is Place.FORK
    assert blocks.place(head(oldest, "fork", f"b{oldest - 1}")) is Place.GAP
    assert blocks.place(head(oldest, f"b{oldest}", "?")) is Place.BACK


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40))
def test_a_tip_is_never_put_on_what_is_not_its_parent(steps: list[tuple[int, int]]) -> None:
    """Heads from anywhere: those that are taken form a chain, block by block."""
    blocks = chain("10.0")
    parents: dict[str, str] = {}
    for up, branch in steps:
        tip = blocks.tip
        assert tip is not None
        number = tip.head.number + 1 - up
        parent = tip.head.hash if up == 0 else parents.get(tip.head.hash, "?")
        given_head = head(number, f"{number}.{branch}<{parent}", parent)
        place = blocks.place(given_head)
        if place is Place.FORK:
            assert blocks.roll_back(given_head.parent, 0).head.number == number - 1
        if place in (Place.NEXT, Place.FORK):
            assert blocks.tip is not None
            assert (blocks.tip.head.hash, blocks.tip.head.number) == (given_head.parent, number - 1)
            blocks.add(Block(given_head, {}))
            parents[given_head.hash] = given_head.parent
        elif place is Place.BACK:
            assert blocks.roll_back(given_head.hash, 0).head.hash == given_head.hash
