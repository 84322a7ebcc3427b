"""A session cut at any turn and begun anew with what `Engine.remember()` says: nothing that matters is forgotten.

The memory goes through JSON, as the journal keeps it. On paper the venue's orders died with the process: they are gone,
and that is said. Live they are in doubt: UNKNOWN, counted in full, and their venue is traded at only once reconciled.
"""

import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.events import BookSnapshot, ExecReport, ExecType, InstrumentUpdate, Notice, Reconciled
from connectors.instrument import Instrument
from connectors.orders import Action, OrderType
from connectors.session import Send
from oms.state import OrderState
from risk.denial import DenyReason
from risk.limits import LimitTree
from risk.memory import Memory
from runtime import abi
from runtime.abi import GuestStatus
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.inputs import ActionRecord, Command, Frame, LinkUp, Timer, VenueOutput
from runtime.memory import SessionMemory
from runtime.spec import AlgoSpec, EngineSpec
from tests.support.chain_venue import chain, frame
from tests.support.puppet import Puppet, at, cancel, market, order
from tests.support.storm import Mode, Storm
from tests.support.virtual import SECOND, World

USD = 10**9
BTC = ("BTC/USD",)


def through_json(memory: SessionMemory) -> SessionMemory:
    return msgspec.json.decode(msgspec.json.encode(memory), type=SessionMemory)


def again(engine: Engine, **changed: object) -> Engine:
    """A new engine of the same spec, with what this one would leave."""
    memory = through_json(engine.remember())
    if "is_paper" in changed:
        memory = msgspec.structs.replace(memory, is_paper=changed["is_paper"])
    fields = {name: getattr(engine.spec, name) for name in engine.spec.__struct_fields__}
    return Engine(EngineSpec(**fields | {"memory": memory} | changed))


def gone(memory: Memory) -> Memory:
    """What is left of it on paper: no order is open."""
    return msgspec.structs.replace(memory, open_orders=())


def settled(memory: Memory, now_ns: int) -> Memory:
    """Without what its windows have let go by now: it counts no more, wherever it still stands."""
    account = memory.limits.account if memory.limits is not None else paper_limits().account
    windows = {
        "equals": account.duplicate_window_ns, "repeats": account.repeat_window_ns,
        "refusals": account.refusal_window_ns,
    }  # fmt: skip
    kept = {
        name: tuple(entry for entry in getattr(memory, name) if now_ns - entry[0] < window)
        for name, window in windows.items()
    }
    return msgspec.structs.replace(memory, **kept)


def cut(mode: Mode, seed: int, steps: int) -> tuple[Engine, int]:
    storm = Storm(seed, mode).run(steps)
    return storm.world.engine, storm.world.now_ns


# --- cut anywhere ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Mode.CALM, Mode.LATE])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 160))
def test_a_paper_session_cut_at_any_turn_is_remembered(mode: Mode, seed: int, steps: int) -> None:
    """Gate, positions, PnL, latches, halts, counters and windows are as they were; its orders are gone, and said so."""
    old, now_ns = cut(mode, seed, steps)
    new, open_before = again(old), len(old.gate.account.live)
    assert settled(new.gate.memory(), now_ns) == settled(gone(old.gate.memory()), now_ns)
    assert (new.gate.latched, new.gate.states.causes) == (old.gate.latched, old.gate.states.causes)
    assert not new.oms.orders
    assert not new.gate.account.live
    kept, left = new.remember(), old.remember()
    assert (kept.positions, kept.views) == (left.positions, left.views)
    for before, after in zip(old.algos, new.algos, strict=True):
        for was, view in zip(before.views, after.views, strict=True):
            assert held(view.state.buffer) == held(was.state.buffer)
            assert view.state.buffer[abi.ORDER_CT_AT] == 0
            if not old.gate.is_stopping:
                assert reduce_only(view.state.buffer) == reduce_only(was.state.buffer)
    told = [out.text for out in new.step(Timer(), now_ns) if isinstance(out, Notice) and "are gone" in out.text]
    assert told == ([f"{open_before} paper orders of the session before are gone"] if open_before else [])
    assert not [out for out in new.step(Timer(), now_ns) if isinstance(out, Notice) and "are gone" in out.text]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(20, 160))
