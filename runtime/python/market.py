"""The records beside the arguments, for Python algos: venues, pools, chain fees, parameters.

Names, methods and integer results are the crate's (`sequence-algo-sdk` 0.4.0: venue.rs, pool.rs, features.rs,
config.rs). A WASM guest finds them at fixed addresses; here `PoolBooks.read()` and its like do, within a callback.
One thing differs: the crate's `venue_chain_id` is off by one against its own venue ids, this one follows the ids.
"""

import struct
from typing import Final

from runtime.abi import CHAINS_MAX, NBBO_BYTES, PARAMS_MAX, POOLS_MAX, REGIONS, Generation, Region
from runtime.python.context import RegionRecord
from runtime.python.layout import U64, U128, Array, Bytes, Int, Ints, Record, Sub, as_i32
from runtime.python.records import L2Book

_SIZES: Final = {region: size for region, (_, size) in REGIONS[Generation.V0_4].items()}
MAX_VENUES: Final = 20

_NAMES: Final = (
    "default", "kraken", "coinbase", "binance", "bitget", "cryptocom", "bitmart", "dex", "okx", "bybit", "unknown",
    "dex-eth", "dex-arb", "dex-base", "dex-op", "dex-poly", "dex-sol", "hyperliquid",
)  # fmt: skip
(
    VENUE_KRAKEN, VENUE_COINBASE, VENUE_BINANCE, VENUE_BITGET, VENUE_CRYPTOCOM, VENUE_BITMART, VENUE_DEX, VENUE_OKX,
    VENUE_BYBIT, VENUE_UNKNOWN, VENUE_DEX_ETH, VENUE_DEX_ARB, VENUE_DEX_BASE, VENUE_DEX_OP, VENUE_DEX_POLY,
    VENUE_DEX_SOL, VENUE_HYPERLIQUID,
) = range(1, 18)  # fmt: skip


class chain_id:  # noqa: N801 - the crate's module of this name
    """Chains in `ChainFeeTable`."""

    ETHEREUM, ARBITRUM, BASE, OPTIMISM, POLYGON, SOLANA = range(6)


class pool_type:  # noqa: N801 - the crate's module of this name
    """`PoolAmm.pool_type`."""

    V2, V3_CLMM, STABLESWAP = range(3)


def is_dex(venue_id: int) -> bool:
    return venue_id == VENUE_DEX or VENUE_DEX_ETH <= venue_id <= VENUE_DEX_SOL


def is_cex(venue_id: int) -> bool:
    return (VENUE_KRAKEN <= venue_id <= VENUE_BYBIT and venue_id != VENUE_DEX) or venue_id == VENUE_HYPERLIQUID


def venue_name(venue_id: int) -> str:
    return _NAMES[venue_id] if 0 <= venue_id < len(_NAMES) else "unknown"


def venue_chain_id(venue_id: int) -> int:
    """255: not a chain's venue."""
    return venue_id - VENUE_DEX_ETH if VENUE_DEX_ETH <= venue_id <= VENUE_DEX_SOL else 255


class NbboSnapshot(Record):
    """Best bid and ask over all venues, and each venue's own. `…_venue` are slots, `venue_ids[slot]` the venue's id.

    `venue_bid_sz` and `venue_ask_sz` are ×1e8, at most 2^32 − 1 (42.9); `venue_update_ms` 65535 is stale.
    """

    __slots__ = ()
    SIZE = NBBO_BYTES[Generation.V0_4]
    nbbo_bid_px_1e9 = Int(0, "Q")
    nbbo_ask_px_1e9 = Int(8, "Q")
    nbbo_bid_sz_1e8 = Int(16, "Q")
    nbbo_ask_sz_1e8 = Int(24, "Q")
    nbbo_bid_venue = Int(32, "B")
    nbbo_ask_venue = Int(33, "B")
    venue_ct = Int(34, "B")
    symbol_id = Int(35, "B")
    sequence = Int(36, "I")
    venue_ids = Ints(40, "B", MAX_VENUES)
    venue_bid_px = Ints(64, "Q", MAX_VENUES)
    venue_ask_px = Ints(224, "Q", MAX_VENUES)
    venue_bid_sz = Ints(384, "I", MAX_VENUES)
    venue_ask_sz = Ints(464, "I", MAX_VENUES)
    venue_update_ms = Ints(544, "H", MAX_VENUES)
    recv_ns = Int(584, "Q")
    venue_region_ids = Ints(592, "B", MAX_VENUES)

    def is_crossed(self) -> bool:
        """One venue bids more than another asks."""
        bid, ask = self.nbbo_bid_px_1e9, self.nbbo_ask_px_1e9
        return bid > ask > 0 and self.nbbo_bid_venue != self.nbbo_ask_venue

    def venue_bid(self, slot: int) -> int:
        return self.venue_bid_px[slot] if 0 <= slot < self.venue_ct else 0

    def venue_ask(self, slot: int) -> int:
        return self.venue_ask_px[slot] if 0 <= slot < self.venue_ct else 0

    def is_venue_stale(self, slot: int, max_ms: int) -> bool:
        return not 0 <= slot < self.venue_ct or self.venue_update_ms[slot] > max_ms

    def slot_for_venue(self, venue_id: int) -> int | None:
        known = self.venue_ids[: self.venue_ct]
        return known.index(venue_id) if venue_id in known else None

    def best_bid_venue_id(self) -> int:
        return self.venue_ids[self.nbbo_bid_venue]

    def best_ask_venue_id(self) -> int:
        return self.venue_ids[self.nbbo_ask_venue]


