"""A Python algo as the engine sees it: same records, same limits, and nothing but GuestFault comes out."""

from collections.abc import Callable
from struct import error as struct_error
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import GuestFault
from connectors.orders import OrderType
from runtime import abi
from runtime.abi import Generation, Region
from runtime.guest import Guest
from runtime.pyalgo import ConfigRegion, L2Book, MeshTable, NbboSnapshot, Status, VenueBooks
from runtime.pytesting import make_book, make_depth, make_fill, make_order, make_reject, make_state
from runtime.python.context import MeshPeerEntry, log, send
from runtime.python.guest import PythonGuest, start_notice
from runtime.python.market import PoolBooks, PoolMeta
from runtime.python.records import OnlineFeatures

STATE = bytearray(make_state(position_1e8=5).to_bytes())
FEATURES = bytearray(OnlineFeatures.of(version=1, microprice_1e9=77).to_bytes())
BOOK = bytearray(make_book(99_000_000_000, 1_000, 101_000_000_000, 2_000).to_bytes())


def algo(body: str = "pass", *, others: str = "", head: str = "") -> PythonGuest:
    """An algo whose on_book does `body`; `others` are further methods."""
    source = (
        f"from runtime.pyalgo import *\n{head}\n"
        f"class Mine(Algo):\n    def on_book(self, book, state, features, actions):\n{indent(body, ' ' * 8)}\n"
        f"{indent(others, ' ' * 4)}\nALGO = Mine\n"
    )
    return PythonGuest(source.encode(), name="/algos/mine.py")


def on_book(guest: PythonGuest, symbol_id: int = 0) -> list[tuple[int, ...]]:
    return list(guest.on_book(BOOK, STATE, FEATURES, symbol_id))


def test_it_is_a_guest_that_says_what_it_is() -> None:
    guest = algo()
    same: Guest = guest
    assert (same.generation, same.is_sandboxed) == (Generation.V0_4, False)
    assert same.regions == abi.REGIONS[Generation.V0_4]
    assert same.callbacks == {"on_book"}
    assert (guest.fuel_left, guest.fuel_used) == (None, 0)
    assert "not sandboxed" in start_notice("mine")
    everything = "".join(
        f"def {name}(self, {arguments}): pass\n"
        for name, arguments in {
            "on_nbbo": "nbbo, books, state, features, actions", "on_message": "from_, payload, state, actions",
            "on_heartbeat": "state, features, actions", "on_fill": "fill, state",
        }.items()
    )  # fmt: skip
    assert algo(others=everything).callbacks == {"on_book", "on_nbbo", "on_message", "on_heartbeat"}


