"""Which accounts one endpoint tells of: subscribed as the shown states need them, unsubscribed when they do not."""

from collections.abc import Callable, Collection
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.onchain.asker import SECOND, UNANSWERED
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.rpc import subscribing

AGAIN_NS: Final = 10 * SECOND  # after which a refused subscription is asked for again

_ids = msgspec.json.Decoder(int | str)


class Subscriptions:
    """`sync` to what is wanted. `on_begun(key)`: told of from now on; `on_refused(reason, is_dead)`: it is not."""

    def __init__(
        self, commitment: str, on_begun: Callable[[str, int], None], on_refused: Callable[[str, bool, int], None]
    ) -> None:
        self._commitment = commitment
        self._on_begun = on_begun
        self._on_refused = on_refused
        self._ids: dict[str, int | str | None] = {}  # None: asked for
        self._keys: dict[int | str, str] = {}
        self._refused: dict[str, int] = {}  # until when it is not asked for again
        self._epoch = 0

    def clear(self) -> None:
        """Another connection, or another endpoint."""
        self._epoch += 1
        self._ids.clear()
        self._keys.clear()
        self._refused.clear()

    def key_of(self, number: int | str) -> str | None:
        """The account that a subscription is of."""
        return self._keys.get(number)

    def has(self, key: str) -> bool:
        """Whether it is told of."""
        return self._ids.get(key) is not None

    def keys(self) -> list[str]:
        """All that are subscribed to, or asked for."""
        return list(self._ids)

    def sync(self, endpoint: Endpoint, wanted: Collection[str], now_ns: int) -> list[str]:
        """Asks for what is missing and gives up what is not wanted; which those were."""
        dropped = [key for key, number in self._ids.items() if number is not None and key not in wanted]
        for key in dropped:
            self.drop(endpoint, key, now_ns)
        for key in wanted:
            if key not in self._ids and now_ns >= self._refused.get(key, 0):
                self._subscribe(endpoint, key, now_ns)
        return dropped

    def drop(self, endpoint: Endpoint, key: str, now_ns: int) -> None:
        """Gives one up."""
        number = self._ids.pop(key, None)
        if number is not None:
            del self._keys[number]
            endpoint.ask("accountUnsubscribe", [number], _whatever, now_ns)

    def _subscribe(self, endpoint: Endpoint, key: str, now_ns: int) -> None:
        self._ids[key] = None
        epoch = self._epoch

        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if epoch != self._epoch:
                if result is not None:
                    endpoint.ask("accountUnsubscribe", [id_of(result)], _whatever, now_ns)
                return
            if result is None:
                del self._ids[key]
                self._refused[key] = now_ns + AGAIN_NS
                self._on_refused(f"account {key} is not told of: {why_not}", UNANSWERED in why_not, now_ns)
                return
            number = id_of(result)
            if number in self._keys:
                raise WireError(f"subscription {number} is of two accounts")
            self._ids[key], self._keys[number] = number, key
            self._on_begun(key, now_ns)

        endpoint.ask("accountSubscribe", subscribing(key, self._commitment), subscribed, now_ns)


def id_of(raw: msgspec.Raw) -> int | str:
    """A subscription's id. Raises WireError."""
    try:
        found: int | str = _ids.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{bytes(raw)[:80]!r} is no subscription's id") from error
    return found


def _whatever(_result: msgspec.Raw | None, _why_not: str, _now_ns: int) -> None:
    """Whether it was given up is of no matter: what is told without being wanted is dropped."""
