"""Guests built with every version of the real crate are handed records full of values, and say what they read.

The bytes are built here from the published offsets, padding filled with noise; the guest's words come from the crate's
own structs. What the two agree on, field by field, is the ABI, and that the host puts every record where it belongs.
"""

import random
import struct
from functools import cache
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.orders import Action
from runtime import abi
from runtime.abi import Region
from runtime.host import AlgoHost
from tests.support.referee import CODES, REFEREES, SIZES, Fields, calls, fields, leaves, module, parse, structs

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("real_data")]

FUEL_MAX: Final = 1_000_000
LINE_MAX: Final = 4000
VENUES_MAX: Final = {"0.1.0": 0, "0.3.0": 16, "0.3.2": 20, "0.4.0": 20}
CALLBACKS: Final = {
    "referee01": {"on_book"}, "referee030": {"on_book"}, "referee030m": {"on_nbbo"},
    "referee032": {"on_book", "on_heartbeat"}, "referee032m": {"on_nbbo"},
    "referee04": {"on_book", "on_nbbo", "on_message", "on_heartbeat"},
}  # fmt: skip
PEERS: Final = ["peer", "hedger", "a" * 32, *(f"node-{k}" for k in range(13))]

# the same number for all counts, cut to what a record holds
counts = st.integers(0, 33)
seeds = st.integers(0, 2**32 - 1)


@cache
def loaded(name: str) -> AlgoHost:
    return AlgoHost(module(name), name=name, abi="0.3.0" if name == "referee030m" else "")


def most(crate: str) -> dict[str, int]:
    """The fields that count something, and the most each may say."""
    venues = VENUES_MAX[crate]
    return {
        "order_ct": abi.ORDERS_MAX, "mesh_peer_count": abi.PEERS_MAX, "venue_ct": venues, "book_ct": venues,
        "pool_ct": abi.POOLS_MAX, "count": abi.POOLS_MAX, "chain_ct": abi.CHAINS_MAX, "param_count": abi.PARAMS_MAX,
        "peer_count": abi.PEERS_MAX,
    }  # fmt: skip


def number(rng: random.Random, kind: str) -> int:
    """An integer of this type: every third one of its ends, else of any length."""
    bits = 8 * SIZES[kind]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "i" else (0, (1 << bits) - 1)
    if rng.random() < 1 / 3:
        return rng.choice([low, low + 1, 0, 1, high - 1, high])
    size = rng.getrandbits(bits - (low < 0)) >> rng.randrange(bits - 1)
    return -size if low and rng.random() < 1 / 2 else size


class Records:
    """A filled record of every struct a referee is given; `counted` goes into each count."""

    def __init__(self, crate: str, seed: int, counted: int) -> None:
        self.crate = crate
        self.rng = random.Random(seed)
        self._counted = counted
        self._made: dict[str, bytearray] = {}

    def __getitem__(self, name: str) -> bytearray:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> bytearray:
        raw = bytearray(self.rng.randbytes(structs(self.crate)[name]["size"]))
        for field, kind, at in leaves(self.crate, name):
            value = number(self.rng, kind)
            if field in most(self.crate):
                value = min(self._counted, most(self.crate)[field])
            elif field in ("bid_ct", "ask_ct"):
                value = self.rng.randrange(21)
            raw[at : at + SIZES[kind]] = value.to_bytes(SIZES[kind], "little", signed=kind[0] == "i")
        if name == "MeshTable":
            for k, label in enumerate(PEERS):
                raw[48 + 40 * k : 88 + 40 * k] = label.encode().ljust(32, b"\0") + self.mesh_id(k).to_bytes(8, "little")
        return raw

    def mesh_id(self, peer: int) -> int:
        return 2**64 - 1 - peer * 0x0123_4567_89AB_CDEF % 2**64

    def state(self) -> bytearray:
        """AlgoState as the host writes it: of the newest crate, whatever the guest's."""
        raw = self["AlgoState"]
        return raw + self.rng.randbytes(abi.STATE_BYTES - len(raw))


class Handed:
    """One referee in its first state, its regions filled; each callback is compared as it is made."""

    def __init__(self, name: str, seed: int = 0, counted: int = 33) -> None:
        self.crate = REFEREES[name]
        self.host = loaded(name).fresh()
        self.records = Records(self.crate, seed, counted)
        for region in self.host.regions:
            self.host.show(region, self.records[region])
        self.fuel: dict[str, int] = {}

    def said(self, callback: str, n: int, *given: str, message: Fields | None = None) -> None:
        """The log since the last callback is that callback's, holds these records and each region, each as given."""
        self.fuel[callback] = self.host.fuel_used
        logs = self.host.take_logs()
        assert {level for level, _ in logs} == {2}
        assert self.host.fuel_used <= FUEL_MAX and len(logs) <= 256 and max(len(text) for _, text in logs) <= LINE_MAX
        assert self.host.logs_dropped == self.host.logs_cut == 0
        (call,) = calls(text for _, text in logs)
        assert (call.callback, call.n) == (callback, n)
        names = {*given, *map(str, self.host.regions)}
        expected = {name: fields(self.crate, name, self.records[name]) for name in names}
        if message is not None:
            expected["Message"] = message
        assert call.records.keys() == expected.keys()
        for name, want in expected.items():
            assert call.records[name] == want, name


