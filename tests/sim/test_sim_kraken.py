"""Kraken's side of the wire, seen by a client written here from the published rules alone: text, dictionaries, zlib."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest

from runtime.sim.frames import Close, Frame
from runtime.sim.kraken import KrakenSim, SimFaults
from runtime.sim.market import DEFAULT_PAIRS, Market

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
Sides = tuple[list[tuple[str, str]], list[tuple[str, str]]]
"""(asks, bids), best first, as texts."""
SYMBOLS = [pair.symbol for pair in DEFAULT_PAIRS]


def parse(frame: Frame | bytes) -> dict[str, Any]:
    """A frame with every number kept as its text."""
    assert isinstance(frame, str)
    message: dict[str, Any] = json.loads(frame, parse_float=str, parse_int=str)
    return message


def padded_crc(asks: list[tuple[str, str]], bids: list[tuple[str, str]], decimals: tuple[int, int]) -> int:
    def digits(text: str, places: int) -> str:
        return f"{Decimal(text):.{places}f}".replace(".", "").lstrip("0")

    text = "".join(digits(p, decimals[0]) + digits(q, decimals[1]) for p, q in asks[:10] + bids[:10])
    return crc32(text.encode())


class Client:
    """Keeps one connection's books by the documented rules and remembers what else came."""

    def __init__(self, sim: KrakenSim, now_ns: int = T0) -> None:
        self.sim, self.now_ns = sim, now_ns
        self.connection, first = sim.connect(now_ns)
        self.status = parse(first[0])
        self.books: dict[str, dict[str, dict[str, str]]] = {}
        self.depth: dict[str, int] = {}
        self.decimals = {pair.symbol: (pair.price_precision, pair.qty_precision) for pair in sim.market.pairs}
        self.updates = self.wrong = self.changed = self.removed = self.doubled = 0
        self.heard: list[str] = []
        self.raw: list[Frame | bytes] = []

    def ask(self, **request: Any) -> list[dict[str, Any]]:
        frames = self.connection.receive(json.dumps(request), self.now_ns)
        return [self.take(frame) for frame in frames]

    def subscribe(self, channel: str = "book", symbols: list[str] | None = None, **params: Any) -> list[dict[str, Any]]:
        where = {} if channel == "instrument" else {"symbol": symbols or ["BTC/USD"]}
        return self.ask(method="subscribe", params={"channel": channel, **where, **params})

    def unsubscribe(self, depth: int) -> list[dict[str, Any]]:
        return self.ask(method="unsubscribe", params={"channel": "book", "symbol": ["BTC/USD"], "depth": depth})

    def run(self, ms: int) -> Iterator[dict[str, Any]]:
        """Let virtual time pass, 10 ms at a time; yields what arrives."""
        for _ in range(ms // 10):
            self.now_ns += 10 * MS
            for connection, frames in self.sim.tick(self.now_ns):
                if connection is self.connection:
                    for frame in frames:
                        yield self.take(frame)

    def after(self, ms: int) -> list[dict[str, Any]]:
        return list(self.run(ms))

    def take(self, frame: Frame | bytes) -> dict[str, Any]:
        self.raw.append(frame)
        if not isinstance(frame, str) or not frame.startswith("{"):
            self.heard.append("close" if isinstance(frame, Close) else "garbage")
            return {}
        message = parse(frame)
        self.heard.append(message.get("channel") or message.get("method", "error"))
        if message.get("channel") == "book":
            self._book(message["type"], message["data"])
        elif "result" in message and message["result"].get("channel") == "book":
            self.books.pop(message["result"]["symbol"], None)
            self.depth[message["result"]["symbol"]] = int(message["result"]["depth"])
        elif message.get("channel") == "instrument":
            for pair in message["data"]["pairs"]:
                self.decimals[pair["symbol"]] = (int(pair["price_precision"]), int(pair["qty_precision"]))
        return message

    def sides(self, symbol: str) -> Sides:
        book = self.books[symbol]
        asks = sorted(book["asks"].items(), key=lambda level: Decimal(level[0]))
        bids = sorted(book["bids"].items(), key=lambda level: Decimal(level[0]), reverse=True)
        return asks, bids

    def _book(self, kind: str, data: list[dict[str, Any]]) -> None:
        (told,) = data
        symbol = told["symbol"]
        if kind == "snapshot":
            self.books[symbol] = {"bids": {}, "asks": {}}
        book, depth = self.books[symbol], self.depth[symbol]
        for side in ("bids", "asks"):
            entries = [(level["price"], level["qty"]) for level in told[side]]
            self.doubled += len(entries) - len(dict(entries))
            for price, qty in entries:
                assert [len(price.partition(".")[2]), len(qty.partition(".")[2])] == list(self.decimals[symbol])
                if qty == "0.00000000":
                    book[side].pop(price, None)
                else:
                    book[side][price] = qty
            if kind == "update":
                self.changed += len(dict(entries))
                self.removed += list(dict(entries).values()).count("0.00000000")
            best = sorted(book[side], key=Decimal, reverse=side == "bids")
            book[side] = {price: book[side][price] for price in best[:depth]}
        self.updates += kind == "update"
        asks, bids = self.sides(symbol)
        self.wrong += str(padded_crc(asks, bids, self.decimals[symbol])) != told["checksum"]


def client(faults: SimFaults | None = None, seed: int = 1) -> Client:
    return Client(KrakenSim(Market(seed=seed), faults))


def market_window(sim: KrakenSim, symbol: str, depth: int) -> Sides:
    book, pair = sim.market.book(symbol), sim.pairs[symbol]
    asks = [(pair.price_text(price), pair.qty_text(qty)) for price, qty in book.asks.top(depth)]
    return asks, [(pair.price_text(price), pair.qty_text(qty)) for price, qty in book.bids.top(depth)]


@pytest.mark.parametrize("depth", [10, 25, 100, 500])
def test_thousands_of_updates_keep_every_window_exact(depth: int) -> None:
    c = client(seed=depth)
    c.subscribe(symbols=SYMBOLS, depth=depth)
    while c.updates < 2_500:
        for message in c.run(10):
            if message["channel"] == "book":
                asks, bids = c.sides(message["data"][0]["symbol"])
                assert Decimal(bids[0][0]) < Decimal(asks[0][0])
        for symbol in SYMBOLS:
            assert c.sides(symbol) == market_window(c.sim, symbol, depth)
    assert c.wrong == 0
    assert c.doubled > 5, "the same price twice in a message, the last one winning"
    if depth <= 100:
        assert 13 < c.changed * 10 // c.updates < 20, "about 1.5 changed levels a message"
        assert 18 < c.removed * 100 // c.changed < 32, "about a quarter of them removals"


def test_levels_pushed_out_are_not_mentioned_and_come_back_as_adds() -> None:
    c = client(seed=4)
    c.subscribe(depth=10)
    pushed: set[tuple[str, str]] = set()
    returned = 0
    before = {side: dict(levels) for side, levels in c.books["BTC/USD"].items()}
    for message in c.run(30_000):
        after = {side: dict(levels) for side, levels in c.books["BTC/USD"].items()}
        for side in ("bids", "asks") if message["channel"] == "book" else ():
            told = {level["price"] for level in message["data"][0][side]}
            pushed |= {(side, price) for price in before[side] if price not in after[side] and price not in told}
            returned += len({(side, price) for price in told & set(after[side]) - set(before[side])} & pushed)
            assert told <= set(before[side]) | set(after[side]), "nothing from outside the window"
        before = after
    assert pushed and returned and c.wrong == 0


def test_equal_seeds_give_equal_bytes() -> None:
    def run(seed: int) -> list[Frame | bytes]:
        c = client(seed=seed)
        c.subscribe(symbols=SYMBOLS, depth=25)
        c.subscribe("trade", SYMBOLS, snapshot=True)
        c.subscribe("instrument")
        c.after(5_000)
        return c.raw

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_a_long_sleep_is_not_made_up_for() -> None:
    c = client()
    c.subscribe(depth=100)
    c.now_ns += 3_600_000 * MS
    messages = c.after(10)
    assert len(messages) < 500 and [m["channel"] for m in messages].count("heartbeat") <= 1
    c.after(2_000)
    assert c.wrong == 0


def test_one_ack_a_symbol_all_before_the_snapshots() -> None:
    c = client()
    answers = c.ask(method="subscribe", params={"channel": "book", "symbol": SYMBOLS[:2], "depth": 10}, req_id=11)
    assert [a.get("method", a.get("type")) for a in answers] == ["subscribe"] * 2 + ["snapshot"] * 2
    assert answers[0] == {
        "method": "subscribe",
        "req_id": "11",
        "result": {"channel": "book", "depth": "10", "snapshot": True, "symbol": "BTC/USD"},
        "success": True,
        "time_in": "2026-08-16T10:04:05.123456Z",
        "time_out": "2026-08-16T10:04:05.123489Z",
    }
    assert answers[2]["data"][0]["timestamp"] == "2026-08-16T10:04:05.123456Z"
    assert [len(answers[2]["data"][0][side]) for side in ("bids", "asks")] == [10, 10]
    assert c.wrong == 0


def test_depth_defaults_to_ten_and_a_snapshot_can_be_declined() -> None:
    c = client()
    ack, _ = c.subscribe()
    assert ack["result"]["depth"] == "10" and "req_id" not in ack
    assert [ack["result"]["snapshot"] for ack in c.subscribe(symbols=["ETH/USD"], snapshot=False)] == [False]


@pytest.mark.parametrize(
    ("params", "error", "symbol"),
    [
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 27}, "Subscription depth not supported", None),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": "10"}, "Subscription book depth must be an integer", None),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 10.5}, "Subscription book depth must be an integer", None),
        ({"channel": "book", "symbol": ["XBT/USD"]}, "Currency pair not supported XBT/USD", "XBT/USD"),
        ({"channel": "trade", "symbol": ["XBT/USD"]}, "Currency pair not supported XBT/USD", "XBT/USD"),
        ({"channel": "weather", "symbol": ["BTC/USD"]}, "Channel not supported", None),
        ({"channel": "book"}, "Malformed request", None),
        (None, "Channel not supported", None),
    ],
)
def test_refused_subscriptions(params: dict[str, Any] | None, error: str, symbol: str | None) -> None:
    (answer,) = client().ask(method="subscribe", params=params, req_id=12)
    times = {name: answer.pop(name) for name in ("time_in", "time_out")}
    where = {} if symbol is None else {"symbol": symbol}
    assert answer == {"error": error, "method": "subscribe", "req_id": "12", "success": False, **where}
    assert times["time_in"] < times["time_out"]


