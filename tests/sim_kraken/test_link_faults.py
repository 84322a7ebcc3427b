"""Faults of books, subscriptions and the link, and that every fault of the table is tried somewhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from runtime.sim.frames import Close
from runtime.sim.kraken import FAULTS
from tests.sim_kraken.trader import SECOND, Message, Trader

D = Decimal

BOOKS = ["BTC/USD", "ETH/USD"]


class Books(Trader):
    """Keeps books by the documented rules: apply in order, truncate, compare the checksum with padded decimals."""

    def __init__(self, *faults: str, depth: int = 10, channel: str = "book", **options: Any) -> None:
        super().__init__(*faults, subscribed=False, rate_hz=140, **options)
        self.depth = depth
        self.books: dict[str, dict[str, dict[D, D]]] = {}
        self.places = {p.symbol: (p.price_precision, p.qty_precision) for p in self.venue.market.pairs}
        self.updates = self.wrong = 0
        self.acks = [m for m in self.subscribe(channel, symbol=BOOKS, depth=depth) if m.get("method") == "subscribe"]

    def collect(self) -> list[Message]:
        fresh = super().collect()
        for message in fresh:
            if message.get("channel") == "book":
                self._apply(message["type"], message["data"][0])
        return fresh

    def _apply(self, kind: str, told: Message) -> None:
        symbol = told["symbol"]
        book = self.books.setdefault(symbol, {"bids": {}, "asks": {}})
        if kind == "snapshot":
            book = self.books[symbol] = {"bids": {}, "asks": {}}
        for side in ("bids", "asks"):
            for level in told[side]:
                book[side][D(level["price"])] = D(level["qty"])
            best = sorted((p for p, q in book[side].items() if q), reverse=side == "bids")[: self.depth]
            book[side] = {price: book[side][price] for price in best}
        self.updates += kind == "update"
        self.wrong += self.checksum(symbol) != told["checksum"]

    def checksum(self, symbol: str) -> int:
        places, book = self.places[symbol], self.books[symbol]
        rows = [*list(book["asks"].items())[:10], *list(book["bids"].items())[:10]]
        pairs = [
            f"{number:.{n}f}".replace(".", "").lstrip("0")
            for row in rows
            for number, n in zip(row, places, strict=True)
        ]
        return crc32("".join(pairs).encode())

    def right(self, symbol: str = "BTC/USD") -> bool:
        """Whether the book is the venue's."""
        ladder, unit = self.venue.market.book(symbol), D(10) ** -self.venue.market.book(symbol).pair.price_precision
        return all(
            list(self.books[symbol][side].items()) == [(p * unit, D(q) / 10**8) for p, q in mine.top(self.depth)]
            for side, mine in (("bids", ladder.bids), ("asks", ladder.asks))
        )


def channels(messages: list[Message]) -> set[str]:
    return {m.get("channel") or m["method"] for m in messages}


def test_without_faults_every_checksum_is_right() -> None:
    t = Books(depth=25)
    t.wait(20)
    assert t.updates > 200 and t.wrong == 0 and t.right()


def test_the_accounts_orders_are_in_the_book_that_everybody_sees() -> None:
    t = Books()
    bid, ask = t.touch()
    t.venue.faults.clear()
    level = t.books["BTC/USD"]["bids"][bid]
    t.place(limit_price=bid, order_qty=D(1))
    assert t.books["BTC/USD"]["bids"][bid] == level + 1 and t.wrong == 0
    trade = t.subscribe("trade", symbol=["BTC/USD"])
    assert trade[-1]["success"] is True
    messages = t.say("add_order", **t.order(limit_price=ask, order_qty=D("0.001")))
    assert [m["data"][0]["qty"] for m in messages if m.get("channel") == "trade"] == [D("0.001")]
    assert t.right() and t.wrong == 0


def test_drop_update() -> None:
    t = Books("drop_update=50")
    t.wait(20)
    assert t.wrong > 0


def test_drop_deep_update() -> None:
    """Nobody can tell until it comes to the surface: checksums are right at first, the book is not."""
    t = Books("drop_deep_update=1", depth=100)
    t.wait(1)
    assert t.wrong == 0 and not (t.right() and t.right("ETH/USD"))
    t.wait(60)
    assert t.wrong > 0


def test_corrupt_checksum_and_duplicate_update() -> None:
    t = Books("corrupt_checksum=10")
    t.wait(10)
    assert t.wrong == t.updates // 10 > 5 and t.right()
    t = Books("duplicate_update=5")
    t.wait(10)
    assert t.wrong == 0 and t.right()


def test_scrambled_levels_change_nothing_for_whoever_applies_them_in_order() -> None:
    t = Books("scrambled_levels")
    t.wait(20)
    assert t.wrong == 0 and t.right() and t.right("ETH/USD")


def test_snapshot_gap() -> None:
    t = Books("snapshot_gap")
    t.wait(10)
    assert t.wrong > 0


def test_crossed_book() -> None:
    t = Books("crossed_book@2")
    t.wait(2)
    book = t.books["BTC/USD"]
    assert max(book["bids"]) >= min(book["asks"]) and t.wrong == 0


def test_precision_change() -> None:
    t = Books("precision_change@2")
    t.subscribe("instrument")
    told = [m for m in t.wait(2) if m.get("channel") == "instrument"]
    assert [m["data"]["pairs"][0]["price_precision"] for m in told] == [2]
    assert t.public("AssetPairs", pair="BTC/USD")["BTC/USD"]["pair_decimals"] == 2
    t.places = {symbol: (price + 1, qty) for symbol, (price, qty) in t.places.items()}
    before = t.wrong
    t.wait(5)
    assert t.wrong == before
    t.place(limit_price=D("60000.1"))


