"""What a look asks OKX for. https://www.okx.com/docs-v5/en/#order-book-trading-trade-get-order-list

Open orders, closed orders, single orders, trades, balances; lists come in pages of 100, the newest first.

* The list of closed orders is filtered by when they were made, not by when they ended. The first look of a session
  reads all of its seven days; the ones after it those made since. An order of ours that lives as far as we know and is
  in neither list is asked for by its own id (OKX answers that for markets that trade): one of another session was in
  the first look's lists.
* Canceled orders without any trade are kept for two hours. Of one that is older, neither list nor question knows.
* Trades are kept for three days, in another list for three months.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from connectors.events import OrderStatus
from connectors.exchange.account import Account
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.record import Pages, RecordOrder
from connectors.venues.okx import private
from connectors.venues.okx.executions import Translator
from connectors.venues.okx.markets import Markets
from connectors.venues.okx.names import wire_id

PAGE: Final = 100
SINGLES_MAX: Final = 100  # orders asked for one by one in one look
_MS: Final = 1_000_000
_MARGIN_NS: Final = 2 * 10**9  # of the filter: times are cut to ms, and clocks differ
_DAY_NS: Final = 86_400 * 10**9
_RECENT_NS: Final = 3 * _DAY_NS - _DAY_NS // 8


class Lists:
    """One session's."""

    def __init__(self, account: Account, markets: Markets, translator: Translator) -> None:
        self._account = account
        self._markets = markets
        self._translator = translator
        self._parts: list[Part] = []
        self._singles: list[Known] = []
        self._has_seen_all = False  # a picture of this session holds everything that closed before it

    def parts(self) -> Sequence[Part]:
        self._singles = []
        self._parts = [
            Part("orders-pending", self._ask_open, self._open),
            Part("orders-history", self._ask_closed, self._closed),
            Part("fills", self._ask_fills, self._fills),
            Part("balance", lambda _: ("GET /api/v5/account/balance", ""), self._held),
        ]
        return self._parts

    # --- orders ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _ask_open(pages: Pages) -> tuple[str, str]:
        return "GET /api/v5/trade/orders-pending", _query("instType=SPOT", after=pages.cursor)

    def _open(self, pages: Pages, result: msgspec.Raw) -> bool:
        found = private.decode_orders(result)
        self._keep(pages, map(self._translator.record, found))
        pages.cursor = found[-1].ord_id if found else ""
        return len(found) < PAGE

    def _ask_closed(self, pages: Pages) -> tuple[str, str]:
        since = "" if not self._has_seen_all else f"&begin={_begin(pages)}"
        return "GET /api/v5/trade/orders-history", _query(f"instType=SPOT{since}", after=pages.cursor)

    def _closed(self, pages: Pages, result: msgspec.Raw) -> bool:
        found = private.decode_orders(result)
        self._keep(pages, map(self._translator.record, found))
        pages.cursor = found[-1].ord_id if found else ""
        if len(found) == PAGE:
            return False
        self._singles = self._missing(pages)
        if self._singles:  # the list of questions grows by one
            self._parts.insert(pages.stage + 1, Part("order", self._ask_single, self._single))
        return True

    @staticmethod
    def _keep(pages: Pages, orders: Iterable[RecordOrder]) -> None:
        """An order in both lists closed while they were read."""
        for order in orders:
            (pages.open if order.status is OrderStatus.OPEN else pages.closed)[order.venue_id] = order

    def _missing(self, pages: Pages) -> list[Known]:
        named = {order.name for order in (*pages.open.values(), *pages.closed.values())}
        living = [
            known
            for known in self._account.orders.live()
            if known.name not in named and self._markets.is_online(known.instrument)
        ]
        return living[-SINGLES_MAX:]

    def _ask_single(self, pages: Pages) -> tuple[str, str]:
        del pages
        known = self._singles[-1]
        market = self._markets.inst_id(known.instrument, known.symbol)
        return "GET /api/v5/trade/order", f"instId={market}&clOrdId={wire_id(known.name)}"

    def _single(self, pages: Pages, result: msgspec.Raw) -> bool:
        """Nothing: OKX does not know it (51603)."""
        self._singles.pop()
        self._keep(pages, map(self._translator.record, private.decode_orders(result)))
        return not self._singles

    # --- trades and money ------------------------------------------------------------------------------------------

    def _ask_fills(self, pages: Pages) -> tuple[str, str]:
        is_recent = pages.asked_ns - pages.since_ns < _RECENT_NS
        path = "GET /api/v5/trade/fills" if is_recent else "GET /api/v5/trade/fills-history"
        return path, _query(f"instType=SPOT&begin={_begin(pages)}", after=pages.cursor)

    def _fills(self, pages: Pages, result: msgspec.Raw) -> bool:
        found = private.decode_fills(result)
        for fill in found:
            told = self._translator.fill(fill)
            pages.trades[told.exec_id] = told
        pages.cursor = found[-1].bill_id if found else ""
        return len(found) < PAGE

    def _held(self, pages: Pages, result: msgspec.Raw) -> bool:
        for balances in private.decode_balances(result):
            for held in balances.details:
                pages.totals[held.ccy] = amount_1e8(private.amount(held.cash_bal))
        self._has_seen_all = True
        return True


def _begin(pages: Pages) -> int:
    return max(pages.since_ns - _MARGIN_NS, 0) // _MS


def _query(query: str, after: str) -> str:
    return f"{query}&limit={PAGE}{f'&after={after}' if after else ''}"
