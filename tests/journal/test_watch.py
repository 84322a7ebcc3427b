"""From turns to rows: what a journal says of a session, with its names, amounts and reasons."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from connectors.orders import Action
from risk.denial import DenyReason
from risk.happenings import DayRolled, Happening, Latched, LimitChanged, OverrideUsed, Promoted, Switched
from risk.limits import UNSET, LimitTree
from risk.override import Grant
from risk.states import TradingState
from runtime.config import paper_limits
from runtime.digest import Digest
from runtime.inputs import Command, Input
from runtime.journal import reader, rows, watch
from runtime.journal.watch import Watch
from runtime.session import Session
from runtime.spec import AlgoSpec
from tests.journal.opened import Opened
from tests.support.puppet import Puppet
from tests.support.virtual import START_NS, World


class Kept:
    """A world of the tests whose turns are written to a journal."""

    def __init__(self, path: Path, puppet: Puppet) -> None:
        self.world = World(algos=[AlgoSpec("algo", puppet, ("BTC/USD",))])
        self.opened = Opened(path)
        self.session = cast(Session, SimpleNamespace(engine=self.world.engine, digest=Digest()))
        self.seals = 0
        self.watch = Watch(self.opened.journal, self.session, who="ana", now_ns=START_NS, seal=self.seal)
        self.world.watchers.append(self.turn)

    def seal(self) -> None:
        self.seals += 1

    def turn(self, given: Input) -> None:
        self.watch(self.session, given, self.world.now_ns)

    def end(self) -> None:
        self.watch.end(self.session, self.world.now_ns)
        assert self.opened.journal.close() == ""

    def rows(self, *kinds: str) -> list[dict[str, Any]]:
        return reader.show(self.opened.path, kinds=kinds, order="", since_ns=0, limit=0)


def order(order_id: int, px_1e9: int, qty_1e8: int = 10**6, side: int = 1) -> Action:
    return order_id, px_1e9, qty_1e8, side, 0, 0, 0, 0, 0, 0


def bid_and_far_bid(puppet: Puppet) -> list[Action]:
    """Once: an order at the bid, and one that is far above what the collar allows."""
    if puppet.count("on_book") != 2:
        return []
    bid = int.from_bytes(puppet.heard[-1][1][0][16:24], "little")
    return [order(1, bid), order(2, 2 * bid)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "journal.db", Puppet("on_book").on("on_book", bid_and_far_bid))
    yield made
    made.opened.journal.close()


def test_a_session_is_written_from_its_start_to_its_hash(kept: Kept) -> None:
    """Start, the actions with their verdicts, their reports, commands, switches, the end; and the memory."""
    kept.world.run(5, until=lambda: len(kept.world.actions) == 2)
    kept.world.command("kill")
    kept.world.run(0.1)
    kept.world.command("arm")
    kept.watch.note("drill", {"p99_ns": 5}, kept.world.now_ns)
    remembered = kept.world.engine.remember()
    kept.end()
    first, *_, last = kept.rows()
    assert (first["kind"], last["kind"]) == ("session", "state")
    body = first["body"]
    assert (body["who"], body["venues"], body["symbols"]) == ("ana", ["kraken"], ["BTC/USD"])
    assert body["algos"] == [{"name": "algo", "sha256": "0" * 64}]
    assert body["limits"]["account"]["price_collar_bps"] == paper_limits().account.price_collar_bps
    approved, denied = (row["body"] for row in kept.rows("action")[:2])
    assert (approved["verdict"], denied["verdict"]) == ("approved", "denied")
    assert kept.rows("report")[0]["body"]["client_order_id"] == approved["client_order_id"]
    commands = [(row["body"]["name"], row["body"]["who"]) for row in kept.rows("command")]
    assert commands == [("kill", "test"), ("arm", "test")]
    switches = [(row["body"]["scope"], row["body"]["after"]) for row in kept.rows("switch")]
    assert switches[0] == ("all", "HALTED")
    assert switches[-1] == ("all", "ACTIVE")
    assert kept.rows("end")[0]["body"]["hash"] == kept.session.digest.hexdigest()
    assert kept.rows("drill")[0]["body"] == {"p99_ns": 5}
    again = Opened(kept.opened.path)
    assert again.journal.memory == remembered
    again.journal.close()
    assert reader.verify(kept.opened.path)["verdict"] == "same"


def test_a_denial_says_whose_limit_it_was_and_shows_the_book(kept: Kept) -> None:
    kept.world.run(5, until=lambda: len(kept.world.actions) == 2)
    kept.end()
    row = kept.rows("action")[1]
    assert row["now_ns"] == kept.world.now_ns
    body = row["body"]
    assert body["reason"] == "PRICE_COLLAR"
    assert (body["scope"], body["key"]) == ("account", "price_collar_bps")
    assert body["observed"] > body["limit"]
    assert body["headroom"] == body["limit"] - body["before"]
    book = body["book"]
    assert (book["market"], book["valid"], len(book["bids"]), len(book["asks"])) == ("kraken:BTC/USD", True, 5, 5)
    assert book["bids"][0][0] < book["asks"][0][0]


def test_every_turn_is_sealed_and_quiet_ones_write_nothing(kept: Kept) -> None:
    kept.world.run(2)
    turns = kept.world.engine.stats.frames
    assert kept.seals >= turns > 50
    assert len(kept.rows()) < turns


def test_a_storm_of_denials_becomes_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each second the first so many in full; what is written and what is counted is all that was denied."""
    monkeypatch.setattr(watch, "DENIALS", 20)
    far = [order(n, 10**9) for n in range(16)]
    kept = Kept(tmp_path / "journal.db", Puppet("on_book").on("on_book", lambda _: far))
    kept.world.run(3)
    denied = sum(record.denied is not None for record in kept.world.actions)
    kept.end()
    in_full = len(kept.rows("action"))
    counted = sum(row["body"]["denied"] for row in kept.rows("dropped"))
    assert denied > 200
    assert in_full <= 4 * 20
    assert in_full + counted == denied