def test_one_bad_symbol_leaves_the_others_alone() -> None:
    c = client(SimFaults(refuse_symbols=("SOL/USD",)))
    answers = c.subscribe(symbols=["BTC/USD", "XBT/USD", "SOL/USD", "ETH/USD", "ETH/USD"], depth=25)
    assert [a.get("success") for a in answers] == [True, False, False, True, False, None, None]
    assert answers[2]["error"] == "Currency pair not supported SOL/USD"
    assert answers[4]["error"] == "Already subscribed" and answers[4]["symbol"] == "ETH/USD"
    assert c.subscribe(depth=100)[0]["error"] == "Already subscribed"
    assert {m["data"][0]["symbol"] for m in c.after(2_000) if m["channel"] == "book"} == {"BTC/USD", "ETH/USD"}
    assert c.updates > 50 and c.wrong == 0


def test_ping_echoes_the_id_and_refuses_params() -> None:
    c = client()
    (pong,) = c.ask(method="ping", req_id=101)
    assert pong["method"] == "pong" and pong["req_id"] == "101" and pong["time_in"] < pong["time_out"]
    assert "req_id" not in c.ask(method="ping")[0]
    (refused,) = c.ask(method="ping", params={})
    assert refused["error"] == "Unsupported field: 'params' for the given msg type: ping"
    assert refused["method"] == "ping" and refused["success"] is False


