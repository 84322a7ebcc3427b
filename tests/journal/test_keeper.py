"""From one session to the next: what a person is told, and what of it stands in the journal."""

from pathlib import Path

import msgspec

from risk.limits import Limits, tree_of
from risk.states import TradingState
from runtime.journal import reader
from runtime.journal.keeper import JournalPlan, Keeper
from runtime.person import Surroundings
from runtime.session import Session
from tests.support.virtual import World


async def lived(
    path: Path, limits: Limits, told: list[str], *, is_confirmed: bool = False, halt: str = "", promote: str = ""
) -> Limits:
    """One session that begins, maybe halts a scope, and ends; the account's limits that were in force."""
    spec = msgspec.structs.replace(World().engine.spec, limits=limits)
    plan = JournalPlan(path, who="ana", is_confirmed=is_confirmed)
    with Keeper(plan, lambda text, _: told.append(text), Surroundings()) as keeper:
        session = Session(keeper.continued(spec))
        keeper.attach(session, lambda: None, told.append)
        if halt:
            session.engine.gate.tighten(halt, TradingState.HALTED, "kill", "ana", 1)
        if promote:
            session.engine.gate.promote(promote, "ana")
        keeper.end(session, 1, "")
    return session.engine.gate.limits


async def test_limits_that_differ_from_the_remembered_ones_stand_in_the_journal(tmp_path: Path) -> None:
    """Tighter ones hold; looser ones are withheld, until somebody confirms them."""
    path, told = tmp_path / "a.db", list[str]()
    first = tree_of(World().engine.spec.limits).account
    tight = msgspec.structs.replace(first, max_order_rate=first.max_order_rate - 1)
    assert await lived(path, first, told) == first
    assert await lived(path, tight, told) == tight
    assert await lived(path, first, told) == tight
    assert any("needs serve --confirm" in text for text in told)
    assert await lived(path, first, told, is_confirmed=True) == first
    rows = [row["body"] for row in reader.show(path, kinds=["limit"], order="", since_ns=0, limit=0)]
    rates = [(row["before"], row["after"], row["who"]) for row in rows if row["key"] == "max_order_rate"]
    most = first.max_order_rate
    assert rates == [(most, most - 1, "ana"), (most - 1, most, "ana")]


async def test_a_halt_of_before_is_told_at_the_start(tmp_path: Path) -> None:
    path, told = tmp_path / "a.db", list[str]()
    limits = tree_of(World().engine.spec.limits).account
    await lived(path, limits, told, halt="venue:kraken")
    told.clear()
    await lived(path, limits, told)
    assert any("venue:kraken is HALTED since before: kill by ana" in text for text in told)


async def test_a_promoted_module_stays_promoted_and_no_row_says_otherwise(tmp_path: Path) -> None:
    path, told = tmp_path / "a.db", list[str]()
    limits = tree_of(World().engine.spec.limits).account
    await lived(path, limits, told, promote="ab" * 32)
    await lived(path, limits, told)
    assert not list(reader.show(path, kinds=["limit"], order="", since_ns=0, limit=0))
