"""Two sessions over real Kraken recordings, played through the engine: what went in, and all that came out.

The frames are recordings; what a recording has not is made here in the venue's own words: metadata, trades, snapshots
after a lost link, one damaged checksum, a chain's ladders and gas, commands. A `Plan` says it all in plain values, so
that `session_reference.py` can work out from it what every guest must be shown.
"""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from connectors.book import L2Book
from connectors.instrument import Instrument
from connectors.orders import Action
from connectors.pool import PoolId
from connectors.venues.kraken import VENUE
from risk.limits import Limits
from runtime.engine import Engine
from runtime.features import Prediction, Predictor
from runtime.host import AlgoHost
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer, Trace
from runtime.port import VenueSpec
from runtime.regions import parse_param
from runtime.spec import AlgoSpec, EngineSpec
from tests.support import chain_venue
from tests.support.kraken_frames import instruments, pair, trade, trades
from tests.support.kraken_venue import snapshot_frame
from tests.support.referee import module
from tests.support.reference import DictBook, Recording, recording

SECOND: Final = 10**9
DAY_NS: Final = 86_400 * SECOND
MIDNIGHT_NS: Final = 20_000 * DAY_NS
BTC, ETH = "BTC/USD", "ETH/USD"
FILES: Final = {BTC: ("kraken_btcusd_l2.jsonl", 10, 1), ETH: ("kraken_ethusd_sample.jsonl", 25, 2)}
ETH_FRAMES: Final = 520
# seconds on the clock of the BTC recording, in whose densest moment midnight falls
MIDNIGHT_AT: Final = 55_350_000_000
ETH_AT: Final = 40 * SECOND
LATER_NS: Final = 290_000_123  # what `other` hears later than kraken
MAX_AGE_NS: Final = 2 * SECOND
LIMIT, MARKET, IOC, FOK, POST_ONLY = range(5)


class Px(NamedTuple):
    """A price of the book that an algo was just shown: side 0 the best bid, 1 the best ask, and so much less."""

    side: int
    less_1e9: int = 0

    def less(self, less_1e9: int) -> "Px":
        return Px(self.side, less_1e9)


BID, ASK = Px(0), Px(1)
Asked = tuple[
    int, int | Px, int, int, int, int, int, int, int, int
]  # an Action whose price may yet have to be looked up
Prompts = dict[tuple[int, int], list[Asked]]  # (symbol id, which of its books) → what to ask for


def new(
    order_id: int, side: int, qty: int, px: int | Px = 0, kind: int = LIMIT, *,
    venue: int = 0, pool: int = 0, symbol: int = 0,
) -> Asked:  # fmt: skip
    return order_id, px, qty, side, 0, kind, venue, pool, symbol, 0


def cancel(order_id: int) -> Asked:
    return order_id, 0, 0, 0, 1, 0, 0, 0, 0, 0


def amend(order_id: int, qty: int, px: int | Px) -> Asked:
    return order_id, px, qty, 0, 2, 0, 0, 0, 0, 0


class Prompted(AlgoHost):
    """A referee, and beside what it asks for in on_book, what the test asks for."""

    def __init__(self, name: str, prompts: Prompts, abi: str) -> None:
        super().__init__(module(name), name=name, abi=abi)
        self._prompts = prompts
        self._books: dict[int, int] = {}

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Action]:
        actions = super().on_book(book, state, features, symbol_id)
        n = self._books[symbol_id] = self._books.get(symbol_id, 0) + 1
        for order_id, px, *rest in self._prompts.get((symbol_id, n), []):
            if isinstance(px, Px):
                px = struct.unpack_from("<Q312xQ", book)[px.side] - px.less_1e9  # noqa: PLW2901 - the same, looked up
            actions.append((order_id, px, *rest))  # type: ignore[arg-type]  # mypy loses the rest's length
        return actions


@dataclass(frozen=True)
class AlgoPlan:
    name: str
    referee: str
    symbols: tuple[str, ...]
    venues: tuple[str, ...]
    params: dict[int, str] = field(default_factory=dict)
    label: str = ""
    prompts: Prompts = field(default_factory=dict)


