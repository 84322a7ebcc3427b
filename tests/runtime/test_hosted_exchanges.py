"""The exchanges that docs/ccxt.md offers with `--sim`: a session of each, from its first look to an order told back."""

import io
import os
from contextlib import AsyncExitStack

import pytest

from connectors.registry import load
from oms.state import OrderState
from runtime.config import paper_limits
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.host import AlgoHost
from runtime.inputs import Input
from runtime.keylock import Counted
from runtime.live import Live
from runtime.screen import Screen
from runtime.session import Session
from runtime.sim.embedded import embed
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec, EngineSpec
from runtime.vault import Vault
from tests.support.guests import every

if not os.environ.get("CI"):
    pytest.importorskip("ccxt")
LIMIT_S = 60.0
BTC = "BTC/USDT"


def spec(name: str) -> EngineSpec:
    """One algo, whose orders rest below the book."""
    guests = Guests()
    guest = AlgoHost(every(2, qty_1e8=100_000, below_1e9=500 * 10**9), name="algo")
    guests.add(AlgoSpec("algo", guest, (BTC,)))
    venue = venue_spec(load(f"ccxt:{name}"), depth=10, depth_from="test")
    return spec_of([venue], [BTC], guests, paper_limits(), fees=Fees(), tag="vgtest01", is_paper=False, is_sim=True)


@pytest.mark.parametrize("name", ["binance", "bybit", "coinbase", "kraken", "okx"])
async def test_an_account_is_found_equal_and_an_order_leaves_and_is_told_back(name: str) -> None:
    out = io.StringIO()
    screen = Screen(out)
    async with AsyncExitStack() as stack:
        made = spec(name)
        embedded = await embed(made.venues, 1, stack, screen.tell)
        vaults = {venue: Vault(secrets, Counted()) for venue, secrets in embedded.credentials.items()}
        live = Live(made, urls={**embedded, **embedded.trading}, screen=screen, vaults=vaults)
        told: set[str] = set()

        def watch(session: Session, _given: Input, _now_ns: int) -> None:
            orders = session.engine.oms.orders.values()
            told.update(one.client_order_id for one in orders if one.state is OrderState.NEW)
            if told:
                live.stop()

        live.session.watchers.append(watch)
        await live.run(LIMIT_S)
    said, summary = out.getvalue(), live.session.summary()
    assert told, said
    assert f"ccxt_{name}: its record and ours are equal, orders may pass" in said
    assert "failed" not in said
    assert (live.outcome, summary["open_orders"], summary["anomalies"]) == ("", 0, 0), said
