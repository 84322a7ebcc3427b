"""Frames of every native venue dropped, doubled, swapped, cut, corrupted: noticed by that venue's own rule.

The frames come from the venue's simulator, in virtual time, and so does what the session then asks for. A second pair
of eyes has seen each message before it was harmed: a book that is valid must be the venue's own
(`tests/support/venue_judge.py`). `PROMISES` says what each venue's rule can see and whom it costs, and what it cannot.

VENUEGATE_VENUE_DAMAGE: rounds of the storm, over all five venues; each is its seed's.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import msgspec
import pytest

from connectors.session import Venue
from connectors.venues.binance import chain as binance_chain
from connectors.venues.bybit import followed
from connectors.venues.coinbase import numbering
from connectors.venues.kraken import VENUE as KRAKEN
from connectors.venues.okx import chain as okx_chain
from tests.support.trading_venues import VENUES
from tests.support.venue_harm import KINDS, Harm, drawn
from tests.support.venue_judge import WrongBookError
from tests.support.venue_line import VenueLine

ROUNDS: Final = int(os.environ.get("VENUEGATE_VENUE_DAMAGE", "300"))
SEEDS: Final = 2

# noticed: lost by the market's next message at the latest, and asked for anew · right: nothing is lost, the book is the
# venue's · shown: one of the two, and which is luck · never: no rule of this venue's shows it; the book is wrong until
# the level, or the whole book, is told again. own: the other market's book stands, and nothing is asked for it.
PROMISES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    # a checksum of the ten best levels a side in every message, and no numbers: what it does not show changed nothing
    # there. At a greater depth than ten, levels below are shown when they rise (tests/system/test_damage.py)
    "kraken": {
        "drop": ("shown", "own"), "duplicate": ("right", "own"), "reorder": ("shown", "own"), "echo": ("shown", "own"),
        "cut": ("noticed", "all"), "broken": ("shown", "all"), "number": ("noticed", "own"), "name": ("shown", "own"),
        "letter": ("noticed", "all"), "level": ("noticed", "own"),
    },
    # numbers count the connection's messages: a lost one may have been about any book; whose a message is, nothing
    # but its name says
    "coinbase": {
        "drop": ("noticed", "all"), "duplicate": ("right", "own"), "reorder": ("noticed", "all"),
        "echo": ("right", "own"), "cut": ("noticed", "all"), "broken": ("shown", "all"), "number": ("noticed", "all"),
        "name": ("never", "own"), "letter": ("noticed", "own"), "level": ("never", "own"),
    },
    # numbers of the first and last change in a message: one that is lower than it was brings nothing twice
    "binance": {
        "drop": ("noticed", "own"), "duplicate": ("right", "own"), "reorder": ("noticed", "own"),
        "echo": ("right", "own"), "cut": ("noticed", "all"), "broken": ("shown", "all"), "number": ("shown", "own"),
        "name": ("noticed", "own"), "letter": ("noticed", "own"), "level": ("never", "own"),
    },
    # each message names the one before it
    "okx": {
        "drop": ("noticed", "own"), "duplicate": ("noticed", "own"), "reorder": ("noticed", "own"),
        "echo": ("noticed", "own"), "cut": ("noticed", "all"), "broken": ("shown", "all"), "number": ("noticed", "own"),
        "name": ("noticed", "own"), "letter": ("noticed", "own"), "level": ("never", "own"),
    },
    # a topic's messages are counted
    "bybit": {
        "drop": ("noticed", "own"), "duplicate": ("right", "own"), "reorder": ("noticed", "own"),
        "echo": ("noticed", "own"), "cut": ("noticed", "all"), "broken": ("shown", "all"), "number": ("noticed", "own"),
        "name": ("noticed", "own"), "letter": ("noticed", "own"), "level": ("never", "own"),
    },
}  # fmt: skip


def struck(line: VenueLine, strikes: dict[int, str]) -> Harm:
    """The first market's messages are harmed, and one more comes."""
    line.harm = harm = Harm(line.name, strikes, Random(f"{line.seed}/{strikes}"), market=line.symbols[0])
    line.until(lambda: harm.is_over, 10, "there was nothing to harm")
    place = harm.place
    line.until(lambda: harm.place >= place + 1, 10, "no message came after the harm")
    line.harm = None
    return harm


