"""Where a cancel names its order by the venue's own id (Coinbase), it leaves once the session knows that id, whoever
told it: the channel with PENDING, a look. The point of exit asks the OMS whose id that is: a cancel that it does not
let out, and a halt of everything besides, is what must not come of an order in doubt."""

from __future__ import annotations

from connectors.session import Send
from tests.support import coinbase_account as coinbase
from tests.support.trading_world import TradingWorld


def test_an_id_that_only_pending_told_is_told_to_the_engine_before_a_cancel_uses_it() -> None:
    desk = coinbase.Desk().ready()
    desk.new()
    out = desk.user(coinbase.told("PENDING"))
    out += desk.cancel()
    sent = [one for one in coinbase.of(Send, out) if b"batch_cancel" in one.data]
    assert not sent or any(one.venue_order_id == coinbase.THEIRS for one in desk.reports)


def test_a_cancel_after_a_restart_of_an_order_whose_id_only_a_look_told() -> None:
    world = TradingWorld("response_lost,on=new", "executions_off", name="coinbase")
    name = world.bid()
    world.run(1)
    world.faults.clear()
    world.restart()
    world.run(20)
    world.kill()
    world.run(60)
    assert not world.said("point of exit")
    assert not world.there(name).is_open, "a kill reaches what is in doubt"
