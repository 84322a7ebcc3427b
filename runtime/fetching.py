"""One HTTP exchange for the doors that speak HTTP: bounded, never redirected, every failure in words. Uses httpx2."""

import re
import ssl
from typing import Final
from urllib.parse import urlsplit

import httpx2

from runtime.dialling import LOOPBACK
from runtime.net import reason_of, shown

ANSWER_BYTES_MAX: Final = 16 * 2**20
ANSWER_S: Final = 10.0  # for the whole exchange
CONNECT_S: Final = 5.0
IDLE_S: Final = 30.0  # a connection that was not used for that long is not used again
FAILURES: Final = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError)
_PRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def tls_for(base_url: str) -> ssl.SSLContext:
    """What clients of this address trust; 50 ms to make, so clients of one address share it."""
    return httpx2.create_ssl_context(trust_env=not is_here(base_url))


def is_here(base_url: str) -> bool:
    """Whether it is this machine, of which the environment's proxy knows nothing."""
    return urlsplit(base_url).hostname in LOOPBACK


def client_of(base_url: str, tls: ssl.SSLContext, connections: int = 1) -> httpx2.AsyncClient:
    """A client with so many connections to an address."""
    return httpx2.AsyncClient(
        verify=tls, follow_redirects=False, trust_env=not is_here(base_url), http2=False,
        timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
        limits=httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_S
        ),
        headers={"User-Agent": "venuegate", "Accept-Encoding": "identity"},
    )  # fmt: skip


async def fetched(
    client: httpx2.AsyncClient, method: str, url: str, headers: dict[str, str], content: bytes | None
) -> tuple[int, bytes]:
    """Status and body; 0 and words for a body that is not taken. Raises FAILURES, which `why_not` puts into words."""
    async with client.stream(method, url, headers=headers, content=content) as response:
        if response.headers.get("content-encoding", "identity") != "identity":
            return 0, b"no answer: it is compressed, which was not asked for"
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > ANSWER_BYTES_MAX:
                return 0, b"no answer: it is longer than %d bytes" % ANSWER_BYTES_MAX
        return response.status_code, bytes(body)


def why_not(error: Exception, base_url: str) -> bytes:
    """Why nothing came, without the address's secrets; "never left" where that is certain."""
    words = _PRINTABLE.sub("?", f"{type(error).__name__}: {reason_of(error)}")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return never_left(f"cannot reach {shown(base_url)} ({words})")
    return f"no answer: {words}".encode()


def never_left(problem: str) -> bytes:
    """The words for a request of which no byte was sent."""
    return f"never left: {problem}".encode()