def names(line: VenueLine, since: int, index: int) -> bool:
    """Whether anything that left since then is about that market."""
    symbol = line.symbols[index]
    spelt = [symbol.encode(), symbol.replace("/", "-").encode(), symbol.replace("/", "").encode()]
    sent = [data.upper() for _, data in line.sent[since:]]
    return any(name in data for data in sent for name in spelt)


def kept(name: str, kind: str, seed: int, venue: Venue | None = None) -> None:
    """Plays one harm, and holds venue and session to the promise."""
    when, whose = PROMISES[name][kind]
    line = VenueLine(name, seed, venue=venue)
    asked = len(line.sent)
    struck(line, {3: kind})
    lost = {index for index, _, _ in line.lost}
    judge, book = line.judges[0], line.engine.books[0]
    assert lost <= ({0} if whose == "own" else {0, 1}), f"{line.lost}"
    if when == "noticed":
        assert 0 in lost, "nobody noticed"
    elif when in ("right", "never"):
        assert not lost, f"{line.lost}"
    if when == "never":
        assert book.valid
        assert judge.tainted == 1
        line.cut()  # the next whole book, whatever for, is the venue's
    if 0 in lost:
        assert line.run(30, lambda: names(line, asked, 0)), "it was not asked for anew"
    line.until(line.is_well, 60, f"no good book after {kind}")
    line.run(0.5)
    assert whose == "all" or when == "never" or not names(line, asked, 1), "the other market was asked for anew"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VENUES)
def test_each_harm_does_what_the_venues_rule_promises(name: str, kind: str) -> None:
    for seed in range(SEEDS):
        kept(name, kind, seed)


@pytest.mark.parametrize("name", VENUES)
def test_a_lost_message_and_then_an_unreadable_one(name: str) -> None:
    """Both at once are told as one loss; what the second breaks does not hide the first."""
    line = VenueLine(name, 5)
    struck(line, {3: "drop", 4: "letter"})
    assert any(index == 0 for index, _, _ in line.lost)
    line.until(line.is_well, 60, "no good book")


def rounds(first: int, last: int) -> Iterator[tuple[str, Harm, VenueLine]]:
    for seed in range(first, last):
        name = VENUES[seed % len(VENUES)]
        dice = Random(f"{seed}/{name}")
        try:
            line = VenueLine(name, seed)
            line.harm = harm = drawn(name, dice, line.symbols)
            line.run(4, lambda harm=harm: harm.is_over)  # type: ignore[misc]
            line.harm = None
            if any(judge.is_tainted for judge in line.judges):
                line.cut()
            line.until(line.is_well, 90, "no good books")
            line.run(0.5)
        except AssertionError as error:
            error.add_note(f"{name}, seed {seed}: {', '.join(harm.done)}")
            raise
        yield name, harm, line


def test_whatever_happens_no_valid_book_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    done: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    unseen: Counter[str] = Counter()
    for name, harm, line in rounds(0, ROUNDS):
        done[name] += len(harm.done)
        lost[name] += len(line.lost)
        unseen[name] += sum(judge.tainted for judge in line.judges)
    with capsys.disabled():
        told = "; ".join(f"{name} {done[name]} harms, {lost[name]} lost, {unseen[name]} unseen" for name in VENUES)
        print(f"\n  {ROUNDS} rounds: {told}", end=" ")
    assert unseen["kraken"] == 0
    if ROUNDS >= 100:
        assert all(lost[name] for name in VENUES)


# --- each rule, taken out, is missed ---------------------------------------------------------------------------------


def _no_gap(real: Callable[..., int]) -> Callable[..., int]:
    return lambda self, *given: min(real(self, *given), 0)


def _none_old(real: Callable[..., int]) -> Callable[..., int]:
    return lambda self, *given: max(real(self, *given), 0)


