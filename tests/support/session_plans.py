"""The two sessions that the referees watch: one venue with the older guests, and three sources with the mesh.

Seconds are on the clock of the BTC recording (0 … 60); ETH runs from 40 on; midnight falls at 55.35, when most happens.
"""

from pathlib import Path
from typing import Any, Final

from runtime.inputs import Frame, Input, LinkDown, LinkUp
from tests.support.chain_venue import frame
from tests.support.reference import Recording
from tests.support.session_script import (
    ASK,
    BID,
    BTC,
    ETH,
    FOK,
    IOC,
    LATER_NS,
    LIMIT,
    MARKET,
    MAX_AGE_NS,
    POST_ONLY,
    AlgoPlan,
    Asked,
    Plan,
    Prompts,
    Timed,
    VenuePlan,
    amend,
    at,
    cancel,
    damaged,
    frames,
    hung_up,
    link,
    metadata,
    new,
    opened,
    ordered,
    said,
    setting,
    snapshots,
    timers,
)

USD: Final = 10**9
BEGIN, END = -2.2, 61.0
LIMITS: Final = {
    "max_order_notional_1e9": 1400 * USD, "max_order_rate": 12, "price_collar_bps": 100, "max_open_orders": 32,
    "max_book_age_ns": MAX_AGE_NS,
}  # fmt: skip
# `other` is stuck and then heard all at once, is silent until it is dialled again, and hangs up
STUCK, SILENT, HUNG = (20.0, 22.5), (26.0, 32.0), (44.0, 47.0)


def refused(first: int) -> list[Asked]:
    """Of ETH at 1,877: what each control of the gate refuses."""
    qty, px = 1_000_000, 1870 * USD
    return [
        new(first, 1, qty, 1500 * USD), new(first + 1, 1, 8_000_000, px), new(first + 2, 1, 10**9, px),
        new(first + 3, 1, qty, px, venue=9), new(first + 4, 1, qty, px, IOC, pool=9),
        new(first + 5, 1, qty, px, symbol=7), (first + 6, px, qty, 1, 7, 0, 0, 0, 0, 0), new(first + 7, 3, qty, px),
        new(first + 8, 1, 10, px), new(first + 9, 1, qty, px + 1), cancel(first + 10), amend(first + 11, qty, px),
        (first + 12, px, qty, 1, 3, 9, 0, 0, 0, 0), (0,) * 10,
    ]  # fmt: skip


def hurried(first: int) -> list[Asked]:
    """More in one moment than the rate allows; each would end at once."""
    return [new(first + k, 1, 1_000_000, 1870 * USD, IOC if k % 2 else FOK) for k in range(15)]


# a bid and an offer at the touch of ETH, a few books before the other side reaches them
RESTING: Final[Prompts] = {(0, 160): [new(920_000, -1, 2_000_000, ASK)], (0, 288): [new(920_001, 1, 2_000_000, BID)]}

# --- one venue -------------------------------------------------------------------------------------------------------


def one_prompts() -> Prompts:
    """By referee01, whose one symbol is BTC: a market order through several levels, and what becomes of it."""
    return {
        (0, 20): [new(900_001, -1, 1_880_000, kind=MARKET)],
        (0, 24): [new(900_002, 1, 500_000, ASK, IOC), new(900_003, 1, 300_000, BID.less(USD))],
        (0, 26): [amend(900_003, 400_000, BID.less(2 * USD)), new(900_003, 1, 300_000, BID)],
        (0, 30): [cancel(900_003), new(900_004, 1, 400_000, ASK, POST_ONLY)],
        (0, 60): [new(900_005, 1, 1_900_000, kind=MARKET), new(900_006, 1, 1_000_000, BID.less(5 * USD))],
        (0, 110): [new(900_007, 1, 1_000_000, kind=MARKET), new(900_008, 1, 10_000, BID.less(5 * USD))],
        (0, 120): [new(900_009, 1, 100_000, kind=MARKET), new(900_010, -1, 100_000, kind=MARKET)],
        (0, 200): [new(900_011, -1, 2_500_000, BID, IOC)],
        (0, 240): [new(900_012, 1, 3_000_000, ASK, IOC), new(900_013, -1, 1_000_000, BID.less(-USD))],
    }


