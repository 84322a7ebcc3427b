"""How requests to Binance are signed. Pure: secret, time and request go in.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security and the page of the same name of the
WebSocket API. Over HTTP the query is signed as it is sent, the signature last; on the socket the parameters sorted by
name, as `name=value` joined by `&`. The secret's form says which key it is of: a PEM file is of an Ed25519 or an RSA
key (signatures in base64), anything else of an HMAC-SHA256 key (in hex).
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from connectors.errors import ConfigError
from connectors.session import Signed, Unsigned
from connectors.strictjson import strict_object, unread
from connectors.venues.binance.form import encoded

WINDOW_MS: Final = 5000
PUBLIC: Final = frozenset({"/api/v3/time", "/api/v3/ping", "/api/v3/exchangeInfo", "/api/v3/depth"})
_MS: Final = 10**6
_TIME: Final = re.compile(rb"\{time_ms(?::([+-]?[0-9]{1,12}))?\}")
_SIGN: Final = b"{sign}"
_PEM: Final = "PRIVATE KEY"


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """Every signed request has its parameters in the query. Raises ConfigError for a secret that cannot sign."""
    query = request.body.decode("ascii")
    if request.path in PUBLIC:
        return Signed(_with(request.path, query), {})
    if "recvWindow=" not in query:
        query = _and(query, f"recvWindow={WINDOW_MS}")
    query = _and(query, f"timestamp={request.now_ns // _MS}")
    query = f"{query}&signature={encoded(signature(query, secrets['secret']))}"
    return Signed(_with(request.path, query), {"X-MBX-APIKEY": secrets["key"]})


def seal(data: bytes, secrets: Mapping[str, str], now_ns: int) -> bytes:
    """A request of the WebSocket API with its time and signature, where it left places for them.

    Raises ConfigError as `sign` does, ValueError for what is no request.
    """
    if _SIGN not in data and b"{time_ms" not in data:
        return data
    timed = _TIME.sub(lambda found: b"%d" % (now_ns // _MS + int(found[1] or 0)), data)
    if _SIGN not in timed:
        return timed
    params = strict_object(timed).get("params")
    if not isinstance(params, dict):
        raise unread("params is no object")
    payload = "&".join(f"{name}={_text(params[name])}" for name in sorted(params) if name != "signature")
    return timed.replace(_SIGN, signature(payload, secrets["secret"]).encode(), 1)


def signature(payload: str, secret: str) -> str:
    """Raises ConfigError, which names no part of it, for a PEM file that holds no Ed25519 or RSA key."""
    if _PEM not in secret:
        return hmac.digest(secret.encode(), payload.encode(), "sha256").hex()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = _key(secret)
    if isinstance(key, rsa.RSAPrivateKey):
        return b64encode(key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    return b64encode(key.sign(payload.encode())).decode()


@lru_cache(4)
def _key(secret: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    key: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        # in an environment variable a line's end may stand as two characters
        key = serialization.load_pem_private_key(secret.replace("\\n", "\n").encode(), None)
    if isinstance(key, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        return key
    mend = "give the secret of an HMAC key, or the whole PEM file of an Ed25519 or RSA key without a password"
    raise ConfigError("the API secret is a PEM file that cannot sign", place="venues.binance.secret", mend=mend)


def _text(value: object) -> str:
    """A parameter as it is signed: numbers as they stand in the message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    raise unread("a parameter is neither text nor number")


def _with(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _and(query: str, more: str) -> str:
    return f"{query}&{more}" if query else more
