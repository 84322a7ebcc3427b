"""Two clients of Kraken that nobody here wrote, as installed, with other URLs, another key and secret: nothing patched.

ccxt.pro and python-kraken-sdk, at the versions that venues.md 7.1 describes. Where one is missing its tests skip and
say so; in CI they fail.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import importlib.metadata
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.witness.venue import At

PINNED = {
    "ccxt": ("4.5.90", "uv sync --all-extras"),
    "python-kraken-sdk": ("3.5.1", "uv pip install -r .ci/oracles.txt"),
}
"""Distribution: (version, what installs it)."""
Heard = Callable[[dict[str, Any]], Awaitable[None]]


def witness(distribution: str, module: str) -> Any:
    """A module of an installed client; skips where it is not there in its version, fails then in CI."""
    version, mend = PINNED[distribution]
    try:
        found = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != version:
        reason = f"{distribution} {version} is wanted, {found} is installed: {mend}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return importlib.import_module(module)


def altered(distribution: str, folders: tuple[str, ...]) -> Iterator[str]:
    """Installed files below `folders` that are not what the wheel held."""
    for file in importlib.metadata.files(distribution) or ():
        if str(file).startswith(folders) and file.suffix == ".py":
            assert file.hash is not None
            digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                yield str(file)


@asynccontextmanager
async def ccxt_at(at: At) -> AsyncIterator[Any]:
    """`ccxt.pro.kraken` there; its own pause of a second between two messages is an option of its users."""
    exchange = witness("ccxt", "ccxt.pro").kraken({"apiKey": at.key, "secret": at.secret, "enableRateLimit": False})
    api = exchange.urls["api"]
    api["public"] = api["private"] = at.rest
    for name in api["ws"]:
        api["ws"][name] = at.ws_auth if "private" in name.lower() else at.ws
    try:
        yield exchange
    finally:
        await exchange.close()


def sdk() -> Any:
    """`kraken.spot`."""
    return witness("python-kraken-sdk", "kraken.spot")


def sdk_market(at: At) -> Any:
    return sdk().Market(url=at.rest)


def sdk_user(at: At) -> Any:
    return sdk().User(at.key, at.secret, url=at.rest)


def sdk_trade(at: At) -> Any:
    return sdk().Trade(at.key, at.secret, url=at.rest)


def sdk_socket(at: At, heard: Heard, *, with_public: bool = False) -> Any:
    """The SDK's socket client; it appends "/v2" by itself."""
    return sdk().SpotWSClient(
        at.key, at.secret, callback=heard, rest_url=at.rest, ws_url=at.ws.removesuffix("/v2"),
        auth_ws_url=at.ws_auth.removesuffix("/v2"), no_public=not with_public,
    )  # fmt: skip


def point_sdk_books(patch: pytest.MonkeyPatch, rest: str, ws: str) -> None:
    """Its book client takes no URL: those of its classes are the only way (venues.md 7.1)."""
    sockets = witness("python-kraken-sdk", "kraken.spot.websocket")
    base = witness("python-kraken-sdk", "kraken.base_api")
    patch.setattr(sockets.SpotWSClientBase, "WS_URL", ws.removesuffix("/v2"))
    patch.setattr(base.SpotClient, "URL", rest)
    patch.setattr(base.SpotAsyncClient, "URL", rest)


@asynccontextmanager
async def started(*clients: Any) -> AsyncIterator[None]:
    """Connects the SDK's clients, all at once: each waits a second or two before it dials."""
    try:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.start())
        yield
    finally:
        async with asyncio.timeout(20):
            await asyncio.gather(*(client.close() for client in clients))
