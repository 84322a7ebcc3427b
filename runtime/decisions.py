"""What became of actions, kept to be explained: from a session's turns, or from a journal.

An entry is one dictionary: an action as `sinks.action_row` gives it with the `book` it was judged by, or a report,
whose `kind` is `report`. `Explainer` watches a session; `Wanted` says which entries a person asked for.
"""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from connectors.errors import ConfigError, TapeError
from connectors.events import ExecReport
from runtime.explaining import Entry, explained, passes_fields, sent_text
from runtime.inputs import ActionRecord, BookSeen, Input, Trace
from runtime.passing import at_gate
from runtime.session import Session
from runtime.sinks import action_row

if TYPE_CHECKING:
    from runtime.recordings import Recording

KEPT: Final = 1_000
ENTRIES_PER_ACTION: Final = 10  # kept on average: a venue that repeats itself about one order must not fill the memory
TEXT_MAX: Final = 256  # of a venue's own words
_NEAR: Final = 5
_OF_REPORTS: Final = tuple(name for name in ExecReport.__struct_fields__ if name != "instrument")


class Wanted:
    """Entries that belong to ORDER: `#17`, `algo:order_id`, or a client order id.

    `takes` is shown every entry in turn and remembers what it will need: the reports of an order that it found, and
    what was seen near, should nothing be found.
    """

    def __init__(self, order: str) -> None:
        self.order = order
        self._n = self._algo = self._order_id = None
        algo, _, order_id = order.rpartition(":")
        if order.startswith("#"):
            if not order[1:].isdecimal():
                raise ConfigError(f"{order!r} is no action's number", place="ORDER", mend="write #17")
            self._n = int(order[1:])
        elif algo and order_id.isdecimal():
            self._algo, self._order_id = algo, int(order_id)
        self.found: list[int] = []  # numbers of the actions that were asked for
        self._names: set[str] = {order} if self._n is None and self._algo is None else set()
        self._begun: set[str] = set()
        self._pairs: set[tuple[str, int]] = set()
        self._seen: deque[str] = deque(maxlen=KEPT)
        self._last_n = 0

    @property
    def is_late(self) -> bool:
        """Whether what was found is about orders that had begun before: their beginning was not taken."""
        return bool(self._names - self._begun - {self.order})

    def again(self) -> "Wanted":
        """For a second look from the beginning on, which takes the whole life of those orders."""
        other = Wanted(self.order)
        other._names |= self._names
        return other

    def takes(self, entry: Entry) -> bool:
        """Whether this entry is one of them, or of the life of one."""
        if entry["kind"] == "report":
            return entry["client_order_id"] in self._names
        self._last_n = entry["n"]
        name, pair = entry.get("client_order_id", ""), (entry["algo"], entry["order_id"])
        self._seen.append(name or f"{pair[0]}:{pair[1]}")
        is_asked = entry["n"] == self._n or pair == (self._algo, self._order_id) or name == self.order
        if is_asked:
            self.found.append(entry["n"])
            if name:
                self._names.add(name)
        if name in self._names:
            self._pairs.add(pair)
            if entry["kind"] not in ("cancel", "amend"):
                self._begun.add(name)
        return is_asked or name in self._names or pair in self._pairs  # also what was refused of its order

    def unknown(self, place: str) -> ConfigError:
        """One error, with what there is near."""
        if self._last_n == 0:
            return ConfigError("holds no action", place=place, mend="explain an order of a session that traded")
        near = get_close_matches(self.order, dict.fromkeys(self._seen), _NEAR, 0.0) if self._n is None else []
        known = f"actions go up to #{self._last_n}" + (f"; near it: {', '.join(near)}" if near else "")
        number = self.order.rpartition("-")[2]
        if self._names and number.isdecimal() and int(number) <= self._last_n:
            known += f"; an action that was denied has no such name, but a number: '#{number}'"
        return ConfigError(f"knows no order {self.order!r}", place=place, mend=known)


