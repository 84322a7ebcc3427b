"""What may happen to a venue's frames on their way: drawn from a seed, or one harm to one message.

`Harm` strikes the book messages of one market (or, `broad`, any frame), each at a place that is counted from when it
was put on the line. `echo`: a copy comes some messages later; `name`, `number`, `level`: a letter or digit of that is
another; `letter`: a size is no number any more; `broken`: a byte that no JSON has; `any`: some byte is another.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final

from tests.support.venue_line import Passed

ORDERLY: Final = ("drop", "duplicate", "reorder", "echo")
KINDS: Final = (*ORDERLY, "cut", "broken", "number", "name", "letter", "level")
ECHO: Final = 3  # messages later
_NUMBERS: Final = {
    "kraken": rb'"checksum":(\d+)', "coinbase": rb'"sequence_num":(\d+)', "binance": rb'"[Uu]":(\d+)',
    "okx": rb'"(?:prevSeqId|seqId)":(\d+)', "bybit": rb'"u":(\d+)',
}  # fmt: skip
_NAMES: Final = {
    "kraken": rb'"symbol":"(\w+)', "coinbase": rb'"product_id":"(\w+)', "binance": rb'"stream":"(\w+)',
    "okx": rb'"instId":"(\w+)', "bybit": rb'"topic":"orderbook\.\d+\.(\w+)',
}  # fmt: skip
# sizes: nothing else tells of them
_LEVELS: Final = {
    "kraken": rb'"qty":(\d+\.\d+)', "coinbase": rb'"new_quantity":"([0-9.]+)"',
    "binance": rb'\["[0-9.]+","([0-9.]+)"\]', "okx": rb'\["[0-9.]+","([0-9.]+)","0"',
    "bybit": rb'\["[0-9.]+","([0-9.]+)"\]',
}  # fmt: skip


def changed(venue: str, kind: str, data: bytes, dice: Random) -> bytes:
    """The frame with that done to it; the same where it has nothing of the kind."""
    if kind == "cut":
        return data[: dice.randrange(1, len(data))]
    if kind == "broken":
        at = dice.randrange(len(data))
        return data[:at] + b"\xff" + data[at + 1 :]
    if kind == "any":
        at = dice.randrange(len(data))
        return data[:at] + bytes([dice.choice([*range(32, 127), 0, 255])]) + data[at + 1 :]
    pattern = {"number": _NUMBERS, "name": _NAMES}.get(kind, _LEVELS)[venue]
    found = [one for one in re.finditer(pattern, data) if kind != "level" or one[1].strip(b"0.")]
    if not found:
        return data
    one = dice.choice(found)
    places = [at for at in range(*one.span(1)) if data[at : at + 1].isalnum()]
    at = dice.choice(places) if kind in ("number", "name") else places[0]
    new = b"x" if kind in ("name", "letter") else b"%d" % ((data[at] - 48 + dice.randrange(1, 10)) % 10)
    return data[:at] + new + data[at + 1 :]


class Harm:
    """`strikes`: place → kind, by which of `market`'s book changes it is, or of all frames (`broad`).

    `answers`: what happens to the next answers over HTTP: `drop`, `cut`, `broken`. `place` is that of the latest
    message; `done`: what struck.
    """

    def __init__(
        self, venue: str, strikes: dict[int, str], dice: Random, *, market: str = "", broad: bool = False,
        answers: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._venue, self._strikes, self._dice = venue, dict(strikes), dice
        self._market, self._broad = market, broad
        self._answers = list(answers)
        self.place = -1
        self._waiting: list[tuple[int, Passed]] = []  # by which place they come at last
        self.done: list[str] = []

    @property
    def is_over(self) -> bool:
        return not self._strikes and not self._waiting

    def _is_target(self, sent: Passed) -> bool:
        if self._broad:
            return True
        message = sent.message
        return message is not None and not message.is_whole and _plain(message.name) == _plain(self._market)

    def through(self, sent: Passed) -> list[Passed]:
        if not self._is_target(sent):
            return [sent]
        self.place += 1
        out = self._struck(sent)
        due = [one for at, one in self._waiting if at <= self.place]
        self._waiting = [pair for pair in self._waiting if pair[0] > self.place]
        return [*out, *due]

    def _struck(self, sent: Passed) -> list[Passed]:
        kind = self._strikes.pop(self.place, "")
        if not kind:
            return [sent]
        self.done.append(kind)
        if kind == "drop":
            return []
        if kind == "duplicate":
            return [sent, sent]
        if kind == "reorder":
            self._waiting.append((self.place + 1, sent))
            return []
        if kind == "echo":
            self._waiting.append((self.place + ECHO, sent))
            return [sent]
        data = changed(self._venue, kind, sent.data, self._dice)
        if data == sent.data:  # it has nothing of the kind: the next one, then
            self.done.pop()
            self._strikes.setdefault(self.place + 1, kind)
        return [sent._replace(data=data, is_intact=data == sent.data)]

    def answer(self, body: bytes) -> bytes | None:
        kind = self._answers.pop(0) if self._answers else ""
        if kind == "drop":
            return None
        return changed(self._venue, kind, body, self._dice) if kind in ("cut", "broken") else body


def _plain(name: str) -> str:
    return name.replace("/", "").replace("-", "")


def drawn(venue: str, dice: Random, names: tuple[str, ...]) -> Harm:
    """Some harms together: to one market's book messages, or to whatever comes."""
    broad = dice.random() < 0.4
    kinds = (*KINDS, "any", "any") if not broad else (*ORDERLY, "cut", "broken", "any", "any")
    strikes = {dice.randrange(24): dice.choice(kinds) for _ in range(dice.randrange(1, 5))}
    answers = tuple(dice.choice(["", "drop", "cut", "broken"]) for _ in range(dice.randrange(3)))
    return Harm(venue, strikes, dice, market=dice.choice(names), broad=broad, answers=answers)


__all__ = ["ECHO", "KINDS", "ORDERLY", "Harm", "changed", "drawn"]
