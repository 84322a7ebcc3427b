"""A fixed session with the venue; prints every byte's hash. Run as a program by the determinism test."""

from __future__ import annotations

import hashlib
import sys
from decimal import Decimal

from tests.sim_kraken.trader import Trader

D = Decimal


def digest(seed: int) -> str:
    t = Trader(seed=seed, rate_hz=140)
    told = hashlib.sha256()
    symbols = ["BTC/USD", "ETH/USD"]
    for channel in ("book", "trade", "ticker", "ohlc"):
        t.subscribe(channel, symbol=symbols, snapshot=True)
    t.subscribe("instrument")
    t.subscribe("balances")
    for index in range(30):
        bid, ask = t.touch()
        t.say("add_order", **t.order(limit_price=bid, order_qty=D("0.3"), cl_ord_id=f"b{index}"))
        t.say("add_order", **t.order(side="sell", limit_price=ask, order_qty=D("0.2"), order_userref=index))
        t.wait(0.5)
        if index % 7 == 3:
            t.say("cancel_all")
    for name in ("OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx", "GetApiKeyInfo"):
        told.update(t.request(name, trades=True).body)
    for name in ("Depth", "Trades", "OHLC", "Ticker", "AssetPairs"):
        told.update(repr(t.public(name, pair="XBTUSD")).encode())
    told.update("\n".join(t.raw).encode())
    assert any('"trade"' in text and "liquidity_ind" in text for text in t.raw), "it should have traded"
    return told.hexdigest()


if __name__ == "__main__":
    print(digest(int(sys.argv[1])))
