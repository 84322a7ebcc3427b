"""Messages of the sockets as Coinbase prints them (venues.md 2.1, 2.2). Pure.

Every message has the same five fields around its events. Its `sequence_num` is put in when it leaves (`numbered`): one
counter counts all messages of a connection, whatever their channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from runtime.sim.exchange.history import History
from runtime.sim.exchange.numbers import dump, fixed, short
from runtime.sim.ladder import Level, SimTrade
from runtime.sim.market import SimBook, SimPair, rfc3339

_PLACE: Final = '"sequence_num":#'
MAKER: Final = {"buy": "SELL", "sell": "BUY"}
"""The taker's side → the maker's, which is what Coinbase prints."""


def message(channel: str, events: Sequence[dict[str, Any]], now_ns: int) -> str:
    """A message that has no number yet."""
    return _around(channel, dump(events)[1:-1], now_ns)


def _around(channel: str, events: str, now_ns: int) -> str:
    at = rfc3339(now_ns)
    return f'{{"channel":"{channel}","client_id":"","timestamp":"{at}",{_PLACE},"events":[{events}]}}'


def numbered(frame: str, number: int) -> str:
    """The message with its number; one that has its number already stays as it is."""
    return frame.replace(_PLACE, f'"sequence_num":{number}', 1)


def is_unnumbered(frame: str) -> bool:
    """Whether it still waits for its number."""
    return _PLACE in frame


def error(text: str) -> str:
    """A refusal: no channel, no number."""
    return dump({"type": "error", "message": text})


def book_message(product: str, pair: SimPair, kind: str, sides: tuple[list[Level], list[Level]], now_ns: int) -> str:
    """`l2_data` of (bids, asks): absolute quantities, zero removes; `kind` snapshot or update."""
    at = rfc3339(now_ns)
    updates = ",".join(
        f'{{"side":"{side}","event_time":"{at}","price_level":"{pair.price_text(price)}",'
        f'"new_quantity":"{pair.qty_text(qty)}"}}'
        for side, levels in (("bid", sides[0]), ("offer", sides[1]))
        for price, qty in levels
    )
    return _around("l2_data", f'{{"type":"{kind}","product_id":"{product}","updates":[{updates}]}}', now_ns)


def trades_message(product: str, pair: SimPair, kind: str, trades: Iterable[SimTrade], now_ns: int) -> str:
    """`market_trades`, the newest first; the side is the maker's."""
    rows = [
        {
            "trade_id": str(trade.trade_id), "product_id": product, "price": pair.price_text(trade.price),
            "size": pair.qty_text(trade.qty), "side": MAKER[trade.side], "time": rfc3339(trade.ts_ns),
        }
        for trade in trades
    ]  # fmt: skip
    return message("market_trades", [{"type": kind, "trades": rows[::-1]}], now_ns)


def ticker_row(product: str, pair: SimPair, book: SimBook, history: History, *, with_best: bool) -> dict[str, str]:
    """A ticker; the batch has no best bid and ask (venues.md 2.2)."""
    told = history.ticker(book.bids, book.asks)
    row = {
        "type": "ticker", "product_id": product, "price": pair.price_text(told["last"]),
        "volume_24_h": pair.qty_text(told["volume"]), "low_24_h": pair.price_text(told["low"]),
        "high_24_h": pair.price_text(told["high"]), "low_52_w": pair.price_text(told["low"]),
        "high_52_w": pair.price_text(told["high"]), "price_percent_chg_24_h": fixed(told["change_bp"], 2),
    }  # fmt: skip
    if with_best:
        row |= {"best_bid": pair.price_text(told["bid"]), "best_bid_quantity": pair.qty_text(told["bid_qty"])}
        row |= {"best_ask": pair.price_text(told["ask"]), "best_ask_quantity": pair.qty_text(told["ask_qty"])}
    return row


def status_row(product: str, pair: SimPair, status: str) -> dict[str, str]:
    """A product as the status channel has it."""
    return {
        "product_type": "SPOT", "id": product, "base_currency": pair.base, "quote_currency": pair.quote,
        "base_increment": fixed(1, pair.qty_precision), "quote_increment": fixed(pair.tick, pair.price_precision),
        "display_name": f"{pair.base}/{pair.quote}", "status": status, "status_message": "",
        "min_market_funds": short(pair.cost_min, pair.cost_precision),
    }  # fmt: skip


def candle_rows(product: str, pair: SimPair, candles: Iterable[Any]) -> list[dict[str, str]]:
    """Five-minute buckets, the newest first."""
    rows = [
        {
            "start": str(candle.begin_ns // 10**9), "high": pair.price_text(candle.high),
            "low": pair.price_text(candle.low), "open": pair.price_text(candle.open),
            "close": pair.price_text(candle.close), "volume": pair.qty_text(candle.volume), "product_id": product,
        }
        for candle in candles
    ]  # fmt: skip
    return rows[::-1]


def heartbeat(counter: int, now_ns: int, *, as_text: bool) -> str:
    """One a second; the counter is an integer in recordings and a text in the documentation."""
    at = rfc3339(now_ns)
    event = {
        "current_time": f"{at[:10]} {at[11:26]}000+00:00",
        "heartbeat_counter": str(counter) if as_text else counter,
    }
    return message("heartbeats", [event], now_ns)
