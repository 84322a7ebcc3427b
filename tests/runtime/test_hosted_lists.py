"""Lists of a hosted account are read whole: in pages that the exchange takes, whichever end of them it tells first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.hosted.calls import _closed_orders, _create, _open_orders
from runtime.hosted.forms import own
from runtime.hosted.lists import DAY_MS, TooManyOpen, listed

BTC = "BTC/USDT"
PAGE = 100  # of the session
NOW = 1000 * DAY_MS


class Exchange:
    """Trades at the times `times`. `most`: rows of a page, told by ccxt or not, and more is refused, where told.
    `days`: a question without an end spans as many, and a longer one is refused; 0: it has no such end."""

    def __init__(self, times: set[int], *, most: int, days: int, is_told: bool, is_newest_first: bool) -> None:
        self.features = {"spot": {"fetchMyTrades": {"limit": most if is_told else None, "untilDays": days or None}}}
        self.asked = 0
        self._times, self._most, self._days = sorted(times), most, days
        self._is_told, self._is_newest_first = is_told, is_newest_first

    def milliseconds(self) -> int:
        return NOW

    async def fetchMyTrades(  # noqa: N802 - by ccxt's name
        self, symbol: str, since: int, limit: int, params: dict[str, int] | None = None
    ) -> list[dict[str, Any]]:
        assert symbol == BTC
        self.asked += 1
        if self._is_told and limit > self._most:
            raise ValueError("limit or cursor")
        until = (params or {}).get("until")
        if until is not None and (not self._days or until - since > self._days * DAY_MS):
            raise ValueError("endTime")
        end = until if until is not None else since + self._days * DAY_MS - 1 if self._days else NOW
        found = [ms for ms in self._times if since <= ms <= end]
        size = min(limit, self._most)
        found = found[-size:] if self._is_newest_first else found[:size]
        return [{"id": str(ms), "timestamp": ms} for ms in found]


def row(found: dict[str, Any]) -> dict[str, Any]:
    return {"id": found["id"], "ms": found["timestamp"]}


async def turned(exchange: Any, since: int) -> set[int]:
    """Page by page, as the session turns them (connectors/venues/ccxt/trading.py)."""
    seen: set[int] = set()
    while True:
        found, _ = await listed(exchange, "fetchMyTrades", {"symbol": BTC, "since": since, "limit": PAGE}, row)
        times = [one["ms"] for one in found.values()]
        seen |= set(times)
        if len(times) < PAGE or max(times) == since:
            return seen
        since = max(times)


TIMES = st.builds(
    lambda count, step, late: {NOW - late - step * number for number in range(count)},
    st.integers(0, 320), st.integers(1, DAY_MS // 5), st.integers(0, 30 * DAY_MS),
)  # fmt: skip


@given(
    times=TIMES, most=st.sampled_from([20, 50, 100, 1000]), days=st.sampled_from([7, 90, 10_000]),
    is_told=st.booleans(), is_newest_first=st.booleans(),
)  # fmt: skip
@example(times=set(range(NOW - 120, NOW)), most=50, days=7, is_told=True, is_newest_first=True)
@example(times={NOW - DAY_MS * ago for ago in range(40)}, most=50, days=7, is_told=True, is_newest_first=True)
def test_a_list_is_read_whole_whatever_its_pages_are(
    times: set[int], most: int, days: int, *, is_told: bool, is_newest_first: bool
) -> None:
    exchange = Exchange(times, most=most, days=days, is_told=is_told, is_newest_first=is_newest_first)
    assert asyncio.run(turned(exchange, NOW - 110 * DAY_MS)) == times


@pytest.mark.parametrize("most", [50, 100])
def test_where_a_question_has_no_end_the_oldest_come_first(most: int) -> None:
    times = set(range(NOW - 470, NOW))
    exchange = Exchange(times, most=most, days=0, is_told=True, is_newest_first=False)
    assert asyncio.run(turned(exchange, NOW - DAY_MS)) == times


def test_a_short_list_costs_one_question() -> None:
    exchange = Exchange({NOW - 1}, most=50, days=7, is_told=True, is_newest_first=True)
    assert asyncio.run(turned(exchange, NOW - DAY_MS)) == {NOW - 1}
    assert exchange.asked == 1


class Other:
    """Lists of orders: `has` and `features` as ccxt tells them, three open orders."""

    def __init__(self, has: dict[str, Any], most: int) -> None:
        self.has = has
        self.features = {"spot": {"fetchOpenOrders": {"limit": most}}}
        self.made: list[dict[str, str]] = []

    async def fetch_open_orders(self, _symbol: str, _since: None, limit: int) -> list[dict[str, Any]]:
        return [{"id": str(number)} for number in range(3)][:limit]

    async def fetchOrders(self, _symbol: str, _since: int, _limit: int) -> list[dict[str, Any]]:  # noqa: N802
        return [{"id": "o", "status": "open"}, {"id": "c", "status": "closed"}]

    async def create_order(self, *call: Any) -> dict[str, Any]:
        self.made.append(call[-1])
        return {"id": "1", "clientOrderId": call[-1]["clientOrderId"]}

    def amount_to_precision(self, _symbol: str, amount: float) -> str:
        return str(amount)


def test_open_orders_beyond_what_ccxt_reads_are_no_record() -> None:
    assert len(asyncio.run(_open_orders(Other({}, 4), {"symbol": BTC}))) == 3
    with pytest.raises(TooManyOpen, match="3 open orders or more"):
        asyncio.run(_open_orders(Other({}, 3), {"symbol": BTC}))


def test_a_list_that_ccxt_makes_of_another_is_read_from_that_one() -> None:
    has = {"fetchClosedOrders": "emulated", "fetchCanceledOrders": "emulated", "fetchOrders": True}
    found = asyncio.run(_closed_orders(Other(has, 4), {"symbol": BTC, "since": 0, "limit": PAGE}))
    assert [one["id"] for one in found] == ["o", "c"]


def test_a_name_leaves_as_letters_and_digits_alone_and_comes_back_as_ours() -> None:
    exchange = Other({}, 4)
    call = {"symbol": BTC, "type": "market", "side": "buy", "amount": "1.0",
            "params": {"clientOrderId": "vg1a2b3c-17"}}  # fmt: skip
    assert asyncio.run(_create(exchange, call))["name"] == "vg1a2b3c-17"
    assert exchange.made == [{"clientOrderId": "vg1a2b3c17"}]
    assert [own(name) for name in ("vg1a2b3c-17", "x-77", "")] == ["vg1a2b3c-17", "x-77", ""]
