"""The hosted venue's market session: what the feed says, and what comes of it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.events import BookLost, BookSnapshot, InstrumentUpdate, Notice, Trade
from connectors.session import PUBLIC, Output, Reconnect, Send, SessionPlan
from connectors.venues.ccxt import family
from connectors.venues.ccxt.session import FIRST_NS, METADATA_NS, SILENCE_NS, CcxtMarket

SECOND = 10**9
BTC, ETH = "BTC/USDT", "ETH/USDT"
MARKET = {"symbol": BTC, "id": "BTCUSDT", "tick": "0.01", "lot": "1e-06", "min_qty": "0.0001", "min_cost": "5"}
BOOK = {"op": "book", "symbol": BTC, "bids": [["62806.9", "0.5"]], "asks": [["62807.01", "1.2"]], "ms": 1755338645123}


class World:
    """A session of two symbols; `say` is the feed's word."""

    def __init__(self) -> None:
        self.session = CcxtMarket(SessionPlan(symbols=((0, BTC), (1, ETH)), depth=10), "ccxt_x")
        self.now_ns = 10**18
        self.out = self.session.open(self.now_ns, PUBLIC)

    def say(self, message: dict[str, Any] | bytes) -> list[Output]:
        raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
        self.out = self.session.receive(raw, self.now_ns, PUBLIC)
        return self.out

    def wait(self, ns: int, *, alive: bool = True) -> list[Output]:
        out: list[Output] = []
        for _ in range(ns // SECOND):
            self.now_ns += SECOND
            if alive:
                out += self.say({"op": "alive"})
            out += self.session.tick(self.now_ns)
        return out


def asked(out: list[Output]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(one.data) for one in out if isinstance(one, Send)]


def lost(out: list[Output]) -> list[tuple[int, str]]:
    return [(one.instrument, one.reason) for one in out if isinstance(one, BookLost)]


@pytest.fixture
def world() -> World:
    found = World()
    found.say({"op": "markets", "markets": [MARKET, {**MARKET, "symbol": ETH, "id": "ETHUSDT"}]})
    return found


def test_metadata_is_asked_for_first_then_books_and_trades() -> None:
    world = World()
    assert asked(world.out) == [{"op": "markets", "symbols": [BTC, ETH]}]
    out = world.say({"op": "markets", "markets": [MARKET, {"symbol": ETH, "why": "x does not list ETH/USDT"}]})
    [update] = [one for one in out if isinstance(one, InstrumentUpdate)]
    made = update.definition
    assert (made.symbol, made.venue_symbol, made.status) == (BTC, "BTCUSDT", "online")
    assert (made.price_precision, made.size_precision) == (2, 6)
    assert (made.tick_size_1e9, made.lot_size_1e8) == (10**7, 100)
    assert (made.min_qty_1e8, made.min_notional_1e9) == (10_000, 5 * 10**9)
    assert [one["channel"] for one in asked(out)] == ["book", "trades"]
    assert lost(out) == [(1, "refused: x does not list ETH/USDT")]


@pytest.mark.parametrize("change", [{"tick": ""}, {"lot": "1e-12"}, {"tick": "nan"}, {"tick": "0"}])
def test_a_market_that_cannot_be_held_exactly_is_refused(change: dict[str, str]) -> None:
    out = World().say({"op": "markets", "markets": [{**MARKET, **change}, {**MARKET, "symbol": ETH}]})
    assert [index for index, _ in lost(out)] == [0]
    assert [one.instrument for one in out if isinstance(one, InstrumentUpdate)] == [1]


def test_a_book_is_the_whole_book(world: World) -> None:
    [book] = world.say(BOOK)
    assert book == BookSnapshot(
        0, [(62_806_900_000_000, 50_000_000)], [(62_807_010_000_000, 120_000_000)], None, 10, "2025-08-16T10:04:05.123Z"
    )


def test_a_number_off_the_grid_is_no_book(world: World) -> None:
    out = world.say({**BOOK, "bids": [["62806.901", "0.5"]]})
    assert lost(out) == [(0, "a number off the grid")]
    assert asked(out) == [{"op": "watch", "channel": "book", "symbol": BTC, "depth": 10}]


def test_trades_have_the_takers_side(world: World) -> None:
    item = {"price": "62807", "qty": "0.01", "side": "sell", "id": "77", "ms": 5}
    [trade] = world.say({"op": "trades", "symbol": BTC, "trades": [item]})
    assert trade == Trade(0, 62_807 * 10**9, 10**6, -1, 77, 5 * 10**6)


def test_what_ended_is_asked_for_again_with_back_off_and_what_cannot_be_is_refused(world: World) -> None:
    world.say(BOOK)
    failed = {"op": "failed", "channel": "book", "symbol": BTC, "error": "InvalidNonce", "text": "a hole"}
    out = world.say(failed)
    assert lost(out) == [(0, "InvalidNonce")]
    assert len(asked(out)) == 1, "at once, the first time"
    out = world.say(failed)
    assert not asked(out)
    assert [one["symbol"] for one in asked(world.wait(2 * SECOND))] == [BTC]
    out = world.say({**failed, "error": "BadSymbol"})
    assert lost(out) == [(0, "refused: BadSymbol: a hole")]
    assert {one["symbol"] for one in asked(world.wait(100 * SECOND))} == {ETH}, "of which no book ever came"


def test_silence_is_a_dead_link_and_a_quiet_book_is_not(world: World) -> None:
    world.say(BOOK)
    world.say({**BOOK, "symbol": ETH})
    assert not lost(world.wait(4 * FIRST_NS))
    out = world.wait(SILENCE_NS + 2 * SECOND, alive=False)
    assert sorted(lost(out)) == [(0, "link silent"), (1, "link silent")]
    assert [one.link for one in out if isinstance(one, Reconnect)] == [PUBLIC]


def test_without_metadata_the_link_is_given_up() -> None:
    world = World()
    assert [one.reason for one in world.wait(METADATA_NS) if isinstance(one, Reconnect)] == ["no metadata"]


def test_no_book_in_time_is_asked_for_again(world: World) -> None:
    world.say(BOOK)
    assert [one["symbol"] for one in asked(world.wait(FIRST_NS))] == [ETH]


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"{}", b'{"op":"book"}', b'{"op":"book","symbol":"BTC/USDT"}', b"[" * 9999])
)
def test_whatever_comes_is_loud_and_costs_the_books(raw: bytes) -> None:
    world = World()
    world.say({"op": "markets", "markets": [MARKET, {**MARKET, "symbol": ETH}]})
    world.say(BOOK)
    out = world.say(raw)
    assert (0, "unexplained frame") in lost(out)
    assert [one.level for one in out if isinstance(one, Notice)][:1] == ["error"]


def test_a_venue_of_a_name_that_no_exchange_can_have() -> None:
    with pytest.raises(ConfigError, match="no exchange can be called"):
        family("Bit get")
    assert family("bitget").venue_id == 4
    assert family("gate").venue_id == 10
