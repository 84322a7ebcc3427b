"""A guest built with the real crate trades a real recording; all it was shown is recomputed from the outside."""

import json
from collections import Counter, deque
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.algo_reference import ACKED, DEAD, PARTIAL, Entry, Layout, Shown, seen
from tests.support.data import ROOT, abi_table
from tests.support.gateway import gateway, json_lines
from tests.support.reference import books, recording

pytestmark = pytest.mark.real_data

LIMITS = """
[limits]
max_position = 0.2
max_order_notional = 10000
max_order_rate = 20
price_collar_bps = 500
max_daily_loss = 50
"""
RISK = {
    "max_position_1e8": 20_000_000, "max_daily_loss_1e9": 50 * 10**9, "max_order_notional_1e9": 10_000 * 10**9,
    "max_order_rate": 20, "reduce_only": 0,
}  # fmt: skip
SYMBOL = {
    "tick_size_1e9": 10**8, "lot_size_1e8": 1, "min_qty_1e8": 5000, "min_notional_1e9": 5 * 10**8,
    "price_precision": 1, "qty_precision": 8,
}  # fmt: skip
KILL_AFTER = 330  # frames; the guest goes on asking afterwards


class Run:
    """One replay of the BTC/USD recording, with a kill command near its end, and all that it wrote."""

    def __init__(self, captures: Path, folder: Path, algo: str) -> None:
        self.frames = recording(captures / "kraken_btcusd_l2.jsonl")
        lines = [json.dumps({"recv_ns": recv_ns, "raw": raw}) for recv_ns, raw in self.frames]
        kill_ns = self.frames[KILL_AFTER - 1][0]
        lines.insert(KILL_AFTER, json.dumps({"recv_ns": kill_ns, "kind": "command", "name": "kill", "who": "test"}))
        self.times = [recv_ns for recv_ns, _ in self.frames]
        tape, limits = folder / "killed.jsonl", folder / "limits.toml"
        tape.write_text("\n".join(lines) + "\n")
        limits.write_text(LIMITS)
        self.result = gateway(
            "replay", str(tape), "--venue", "kraken", "--instrument", "BTC/USD:1:8:0.00005:0.5",
            "--limits", str(limits),
            "--algo", str(ROOT / f"fixtures/algos/{algo}.wasm"), "--actions", str(folder / "actions"),
            "--fills", str(folder / "fills"), "--guest-log", str(folder / "log"),
        )  # fmt: skip
        self.actions = json_lines(folder / "actions")
        self.fills = json_lines(folder / "fills")
        self.log = [line.split(" ", 3) for line in (folder / "log").read_text().splitlines()]


