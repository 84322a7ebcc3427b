"""Orders at the limit that we keep ourselves: no word of any venue's about form or rate."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import ExecType
from connectors.orders import Action, OrderType
from runtime.abi import ActionKind
from tests.support.trading_venues import VENUES, place
from tests.support.trading_world import QTY, TradingWorld

ORDERS = 200
PLACES = [("kraken", "starter"), ("kraken", "intermediate"), *((venue, "") for venue in VENUES)]


@pytest.mark.parametrize(("venue", "tier"), PLACES)
def test_the_venue_refuses_nothing_for_its_form_or_rate(venue: str, tier: str) -> None:
    """Each is amended and cancelled young, as fast as a guest is asked; those beyond the limit never leave."""
    venue_options: dict[str, Any] = {"tier": tier} if tier else {}
    world = TradingWorld(name=venue, latency=(1, 2), disk=(0, 0), **venue_options)
    capabilities = place(venue).venue.capabilities
    young: list[str] = []
    for _ in range(ORDERS):
        changes: list[Action] = []
        for name in young:
            order = world.ours(name)
            if order.qty_1e8 == QTY or not capabilities.amend:
                changes.append(world.cancelling(name))
            else:
                changes.append((order.order_id, order.px_1e9, QTY, 0, int(ActionKind.AMEND), 0, 0, 0, 0, 0))
        *_, new = world.ask(*changes, world.order(1, 2 * QTY, far=50, kind=OrderType.POST_ONLY))
        world.run(0.3 if venue == "kraken" else 0.02)  # its counters decay slowly
        young = [name for name in (*young, new.client_order_id) if name and not world.ours(name).is_finished]
    world.run(5)
    told = [one for one in world.reports if one.text and one.exec_type is not ExecType.CANCELED]
    assert [one for one in told if not one.text.startswith("never sent: ")] == []
    assert 10 <= world.sent("new") < ORDERS
    world.calm()
