"""The drill, and what a person types: each command against a gateway that runs."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from connectors.errors import ConfigError
from connectors.orders import OrderType
from risk.limits import LimitTree, tree_of
from risk.states import ALL, TradingState
from runtime import drill, overrides
from runtime.cli import app
from runtime.config import paper_limits
from runtime.drill import MEASURES, spread, summary
from runtime.host import AlgoHost
from runtime.inputs import Command
from runtime.killswitch import KillSwitch, Pull
from runtime.person import Surroundings
from tests.support.guests import every
from tests.support.kill_live import Running, live_of, running, said
from tests.support.kill_world import World as LiveWorld

KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
QUOTES = every(3, below_1e9=500_000_000_000, order_type=OrderType.LIMIT)


async def typed(gateway: Running, *words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, [*words, "--control", str(gateway.path)])


async def told(gateway: Running, *words: str) -> dict[str, Any]:
    result = await typed(gateway, *words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


# --- drills -----------------------------------------------------------------------------------------------------------


async def test_a_drill_cancels_measures_arms_and_leaves_a_record(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    around = Surroundings(drilled=rows.append, drill_max_age_h=24)
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))], around=around) as gateway:
        before = await gateway.ask("status")
        assert "no drill of the kill switch is known: gateway drill" in before["not_ready"]
        made = await told(gateway, "drill", "--rounds", "3")
        assert (made["rounds"], made["exercised"], made["kept"]) == (3, 3, "journal")
        assert made["cancelled"] >= 3
        for name in MEASURES:
            assert 0 <= made[name]["p50"] <= made[name]["p99"] <= made[name]["max"]
        assert made["denied_ns"]["max"] <= made["flat_ns"]["max"]
        assert [row["rounds"] for row in rows] == [3]
        after = await gateway.ask("status")
        assert (after["scopes"], after["state"]) == ({}, "ACTIVE")
        assert after["drill"]["age_s"] < 60
        assert not [reason for reason in after["not_ready"] if "drill" in reason]


async def test_a_drill_does_not_take_back_what_somebody_else_stopped(tmp_path: Path) -> None:
    """Not before it, and not while it ran."""
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        await gateway.ask("kill", target="algo:quotes")
        refused = await gateway.ask("drill")
        assert refused["text"] == "not everything is ACTIVE (algo:quotes)"
        assert (await gateway.ask("status"))["scopes"]["algo:quotes"]["who"] == "ana"
        await gateway.ask("arm")
        drilling = asyncio.create_task(gateway.ask("drill", rounds=200))
        while not (await gateway.ask("status"))["scopes"]:
            await asyncio.sleep(0)
        await gateway.ask("kill", target="algo:quotes")
        answer = await drilling
        assert not answer["ok"]
        assert "not armed" in answer["text"] or "not everything is ACTIVE" in answer["text"]
        assert "algo:quotes" in (await gateway.ask("status"))["scopes"]


@pytest.mark.parametrize("what", ["kill", "reduce"])
async def test_what_a_person_stops_while_a_drill_waits_for_an_order_stays_stopped(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulled between the drill's first look and its own pull, taken or not yet."""
    state = {"kill": TradingState.HALTED, "reduce": TradingState.REDUCING}[what]

    async def meanwhile(self: drill.Drill) -> None:
        self._switch.pull(who="ana", state=state)

    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        monkeypatch.setattr(drill.Drill, "_something_open", meanwhile)
        answer = await gateway.ask("drill")
        assert answer["text"].startswith("not everything is ACTIVE (all)")
        after = await gateway.ask("status")
        assert {name: after["scopes"][ALL][name] for name in ("state", "who")} == {"state": state, "who": "ana"}


