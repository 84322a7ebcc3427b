"""Limits that no guest could be shown are no limits; and what a tree of them says of itself."""

import pytest

from connectors.errors import ConfigError
from risk.limits import (
    ACCOUNT,
    ALL_TYPES,
    AMOUNTS,
    EACH,
    KEYS,
    OF_ALGOS,
    SUMS,
    UNSET,
    Limits,
    LimitTree,
    Scope,
    said,
    tree_of,
    unset,
)

FINE = {
    "max_position_1e8": 1, "max_order_notional_1e9": 1, "max_order_rate": 1, "price_collar_bps": 1,
    "max_daily_loss_1e9": 1,
}  # fmt: skip


@pytest.mark.parametrize("field", Limits.__struct_fields__)
@pytest.mark.parametrize("value", [-1, 2**63, 10**30, True, None, "1"])
def test_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    """A damaged tape's header may say anything; RiskSnapshot holds 63 bits, and 32 of the rate."""
    with pytest.raises(ConfigError, match=field):
        Limits(**{**FINE, field: value})  # type: ignore[arg-type]


def test_the_edges_are_in() -> None:
    assert Limits(**{**FINE, "max_position_1e8": 2**63 - 1, "max_order_rate": 2**32 - 1}).max_position_1e8 == 2**63 - 1
    with pytest.raises(ConfigError, match="max_order_rate"):
        Limits(**{**FINE, "max_order_rate": 2**32})
    assert Limits(**{**FINE, "order_types": ALL_TYPES}).order_types == 0b11111
    with pytest.raises(ConfigError, match="order_types"):
        Limits(**{**FINE, "order_types": ALL_TYPES + 1})


def test_no_amount_of_money_has_a_default() -> None:
    assert unset(Limits(**FINE)) == ["max_capital", "max_drawdown", "max_order_qty"]
    assert unset(Limits(**{**FINE, "max_capital_1e9": 1, "max_drawdown_1e9": 1, "max_order_qty_1e8": 1})) == []


def test_each_limit_is_of_one_kind() -> None:
    """Of one order, of a sum, of each algo; what is none of these only the account says."""
    account = set(Limits.__struct_fields__)
    assert account >= AMOUNTS | SUMS | EACH | OF_ALGOS
    assert not SUMS & EACH and not (SUMS | EACH) & OF_ALGOS
    assert all(keys - {"max_orders"} <= account for keys in KEYS.values())


def test_limits_of_the_account_alone_are_a_tree() -> None:
    limits = Limits(**FINE)
    tree = tree_of(limits)
    assert tree == LimitTree(limits)
    assert tree_of(tree) is tree
    assert {label for label, _, _ in said(tree)} == {ACCOUNT}


def test_a_tree_finds_its_scopes_by_their_labels() -> None:
    venue, canary = Scope("venue", "kraken", {"max_position_1e8": 5}), Scope("canary", "", {"max_orders": 3})
    tree = LimitTree(Limits(**FINE), (venue, canary), origins={"venue:kraken.max_position_1e8": "gateway.toml:12"})
    assert (tree.scope("venue:kraken"), tree.scope("canary"), tree.scope("algo:mm")) == (venue, canary, None)
    assert tree.origin("venue:kraken", "max_position_1e8") == "gateway.toml:12"
    assert tree.origin("canary", "max_orders") == ""
    numbers = {(label, key): value for label, key, value in said(tree) if label != ACCOUNT}
    assert numbers == {("venue:kraken", "max_position_1e8"): 5, ("canary", "max_orders"): 3}
    assert dict.fromkeys(Limits.__struct_fields__, UNSET).keys() == {key for at, key, _ in said(tree) if at == ACCOUNT}