@pytest.mark.parametrize(
    ("fault", "still"),
    [
        ("book_off@2", {"heartbeat", "trade", "pong", "subscribe"}),
        ("heartbeat_off@2", {"book", "trade", "pong", "subscribe"}),
        ("no_pong@2", {"book", "trade", "heartbeat", "subscribe"}),
        ("pong_only@2", {"pong"}),
        ("mute@2", set()),
        ("half_open@2", set()),
    ],
)
def test_book_off_heartbeat_off_no_pong_pong_only_mute_half_open(fault: str, still: set[str]) -> None:
    t = Books(fault)
    t.subscribe("trade", symbol=["BTC/USD"])
    assert {"book", "heartbeat", "trade"} <= channels(t.wait(1.9))
    t.wait(0.2)
    messages = t.wait(30)
    t.socket.receive('{"method":"ping"}', t.now_ns)
    t.socket.receive('{"method":"subscribe","params":{"channel":"instrument","snapshot":false}}', t.now_ns)
    assert channels(messages + t.collect()) == still
    assert t.socket.is_open and t.socket.is_deaf(t.now_ns) == (fault == "half_open@2")


def test_a_mute_venue_trades_on_and_a_half_open_one_hears_nothing() -> None:
    for fault, orders in (("mute@1", 1), ("half_open@1", 0)):
        t = Trader(fault)
        t.now_ns += 2 * SECOND
        assert t.say("add_order", **t.order()) == []
        assert len(t.rest("OpenOrders")["open"]) == orders


def test_refuse_symbols_no_ack_and_ack_then_silence() -> None:
    assert [ack.get("error", "") for ack in Books("refuse_symbols=ETH/USD;SOL/USD").acks] == [
        "", "Currency pair not supported ETH/USD",
    ]  # fmt: skip
    t = Books("no_ack")
    assert t.acks == [] and t.say("subscribe", channel="executions") == []
    assert channels(t.wait(3)) <= {"heartbeat"}
    t = Books("ack_then_silence")
    assert len(t.acks) == 2 and channels(t.wait(3)) == {"heartbeat"}


def test_garbage_frame_close_reset_half_frame() -> None:
    t = Books("garbage_frame@1")
    t.wait(3)
    assert t.raw.count("CloudFlare WebSocket proxy restarting") == 1 and t.socket.is_open
    for fault, close in (
        ("close@1", Close(1001, "CloudFlare WebSocket proxy restarting")),
        ("reset@1", Close(1006, "cut")),
    ):
        t = Books(fault, seed=2)
        t.wait(3)
        assert t.closes == [close] and not t.socket.is_open and t.halves == []
        before = t.now_ns
        t.dial()
        t.wait(2)
        assert len(t.closes) == 2, "each connection, once"
        assert t.now_ns > before
    t = Books("half_frame,connections=1@1")
    t.wait(3)
    assert t.closes == [Close(1006, "cut")] and t.halves and not t.halves[0].endswith(b"}")
    t.dial()
    t.wait(3)
    assert len(t.closes) == 1


def test_connect_refused_and_the_limit_of_connections() -> None:
    t = Trader("connect_refused,times=2")
    assert [t.venue.refusal(t.now_ns) is None for _ in range(3)] == [False, False, True]
    t = Trader(limits_connects=True)
    assert all(t.venue.refusal(t.now_ns) is None for _ in range(150))
    assert t.venue.refusal(t.now_ns) is not None
    assert t.venue.refusal(t.now_ns + 599 * SECOND) is not None
    assert t.venue.refusal(t.now_ns + 601 * SECOND) is None


def test_status() -> None:
    t = Trader("status=maintenance@2", "status=cancel_only@4")
    assert t.venue.engine.system == "online"
    messages = t.wait(3)
    assert [m["data"][0]["system"] for m in messages if m.get("channel") == "status"] == ["maintenance"]
    assert t.refused("add_order", **t.order()) == "EService:Unavailable"
    assert t.public("SystemStatus")["status"] == "maintenance"
    t.faults.clear()
    t.faults.switch("status=online")
    t.wait(0.1)
    t.place()


def test_clock_skew() -> None:
    t = Trader("clock_skew=-1500")
    assert t.ask("add_order", **t.order())["time_in"] == "2026-08-16T10:04:03.623456Z"
    assert t.public("Time")["unixtime"] == t.now_ns // SECOND - 2


def test_an_idle_client_is_closed_and_a_ping_is_enough_to_stay() -> None:
    t = Trader(idle_close_s=60)
    for _ in range(3):
        t.wait(50)
        t.socket.receive('{"method":"ping"}', t.now_ns)
    t.wait(59)
    assert t.closes == []
    t.wait(2)
    assert [close.code for close in t.closes] == [1000] and not t.socket.is_open


def test_every_fault_of_the_table_is_tried_by_name() -> None:
    here = Path(__file__).parent
    text = "".join((here / name).read_text() for name in ("test_order_faults.py", "test_link_faults.py"))
    for name, kind in FAULTS.items():
        assert any(f'"{name}{end}' in text for end in ('"', "@", "=", ",")), f"{name} is not tried"
        assert 10 < len(kind.tells) < 100
