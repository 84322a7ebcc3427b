"""Scenarios: one rule of the gate a file, in words that a trader can read (fixtures/scenarios/README.md), and run.

A file is TOML: `about`, `reason` (what it shows), `[limits]` as in gateway.toml, and `steps`, one line a step: a time,
what happens, and after an arrow what must come of it. What the parser does not know, it refuses by file and line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.events import Balance, ExecType, PositionReport
from connectors.instrument import Instrument
from connectors.orders import Approved, NewOrder, OrderType
from risk.denial import Denied, DenyReason
from risk.gate import Gate
from risk.happenings import Latched, Switched
from risk.limit_terms import ORDER_TYPES, term
from risk.limits import KEYS, Limits, LimitTree, Scope
from risk.memory import Memory
from risk.override import Grant
from tests.risk.world import DAY, FINE, SECOND, T0, WIDE, World, px, qty

FOLDER: Final = Path(__file__).resolve().parents[2] / "fixtures/scenarios"
KNOWN: Final = {"about", "reason", "limits", "steps", "instruments", "balances", "live", "canary"}
ALGOS: Final = ("mm", "arb")
WHERE: Final = {
    "kraken:BTC/USD": {}, "kraken:ETH/USD": {"symbol_idx": 1}, "other:BTC/USD": {"venue_id": 2},
    "dex:BTC/USD": {"venue_id": 12}, "dex:BTC/USD@0x0": {"pool_idx": 1}, "dex:BTC/USD@0x1": {"pool_idx": 2},
}  # fmt: skip
TYPES: Final = {"": OrderType.LIMIT, "ioc": OrderType.IOC, "fok": OrderType.FOK, "post-only": OrderType.POST_ONLY}
SCALES: Final = {"(1e-8)": 8, "(1e-9)": 9, "(ns)": 9}


class ScenarioError(Exception):
    """A file that cannot be read, or that says what does not happen."""


def number(amount: int, decimals: int) -> str:
    """An integer at a scale, as a person writes it."""
    text = f"{Decimal(amount).scaleb(-decimals):f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def told(denied: Denied) -> str:
    """`denied MAX_POSITION: limit 1, observed 1.1 (account)`."""
    decimals = next((scale for unit, scale in SCALES.items() if denied.rule.endswith(unit)), 0)
    scope = f" ({denied.scope})" if denied.scope else ""
    limit, observed = number(denied.limit, decimals), number(denied.observed, decimals)
    return f"denied {denied.reason}: limit {limit}, observed {observed}{scope}"


def _limit(key: str, value: Any) -> int:
    if key == "order_types":
        return sum(ORDER_TYPES[name] for name in value)
    return int(Decimal(str(value)).scaleb(term(key)[1]))


def _values(said: dict[str, Any], known: frozenset[str] | set[str], place: str) -> dict[str, int]:
    names = {term(key)[0]: key for key in known}
    if unknown := said.keys() - names.keys():
        raise ScenarioError(f"{place}: {', '.join(sorted(unknown))} is no limit")
    return {names[name]: _limit(names[name], value) for name, value in said.items()}


def limits_of(said: dict[str, Any], place: str) -> LimitTree:
    """`[limits]`: keys of the account; a table named like a scope (`"algo:mm"`, `canary`) for each narrower one."""
    own = {name: value for name, value in said.items() if not isinstance(value, dict) and name != "instruments"}
    account = {name: getattr(WIDE, name) for name in Limits.__struct_fields__}
    account |= _values(own, set(Limits.__struct_fields__), place)
    scopes = []
    for label, inner in said.items():
        if isinstance(inner, dict):
            kind, _, name = label.partition(":")
            if kind not in KEYS:
                raise ScenarioError(f"{place}: {label} is no scope")
            listed = inner.pop("instruments", None)
            scopes.append(Scope(kind, name, _values(inner, KEYS[kind], place), listed and tuple(listed)))
    listed = said.get("instruments")
    return LimitTree(Limits(**account), tuple(scopes), tuple(listed) if listed is not None else None)


class Scenario:
    """One file. `run` plays it; `met` are the reasons that were denied on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        said = tomllib.loads(path.read_text())
        if unknown := said.keys() - KNOWN:
            raise ScenarioError(f"{path.name}: {', '.join(sorted(unknown))} is not known here")
        self.about: str = said["about"]
        self.reason = DenyReason(said["reason"])
        self.steps: list[str] = [line.strip() for line in said["steps"].splitlines()]
        self.met: set[DenyReason] = set()
        self._live: bool = said.get("live", False)
        self._instruments: dict[str, Any] = said.get("instruments", {})
        self._balances = {
            venue: {name: qty(str(amount)) for name, amount in held.items()}
            for venue, held in said.get("balances", {}).items()
        }
        self._hashes = tuple(f"hash of {name}" for name in ALGOS)
        self._tree = limits_of(said.get("limits", {}), path.name)
        if not said.get("canary"):
            self._tree = msgspec.structs.replace(self._tree, promoted=self._hashes)

    def run(self) -> None:
        """Raises ScenarioError with file and line for the first step that is not known or comes out otherwise."""
        self.orders: dict[str, NewOrder] = {}
        self.silent: set[str] = set()
        self.world = self._world()
        lines = self.path.read_text().splitlines()
        for step in self.steps:
            if step and not step.startswith("#"):
                at = f"{self.path.name}:{next(n for n, line in enumerate(lines, 1) if line.strip() == step)}"
                said, _, want = (part.strip() for part in step.partition("→"))
                got = self._step(said, at)
                if want != got and not (want.startswith("denied") and got.startswith(f"{want}:")):
                    raise ScenarioError(f"{at}: {said}\n  says {want or 'nothing'}\n  got  {got or 'nothing'}")

    def _world(self) -> World:
        found: list[Instrument | None] = []
        for symbol in ("BTC/USD", "ETH/USD"):
            own = self._instruments.get(f"kraken:{symbol}", {})
            scaled = {"tick": ("tick_size_1e9", px), "lot": ("lot_size_1e8", qty), "minimum": ("min_qty_1e8", qty)}
            fields = {scaled[name][0]: scaled[name][1](str(value)) for name, value in own.items() if name in scaled}
            made = msgspec.structs.replace(FINE, symbol=symbol, **fields)
            found.append(None if own.get("unknown") else made)
        world = World(
            self._tree, tuple(found), algos=2, away=True, hashes=self._hashes, names=ALGOS, is_paper=not self._live,
            balances=self._balances,
        )  # fmt: skip
        if found[0] is None:
            world.markets[0].name, world.markets[0].symbol = "kraken:BTC/USD", "BTC/USD"
        world.gate.take()
        return world

    # --- one line --------------------------------------------------------------------------------------------------

    def _step(self, said: str, at: str) -> str:
        """Plays it; what came of it, as the scenario would say it."""
        found = re.fullmatch(r"(?:day (\d+) )?(\d\d):(\d\d):(\d\d(?:\.\d+)?) (.+)", said)
        if found is None:
            raise ScenarioError(f"{at}: a step begins with its time: HH:MM:SS, or day 2 HH:MM:SS")
        day, hour, minute, second, rest = found.groups()
        now = T0 // DAY * DAY + (int(day or 1) - 1) * DAY + (int(hour) * 60 + int(minute)) * 60 * SECOND
        now += px(second)
        if now < self.world.now:
            raise ScenarioError(f"{at}: time steps back")
        self.world.now = now
        for link, venue in zip(self.world.links, ("kraken", "other", "dex", "dex", "dex"), strict=True):
            if venue not in self.silent:
                link.last_ns = now
        self.world.gate.roll(now)
        for pattern, play in WORDS.items():
            words = re.fullmatch(pattern, rest)
            if words is not None:
                return "; ".join([word for word in (play(self, **words.groupdict()), *self._happened()) if word])
        raise ScenarioError(f"{at}: {rest!r} is not known")

    def _happened(self) -> list[str]:
        """What the gateway did by itself."""
        found = []
        for one in self.world.gate.take():
            if isinstance(one, Latched):
                decimals = 9 if one.quote else 8 if one.reason is DenyReason.POSITION_DRIFT else 0
                amounts = f"limit {number(one.limit, decimals)}, observed {number(one.observed, decimals)}"
                found.append(f"latches {one.scope}: {one.reason} {amounts}")
            elif isinstance(one, Switched) and one.who == "gateway":
                found.append(f"{one.after} {one.scope}")
        return found

    def _verdict(self, verdict: object, name: str = "") -> str:
        if isinstance(verdict, Denied):
            self.met.add(verdict.reason)
            return told(verdict)
        assert isinstance(verdict, Approved)
        if name:
            self.orders[name] = verdict.order
        return "approved"

    def order(
        self, algo: str, side: str, size: str, market: str | None, price: str, kind: str | None, number: str | None,
        name: str | None,
    ) -> str:  # fmt: skip
        given: dict[str, Any] = {"algo": ALGOS.index(algo), "side": 1 if side == "buys" else -1, "qty_1e8": qty(size)}
        given |= WHERE[market or "kraken:BTC/USD"]
        if price == "market":
            given |= {"px_1e9": 0, "order_type": int(OrderType.MARKET)}
        else:
            given |= {"px_1e9": px(price), "order_type": int(TYPES[kind or ""])}
        if number:
            given["order_id"] = int(number)
        return self._verdict(self.world.ask(**given), name or f"last of {algo}")

    def raw(self, algo: str, field: str, value: str) -> str:
        fields = {"side": "side", "venue": "venue_id", "pool": "pool_idx", "symbol": "symbol_idx"}
        return self._verdict(self.world.ask(**{"algo": ALGOS.index(algo), fields[field]: int(value)}))

    def amend(self, name: str, size: str, price: str) -> str:
        return self._verdict(self.world.amend(self.orders[name], qty(size), px(price)))

    def cancel(self, name: str) -> str:
        return self._verdict(self.world.cancel(self.orders[name]))

    def fill(self, name: str, size: str | None, price: str | None, fee: str | None) -> str:
        order = self.orders[name]
        size_1e8 = qty(size) if size else order.qty_1e8
        self.world.fill(
            order, size_1e8, px(price) if price else order.px_1e9, leaves=max(order.qty_1e8 - size_1e8, 0),
            fee=px(fee or 0),
        )  # fmt: skip
        return ""

    def ended(self, name: str, word: str) -> str:
        kinds = {"canceled": ExecType.CANCELED, "rejected": ExecType.REJECTED, "in doubt": ExecType.UNKNOWN}
        self.world.report(self.orders[name], kinds[word])
        return ""

    def book(self, market: str | None, bid: str, ask: str) -> str:
        index = self._index(market)
        self.world.show(min(bid, ask, key=Decimal), max(bid, ask, key=Decimal), index)
        if Decimal(bid) >= Decimal(ask):  # no book of ours lets itself be loaded so: the buffer says it
            words = memoryview(self.world.books[index].buffer).cast("Q")
            words[0], words[40] = px(bid), px(ask)
        return ""

    def lost(self, market: str | None) -> str:
        self.world.books[self._index(market)].invalidate("checksum")
        return ""

    def _index(self, market: str | None) -> int:
        return [one.name for one in self.world.markets].index(market or "kraken:BTC/USD")

    def link(self, venue: str, word: str) -> str:
        index = {"kraken": 0, "other": 1}[venue]
        if word == "speaks":
            self.silent.discard(venue)
            self.world.links[index].last_ns = self.world.now
        else:
            self.silent.add(venue)
            if word == "is down":
                self.world.links[index].last_ns = -1
        return ""

    def status(self, word: str) -> str:
        self.world.link.system = word
        return ""

    def reconciled(self, word: str | None) -> str:
        self.world.link.is_reconciled = word is None
        return ""

    def position(self, size: str) -> str:
        told_1e8 = qty(size)
        self.world.gate.position(PositionReport(0, told_1e8), self.world.now)
        return ""

    def balance(self, currency: str, amount: str) -> str:
        self.world.gate.balance(Balance("kraken", currency, qty(amount)))
        return ""

    def switch(self, word: str, scope: str) -> str:
        {"halts": self.world.halt, "reduces": self.world.reduce, "arms": self.world.arm}[word](scope)
        self.world.gate.take()
        return ""

    def limit(self, scope: str, key: str, value: str) -> str:
        tree = self.world.gate.tree
        if scope == "account":
            values = _values({key: value}, set(Limits.__struct_fields__), self.path.name)
            tree = msgspec.structs.replace(tree, account=msgspec.structs.replace(tree.account, **values))
        else:
            kind, _, name = scope.partition(":")
            before = tree.scope(scope)
            values = (before.values if before else {}) | _values({key: value}, KEYS[kind], self.path.name)
            rest = tuple(one for one in tree.scopes if one.label != scope)
            tree = msgspec.structs.replace(tree, scopes=(*rest, Scope(kind, name, values)))
        self.world.gate.apply(tree, "ana")
        return ""

    def promote(self, algo: str) -> str:
        self.world.gate.promote(self._hashes[ALGOS.index(algo)], "ana")
        return ""

    def grant(self, algo: str, side: str, size: str, price: str, hour: str, minute: str) -> str:
        until = self.world.now // DAY * DAY + (int(hour) * 60 + int(minute)) * 60 * SECOND
        sign = 1 if side == "buy" else -1
        self.world.gate.grant(
            Grant(f"g{self.world.now}", algo, "kraken:BTC/USD", sign, qty(size), px(price), until, "ana")
        )
        return ""

    def restart(self) -> str:
        """A fresh gate that is given the memory of the one before, by way of its JSON; books are learnt anew."""
        memory = msgspec.json.decode(msgspec.json.encode(self.world.gate.memory()), type=Memory)
        before, now = self.world, self.world.now
        self.world = self._world()
        self.world.now, self.world.sent, self.world.executions = now, before.sent, before.executions
        assert isinstance(self.world.gate, Gate)
        self.world.gate.restore(memory)
        for index, book in enumerate(before.books):
            (bid, _), (ask, _) = book.bids[0], book.asks[0]
            self.world.books[index].load([(bid, qty(1_000))], [(ask, qty(1_000))], now)
            self.world.gate.mark(index, bid + ask, now)
        for link in self.world.links:
            link.last_ns = now
        return ""

    def passes(self) -> str:
        """Time does, and nothing else."""
        return ""


