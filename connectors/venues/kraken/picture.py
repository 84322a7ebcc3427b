"""One look at the account over REST, put together into one `Picture`. https://docs.kraken.com/api/docs/rest-api/get-open-orders

Open orders, closed orders and trades since a time (pages of 50, the newest first), balances: one request after the
other, each only when the key's counter can pay for it. A page that shifts while it is turned shows entries twice, which
changes nothing; where a list ends with fewer entries than it had at first, it is read again from its beginning.

Every `look` ends in a Picture that was asked for at or after it. One at a time: who asks while one is under way gets
another after it, from the earlier of the times. A request that fails ends the look with one Notice, and it begins
again by itself after 5, 10 … 120 s; nobody has to ask twice.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Movement, Notice, OrderStatus, Picture, RejectCode, VenueOrder, VenueTrade
from connectors.orders import OrderType
from connectors.session import Output, WakeAt
from connectors.venues.kraken import private
from connectors.venues.kraken.account import VENUE, Account
from connectors.venues.kraken.amounts import amount_1e8, fee_1e9, near_price_1e9, price_1e9, seconds_ns, size_1e8
from connectors.venues.kraken.errors import Next, classify
from connectors.venues.kraken.known import Known
from connectors.venues.kraken.names import asset
from connectors.venues.kraken.requests import Requests
from connectors.venues.kraken.rest import Question, Reply, Rest, cost

SECOND: Final = 10**9
ANSWER_NS: Final = 30 * SECOND
RETRY_FIRST_NS: Final = 5 * SECOND
RETRY_MAX_NS: Final = 120 * SECOND
PAGES_MAX: Final = 400  # 20,000 entries: a look that needs more asks from too early
OTHER_TYPE: Final = -1  # an order of a type that no guest knows
_SIDES: Final = {"buy": 1, "sell": -1}
_STATUS: Final = {"open": OrderStatus.OPEN, "pending": OrderStatus.OPEN, "closed": OrderStatus.FILLED,
                  "canceled": OrderStatus.CANCELED, "expired": OrderStatus.EXPIRED}  # fmt: skip
_IN_FORCE: Final = {"IOC": OrderType.IOC, "FOK": OrderType.FOK}
METHODS: Final = ("OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx")


class _Pages:
    """What one look has read so far."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.asked_ns = -1
        self.stage = 0
        self.offset = 0
        self.turned = 0
        self.promised = 0  # how many entries a list had when its first page was read
        self.open: dict[str, private.RestOrder] = {}
        self.closed: dict[str, private.RestOrder] = {}
        self.trades: dict[str, private.RestTrade] = {}
        self.balances: dict[str, private.Held] = {}


