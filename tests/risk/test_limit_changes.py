"""What tightens may be made at once, what loosens may not: of every two trees of limits."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.orders import OrderType
from risk.limit_changes import Change, changes, is_looser, tightened
from risk.limit_terms import covers, lies_in, value_text
from risk.limits import ALL_TYPES, KEYS, KINDS, SECOND_NS, UNSET, Limits, LimitTree, Scope, said

REQUIRED = ("max_position_1e8", "max_order_notional_1e9", "max_order_rate", "price_collar_bps", "max_daily_loss_1e9")
WINDOWS = ("collar_window_ns", "duplicate_window_ns", "repeat_window_ns", "refusal_window_ns")
MARKETS = {
    "kraken:BTC/USD": "BTC/USD", "kraken:ETH/USD": "ETH/USD", "dex_arb:ETH/USD": "ETH/USD",
    "dex_arb:ETH/USD@0x11": "ETH/USD", "dex_arb:BTC/USD@0x22#1": "BTC/USD",
}  # fmt: skip
SCOPES = [("venue", "kraken"), ("venue", "dex_arb"), ("instrument", "BTC/USD"), ("instrument", "kraken:BTC/USD"),
          ("algo", "mm"), ("algo", "kraken"), ("canary", "")]  # fmt: skip

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
amounts = st.integers(1, 4)
types = st.integers(0, ALL_TYPES)
lists = st.sets(st.sampled_from([*MARKETS, *MARKETS.values()]), max_size=4).map(lambda found: tuple(sorted(found)))


def value_of(key: str) -> st.SearchStrategy[int]:
    return types if key == "order_types" else amounts


@st.composite
def scopes(draw: st.DrawFn) -> tuple[Scope, ...]:
    made = []
    for kind, name in draw(st.sets(st.sampled_from(SCOPES), max_size=4)):
        keys = draw(st.sets(st.sampled_from(sorted(KEYS[kind])), min_size=1, max_size=6))
        permitted = draw(st.none() | lists) if kind in ("venue", "algo") else None
        made.append(Scope(kind, name, {key: draw(value_of(key)) for key in sorted(keys)}, permitted))
    return tuple(sorted(made, key=lambda scope: (KINDS.index(scope.kind), scope.name)))


@st.composite
def trees(draw: st.DrawFn, file: str = "a") -> LimitTree:
    account = {
        key: draw(
            value_of(key) if key in REQUIRED or key in WINDOWS or key == "order_types" else amounts | st.just(UNSET)
        )
        for key in Limits.__struct_fields__
    }
    tree = LimitTree(Limits(**account), draw(scopes()), draw(st.none() | lists), draw(lists))
    places = [f"{label}.{key}" for label, key, value in said(tree) if value != UNSET]
    return LimitTree(
        tree.account, tree.scopes, tree.instruments, tree.promoted, {key: f"{file}:{n}" for n, key in enumerate(places)}
    )


def in_force(tree: LimitTree) -> dict[tuple[str, str], Any]:
    """What each scope lets through, written from docs/gate.md: numbers as they are, lists as what is on them."""
    found: dict[tuple[str, str], Any] = {}
    labels = {f"{kind}:{name}" if name else kind: kind for kind, name in SCOPES}
    for label, kind in {"account": "account", **labels}.items():
        scope = tree.scope(label)
        keys = Limits.__struct_fields__ if kind == "account" else KEYS[kind]
        for key in keys:
            own = (
                getattr(tree.account, key) if kind == "account" else (scope.values.get(key, UNSET) if scope else UNSET)
            )
            found[label, key] = own
        types_ = found.get((label, "order_types"), 0)
        found[label, "order_types"] = {kind_ for kind_ in OrderType if types_ == UNSET or types_ >> kind_ & 1}
        if found.get((label, "max_cancel_rate")) == UNSET:
            found[label, "max_cancel_rate"] = found[label, "max_order_rate"]
        names = tree.instruments if kind == "account" else scope.instruments if scope else None
        found[label, "instruments"] = {
            name for name, symbol in MARKETS.items() if names is None or {name, symbol} & set(names)
        }
    found["account", "promoted"] = set(tree.promoted)
    return found


@unhurried
@given(trees("a"), trees("b"))
def test_only_what_tightens_is_made_at_once(old: LimitTree, new: LimitTree) -> None:
    """In every limit of every scope the tighter of the two holds, neither more nor less."""
    before, after, made = in_force(old), in_force(new), in_force(tightened(old, new))
    assert made.keys() == before.keys()
    for (label, key), value in made.items():
        one, other = before[label, key], after[label, key]
        if isinstance(value, set):
            assert value == one & other, (label, key)
        else:
            assert value == (max if key in WINDOWS else min)(one, other), (label, key)


@unhurried
@given(trees("a"), trees("b"))
def test_what_is_made_at_once_and_what_waits_is_everything(old: LimitTree, new: LimitTree) -> None:
    made = tightened(old, new)
    assert not any(is_looser(change) for change in changes(old, made))
    assert all(is_looser(change) for change in changes(made, new))
    both = {(change.scope, change.key) for change in (*changes(old, made), *changes(made, new))}
    assert both == {(change.scope, change.key) for change in changes(old, new)}
    assert tightened(made, new) == made
    if not any(is_looser(change) for change in changes(old, new)):
        assert made == new


@unhurried
@given(trees("a"))
def test_nothing_changed(tree: LimitTree) -> None:
    assert changes(tree, tree) == []
    assert tightened(tree, tree) == tree


@unhurried
@given(trees("a"), trees("b"))
def test_an_origin_is_that_of_whoever_said_the_value(old: LimitTree, new: LimitTree) -> None:
    made = tightened(old, new)
    values = {(label, key): value for label, key, value in said(made) if value != UNSET}
    for (label, key), value in values.items():
        source = {(at, name): number for at, name, number in said(new)}
        at = new if source.get((label, key)) == value else old
        assert made.origin(label, key) == at.origin(label, key)
    assert set(made.origins) <= {f"{label}.{key}" for label, key in values}


FINE = Limits(max_position_1e8=10**8, max_order_notional_1e9=10**12, max_order_rate=20, price_collar_bps=300,
              max_daily_loss_1e9=5 * 10**11)  # fmt: skip


def tree(*scopes: Scope, **values: Any) -> LimitTree:
    lists = {key: values.pop(key) for key in ("instruments", "promoted") if key in values}
    account = {key: getattr(FINE, key) for key in Limits.__struct_fields__} | values
    return LimitTree(Limits(**account), scopes, **lists)


KRAKEN = Scope("venue", "kraken", {"max_position_1e8": 10**7})


@pytest.mark.parametrize(
    ("old", "new", "text", "looser"),
    [
        (tree(), tree(max_position_1e8=10**8 + 1), "account.max_position 1 → 1.00000001", True),
        (tree(), tree(max_position_1e8=10**8 - 1), "account.max_position 1 → 0.99999999", False),
        (tree(), tree(max_drawdown_1e9=4 * 10**11), "account.max_drawdown not set → 400", False),
        (tree(max_drawdown_1e9=4 * 10**11), tree(), "account.max_drawdown 400 → not set", True),
        (tree(), tree(KRAKEN), "venue:kraken.max_position not set → 0.1", False),
        (tree(KRAKEN), tree(), "venue:kraken.max_position 0.1 → not set", True),
        (tree(), tree(repeat_window_ns=61 * SECOND_NS), "account.repeat_window_s 60 → 61", False),
        (tree(), tree(refusal_window_ns=9 * SECOND_NS), "account.refusal_window_s 10 → 9", True),
        (tree(), tree(max_book_age_ns=5 * SECOND_NS + 1), "account.max_book_age_s 5 → 5.000000001", True),
        (tree(), tree(max_mark_age_ns=59 * SECOND_NS), "account.max_mark_age_s 60 → 59", False),
        (tree(), tree(order_types=0b10001), "account.order_types all → limit, post_only", False),
        (tree(order_types=1), tree(order_types=4), "account.order_types limit → ioc", True),
        (tree(), tree(instruments=("A/B",)), "account.permitted all → A/B", False),
        (tree(instruments=("A/B",)), tree(instruments=("v:A/B",)), "account.permitted A/B → v:A/B", False),
        (tree(instruments=("v:A/B",)), tree(instruments=("A/B",)), "account.permitted v:A/B → A/B", True),
        (tree(instruments=("A/B",)), tree(), "account.permitted A/B → all", True),
        (tree(), tree(promoted=("ab",)), "account.promoted none → ab", True),
        (tree(promoted=("ab",)), tree(), "account.promoted ab → none", False),
        (tree(), tree(Scope("canary", "", {"max_orders": 5})), "canary.max_orders not set → 5", False),
        (tree(), tree(max_cancel_rate=21), "account.max_cancel_rate 20 → 21", True),
        (tree(), tree(max_cancel_rate=19), "account.max_cancel_rate 20 → 19", False),
        (tree(max_cancel_rate=21), tree(), "account.max_cancel_rate 21 → 20", False),
    ],
)
def test_a_change_says_what_it_is(old: LimitTree, new: LimitTree, text: str, looser: bool) -> None:
    (change,) = changes(old, new)
    assert change.text == text
    assert is_looser(change) is looser
    assert tightened(old, new) == (
        old if looser and "order_types" not in text else new if not looser else tree(order_types=0)
    )


def test_cancels_follow_orders_where_nobody_said_otherwise() -> None:
    """max_cancel_rate is max_order_rate then: raising the one raises the other."""
    assert [change.key for change in changes(tree(), tree(max_order_rate=30))] == ["max_order_rate", "max_cancel_rate"]
    for one, other in ((tree(), tree(max_cancel_rate=20)), (tree(max_cancel_rate=20), tree())):
        assert changes(one, other) == []
        assert tightened(one, other) == other
    mixed = tightened(tree(max_cancel_rate=40), tree(max_order_rate=30))
    assert (mixed.account.max_order_rate, mixed.account.max_cancel_rate) == (20, 30)


def test_a_line_that_moved_is_the_new_one() -> None:
    key = "account.max_position_1e8"
    old = LimitTree(FINE, origins={key: "gateway.toml:2"})
    assert tightened(old, LimitTree(FINE, origins={key: "gateway.toml:3"})).origins == {key: "gateway.toml:3"}
    looser = tree(max_position_1e8=10**9)
    assert tightened(old, looser).origins == {key: "gateway.toml:2"}


def test_names_cover_the_markets_they_name() -> None:
    assert covers(["BTC/USD"], ["kraken:BTC/USD", "dex_arb:BTC/USD@0x1"])
    assert not covers(["kraken:BTC/USD"], ["BTC/USD"])
    assert not covers(["dex_arb:ETH/USD"], ["dex_arb:ETH/USD@0x1"])  # the chain's book of all pools is no pool
    assert not covers(["BTC/USD"], ["BTC/USDT:USDT"])  # a symbol with a colon, at no venue
    assert covers(["BTC/USDT:USDT"], ["ccxt:BTC/USDT:USDT"])


def test_which_scope_lies_in_which() -> None:
    def inside(inner: tuple[str, str], outer: tuple[str, str]) -> bool:
        return lies_in(Scope(*inner, {}), Scope(*outer, {}))

    market, symbol, venue = ("instrument", "kraken:BTC/USD"), ("instrument", "BTC/USD"), ("venue", "kraken")
    assert inside(market, symbol) and inside(market, venue)
    assert not inside(symbol, venue) and not inside(symbol, market) and not inside(market, market)
    assert not inside(("algo", "kraken:BTC/USD"), venue)
    assert not inside(market, ("algo", "kraken"))


def test_a_change_knows_no_more_than_its_values() -> None:
    assert value_text("order_types", 0) == "none"
    assert is_looser(Change("account", "max_duplicates", 3, 4))
    assert not is_looser(Change("account", "duplicate_window_ns", 3, 4))
