"""A chain that says what a test makes it say: ladders, pool states and gas as JSON frames, through a pure session.

{"book": 0, "bids": [[px_1e9, sz_1e8], …], "asks": […]}     market 0 is the chain's own book, 1 … the pools
{"pool": 1, "gas": […PoolGas…], "amm": {…} or null}
{"fee": […ChainFee…]}
{"lost": 1}
"""

import json
from typing import Any

import msgspec

from connectors.events import BookLost, BookSnapshot
from connectors.instrument import Instrument
from connectors.pool import ChainFee, PoolAmm, PoolGas, PoolId, PoolUpdate
from connectors.session import PUBLIC, Capabilities, Output, SessionPlan, Venue
from runtime.inputs import Frame
from runtime.port import VenueSpec

NAME, VENUE_ID = "dex_arb", 12
LADDER: dict[str, Any] = {"bids": [[62_000 * 10**9, 10**7], [61_900 * 10**9, 2 * 10**7]],
                          "asks": [[63_500 * 10**9, 10**7], [63_600 * 10**9, 2 * 10**7]]}  # fmt: skip


class ChainSession:
    """`MarketSession` of the chain."""

    def __init__(self, plan: SessionPlan) -> None:
        self.markets = [index for index, _ in plan.symbols] + [index for index, _ in plan.pools]

    def open(self, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        return []

    def close(self, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        return [BookLost(market, "link down") for market in self.markets]

    def receive(self, frame: bytes, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        said = json.loads(frame)
        if "book" in said:
            bids, asks = ([(px, sz) for px, sz in said[side]] for side in ("bids", "asks"))
            return [BookSnapshot(self.markets[said["book"]], bids, asks, None, 20, "")]
        if "pool" in said:
            amm = msgspec.convert(said["amm"], PoolAmm | None)
            return [PoolUpdate(self.markets[said["pool"]], PoolGas(*said["gas"]), amm)]
        if "lost" in said:
            return [BookLost(self.markets[said["lost"]], "the test says so")]
        return [ChainFee(*said["fee"])]

    def tick(self, now_ns: int) -> list[Output]:
        del now_ns
        return []

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        del instrument, reason, now_ns
        return []


VENUE = Venue(
    name=NAME, venue_id=VENUE_ID, public_url="", capabilities=Capabilities(depths=(20,), checksum=False, onchain=True),
    market=ChainSession,
)  # fmt: skip


def chain(symbol: str = "BTC/USD", pools: int = 2) -> VenueSpec:
    """A chain with so many pools of one symbol."""
    instrument = Instrument(
        venue=NAME, symbol=symbol, price_precision=9, size_precision=8, tick_size_1e9=1, lot_size_1e8=1
    )
    ids = tuple(
        PoolId(
            address=bytes([slot + 1]) * 32, symbol=symbol, pair_index=slot, venue_id=VENUE_ID, protocol_id=2, fee_bps=5
        )
        for slot in range(pools)
    )
    return VenueSpec(venue=VENUE, depth=20, instruments={symbol: instrument}, pools=ids)


def frame(**said: Any) -> Frame:
    return Frame(NAME, "public", json.dumps(said).encode())
