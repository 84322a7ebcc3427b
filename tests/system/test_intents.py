"""Intents: a sweep is one IOC at the limit, a chase asks again and dearer, and both end when they must."""

import msgspec
import pytest

from connectors.events import ExecReport, ExecType
from connectors.orders import Approved, CancelOrder, NewOrder, OrderType
from connectors.venues.kraken import VENUE
from risk.denial import DenyReason
from risk.limits import LimitTree
from runtime.config import paper_limits
from runtime.intents import Intent, Policy
from runtime.sim.paper import PaperOutput
from runtime.spec import AlgoSpec
from tests.support.chain_venue import chain, frame
from tests.support.puppet import Puppet, at, cancel, intent, market, order
from tests.support.virtual import OTHER, SECOND, World

BTC = ("BTC/USD",)
BIG = 10**8  # 1 BTC: far more than a level holds
USD = 10**9


def paper(**changed: int) -> LimitTree:
    """The paper limits, some of the account's changed."""
    tree = paper_limits()
    return msgspec.structs.replace(tree, account=msgspec.structs.replace(tree.account, **changed))


def asked(world: World) -> list[tuple[int, int]]:
    """(price, quantity) of every order that was approved."""
    orders = [*world.engine.oms.orders.values(), *world.engine.oms.finished.values()]
    return [(o.new.px_1e9, o.new.qty_1e8) for o in sorted(orders, key=lambda o: int(o.client_order_id[3:]))]


def ladder(world: World, *asks: tuple[int, int]) -> None:
    """The chain's own book, market 1, has exactly these asks, in whole dollars and 1e-8."""
    world.feed(frame(book=0, bids=[[990 * USD, 10**6]], asks=[[px * USD, sz] for px, sz in asks]))


def chain_world(guest: Puppet, **changed: int) -> World:
    """A chain alone, whose book changes when the test says so; some of the account's paper limits changed."""
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(), chains=[chain(pools=0)], limits=paper(**changed))
    world.feed(frame(book=0, bids=[[990 * USD, 10**6]], asks=[[1000 * USD, 10**6]]))
    return world


def test_a_sweep_is_one_ioc_at_the_limit_at_its_venue() -> None:
    guest = Puppet("on_book").on("on_book", at(5, intent(7, 1, BIG, 63_500 * USD, Policy.IOC_SWEEP, venue_id=2)))
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    world.run(10)
    (record,) = world.actions
    assert record.approval
    (sent,) = world.engine.oms.finished.values()
    assert (sent.instrument, sent.order_type, sent.order_id, sent.new.px_1e9) == (1, OrderType.IOC, 7, 63_500 * USD)
    assert 0 < sent.filled_1e8 <= BIG
    assert world.engine.desk.intents.open == {}


def test_a_chase_starts_at_the_touch_and_escalates_on_each_book_to_its_limit() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    for _ in range(12):
        ladder(world, (1000, 10**6), (2000, 10**8))
    prices = [px // USD for px, _ in asked(world)]
    assert prices == [1000, *range(1001, 1009)], "an eighth of 8 dollars each time, and the limit last"
    sizes = [sz for _, sz in asked(world)]
    assert sizes[0] == 10**7
    assert sizes == sorted(sizes, reverse=True)
    assert world.engine.desk.intents.open == {}
    assert world.engine.gate.reserved == set()


def test_a_chase_never_gets_more_than_it_wanted_and_stops_when_it_has_it() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 25 * 10**5, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    for step in range(10):  # what was taken comes back only where a level was gone for a while
        ladder(world, (1000 + step % 2, 10**6), (2000, 10**8))
    assert sum(report.last_qty_1e8 for report in world.reports) == 25 * 10**5
    assert world.engine.desk.intents.open == {}
    assert len(asked(world)) == 3
    ids = {records[0][:8] for name, records in guest.heard if name == "on_fill"}
    assert ids == {(7).to_bytes(8, "little")}


def test_a_market_that_runs_away_is_followed_but_not_beyond_the_limit() -> None:
    chase = Intent(0, 0, intent(7, 1, 100, 1080 * USD, Policy.AGGRESSIVE_CHASE), 0)
    prices = []
    for touch in (1000, 1000, 1050, 1050, 1200, 1000):
        prices.append(chase.price_1e9(touch * USD, USD) // USD)
        chase.asked_1e9 = prices[-1] * USD
    assert prices == [1000, 1010, 1050, 1060, 1080, 1080]
    sell = Intent(0, 0, intent(7, -1, 100, 920 * USD, Policy.AGGRESSIVE_CHASE), 0)
    prices = []
    for touch in (1000, 1000, 950, 900):
        prices.append(sell.price_1e9(touch * USD, USD) // USD)
        sell.asked_1e9 = prices[-1] * USD
    assert prices == [1000, 990, 950, 940 - 20]
    above = Intent(0, 0, intent(7, 1, 100, 990 * USD, Policy.AGGRESSIVE_CHASE), 0)
    assert above.price_1e9(1000 * USD, USD) == 990 * USD, "the limit is the worst price, also when nothing is there"


def test_time_over_ends_a_chase_and_asks_for_the_turn_that_ends_it() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, BIG, 1008 * USD, Policy.AGGRESSIVE_CHASE, ttl_ms=250)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6))
    assert len(world.engine.desk.intents.open) == 1
    world.run(0.2)
    assert len(world.engine.desk.intents.open) == 1
    world.run(0.1)
    assert world.engine.desk.intents.open == {}, "by a timer: no book came"
    ladder(world, (1000, 10**6))
    assert len(asked(world)) == 1