class Explainer:
    """Keeps the last `keep` decisions of a session, with the reports on them; a watcher, added by itself. Where reports
    are very many, the oldest decisions go earlier.

    `wanted`: keep only what was asked for, however old. `asks_gate`: have it say exactly what would have passed, which
    costs some ten judgements a denial: not for a session that trades, where a storm of denials would slow the others.
    `place` names the session in errors.
    """

    def __init__(
        self,
        session: Session,
        keep: int = KEPT,
        wanted: Wanted | None = None,
        *,
        asks_gate: bool = False,
        place: str = "session",
    ) -> None:
        self.entries: deque[dict[str, Any]] = deque()
        self._actions = 0
        self._keep = keep
        self._wanted = wanted
        self._asks_gate = asks_gate
        self._place = place
        session.watchers.append(self)

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        del given
        trace = session.engine.trace
        if not trace:
            return
        last: dict[str, Any] | None = None
        for place, record in enumerate(trace):
            kind = type(record)
            if kind is ActionRecord:
                last = action_entry(session, place, now_ns, asks_gate=self._asks_gate)
                self._add(last)
            elif kind is bytes and last is not None and last.get("approval") and "sent" not in last:
                last["sent"] = sent_text(record)  # type: ignore[arg-type]
            elif kind is ExecReport:
                self._add(report_entry(session, record, now_ns))  # type: ignore[arg-type]

    def _add(self, entry: dict[str, Any]) -> None:
        if self._wanted is not None:
            if self._wanted.takes(entry):
                self.entries.append(entry)
            return
        self.entries.append(entry)
        self._actions += entry["kind"] != "report"
        most = self._keep * ENTRIES_PER_ACTION
        while self._actions > self._keep or len(self.entries) > most:
            self._actions -= self.entries.popleft()["kind"] != "report"

    def answer(self, order: str) -> dict[str, Any]:
        """For the control door: every action that was asked for. Raises ConfigError where there is none."""
        found = chosen(order, lambda wanted: list(filter(wanted.takes, self.entries)), self._place, every=True)
        return {"ok": True, "orders": found}


def chosen(order: str, look: Callable[[Wanted], list[Any]], place: str, *, every: bool) -> list[dict[str, Any]]:
    """What was asked for, explained: the one meant, or `every` one. Raises ConfigError where there is nothing.

    `look` gives the entries that a `Wanted` takes; it is asked twice where the first look began too late.
    """
    wanted = Wanted(order)
    entries = look(wanted)
    if wanted.is_late:
        wanted = wanted.again()
        entries = look(wanted)
    asked = set(wanted.found)
    actions = [entry for entry in entries if entry["kind"] != "report" and entry["n"] in asked]
    if not actions:
        raise wanted.unknown(place)
    return [explained(entry, _life(entry, entries)) for entry in (actions if every else picked(order, actions))]


