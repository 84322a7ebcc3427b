"""A venue's REST side for tests of the door: it answers as the test says, and keeps what it was asked."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.session import Signed, Trading, Unsigned

CANARIES = {
    "key": "canary+key/0123456789abcdefghijklmnop",
    "secret": base64.b64encode(b"canary secret, of which nothing may be seen").decode(),
    "token": "CanaryToken0123456789/abcdefghij+klm",
}
KEY, SECRET, TOKEN = CANARIES.values()

Answer = Callable[["Asked"], Awaitable[bytes | None]]


class Asked(msgspec.Struct):
    """One request as it arrived. `connection`: which of the server's, from 0."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def nonce(self) -> int:
        return int(parse_qs(self.body.decode())["nonce"][0])


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """As Kraken wants it: docs.kraken.com/api/docs/guides/spot-rest-auth."""
    text = b"nonce=%d" % request.nonce + (b"&" + request.body if request.body else b"")
    digest = hashlib.sha256(b"%d" % request.nonce + text).digest()
    signed = hmac.digest(base64.b64decode(secrets["secret"]), request.path.encode() + digest, "sha512")
    return Signed(request.path, {"API-Key": secrets["key"], "API-Sign": base64.b64encode(signed).decode()}, text)


def secrets_in(path: str, body: bytes) -> dict[str, str]:
    if not path.endswith("GetWebSocketsToken"):
        return {}
    result = json.loads(body).get("result") or {}
    return {"token": result["token"]} if "token" in result else {}


def trading(**other: Any) -> Trading:
    return Trading(
        **{
            "session": cast("Any", None), "private_url": "", "rest_url": "", "sign": sign, "secrets_in": secrets_in,
            "deadline_ns": 10**9, "visible_ns": 10**9, "id_max": 18, **other,
        }
    )  # fmt: skip


def nobodys_tls(folder: Path) -> ssl.SSLContext:
    """Of a server at 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "tls.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


class RestServer:
    """`answer(asked)` gives the bytes to write, or None: the connection is closed without any."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.asked: list[Asked] = []
        self._answer = answer
        self._connections = 0
        self._serving: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._serving.add(task)
        number, self._connections = self._connections, self._connections + 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.rstrip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                asked = Asked(method, path, headers, body, number)
                self.asked.append(asked)
                said = await self._answer(asked)
                if said is None:
                    return
                writer.write(said)
                await writer.drain()
                if b"Connection: close" in said:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            self._serving.discard(task)
