"""What other limits would have decided: against a recount of the actions, and against sessions really run so."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connectors.events import ExecReport, ExecType
from connectors.units import SIZE_ONE
from risk.happenings import Latched
from risk.limits import Limits, LimitTree, Scope, tree_of
from runtime.inputs import Command
from runtime.planning import Differing
from runtime.shadow import Followed
from tests.runtime.world import gateway, rows, told
from tests.support.plan_world import Fed, Played, limits, recorded, tape, with_command

USD = 10**9
CAP = 250 * USD


@pytest.fixture(scope="module")
def fed() -> Fed:
    return recorded()


def planned(
    fed: Fed, was: Limits | LimitTree, new: Limits | LimitTree, **how: Any
) -> tuple[Played, dict[str, Any]]:  # fmt: skip
    """A session under its own limits, and the plan's result for the others."""
    tree = tree_of(new)
    played = Played(fed, was, **how, gate=partial(Followed, tree), watch=lambda s: Differing(s, tree))
    return played, played.watcher.result()


def test_the_same_limits_decide_nothing_otherwise(fed: Fed) -> None:
    """However tight: what is refused is refused by both, and every latch is both's."""
    for was in (limits(), limits(max_order_notional_1e9=CAP, max_position_1e8=4_000_000, max_order_rate=20,
                                 max_daily_loss_1e9=10 * USD, price_collar_bps=60, max_open_orders=4)):  # fmt: skip
        played, result = planned(fed, was, was)
        assert result["approved"] > 20
        assert result["actions"] == []
        assert result["latches"] == result["would_latch"]
        assert played.session.digest.hexdigest() == Played(fed, was).session.digest.hexdigest()


def test_a_tighter_notional_lists_exactly_the_orders_above_it(fed: Fed) -> None:
    """Recounted from the rows of actions: a buy at or through the touch is worth its price; nothing reduces here."""
    played, result = planned(fed, limits(), limits(max_order_notional_1e9=CAP), sides=(1,))
    listed = {row["n"] for row in result["actions"]}
    priced = [row for row in played.rows if row["kind"] == "new" and row["order_type"] in ("limit", "ioc")]
    approved = [row for row in priced if row["verdict"] == "approved"]
    above = {row["n"] for row in approved if row["qty_1e8"] * row["px_1e9"] > CAP * SIZE_ONE}
    assert above == listed & {row["n"] for row in priced}
    assert 10 < len(above) < len(approved) - 10
    assert {row["would"] for row in result["actions"]} == {"MAX_ORDER_NOTIONAL"}
    assert result["would_refuse"] == len(result["actions"]) == result["refuse_by_reason"]["MAX_ORDER_NOTIONAL"]


def test_a_tighter_position_is_counted_from_everything_that_really_left(fed: Fed) -> None:
    """Recounted from orders and reports: with buys alone the worst case is what is held and what is open."""
    most_1e8 = 6_000_000
    played, result = planned(fed, limits(), limits(max_position_1e8=most_1e8), sides=(1,), amends=False)
    held_1e8, above = 0, set()
    open_1e8: dict[str, int] = {}
    for event in played.events:
        if isinstance(event, ExecReport):
            name = event.client_order_id
            held_1e8 += event.last_qty_1e8
            open_1e8[name] = open_1e8.get(name, 0) - event.last_qty_1e8
            if event.exec_type in {ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED}:
                open_1e8[name] = 0
        elif event["kind"] == "new" and event["verdict"] == "approved":
            if held_1e8 + sum(open_1e8.values()) + event["qty_1e8"] > most_1e8:
                above.add(event["n"])
            open_1e8[event["client_order_id"]] = event["qty_1e8"]
    assert {row["n"] for row in result["actions"] if row["was"] == "approved"} == above
    assert len(above) > 10