HAPPENINGS: list[tuple[Happening, str, dict[str, Any]]] = [
    (Switched("venue:kraken", TradingState.ACTIVE, TradingState.HALTED, "kill", "ana"), "switch",
     {"scope": "venue:kraken", "before": "ACTIVE", "after": "HALTED", "what": "kill", "who": "ana"}),
    (Latched("account", "USD", DenyReason.DAILY_LOSS, 5, 2**70), "latch",
     {"scope": "account", "quote": "USD", "reason": "DAILY_LOSS", "limit": 5, "observed": 2**70}),
    (LimitChanged("account", "max_capital_1e9", UNSET, 7, "ana"), "limit",
     {"scope": "account", "key": "max_capital_1e9", "before": None, "after": 7, "who": "ana"}),
    (DayRolled(86_400), "roll", {"day_end_ns": 86_400}),
    (OverrideUsed("g1", "vg-1", (DenyReason.MAX_POSITION,), "ana"), "override",
     {"grant": "g1", "client_order_id": "vg-1", "skipped": ["MAX_POSITION"], "who": "ana"}),
    (Promoted("ab" * 32, "ana"), "promote", {"sha256": "ab" * 32, "who": "ana"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "kind", "body"), HAPPENINGS, ids=[kind for _, kind, _ in HAPPENINGS])
def test_what_the_gate_did_by_itself_has_its_row(given: Happening, kind: str, body: dict[str, Any]) -> None:
    row = rows.happening(given, 3)
    assert (row.now_ns, row.kind, row.is_spare) == (3, kind, False)
    assert json.loads(msgspec.json.encode(row.body)) == body
    assert kind in rows.KINDS


def test_a_command_says_who_and_what() -> None:
    grant = Grant("g1", "algo", "kraken:BTC/USD", 1, 5, 7, 9, "ana")
    row = rows.command(Command("override", "bob", grant=grant), 3)
    assert json.loads(msgspec.json.encode(row.body))["grant"] == msgspec.to_builtins(grant)
    tree = LimitTree(paper_limits().account)
    body = rows.command(Command("limits", "bob", limits=tree), 3).body
    assert body == {"name": "limits", "who": "bob", "limits_sha256": rows.limits_digest(tree)}


def test_the_digest_of_limits_is_of_what_they_say_alone() -> None:
    """Not of the file they were read from."""
    tree = LimitTree(paper_limits().account)
    elsewhere = msgspec.structs.replace(tree, origins={"account.max_position_1e8": "gateway.toml:3"})
    narrower = msgspec.structs.replace(tree, instruments=("BTC/USD",))
    assert rows.limits_digest(tree) == rows.limits_digest(elsewhere) != rows.limits_digest(narrower)
