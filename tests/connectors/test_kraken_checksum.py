"""Published checksums, through the whole path: wire text → session → book → CRC."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.book import L2Book
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from connectors.venues.kraken import VENUE
from tests.support.kraken_frames import Line, TextLevel, ack, book, crc, instruments, of, pair, sent

KNOWN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "kraken" / "known_crc.json").read_text()
)
IDS = [known["id"] for known in KNOWN]


def as_given(text: str, decimals: int) -> str:
    """Trailing zeros missing and exponents, as the examples have them."""
    del decimals
    return text


def as_kraken(text: str, decimals: int) -> str:
    """All decimals, as every captured frame has them."""
    return f"{Decimal(text):.{decimals}f}"


def as_exponent(text: str, decimals: int) -> str:
    """The other extreme: nothing but exponents."""
    del decimals
    return f"{Decimal(text):e}".replace("e+", "e")


class Path2Book:
    """One subscribed pair, and the book that its events make."""

    def __init__(self, known: dict[str, Any], wording: Callable[[str, int], str]) -> None:
        self.decimals = known["price_precision"], known["qty_precision"]
        self.wording = wording
        self.line = Line("BTC/USD")
        (hello,) = sent(self.line.open())
        metadata = pair("BTC/USD", *self.decimals, qty_min="0.1")
        outputs = self.line.hear(ack(hello), instruments(metadata))
        (told,) = of(InstrumentUpdate, outputs)
        for request in sent(outputs):
            self.line.hear(ack(request))
        self.book = L2Book(
            depth=10,
            price_digit_1e9=10 ** (PRICE_DECIMALS - told.definition.price_precision),
            size_digit_1e8=10 ** (SIZE_DECIMALS - told.definition.size_precision),
        )

    def texts(self, levels: list[list[str]]) -> list[TextLevel]:
        return [(self.wording(price, self.decimals[0]), self.wording(qty, self.decimals[1])) for price, qty in levels]

    def hear(self, kind: str, sides: dict[str, Any], checksum: int) -> int:
        """Puts the message on the wire; our checksum of the book after it."""
        frame = book(kind, self.texts(sides["bids"]), self.texts(sides["asks"]), checksum=checksum)
        (event,) = self.line.hear(frame)
        assert isinstance(event, BookSnapshot | BookDelta)
        assert event.checksum == checksum
        assert VENUE.checksum is not None
        change = self.book.load if isinstance(event, BookSnapshot) else self.book.apply
        change(event.bids, event.asks, self.line.now_ns)
        return VENUE.checksum(self.book)


@pytest.mark.parametrize("wording", [as_given, as_kraken, as_exponent])
@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_known_answers(known: dict[str, Any], wording: Callable[[str, int], str]) -> None:
    """However the number is written, the checksum is the one that was published; after the update too."""
    path = Path2Book(known, wording)
    assert path.hear("snapshot", known, known["crc"]) == known["crc"]
    if "update" in known:
        assert path.hear("update", known["update"], known["crc_after"]) == known["crc_after"]


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_the_support_module_agrees(known: dict[str, Any]) -> None:
    """The checksums that other tests put on the wire come from a reader of the rule that knows the same answers."""
    assert crc(known["asks"], known["bids"], known["price_precision"], known["qty_precision"]) == known["crc"]


def test_every_published_answer_is_here() -> None:
    """A vector that is lost from the file would be lost in silence."""
    assert IDS == ["K1", "K2", "K3", "K4", "own-short", "own-exp", "own-cents"]


@pytest.mark.parametrize("known", KNOWN, ids=IDS)
def test_one_digit_off_is_another_checksum(known: dict[str, Any]) -> None:
    """The last decimal of the last level of the sum counts."""
    path = Path2Book(known, as_kraken)
    side = "bids" if known["bids"] else "asks"
    price, qty = known[side][-1]
    changed = str(Decimal(qty) + Decimal(1).scaleb(-known["qty_precision"]))
    wrong = {"asks": known["asks"], "bids": known["bids"], side: [*known[side][:-1], [price, changed]]}
    assert path.hear("snapshot", wrong, known["crc"]) != known["crc"]


def test_the_checksum_of_an_empty_book_is_zero() -> None:
    """CRC-32 of nothing."""
    assert VENUE.checksum is not None
    assert VENUE.checksum(L2Book()) == 0


def test_an_eleventh_level_does_not_count() -> None:
    """The rule is over ten levels a side, whatever the depth."""
    known = KNOWN[IDS.index("K1")]
    path = Path2Book(known, as_kraken)
    path.book.depth = 25
    more = {"bids": [*known["bids"], ["45200.0", "1"]], "asks": [*known["asks"], ["45300.0", "1"]]}
    assert path.hear("snapshot", more, known["crc"]) == known["crc"]


@pytest.mark.parametrize(("price", "qty"), [("45285.25", "1.0"), ("45285.2", "0.000000001"), ("45285.2", "5.5e-08")])
def test_a_digit_beyond_the_metadata_loses_the_book(price: str, qty: str) -> None:
    """It cannot be printed for the checksum: never rounded, the book is asked for again."""
    path = Path2Book(KNOWN[0], as_kraken)
    outputs = path.line.hear(book("snapshot", [], [(price, qty)]))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    assert not of(BookSnapshot, outputs)
