"""How venues differ, as data, and how each numbers its orders and fills. Pure."""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

from runtime.sim.market import seeded

PPM: Final = 1_000_000


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`fee_in`: fees are taken out of the quote, or out of what is received. `fee_decimals`: what they are cut to.

    `post_only`: one that would trade is refused, or taken in and canceled. `client_ids`: a client order id is unique
    among what is open, or for ever; `returns`: asking again returns the order that is there. `amend_below`: changing a
    quantity to what is filled already is refused, or ends the order. `max_open`: orders of the account.
    """

    maker_ppm: int
    taker_ppm: int
    fee_in: Literal["quote", "received"] = "received"
    fee_decimals: int = 8
    post_only: Literal["refuse", "cancel"] = "refuse"
    stp: str = "cancel_newest"
    client_ids: Literal["open", "ever", "returns"] = "open"
    amend_below: Literal["refuse", "ends"] = "refuse"
    max_open: int = 500


class Ids(Protocol):
    """The venue's own form of ids; numbers rise from 1."""

    def order(self, number: int) -> str: ...
    def fill(self, number: int) -> str: ...


class Numbers:
    """Whole numbers that rise, from a place that the seed decides."""

    def __init__(self, seed: int, digits: int = 10) -> None:
        self._first = seeded(f"{seed}/ids").randrange(10 ** (digits - 1), 2 * 10 ** (digits - 1))

    def order(self, number: int) -> str:
        return str(self._first + 7 * number)

    def fill(self, number: int) -> str:
        return str(self._first // 2 + number)


class Uuids:
    """Random UUIDs (version 4), the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def order(self, number: int) -> str:
        return uuid(f"{self._seed}/order/{number}")

    def fill(self, number: int) -> str:
        return uuid(f"{self._seed}/fill/{number}")


def uuid(text: str) -> str:
    """A UUID of version 4 that belongs to a text."""
    bits = seeded(text).getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 4 << 76 | 2 << 62
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
