"""The public socket: pongs, answers and failures, books of four depths with their numbers, trades, tickers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sim_bybit.client import MS, PRIVATE, PUBLIC, TRADE, Client, Message, Socket


class LocalBook:
    """A snapshot replaces, a delta changes, `u` counts; only `depth` levels are kept."""

    def __init__(self, depth: int) -> None:
        self.depth, self.u, self.gaps, self.snapshots = depth, 0, 0, 0
        self.sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}

    def apply(self, message: Message) -> None:
        data = message["data"]
        if message["type"] == "snapshot" or data["u"] == 1:
            self.sides = {"b": {}, "a": {}}
            self.snapshots += 1
        elif data["u"] != self.u + 1:
            self.gaps += 1
        self.u = data["u"]
        for name, side in self.sides.items():
            for price, qty in data[name]:
                side[price] = qty
                if not Decimal(qty):
                    del side[price]
            rows = sorted(side.items(), key=lambda row: Decimal(row[0]), reverse=name == "b")
            self.sides[name] = dict(rows[: self.depth])

    def top(self, name: str) -> list[list[str]]:
        return [list(row) for row in self.sides[name].items()]


def books(messages: list[Message]) -> list[Message]:
    return [message for message in messages if str(message.get("topic", "")).startswith("orderbook")]


def follow(client: Client, *topics: str) -> Socket:
    socket = client.dial()
    socket.connection.receive('{"op":"subscribe","req_id":"1","args":["' + '","'.join(topics) + '"]}', client.now_ns)
    return socket


def test_three_sockets_three_pongs() -> None:
    client = Client()
    [public] = client.dial(PUBLIC).say("ping", req_id="7")
    assert (public["success"], public["ret_msg"], public["op"], public["req_id"]) == (True, "pong", "ping", "7")
    [private] = client.dial(PRIVATE).say("ping", req_id="7")
    assert (private["op"], private["args"], private["req_id"]) == ("pong", [str(client.now_ns // MS)], "7")
    [trade] = client.dial(TRADE).say("ping")
    assert (trade["retCode"], trade["op"], trade["data"]) == (0, "pong", [str(client.now_ns // MS)])
    assert "connId" in trade and "conn_id" in private


@pytest.mark.parametrize("depth", [50, 200, 1000])
def test_a_book_kept_by_the_rule_is_the_venues(depth: int) -> None:
    client, kept = Client(rate_hz=140), LocalBook(depth)
    socket = follow(client, f"orderbook.{depth}.BTCUSDT")
    for _ in range(3):
        client.wait(0.7)
        for message in books(socket.news()):
            kept.apply(message)
    client.venue._interval_ns = 0
    client.wait(0.4)
    for message in books(socket.news()):
        kept.apply(message)
    assert (kept.gaps, kept.snapshots) == (0, 1)
    result = client.get("/v5/market/orderbook", category="spot", symbol="BTCUSDT", limit=min(depth, 200))
    assert kept.top("b")[:200] == result["b"] and kept.top("a")[:200] == result["a"]


def test_the_snapshot_comes_before_the_answer_or_after() -> None:
    seen = set()
    for seed in range(12):
        client = Client(seed=seed)
        heard = follow(client, "orderbook.50.BTCUSDT").news()
        assert sorted("topic" in message for message in heard) == [False, True]
        seen.add("topic" in heard[0])
    assert seen == {True, False}


def test_each_depth_has_its_pace_and_the_touch_is_told_again() -> None:
    client = Client(rate_hz=1000)
    sockets = {depth: follow(client, f"orderbook.{depth}.BTCUSDT") for depth in (1, 200, 1000)}
    client.wait(2)
    counts = {depth: len(books(socket.news())) for depth, socket in sockets.items()}
    assert 10 < counts[200] <= 21 and 5 < counts[1000] <= 11 and counts[1] > 10
    quiet = Client()
    socket = follow(quiet, "orderbook.1.BTCUSDT")
    quiet.wait(6.1)
    told = books(socket.news())
    assert len(told) == 3 and len({message["data"]["u"] for message in told}) == 1
    assert {message["type"] for message in told} == {"snapshot"} and len(told[0]["data"]["b"]) == 1


def test_trades_and_tickers() -> None:
    client = Client(rate_hz=140)
    socket = follow(client, "publicTrade.BTCUSDT", "tickers.BTCUSDT")
    client.wait(4)
    heard = socket.news()
    trades = [message for message in heard if message.get("topic") == "publicTrade.BTCUSDT"]
    row = trades[0]["data"][0]
    assert set(row) == {"T", "s", "S", "v", "p", "i", "BT", "RPI", "seq"} and row["S"] in ("Buy", "Sell")
    tickers = [message for message in heard if message.get("topic") == "tickers.BTCUSDT"]
    assert tickers[-1]["data"]["lastPrice"] == trades[-1]["data"][-1]["p"]
    assert (
        client.get("/v5/market/recent-trade", category="spot", symbol="BTCUSDT")["list"][0]["execId"]
        == (trades[-1]["data"][-1]["i"])
    )


def test_one_bad_topic_fails_the_request() -> None:
    client = Client("refuse_symbols=ETH/USDT", rate_hz=140)
    socket = client.dial()
    for topics, words in (
        (["orderbook.50.FOOUSDT"], "Invalid symbol :[orderbook.50.FOOUSDT]"), (["tickers.ETHUSDT"], "Invalid symbol"),
        (["orderbook.50.BTCUSDT", "orderbook.7.BTCUSDT"], "handler not found"), ([], "array"),
        ([f"tickers.X{n}USDT" for n in range(11)], ">10"),
    ):  # fmt: skip
        [answer] = socket.say("subscribe", *topics, req_id="9")
        assert answer["success"] is False and words in answer["ret_msg"] and answer["req_id"] == "9"
    client.wait(1)
    assert socket.news() == []
    assert socket.say("subscribe", "orderbook.50.BTCUSDT")
    assert "already" in socket.say("subscribe", "orderbook.50.BTCUSDT")[-1]["ret_msg"]
    assert socket.say("unsubscribe", "orderbook.50.BTCUSDT")[-1]["success"] is True
    client.wait(1)
    assert socket.news() == []
    assert socket.say("nonsense")[0]["success"] is False
    assert client.venue.refusal(client.now_ns, "/v5/public/linear") is not None


@pytest.mark.parametrize("fault", ["drop_update=7", "snapshot_gap"])
def test_a_lost_update_leaves_a_hole(fault: str) -> None:
    client, kept = Client(fault, rate_hz=140), LocalBook(50)
    socket = follow(client, "orderbook.50.BTCUSDT")
    client.wait(2)
    for message in books(socket.news()):
        kept.apply(message)
    assert kept.gaps


def test_restarts_and_snapshots_in_mid_stream() -> None:
    client, kept = Client("restart@1", rate_hz=140), LocalBook(50)
    socket = follow(client, "orderbook.50.BTCUSDT")
    client.wait(2)
    for message in books(socket.news()):
        kept.apply(message)
    assert (kept.gaps, kept.snapshots) == (0, 2) and 1 < kept.u < 200
    client, kept = Client("resnapshot=5", rate_hz=140), LocalBook(50)
    socket = follow(client, "orderbook.50.BTCUSDT")
    client.wait(2)
    for message in books(socket.news()):
        kept.apply(message)
    assert kept.gaps == 0 and kept.snapshots > 5


def test_silence_of_every_kind() -> None:
    for fault, kinds in (
        ("book_off", {"publicTrade.BTCUSDT"}), ("ack_then_silence", {"publicTrade.BTCUSDT"}), ("mute", set()),
        ("no_ack", set()),
    ):  # fmt: skip
        client = Client(f"{fault}", rate_hz=140)
        socket = follow(client, "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT")
        first = {message.get("topic") for message in socket.news()} - {None}
        assert first == ({"orderbook.50.BTCUSDT"} if fault == "book_off" else set())
        client.wait(3)
        assert {message["topic"] for message in socket.news()} == kinds
    client = Client("no_pong")
    assert client.dial().say("ping") == []
    client = Client("pong_only", rate_hz=140)
    socket = follow(client, "orderbook.50.BTCUSDT")
    client.wait(1)
    assert [message["ret_msg"] for message in socket.say("ping")] == ["pong"]
    client = Client("half_open")
    assert client.dial().say("ping") == []


def test_long_silence_ends_private_sockets() -> None:
    client = Client()
    private, trade, public = client.dial(PRIVATE), client.dial(f"{TRADE}?max_active_time=1m"), client.dial()
    client.now_ns += 61 * 10**9
    client.wait(0.1)
    assert (private.closes, bool(trade.closes), public.closes) == ([], True, [])
    private.say("ping")
    client.now_ns += 599 * 10**9
    client.wait(0.1)
    assert private.closes == []
    client.now_ns += 2 * 10**9
    client.wait(0.1)
    assert private.closes and not public.closes
