"""`gateway sim evm` as a process of its own."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer

from connectors.errors import ConfigError
from runtime.chains import shipped
from runtime.cli_sim import register

PROGRAM = "import typer; from runtime.cli_sim import register; app = typer.Typer(); register(app); app()"
LIMIT_S = 30


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command; it is ended with the block if it has not ended itself."""
    command = [sys.executable, "-c", PROGRAM, "sim", "evm", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(url: str, method: str, *params: object) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body), timeout=LIMIT_S) as answer:  # noqa: S310 - ours, http
        result: object = json.loads(answer.read())["result"]
    return result


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_its_first_line_says_where_everything_is_and_a_signal_ends_it(stop: signal.Signals) -> None:
    with running("--json", "--chain", "dex_base", "--fault", "lie_height=1000000") as process:
        assert process.stdout is not None and process.stderr is not None
        said = json.loads(process.stdout.readline())
        base = shipped("base")
        assert said["chain_id"] == 8453 == int(str(ask(said["http"], "eth_chainId")), 16)
        assert [pool["address"] for pool in said["pools"]] == [plan.address for plan in base.pools]
        assert said["tokens"]["WETH"] == base.tokens["WETH"].address
        assert said["factories"]["uniswap_v3"] == "0x33128a8fC17869897dcE68Ed026d694621f6FDfD"
        assert said["ws"].startswith("ws://127.0.0.1:")
        assert ask(said["http"], "eth_getCode", said["quoter"], "latest") != "0x"
        assert ask(said["http"], "eth_getCode", said["multicall"], "latest") != "0x"
        assert int(str(ask(said["http"], "eth_blockNumber")), 16) > 1_000_000, "the fault is on"
        process.send_signal(stop)
        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == ""


def test_it_ends_by_itself_and_says_the_same_to_people() -> None:
    with running("--duration", "0.1", "--block-time", "0") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0 and err == ""
    assert out.startswith("ws") and all(plan.address in out for plan in shipped("arbitrum").pools)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--chain", "mars"], "no chain is called 'mars'"),
        (["--fault", "nothing=1"], "no fault 'nothing'"),
        (["--fault", "mute"], "'mute' has no value"),
        (["--fault", "mute=perhaps"], "takes true or false"),
    ],
)
def test_a_mistake_is_one_error(options: list[str], says: str) -> None:
    app = typer.Typer()
    register(app)
    with pytest.raises(ConfigError, match=says):
        typer.main.get_command(app).main(["sim", "evm", *options], standalone_mode=False)
