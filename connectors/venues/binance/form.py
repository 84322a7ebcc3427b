"""Queries as Binance reads them: `name=value` joined by `&`, values percent-encoded (RFC 3986, section 2).

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-api-information: since 2026-01-15 a request
is signed as it is encoded.
"""

from collections.abc import Iterable
from typing import Final

_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def encoded(text: str) -> str:
    """`["BTCUSDT"]` → `%5B%22BTCUSDT%22%5D`; UTF-8 of whatever is not ASCII."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode())


def query(fields: Iterable[tuple[str, str | int]]) -> bytes:
    return "&".join(f"{name}={encoded(str(value))}" for name, value in fields).encode()


def decoded(text: str) -> str:
    """The other way. Raises ValueError for a broken escape."""
    head, *parts = text.split("%")
    out = bytearray(head.encode())
    for part in parts:
        if len(part) < 2:
            msg = f"broken escape in {text[:60]!r}"
            raise ValueError(msg)
        out.append(int(part[:2], 16))
        out += part[2:].encode()
    return out.decode()


def fields_of(text: str) -> dict[str, str]:
    """What a query says. Raises ValueError for what is none; a name said twice counts as it was said last."""
    found: dict[str, str] = {}
    for part in text.split("&") if text else []:
        name, _, value = part.partition("=")
        found[decoded(name)] = decoded(value)
    return found
