"""What a look asks Bybit for. https://bybit-exchange.github.io/docs/v5/order/open-order

Open orders; orders that closed lately, from the list that is always up to date (500 at most, none after a restart of
Bybit's) and from the history, which may be late but forgets none; executions; the wallet. History and executions are
asked for in stretches of at most seven days, their pages by cursor.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus
from connectors.exchange.amounts import amount_1e8, ms_ns
from connectors.exchange.look import Part
from connectors.exchange.record import Pages, RecordOrder
from connectors.exchange.told import Kind
from connectors.venues.bybit import private
from connectors.venues.bybit.private import signed
from connectors.venues.bybit.told import Translator

MS: Final = 10**6
EARLIER_MS: Final = 1000  # clocks differ
STRETCH_MS: Final = 7 * 86_400_000 - 1
ACCOUNT: Final = "UNIFIED"
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")
_CURSOR_MAX: Final = 1000
OPEN, RECENT, HISTORY, EXECUTIONS, WALLET = "open orders", "recent orders", "order history", "executions", "wallet"


class Lists:
    """The five lists of the account."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator
        self._parts = (
            Part(OPEN, lambda pages: _ask("/v5/order/realtime", "openOnly=0&limit=50", pages), self._open),
            Part(RECENT, lambda pages: _ask("/v5/order/realtime", "openOnly=1&limit=50", pages), self._recent),
            Part(HISTORY, lambda pages: _ask_since("/v5/order/history", "limit=50", pages), self._history),
            Part(EXECUTIONS, lambda pages: _ask_since("/v5/execution/list", "limit=100", pages), self._executions),
            Part(WALLET, lambda _: ("GET /v5/account/wallet-balance", f"accountType={ACCOUNT}"), _held),
        )

    def parts(self) -> Sequence[Part]:
        return self._parts

    def _orders(self, page: private.Page) -> list[RecordOrder]:
        return self._read([private.decode_order(item) for item in page.items])

    def _read(self, orders: list[private.Order]) -> list[RecordOrder]:
        return [self._translator.record(order) for order in orders if order.category == private.SPOT]

    def _open(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_page(result)
        _sort(pages, self._orders(page))
        return _is_end(pages, page)

    def _recent(self, pages: Pages, result: msgspec.Raw) -> bool:
        """This list goes back as far as it goes: what ended before the time that is asked about is left."""
        page = private.decode_page(result)
        start = _start_ms(pages)
        orders = [private.decode_order(item) for item in page.items]
        late = [one for one in orders if not one.updated_time or ms_ns(one.updated_time) >= start * MS]
        _sort(pages, self._read(late))
        return _is_end(pages, page)

    def _history(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_page(result)
        _sort(pages, self._orders(page))
        return _is_end(pages, page) and _is_last(pages)

    def _executions(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_page(result)
        for item in page.items:
            execution = private.decode_execution(item)
            told = self._translator.execution(execution)
            if execution.category == private.SPOT and told.kind is Kind.TRADE:
                pages.trades[told.exec_id] = told
        return _is_end(pages, page) and _is_last(pages)


def _sort(pages: Pages, orders: list[RecordOrder]) -> None:
    """Each list may show both kinds: an order ends between two questions, and the history is late."""
    for order in orders:
        if order.status is not OrderStatus.OPEN:
            pages.closed[order.venue_id] = order
        elif pages.stage == 0:
            pages.open[order.venue_id] = order


def _held(pages: Pages, result: msgspec.Raw) -> bool:
    for wallet in private.decode_wallets(result).wallets:
        if wallet.account_type == ACCOUNT:
            for coin in wallet.coin:
                pages.totals[coin.coin] = pages.totals.get(coin.coin, 0) + amount_1e8(signed(coin.wallet_balance))
    return True


# --- pages ------------------------------------------------------------------------------------------------------------


def _ask(path: str, query: str, pages: Pages) -> tuple[str, str]:
    cursor = f"&cursor={_written(pages.cursor)}" if pages.cursor else ""
    return f"GET {path}", f"category={private.SPOT}&{query}{cursor}"


def _ask_since(path: str, query: str, pages: Pages) -> tuple[str, str]:
    """Of the stretch that `offset` counts; `endTime` is never beyond the question's own time by more than a stretch."""
    start = _start_ms(pages)
    return _ask(path, f"startTime={start}&endTime={start + STRETCH_MS}&{query}", pages)


def _start_ms(pages: Pages) -> int:
    return max(pages.since_ns // MS - EARLIER_MS, 0) + pages.offset * (STRETCH_MS + 1)


def _is_end(pages: Pages, page: private.Page) -> bool:
    """The last page of a list has no cursor; an empty one, or the same cursor again, is the end, too."""
    is_end = not page.cursor or not page.items or page.cursor == pages.cursor
    pages.cursor = "" if is_end else page.cursor
    return is_end


def _is_last(pages: Pages) -> bool:
    """Whether the stretch that was read reaches the time of the look; if not, the next one is asked for."""
    if _start_ms(pages) + STRETCH_MS >= pages.asked_ns // MS + EARLIER_MS:
        return True
    pages.offset += 1
    return False


def _written(cursor: str) -> str:
    """A cursor as a query holds it: it comes escaped already. Raises WireError."""
    if len(cursor) > _CURSOR_MAX or not cursor.isascii() or not cursor.isprintable():
        msg = f"cursor {cursor!r:.60}"
        raise WireError(msg)
    return "".join(sign if sign in _PLAIN else f"%{ord(sign):02X}" for sign in cursor)
