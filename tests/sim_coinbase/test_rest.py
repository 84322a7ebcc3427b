"""The simulated Coinbase's REST: tokens, rates, products, pages (venues.md 2.1, 2.3 to 2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim_coinbase.client import BASE, HOST, Trader


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_a_request_is_signed_for_itself_alone(kind: str) -> None:
    t = Trader(key_kind=kind, limits=False)
    assert t.ask("GET", "accounts", query="limit=1")[0] == 200, "the uri has no query"

    def told(uri: str) -> int:
        changes: dict[str, Any] = {"uri": uri} if kind == "ES256" else {"uris": [uri]}
        return t.ask("GET", "accounts", **changes)[0]

    for uri in (f"GET {HOST}{BASE}products", f"POST {HOST}{BASE}accounts", f"GET evil.example{BASE}accounts", ""):
        assert told(uri) == 401
    assert told(f"GET api.coinbase.com{BASE}accounts") == 200
    now_s = t.now_ns // 10**9
    for times in ((now_s - 200, now_s - 80), (now_s, now_s + 121), (now_s + 60, now_s + 100)):
        assert t.ask("GET", "accounts", nbf=times[0], exp=times[1]) == (401, "Unauthorized\n")
    bare = t.venue.rest("GET", f"{BASE}accounts", {"host": HOST}, b"", t.now_ns)
    assert (bare.status, bare.body) == (401, b"Unauthorized\n")


def test_one_keys_token_is_not_anothers() -> None:
    one, two = Trader(seed=1), Trader(seed=2)
    one.venue.access.key = two.venue.access.key
    assert one.ask("GET", "accounts")[0] == 200
    one.venue.access.secret = two.venue.access.secret  # signs with it; the venue knows the first
    assert one.ask("GET", "accounts")[0] == 401


def test_what_a_key_may_not_do() -> None:
    t = Trader(permissions=("view",))
    assert t.get("key_permissions") | {"portfolio_uuid": ""} == {
        "can_view": True, "can_trade": False, "can_transfer": False, "portfolio_uuid": "", "portfolio_type": "DEFAULT",
    }  # fmt: skip
    assert t.ask("POST", "orders", t.order())[0] == 403


def test_too_many_requests_are_429() -> None:
    t = Trader()
    answers = [t.ask("GET", "accounts") for _ in range(31)]
    assert [status for status, _ in answers] == [200] * 30 + [429]
    assert answers[-1][1]["errors"][0]["id"] == "rate_limit_exceeded"
    assert [t.public(f"{BASE}market/products")[0] for _ in range(11)] == [200] * 10 + [429]
    t.wait(1)
    assert t.ask("GET", "accounts")[0] == 200


def test_products_say_their_steps() -> None:
    t = Trader()
    _, told = t.public(f"{BASE}market/products/BTC-USD")
    wanted = {
        "product_id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01", "price_increment": "0.01",
        "quote_min_size": "1", "status": "online", "trading_disabled": False, "cancel_only": False,
        "base_currency_id": "BTC", "quote_currency_id": "USD", "product_type": "SPOT",
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted
    assert t.get("products/BTC-USD") == told
    status, error = t.public(f"{BASE}market/products/XYZ-USD")
    assert (status, error["error"]) == (404, "NOT_FOUND")
    t.venue.set_status("cancel_only", t.now_ns)
    assert t.public(f"{BASE}market/products/BTC-USD")[1]["cancel_only"] is True
    assert t.public(f"{BASE}market/products?product_type=FUTURE")[1]["products"] == []
    _, clock = t.public(f"{BASE}time")
    assert (clock["epochSeconds"], clock["epochMillis"]) == (str(t.now_ns // 10**9), str(t.now_ns // 10**6))


def test_rest_and_socket_show_one_book() -> None:
    t = Trader(path="/market")
    _, first = t.subscribe("level2", "BTC-USD")
    told = t.public(f"{BASE}market/product_book?product_id=BTC-USD")[1]["pricebook"]
    rows = [("bid", row) for row in told["bids"]] + [("offer", row) for row in told["asks"]]
    assert [(side, row["price"], row["size"]) for side, row in rows] == [
        (change["side"], change["price_level"], change["new_quantity"]) for change in first["events"][0]["updates"]
    ]
    assert len(t.public(f"{BASE}market/product_book?product_id=BTC-USD&limit=3")[1]["pricebook"]["asks"]) == 3


def everything(t: Trader, name: str, rows: str, **query: Any) -> list[list[Any]]:
    """Page by page to the end."""
    pages, cursor = [], ""
    while True:
        told = t.get(name, **query, **({"cursor": cursor} if cursor else {}))
        pages.append(told[rows])
        cursor = told["cursor"]
        assert told.get("has_next", bool(cursor)) == bool(cursor)
        if not cursor:
            return pages


def test_lists_are_paged_by_cursor_and_narrowed() -> None:
    t = Trader(limits=False)
    ids = [t.place(limit_price=str(60000 - number)) for number in range(7)]
    eth = t.place(product_id="ETH-USD", limit_price="1500", base_size="0.1")
    pages = everything(t, "orders/historical/batch", "orders", limit=3)
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [row["order_id"] for page in pages for row in page] == [eth, *ids[::-1]]
    t.cancel(ids[0])
    t.fill(ids[1], "0.01")

    def listed(**query: Any) -> list[str]:
        return [row["order_id"] for row in t.get("orders/historical/batch", **query)["orders"]]

    assert listed(order_status="OPEN") == [eth, *ids[:1:-1]]
    assert listed(order_status=["FILLED", "CANCELLED"]) == [ids[1], ids[0]]
    assert listed(product_ids="ETH-USD") == [eth]
    assert listed(order_ids=[ids[3], ids[4]]) == [ids[4], ids[3]]
    assert listed(start_date="2030-01-01T00:00:00Z") == []
    assert t.ask("GET", "orders/historical/batch", query="cursor=nonsense")[0] == 400
    for order_id in ids[2:5]:
        t.fill(order_id, "0.01")
    pages = everything(t, "orders/historical/fills", "fills", limit=2)
    assert [row["order_id"] for page in pages for row in page] == [ids[4], ids[3], ids[2], ids[1]]
    assert [row["order_id"] for row in t.get("orders/historical/fills", order_ids=[ids[3]])["fills"]] == [ids[3]]
    assert [len(page) for page in everything(t, "accounts", "accounts", limit=3)] == [3, 1]
    row = t.get(f"orders/historical/{ids[1]}")["order"]
    assert (row["status"], row["filled_size"], row["average_filled_price"]) == ("FILLED", "0.01", "59999")
    assert t.ask("GET", "orders/historical/nobody")[0] == 404
