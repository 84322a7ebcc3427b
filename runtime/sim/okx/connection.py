"""One client's socket at the simulated OKX: login, subscriptions, books, text pings (venues.md 4.1, 4.2). Pure.

A channel that is subscribed already is acknowledged again and sends no second snapshot. Without any data or word for
30 s the venue closes with 4004.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.numbers import MS, dump, load
from runtime.sim.exchange.order import Told
from runtime.sim.frames import Close
from runtime.sim.ladder import Level
from runtime.sim.market import NS, MarketEvent
from runtime.sim.okx import private, public
from runtime.sim.okx.access import Denied
from runtime.sim.okx.books import EVERY_NS, Update
from runtime.sim.okx.trading import OPS, Request

if TYPE_CHECKING:
    from runtime.sim.okx.venue import OkxVenue

TOP_NS: Final = {"books5": EVERY_NS, "tickers": EVERY_NS, "bbo-tbt": 10 * MS}
PER_INSTRUMENT: Final = frozenset({"books", "books5", "bbo-tbt", "trades", "tickers"})
PUBLIC: Final = PER_INSTRUMENT | {"instruments", "status"}
PRIVATE: Final = frozenset({"orders", "account", "balance_and_position"})
VIP: Final = frozenset({"books-l2-tbt", "books50-l2-tbt", "fills"})
REQUESTS_AN_HOUR: Final = 480
ARGS_BYTES: Final = 65_536
SOCKETS_A_CHANNEL: Final = 30
TYPES: Final = frozenset({"SPOT", "ANY"})
LOGIN_FAILED: Final = Close(4001, "Login failed.")
IDLE: Final = Close(4004, "No data received in 30s.")
UPGRADE: Final = Close(1001, "service upgrade")
NOTICE: Final = "The connection will soon be closed for a service upgrade. Please reconnect."


class OkxConnection(ExchangeConnection):
    """Made by the venue; `/ws/v5/private` takes orders and the account's channels once somebody has logged in."""

    venue: OkxVenue

    def opened(self, now_ns: int) -> None:
        self.is_private = self.path.startswith("/ws/v5/private")
        self.conn_id = f"{self.rng.getrandbits(32):08x}"
        self.is_logged_in = False
        self.channels: dict[str, str] = {}  # what an argument means → its own JSON, which every message repeats
        self._fed_ns = now_ns
        self._asked: list[int] = []
        self._kept: list[str] = []
        self._fresh: set[str] = set()
        self._tops: dict[tuple[str, str], object] = {}
        self.cash: dict[str, int] = {}  # balances as balance_and_position told them last
        self.at("second", now_ns + NS, self._second)

    def stamp(self, frame: str) -> str:
        """Whatever is told keeps the connection alive."""
        self._fed_ns = self.venue.now_ns
        return frame

    # --- requests ---------------------------------------------------------------------------------------------------

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """Answers one message of the client."""
        if text in {"ping", b"ping"}:
            self.pong_frame("pong", now_ns)
            return
        try:
            asked = load(text)
        except ValueError:
            asked = None
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        args = asked.get("args") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or not isinstance(args, list) or not isinstance(asked.get("id", ""), str):
            self._refuse({}, "60012", f"Illegal request: {shown}", now_ns)
            return
        op = asked.get("op")
        if op in {"subscribe", "unsubscribe", "login"}:
            self._asked = [at_ns for at_ns in self._asked if at_ns > now_ns - 3600 * NS] + [now_ns]
            if self.venue.limits and len(self._asked) > REQUESTS_AN_HOUR:
                self._refuse(asked, "60014", "Requests too frequent", now_ns)
            elif op == "login":
                self._login(asked, now_ns)
            elif len(shown) > ARGS_BYTES:
                self._refuse(asked, "60012", "Illegal request: args are longer than 64 KB", now_ns)
            else:
                for arg in args:
                    self._channel(asked, arg, now_ns, adding=op == "subscribe")
        elif isinstance(op, str) and op in OPS:
            self._order(asked, op, args, now_ns)
        else:
            self._refuse(asked, "60012", f"Illegal request: {shown}", now_ns)

    def _event(self, asked: dict[str, Any], event: str, now_ns: int, **more: Any) -> None:
        echo = {"id": asked["id"]} if "id" in asked else {}
        self.send(dump(echo | {"event": event} | more | {"connId": self.conn_id}), now_ns)

    def _refuse(self, asked: dict[str, Any], code: str, text: str, now_ns: int) -> None:
        self._event(asked, "error", now_ns, code=code, msg=text)

    def _login(self, asked: dict[str, Any], now_ns: int) -> None:
        if self.is_logged_in:
            self._refuse(asked, "60031", "Logged in already: log in with one account a connection", now_ns)
            return
        is_refused = self.fires("login_refused", now_ns, "login") is not None
        try:
            self.venue.access.check_login([] if is_refused else asked["args"], self.venue.clock(now_ns))
        except Denied as denied:
            self._refuse(asked, denied.code, denied.text, now_ns)
            self.end(LOGIN_FAILED)
            return
        self.is_logged_in = True
        self._event(asked, "login", now_ns, code="0", msg="")

    def _order(self, asked: dict[str, Any], op: str, args: list[Any], now_ns: int) -> None:
        if not self.is_private or not self.is_logged_in:
            self._refuse(asked, "60011", "Please log in", now_ns)
            return
        request = Request(self.venue, op, args, asked.get("expTime"))

        def answer(told: dict[str, Any]) -> list[str]:
            at_us = self.venue.clock(self.venue.now_ns) // 1000
            head = {"id": asked["id"]} if "id" in asked else {}
            return [dump(head | {"op": op} | told | {"inTime": str(at_us), "outTime": str(at_us + 900)})]

        self.trade(op, lambda at: answer(request.act(at)), lambda refused: answer(request.refuse(refused)), now_ns)

    # --- subscriptions ----------------------------------------------------------------------------------------------

    def _channel(self, asked: dict[str, Any], arg: Any, now_ns: int, *, adding: bool) -> None:
        channel = arg.get("channel") if isinstance(arg, dict) else None
        if not isinstance(channel, str):
            self._refuse(asked, "60012", "Illegal request: an argument names a channel", now_ns)
            return
        if adding and self.active("no_ack", now_ns):
            return
        refused = self._refusal(channel, arg, now_ns)
        if refused is not None:
            self._refuse(asked, refused[0], refused[1], now_ns)
            return
        key = self._key(channel, arg)
        followers = [one for one in self.venue.connections if isinstance(one, OkxConnection) and key in one.channels]
        if adding and channel in PRIVATE and self not in followers and len(followers) >= SOCKETS_A_CHANNEL:
            self._event(
                asked, "channel-conn-count-error", now_ns, channel=channel, connCount=str(len(followers))
            )  # fmt: skip
            return
        self._event(asked, "subscribe" if adding else "unsubscribe", now_ns, arg=arg)
        if not adding:
            self.channels.pop(key, None)
            self._tops.pop((channel, key.partition(" ")[2]), None)
        elif key not in self.channels:
            self.channels[key] = dump(arg)
            self._begin(channel, key, arg, now_ns)
        if channel in PRIVATE:
            count = len({*followers, self}) if adding else len([one for one in followers if one is not self])
            event = {"event": "channel-conn-count", "channel": channel, "connCount": str(count)}
            self.send(dump(event | {"connId": self.conn_id}), now_ns)

    def _refusal(self, channel: str, arg: dict[str, Any], now_ns: int) -> tuple[str, str] | None:
        if channel in VIP:
            return "64003", f"Your trading fee tier doesn't meet the requirement to access {channel}"
        rest = ",".join(f"{name}:{value}" for name, value in arg.items() if name != "channel")
        wrong = f"Wrong URL or channel:{channel}{',' if rest else ''}{rest} doesn't exist. Please use the correct URL, "
        wrong += "channel and parameters referring to API document."
        served = PRIVATE if self.is_private else PUBLIC
        symbol = self.venue.names.symbol(arg.get("instId"))
        is_bad = channel in PER_INSTRUMENT and (not symbol or self.refuses(symbol, now_ns))
        is_bad |= channel in {"orders", "instruments"} and arg.get("instType") not in TYPES
        is_bad |= channel == "orders" and "instId" in arg and not symbol
        if channel not in served or is_bad:
            return "60018", wrong
        if channel in PRIVATE and not self.is_logged_in:
            return "60011", "Please log in"
        if channel in PRIVATE and "read_only" not in self.venue.access.permissions:
            return "60009", "Login failed."
        return None

    def _key(self, channel: str, arg: dict[str, Any]) -> str:
        if channel in PER_INSTRUMENT:
            return f"{channel} {self.venue.names.symbol(arg['instId'])}"
        return f"{channel} {arg['instId']}" if "instId" in arg else channel

    def _begin(self, channel: str, key: str, arg: dict[str, Any], now_ns: int) -> None:
        """What a channel begins with; orders begin with nothing (venues.md 4.3)."""
        venue, at_ns = self.venue, self.venue.clock(now_ns)
        symbol = venue.names.symbol(arg.get("instId"))
        if channel == "books":
            feed = venue.follow(symbol, now_ns, self)
            self._fresh.add(symbol)
            if not self.is_quiet(now_ns):
                first = Update(*feed.levels(), before=-1, seq=feed.seq)
                frame = public.book_frame(self.channels[key], feed.pair, "snapshot", first, venue.checksum(feed), at_ns)
                self.send(frame, now_ns)
        elif channel in TOP_NS:
            self._top(channel, symbol, now_ns)
        elif channel in {"account", "balance_and_position"}:
            for frame in private.account_frames(self, frozenset(venue.engine.account.balances), now_ns, first=channel):
                self.send(frame, now_ns)

    # --- what the market does -----------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """Trades at once, the channels of tops by their clocks, the book by the venue's (`on_book`)."""
        symbol, venue = event.symbol, self.venue
        arg = self.channels.get(f"trades {symbol}")
        if event.trades and arg is not None:
            seq = venue.feed(symbol, now_ns).seq
            for row in public.trade_rows(venue.names.ids[symbol], venue.pairs[symbol], event.trades, seq):
                self.send(public.push(arg, [row]), now_ns)
        for channel, every_ns in TOP_NS.items():
            key = f"{channel} {symbol}"
            if key in self.channels and not self.is_set(key):
                self.at(key, (now_ns // every_ns + 1) * every_ns, self._later_top(channel, symbol))

    def _later_top(self, channel: str, symbol: str) -> Callable[[int], None]:
        return lambda now_ns: self._top(channel, symbol, now_ns)

    def _top(self, channel: str, symbol: str, now_ns: int) -> None:
        venue, arg = self.venue, self.channels.get(f"{channel} {symbol}")
        if arg is None or self.is_quiet(now_ns) or (channel != "tickers" and self.active("book_off", now_ns)):
            return
        book, at_ns, inst_id = venue.market.book(symbol), venue.clock(now_ns), venue.names.ids[symbol]
        depth = 5 if channel == "books5" else 1
        if channel == "tickers":
            row = public.ticker_row(inst_id, venue.pairs[symbol], book, venue.history[symbol], at_ns)
            self.send(public.push(arg, [row]), now_ns)
        else:
            top = (book.bids.top(depth), book.asks.top(depth))
            if self._tops.get((channel, symbol)) != top:
                self._tops[channel, symbol] = top
                seq = venue.feed(symbol, now_ns).seq
                self.send(public.top_frame(arg, inst_id, venue.pairs[symbol], top, seq, at_ns), now_ns)

    def on_book(self, symbol: str, update: Update, checksum: int, now_ns: int) -> None:
        """The venue has published an update of this book."""
        arg = self.channels.get(f"books {symbol}")
        if arg is None:
            return
        fresh = symbol in self._fresh
        self._fresh.discard(symbol)
        times = self.copies(now_ns, fresh=fresh)
        if not times:
            return
        if self.fires("crossed_book", now_ns):
            ask: Level = self.venue.market.book(symbol).asks.top(5)[-1]
            update = Update([ask, *update.bids], update.asks, update.before, update.seq)
        if self._nth("corrupt_checksum", now_ns):
            checksum ^= 0x5A5A5A5A
        pair = self.venue.pairs[symbol]
        frame = public.book_frame(arg, pair, "update", update, checksum, self.venue.clock(now_ns))
        if times == 1 and self._nth("reorder_update", now_ns):
            self._kept.append(frame)
            return
        for _ in range(times):
            self.send(frame, now_ns)
        while self._kept:
            self.send(self._kept.pop(), now_ns)

    # --- the account and the system -----------------------------------------------------------------------------------

    def told_frames(self, told: Told, now_ns: int) -> list[str]:
        """News of an order, in the words of each subscription that it belongs to."""
        inst_id = self.venue.names.ids[told.order.spec.symbol]
        keys = [key for key in ("orders", f"orders {inst_id}") if key in self.channels]
        return [private.order_frame(self, self.channels[key], told, now_ns) for key in keys]

    def balance_frames(self, assets: frozenset[str], now_ns: int) -> list[str]:
        """Balances that changed."""
        return private.account_frames(self, assets, now_ns)

    def status_frames(self, word: str, now_ns: int) -> list[str]:
        """The status channel says what begins or ends, the instruments channel what can be traded."""
        venue, at_ns, frames = self.venue, self.venue.clock(now_ns), []
        if "status" in self.channels:
            state = "completed" if word == "online" else "ongoing"
            end_ns = at_ns if word == "online" else 0
            frames.append(public.push(self.channels["status"], [public.status_row(at_ns, end_ns, state)]))
        if "instruments" in self.channels:
            rows = [venue.instrument(symbol) for symbol in venue.pairs]
            frames.append(public.push(self.channels["instruments"], rows))
        return frames

    # --- time -------------------------------------------------------------------------------------------------------

    def _second(self, now_ns: int) -> None:
        """What is looked at once a second: silence, and whether an upgrade is near."""
        self.at("second", now_ns + NS, self._second)
        notice = self.fires("notice", now_ns)
        if notice is not None:
            self._event({}, "notice", now_ns, code="64008", msg=NOTICE)
            self.at("upgrade", now_ns + notice.number * NS, lambda _: self.end(UPGRADE))
        idle_ns = self.venue.idle_close_s * NS
        if idle_ns and now_ns - max(self._fed_ns, self.heard_ns) >= idle_ns:
            self.end(IDLE)
