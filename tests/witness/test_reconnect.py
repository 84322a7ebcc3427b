"""Both clients, unmodified, after the simulated Kraken closed their sockets (fault `close`): back by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.witness.clients import ccxt_at, sdk_market, sdk_socket, started, witness
from tests.witness.hearing import Heard, Message, watching
from tests.witness.venue import simulator

BTC = "BTC/USD"


@pytest.mark.slow
async def test_the_sdk_subscribes_from_the_acks_again() -> None:
    """It sends back what the acks held, so every field of an ack has to be taken as a parameter (venues.md 7.1)."""
    async with simulator("--fault", "close,connections=2@2") as at:
        heard = Heard()
        client = sdk_socket(at, heard, with_public=True)
        price = float(sdk_market(at).get_order_book(pair=BTC, count=1)["XXBTZUSD"]["bids"][0][0])
        async with started(client):
            for channel in ("book", "ticker", "trade", "ohlc"):
                await client.subscribe(params={"channel": channel, "symbol": [BTC]})
            await client.subscribe(params={"channel": "executions", "snap_trades": True, "ratecounter": True})
            await client.subscribe(params={"channel": "balances"})
            order = {"order_type": "limit", "side": "buy", "order_qty": 0.001, "limit_price": round(price * 0.9, 1)}
            await client.send_message({"method": "add_order", "req_id": 1, "params": order | {"symbol": BTC}})
            order_id = (await heard.answer(1))["result"]["order_id"]
            before = acks(heard)
            assert sorted(before) == ["balances", "book", "executions", "ohlc", "ticker", "trade"]
            await heard.until(lambda: len(acks(heard)) == 12, "all six again", within=25)
            assert sorted(acks(heard)[6:]) == sorted(before)
            refused = [message for message in heard.messages if message.get("success") is False]
            assert refused == []
            [again] = await heard.until(lambda: snapshots_with(heard, order_id), "the order in a snapshot")
            assert (again["exec_type"], again["limit_price"]) == ("new", order["limit_price"])
        ids = {frame["data"][0]["connection_id"] for frame in heard.frames("status")}
        assert len(ids) == 4
        assert min(ids) > 2**53


def snapshots_with(heard: Heard, order_id: str) -> list[Message]:
    frames = [frame for frame in heard.frames("executions") if frame["type"] == "snapshot"]
    return [item for frame in frames for item in frame["data"] if item["order_id"] == order_id]


def acks(heard: Heard) -> list[str]:
    return [m["result"]["channel"] for m in heard.messages if m.get("method") == "subscribe" and m["success"]]


async def test_ccxt_raises_and_a_new_call_comes_back() -> None:
    """Its watch calls end with a NetworkError; the next dials again and gets snapshots of book and orders.

    The order goes over REST and both are watched from the start: a socket that closed while nobody watched would be
    dialled again in silence.
    """
    errors = witness("ccxt", "ccxt.base.errors")
    async with simulator("--fault", "close,connections=2@1") as at, ccxt_at(at) as exchange:
        price = round(float((await exchange.fetch_order_book(BTC, 10))["bids"][0][0]) * 0.9, 1)
        order = await exchange.create_order(BTC, "limit", "buy", 0.001, price)
        calls = {"book": lambda: exchange.watch_order_book(BTC, 10), "orders": exchange.watch_orders}
        ends = await asyncio.gather(*map(until_it_breaks, calls.values()), return_exceptions=True)
        assert [isinstance(end, errors.NetworkError) for end in ends] == [True, True], ends
        heard = Heard()
        async with watching(heard, **calls):
            await heard.until(lambda: {m["watched"] for m in heard.messages} == set(calls), "both are back")
        [back] = [message["result"] for message in heard.messages if message["watched"] == "orders"]
        assert [(row["id"], row["symbol"], row["info"]["order_status"]) for row in back] == [(order["id"], BTC, "new")]


async def until_it_breaks(call: Any) -> None:
    async with asyncio.timeout(15):
        while True:
            await call()
