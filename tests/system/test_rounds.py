"""What a turn does after its input: on_nbbo, messages, heartbeats, parameters, restarts; in the order promised."""

import struct
from itertools import pairwise

import pytest

from connectors.orders import Action
from connectors.session import WakeAt
from connectors.venues.kraken import VENUE
from runtime.abi import MESH_AT, Generation, Region
from runtime.inputs import Command, Input, Timer
from runtime.regions import mesh_id, parse_param
from runtime.spec import AlgoSpec
from tests.support.puppet import Puppet, at, cancel, market, order
from tests.support.virtual import OTHER, SECOND, START_NS, World

BTC = ("BTC/USD",)


# --- on_nbbo ---------------------------------------------------------------------------------------------------------


def test_on_nbbo_runs_once_a_turn_after_on_book_and_only_when_a_touch_changed() -> None:
    guest = Puppet()
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    turns: list[list[str]] = []
    touches: list[tuple[bytes, ...]] = []

    def watch(_: Input) -> None:
        turns.append(guest.names()[sum(map(len, turns)) :])
        touches.append(tuple(bytes(book.buffer[side : side + 16]) for book in world.engine.books for side in (0, 320)))

    world.watchers.append(watch)
    world.run(20)
    assert guest.count("on_nbbo") > 100
    for names in turns:
        assert names == sorted(names, key=["on_fill", "on_reject", "on_book", "on_nbbo", "on_heartbeat"].index)
        assert names.count("on_nbbo") <= 1
    both_up = next(k for k, touch in enumerate(touches) if all(map(any, touch)))
    for k in range(both_up + 1, len(turns)):
        assert ("on_nbbo" in turns[k]) == (touches[k] != touches[k - 1])


def test_on_book_is_of_the_own_venue_alone() -> None:
    """Its own is the first of `venues`; a guest that names one venue sees one."""
    first, second, one = Puppet(), Puppet(), Puppet()
    world = World(
        algos=[AlgoSpec("a", first, BTC), AlgoSpec("b", second, BTC, ("other", "kraken")),
               AlgoSpec("c", one, BTC, ("other",))],
        venues=(VENUE, OTHER),
    )  # fmt: skip
    world.run(10)
    served = world.served
    assert served[0] != served[1]
    assert [guest.count("on_book") for guest in (first, second, one)] == [served[0], served[1], served[1]]
    assert one.count("on_nbbo") == 0, "one source: on_book says everything"
    ids = {tuple(nbbo[40:42]) for name, (nbbo, *_) in second.heard if name == "on_nbbo"}
    assert ids == {(1, 2)}, "slots are sorted by venue id, whoever is the own one"


@pytest.mark.parametrize("generation", [Generation.V0_3_0_NBBO, Generation.V0_3_2_NBBO])
def test_a_multi_venue_guest_of_0_3_gets_its_own_layout(generation: Generation) -> None:
    guest = Puppet("on_nbbo", generation=generation)
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    world.run(5)
    assert guest.count("on_nbbo") > 10
    assert guest.count("on_book") == 0
    assert len(guest.regions_seen[Region.VENUE_BOOKS]) == guest.regions[Region.VENUE_BOOKS][1]


def test_a_venue_that_falls_silent_is_shown_stale_and_refused_as_a_target() -> None:
    """By its link going down at once, by time alone within a second; its orders are answered 106."""
    guest = Puppet()
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    world.run(5)
    world.hang_up("other", "test", seconds=30)
    name, (nbbo, _) = guest.heard[-1]
    assert name == "on_nbbo"
    bid, ask, _, _, bid_slot, ask_slot, count = struct.unpack_from("<4Q3B", nbbo)
    assert (bid_slot, ask_slot, count) == (0, 0, 2)
    assert (bid, ask) == world.engine.books[0].touch()
    assert struct.unpack_from("<2H", nbbo, 544)[1] == 65535
    guest.on("on_book", at(1, market(9, 1, 10_000, venue_id=2)))
    world.run(1)
    (rejected,) = [records[0] for name, records in guest.heard if name == "on_reject"]
    assert struct.unpack_from("<QB", rejected) == (9, 106)


