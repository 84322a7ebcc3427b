"""What a user may get wrong around limits, balances, journals and a running gateway, and what each is told."""

import json
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from connectors.registry import load as load_plugin
from risk.limits import SECOND_NS, LimitTree
from runtime.config import load, load_limits, paper_limits
from runtime.control_client import Request, ask
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.journal import schema
from runtime.recordings import idle_permits
from runtime.sim.paper import Fees
from runtime.standing import in_force, not_ready
from runtime.standing_text import judged, limits_for_people
from tests.journal.opened import Opened
from tests.runtime.world import gateway

FIVE = ("max_position", "max_order_notional", "max_order_rate", "price_collar_bps", "max_daily_loss")
LIMITS = "[limits]\n" + "".join(f"{key} = 1\n" for key in FIVE)
READY = {
    "is_ended": False, "scopes": {}, "kill_file": "", "problem": "", "books": {}, "journal": None, "drill": None,
    "latched": [], "venues": {}, "is_paper": True, "is_sim": False,
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(*command: object) -> str:
    result = gateway(*map(str, command))
    assert result.exit_code == 4, result.output
    assert "Traceback" not in result.stderr
    assert "mend:" in result.stderr
    return str(result.stderr)


@pytest.mark.parametrize(("venue", "mend"), [("krakn", "did you mean kraken? "), ("dex_arb", "connected: kraken")])
def test_balances_of_a_venue_that_is_not_connected(venue: str, mend: str) -> None:
    Path("my.toml").write_text(f"[paper.balances.{venue}]\nUSD = 5\n")
    said = refused("serve", "--sim", "--duration", 1, "--config", "my.toml")
    assert f"my.toml: paper.balances.{venue}: no such venue is connected" in said
    assert mend in said


def test_a_limit_in_the_environment_beside_a_limits_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own.toml").write_text(LIMITS)
    monkeypatch.setenv("GATEWAY__LIMITS__MAX_POSITION", "0.1")
    said = refused("serve", "--sim", "--duration", 1, "--limits", "own.toml")
    assert "environment GATEWAY__LIMITS__MAX_POSITION: is not used beside --limits own.toml" in said


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "--sim", "--duration", 1, "--journal", ""), ("journal", "show", "."), ("journal", "verify", "."),
        ("journal", "export", ".", "--out", "x.jsonl"), ("explain", "x", "--journal", "."),
    ],
)  # fmt: skip
def test_a_folder_is_no_journal(command: tuple[object, ...], here: Path) -> None:
    assert "is a folder" in refused(*command)
    assert not here.with_name(f"{here.name}.lock").exists()


def test_an_order_without_a_name_is_not_explained() -> None:
    assert "ORDER: no order is named" in refused("explain", " ")


def test_a_database_of_others_is_not_offered_to_be_made() -> None:
    with sqlite3.connect("other.db") as connection:
        connection.execute("CREATE TABLE trades (id)")
    connection.close()
    said = refused("explain", "x", "--journal", "other.db")
    assert "no journal of venuegate" in said
    assert "is made" not in said


