"""What a look asks Binance for. https://developers.binance.com/docs/binance-spot-api-docs/rest-api/account-endpoints

Open orders of all markets; of each followed market its orders and its trades; what is there. Orders and trades of other
markets cannot be listed without naming them, so nothing of them is in a look but what is open.

Lists of a market are read from their latest thousand, which nearly always reach back far enough; if not, the rest is
asked for in stretches of a day, which is all that one question may span. They go by when an order was made: one of ours
that is neither open nor in what was read, for it is older than that, is asked for by itself.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus
from connectors.exchange.account import Account
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.record import Pages
from connectors.venues.binance import private
from connectors.venues.binance.errors import NO_ORDER
from connectors.venues.binance.form import query
from connectors.venues.binance.names import Names
from connectors.venues.binance.told import Translator

MS: Final = 10**6
EARLIER_MS: Final = 1000  # clocks differ
DAY_MS: Final = 86_400_000
PAGE: Final = 1000
OPEN, ORDERS, TRADES, REST_OF_IT = "open orders", "orders", "trades", "account"


class Lists:
    """The lists of the account, as parts of a look."""

    def __init__(self, names: Names, translator: Translator) -> None:
        self._names = names
        self._translator = translator
        self._account: Account | None = None
        self._asked: set[str] = set()  # orders that this look asked for by themselves

    def of(self, account: Account) -> None:
        """Whose orders are looked for."""
        self._account = account

    def parts(self) -> Sequence[Part]:
        self._asked.clear()
        parts = [Part(OPEN, lambda _: ("GET /api/v3/openOrders", ""), self._open)]
        for name in self._names.all:
            parts.append(Part(ORDERS, partial(_ask, "allOrders", name), self._orders))
            parts.append(Part(TRADES, partial(_ask, "myTrades", name), self._trades))
        return [*parts, Part(REST_OF_IT, self._ask_rest, self._rest)]

    def _open(self, pages: Pages, result: msgspec.Raw) -> bool:
        for order in private.decode_orders(result):
            record = self._translator.record(order)
            pages.open[record.venue_id] = record
        return True

    def _orders(self, pages: Pages, result: msgspec.Raw) -> bool:
        orders = private.decode_orders(result)
        for order in orders:
            if max(order.updated_ms, order.opened_ms) >= _start_ms(pages):
                self._sort(pages, order)
        return _is_whole(pages, [order.opened_ms for order in orders])

    def _sort(self, pages: Pages, order: private.Order) -> None:
        """What is open is told by the list of what is open, which was read before; it may have ended since."""
        record = self._translator.record(order)
        if record.status is not OrderStatus.OPEN:
            pages.closed[record.venue_id] = record
        elif order.name in self._asked:
            pages.open[record.venue_id] = record

    def _trades(self, pages: Pages, result: msgspec.Raw) -> bool:
        trades = private.decode_trades(result)
        for trade in trades:
            if trade.ms >= _start_ms(pages):
                told = self._translator.trade(trade)
                pages.trades[told.exec_id] = told
        return _is_whole(pages, [trade.ms for trade in trades])

    # --- orders by themselves, then what is there --------------------------------------------------------------------

    def _missing(self, pages: Pages) -> Iterator[Known]:
        """Orders of ours that live, as far as was told, and are in no list."""
        named = {record.name for record in (*pages.open.values(), *pages.closed.values())}
        listed = pages.open.keys() | pages.closed.keys()
        if self._account is None:
            return iter(())
        return (
            known
            for known in self._account.orders.live()
            if known.is_ours and known.instrument >= 0 and known.name not in named | self._asked
            and known.venue_id not in listed
        )  # fmt: skip

    def _ask_rest(self, pages: Pages) -> tuple[str, str]:
        known = next(self._missing(pages), None)
        pages.cursor = known.name if known is not None else ""
        if known is None:
            return "GET /api/v3/account", "omitZeroBalances=true"
        symbol = self._names.theirs(known.symbol)
        return "GET /api/v3/order", query((("symbol", symbol), ("origClientOrderId", known.name))).decode()

    def _rest(self, pages: Pages, result: msgspec.Raw) -> bool:
        if not pages.cursor:
            for total in private.decode_account(result).balances:
                pages.totals[total.asset] = amount_1e8(total.free + total.locked)
            return True
        self._asked.add(pages.cursor)
        if private.decode_one(result).code != NO_ORDER:
            order = private.decode_order(result)
            if order.name != pages.cursor:
                raise WireError(f"asked for {pages.cursor}, and told of {order.name:.40}")
            self._sort(pages, order)
        return False


# --- pages ------------------------------------------------------------------------------------------------------------


def _start_ms(pages: Pages) -> int:
    return max(pages.since_ns // MS - EARLIER_MS, 0)


def _ask(path: str, name: str, pages: Pages) -> tuple[str, str]:
    """`cursor`: where the next stretch begins, "" before there are any; `offset`: where the last one ends, in ms."""
    fields: list[tuple[str, str | int]] = [("symbol", name), ("limit", PAGE)]
    if pages.cursor:
        fields += [("startTime", pages.cursor), ("endTime", _end_ms(pages))]
    return f"GET /api/v3/{path}", query(fields).decode()


def _end_ms(pages: Pages) -> int:
    return min(int(pages.cursor) + DAY_MS - 1, pages.offset)


def _is_whole(pages: Pages, times: Sequence[int]) -> bool:
    """Whether the list is read as far back as it is wanted; if not, notes what comes next."""
    start = _start_ms(pages)
    if not pages.cursor:
        if len(times) < PAGE or min(times) < start:
            return True
        pages.cursor, pages.offset = str(start), min(times)
        return False
    if len(times) < PAGE:
        following = _end_ms(pages) + 1
    else:
        following = max(times)
        if following <= int(pages.cursor):
            raise WireError(f"more than {PAGE} entries in one ms")
    pages.cursor = str(following)
    return following > pages.offset
