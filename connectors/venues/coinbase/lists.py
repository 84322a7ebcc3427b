"""What a look asks Coinbase for.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/list-orders, …/list-fills, …/accounts.

* Open orders by each of the five states that live: OPEN does not include PENDING and the three that are queued, and
  cannot be asked for together with others (https://github.com/nautechsystems/nautilus_trader,
  docs/integrations/coinbase.md: the filter OPEN leaves out orders that can still be cancelled).
* Whatever happened since, of any state, the last updated first, until a page holds nothing younger. `start_date`
  filters by when an order was made, which says nothing of when it ended. Should the venue sort by that all the same,
  nothing made since is missed; and the first look of a session reads a week more, as do orders of ours below.
* Orders of ours that live as far as we know and were in neither list, by their ids.
* Fills since then; they do not say our ids, the orders' lists do. Accounts: what is there, and what is held.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from functools import partial
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus
from connectors.exchange.account import Account
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.look import Part
from connectors.exchange.record import Pages
from connectors.units import rfc3339_of_ms
from connectors.venues.coinbase import private
from connectors.venues.coinbase.executions import record_of, time_ns, told_of_fill
from connectors.venues.coinbase.names import Names

_BASE: Final = "GET /api/v3/brokerage"
ORDERS: Final = f"{_BASE}/orders/historical/batch"
FILLS: Final = f"{_BASE}/orders/historical/fills"
ACCOUNTS: Final = f"{_BASE}/accounts"
LIVING: Final = ("OPEN", "PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
PAGE: Final = 250
FILLS_PAGE: Final = 100
NAMED_MAX: Final = 50  # ids in one question
_MARGIN_NS: Final = 2 * 10**9  # times are cut to ms, and clocks differ
_WEEK_NS: Final = 7 * 86_400 * 10**9
_EXACT: Final = Context(prec=64)
_ZERO: Final = Decimal(0)


class Lists:
    """One session's."""

    def __init__(self, account: Account, names: Names) -> None:
        self._account = account
        self._names = names
        self._parts: list[Part] = []
        self._missing: list[str] = []
        self._held: dict[str, Decimal] = {}
        self._has_seen_all = False  # a look of this session came to its end

    def parts(self) -> Sequence[Part]:
        self._missing, self._held = [], {}
        self._parts = [
            *(Part(f"orders {state}", partial(self._ask_state, state), self._living) for state in LIVING),
            Part("orders", self._ask_recent, self._recent),
            Part("fills", self._ask_fills, self._fills),
            Part("accounts", self._ask_accounts, self._accounts),
        ]
        return self._parts

    # --- orders ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _ask_state(state: str, pages: Pages) -> tuple[str, str]:
        return ORDERS, _query(f"order_status={state}&limit={PAGE}", pages)

    def _living(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_orders(result)
        self._keep(pages, page.orders)
        return _turned(pages, page.cursor, has_more=page.has_next and bool(page.orders))

    @staticmethod
    def _ask_recent(pages: Pages) -> tuple[str, str]:
        return ORDERS, _query(f"sort_by=LAST_UPDATE_TIME&limit={PAGE}", pages)

    def _recent(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_orders(result)
        since_ns = pages.since_ns - (_MARGIN_NS if self._has_seen_all else _WEEK_NS)
        youngest_ns = max(
            (
                time_ns(text)
                for order in page.orders
                for text in (order.created_time, order.last_fill_time, order.last_update_time)
            ),
            default=0,
        )
        self._keep(pages, page.orders)
        if not _turned(pages, page.cursor, has_more=page.has_next and youngest_ns >= since_ns):
            return False
        seen = pages.open.keys() | pages.closed.keys()
        self._missing = [
            known.venue_id for known in self._account.orders.live() if known.venue_id and known.venue_id not in seen
        ]
        if self._missing:  # the list of questions grows by one
            self._parts.insert(pages.stage + 1, Part("orders by id", self._ask_missing, self._found))
        return True

    def _ask_missing(self, pages: Pages) -> tuple[str, str]:
        del pages
        ids = "&".join(f"order_ids={venue_id}" for venue_id in self._missing[:NAMED_MAX])
        return ORDERS, f"{ids}&limit={PAGE}"

    def _found(self, pages: Pages, result: msgspec.Raw) -> bool:
        del self._missing[:NAMED_MAX]
        self._keep(pages, private.decode_orders(result).orders)
        return not self._missing

    def _keep(self, pages: Pages, orders: Sequence[private.ListedOrder]) -> None:
        """An order in both lists closed while they were read."""
        for order in orders:
            record = record_of(order, self._names)
            (pages.open if record.status is OrderStatus.OPEN else pages.closed)[record.venue_id] = record

    # --- trades and money --------------------------------------------------------------------------------------------

    @staticmethod
    def _ask_fills(pages: Pages) -> tuple[str, str]:
        since = rfc3339_of_ms(max(pages.since_ns - _MARGIN_NS, 0) // 1_000_000)
        return FILLS, _query(f"start_sequence_timestamp={since}&limit={FILLS_PAGE}", pages)

    def _fills(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_fills(result)
        for fill in page.fills:
            told = told_of_fill(fill, self._names)
            pages.trades[told.exec_id] = told
        return _turned(pages, page.cursor, has_more=bool(page.fills and page.cursor))

    @staticmethod
    def _ask_accounts(pages: Pages) -> tuple[str, str]:
        return ACCOUNTS, _query(f"limit={PAGE}", pages)

    def _accounts(self, pages: Pages, result: msgspec.Raw) -> bool:
        """Of one currency there may be several."""
        page = private.decode_accounts(result)
        for wallet in page.accounts:
            for amount in (wallet.available_balance, wallet.hold):
                value = private.number(amount.value) if amount is not None else None
                self._held[wallet.currency] = _EXACT.add(self._held.get(wallet.currency, _ZERO), value or _ZERO)
        if not _turned(pages, page.cursor, has_more=page.has_next and bool(page.accounts)):
            return False
        pages.totals.update((currency, amount_1e8(total)) for currency, total in self._held.items())
        self._has_seen_all = True
        return True


def _turned(pages: Pages, cursor: str | None, *, has_more: bool) -> bool:
    """Whether the list is whole; otherwise its next page is asked for. Raises WireError where nothing leads there."""
    if not has_more:
        return True
    if not cursor or cursor == pages.cursor:
        raise WireError("there is more, and no cursor leads to it")
    pages.cursor = cursor
    return False


def _query(query: str, pages: Pages) -> str:
    return f"{query}&cursor={pages.cursor}" if pages.cursor else query
