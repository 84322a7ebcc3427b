"""A simulated Kraken in a process of its own: whose secrets are not in the one that is searched for them.

    python -m tests.support.sim_child  < key and secret, each reversed, on one line each

The first line of stdout is `ws_url ws_auth_url rest_url`; it ends with its standard input.
"""

import asyncio
import sys

from runtime.sim.server import KrakenSimServer


async def main() -> None:
    key, secret = (sys.stdin.readline().strip()[::-1] for _ in range(2))
    async with KrakenSimServer(seed=7, key=key, secret=secret) as server:
        print(server.ws_url, server.ws_auth_url, server.rest_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
