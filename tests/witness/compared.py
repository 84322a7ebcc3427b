"""What ccxt.pro keeps, and what the simulated venue has, in forms that can be compared."""

from __future__ import annotations

from typing import Any

from runtime.sim.server import ExchangeSimServer
from tests.witness.hearing import Heard

Levels = tuple[Any, ...]


def ten(book: Any) -> Levels:
    """The best ten levels a side of ccxt's as (price, quantity)."""
    return tuple(tuple((level[0], level[1]) for level in book[side][:10]) for side in ("bids", "asks"))


def truth(server: ExchangeSimServer, symbol: str) -> Levels:
    """The same of the venue's."""
    book, pair = server.market.book(symbol), server.venue.pairs[symbol]
    return tuple(
        tuple((float(pair.price_text(price)), float(pair.qty_text(qty))) for price, qty in ladder.top(10))
        for ladder in (book.bids, book.asks)
    )


def states(exchange: Any, order_id: str) -> list[str]:
    """What ccxt was told of an order."""
    return [str(order["status"]) for order in exchange.orders or () if order["id"] == order_id]


def used(heard: Heard) -> Any:
    """What orders hold of USDT, as watch_balance said last."""
    told = [message["result"] for message in heard.messages if message.get("watched") == "balance"]
    return told[-1]["USDT"]["used"] if told else None
