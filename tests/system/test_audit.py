"""The engine with audits and tickers: a wrong book goes and comes back, a right one stays, a doubt is looked into."""

from __future__ import annotations

import json
from typing import Any

from connectors.instrument import Instrument
from connectors.session import AUDIT, PUBLIC, Send
from connectors.venues.kraken import VENUE
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.inputs import Frame, LinkUp, Output, Timer, VenueOutput
from runtime.port import VenueSpec
from runtime.spec import EngineSpec
from tests.support.kraken_frames import HEARTBEAT, SECOND, T0, TextLevel, ack, crc, instruments, pair, pong, snapshot
from tests.support.kraken_frames import update as update_frame

BIDS: list[TextLevel] = [(f"{100 - k}.0", "1.00000000") for k in range(14)]
ASKS: list[TextLevel] = [(f"{101 + k}.0", "1.00000000") for k in range(14)]
DEEP: list[TextLevel] = [*ASKS[:11], ("112.0", "7.00000000"), *ASKS[12:]]
ELSEWHERE: list[TextLevel] = [("101.0", "9.00000000"), *ASKS[1:]]


def book(asks: list[TextLevel]) -> bytes:
    return snapshot(bids=BIDS, asks=asks, checksum=crc(asks, BIDS, 1, 8), stamp=None)


class Audited:
    """An engine on both links of a Kraken whose book is `asks`; `shows` is what its audit link shows."""

    def __init__(self) -> None:
        known = {"BTC/USD": Instrument.parse("kraken", "BTC/USD:1:8")}
        venue = VenueSpec(venue=VENUE, depth=25, instruments=known, audit_ns=60 * SECOND, is_ticking=True)
        self.engine = Engine(EngineSpec(venues=(venue,), symbols=("BTC/USD",), limits=paper_limits(), algos=()))
        self.now_ns = T0
        self.asks = self.shows = ASKS
        self.asked: list[tuple[int, str, dict[str, Any]]] = []
        self.reasons: list[str] = []
        self.step(LinkUp("kraken", PUBLIC))
        self.step(Frame("kraken", PUBLIC, instruments(pair())))
        self.step(LinkUp("kraken", AUDIT))
        assert self.engine.books[0].valid

    def step(self, given: Any) -> None:
        outputs: list[Output] = list(self.engine.step(given, self.now_ns))
        if not self.engine.books[0].valid and self.engine.books[0].reason not in self.reasons[-1:]:
            self.reasons.append(self.engine.books[0].reason)
        for output in outputs:
            if isinstance(output, VenueOutput) and isinstance(output.output, Send):
                self.answer(output.output)

    def answer(self, send: Send) -> None:
        request = json.loads(send.data)
        if request["method"] == "ping":
            self.step(Frame("kraken", send.link, pong(request)))
            return
        self.asked.append((self.now_ns, f"{send.link} {request['method']}", request["params"]))
        self.step(Frame("kraken", send.link, ack(request)))
        if request["method"] == "subscribe" and request["params"]["channel"] == "book":
            self.step(Frame("kraken", send.link, book(self.asks if send.link == PUBLIC else self.shows)))

    def go(self, seconds: int) -> None:
        for _ in range(2 * seconds):
            self.now_ns += SECOND // 2
            self.step(Frame("kraken", PUBLIC, HEARTBEAT))
            self.step(Timer())

    def audits(self) -> list[int]:
        """Seconds at which a snapshot was asked for."""
        return [(at - T0) // SECOND for at, what, _ in self.asked if what == "audit subscribe"]


def test_a_right_book_is_audited_and_nothing_else_happens() -> None:
    world = Audited()
    before = len(world.asked)
    world.go(200)
    assert world.audits() == [63, 123, 183]
    record = world.engine.auditor.records[0]
    assert (record.passed, record.levels, record.mismatches, record.inconclusive) == (3, 25, 0, 0)
    assert {what for _, what, _ in world.asked[before:]} == {"audit subscribe", "audit unsubscribe"}
    assert world.reasons[1:] == []


def test_a_wrong_level_below_the_checksum_empties_the_book_and_a_fresh_one_is_right() -> None:
    """Level 12 changed and we were never told: the checksums of all updates are right."""
    world = Audited()
    world.asks = world.shows = DEEP
    top = update_frame(bids=[("100.0", "2.00000000")], checksum=crc(ASKS, [("100.0", "2.00000000"), *BIDS[1:]], 1, 8))
    world.step(Frame("kraken", PUBLIC, top))
    back = update_frame(bids=[("100.0", "1.00000000")], checksum=crc(ASKS, BIDS, 1, 8))
    world.step(Frame("kraken", PUBLIC, back))
    assert world.engine.stats.checksums_failed == 0
    world.go(65)
    assert world.engine.books[0].asks[11] == (112_000_000_000, 100_000_000), "not before the time is over"
    world.go(2)
    assert world.reasons[-1] == "audit"
    assert world.engine.books[0].valid
    assert world.engine.books[0].asks[11] == (112_000_000_000, 700_000_000)
    assert world.engine.lost["audit"] == 1
    record = world.engine.auditor.records[0]
    assert (record.mismatches, record.passed, record.levels) == (1, 0, 0)
    assert record.found == "ask 112: ours 1, the venue's 7"
    world.go(60)
    assert (record.mismatches, record.passed, record.levels) == (1, 1, 25)


def test_what_says_nothing_is_looked_at_again_sooner() -> None:
    world = Audited()
    world.shows = ELSEWHERE
    world.go(70)
    world.shows = ASKS
    world.go(30)
    first, second = world.audits()
    assert 15 <= second - first <= 30
    record = world.engine.auditor.records[0]
    assert (record.inconclusive, record.passed, world.reasons[1:]) == (1, 1, [])


def test_the_last_ticker_is_kept() -> None:
    world = Audited()
    raw = (
        b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","last":100.5,"volume":2.5,"low":99.0,'
        b'"high":101.0,"timestamp":"2026-08-16T10:04:06.220101Z"}]}'
    )
    world.step(Frame("kraken", PUBLIC, raw))
    assert world.engine.tickers[0].last_1e9 == 100_500_000_000
