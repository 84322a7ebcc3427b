"""Keys of other kinds at Binance: what signs, and what may be."""

from __future__ import annotations

import pytest

from tests.support.trading_world import TradingWorld


def test_an_ed25519_key_works_alike() -> None:
    world = TradingWorld(name="binance", key_type="ed25519")
    name = world.alive()
    world.cancel(name)
    world.becomes(name, "CANCELED", 5)
    world.calm()


@pytest.mark.parametrize("permissions", [("reading", "spot", "withdrawals"), ("reading",), ("spot",)])
def test_keys_that_are_not_used(permissions: tuple[str, ...]) -> None:
    world = TradingWorld(name="binance", permissions=permissions, starts=False)
    world.start()
    world.run(5)
    assert len(world.said("the API key", level="error")) == 1
    assert not world.is_ready
