"""Show 1: guests built with the real crate, every version of it, log every field of every record they are given.

Two sessions over real Kraken recordings (`tests/support/session_plans.py`); each record of each callback is compared,
field by field, with what `tests/support/session_reference.py` works out a second time from recordings, orders and
commands. The layout is the crate's word, the content the reference's: none of it is asserted by our own structs.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from runtime.inputs import GuestLine
from tests.support.referee import REFEREES, Fields, Value
from tests.support.session_markets import Algo, View
from tests.support.session_money import DEAD
from tests.support.session_plans import chased, many, one, partly
from tests.support.session_records import GIVEN, Mismatch, Nested, differences
from tests.support.session_reference import Walk
from tests.support.session_script import MAX_AGE_NS, Played, play

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("real_data")]

PLANS: Final = {"one": one, "many": many}
RANK: Final = {"on_book": 0, "on_nbbo": 1, "on_message": 2, "on_heartbeat": 3, "on_shutdown": 4}


@pytest.fixture(scope="module")
def sessions(kraken_captures: Path) -> dict[str, Played]:
    return {name: play(make(kraken_captures)) for name, make in PLANS.items()}


@pytest.fixture(scope="module")
def walks(sessions: dict[str, Played]) -> Callable[[str], Walk]:
    """Each session compared from end to end, once; raises Mismatch where it differs."""
    done: dict[str, Walk] = {}

    def walk(name: str) -> Walk:
        if name not in done:
            done[name] = Walk(sessions[name]).run()
        return done[name]

    return walk


# --- the comparison --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANS)
def test_every_field_of_every_record_of_every_callback_is_the_reference(
    name: str, sessions: dict[str, Played], walks: Callable[[str], Walk]
) -> None:
    """And nothing was left out: as many callbacks were compared as each guest had, over at least 250 real books."""
    walk, engine = walks(name), sessions[name].engine
    assert walk.turn_number == len(sessions[name].turns) > 1000
    assert engine.oms.anomalies == 0
    compared = Counter((algo, callback) for _, algo, callback in walk.order)
    for instance, algo in zip(engine.algos, walk.algos, strict=True):
        assert not instance.is_faulty
        assert instance.guest.logs_dropped == instance.guest.logs_cut == instance.guest.sent_dropped == 0
        had = {callback: times for callback, times in instance.callbacks.items() if times}
        assert had == {callback: times for (who, callback), times in compared.items() if who == instance.name}
        assert sum(view.own.books for view in algo.views) >= 250
        assert max(had.values()) >= (250 if algo.has_books else 130)
        assert min(had[callback] for callback in ("on_fill", "on_reject")) >= 2
    for algo in walk.algos:
        records = {"AlgoState", "Fill", "Reject", *GIVEN[algo.plan.referee]}
        assert all(walk.records[algo.crate, record] >= 2 for record in records)
    assert engine.rounds.messages_lost == 0


def test_what_happened_at_one_venue(walks: Callable[[str], Walk]) -> None:
    """Enough of everything, so that what was compared was not a quiet day."""
    walk = walks("one")
    assert {algo.crate for algo in walk.algos} == set(REFEREES.values())
    least = {
        "new": 50, "trade": 40, "partial": 10, "made": 10, "taken": 10, "dead": 40, "canceled": 20, "rejected": 1,
        "replaced": 1, "set": 3, "set refused": 1, "latched": 1, "midnight": 1, "swept": 1, "arm": 2,
        "reduce": 3, "kill": 1, "stop": 1,
    }  # fmt: skip
    assert {what: walk.seen[what] for what in least if walk.seen[what] < least[what]} == {}
    assert {
        "UNKNOWN_ORDER", "DAILY_LOSS", "PRICE_COLLAR", "MAX_POSITION", "MAX_ORDER_NOTIONAL", "RATE_LIMIT", "BAD_VENUE",
        "DUPLICATE_ORDER_ID", "REDUCE_ONLY", "BOOK_DESYNC", "SELF_TRADE", "KILL_SWITCH",
    } <= walk.denials.keys()  # fmt: skip


def test_what_happened_at_three_sources(walks: Callable[[str], Walk]) -> None:
    walk = walks("many")
    least = {
        "new": 100, "trade": 60, "partial": 20, "made": 20, "away": 30, "pool": 3, "intent": 15, "stale": 20,
        "rejected": 2, "replaced": 1, "dead": 90, "swept": 1, "kill": 1, "midnight": 1, "set": 4, "set refused": 1,
        "reduce": 1,
    }  # fmt: skip
    assert {what: walk.seen[what] for what in least if walk.seen[what] < least[what]} == {}
    assert {"KILL_SWITCH", "STALE_VENUE", "UNKNOWN_POOL", "BAD_VENUE", "INSTRUMENT_NOT_ALLOWED"} <= walk.denials.keys()
    messages = Counter(algo for _, algo, callback in walk.order if callback == "on_message")
    assert messages["maker"] == walk.algos[2].counts["on_book"] // 8 == 100
    assert messages["second"] == messages["maker"] + messages["third"]


@pytest.mark.parametrize("name", PLANS)
def test_callbacks_of_a_turn_come_in_the_promised_order(name: str, sessions: dict[str, Played]) -> None:
    """Read from the guests' log alone. Fills and rejects come before the book, or after the order that led to them."""
    fills_first = 0
    for _, _, _, trace in sessions[name].turns:
        heard = [
            line.text.split(b" ")[0].decode()
            for line in trace
            if isinstance(line, GuestLine) and b" call n=" in line.text
        ]
        ranks = [RANK[callback] for callback in heard if callback in RANK]
        assert ranks == sorted(ranks)
        fills_first += heard[:1] == ["on_fill"] and "on_book" in heard
    assert fills_first > 0