def play(name: str, seed: int, counted: int) -> Handed:
    """Every callback the referee has, once."""
    handed = Handed(name, seed, counted)
    host, records = handed.host, handed.records
    assert host.callbacks == CALLBACKS[name]
    if "on_book" in host.callbacks:
        features = records["OnlineFeatures"] if Region.FEATURES in host.regions else bytearray(abi.FEATURES_BYTES)
        host.on_book(records["L2Book"], records.state(), features)
        handed.said("on_book", 1, "L2Book", "AlgoState")
    if "on_nbbo" in host.callbacks:
        host.on_nbbo(records["NbboSnapshot"], records.state())
        handed.said("on_nbbo", 1, "NbboSnapshot", "AlgoState")
    if "on_message" in host.callbacks:
        payload = records.rng.randbytes(min(8 * counted, 256))
        known = counted > 0
        host.on_message(records.mesh_id(0) if known else 7, payload, records.state())
        message: Fields = {"from": b"peer" if known else b"", "payload": payload}
        handed.said("on_message", 1, "AlgoState", message=message)
    if "on_heartbeat" in host.callbacks:
        host.on_heartbeat(records.state())
        handed.said("on_heartbeat", 1, "AlgoState")
    host.on_fill(bytes(records["Fill"]), records.state())
    handed.said("on_fill", 1, "Fill", "AlgoState")
    host.on_reject(bytes(records["Reject"]))
    handed.said("on_reject", 1, "Reject")
    host.on_shutdown(records.state())
    handed.said("on_shutdown", 1, "AlgoState")
    return handed


@pytest.mark.parametrize("name", REFEREES)
@given(seed=seeds, counted=counts)
@example(seed=1, counted=0)
@example(seed=2, counted=1)
@example(seed=3, counted=16)
@example(seed=4, counted=33)
@settings(max_examples=20, deadline=None)
def test_every_field_of_every_record_reads_as_it_was_written(name: str, seed: int, counted: int) -> None:
    play(name, seed, counted)