def _follows_all(_real: Any) -> Any:
    def follow(self: Any, previous: int, number: int, **_: bool) -> tuple[str, bool]:
        del previous
        self.last = number
        return "", False

    return follow


def _older_too(real: Any) -> Any:
    def place(self: Any, message: Any) -> Any:
        found = real(self, message)
        return followed.Next.FOLLOWS if found is followed.Next.GAP and message.data.u < self.next_u else found

    return place


def _gap_is_next(real: Any) -> Any:
    def fit(self: Any, first: int, last: int) -> Any:
        found = real(self, first, last)
        if found is binance_chain.Fit.GAP and last > self.last:
            self.last, self._first = last, first
            return binance_chain.Fit.NEXT
        return found

    return fit


def _old_is_next(real: Any) -> Any:
    def fit(self: Any, first: int, last: int) -> Any:
        found = real(self, first, last)
        return binance_chain.Fit.NEXT if found is binance_chain.Fit.OLD else found

    return fit


RULES: Final = {
    "coinbase: a number that is missing": ("coinbase", "drop", numbering.Numbering, "missing", _no_gap),
    "coinbase: a number that was there": ("coinbase", "echo", numbering.Numbering, "missing", _none_old),
    "okx: the message before": ("okx", "drop", okx_chain.Chain, "follow", _follows_all),
    "bybit: a number that was there": ("bybit", "echo", followed.Followed, "place", _older_too),
    "binance: a number that is missing": ("binance", "drop", binance_chain.Chain, "fit", _gap_is_next),
    "binance: a number that was there": ("binance", "echo", binance_chain.Chain, "fit", _old_is_next),
}


def missed(name: str, kind: str, venue: Venue | None = None) -> None:
    """Some seed shows it; one alone may be spared by what the market did."""
    for seed in range(8):
        try:
            kept(name, kind, seed, venue)
        except AssertionError:
            return
    pytest.fail(f"{name} without that rule was not caught")


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_taken_out_is_missed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, kind, where, what, mutant = RULES[rule]
    monkeypatch.setattr(where, what, mutant(getattr(where, what)))
    missed(name, kind)


def test_kraken_without_its_checksum() -> None:
    missed("kraken", "drop", msgspec.structs.replace(KRAKEN, checksum=None))


def test_bybit_with_jumps_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "CONTINUOUS", False)
    missed("bybit", "drop")


# --- Binance's snapshot, between the diffs ---------------------------------------------------------------------------


def slow(calls_ms: tuple[int, int], strikes: dict[int, str], rate_hz: int = 24) -> None:
    """A beginning with slow answers: diffs are kept meanwhile, some of them older than the snapshot, some younger."""
    for seed in range(4):
        line = VenueLine("binance", seed, rate_hz=rate_hz, calls_ms=calls_ms, starts=False)
        line.harm = Harm("binance", strikes, Random(seed), market=line.symbols[0])
        line.start()
        line.run(1)
        assert line.is_well() or line.run(1, line.is_well)


def test_a_snapshot_is_set_between_the_diffs() -> None:
    slow((350, 20), {})
    slow((20, 700), {})
    slow((20, 700), {3: "drop"})


def test_a_snapshot_without_its_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    real = binance_chain.Chain.bracket

    def every(self: Any, last: int, *, is_standing: bool) -> Any:
        kept_ = list(self._kept)
        found = real(self, last, is_standing=is_standing)
        return found if found is None else kept_

    monkeypatch.setattr(binance_chain.Chain, "bracket", every)
    with pytest.raises(WrongBookError, match="after snapshot"):
        slow((350, 20), {}, rate_hz=120)


def test_a_snapshot_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    real = binance_chain.Chain.bracket

    def any_age(self: Any, last: int, *, is_standing: bool) -> Any:
        if self._kept:
            last = max(last, self._kept[0].first - 1)
        return real(self, last, is_standing=is_standing)

    monkeypatch.setattr(binance_chain.Chain, "bracket", any_age)
    with pytest.raises(WrongBookError):
        slow((20, 700), {3: "drop"})