def test_a_symbol_without_pools_is_shown_none(kraken_captures: Path) -> None:
    """Not those of the algo's other symbol either, which an order for this one could not name."""
    walk = Walk(play(partly(kraken_captures))).run()
    assert walk.records["0.4.0", "PoolBooks"] > 250


@pytest.mark.parametrize(("is_halted", "heard"), [(False, ["on_fill"] * 7), (True, [])])
def test_what_an_intent_leads_to_is_told_with_what_changed_before_it(
    is_halted: bool, heard: list[str], kraken_captures: Path
) -> None:
    """A fill or a reject may be the first callback after a new ladder or a command: the regions are current in it."""
    walk = Walk(play(chased(kraken_captures, is_halted=is_halted))).run()
    last = [callback for turn, _, callback in walk.order if turn == walk.turn_number]
    assert last == [*heard, "on_nbbo"]
    assert [callback for *_, callback in walk.order].count("on_reject") == is_halted, "by the kill, and not again"


@pytest.mark.parametrize("name", PLANS)
def test_the_reference_of_the_features_forgot_nothing(name: str, walks: Callable[[str], Walk]) -> None:
    """It keeps what it made of each pair of books; computed anew over the whole history, the record is the same."""
    histories = [place.history for place in walks(name).everywhere() if place.history is not None]
    assert len(histories) >= 2
    for history in histories:
        assert history.record() == history.plain().record()


# --- what if it were wrong -------------------------------------------------------------------------------------------


def leaves(value: Value) -> int:
    return len(value) if isinstance(value, list) else 1


def changed(value: Any, leaf: int) -> Any:
    """The same but for one number, which is one more, or one byte."""
    if isinstance(value, list):
        return [changed(each, 0) if place == leaf else each for place, each in enumerate(value)]
    return value + 1 if isinstance(value, int) else bytes([value[0] ^ 1, *value[1:]]) if value else b"\1"


@pytest.mark.parametrize("name", PLANS)
def test_one_wrong_leaf_of_any_record_is_noticed(name: str, walks: Callable[[str], Walk]) -> None:
    """For each record of each crate: every leaf in turn one off, and every two neighbours swapped."""
    samples = walks(name).samples
    tried = 0
    for (_, record), (want, got) in samples.items():
        assert differences({record: want}, {record: got}) == []
        for key, value in want.items():
            for leaf in range(leaves(value)):
                wrong: Fields = want | {key: changed(value, leaf)}
                (found,) = differences({record: wrong}, {record: got})
                assert found.startswith(f"{record}.{key}: ")
                tried += 1
        for a, b in zip(want, list(want)[1:], strict=False):
            swapped = want | {a: want[b], b: want[a]}
            assert len(differences({record: swapped}, {record: got})) == (0 if want[a] == want[b] else 2)
        assert differences({record: want, "Another": {}}, {record: got})
        assert differences({record: dict(list(want.items())[1:])}, {record: got})
    records = {record for _, record in samples}
    assert records >= {"AlgoState", "L2Book", "Fill", "Reject", "OnlineFeatures", "ConfigRegion", "ChainFeeTable"}
    if name == "many":
        assert records >= {"NbboSnapshot", "VenueBooks", "PoolBooks", "PoolStateTable", "MeshTable", "Message"}
    assert tried > (2000 if name == "many" else 1000)