@pytest.mark.parametrize("end", ["kill", "refusal", "fault"])
def test_what_else_ends_a_chase(end: str) -> None:
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)
    guest = Puppet("on_book").on("on_book", at(2, chase))
    world = chain_world(guest)
    ladder(world, (1000, 10**6), (2000, 10**8))
    before = len(asked(world))
    if end == "kill":
        world.command("kill")
    elif end == "refusal":
        world.engine.ports["dex_arb"].link.system = "maintenance"
    else:
        guest.on("on_book", lambda puppet: puppet.trap())
    for _ in range(5):
        ladder(world, (1000, 10**6), (2000, 10**8))
    assert len(asked(world)) <= before + (end == "fault"), "one may be asked before the guest is called"
    assert world.engine.desk.intents.open == {}
    assert world.engine.gate.reserved == set()
    assert guest.count("on_reject") == (end != "fault")


def test_an_id_is_taken_while_its_intent_lives() -> None:
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)
    guest = Puppet("on_book").on("on_book", at(2, chase, chase, market(7, 1, 1), order(8, 1, 10**6, 1000 * USD)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6), (2000, 10**8))
    verdicts = [record.denied.reason if record.denied else "" for record in world.actions]
    assert verdicts[1:3] == [DenyReason.DUPLICATE_ORDER_ID] * 2
    assert verdicts[0] == verdicts[3] == ""


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (intent(7, 1, 10**6, 1000 * USD, 2), DenyReason.NOT_SUPPORTED),
        (intent(7, 1, 10**6, 0, 0), DenyReason.INVALID_ORDER),
        (intent(7, 0, 10**6, 1000 * USD, 1), DenyReason.INVALID_ORDER),
        (intent(7, 1, 0, 1000 * USD, 0), DenyReason.INVALID_ORDER),
        (intent(7, 1, 10**6, 1000 * USD, 0, venue_id=3), DenyReason.BAD_VENUE),
        (intent(7, 1, 10**6, 1000 * USD, 1, pool_idx=1), DenyReason.UNKNOWN_POOL),
        (intent(7, 1, 10**6, 1000 * USD, 1, symbol_idx=1), DenyReason.INSTRUMENT_NOT_ALLOWED),
        (intent(7, 1, 10**15, 1000 * USD, 1), DenyReason.MAX_ORDER_QTY),
        (intent(7, 1, 10**9, 100_100 * USD, 0), DenyReason.PRICE_COLLAR),
        (intent(7, 1, 10**9, 1000 * USD, 1), DenyReason.MAX_ORDER_NOTIONAL),
    ],
)  # fmt: skip
def test_an_intent_passes_the_gate_like_any_order(wrong: tuple[int, ...], reason: DenyReason) -> None:
    guest = Puppet("on_book").on("on_book", at(2, wrong))  # type: ignore[arg-type]
    world = chain_world(guest, max_order_notional_1e9=9_999 * USD)
    ladder(world, (1000, 10**6))
    (record,) = world.actions
    assert record.denied is not None
    assert record.denied.reason is reason
    assert guest.count("on_reject") == 1
    assert world.engine.desk.intents.open == {}


def test_a_chase_of_a_venue_that_answers_late_asks_once() -> None:
    """No answer, no second order: the order in doubt counts until the venue has spoken."""
    guest = Puppet("on_book").on("on_book", at(5, intent(7, 1, BIG, 63_500 * USD, Policy.AGGRESSIVE_CHASE)))
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    desk = world.engine.desk
    paper = desk.papers[0]
    paper.submit = lambda *_: []  # type: ignore[method-assign]
    world.run(5)
    assert len(world.engine.oms.orders) == 1
    assert [record.denied for record in world.actions] == [None]
    assert ExecType.NEW not in {report.exec_type for report in world.reports}


def test_a_cancel_of_a_waiting_intent_ends_it_without_a_reject() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6), (2000, 10**8))
    guest.on("on_book", at(1, cancel(7)))
    for _ in range(5):
        ladder(world, (1000, 10**6), (2000, 10**8))
    assert len(asked(world)) == 2, "one was asked before the guest was called"
    assert world.engine.desk.intents.open == {}
    assert world.engine.gate.reserved == set()
    assert guest.count("on_reject") == 0
    last = world.actions[-1]
    assert (last.approval, last.denied) == (0, None)


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_killed_chase_does_not_come_back_with_the_person_who_re_arms(is_waiting: bool) -> None:
    """Nor where no book came in between, nor where its order was open and is cancelled by the kill itself."""
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    if not is_waiting:
        keep_open(world)
    ladder(world, (1000, 10**6), (2000, 10**8))
    before = len(asked(world))
    world.command("kill")
    assert guest.count("on_reject") == 1, "102: its intent is over"
    world.command("arm")
    for _ in range(3):
        ladder(world, (1000, 10**6), (2000, 10**8))
    assert len(asked(world)) == before
    assert world.engine.oms.orders == {}