@dataclass(frozen=True)
class VenuePlan:
    """`known`: metadata given beforehand, as `--instrument` takes it. `pools`: PoolMeta's fixed fields and a symbol."""

    name: str
    venue_id: int
    known: dict[str, str] = field(default_factory=dict)
    pools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Plan:
    """A session. `limits` by the names of RiskSnapshot, and the gate's own. `inputs`: (now_ns, input, its meaning)."""

    venues: tuple[VenuePlan, ...]
    symbols: tuple[str, ...]
    algos: tuple[AlgoPlan, ...]
    limits: dict[str, int]
    inputs: list[tuple[int, Input, Any]]
    predicts: bool = False


@dataclass
class Played:
    """What the engine wrote, turn by turn. `kept` is for what is dear to compute and the same in every walk."""

    plan: Plan
    turns: list[tuple[int, Input, Any, Trace]]
    engine: Engine
    kept: dict[tuple[str, int, int], dict[str, int]] = field(default_factory=dict)


# --- from a plan to an engine ----------------------------------------------------------------------------------------


class Predicting:
    """A model that answers every third book; its numbers say which book it was."""

    def __init__(self) -> None:
        self.books = 0

    def __call__(self, features: memoryview, book: L2Book, now_ns: int) -> Prediction | None:
        del features, book, now_ns
        self.books += 1
        return Prediction(**predicted(self.books)) if self.books % 3 == 0 else None


def predicted(n: int) -> dict[str, int]:
    names = (
        "pred_dir_up_1e4", "pred_dir_flat_1e4", "pred_dir_down_1e4", "pred_stress_normal_1e4",
        "pred_stress_widening_1e4", "pred_stress_crisis_1e4", "pred_toxic_1e4", "fill_prob_bid_1e4",
        "fill_prob_ask_1e4", "queue_decay_rate_1e4",
    )  # fmt: skip
    return {name: (997 * place + n) % 10_001 for place, name in enumerate(names, 1)}


def _predictor(market: str) -> Predictor:
    del market
    return Predicting()


def _venue(plan: VenuePlan, symbols: tuple[str, ...]) -> VenueSpec:
    known = {symbol: Instrument.parse(plan.name, text) for symbol, text in plan.known.items()}
    if plan.name == chain_venue.NAME:
        pools = tuple(PoolId(**pool) for pool in plan.pools)
        known = {symbol: Instrument(plan.name, symbol, 9, 8, tick_size_1e9=1, lot_size_1e8=1) for symbol in symbols}
        return VenueSpec(venue=chain_venue.VENUE, depth=20, instruments=known, pools=pools)
    venue = msgspec.structs.replace(VENUE, name=plan.name, venue_id=plan.venue_id)
    return VenueSpec(venue=venue, depth=10, instruments=known)


def play(plan: Plan) -> Played:
    """Runs the engine over the plan's inputs."""
    algos = [
        AlgoSpec(
            algo.name, Prompted(algo.referee, algo.prompts, "0.3.0" if algo.referee == "referee030m" else ""),
            algo.symbols, algo.venues, tuple(parse_param(str(slot), text) for slot, text in algo.params.items()),
            algo.label,
        )
        for algo in plan.algos
    ]  # fmt: skip
    engine = Engine(
        EngineSpec(
            venues=tuple(_venue(venue, plan.symbols) for venue in plan.venues), symbols=plan.symbols,
            limits=Limits(**plan.limits), algos=tuple(algos), predictors=_predictor if plan.predicts else None,
        )
    )  # fmt: skip
    turns = []
    for now_ns, given, meaning in plan.inputs:
        engine.step(given, now_ns)
        turns.append((now_ns, given, meaning, list(engine.trace)))
    return Played(plan, turns, engine)


# --- what goes in ----------------------------------------------------------------------------------------------------


def at(seconds: float) -> int:
    """Engine time of a moment on the BTC recording's clock."""
    return MIDNIGHT_NS - MIDNIGHT_AT + round(seconds * SECOND)


