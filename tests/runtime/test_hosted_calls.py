"""What a hosted exchange's two lists of finished orders are as one."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.hosted.calls import _closed_orders

CALL: dict[str, Any] = {"symbol": "BTC/USDT", "since": 0, "limit": 3}


class Exchange:
    """Filled orders and cancelled ones, listed apart, the oldest first, a page at a time."""

    def __init__(self, closed: list[int], canceled: list[int]) -> None:
        self.has = {"fetchClosedOrders": True, "fetchCanceledOrders": True}
        self._lists = closed, canceled

    def _page(self, which: int, since: int, limit: int) -> list[dict[str, Any]]:
        times = [ms for ms in self._lists[which] if ms >= since][:limit]
        return [{"id": f"{which}-{ms}", "timestamp": ms, "status": "closed"} for ms in times]

    async def fetchClosedOrders(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:  # noqa: N802
        del symbol
        return self._page(0, since, limit)

    async def fetchCanceledOrders(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:  # noqa: N802
        del symbol
        return self._page(1, since, limit)


def page(exchange: Exchange, since: int) -> list[dict[str, Any]]:
    return asyncio.run(_closed_orders(exchange, {**CALL, "since": since}))


def test_pages_of_two_lists_skip_nothing_of_either() -> None:
    """One list runs ahead of the other: the next page begins where the slower one ended."""
    closed, canceled = [1, 2, 3, 4, 5, 6], [2, 40, 50, 60]
    exchange, seen, since = Exchange(closed, canceled), set(), 0
    while True:
        found = page(exchange, since)
        seen |= {one["id"] for one in found}
        last = max(one["ms"] for one in found)
        if len(found) < CALL["limit"] or last == since:
            break
        since = last
    assert seen == {f"0-{ms}" for ms in closed} | {f"1-{ms}" for ms in canceled}


def test_two_short_lists_are_told_whole() -> None:
    assert {one["id"] for one in page(Exchange([1, 9], [5]), 0)} == {"0-1", "0-9", "1-5"}
