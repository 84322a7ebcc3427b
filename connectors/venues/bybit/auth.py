"""How requests and logins are signed. Pure: secret, time and request go in. https://bybit-exchange.github.io/docs/v5/guide

Over HTTP the signed text is time, key, window and the query or the JSON exactly as it is sent; on sockets it is
`GET/realtime` and the time until which the login is good. HMAC-SHA256 in hex, or RSA's signature in base64.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from connectors.errors import ConfigError
from connectors.exchange.skew import fill_times
from connectors.session import Signed, Unsigned

RECV_WINDOW_MS: Final = 5000  # Bybit's own default
_MS: Final = 10**6
_PEM: Final = "PRIVATE KEY"
_LOGIN: Final = re.compile(rb'"op":"auth","args":\["[^"\\]*",([0-9]{13}),"(\{sign\})"\]')


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """The time is the venue's, as the session knows it. Raises ConfigError for a secret that cannot sign."""
    stamp, query = b"%d" % (request.now_ns // _MS), request.body
    is_post = request.method == "POST"
    text = b"".join((stamp, secrets["key"].encode(), b"%d" % RECV_WINDOW_MS, query))
    headers = {
        "X-BAPI-API-KEY": secrets["key"],
        "X-BAPI-TIMESTAMP": stamp.decode(),
        "X-BAPI-RECV-WINDOW": str(RECV_WINDOW_MS),
        "X-BAPI-SIGN": _signature(text, secrets["secret"]),
    }
    if is_post:
        return Signed(request.path, {**headers, "Content-Type": "application/json"}, query)
    # a GET with any body is refused (403)
    return Signed(f"{request.path}?{query.decode()}" if query else request.path, headers)


def seal(data: bytes, secrets: Mapping[str, str], now_ns: int) -> bytes:
    """A login as it leaves: until when it is good, and its signature. Every other frame is what it was."""
    if b"{sign}" not in data:
        return fill_times(data, now_ns)
    filled = fill_times(data, now_ns)
    found = _LOGIN.search(filled)
    if found is None:
        return filled
    signature = _signature(b"GET/realtime" + found[1], secrets["secret"]).encode()
    return filled[: found.start(2)] + signature + filled[found.end(2) :]


def _signature(text: bytes, secret: str) -> str:
    if _PEM in secret:
        return _rsa(text, secret)
    return hmac.new(secret.encode(), text, "sha256").hexdigest()


def _rsa(text: bytes, pem: str) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256. Raises ConfigError, which names no part of the key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        mend = "give the file as it was made, without a password, or the secret of a system-generated key"
        raise ConfigError("the API secret is no RSA private key", place="bybit", mend=mend)
    return b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()
