"""Limits that no guest could be shown are no limits."""

import pytest

from connectors.errors import ConfigError
from risk.limits import Limits

FINE = {
    "max_position_1e8": 1, "max_order_notional_1e9": 1, "max_order_rate": 1, "price_collar_bps": 1,
    "max_daily_loss_1e9": 1,
}  # fmt: skip


@pytest.mark.parametrize("field", FINE)
@pytest.mark.parametrize("value", [-1, 2**63, 10**30])
def test_out_of_range_is_refused_by_name(field: str, value: int) -> None:
    """A damaged tape's header may say anything; RiskSnapshot holds 63 bits, and 32 of the rate."""
    with pytest.raises(ConfigError, match=field):
        Limits(**{**FINE, field: value})


def test_the_edges_are_in() -> None:
    assert Limits(**{**FINE, "max_position_1e8": 2**63 - 1, "max_order_rate": 2**32 - 1}).max_position_1e8 == 2**63 - 1
    with pytest.raises(ConfigError, match="max_order_rate"):
        Limits(**{**FINE, "max_order_rate": 2**32})
