"""What the sections of a config are made of: their base and the kinds of values that several of them share."""

import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _not_bool(value: object) -> object:
    """TOML's `true` is no number, though Python's is 1."""
    if isinstance(value, bool):
        raise ValueError("a number is wanted")  # noqa: TRY004 - pydantic turns ValueError alone into its own
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("printable characters are wanted")
    return value


def _socket_url(value: str) -> str:
    """Dialling an impossible address again and again would only look like a dead network."""
    if value:
        try:
            parts = urlsplit(value)
            is_good = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # whose own words would tell a part of it
            is_good = False
        if not is_good or not value.isprintable() or " " in value:
            raise ValueError("an address ws://HOST[:PORT]/… or wss://… is wanted")
        if "#" in value:
            raise ValueError("an address without # is wanted: nothing behind it would be sent")
    return value


def _http_url(value: str) -> str:
    if value:
        try:
            parts = urlsplit(value)
            is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or not value.isprintable() or " " in value:
            raise ValueError("an address http://HOST[:PORT]/… or https://… is wanted")
        if "#" in value:
            raise ValueError("an address without # is wanted: nothing behind it would be sent")
    return value


def _hex32(value: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise ValueError("64 hexadecimal digits are wanted")
    return value.lower()


class Section(BaseModel):
    """One table of a file: no key that it does not know, no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


Amount = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(ge=0, le=100, allow_inf_nan=False)]
Balance = Annotated[Decimal, BeforeValidator(_not_bool), Field(ge=0, allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Printable = Annotated[str, AfterValidator(_printable)]
SocketUrl = Annotated[str, AfterValidator(_socket_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Sha256 = Annotated[str, AfterValidator(_hex32)]
PublicKey = Annotated[str, AfterValidator(_hex32)]  # of Ed25519
