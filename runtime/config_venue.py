"""`[venues.NAME]` of an exchange: where it is, what of it is followed, and what it takes to trade there for real.

`docs/live.md` explains the second half. Keys are named by reference (`references.py`), never written here.
"""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from connectors.units import scaled
from runtime.config_types import Balance, Printable, Section, SocketUrl, Whole
from runtime.config_urls import PrivateUrl, RestUrl
from runtime.references import check_reference

ADDRESSES: Final = frozenset({"url", "urls", "ws_urls", "calls_url", "private_url", "trade_url", "rest_url"})
REFERENCES: Final = frozenset({"key", "secret", "passphrase"})
AUDIT_S_LEAST: Final = 5  # each comparison asks for the book anew


def _pace(value: Decimal) -> Decimal:
    if value and not AUDIT_S_LEAST <= value <= 86_400:
        raise ValueError(f"0, or {AUDIT_S_LEAST} … 86400 seconds are wanted")
    return value.quantize(Decimal("0.001"))


def _option_text(value: object) -> object:
    """TOML's `true` and its numbers are as good as their texts."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | Decimal) else value


OptionText = Annotated[Printable, BeforeValidator(_option_text)]
Reference = Annotated[str, AfterValidator(check_reference)]
Pace = Annotated[Balance, AfterValidator(_pace)]


class VenueSection(Section):
    """`[venues.NAME]`: where a venue is, how much of its book is read, and whether it is traded at for real."""

    url: SocketUrl = Field(default="", description="WebSocket address instead of the venue's own")
    depth: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=10, description="levels a side to subscribe")
    audit_s: Pace = Field(
        default=Decimal(60), description="seconds between comparisons of each book with a fresh one; 0: never"
    )
    ticker: bool = Field(default=False, description="whether the venue's own summary of 24 hours is followed, too")
    live: bool = Field(default=False, description="true, and --live: orders go to this venue, for real")
    key: Reference = Field(default="", description="where its API key is: env:NAME, file:PATH or cred:NAME")
    secret: Reference = Field(default="", description="where that key's secret is: env:NAME, file:PATH or cred:NAME")
    passphrase: Reference = Field(
        default="",
        description="where that key's passphrase is, at a venue that has one: env:NAME, file:PATH, cred:NAME",
    )
    calls_url: RestUrl = Field(
        default="", description="https://HOST of its public HTTP side instead of the venue's own"
    )
    trade_url: PrivateUrl = Field(
        default="", description="wss://… where its orders leave, at a venue with a socket for them, instead of its own"
    )
    private_url: PrivateUrl = Field(default="", description="wss://… of its private link instead of the venue's own")
    rest_url: RestUrl = Field(default="", description="https://HOST of its REST side instead of the venue's own")
    options: dict[str, OptionText] = Field(default={}, description="the venue's own settings: name = text")

    @property
    def audit_ns(self) -> int:
        return scaled(self.audit_s, 9)
