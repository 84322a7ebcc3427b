"""What is told of an address, and of what went wrong with it: never what may be a provider's key."""

import asyncio

import pytest
import websockets

from runtime import net
from runtime.inputs import Input
from runtime.net import VenueLink, secrets_of, shown

LIMIT_S = 20


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("wss://ws.kraken.com/v2", "wss://ws.kraken.com"),
        ("ws://127.0.0.1:8546", "ws://127.0.0.1:8546"),
        ("ws://127.0.0.1:41537/v2", "ws://127.0.0.1:41537/v2"),
        ("ws://localhost/v2/aBcDeF0123456789?key=secret", "ws://localhost/v2/…?…"),
        ("ws://[::1]:8546/ws#secret", "ws://[::1]:8546/ws?…"),
        ("ws://127.0.0.1@x.example/secret", "ws://x.example"),
        ("wss://arb-mainnet.example/v2/aBcDeF0123456789", "wss://arb-mainnet.example"),
        ("wss://arb-mainnet.example/short", "wss://arb-mainnet.example"),
        ("wss://user:secret@node.example:443/ws?apikey=secret", "wss://node.example:443"),
        ("x.example/secret", "x.example"),
        ("wss:user:secret@x.example", "x.example"),
        ("not an address", "not an address"),
    ],
)
def test_what_may_be_a_key_in_an_address_is_not_told(url: str, told: str) -> None:
    """Providers of chain endpoints put the key into the path or the query."""
    assert shown(url) == told


@pytest.mark.parametrize(
    "error",
    [
        websockets.InvalidURI("wss://x/secret", "wss://x/secret has a fragment"), OSError("no wss://x/secret is there"),
        ValueError("Port could not be cast to integer value as 'secret'"), websockets.InvalidHandshake("to ws://x/secret"),
    ],
)  # fmt: skip
def test_what_went_wrong_is_told_without_the_address(error: Exception) -> None:
    """The libraries' own words hold it, whole."""
    assert "secret" not in net.reason_of(error)
    assert net.reason_of(error)


def _never(given: Input) -> None:
    raise AssertionError(given)


async def test_an_address_that_the_library_refuses_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "BACKOFF_FIRST_S", 0.001)
    told: list[str] = []
    enough = asyncio.Event()

    def tell(text: str, _level: str) -> None:
        told.append(text)
        if len(told) == 3:
            enough.set()

    link = asyncio.create_task(VenueLink("kraken", "public", "ws://127.0.0.1:1/v2#secret", _never, tell).run())
    async with asyncio.timeout(LIMIT_S):
        await enough.wait()
    link.cancel()
    with pytest.raises(asyncio.CancelledError):
        await link
    assert "not an address that can be dialled" in told[1]
    assert not any("secret" in text for text in told)


def test_a_key_that_a_provider_repeats_is_known_by_the_address() -> None:
    """Loopback addresses hold none: a path there is a path."""
    url = "wss://user:passw0rd@node.example/v3/0123456789abcdef?apikey=fedcba9876543210&x=1"
    assert set(secrets_of(url)) == {b"passw0rd", b"0123456789abcdef", b"fedcba9876543210"}
    assert secrets_of("ws://127.0.0.1:8546/v3/0123456789abcdef") == ()
    assert secrets_of("wss://ws.kraken.com/v2") == ()
