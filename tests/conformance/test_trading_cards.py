"""The T cards catch what they are there for: mistakes planted around a sound trading session, Kraken's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import ConfigError
from connectors.events import Doubt, ExecReport, ExecType, Movement, Notice, Picture, RejectCode
from connectors.session import Output, Send, TradingPlan, Venue
from connectors.venues.kraken import VENUE
from runtime.certify import FAILED, PASSED, SKIPPED, Outcome, _outcome
from runtime.conformance.cards import cards_of
from runtime.conformance.kit import VenueConformance
from runtime.conformance.phrases import FILE, phrases_in
from tests.support.data import ROOT

TAPES = ROOT / "fixtures/kraken/conformance"


class Crooked:
    """A sound session, whose outputs somebody bends before anybody sees them."""

    def __init__(self, plan: TradingPlan, bend: Callable[[Crooked, list[Output]], list[Output]]) -> None:
        assert VENUE.trading is not None
        self.sound = VENUE.trading.session(plan)
        self.bend = bend
        self.kept: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.sound, name)

        def bent(*given: Any, **named: Any) -> Any:
            found = method(*given, **named)
            return self.bend(self, found) if isinstance(found, list) else found

        return bent


def venue(bend: Callable[[Crooked, list[Output]], list[Output]], **changes: Any) -> Venue:
    assert VENUE.trading is not None
    trading = msgspec.structs.replace(VENUE.trading, session=lambda plan: Crooked(plan, bend), **changes)
    return msgspec.structs.replace(VENUE, trading=trading)


def run(found: Venue, card: str, tapes: Path = TAPES) -> Outcome:
    kit = type("Certified", (VenueConformance,), {"tapes": tapes, "docs": ()})()
    (one,) = [one for one in cards_of(type(kit)) if one.id == card]
    return _outcome(one, kit, found)


def each(kind: type, change: Callable[[Any], Output | None]) -> Callable[[Crooked, list[Output]], list[Output]]:
    """Every output of a kind, changed; None leaves it out."""

    def bend(_: Crooked, outputs: list[Output]) -> list[Output]:
        bent = [change(one) if isinstance(one, kind) else one for one in outputs]
        return [one for one in bent if one is not None]

    return bend


def report(change: Callable[[ExecReport], ExecReport | None]) -> Callable[[Crooked, list[Output]], list[Output]]:
    return each(ExecReport, change)


def _twice(session: Crooked, outputs: list[Output]) -> list[Output]:
    """The first execution is told once more with the next one."""
    trades = [one for one in outputs if isinstance(one, ExecReport) and one.exec_type is ExecType.TRADE]
    again = session.kept[:1] if trades else []
    session.kept += trades
    return [*outputs, *again]


def _money_twice(_: Crooked, outputs: list[Output]) -> list[Output]:
    return [*outputs, *(one for one in outputs if isinstance(one, Movement))]


def _resends(session: Crooked, outputs: list[Output]) -> list[Output]:
    """Whoever gets no answer asks again."""
    session.kept += [one for one in outputs if isinstance(one, Send) and b'"add_order"' in one.data]
    is_unknown = any(isinstance(one, ExecReport) and one.exec_type is ExecType.UNKNOWN for one in outputs)
    return [*outputs, *(session.kept[:1] if is_unknown else [])]


def _called_refused(one: ExecReport) -> ExecReport:
    is_unknown = one.exec_type is ExecType.UNKNOWN
    return msgspec.structs.replace(one, exec_type=ExecType.REJECTED) if is_unknown else one


def _more_left(one: ExecReport) -> ExecReport:
    return msgspec.structs.replace(one, leaves_qty_1e8=one.leaves_qty_1e8 + 1)


def _more_filled(one: ExecReport) -> ExecReport:
    return msgspec.structs.replace(one, cum_qty_1e8=one.cum_qty_1e8 + 1)


def _without(kind: ExecType) -> Callable[[Crooked, list[Output]], list[Output]]:
    return report(lambda one: None if one.exec_type is kind else one)


def _other_code(one: ExecReport) -> ExecReport:
    return msgspec.structs.replace(one, reject_code=RejectCode.UNKNOWN)


PLANTED = {
    "T30 more is left": ("T30", "is left, told as", report(_more_left)),
    "T30 more is filled": ("T30", "cum_qty is", report(_more_filled)),
    "T30 executions are lost": ("T30", "executions, told as 0", _without(ExecType.TRADE)),
    "T30 never taken": ("T30", "taken by the venue", _without(ExecType.NEW)),
    "T30 the end is lost": ("T30", "cancelled once", _without(ExecType.CANCELED)),
    "T40 twice": ("T40", "executions, told as 3", _twice),
    "T40 money twice": ("T40", "money moved twice", _money_twice),
    "T50 sent again": ("T50", "the tap stops what leaves", _resends),
    "T50 called refused": ("T50", "told: ['rejected'", report(_called_refused)),
    "T50 passed over": ("T50", "unanswered, told: ['new']", _without(ExecType.UNKNOWN)),
    "T50 nobody looks": ("T50", "nobody is asked to look", each(Doubt, lambda _: None)),
    "T50 a look without an end": ("T50", "no look at the account", each(Picture, lambda _: None)),
    "T60 another code": ("T60", "and was told as [<RejectCode.UNKNOWN", report(_other_code)),
    "T60 doubt called refused": ("T60", "decides nothing, and was told as ['rejected']", report(_called_refused)),
    "T60 in silence": (
        "T60", "no person is told", each(Notice, lambda one: None if one.level == "error" else one)
    ),
    "T70 the other code": ("T70", "held back with", report(_other_code)),
}  # fmt: skip


@pytest.mark.parametrize("card", ["T30", "T40", "T50", "T60", "T70", "M40"])
def test_a_sound_session_keeps_them(card: str) -> None:
    """Straight through the same wrapper."""
    assert run(venue(lambda _, outputs: outputs), card).outcome == PASSED


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_caught(name: str) -> None:
    card, said, bend = PLANTED[name]
    found = run(venue(bend), card)
    assert found.outcome == FAILED, f"{name} was not noticed"
    assert said in found.reason


def test_a_secret_that_the_session_is_given_is_noticed() -> None:
    """`secrets_in` says which parts of an answer are secret: without it the token lands on the tape."""
    found = run(venue(lambda _, outputs: outputs, secrets_in=lambda _path, _body: {}), "M40")
    assert found.outcome == FAILED
    assert "goes on the tape" in found.reason


def test_a_key_that_cannot_sign_is_named_and_not_shown() -> None:
    def sign(request: Any, secrets: Any) -> Any:
        del request
        raise ConfigError(f"{secrets['secret']} is no key", place="secret")

    found = run(venue(lambda _, outputs: outputs, sign=sign), "M40")
    assert (found.outcome, "shows a part of it" in found.reason) == (FAILED, True)


def test_without_trading_they_are_skipped_by_name() -> None:
    paper = msgspec.structs.replace(VENUE, trading=None)
    found = run(paper, "T50")
    assert (found.outcome, found.reason) == (
        SKIPPED, "capability trading: Venue.trading is None, orders are filled on paper",
    )  # fmt: skip


def test_without_the_venue_s_words_they_fail(tmp_path: Path) -> None:
    found = run(VENUE, "T30", tmp_path)
    assert found.outcome == FAILED
    assert f"no {FILE}" in found.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("instrument = ", "Invalid"),
        ('instrument = "BTC/USD:1:8"', "missing required field"),
        ("colour = 1", "unknown field"),
        ("REGEX", "unterminated character set"),
        ("CODE", "knows no NO_SUCH_CODE"),
    ],
)
def test_words_that_cannot_be_used_are_refused_by_place(text: str, said: str, tmp_path: Path) -> None:
    """One clear error: file, what is wrong, what to do."""
    sound = (TAPES / FILE).read_text()
    changed = {
        "REGEX": sound.replace("GetApiKeyInfo'", "[GetApiKeyInfo'"),
        "CODE": sound.replace('"INSUFFICIENT_BALANCE"', '"NO_SUCH_CODE"'),
        "colour = 1": f"colour = 1\n{sound}",
    }
    (tmp_path / FILE).write_text(changed.get(text, text))
    with pytest.raises(ConfigError, match=said) as caught:
        phrases_in(tmp_path)
    assert caught.value.place.endswith(FILE)
    assert caught.value.mend
