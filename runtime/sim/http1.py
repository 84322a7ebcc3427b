"""A small HTTP/1.1: one request out of bytes, one answer into bytes. Pure.

For the loopback alone: content-length bodies, keep-alive, heads up to 16 KiB, bodies up to 1 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

MAX_HEAD: Final = 16_384
MAX_BODY: Final = 1_048_576
PHRASES: Final = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 410: "Gone", 413: "Payload Too Large",
    418: "I'm a teapot", 429: "Too Many Requests", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 520: "Unknown",
}  # fmt: skip


class BadRequest(Exception):  # noqa: N818 - it is answered, not raised to anybody
    """Bytes that are no request; `status` is the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(PHRASES[status])
        self.status = status


class HttpRequest(msgspec.Struct, frozen=True):
    """A whole request; `headers` by lower-case name."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    size: int

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def keeps_alive(self) -> bool:
        """Whether more may follow on the same connection."""
        return self.headers.get("connection", "").lower() != "close"


def read_request(data: bytes | bytearray) -> HttpRequest | None:
    """The first request in `data`, None while it is not all there. Raises BadRequest."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MAX_HEAD:
            raise BadRequest(413)
        return None
    first, *lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400)
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(400)
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise BadRequest(501)
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequest(400)
    if int(length) > MAX_BODY:
        raise BadRequest(413)
    size = end + 4 + int(length)
    if len(data) < size:
        return None
    return HttpRequest(parts[0], parts[1], headers, bytes(data[end + 4 : size]), size)


def write_answer(status: int, content_type: str, body: bytes, *, keeps_alive: bool, extra: str = "") -> bytes:
    """An answer's bytes."""
    head = f"HTTP/1.1 {status} {PHRASES.get(status, 'Error')}\r\nContent-Type: {content_type}\r\n{extra}"
    head += f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keeps_alive else 'close'}\r\n\r\n"
    return head.encode() + body