def frames(captures: Path) -> Recording:
    """Both recordings as one connection carries them, in engine time, with trades that the venue might have printed."""
    found = []
    for symbol, start_ns in ((BTC, 0), (ETH, ETH_AT)):
        rows = recording(captures / FILES[symbol][0])
        if symbol == ETH:
            rows = rows[:ETH_FRAMES]
        found += [(at(0) + start_ns + recv_ns - rows[0][0], raw) for recv_ns, raw in rows]
    found.sort(key=lambda row: row[0])
    with_trades: Recording = []
    count = 0
    for recv_ns, raw in found:
        with_trades.append((recv_ns, raw))
        if '"channel":"book","type":"update"' in raw:
            count += 1
            if count % 7 == 0:
                symbol = BTC if BTC in raw else ETH
                with_trades.append((recv_ns + 1000, printed(symbol, count)))
    return sorted(with_trades, key=lambda row: row[0])


def printed(symbol: str, n: int) -> str:
    """A trade; two of three are sells below the touch, which fill a bid that rests there, in part or whole."""
    sell, buy = ("63004.8", "63005.0") if symbol == BTC else ("1876.05", "1877.90")
    side, price = ("sell", sell) if n % 3 else ("buy", buy)
    qty = f"0.0000{2 + n % 4}" if symbol == BTC else f"0.00{10 + n % 40}"
    stamp = f'"2026-09-01T00:{n // 60 % 60:02}:{n % 60:02}.000000Z"'
    return trades(trade(price, qty, side, symbol=json.dumps(symbol), trade_id=str(n), timestamp=stamp)).decode()


def metadata(eth_min: str = "0.002", btc_min: str = "5e-05", kind: str = "snapshot") -> bytes:
    return instruments(pair(BTC, 1, 8, qty_min=btc_min), pair(ETH, 2, 8, qty_min=eth_min), kind=kind)


def snapshots(rows: Recording, until_ns: int) -> list[bytes]:
    """Both books as they are at that moment of the recording, as the venue answers a new subscription."""
    books = {symbol: DictBook(depth, digits, 8) for symbol, (_, depth, digits) in FILES.items()}
    for recv_ns, raw in rows:
        if recv_ns > until_ns or not raw.startswith('{"channel":"book"'):
            continue
        message = json.loads(raw, parse_float=str, parse_int=str)
        (data,) = message["data"]
        book = books[data["symbol"]]
        (book.snapshot if message["type"] == "snapshot" else book.update)(data)
    return [snapshot_frame(symbol, book) for symbol, book in books.items() if book.sides["bids"]]


def damaged(rows: Recording, at_ns: int) -> Recording:
    """The first BTC update after that moment has a wrong checksum."""
    found = list(rows)
    for place, (recv_ns, raw) in enumerate(found):
        if recv_ns >= at_ns and '"channel":"book","type":"update"' in raw and BTC in raw:
            head, _, tail = raw.partition('"checksum":')
            number, comma, rest = tail.partition(",")
            found[place] = recv_ns, f'{head}"checksum":{(int(number) + 1) % 2**32}{comma}{rest}'
            return found
    raise AssertionError("no update to damage")


Timed = list[tuple[int, Input, Any]]


def link(venue: str, rows: Recording) -> Timed:
    return [(recv_ns, Frame(venue, "public", raw.encode()), None) for recv_ns, raw in rows]


def opened(venue: str, seconds: float, frames_then: list[bytes]) -> Timed:
    """The link comes up; 2 ms later the venue says these frames."""
    start_ns = at(seconds)
    said: Timed = [
        (start_ns + 2_000_000 + place, Frame(venue, "public", raw), None) for place, raw in enumerate(frames_then)
    ]
    return [(start_ns, LinkUp(venue, "public"), None), *said]


def timers(begin: float, end: float) -> Timed:
    """Every half second, never in the same moment as anything else."""
    return [(at(begin + k / 2) + 7, Timer(), None) for k in range(int(2 * (end - begin)))]


def said(seconds: float, name: str, scope: str = "") -> tuple[int, Input, Any]:
    return at(seconds), Command(name, "test", scope), None


def setting(seconds: float, target: str, params: dict[int, str]) -> tuple[int, Input, Any]:
    given = tuple(parse_param(str(slot), text) for slot, text in params.items())
    return at(seconds), Command("set", "test", target, given), params


def hung_up(venue: str, seconds: float, until: float, back: list[bytes]) -> Timed:
    return [(at(seconds), LinkDown(venue, "public", "test"), None), *opened(venue, until, back)]


def ordered(*parts: Timed) -> Timed:
    return sorted((row for part in parts for row in part), key=lambda row: row[0])
