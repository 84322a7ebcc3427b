"""What an HTTP request gets. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from runtime.sim.exchange.numbers import dump

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
REASONS: Final = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}


class Answer(msgspec.Struct, frozen=True):
    """`is_lost`: the connection is cut instead; `delay_ns`: how long it takes; `headers`: beyond the usual ones."""

    status: int
    content_type: str
    body: bytes
    is_lost: bool = False
    delay_ns: int = 0
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(message: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A message as JSON."""
    return Answer(status, JSON, dump(message).encode(), headers=headers)


def gateway_page(status: int) -> Answer:
    """What a proxy in between says."""
    title = REASONS.get(status, f"{status} Web server is returning an unknown error")
    return Answer(status, "text/html", HTML.format(title).encode())