def test_each_callback_is_handed_its_records_and_its_actions_come_out() -> None:
    """What the engine passes as bytes arrives under the crate's names."""
    guest = algo(
        "actions.buy(1, state.position_1e8, book.best_bid().px_1e9)\n"
        "actions.ioc_sell(book.symbol_id, features.microprice_1e9, book.recv_ns)",
        others="""
def on_nbbo(self, nbbo, books, state, features, actions):
    actions.post_only_buy(nbbo.sequence, books.book_for_venue(2).asks[0].sz_1e8, features.microprice_1e9)
def on_message(self, from_, payload, state, actions):
    actions.market_sell(7, int(payload.decode())); log.info(from_)
def on_heartbeat(self, state, features, actions):
    actions.amend(8, ConfigRegion.read().get_i64(1), features.microprice_1e9); actions.cancel(9)
def on_fill(self, fill, state):
    log.warn(f"{fill.order_id} {fill.px_1e9} {fill.qty_1e8} {fill.side} {fill.symbol_id()} {state.position_1e8}")
def on_reject(self, reject):
    log.error(f"{reject.order_id} {reject.code} {reject.reason()} {reject.symbol_id()}")
def on_shutdown(self, state, actions):
    actions.cancel_all(state); actions.intent(4, 3, -1, 5, 6, IntentPolicy.AGGRESSIVE_CHASE, 500)
""",
    )
    recv_ns = L2Book(bytes(BOOK)).recv_ns
    assert on_book(guest, 3) == [
        (1, 99_000_000_000, 5, 1, 0, 0, 0, 0, 0, 0), (3, recv_ns, 77, -1, 0, OrderType.IOC, 0, 0, 0, 0),
    ]  # fmt: skip
    depth = make_depth([(5, 6)], [(7, 8)])
    guest.show(Region.VENUE_BOOKS, VenueBooks.of(book_ct=2, venue_ids=[1, 2], books=[L2Book(), depth]).to_bytes())
    guest.show(Region.FEATURES, FEATURES)
    nbbo = bytearray(NbboSnapshot.of(sequence=12).to_bytes())
    assert guest.on_nbbo(nbbo, STATE) == [(12, 77, 8, 1, 0, OrderType.POST_ONLY, 0, 0, 0, 0)]
    guest.show(Region.CONFIG, bytearray(ConfigRegion.of(params=[1, -44]).to_bytes()))
    assert guest.on_heartbeat(STATE) == [(8, 77, -44, 0, 2, 0, 0, 0, 0, 0), (9, 0, 0, 0, 1, 0, 0, 0, 0, 0)]
    peers = [MeshPeerEntry.of(label=b"maker", mesh_id=55)]
    guest.show(Region.MESH, MeshTable.of(peer_count=1, peers=peers).to_bytes())
    assert guest.on_message(55, b"123", STATE) == [(7, 0, 123, -1, 0, OrderType.MARKET, 0, 0, 0, 0)]
    guest.on_fill(abi.FILL.pack(1, 2, 3, 4, -1, 6), STATE)
    guest.on_reject(abi.REJECT.pack(9, 100, 2))
    live = [make_order(n, 1, 5, 5, status) for n, status in enumerate((Status.ACKED, Status.PENDING, Status.PARTIAL))]
    assert guest.on_shutdown(bytearray(make_state(live).to_bytes())) == [
        (0, 0, 0, 0, 1, 0, 0, 0, 0, 0), (2, 0, 0, 0, 1, 0, 0, 0, 0, 0), (4, 6, 5, -1, 3, 1, 3, 0, 0, 500),
    ]  # fmt: skip
    assert guest.take_logs() == [(2, b"maker"), (3, b"1 2 3 -1 6 5"), (4, b"9 100 RISK_CHECK_FAILED 2")]
    assert guest.take_logs() == []


def test_records_that_an_algo_keeps_do_not_change_under_it() -> None:
    guest = algo("self.first = getattr(self, 'first', book); actions.buy(1, 1, self.first.bids[0].px_1e9)")
    book = bytearray(BOOK)
    before = guest.on_book(book, STATE, FEATURES)
    book[:8] = bytes(8)
    assert guest.on_book(book, STATE, FEATURES) == before


# --- limits ----------------------------------------------------------------------------------------------------------


def test_the_seventeenth_action_is_refused_as_in_the_crate() -> None:
    guest = algo("got = [actions.buy(n + 1, 1, 1) for n in range(17)]\nlog.info(str(got.count(True)) + str(got[16]))")
    assert len(on_book(guest)) == 16
    assert guest.take_logs() == [(2, b"16False")]


def test_log_lines_are_bounded_and_counted() -> None:
    guest = algo("for n in range(300): log.debug(n)\n")
    on_book(guest)
    assert (len(guest.take_logs()), guest.logs_dropped, guest.logs_cut) == (256, 44, 0)
    guest = algo("log.info('é' * 4096); log.trace('\\ud800')")
    on_book(guest)
    (_, cut), (level, odd) = guest.take_logs()
    assert (len(cut), level, odd, guest.logs_cut) == (4096, 0, b"\\ud800", 1)


def test_messages_are_bounded_and_go_to_known_labels_only() -> None:
    guest = algo("for n in range(70): send('maker', bytes([n]))\nsend('nobody', b'x')")
    peers = [MeshPeerEntry.of(label=b"taker", mesh_id=5), MeshPeerEntry.of(label=b"maker", mesh_id=6)]
    guest.show(Region.MESH, MeshTable.of(peer_count=2, peers=peers).to_bytes())
    on_book(guest)
    assert guest.take_sent() == [(6, bytes([n])) for n in range(64)]
    assert (guest.sent_dropped, guest.take_sent()) == (6, [])


