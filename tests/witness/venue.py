"""The simulated Kraken as its users run it: `gateway sim kraken --json`, a process of its own on a loopback port."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

READY_S = 30
"""Python has to start; two cores are shared by many."""
LONGEST_S = 90
"""It ends by itself even where nobody is left to end it."""


class At(msgspec.Struct, frozen=True):
    """Where it is and with which key: its first line of stdout."""

    rest: str
    ws: str
    ws_auth: str
    key: str
    secret: str


@asynccontextmanager
async def simulator(*words: str) -> AsyncIterator[At]:
    """Starts it; ends it as a service manager would. It has to end in peace: whatever broke inside fails the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runtime", "sim", "kraken", "--json", "--duration", str(LONGEST_S), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(READY_S):
        first = await process.stdout.readline()
    try:
        yield msgspec.convert(json.loads(first), At)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(READY_S):
            _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (0, "")
