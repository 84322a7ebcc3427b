"""The markets of a session a second time: from its frames to books, mids and features, with plain dictionaries.

Venues' frames are read here by their published words alone, books are the recording's own text, staleness and silence
follow docs/kraken.md and docs/multivenue.md. Nothing of the engine's state is read. What the guests must be shown of
it, and when, is `session_reference.py`.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor, trunc
from operator import mul
from typing import Any, Final

from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from tests.support.features_reference import FIELDS, History, level_flow, size_taken
from tests.support.nbbo_reference import Levels, Market, Venue, book
from tests.support.referee import REFEREES, Fields
from tests.support.reference import DictBook, scaled
from tests.support.session_money import Entry, Ledger
from tests.support.session_records import GIVEN, Config, Nested, Pool, mesh
from tests.support.session_script import FILES, AlgoPlan, Played, VenuePlan, predicted

SILENCE_NS: Final = 3_500_000_000  # docs/kraken.md
SLOTS: Final = {"0.3.0": 16, "0.3.2": 20, "0.4.0": 20}
CHAIN: Final = "dex_arb"


def levels(rows: list[list[int]]) -> Levels:
    """[px_1e9, sz_1e8] each."""
    return {row[0]: row[1] for row in rows}


class Remembering(History):
    """The reference of the features, which does not forget what it made of two neighbouring books; `plain` does."""

    def __init__(self) -> None:
        super().__init__()
        self._events: list[tuple[int, list[int], int] | None] = []

    def plain(self) -> History:
        found = History()
        found.__dict__ |= {name: value for name, value in self.__dict__.items() if name != "_events"}
        return found

    def _flow(self) -> dict[str, int]:
        for old, new in pairwise(self.books[len(self._events) :]):
            taken = size_taken(old.bids, new.bids, 1) + size_taken(old.asks, new.asks, -1)
            flows = [level_flow(old, new, level) for level in range(1, 11)]
            self._events.append((new.bar, flows, taken) if old.number == new.number else None)
        bar = self.books[-1].bar
        events = [event for event in self._events if event is not None]
        ofi = [sum(flows[level] for when, flows, _ in events if when > bar - 10) for level in range(10)]
        first_level = Counter[int]()
        for when, flows, _ in events:
            first_level[when] += flows[0]
        taken = sum(size for when, _, size in events if when > bar - 60)
        traded = sum(trade.size for trade in self._trades_of(60))
        weights = [Fraction(1, level) for level in range(1, 11)]
        return {
            "ofi_1level_1e8": ofi[0], "ofi_5level_1e8": sum(ofi[:5]),
            "mlofi_10_1e8": trunc(sum(map(mul, weights, ofi)) / sum(weights)),
            "ofi_ewma_1e6": self._ewma(first_level),
            "cancel_rate_1e4": floor(10**4 * Fraction(max(0, taken - traded), taken or 1)),
        }  # fmt: skip


class Place:
    """One symbol at one venue, or one pool: its book, its mid, what the account holds there, its metadata."""

    def __init__(self, venue: VenuePlan, symbol: str, pool: Pool | None = None) -> None:
        self.venue, self.symbol = venue.name, symbol
        self.shown = Venue(venue.venue_id, 20)
        self.text = DictBook(*FILES[symbol][1:], 8) if symbol in FILES else None
        self.pool = pool
        self.mid_sum = 0
        self.account = Ledger()
        self.meta: Nested | None = None
        if symbol in venue.known:
            _, price, size, least, cost = venue.known[symbol].split(":")
            self.meta = {
                "tick_size_1e9": 10 ** (9 - int(price)), "lot_size_1e8": 10 ** (8 - int(size)),
                "min_qty_1e8": scaled(least, 8), "min_notional_1e9": scaled(cost, 9),
                "price_precision": int(price), "qty_precision": int(size),
            }  # fmt: skip
        self.history: Remembering | None = None
        self.books = 0  # valid ones so far
        self.prediction: tuple[int, int] = (0, 0)  # its number, when; 0: none
        self.features: Nested = {}

    def tell(self, pair: dict[str, Any]) -> None:
        """The venue's own metadata, numbers as their text."""
        names = {
            "tick_size_1e9": ("price_increment", 9), "lot_size_1e8": ("qty_increment", 8),
            "min_qty_1e8": ("qty_min", 8), "min_notional_1e9": ("cost_min", 9),
            "price_precision": ("price_precision", 0), "qty_precision": ("qty_precision", 0),
        }  # fmt: skip
        self.meta = {name: int(Decimal(pair[said]).scaleb(places)) for name, (said, places) in names.items()}


