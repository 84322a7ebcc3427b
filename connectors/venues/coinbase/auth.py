"""How requests to Coinbase are signed: a JWT in each request, and in each message of a socket that takes a key.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-authentication

Header: `alg`, `kid` (the key's name), `nonce`, `typ`. Claims: `sub` (the key's name), `iss` = `cdp`, `nbf`, `exp` at
most 120 s later; over REST `uri`, method and host and path without a query. Keys are of P-256 (ES256: a PEM file, in
which a line's end may stand as the two characters `\\n`), or of Ed25519 (EdDSA: base64 of 32 or 64 bytes, or PEM),
whose tokens name the service (`aud`) and have `uris`. Whether Advanced Trade takes the latter, its documentation does
not agree.

`nbf` lies ten seconds back: a token is good though our clock is a little ahead of theirs. Signatures of ES256 are the
deterministic ones of RFC 6979: the same request at the same time is signed in the same way, without a source of chance.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from connectors.errors import ConfigError
from connectors.session import Signed, Unsigned

PLACE: Final = re.compile(rb"\{jwt(?::([+-][0-9]{1,9}))?\}")  # with how many ms the venue's clock is ahead
LIFE_S: Final = 120
BACK_S: Final = 10
_SECOND: Final = 10**9
_MS: Final = 10**6
_ES256: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """Bearer token and path; of GET and DELETE the body is the query. Raises ConfigError."""
    uri = f"{request.method} {request.host}{request.path}"
    token = jwt(secrets, request.now_ns, str(request.nonce).encode(), uri)
    headers = {"Authorization": f"Bearer {token}"}
    if request.method == "POST":
        return Signed(request.path, headers, request.body)
    query = request.body.decode()
    return Signed(f"{request.path}?{query}" if query else request.path, headers)


def seal(data: bytes, secrets: Mapping[str, str], now_ns: int) -> bytes:
    """The message with a token in its place. Raises ConfigError."""
    found = PLACE.search(data)
    if found is None:
        return data
    token = jwt(secrets, now_ns + int(found[1] or 0) * _MS, b"%d %s" % (now_ns, data))
    return data[: found.start()] + token.encode() + data[found.end() :]


def jwt(secrets: Mapping[str, str], now_ns: int, once: bytes, uri: str = "") -> str:
    """A token; `once`: what no other request has, of which the nonce is made. Raises ConfigError."""
    name, key = secrets["key"], _read(secrets["secret"])
    begin = now_ns // _SECOND - BACK_S
    claims: dict[str, Any] = {"sub": name, "iss": "cdp", "nbf": begin, "exp": begin + LIFE_S}
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
    if not is_ec:
        claims["aud"] = ["cdp_service"]
    if uri:
        claims.update({"uri": uri} if is_ec else {"uris": [uri]})
    nonce = hashlib.sha256(once).hexdigest()[:32]
    header = {"alg": "ES256" if is_ec else "EdDSA", "kid": name, "nonce": nonce, "typ": "JWT"}
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{_text(_signature(key, signed.encode()))}"


def _signature(key: _Key, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    r, s = decode_dss_signature(key.sign(data, _ES256))  # RFC 7518 §3.4: both numbers, 32 bytes each
    return r.to_bytes(32) + s.to_bytes(32)


def _part(fields: Mapping[str, Any]) -> str:
    return _text(json.dumps(fields, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@lru_cache(4)
def _read(secret: str) -> _Key:
    """Raises ConfigError, which says nothing of the secret."""
    try:
        if "-----BEGIN" in secret:
            key = serialization.load_pem_private_key(secret.replace("\\n", "\n").encode(), None)
        else:
            raw = base64.b64decode(secret, validate=True)
            key = ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32] if len(raw) in (32, 64) else b"")
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        key = None
    is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    if key is None or not (is_p256 or isinstance(key, ed25519.Ed25519PrivateKey)):
        mend = "copy the private key as Coinbase gave it: PEM of a P-256 key, or base64 of an Ed25519 key"
        raise ConfigError("the secret is no key that can sign", place="venues.coinbase.secret", mend=mend) from None
    return key  # type: ignore[return-value]  # one of the two, as was just seen
