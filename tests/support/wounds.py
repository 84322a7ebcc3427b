"""Frames that were true once: for sessions that must stand any bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st

WOUNDS = ("cut", "flip", "insert", "drop", "number")


@st.composite
def mutated(
    draw: st.DrawFn, frames: Sequence[bytes], numbers: Sequence[bytes], spots: bytes = rb"-?[0-9][0-9.e-]*"
) -> bytes:
    """A frame with up to four wounds: cut, flipped, grown, a piece lost, one of its numbers (`spots`) exchanged."""
    frame = bytearray(draw(st.sampled_from(frames)))
    for wound in draw(st.lists(st.sampled_from(WOUNDS), max_size=4)):
        at = draw(st.integers(0, max(len(frame) - 1, 0)))
        if wound == "cut":
            del frame[at:]
        elif wound == "flip" and frame:
            frame[at] ^= 1 << draw(st.integers(0, 7))
        elif wound == "insert":
            frame[at:at] = draw(st.binary(max_size=8))
        elif wound == "drop":
            del frame[at : at + draw(st.integers(1, 40))]
        elif found := list(re.finditer(spots, frame)):
            spot = draw(st.sampled_from(found))
            frame[spot.start() : spot.end()] = draw(st.sampled_from(numbers))
    return bytes(frame)
