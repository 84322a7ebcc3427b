"""A simulated Solana that stands still, for commands: its accounts as a dump, and its endpoint in a thread.

Whether the bytes are right is other tests' affair (tests/sim, tests/connectors): here they are somebody else's bytes.
"""

import asyncio
import base64
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from connectors.chain import PoolPlan
from runtime.cli import app
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.ledger import confirmed
from runtime.sim.solana.node import SolanaSim
from runtime.sim.solana.server import SolanaSimServer
from runtime.sim.solana.shipped import default_world

START_NS = 1_790_000_000 * 10**9


def still(pools: Iterable[PoolPlan], seed: int = 3, **more: Any) -> SolanaSim:
    """A node with these pools, some slots after its begin; from now on a slot comes when it is asked for."""
    sim = default_world(seed, tuple(pools), slot_ns=0, **more)
    for slot in range(40):
        sim.ledger.advance(START_NS + slot * 400_000_000)
    return sim


def stored(sim: SolanaSim) -> dict[str, Stored]:
    """All of its accounts at the newest confirmed slot."""
    return {key: account for key, (account, _) in confirmed(sim.ledger.banks).accounts.items()}


def json_of(account: Stored) -> dict[str, Any]:
    """One account as the RPC and the command line write it."""
    return {"owner": account.owner, "data": [base64.b64encode(account.data).decode(), "base64"], "lamports": 1}


def dumped(path: Path, accounts: dict[str, Stored]) -> Path:
    """A dump of them."""
    path.write_text(json.dumps({key: json_of(account) for key, account in accounts.items()}))
    return path


@contextmanager
def served(sim: SolanaSim) -> Iterator[str]:
    """The address of its HTTP port, while it runs in a thread of its own."""
    loop, place = asyncio.new_event_loop(), list[str]()
    ready, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with SolanaSimServer(sim, clock=lambda: START_NS + 60 * 10**9) as server:
            place.append(server.http_url)
            ready.set()
            await ended.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait(10)
    assert place, "the simulated node did not start"
    try:
        yield place[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


@contextmanager
def scripted(*answers: Any) -> Iterator[tuple[str, list[Any]]]:
    """An endpoint that gives these answers, one a request; what it was asked."""
    left, asked = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(said["params"])
            body = json.dumps({"jsonrpc": "2.0", "id": said["id"], **left.pop(0)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def answering(answer: dict[str, Any]) -> Iterator[str]:
    """An endpoint that gives one answer to whatever it is asked."""
    with scripted(*[answer] * 99) as (url, _):
        yield url


def run(*arguments: object) -> tuple[int, str, str]:
    """A command as a person types it: exit code, stdout, stderr. Raises what is no clear error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def told(*arguments: object) -> dict[str, Any]:
    """What it answers in JSON."""
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def refused(*arguments: object) -> str:
    """The one clear error."""
    code, out, err = run(*arguments)
    assert (code, out) == (4, ""), (code, out, err)
    assert err.count("error:") == 1 and "mend:" in err
    return err
