"""`[venues.dex_sol]`: pools on Solana. `docs/dex.md` explains every setting.

An endpoint has two addresses, as Solana's nodes do: HTTP for calls, a WebSocket that tells when to call. The second
follows from the first as Solana's own command line derives it, unless it is set. What only EVM chains have is refused.
"""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, Field, model_validator

from connectors.base58 import key_bytes
from connectors.chain import ARRAYS_MAX, SOLANA, PoolKind
from runtime.config_chain import FollowedSection, each_once, pair_name
from runtime.config_types import HttpUrl, Printable, Section, SocketUrl, Whole

_PORT_MAX: Final = 65_535
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def solana_key(text: str) -> str:
    """A public key in base58, as it is. Raises ValueError without repeating it: it may be an address with a key."""
    try:
        key_bytes(text)
    except ValueError:
        raise ValueError("a key is wanted: 32 bytes in base58, which are 32 to 44 letters and digits") from None
    return text


def _key_or_none(text: str) -> str:
    return solana_key(text) if text else ""


def _kind(kind: PoolKind) -> PoolKind:
    if kind not in SOLANA:
        raise ValueError(f"Solana's kinds are wanted: {', '.join(sorted(SOLANA))}")
    return kind


def socket_of(url: str) -> str:
    """The WebSocket address of an HTTP one: the same host, path and query, a port that is named plus one.

    As `solana_cli_config`'s `compute_websocket_url` does it, for which a scheme's own port counts as not named. Raises
    ValueError for port 65535, behind which there is none.
    """
    parts = urlsplit(url)
    port = parts.port
    login, _, host = parts.netloc.rpartition("@")
    if port is not None:
        host = host.rpartition(":")[0]
        if port != _DEFAULT_PORTS[parts.scheme]:
            if port == _PORT_MAX:
                raise ValueError("no port follows 65535: set ws_urls")
            host = f"{host}:{port + 1}"
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit(parts._replace(scheme=scheme, netloc=f"{login}@{host}" if login else host))


Key = Annotated[str, AfterValidator(solana_key)]
KeyOrNone = Annotated[str, AfterValidator(_key_or_none)]


class SolanaTokenSection(Section):
    """`[venues.dex_sol.tokens.NAME]`: a token that is not shipped."""

    address: Key = Field(description="its mint")
    decimals: Annotated[Whole, Field(ge=0, le=36)] = Field(description="as its mint tells them")
    counts_as: Printable = Field(
        default="", description="what it counts as in symbols, at par: SOL, BTC, USD …; by default its own name"
    )


class SolanaPoolSection(Section):
    """`[[venues.dex_sol.pools]]`: a pool of two tokens."""

    address: Key = Field(description="the pool's account")
    kind: Annotated[PoolKind, AfterValidator(_kind)] = Field(
        description=f"how it is quoted: {', '.join(sorted(SOLANA))}"
    )
    base: Annotated[Printable, Field(min_length=1)] = Field(description="the token that is priced: its name or mint")
    quote: Annotated[Printable, Field(min_length=1)] = Field(description="the token that it is priced in, another one")
    symbol: Annotated[str, AfterValidator(pair_name)] = Field(
        default="", description="the session's symbol to show it under; by default from what base and quote count as"
    )
    compute_units: Annotated[Whole, Field(ge=1_000, le=1_400_000)] | None = Field(
        default=None, description="compute units of one swap; by default a usual number of its kind"
    )

    @model_validator(mode="after")
    def _two_tokens(self) -> "SolanaPoolSection":
        if self.base == self.quote:
            raise ValueError(f"base and quote are both {self.base}: name two tokens")
        return self


class SolanaSection(FollowedSection):
    """`[venues.dex_sol]`: how Solana is followed. What is left out comes from runtime/chains/solana.toml."""

    url: HttpUrl = Field(default="", description="HTTP address of the only endpoint; for several, urls")
    urls: Annotated[list[HttpUrl], Field(max_length=16), AfterValidator(each_once)] = Field(
        default=[], description="HTTP addresses of the endpoints, preferred first"
    )
    ws_urls: Annotated[list[SocketUrl], Field(max_length=16), AfterValidator(each_once)] = Field(
        default=[], description="their WebSocket addresses, in the same order; by default derived, as Solana's CLI does"
    )
    genesis: KeyOrNone = Field(
        default="", description="what every endpoint must answer to getGenesisHash; by default mainnet-beta's"
    )
    commitment: Literal["confirmed", "processed", "finalized"] = Field(
        default="confirmed", description="at which state is read; processed is earlier and may be rolled back"
    )
    arrays: Annotated[Whole, Field(ge=1, le=ARRAYS_MAX)] = Field(
        default=5, description="tick arrays with liquidity that are read each side of the price"
    )
    pools: list[SolanaPoolSection] = Field(default=[], description="pools of your own, beside the shipped ones")
    tokens: dict[str, SolanaTokenSection] = Field(default={}, description="tokens of your own, by name")

    @model_validator(mode="after")
    def _one_list_of_endpoints(self) -> "SolanaSection":
        if self.url and self.urls:
            raise ValueError("url and urls are both set: put all endpoints into urls")
        if self.ws_urls and len(self.ws_urls) != len(self.endpoints):
            raise ValueError(f"{len(self.endpoints)} urls, but {len(self.ws_urls)} ws_urls: one for each is wanted")
        if not self.ws_urls:
            for url in self.endpoints:
                socket_of(url)
        return self

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Of HTTP, preferred first; empty: none is set."""
        return tuple(self.urls) or ((self.url,) if self.url else ())

    @property
    def sockets(self) -> tuple[str, ...]:
        """The WebSocket address of each of them."""
        return tuple(self.ws_urls) or tuple(socket_of(url) for url in self.endpoints)