def one(captures: Path) -> Plan:
    """referee01, 030, 032 and 04 at Kraken alone; it hangs up, one checksum is damaged, the day's loss is passed."""
    rows = damaged(frames(captures), at(30))
    back = [metadata(), *snapshots(rows, at(25.2))]
    kept = [row for row in rows if not at(24.0) <= row[0] <= at(25.2)]
    algos = (
        AlgoPlan("oldest", "referee01", (BTC,), ("kraken",), prompts=one_prompts()),
        AlgoPlan("old", "referee030", (ETH,), ("kraken",), prompts=RESTING),
        AlgoPlan("featured", "referee032", (BTC, ETH), ("kraken",)),
        AlgoPlan("newest", "referee04", (ETH, BTC), ("kraken",), {0: "7", 5: "true"}, prompts={
            (0, 30): refused(910_000), (0, 60): hurried(911_000),
            (0, 90): [new(912_000, 1, 1_000_000, 63_004_900_000_000, symbol=1)],
            (0, 95): [new(912_001, 1, 700_000, kind=MARKET)],
        }),
    )  # fmt: skip
    inputs = ordered(
        opened("kraken", BEGIN, []), link("kraken", [(at(-0.3), metadata().decode())]), link("kraken", kept),
        hung_up("kraken", 24.0, 25.2, back), timers(BEGIN + 0.6, END),
        link("kraken", [(at(48.05), metadata(eth_min="0.004", kind="update").decode())]),
        [setting(10.1, "newest", {0: "-8", 31: "2.5e-3"}), setting(11.1, "newest", {0: "1.5"}),
         setting(50.1, "newest", {5: "false", 6: "-3bps"})],
        [said(46.1, "arm"), said(50.3, "kill", "algo:old"), said(50.4, "reduce", "algo:old"),
         said(51.3, "reduce", "instrument:kraken:BTC/USD"), said(53.1, "arm"), said(56.05, "reduce"),
         said(56.12, "arm"), said(END, "stop")],
    )  # fmt: skip
    limits = LIMITS | {"max_position_1e8": 5_000_000, "max_daily_loss_1e9": 7 * USD}
    return Plan((VenuePlan("kraken", 1),), (BTC, ETH), algos, limits, inputs, predicts=True)


# --- three sources ---------------------------------------------------------------------------------------------------


def pools() -> tuple[dict[str, Any], ...]:
    """Two of BTC and one of ETH."""
    return tuple(
        {"address": bytes(range(16 * slot + 1, 16 * slot + 33)), "symbol": symbol, "pair_index": 300 * slot,
         "venue_id": 12, "protocol_id": 2 + slot, "fee_bps": 5 + 250 * slot}
        for slot, symbol in enumerate((BTC, BTC, ETH))
    )  # fmt: skip


def ladder(middle_1e9: int, step_1e9: int, size_1e8: int, k: int) -> dict[str, list[list[int]]]:
    """Up to 22 levels a side around a middle that wanders; sometimes better than the venues' touch, sometimes thin."""
    middle_1e9 += (k % 5 - 2) * step_1e9
    count = (1, 22, 3, 7)[k % 4]
    return {
        side: [[middle_1e9 + sign * (1 + 2 * place) * step_1e9, size_1e8 + place + k] for place in range(count)]
        for side, sign in (("bids", -1), ("asks", 1))
    }


