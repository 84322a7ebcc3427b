"""Lists of a hosted account, in pages that the exchange takes, whichever end of a list it tells first.

How long a page may be, how many days a question may span and whether it may have an end at all, ccxt tells of many
exchanges (`features`, https://docs.ccxt.com/#/README?id=features): Bybit refuses orders in pages of more than 50, and
to a question without an end answers for seven days alone (https://bybit-exchange.github.io/docs/v5/order/order-list).
Whether an exchange tells the oldest or the newest first it does not tell: a full page is followed by the question what
lies before it. Something new before it can only be where the newest came first.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from runtime.hosted.exchange import is_network

Rows = dict[str, dict[str, Any]]
Form = Callable[[dict[str, Any]], dict[str, Any]]
Ask = Callable[[int, int | None], Awaitable[Rows]]

DAY_MS: Final = 86_400_000
_LONG: Final = 1000  # days: so long a span is no limit
_USUAL: Final = 20  # rows: shorter than any exchange's own page, where ccxt does not tell its length
_LIKE: Final = {"fetchCanceledOrders": "fetchClosedOrders"}  # of the first ccxt tells no features


class TooManyOpen(Exception):  # noqa: N818 - told as ccxt's own errors are
    """More open orders than one answer has."""


async def open_orders(exchange: Any, symbol: str, form: Form) -> list[dict[str, Any]]:
    """Every open order of a symbol. Raises TooManyOpen where there may be more than were told: such lists have no
    times to go on from, and an order that is not seen would count as gone."""
    size = _features(exchange, "fetchOpenOrders").get("limit")
    found = await exchange.fetch_open_orders(symbol, None, size)
    if size and len(found) >= size:
        raise TooManyOpen(f"{symbol} has {len(found)} open orders or more: ccxt reads no more than {size} of them")
    return [form(one) for one in found]


async def listed(exchange: Any, name: str, call: dict[str, Any], form: Form) -> tuple[Rows, int | None]:
    """What the method `name` lists of a symbol from `since` on, by id; and the time up to which that is all there is,
    None where it is all to the end. No less than `limit` rows where there are so many. Times are Unix milliseconds."""
    features = _features(exchange, name)
    most = features.get("limit")
    size = min(call["limit"], most or call["limit"])
    days = features.get("untilDays") or 0

    async def ask(begin: int, end: int | None) -> Rows:
        given = () if end is None else ({"until": end},)
        found = [form(one) for one in await getattr(exchange, name)(call["symbol"], begin, size, *given)]
        return {one["id"]: one for one in found}

    begin, rows = call["since"], Rows()
    while True:
        end = begin + days * DAY_MS - 1 if 1 < days < _LONG else None
        if end is not None and end >= exchange.milliseconds():
            end = None
        more, is_whole = await _span(ask, begin, end, size if most else min(size, _USUAL), days)
        goes_on = not is_whole and not more.keys() <= rows.keys()
        rows |= more
        if goes_on:
            begin = max(one["ms"] for one in more.values())
        elif end is None:
            return rows, None
        else:
            begin = end + 1
        if len(rows) >= call["limit"]:
            return rows, begin if goes_on else begin - 1


def _features(exchange: Any, name: str) -> dict[str, Any]:
    told = (getattr(exchange, "features", None) or {}).get("spot") or {}
    return told.get(name) or told.get(_LIKE.get(name, "")) or {}


async def _span(ask: Ask, begin: int, end: int | None, full: int, days: float) -> tuple[Rows, bool]:
    """One page of the oldest, or every page where the newest come first; and whether that is all of the span."""
    rows = await ask(begin, end)
    is_full, is_newest_first = len(rows) >= full, False
    while is_full:
        first = min(one["ms"] for one in rows.values())
        if first - begin > days * DAY_MS:
            break  # it would be refused, or the exchange knows no such end
        try:
            older = await ask(begin, first)
        except Exception as error:
            if is_newest_first or is_network(error):
                raise
            break  # it takes no such end: that the oldest come first can only be believed
        if older.keys() <= rows.keys():
            break
        is_newest_first, is_full = True, len(older) >= full
        rows |= older
    return rows, is_newest_first or not is_full
