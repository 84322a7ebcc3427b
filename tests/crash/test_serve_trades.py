"""The whole stack as a person starts it: `gateway serve` as a process trades, is ended, and is started again.

Against the embedded venue (`--sim`), and with `--live` against a simulated Kraken in a process of its own, which is
asked afterwards what is left. Everything is as it ships: deadlines, waits, limits of rates.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.errors import ConfigError
from connectors.orders import OrderType
from runtime.journal import reader, schema
from tests.support.data import ROOT
from tests.support.guests import every
from tests.support.trading_kill import Venue, living

WAIT_S = 90.0
GATEWAY = (sys.executable, "-m", "runtime")
ALGOS = {
    "rests": every(9, qty_1e8=20_000, below_1e9=400_000_000_000, order_type=OrderType.LIMIT),
    "crosses": every(6, qty_1e8=20_000, below_1e9=-100_000_000_000, order_type=OrderType.IOC),
}
CONFIG = """
[serve]
venues = ["kraken"]
symbols = ["BTC/USD"]

[limits]
max_position = 5
max_order_qty = 0.01
max_order_notional = 2000
max_capital = 500000
max_order_rate = 20
price_collar_bps = 500
max_daily_loss = 5000
max_drawdown = 5000
"""


def configured(folder: Path, venue: Venue | None = None) -> Path:
    """A configuration with two algos, and where their venue is; None: for `--sim`."""
    text = CONFIG
    for name, wasm in ALGOS.items():
        (folder / f"{name}.wasm").write_bytes(wasm)
        text += f'\n[[algos]]\nname = "{name}"\nwasm = "{name}.wasm"\nsymbols = ["BTC/USD"]\n'
    if venue is not None:
        for name in ("key", "secret"):
            (folder / name).touch(0o600)
            (folder / name).write_text(venue.where[name])
        where = venue.where
        text += (
            f'\n[venues.kraken]\nlive = true\nkey = "file:key"\nsecret = "file:secret"\nurl = "{where["ws"]}"\n'
            f'private_url = "{where["ws_auth"]}"\nrest_url = "{where["rest"]}"\n[venues.kraken.options]\ntier = "pro"\n'
        )
    (folder / "gateway.toml").write_text(text)
    return folder / "gateway.toml"


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder)}


@contextmanager
def serving(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [*GATEWAY, "serve", "--config", str(folder / "gateway.toml"), "--journal", str(folder / "at.journal"),
               "--control", str(folder / "control.sock"), "--json", *options]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: "subprocess.Popen[str]", condition: Callable[[], bool]) -> None:
    """Fails when the process ends first, or nothing comes of it."""
    end = time.monotonic() + WAIT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"it never came true; {process.returncode}: {process.communicate()[1][-3000:]}")
        time.sleep(0.05)


def ended(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """SIGTERM; its summary."""
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, said[-3000:]
    found: dict[str, Any] = json.loads(out)
    assert found["outcome"] == "", said[-3000:]
    return found


def filled(journal: Path) -> int:
    """How many executions the journal tells of."""
    if not journal.exists():
        return 0
    try:
        with closing(schema.readable(journal)) as connection:
            sql = "SELECT body FROM log WHERE kind = 'report'"
            bodies = [msgspec.json.decode(body) for (body,) in connection.execute(sql)]
    except ConfigError:
        return 0  # it is being made
    return sum(body["exec_type"] == "trade" for body in bodies)


def verified(folder: Path, tape: str) -> dict[str, Any]:
    command = [*GATEWAY, "tape", "verify", str(folder / tape), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, check=False, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_against_the_embedded_venue_it_trades_ends_and_begins_again(tmp_path: Path) -> None:
    configured(tmp_path)
    journal, before = tmp_path / "at.journal", 0
    for life in ("first", "second"):
        record = ("--record", str(tmp_path / "first.tape")) if life == "first" else ()
        with serving(tmp_path, "--sim", *record) as process:
            until(process, lambda: filled(journal) >= before + 5)  # noqa: B023 - asked at once
            summary = ended(process)
        before = filled(journal)
        assert summary["fills"] >= 5
        assert summary["open_orders"] == 0
        assert summary["anomalies"] == 0
        if record:
            replayed = verified(tmp_path, "first.tape")
            assert (replayed["verdict"], replayed["recorded"]) == ("same", summary["hash"])
    assert reader.verify(journal)["verdict"] == "same"


@pytest.mark.slow
def test_with_live_it_leaves_nothing_open_and_the_switch_disarmed_and_begins_again(tmp_path: Path) -> None:
    """The venue's own record: no order is open when the process has ended; each that ever was is in the journal."""
    with living(21) as venue:
        venue.ask("calm")
        configured(tmp_path, venue)
        journal, known = tmp_path / "at.journal", 0

        def has_traded() -> bool:
            record = venue.ask("record")
            is_resting = any(one["is_open"] for one in record["orders"])
            return is_resting and sum(len(one["fills"]) for one in record["orders"]) >= known + 5

        for life in ("first", "second"):
            with serving(tmp_path, "--live", "--record", str(tmp_path / f"{life}.tape")) as process:
                until(process, has_traded)
                assert venue.ask("record")["armed_ns"] > 0
                summary = ended(process)
            record = venue.ask("record")
            assert not [one for one in record["orders"] if one["is_open"]]
            assert record["armed_ns"] == 0, "the dead-man's switch is armed, and nobody is there"
            assert summary["open_orders"] == 0
            executions = sum(len(one["fills"]) for one in record["orders"])
            assert summary["fills"] == executions - known
            known = executions
            replayed = verified(tmp_path, f"{life}.tape")
            assert (replayed["verdict"], replayed["recorded"]) == ("same", summary["hash"])
        names = {one["name"] for one in record["orders"]}
        with closing(schema.readable(journal)) as connection:
            bodies = [msgspec.json.decode(body) for (body,) in connection.execute("SELECT body FROM log")]
        assert names <= {body.get("client_order_id") for body in bodies if body.get("verdict") == "approved"}
