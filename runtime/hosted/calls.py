"""Calls of a hosted exchange's account: each Send is one call of ccxt's, answered by exactly one Frame.

The REST link of `connectors.session.Send`: `<id> POST /create_order`, the arguments as JSON. Answers: 200 and what
came; 400 and `{"error":<class of ccxt's exception>,"text":…}` for what the exchange, or ccxt, refused; 0 where nobody
knows what became of it. The library's object, and the key in it, are those of the account's feed.

What ccxt would round does not leave: the number it would send must be the number that was approved. Nor does an order
that waited so long for its turn that the exchange might act on it after its deadline.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from runtime.hosted.exchange import is_network
from runtime.hosted.feed import HostedFeed
from runtime.hosted.forms import fill, order, plain, said, totals, words
from runtime.hosted.lists import listed, open_orders
from runtime.inputs import Frame
from runtime.net import Feed, Tell
from runtime.vault import Vault

CALL_S: Final = 20.0
WAIT_S: Final = 8.0  # of an order for its turn; with its call's time less than the session's deadline
AT_ONCE: Final = 4
_REFUSED: Final = 400


class Rounded(Exception):  # noqa: N818 - told as ccxt's own InvalidOrder is
    """The library would send another number than was approved."""


class HostedCalls:
    """The REST link of an exchange, with the face of a `VenueLink`; cancels go before all others."""

    def __init__(self, venue: str, link: str, account: HostedFeed, vault: Vault, feed: Feed, tell: Tell) -> None:
        self.venue = venue
        self.link = link
        self._account = account
        self._vault = vault
        self._feed = feed
        self._tell = tell
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._ready = asyncio.Semaphore(0)
        self._idle = asyncio.Event()
        self._idle.set()
        self._under_way = 0
        self._methods: dict[str, Callable[[Any, dict[str, Any]], Awaitable[Any]]] = {
            "create_order": _create, "cancel_order": _cancel, "fetch_balance": _balance,
            "fetch_open_orders": _open_orders, "fetch_closed_orders": _closed_orders, "fetch_my_trades": _my_trades,
        }  # fmt: skip

    def send(self, data: bytes) -> bool:
        """Queues a call."""
        self._idle.clear()
        put = asyncio.get_running_loop().time(), data
        (self._waiting.appendleft if b"/cancel_order" in data[:64] else self._waiting.append)(put)
        self._ready.release()
        return True

    def reconnect(self, reason: str) -> None:
        """There is nothing to drop: each call has its own time."""

    async def flush(self, within_s: float) -> bool:
        """Waits until every call is answered; False when that took too long."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._ready.acquire()
            put_s, data = self._waiting.popleft()
            self._under_way += 1
            head, _, body = data.partition(b"\n")
            number, _, path = head.partition(b" ")
            method = path.rpartition(b"/")[2].decode()
            if method == "create_order" and asyncio.get_running_loop().time() - put_s > WAIT_S:
                status, answer = 0, b"never left: it waited too long for its turn"
            else:
                status, answer = await self._call(method, body)
            self._feed(Frame(self.venue, self.link, b"%s %d\n%s" % (number, status, self._vault.hide(answer))))
            self._under_way -= 1
            if not self._waiting and not self._under_way:
                self._idle.set()

    async def _call(self, method: str, body: bytes) -> tuple[int, bytes]:
        exchange, act = self._account.exchange, self._methods.get(method)
        if exchange is None or act is None:
            return 0, b"never left: " + (
                b"the exchange is not connected" if act else b"no such call: " + method.encode()
            )
        try:
            async with asyncio.timeout(CALL_S):
                return 200, msgspec.json.encode(await act(exchange, msgspec.json.decode(body)))
        except TimeoutError:
            return 0, b"no answer: none within %d s" % CALL_S
        except Rounded as error:
            return _REFUSED, _refusal("InvalidOrder", f"never sent: {error}")
        except Exception as error:  # noqa: BLE001 - of a library, about anything
            if is_network(error) and type(error).__name__ not in (
                "RateLimitExceeded",
                "DDoSProtection",
                "InvalidNonce",
            ):
                return 0, f"no answer: {words(error)}".encode()
            return _REFUSED, _refusal(type(error).__name__, said(error))


def _refusal(error: str, text: str) -> bytes:
    return msgspec.json.encode({"error": error, "text": text})


# --- ccxt's methods ---------------------------------------------------------------------------------------------------


async def _create(exchange: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Raises Rounded."""
    symbol, amount, price = call["symbol"], call["amount"], call.get("price")
    _same(amount, exchange.amount_to_precision(symbol, float(amount)), "amount")
    if price is not None:
        _same(price, exchange.price_to_precision(symbol, float(price)), "price")
    number = None if price is None else float(price)
    params = dict(call["params"])
    if "clientOrderId" in params:
        params["clientOrderId"] = plain(params["clientOrderId"])
    made = await exchange.create_order(symbol, call["type"], call["side"], float(amount), number, params)
    return order(made)


def _same(approved: str, sent: str, what: str) -> None:
    if Decimal(approved) != Decimal(sent):
        raise Rounded(f"ccxt would send {sent} as the {what}, {approved} was approved")


async def _cancel(exchange: Any, call: dict[str, Any]) -> dict[str, Any]:
    await exchange.cancel_order(call["id"], call["symbol"])
    return {}


async def _balance(exchange: Any, _call: dict[str, Any]) -> dict[str, str]:
    return totals(await exchange.fetch_balance())


async def _open_orders(exchange: Any, call: dict[str, Any]) -> list[dict[str, Any]]:
    return await open_orders(exchange, call["symbol"], order)


async def _closed_orders(exchange: Any, call: dict[str, Any]) -> list[dict[str, Any]]:
    """Filled and cancelled ones: some exchanges list them apart, some only together with open ones, which ccxt then
    takes out again of a page whose end nobody sees ("emulated").

    Where one of two lists goes on behind what was read, nothing younger than its end is told of the other: the next
    page begins there.
    """
    has = exchange.has
    is_apart = has.get("fetchClosedOrders") is True or not has.get("fetchOrders")
    names = ("fetchClosedOrders", "fetchCanceledOrders") if is_apart else ("fetchOrders",)
    found: dict[str, dict[str, Any]] = {}
    ends: list[int] = []
    for name in names:
        if has.get(name):
            rows, end = await listed(exchange, name, call, order)
            found |= rows
            ends += [] if end is None else [end]
    return [one for one in found.values() if not ends or one["ms"] <= min(ends)]


async def _my_trades(exchange: Any, call: dict[str, Any]) -> list[dict[str, Any]]:
    rows, _ = await listed(exchange, "fetchMyTrades", call, fill)
    return list(rows.values())