_N = r"\d+(?:\.\d+)?"
_M = r"(?: (?P<market>\w+:[A-Z]+/[A-Z]+(?:@0x\d)?))?"
_NAME = r"(?P<name>[A-Z]|last of \w+)"
WORDS: Final[dict[str, Callable[..., str]]] = {
    rf"(?P<algo>mm|arb) (?P<side>buys|sells) (?P<size>{_N}){_M} at (?P<price>{_N}|market)"
    r"(?: (?P<kind>ioc|fok|post-only))?(?: with id (?P<number>\d+))?(?: as (?P<name>[A-Z]))?": Scenario.order,
    r"(?P<algo>mm|arb) orders with (?P<field>side|venue|pool|symbol) (?P<value>\d+)": Scenario.raw,
    rf"{_NAME} is amended to (?P<size>{_N}) at (?P<price>{_N})": Scenario.amend,
    rf"{_NAME} is to be canceled": Scenario.cancel,
    rf"{_NAME} is filled(?: by (?P<size>{_N}))?(?: at (?P<price>{_N}))?(?:, fee (?P<fee>{_N}))?": Scenario.fill,
    rf"{_NAME} is (?P<word>canceled|rejected|in doubt)": Scenario.ended,
    rf"book{_M} (?P<bid>{_N}) / (?P<ask>{_N})": Scenario.book,
    rf"book{_M} is lost": Scenario.lost,
    r"link of (?P<venue>kraken|other) (?P<word>is down|falls silent|speaks)": Scenario.link,
    r"kraken says (?P<word>\w+)": Scenario.status,
    r"kraken is (?P<word>not )?reconciled": Scenario.reconciled,
    rf"kraken says its position is (?P<size>{_N})": Scenario.position,
    rf"kraken says (?P<amount>{_N}) (?P<currency>[A-Z]+) are there": Scenario.balance,
    r"ana (?P<word>halts|reduces|arms) (?P<scope>\S+)": Scenario.switch,
    rf"ana sets (?P<scope>\S+) (?P<key>\w+) (?P<value>{_N})": Scenario.limit,
    r"ana promotes (?P<algo>mm|arb)": Scenario.promote,
    rf"ana lets (?P<algo>mm|arb) (?P<side>buy|sell) (?P<size>{_N}) at (?P<price>{_N}) once, "
    r"until (?P<hour>\d\d):(?P<minute>\d\d)":
        Scenario.grant,
    r"restart": Scenario.restart,
    r"nothing happens": Scenario.passes,
}  # fmt: skip


def scenarios() -> list[Path]:
    return sorted(FOLDER.glob("*.toml"))


__all__ = ["FOLDER", "Scenario", "ScenarioError", "scenarios", "told"]