def keep_open(world: World) -> list[str]:
    """The venue takes orders and answers nothing but cancels; returns the client order ids it was given."""
    taken: list[str] = []
    paper = world.engine.desk.papers[0]

    def submit(approved: Approved[NewOrder], _: int) -> list[PaperOutput]:
        taken.append(approved.order.client_order_id)
        return []

    def gone(approved: Approved[CancelOrder], _: int) -> list[PaperOutput]:
        name, market_ = approved.order.client_order_id, approved.order.instrument
        return [ExecReport(client_order_id=name, exec_type=ExecType.CANCELED, instrument=market_)]

    paper.submit, paper.cancel = submit, gone  # type: ignore[method-assign, assignment]
    return taken


def told(world: World, name: str, kind: ExecType, *, qty: int = 0, cum: int = 0, exec_id: str = "") -> None:
    """One report of the venue's, as a session's output brings it."""
    report = ExecReport(
        client_order_id=name, exec_type=kind, instrument=0, last_qty_1e8=qty, last_px_1e9=1000 * USD if qty else 0,
        cum_qty_1e8=cum, exec_id=exec_id,
    )  # fmt: skip
    world.engine.desk.reports([report], world.now_ns)


def test_what_the_venue_counts_as_filled_is_not_asked_again() -> None:
    """A cancel's ack that overtakes its executions: they count from the ack on, and once."""
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    taken = keep_open(world)
    ladder(world, (1000, 10**6), (2000, 10**8))
    told(world, taken[0], ExecType.CANCELED, cum=6 * 10**6)
    ladder(world, (1000, 10**6), (2000, 10**8))
    assert [qty for _, qty in asked(world)] == [10**7, 4 * 10**6]
    told(world, taken[0], ExecType.TRADE, qty=6 * 10**6, cum=6 * 10**6, exec_id="late")
    told(world, taken[1], ExecType.TRADE, qty=10**6, cum=10**6, exec_id="e")
    told(world, taken[1], ExecType.TRADE, qty=10**6, cum=10**6, exec_id="e")  # told twice, counted once
    told(world, taken[1], ExecType.CANCELED, cum=10**6)
    ladder(world, (1000, 10**6), (2000, 10**8))
    assert [qty for _, qty in asked(world)] == [10**7, 4 * 10**6, 3 * 10**6]


def test_a_late_fill_of_an_older_order_with_the_same_id_is_not_the_intents() -> None:
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)
    guest = Puppet("on_book").on("on_book", at(2, order(7, 1, 10**6, 1000 * USD)))
    world = chain_world(guest)
    taken = keep_open(world)
    ladder(world, (1000, 10**6))
    told(world, taken[0], ExecType.CANCELED)
    guest.on("on_book", at(1, chase))
    ladder(world, (1000, 10**6))
    told(world, taken[0], ExecType.TRADE, qty=10**6, cum=10**6, exec_id="late")
    told(world, taken[1], ExecType.CANCELED)
    ladder(world, (1000, 10**6))
    assert [qty for _, qty in asked(world)] == [10**6, 10**7, 10**7]


def test_a_cancel_refused_for_its_rate_leaves_the_intent_as_it_was() -> None:
    """Its order is still open, and its time still ends it."""
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE, ttl_ms=400)
    guest = Puppet("on_book").on("on_book", at(2, chase))
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(), chains=[chain(pools=0)], limits=paper(max_order_rate=1))
    taken = keep_open(world)
    ladder(world, (1000, 10**6))
    ladder(world, (1000, 10**6))
    world.engine.gate.book.cancels["account"].times.append(world.now_ns)  # the budget is used up
    guest.on("on_book", at(1, cancel(7)))
    ladder(world, (1000, 10**6))
    assert world.actions[-1].denied is not None
    assert list(world.engine.oms.orders) == taken
    assert len(world.engine.desk.intents.open) == 1
    world.run(0.5)
    assert world.engine.oms.orders == {}
    assert world.engine.desk.intents.open == {}


def test_a_ttl_is_kept_though_an_earlier_timer_was_asked_for() -> None:
    """A runner keeps the earliest WakeAt alone: what it forgot for that one is asked for again when it rings."""
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, BIG, 1008 * USD, Policy.AGGRESSIVE_CHASE, ttl_ms=250)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6))
    world.wake_at(world.now_ns + SECOND // 10)
    world.run(0.4)
    assert world.engine.desk.intents.open == {}


def test_halted_is_said_first() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**6, 1000 * USD, 9, venue_id=3)))
    world = chain_world(guest)
    world.command("kill")
    ladder(world, (1000, 10**6))
    (record,) = world.actions
    assert record.denied is not None
    assert record.denied.reason is DenyReason.KILL_SWITCH
