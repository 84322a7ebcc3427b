"""Public messages as OKX prints them, and the same data over REST (venues.md 4.1, 4.2). Pure. Numbers are texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.sim.exchange.history import History
from runtime.sim.exchange.numbers import dump, millis, short
from runtime.sim.ladder import Level, SimTrade
from runtime.sim.market import SimBook, SimPair
from runtime.sim.okx.books import Update, level_texts, side_text


def book_frame(arg: str, pair: SimPair, action: str, update: Update, checksum: int, now_ns: int) -> str:
    """`books`: `action` snapshot or update; `arg` is the channel's own object as JSON."""
    data = f'"asks":[{side_text(pair, update.asks)}],"bids":[{side_text(pair, update.bids)}],"ts":"{millis(now_ns)}"'
    data += f',"checksum":{checksum},"prevSeqId":{update.before},"seqId":{update.seq}'
    return f'{{"arg":{arg},"action":"{action}","data":[{{{data}}}]}}'


def top_frame(
    arg: str, inst_id: str, pair: SimPair, top: tuple[list[Level], list[Level]], seq: int, now_ns: int
) -> str:
    """`books5` and `bbo-tbt`: whole snapshots of (bids, asks) without an action."""
    data = f'"asks":[{side_text(pair, top[1])}],"bids":[{side_text(pair, top[0])}]'
    data += f',"instId":"{inst_id}","ts":"{millis(now_ns)}","seqId":{seq}'
    return f'{{"arg":{arg},"data":[{{{data}}}]}}'


def depth_row(pair: SimPair, sides: tuple[list[Level], list[Level]], seq: int, now_ns: int) -> dict[str, Any]:
    """/market/books."""
    bids, asks = ([level_texts(pair, level) for level in side] for side in sides)
    return {"asks": asks, "bids": bids, "ts": millis(now_ns), "seqId": seq}


def trade_rows(inst_id: str, pair: SimPair, trades: Iterable[SimTrade], seq: int) -> list[dict[str, Any]]:
    """Trades of one taker at one price are one row: the last one's id, how many they are. The side is the taker's."""
    rows: list[dict[str, Any]] = []
    last: SimTrade | None = None
    lots = 0
    for trade in trades:
        joins = last is not None and (last.price, last.side, last.ts_ns) == (trade.price, trade.side, trade.ts_ns)
        lots = lots + trade.qty if joins else trade.qty
        row = {
            "instId": inst_id, "tradeId": str(trade.trade_id), "px": short(trade.price, pair.price_precision),
            "sz": short(lots, pair.qty_precision), "side": trade.side, "ts": millis(trade.ts_ns),
            "count": str(int(rows[-1]["count"]) + 1) if joins else "1", "source": "0", "seqId": seq,
        }  # fmt: skip
        rows = [*rows[:-1], row] if joins else [*rows, row]
        last = trade
    return rows


def ticker_row(inst_id: str, pair: SimPair, book: SimBook, history: History, now_ns: int) -> dict[str, str]:
    """A ticker."""
    told, px, sz = history.ticker(book.bids, book.asks), pair.price_precision, pair.qty_precision
    last_lots = history.trades[-1].qty if history.trades else 0
    turnover = history.day.turnover
    opened = short(history.day.open, px)
    return {
        "instType": "SPOT", "instId": inst_id, "last": short(told["last"], px), "lastSz": short(last_lots, sz),
        "askPx": short(told["ask"], px), "askSz": short(told["ask_qty"], sz), "bidPx": short(told["bid"], px),
        "bidSz": short(told["bid_qty"], sz), "open24h": opened, "high24h": short(told["high"], px),
        "low24h": short(told["low"], px), "sodUtc0": opened, "sodUtc8": opened,
        "volCcy24h": short(turnover, px + sz), "vol24h": short(told["volume"], sz), "ts": millis(now_ns),
    }  # fmt: skip


def push(arg: str, data: object, **more: object) -> str:
    """A message of a channel."""
    head = "".join(f',"{name}":{dump(value)}' for name, value in more.items())
    return f'{{"arg":{arg}{head},"data":{dump(data)}}}'


def status_row(now_ns: int, end_ns: int, word: str) -> dict[str, str]:
    """A maintenance of trading, as the status channel and /system/status show it."""
    return {
        "begin": millis(now_ns), "end": millis(end_ns) if end_ns else "", "href": "", "maintType": "2",
        "preOpenBegin": "", "scheDesc": "", "serviceType": "5", "state": word, "system": "unified",
        "title": "Trading account maintenance", "env": "1", "ts": millis(now_ns),
    }  # fmt: skip