def test_the_plans_rate_counts_what_it_would_have_let_pass(fed: Fed) -> None:
    """Recounted: nothing left really, so only the plan's own approvals can fill its rolling second."""
    played, result = planned(fed, limits(max_order_qty_1e8=1), limits(max_order_rate=3))
    times: list[int] = []
    expected = {}
    for row in played.rows:
        if row["reason"] == "MAX_ORDER_QTY":
            is_full = len(times) >= 3 and row["now_ns"] - times[-3] < 10**9
            expected[row["n"]] = "RATE_LIMIT" if is_full else "approved"
            times += [] if is_full else [row["now_ns"]]
    assert {row["n"]: row["would"] for row in result["actions"]} == expected
    assert set(expected.values()) == {"RATE_LIMIT", "approved"}


LIMITS = [
    limits(max_order_notional_1e9=CAP), limits(max_position_1e8=5_000_000), limits(max_order_rate=6),
    limits(max_daily_loss_1e9=8 * USD), limits(max_drawdown_1e9=9 * USD), limits(max_capital_1e9=400 * USD),
    limits(price_collar_bps=30), limits(max_open_orders=3), limits(max_order_qty_1e8=500_000),
    limits(max_repeats=5), limits(max_refusals=2, max_order_qty_1e8=500_000), limits(max_cancel_rate=0),
    limits(max_cancel_rate=1),
    limits(max_duplicates=1, duplicate_window_ns=10**10), limits(collar_window_bps=40),
    LimitTree(limits(), (Scope("algo", "trader", {"max_position_1e8": 3_000_000}),)),
    LimitTree(limits(), (Scope("canary", "", {"max_orders": 12, "max_order_notional_1e9": CAP}),)),
]  # fmt: skip


@pytest.mark.parametrize("new", LIMITS, ids=range(len(LIMITS)))
def test_up_to_the_first_difference_it_is_the_session_under_the_new_limits(fed: Fed, new: Limits | LimitTree) -> None:
    """Until then both worlds are one: action, reason, figures and latches must be those of a real run."""
    was, result = planned(fed, limits(), new)
    real = Played(fed, new)
    pairs = zip(was.rows, real.rows, strict=False)
    here, there = next((here, there) for here, there in pairs if verdict(here) != verdict(there))
    latches = [(now_ns, one.limit, one.observed) for now_ns, one in real.happened if isinstance(one, Latched)]
    if latches and latches[0][0] <= there["now_ns"]:  # the real run cancels what is open, and is another from here
        latch = result["would_latch"][0]
        assert (latch["now_ns"], latch["limit"], latch["observed"]) == latches[0]
        assert all(row["now_ns"] >= latch["now_ns"] for row in result["actions"])
        return
    other = result["actions"][0]
    same = ("n", "now_ns", "reason", "limit", "observed", "before", "headroom", "scope", "key", "rule", "market")
    assert {key: other.get(key) for key in same} == {key: there.get(key) for key in same}
    assert (other["was"], other["would"]) == (here.get("reason", "approved"), there["reason"])
    assert other["book"]["valid"]


def verdict(row: dict[str, Any]) -> tuple[int, str, str]:
    return row["n"], row["verdict"], row.get("reason", "")


def test_looser_limits_list_what_they_would_have_allowed(fed: Fed) -> None:
    was = limits(max_order_notional_1e9=CAP, max_open_orders=4)
    played, result = planned(fed, was, limits())
    refused = [row["n"] for row in played.rows if row.get("reason") in {"MAX_ORDER_NOTIONAL", "OPEN_ORDERS"}]
    assert [row["n"] for row in result["actions"]] == refused  # a few of them trade with an own order: still refused
    allowed = [row["n"] for row in result["actions"] if row["would"] == "approved"]
    assert result["would_allow"] == len(allowed) == sum(result["allow_by_reason"].values()) > 10
    assert result["other_reason"] == len(refused) - len(allowed)
    assert {row["would"] for row in result["actions"]} == {"approved", "SELF_TRADE"}
    assert result["would_refuse"] == 0


def test_limits_changed_in_the_session_are_followed_and_the_plan_keeps_its_own(fed: Fed) -> None:
    """A person tightened the session half way: from there on the plan, which did not, differs."""
    tighter = tree_of(limits(max_order_notional_1e9=CAP))
    half = len(fed) // 2
    played, result = planned(with_command(fed, half, Command("limits", "ana", limits=tighter)), limits(), limits())
    refused = [row for row in played.rows if row.get("reason") == "MAX_ORDER_NOTIONAL"]
    assert refused
    assert min(row["now_ns"] for row in refused) >= fed[half][0]
    assert [row["n"] for row in result["actions"]] == [row["n"] for row in refused]


