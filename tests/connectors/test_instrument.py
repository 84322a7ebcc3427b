"""`--instrument`, and what an instrument may be."""

from __future__ import annotations

import pytest

from connectors.errors import InputError, InstrumentError
from connectors.instrument import Instrument


def test_three_parts_give_a_grid_and_no_minimums() -> None:
    """Tick and lot are one unit of the last decimal."""
    assert Instrument.parse("kraken", "BTC/USD:1:8") == Instrument(
        venue="kraken",
        symbol="BTC/USD",
        price_precision=1,
        size_precision=8,
        tick_size_1e9=100_000_000,
        lot_size_1e8=1,
        min_qty_1e8=0,
        min_notional_1e9=0,
        status="online",
    )


def test_minimums_are_read_exactly() -> None:
    """Exponents as Kraken prints them are numbers here too."""
    instrument = Instrument.parse("kraken", "BTC/USD:1:8:5e-05:0.5")
    assert (instrument.min_qty_1e8, instrument.min_notional_1e9) == (5_000, 500_000_000)
    assert Instrument.parse("kraken", "BTC/USD:1:8:0.00005").min_notional_1e9 == 0


@pytest.mark.parametrize(
    ("text", "tick", "lot"), [("A/B:0:0", 10**9, 10**8), ("A/B:9:8", 1, 1), ("A/B:5:2", 10**4, 10**6)]
)
def test_the_whole_range_of_decimals_fits(text: str, tick: int, lot: int) -> None:
    """From whole units to the last digit of the guest's scales."""
    instrument = Instrument.parse("kraken", text)
    assert (instrument.tick_size_1e9, instrument.lot_size_1e8) == (tick, lot)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("BTC/USD", "'BTC/USD'"),
        ("BTC/USD:1", "'BTC/USD:1'"),
        (":1:8", "':1:8'"),
        ("BTC/USD:1:8:1:1:1", "'BTC/USD:1:8:1:1:1'"),
        ("BTC/USD:one:8", "'one'"),
        ("BTC/USD:1:", "''"),
        ("BTC/USD:1.5:8", "'1.5'"),
        ("BTC/USD:1:8:lots", "'lots'"),
        ("BTC/USD:1:8:nan", "nan"),
        ("BTC/USD:1:8:1e-09", "more than 8 decimals"),
        ("BTC/USD:1:8:0.1:1e-10", "more than 9 decimals"),
    ],
)
def test_a_text_that_cannot_be_read_names_place_value_and_mend(text: str, named: str) -> None:
    """One message tells where it stood, what was wrong and what to write instead."""
    with pytest.raises(InstrumentError) as caught:
        Instrument.parse("kraken", text)
    message = str(caught.value)
    assert message.startswith("--instrument: ")
    assert repr(text) in message
    assert named in message
    assert "mend: write SYMBOL:price_decimals:size_decimals" in message
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SHIB/USD:10:8", "price has 10 decimals, the guest's scale holds 9"),
        ("SHIB/USD:-1:8", "price has -1 decimals"),
        ("SHIB/USD:8:9", "size has 9 decimals, the guest's scale holds 8"),
        ("SHIB/USD:8:-1", "size has -1 decimals"),
        ("SHIB/USD:8:8:-1", "minimums must not be negative"),
        ("SHIB/USD:8:8:1:-0.5", "minimums must not be negative"),
    ],
)
def test_an_instrument_beyond_the_scale_is_refused_by_name(text: str, problem: str) -> None:
    """Refused whole, never rounded; the message names the instrument."""
    with pytest.raises(InstrumentError) as caught:
        Instrument.parse("kraken", text)
    assert str(caught.value).startswith(f"kraken:SHIB/USD: {problem}")
    assert "mend: leave this symbol out" in str(caught.value)


@pytest.mark.parametrize(("tick", "lot"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_tick_and_lot_are_positive(tick: int, lot: int) -> None:
    """A zero tick would let every price pass."""
    with pytest.raises(InstrumentError, match="kraken:A/B: tick and lot must be positive"):
        Instrument(
            venue="kraken", symbol="A/B", price_precision=1, size_precision=1, tick_size_1e9=tick, lot_size_1e8=lot
        )


def test_names() -> None:
    """The four names of one instrument; a symbol without a slash is its own quote."""
    instrument = Instrument.parse("kraken", "BTC/USD:1:8")
    assert (instrument.key, instrument.base, instrument.quote) == ("kraken:BTC/USD", "BTC", "USD")
    assert instrument.guest_name == "BTC-USD"
    assert Instrument.parse("okx", "INDEX:1:1").quote == "INDEX"


@pytest.mark.parametrize("field", ["tick_size_1e9", "lot_size_1e8", "min_qty_1e8", "min_notional_1e9"])
def test_an_amount_beyond_the_guests_record_is_refused(field: str) -> None:
    """It would otherwise fail where SymbolMeta is packed: in the middle of a turn."""
    amounts = {"tick_size_1e9": 10**8, "lot_size_1e8": 1, "min_qty_1e8": 0, "min_notional_1e9": 0, field: 2**63}
    with pytest.raises(InstrumentError, match="63 bits"):
        Instrument(
            "kraken", "BTC/USD", 1, 8, amounts["tick_size_1e9"], amounts["lot_size_1e8"], amounts["min_qty_1e8"],
            amounts["min_notional_1e9"],
        )  # fmt: skip
