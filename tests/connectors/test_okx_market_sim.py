"""The market session against the simulated OKX, written by somebody else from the same documentation.

Its books, through every damage, are the venue's; and a symbol that is damaged costs no other.
"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot, Notice, Ticker, Trade, VenueStatus
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan
from connectors.venues.okx import VENUE
from runtime.sim.frames import Close
from runtime.sim.okx.venue import OkxVenue
from tests.support.okx_frames import SECOND, T0, of

MS = 10**6
SYMBOLS = ("BTC/USDT", "ETH/USDT")


class World:
    """One market session and one venue, bytes carried by hand in virtual time; books kept as the engine keeps them."""

    def __init__(self, *faults: str, **options: Any) -> None:
        self.venue = OkxVenue(now_ns=T0, seed=3, faults=list(faults), rate_hz=6, **options)
        self.session = VENUE.market(SessionPlan(tuple(enumerate(SYMBOLS)), 25, is_ticking=True))
        self.books = [L2Book(depth=400), L2Book(depth=400)]
        self.checksums = [0, 0]
        self.now_ns, self.tick_ns = T0, T0
        self.socket: Any = None
        self.redial_ns: int | None = None
        self.answers: list[bytes] = []
        self.out: list[Output] = []
        self.dial()

    def dial(self) -> None:
        self.redial_ns = None
        if self.venue.refusal(self.now_ns) is not None:
            self.redial_ns = self.now_ns + SECOND
            return
        self.socket = self.venue.connect(self.now_ns, OkxVenue.LINKS["public"])
        self.carry(self.session.open(self.now_ns, PUBLIC))

    def cut(self) -> None:
        if self.socket is not None:
            self.venue.disconnect(self.socket)
            self.socket, self.redial_ns = None, self.now_ns + SECOND
            self.carry(self.session.close(self.now_ns, PUBLIC))

    def carry(self, outputs: list[Output]) -> None:
        self.out += outputs
        for output in outputs:
            match output:
                case Send(link="calls", data=data):
                    self.ask(data)
                case Send(data=data) if self.socket is not None:
                    self.socket.receive(data.decode(), self.now_ns)
                case Reconnect():
                    self.cut()
                case BookLost(instrument, reason):
                    self.books[instrument].invalidate(reason)
                case BookSnapshot() | BookDelta():
                    self.keep(output)

    def keep(self, said: BookSnapshot | BookDelta) -> None:
        book = self.books[said.instrument]
        try:
            if isinstance(said, BookSnapshot):
                book.load(said.bids, said.asks, self.now_ns)
            elif book.valid:
                book.apply(said.bids, said.asks, self.now_ns)
        except BookGap as gap:
            self.carry(self.session.resync(said.instrument, gap.reason, self.now_ns))
            return
        if said.checksum is not None and book.valid:
            assert VENUE.checksum is not None
            good = VENUE.checksum(book) == said.checksum
            self.checksums[good] += 1
            if not good:
                book.invalidate("checksum")
                self.carry(self.session.resync(said.instrument, "checksum", self.now_ns))

    def ask(self, data: bytes) -> None:
        head, _, query = data.decode().partition("\n")
        number, method, path = head.split(" ")
        answer = self.venue.rest(method, f"{path}?{query}", {}, b"", self.now_ns)
        frame = f"{number} 0\ncut".encode() if answer.is_lost else f"{number} {answer.status}\n".encode() + answer.body
        self.venue.later(self.now_ns + 5 * MS + answer.delay_ns, lambda _: self.answers.append(frame))

    def wait(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns += 50 * MS
            self.venue.advance(self.now_ns)
            come, self.answers = self.answers, []
            for frame in come:
                self.carry(self.session.receive(frame, self.now_ns, CALLS))
            while self.socket is not None and (frames := self.socket.take()):
                for frame in frames:
                    if isinstance(frame, Close):
                        self.cut()
                    else:
                        data = frame.encode() if isinstance(frame, str) else frame
                        self.carry(self.session.receive(data, self.now_ns))
                    if self.socket is None:
                        break
            if self.redial_ns is not None and self.now_ns >= self.redial_ns:
                self.dial()
            if self.now_ns >= self.tick_ns:
                self.tick_ns = self.now_ns + SECOND // 2
                self.carry(self.session.tick(self.now_ns))

    def is_the_venues(self, index: int) -> bool:
        """Whether our best 25 levels are those of the venue's book: right after a push, and between two not yet."""
        theirs, pair = self.venue.market.book(SYMBOLS[index]), self.venue.pairs[SYMBOLS[index]]
        px, sz = 10 ** (9 - pair.price_precision), 10 ** (8 - pair.qty_precision)
        ours = self.books[index]
        both = ((ours.bids, theirs.bids), (ours.asks, theirs.asks))
        return ours.valid and all(
            mine[:25] == [(price * px, side.qty(price) * sz) for price in map(side.price, range(25))]
            for mine, side in both
        )

    def agrees(self) -> bool:
        """Within two seconds both books are the venue's."""
        missing = {0, 1}
        for _ in range(40):
            self.wait(0.05)
            missing -= {index for index in missing if self.is_the_venues(index)}
        return not missing