def test_an_added_table_is_found_by_verify() -> None:
    Opened(Path("j.db")).journal.close()
    with sqlite3.connect("j.db") as connection:
        connection.execute("CREATE TABLE more (id)")
    connection.close()
    result = gateway("journal", "verify", "j.db", "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (5, "differs")


def test_another_format_is_not_sent_to_this_version() -> None:
    Opened(Path("j.db")).journal.close()
    with sqlite3.connect("j.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(ConfigError) as caught:
        schema.readable(Path("j.db"))
    assert caught.value.mend == "use the venuegate that wrote it, or name another file"


@pytest.mark.parametrize("value", ["nan", "-1", "0", "true", "[1]"])
def test_what_is_wanted_is_said(value: str) -> None:
    Path("own.toml").write_text(f"{LIMITS}max_drawdown = {value}\nmax_repeats = 1\n")
    with pytest.raises(ConfigError) as caught:
        load_limits(Path("own.toml"))
    assert caught.value.mend.startswith("write an amount above 0, like 0.5")


def test_what_markets_are_called() -> None:
    Path("own.toml").write_text(f'{LIMITS}[limits.markets."BTC/USD"]\nmax_position = 1\n')
    with pytest.raises(ConfigError) as caught:
        load_limits(Path("own.toml"))
    assert "did you mean instruments?" in caught.value.mend


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = = 2\n", 2), ("a = 1\n\nb = [1,\n", 3)])
def test_what_is_no_toml_has_its_line(text: str, line: int) -> None:
    Path("my.toml").write_text(text)
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        load([Path("my.toml")], {})
    assert caught.value.place == f"my.toml:{line}"


@pytest.mark.parametrize(("extra", "place"), [({"place": "gateway.toml:8"}, "gateway.toml:8"), ({}, "c.sock")])
def test_a_refusal_is_told_with_its_own_place(extra: dict[str, str], place: str) -> None:
    answer = json.dumps({"ok": False, "text": "is missing", "mend": "set it", **extra}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("c.sock")
        door.listen()

        def serve() -> None:
            link, _ = door.accept()
            with link, link.makefile("rb") as file:
                file.readline()
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConfigError) as caught:
            ask(Path("c.sock"), Request("limits", "ana"))
        thread.join()
    assert (caught.value.place, caught.value.problem, caught.value.mend) == (place, "is missing", "set it")


def tree() -> LimitTree:
    Path("own.toml").write_text(
        f'{LIMITS}max_book_age_s = 2\norder_types = ["ioc"]\n'
        '[limits.algos.mm]\nmax_order_notional = 0.5\npermitted = ["SOL/USD"]\n[limits.canary]\nmax_orders = 3\n'
    )
    return load_limits(Path("own.toml"))


def test_every_limit_in_force_is_shown_with_its_origin() -> None:
    shown = limits_for_people({"limits": [], "in_force": in_force(tree())})
    wanted = {
        "account max_order_notional": "1 (own.toml:3)", "account price_collar_bps": "1 (own.toml:5)",
        "account max_book_age_s": "2 (own.toml:7)", "account order_types": "ioc (own.toml:8)",
        "account max_open_orders": "32 (default)", "algo:mm max_order_notional": "0.5 (own.toml:10)",
        "algo:mm permitted": "SOL/USD (own.toml:11)", "canary max_orders": "3 (own.toml:13)",
    }  # fmt: skip
    assert wanted.items() <= {key.removeprefix("limit "): text for key, text in shown.items()}.items()
    assert not [key for key in shown if "max_drawdown" in key]  # nobody said it
    assert tree().account.max_book_age_ns == 2 * SECOND_NS


def test_what_permits_nothing_here_is_told() -> None:
    venue = venue_spec(load_plugin("kraken"), depth=10, depth_from="test")
    spec = spec_of([venue], ["BTC/USD"], Guests(), paper_limits(), fees=Fees(), tag="t")
    said = "algo:mm.permitted names nothing that this session follows: every order there is denied (own.toml:11)"
    assert idle_permits(spec, tree()) == [said]
    assert idle_permits(spec, paper_limits()) == []


def test_what_is_latched_or_stuck_is_not_ready() -> None:
    assert not_ready(READY, 0) == []
    assert not_ready({**READY, "latched": ["account max_daily_loss_1e9 USD"]}, 0) == [
        "account max_daily_loss_1e9 USD is latched: gateway arm"
    ]
    told = {"is_ready": True, "not_ready": [], "busy_ms": 1000}
    assert judged(told)["is_ready"]
    stuck = judged({**told, "busy_ms": 1001})
    assert (stuck["is_ready"], stuck["not_ready"]) == (False, ["the loop has not answered for 1001 ms"])


def test_a_variable_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load([], {"GATEWAY__LIMITS__MAX_POSITION": "-1", "PATH": os.defpath})
    assert caught.value.place == "environment GATEWAY__LIMITS__MAX_POSITION"