class VenueBooks(RegionRecord):
    """Every venue's book in the slots of `NbboSnapshot`, and all of them merged."""

    __slots__ = ()
    SIZE = _SIZES[Region.VENUE_BOOKS]
    REGION = Region.VENUE_BOOKS
    merged = Sub(0, L2Book)
    book_ct = Int(656, "B")
    symbol_id = Int(658, "H")
    venue_ids = Ints(665, "B", MAX_VENUES)
    venue_region_ids = Ints(685, "B", MAX_VENUES)
    books = Array(712, L2Book, MAX_VENUES)

    def book_for_venue(self, venue_id: int) -> L2Book | None:
        known = self.venue_ids[: self.book_ct]
        return self.books[known.index(venue_id)] if venue_id in known else None

    def book_for_venue_region(self, venue_id: int, region_id: int) -> L2Book | None:
        known = list(zip(self.venue_ids, self.venue_region_ids, strict=True))[: self.book_ct]
        wanted = (venue_id, region_id)
        return self.books[known.index(wanted)] if wanted in known else None

    def book_at_slot(self, slot: int) -> L2Book:
        """Slot 0's for a slot that is not there."""
        return self.books[slot if 0 <= slot < self.book_ct else 0]

    def has_depth_for(self, venue_id: int) -> bool:
        book = self.book_for_venue(venue_id)
        return book is not None and bool(book.bid_ct or book.ask_ct)

    def venue_id_at(self, slot: int) -> int:
        return self.venue_ids[slot] if 0 <= slot < self.book_ct else 0

    def cex_count(self) -> int:
        return sum(map(is_cex, self.venue_ids[: self.book_ct]))

    def dex_count(self) -> int:
        return sum(map(is_dex, self.venue_ids[: self.book_ct]))


class PoolMeta(Record):
    """One pool: where it is, its fee, what a swap costs there."""

    __slots__ = ()
    SIZE = 48
    address = Bytes(0, 32)
    pair_index = Int(32, "H")
    fee_bps = Int(34, "H")
    venue_id = Int(36, "B")
    protocol_id = Int(37, "B")
    gas_cost_1e5 = Int(38, "H")
    gas_units_1k = Int(40, "H")
    gas_price_gwei = Int(42, "H")
    native_price_deci_usd = Int(44, "H")

    def gas_units(self) -> int:
        return self.gas_units_1k * 1000

    def gas_cost_usd(self) -> float:
        return self.gas_cost_1e5 / 100_000

    def native_price_usd(self) -> float:
        return self.native_price_deci_usd / 10

    def compute_gas_cost_usd(self) -> float:
        return self.gas_units() * self.gas_price_gwei * self.native_price_usd() / 1e9

    def total_cost_bps(self, notional_1e9: int) -> float:
        """Fee and gas in basis points of an order of this size."""
        gas = self.gas_cost_usd() * 10_000 * 1e9 / notional_1e9 if notional_1e9 > 0 else 0.0
        return self.fee_bps + gas


class PoolBooks(RegionRecord):
    """A synthetic book of each pool; an order aimed at slot k carries `pool_idx` k + 1."""

    __slots__ = ()
    SIZE = _SIZES[Region.POOL_BOOKS]
    REGION = Region.POOL_BOOKS
    pool_ct = Int(0, "B")
    metas = Array(8, PoolMeta, POOLS_MAX)
    books = Array(1544, L2Book, POOLS_MAX)

    def book_for_pool(self, addr: bytes, pair_index: int) -> L2Book | None:
        for slot, meta in enumerate(self.metas[: self.pool_ct]):
            if meta.address == addr and meta.pair_index == pair_index:
                return self.books[slot]
        return None

    def book_at_slot(self, slot: int) -> L2Book:
        """Slot 0's for a slot that is not there."""
        return self.books[slot if 0 <= slot < self.pool_ct else 0]

    def meta_at_slot(self, slot: int) -> PoolMeta:
        return self.metas[slot if 0 <= slot < self.pool_ct else 0]