def test_a_healthy_day() -> None:
    world = World()
    world.wait(5)
    assert world.agrees()
    assert {type(one) for one in world.out} >= {BookSnapshot, BookDelta, Ticker, Trade}
    assert not of(BookLost, world.out)
    assert not [one for one in of(Notice, world.out) if one.level != "info"]


def test_legacy_checksums_hold() -> None:
    world = World(checksum="legacy")
    world.wait(5)
    assert world.checksums[0] == 0
    assert world.checksums[1] > 20
    assert world.agrees()


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [
        ("drop_update=7", "seqId gap"),
        ("duplicate_update=7", "seqId gap"),
        ("reorder_update=7", "seqId gap"),
        ("snapshot_gap", "seqId gap"),
        ("crossed_book@3", ""),
        ("garbage_frame@3", "unexplained frame"),
        ("half_frame@3", "link down"),
        ("close@3", "link down"),
        ("reset@3", "link down"),
        ("mute@3", "link silent"),
        ("half_open@3", "link silent"),
        ("notice@3", "the venue closes the link"),
        ("ack_then_silence", ""),
        ("no_ack", ""),
        ("gateway_error,times=3", ""),
        ("http_429,times=3", ""),
        ("rest_lost,times=2", ""),
    ],
)
def test_damage_is_noticed_and_heals(fault: str, noticed: str) -> None:
    world = World(fault)
    world.wait(16)
    if noticed:
        assert [lost for lost in of(BookLost, world.out) if lost.reason.startswith(noticed)]
    world.venue.faults.clear()
    world.wait(65)
    assert world.agrees()


def test_a_reset_of_the_numbers_is_no_gap() -> None:
    world = World("sequence_reset@3")
    world.wait(8)
    assert not of(BookLost, world.out)
    assert world.agrees()


def test_a_wrong_checksum_of_older_days_costs_that_book() -> None:
    world = World("corrupt_checksum=9", checksum="legacy")
    world.wait(5)
    assert world.checksums[0] > 0
    world.venue.faults.clear()
    world.wait(65)
    assert world.agrees()


def test_a_refused_symbol_fails_alone() -> None:
    world = World("refuse_symbols=ETH/USDT")
    world.wait(6)
    assert [lost.instrument for lost in of(BookLost, world.out)] == [1]
    assert world.books[0].valid
    assert not world.books[1].valid


def test_maintenance_is_told() -> None:
    world = World()
    world.wait(2)
    world.venue.set_status("maintenance", world.now_ns)
    world.wait(1)
    world.venue.set_status("online", world.now_ns)
    world.wait(1)
    assert [one.system for one in of(VenueStatus, world.out)] == ["maintenance", "online"]
