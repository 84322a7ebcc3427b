"""One venue of the session: its protocol, its link, and the markets that are its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from connectors.book import L2Book
from connectors.chain import ChainPlan
from connectors.instrument import Instrument
from connectors.pool import PoolId
from connectors.session import ASIDE, MarketSession, OrderSession, SessionPlan, TradingPlan, Venue
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from risk.market import ALL_TYPES, Link, Market
from runtime.sim.paper import Fees, PaperVenue
from runtime.wirevenue import SessionVenue, WireVenue

OURS: Final = "vg"  # what every client order id of ours begins with, of whichever session


class VenueSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A venue to connect. `instruments`: metadata known before the venue tells. `pools`: those to follow, in order.

    `chain`: of a venue on a chain, how it is followed. `on_paper`: its orders are filled on paper, whatever the
    session's are. `audit_ns`, `is_ticking`, `options`: as in `SessionPlan` and `TradingPlan`.
    """

    venue: Venue
    depth: int
    instruments: Mapping[str, Instrument] = {}
    pools: tuple[PoolId, ...] = ()
    chain: ChainPlan | None = None
    on_paper: bool = False
    audit_ns: int = 0
    is_ticking: bool = False
    options: Mapping[str, str] = {}


class Port:
    """`first` is the index of its first market: one per symbol, in the session's order, then one per pool.

    `orders` is its private side; None where orders are filled on paper, or the venue has none.
    """

    __slots__ = ("checksum", "first", "indices", "is_paper", "link", "name", "orders", "paper", "pools", "session",
                 "spec", "up", "venue_id")  # fmt: skip

    session: MarketSession
    paper: PaperVenue | WireVenue | SessionVenue

    def __init__(self, spec: VenueSpec, symbols: Sequence[str], first: int) -> None:
        self.spec = spec
        self.name = spec.venue.name
        self.venue_id = spec.venue.venue_id
        self.checksum = spec.venue.checksum
        self.link = Link()
        self.up: set[str] = set()
        self.is_paper = True
        self.orders: OrderSession | None = None
        self.first = first
        self.indices = range(first, first + len(symbols) + len(spec.pools))
        self.pools = {first + len(symbols) + slot: pool for slot, pool in enumerate(spec.pools)}

    def markets(self, symbols: Sequence[str]) -> list[Market]:
        """What the gate may judge by, of each of its markets."""
        pairs = [(symbol, symbol) for symbol in symbols]
        pairs += [(pool.name, pool.symbol) for pool in self.spec.pools]
        has = self.spec.venue.capabilities
        made = []
        for name, symbol in pairs:
            instrument = self.spec.instruments.get(symbol)
            made.append(
                Market(
                    instrument,
                    self._book(instrument),
                    self.link,
                    self.venue_id,
                    name=f"{self.name}:{name}",
                    symbol=symbol,
                    is_onchain=self.spec.venue.capabilities.onchain,
                    on_paper=self.spec.on_paper,
                    types=sum(1 << kind for kind in has.order_types) or ALL_TYPES,
                    amends=has.amend or has.onchain,
                )
            )
        return made

    def turned(self, link: str, *, is_up: bool, now_ns: int) -> None:
        """A link of the venue is up or down. The gate takes the venue for down when none of its market data is up."""
        if link in ASIDE:
            return
        if is_up:
            self.up.add(link)
            self.link.last_ns = now_ns
        else:
            self.up.discard(link)
            if not self.up and self.link.last_ns >= 0:
                self.link.last_ns, self.link.down_ns = -1, now_ns

    def start(
        self, symbols: Sequence[str], books: Sequence[L2Book], times: Sequence[str],
        instruments: Sequence[Instrument | None], fees: Fees, price_1e9: Callable[[str], int], *, is_paper: bool,
    ) -> None:  # fmt: skip
        """Makes the session, and who takes its orders; the lists are the engine's, of all markets."""
        venue = self.spec.venue
        known = {index: instrument for index in self.indices if (instrument := instruments[index]) is not None}
        self.session = venue.market(
            SessionPlan(
                symbols=tuple((self.first + k, symbol) for k, symbol in enumerate(symbols)),
                depth=self.spec.depth, instruments=known, pools=tuple(self.pools.items()),
                chain=self.spec.chain, price_1e9=price_1e9, audit_ns=self.spec.audit_ns,
                is_ticking=self.spec.is_ticking,
            )
        )  # fmt: skip
        self.is_paper = is_paper or self.spec.on_paper
        encoder = venue.orders(instruments) if venue.orders is not None else None
        if self.is_paper:
            self.paper = PaperVenue(encoder, books, times, fees, venue.refusals)
            return
        if venue.trading is not None:
            symbols_here = tuple((self.first + k, symbol) for k, symbol in enumerate(symbols))
            self.orders = venue.trading.session(TradingPlan(symbols_here, instruments, OURS, self.spec.options))
        self.paper = SessionVenue(self.orders) if self.orders is not None else WireVenue(encoder, self.name)

    def _book(self, instrument: Instrument | None) -> L2Book:
        if instrument is None:
            return L2Book(depth=self.spec.depth)
        return L2Book(
            depth=self.spec.depth,
            price_digit_1e9=10 ** (PRICE_DECIMALS - instrument.price_precision),
            size_digit_1e8=10 ** (SIZE_DECIMALS - instrument.size_precision),
        )
