"""Addresses to which a key, a token or an order is sent: never in the clear, but on this machine."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from runtime.config_types import SocketUrl
from runtime.dialling import LOOPBACK


def _private_url(value: str) -> str:
    """A key or token must not travel in the clear."""
    if value and urlsplit(value).scheme == "ws" and urlsplit(value).hostname not in LOOPBACK:
        raise ValueError("an address wss://… is wanted: what is said there is secret")
    return value


def _rest_url(value: str) -> str:
    if value:
        try:
            parts = urlsplit(value)
            is_good = bool(parts.hostname) and parts.port != 0 and not (parts.username or parts.query or parts.fragment)
            is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        except ValueError:  # whose own words would tell a part of it
            is_good = is_safe = False
        if not is_good or not is_safe or parts.path not in ("", "/") or not value.isprintable() or " " in value:
            raise ValueError("an address https://HOST is wanted, without a path")
    return value


PrivateUrl = Annotated[SocketUrl, AfterValidator(_private_url)]
RestUrl = Annotated[str, AfterValidator(_rest_url)]
