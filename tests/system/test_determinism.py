"""The same inputs give the same outputs, bit for bit; another limit or another guest gives others."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest

from connectors.registry import load
from runtime.config import paper_limits
from runtime.deploy import Guests, guests_for, spec_of, spec_of_tape, venue_spec
from runtime.inputs import Input
from runtime.live import serve
from runtime.replay import check_footer, replay
from runtime.screen import Screen
from runtime.session import Session
from runtime.sim.paper import Fees
from runtime.tape import TapeReader
from tests.support.data import ROOT
from tests.support.gateway import gateway
from tests.support.guests import every

ONE_MORE = """
[limits]
max_position = 10
max_order_notional = 600
max_order_rate = 50
price_collar_bps = 500
max_daily_loss = 10000
"""


@pytest.fixture
def btc(kraken_captures: Path) -> list[str]:
    algo = ROOT / "fixtures/algos/trader.wasm"
    return [
        "replay",
        str(kraken_captures / "kraken_btcusd_l2.jsonl"),
        "--instrument",
        "BTC/USD:1:8",
        "--algo",
        str(algo),
    ]


@pytest.mark.real_data
def test_two_runs_and_another_hash_seed_give_the_same_hash(btc: list[str]) -> None:
    hashes = {gateway(*btc, environment={"PYTHONHASHSEED": seed})["hash"] for seed in ("0", "0", "1", "4242")}
    assert len(hashes) == 1


@pytest.mark.real_data
def test_changing_one_action_changes_the_hash(btc: list[str], tmp_path: Path, kraken_captures: Path) -> None:
    """Another limit (one verdict more), another guest constant (one price tick)."""
    limits = tmp_path / "limits.toml"
    limits.write_text(ONE_MORE)
    base, limited = gateway(*btc), gateway(*btc, "--limits", str(limits))
    assert base["denied"] != limited["denied"]
    assert base["hash"] != limited["hash"]

    hashes = set()
    for below_1e9 in (1_000_000_000, 1_100_000_000):
        algo = tmp_path / f"{below_1e9}.wasm"
        algo.write_bytes(every(100, below_1e9=below_1e9))
        path = str(kraken_captures / "kraken_btcusd_l2.jsonl")
        result = gateway("replay", path, "--instrument", "BTC/USD:1:8", "--algo", str(algo))
        assert result["actions"] == 3 + 3, "three orders, and their cancels at the end"
        hashes.add(result["hash"])
    assert len(hashes) == 2


class Outputs:
    """Every turn's outputs, kept as values: what the hash is taken over, and what the venue was to be told."""

    def __init__(self, session: Session) -> None:
        self.turns: list[list[Any]] = []
        session.watchers.append(self)

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        del given, now_ns
        if session.engine.trace:
            self.turns.append(list(session.engine.trace))


def simulated(
    path: Path, guests: Guests, symbols: list[str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> Outputs:
    """A `serve --sim` session over a real socket; its outputs, and its tape at `path`."""
    kept: list[Outputs] = []
    begin = Session.__init__

    def watched(self: Session, spec: Any) -> None:
        begin(self, spec)
        kept.append(Outputs(self))

    venue = venue_spec(load("kraken"), depth=10, depth_from="test")
    spec = spec_of([venue], symbols, guests, paper_limits(), fees=Fees(), tag="vgtest")
    with monkeypatch.context() as patch:
        patch.setattr(Session, "__init__", watched)
        asyncio.run(
            serve(
                spec,
                urls={},
                sim_seed=5,
                screen=Screen(io.StringIO()),
                record=path,
                algo_paths=guests.paths,
                duration_s=seconds,
            )
        )
    return kept[0]


@pytest.mark.parametrize("symbols", [["BTC/USD"], ["ETH/USD", "DOGE/USD"]], ids=["one symbol", "two symbols"])
def test_the_tape_of_a_simulated_session_replays_to_the_same_outputs(
    symbols: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actions, denials, encoded orders, reports, guest lines and the hash: all equal, turn by turn."""
    path = tmp_path / "session.tape.zst"
    live = simulated(path, guests_for(symbols, None), symbols, 4.0, monkeypatch)

    tape = TapeReader(path)
    assert tape.header is not None
    session = Session(spec_of_tape(tape.header, guests_for(symbols, None), None, load))
    replayed = Outputs(session)
    replay(session, tape)

    assert replayed.turns == live.turns
    assert session.engine.desk.approved > 5, "a session in which nothing happened proves nothing"
    assert session.engine.stats.book_frames > 50 * len(symbols)
    assert check_footer(session, tape) == ""
    assert tape.footer is not None
    assert tape.footer.hash == session.digest.hexdigest()
