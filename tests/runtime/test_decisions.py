"""`explain` of a session's actions, from the session itself, its journal and its tape: all three say the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.events import ExecReport, ExecType
from risk.limits import Limits, LimitTree
from runtime.config import load_limits
from runtime.decisions import ENTRIES_PER_ACTION, TEXT_MAX, Explainer, chosen, of_journal
from runtime.inputs import Command
from runtime.journal.watch import Watch
from runtime.session import Session
from runtime.spec import AlgoSpec
from tests.journal.opened import Opened
from tests.runtime.world import gateway, rows
from tests.support.kill_world import World as LiveWorld
from tests.support.plan_world import Fed, Played, limits, recorded, tape, with_command
from tests.support.puppet import Puppet, order

TIGHT = {"max_order_notional_1e9": 250 * 10**9, "max_open_orders": 3, "price_collar_bps": 500, "max_order_rate": 12}


@pytest.fixture(scope="module")
def fed() -> Fed:
    return recorded(4)


def explaining(fed: Fed, tree: Limits | LimitTree, **how: Any) -> tuple[Played, Explainer]:
    played = Played(fed, tree, watch=lambda session: Explainer(session, **how))
    return played, played.watcher


def test_every_denial_is_explained_with_its_own_figures(fed: Fed) -> None:
    played, explainer = explaining(fed, limits(**TIGHT))
    denied = [row for row in played.rows if row["verdict"] == "denied"]
    assert {row["reason"] for row in denied} >= {"MAX_ORDER_NOTIONAL", "OPEN_ORDERS", "RATE_LIMIT", "UNKNOWN_ORDER"}
    for row in denied:
        (found,) = explainer.answer(f"#{row['n']}")["orders"]
        assert {key: found[key] for key in row} == row
        assert found["meaning"] in found["text"][1]
        if row["reason"] == "MAX_ORDER_NOTIONAL":
            assert found["setting"] == "max_order_notional"
            assert "  limit     250 USD: account max_order_notional, no file that is known here" in found["text"]
            assert found["book"]["valid"]
            assert 1 <= len(found["book"]["bids"]) <= 5
            assert 0 <= found["passes"]["qty_max_1e8"] < row["qty_1e8"]


def test_where_nothing_happened_after_it_in_its_turn_the_answer_is_the_gates_own(fed: Fed) -> None:
    _, explainer = explaining(fed, limits(**TIGHT), asks_gate=True)
    passes = [entry["passes"] for entry in explainer.entries if entry.get("passes")]
    exact = [one for one in passes if one.get("is_exact")]
    assert 5 < len(exact) <= len(passes)


def test_a_file_and_line_is_named(fed: Fed, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        "[limits]\nmax_position = 100\nmax_order_notional = 250  # tight\nmax_order_rate = 1000\n"
        "price_collar_bps = 10000\nmax_daily_loss = 100000\n[limits.algos.trader]\nmax_order_qty = 0.0039\n"
    )
    played, explainer = explaining(fed, load_limits(file))
    seen = {}
    for row in played.rows:
        if row["verdict"] == "denied" and row["key"]:
            (found,) = explainer.answer(f"#{row['n']}")["orders"]
            seen[row["key"]] = (found["said_in"], found["scope"])
    assert seen["max_order_notional_1e9"] == (f"{file}:3", "account")
    assert seen["max_order_qty_1e8"] == (f"{file}:8", "algo:trader")


def test_who_halted_it_is_named(fed: Fed) -> None:
    played, explainer = explaining(with_command(fed, len(fed) // 2, Command("kill", "ana")), limits())
    row = next(row for row in played.rows if row.get("reason") == "KILL_SWITCH")
    (found,) = explainer.answer(f"#{row['n']}")["orders"]
    assert found["cause"] == {
        "state": "HALTED", "what": "kill", "who": "ana", "since_ns": fed[len(fed) // 2][0],
    }  # fmt: skip
    assert any(line.startswith("  state     HALTED since 2026-") and "by ana: kill" in line for line in found["text"])


def test_an_order_at_the_sessions_end_is_told_why_it_may_only_reduce(fed: Fed) -> None:
    """Nobody reduced it: it was stopping."""

    def last_word(session: Session) -> Explainer:
        session.engine.spec.algos[0].guest.on(  # type: ignore[attr-defined]
            "on_shutdown", lambda _: [order(999_999, 1, 100_000, 60_000 * 10**9, order_type=0)]
        )
        return Explainer(session)

    played = Played(fed, limits(), sides=(1,), watch=last_word)
    (found,) = played.watcher.answer("trader:999999")["orders"]
    assert found["reason"] == "REDUCE_ONLY"
    assert "  state     the session was stopping: only what reduces passes" in found["text"]


def test_an_approved_orders_life_is_told_from_approval_to_end(fed: Fed) -> None:
    played, explainer = explaining(fed, limits())
    cancelled = next(row for row in played.rows if row["kind"] == "cancel" and row["verdict"] == "approved")
    name = cancelled["client_order_id"]
    (found,) = explainer.answer(name)["orders"][-1:]
    kinds = [one["kind"] if one["kind"] != "report" else one["exec_type"] for one in found["life"]]
    assert kinds[0] == "new"
    assert kinds[1] == "new"  # the venue's acknowledgement
    assert kinds[-2:] == ["cancel", "canceled"]
    assert found["life"][0]["sent"].endswith("}")
    assert name in found["life"][0]["sent"]
    assert found["text"][-1].startswith("  end       canceled; ")
    fills = [one for one in explainer.entries if one.get("exec_type") == "trade"]
    (of_fill,) = explainer.answer(fills[0]["client_order_id"])["orders"][-1:]
    filled = sum(one["last_qty_1e8"] for one in of_fill["life"] if one.get("exec_type") == "trade")
    assert filled > 0
    assert any("traded " in line for line in of_fill["text"])


def test_an_order_is_found_by_its_algos_own_id(fed: Fed) -> None:
    played, explainer = explaining(fed, limits(**TIGHT))
    last = played.rows[-1]
    every = explainer.answer(f"trader:{last['order_id']}")["orders"]
    assert [one["n"] for one in every] == [row["n"] for row in played.rows if row["order_id"] == last["order_id"]]


def test_only_so_many_are_kept(fed: Fed) -> None:
    played, explainer = explaining(fed, limits(), keep=10)
    assert [one["n"] for one in explainer.entries if one["kind"] != "report"] == [row["n"] for row in played.rows[-10:]]
    with pytest.raises(ConfigError, match="knows no order '#1'"):
        explainer.answer("#1")


def test_reports_without_end_on_one_order_do_not_fill_the_memory() -> None:
    """Nor does a venue that says much: what is kept has a bound in entries, and each in size."""
    guest = Puppet("on_book")
    world = LiveWorld([AlgoSpec("a", guest, ("BTC/USD",))])
    explainer = Explainer(world.session, keep=20)
    guest.on("on_book", lambda _: [order(1, 1, 10**8, 100 * 10**9, order_type=0)])
    world.book()
    guest.on("on_book", lambda _: [])
    (name,) = world.engine.oms.orders
    told = ExecReport(client_order_id=name, exec_type=ExecType.NEW, instrument=0, text="x" * 10**5)
    for _ in range(1_000):
        world.report("sim", told)
    assert len(explainer.entries) == 20 * ENTRIES_PER_ACTION
    assert max(len(entry["text"]) for entry in explainer.entries) <= TEXT_MAX + 1
    for _ in range(3):
        guest.on("on_book", lambda _: [order(2, 1, 0, 100 * 10**9)])
        world.book()
    assert [entry["verdict"] for entry in explainer.entries if entry["kind"] != "report"] == ["denied"] * 3


@pytest.mark.parametrize("name", ["#", "#x", "vg-999999", "nobody:1", "trader:999999", "#999999"])
def test_an_unknown_order_is_one_error_with_what_is_near(fed: Fed, name: str) -> None:
    played, explainer = explaining(fed, limits())
    with pytest.raises(ConfigError) as error:
        explainer.answer(name)
    assert error.value.mend
    assert name in error.value.problem
    if len(name) > 2:
        assert f"#{played.rows[-1]['n']}" in error.value.mend


# --- journal and tape ------------------------------------------------------------------------------------------------


def test_a_journal_says_the_same(fed: Fed, tmp_path: Path) -> None:
    opened = Opened(tmp_path / "journal.db")

    def watch(session: Any) -> Explainer:
        session.watchers.append(Watch(opened.journal, session, who="ana", now_ns=fed[0][0]))
        return Explainer(session)

    played = Played(fed, limits(**TIGHT), watch=watch)
    assert opened.journal.close() == ""
    for row in played.rows:
        name = f"#{row['n']}"
        (ours,) = played.watcher.answer(name)["orders"]
        (theirs,) = chosen(name, lambda wanted: of_journal(opened.path, wanted), "journal", every=False)
        if row["verdict"] == "denied":
            assert {key: theirs[key] for key in row} == row
            assert theirs["book"]["bids"] == [list(level) for level in ours["book"]["bids"]] if "book" in ours else True
            assert theirs.get("passes") == ours.get("passes")
        else:
            assert [line for line in theirs["text"] if " sent " not in line] == [
                line for line in ours["text"] if " sent " not in line
            ]


def test_a_tape_says_the_same_as_its_replays_actions(fed: Fed, tmp_path: Path) -> None:
    file, actions = tmp_path / "day.tape.zst", tmp_path / "actions.jsonl"
    tree = limits(max_order_rate=3, price_collar_bps=500)
    tape(file, fed, tree)
    assert gateway("replay", file, "--actions", actions).exit_code == 0
    seen = rows(actions)
    row = next(row for row in seen if row["verdict"] == "denied" and row["reason"] == "RATE_LIMIT")
    (found,) = told_list("explain", f"#{row['n']}", "--tape", file)
    assert {key: found[key] for key in row} == row
    shown = gateway("explain", f"#{row['n']}", "--tape", file).stdout
    assert shown.splitlines() == found["text"]
    assert "limit     3: account max_order_rate" in shown
    done = next(row for row in seen if row["kind"] == "cancel" and row["verdict"] == "approved")
    (life,) = told_list("explain", done["client_order_id"], "--tape", file)
    assert life["kind"] == life["life"][0]["kind"] == "new"
    (by_number,) = told_list("explain", f"#{done['n']}", "--tape", file)
    assert by_number["kind"] == "cancel"
    assert by_number["life"] == life["life"]  # begun before the action that was asked for
    every = told_list("explain", f"{row['algo']}:{row['order_id']}", "--tape", file, "--all")
    assert [one["n"] for one in every] == [one["n"] for one in seen if one["order_id"] == row["order_id"]]


def told_list(*words: object) -> list[dict[str, Any]]:
    ended = gateway(*words, "--json")
    assert ended.exit_code == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_a_users_mistake_is_one_error(fed: Fed, tmp_path: Path) -> None:
    file = tape(tmp_path / "day.tape.zst", fed[:40], limits())
    foreign, garbage = tmp_path / "foreign.jsonl", tmp_path / "journal.db"
    foreign.write_text('{"recv_ns":1,"raw":"{}"}\n')
    garbage.write_text("no journal at all, but a file of some length " * 30)
    for words, said in (
        (("nothing-1", "--tape", file), "nothing-1"), (("#1", "--tape", foreign), "made by others"),
        (("#1", "--journal", garbage), "no journal"), (("#1", "--journal", tmp_path / "none.db"), "cannot be read"),
        (("#1", "--tape", file, "--journal", garbage), "name one place"),
        (("#1", "--control", tmp_path / "none.sock"), "no gateway answers"),
    ):  # fmt: skip
        ended = gateway("explain", *words)
        assert ended.exit_code == 4, words
        assert said in ended.stderr
        assert "Traceback" not in ended.stderr