def test_what_cannot_be_understood_gets_an_error_and_nothing_breaks() -> None:
    c = client()
    assert c.ask(method="sing", req_id=1)[0]["error"] == "Unsupported event"
    for text in ("", "nonsense", "[]", '{"method":5}', b"\xff\xfe", '{"method":"subscribe","params":[]}'):
        (answer,) = c.connection.receive(text, T0)
        assert parse(answer)["error"] == "Malformed request"
    assert c.subscribe()[0]["success"] is True


def test_unsubscribe_stops_the_data_at_once_and_a_new_subscription_starts_afresh() -> None:
    c = client()
    c.subscribe(symbols=["BTC/USD", "ETH/USD"], depth=25)
    c.after(1_000)
    (ack,) = c.unsubscribe(25)
    assert ack["success"] and ack["method"] == "unsubscribe"
    assert ack["result"] == {"channel": "book", "symbol": "BTC/USD", "depth": "25"}
    assert {m["data"][0]["symbol"] for m in c.after(2_000) if m["channel"] == "book"} == {"ETH/USD"}
    (again,) = c.unsubscribe(25)
    assert again["success"] is False and again["error"] == "Subscription not found"
    assert c.subscribe(depth=10)[1]["type"] == "snapshot"
    c.after(2_000)
    assert c.wrong == 0


def test_a_heartbeat_each_second_once_something_is_subscribed_and_only_then() -> None:
    c = client()
    assert c.after(5_000) == []
    c.subscribe("trade", ["DOGE/USD"])
    assert [m["channel"] for m in c.after(10_100)].count("heartbeat") == 10
    c.ask(method="unsubscribe", params={"channel": "trade", "symbol": ["DOGE/USD"]})
    assert c.after(5_000) == []


