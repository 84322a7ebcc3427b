"""ccxt.pro, unmodified, trades at the simulated Kraken: sockets and REST, money to the last decimal, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.witness.clients import ccxt_at, witness
from tests.witness.hearing import Heard, watching
from tests.witness.venue import simulator

BTC = "BTC/USD"
STEP = Decimal("0.00001")


@asynccontextmanager
async def trading(*words: str) -> AsyncIterator[tuple[Any, Heard]]:
    """A client that watches everything of its account: orders first, as each subscribes but once (venues.md 7.1)."""
    async with simulator(*words) as at, ccxt_at(at) as exchange:
        heard = Heard()
        await exchange.load_markets()
        calls = {
            "orders": exchange.watch_orders, "trades": exchange.watch_my_trades, "balance": exchange.watch_balance,
            "book": lambda: exchange.watch_order_book(BTC, 10),
        }  # fmt: skip
        async with watching(heard, **calls):
            await heard.until(lambda: BTC in exchange.orderbooks and "spot" in exchange.balance, "book and balance")
            yield exchange, heard


async def totals(exchange: Any) -> dict[str, Decimal]:
    """Balances by REST, exact: the texts that it was sent."""
    found = (await exchange.fetch_balance())["info"]["result"]
    return {asset: Decimal(row["balance"]) for asset, row in found.items()}


def below(exchange: Any) -> float:
    """A price that no seller reaches."""
    return round(float(exchange.orderbooks[BTC]["bids"][0][0]) * 0.9, 1)


def states(exchange: Any, order_id: str) -> list[str]:
    """What the executions channel made of an order: ccxt keeps a second one, without symbol, for its deltas."""
    return [str(order["info"]["order_status"]) for order in exchange.orders or () if order["id"] == order_id]


async def test_an_order_lives_is_amended_and_cancelled() -> None:
    async with trading() as (exchange, heard):
        price = below(exchange)
        made = await exchange.create_order_ws(BTC, "limit", "buy", 0.001, price, {"clientOrderId": "cx-1"})
        order_id = made["id"]
        assert made["clientOrderId"] == "cx-1"
        await heard.until(lambda: states(exchange, order_id) == ["pending_new", "new"], "the order is new")
        held = (await exchange.fetch_balance())["USD"]["used"]
        assert held == pytest.approx(price * 0.001 * 1.004, abs=1e-4)

        changed = await exchange.edit_order_ws(order_id, BTC, "limit", "buy", 0.002, price - 10)
        assert changed["id"] == order_id
        assert changed["info"]["amend_id"] != order_id
        [now] = await exchange.fetch_open_orders(BTC)
        assert (now["id"], now["clientOrderId"], now["status"]) == (order_id, "cx-1", "open")
        assert (now["price"], now["amount"], now["filled"]) == (price - 10, 0.002, 0)
        changed = await exchange.edit_order(order_id, BTC, "limit", "buy", 0.003, price)  # and over REST
        [now] = await exchange.fetch_open_orders(BTC)
        assert (now["id"], now["price"], now["amount"]) == (order_id, price, 0.003)

        told = await exchange.cancel_order_ws(order_id)
        assert (told["success"], told["result"]) == (True, {"order_id": order_id})
        await heard.until(lambda: "canceled" in states(exchange, order_id), "the order is canceled")
        assert await exchange.fetch_open_orders(BTC) == []
        [gone] = await exchange.fetch_closed_orders(BTC)
        assert (gone["id"], gone["status"], gone["filled"]) == (order_id, "canceled", 0)
        assert (await exchange.fetch_balance())["USD"]["used"] == 0


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_a_trade_moves_balances_by_its_cost_and_fee(side: str) -> None:
    async with trading("--seed", "9") as (exchange, heard):
        before = await totals(exchange)
        made = await exchange.create_order_ws(BTC, "market", side, 1.5)
        await heard.until(lambda: "filled" in states(exchange, made["id"]), "the order is filled")
        fills = [trade["info"] for trade in exchange.myTrades if trade["order"] == made["id"]]
        lots, cost, fees = Decimal(0), Decimal(0), Decimal(0)
        for fill in fills:
            qty, price = Decimal(str(fill["last_qty"])), Decimal(str(fill["last_price"]))
            [fee] = fill["fees"]
            part = (qty * price).quantize(STEP, "ROUND_DOWN")
            assert Decimal(str(fill["cost"])) == part
            assert Decimal(str(fee["qty"])) == (part * Decimal("0.004")).quantize(STEP, "ROUND_DOWN")
            assert (fill["side"], fill["liquidity_ind"], fee["asset"]) == (side, "t", "USD")
            lots, cost, fees = lots + qty, cost + part, fees + Decimal(str(fee["qty"]))
        assert lots == Decimal("1.5")
        sign = 1 if side == "buy" else -1
        want = before | {"XXBT": before["XXBT"] + sign * lots, "ZUSD": before["ZUSD"] - sign * cost - fees}
        assert await totals(exchange) == want

        by_id = {trade["id"]: trade for trade in await exchange.fetch_my_trades(BTC)}
        assert {fill["exec_id"] for fill in fills} == set(by_id)
        assert sum(Decimal(by_id[key]["info"]["cost"]) for key in by_id) == cost
        assert sum(Decimal(by_id[key]["info"]["fee"]) for key in by_id) == fees
        order = await exchange.fetch_order(made["id"], BTC)
        assert (order["status"], order["filled"], Decimal(order["info"]["cost"])) == ("closed", 1.5, cost)
        assert [row["id"] for row in await exchange.fetch_closed_orders(BTC)] == [made["id"]]

        def same() -> bool:
            """The channel counts in steps of the ledger, both assets of a fill in one message."""
            now = exchange.balance["spot"]
            return all(
                Decimal(str(now[name]["total"])) == want[key] for name, key in (("BTC", "XXBT"), ("USD", "ZUSD"))
            )

        await heard.until(same, "the balances channel says the same")


async def test_what_is_refused_is_refused_in_the_venues_words() -> None:
    errors = witness("ccxt", "ccxt.base.errors")
    async with trading() as (exchange, _):
        price, before = below(exchange), await totals(exchange)
        with pytest.raises(errors.ExchangeError, match="EOrder:Insufficient funds"):
            await exchange.create_order_ws(BTC, "limit", "buy", 100, price)
        with pytest.raises(errors.InsufficientFunds, match="EOrder:Insufficient funds"):
            await exchange.create_order(BTC, "limit", "buy", 100, price)
        with pytest.raises(errors.ExchangeError, match="EOrder:Order minimum not met"):
            await exchange.create_order(BTC, "limit", "buy", 0.00004, price)
        with pytest.raises(errors.ExchangeError, match="EOrder:Unknown order"):
            await exchange.cancel_order_ws("OAAAAA-BBBBB-CCCCCC")
        with pytest.raises(errors.OrderNotFound, match="EOrder:Unknown order"):
            await exchange.cancel_order("OAAAAA-BBBBB-CCCCCC", BTC)
        with pytest.raises(errors.ExchangeError, match="EOrder:Invalid order"):
            await exchange.fetch_order("OAAAAA-BBBBB-CCCCCC", BTC)
        assert await exchange.fetch_open_orders() == []
        assert await totals(exchange) == before
        exchange.secret = exchange.secret[::-1].lstrip("=") + "=="
        with pytest.raises(errors.ExchangeError, match="EAPI:Invalid signature"):
            await exchange.fetch_balance()


async def test_a_post_only_order_never_takes() -> None:
    """One that would is taken in and canceled with that reason (venues.md 1.10: one of the two ways)."""
    async with trading() as (exchange, heard):
        before, through = await totals(exchange), round(below(exchange) * 1.2, 1)
        made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, through, {"postOnly": True})
        await heard.until(lambda: "canceled" in states(exchange, made["id"]), "it is canceled")
        order = await exchange.fetch_order(made["id"], BTC)
        assert (order["status"], order["filled"], order["info"]["reason"]) == ("canceled", 0, "Post only order")
        assert await totals(exchange) == before
        resting = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, below(exchange), {"postOnly": True})
        [still] = await exchange.fetch_open_orders(BTC)
        assert (still["id"], still["postOnly"]) == (resting["id"], True)


async def test_many_are_cancelled_at_once_and_counted() -> None:
    async with trading() as (exchange, heard):
        price = below(exchange)
        for number in range(3):
            await exchange.create_order_ws(BTC, "limit", "buy", 0.001, price - number)
        assert (await exchange.cancel_all_orders_ws())["result"] == {"count": 3}
        assert (await exchange.cancel_all_orders_ws())["result"] == {"count": 0}
        order = {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.001, "price": price}
        pair = await exchange.create_orders([order, order | {"price": price - 1}])
        ids = {row["id"] for row in pair}
        assert ids == {row["id"] for row in await exchange.fetch_open_orders()}
        [told] = await exchange.cancel_orders(sorted(ids))
        assert told["info"]["result"] == {"count": 2}
        for number in range(2):
            await exchange.create_order(BTC, "limit", "sell", 0.001, price * 2 + number)
        [told] = await exchange.cancel_all_orders()
        assert told["info"]["result"] == {"count": 2}

        last = await exchange.create_order_ws(BTC, "limit", "buy", 0.001, price)
        armed = (await exchange.cancel_all_orders_after(1000))["result"]
        assert armed["triggerTime"] > armed["currentTime"]
        await heard.until(lambda: "canceled" in states(exchange, last["id"]), "the dead man's switch has fired")
        assert (await exchange.fetch_order(last["id"], BTC))["info"]["reason"] == "Cancel all orders after"


async def test_rest_counts_and_refuses() -> None:
    """20 calls at once are Pro's; the count runs down by one a second (venues.md 1.12)."""
    errors = witness("ccxt", "ccxt.base.errors")
    async with simulator() as at, ccxt_at(at) as exchange:
        for _ in range(20):
            await exchange.fetch_balance()
        with pytest.raises(errors.DDoSProtection, match="EAPI:Rate limit exceeded"):
            await asyncio.gather(*(exchange.fetch_balance() for _ in range(20)))
