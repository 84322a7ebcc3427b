"""What can go wrong at the simulated Kraken, as data: a table of names. Pure. How one is written: `exchange/faults.py`.

ack_lost,on=add_order,nth=2     the answer to the second add_order is never sent
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.sim.exchange import faults
from runtime.sim.exchange.faults import Fault, Kind, check_system

__all__ = ["FAULTS", "REQUESTS", "WORDS", "Fault", "Faults", "Kind", "check_system"]

FAULTS: Final[dict[str, Kind]] = {
    # --- books ------------------------------------------------------------------------------------------------------
    "drop_update": Kind("leaves out each VALUE-th book update of a connection", 100),
    "drop_deep_update": Kind("leaves out each VALUE-th book update of what lies below level ten alone", 10),
    "corrupt_checksum": Kind("a wrong checksum in each VALUE-th book update", 10),
    "duplicate_update": Kind("sends each VALUE-th book update twice", 10),
    "scrambled_levels": Kind("levels of a book update in any order, a price twice, the last entry winning"),
    "snapshot_gap": Kind("leaves out the first update after each book snapshot"),
    "crossed_book": Kind("once: a bid at the fifth ask, checksum right; subscribing afresh heals", None, 1, each=True),
    "precision_change": Kind("once, for all: each pair gets a price decimal more, told by instrument", None, 1),
    "book_off": Kind("no book updates any more, everything else goes on"),
    "ack_then_silence": Kind("a book is acknowledged, then neither snapshot nor update"),
    # --- subscriptions and the link ---------------------------------------------------------------------------------
    "refuse_symbols": Kind("subscriptions of these symbols (a/b;c/d) are refused", ""),
    "no_ack": Kind("book, trade and private subscriptions are swallowed: no ack, no data"),
    "heartbeat_off": Kind("no heartbeats"),
    "no_pong": Kind("pings are not answered, everything else goes on"),
    "pong_only": Kind("nothing but pongs: a venue that is mute with pongs"),
    "mute": Kind("nothing at all is sent, the socket stays open and answers the protocol's own pings"),
    "half_open": Kind("nothing is sent, nothing is read, the protocol's own pings neither: the peer is gone"),
    "garbage_frame": Kind("once: a text frame that is not JSON", None, 1, each=True),
    "close": Kind("closes with 1001 and Cloudflare's reason", None, 1, each=True),
    "reset": Kind("once: the socket is gone without a close", None, 1, each=True),
    "half_frame": Kind("once: half a frame is written, then the socket is gone", None, 1, each=True),
    "connect_refused": Kind("new WebSocket connections are refused with HTTP 429", None),
    "status": Kind("the system is online, maintenance, cancel_only, post_only or limit_only", "maintenance"),
    "clock_skew": Kind("the venue's clock is VALUE ms off (may be negative) in all that it prints", 2000),
    # --- private: the answers -----------------------------------------------------------------------------------------
    "ack_lost": Kind("a trading request is carried out, its answer never sent", None, 1),
    "ack_late": Kind("the answer to a trading request comes VALUE ms late, executions in time", 500),
    "response_lost": Kind("a trading request is carried out, then the socket is gone before its answer", None, 1),
    "executions_first": Kind("executions of a request come before its answer"),
    "engine_late": Kind("a trading request reaches the engine VALUE ms late", 1000),
    "rate_limit": Kind("requests that add or change orders are answered EOrder:Rate limit exceeded", None, 1),
    "refuse": Kind("trading requests get the error VALUE and are not carried out", "EGeneral:Internal error", 1),
    "busy_live": Kind("trading requests are carried out, yet answered EService:Busy", None, 1),
    "token_expired": Kind("tokens are answered ESession:Invalid session; with on=subscribe only there", None, 1),
    # --- private: what happens to orders --------------------------------------------------------------------------
    "fill_before_ack": Kind("VALUE % of an order that rests are filled before its answer", 100, 1),
    "fill_after_cancel_ack": Kind("a cancel is answered, then VALUE % are filled before it is canceled", 100, 1),
    "cancel_reject_after_fill": Kind("an order is filled as its cancel arrives, which is refused", None, 1),
    "partial_then_cancel": Kind("VALUE % of an order are filled as its cancel arrives, the rest is canceled", 50, 1),
    # --- private: what the executions channel tells -------------------------------------------------------------------
    "duplicate_fill": Kind("a trade is told twice, with the same exec_id", None, 1),
    "reordered_fill": Kind("a trade is told after the execution that follows it, sequences swapped too", None, 1),
    "dropped_fill": Kind("a trade is not told and the sequence has no hole", None, 1),
    "sequence_gap": Kind("an execution is lost on the way: the sequence has a hole", None, 1),
    "executions_late": Kind("executions and balances come VALUE ms late", 1000),
    "executions_off": Kind("executions are not told any more, the sequence stands still"),
    "exponents": Kind("numbers of executions and balances below 0.0001 are written with exponents"),
    # --- REST ---------------------------------------------------------------------------------------------------------
    "delayed_visibility": Kind("orders and trades are seen over REST VALUE seconds late", 5),
    "gateway_error": Kind("HTTP VALUE with a page of HTML, nothing was done", 502, 1),
    "gateway_error_live": Kind("HTTP VALUE with a page of HTML, though the request was carried out", 520, 1),
    "rest_lost": Kind("a request is carried out, then the connection is cut without an answer", None, 1),
    "rest_late": Kind("answers come VALUE ms late", 1000),
    "http_429": Kind("HTTP 429, nothing was done", None, 1),
    "rest_rate_limit": Kind("EAPI:Rate limit exceeded", None, 1),
    "nonce_error": Kind("EAPI:Invalid nonce", None, 1),
    "throttled": Kind("EService: Throttled until VALUE seconds from now", 5, 1),
    "ban": Kind("EGeneral:Temporary lockout for every private request, new WebSocket connections are refused"),
}  # fmt: skip

WORDS: Final[Mapping[str, str]] = {
    "add_order": "new", "batch_add": "new", "amend_order": "amend", "edit_order": "amend", "cancel_order": "cancel",
    "batch_cancel": "cancel", "cancel_all": "cancel_all",
}  # fmt: skip
"""What a method is at every venue."""
REQUESTS: Final = frozenset(
    {"add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "batch_add", "batch_cancel",
     "cancel_all_orders_after", "subscribe", "unsubscribe", "ping", "OpenOrders", "ClosedOrders", "QueryOrders",
     "TradesHistory", "QueryTrades", "OrderAmends", "Balance", "BalanceEx", "TradeBalance", "GetWebSocketsToken",
     "GetApiKeyInfo", "Time", "SystemStatus", "Assets", "AssetPairs", "Depth", "Ticker", "Trades", "OHLC"}
)  # fmt: skip
"""What a fault may be limited to with `on`: of REST too, orders go by the socket's names."""


class Faults(faults.Faults):
    """Those that are switched on; several of one name may be, on different requests."""

    def __init__(self, *texts: str) -> None:
        super().__init__(*texts, table=FAULTS, words=WORDS, requests=REQUESTS)
