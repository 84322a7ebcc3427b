"""What is measured is what it says: the benches beside other clients and of an order's path end badly on what is wrong.

Nothing here looks at a time.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.orders import Approved, NewOrder
from connectors.session import Send
from tests.bench import orders, peers, venue_ccxt, venue_frames, venues
from tests.bench.chain import sim_frames
from tests.bench.order_path import OrderPath, WrongPathError
from tests.bench.peer_clients import Sides, WrongBookError, level
from tests.bench.stopwatch import Stopwatch
from tests.support.guests import every
from tests.support.trading_venues import VENUES


@pytest.fixture
def made_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No recordings: the embedded venue's frames."""
    monkeypatch.setenv("VENUEGATE_DATA", str(tmp_path / "none"))


def run(bench: Any, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr("sys.argv", ["bench", *options])
    code: int = bench.main()
    return code


# --- beside other clients -----------------------------------------------------------------------------------------


class Held:
    """A handler that holds what it is told to."""

    def __init__(self, name: str, book: Sides) -> None:
        self.name = name
        self._book = book

    def feed(self, start: int, stop: int) -> float:
        return float(stop - start)

    def book(self) -> Sides:
        return self._book

    def close(self) -> None:
        pass


BOOK: Sides = ([(99, 1), (98, 2)], [(101, 1), (102, 2)])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (([(99, 1), (98, 3)], BOOK[1]), "bids of a and b differ: (98, 2) and (98, 3)"),
        ((BOOK[0], BOOK[1][:1]), "asks of a and b differ: 2 and 1 levels"),
        (([], []), "bids of a and b differ: 2 and 0 levels"),
    ],
)
def test_books_that_differ_are_found(other: Sides, what: str) -> None:
    peers.same([Held("a", BOOK), Held("c", BOOK)], "here")
    with pytest.raises(WrongBookError, match=re.escape(f"here: {what}")):
        peers.same([Held("a", BOOK), Held("b", other)], "here")


def test_nobody_is_compared_with_an_empty_book() -> None:
    with pytest.raises(WrongBookError, match="a holds no book"):
        peers.same([Held("a", ([], [])), Held("b", ([], []))], "here")


def test_a_peers_numbers_are_read_exactly() -> None:
    assert level(1877.29, 2.4113) == (1_877_290_000_000, 241_130_000)
    assert level("63004.9", "0.00000001") == (63_004_900_000_000, 1)
    assert level(1e-09, 0.00007258) == (1, 7_258)
    with pytest.raises(WrongBookError, match="more digits"):
        level(1.0, 0.000000001)


_CHANGES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["0.00000000", "0.50000000", "1.00000000"])), max_size=8
)


@given(bids=_CHANGES, asks=_CHANGES)
def test_levels_in_krakens_order_say_the_same(bids: Sequence[tuple[int, str]], asks: Sequence[tuple[int, str]]) -> None:
    """In the end, that is; each price once, removals first; nothing else of the message changes."""

    def text(changes: Sequence[tuple[int, str]]) -> str:
        return ",".join(f'{{"price":{price}.1,"qty":{qty}}}' for price, qty in changes)

    raw = f'{{"channel":"book","data":[{{"symbol":"A/B","bids":[{text(bids)}],"asks":[{text(asks)}],"checksum":1}}]}}'
    found = json.loads(peers.kraken_order(raw.encode()))
    before = json.loads(raw)
    for side in ("bids", "asks"):
        levels = found["data"][0].pop(side)
        assert {one["price"]: one["qty"] for one in levels} == {
            one["price"]: one["qty"] for one in before["data"][0].pop(side)
        }
        assert len({one["price"] for one in levels}) == len(levels)
        assert [one["qty"] == 0 for one in levels] == sorted((one["qty"] == 0 for one in levels), reverse=True)
    assert found == before