def chain() -> Timed:
    """Every 0.9 s a ladder, a curve or gas; silent from 36 to 39.5; one pool and its own book lost for a while."""
    found: Timed = [(at(-2.1), LinkUp("dex_arb", "public"), None)]
    for k in range(69):
        when_ns = at(-1.9 + 0.9 * k) + 11
        gas = [12 * k, 180, 2 + k, 66_000 if k % 2 else 35_000]
        curve = [k % 3, k + 1, when_ns, 500, k << 64, 2**127 + k, (k << 70) + 5, 2**100 + k, -k, 60]
        if at(36) <= when_ns < at(39.5):
            continue
        said_now = (
            [frame(book=0, **ladder(63_004_950_000_000, 20_000_000, 2_000, k))],
            [frame(book=2, **ladder(63_004_000_000_000, 300_000_000, 900, k)), frame(pool=2, gas=gas, amm=curve)],
            [frame(fee=[(1, 5, 0)[k % 3], k, 2 * k, 180_000 + k, 3_500 * USD + k, when_ns])],
            [frame(book=1, **ladder(1_877_300_000_000, 40_000_000, 120_000, k))],
            [frame(book=4, **ladder(1_877_000_000_000, 70_000_000, 130_000, k)), frame(pool=4, gas=gas, amm=curve)],
            [frame(pool=3, gas=gas, amm=None), frame(book=3, **ladder(63_005_000_000_000, 10_000_000, 5, k))],
        )[k % 6]
        found += [(when_ns + place, given, None) for place, given in enumerate(said_now)]
    found += [(at(14.2), frame(lost=3), None), (at(42.3), frame(lost=0), None), (at(55.5), frame(lost=4), None)]
    return found


def stale_edges(rows: Recording) -> Timed:
    """While `other` is stuck: a frame of the chain when it is as old as may be, and another one nanosecond later."""
    last_ns = max(recv_ns for recv_ns, _ in rows if recv_ns < at(STUCK[0]))
    ladders = [ladder(63_004_900_000_000, 500_000_000, 4_000, 0)] * 2
    return [(last_ns + MAX_AGE_NS + k, frame(book=0, **each), None) for k, each in enumerate(ladders)]


def other(rows: Recording) -> Timed:
    """The same recordings a little later at a second venue, with its three troubles."""
    later = [(recv_ns + LATER_NS, raw) for recv_ns, raw in rows]
    heard: Recording = []
    for place, (recv_ns, raw) in enumerate(later):
        if at(STUCK[0]) <= recv_ns < at(STUCK[1]):
            heard.append((at(STUCK[1]) + place, raw))
        elif not any(at(begin) <= recv_ns <= at(end) for begin, end in (SILENT, HUNG)):
            heard.append((recv_ns, raw))
    known = [metadata(eth_min="0.003", btc_min="0.0001")]
    return ordered(
        opened("other", BEGIN + 0.05, known), link("other", heard), stale_edges(heard),
        [(at(30.3), LinkDown("other", "public", "not answering"), None)],
        opened("other", SILENT[1], known + snapshots(later, at(SILENT[1]))),
        hung_up("other", *HUNG, known + snapshots(later, at(HUNG[1]))),
    )  # fmt: skip


def maker_prompts() -> Prompts:
    """Of ETH at kraken (symbol 0), with BTC (symbol 1), another venue and a pool at hand."""
    btc, eth_pool = 63_005 * USD, (1880 * USD, 1874 * USD)
    return {
        (0, 10): [new(900_001, 1, 400_000, BID.less(2 * USD))],
        (0, 14): [amend(900_001, 600_000, BID.less(3 * USD))],
        (0, 20): [cancel(900_001), new(900_002, 1, 500_000, eth_pool[0], IOC, pool=1)],
        (0, 28): [new(900_003, -1, 300_000, eth_pool[1], FOK, pool=1), new(900_014, 1, 400_000)],
        (0, 34): [new(900_004, 1, 30_000, kind=MARKET, venue=2, symbol=1)],
        (0, 40): [new(900_005, 1, 400_000, ASK, POST_ONLY), new(900_006, 1, 20_000, btc, POST_ONLY, symbol=1)],
        (0, 50): refused(910_000),
        (0, 70): hurried(911_000),
        (0, 180): [new(900_007, 1, 400_000, ASK, IOC, venue=2)],
        (0, 220): [new(900_008, -1, 3_000_000, kind=MARKET)],
        (0, 300): [new(900_009, 1, 1_000_000, ASK.less(-10_000_000), IOC), new(900_010, 1, 400_000, BID.less(4 * USD))],
        (0, 330): [new(900_011, -1, 10_000, btc - USD, LIMIT, venue=2, symbol=1)],
        (0, 470): [new(900_012, 1, 400_000, BID.less(USD))],
        (1, 130): [new(900_013, 1, 20_000, ASK, IOC, pool=1, symbol=1)],
    }  # fmt: skip