@pytest.mark.parametrize("by", ["a breach", "a breach before", "a halt before", "a kill", "a latch"])
async def test_what_stops_a_session_within_a_drill_is_not_armed_away(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though all was HALTED by the drill, so that no state shows it."""
    pull = KillSwitch.pull

    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        live = live_of(gateway)
        engine, main = live.session.engine, asyncio.get_running_loop()

        def pulled(switch: KillSwitch, scope: str = ALL, **how: Any) -> Pull:
            if by == "a breach before":
                engine.tap.difference = "bytes differ"
                engine.desk.breach("bytes differ", live.clock.now_ns())
            elif by == "a halt before":
                engine.gate.tighten(ALL, TradingState.HALTED, "fault", "gateway", live.clock.now_ns())
            elif by == "a kill":
                pull(switch, who="ana")
            made = pull(switch, scope, **how)
            if by == "a breach":
                engine.tap.difference = "bytes differ"
                breach = Command("breach", "exit", "bytes differ")
                main.call_soon_threadsafe(lambda: live.feed(breach))
            elif by == "a latch":
                engine.gate.repeat_latched[0] = 1, 2, "account"
            return made

        monkeypatch.setattr(KillSwitch, "pull", pulled)
        answer = await gateway.ask("drill")
        assert not answer["ok"]
        assert answer["text"] == "something else stopped the session during the drill: not armed"
        assert (await gateway.ask("status"))["scopes"][ALL]["state"] == "HALTED"
        monkeypatch.setattr(KillSwitch, "pull", pull)
        assert (await gateway.ask("arm"))["ok"]
        assert (engine.tap.difference, engine.gate.repeat_latched) == ("", {})
        assert (await gateway.ask("drill"))["ok"]


async def test_two_drills_at_once_or_one_in_a_live_session_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        one, other = await asyncio.gather(gateway.ask("drill", rounds=20), gateway.ask("drill", rounds=20))
        assert sorted((one["ok"], other["ok"])) == [False, True]
        assert (await gateway.ask("drill", rounds=0))["text"] == "0 rounds"
    live = LiveWorld([])

    class Asked:
        session = live.session

    one_more = drill.Drill(live.switch, Asked(), "ana", None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not in a live session"):
        one_more._check()


async def test_a_drill_of_a_venue_that_does_not_cancel_fails_and_stays_halted() -> None:
    """No proof, no arming, no record."""
    world = LiveWorld([], is_paper=True)
    around = Surroundings()

    class Asked:
        session = world.session
        clock = staticmethod(lambda: 1)

    person: Any = Asked()
    person.around = around

    async def at_once(work: Any, _wait_s: float) -> dict[str, Any]:
        answer: dict[str, Any] = work()
        return answer

    failing = drill.Drill(world.switch, person, "ana", at_once)
    world.switch.scopes.open = lambda scope: [object()] if scope == ALL else []  # type: ignore[method-assign,list-item]
    task = asyncio.create_task(failing.run(1))
    while not world.switch.waiting:
        await asyncio.sleep(0)
    world.switch.take()
    world.switch.stop(1)
    with pytest.raises(ConfigError, match="the drill failed: the session has ended"):
        await task
    assert (around.last_drill, str(world.engine.gate.states.get(ALL))) == (None, "HALTED")


def test_measures_are_told_by_nearest_rank() -> None:
    assert spread([5]) == {"p50": 5, "p99": 5, "max": 5}
    assert spread(list(range(1, 101))) == {"p50": 50, "p99": 99, "max": 100}
    assert spread([3, 1, 2]) == {"p50": 2, "p99": 3, "max": 3}
    pulls = [Pull(ALL, "HALTED", "ana", 0) for _ in range(2)]  # type: ignore[arg-type]
    pulls[0].cancelled = 4
    assert {k: v for k, v in summary(pulls).items() if k not in MEASURES} == {
        "rounds": 2, "exercised": 1, "cancelled": 4
    }  # fmt: skip


def test_a_simulated_drill_needs_no_gateway() -> None:
    result = CliRunner().invoke(app, ["drill", "--sim", "--rounds", "2", "--json"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["rounds"], set(made) >= set(MEASURES)) == (2, True)


# --- what a person types ----------------------------------------------------------------------------------------------


async def test_kill_status_and_arm_as_a_person_types_them(tmp_path: Path) -> None:
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        killed = await told(gateway, "kill", "--scope", "algo:quotes")
        assert (killed["scope"], killed["state"], killed["open"]) == ("algo:quotes", "HALTED", 0)
        shown = await typed(gateway, "status")
        assert shown.exit_code == 0
        assert "algo:quotes HALTED since" in shown.stdout
        not_ready = await typed(gateway, "status", "--ready")
        assert not_ready.exit_code == 8
        assert "not ready: algo:quotes is HALTED: kill by" in not_ready.stderr
        assert (await told(gateway, "arm", "--scope", "algo:quotes"))["left"] == []
        assert (await told(gateway, "kill", "--reduce"))["state"] == "REDUCING"
        assert (await told(gateway, "status"))["scopes"][ALL]["state"] == "REDUCING"
        assert "all REDUCING (reduce)" in (await told(gateway, "arm", "--scope", "algo:quotes"))["text"]
        await told(gateway, "arm")
        wrong = await typed(gateway, "kill", "--scope", "algo:nobody")
        assert wrong.exit_code == 4
        assert "there is no scope 'algo:nobody'" in wrong.stderr
        assert (await gateway.ask("arm") | {"text": ""})["ok"]
        assert not (await gateway.ask("drill", rounds=5000))["ok"]


async def test_nobody_arms_without_a_name(tmp_path: Path) -> None:
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))]) as gateway:
        await gateway.ask("kill")
        refused = await said(gateway.path, command="arm")
        assert refused["text"] == "nobody is named: only a person arms"
        assert (await gateway.ask("status"))["scopes"][ALL]["state"] == "HALTED"


async def test_limits_tighten_at_once_and_loosen_when_confirmed(tmp_path: Path) -> None:
    read: list[LimitTree] = [tree_of(paper_limits())]

    def tree(**changes: int) -> LimitTree:
        account = tree_of(paper_limits()).account
        fields = {name: getattr(account, name) for name in account.__struct_fields__}
        return LimitTree(account=type(account)(**(fields | changes)))

    around = Surroundings(limits=lambda: read[0])
    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))], around=around) as gateway:
        before = tree_of(paper_limits()).account
        read[0] = tree(max_position_1e8=before.max_position_1e8 // 2, max_order_rate=before.max_order_rate * 2)
        made = await told(gateway, "limits", "reload")
        assert [text.split()[0] for text in made["changed"]] == ["account.max_position"]
        assert any(text.startswith("account.max_order_rate") for text in made["waiting"])
        made = await told(gateway, "limits", "reload", "--confirm")
        assert (len(made["waiting"]), any("max_order_rate" in text for text in made["changed"])) == (0, True)
        shown = (await told(gateway, "limits", "show"))["limits"]
        position = next(one for one in shown if one["key"] == "max_position_1e8" and one["currency"] == "BTC")
        assert position["limit"] == before.max_position_1e8 // 2
        assert position["headroom"] == max(position["limit"] - position["observed"], 0)
        assert "max_position BTC" in (await typed(gateway, "limits", "show")).stdout


async def test_an_override_is_submitted_once_and_for_what_is_there(tmp_path: Path) -> None:
    around = Surroundings(
        override_keys={"ana": KEY.public_key().public_bytes_raw().hex()}, limits=lambda: tree_of(paper_limits())
    )

    def token(**changes: Any) -> str:
        typed_: dict[str, Any] = {
            "algo": "quotes", "market": "kraken:BTC/USD", "side": "buy", "qty": "1.5", "price": "100.25",
            "expires_s": 60, "now_ns": time.time_ns(),
        }  # fmt: skip
        return overrides.sign(KEY, overrides.granted(**(typed_ | changes)))

    async with running(tmp_path, [("quotes", AlgoHost(QUOTES, name="q"))], around=around) as gateway:
        good = token()
        assert "waits for its order" in (await told(gateway, "override", "submit", good))["text"]
        wrong = {
            good: "waits for its order already", token(algo="nobody"): "no algo is called",
            token(market="kraken:X/Y"): "is for market 'kraken:X/Y'", "x": "no override token",
        }  # fmt: skip
        for given, text in wrong.items():
            refused = await typed(gateway, "override", "submit", given)
            assert refused.exit_code == 4
            assert text in refused.stderr
        promoted = await told(gateway, "promote", "quotes")
        assert "is no canary any more" in promoted["text"]
        await told(gateway, "limits", "reload", "--confirm")  # a person's word is in no file, and stays
        engine = live_of(gateway).session.engine
        assert engine.gate.tree.promoted == (engine.algos[0].guest.sha256,)
        assert (await typed(gateway, "promote", "nobody")).exit_code == 4