@pytest.mark.usefixtures("made_frames")
def test_without_the_peers_our_own_lines_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "installed", lambda _package: "")
    assert run(peers, monkeypatch, "--rounds", "1") == 0
    said = capsys.readouterr().out
    assert "ccxt is not installed, and not measured" in said
    assert all(variant.name in said for variant in peers.variants())


@pytest.mark.usefixtures("made_frames")
def test_a_guest_that_does_not_do_what_its_line_says_ends_the_bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "installed", lambda _package: "")
    lazy = peers.Variant(peers.OURS, every(peers.NTH + 1, below_1e9=peers.AWAY_1E9, order_type=peers.IOC), 20)
    monkeypatch.setattr(peers, "variants", lambda: [lazy])
    assert run(peers, monkeypatch, "--rounds", "1") == 1
    assert "wrong: venuegate, orders on 5 %" in capsys.readouterr().err


@pytest.mark.slow  # ccxt alone takes seconds to import
@pytest.mark.usefixtures("made_frames")
def test_peers_hold_the_same_book(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ccxt.pro")
    pytest.importorskip("kraken.spot")
    assert run(peers, monkeypatch, "--rounds", "1") == 0
    said = capsys.readouterr().out
    assert "7 holders" in said
    assert "ccxt.pro ÷ it" in said
    assert "python-kraken-sdk ÷ it" in said


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["CcxtPro", "KrakenSdk"])
@pytest.mark.usefixtures("made_frames")
def test_a_peer_that_is_fed_something_else_ends_the_bench(
    peer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ccxt.pro")
    pytest.importorskip("kraken.spot")
    real = getattr(peers, peer)

    def fed(texts: Sequence[str], *given: Any) -> Any:
        at = next(n for n, text in enumerate(texts) if '"type":"update"' in text and '"qty":0.0' in text)
        return real([*texts[:at], '{"channel":"heartbeat"}', *texts[at + 1 :]], *given)

    monkeypatch.setattr(peers, peer, fed)
    assert run(peers, monkeypatch, "--rounds", "1") == 1
    assert capsys.readouterr().err.startswith("wrong: ")


def test_made_frames_are_enough_to_compare() -> None:
    frames, _ = sim_frames(300)
    assert sum(raw.startswith(b'{"channel":"book"') for _, raw in frames) > 200


# --- from a frame to the book, at each venue ------------------------------------------------------------------------


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second or two of two of the simulated venues."""
    monkeypatch.setattr(venues, "feeds", lambda: [venue_frames.simulated(name, 2) for name in ("okx", "binance")])


@pytest.mark.usefixtures("few_frames")
def test_without_ccxt_the_venues_own_lines_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venues, "installed", lambda _package: "")
    assert run(venues, monkeypatch, "--rounds", "1") == 0
    said = capsys.readouterr().out
    assert "ccxt is not installed, and not measured" in said
    assert "okx, simulated" in said
    assert "binance, simulated" in said


def test_a_book_that_is_lost_ends_the_bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venues, "installed", lambda _package: "")
    whole = venue_frames.simulated("okx", 2)
    at = next(n for n, (_, link, raw) in enumerate(whole.frames) if n > 20 and whole.is_book(link, raw))
    holed = msgspec.structs.replace(whole, frames=[*whole.frames[:at], *whole.frames[at + 1 :]])
    monkeypatch.setattr(venues, "feeds", lambda: [holed])
    assert run(venues, monkeypatch, "--rounds", "1") == 1
    assert capsys.readouterr().err.startswith("wrong: okx: the book was lost")


@pytest.mark.slow
@pytest.mark.usefixtures("made_frames")
def test_ccxt_holds_the_same_books(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ccxt.pro")
    assert run(venues, monkeypatch, "--rounds", "1") == 0
    said = capsys.readouterr().out
    assert [line.split(",")[0].strip() for line in said.splitlines() if ", simulated" in line] == list(VENUES)
    assert "–" not in said


@pytest.mark.slow
def test_ccxt_fed_something_else_ends_the_bench(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ccxt.pro")
    feed = venue_frames.simulated("bybit", 2)
    monkeypatch.setattr(venues, "feeds", lambda: [feed])
    real = venue_ccxt.CcxtVenue

    def fed(whole: venue_frames.Feed, *given: Any) -> Any:
        at = next(n for n, (_, _, raw) in enumerate(whole.frames) if n > 20 and b'"delta"' in raw)
        frames = [*whole.frames[:at], (whole.frames[at][0], "public", b"{}"), *whole.frames[at + 1 :]]
        return real(msgspec.structs.replace(whole, frames=frames), *given)

    fed.name = real.name  # type: ignore[attr-defined]
    monkeypatch.setattr(venues, "CcxtVenue", fed)
    assert run(venues, monkeypatch, "--rounds", "1") == 1
    assert capsys.readouterr().err.startswith("wrong: bybit, simulated, after frame")


@pytest.mark.real_data
def test_recorded_frames_of_two_venues_are_enough_to_compare(real_data: Path) -> None:
    assert real_data.is_dir()
    for feed in venue_frames.recorded():
        assert venues.walk(feed, venues.Ours(feed), []) > 90


# --- an order's path -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("made_frames")
def test_the_path_is_measured_and_split(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(orders, monkeypatch, "--rounds", "1") == 0
    said = capsys.readouterr().out
    for part in (
        "floor",
        "whole path, 1 in",
        "whole path, 16 in",
        "gate",
        "oms",
        "encode",
        "tap",
        "hand-over",
        "commit",
    ):
        assert part in said


def test_bytes_that_leave_before_their_record_are_found(tmp_path: Path) -> None:
    async def hasty() -> None:
        path = OrderPath(tmp_path / "journal.db")
        path.exit._outbox = None  # as if nobody waited
        try:
            await path.proven(1)
        finally:
            path.journal.close()

    with pytest.raises(WrongPathError, match="its record is not in the journal"):
        asyncio.run(hasty())


def test_an_order_that_leaves_twice_is_found(tmp_path: Path) -> None:
    async def twice() -> None:
        path = OrderPath(tmp_path / "journal.db")
        await path.orders(2)
        path.sent.append(path.sent[0])
        path.check()

    with pytest.raises(WrongPathError, match="3 messages of 2 orders, 2 asked for"):
        asyncio.run(twice())


def test_an_encoder_that_writes_another_price_ends_the_bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def other() -> None:
        path = OrderPath(tmp_path / "journal.db")
        venue = path.session.engine.desk.papers[0]
        honest = venue.submit

        def dearer(approved: Approved[NewOrder], now_ns: int) -> Any:
            sends = [send for send in honest(approved, now_ns) if isinstance(send, Send)]
            return [Send(one.link, one.data.replace(b'price":6', b'price":7'), one.approval) for one in sends]

        monkeypatch.setattr(venue, "submit", dearer)
        try:
            await path.orders(1)
        finally:
            path.journal.close()

    with pytest.raises(WrongPathError, match="breach"):
        asyncio.run(other())


def test_what_is_within_counts_once() -> None:
    ticks: Iterator[int] = count()
    watch = Stopwatch(lambda: float(next(ticks)))
    inner = watch.timed(lambda: None, "inner")
    outer = watch.timed(lambda: (inner(), inner()), "outer")
    outer()
    assert watch.take() == {"inner": 2.0, "outer": 3.0}  # of five ticks
    assert watch.take() == {"inner": 0.0, "outer": 0.0}


def test_a_stopwatch_is_laid_on_what_has_slots() -> None:
    class Slotted:
        __slots__ = ("calls",)

        def __init__(self) -> None:
            self.calls = 0

        def work(self, n: int) -> int:
            self.calls += n
            return self.calls

    watch, one, other = Stopwatch(), Slotted(), Slotted()
    watch.on(one, "work", "work")
    assert one.work(2) == one.calls == 2
    assert other.work(3) == other.calls == 3
    assert type(other) is Slotted
