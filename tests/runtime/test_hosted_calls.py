"""Calls of a hosted exchange: orders that waited too long, two lists of finished orders as one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.hosted import calls
from runtime.hosted.calls import HostedCalls, _closed_orders
from runtime.inputs import Frame, Input
from runtime.keylock import Counted
from runtime.vault import Vault

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


class Account:
    """Where calls find the library's object."""

    def __init__(self) -> None:
        self.exchange = self
        self.done: list[str] = []

    async def create_order(self, *_: Any) -> dict[str, Any]:
        self.done.append("create_order")
        return {"id": "1"}

    async def cancel_order(self, *_: Any) -> None:
        self.done.append("cancel_order")

    def amount_to_precision(self, _symbol: str, amount: float) -> str:
        return str(amount)

    price_to_precision = amount_to_precision


ORDER = b'1 POST /create_order\n{"symbol":"A/B","type":"limit","side":"buy","amount":"1","price":"2","params":{}}'
CANCEL = b'2 POST /cancel_order\n{"id":"7","symbol":"A/B"}'


async def answered(*sent: bytes) -> tuple[Account, list[bytes]]:
    """Calls put together before anybody works, and their answers in the order of their numbers."""
    account, fed = Account(), asyncio.Queue[Input]()
    vault = Vault({"key": "k" * 20, "secret": "s" * 20}, Counted())
    door = HostedCalls("ccxt_x", "rest", account, vault, fed.put_nowait, lambda *_: None)  # type: ignore[arg-type]
    for data in sent:
        door.send(data)
    work = asyncio.create_task(door.run())
    found = [await fed.get() for _ in sent]
    work.cancel()
    return account, sorted(one.raw for one in found if isinstance(one, Frame))


def test_an_order_that_waited_too_long_never_leaves_and_a_cancel_always_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WAIT_S", -1.0)
    account, found = asyncio.run(answered(ORDER, CANCEL))
    assert found == [b"1 0\nnever left: it waited too long for its turn", b"2 200\n{}"]
    assert account.done == ["cancel_order"]


def test_in_time_both_leave_the_cancel_first() -> None:
    account, found = asyncio.run(answered(ORDER, CANCEL))
    assert [one.partition(b"\n")[0] for one in found] == [b"1 200", b"2 200"]
    assert account.done == ["cancel_order", "create_order"]