class Look:
    """Asks, reads, and says what was seen."""

    def __init__(self, account: Account, rest: Rest, requests: Requests) -> None:
        self._account = account
        self._rest = rest
        self._requests = requests
        self._wanted_ns: int | None = None  # since when, of the look after this one
        self._now: _Pages | None = None
        self._question: Question | None = None
        self._not_before_ns = 0
        self._failures = 0
        self._readers: tuple[Callable[[_Pages, msgspec.Raw], bool], ...] = (
            self._read_open, self._read_closed, self._read_trades, self._read_balances,
        )  # fmt: skip

    def want(self, since_ns: int) -> None:
        """A picture is wanted of everything since then; `tick` begins it."""
        self._wanted_ns = since_ns if self._wanted_ns is None else min(self._wanted_ns, since_ns)

    def tick(self, now_ns: int) -> list[Output]:
        """Begins what is wanted, asks what can be paid, gives up what has no answer."""
        if self._account.halted:
            return []
        if self._question is not None:
            if now_ns - self._question.sent_ns < ANSWER_NS:
                return []
            self._rest.forget(self._question)
            return self._failed(f"no answer to {self._question.method}", now_ns)
        if self._now is None:
            if self._wanted_ns is None:
                return []
            if now_ns < self._not_before_ns:
                return [WakeAt(self._not_before_ns)]
            self._now, self._wanted_ns = _Pages(self._wanted_ns), None
        return self._ask(self._now, now_ns)

    def _ask(self, pages: _Pages, now_ns: int) -> list[Output]:
        method = METHODS[pages.stage]
        wait_ns = self._account.rest.wait_ns(cost(method), now_ns)
        if wait_ns:
            return [WakeAt(now_ns + wait_ns)]
        if pages.asked_ns < 0:
            pages.asked_ns = now_ns
        start = max(pages.since_ns // SECOND - 1, 0)  # exclusive, and whole seconds
        form = {
            "ClosedOrders": f"start={start}&closetime=close&ofs={pages.offset}",
            "TradesHistory": f"start={start}&consolidate_taker=false&ofs={pages.offset}",
        }.get(method, "")
        self._question, send = self._rest.ask(method, form, now_ns)
        return [send]

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        """One answer; the last one makes the picture. An answer to a question long given up is none."""
        pages = self._now
        if question is not self._question or pages is None:
            return []
        self._question = None
        if reply.error:
            return self._refused(f"{question.method}: {reply.error}", reply, now_ns)
        try:
            is_whole = self._readers[pages.stage](pages, reply.result)
            pages.turned += 1
            if pages.turned > PAGES_MAX:
                return self._failed(f"more than {PAGES_MAX} pages", now_ns)
            if is_whole:
                pages.stage, pages.offset = pages.stage + 1, 0
            if pages.stage < len(METHODS):
                return self.tick(now_ns)
            out = self._picture(pages, now_ns)
        except (msgspec.MsgspecError, WireError, ValueError, RecursionError) as error:
            return self._failed(f"{question.method}: {error}", now_ns)
        self._now, self._failures, self._not_before_ns = None, 0, 0
        return out + self.tick(now_ns)

    def _refused(self, why: str, reply: Reply, now_ns: int) -> list[Output]:
        verdict = classify(reply.error)
        if not reply.is_silent and verdict.next is Next.HALT:
            self._now = None
            return self._account.halt(reply.error, why)
        if verdict.code is RejectCode.RATE_LIMIT:
            self._account.rest.overrun(now_ns)
        return self._failed(why, now_ns)

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        """The whole look fails: a picture of parts is none."""
        self._question = None
        if self._now is not None:
            self.want(self._now.since_ns)
            self._now = None
        wait_ns = min(RETRY_FIRST_NS << self._failures, RETRY_MAX_NS)
        self._failures = min(self._failures + 1, 8)
        self._not_before_ns = now_ns + wait_ns
        text = f"kraken: a look at the account failed, {why}; again in {wait_ns // SECOND} s"
        return [Notice("warning", text), WakeAt(self._not_before_ns)]

    # --- the four questions: whether the list is read whole ----------------------------------------------------------

    @staticmethod
    def _read_open(pages: _Pages, result: msgspec.Raw) -> bool:
        pages.open = private.decode_open(result).open
        return True

    @staticmethod
    def _read_closed(pages: _Pages, result: msgspec.Raw) -> bool:
        page = private.decode_closed(result)
        pages.closed.update(page.closed)
        return _turned(pages, len(page.closed), len(pages.closed), page.count)

    @staticmethod
    def _read_trades(pages: _Pages, result: msgspec.Raw) -> bool:
        page = private.decode_trades(result)
        pages.trades.update(page.trades)
        return _turned(pages, len(page.trades), len(pages.trades), page.count)

    @staticmethod
    def _read_balances(pages: _Pages, result: msgspec.Raw) -> bool:
        pages.balances = private.decode_held(result)
        return True

    # --- the picture -------------------------------------------------------------------------------------------------

    def _picture(self, pages: _Pages, now_ns: int) -> list[Output]:
        """An order in both lists closed between the two questions."""
        still = {venue_id: order for venue_id, order in pages.open.items() if venue_id not in pages.closed}
        told_open = tuple(self._order(venue_id, order) for venue_id, order in still.items())
        told_closed = tuple(self._order(venue_id, order) for venue_id, order in pages.closed.items())
        seen = [(self._remember(venue_id, order), False) for venue_id, order in still.items()]
        seen += [(self._remember(venue_id, order), True) for venue_id, order in pages.closed.items()]
        trades: list[VenueTrade] = []
        money: list[tuple[str, list[Output]]] = []
        for exec_id, trade in sorted(pages.trades.items(), key=lambda one: (seconds_ns(one[1].time), one[0])):
            symbol = self._account.names.symbol(trade.pair)
            known = self._account.orders.find(trade.ordertxid)
            is_ours = known is not None and known.is_ours
            money.append((exec_id, _movements(exec_id, trade, symbol, known.name if known and is_ours else "")))
            if known is not None and is_ours:
                trades.append(_trade(exec_id, trade, known.name, known.instrument))
        totals: dict[str, int] = {}
        for code, held in pages.balances.items():
            totals[asset(code)] = totals.get(asset(code), 0) + amount_1e8(held.balance)
        picture = Picture(
            venue=VENUE, asked_ns=pages.asked_ns, since_ns=pages.since_ns,
            open=told_open, closed=told_closed,
            trades=tuple(trades), balances=tuple(sorted(totals.items())),
        )  # fmt: skip
        out = [one for exec_id, moved in money if moved and self._account.is_new_money(exec_id) for one in moved]
        for known, is_over in seen:
            out += self._requests.seen(known, now_ns, is_over=is_over) if known.is_ours else []
        return [*out, picture]

    def _remember(self, venue_id: str, order: private.RestOrder) -> Known:
        """So that executions of it have a name from now on."""
        symbol = self._account.names.symbol(order.descr.pair)
        index = self._account.names.index(symbol)
        known = self._account.orders.heard(venue_id, order.cl_ord_id or "", index, symbol or order.descr.pair)
        if index >= 0:
            if known.qty_1e8 == 0:
                known.qty_1e8, known.side = size_1e8(order.vol), _SIDES[order.descr.type]
                known.px_1e9 = price_1e9(order.descr.price)
            known.cum_1e8 = max(known.cum_1e8, size_1e8(order.vol_exec))
        return known

    def _order(self, venue_id: str, order: private.RestOrder) -> VenueOrder:
        """Raises WireError for a status that Kraken does not document."""
        symbol = self._account.names.symbol(order.descr.pair)
        index = self._account.names.index(symbol)
        status = _STATUS.get(order.status)
        if status is None:
            raise WireError(f"order {venue_id} has status {order.status!r:.40}")
        is_followed = index >= 0
        qty, cum = (
            (size_1e8(order.vol), size_1e8(order.vol_exec))
            if is_followed
            else (amount_1e8(order.vol), amount_1e8(order.vol_exec))
        )
        if status is OrderStatus.FILLED and cum < qty:
            status = OrderStatus.CANCELED  # what is left of it will not trade
        return VenueOrder(
            client_order_id=order.cl_ord_id or "", venue_order_id=venue_id, instrument=index,
            symbol=symbol or order.descr.pair, side=_SIDES[order.descr.type], order_type=_order_type(order),
            px_1e9=price_1e9(order.descr.price) if is_followed else near_price_1e9(order.descr.price), qty_1e8=qty,
            cum_qty_1e8=cum, status=status, reason=order.reason or "", opened_ns=seconds_ns(order.opentm),
        )  # fmt: skip


def _turned(pages: _Pages, here: int, read: int, count: int) -> bool:
    """Whether the list is read to its end, with everything that was in it when its first page was.

    New entries come in at its front and push the others to later pages, where they are read twice. Where some are
    missing at its end, it is read from the beginning once more.
    """
    if pages.offset == 0:
        pages.promised = count
    pages.offset += here
    if here and pages.offset < count:
        return False
    pages.offset = 0
    return read >= pages.promised


def _order_type(order: private.RestOrder) -> int:
    kind = order.descr.ordertype
    if kind == "market":
        return OrderType.MARKET
    if kind != "limit":
        return OTHER_TYPE
    if "post" in order.oflags.split(","):
        return OrderType.POST_ONLY
    return _IN_FORCE.get(order.timeinforce.upper(), OrderType.LIMIT)


def _trade(exec_id: str, trade: private.RestTrade, name: str, index: int) -> VenueTrade:
    is_followed = index >= 0
    return VenueTrade(
        exec_id=exec_id, venue_order_id=trade.ordertxid, client_order_id=name, instrument=index,
        side=_SIDES[trade.type], qty_1e8=size_1e8(trade.vol) if is_followed else amount_1e8(trade.vol),
        px_1e9=price_1e9(trade.price) if is_followed else near_price_1e9(trade.price), fee_1e9=fee_1e9(trade.fee),
        ts_venue_ns=seconds_ns(trade.time),
    )  # fmt: skip


def _movements(exec_id: str, trade: private.RestTrade, symbol: str, name: str) -> list[Output]:
    """At a market that is not followed the currencies have no certain name here: the socket tells those."""
    if not symbol:
        return []
    base, _, quote = symbol.partition("/")
    is_buy = trade.type == "buy"
    legs = [
        (base, "base", amount_1e8(trade.vol if is_buy else trade.vol.copy_negate())),
        (quote, "quote", amount_1e8(trade.cost.copy_negate() if is_buy else trade.cost)),
    ]
    if trade.fee:
        legs.append((quote, "fee", amount_1e8(trade.fee.copy_negate())))
    ts_ns = seconds_ns(trade.time)
    return [Movement(VENUE, exec_id, currency, kind, amount, name, ts_ns) for currency, kind, amount in legs]
