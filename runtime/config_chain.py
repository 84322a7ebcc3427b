"""`[venues.dex_…]`: a venue on a chain, whose markets are pools. `docs/dex.md` explains every setting.

Here is checked what a value says by itself; what needs the shipped data beside it (tokens by name, pools that are
there twice), `chain_plan.py` checks. Addresses may be in small letters; with capitals, they must be EIP-55's.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from connectors.chain import SOLANA, PoolKind
from connectors.errors import WireError
from connectors.venues.evm import abi
from runtime.config_types import Amount, Percent, Printable, Section, SocketUrl, Whole

SIZES_MAX: Final = 20  # levels a side in the guest's record
NAME_MAX: Final = 16  # bytes of a symbol in the guest's record
EVM_KINDS: Final = tuple(kind for kind in PoolKind if kind not in SOLANA)
_ADDRESS: Final = re.compile("0x[0-9a-fA-F]{40}")
_POOL_ID: Final = re.compile("0x[0-9a-f]{64}")
_SYMBOL: Final = re.compile(r"[^\s/]+/[^\s/]+")


def checksummed(text: str) -> str:
    """The address as EIP-55 writes it. Raises ValueError for none, and for capitals that do not fit its digits."""
    if not _ADDRESS.fullmatch(text) or not int(text, 16):
        raise ValueError("an address is wanted: 0x and 40 hexadecimal digits")
    try:
        return abi.checksummed(text)
    except WireError:
        problem = "its capitals do not fit its digits (EIP-55), so it may be mistyped: copy it again"
        raise ValueError(problem) from None


def rising(sizes: Sequence[Decimal]) -> Sequence[Decimal]:
    if not all(low < high for low, high in pairwise(sizes)):
        raise ValueError("each size must be larger than the one before")
    return sizes


def pair_name(text: str) -> str:
    if text and (not _SYMBOL.fullmatch(text) or not text.isprintable() or len(text.encode()) > NAME_MAX):
        raise ValueError(f"a symbol like ETH/USD is wanted, of at most {NAME_MAX} bytes")
    return text


def _kind(kind: PoolKind) -> PoolKind:
    if kind in SOLANA:
        raise ValueError(f"it is a kind of Solana's pools, of dex_sol: here are {', '.join(EVM_KINDS)}")
    return kind


def _pool_id(text: str) -> str:
    if text and not _POOL_ID.fullmatch(text.lower()):
        raise ValueError("Balancer's pool id is wanted: 0x and 64 hexadecimal digits")
    return text.lower()


def _no_fee_on_transfer(value: bool) -> bool:
    if value:
        raise ValueError("tokens that take a fee of each transfer are not supported: no quote of such a pool is true")
    return value


def each_once(urls: list[str]) -> list[str]:
    if len({url.rstrip("/") for url in urls}) < len(urls):
        raise ValueError("an endpoint is named twice: it cannot confirm itself")
    if not all(urls):
        raise ValueError("an endpoint is empty")
    return urls


Address = Annotated[str, AfterValidator(checksummed)]
AddressOrNone = Annotated[str, AfterValidator(lambda text: checksummed(text) if text else "")]
Sizes = Annotated[list[Amount], Field(min_length=1, max_length=SIZES_MAX), AfterValidator(rising)]


class TokenSection(Section):
    """`[venues.dex_….tokens.NAME]`: a token that is not shipped."""

    address: Address = Field(description="its contract")
    decimals: Annotated[Whole, Field(ge=0, le=36)] = Field(description="as its contract tells them")
    counts_as: Printable = Field(
        default="", description="what it counts as in symbols, at par: ETH, BTC, USD …; by default its own name"
    )


class PoolSection(Section):
    """`[[venues.dex_….pools]]`: one market of a pool."""

    address: Address = Field(description="the pool's contract")
    kind: Annotated[PoolKind, AfterValidator(_kind)] = Field(description=f"how it is quoted: {', '.join(EVM_KINDS)}")
    base: Annotated[Printable, Field(min_length=1)] = Field(description="the token that is priced: its name or address")
    quote: Annotated[Printable, Field(min_length=1)] = Field(description="the token that it is priced in, another one")
    symbol: Annotated[str, AfterValidator(pair_name)] = Field(
        default="", description="the session's symbol to show it under; by default from what base and quote count as"
    )
    coins: Annotated[list[Printable], Field(max_length=8)] = Field(
        default=[], description="all its tokens in the contract's own order; for curve_… and balancer_v2 alone"
    )
    fee_pct: Percent | None = Field(default=None, description="the swap fee in %; needed for uniswap_v2")
    fee_ppm: Annotated[Whole, Field(ge=0, lt=1_000_000)] | None = Field(
        default=None, description="the same in millionths, instead of fee_pct"
    )
    quoter: AddressOrNone = Field(
        default="", description="the contract that quotes it: QuoterV2, a V2 router, Algebra's quoter, Balancer's Vault"
    )
    pool_id: Annotated[str, AfterValidator(_pool_id)] = Field(default="", description="Balancer's pool id")
    protocol: Literal["", "uniswap_v2", "uniswap_v3", "curve", "balancer_v2", "aerodrome", "velodrome", "camelot"] = (
        Field(default="", description="what guests are told it is; by default from its kind and chain")
    )
    gas_units: Annotated[Whole, Field(ge=21_000, le=10_000_000)] | None = Field(
        default=None, description="gas of one swap; by default a usual one of its kind"
    )
    fee_on_transfer: Annotated[bool, AfterValidator(_no_fee_on_transfer)] = Field(
        default=False, description="true for a token that takes a fee of each transfer: such pools are refused"
    )

    @model_validator(mode="after")
    def _one_fee(self) -> "PoolSection":
        if self.fee_pct is not None and self.fee_ppm is not None:
            raise ValueError("fee_pct and fee_ppm are both set: leave one out")
        if self.base == self.quote:
            raise ValueError(f"base and quote are both {self.base}: name two tokens")
        return self


class FollowedSection(Section):
    """What any chain's section has."""

    depth: Annotated[Whole, Field(ge=20, le=20)] = Field(default=20, description="levels a side: 20, always")
    calls_per_s: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=25, description="calls a second to each endpoint"
    )
    stale_after_s: Annotated[Amount, Field(le=3600)] | None = Field(
        default=None, description="without a new block or slot for that long every book is lost"
    )
    pool_prices: Literal["net", "gross"] = Field(
        default="net", description="net: with the pool's fee, what it really pays; gross: without"
    )
    sizes: Sizes | None = Field(default=None, description="1 to 20 rising amounts of quote money, the ladder's levels")
    sizes_of: dict[str, Sizes] = Field(default={}, description="the same for one quote token, by its name")
    split_above: Amount = Field(
        default=Decimal(10_000), description="from this amount on the chain's own book splits orders over pools"
    )
    defaults: bool = Field(default=True, description="false leaves the shipped pools out")


