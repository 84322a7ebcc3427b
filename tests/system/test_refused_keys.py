"""`gateway serve --live` with a key that Kraken refuses, or that may not trade: it says so once, and ends.

Against a simulated Kraken in a process of its own, as docs/live.md rehearses it.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.guests import demo_wasm
from tests.support.data import ROOT

GATEWAY = (sys.executable, "-m", "runtime")
LIMIT_S = 120
CONFIG = """
[venues.kraken]
live = true
key = "file:key"
secret = "file:secret"
url = "{ws}"
private_url = "{ws_auth}"
rest_url = "{rest}"

[limits]
max_position = 1
max_order_qty = 1
max_order_notional = 100000
max_capital = 500000
max_order_rate = 50
price_collar_bps = 1000
max_daily_loss = 100000
max_drawdown = 100000

[[algos]]
name = "mine"
wasm = "mine.wasm"
symbols = ["BTC/USD"]
"""


@contextmanager
def simulated(*options: str) -> Iterator[dict[str, str]]:
    command = [*GATEWAY, "sim", "kraken", "--json", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as venue:
        assert venue.stdout is not None
        try:
            yield json.loads(venue.stdout.readline())
        finally:
            venue.terminate()


OTHER = base64.b64encode(b"of another key, or of none at all, but it can sign").decode()
ALL = "query-funds,query-open-trades,query-closed-trades,modify-trades,create-ws-token"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "permissions", "said"),
    [
        ({"key": OTHER}, ALL, "the API key is not accepted (EAPI:Invalid key): look at venues.kraken.key and"),
        ({"secret": OTHER}, ALL, "the API key is not accepted (EAPI:Invalid signature): look at venues.kraken.key and"),
        ({}, ALL.replace(",create-ws-token", ""), "the API key lacks create-ws-token: give it these permissions"),
        ({}, f"{ALL},withdraw-funds", "the API key may take money away (withdraw-funds): make one without"),
    ],
)
def test_a_key_that_cannot_trade_ends_the_session_and_is_told_once(
    other: dict[str, str], permissions: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.wasm").write_bytes(demo_wasm())
    with simulated("--permissions", permissions) as where:
        for name in ("key", "secret"):
            (tmp_path / name).touch(0o600)
            (tmp_path / name).write_text(other.get(name, where[name]))
        (tmp_path / "live.toml").write_text(CONFIG.format(**where))
        command = [*GATEWAY, "serve", "--live", "--config", str(tmp_path / "live.toml"), "--duration", str(LIMIT_S),
                   "--journal", str(tmp_path / "a.journal"), "--control", str(tmp_path / "c"), "--json"]  # fmt: skip
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_RUNTIME_DIR": str(tmp_path)}
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    assert ended.returncode == 1, ended.stderr
    assert json.loads(ended.stdout)["outcome"].startswith(said)
    assert ended.stderr.count(said) == 1, ended.stderr
    assert json.loads(ended.stdout)["approved"] == 0
    assert "--sim" not in ended.stderr
    digest = f"LIVE: algo mine is {tmp_path / 'mine.wasm'}, SHA-256 "
    assert digest in ended.stderr
