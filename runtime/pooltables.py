"""The pools of one symbol as a guest reads them: PoolBooks (who they are and their ladders) and PoolStateTable.

Slots are the pools in the order given, and stay; an order names one with `pool_idx` = slot + 1. Layouts: the crate's
`pool.rs`. Metas are 40 bytes before 0.4, without gas; from 0.4 on 48. A guest that is not given one of the regions (an
earlier generation has no PoolStateTable, a single-venue one neither) is not shown it: what is kept for it is harmless.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from connectors.book import BOOK_BYTES, L2Book
from connectors.errors import ConfigError
from connectors.pool import PoolAmm, PoolGas, PoolId, PoolUpdate
from runtime.abi import BOOK_SYMBOL_ID_AT, POOLS_MAX, REGIONS, Generation, Region
from runtime.regions import Record

_U16_MAX: Final = 2**16 - 1
_U64_MAX: Final = 2**64 - 1
_METAS_AT: Final = 8  # behind pool_ct and padding
_ID: Final = Struct("<32sHHBB")  # address, pair_index, fee_bps, venue_id, protocol_id
_FEE: Final = Struct("<H")
_FEE_AT: Final = 34
_PPM_A_BP: Final = 100
_GAS: Final = Struct("<4H")  # gas_cost_1e5, gas_units_1k, gas_price_gwei, native_price_deci_usd
_STATES_AT: Final = 16  # behind count and padding
# reserves, sqrt_price_x64 and liquidity as low and high words; tick, tick_spacing, fee_ppm, pool_type, block, time
_AMM: Final = Struct("<8QiiIB3xQQ")


class PoolTables:
    """Both tables of one symbol of one instance.

    `books` and `states` are the records; `update` writes what a PoolUpdate tells, `refresh` copies a pool's ladder. A
    pool's fee is the settings' until its curve tells what is charged.
    `symbol_id` is written into each ladder. Raises ConfigError for more than 32 pools and a pool that is there twice.
    """

    __slots__ = ("_books_at", "_has_gas", "_meta_bytes", "_pools", "_symbol_bytes", "books", "states")

    def __init__(self, generation: Generation, pools: Sequence[tuple[PoolId, L2Book]], *, symbol_id: int = 0) -> None:
        ids = [pool for pool, _ in pools]
        _check(ids)
        newest = REGIONS[Generation.V0_4]
        self.books = Record(REGIONS[generation].get(Region.POOL_BOOKS, newest[Region.POOL_BOOKS])[1])
        self.states = Record(newest[Region.POOL_STATES][1])
        self._has_gas = generation not in (Generation.V0_3_0_NBBO, Generation.V0_3_2_NBBO)
        self._meta_bytes = 48 if self._has_gas else 40
        self._books_at = _METAS_AT + POOLS_MAX * self._meta_bytes
        self._pools = [book for _, book in pools]
        self._symbol_bytes = symbol_id.to_bytes(2, "little")
        self.books.buffer[0] = self.states.buffer[0] = len(ids)
        for slot, pool in enumerate(ids):
            meta = _ID.pack(pool.address, pool.pair_index, pool.fee_bps, pool.venue_id, pool.protocol_id)
            self.books.write(self._meta_at(slot), meta)
            self.refresh(slot)

    def update(self, slot: int, update: PoolUpdate) -> None:
        """Gas and curve of the pool in this slot. Without a curve the last one stays: its block and time tell its age.

        Gas beyond a record's 16 bits is written as 65535. Raises IndexError for a slot without a pool.
        """
        slot = range(len(self._pools))[slot]  # what stood behind the last pool would be read by nobody
        if self._has_gas:
            self.books.write(self._meta_at(slot) + _ID.size, _gas_bytes(update.gas))
        if update.amm is not None:
            fee_bps = min(-(-update.amm.fee_ppm // _PPM_A_BP), _U16_MAX)
            self.books.write(self._meta_at(slot) + _FEE_AT, _FEE.pack(fee_bps))
            self.states.write(_STATES_AT + slot * _AMM.size, _amm_bytes(update.amm))

    def refresh(self, slot: int) -> None:
        """Copies the pool's ladder; that of an invalid book is empty."""
        ladder = bytearray(self._pools[slot].buffer)
        ladder[BOOK_SYMBOL_ID_AT : BOOK_SYMBOL_ID_AT + 2] = self._symbol_bytes
        self.books.write(self._books_at + slot * BOOK_BYTES, ladder)

    def _meta_at(self, slot: int) -> int:
        return _METAS_AT + slot * self._meta_bytes


def _gas_bytes(gas: PoolGas) -> bytes:
    numbers = (gas.gas_cost_1e5, gas.gas_units_1k, gas.gas_price_gwei, gas.native_price_deci_usd)
    return _GAS.pack(*(min(number, _U16_MAX) for number in numbers))


def _amm_bytes(amm: PoolAmm) -> bytes:
    words: list[int] = []
    for number in (amm.reserve0, amm.reserve1, amm.sqrt_price_x64, amm.liquidity):
        words += number & _U64_MAX, number >> 64
    return _AMM.pack(*words, amm.tick, amm.tick_spacing, amm.fee_ppm, amm.pool_type, amm.last_block, amm.last_update_ns)


def _check(pools: list[PoolId]) -> None:
    if len(pools) > POOLS_MAX:
        raise _refused(f"{len(pools)} pools, but the crate's table holds {POOLS_MAX}", f"name at most {POOLS_MAX}")
    seen = set()
    for pool in pools:
        if pool.key in seen:
            raise _refused(
                f"pool {pool.symbol} at {pool.address.hex()}, pair {pool.pair_index}, is there twice", "name it once"
            )
        seen.add(pool.key)


def _refused(problem: str, mend: str) -> ConfigError:
    return ConfigError(problem, place="the pools of one symbol", mend=mend)