def test_a_dropped_update_shows_in_the_checksum_and_a_new_snapshot_heals() -> None:
    c = client(SimFaults(drop_update_every=200))
    c.subscribe(depth=10)
    while not c.wrong:
        c.after(100)
    c.unsubscribe(10)
    c.wrong = 0
    c.subscribe(depth=10)
    c.after(1_000)
    assert c.wrong == 0


def test_a_corrupt_checksum_every_tenth_update() -> None:
    c = client(SimFaults(corrupt_checksum_every=10))
    c.subscribe(depth=25)
    c.after(20_000)
    assert c.updates > 300 and c.wrong == c.updates // 10
    assert c.sides("BTC/USD") == market_window(c.sim, "BTC/USD", 25)


def test_a_duplicated_update_is_harmless_to_whoever_applies_totals() -> None:
    c = client(SimFaults(duplicate_update_every=5))
    c.subscribe(depth=25)
    c.after(10_000)
    books = [frame for frame in c.raw if '"update"' in str(frame)]
    twins = sum(first == second for first, second in pairwise(books))
    assert twins == (len(books) - twins) // 5 > 20 and c.wrong == 0


@pytest.mark.parametrize(("faults", "acks"), [(SimFaults(no_ack=True), 0), (SimFaults(ack_then_silence=True), 1)])
def test_a_subscription_that_never_delivers_while_reference_data_works(faults: SimFaults, acks: int) -> None:
    c = client(faults)
    assert len(c.subscribe()) == acks
    assert c.subscribe("instrument")[0]["success"] is True
    assert {m["channel"] for m in c.after(3_000)} == {"heartbeat"}


@pytest.mark.parametrize(
    ("faults", "still"),
    [
        (SimFaults(heartbeat_off_after_s=2), {"book", "trade", "pong"}),
        (SimFaults(book_off_after_s=2), {"heartbeat", "trade", "pong"}),
        (SimFaults(pong_only_after_s=2), {"pong"}),
        (SimFaults(mute_after_s=2), set()),
    ],
)
def test_what_still_speaks_after_a_partial_silence(faults: SimFaults, still: set[str]) -> None:
    c = client(faults)
    c.subscribe(depth=10)
    c.subscribe("trade")
    c.after(1_990)
    assert {"book", "heartbeat", "trade"} <= set(c.heard)
    c.heard.clear()
    c.after(10)
    c.heard.clear()
    c.after(20_000)
    c.ask(method="ping")
    if still <= {"pong"}:
        assert c.ask(method="subscribe", params={"channel": "instrument"}) == []
        assert c.connection.receive("nonsense", c.now_ns) == []
    assert set(c.heard) == still


def test_garbage_once_and_a_close_with_the_proxys_reason_and_the_next_connection_is_well() -> None:
    c = client(SimFaults(garbage_frame_after_s=1, close_after_s=3, connections=1))
    c.subscribe()
    c.after(5_000)
    assert c.heard.count("garbage") == 1 and "CloudFlare WebSocket proxy restarting" in c.raw
    assert c.raw[-1] == Close(1001, "CloudFlare WebSocket proxy restarting") and c.wrong == 0
    again = Client(c.sim, c.now_ns)
    again.subscribe()
    again.after(5_000)
    assert again.updates > 50 and again.wrong == 0 and not {"close", "garbage"} & set(again.heard)


def test_a_crossed_book_with_a_right_checksum_until_subscribed_afresh() -> None:
    c = client(SimFaults(crossed_book_after_s=2))
    c.subscribe(depth=25)

    def crossed() -> bool:
        asks, bids = c.sides("BTC/USD")
        return Decimal(bids[0][0]) >= Decimal(asks[0][0])

    c.after(1_990)
    assert not crossed()
    c.after(10)
    assert crossed() and c.wrong == 0
    c.after(5_000)
    assert c.wrong == 0
    c.unsubscribe(25)
    c.subscribe(depth=25)
    c.after(1_000)
    assert not crossed() and c.wrong == 0


def test_a_precision_change_is_announced_and_then_obeyed() -> None:
    c = client(SimFaults(precision_change_after_s=2))
    c.subscribe("instrument")
    c.subscribe(symbols=SYMBOLS, depth=10)
    told = [m for m in c.after(2_000) if m["channel"] == "instrument"]
    assert [m["type"] for m in told] == ["update"] and told[0]["data"]["assets"] == []
    assert told[0]["data"]["pairs"][0]["price_increment"] == "0.01"
    assert c.decimals["BTC/USD"] == (2, 8)
    for book in c.books.values():  # the same numbers, written with one decimal more
        for side, levels in book.items():
            book[side] = {f"{price}0": qty for price, qty in levels.items()}
    before = c.updates
    c.after(5_000)
    assert c.updates > before + 200 and c.wrong == 0