class ChainSection(FollowedSection):
    """`[venues.dex_…]` of an EVM chain: how it is followed. What is left out comes from runtime/chains/."""

    url: SocketUrl = Field(default="", description="WebSocket address of the only endpoint; for several, urls")
    urls: Annotated[list[SocketUrl], Field(max_length=16), AfterValidator(each_once)] = Field(
        default=[], description="WebSocket addresses of the endpoints, preferred first"
    )
    chain_id: Annotated[Whole, Field(ge=1, lt=2**63)] | None = Field(
        default=None, description="what every endpoint must answer to eth_chainId; by default the chain's own"
    )
    quorum: Annotated[Whole, Field(ge=1, le=16)] = Field(
        default=1, description="endpoints that must be up and agree, at most as many as there are"
    )
    reconcile_blocks: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(
        default=100, description="blocks after which the pools are read anew and compared"
    )
    multicall: AddressOrNone | None = Field(
        default=None, description='address of Multicall3; "" calls contracts one by one'
    )
    gas: Literal["", "eip1559", "arbitrum", "op_stack"] = Field(
        default="", description="how gas is priced; by default as the chain does; eip1559 leaves the L1 part out"
    )
    check_every: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(
        default=10, description="one in so many books of the chain is quoted again on the chain"
    )
    check_bps: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=25, description="a book that is off by more is withheld, 1/100 %"
    )
    pools: list[PoolSection] = Field(default=[], description="pools of your own, beside the shipped ones")
    tokens: dict[str, TokenSection] = Field(default={}, description="tokens of your own, by name")

    @model_validator(mode="after")
    def _one_list_of_endpoints(self) -> "ChainSection":
        if self.url and self.urls:
            raise ValueError("url and urls are both set: put all endpoints into urls")
        return self

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Preferred first; empty: none is set."""
        return tuple(self.urls) or ((self.url,) if self.url else ())
