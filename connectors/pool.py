"""What venues tell about liquidity pools on chains: which pool it is, what gas costs there, the state of its curve.

A pool is a market of its own: it has its own instrument and L2Book, which its venue fills with `BookSnapshot` events
(the depth ladder). What is here comes beside the ladder, for algos that price or route for themselves. Ids and fields
are the crate's (`venue.rs`, `pool.rs`, `features.rs` of sequence-algo-sdk 0.4.0).

Structs are frozen and check their ranges when they are made: a wrong setting is a ConfigError, a venue's number that a
guest's record cannot hold is a NumberError. `PoolAmm` has integers beyond 64 bits, which msgspec does not encode.
"""

from enum import IntEnum

import msgspec

from connectors.base58 import key_text
from connectors.errors import ConfigError, NumberError

ADDRESS_BYTES = 32
EVM_BYTES = 20
_U16, _U32, _U64, _U128, _I32 = 2**16 - 1, 2**32 - 1, 2**64 - 1, 2**128 - 1, 2**31 - 1
CHAIN_UNUSED = 255  # ChainFee's default in the crate: no chain has this id


class DexVenue(IntEnum):
    """Venue ids of on-chain liquidity; ARB is the chain Arbitrum."""

    DEX = 7
    DEX_ETH = 11
    DEX_ARB = 12
    DEX_BASE = 13
    DEX_OP = 14
    DEX_POLY = 15
    DEX_SOL = 16


class ChainId(IntEnum):
    """Chain ids of ChainFeeTable. The crate's `venue_chain_id` is off by one against its own venue ids."""

    ETHEREUM = 0
    ARBITRUM = 1
    BASE = 2
    OPTIMISM = 3
    POLYGON = 4
    SOLANA = 5


class Protocol(IntEnum):
    """`PoolMeta.protocol_id`."""

    UNKNOWN = 0
    UNISWAP_V2 = 1
    UNISWAP_V3 = 2
    CURVE = 3
    BALANCER_V2 = 4
    AERODROME = 5
    VELODROME = 6
    CAMELOT = 7
    RAYDIUM_CLMM = 8
    ORCA_WHIRLPOOL = 9


class PoolType(IntEnum):
    """`PoolAmm.pool_type`: which of its fields mean something."""

    V2 = 0
    V3_CLMM = 1
    STABLESWAP = 2


class PoolId(msgspec.Struct, frozen=True, array_like=True):
    """Which pool, and what never changes about it.

    `address`: 32 bytes; an EVM address is the first 20, the rest zero. `symbol`: its instrument's (`WETH/USDC`).
    `venue_id`: one of DexVenue. `protocol_id`: one of Protocol. `pair_index`: which pair of a pool of several tokens,
    else 0. `fee_bps`: the swap fee, without gas. Raises ConfigError.
    """

    address: bytes
    symbol: str
    pair_index: int
    venue_id: int
    protocol_id: int
    fee_bps: int

    def __post_init__(self) -> None:
        if len(self.address) != ADDRESS_BYTES or not any(self.address):
            raise self._unfit(f"address {self.address.hex() or 'empty'} is not {ADDRESS_BYTES} bytes with one set",
                              "pad an EVM address with 12 zero bytes behind it")  # fmt: skip
        if not self.symbol:
            raise self._unfit("no symbol", "name the instrument, like WETH/USDC")
        if self.venue_id not in set(DexVenue):
            raise self._unfit(f"venue id {self.venue_id} is no chain", "use 7 or 11 … 16 (docs/multivenue.md)")
        if self.protocol_id not in set(Protocol):
            raise self._unfit(f"protocol id {self.protocol_id} is unknown", "use 0 … 9 (docs/multivenue.md)")
        for name, value in (("pair_index", self.pair_index), ("fee_bps", self.fee_bps)):
            if not 0 <= value <= _U16:
                raise self._unfit(f"{name} {value} is outside 0 … {_U16}", "mend it")

    @property
    def key(self) -> tuple[int, bytes, int]:
        """What makes it this pool: chain, address, pair."""
        return self.venue_id, self.address, self.pair_index

    @property
    def name(self) -> str:
        """`ETH/USD@0xc6962004…`, `SOL/USD@Czfq3xZZ…`: the address as its chain writes it; the pair where it is not the
        first."""
        is_key = self.venue_id == DexVenue.DEX_SOL
        address = key_text(self.address) if is_key else f"0x{self.address[:EVM_BYTES].hex()}"
        return f"{self.symbol}@{address}{f'#{self.pair_index}' if self.pair_index else ''}"

    def _unfit(self, problem: str, mend: str) -> ConfigError:
        return ConfigError(problem, place=f"pool {self.symbol or self.address.hex()}", mend=mend)