def test_a_live_session_cut_at_any_turn_has_its_orders_in_doubt(seed: int, steps: int) -> None:
    """Every open order is UNKNOWN and counts as before, amends and all; its venue waits to be reconciled, no other."""
    old, now_ns = cut(Mode.LATE, seed, steps)
    new = again(old, is_paper=False)
    assert settled(new.gate.memory(), now_ns) == settled(old.gate.memory(), now_ns)
    assert new.gate.account.live.keys() == new.oms.orders.keys() == old.gate.account.live.keys()
    assert {order.state for order in new.oms.orders.values()} <= {OrderState.UNKNOWN}
    for one, was in zip(new.gate.account.exposures, old.gate.account.exposures, strict=True):
        assert (one.open_buy_1e8, one.open_sell_1e8, one.worst_1e8) == (
            was.open_buy_1e8, was.open_sell_1e8, was.worst_1e8,
        )  # fmt: skip
    in_doubt = {new.names[live.instrument].partition(":")[0] for live in new.gate.account.live.values()}
    assert {port.name for port in new.ports.values() if not port.link.is_reconciled} == in_doubt
    shown = sum(view.state.buffer[abi.ORDER_CT_AT] for algo in new.algos for view in algo.views)
    assert shown == len(new.oms.orders)


def held(buffer: bytes | bytearray) -> tuple[int, ...]:
    """Position, average entry and realised PnL as a guest reads them: what no price is needed for."""
    return struct.unpack_from("<3q", buffer)


def reduce_only(buffer: bytes | bytearray) -> int:
    return int(abi.RISK.unpack_from(buffer, abi.RISK_AT)[4])


# --- what holds on ---------------------------------------------------------------------------------------------------


def book(bid: int = 990, ask: int = 1000) -> Frame:
    return frame(book=0, bids=[[bid * USD, 10**8]], asks=[[ask * USD, 10**8]])


def quiet(guest: Puppet, **changed: int) -> World:
    """A chain alone, one book served."""
    tree = paper_limits()
    limits = LimitTree(msgspec.structs.replace(tree.account, **changed))
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(), chains=[chain(pools=0)], limits=limits)
    world.feed(book())
    return world


def answers(engine: Engine, guest: Puppet, now_ns: int, *actions: Action) -> list[DenyReason | None]:
    """What the gate says to these actions, which the guest asks for on the next book."""
    guest.on("on_book", at(1, *actions))
    engine.step(book(), now_ns)
    records = [record for record in engine.trace if isinstance(record, ActionRecord) and record.by == "algo"]
    return [record.denied.reason if record.denied is not None else None for record in records]


def test_money_goes_on_where_it_was() -> None:
    """After the same next book both engines show their guests the same book and state, to the last byte."""
    guest = Puppet("on_book").on("on_book", at(2, market(1, 1, 10**7)))
    world = quiet(guest)
    world.feed(book())
    assert world.engine.oms.fills == 1
    old, new, now_ns = world.engine, again(world.engine), world.now_ns + SECOND
    shown = []
    for engine in (old, new):
        guest.heard.clear()
        engine.step(book(980, 985), now_ns)
        guest.heard.clear()
        engine.step(book(980, 985), now_ns)
        ((_, (book_shown, state, *_)),) = guest.heard  # features are learnt anew
        shown.append((book_shown, state))
    assert shown[0] == shown[1]
    assert held(shown[0][1])[0] == 10**7
    assert new.gate.standing() == old.gate.standing()