def test_a_persons_words_hold_for_both(fed: Fed) -> None:
    third = len(fed) // 3
    words = with_command(with_command(fed, 2 * third, Command("arm", "ana")), third, Command("kill", "ana"))
    was = limits(max_daily_loss_1e9=8 * USD)
    played, result = planned(words, was, was)
    assert {row["reason"] for row in played.rows if row["verdict"] == "denied"} >= {"KILL_SWITCH"}
    assert result["actions"] == []


def test_a_latch_of_the_plans_own_refuses_until_a_person_arms_it(fed: Fed) -> None:
    new = limits(max_daily_loss_1e9=8 * USD)
    _, result = planned(fed, limits(), new)
    (latch,) = result["would_latch"]
    assert result["latches"] == []
    assert (latch["scope"], latch["what"], latch["quote"], latch["limit"]) == ("account", "DAILY_LOSS", "USD", 8 * USD)
    assert latch["observed"] > 8 * USD
    assert {row["would"] for row in result["actions"]} == {"DAILY_LOSS"}
    assert all(row["now_ns"] >= latch["now_ns"] for row in result["actions"])


# --- the command -----------------------------------------------------------------------------------------------------


NEW = "[limits]\nmax_position = 0.002\nmax_order_notional = 100000\nmax_order_rate = 5\nprice_collar_bps = 500\n"


def test_plan_reads_a_tape_and_says_where_each_limit_stands(fed: Fed, tmp_path: Path) -> None:
    file = tape(tmp_path / "day.tape.zst", fed, limits())
    new, actions = tmp_path / "new.toml", tmp_path / "actions.jsonl"
    new.write_text(NEW + "max_daily_loss = 10000\n")
    assert gateway("replay", file, "--actions", actions).exit_code == 0
    result = told("plan", new, "--tape", file)
    seen = [row for row in rows(actions) if row["by"] == "algo"]
    assert result["approved"] == sum(row["verdict"] == "approved" for row in seen)
    assert result["would_refuse"] == len(result["actions"]) > 0
    assert {row["origin"] for row in result["actions"]} <= {f"{new}:2", f"{new}:4"}
    by_n = {row["n"]: row for row in seen}
    for row in result["actions"]:
        assert by_n[row["n"]]["verdict"] == "approved"
        assert {key: row[key] for key in ("px_1e9", "qty_1e8", "side", "order_id", "now_ns")} == {
            key: by_n[row["n"]][key] for key in ("px_1e9", "qty_1e8", "side", "order_id", "now_ns")
        }
    text = gateway("plan", new, "--tape", file).stdout.splitlines()
    assert text[0].startswith(f"{new} would have refused {result['would_refuse']} of ")
    assert sum(line.startswith("approved → ") for line in text) == result["would_refuse"]


def test_plan_refuses_what_it_cannot_plan_on(fed: Fed, tmp_path: Path) -> None:
    foreign, new = tmp_path / "foreign.jsonl", tmp_path / "new.toml"
    foreign.write_text('{"recv_ns":1,"raw":"{}"}\n')
    new.write_text(NEW + "max_daily_loss = 10000\n")
    ended = gateway("plan", new, "--tape", foreign)
    assert ended.exit_code == 4
    assert "made by others" in ended.stderr
    file = tape(tmp_path / "day.tape.zst", fed[:20], limits())
    new.write_text("[serve]\nvenues = ['kraken']\n")
    ended = gateway("plan", new, "--tape", file)
    assert ended.exit_code == 4
    assert "[limits]" in ended.stderr
    new.write_text(NEW + "max_daily_loss = 10000\n[limits.algos.nobody]\nmax_order_rate = 1\n")
    ended = gateway("plan", new, "--tape", file)
    assert ended.exit_code == 4
    assert "nobody" in ended.stderr