def test_a_message_that_is_too_long_faults_as_the_crate_panics() -> None:
    assert on_book(algo("send('nobody', bytes(256))")) == []
    with pytest.raises(GuestFault, match=r"message: mine\.py:5 payload is 257 bytes, at most 256 go"):
        on_book(algo("send('nobody', bytes(257))"))
    with pytest.raises(GuestFault):  # in an author's own test too, where nobody is called
        send("nobody", bytes(257))
    log.info("outside of a callback: nowhere")


# --- faults ----------------------------------------------------------------------------------------------------------

WRONG = [
    ("actions.buy(1, 1.5, 1)", "qty_1e8 is 1.5, a float: give an int"),
    ("actions.buy(1, 1, book.mid_px_1e9() / 2)", "px_1e9 is 50000000000.0, a float: give an int"),
    ("actions.buy(True, 1, 1)", "order_id is True, a bool: give an int"),
    ("actions.sell(-1, 1, 1)", "order_id is -1: it must be from 0 to 18446744073709551615"),
    ("actions.sell(1, 1, 2**64)", "px_1e9 is 18446744073709551616: it must be"),
    ("actions.sell(1, 2**63, 1)", "qty_1e8 is 9223372036854775808: it must be"),
    ("actions.order(1, 128, 1, 1)", "side is 128: it must be from -128 to 127"),
    ("actions.order_typed(1, 1, 1, 1, 256)", "order_type is 256: it must be from 0 to 255"),
    ("actions.order_typed(1, 1, 1, 1, 'IOC')", "order_type is 'IOC', a str: give an int"),
    ("actions.buy_symbol(300, 1, 1, 1)", "symbol_idx is 300: it must be from 0 to 255"),
    ("actions.intent(1, 1, 1, 1, 1, 0, 65536)", "ttl_ms is 65536: it must be from 0 to 65535"),
    ("actions.cancel(None)", "order_id is None, a NoneType: give an int"),
    ("actions.amend(1, 1, -1)", "px_1e9 is -1: it must be from 0"),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line for line, _ in WRONG])
def test_no_float_and_nothing_out_of_range_becomes_an_action(line: str, said: str) -> None:
    """It names field and value, and catching it does not help: in Rust it would not have compiled."""
    for body in (line, f"try: {line}\nexcept BaseException: pass\nactions.buy(1, 1, 1)"):
        with pytest.raises(GuestFault) as fault:
            on_book(algo(body))
        assert fault.value.kind == "action"
        assert fault.value.detail.startswith("mine.py:5 ")
        assert said in fault.value.detail


RAISED = [
    ("raise ValueError('no\\nluck')", "mine.py:5 ValueError: no luck"),
    ("1 // 0", "mine.py:5 ZeroDivisionError: "),
    ("raise SystemExit(3)", "mine.py:5 SystemExit: 3"),
    ("import sys; sys.exit()", "mine.py:5 SystemExit"),
    ("raise KeyboardInterrupt", "mine.py:5 KeyboardInterrupt"),
    ("raise GeneratorExit", "mine.py:5 GeneratorExit"),
    ("def f(): f()\nf()", "mine.py:5 RecursionError: "),
    ("raise MemoryError", "mine.py:5 MemoryError"),
    ("bytearray(1 << 62)", "mine.py:5 MemoryError"),
    ("raise Bad", "mine.py:5 an exception: (its text cannot be made)"),
    ("raise Sly", "mine.py:5 an exception: (its text cannot be made)"),
    ("from connectors.errors import GuestFault; raise GuestFault(Bad, 'mine')", "exception: mine.py:5 mine"),
    ("del self.gone", "mine.py:5 AttributeError: "),
    ("type(self).__getattribute__ = lambda *_: exit(5)", "SystemExit: 5"),
    ("book.bids[-1]", "mine.py:5 IndexError: index -1 of 20 Levels"),
    ("book.bids[20]", "mine.py:5 IndexError: index 20 of 20 Levels"),
    ("book.bid_ct = 4", "mine.py:5 AttributeError: "),
    ("raise ValueError('x' * 10_000)", "mine.py:5 ValueError: " + "x" * 300),
    ("return [1]", "on_book returned a list: fill `actions`"),
]