def test_latches_and_halts_hold_until_a_person_arms() -> None:
    """A passed loss and a killed instrument, each for itself; a day that was latched stays so across midnight, too."""
    guest = Puppet("on_book").on("on_book", at(2, market(1, 1, 10**7)))
    world = quiet(guest, max_daily_loss_1e9=USD // 10)
    world.feed(book())
    assert world.engine.gate.latched == {"USD"}
    new, now_ns = again(world.engine), world.now_ns + 86_400 * SECOND
    new.step(book(), now_ns)
    assert reduce_only(new.algos[0].views[0].state.buffer) == 1
    buy, sell = market(2, 1, 10**6), market(3, -1, 10**6)
    assert answers(new, guest, now_ns, buy, sell) == [DenyReason.DAILY_LOSS, None]
    new.step(Command("kill", "test", "instrument:BTC/USD"), now_ns)
    third = again(new)
    third.step(book(), now_ns)
    assert answers(third, guest, now_ns, buy, sell) == [DenyReason.KILL_SWITCH] * 2
    third.step(Command("arm", "test", "instrument:BTC/USD"), now_ns)
    assert answers(third, guest, now_ns, buy) == [DenyReason.DAILY_LOSS]
    third.step(Command("arm", "test"), now_ns)
    assert answers(third, guest, now_ns, buy) == [None]


def test_rates_and_repeats_are_counted_on() -> None:
    """The orders of the second before the cut still count; equal ones, too."""
    guest = Puppet("on_book").on("on_book", at(2, *(order(k, 1, 10**6, 995 * USD) for k in (1, 2, 3))))
    world = quiet(guest, max_order_rate=4, max_duplicates=3)
    world.feed(book())
    new, now_ns = again(world.engine), world.now_ns
    new.step(book(), now_ns)
    equal, other = order(4, 1, 10**6, 995 * USD), order(5, 1, 10**6, 996 * USD)
    assert answers(new, guest, now_ns, equal, other) == [DenyReason.DUPLICATE_ORDER, None]
    assert answers(new, guest, now_ns, order(6, 1, 10**6, 997 * USD)) == [DenyReason.RATE_LIMIT]
    assert answers(new, guest, now_ns + 2 * SECOND, equal) == [None]


# --- orders that were open -------------------------------------------------------------------------------------------


def resting(*, is_paper: bool) -> tuple[World, Puppet]:
    """One buy far below the book of a simulated Kraken, open when the session is cut."""
    far = order(7, 1, 10**6, 60_000 * USD, order_type=OrderType.LIMIT)
    guest = Puppet("on_book").on("on_book", at(5, far))
    tree = paper_limits()
    limits = LimitTree(msgspec.structs.replace(tree.account, price_collar_bps=2_000, collar_window_bps=5_000))
    world = World(algos=[AlgoSpec("a", guest, BTC)], limits=limits, is_paper=is_paper)
    world.run(5, until=lambda: bool(world.engine.oms.orders))
    assert len(world.engine.gate.account.live) == 1
    return world, guest


def hears(engine: Engine, now_ns: int, *events: object) -> list[object]:
    """The venue's session tells the engine this."""
    session = engine.ports["kraken"].session
    session.receive = lambda *_: list(events)  # type: ignore[method-assign]
    return list(engine.step(Frame("kraken", "public", b"{}"), now_ns))


def test_an_open_paper_order_is_gone_and_that_is_said() -> None:
    world, _ = resting(is_paper=True)
    new = again(world.engine)
    assert not new.oms.orders
    assert not new.gate.account.live
    assert new.gate.account.exposures[0].worst_1e8 == 0
    (first, *_) = new.step(Timer(), world.now_ns)
    assert first == Notice("warning", "1 paper orders of the session before are gone")
    assert new.gate.markets[0].link.is_reconciled


def test_an_open_live_order_is_in_doubt_until_the_venue_has_spoken() -> None:
    """UNKNOWN, counted, shown as PENDING; nothing new leaves for its venue before a Reconciled; then a fill is its."""
    world, guest = resting(is_paper=False)
    assert [out for _, out in world.sent if b"add_order" in out]
    new, now_ns = again(world.engine, tag="next"), world.now_ns
    ((name, order_),) = new.oms.orders.items()
    assert (order_.state, order_.order_id) == (OrderState.UNKNOWN, 7)
    assert new.gate.account.exposures[0].worst_1e8 == 10**6
    row = abi.OPEN_ORDER.unpack_from(new.algos[0].views[0].state.buffer, abi.ORDERS_AT)
    assert (row[0], row[5]) == (7, GuestStatus.PENDING)
    bids, asks = [(62_000 * USD, 10**8)], [(62_001 * USD, 10**8)]
    new.step(LinkUp("kraken", "public"), now_ns)
    snapshot = BookSnapshot(0, bids, asks, None, 10, "")
    told = InstrumentUpdate(0, Instrument.parse("kraken", "BTC/USD:1:8:0.00005:0.5"))
    guest.on("on_book", at(1, order(8, 1, 10**6, 61_000 * USD), cancel(7)))
    out = hears(new, now_ns, told, snapshot)
    denied, cancelled = (record for record in new.trace if isinstance(record, ActionRecord))
    assert denied.denied is not None
    assert denied.denied.reason is DenyReason.NOT_RECONCILED
    assert cancelled.client_order_id == name
    sent = [one.output for one in out if isinstance(one, VenueOutput)]
    assert [isinstance(one, Send) and b"cancel_order" in one.data for one in sent] == [True]
    guest.on("on_book", at(1, order(8, 1, 10**6, 61_000 * USD)))
    hears(new, now_ns, Reconciled("kraken"), snapshot)
    (record,) = (record for record in new.trace if isinstance(record, ActionRecord))
    assert record.denied is None
    fill = ExecReport(
        client_order_id=name, exec_type=ExecType.TRADE, instrument=0, exec_id="x", last_qty_1e8=10**6,
        last_px_1e9=60_000 * USD, cum_qty_1e8=10**6,
    )  # fmt: skip
    hears(new, now_ns, fill, fill)
    assert new.gate.account.exposures[0].position_1e8 == 10**6
    assert new.oms.positions[0, 0].qty_1e8 == 10**6


def test_an_execution_that_was_counted_before_is_not_counted_again() -> None:
    world, _ = resting(is_paper=False)
    (name,) = world.engine.oms.orders
    part = ExecReport(
        client_order_id=name, exec_type=ExecType.TRADE, instrument=0, exec_id="x1", last_qty_1e8=10**5,
        last_px_1e9=60_000 * USD, cum_qty_1e8=10**5, leaves_qty_1e8=9 * 10**5,
    )  # fmt: skip
    hears(world.engine, world.now_ns, part)
    new = again(world.engine, tag="next")
    hears(new, world.now_ns, part)
    assert new.gate.account.exposures[0].position_1e8 == new.oms.positions[0, 0].qty_1e8 == 10**5
    assert new.gate.account.exposures[0].worst_1e8 == 10**6


def test_no_name_of_a_new_session_is_that_of_an_order_in_doubt() -> None:
    """The same tag again would give an order in doubt a second order's name: that one would no longer be counted."""
    world, guest = resting(is_paper=False)
    new, now_ns = again(world.engine), world.now_ns
    before = set(new.oms.orders)
    told = InstrumentUpdate(0, Instrument.parse("kraken", "BTC/USD:1:8:0.00005:0.5"))
    snapshot = BookSnapshot(0, [(62_000 * USD, 10**8)], [(62_001 * USD, 10**8)], None, 10, "")
    new.step(LinkUp("kraken", "public"), now_ns)
    guest.on("on_book", at(1, *(order(k, 1, 10**6, 61_000 * USD) for k in (8, 9, 10))))
    hears(new, now_ns, told, Reconciled("kraken"), snapshot)
    assert len(new.gate.account.live) == len(before) + 3
    assert new.gate.account.exposures[0].open_buy_1e8 == 4 * 10**6


@pytest.mark.parametrize("is_paper", [True, False])
def test_a_journal_of_paper_is_for_paper_and_a_live_one_for_live(*, is_paper: bool) -> None:
    """Else live orders in doubt would be taken for gone, or paper positions for real ones."""
    engine = resting(is_paper=is_paper)[0].engine
    spec = {name: getattr(engine.spec, name) for name in engine.spec.__struct_fields__}
    other = spec | {"memory": through_json(engine.remember()), "is_paper": not is_paper}
    said = "is of a paper session, this one is live" if is_paper else "is of a live session, this one is on paper"
    with pytest.raises(ConfigError, match=said):
        Engine(EngineSpec(**other))
    assert again(engine).remember().is_paper is is_paper


def test_what_this_session_does_not_follow_is_refused() -> None:
    """A position or an open order that nobody would look after any more."""
    guest = Puppet("on_book").on("on_book", at(2, market(1, 1, 10**7)))
    world = quiet(guest)
    world.feed(book())
    spec = {name: getattr(world.engine.spec, name) for name in world.engine.spec.__struct_fields__}
    other = spec | {"symbols": ("ETH/USD",), "venues": (chain("ETH/USD", pools=0),), "algos": ()}
    with pytest.raises(ConfigError, match="a position at dex_arb:BTC/USD"):
        Engine(EngineSpec(**other | {"memory": through_json(world.engine.remember())}))
    live, _ = resting(is_paper=False)
    nobody = {name: getattr(live.engine.spec, name) for name in live.engine.spec.__struct_fields__} | {"algos": ()}
    with pytest.raises(ConfigError, match="the open order vg-1 of a at kraken:BTC/USD"):
        Engine(EngineSpec(**nobody | {"memory": through_json(live.engine.remember())}))