class PoolAmm(Record):
    """A pool's state as it is on the chain, in the tokens' own units."""

    __slots__ = ()
    SIZE = 96
    reserve0_lo = Int(0, "Q")
    reserve0_hi = Int(8, "Q")
    reserve1_lo = Int(16, "Q")
    reserve1_hi = Int(24, "Q")
    sqrt_price_x64 = U128(32)
    liquidity = U128(48)
    tick = Int(64, "i")
    tick_spacing = Int(68, "i")
    fee_ppm = Int(72, "I")
    pool_type = Int(76, "B")
    last_block = Int(80, "Q")
    last_update_ns = Int(88, "Q")

    def reserve0(self) -> int:
        return self.reserve0_hi << 64 | self.reserve0_lo

    def reserve1(self) -> int:
        return self.reserve1_hi << 64 | self.reserve1_lo

    def is_v2(self) -> bool:
        return self.pool_type == pool_type.V2

    def is_v3(self) -> bool:
        return self.pool_type == pool_type.V3_CLMM

    def is_valid(self) -> bool:
        return self.last_block > 0

    def fee_bps(self) -> int:
        return self.fee_ppm // 100


class PoolStateTable(RegionRecord):
    """States in the slots of PoolBooks."""

    __slots__ = ()
    SIZE = _SIZES[Region.POOL_STATES]
    REGION = Region.POOL_STATES
    count = Int(0, "B")
    states = Array(16, PoolAmm, POOLS_MAX)

    def state_at(self, slot: int) -> PoolAmm:
        """Slot 0's for a slot that is not there."""
        return self.states[slot if 0 <= slot < self.count else 0]


class ChainFee(Record):
    """One chain's gas price: gwei and gas on EVM chains, lamports and compute units on Solana."""

    __slots__ = ()
    SIZE = 48
    chain_id = Int(0, "B")
    base_fee_native = Int(8, "Q")
    priority_fee_native = Int(16, "Q")
    estimated_gas_units = Int(24, "Q")
    native_price_1e9 = Int(32, "Q")
    last_update_ns = Int(40, "Q")

    def total_gas_cost_native(self) -> int:
        """Of one swap, in the chain's smallest unit."""
        base, priority, units = self.base_fee_native, self.priority_fee_native, self.estimated_gas_units
        if self.chain_id == chain_id.SOLANA:
            return base + priority * units // 1_000_000 & U64
        return min((base + priority & U64) * units, U64)

    def gas_cost_usd_1e9(self) -> int:
        return self.total_gas_cost_native() * self.native_price_1e9 // 1_000_000_000 & U64


class ChainFeeTable(RegionRecord):
    """Gas prices by chain."""

    __slots__ = ()
    SIZE = _SIZES[Region.CHAIN_FEES]
    REGION = Region.CHAIN_FEES
    chain_ct = Int(0, "B")
    chains = Array(8, ChainFee, CHAINS_MAX)

    def fee_for_chain(self, chain: int) -> ChainFee | None:
        known = self.chains[: min(self.chain_ct, CHAINS_MAX)]
        return next((fee for fee in known if fee.chain_id == chain), None)


class ParamType:
    """`ConfigRegion.types`."""

    INT, FLOAT, BOOL, BPS = range(4)


class ConfigRegion(RegionRecord):
    """The parameters that an operator may change while the algo runs; `update_seq` rises with each change."""

    __slots__ = ()
    SIZE = _SIZES[Region.CONFIG]
    REGION = Region.CONFIG
    version = Int(0, "B")
    param_count = Int(1, "B")
    update_seq = Int(2, "H")
    update_ns = Int(8, "Q")
    params = Ints(16, "q", PARAMS_MAX)
    types = Ints(272, "B", PARAMS_MAX)

    def get_i64(self, slot: int) -> int:
        """0 for a slot that is not there."""
        return self.params[slot] if 0 <= slot < PARAMS_MAX else 0

    def get_i32(self, slot: int) -> int:
        return as_i32(self.get_i64(slot))

    def get_f64(self, slot: int) -> float:
        value: float = struct.unpack("<d", struct.pack("<q", self.get_i64(slot)))[0]
        return value

    def get_bool(self, slot: int) -> bool:
        return self.get_i64(slot) != 0

    def get_bps(self, slot: int) -> int:
        return self.get_i32(slot)

    def is_updated(self, last_seq: int) -> bool:
        return self.update_seq != last_seq

    def count(self) -> int:
        return self.param_count
