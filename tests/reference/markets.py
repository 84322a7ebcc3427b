"""What the reference knows of the world: links, markets, algos, and the limits that hold for an order."""

from __future__ import annotations

from dataclasses import dataclass, field

from risk.limits import ACCOUNT, UNSET, LimitTree

Levels = list[tuple[int, int]]


@dataclass(slots=True)
class Wire:
    """One venue's link, and what the venue says of itself."""

    venue: str
    venue_id: int
    last_ns: int
    is_up: bool = True
    system: str = "online"
    is_reconciled: bool = True


@dataclass(slots=True)
class Place:
    """One market: its rules, its book as last shown, and every mid it was marked at since the start (`mids`)."""

    index: int
    name: str
    symbol: str
    wire: Wire
    tick: int
    lot: int
    is_onchain: bool = False
    min_qty: int = 0
    min_notional: int = 0
    status: str = "online"
    is_known: bool = True
    bids: Levels = field(default_factory=list)
    asks: Levels = field(default_factory=list)
    is_trusted: bool = False
    mid2: int | None = None
    mark_ns: int = 0
    mids: list[tuple[int, int]] = field(default_factory=list)
    has_drifted: bool = False
    base: str = ""
    quote: str = ""
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """`labels`: every scope of limits that this market lies in, the widest first."""
        self.base, _, self.quote = self.symbol.partition("/")
        self.labels = (ACCOUNT, f"venue:{self.wire.venue}", f"instrument:{self.symbol}", f"instrument:{self.name}")

    def touch(self) -> tuple[int, int]:
        return (self.bids[0][0] if self.bids else 0, self.asks[0][0] if self.asks else 0)

    def shown(self, side: int) -> Levels:
        """What an order of this side would trade with, best first."""
        return self.asks if side > 0 else self.bids


@dataclass(slots=True)
class Trader:
    """One algo: its name, its module, where it may aim. `own`: market by symbol; others by (venue or slot)."""

    index: int
    name: str
    sha256: str
    venue_id: int
    own: tuple[int, ...]
    elsewhere: dict[tuple[int, int], int]
    pools: dict[tuple[int, int], int]
    label: str = ""

    def __post_init__(self) -> None:
        self.label = f"algo:{self.name}"


class Rules:
    """A LimitTree, read: what each scope says, and which limits an order meets."""

    def __init__(self, tree: LimitTree) -> None:
        self.tree = tree
        self._each: dict[tuple[tuple[str, ...], str], list[tuple[str, int]]] = {}
        account = {name: getattr(tree.account, name) for name in tree.account.__struct_fields__}
        self.said: dict[str, dict[str, int]] = {ACCOUNT: {k: v for k, v in account.items() if v != UNSET}}
        self.permitted: dict[str, tuple[str, ...]] = {}
        if tree.instruments is not None:
            self.permitted[ACCOUNT] = tree.instruments
        for scope in tree.scopes:
            self.said[scope.label] = {key: value for key, value in scope.values.items() if value != UNSET}
            if scope.instruments is not None:
                self.permitted[scope.label] = scope.instruments

    def each(self, labels: tuple[str, ...], key: str) -> list[tuple[str, int]]:
        """Which of these scopes say this limit, and what."""
        found = self._each.get((labels, key))
        if found is None:
            said = [(label, self.said.get(label, {}).get(key)) for label in labels]
            found = self._each[labels, key] = [(label, value) for label, value in said if value is not None]
        return found

    def tightest(self, labels: tuple[str, ...], key: str) -> int | None:
        return min((value for _, value in self.each(labels, key)), default=None)

    def account(self, key: str) -> int | None:
        return self.said[ACCOUNT].get(key)

    def rate(self, label: str, key: str) -> int | None:
        """Messages a second; of cancels, where nobody said them, as many as orders."""
        said = self.said.get(label, {})
        return said.get(key, said.get("max_order_rate"))

    def is_said(self, key: str) -> bool:
        """Whether any scope limits it."""
        return any(key in said for said in self.said.values())