class DeadTwice(Walk):
    """A finished order stays for two callbacks."""

    def sweep(self, view: View) -> None:
        over = [entry for entry in view.table if entry.status == DEAD]
        view.table = [entry for entry in view.table if entry not in over or not hasattr(entry, "was_shown")]
        for entry in over:
            entry.__dict__["was_shown"] = True


class DeadNever(Walk):
    """It is gone at once."""

    def algo_state(self, algo: Algo, view: View) -> Nested:
        super().sweep(view)
        return super().algo_state(algo, view)


class MarkedElsewhere(Walk):
    """Unrealised PnL at the mid of another venue than the algo's own."""

    def algo_state(self, algo: Algo, view: View) -> Nested:
        return super().algo_state(algo, view) | view.ledger.nested(view.places[-1].mid_sum)


class OneDay(Walk):
    """Session PnL does not restart."""

    def midnight(self) -> None:
        pass


class AnsweredAtOnce(Walk):
    """Answers arrive in the turn in which they were sent."""

    ROUND: ClassVar = ("nbbos", "messages", "messages", "beats")


class BeatsFirst(Walk):
    """Heartbeats come before messages."""

    ROUND: ClassVar = ("nbbos", "beats", "messages")


class MessagesFirst(Walk):
    """Messages come before on_nbbo."""

    ROUND: ClassVar = ("messages", "nbbos", "beats")


class DeafToPools(Walk):
    """A pool's ladder calls no on_nbbo."""

    def tell(self, place: Any) -> None:
        super().tell(place)
        for algo in self.algos:
            for view in algo.views:
                view.has_news = False


class OfAll(Walk):
    """A person's word is always meant for all, or a narrower scope shows nobody that it is reducing."""

    def is_reducing(self, algo: Algo, view: View) -> bool:
        del algo, view
        return self.is_stopping or self.is_latched or "all" in self.states


class Unsettled(Walk):
    """A parameter that was refused is set all the same, or one that was set is not."""

    def command(self, given: Any, meaning: Any) -> None:
        if given.name != "set":
            super().command(given, meaning)


FAULTS: Final = [
    ("one", DeadTwice, r"oldest: .*\nAlgoState\.order_ct"),
    ("one", DeadNever, r"oldest: .*\nAlgoState\.order_ct"),
    ("one", OneDay, r"AlgoState\.session_pnl_1e9"),
    ("one", Unsettled, r"ConfigRegion\.params"),
    ("one", OfAll, r"AlgoState\.risk\.reduce_only"),
    ("many", OfAll, r"AlgoState\.risk\.reduce_only"),
    ("many", MarkedElsewhere, r"AlgoState\.unrealized_pnl_1e9"),
    ("many", AnsweredAtOnce, r"on_message \d+ must come"),
    ("many", BeatsFirst, r"on_heartbeat \d+ must come, on_message \d+ came"),
    ("many", MessagesFirst, r"on_message \d+ must come, .*on_nbbo"),
    ("many", DeafToPools, r"on_nbbo call"),
]


@pytest.mark.parametrize(("name", "walk", "found"), FAULTS, ids=[f"{fault[1].__name__}-{fault[0]}" for fault in FAULTS])
def test_a_wrong_rule_is_noticed(name: str, walk: type[Walk], found: str, sessions: dict[str, Played]) -> None:
    """The reference itself made wrong, one rule at a time: had the engine followed that rule, the test would fail."""
    with pytest.raises(Mismatch, match=found):
        walk(sessions[name]).run()


@pytest.mark.parametrize("off_ns", [-1, 1])
def test_a_stale_rule_off_by_a_nanosecond_is_noticed(off_ns: int, sessions: dict[str, Played]) -> None:
    """A venue silent for exactly as long as may be is fresh, a nanosecond later it is stale."""
    with pytest.raises(Mismatch, match=r"on_nbbo|NbboSnapshot"):
        Walk(sessions["many"], MAX_AGE_NS + off_ns).run()