# the ends of every type at once: what is longest to print costs most
ENDS: Final = {"most": 0xFF, "least": 0x80, "zero": 0}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", REFEREES)
def test_the_ends_of_every_type_fit_into_lines_and_fuel(name: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """u64 max and i64 −1, i64 min and 2^63, all zero; all counts at their most."""

    def at_the_end(_: random.Random, kind: str) -> int:
        top = bytes(SIZES[kind] - 1) + bytes([ENDS[end]]) if end == "least" else bytes([ENDS[end]] * SIZES[kind])
        return int.from_bytes(top, "little", signed=kind[0] == "i")

    monkeypatch.setattr(f"{__name__}.number", at_the_end)
    play(name, 0, 33)


def test_a_book_is_given_the_symbol_of_the_deployment() -> None:
    handed = Handed("referee04")
    handed.host.on_book(handed.records["L2Book"], handed.records.state(), handed.records["OnlineFeatures"], 513)
    struct.pack_into("<H", handed.records["L2Book"], abi.BOOK_SYMBOL_ID_AT, 513)
    handed.said("on_book", 1, "L2Book", "AlgoState")


# --- what a referee asks for -----------------------------------------------------------------------------------------

TOUCH: Final = (63_004_900_000_000, 63_005_000_000_000)
MIN_QTY_1E8: Final = 5000


def market(crate: str) -> tuple[bytearray, bytearray]:
    """A book with this touch, a state with this smallest quantity (where the crate has it)."""
    book, state = bytearray(656), bytearray(abi.STATE_BYTES)
    struct.pack_into("<QQ", book, 0, TOUCH[0], 10**8)
    struct.pack_into("<QQ", book, 320, TOUCH[1], 10**8)
    book[640] = book[641] = 1
    abi.SYMBOL_META.pack_into(state, abi.SYMBOL_AT, 10**8, 1, 0 if crate == "0.1.0" else MIN_QTY_1E8, 0, 1, 8)
    return book, state


def scripted(n: int, qty: int) -> list[Action]:
    order, at = divmod(n, 16)
    if at == 8 and order % 5:
        return [(order * 1600 + 1, 0, 0, 0, 1, 0, 0, 0, 0, 0)]
    if at:
        return []
    if order % 5 == 0:
        return [(n * 100 + 1, 0, qty, 1 if order % 2 else -1, 0, 1, 0, 0, 0, 0)]
    return [(n * 100 + 1, TOUCH[0], qty, 1, 0, 4, 0, 0, 0, 0)]


@pytest.mark.parametrize("name", ["referee01", "referee030", "referee032", "referee04"])
def test_orders_from_books(name: str) -> None:
    """A bid every 16th book, cancelled 8 books later; every fifth is a market order, buy and sell in turn."""
    host = loaded(name).fresh()
    book, state = market(REFEREES[name])
    qty = 100_000 if name == "referee01" else MIN_QTY_1E8
    asked = {}
    for n in range(1, 177):
        asked[n] = host.on_book(book, state, bytearray(abi.FEATURES_BYTES))
        host.take_logs()
    assert asked == {n: scripted(n, qty) for n in asked}
    assert [asked[n][0][3:6] for n in (16, 80, 160)] == [(1, 0, 4), (1, 0, 1), (-1, 0, 1)]


@pytest.mark.parametrize("name", ["referee030m", "referee032m", "referee04"])
def test_orders_from_nbbos(name: str) -> None:
    """Every 16th call: a buy at the best ask's venue, then a sell at the best bid's; in 0.4 as intents."""
    host = loaded(name).fresh()
    _, state = market(REFEREES[name])
    nbbo = bytearray(abi.NBBO_BYTES[host.generation])
    struct.pack_into("<QQ", nbbo, 0, *TOUCH)
    nbbo[32:35] = bytes([2, 1, 3])  # best bid in slot 2, best ask in slot 1, three venues
    ids_at = structs(REFEREES[name])["NbboSnapshot"]["fields"]["venue_ids"]["offset"]
    nbbo[ids_at : ids_at + 3] = bytes([1, 11, 17])
    asked = {}
    for n in range(1, 49):
        asked[n] = host.on_nbbo(nbbo, state)
        host.take_logs()
    kind, order_type, ttl_ms = (3, 0, 1000) if name == "referee04" else (0, 2, 0)
    buy, sell = (TOUCH[1], MIN_QTY_1E8, 1, 11), (TOUCH[0], MIN_QTY_1E8, -1, 17)
    expected = {
        n: [(n * 100 + 51, px, qty, side, kind, order_type, venue, 0, 0, ttl_ms)]
        for n, (px, qty, side, venue) in {16: buy, 32: sell, 48: buy}.items()
    }
    assert {n: actions for n, actions in asked.items() if actions} == expected
    nbbo[33:35] = bytes([1, 1])  # the best ask in a slot that is not in use
    fresh = loaded(name).fresh()
    assert [fresh.on_nbbo(nbbo, state) for _ in range(16)] == [[]] * 16


def test_messages() -> None:
    """One to `peer` every 8th book; a payload that starts with 1 goes back reversed, to a sender with a label only."""
    handed = Handed("referee04")
    host, peer = handed.host, handed.records.mesh_id(0)
    book, state = market("0.4.0")
    for _ in range(16):
        host.on_book(book, state, bytearray(abi.FEATURES_BYTES))
        host.take_logs()
    assert host.take_sent() == [(peer, b"\1" + n.to_bytes(8, "little") + b"\2") for n in (8, 16)]
    long = b"\1" + bytes(range(255))
    for sender, payload in [(2, long), (2, b"\2\1"), (2, b""), (15, b"\1"), (0, b"\1\2")]:
        host.on_message(handed.records.mesh_id(sender), payload, state)
    host.on_message(7, b"\1", state)
    assert host.take_sent() == [
        (handed.records.mesh_id(2), long[::-1]), (handed.records.mesh_id(15), b"\1"), (peer, b"\2\1"),
    ]  # fmt: skip


# --- the reader of their log -----------------------------------------------------------------------------------------


def test_a_line_is_read() -> None:
    assert parse(b"on_fill Fill order_id=ffffffffffffffff qty_1e8=-8000000000000000") == (
        "on_fill", "Fill", {"order_id": 2**64 - 1, "qty_1e8": -(2**63)},
    )  # fmt: skip
    assert parse("on_nbbo PoolBooks.metas.1f address=#00ff") == (
        "on_nbbo", "PoolBooks", {"metas.31.address": b"\0\xff"},
    )  # fmt: skip
    assert parse("on_book X peers.label=#61,# ids=1,a") == (
        "on_book", "X", {"peers.label": [b"a", b""], "ids": [1, 10]},
    )  # fmt: skip


@pytest.mark.parametrize("log", [
    ["on_fill Fill order_id"],
    ["on_fill Fill order_id=7"],
    ["on_fill call n=1", "on_book L2Book bid_ct=1"],
    ["on_fill call n=1", "on_fill Fill order_id=7", "on_fill Fill order_id=7"],
])  # fmt: skip
def test_a_log_that_is_none_is_refused(log: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no value|outside|twice"):
        calls(log)


def test_every_type_of_the_table_is_read() -> None:
    kinds = {kind for crate in set(REFEREES.values()) for name in structs(crate) for _, kind, _ in leaves(crate, name)}
    assert kinds <= CODES.keys() | {"u128"}
