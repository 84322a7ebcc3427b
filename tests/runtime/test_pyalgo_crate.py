"""The records of Python algos against the crate itself: the same bytes, every method called, the same answers.

A small native program is compiled against `sequence-algo-sdk` 0.4.0; it reads records and prints what the crate says.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from runtime.python.context import MeshTable
from runtime.python.layout import Record
from runtime.python.market import ChainFee, ConfigRegion, NbboSnapshot, PoolAmm, VenueBooks, is_cex, is_dex, venue_name
from runtime.python.records import AlgoState, Fill, L2Book, OnlineFeatures, Reject, RiskSnapshot, SymbolMeta

needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None and "CI" not in os.environ, reason="no cargo")
pytestmark = [pytest.mark.slow, needs_cargo]

MANIFEST: Final = """
[package]
name = "referee"
version = "0.0.0"
edition = "2021"
[dependencies]
sequence-algo-sdk = "=0.4.0"
[workspace]
"""
# each line on stdin: a kind and a record in hex; each line on stdout: the crate's answers, comma-separated
PROGRAM: Final = """
use algo_sdk::*;
use algo_sdk::messaging::MeshTable;
use std::io::BufRead;

fn of<T>(raw: &[u8]) -> T {
    assert_eq!(raw.len(), core::mem::size_of::<T>());
    unsafe { core::ptr::read_unaligned(raw.as_ptr() as *const T) }
}
fn level(l: Option<&Level>) -> String { l.map_or("-".into(), |l| format!("{}/{}", l.px_1e9, l.sz_1e8)) }
fn book(b: &L2Book) -> String {
    format!("{},{},{},{},{},{},{},{},{},{},{},{}", level(b.best_bid()), level(b.best_ask()), b.mid_px_1e9(),
        b.spread_1e9(), b.spread_signed_1e9(), b.spread_bps(), b.spread_bps_x1000(), b.is_crossed(),
        b.bid_depth_1e8(3), b.ask_depth_1e8(99), b.imbalance_bps(5), b.recv_ns)
}
fn state(s: &AlgoState) -> String {
    let o = s.find_order(3).map_or("-".into(), |o| format!("{}/{}/{}", o.is_live(), o.is_pending(), o.remaining_1e8()));
    format!("{},{},{},{},{},{},{},{},{},{}", s.symbol_name(), s.is_flat(), s.is_long(), s.is_short(), s.has_orders(),
        s.live_order_count(), o, s.open_buy_qty_1e8(), s.open_sell_qty_1e8(), s.total_pnl_1e9())
}
fn symbol(m: &SymbolMeta) -> String {
    let q = 123_456_789_012i64;
    format!("{},{},{},{},{}", m.round_px(63_004_912_345_678), m.round_qty(q), m.round_qty(-q),
        m.check_notional(-q, 63_004_912_345_678), m.check_min_qty(-q))
}
fn nbbo(n: &NbboSnapshot) -> String {
    format!("{},{},{},{},{},{}", n.is_crossed(), n.venue_bid(1), n.venue_ask(19), n.is_venue_stale(2, 30_000),
        n.slot_for_venue(7).map_or("-".into(), |s| s.to_string()), n.venue_bid_sz[3])
}
fn venues(v: &VenueBooks) -> String {
    format!("{},{},{},{},{},{}", v.book_for_venue(7).map_or("-".into(), book), book(v.book_at_slot(2)),
        v.has_depth_for(9), v.venue_id_at(4), v.cex_count(), v.dex_count())
}
fn features(f: &OnlineFeatures) -> String {
    format!("{},{},{},{},{},{},{},{},{}", f.vpin_valid(), f.microprice_1e9, f.mlofi_10_1e8, f.trade_arrival_rate_1e3,
        f.vpin_1e4, f.spread_zscore_1e3, f.depth_imbalance_1e4, f.pred_toxic_1e4, f.feature_ts_ns)
}
fn config(c: &ConfigRegion) -> String {
    format!("{},{},{},{},{}", c.get_i64(3), c.get_i32(3), c.get_bool(4), c.get_bps(31), c.get_i64(32))
}
fn amm(p: &PoolAmm) -> String {
    format!("{},{},{},{},{},{}", p.reserve0(), p.sqrt_price_x64, p.liquidity, p.tick, p.is_v3(), p.fee_bps())
}
fn fee(c: &ChainFee) -> String { format!("{},{}", c.total_gas_cost_native(), c.gas_cost_usd_1e9()) }
fn mesh(m: &MeshTable) -> String {
    format!("{},{},{}", m.self_label_str(), m.resolve("ab"), m.label_for(3))
}
fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (kind, hex) = line.split_once(' ').unwrap();
        let raw: Vec<u8> = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        println!("{}", match kind {
            "L2Book" => book(&of(&raw)),
            "AlgoState" => state(&of(&raw)),
            "SymbolMeta" => symbol(&of(&raw)),
            "RiskSnapshot" => format!("{}", of::<RiskSnapshot>(&raw).check_position(-5_000, 70_000)),
            "Fill" => { let f: Fill = of(&raw); format!("{},{},{}", f.since_ns(1 << 62), f.since_ms(5), f.symbol_id()) }
            "Reject" => { let r: Reject = of(&raw); format!("{},{}", r.reason(), r.symbol_id()) }
            "OnlineFeatures" => features(&of(&raw)),
            "NbboSnapshot" => nbbo(&of(&raw)),
            "VenueBooks" => venues(&of(&raw)),
            "PoolAmm" => amm(&of(&raw)),
            "ChainFee" => fee(&of(&raw)),
            "ConfigRegion" => config(&of(&raw)),
            "MeshTable" => mesh(&of(&raw)),
            "Venue" => format!("{},{},{}", is_dex(raw[0]), is_cex(raw[0]), venue_name(raw[0])),
            _ => unreachable!(),
        });
    }
}
"""


def said(*values: object) -> str:
    """Values as Rust prints them."""
    return ",".join("-" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in values)


def book(b: L2Book) -> str:
    bid, ask = b.best_bid(), b.best_ask()
    return said(
        bid and f"{bid.px_1e9}/{bid.sz_1e8}", ask and f"{ask.px_1e9}/{ask.sz_1e8}", b.mid_px_1e9(), b.spread_1e9(),
        b.spread_signed_1e9(), b.spread_bps(), b.spread_bps_x1000(), b.is_crossed(), b.bid_depth_1e8(3),
        b.ask_depth_1e8(99), b.imbalance_bps(5), b.recv_ns,
    )  # fmt: skip


def state(s: AlgoState) -> str:
    o = s.find_order(3)
    order = o and "/".join(said(part) for part in (o.is_live(), o.is_pending(), o.remaining_1e8()))
    return said(
        s.symbol_name(), s.is_flat(), s.is_long(), s.is_short(), s.has_orders(), s.live_order_count(), order,
        s.open_buy_qty_1e8(), s.open_sell_qty_1e8(), s.total_pnl_1e9(),
    )  # fmt: skip


def symbol(m: SymbolMeta) -> str:
    qty, px = 123_456_789_012, 63_004_912_345_678
    return said(m.round_px(px), m.round_qty(qty), m.round_qty(-qty), m.check_notional(-qty, px), m.check_min_qty(-qty))


def features(f: OnlineFeatures) -> str:
    return said(
        f.vpin_valid(), f.microprice_1e9, f.mlofi_10_1e8, f.trade_arrival_rate_1e3, f.vpin_1e4, f.spread_zscore_1e3,
        f.depth_imbalance_1e4, f.pred_toxic_1e4, f.feature_ts_ns,
    )  # fmt: skip


def nbbo(n: NbboSnapshot) -> str:
    return said(
        n.is_crossed(), n.venue_bid(1), n.venue_ask(19), n.is_venue_stale(2, 30_000), n.slot_for_venue(7),
        n.venue_bid_sz[3],
    )  # fmt: skip


def venues(v: VenueBooks) -> str:
    found = v.book_for_venue(7)
    return said(
        found and book(found), book(v.book_at_slot(2)), v.has_depth_for(9), v.venue_id_at(4), v.cex_count(),
        v.dex_count(),
    )  # fmt: skip


OURS: Final[dict[type[Record], Callable[..., str]]] = {
    L2Book: book, AlgoState: state, SymbolMeta: symbol, OnlineFeatures: features, NbboSnapshot: nbbo,
    VenueBooks: venues,
    RiskSnapshot: lambda r: said(r.check_position(-5_000, 70_000)),
    Fill: lambda f: said(f.since_ns(1 << 62), f.since_ms(5), f.symbol_id()),
    Reject: lambda r: said(r.reason(), r.symbol_id()),
    PoolAmm: lambda p: said(p.reserve0(), p.sqrt_price_x64, p.liquidity, p.tick, p.is_v3(), p.fee_bps()),
    ChainFee: lambda c: said(c.total_gas_cost_native(), c.gas_cost_usd_1e9()),
    ConfigRegion: lambda c: said(c.get_i64(3), c.get_i32(3), c.get_bool(4), c.get_bps(31), c.get_i64(32)),
    MeshTable: lambda m: said(m.self_label_str(), m.resolve("ab"), m.label_for(3)),
}  # fmt: skip


def drawn(kind: type[Record], rng: random.Random) -> bytes:
    """Random bytes, or small numbers (so that signs, zeros and equalities happen); counts within their arrays."""
    if rng.random() < 0.5:
        raw = bytearray(rng.randbytes(kind.SIZE))
    else:
        raw = bytearray(rng.choice((0, 0, 0, 0, 1, 2, 3, 7, 255)) for _ in range(kind.SIZE))
    counts = {L2Book: (640, 641), AlgoState: (1312,), NbboSnapshot: (34,), VenueBooks: (656,), MeshTable: (40,)}
    for at in counts.get(kind, ()):
        raw[at] %= 17
    if kind is VenueBooks:
        for at in [0, *range(712, kind.SIZE, 656)]:
            raw[at + 640], raw[at + 641] = rng.randrange(21), rng.randrange(21)
    if kind is AlgoState:  # quantities whose sums an i64 holds
        for at in range(32, 1312, 40):
            raw[at + 23], raw[at + 31] = raw[at + 22] >> 7 and 255, raw[at + 30] >> 7 and 255
            raw[at] %= 5
            raw[at + 1 : at + 8] = bytes(7)
            raw[at + 33] %= 5
        raw[1560:1576] = rng.choice((b"BTC-USD".ljust(16, b"\0"), b"X" * 16, bytes(16), b"\xff" * 16))
    if kind is MeshTable:
        for at in [0, *range(48, kind.SIZE, 40)]:
            raw[at : at + 32] = rng.choice((b"ab", b"abc", b"", b"a" * 32, b"\xff\xfe")).ljust(32, b"\0")
    if kind is ChainFee:
        raw[0] = rng.randrange(7)
        raw[14:16] = raw[22:24] = raw[30:32] = bytes(2)
    return bytes(raw)


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled as guests are: arithmetic wraps."""
    folder = tmp_path_factory.mktemp("crate")
    (folder / "src").mkdir()
    (folder / "Cargo.toml").write_text(MANIFEST)
    (folder / "src/main.rs").write_text(PROGRAM)
    done = subprocess.run(["cargo", "build", "--release"], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    return folder / "target/release/referee"


def test_every_method_answers_as_the_crate_does(crate: Path) -> None:
    rng = random.Random(20_260_101)
    asked = [(kind, kind(drawn(kind, rng))) for kind in OURS for _ in range(300)]
    lines = [f"{kind.__name__} {record.to_bytes().hex()}" for kind, record in asked]
    lines += [f"Venue {venue:02x}" for venue in range(256)]
    done = subprocess.run([crate], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = [OURS[kind](record) for kind, record in asked]
    ours += [said(is_dex(venue), is_cex(venue), venue_name(venue)) for venue in range(256)]
    theirs = done.stdout.splitlines()
    assert len(theirs) == len(ours)
    for line, mine, other in zip(lines, ours, theirs, strict=True):
        assert mine == other, line[:100]