class View:
    """One symbol of one algo."""

    def __init__(self, symbol_id: int, own: Place, places: list[Place], pools: list[Place]) -> None:
        self.symbol_id = symbol_id
        self.own = own
        self.places, self.pools = places, pools
        self.ledger = Ledger()
        self.table: list[Entry] = []
        self.market: Market | None = None
        self.is_due = self.has_news = False
        self.venue_books: Fields = {}  # as its on_nbbo last showed them; empty before the first


class Algo:
    """One instance: what it has, how often each callback came."""

    def __init__(self, index: int, plan: AlgoPlan, views: list[View], peers: list[str]) -> None:
        self.index, self.plan, self.views = index, plan, views
        self.crate = REFEREES[plan.referee]
        self.given = GIVEN[plan.referee]
        self.has_books = not plan.referee.endswith("m")
        self.is_new = plan.referee == "referee04"
        self.beats = plan.referee in ("referee032", "referee04")
        self.peers = peers if plan.label else []
        self.mesh = mesh(plan.label, self.peers)
        self.config = Config(plan.params)
        self.last: View | None = None  # what its last callback was about
        self.counts = Counter[str]()
        self.is_alive = True


class Order:
    """An order that was approved: whose, where."""

    def __init__(self, algo: Algo, view: View, place: Place, entry: Entry) -> None:
        self.algo, self.view, self.place, self.entry = algo, view, place, entry
        self.is_ours = False  # being cancelled by us