def many(captures: Path) -> Plan:
    """The multi-venue referees and a mesh of three over kraken, `other` and a chain; killed, and armed again."""
    rows = frames(captures)
    everywhere = ("kraken", "other", "dex_arb")
    algos = (
        AlgoPlan("m030", "referee030m", (BTC,), everywhere),
        AlgoPlan("m032", "referee032m", (ETH,), everywhere),
        AlgoPlan("maker", "referee04", (ETH, BTC), everywhere, {0: "25bps", 1: "500000000", 2: "0.35", 3: "true"},
                 "maker", maker_prompts()),
        AlgoPlan("second", "referee04", (BTC,), ("other", "kraken", "dex_arb"), {31: "-7"}, "peer"),
        AlgoPlan("third", "referee04", (ETH,), ("kraken",), {}, "hedger" + 26 * "r", RESTING),
    )  # fmt: skip
    venues = (
        VenuePlan("kraken", 1),
        VenuePlan("other", 2, {BTC: "BTC/USD:1:8:0.0002:0.5", ETH: "ETH/USD:2:8:0.005:1"}),
        VenuePlan("dex_arb", 12, {BTC: "BTC/USD:9:8:0:0", ETH: "ETH/USD:9:8:0:0"}, pools()),
    )
    inputs = ordered(
        opened("kraken", BEGIN, []), link("kraken", [(at(-0.3), metadata().decode())]), link("kraken", rows),
        other(rows), chain(), timers(BEGIN + 0.6, END),
        [setting(5.1, "maker", {0: "30bps", 2: "0.4"}), setting(6.1, "maker", {0: "5", 1: "1"}),
         setting(41.1, "second", {31: "8", 0: "1e-3"}), setting(55.36, "third", {4: "false"})],
        [said(43.1, "reduce", "venue:other"), said(44.9, "arm"), said(56.5, "kill"), said(57.9, "arm"),
         said(END, "stop")],
    )  # fmt: skip
    limits = LIMITS | {"max_position_1e8": 5_000_000, "max_daily_loss_1e9": 1000 * USD}
    return Plan(venues, (BTC, ETH), algos, limits, inputs)


# --- two small ones --------------------------------------------------------------------------------------------------


def is_of_eth_pool(given: Input) -> bool:
    return isinstance(given, Frame) and (b'"book": 4' in given.raw or b'"pool": 4' in given.raw)


def partly(
    captures: Path, until: float = 41.0, symbols: tuple[str, ...] = (BTC, ETH), prompts: Prompts | None = None,
    more: Timed | None = None,
) -> Plan:  # fmt: skip
    """Kraken and a chain; of the algo's two symbols only the first has pools."""
    chain_plan = VenuePlan("dex_arb", 12, {BTC: "BTC/USD:9:8:0:0", ETH: "ETH/USD:9:8:0:0"}, pools()[:2])
    algos = (AlgoPlan("partly", "referee04", symbols, ("kraken", "dex_arb"), prompts=prompts or {}),)
    inputs = ordered(
        opened("kraken", BEGIN, []), link("kraken", [(at(-0.3), metadata().decode())]),
        link("kraken", [row for row in frames(captures) if row[0] < at(until)]),
        [row for row in chain() if row[0] < at(until) and not is_of_eth_pool(row[1])], more or [],
    )  # fmt: skip
    limits = LIMITS | {"max_position_1e8": 5_000_000, "max_daily_loss_1e9": 1000 * USD}
    return Plan((VenuePlan("kraken", 1), chain_plan), (BTC, ETH), algos, limits, inputs)


def chased(captures: Path, *, is_halted: bool) -> Plan:
    """An intent waits for more of a pool's ladder, which comes; before it, or not, a new parameter and a kill."""
    chase: Asked = (900_001, 63_300 * USD, 60_000, 1, 3, 1, 0, 1, 0, 0)
    more = at(12.02), frame(book=2, **ladder(63_001 * USD, USD, 7_000, 3)), None
    before: Timed = [setting(12.0, "partly", {9: "77"}), said(12.01, "kill")] if is_halted else []
    return partly(captures, 11.88, (BTC,), {(0, 30): [chase]}, [*before, more])