def picked(order: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The one that is meant: of a client order id the order itself, else the last."""
    is_name = found[0].get("client_order_id") == order
    return found[:1] if is_name else found[-1:]


def _life(entry: Entry, entries: Iterable[Entry]) -> list[Entry]:
    """Of an order: its approval, what was asked of it later (refused things, too), its reports."""
    name, pair = entry.get("client_order_id"), (entry["algo"], entry["order_id"])
    if not name:
        return []
    life: list[Entry] = []
    is_begun = False
    for one in entries:
        if one.get("client_order_id") == name:
            is_begun = True
            life.append(one)
        elif is_begun and one["kind"] in ("amend", "cancel") and (one["algo"], one["order_id"]) == pair:
            life.append({**one, "client_order_id": name})
    return life


# --- from a session --------------------------------------------------------------------------------------------------


def action_entry(session: Session, place: int, now_ns: int, *, asks_gate: bool) -> dict[str, Any]:
    """The action at `place` of this turn's trace; of a denied one the book then, and what would have passed."""
    engine = session.engine
    record = engine.trace[place]
    assert isinstance(record, ActionRecord)  # noqa: S101 - the caller looked
    entry = action_row(session, record, now_ns)
    if record.denied is None:
        return entry
    seen = next((aside for aside in engine.asides if isinstance(aside, BookSeen) and aside.n == record.n), None)
    if seen is None:
        return entry
    entry["book"] = {"bids": seen.bids, "asks": seen.asks, "valid": seen.valid}
    if not asks_gate or record.by != "algo" or not is_as_then(session, seen, engine.trace[place + 1 :]):
        return entry
    passes = passes_fields(at_gate(engine.gate, record.algo, record.action, now_ns, record.denied))
    return entry | {"passes": passes} if passes else entry


def is_as_then(session: Session, seen: BookSeen, later: Trace) -> bool:
    """Whether gate and book are still, at the turn's end, what they were at a denial: nothing was told after it."""
    engine = session.engine
    if any(isinstance(one, ExecReport) or (isinstance(one, ActionRecord) and one.approval) for one in later):
        return False
    book = engine.books[seen.market]
    is_same = (tuple(book.bids[:5]), tuple(book.asks[:5])) == (seen.bids, seen.asks) and book.valid == seen.valid
    return is_same and engine.touched.count(seen.market) <= 1


def report_entry(session: Session, report: ExecReport, now_ns: int) -> dict[str, Any]:
    """One report, as the journal writes it: what it does not say is left out."""
    entry: dict[str, Any] = {"kind": "report", "now_ns": now_ns, "client_order_id": report.client_order_id}
    entry |= {name: value for name in _OF_REPORTS if (value := getattr(report, name))}
    if len(report.text) > TEXT_MAX:
        entry["text"] = report.text[:TEXT_MAX] + "…"
    names = session.engine.names
    return entry | ({"market": names[report.instrument]} if 0 <= report.instrument < len(names) else {})


# --- from a tape -----------------------------------------------------------------------------------------------------


def of_tape(recording: "Recording", wanted: Wanted, tell: Callable[[str, str], None]) -> list[dict[str, Any]]:
    """What its replay shows of it. Raises ConfigError, TapeError, ModuleError."""
    from runtime.recordings import spec_of_recording
    from runtime.replay import replay

    with closing(recording.reader()) as tape:
        if tape.header is None:
            mend = "only tapes written by venuegate say what decided"
            raise TapeError("is a recording made by others", place=str(recording.file), mend=mend)
        session = Session(spec_of_recording(recording, tape, None, "", None, tell))
        explainer = Explainer(session, wanted=wanted, asks_gate=True)
        replay(session, tape)
    return list(explainer.entries)


# --- from a journal --------------------------------------------------------------------------------------------------


def of_journal(path: Path, wanted: Wanted) -> list[dict[str, Any]]:
    """What a journal holds of it. Raises ConfigError for a file that is no journal, or cannot be read."""
    import sqlite3

    from runtime.journal.schema import readable, unreadable

    try:
        with closing(readable(path)) as connection:
            query = "SELECT now_ns, kind, body FROM log WHERE kind IN ('action', 'report') ORDER BY seq"
            found = (_entry(now_ns, kind, body) for now_ns, kind, body in connection.execute(query))
            return [entry for entry in found if wanted.takes(entry)]
    except sqlite3.Error as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, TypeError) as error:
        mend = f"gateway journal verify {path} says where it is damaged"
        raise ConfigError(f"holds a row that cannot be read: {error}", place=str(path), mend=mend) from None


def _entry(now_ns: int, kind: str, body: str) -> dict[str, Any]:
    entry = msgspec.json.decode(body, type=dict[str, Any])
    if kind == "report":
        return {**entry, "kind": "report", "now_ns": now_ns}
    if entry["verdict"] == "denied":
        entry = {"scope": "", "key": "", "before": 0, "headroom": 0, "origin": "", **entry}
    return {**entry, "now_ns": now_ns}