def test_orders_by_venue_id_trade_there_and_the_position_is_one() -> None:
    guest = Puppet().on("on_book", at(20, market(1, 1, 30_000), market(2, -1, 10_000, venue_id=2)))
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    world.run(10)
    fills = [report for report in world.reports if report.last_qty_1e8]
    assert [sum(r.last_qty_1e8 for r in fills if r.instrument == market) for market in (0, 1)] == [30_000, 10_000]
    positions = {market: position.qty_1e8 for (_, market), position in world.engine.oms.positions.items()}
    assert positions == {0: 30_000, 1: -10_000}
    state = guest.heard[-1][1][-1] if guest.heard[-1][0] != "on_book" else guest.heard[-1][1][1]
    assert struct.unpack_from("<q", state) == (20_000,)
    assert struct.unpack_from("<Q", state, 1328) == (len(fills),), "those of both"


# --- on_heartbeat ----------------------------------------------------------------------------------------------------


def test_heartbeats_come_at_each_full_second_of_engine_time() -> None:
    guest = Puppet("on_book", "on_heartbeat")
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    beats: list[int] = []
    world.watchers.append(lambda _: beats.extend([world.now_ns] * (guest.count("on_heartbeat") - len(beats))))
    world.run(10.5)
    assert [ns // SECOND for ns in beats] == [START_NS // SECOND + k for k in range(1, 11)]
    assert all(ns % SECOND < SECOND // 50 for ns in beats), "timers are asked for: within 20 ms here"


def test_after_a_gap_there_is_one_heartbeat_and_a_guest_without_it_needs_no_timer() -> None:
    guest = Puppet("on_book", "on_heartbeat")
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    world.feed(Timer())
    assert guest.heard == [], "the first second begins"
    world.now_ns += 60 * SECOND
    world.feed(Timer())
    world.feed(Timer())
    assert guest.names() == ["on_heartbeat"]
    still = World(algos=[AlgoSpec("a", Puppet("on_book"), BTC)])
    assert still.engine.step(Timer(), still.now_ns) == []


def test_actions_of_a_heartbeat_trade() -> None:
    guest = Puppet("on_book", "on_heartbeat").on("on_heartbeat", at(3, market(1, 1, 10_000)))
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    world.run(4.5)
    assert guest.count("on_fill") == 1


# --- messages --------------------------------------------------------------------------------------------------------


def mesh_of(*guests: Puppet, labels: str = "ab") -> World:
    return World(algos=[AlgoSpec(label, guest, BTC, label=label) for label, guest in zip(labels, guests, strict=True)])


def test_a_message_reaches_its_peer_in_the_same_turn_and_an_answer_in_the_next() -> None:
    def ask(puppet: Puppet) -> list[Action]:
        if puppet.count("on_book") == 5:
            puppet.send(mesh_id("b"), b"ping")
        return []

    def answer(puppet: Puppet) -> list[Action]:
        sender, payload, _ = puppet.heard[-1][1]
        puppet.send(sender, payload[::-1])
        return []

    first, second = Puppet().on("on_book", ask), Puppet().on("on_message", answer)
    world = mesh_of(first, second)
    turns: list[tuple[int, int, int]] = []
    world.watchers.append(
        lambda _: turns.append((first.count("on_book"), second.count("on_message"), first.count("on_message")))
    )
    world.run(3)
    assert second.heard[[*second.names()].index("on_message")][1][:2] == (mesh_id("a"), b"ping")
    asked = next(k for k, turn in enumerate(turns) if turn[0] == 5)
    assert turns[asked][1:] == (1, 0)
    assert turns[asked + 1][1:] == (1, 1), "asked for at once: the next turn is a timer's"
    assert first.heard[[*first.names()].index("on_message")][1][:2] == (mesh_id("b"), b"gnip")


def test_two_guests_that_answer_each_other_do_not_hold_a_turn_up() -> None:
    def echo(puppet: Puppet) -> list[Action]:
        puppet.send(puppet.heard[-1][1][0], b"again")
        return []

    def begin(puppet: Puppet) -> list[Action]:
        if puppet.count("on_book") == 1:
            puppet.send(mesh_id("a"), b"go")
        return []

    first = Puppet().on("on_message", echo)
    second = Puppet().on("on_message", echo).on("on_book", begin)
    world = mesh_of(first, second)
    counts: list[int] = [0]
    world.watchers.append(lambda _: counts.append(first.count("on_message")))
    world.run(3)
    most = max(after - before for before, after in pairwise(counts))
    assert most == 1
    assert first.count("on_message") > 20
    assert world.engine.algos[0].callbacks["on_book"] > 20


def test_a_message_to_nobody_or_to_a_disabled_instance_is_counted_and_dropped() -> None:
    def strays(puppet: Puppet) -> list[Action]:
        puppet.send(12345, b"x")
        puppet.send(mesh_id("b"), b"y")
        return []

    first = Puppet().on("on_heartbeat", strays)
    second = Puppet().on("on_book", lambda p: p.trap())
    world = mesh_of(first, second)
    world.run(5.5)
    assert world.engine.algos[1].is_faulty
    assert second.count("on_message") == 0
    assert world.engine.rounds.messages_lost == 10


def test_guests_that_never_stop_answering_cannot_hold_a_turn_up_nor_fill_memory() -> None:
    """Each message is answered with 64: at most 64 of one sender wait, the rest is counted and dropped."""

    def many(puppet: Puppet) -> list[Action]:
        for _ in range(64):
            puppet.send(mesh_id("b"), b"x")
            puppet.send(mesh_id("a"), b"y")
        return []

    first, second = (Puppet("on_book", "on_message").on("on_message", many).on("on_book", many) for _ in range(2))
    world = mesh_of(first, second)
    delivered = [0]
    world.watchers.append(lambda _: delivered.append(first.count("on_message") + second.count("on_message")))
    world.run(2)
    assert max(after - before for before, after in pairwise(delivered)) <= 2 * 64
    assert delivered[-1] > 1000
    assert len(world.engine.rounds._mail) <= 2 * 64
    algos = world.engine.algos
    sent = 128 * sum(algo.book_calls + algo.callbacks["on_message"] for algo in algos)
    dropped = sum(algo.guest.sent_dropped for algo in algos) + world.engine.rounds.messages_lost
    assert sent == delivered[-1] + dropped + len(world.engine.rounds._mail), "every message is somewhere"


def test_an_answer_is_asked_for_a_millisecond_later() -> None:
    """Two that answer each other for ever take a thousand turns a second, not a core."""

    def answer(puppet: Puppet) -> list[Action]:
        puppet.send(puppet.heard[-1][1][0], b"z")
        return []

    def begin(puppet: Puppet) -> list[Action]:
        if puppet.count("on_book") == 1:
            puppet.send(mesh_id("b"), b"go")
        return []

    guest, other = (Puppet("on_book", "on_message").on("on_message", answer) for _ in range(2))
    guest.on("on_book", begin)
    world = mesh_of(guest, other)
    world.run(1, until=lambda: guest.count("on_message") > 0)
    outputs = list(world.engine.step(Timer(), world.now_ns))
    assert WakeAt(world.now_ns + 1_000_000) in outputs


def test_the_mesh_is_in_the_table_and_in_the_state() -> None:
    first, second, outside = Puppet(), Puppet(), Puppet()
    world = World(
        algos=[AlgoSpec("a", first, BTC, label="alpha"), AlgoSpec("b", second, BTC, label="beta"),
               AlgoSpec("c", outside, BTC)]
    )  # fmt: skip
    world.run(2)
    table = first.regions_seen[Region.MESH]
    assert struct.unpack_from("<32sQB7x32sQ", table) == (
        b"alpha".ljust(32, b"\0"), mesh_id("alpha"), 1, b"beta".ljust(32, b"\0"), mesh_id("beta"),
    )  # fmt: skip
    state = first.heard[-1][1][-1] if first.heard[-1][0] != "on_book" else first.heard[-1][1][1]
    assert struct.unpack_from("<QB7xQ", state, MESH_AT) == (mesh_id("alpha"), 1, mesh_id("beta"))
    assert Region.MESH not in outside.regions_seen
    assert not any(outside.heard[0][1][1][MESH_AT : MESH_AT + 144])


# --- parameters ------------------------------------------------------------------------------------------------------


def test_parameters_are_seen_at_the_next_callback_and_a_wrong_set_changes_nothing() -> None:
    guest = Puppet("on_book")
    params = (parse_param("0", 50), parse_param("3", "25bps"))
    world = World(algos=[AlgoSpec("mm", guest, BTC, params=params)])
    world.run(2)
    record = guest.regions_seen[Region.CONFIG]
    assert struct.unpack_from("<BBH4xQ4q", record) == (1, 4, 1, 0, 50, 0, 0, 25)
    world.feed(Command("set", "ana", "mm", (parse_param("0", 51),)))
    set_ns = world.now_ns
    assert guest.regions_seen[Region.CONFIG] == record, "not before the next callback"
    world.run(1)
    record = guest.regions_seen[Region.CONFIG]
    assert struct.unpack_from("<BBH4xQ4q", record) == (1, 4, 2, set_ns, 51, 0, 0, 25)
    for target, value, said in (("nobody", 1, "no algo is called 'nobody'"), ("mm", 0.5, "holds I64")):
        world.feed(Command("set", "ana", target, (parse_param("0", value),)))
        world.run(1)
        assert world.said(said)
        assert guest.regions_seen[Region.CONFIG] == record


# --- restarts --------------------------------------------------------------------------------------------------------


def fragile(restarts: int) -> tuple[Puppet, World]:
    """Rests an order at its second book of each life, breaks at its fifth."""
    lived = [0, 0]

    def answer(puppet: Puppet) -> list[Action]:
        if lived[0] != puppet.lives:
            lived[:] = [puppet.lives, 0]
        lived[1] += 1
        if lived[1] == 5:
            return puppet.trap()
        return [order(puppet.lives * 10, 1, 10_000, 62_000 * 10**9, order_type=0)] if lived[1] == 2 else []

    guest = Puppet("on_book").on("on_book", answer)
    return guest, World(algos=[AlgoSpec("weak", guest, BTC, restarts=restarts)])


def test_never_is_never() -> None:
    guest, world = fragile(0)
    world.run(60)
    assert guest.lives == 1
    assert world.engine.algos[0].is_faulty
    assert guest.count("on_book") == 5


def test_backoff_restarts_later_each_time_up_to_the_ceiling() -> None:
    guest, world = fragile(3)
    times: list[int] = []

    def watch(_: Input) -> None:
        if guest.lives > len(times) + 1:
            times.append(world.now_ns)
            assert not world.engine.gate.account.live, "its old orders are gone first"

    world.watchers.append(watch)
    world.run(40)
    assert guest.lives == 4
    assert [round((b - a) / SECOND) for a, b in pairwise(times)] == [2, 4]
    assert world.said("stays out: restarted 3 times already")
    assert world.engine.algos[0].is_faulty
    assert world.engine.oms.orders == {}
    assert [record.by for record in world.actions] == ["algo", "gateway"] * 4


def test_what_a_guest_cancels_twice_is_unknown() -> None:
    guest = Puppet("on_book").on(
        "on_book", at(3, order(5, 1, 10_000, 62_000 * 10**9, order_type=0), cancel(5), cancel(5))
    )
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    world.run(3)
    assert [bool(record.denied) for record in world.actions] == [False, False, True]
