"""Links that are cut, mute or refused, limits of the venue, and its maintenance (RELIABILITY (b) 19, 29, 31, 36-39, 43,
50, 61; venues.md 7.4)."""

import pytest

from connectors.events import ExecType
from connectors.orders import OrderType
from tests.support.trading_world import SECOND, TradingWorld


def test_nautilus_4152_an_outage_proves_no_cancel() -> None:
    """The cancel's answer is lost, then ten minutes of nothing; it was filled meanwhile: FILLED, never CANCELED."""
    world = TradingWorld(latency=(20, 20))
    name = world.bid()
    world.run(1)
    world.cancel(name)
    world.is_down = True
    world.cut(lands=False)
    world.public.cut()
    world.run(300)
    assert world.state(name) == "UNKNOWN"
    world.fill(name) if world.there(name).is_open else None
    world.run(300)
    assert not world.told(name, ExecType.CANCELED)
    world.calm()
    assert str(world.there(name).status).upper() == world.state(name)


def test_ibkr_249_fills_while_we_were_away() -> None:
    """Sixty trades during the cut, more than a snapshot holds: the pages of the history have them all."""
    world = TradingWorld()
    name = world.bid(qty_1e8=10**8)
    world.run(1)
    world.rest.is_broken = True
    world.cut()
    for _ in range(60):
        world.fill(name, 1)
    world.rest.is_broken = False
    world.run(30)
    assert world.ours(name).filled_1e8 == world.there(name).cum_qty == world.position()
    assert len(world.told(name, ExecType.TRADE)) == 60
    world.calm()


def test_ccxt_22662_a_mute_link_is_noticed_in_five_seconds() -> None:
    """Nothing comes, the socket lives: no order leaves after that, and the link is dialled again."""
    world = TradingWorld()
    world.faults.switch("mute")
    dials = len(world.private.dials)
    world.run(5)
    assert not world.engine.ports["kraken"].link.is_reconciled
    assert len(world.private.dials) > dials
    world.calm()


def test_pong_only_is_mute_too() -> None:
    """Our own pings coming back prove nothing (alpaca-py#740)."""
    world = TradingWorld()
    world.faults.switch("pong_only")
    world.run(5)
    assert not world.engine.ports["kraken"].link.is_reconciled
    world.calm()


@pytest.mark.parametrize("tier", ["starter", "pro"])
def test_kraken_rate_counter_is_never_overrun(tier: str) -> None:
    """As many orders and cancels as the guest can think of, for a minute: the venue never has to refuse for its rate
    (RELIABILITY (c) 19)."""
    world = TradingWorld(tier=tier)
    for _ in range(120):
        names = list(world.engine.oms.orders)
        world.want(world.order(1, far=50), world.order(-1, far=50, symbol=1))
        if len(names) > 10:
            world.want(world.cancelling(names[0]))
        world.run(0.5)
    refused = [one.text for one in world.reports if "EOrder:Rate limit" in one.text]
    held_back = [one.text for one in world.reports if "rate counter" in one.text]
    assert not refused
    assert held_back, "the guest asked for more than the venue takes"
    world.calm()


def test_tribeca_202_cancels_have_a_budget_of_their_own() -> None:
    """Orders stand still because the venue asked for less; cancels go."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("refuse=EService: Throttled,on=add_order")
    world.place(1, far=60)
    world.run(0.5)
    late = world.place(1, far=70)
    world.run(0.1)
    assert world.state(late) == "REJECTED"
    assert not world.is_there(late)
    world.cancel(name)
    world.becomes(name, "CANCELED", 1)
    world.calm()


def test_one_pair_that_is_over_its_rate_stops_no_other() -> None:
    """`EOrder:Rate limit exceeded` is of a pair: the other one trades on, the first waits."""
    world = TradingWorld("rate_limit")
    first = world.bid()
    world.run(0.5)
    again, other = world.place(1, far=60), world.place(1, far=60, symbol=1)
    world.run(1)
    states = [world.state(name) for name in (first, again, other)]
    assert states == ["REJECTED", "REJECTED", "NEW"]
    assert not world.is_there(again), "it was not even sent"
    world.calm()


def test_lean_6006_maintenance_is_waited_out() -> None:
    """Ten minutes: no order leaves, and few questions are asked; then trading goes on."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.venue.set_status("maintenance", world.now_ns)
    world.run(1)
    start_ns, asked = world.now_ns, len(world.rest.requests)
    denied = world.ask(world.order(1, far=50))[0].denied
    assert denied is not None
    assert "maintenance" in denied.rule
    world.run(600)
    assert "add_order" not in world.methods(start_ns)
    assert len(world.rest.requests) - asked < 60
    world.venue.set_status("online", world.now_ns)
    world.run(90)
    assert world.state(name) == "NEW"
    world.bid()
    world.calm()