class PoolGas(msgspec.Struct, frozen=True, array_like=True):
    """What a swap in this pool costs beside its fee; 0 is unknown. Rounded up by whoever fills it.

    `gas_cost_1e5`: the whole of it in units of 0.00001 USD. `gas_units_1k`: gas in thousands. `gas_price_gwei`: base
    and priority together. `native_price_deci_usd`: the chain's coin in units of 0.10 USD. The guest's record holds 16
    bits of each and is given 65535 for more, which in cost is 0.65535 USD. Raises NumberError outside 0 … 2^64 − 1.
    """

    gas_cost_1e5: int = 0
    gas_units_1k: int = 0
    gas_price_gwei: int = 0
    native_price_deci_usd: int = 0

    def __post_init__(self) -> None:
        _in_range(self, 0, _U64, *self.__struct_fields__)


class PoolAmm(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The raw state of a pool's curve at one block: fields of the crate's `PoolAmm`.

    Reserves are in the tokens' own smallest units, `sqrt_price_x64` is √price·2^64 (a Q64.96 price shifted right by
    32), `fee_ppm` 3000 is 0.3 %. `last_block`: block or slot of this state, > 0. `last_update_ns`: when it was seen.
    What a pool type has not, stays 0. Raises NumberError for what does not fit the guest's record.
    """

    pool_type: int
    last_block: int
    last_update_ns: int
    fee_ppm: int
    reserve0: int = 0
    reserve1: int = 0
    sqrt_price_x64: int = 0
    liquidity: int = 0
    tick: int = 0
    tick_spacing: int = 0

    def __post_init__(self) -> None:
        _in_range(self, 0, _U128, "reserve0", "reserve1", "sqrt_price_x64", "liquidity")
        _in_range(self, -_I32 - 1, _I32, "tick", "tick_spacing")
        _in_range(self, 0, _U32, "fee_ppm")
        _in_range(self, min(PoolType), max(PoolType), "pool_type")
        _in_range(self, 1, _U64, "last_block")  # the crate takes 0 for "no state"
        _in_range(self, 0, _U64, "last_update_ns")


class PoolUpdate(msgspec.Struct, frozen=True, array_like=True):
    """Gas and curve of one pool have changed. `amm` None: this venue does not tell the curve, or not this time."""

    instrument: int
    gas: PoolGas
    amm: PoolAmm | None


class ChainFee(msgspec.Struct, frozen=True, array_like=True):
    """What gas costs on one chain now: fields of the crate's `ChainFee`.

    `chain_id`: ChainId, or another below 255. EVM: base and priority fee in gwei, gas units of a usual swap. Solana:
    base fee in lamports, priority fee in micro-lamports a compute unit, compute units. `native_price_1e9`: the chain's
    coin in USD ×1e9. Raises NumberError for what does not fit the guest's record.
    """

    chain_id: int
    base_fee_native: int
    priority_fee_native: int
    estimated_gas_units: int
    native_price_1e9: int
    last_update_ns: int

    def __post_init__(self) -> None:
        _in_range(self, 0, CHAIN_UNUSED - 1, "chain_id")
        _in_range(self, 0, _U64, *self.__struct_fields__[1:])


def _in_range(struct: msgspec.Struct, low: int, high: int, *names: str) -> None:
    for name in names:
        value = getattr(struct, name)
        if not low <= value <= high:
            raise NumberError(f"{type(struct).__name__}.{name} is {value}, outside {low} … {high}")
