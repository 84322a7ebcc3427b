"""What `gateway status` says of a book: valid, how far down it is proved, what audits found, what the venue traded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.events import Ticker
from connectors.session import Venue
from connectors.venues.kraken import VENUE
from runtime.audit import Record
from runtime.port import Port, VenueSpec
from runtime.standing import audit_of, ticker_of
from runtime.standing_text import book_text

SECOND = 10**9
NOW_NS = 1_786_874_645 * SECOND
UNPROVED: Venue = msgspec.structs.replace(VENUE, checksum=None)


def shown(
    record: Record | None, depth: int = 25, *, audit_s: int = 60, venue: Venue = VENUE, **changes: Any
) -> tuple[str, dict[str, Any]]:
    """The line for people, and the audit's part of the JSON."""
    port = Port(VenueSpec(venue=venue, depth=depth, audit_ns=audit_s * SECOND), ("ETH/USD",), 0)
    audit = audit_of(record, port, 0, depth, NOW_NS)
    assert audit is not None
    assert msgspec.json.decode(msgspec.json.encode(audit)) == audit
    return book_text({"valid": True, "reason": "", "audit": audit, "ticker": None, **changes}), audit


@pytest.mark.parametrize(
    ("record", "depth", "audit_s", "text"),
    [
        (None, 25, 60, "valid; levels 11–25 not audited yet"),
        (None, 25, 0, "valid; levels 11–25 not audited"),
        (None, 10, 60, "valid"),
        (Record(passed=3, last_ns=NOW_NS - 12 * SECOND, levels=25), 25, 60, "valid; audited 12 s ago"),
        (Record(passed=3, last_ns=NOW_NS - 12 * SECOND, levels=10), 10, 60, "valid; audited 12 s ago"),
        (Record(passed=1), 100, 60, "valid; levels 11–100 not audited yet"),
        (
            Record(passed=1, last_ns=NOW_NS, levels=25), 100, 60,
            "valid; levels 1–25 audited 0 s ago; levels 26–100 not audited yet",
        ),
        (
            Record(mismatches=2, found="ask 1878.19: ours 0"), 25, 60,
            "valid; levels 11–25 not audited yet; 2 found wrong by an audit and loaded anew, last: ask 1878.19: ours 0",
        ),
        (
            Record(inconclusive=3, why="no snapshot"), 10, 60,
            "valid; 3 audits said nothing, last: no snapshot",
        ),
    ],
)  # fmt: skip
def test_how_far_down_a_book_is_proved(record: Record | None, depth: int, audit_s: int, text: str) -> None:
    assert shown(record, depth, audit_s=audit_s)[0] == text


def test_a_venue_without_a_checksum_proves_nothing_by_itself() -> None:
    assert shown(None, venue=UNPROVED)[0] == "valid; levels 1–25 not audited yet"


def test_a_lost_book_has_no_levels_to_speak_of() -> None:
    text, _ = shown(Record(mismatches=1, found="x"), valid=False, reason="audit")
    assert text == "none: audit; 1 found wrong by an audit and loaded anew, last: x"


def test_all_of_it_is_in_the_json() -> None:
    record = Record(passed=5, mismatches=1, inconclusive=2, last_ns=NOW_NS - 90 * SECOND, levels=25, found="f", why="w")
    assert shown(record)[1] == {
        "is_on": True, "depth": 25, "covered": 10, "audited_to": 25, "age_s": 90, "passed": 5, "mismatches": 1,
        "found": "f", "inconclusive": 2, "why": "w",
    }  # fmt: skip


def test_the_ticker_stands_beside_it() -> None:
    told = ticker_of(Ticker(0, 62_806_900_000_000, 281_240_127_733, 63_120_000_000_000, 61_802_100_000_000, "t"))
    assert told is not None
    assert told["high_1e9"] == 63_120_000_000_000
    text, _ = shown(None, 10, ticker=told)
    assert text == "valid; last 62806.9, 2812.40127733 in 24 h"
    assert ticker_of(None) is None


def test_where_a_venue_has_neither_checksum_nor_audit_nothing_is_said_of_levels() -> None:
    bare = msgspec.structs.replace(UNPROVED, capabilities=msgspec.structs.replace(VENUE.capabilities, audit=False))
    assert audit_of(None, Port(VenueSpec(venue=bare, depth=25), ("ETH/USD",), 0), 0, 25, NOW_NS) is None
    assert book_text({"valid": True, "reason": "", "audit": None, "ticker": None}) == "valid"