class Markets(ABC):
    """All markets and instances of a played session. `max_age_ns` is the stale rule."""

    def __init__(self, played: Played, max_age_ns: int | None = None) -> None:
        plan = self.plan = played.plan
        self.played = played
        self.max_age_ns = plan.limits["max_book_age_ns"] if max_age_ns is None else max_age_ns
        self.links = {venue.name: -1 for venue in plan.venues}
        self.places = {(venue.name, symbol): Place(venue, symbol) for venue in plan.venues for symbol in plan.symbols}
        self.pools = {
            (venue.name, slot): Place(venue, pool["symbol"], Pool(pool))
            for venue in plan.venues for slot, pool in enumerate(venue.pools)
        }  # fmt: skip
        labels = [algo.label for algo in plan.algos if algo.label]
        self.algos = [
            Algo(index, algo, [self._view(algo, k) for k in range(len(algo.symbols))],
                 [label for label in labels if label != algo.label])
            for index, algo in enumerate(plan.algos)
        ]  # fmt: skip
        self.fees: dict[int, list[int]] = {}
        self.now_ns = 0

    def _view(self, algo: AlgoPlan, k: int) -> View:
        symbol = algo.symbols[k]
        places = [self.places[venue, symbol] for venue in algo.venues]
        pools = [pool for (venue, _), pool in self.pools.items() if venue in algo.venues and pool.symbol == symbol]
        view = View(k, places[0], places, pools)
        crate = REFEREES[algo.referee]
        is_multi = algo.referee.endswith("m") or algo.referee == "referee04"
        if is_multi and len(places) + len(pools) > 1:
            view.market = Market([place.shown for place in places], k, self.max_age_ns, SLOTS[crate])
        if "OnlineFeatures" in GIVEN[algo.referee] and view.own.history is None:
            view.own.history = Remembering()
            self.feature(view.own)
        return view

    # --- inputs ----------------------------------------------------------------------------------------------------

    def take(self, given: Input, meaning: Any) -> None:
        """One input."""
        if isinstance(given, Frame):
            self.link_spoke(given.venue, self.now_ns)
            if given.venue == CHAIN:
                self.chain(given.venue, json.loads(given.raw))
            else:
                self.kraken(given.venue, json.loads(given.raw, parse_float=str, parse_int=str))
        elif isinstance(given, LinkUp):
            self.link_spoke(given.venue, self.now_ns)
        elif isinstance(given, LinkDown):
            self.link_down(given.venue)
        elif isinstance(given, Timer):
            self.silence()
        else:
            self.command(given, meaning)

    @abstractmethod
    def command(self, given: Command, meaning: Any) -> None:
        """A person's word."""

    @abstractmethod
    def follow(self, *, is_before_intents: bool = False) -> None:
        """What the engine wrote here: actions, reports, and what they make the guests hear."""

    @abstractmethod
    def on_book(self, algo: Algo, view: View) -> None:
        """That callback is due."""

    @abstractmethod
    def latch(self) -> None:
        """A mid moved under a position: is the daily loss passed?"""

    def everywhere(self) -> list[Place]:
        return [*self.places.values(), *self.pools.values()]

    def at_venue(self, venue: str) -> list[Place]:
        found = [place for (name, _), place in self.places.items() if name == venue]
        return found + [place for (name, _), place in self.pools.items() if name == venue]

    # --- links -----------------------------------------------------------------------------------------------------

    def link_spoke(self, venue: str, now_ns: int) -> None:
        self.links[venue] = now_ns
        for place in self.at_venue(venue):
            place.shown.last_ns = now_ns

    def link_down(self, venue: str) -> None:
        self.link_spoke(venue, -1)
        for place in self.at_venue(venue):
            self.lose(place)

    def silence(self) -> None:
        """A timer: a Kraken link that said nothing for 3.5 s is dead."""
        for venue, last_ns in self.links.items():
            if venue != CHAIN and last_ns >= 0 and self.now_ns - last_ns > SILENCE_NS:
                self.link_down(venue)

    # --- what venues say -------------------------------------------------------------------------------------------

    def kraken(self, venue: str, said: dict[str, Any]) -> None:
        channel = said.get("channel")
        if channel == "book":
            (data,) = said["data"]
            self.kraken_book(self.places[venue, data["symbol"]], data, is_snapshot=said["type"] == "snapshot")
        elif channel == "trade":
            for item in said["data"]:
                place = self.places[venue, item["symbol"]]
                if place.history is not None:
                    sign = 1 if item["side"] == "buy" else -1
                    place.history.trade(sign, scaled(item["qty"], 8), self.now_ns)
                self.follow()
        elif channel == "instrument":
            for pair in said["data"]["pairs"]:
                self.places[venue, pair["symbol"]].tell(pair)
        elif said.get("method") == "unsubscribe":
            self.lose(self.places[venue, said["result"]["symbol"]])

    def kraken_book(self, place: Place, data: dict[str, Any], *, is_snapshot: bool) -> None:
        text = place.text
        assert text is not None
        if not is_snapshot and not place.shown.is_valid:
            return
        (text.snapshot if is_snapshot else text.update)(data)
        if text.checksum() != int(data["checksum"]):
            self.lose(place)
            return
        sides = text.top(1000)
        self.load(place, levels(sides["bids"]), levels(sides["asks"]))

    def chain(self, venue: str, said: dict[str, Any]) -> None:
        places = self.at_venue(venue)
        if "book" in said:
            self.load(places[said["book"]], levels(said["bids"]), levels(said["asks"]))
        elif "pool" in said:
            pool = places[said["pool"]].pool
            assert pool is not None
            pool.update(said["gas"], said["amm"])
        elif "lost" in said:
            self.lose(places[said["lost"]])
        else:
            self.fees[said["fee"][0]] = said["fee"]

    # --- books -----------------------------------------------------------------------------------------------------

    def load(self, place: Place, bids: Levels, asks: Levels) -> None:
        """A valid book: mark, features, fills of what rests, orders of intents, on_book, in this order."""
        shown = place.shown
        shown.bids, shown.asks, shown.recv_ns, shown.is_valid = bids, asks, self.now_ns, True
        place.books += 1
        if bids and asks:
            place.mid_sum = max(bids) + min(asks)
            if place.account.position:
                self.latch()
        if place.history is not None:
            place.history.book(list(bids.items()), list(asks.items()), self.now_ns)
            if self.plan.predicts and place.books % 3 == 0:
                place.prediction = place.books, self.now_ns
            self.feature(place)
        self.follow(is_before_intents=True)
        self.follow()
        for algo in self.algos:
            for view in algo.views:
                if view.own is place and algo.has_books and algo.is_alive:
                    self.on_book(algo, view)
        self.tell(place)

    def lose(self, place: Place) -> None:
        place.shown.lose()
        if place.history is not None:
            place.history.lost()
            self.feature(place)
        self.tell(place)

    def tell(self, place: Place) -> None:
        """Whose on_nbbo this may call; a pool's ladder always does."""
        for algo in self.algos:
            for view in algo.views:
                if view.market is not None:
                    view.is_due |= place in view.places or place in view.pools
                    view.has_news |= place in view.pools

    def feature(self, place: Place) -> None:
        history = place.history
        assert history is not None
        key = f"{place.shown.venue_id}{place.symbol}", len(history.books), history.losses
        if key not in self.played.kept:
            self.played.kept[key] = history.record()
        place.features = dict(self.played.kept[key])
        number, when_ns = place.prediction
        if number:
            age_ns = history.books[-1].now_ns - when_ns
            place.features |= predicted(number) | {"prediction_age_ms": age_ns // 10**6}
        assert place.features.keys() == FIELDS.keys()


def pool_tables(places: list[Place], symbol_id: int) -> tuple[Nested, Nested]:
    """PoolBooks and PoolStateTable of one symbol's pools."""
    pools = [place.pool for place in places if place.pool is not None]
    shown = [place.shown for place in places]
    books = [book(each.bids, each.asks, symbol_id, each.recv_ns) for each in shown]
    return (
        {"pool_ct": len(pools), "metas": [pool.meta() for pool in pools], "books": books},
        {"count": len(pools), "states": [pool.state() for pool in pools]},
    )
