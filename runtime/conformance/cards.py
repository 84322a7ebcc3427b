"""A card: one promise a venue keeps, numbered with gaps so that others fit between (STYLE: nautilus' adapter cards).

A card is a test whose docstring is the promise. It is skipped only where the venue declares that it has not what the
card is about, and the reason names the capability. One that fails says which file to write next, and the step of
docs/add-a-venue.md that tells how.
"""

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any, Final, NoReturn

import msgspec
import pytest

GUIDE: Final = "docs/add-a-venue.md"
EXAMPLES: Final = "50"  # of each kind of damage: seconds a venue; a longer run: VENUEGATE_CARDS=1000
PHASES: Final = ["generate", "shrink"]  # of hypothesis: what fails is made small, and not explained at length


class Card(msgspec.Struct, frozen=True):
    """`file` and `step`: where an author mends it, and the step of the guide for that. `test`: the method's name."""

    id: str
    promise: str
    file: str
    step: int
    test: str


def card(number: str, file: str, step: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a card of a test method."""

    def make(test: Callable[..., None]) -> Callable[..., None]:
        promise = " ".join((inspect.getdoc(test) or "").split("\n\n")[0].split())
        made = Card(number, promise, file, step, test.__name__)

        @functools.wraps(test)
        def kept(*given: Any, **named: Any) -> None:
            try:
                test(*given, **named)
            except Exception as error:
                where, how = getattr(error, "next", (file, step))
                error.add_note(f"{number}: {made.promise}\nnext: {where}, step {how} of {GUIDE}")
                raise

        kept.card = made  # type: ignore[attr-defined]
        return kept

    return make


def cards_of(kit: type) -> list[Card]:
    """Every card of a class, in the order M, F, P, T and by number."""
    found = [method.card for name in dir(kit) if hasattr(method := getattr(kit, name), "card")]
    return sorted(found, key=lambda one: ("MFPT".index(one.id[0]), int(one.id[1:])))


def steady(test: Callable[..., None]) -> Callable[..., None]:
    """For a test that hypothesis gives its examples to: the same each time, for a certificate by luck is none."""
    from hypothesis import HealthCheck, Phase, settings

    count = int(os.environ.get("VENUEGATE_CARDS", EXAMPLES))
    made: Callable[..., None] = settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase[name] for name in PHASES],
    )(test)  # fmt: skip
    return made


def hold(kept: object, why: str) -> None:
    """The promise is kept, or AssertionError says how it is not."""
    if not kept:
        raise AssertionError(why)


def skip(why: str) -> NoReturn:
    """For what the venue declares not to have."""
    pytest.skip(why)
