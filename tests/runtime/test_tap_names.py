"""The tap where bytes call a market or an order by the venue's own name."""

from typing import Any

import msgspec
import pytest

from connectors.instrument import Instrument
from connectors.orders import Asked
from runtime.tap import Tap
from tests.support.tap_world import Asking, Exit, amend, cancel, new


class Elsewhere(Exit):
    """At a venue whose bytes name markets and orders in words of its own; `said` is what is read from them."""

    def __init__(self, *, code: str = "", ids: dict[str, str] | None = None, lowers: bool = False) -> None:
        self.said: list[Asked] = []
        instrument = Instrument("v", "BTC/USDT", 1, 8, 10**8, 1, venue_symbol="BTC-USDT", venue_code=code)
        self.tap = Tap(
            {"v": lambda _: self.said}, ("v:BTC/USDT", "v:ETH/USDT"), instruments=[instrument, None],
            venue_ids=lambda name: (ids or {}).get(name, ""), lowering=("v",) if lowers else (),
        )  # fmt: skip
        self.number = 0

    def asks(self, order: Asking, **said: Any) -> str:
        """What the tap says of bytes that ask for this order, but for what is `said` otherwise."""
        approved = self.approve(order)
        expected = self.tap.waiting(approved.approval)
        assert expected is not None
        self.said = [msgspec.structs.replace(expected.asked, **said)]
        return self.tap.leaving("v", b"bytes", approved.approval)


@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTCUSDT", "4711"])
def test_a_market_by_the_venues_own_name_is_the_same_market(symbol: str) -> None:
    assert Elsewhere(code="4711").asks(new(), symbol=symbol) == ""


@pytest.mark.parametrize("symbol", ["ETH-USDT", "BTC-USD", "BT-CUSDT", "BTC/USD-T", "4712", ""])
def test_another_market_is_not(symbol: str) -> None:
    assert "where 'BTC/USDT' was approved" in Elsewhere(code="4711").asks(new(), symbol=symbol)


def test_a_cancel_may_say_its_market_and_no_other() -> None:
    for order in (cancel(), amend()):
        assert Elsewhere(code="4711").asks(order, symbol="4711") == ""
        assert Elsewhere(code="4711").asks(order, symbol="BTCUSDT") == ""
        assert "symbol 'ETHUSDT'" in Elsewhere(code="4711").asks(order, symbol="ETHUSDT")


def test_an_order_by_the_venues_id_is_whose_the_venue_said_it_is() -> None:
    ids = {"vg-1": "A1", "vg-2": "A2"}
    by_id = {"client_order_id": "", "venue_order_id": "A1"}
    assert Elsewhere(ids=ids).asks(cancel("vg-1"), **by_id) == ""
    assert Elsewhere(ids=ids).asks(amend("vg-1"), **by_id) == ""
    assert "was approved" in Elsewhere(ids=ids).asks(cancel("vg-2"), **by_id)
    assert "was approved" in Elsewhere(ids={}).asks(cancel("vg-1"), **by_id)
    assert "was approved" in Elsewhere(ids={}).asks(cancel("vg-1"), client_order_id="", venue_order_id="")
    assert "was approved" in Elsewhere(ids=ids).asks(new("vg-1"), **by_id), "a new order has no id there"


def test_an_amend_without_a_price_is_one_only_where_amends_cannot_change_it() -> None:
    assert Elsewhere(lowers=True).asks(amend(), px_1e9=0) == ""
    assert "was approved" in Elsewhere().asks(amend(), px_1e9=0)
    assert "was approved" in Elsewhere(lowers=True).asks(amend(), px_1e9=0, qty_1e8=7)
    assert "was approved" in Elsewhere(lowers=True).asks(new(), px_1e9=0)
