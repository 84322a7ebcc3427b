"""The venue is not there for ten minutes (RELIABILITY (c) 17; how often is dialled: tests/runtime/test_dialling.py)."""

from tests.support.trading_world import TradingWorld


def test_ten_minutes_without_the_venue() -> None:
    """Orders of every kind are under way when it goes; afterwards everything is there again, and nothing is lost."""
    world = TradingWorld()
    resting, filled, ended = world.bid(), world.bid(far=20), world.offer()
    world.run(1)
    flying = world.bid(symbol=1)
    world.run(0.005)
    world.is_down = True
    for link in (world.private, world.public):
        link.cut(lands=True)
    denied = world.engine.gate
    world.run(30)
    assert not world.is_ready
    world.fill(filled)
    world.end(ended)
    world.run(570)
    assert denied.account.exposures[0].open_buy_1e8 == 2 * 10**6, "everything counts until it is known"
    world.is_down = False
    world.until(lambda: world.is_ready, 290, "not ready again")
    world.calm()
    assert [world.state(name) for name in (filled, ended)] == ["FILLED", "CANCELED"]
    # the dead-man's switch fired while nobody refreshed it
    assert [world.state(name) for name in (resting, flying)] == ["CANCELED", "CANCELED"]
    assert all(book.valid for book in world.engine.books)
    world.bid()


def test_few_dials_and_few_questions_in_ten_minutes() -> None:
    """Back-off on both links; REST is asked no more than a few times a minute (Lean#6006)."""
    world = TradingWorld()
    world.bid()
    world.run(1)
    world.faults.switch("connect_refused")
    world.faults.switch("gateway_error=503,times=0")
    for link in (world.private, world.public):
        link.cut()
    before, asked = len(world.private.dials) + len(world.public.dials), len(world.rest.requests)
    world.run(600)
    assert len(world.private.dials) + len(world.public.dials) - before <= 60
    assert len(world.rest.requests) - asked <= 60
    world.calm()


def test_half_an_hour_of_a_link_that_dies_each_minute() -> None:
    """Cut after cut, with orders resting: they stay ours, and stay open."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    for _ in range(30):
        world.cut()
        world.run(60)
    assert world.there(name).is_open
    world.calm()
    assert world.state(name) == "NEW"