@pytest.fixture(scope="module", params=["trader", "trader01"])
def run(request: pytest.FixtureRequest, kraken_captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(kraken_captures, tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def layouts() -> dict[str, Any]:
    structs: dict[str, Any] = abi_table()["structs"]
    return structs


def test_each_of_the_six_controls_denies(run: Run) -> None:
    """Orders are approved and filled, and every control of the product refuses at least one."""
    result = run.result
    assert result["approved"] > 30
    assert result["fills"] > 10
    six = {"KILL_SWITCH", "RATE_LIMIT", "PRICE_COLLAR", "MAX_ORDER_NOTIONAL", "MAX_POSITION", "DAILY_LOSS"}
    assert six <= result["denied"].keys()
    codes = {row["reason"]: row["code"] for row in run.actions if row["verdict"] == "denied"}
    assert {reason: codes[reason] for reason in six} == {
        "KILL_SWITCH": 102, "RATE_LIMIT": 100, "PRICE_COLLAR": 103, "MAX_ORDER_NOTIONAL": 100, "MAX_POSITION": 101,
        "DAILY_LOSS": 104,
    }  # fmt: skip
    counted = Counter(row["reason"] for row in run.actions if row["verdict"] == "denied")
    assert dict(counted) == result["denied"]
    assert result["state"] == "HALTED"
    assert result["open_orders"] == 0
    assert result["anomalies"] == 0


def test_a_denied_order_never_reaches_the_venue(run: Run) -> None:
    """No fill belongs to a denied order, and each approved one names its approval once."""
    denied = {row["order_id"] for row in run.actions if row["verdict"] == "denied" and row["kind"] == "new"}
    assert not denied & {fill["order_id"] for fill in run.fills}
    approvals = [row["approval"] for row in run.actions if row["verdict"] == "approved"]
    assert approvals == list(range(1, len(approvals) + 1))


class Walk:
    """Goes through the guest's own log and compares each state with the one computed here."""

    def __init__(self, run: Run, layout: Layout, fixed: dict[str, Any]) -> None:
        self.layout = layout
        self.shown = Shown(fixed)
        self.actions = deque(run.actions)
        self.fills = deque(run.fills)
        self.log = deque((int(when), text) for when, _, _, text in run.log)
        self.compared = Counter[str]()
        tops = (book.top() for _, _, book, _ in books(run.frames, 10, 1, 8))
        self.mids = deque(sum(top[side][0][0] for side in ("bids", "asks")) for top in tops)
        self.times = deque(run.times) if run.result["callbacks"]["on_heartbeat"] else deque()
        self.beat_ns = 0
        self.beats = 0

    def beat(self, when: int) -> None:
        """Heartbeats of the turns before: the guest logs none, but was handed the state and so shown what is DEAD."""
        while self.times and self.times[0] < when:
            now_ns = self.times.popleft()
            if now_ns >= self.beat_ns:
                if self.beat_ns:
                    self.beats += 1
                    self.shown.callback()
                self.beat_ns = (now_ns // 10**9 + 1) * 10**9

    def state(self, callback: str) -> None:
        """The next line must be this callback's state, and equal to what is expected now."""
        _, text = self.log.popleft()
        name, kind, raw = text.split(" ")
        assert (name, kind) == (callback, "state")
        got = seen(self.layout.decode("AlgoState", bytes.fromhex(raw)))
        want = self.shown.expected()
        assert {key: got[key] for key in got} == {key: want[key] for key in got}
        self.compared[callback] += 1
        self.shown.callback()

    def fill(self) -> None:
        """The next fill: state first, then the record itself."""
        fill = self.fills.popleft()
        self.shown.fill(fill)
        self.state("on_fill")
        when, text = self.log.popleft()
        got = self.layout.decode("Fill", bytes.fromhex(text.removeprefix("on_fill fill ")))
        assert got == {
            "order_id": fill["order_id"], "px_1e9": fill["px_1e9"], "qty_1e8": fill["qty_1e8"], "recv_ns": when,
            "side": fill["side"],
        }  # fmt: skip

    def reject(self, order_id: int, code: int) -> None:
        _, text = self.log.popleft()
        got = self.layout.decode("Reject", bytes.fromhex(text.removeprefix("on_reject ")))
        assert got == {"order_id": order_id, "code": code}
        self.compared["on_reject"] += 1

    def acts(self, now_ns: int) -> None:
        """All actions of this moment, with what the paper venue answered to each."""
        while self.actions and self.actions[0]["now_ns"] == now_ns:
            row = self.actions.popleft()
            if row["verdict"] == "denied":
                self.reject(row["order_id"], row["code"])
            elif row["kind"] == "new":
                self.new(row)
            elif row["kind"] == "cancel":
                self.shown.entry(row["order_id"]).status = DEAD
            else:
                entry = self.shown.entry(row["order_id"])
                entry.px, entry.qty = row["px_1e9"], row["qty_1e8"]

    def new(self, row: dict[str, Any]) -> None:
        entry = Entry(row)
        self.shown.table.append(entry)
        if row["order_type"] == "post_only" and self.is_next_rejected(row["order_id"]):
            entry.status = DEAD
            self.reject(row["order_id"], 2)
            return
        entry.status = ACKED
        while self.fills and self.fills[0]["order_id"] == row["order_id"] and self.fills[0]["now_ns"] == row["now_ns"]:
            self.fill()
        if row["order_type"] in ("market", "ioc", "fok") and entry.status in (ACKED, PARTIAL):
            entry.status = DEAD

    def is_next_rejected(self, order_id: int) -> bool:
        """Whether the guest hears now that the venue refused this order; our own refusals have other codes."""
        if not self.log or not self.log[0][1].startswith("on_reject "):
            return False
        told = self.layout.decode("Reject", bytes.fromhex(self.log[0][1].removeprefix("on_reject ")))
        return bool(told == {"order_id": order_id, "code": 2})


def test_algo_state_in_every_callback_is_the_reference(run: Run, layouts: dict[str, Any]) -> None:
    """Position, entry, PnL, session PnL, fill count, order table, metadata and limits, field by field."""
    version = "0.1.0" if run.result["callbacks"] and "trader01" in str(run.actions[0]["algo"]) else "0.4.0"
    name = [ord(c) for c in "BTC-USD".ljust(16, "\0")]
    fixed = {
        "symbol": SYMBOL, "risk": RISK, "symbol_id": 0, "symbol_name": name, "mesh_id": 0, "mesh_peer_count": 0,
        "mesh_peers": [0] * 16,
    }  # fmt: skip
    walk = Walk(run, Layout(layouts[version]), fixed)
    calls = 0
    while walk.log:
        when, text = walk.log[0]
        walk.beat(when)
        if text.startswith("on_book state"):
            walk.shown.mid = Fraction(walk.mids.popleft(), 2)
            walk.state("on_book")
            calls += 1
            while walk.log and walk.log[0][1].startswith(("on_book book", "on_book features")):
                walk.log.popleft()
            walk.acts(when)
        elif text.startswith("on_fill state"):  # a resting order, before this frame's on_book
            walk.shown.mid = Fraction(walk.mids[0], 2)
            walk.fill()
        elif text.startswith("on_shutdown state"):
            walk.state("on_shutdown")
            walk.acts(when)
        else:
            pytest.fail(f"a line that no event explains: {text[:60]}")
    assert calls == run.result["callbacks"]["on_book"] == 301
    assert walk.compared["on_fill"] == run.result["fills"] == len(run.fills)
    assert walk.compared["on_shutdown"] == 1
    assert run.result["callbacks"]["on_heartbeat"] - walk.beats in (0, 1), "one may follow the last line"
    assert walk.compared["on_reject"] == run.result["callbacks"]["on_reject"]
    assert not walk.fills
