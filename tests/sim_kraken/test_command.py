"""`gateway sim kraken`, as a person types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.errors import ConfigError
from runtime.cli import app
from runtime.sim.kraken import FAULTS
from runtime.sim.kraken.faults import Faults
from tests.sim_kraken.trader import api_sign
from tests.support.data import ROOT

PROGRAM = "import typer; from runtime.cli_sim import register; app = typer.Typer(); register(app); app()"


def call(where: dict[str, Any], name: str) -> Any:
    path, body = f"/0/private/{name}", "nonce=1"
    headers = {"API-Key": where["key"], "API-Sign": api_sign(where["secret"], path, "1", body)}
    request = urllib.request.Request(where["rest"] + path, body.encode(), headers)  # noqa: S310 - ours, http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_says_where_it_is_and_a_signal_ends_it(stop: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, "sim", "kraken", "--json", "--balance", "USD=5", "--balance", "BTC=1",
               "--permissions", "query-funds,withdraw-funds", "--fault", "close@5", "--speed", "2"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            where = json.loads(process.stdout.readline())
            assert set(where) == {"rest", "ws", "ws_auth", "key", "secret"}
            assert call(where, "Balance") == {"error": [], "result": {"XXBT": "1.0", "ZUSD": "5.0"}}
        finally:
            process.send_signal(stop)
        assert process.wait(20) == 0


def test_the_faults_are_listed() -> None:
    result = CliRunner().invoke(app, ["sim", "kraken", "--list-faults", "--json"])
    assert json.loads(result.stdout) == {name: kind.tells for name, kind in FAULTS.items()}
    lines = CliRunner().invoke(app, ["sim", "kraken", "--list-faults"]).stdout.splitlines()
    assert len(lines) == len(FAULTS) and all(line.split()[0] in FAULTS for line in lines)


def test_the_page_has_every_fault_with_its_line() -> None:
    rows = [
        line.split(" | ") for line in (ROOT / "docs/simulator.md").read_text().splitlines() if line.startswith("| `")
    ]
    told = {row[0].strip("| `"): row[1] for row in rows if len(row) == 4}
    assert told == {name: kind.tells for name, kind in FAULTS.items()}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--fault", "nothing"], "there is no fault"),
        (["--fault", "ack_late=soon"], "is not an integer"),
        (["--balance", "USD"], "ASSET=AMOUNT"),
        (["--balance", "USD=-1"], "not an amount"),
        (["--tier", "gold"], "no tier"),
        (["--permissions", "fly"], "no permission"),
    ],
)
def test_mistakes_are_told_before_anything_is_served(options: list[str], text: str) -> None:
    result = CliRunner().invoke(app, ["sim", "kraken", *options])
    assert isinstance(result.exception, ConfigError) or result.exit_code
    assert text in (str(result.exception) + result.output)


@pytest.mark.parametrize(
    ("fault", "said"),
    [("ack_lost,on=foo", "there is no request 'foo'"), ("ack_lost,on=add_order,nth=0", "nth counts from 1"),
     ("drop_update=0", "VALUE is 1 or more"), ("refuse_symbols", "needs a VALUE")],
)  # fmt: skip
def test_a_fault_that_would_never_strike_is_a_mistake(fault: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Faults(fault)
