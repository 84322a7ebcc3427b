"""Fail closed, input by input: what the gate reads while it judges is spoiled, one at a time, and nothing passes.

The inputs are found by looking (`spies.py`), in a world where every control has a limit, for orders of every kind that
all pass; so an input that a new check reads is spoiled here without anybody naming it. `-s` prints the counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from connectors.orders import Approved
from risk.checks import CHECKS
from risk.denial import Denied, DenyReason
from risk.limits import Scope
from tests.risk.spies import BAD, Input, Spy, has_numbers
from tests.risk.world import FINE, World, px, qty, tree, usd

ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD", min_notional_1e9=1)
ALL_LIMITS = {
    "max_order_qty_1e8": qty(900), "max_capital_1e9": usd(10**6), "max_drawdown_1e9": usd(10**6), "max_cancel_rate": 50,
    "collar_window_bps": 900, "max_duplicates": 50, "max_repeats": 50, "max_refusals": 10**6,
}  # fmt: skip
SCOPES = (
    Scope("venue", "kraken", {"max_position_1e8": qty(900), "max_order_rate": 900, "max_daily_loss_1e9": usd(10**6)}),
    Scope("algo", "a0", {"max_position_1e8": qty(800), "max_capital_1e9": usd(10**6), "max_order_rate": 900}),
    Scope("canary", "", {"max_orders": 50, "max_position_1e8": qty(500), "max_order_notional_1e9": usd(10**5)}),
)
MONEY = {"kraken": dict.fromkeys(("USD", "BTC", "ETH"), qty(10**6))}

ORDERS: dict[str, dict[str, Any]] = {
    "buy": {},
    "sell": {"side": -1, "qty_1e8": qty(5)},
    "reducing": {"side": -1},
    "market": {"order_type": 1, "px_1e9": 0, "qty_1e8": qty(6)},
    "elsewhere": {"venue_id": 2},
    "pool": {"pool_idx": 1},
    "other algo": {"algo": 1},
    "small ether": {"symbol_idx": 2},
    "amend": {"amend": True},
}

SIGNED = {
    "position_1e8", "realized_1e17", "total_1e17", "start_1e17", "peak_1e17", "raise_1e8", "own_raise_1e8", "more_1e8",
    "side", "short_1e17", "last_ns", "link_ns", "venue_position_1e8",
}  # fmt: skip
"""Below zero is a value of these like any other (a link's −1 says that it is down)."""
OF_ITS_OWN = "made by its own constructor from Limits, which refuse such a value (test_limits)"
SPARED: dict[Input, str] = {
    ("Case", "repeat_latch"): "None says that nothing is latched; and what reduces is not asked",
    ("Bounds", "canary"): "None says that there is none",
    ("Case", "px_1e9"): "of a market order it is not looked at",
    ("Deployment", "name"): "a name, compared with names",
    ("Deployment", "sha256"): "a name, compared with names",
    ("Deployment", "unseen"): "one less than none, added to the open orders, is a count like any other",
    ("Market", "base"): "a name: a currency that is not listed has no balance",
    ("LiveOrder", "client_order_id"): "a name: an order that is not listed holds no balance",
    ("LiveOrder", "filled_1e8"): "for the balance alone, which the new total covers",
    ("LiveOrder", "most_1e8"): "for the balance alone, which the new total covers",
    ("Account", "open_counts"): "the spoiled one is another's",
    ("Account", "sides"): "the spoiled one is another's (see below for the order's own)",
    ("Purse", "holds"): "the spoiled one is another's",
    ("Purse", "_taker_ppm"): OF_ITS_OWN,
    ("MidRange", "_low"): "an empty range is this moment's mid",
    ("MidRange", "_high"): "an empty range is this moment's mid",
    ("MidRange", "window_ns"): OF_ITS_OWN,
    ("Recent", "entries"): "nothing is forgotten then",
    ("Recent", "window_ns"): OF_ITS_OWN,
    ("States", "is_quiet"): "whatever is not True: all states are looked at",
}
"""What may stand there and let an order pass, and why that opens nothing. A new input is not on this list."""


class Judgement:
    """Positions, a position whose book is gone, open orders on both sides; and an order of one kind, judged."""

    def __init__(self, kind: str) -> None:
        third = msgspec.structs.replace(ETHER, symbol="SOL/USD")
        self.world = world = World(
            tree(*SCOPES, **ALL_LIMITS), (FINE, ETHER, third), algos=2, away=True, hashes=("ab",), balances=MONEY,
            taker_ppm=4_000,
        )  # fmt: skip
        world.hold(1, qty(2))
        world.hold(1, qty(3), symbol_idx=1)
        world.books[1].invalidate("checksum")
        if kind != "market":  # which would trade with it
            world.new(side=-1, px_1e9=px(103))
        world.new(px_1e9=px(98))
        self.standing = world.new(px_1e9=px(98), qty_1e8=qty(4))
        self.kind = kind
        self.spy = Spy()
        self.spy.watch_all(world.gate)

    def verdict(self, bad: dict[Input, Any], *, within: bool = False) -> object:
        """Of the real thing, which may count it: Approved, Denied, or an exception that came out."""
        self.spy.bad, self.spy.within = bad, within
        try:
            if self.kind == "amend":
                return self.world.amend(self.standing, qty(6), px(99))
            return self.world.ask(**ORDERS[self.kind])
        except Exception as error:  # noqa: BLE001 - that none comes out is what is shown
            return error

    def dry(self, bad: dict[Input, Any], *, within: bool = False) -> object:
        """The same without counting: None lets pass."""
        self.spy.bad, self.spy.within = bad, within
        order = {"side": 1, "px_1e9": px(100), "qty_1e8": qty(1), "order_type": 0, "venue_id": 0, "pool_idx": 0,
                 "symbol_idx": 0, "algo": 0, **ORDERS[self.kind]}  # fmt: skip
        action = (
            999, order["px_1e9"], order["qty_1e8"], order["side"], 0, order["order_type"], order["venue_id"],
            order["pool_idx"], order["symbol_idx"], 0,
        )  # fmt: skip
        gate, now = self.world.gate, self.world.now
        try:
            if self.kind == "amend":
                return gate.judge_amend(0, self.standing.order_id, px(99), qty(6), now)
            return gate.judge(order["algo"], action, now)
        except Exception as error:  # noqa: BLE001 - that none comes out is what is shown
            return error


@cache
def inputs_of(kind: str) -> dict[Input, Any]:
    """What is read for an order of this kind, which passes."""
    judgement = Judgement(kind)
    verdict = judgement.verdict({})
    assert isinstance(verdict, Approved), verdict
    assert verdict.checks == len(CHECKS)
    return judgement.spy.read


def trials(kind: str) -> Iterator[tuple[Input, str, bool]]:
    """Input, how it is spoiled, whether whole or within: a number in a list, dict or tuple."""
    for key, value in inputs_of(kind).items():
        is_number = isinstance(value, int) and not isinstance(value, bool)
        for name in BAD:
            if name == "None" and value is None:
                continue
            if name != "negative" or (is_number and key[1] not in SIGNED):
                yield key, name, False
            if isinstance(value, dict | list | tuple) and has_numbers(value) and name not in ("missing", "negative"):
                yield key, name, True


@pytest.mark.parametrize("kind", ORDERS)
def test_no_spoiled_input_lets_an_order_pass(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    holes, spared, count, judgement = [], set[Input](), 0, Judgement(kind)
    for key, name, within in trials(kind):
        verdict = judgement.dry({key: BAD[name]}, within=within)
        count += 1
        if verdict is None and key in SPARED:
            spared.add(key)
        elif not isinstance(verdict, Denied):
            holes.append(f"{'.'.join(key)} {name}{' within' if within else ''}: {verdict}")
        assert judgement.dry({}) is None, "and it passes again when nothing is spoiled"
    with capsys.disabled():
        print(f" [{kind}: {len(inputs_of(kind))} inputs, {count} trials, {len(spared)} spared]", end="")
    assert holes == []


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("name", ["None", "nan", "sour"])
def test_an_own_order_of_no_price_meets_every_order(side: int, name: str) -> None:
    world = World()
    standing = world.new(side=-side, px_1e9=px(100) + side * px(1))
    world.gate.account.sides[-side][0][standing.client_order_id] = BAD[name]()
    assert isinstance(world.ask(side=side), Denied)


def test_the_inputs_of_all_kinds_are_what_a_case_has() -> None:
    """Every slot of a Case is read in some order's judgement: one that nobody reads is none."""
    read = {attribute for kind in ORDERS for name, attribute in inputs_of(kind) if name == "Case"}
    from risk.case import Case

    assert set(Case.__slots__) - read <= {"state_scope"}, "read in refusals only"
    classes = {name for kind in ORDERS for name, _ in inputs_of(kind)}
    assert classes >= {"Market", "Link", "Bounds", "Exposure", "Ledger", "Stock", "Window", "Instrument", "L2Book"}


@pytest.mark.parametrize(
    ("key", "name", "within", "said"),
    [
        (("Bounds", "max_open"), "negative", False, "inputs raised ValueError: an input is negative"),
        (("Case", "mid_span"), "negative", True, "inputs raised ValueError: the range of the mid is negative"),
        (("Bounds", "canary"), "negative", True, "inputs raised ValueError: a limit is negative"),
        (("Case", "state"), "nan", False, "inputs raised ValueError: a state is unknown"),
        (("Case", "reduces"), "negative", False, "inputs raised TypeError: an input is of another kind"),
        (("Ledger", "latches"), "None", False, "inputs raised TypeError: latches are not known"),
    ],
)
def test_what_was_wrong_with_an_input_is_said(key: Input, name: str, said: str, *, within: bool) -> None:
    verdict = Judgement("buy").dry({key: BAD[name]}, within=within)
    assert isinstance(verdict, Denied)
    assert (verdict.reason, verdict.rule) == (DenyReason.RISK_STATE_UNKNOWN, said)


@pytest.mark.parametrize("kind", ORDERS)
def test_the_dry_run_above_is_the_real_thing(kind: str) -> None:
    """Approved where nothing is spoiled; with inputs spoiled denied, and nothing is counted."""
    assert isinstance(Judgement(kind).verdict({}), Approved)
    for key in (("Case", "now_ns"), ("Market", "link"), ("Exposure", "position_1e8")):
        judgement = Judgement(kind)
        before = judgement.world.counted()
        verdict = judgement.verdict({key: BAD["raises"]})
        assert isinstance(verdict, Denied)
        assert verdict.reason is DenyReason.RISK_STATE_UNKNOWN
        assert judgement.world.counted() == before