@pytest.mark.parametrize(("line", "said"), RAISED, ids=[line for line, _ in RAISED])
def test_whatever_it_raises_is_a_fault_of_this_guest(line: str, said: str) -> None:
    head = (
        "class Bad(Exception):\n  def __str__(self): raise SystemExit\n"
        "class Text(str):\n  def __format__(self, spec): raise SystemExit\n"
        "class Sly(Exception):\n  def __str__(self): return Text('sly')"
    )
    guest = algo(line, head=head)
    with pytest.raises(GuestFault) as fault:
        [on_book(guest) for _ in range(2)]
    assert said.replace("mine.py:5", "mine.py:10") in str(fault.value)
    assert len(str(fault.value)) < 400
    assert on_book(algo("actions.buy(1, 1, 1)")) == [(1, 1, 1, 1, 0, 0, 0, 0, 0, 0)]  # nothing is left behind


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.on_nbbo(bytearray(616), STATE),
        lambda g: g.on_message(1, b"", STATE),
        lambda g: g.on_heartbeat(STATE),
        lambda g: g.on_fill(make_fill(1, 2, 3, 1).to_bytes(), STATE),
        lambda g: g.on_reject(make_reject(1, 2).to_bytes()),
        lambda g: g.on_shutdown(STATE),
    ],
)
def test_every_callback_is_guarded(call: Callable[[PythonGuest], object]) -> None:
    names = ("on_nbbo", "on_message", "on_heartbeat", "on_fill", "on_reject", "on_shutdown")
    count = {"on_nbbo": 5, "on_message": 4, "on_heartbeat": 3, "on_fill": 2, "on_reject": 1, "on_shutdown": 2}
    others = "".join(
        f"def {name}(self, {', '.join('abcde'[: count[name]])}): raise SystemExit\n" for name in names
    )  # fmt: skip
    with pytest.raises(GuestFault, match=r"exception: mine\.py:[0-9]+ SystemExit"):
        call(algo(others=others))


@given(st.tuples(*[st.one_of(st.integers(-(2**65), 2**65), st.floats(), st.booleans())] * 4))
@settings(max_examples=200, deadline=None)
def test_an_order_either_fits_its_record_or_is_no_order(fields: tuple[object, ...]) -> None:
    """What comes out can always be packed as the crate lays it out, and is what was asked for."""
    guest = algo("actions.order(*FIELDS)", head="FIELDS = None")
    guest._algo.on_book.__func__.__globals__["FIELDS"] = fields  # type: ignore[attr-defined]
    order_id, side, qty, px = fields
    try:
        wanted = abi.ACTION.pack(order_id, px, qty, side, 0, 0, 0, 0, 0, 0)
    except struct_error:
        wanted = None
    if wanted is None or not all(type(field) is int for field in fields):
        with pytest.raises(GuestFault):
            on_book(guest)
    else:
        (action,) = on_book(guest)
        assert abi.ACTION.pack(*action) == wanted
        assert all(type(value) is int for value in action)


# --- restart ---------------------------------------------------------------------------------------------------------


def test_fresh_is_the_same_file_in_its_first_state() -> None:
    """Module globals and the instance begin anew; two instances share nothing; no file is read."""
    head, body = "COUNT = [0]", "COUNT[0] += 1; self.n = getattr(self, 'n', 0) + 1; actions.buy(COUNT[0], self.n, 1)"
    guest = algo(body, head=head)
    assert [on_book(guest)[0][:3] for _ in range(2)] == [(1, 1, 1), (2, 1, 2)]
    again = guest.fresh()
    assert again.sha256 == guest.sha256
    assert on_book(again)[0][:3] == (1, 1, 1)
    assert on_book(guest)[0][:3] == (3, 1, 3)


def test_pools_are_read_where_the_engine_put_them() -> None:
    guest = algo("books = PoolBooks.read(); actions.push(Action(1, 2, 3, 1, pool_idx=books.pool_ct))")
    assert on_book(guest)[0][7] == 0
    guest.show(Region.POOL_BOOKS, PoolBooks.of(pool_ct=2, metas=[PoolMeta.of(fee_bps=30)]).to_bytes())
    assert on_book(guest)[0][7] == 2
    assert PoolBooks.read().pool_ct == 0