@pytest.mark.parametrize("system", ["cancel_only", "post_only"])
def test_the_venues_modes_are_the_venues_to_enforce(system: str) -> None:
    """What it refuses in that mode is over, for certain; a cancel is always carried out."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.venue.set_status(system, world.now_ns)
    world.run(1)
    asked = world.ask(world.order(1, far=-10, kind=OrderType.IOC))[0]
    world.run(1)
    assert asked.denied is not None or world.state(asked.client_order_id) == "REJECTED"
    world.cancel(name)
    world.becomes(name, "CANCELED", 1)
    world.calm()


def test_hummingbot_1291_who_is_told_to_slow_down_does() -> None:
    """429 to every question for five minutes: a dozen questions, not hundreds."""
    world = TradingWorld()
    world.faults.switch("http_429,times=0")
    before = len(world.rest.requests)
    world.run(300)
    assert len(world.rest.requests) - before < 20
    world.calm()


def test_krakenex_21_a_nonce_that_was_overtaken_is_drawn_again() -> None:
    """One `EAPI:Invalid nonce` for the token: asked once more at once, and ready within seconds."""
    world = TradingWorld("nonce_error,on=GetWebSocketsToken", starts=False)
    world.start()
    world.until(lambda: world.is_ready, 3, "not ready")
    assert [path for _, path in world.rest.requests].count("/0/private/GetWebSocketsToken") == 2


def test_nautilus_3871_a_token_that_expired_at_the_reconnect() -> None:
    """The subscription is refused for it: another token, no deadlock."""
    world = TradingWorld()
    world.faults.switch("token_expired,on=subscribe")
    world.cut()
    world.run(0.6)
    world.until(lambda: world.is_ready, 8, "not ready again")
    world.calm()


def test_nautilus_3651_no_id_is_longer_than_18_characters() -> None:
    """Nor used twice, over restarts."""
    world = TradingWorld()
    names = [world.bid()]
    for _ in range(2):
        world.run(0.5)
        world.restart()
        world.until(lambda: world.is_ready, 200)
        names.append(world.bid())
    world.run(1)
    assert all(len(name) <= 18 for name in names)
    assert len(set(names)) == 3
    assert all(world.is_there(name) for name in names)
    world.calm()


def test_python_kraken_sdk_352_a_close_by_cloudflare() -> None:
    """1001, twice, and a frame that is no JSON: dialled again, with nothing lost."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    for fault in ("garbage_frame", "close"):
        world.faults.switch(fault)
        world.run(3)
        world.faults.clear()
        world.run(10)
    world.fill(name)
    world.becomes(name, "FILLED", 100)
    world.calm()


def test_xchange_stream_498_replayed_trades_are_no_news() -> None:
    """The snapshot of the new link tells the last trades again: nothing is booked twice."""
    world = TradingWorld()
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 2)
    for _ in range(3):
        world.cut()
        world.run(10)
    assert world.position() == 10**6
    assert len(world.told(name, ExecType.TRADE)) == 1
    world.calm()


def test_cancels_go_by_rest_while_the_private_link_is_down() -> None:
    """Refused dials, and an order that must go: REST carries the cancel, and its end is found."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("connect_refused")
    world.private.cut()
    world.cancel(name)
    world.run(2)
    assert not world.there(name).is_open
    world.becomes(name, "CANCELED", 20)
    assert world.now_ns < world.private.dials[-1] + 60 * SECOND
    world.calm()


def test_a_balance_that_was_told_before_its_fill() -> None:
    """The fill is lost with the old link, the balances of the new one hold it; the record books it: once."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("executions_off")
    world.fill(name)
    world.cut()
    world.calm()
    assert world.engine.gate.purses["kraken"].totals["BTC"] == world.truth().balances["BTC"] * 10**7
