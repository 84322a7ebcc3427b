"""The venue's own record against the journal's rows: what was lost, doubled, or called over and was not.

The record is the simulator's (`trading_kill_sim.record`), not what it tells over REST; the journal is read as a third
party reads it, row by row, by nothing that the gateway itself uses to recover.
"""

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from runtime.journal import schema
from runtime.memory import SessionMemory

_ENDS = ("canceled", "expired")


class Account:
    """What the rows say. `approved`: client order id → how many approvals; `filled`: → execution id → size ×1e8."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = 0
        self.approved: Counter[str] = Counter()
        self.heard: set[str] = set()  # the venue said something of it
        self.refused: set[str] = set()
        self.over: dict[str, int] = {}  # canceled or expired, and when that was first said
        self.filled: dict[str, dict[str, int]] = {}
        self.adopted: set[str] = set()
        self.unsent: set[str] = set()  # certain never to have left: withdrawn, or refused here
        self.asked = 0  # amends and cancels

    def read(self) -> None:
        """Folds the rows since the last time."""
        with closing(schema.readable(self.path)) as connection:
            sql = "SELECT seq, now_ns, kind, body FROM log WHERE seq > ? ORDER BY seq"
            for seq, now_ns, kind, body in connection.execute(sql, (self.seq,)):
                self.seq = seq
                self.take(kind, now_ns, msgspec.json.decode(body))

    def take(self, kind: str, now_ns: int, body: dict[str, Any]) -> None:
        """One row."""
        if kind == "action" and body["verdict"] == "approved":
            if body["kind"] == "new":
                self.approved[body["client_order_id"]] += 1
            else:
                self.asked += 1
        elif kind == "adopt":
            self.adopted.add(body.get("client_order_id", str(body)))
        elif kind == "report":
            self._report(body["client_order_id"], body["exec_type"], now_ns, body)

    def _report(self, name: str, what: str, now_ns: int, body: dict[str, Any]) -> None:
        if what == "rejected":
            is_ours = body.get("text", "").startswith("never sent")
            (self.unsent if is_ours else self.refused).add(name)
        elif what != "unknown":
            self.heard.add(name)
        if what in _ENDS:
            self.over.setdefault(name, now_ns)
        if what == "trade" and body.get("last_qty_1e8"):
            self.filled.setdefault(name, {})[body["exec_id"]] = body["last_qty_1e8"]

    def silent(self) -> set[str]:
        """Approved, and nobody knows what became of them."""
        return {
            name for name in self.approved
            if not (name in self.heard or name in self.refused or name in self.unsent or name in self.over)
        }  # fmt: skip


def memory_of(path: Path) -> SessionMemory | None:
    """What the next start is given."""
    with closing(schema.readable(path)) as connection:
        found = connection.execute("SELECT memory FROM state").fetchone()
    return msgspec.json.decode(found[0], type=SessionMemory) if found is not None else None


class Findings(msgspec.Struct):
    """Each a sentence. `lost`: the venue has it, we do not know it. `doubled`: more than one of one approval.

    `false`: called over and was not, or the other way round, or with another sum. `money`: a position that is not the
    sum of the venue's executions.
    """

    lost: list[str] = []
    doubled: list[str] = []
    false: list[str] = []
    money: list[str] = []

    def add(self, other: "Findings") -> None:
        """Those of another account, too."""
        for mine, more in zip((self.lost, self.doubled, self.false, self.money),
                              (other.lost, other.doubled, other.false, other.money), strict=True):  # fmt: skip
            mine.extend(more)

    @property
    def all(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.false, *self.money]


def judge(account: Account, record: dict[str, Any], memory: SessionMemory) -> Findings:
    """When the last life has found the account equal, and the market stands still."""
    found = Findings()
    there: dict[str, list[dict[str, Any]]] = {}
    for one in record["orders"]:
        there.setdefault(one["name"], []).append(one)
    here = {one.new.client_order_id: one for one in memory.gate.open_orders if not one.is_over}
    found.doubled += [f"{name} was placed {len(several)} times" for name, several in there.items() if len(several) > 1]
    found.doubled += [f"{name} was approved {n} times" for name, n in account.approved.items() if n > 1]
    found.lost += [f"{name} was adopted: nobody knew it" for name in account.adopted]
    for name, several in there.items():
        one = several[-1]
        if name not in account.approved:
            found.lost.append(f"{name} is at the venue, and no approval of it in the journal")
            continue
        if one["is_open"] and name not in here:
            found.lost.append(f"{name} is open there, and over or unknown here")
        found.false += _falsely(account, name, one)
        ours, theirs = account.filled.get(name, {}), one["fills"]
        if ours != theirs:
            found.false.append(
                f"{name} filled {sum(theirs.values())} there, {sum(ours.values())} here: {one['status']}"
            )
    for name in here:
        if not any(one["is_open"] for one in there.get(name, ())):
            found.false.append(f"{name} is open here, and not there")
    found.lost += [f"nobody knows what became of {name}" for name in account.silent()]
    found.money += _money(record, memory)
    return found


def _falsely(account: Account, name: str, one: dict[str, Any]) -> list[str]:
    """One clock for both: what we call over must have been over before."""
    if name in account.refused or name in account.unsent:
        return [f"{name} was called rejected, and is {one['status']} there"]
    said_ns = account.over.get(name)
    if said_ns is None:
        return []
    if one["is_open"] or one["status"] == "filled":
        return [f"{name} was called canceled, and is {one['status']} there"]
    return [f"{name} was called canceled before it was"] if said_ns < one["closed_ns"] else []


def _money(record: dict[str, Any], memory: SessionMemory) -> list[str]:
    sums: Counter[str] = Counter()
    for one in record["orders"]:
        sums[f"kraken:{one['symbol']}"] += one["side"] * one["cum_1e8"]
    gate = {market: held.position_1e8 for market, held in memory.gate.markets.items()}
    oms: Counter[str] = Counter()
    for positions in memory.positions.values():
        oms.update({market: held.qty_1e8 for market, held in positions.items()})
    return [f"{market} was latched for drift" for market in memory.gate.drifts] + [
        f"{market}: {sums[market]} there, {of.get(market, 0)} by the {whose}"
        for market in {*sums, *gate, *oms}
        for whose, of in (("gate", gate), ("OMS", oms))
        if of.get(market, 0) != sums[market]
    ]
