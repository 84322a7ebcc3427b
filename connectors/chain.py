"""What a session on a chain is told beforehand: the chain, its endpoints' names, its pools. Plain values, on the tape.

Addresses are texts as the chain writes them, checked where they are read: checksummed (EIP-55) on EVM chains, base58 of
32 bytes on Solana. Where they come from: `runtime/chains/*.toml`,
which name their sources, and the user's `[venues.dex_…]`; `docs/dex.md` explains every setting.

Structs are frozen and check their ranges when they are made, for a tape's header may be damaged: ConfigError.
"""

import re
from enum import StrEnum
from itertools import pairwise
from typing import Final, NoReturn

import msgspec

from connectors.base58 import key_bytes
from connectors.book import LEVELS
from connectors.errors import ConfigError
from connectors.pool import Protocol

DECIMALS_MAX: Final = 36  # Curve's rates are 10^(36 − decimals)
COMMITMENTS: Final = ("confirmed", "processed", "finalized")
ARRAYS_MAX: Final = 40  # each side: with what else a pool needs, below the 100 accounts of one answer
_PPM: Final = 10**6
_U64: Final = 2**64 - 1
_ADDRESS: Final = re.compile("0x[0-9a-fA-F]{40}")
_POOL_ID: Final = re.compile("0x[0-9a-fA-F]{64}")
_PAIR: Final = re.compile("[^/]+/[^/]+")


class PoolKind(StrEnum):
    """How a pool is read and quoted: computed exactly, or PROBED with the pool's own views."""

    UNISWAP_V2 = "uniswap_v2"  # constant product and its forks: fee from the plan
    UNISWAP_V3 = "uniswap_v3"  # concentrated liquidity and its faithful forks
    CURVE_STABLE = "curve_stable"  # StableSwap of plain tokens, before "NG"
    CURVE_STABLE_NG = "curve_stable_ng"  # dynamic fee, stored_rates()
    CURVE_CRYPTO = "curve_crypto"  # twocrypto, tricrypto: get_dy(uint256, uint256, uint256)
    CURVE_META = "curve_meta"  # metapools and pools with rebasing coins: get_dy(int128, int128, uint256)
    BALANCER_V2 = "balancer_v2"  # Vault.queryBatchSwap
    ALGEBRA = "algebra"  # Camelot and others: the Algebra quoter
    SOLIDLY = "solidly"  # Aerodrome, Velodrome: pool.getAmountOut(uint256, address), stable and volatile
    RAYDIUM_CLMM = "raydium_clmm"  # Solana: concentrated liquidity, with the rules of 2026
    ORCA_WHIRLPOOL = "orca_whirlpool"  # Solana: concentrated liquidity; adaptive fees are not computed


PROBED = frozenset(
    {PoolKind.CURVE_CRYPTO, PoolKind.CURVE_META, PoolKind.BALANCER_V2, PoolKind.ALGEBRA, PoolKind.SOLIDLY}
)
SOLANA: Final = frozenset({PoolKind.RAYDIUM_CLMM, PoolKind.ORCA_WHIRLPOOL})


class GasModel(StrEnum):
    """What a swap costs besides the pool's fee."""

    EIP1559 = "eip1559"  # gas × (base + priority)
    ARBITRUM = "arbitrum"  # the same, and L1 calldata by ArbGasInfo
    OP_STACK = "op_stack"  # the same, and L1 data by GasPriceOracle
    SOLANA = "solana"  # lamports a signature, and a price a compute unit


class Token(msgspec.Struct, frozen=True):
    """One token of a pool. `decimals` is compared with the contract's own before anything is published."""

    address: str
    symbol: str
    decimals: int

    def __post_init__(self) -> None:
        place = f"token {self.symbol or self.address}"
        _check_address(place, "address", self.address, is_key=not self.address.startswith("0x"))
        _check_range(self, place, 0, DECIMALS_MAX, "decimals")


class PoolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One market of a pool: `base` and `quote` are places in `tokens`, which are in the contract's own order.

    `symbol`: the session's symbol it is shown under; empty: followed for the native coin's price alone. `fee_ppm`:
    needed for V2 forks, whose contracts do not tell; elsewhere 0 or compared with the contract's. `quoter`: the
    contract that quotes (QuoterV2, a V2 router, Algebra's quoter, Balancer's Vault); empty: none, requotes are then
    made from a fresh read. `pool_id`: Balancer's, 0x and 64 digits. `gas_units`: gas of one swap, or compute units.
    """

    address: str
    kind: PoolKind
    protocol: Protocol
    tokens: tuple[Token, ...]
    base: int
    quote: int
    symbol: str
    fee_ppm: int = 0
    quoter: str = ""
    pool_id: str = ""
    gas_units: int = 150_000

    def __post_init__(self) -> None:
        place = f"pool {self.address or self.symbol}"
        is_key = self.kind in SOLANA
        _check_address(place, "address", self.address, is_key=is_key)
        for token in self.tokens:
            _check_address(place, f"token {token.symbol}", token.address, is_key=is_key)
        if self.quoter:
            _check_address(place, "quoter", self.quoter)
        if self.pool_id and not _POOL_ID.fullmatch(self.pool_id):
            _refuse(place, f"pool_id {self.pool_id[:80]!r} is not 0x and 64 hexadecimal digits")
        if len({token.address.lower() for token in self.tokens}) < max(len(self.tokens), 2):
            _refuse(place, f"{len(self.tokens)} tokens are not two or more different ones")
        _check_range(self, place, 0, len(self.tokens) - 1, "base", "quote")
        if self.base == self.quote:
            _refuse(place, f"base and quote are both token {self.base}")
        _check_range(self, place, 0, _PPM - 1, "fee_ppm")
        _check_range(self, place, 0, _U64, "gas_units")

    @property
    def address_bytes(self) -> bytes:
        """32 bytes; an EVM address is the first 20, the rest zero."""
        return key_bytes(self.address) if self.kind in SOLANA else bytes.fromhex(self.address[2:]).ljust(32, b"\0")

    @property
    def pair_index(self) -> int:
        """The lexicographic place of (i < j) among the pairs of its tokens: (0,1) 0, (0,2) 1, (1,2) 2 of three."""
        i, j = sorted((self.base, self.quote))
        return i * (2 * len(self.tokens) - i - 1) // 2 + j - i - 1


class ChainPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One chain and how it is followed. Times in ns, money ×1e9 of the quote currency.

    `chain_id`: EIP-155's, which every endpoint must answer; on Solana `genesis` is that, base58 of the first block's
    hash. `links`: the endpoints' link names, preferred first; Solana's have a second one for HTTP calls, `calls_of`.
    `multicall`: Multicall3's address; empty: calls are made one by one. `stale_after_ns`: without a new block for that
    long every book is lost. `reconcile_blocks`: how often the state is compared with the chain's. `quorum`: endpoints
    that must be up and agree. `calls_per_s`: budget of each endpoint. `sizes_1e9`: by quote symbol, cumulative sizes of
    the ladder, rising; "" is for every other quote. `is_gross`: prices without the pool's fee. `split_above_1e9`: from
    this size on the chain's own book may split an order over pools. `check_every`: one in so many of its emissions is
    requoted on the chain, `check_bps` off is suppressed. `native`: the native coin's symbol with money, `ETH/USD`.
    `par`: names of tokens that count as that money, one for one. Solana's alone: `commitment`, at which everything is
    read (processed may be rolled back), and `arrays`, how many tick arrays in use are read each side of the price.
    """

    chain_id: int
    links: tuple[str, ...]
    pools: tuple[PoolPlan, ...]
    multicall: str
    block_time_ns: int
    stale_after_ns: int
    native: str
    par: tuple[str, ...] = ()
    gas: GasModel = GasModel.EIP1559
    reconcile_blocks: int = 100
    quorum: int = 1
    calls_per_s: int = 25
    sizes_1e9: dict[str, tuple[int, ...]] = {}
    is_gross: bool = False
    split_above_1e9: int = 10_000 * 10**9
    check_every: int = 10
    check_bps: int = 25
    genesis: str = ""
    commitment: str = "confirmed"
    arrays: int = 5

    def __post_init__(self) -> None:
        place = f"chain {self.chain_id}"
        _check_range(self, place, 1, _U64, "chain_id", "block_time_ns", "stale_after_ns", "reconcile_blocks",
                     "calls_per_s", "check_every", "check_bps")  # fmt: skip
        _check_range(self, place, 1, ARRAYS_MAX, "arrays")
        if self.commitment not in COMMITMENTS:
            _refuse(place, f"commitment {self.commitment[:80]!r} is not one of {', '.join(COMMITMENTS)}")
        _check_range(self, place, 0, _U64, "split_above_1e9")
        if not self.links or not all(self.links) or len(set(self.links)) < len(self.links):
            _refuse(place, f"links {', '.join(self.links) or 'none'} are not names, each once")
        _check_range(self, place, 1, len(self.links), "quorum")
        if self.multicall:
            _check_address(place, "multicall", self.multicall)
        if (self.gas is GasModel.SOLANA) != bool(self.genesis) or any(
            (pool.kind in SOLANA) != bool(self.genesis) for pool in self.pools
        ):
            _refuse(place, "a chain with a genesis hash is Solana's, and its pools are, and no other")
        if self.genesis:
            _check_address(place, "genesis", self.genesis, is_key=True)
        if not _PAIR.fullmatch(self.native):
            _refuse(place, f"native {self.native!r} is no symbol like ETH/USD")
        for quote, sizes in self.sizes_1e9.items():
            is_rising = all(low < high for low, high in pairwise((0, *sizes)))
            if not is_rising or not 1 <= len(sizes) <= LEVELS or sizes[-1] > _U64:
                _refuse(place, f"sizes of {quote or 'every quote'} are not 1 … {LEVELS} rising amounts above zero")
        _check_contracts(place, self.pools)


def _check_contracts(place: str, pools: tuple[PoolPlan, ...]) -> None:
    """Each market once, and one contract is of one kind."""
    seen: set[tuple[str, int]] = set()
    kinds: dict[str, PoolKind] = {}
    for pool in pools:
        address = pool.address.lower()
        if (address, pool.pair_index) in seen:
            _refuse(place, f"pool {pool.address} is there twice with the same pair")
        if kinds.setdefault(address, pool.kind) is not pool.kind:
            _refuse(place, f"pool {pool.address} is both {kinds[address]} and {pool.kind}")
        seen.add((address, pool.pair_index))


def calls_of(link: str) -> str:
    """The link of an endpoint's HTTP calls, beside that of its WebSocket."""
    return f"{link}.http"


def _check_address(place: str, name: str, text: str, *, is_key: bool = False) -> None:
    if is_key:
        try:
            key_bytes(text)
        except ValueError as error:
            _refuse(place, f"{name} {error}")
    elif not _ADDRESS.fullmatch(text):
        _refuse(place, f"{name} {text[:80]!r} is not 0x and 40 hexadecimal digits")


def _check_range(struct: msgspec.Struct, place: str, low: int, high: int, *names: str) -> None:
    for name in names:
        value = getattr(struct, name)
        if not low <= value <= high:
            _refuse(place, f"{name} is {value}, outside {low} … {high}")


def _refuse(place: str, problem: str) -> NoReturn:
    raise ConfigError(problem, place=place, mend="see docs/dex.md")
