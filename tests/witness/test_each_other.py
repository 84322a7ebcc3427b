"""The two witnesses at one account: what one does the other sees, over sockets and over REST."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.witness.clients import ccxt_at, sdk_market, sdk_socket, sdk_trade, sdk_user, started, witness
from tests.witness.hearing import Heard, watching
from tests.witness.venue import simulator

BTC = "BTC/USD"


async def test_what_one_does_the_other_sees() -> None:
    async with simulator() as at, ccxt_at(at) as exchange:
        cx, sdk = Heard(), Heard()
        await exchange.load_markets()
        best = sdk_market(at).get_order_book(pair=BTC, count=1)["XXBTZUSD"]["bids"][0][0]
        price = round(float(best) * 0.9, 1)
        client = sdk_socket(at, sdk)

        def seen(order_id: str) -> list[str]:
            """ccxt's states of an order."""
            return [str(order["info"]["order_status"]) for order in exchange.orders or () if order["id"] == order_id]

        async with watching(cx, orders=exchange.watch_orders, trades=exchange.watch_my_trades), started(client):
            await client.subscribe(params={"channel": "executions"})
            mine = await exchange.create_order_ws(BTC, "limit", "buy", 0.001, price, {"clientOrderId": "of-ccxt"})
            [told] = await sdk.until(lambda: sdk.items("executions", exec_type="pending_new"), "ccxt's order")
            assert (told["order_id"], told["cl_ord_id"], told["limit_price"]) == (mine["id"], "of-ccxt", price)

            user, trade = sdk_user(at), sdk_trade(at)  # from here on ccxt's nonces are too small
            assert user.get_open_orders()["open"][mine["id"]]["cl_ord_id"] == "of-ccxt"
            assert trade.amend_order(txid=mine["id"], order_qty="0.002")["amend_id"]
            await sdk.until(lambda: sdk.items("executions", exec_type="amended"), "the amendment")
            sale = {"ordertype": "limit", "side": "sell", "pair": BTC, "volume": "0.25", "price": price}
            [theirs] = trade.create_order(**sale, cl_ord_id="of-sdk", timeinforce="IOC")["txid"]
            await cx.until(lambda: "filled" in seen(theirs), "the SDK's order is filled")
            fills = [row for row in exchange.myTrades if row["order"] == theirs]
            rows = user.get_trades_history()["trades"]
            assert {row["id"] for row in fills} == set(rows)
            assert sum(Decimal(str(row["info"]["last_qty"])) for row in fills) == Decimal("0.25")
            for row in fills:
                same = rows[row["id"]]
                exact = [Decimal(str(row["info"][name])) for name in ("last_price", "last_qty", "cost")]
                assert exact == [Decimal(same[name]) for name in ("price", "vol", "cost")]
            assert trade.cancel_all_orders() == {"count": 1}
            await cx.until(lambda: "canceled" in seen(mine["id"]), "ccxt's order is canceled")
            assert (await exchange.cancel_all_orders_ws())["result"] == {"count": 0}


async def test_two_clients_cannot_share_a_key_over_rest() -> None:
    """As at Kraken: the SDK counts its nonces in 10 ns, ccxt in ms; the larger locks the smaller out."""
    errors = witness("ccxt", "ccxt.base.errors")
    async with simulator() as at, ccxt_at(at) as exchange:
        assert (await exchange.fetch_balance())["BTC"]["total"] == 10
        assert sdk_user(at).get_account_balance()["XXBT"] == "10.0"
        with pytest.raises(errors.InvalidNonce, match="EAPI:Invalid nonce"):
            await exchange.fetch_balance()
