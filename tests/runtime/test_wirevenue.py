"""What stands where orders go: the paper venue, which answers at once, and the wire, which answers nothing."""

import inspect
from typing import Any

import pytest

from connectors.book import L2Book
from connectors.events import ExecReport, ExecType, Trade
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import Send
from connectors.venues.kraken.orders import KrakenOrders
from runtime.sim.paper import Fees, PaperVenue
from runtime.wirevenue import SessionVenue, WireVenue

ENCODER = KrakenOrders([Instrument.parse("kraken", "BTC/USD:1:8"), Instrument.parse("kraken", "ETH/USD:1:8")])
USD = 10**9


def new(number: int, instrument: int = 0, px: int = 100) -> Approved[NewOrder]:
    return Approved(NewOrder(f"vg-{number}", 0, instrument, number, 1, px * USD, 10**8, 0), number, 1, 31)


def every(number: int) -> Approved[CancelAll]:
    return Approved(CancelAll("kraken", f"vg-{number}"), number, 1, 1)


def paper(encoder: KrakenOrders | None = ENCODER) -> PaperVenue:
    """Bid 100, ask 101 at both markets."""
    books = [L2Book(depth=10), L2Book(depth=10)]
    for book in books:
        book.load([(100 * USD, 10**8)], [(101 * USD, 10**8)], 1)
    return PaperVenue(encoder, books, ["", ""], Fees(), {})


ASKS: list[tuple[str, Approved[Any]]] = [
    ("submit", new(1)),
    ("amend", Approved(AmendOrder("vg-1", 0, 0, 1, 1, 99 * USD, 10**7, "vg-2"), 2, 1, 31)),
    ("cancel", Approved(CancelOrder("vg-1", 0, 0, 1, "vg-3"), 3, 1, 1)),
    ("cancel_all", every(4)),
]


@pytest.mark.parametrize(("name", "approved"), ASKS)
def test_the_wire_takes_the_same_bytes_and_says_nothing(name: str, approved: Approved[Any]) -> None:
    (sent,) = getattr(WireVenue(ENCODER, "kraken"), name)(approved, 7)
    assert sent == getattr(ENCODER, name)(approved, 7)
    assert getattr(paper(), name)(approved, 7)[0] == sent, "paper is honest bytes"
    assert (sent.link, sent.approval) == ("private", approved.approval)


def test_a_market_moves_nothing_on_the_wire() -> None:
    """Fills are the venue's to tell."""
    wire = WireVenue(ENCODER, "kraken")
    wire.submit(new(1, px=200), 1)
    assert not wire.is_busy
    assert wire.on_book(0, 2) == wire.on_trade(Trade(0, USD, 10**8, -1, 1, 1), 2) == []


@pytest.mark.parametrize(("name", "approved"), ASKS)
def test_without_an_encoder_nothing_is_made_up(name: str, approved: Approved[Any]) -> None:
    with pytest.raises(ValueError, match="dex_arb has no encoder"):
        getattr(WireVenue(None, "dex_arb"), name)(approved, 7)


def test_one_stands_in_for_the_other() -> None:
    """The desk asks all three the same things."""
    for name in ("submit", "amend", "cancel", "cancel_all", "on_book", "on_trade"):
        one, two, three = (
            list(inspect.signature(getattr(kind, name)).parameters) for kind in (PaperVenue, WireVenue, SessionVenue)
        )
        assert one == two == three


def test_cancel_all_on_paper_ends_whatever_rests_at_that_venue() -> None:
    """One message, then a report for each order in the order they came; what traded stays traded."""
    venue = paper()
    for approved in (new(1), new(2, instrument=1), new(3, px=101)):
        venue.submit(approved, 1)
    bytes_out, *reports = venue.cancel_all(every(4), 5)
    assert isinstance(bytes_out, Send)
    assert b'"method":"cancel_all"' in bytes_out.data
    told = [
        (r.client_order_id, r.exec_type, r.instrument, r.leaves_qty_1e8) for r in reports if isinstance(r, ExecReport)
    ]
    assert told == [("vg-1", ExecType.CANCELED, 0, 0), ("vg-2", ExecType.CANCELED, 1, 0)]
    assert len(venue.cancel_all(every(5), 6)) == 1, "nothing rests any more"
    late = venue.cancel(Approved(CancelOrder("vg-1", 0, 0, 1, "vg-6"), 6, 1, 1), 7)[1]
    assert isinstance(late, ExecReport)
    assert late.exec_type is ExecType.CANCEL_REJECTED


def test_cancel_all_on_a_paper_chain_writes_no_bytes() -> None:
    assert paper(None).cancel_all(every(1), 5) == []
